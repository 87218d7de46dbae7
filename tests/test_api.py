"""The Python API: what scripts and notebooks get by `agent_os.open`, and which names will always be there."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap
import threading
from datetime import date, datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path

import pytest

import agent_os
from agent_os import App, BusyError, ConfigError, PermanentError, TaskError, UsageError
from agent_os.sandbox.server import Sandbox
from tests.conftest import PACKAGE
from tests.posted import post
from tests.test_command_line import write_env

ROOT = Path(__file__).resolve().parent.parent


def python(*words: str, cwd: Path, path: Path = ROOT) -> str:
    """What a Python process prints that can import agent_os from a folder; it has to end well."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("AGENT_OS_", "PYTHONPATH"))}
    environ["PYTHONPATH"] = str(path)
    done = subprocess.run([sys.executable, *words], cwd=cwd, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def app() -> App:
    """An app of this very script: one task that works, one that comes after it, one that fails."""
    app = App("mine")

    @app.task
    def load(ctx):
        """Load it."""
        print("loading")  # noqa: T201
        return {"rows": 3}

    @app.task(after=load)
    def report(ctx):
        return ctx.outputs["load"]["rows"] * 2

    @app.task(retries=1, backoff="0.01s")
    def broken(ctx):
        raise TaskError("the door is shut", hint="open it")

    return app


# --- the names --------------------------------------------------------------------------------------------------------


def test_the_public_names_are_these():
    """What stands here stays: a name may be added, none may go."""
    assert agent_os.__all__ == [
        "AgentOSError", "Answer", "App", "Ask", "BusyError", "Collector", "ConfigError", "Context", "Counts",
        "Estimate", "FencedError", "Gap", "KnownDay", "Line", "LogCollector", "Message", "Moments", "OpenHome",
        "Page", "PermanentError", "Posted", "Record", "ResourceError", "Result", "Row", "Run", "RunResult",
        "StoreError", "StoredBatch", "StoredPage", "Sum", "TaskError", "TaskInfo", "TickResult", "TransientError",
        "UsageError", "Watched", "Window", "__version__", "count_of", "day_and_second", "decimal_text", "folder_of",
        "hashed", "inert",
        "moment_of", "open", "shown", "table", "text_of",
    ]  # fmt: skip
    assert [name for name in agent_os.__all__ if getattr(agent_os, name, None) is None] == []


def test_what_a_home_can_do_is_this():
    """The methods, and the names and order of what they answer."""
    assert [name for name in dir(agent_os.OpenHome) if not name.startswith("_")] == [
        "batches", "chain_head", "close", "days", "estimates", "export", "footnotes", "gaps", "keep", "kept",
        "lines", "messages", "resend", "results", "run", "runs", "sections", "setting", "sums", "tasks", "tick",
        "today", "watch",
    ]  # fmt: skip
    assert agent_os.RunResult._fields == (
        "task", "slot", "run_id", "status", "error", "hint", "output", "attempts", "seconds", "printed",
    )  # fmt: skip
    assert agent_os.Run._fields == (
        "run_id", "task", "provider", "status", "started_at", "finished_at", "error", "requests", "notes", "slot",
        "attempts",
    )  # fmt: skip
    assert agent_os.Gap._fields == (
        "task", "provider", "since", "last", "days", "reason", "slots", "lost_on", "is_lost",
    )  # fmt: skip
    assert agent_os.Posted._fields == (
        "id", "outbox", "key", "status", "attempts", "next_at", "error", "run_id", "created_at", "body",
    )  # fmt: skip
    assert agent_os.TickResult._fields == ("runs", "waits", "next_at")
    assert agent_os.Watched._fields == (
        "task", "state", "due_at", "late_seconds", "last_success_at", "last_slot", "reason", "warnings",
    )  # fmt: skip
    assert agent_os.TaskInfo._fields == ("task", "state", "due", "after", "what", "basis")


def test_importing_the_package_loads_nothing_of_it(tmp_path):
    """A name is imported when it is first used."""
    code = "import sys, agent_os; print(sorted(name for name in sys.modules if name.startswith('agent_os.')))"
    assert python("-c", code, cwd=tmp_path) == "[]\n"


TYPED = """
import datetime
from typing import Optional, cast

import agent_os
from agent_os import App, Context, Message

app = App("mine")


@app.task(partition="day")
def report(ctx: Context) -> int:
    return len(ctx.slot)


@app.task
def simple(ctx: Context) -> str:
    return ctx.task


@app.outbox("discord", needs="DISCORD_WEBHOOK_URL")
def send(ctx: Context, message: Message) -> str:
    return message.key


kept: str = simple(cast(Context, None)) + send(cast(Context, None), Message("k", None, 1))
simple(3)  # type: ignore[arg-type]
report(3)  # type: ignore[arg-type]
send(3, 4)  # type: ignore[arg-type]

with agent_os.open("home", app=app) as home:
    for result in home.run("report", report, since=datetime.date(2026, 11, 1), until="2026-11-03", jobs=2):
        status: str = result.status
        seconds: float = result.seconds
    costs: list[Optional[int]] = [day.cost_nano for day in home.results(provider="openai")]
    newest: Optional[str] = home.runs(task=report, limit=1)[0].finished_at
    days: int = sum(gap.days for gap in home.gaps(since="2026-11-01"))
    rows: int = home.export("out.csv", table="runs", format="csv")
    names: list[str] = [task.task for task in home.tasks()]
    ticked: agent_os.TickResult = home.tick()
    following: Optional[str] = ticked.next_at
    came: list[str] = [result.status for result in ticked.runs] + [why for why in ticked.waits.values()]
    late: list[Optional[float]] = [each.late_seconds for each in home.watch(report, "simple", grace="2h")]
    home.watch(grace=[2])  # type: ignore[arg-type]
    home.run(3)  # type: ignore[arg-type]
    home.results(since=20261101)  # type: ignore[arg-type]
"""


@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is not installed")
def test_a_script_that_uses_it_is_checked_strictly(tmp_path):
    """The types are those of the docstrings; what is wrong is found (an `ignore` that is not needed is an error)."""
    (tmp_path / "script.py").write_text(TYPED)
    words = ["-m", "mypy", "--strict", "--python-version", "3.9", "--cache-dir", str(ROOT / ".mypy_cache"), "script.py"]
    words += ["--follow-imports", "silent"]
    environ = {**os.environ, "MYPYPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *words], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    if "python_version" in done.stdout + done.stderr:
        pytest.skip("this mypy does not know Python 3.9 any more")
    assert (done.returncode, done.stdout) == (0, "Success: no issues found in 1 source file\n"), done.stderr


def test_the_types_travel_with_the_package():
    """`py.typed` is in the folder, and in what pip installs."""
    assert (ROOT / "agent_os" / "py.typed").exists()
    assert 'agent_os = ["py.typed", "LICENSE"]' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


# --- running ----------------------------------------------------------------------------------------------------------


def test_an_app_of_the_script_itself_is_run(app, tmp_path):
    """A task is named by its function or its name; what it comes after is run with it; its output is its value."""
    report = app.tasks["report"].function
    with agent_os.open(tmp_path, app=app) as home:
        load, second = home.run(report)
        assert (load.task, load.status, load.output, load.printed) == ("load", "success", {"rows": 3}, "loading\n")
        assert (second.task, second.status, second.output, second.attempts) == ("report", "success", 6, 1)
        assert load.slot == second.slot
        assert load.seconds < 5
        assert [run.run_id for run in home.runs()] == [second.run_id, load.run_id]


def test_a_failing_task_raises_nothing(app, tmp_path):
    """Its result says what happened, what to do, and how often it was tried; the others are not harmed."""
    with agent_os.open(tmp_path, app=app) as home:
        broken, load = sorted(home.run("broken", "load"))
        assert (broken.status, broken.error, broken.hint) == ("failed", "the door is shut", "open it")
        assert (broken.output, broken.attempts) == (None, 2)
        assert load.status == "success"
        (past,) = home.runs(status="failed")
        assert (past.task, past.run_id, past.error) == ("broken", broken.run_id, "the door is shut")


def test_a_named_slot_is_done_once_and_again_with_force(app, tmp_path):
    """The same as --key and --force."""
    with agent_os.open(tmp_path, app=app) as home:
        statuses = [home.run("load", key="a", force=force)[0].status for force in (False, False, True)]
        assert statuses == ["success", "skipped", "success"]


def test_days_are_text_or_dates(tmp_path):
    """`since` is included, `until` is not; an instant is no day, since nobody knows whose."""
    app = App("mine")

    @app.task(partition="day")
    def daily(ctx):
        return ctx.window.start

    with agent_os.open(tmp_path, app=app) as home:
        days = home.run("daily", since=date(2026, 1, 1), until="2026-01-03")
        assert [(each.slot, each.output) for each in days] == [
            ("2026-01-01", "2026-01-01"),
            ("2026-01-02", "2026-01-02"),
        ]
        for wrong in (datetime(2026, 1, 1, tzinfo=timezone.utc), 20260101, "2026-1-1"):
            with pytest.raises(UsageError) as caught:
                home.run("daily", since=wrong)
            assert "2026-11-21" in caught.value.hint + caught.value.message, wrong


@pytest.mark.parametrize(
    ("words", "options", "said"),
    [
        ((), {}, "no task was named"),
        (("laod",), {}, "there is no task 'laod'"),
        (("export",), {}, "export is not run"),
        ((len,), {}, "<built-in function len> is no task"),
        (("load",), {"since": "2026-01-01"}, "mean nothing to the task load"),
        (("load",), {"key": "a\nb"}, "cannot name a slot"),
        (("load",), {"jobs": 1000}, "jobs is '1000'"),
        (("load",), {"since": "2026-01-02", "until": "2026-01-01"}, "is not after"),
    ],
    ids=["none", "misspelt", "export", "function", "days", "key", "jobs", "order"],
)
def test_what_cannot_be_meant_is_refused_before_anything_runs(app, tmp_path, words, options, said):
    """One UsageError with a hint, and no trace of a run."""
    with agent_os.open(tmp_path, app=app) as home:
        with pytest.raises(UsageError, match=said) as caught:
            home.run(*words, **options)
        assert caught.value.hint
    assert not (tmp_path / "agent_os.db").exists()


def test_a_name_that_is_nearly_one_is_told(app, tmp_path):
    """As on the command line."""
    with agent_os.open(tmp_path, app=app) as home, pytest.raises(UsageError) as caught:
        home.run("laod")
    assert caught.value.hint == "did you mean load?"


def test_without_a_key_there_is_nothing_to_run(tmp_path):
    """Exit 3 of the command line is a ConfigError here."""
    with agent_os.open(tmp_path) as home:
        with pytest.raises(ConfigError, match="nothing to collect from"):
            home.run("run_all")
        with pytest.raises(ConfigError, match="there is no database"):
            home.results()


def test_what_is_wrong_with_the_tasks_is_said_when_the_home_is_opened(tmp_path):
    """A graph that cannot be meant, a home that is none, an app that cannot be found."""
    app = App("mine")

    @app.task(after="nobody", retries=-1)
    def lost(ctx):
        pass

    with pytest.raises(ConfigError, match="2 faults in the tasks"):
        agent_os.open(tmp_path, app=app)
    with pytest.raises(ConfigError, match="is not a folder"):
        agent_os.open(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="no app could be read"):
        agent_os.open(tmp_path, app=tmp_path / "nothing.py")
    with pytest.raises(UsageError, match=r"app is builtins\.int"):
        agent_os.open(tmp_path, app=3)


def test_a_home_that_was_closed_says_so(app, tmp_path):
    """The block is over."""
    with agent_os.open(tmp_path, app=app) as home:
        pass
    with pytest.raises(UsageError, match="this home was closed"):
        home.run("load")


def test_a_task_that_runs_elsewhere_is_busy(tmp_path):
    """Another thread counts as elsewhere; afterwards it is free again."""
    app, began, may_end = App("mine"), threading.Event(), threading.Event()

    @app.task
    def slow(ctx):
        began.set()
        may_end.wait(20)

    home = agent_os.open(tmp_path, app=app)
    results: list[agent_os.RunResult] = []
    thread = threading.Thread(target=lambda: results.extend(home.run("slow")))
    thread.start()
    assert began.wait(20)
    with pytest.raises(BusyError, match="slow is already running"):
        home.run("slow")
    may_end.set()
    thread.join(20)
    assert [each.status for each in results] == ["success"]
    assert home.run("slow")[0].status == "success"


def test_threads_run_side_by_side_in_one_home(tmp_path):
    """An OpenHome may be handed to any thread: nothing is open between two calls."""
    app = App("mine")
    for number in range(4):
        app.task(lambda ctx, number=number: print(number) or number, name=f"task_{number}")  # noqa: T201
    home = agent_os.open(tmp_path, app=app)
    results: dict[int, list[agent_os.RunResult]] = {}

    def work(number: int) -> None:
        results[number] = home.run(f"task_{number}")

    before = sys.stdout, sys.stderr
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert {number: [(each.output, each.printed) for each in found] for number, found in results.items()} == {
        number: [(number, f"{number}\n")] for number in range(4)
    }
    assert (sys.stdout, sys.stderr) == before
    assert len(home.runs()) == 4


def test_a_failure_is_silent_unless_one_wants_to_hear_of_it(app, tmp_path, capsys):
    """quiet=False tells on stderr what the command line tells; nothing is ever written to standard output."""
    with agent_os.open(tmp_path, app=app) as home:
        home.run("broken", "load")
    assert capsys.readouterr() == ("", "")
    with agent_os.open(tmp_path, app=app, quiet=False) as home:
        home.run("broken", force=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "the door is shut; open it" in err


def test_no_secret_is_in_what_is_told(tmp_path):
    """Errors and what was printed are redacted, as in the log."""
    (tmp_path / ".env").write_text("OTHER_TOKEN=hunter2-hunter2-hunter2\n")
    app = App("mine")

    @app.task
    def leaky(ctx):
        print(ctx.setting("OTHER_TOKEN"))  # noqa: T201
        raise PermanentError(f"no: {ctx.setting('OTHER_TOKEN')}")

    with agent_os.open(tmp_path, app=app) as home:
        assert "hunter2" not in repr(home.run("leaky")) + repr(home.runs())


def test_a_setting_is_read_when_it_is_needed(tmp_path):
    """What was put into .env after the home was opened counts from the next call on."""
    app = App("mine")

    @app.task(needs="MY_TOKEN")
    def careful(ctx):
        return len(ctx.setting("MY_TOKEN"))

    with agent_os.open(tmp_path, app=app) as home:
        with pytest.raises(ConfigError, match="MY_TOKEN is not set"):
            home.run(careful)
        (tmp_path / ".env").write_text("MY_TOKEN=12345\n")
        assert home.run(careful)[0].output == 5


def test_a_timeout_needs_an_app_that_another_process_can_find(tmp_path):
    """An app in a file has it; one that the script made fails with a sentence that says so."""
    source = f"from {PACKAGE} import App\napp = App('f')\n@app.task(timeout='60s')\ndef timed(ctx): return 'in time'\n"
    (tmp_path / "filed.py").write_text(source)
    app = App("here")

    @app.task(timeout="60s")
    def timed(ctx):
        return 1

    with agent_os.open(tmp_path, app=tmp_path / "filed.py") as home:
        assert home.run("timed")[0].output == "in time"
    with agent_os.open(tmp_path, app=app) as home:
        (result,) = home.run("timed")
    assert (result.status, result.output) == ("failed", None)
    assert "no other process can find it" in result.error
    assert 'app="FILE" in Python' in result.hint


def test_an_app_that_was_imported_is_found_by_its_processes(tmp_path):
    """`from my_module import app` and `open(app=app)`: a timeout works, since the module has a name."""
    source = "from agent_os import App\napp = App('m')\n@app.task(timeout='60s')\ndef timed(ctx): return ctx.task\n"
    (tmp_path / "my_module.py").write_text(source)
    code = "import agent_os, my_module\nwith agent_os.open(app=my_module.app) as h: print(h.run('timed')[0].output)"
    assert python("-c", code, cwd=tmp_path) == "timed\n"


# --- ticking and watching ---------------------------------------------------------------------------------------------


@pytest.fixture
def timed() -> App:
    """An app with a task that is due every minute and works, and one of days that fails."""
    app = App("timed")

    @app.task(schedule="* * * * *", catch_up="latest")
    def minutely(ctx):
        return ctx.slot

    @app.task(partition="day")
    def broken(ctx):
        raise TaskError("the door is shut")

    return app


def test_a_tick_runs_what_is_due_once(timed, tmp_path):
    """What came of each run, and when something is due next; nothing where nothing is due."""
    (tmp_path / "agent_os.ini").write_text("[agent_os]\nAGENT_OS_COLLECT = daily 00:00\n")
    with agent_os.open(tmp_path, app=timed) as home:
        first = home.tick()
        assert (first.runs, first.waits) == ([], {})
        assert first.next_at is not None
        since = (datetime.now(timezone.utc) - timedelta(minutes=10)).isoformat()[:19] + ".000Z"
        database = sqlite3.connect(tmp_path / "agent_os.db")
        with database:  # as if that tick had been ten minutes ago
            database.execute("UPDATE schedules SET since = ? WHERE task = 'minutely'", (since,))
        database.close()
        result = next(each for each in reversed(home.tick().runs) if each.task == "minutely")
        assert (result.status, result.output) == ("success", result.slot)
        assert home.runs(status="success")[0].slot == result.slot


def test_a_tick_where_nothing_is_set_up_says_so(tmp_path):
    """As exit 3 of the command: it may be the wrong folder."""
    with agent_os.open(tmp_path) as home, pytest.raises(ConfigError, match="nothing is set up"):
        home.tick()
    assert not (tmp_path / "agent_os.db").exists()


def test_watch_tells_who_is_late(timed, tmp_path):
    """One answer a task: the state, since when, by how much and why; by name or function."""
    with agent_os.open(tmp_path, app=timed) as home:
        with pytest.raises(ConfigError, match="there is no database"):
            home.watch()
        home.run("minutely", "broken")
        broken = next(each for each in home.watch() if each.task == "broken")
        assert (broken.last_slot, broken.last_success_at, broken.warnings) == ("", None, ())
        assert broken.reason == "failed: the door is shut"
        (minutely,) = home.watch(timed.tasks["minutely"].function, grace="1d")
        assert (minutely.state, minutely.due_at, minutely.late_seconds, minutely.reason) == ("ok", None, None, "")
        assert minutely.last_slot == home.runs(task="minutely")[0].slot
        (late,) = home.watch("broken", grace=1)
        assert late.state == "late"
        assert late.due_at == home.today + "T00:00:00.000Z"
        assert late.late_seconds is not None
        absent = [each for each in home.watch() if each.state == "not set up"]
        assert {(each.due_at, each.late_seconds, each.reason[:9]) for each in absent} == {(None, None, "disabled:")}
        for wrong in ("soon", -1):
            with pytest.raises(UsageError, match="grace"):
                home.watch("broken", grace=wrong)
        with pytest.raises(UsageError, match="there is no task 'brokn'"):
            home.watch("brokn")


# --- reading ----------------------------------------------------------------------------------------------------------


def test_what_a_collector_stored_can_be_read_and_exported(tmp_path):
    """The way of a script: collect, read the days, see what is missing, write a file."""
    with Sandbox() as sandbox:
        write_env(tmp_path, sandbox)
        with agent_os.open(tmp_path) as home:
            collected = home.run("run_all")
            assert [(each.task, each.status, each.slot, each.output) for each in sorted(collected)] == [
                ("fetch_anthropic", "success", "", None),
                ("fetch_openai", "success", "", None),
            ]
            days = home.results(provider="openai")
            assert len(days) == 36
            assert {day.provider for day in days} == {"openai"}
            since, until = days[3].date, date.fromisoformat(days[5].date)
            assert home.results(since=since, until=until, provider="openai") == days[3:5]
            assert days[3].cost_nano == sandbox.ledger.truth("openai", since)[1]
            assert home.gaps() == []
            assert home.export(tmp_path / "out.csv", since=since, until=until) == 4
            assert home.export(str(tmp_path / "out.jsonl"), "runs", "jsonl") == 2
            lines = (tmp_path / "out.csv").read_bytes().split(b"\r\n")
            assert lines[0].startswith(b"date,provider,tokens,cost,")
            assert len(lines) == 6
            for wrong in ({"table": "tables"}, {"format": "xml"}):
                with pytest.raises(UsageError, match="is not known"):
                    home.export(tmp_path / "no.csv", **wrong)
            assert not (tmp_path / "no.csv").exists()


def test_where_a_line_comes_from_can_be_read(tmp_path):
    """Its batch, the run and the pages of it, by their SHA-256; the newest link stands for all of them."""
    day, as_of = "2026-10-03", "2026-10-05"
    assert post(tmp_path, "2026-10-05T06:00:00.000Z", {day: "1.50"}, body=b"first") == 1
    assert post(tmp_path, "2026-10-09T06:00:00.000Z", {day: "1.70", "2026-10-04": "0"}, body=b"second") == 2
    with agent_os.open(tmp_path) as home:
        (first,) = home.batches(since=day, as_of=as_of)
        (second,) = home.batches(since=day)
        assert (first.id, first.provider, first.since, first.until) == (1, "openai", day, "2026-10-04")
        assert [(page.report, page.sha256) for page in first.pages] == [("costs", sha256(b"first").hexdigest())]
        assert [page.sha256 for page in second.pages] == [sha256(b"second").hexdigest()]
        assert (home.chain_head(as_of), home.chain_head()) == (first.chain, second.chain)
        assert home.chain_head("2026-10-01") == ""
        assert list(home.batches(since="2026-10-05")) == []
        assert [line.amount_nano for line in home.lines(kind="cost", as_of=as_of)] == [1_500_000_000]
        assert list(home.lines(kind="usage")) == []


def test_a_day_is_told_as_it_was_known(tmp_path):
    """A day that came later was not there yet; one that was read again later was not settled yet."""
    post(tmp_path, "2026-10-05T06:00:00.000Z", {"2026-10-04": "1.50", "2026-10-05": "0.10"})
    post(tmp_path, "2026-11-20T06:00:00.000Z", {"2026-10-04": "1.50", "2026-10-05": "0.20", "2026-10-06": "0.30"})
    with agent_os.open(tmp_path) as home:
        now = [(day.date, day.status, day.basis) for day in home.days(since="2026-10-01", until="2026-10-06")]
        assert now == [("2026-10-04", "settled", "reported"), ("2026-10-05", "settled", "reported")]
        then = [(day.date, day.status) for day in home.days(since="2026-10-01", as_of="2026-10-31")]
        assert then == [("2026-10-04", "provisional"), ("2026-10-05", "open")]
        assert home.days(as_of="2026-10-01") == []


def test_a_day_that_was_asked_for_in_vain_says_why(tmp_path):
    """It is missing, and never free of charge."""
    with Sandbox() as sandbox:
        write_env(tmp_path, sandbox)
        env = (tmp_path / ".env").read_text()
        (tmp_path / ".env").write_text(env.replace(sandbox.openai_key, "sk-admin-another"))
        with agent_os.open(tmp_path) as home:
            home.run("fetch_openai")
            days = home.days()
            assert {(day.provider, day.status, day.basis) for day in days} == {("openai", "missing", "")}
            assert {day.reason for day in days} != {""}


def test_a_gap_says_why(app, tmp_path):
    """By task; the same that the verb lists."""
    with agent_os.open(tmp_path, app=app) as home:
        home.run("load")
        (gap,) = home.gaps(since="2026-01-01", until="2026-01-04", task="fetch_openai")
        assert (gap.task, gap.provider, gap.since, gap.last, gap.days) == (
            "fetch_openai", "openai", "2026-01-01", "2026-01-03", 3,
        )  # fmt: skip
        assert gap.reason.startswith("disabled: ")
        with pytest.raises(UsageError, match="there is no task"):
            home.gaps(task="fetch_nobody")


def test_a_gap_of_any_task_is_told(tmp_path):
    """Days that failed, as `gaps` lists them; a task without days or schedule has none, and that is said."""
    app = App("mine")

    @app.task(partition="day")
    def daily(ctx):
        raise PermanentError("no")

    @app.task
    def whenever(ctx):
        pass

    with agent_os.open(tmp_path, app=app) as home:
        home.run(daily, since="2026-01-01", until="2026-01-03")
        (gap,) = home.gaps(task=daily, since="2026-01-01", until="2026-01-03")
        assert (gap.task, gap.since, gap.last, gap.slots, gap.lost_on) == ("daily", "2026-01-01", "2026-01-02", 2, None)
        assert "no" in gap.reason
        with pytest.raises(UsageError, match="the task whenever has no gaps"):
            home.gaps(task="whenever")


def test_tasks_are_listed_with_what_keeps_them_from_running(app, tmp_path):
    """Those of the script, of agent_os.ini and the collectors."""
    (tmp_path / "agent_os.ini").write_text("[task:clean]\ncommand = true\nschedule = 30 6 * * *\ndoc = Tidy up.\n")
    with agent_os.open(tmp_path, app=app) as home:
        found = {each.task: each for each in home.tasks()}
    assert {name for name in found if not name.startswith("fetch_")} == {"load", "report", "broken", "clean"}
    assert set(found) > {"fetch_openai", "fetch_anthropic", "fetch_claude_code"}
    assert found["load"] == agent_os.TaskInfo("load", "ready", "when asked for", (), "Load it.")
    assert found["report"].after == ("load",)
    assert (found["clean"].due, found["clean"].what) == ("30 6 * * * UTC", "Tidy up.")
    assert found["fetch_openai"].state.startswith("disabled: ")


def test_runs_can_be_chosen(app, tmp_path):
    """By task, status, day and number, newest first."""
    with agent_os.open(tmp_path, app=app) as home:
        for _ in range(3):
            home.run("load")
        home.run("broken")
        assert [run.task for run in home.runs()] == ["broken", "load", "load", "load"]
        assert len(home.runs(task="load", limit=2)) == 2
        assert home.runs(since="2999-01-01") == []
        with pytest.raises(UsageError, match="is not known"):
            home.runs(status="good")
        with pytest.raises(UsageError, match="limit is '0'"):
            home.runs(limit=0)


def test_messages_can_be_read_and_sent_again(tmp_path):
    """What was posted, what became of it; what was parked goes out with the next run."""
    app, doors = App("mine"), []

    @app.outbox("mail")
    def send(ctx, message):
        if not doors:
            raise PermanentError("the door is shut")
        return {"id": 7}

    @app.task
    def tell(ctx):
        ctx.send("mail", ctx.slot, {"text": ctx.slot})

    with agent_os.open(tmp_path, app=app) as home:
        home.run("tell", key="a")
        (posted,) = home.messages(unsent=True)
        assert (posted.outbox, posted.key, posted.status, posted.attempts) == ("mail", "a", "parked", 1)
        assert (posted.error, posted.body) == ("the door is shut", {"text": "a"})
        doors.append("open")
        home.resend(posted.id)
        home.run("tell", key="b")
        assert [(each.key, each.status) for each in home.messages()] == [("b", "sent"), ("a", "sent")]
        assert home.messages(unsent=True) == []
        assert len(home.messages(limit=1)) == 1
        with pytest.raises(UsageError, match=f"message {posted.id} was sent"):
            home.resend(posted.id)


# --- where it lives ---------------------------------------------------------------------------------------------------

NOTEBOOK = """
import sys

class Stream:  # all that a notebook's stream has to have
    def __init__(self): self.text = ""
    def write(self, text): self.text += text; return len(text)
    def flush(self): pass

real, sys.stdout, sys.stderr = sys.stdout, Stream(), Stream()
cell = '''
import agent_os
app = agent_os.App("cells")

@app.task
def hello(ctx):
    print("inside")
    return 1

home = agent_os.open(app=app)
print(home.run(hello)[0].printed, end="")
print("outside")
'''
for _ in range(2):  # a cell is run again and again
    exec(compile(cell, "<ipython-input-1>", "exec"), globals())
print(sys.stdout.text, sys.stderr.text, "__file__" in globals(), sep="|", end="", file=real)
"""


def test_it_works_where_there_is_no_file_and_stdout_is_something_else(tmp_path):
    """As in a notebook: what a task prints is in its result, what the cell prints goes where it always did."""
    assert python("-c", NOTEBOOK, cwd=tmp_path) == "inside\noutside\ninside\noutside\n||False"


def test_it_works_in_a_vendored_copy(tmp_path):
    """Under another package path, with a task in a process of its own."""
    inner = tmp_path / "acme" / "_vendor"
    shutil.copytree(ROOT / "agent_os", inner / "agent_os", ignore=shutil.ignore_patterns("__pycache__"))
    for package in (tmp_path / "acme", inner):
        (package / "__init__.py").write_text("")
    code = """
        from acme._vendor import agent_os
        app = agent_os.App("acme")
        @app.task(timeout="60s")
        def timed(ctx):
            return agent_os.App.__module__
    """
    (tmp_path / "acme_app.py").write_text(textwrap.dedent(code))
    script = "from acme._vendor import agent_os\nwith agent_os.open(app='./acme_app.py') as h: print(h.run('timed'))"
    told = python("-c", script, cwd=tmp_path, path=tmp_path)
    assert "output='acme._vendor.agent_os.core.app'" in told


def test_it_may_be_opened_again_and_again(app, tmp_path):
    """Two homes of one process know nothing of each other."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with agent_os.open(tmp_path / "a", app=app) as one, agent_os.open(tmp_path / "b", app=app) as other:
        one.run("load")
        other.run("report")
        assert [run.task for run in one.runs()] == ["load"]
        assert [run.task for run in other.runs()] == ["report", "load"]
    assert len(agent_os.open(tmp_path / "a").runs()) == 1


# --- footnotes --------------------------------------------------------------------------------------------------------


def test_footnotes_name_what_may_be_the_same_traffic(tmp_path):
    """Of the providers that are shown together, and of no other."""
    with agent_os.open(tmp_path) as home:
        assert home.footnotes(["openai", "anthropic"]) == []
        assert [note.partition(" ")[0] for note in home.footnotes(["claude_code", "anthropic"])] == [
            "estimated",
            "claude_code",
        ]
        assert len(home.footnotes(["claude_code", "openai"])) == 1
