"""The command line: what words mean, what is said of wrong ones, and which exit code follows."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_os import arguments
from agent_os.arguments import COMMON, RUN, VERBS, Arguments, parse
from agent_os.core import archive
from agent_os.core.errors import UsageError
from agent_os.help_page import help_text
from agent_os.main import main
from agent_os.sandbox.server import Sandbox
from tests.fakes.environment import bare

ROOT = Path(arguments.__file__).parent.parent


def start(*words: str, home: Path, **environ: str) -> subprocess.Popen[bytes]:
    """The program in a process of its own, with nothing in its environment but what is given."""
    return subprocess.Popen(
        [sys.executable, "-m", "agent_os", *words, "--home", str(home)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=bare(**environ), cwd=home,
    )  # fmt: skip


def finish(process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out.decode(), err.decode()


def rows(home: Path, sql: str) -> list[tuple[object, ...]]:
    """What the database of a home answers."""
    connection = sqlite3.connect(home / "agent_os.db")
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def write_env(home: Path, sandbox: Sandbox) -> None:
    text = (
        f"OPENAI_ADMIN_KEY={sandbox.openai_key}\nOPENAI_BASE_URL={sandbox.openai_base_url}\n"
        f"ANTHROPIC_ADMIN_KEY={sandbox.anthropic_key}\nANTHROPIC_BASE_URL={sandbox.anthropic_base_url}\n"
    )
    (home / ".env").write_text(text)
    (home / ".env").chmod(0o600)


WORDS = [*COMMON, *RUN, "run_all", "export", "-", "2026-11-21", "results", "--nonsense", "--task=run_all", "", "-x"]


@given(st.lists(st.sampled_from(WORDS), max_size=7))
def test_the_quick_scan_reads_what_argparse_reads(words: list[str]) -> None:
    """Whatever the scan accepts, it accepts with the same meaning."""
    quick = arguments._scan(words)
    if quick is not None:
        slow = arguments._parse(words)
        fields = {name: value for name, value in vars(slow).items() if name not in ("clock", "_opened")}
        assert fields == {name: getattr(quick, name) for name in fields}


def test_a_cron_line_never_needs_argparse() -> None:
    """The plain form of every option of --task."""
    words = ["--task", "export", "--since", "2026-11-01", "--until", "2026-11-02", "--force", "--json", "--out", "-"]
    found = arguments._scan([*words, "--home", "/x", "--quiet", "--verbose", "--table", "runs", "--format", "jsonl"])
    assert isinstance(found, Arguments)
    assert (found.task, found.out, found.home, found.table, found.force) == ("export", "-", "/x", "runs", True)


def test_the_help_names_every_verb_and_option(capsys: pytest.CaptureFixture[str]) -> None:
    """It is written by hand around the tables that are parsed by."""
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert text == help_text()
    for name in (*VERBS, *COMMON, *RUN, "--version", "run_all", "fetch_openai"):
        assert name in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_fits_a_terminal_of_80_columns(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Usage, description, options, and what stands below them."""
    monkeypatch.setenv("COLUMNS", "80")
    assert main([verb, "--help"]) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if len(line) > 80] == []


def test_an_option_that_is_known_is_not_called_misspelt(capsys: pytest.CaptureFixture[str]) -> None:
    """Two options that exclude each other are no mistake of spelling."""
    assert main(["backfill", "x", "--since", "2026-11-01", "--all", "--missing-only"]) == 2
    assert "did you mean" not in capsys.readouterr().err
    assert main(["history", "--stauts", "failed", "--hom", "."]) == 2
    assert "did you mean" in capsys.readouterr().err


