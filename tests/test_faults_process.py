"""What a machine does to a process: signals, limits, streams that are gone. One sentence, one code, nothing half."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from agent_os import exits
from agent_os.core import files
from agent_os.core.errors import BusyError
from agent_os.core.opening import open_to_write
from agent_os.main import as_ours, main
from agent_os.sandbox.server import Sandbox
from tests.fakes.environment import bare

from .test_command_line import collected, finish, start, write_env
from .world import FastClock

ROOT = str(Path(files.__file__).parents[2])

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="signals and limits of POSIX"),
    # What a signal raises while Python collects garbage is dropped, and pytest would call it an error.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def sandbox():
    with Sandbox() as running:
        yield running


def limited(home: Path, limit: str, *words: str) -> tuple[int, str, str]:
    """The program under a limit as the shell sets it: "-n 16"."""
    line = f'ulimit {limit} && exec "$0" -S "$@"'
    process = subprocess.Popen(
        ["/bin/sh", "-c", line, sys.executable, "-m", "agent_os", *words, "--home", str(home)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=bare(), cwd=home,
    )  # fmt: skip
    return finish(process)


def asked(home: Path, sql: str) -> list[tuple[object, ...]]:
    """What the database answers."""
    with closing(sqlite3.connect(home / "agent_os.db")) as connection:
        return connection.execute(sql).fetchall()


# --- limits


def test_a_module_in_c_that_cannot_be_opened_is_no_fault_of_ours() -> None:
    """Where no more files can be opened Python calls it an ImportError; any other one is ours."""
    limit = as_ours(ImportError("/x/_queue.so: cannot open shared object file: Too many open files", name="_queue"))
    assert limit is not None
    assert (exits.of(limit), limit.message) == (exits.ENV, "loading _queue: Too many open files")
    assert as_ours(ImportError("cannot import name 'x'", name="y")) is None


# --- signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_heard_while_the_database_is_locked(tmp_path: Path, sandbox: Sandbox, number: int) -> None:
    """Not only while providers are asked: 128 + n and one sentence, within seconds, whoever holds the database."""
    collected(tmp_path)
    write_env(tmp_path, sandbox)
    writer = sqlite3.connect(tmp_path / "agent_os.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    process = start("--task", "run_all", "--force", "--quiet", home=tmp_path)
    time.sleep(0.4)
    sent = time.monotonic()
    process.send_signal(number)
    code, _, err = finish(process)
    writer.close()
    assert (code, err) == (128 + number, f"error: stopped by signal {number:d}; what was not finished is due again\n")
    assert time.monotonic() - sent < 15


def test_a_signal_between_writing_runs_down_and_asking_closes_them(
    tmp_path: Path, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No run stays `running`, at whatever point of it the signal comes."""
    write_env(tmp_path, sandbox)
    monkeypatch.setattr("agent_os.core.crew.Crew.take", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    assert main(["--task", "run_all", "--quiet", "--home", str(tmp_path)]) == 143
    assert asked(tmp_path, "SELECT DISTINCT status, error FROM runs") == [
        ("failed", "interrupted: stopped by signal 15")
    ]


def test_a_stopped_export_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a half file nor a temporary one."""
    collected(tmp_path)
    before = sorted(os.listdir(tmp_path))
    monkeypatch.setattr("agent_os.core.export.write_export", lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM))
    assert main(["--task", "export", "--home", str(tmp_path)]) == 143
    assert [name for name in sorted(os.listdir(tmp_path)) if "agent_os.db-" not in name] == before


def test_who_waited_for_a_minute_is_not_kept_waiting_again(tmp_path: Path) -> None:
    """A minute in all, not one for each thing that is still to be done, closing included."""
    clock = FastClock()
    db = open_to_write(str(tmp_path / "a.db"), clock=clock)
    holder = os.open(tmp_path / "a.db.lock", os.O_RDWR)
    files.lock_fd(holder, wait=True)
    for _ in range(3):
        with pytest.raises(BusyError), db.atomic():
            pass
    db.close()
    os.close(holder)
    assert 59 < sum(clock.slept) < 61


# --- streams


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
@pytest.mark.parametrize("words", [("--task", "run_all"), ("--task", "export"), ("--task", "nonsense")])
def test_a_stderr_that_takes_nothing_does_not_change_the_exit_code(
    tmp_path: Path, sandbox: Sandbox, words: tuple[str, ...]
) -> None:
    """Python itself would end with 120."""
    collected(tmp_path)
    write_env(tmp_path, sandbox)
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "agent_os", *words, "--home", str(tmp_path)], stdout=subprocess.DEVNULL, stderr=full,
            env=bare(), check=False,
        )  # fmt: skip
    assert done.returncode == (2 if "nonsense" in words else 0)


def test_a_reader_that_leaves_does_not_undo_an_export(tmp_path: Path) -> None:
    """The file is there: telling its name to nobody is no failure."""
    collected(tmp_path)
    process = start("--task", "export", "--quiet", "--out", str(tmp_path / "x.csv"), home=tmp_path)
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), err) == (0, b"")
    assert (tmp_path / "x.csv").read_text().count("\n") == 73


# --- limits


@pytest.mark.skipif(sys.platform != "linux", reason="ulimit counts otherwise elsewhere")
@pytest.mark.parametrize("limit", ["-n 4", "-n 6", "-n 9", "-v 24000", "-v 34000"])
def test_a_limit_of_the_machine_is_named_and_exit_7(tmp_path: Path, sandbox: Sandbox, limit: str) -> None:
    """Too few files or too little memory: no traceback, one sentence, and the next run without the limit is whole."""
    write_env(tmp_path, sandbox)
    code, _, err = limited(tmp_path, limit, "--task", "run_all", "--quiet")
    if not ("python" in err.lower() and "error: " not in err):  # the interpreter itself did not come up
        assert (code, "Traceback" in err) == (7, False), err
        assert any(word in err for word in ("open files", "memory", "thread")), err
    assert main(["--task", "run_all", "--quiet", "--home", str(tmp_path)]) == 0
    assert asked(tmp_path, "SELECT count(*) FROM results") == [(72,)]
    assert asked(tmp_path, "SELECT count(*) FROM runs WHERE status = 'running'") == [(0,)]
