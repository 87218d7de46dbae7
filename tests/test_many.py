"""Many processes on one home at once: none is refused for nothing, nothing is lost, nothing is done twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from agent_os.core import machine
from agent_os.core.clock import Clock, iso
from tests.house import House

PROCESSES = 32
ROOT = str(Path(__file__).resolve().parent.parent)

# One process: waits for the start, then runs its task several times. What each time came to, and what was said.
WORKER = """
import contextlib, io, json, os, sys, time
from agent_os.core import archive
from agent_os.main import main
archive.preload = lambda: 0  # nobody replaces the program here, and 32 times all modules take longer than all else
home, runs, words = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
print("ready", flush=True)
while not os.path.exists(os.path.join(home, "go")): time.sleep(0.005)
codes, said = [], io.StringIO()
with contextlib.redirect_stderr(said):
    for _ in range(runs): codes.append(main([*words, "--home", home, "--quiet"]))
print(json.dumps([codes, said.getvalue()]))
"""

OWN_TASKS = f"""
    def make(number):
        @app.task(name=f"task_{{number}}")
        def work(ctx):
            ctx.step("read", lambda: note(f"{{ctx.task}} {{ctx.slot}}"))
            return number
    for number in range({PROCESSES}): make(number)
"""
ONE_TASK = """
    @app.task(overlap="{}")
    def work(ctx): note(ctx.slot)
"""


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> House:
    return House(tmp_path, capsys)


def at_once(house: House, count: int, runs: int, words) -> tuple[list[int], list[str]]:
    """So many processes that all begin at the same moment: their exit codes, and what they said on stderr."""
    env = {**os.environ, "PYTHONPATH": ROOT}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(house.home), str(runs), "--app", str(house._app), *words(number)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, text=True,
        )
        for number in range(count)
    ]  # fmt: skip
    try:
        for process in processes:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
        (house.home / "go").touch()
        told = [json.loads(process.communicate(timeout=120)[0]) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
            process.stdout.close()  # type: ignore[union-attr]
    return [code for codes, _ in told for code in codes], [said for _, said in told if said]


def settled(house: House) -> Counter[str]:
    """The statuses of all slots; none may have a runner."""
    assert house.rows("SELECT task, key FROM slots WHERE owner <> '' OR lease_until <> ''") == []
    assert house.rows("PRAGMA integrity_check") == [("ok",)]
    return Counter(status for (status,) in house.rows("SELECT status FROM slots"))


def test_everyone_with_a_task_of_their_own(house: House) -> None:
    """From the first use of a home that has no database yet: 32 processes, three runs each, all done, none refused."""
    house.app(OWN_TASKS)
    codes, said = at_once(house, PROCESSES, 3, lambda number: ["--task", f"task_{number}"])
    assert (Counter(codes), said) == (Counter({0: 3 * PROCESSES}), [])
    assert settled(house) == Counter(success=3 * PROCESSES)
    assert house.rows("SELECT status, count(*) FROM runs GROUP BY 1") == [("success", 3 * PROCESSES)]
    assert len(house.notes) == len(set(house.notes)) == 3 * PROCESSES


def test_everyone_with_the_same_task_waits_for_their_turn(house: House) -> None:
    """overlap = queue: each run is made, one after the other."""
    house.app(ONE_TASK.format("queue"))
    codes, said = at_once(house, PROCESSES, 2, lambda _: ["--task", "work"])
    assert (Counter(codes), said) == (Counter({0: 2 * PROCESSES}), [])
    assert settled(house) == Counter(success=2 * PROCESSES)
    assert len(house.notes) == len(set(house.notes)) == 2 * PROCESSES
    spans = house.rows("SELECT started_at, finished_at FROM runs ORDER BY started_at, finished_at")
    assert all(end <= begin for (_, end), (begin, _) in zip(spans, spans[1:]))


def test_of_many_with_the_same_slot_one_does_it(house: House) -> None:
    """overlap = skip: the others are told that it is running, or that there is nothing to do."""
    house.app(ONE_TASK.format("skip"))
    codes, said = at_once(house, 12, 2, lambda _: ["--task", "work", "--key", "november"])
    assert set(codes) <= {0, 4}, said
    assert house.notes == ["november"]
    assert settled(house) == Counter(success=1)


# --- a runner that is stopped -----------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="SIGSTOP is of POSIX")
def test_a_stopped_runner_keeps_its_slots_while_its_lease_lasts_and_then_loses_them(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Busy at once, and not for ever. Continued, it finds that it has lost its slot, changes nothing and says so."""
    house.app("""
        @app.task
        def work(ctx):
            note(f"begun by {os.getpid()}")
            while not os.path.exists(os.path.join(ctx.settings.home, "go")): time.sleep(0.01)
            ctx.step("late", lambda: note("late"))
            return os.getpid()
    """)
    words = [sys.executable, "-m", "agent_os", "--task", "work", "--key", "a", "--home", str(house.home)]
    stopped = subprocess.Popen(
        [*words, "--app", str(house._app)], env={**os.environ, "PYTHONPATH": ROOT}, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 20
        while not house.notes and time.monotonic() < deadline:
            time.sleep(0.02)
        stopped.send_signal(signal.SIGSTOP)
        begin = time.monotonic()
        answer = house.task("work", "--key", "a")
        assert (answer.code, time.monotonic() - begin < 20) == (4, True)
        assert f"work is already running (process {stopped.pid}" in answer.err

        (house.home / "go").touch()
        house.change("UPDATE slots SET lease_until = ?", iso(Clock().now())[:10])
        monkeypatch.setattr(machine, "PATIENCE_SECONDS", 0.2)
        answer = house.task("work", "--key", "a")
        assert (answer.code, "an earlier run was interrupted" in answer.err) == (0, True)
        before = [house.rows(f"SELECT * FROM {table} ORDER BY 1") for table in ("slots", "runs", "steps")]

        stopped.send_signal(signal.SIGCONT)
        _, err = stopped.communicate(timeout=30)
    finally:
        stopped.kill()
        stopped.wait()
    assert stopped.returncode == 1
    assert "work a: this run has lost its slot: it was silent for longer than its lease" in err
    assert "Traceback" not in err
    assert [house.rows(f"SELECT * FROM {table} ORDER BY 1") for table in ("slots", "runs", "steps")] == before
    assert house.notes[1:] == [f"begun by {os.getpid()}", "late", "late"]