def test_the_help_of_an_apps_own_file_has_what_the_app_brings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its tasks, its verbs, and the name of the file: who was given `billing_tracker.pyz` knows of no other."""
    monkeypatch.setattr(archive, "bundled_apps", lambda: ("apps.billing_tracker",))
    monkeypatch.setattr(archive, "is_single_file", lambda: True)
    monkeypatch.setattr(archive, "location", lambda: "/opt/billing_tracker.pyz")
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    for words in (
        "--task daily_report",
        "--task billing_summary",
        "  summary ",
        "  statement ",
        "  alerts ",
        "  invoice ",
    ):
        assert words in text, words
    assert "usage: billing_tracker.pyz --task" in text
    assert "agent_os.pyz" not in text
    assert max(map(len, text.splitlines())) <= 120
    assert main(["summary", "--help"]) == 0
    assert "usage: billing_tracker.pyz summary" in capsys.readouterr().out


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_tells_its_own_options(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`VERB --help` ends well and names what is common to all."""
    assert main([verb, "--help"]) == 0
    assert "--home" in capsys.readouterr().out


def test_the_version_names_what_a_report_needs(capsys: pytest.CaptureFixture[str]) -> None:
    """Version, commit, build, Python, SQLite."""
    assert main(["--version"]) == 0
    text = capsys.readouterr().out
    assert f"Python {sys.version.split()[0]}" in text
    assert f"SQLite {sqlite3.sqlite_version}" in text
    assert "commit" in text
    assert "build" in text


WRONG = [
    (["--tsak", "run_all"], "--task"),
    (["--task"], "--help"),
    (["--task", "run_al"], "run_all"),
    (["--task", "fetch_opena1"], "fetch_openai"),
    (["resluts"], "results"),
    (["--task", "run_all", "--since", "yesterday"], "2026-11-21"),
    (["--task", "run_all", "--since", "2026-02-31"], "2026-11-21"),
    (["--task", "run_all", "--since", "2999-01-01"], "future"),
    (["--task", "run_all", "--since", "2026-01-02", "--until", "2026-01-02"], "not included"),
    (["--task", "run_all", "--out", "x.csv"], "leave it out"),
    (["--task", "export", "--table", "lime"], "lines"),
    (["--task", "export", "--format", "xml"], "jsonl"),
    (["--task", "run_all", "results"], "exclude"),
    (["--quiet"], "--help"),
    (["history", "--status", "interrupted"], "--help"),
]


@pytest.mark.parametrize(("words", "says"), WRONG)
def test_a_wrong_line_is_one_sentence_and_exit_2(
    words: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is wrong and what was probably meant; nothing is made."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-admin-invented-000")
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith("error: ")
    assert says in err
    assert [file.name for file in tmp_path.iterdir() if file.name != "agent.log"] == []


def test_with_json_the_exit_is_the_last_line_of_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Code, name, message and hint, for programs."""
    assert main(["results", "--json", "--home", str(tmp_path)]) == 3
    record = json.loads(capsys.readouterr().err.splitlines()[-1])
    assert (record["type"], record["code"], record["name"]) == ("exit", 3, "CONFIG")
    assert record["message"]
    assert record["hint"]


def test_a_fault_of_the_program_is_one_sentence_and_exit_70(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The traceback is in the log, not on the screen."""
    monkeypatch.setattr("agent_os.commands.config.emit_table", lambda *_: 1 / 0)
    assert main(["config", "--home", str(tmp_path)]) == 70
    err = capsys.readouterr().err
    assert "ZeroDivisionError" in err
    assert "Traceback" not in err
    assert "Traceback" in (tmp_path / "agent.log").read_text()


def test_a_home_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the command that makes it."""
    assert main(["--task", "run_all", "--home", str(tmp_path / "none")]) == 3
    assert "mkdir" in capsys.readouterr().err


def test_a_deleted_current_directory_is_a_sentence(tmp_path: Path) -> None:
    """Cron and long sessions meet it."""
    gone = tmp_path / "gone"
    code = f"import os; os.mkdir({str(gone)!r}); os.chdir({str(gone)!r}); os.rmdir({str(gone)!r})\n"
    code += "import sys; from agent_os.main import main; sys.exit(main(['tasks']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=bare(), check=False)
    assert done.returncode == 3
    assert b"--home" in done.stderr
    assert b"Traceback" not in done.stderr


def collected(home: Path) -> None:
    with Sandbox() as sandbox:
        write_env(home, sandbox)
        assert main(["--task", "run_all", "--quiet", "--home", str(home)]) == 0


def test_a_reader_that_leaves_ends_a_reading_command_silently(tmp_path: Path) -> None:
    """`results | head -1`: exit 141, nothing on stderr."""
    collected(tmp_path)
    process = start("results", home=tmp_path)
    assert process.stdout
    process.stdout.close()
    assert process.stderr
    err = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), err) == (141, b"")


def test_a_reader_that_leaves_does_not_undo_a_run(tmp_path: Path) -> None:
    """The work is finished, and the exit code is the work's."""
    with Sandbox() as sandbox:
        write_env(tmp_path, sandbox)
        process = start("--task", "run_all", home=tmp_path)
        assert process.stdout
        process.stdout.close()
        assert process.stderr
        process.stderr.read()
        process.stderr.close()
        assert process.wait() == 0
    assert rows(tmp_path, "SELECT count(*) FROM results") == [(72,)]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_output_that_cannot_be_written_is_exit_7(tmp_path: Path) -> None:
    """One line on stderr."""
    collected(tmp_path)
    with open("/dev/full", "wb") as full:
        process = subprocess.Popen(
            [sys.executable, "-m", "agent_os", "results", "--home", str(tmp_path)],
            stdout=full, stderr=subprocess.PIPE, env=bare(),
        )  # fmt: skip
        _, err = process.communicate()
    assert process.returncode == 7
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_a_run_in_order(tmp_path: Path, number: int) -> None:
    """128 + n, the run closed as failed ("interrupted"), nothing half stored, no traceback."""
    with Sandbox() as sandbox:
        sandbox.latency = 0.2
        write_env(tmp_path, sandbox)
        process = start("--task", "run_all", home=tmp_path)
        deadline = time.monotonic() + 20
        while not sandbox.journal and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(number)
        code, _, err = finish(process)
    assert code == 128 + number
    assert "Traceback" not in err
    found = rows(tmp_path, "SELECT status, substr(error, 1, 11) FROM runs")
    assert found == [("failed", "interrupted")] * 2


def test_a_killed_run_is_made_good_by_the_next(tmp_path: Path) -> None:
    """kill -9 in the middle: no day is lost or doubled, no run stays running."""
    with Sandbox() as sandbox:
        sandbox.latency = 0.01
        write_env(tmp_path, sandbox)
        for wait in (2, 9, 14, 30):
            process = start("--task", "run_all", home=tmp_path)
            asked = len(sandbox.journal)
            deadline = time.monotonic() + 20
            while len(sandbox.journal) < asked + wait and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.002)
            process.kill()
            process.communicate()
        sandbox.latency = 0
        code, _, err = finish(start("--task", "run_all", home=tmp_path))
        assert code == 0, err
        today = sandbox.clock.today()
        assert rows(tmp_path, "SELECT count(*) FROM runs WHERE status = 'running'") == [(0,)]
        assert rows(tmp_path, "PRAGMA integrity_check") == [("ok",)]
        assert rows(tmp_path, "SELECT count(*), max(date) FROM results") == [(72, today)]
        for provider, date, tokens, nano in rows(tmp_path, "SELECT provider, date, tokens, cost_nano FROM results"):
            assert sandbox.ledger.truth(provider, date) == (tokens, nano)


def test_eight_runs_at_once_make_one_set_of_requests(tmp_path: Path) -> None:
    """One works, the others are busy at once or find nothing left to ask; no lock error, nothing doubled."""
    with Sandbox() as sandbox:
        write_env(tmp_path, sandbox)
        sandbox.latency = 0.02
        started = [start("--task", "run_all", home=tmp_path) for _ in range(8)]
        ended = [finish(process) for process in started]
        assert {code for code, _, _ in ended} <= {0, 4}
        assert not [err for _, _, err in ended if "locked" in err or "Traceback" in err]
        first = [entry for entry in sandbox.requests("anthropic", "cost_report") if not dict(entry.query).get("page")]
        spans = [dict(entry.query)["starting_at"] for entry in first]
        assert len([span for span in spans if spans.count(span) > 1]) == 0
    assert rows(tmp_path, "SELECT count(*) FROM results") == [(72,)]


def test_a_flag_wins_over_every_other_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And `config` says that it did; a path on the command line is meant from where one is."""
    (tmp_path / ".env").write_text("AGENT_OS_DB_PATH=from_env.db\n")
    (tmp_path / ".env").chmod(0o600)
    assert main(["config", "--json", "--home", str(tmp_path), "--db-path", "here.db"]) == 0
    found = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert found["AGENT_OS_DB_PATH"]["source"] == "flag"
    assert found["AGENT_OS_DB_PATH"]["value"] == str(Path.cwd() / "here.db")


def test_the_value_of_an_option_is_no_verb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder may be named as a verb is."""
    (tmp_path / "demo").mkdir()
    monkeypatch.chdir(tmp_path)
    assert parse(["--home", "demo", "results", "--since", "2026-01-01"]).verb == "results"


def test_a_failing_run_with_json_ends_in_the_exit_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Also when the run itself came to an end: the last line of stderr."""
    with Sandbox() as sandbox:
        write_env(tmp_path, sandbox)
        sandbox.fault("openai", "costs", "nan")
        assert main(["--task", "run_all", "--json", "--home", str(tmp_path)]) == 1
    assert json.loads(capsys.readouterr().err.splitlines()[-1])["code"] == 1


def test_wrong_words_with_json_end_in_the_exit_record(capsys: pytest.CaptureFixture[str]) -> None:
    """A program that asked for JSON can read what was wrong with its own words."""
    assert main(["bogus", "--json"]) == 2
    assert json.loads(capsys.readouterr().err.splitlines()[-1])["name"] == "USAGE"


@pytest.mark.parametrize(
    ("word", "advice"),
    [("export", "a task is run by --task export;"), ("resluts", "did you mean results?")],
    ids=["task", "misspelled"],
)
def test_what_is_no_verb_is_told_what_it_may_be(word: str, advice: str) -> None:
    """A newcomer types `agent_os.pyz export`."""
    with pytest.raises(UsageError) as caught:
        parse([word])
    told = (caught.value.message, caught.value.hint)
    assert told == (f"there is no verb '{word}'", f"{advice} `--help` lists everything")


def test_wrong_words_are_told_from_right_ones() -> None:
    """A word that nobody knows is not passed over."""
    with pytest.raises(UsageError):
        parse(["--task", "run_all", "--frobnicate"])


def test_an_export_to_a_terminal_cannot_steer_it(tmp_path: Path) -> None:
    """A name with an escape sequence is shown escaped on a screen; a pipe gets the bytes of the file."""
    pty = pytest.importorskip("pty")
    with Sandbox() as sandbox:
        write_env(tmp_path, sandbox)
        sandbox.fault("openai", "costs", "hostile_name", times=2)
        assert main(["--task", "run_all", "--quiet", "--home", str(tmp_path)]) == 0
    words = [sys.executable, "-m", "agent_os", "--task", "export", "--table", "lines", "--out", "-", "--quiet"]
    ours, theirs = pty.openpty()
    process = subprocess.Popen([*words, "--home", str(tmp_path)], stdout=theirs, env=bare(), stdin=subprocess.DEVNULL)
    os.close(theirs)
    seen = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            break
        seen += part
    os.close(ours)
    assert process.wait() == 0
    assert b"\\x1b[31m" in seen
    assert b"\x1b" not in seen
