"""The verbs around runs: what they tell of the past, how they end what runs, and which slots they run again.

Everything goes through the program itself, in a home of its own, with the app below.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from agent_os.core.chronicle import Chronicle
from agent_os.core.clock import Clock
from agent_os.core.days import add_days, day_of_unix
from agent_os.core.logbook import MOST_RECORDS
from agent_os.core.opening import open_to_read, open_to_write
from agent_os.main import main
from agent_os.sandbox.server import Sandbox

from .fakes.environment import bare
from .world import Answer, FastClock, World

APP = '''
import os, time
from agent_os import App, PermanentError, TransientError

HERE = os.path.dirname(os.path.abspath(__file__))
app = App("tiny")


def note(line):
    with open(os.path.join(HERE, "notes"), "a") as file:
        file.write(line + "\\n")
    return len(line)


def is_there(name):
    return os.path.exists(os.path.join(HERE, name))


@app.task(partition="day")
def daily(ctx):
    """Two steps and an effect, for each day."""
    first = ctx.step("first", lambda: note(f"first {ctx.slot}"))
    ctx.effect(f"mail {ctx.slot}", lambda: note(f"mail {ctx.slot}"))
    print("working on", ctx.slot)
    if is_there("broken") or is_there(f"broken {ctx.slot}"):
        raise PermanentError("the door is shut", hint="open it")
    second = ctx.step("second", lambda: note(f"second {ctx.slot}"))
    return f"done {ctx.slot}"


@app.task(partition="day", after=daily)
def letter(ctx):
    ctx.send("post", f"letter {ctx.slot}", {"text": f"all is well on {ctx.slot}"})


@app.outbox("post")
def post(ctx, message):
    return "taken"


@app.task(schedule="0 5 * * *")
def morning(ctx):
    note(f"morning {ctx.slot}")


@app.task(retries=2, backoff="0.01s")
def shaky(ctx):
    if ctx.attempt < 3 or is_there("broken"):
        raise TransientError(f"the line was busy at attempt {ctx.attempt}")
    return "through"


@app.task
def rude(ctx):
    ctx.step("step", lambda: "\\x1b[31mvalue")
    print("\\x1b[2Jprinted")
    print("\\x9bsecond\\u202e line")
    raise PermanentError("\\x1b[1merror", hint="\\x1b[1mhint")


@app.task
def secretive(ctx):
    ctx.effect("the effect", lambda: {"token": "hunter-2-hunter-2"})
    print("hunter-2-hunter-2")


@app.task(needs="TINY_KEY")
def keyed(ctx):
    if is_there("broken"):
        raise PermanentError("refused")
    return "opened"


@app.limit("money")
def money(ask):
    return not is_there("broken")


@app.task(cost_limit="money")
def paid(ctx):
    """What costs something."""


@app.task
def sleepy(ctx):
    while not ctx.stopped:
        time.sleep(0.05)


@app.task
def busy(ctx):
    for number in range(100_000):
        ctx.step(f"step {number}", lambda: number)


@app.task
def other(ctx):
    time.sleep(1.5)


@app.task(after=(busy, other))
def both(ctx):
    """Makes a process go on for a while after `busy` was ended."""
'''


DOOMED = """

@app.task(retries=3, backoff="1h")
def doomed(ctx):
    raise TransientError("come back later")


@app.task(after=doomed)
def follower(ctx):
    pass
"""


class House:
    """A home with the app in it, and the program."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self.app = home / "tiny.py"
        self.app.write_text(APP)
        self.today = Clock().today()
        self._capsys = capsys

    def run(self, *words: str, app: bool = True, clock: Any = None) -> Answer:
        """Run the program in this home, with the app unless told otherwise."""
        self._capsys.readouterr()
        offered = ["--app", str(self.app)] if app else []
        code = main([*offered, *words, "--home", str(self.home)], clock=clock)
        out, err = self._capsys.readouterr()
        return Answer(code, out, err)

    def json(self, *words: str) -> Any:
        """What it says as JSON; it must have gone well."""
        answer = self.run(*words, "--json")
        assert answer.code == 0, answer.err
        return json.loads(answer.out)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Run the program in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "agent_os", *words, "--home", str(self.home), "--app", str(self.app)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=bare(), cwd=self.home,
        )  # fmt: skip

    def day(self, back: int) -> str:
        """The UTC day so many days ago."""
        return add_days(self.today, -back)

    def touch(self, name: str) -> None:
        """Make something break."""
        (self.home / name).touch()

    def mend(self) -> None:
        """Let everything work again."""
        for path in self.home.glob("broken*"):
            path.unlink()

    def notes(self) -> list[str]:
        """What the tasks have done since this was last asked."""
        path = self.home / "notes"
        lines = sorted(path.read_text().splitlines()) if path.exists() else []
        path.write_text("")
        return lines

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """What the database answers."""
        connection = sqlite3.connect(self.home / "agent_os.db")
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def run_of(self, task: str, slot: str = "", status: str = "") -> str:
        """The id of the newest run of a task (for a slot)."""
        sql = "SELECT id FROM runs WHERE task = ? AND ? IN ('', slot_key) AND ? IN ('', status) ORDER BY rowid DESC"
        found: str = self.rows(sql, task, slot, status)[0][0]
        return found

    def slots(self, task: str) -> dict[str, str]:
        """The status of every slot of a task."""
        return dict(self.rows("SELECT key, status FROM slots WHERE task = ?", task))

    def await_run(self, task: str) -> str:
        """The id of a run of this task in another process, once it is under way."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            time.sleep(0.05)
            try:
                found = self.rows("SELECT id FROM runs WHERE task = ? AND status = 'running'", task)
            except sqlite3.OperationalError:
                continue
            if found:
                return str(found[0][0])
        raise AssertionError(f"{task} was not begun")


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> House:
    return House(tmp_path, capsys)


@pytest.fixture
def world(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with Sandbox() as sandbox:
        yield World(tmp_path, sandbox, capsys)


# --- history


def test_history_tells_the_slot_and_how_many_attempts_it_took(house: House) -> None:
    """Keys are only ever added; one that was skipped was not attempted."""
    house.run("--task", "shaky", "--key", "a")
    house.run("--task", "shaky", "--key", "a")
    skipped, done = house.json("history")
    assert list(done) == [
        "run", "task", "provider", "status", "started_at", "finished_at", "error", "requests", "notes", "slot",
        "attempts",
    ]  # fmt: skip
    assert (done["task"], done["slot"], done["status"], done["attempts"]) == ("shaky", "a", "success", 3)
    assert (skipped["slot"], skipped["status"], skipped["attempts"]) == (None, "skipped", 0)


def test_history_shows_columns_that_say_something(house: House) -> None:
    """Requests are for collectors, attempts for what was tried more than once."""
    house.run("--task", "morning")
    assert house.run("history").out.splitlines()[0].split() == [
        "started", "task", "slot", "status", "took", "run", "what", "was", "said",
    ]  # fmt: skip
    house.run("--task", "shaky")
    assert "attempts" in house.run("history").out.splitlines()[0]


def test_history_keeps_its_instants_whole_in_80_columns(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A date in one line and the time in the next can be read; half of an hour cannot."""
    for module in ("agent_os.commands", "agent_os.commands.history"):
        monkeypatch.setattr(f"{module}.terminal_width", lambda: 80)
    house.run("--task", "shaky", "--key", "2026-11-21T05:00Z")
    lines = house.run("history").out.splitlines()
    assert max(map(len, lines)) <= 80
    started = house.rows("SELECT started_at FROM runs WHERE plugin_name = 'shaky'")[0][0]
    words = " ".join(lines).split()
    assert "2026-11-21T05:00Z" in words
    assert started[:10] in words
    assert f"{started[11:16]}Z" in words


def test_history_chooses_by_task_status_and_day(house: House) -> None:
    """Each alone and together; --limit takes the newest."""
    house.touch("broken")
    house.run("--task", "daily")
    house.mend()
    house.run("--task", "daily")
    house.run("--task", "morning")
    assert [run["task"] for run in house.json("history")] == ["morning", "daily", "daily"]
    assert [run["status"] for run in house.json("history", "--task", "daily")] == ["success", "failed"]
    assert [run["task"] for run in house.json("history", "--status", "success")] == ["morning", "daily"]
    assert [run["task"] for run in house.json("history", "--limit", "1")] == ["morning"]
    assert len(house.json("history", "--task", "daily", "--status", "failed", "--since", house.day(1))) == 1
    assert house.json("history", "--status", "running") == []
    assert house.json("history", "--since", house.day(-1)) == []
    assert house.run("history", "--task", "none").out == "no run is recorded that fits\n"


@pytest.mark.parametrize("status", ["", "running", "success", "failed", "skipped"])
@pytest.mark.parametrize("task", ["", "daily"])
def test_history_reads_an_index_and_nothing_else(tmp_path: Path, task: str, status: str) -> None:
    """A million older runs cost it nothing: no scan, and nothing is sorted but the few that are running."""
    path = str(tmp_path / "a.db")
    open_to_write(path, clock=Clock()).close()
    db = open_to_read(path, clock=Clock())
    asked: list[str] = []
    db.connection.set_trace_callback(asked.append)
    Chronicle(db).runs(task=task, status=status, since="2026-01-01", most=20)
    db.connection.set_trace_callback(None)
    plan = " ".join(row[3] for row in db.all(f"EXPLAIN QUERY PLAN {asked[-1]}"))
    db.close()
    index = {
        "": "runs_by_task" if task else "runs_by_start",
        "success": "runs_by_task" if task else "runs_by_start",
        "running": "runs_still_running",
        "failed": "runs_unsuccessful",
        "skipped": "runs_unsuccessful",
    }[status]
    assert f"USING INDEX {index}" in plan
    assert "SCAN" not in plan or status == "running"
    assert "TEMP B-TREE" not in plan or status == "running"


def test_runs_of_one_millisecond_are_told_in_the_order_in_which_they_were_begun(tmp_path: Path) -> None:
    """Their ids say nothing about it."""
    db = open_to_write(str(tmp_path / "a.db"), clock=Clock())
    db.many(
        "INSERT INTO runs(id, plugin_name, status, started_at, task, invocation_id) VALUES (?, 'x', 'success', ?, 'x',"
        " 'i')",
        [(f"20261122T050000-{end}", "2026-11-22T05:00:00.000Z") for end in ("b", "c", "a")],
    )
    assert [run.id[-1] for run in Chronicle(db).runs(most=9)] == ["a", "c", "b"]
    db.close()


# --- show


def test_show_tells_everything_of_a_run_that_failed(house: House) -> None:
    """What it was about, why it failed, what to do, and what it left."""
    house.touch("broken")
    day = house.day(1)
    house.run("--task", "daily")
    out = house.run("show", house.run_of("daily"), app=False).out
    for line in (
        "task      daily", f"slot      {day}", "status    failed", "error     the door is shut", "hint      open it",
        f"window    {day} up to {house.today}", "steps of this slot:", "effects:", "output:", "log:",
        f"  working on {day}",
    ):  # fmt: skip
        assert line in out.splitlines()
    assert [line.split()[2:] for line in out.splitlines() if line.startswith("first")] == [["this", "one", "16"]]
    assert f"error: daily {day}: the door is shut; open it" in out
    assert "attempts:" not in out
    assert "slot now" not in out


def test_show_gives_programs_everything_in_full(house: House) -> None:
    """Values are whole and parsed; a list is there even when it is empty."""
    day = house.day(1)
    house.run("--task", "daily")
    run = house.run_of("daily")
    facts = house.json("show", run)
    assert (facts["run"], facts["task"], facts["slot"], facts["status"]) == (run, "daily", day, "success")
    assert facts["window"] == {"start": day, "end": house.today}
    assert (facts["error"], facts["hint"], facts["messages"]) == (None, None, [])
    assert facts["slot_now"] == {"status": "success", "run": run}
    assert [(each["name"], each["run"], each["value"]) for each in facts["steps"]] == [
        ("first", run, 16), ("second", run, 17),
    ]  # fmt: skip
    (effect,) = facts["effects"]
    assert (effect["key"], effect["status"], effect["outcome"]) == (f"mail {day}", "done", 15)
    assert [(each["number"], each["status"], each["error"]) for each in facts["attempts"]] == [(1, "success", None)]
    assert facts["output"] == f"working on {day}\n"
    assert [record["event"] for record in facts["log"]] == ["run.finished"]
    assert facts["log_left_out"] == 0


def test_show_tells_every_attempt_with_its_error(house: House) -> None:
    """Those that another one followed, and the last."""
    house.run("--task", "shaky")
    facts = house.json("show", "last")
    assert [(each["number"], each["status"], each["error"]) for each in facts["attempts"]] == [
        (1, "failed", "the line was busy at attempt 1"),
        (2, "failed", "the line was busy at attempt 2"),
        (3, "success", None),
    ]
    out = house.run("show", "last").out
    assert "attempts:" in out
    assert "the line was busy at attempt 2" in out


def test_show_tells_the_messages_of_a_run_and_what_came_of_them(house: House) -> None:
    """In the outbox they wait, are sent, or are parked."""
    day = house.day(1)
    house.run("--task", "letter")
    (message,) = house.json("show", "last", "--task", "letter")["messages"]
    assert (message["outbox"], message["key"], message["status"]) == ("post", f"letter {day}", "sent")
    assert message["payload"] == {"text": f"all is well on {day}"}
    assert (
        f'post    letter {day}  sent    {{"text": "all is well on' in house.run("show", "last", "--task", "letter").out
    )


def test_show_tells_what_has_become_of_the_slot_since(house: House) -> None:
    """An old failure that was made good is no reason to worry."""
    house.touch("broken")
    house.run("--task", "daily")
    house.mend()
    house.run("--task", "daily")
    newer, older = (run["run"] for run in house.json("history"))
    assert f"slot now  success, by run {newer}" in house.run("show", older).out
    facts = house.json("show", older)
    assert facts["slot_now"] == {"status": "success", "run": newer}
    assert [(each["name"], each["run"]) for each in facts["steps"]] == [("first", older), ("second", newer)]


def test_a_run_is_named_by_its_id_or_enough_of_either_end(house: House) -> None:
    """`last` is the newest, of all or of a task."""
    house.run("--task", "morning")
    house.run("--task", "daily")
    run = house.run_of("morning")
    for word in (run, run[:-1], run[-6:], run.partition("-")[2]):
        assert house.json("show", word)["run"] == run
    assert house.json("show", "last")["task"] == "daily"
    assert house.json("show", "last", "--task", "morning")["run"] == run


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("abcde", "too short"), ("ABCDEFG", "no run 'ABCDEFG'"), ("20", "too short"), ("2026%%", "no run"),
        ("____________", "no run"), ("last", "no run is recorded of 'none'"),
    ],
)  # fmt: skip
def test_a_run_that_nobody_knows_is_one_sentence(house: House, word: str, says: str) -> None:
    """Exit 2; no character of it means anything to the database."""
    house.run("--task", "morning")
    answer = house.run("show", word, "--task", "none")
    assert (answer.code, answer.out, len(answer.err.splitlines())) == (2, "", 1)
    assert says in answer.err
    assert "history" in answer.err or "id" in answer.err


def test_the_beginning_of_two_runs_names_neither(house: House) -> None:
    """Both are named instead."""
    house.run("backfill", "daily", "--since", house.day(2))
    first, second = sorted(run["run"] for run in house.json("history"))
    answer = house.run("show", os.path.commonprefix([first, second]))
    assert answer.code == 2
    assert first in answer.err
    assert second in answer.err


def test_nothing_that_a_task_says_steers_the_terminal(house: House) -> None:
    """Names and values of steps, errors, hints, output, log: control characters are shown."""
    house.run("--task", "rude")
    out = house.run("show", "last").out
    assert [character for character in out if not character.isprintable() and character != "\n"] == []
    for shown in ("\\x1b[2Jprinted", "\\x9bsecond\\u202e line", "\\x1b[1merror", "\\x1b[1mhint", "\\u001b[31mvalue"):
        assert shown in out


def test_of_very_many_steps_a_screen_has_the_last(house: House) -> None:
    """A program gets all of them."""
    house.app.write_text(APP.replace("range(100_000)", "range(1_001)"))
    house.run("--task", "busy")
    out = house.run("show", "last").out
    assert "steps of this slot: the last 200 of 1,001" in out
    assert ("step 801 " in out, "step 800 " in out) == (True, False)
    assert len(house.json("show", "last")["steps"]) == 1001


def test_no_secret_is_shown_wherever_a_task_has_put_it(house: House) -> None:
    """Effects and output, for people and for programs; steps refuse to hold one."""
    (house.home / ".env").write_text("TINY_TOKEN=hunter-2-hunter-2\n")
    (house.home / ".env").chmod(0o600)
    house.run("--task", "secretive")
    for words in (("show", "last"), ("show", "last", "--json")):
        answer = house.run(*words)
        assert "the effect" in answer.out
        assert "hunter-2" not in answer.out


def test_the_log_of_a_run_is_found_in_rotated_files_too(house: House) -> None:
    """Oldest first; lines of other runs, torn lines and what is no record are passed over."""
    house.run("--task", "morning")
    run = house.run_of("morning")
    log = house.home / "agent.log"
    for number, name in ((3, "agent.log.3"), (1, "agent.log.1")):
        record = json.dumps(
            {"time": "2026-11-22T05:00:00.000Z", "level": "info", "message": f"old {number}", "run": run}
        )
        other = json.dumps({"message": f"not {run}", "run": "another"})
        (house.home / name).write_text(f"{record}\n{other}\n[{json.dumps(run)}]\n{record[:50]}\n\x00{run}\n")
    facts = house.json("show", run)
    assert [record["message"] for record in facts["log"]][:2] == ["old 3", "old 1"]
    assert [record.get("event") for record in facts["log"]][2:] == ["run.finished"]
    assert "2026-11-22T05:00:00Z info: old 3" in house.run("show", run).out
    for path in house.home.glob("agent.log*"):
        path.unlink()
    assert house.json("show", run)["log"] == []
    log.mkdir()
    assert house.json("show", run)["log"] == []


def test_of_a_log_that_has_very_much_of_a_run_the_end_is_shown(house: House) -> None:
    """And how much is left out."""
    house.run("--task", "morning")
    run = house.run_of("morning")
    with open(house.home / "agent.log.1", "w") as file:
        file.writelines(f'{{"message": "line {number}", "run": "{run}"}}\n' for number in range(MOST_RECORDS))
    facts = house.json("show", run)
    assert (len(facts["log"]), facts["log_left_out"]) == (MOST_RECORDS, 1)
    assert facts["log"][0]["message"] == "line 1"
    assert "(1 older line left out)" in house.run("show", run).out


def test_a_traceback_is_shown_where_it_is_looked_for(house: House) -> None:
    """The error says that the log has it."""
    house.app.write_text(APP.replace('note(f"morning {ctx.slot}")', "1 / 0"))
    house.run("--task", "morning")
    out = house.run("show", "last").out
    assert "error     ZeroDivisionError: division by zero" in out
    assert "    Traceback (most recent call last):" in out
    assert "1 / 0" in out


# --- cancel

posix = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


@posix
def test_cancel_ends_a_run_of_another_process(house: House) -> None:
    """Within seconds. Its slot is skipped, so that it is not due again by itself; `retry` has it again."""
    process = house.start("--task", "sleepy", "--key", "a")
    run = house.await_run("sleepy")
    answer = house.run("cancel", run, "--json", app=False)
    _, err = process.communicate(timeout=30)
    told = json.loads(answer.out)
    assert (answer.code, told["run"], told["status"], told["what"]) == (0, run, "failed", "was cancelled")
    assert (told["task"], told["slot"], told["error"]) == ("sleepy", "a", "cancelled: its end was asked for")
    assert process.returncode == 1
    assert b"cancelled" in err
    assert house.slots("sleepy") == {"a": "skipped"}
    house.app.write_text(APP.replace("not ctx.stopped", "False"))
    assert house.run("retry", "--failed").err.splitlines()[-1] == "nothing has to be run again"
    assert house.run("retry", run).code == 0
    assert house.slots("sleepy") == {"a": "success"}


@posix
def test_a_run_that_is_busy_hears_that_it_is_cancelled_and_leaves_nothing_afterwards(house: House) -> None:
    """However much it hands over; and its thread, which nobody can end, writes nothing any more."""
    process = house.start("--task", "both")
    run = house.await_run("busy")
    slot = house.json("show", run)["slot"]
    answer = house.run("cancel", run)
    process.communicate(timeout=30)
    assert (answer.code, answer.out) == (0, f"run {run} of busy {slot} was cancelled\n")
    assert process.returncode == 1
    (ended,) = house.rows("SELECT finished_at FROM runs WHERE id = ?", run)[0]
    assert house.rows("SELECT count(*) > 0 FROM steps WHERE run_id = ?", run) == [(1,)]
    assert house.rows("SELECT name FROM steps WHERE run_id = ? AND done_at > ?", run, ended) == []
    assert house.rows("SELECT status FROM runs WHERE task = 'other'") == [("success",)]


@posix
def test_a_run_that_waits_for_its_next_attempt_is_cancelled_at_once(house: House) -> None:
    """Also where its runner has nothing else to do: it does not end before it has written that down."""
    (house.home / "agent_os.ini").write_text("[task:flaky]\ncommand = false\nretries = 3\nbackoff = 1h\n")
    process = house.start("--task", "flaky")
    run = house.await_run("flaky")
    ends_at = time.monotonic() + 10
    while house.rows("SELECT retry_at FROM runs") == [(None,)] and time.monotonic() < ends_at:
        time.sleep(0.02)
    answer = house.run("cancel", run)
    _, err = process.communicate(timeout=30)
    assert (answer.code, process.returncode) == (0, 1)
    assert b"flaky: cancelled: its end was asked for" in err
    assert house.rows("SELECT status, error FROM runs") == [("failed", "cancelled: its end was asked for")]
    assert list(house.slots("flaky").values()) == ["skipped"]


@posix
def test_a_run_that_waits_for_its_next_attempt_is_cancelled_though_nothing_else_goes_on(house: House) -> None:
    """It is closed as cancelled, what comes after it is skipped, and the program that had it says that it failed."""
    house.app.write_text(APP + DOOMED)
    process = house.start("--task", "follower", "--key", "a")
    run = house.await_run("doomed")
    ends_at = time.monotonic() + 20
    while not house.rows("SELECT id FROM runs WHERE retry_at IS NOT NULL") and time.monotonic() < ends_at:
        time.sleep(0.02)
    answer = house.run("cancel", run, "--json", app=False)
    process.communicate(timeout=30)
    assert (answer.code, json.loads(answer.out)["what"]) == (0, "was cancelled")
    assert process.returncode == 1
    assert (house.slots("doomed"), house.slots("follower")) == ({"a": "skipped"}, {"a": "due"})


def test_cancelling_what_is_over_changes_nothing(house: House) -> None:
    """It says so, and all is well."""
    house.run("--task", "morning")
    run = house.run_of("morning")
    answer = house.run("cancel", run)
    assert answer.code == 0
    assert answer.out.endswith("is over already: success\n")
    assert house.rows("SELECT cancel_at FROM runs") == [(None,)]
    assert house.run("cancel", run, "--quiet").out == ""
    assert house.run("cancel", "nonsense").code == 2


@posix
def test_a_run_whose_runner_is_gone_is_closed(house: House) -> None:
    """As the next start would; what it had to do is due again."""
    process = house.start("--task", "sleepy", "--key", "a")
    run = house.await_run("sleepy")
    process.kill()
    process.communicate()
    shown = house.run("show", run).out
    assert "status   running" in shown
    assert ", which is gone" in shown
    answer = house.run("cancel", run)
    assert answer.code == 0
    assert "its runner was gone" in answer.out
    assert house.rows("SELECT status, error FROM runs") == [
        ("failed", "interrupted: the program ended before the run did")
    ]
    assert house.slots("sleepy") == {"a": "due"}


@posix
def test_a_runner_that_does_not_answer_is_said_to_be_silent(house: House) -> None:
    """After 15 seconds: exit 1; the request stands and is heard later."""
    process = house.start("--task", "sleepy")
    run = house.await_run("sleepy")
    process.send_signal(signal.SIGSTOP)
    clock = FastClock()
    answer = house.run("cancel", run, clock=clock)
    process.send_signal(signal.SIGCONT)
    process.communicate(timeout=30)
    assert answer.code == 1
    assert "has not ended within 15 seconds" in answer.err
    assert round(sum(clock.slept)) == 15
    assert house.json("show", run)["error"] == "cancelled: its end was asked for"


# --- retry


def test_retry_runs_the_slot_of_a_failed_run_and_keeps_its_steps(house: House) -> None:
    """Only what was not done is done; it ends as `--task` does."""
    day = house.day(1)
    house.touch("broken")
    assert house.run("--task", "daily").code == 1
    assert house.notes() == [f"first {day}", f"mail {day}"]
    run = house.run_of("daily")
    assert house.run("retry", run).code == 1
    assert house.notes() == []
    house.mend()
    answer = house.run("retry", run, "--json")
    assert answer.code == 0
    (outcome,) = json.loads(answer.out)["outcomes"]
    assert (outcome["task"], outcome["slot"], outcome["status"]) == ("daily", day, "success")
    assert outcome["output"] == f"done {day}"
    assert house.notes() == [f"second {day}"]


def test_retry_leaves_alone_what_has_succeeded_meanwhile(house: House) -> None:
    """It says so; of several runs the others are run."""
    house.touch("broken")
    house.run("backfill", "daily", "--since", house.day(2))
    runs = [house.run_of("daily", house.day(2)), house.run_of("daily", house.day(1))]
    house.mend()
    house.run("retry", runs[0])
    house.notes()
    answer = house.run("retry", *runs)
    assert answer.code == 0
    assert f"run {runs[0]} of daily {house.day(2)} failed, but what it was about has succeeded since" in answer.err
    assert house.notes() == [f"second {house.day(1)}"]
    answer = house.run("retry", *runs, "--json")
    assert (answer.code, json.loads(answer.out)) == (0, {"outcomes": []})
    assert house.run("retry", house.run_of("daily", house.day(1))).err.count("succeeded: left alone") == 1
    assert house.notes() == []


def test_retry_failed_runs_whatever_failed_in_one_go(house: House) -> None:
    """Of every task, what comes first first; not what was skipped, nor what has succeeded."""
    house.touch("broken")
    house.run("backfill", "letter", "--since", house.day(2))
    house.run("--task", "shaky", "--key", "a")
    house.run("--task", "morning")
    house.mend()
    house.notes()
    answer = house.run("retry", "--failed", "--json")
    assert answer.code == 0
    outcomes = [(each["task"], each["slot"], each["status"]) for each in json.loads(answer.out)["outcomes"]]
    assert sorted(outcomes) == [
        ("daily", house.day(2), "success"), ("daily", house.day(1), "success"), ("shaky", "a", "success"),
    ]  # fmt: skip
    assert house.notes() == [f"second {house.day(2)}", f"second {house.day(1)}"]
    assert (
        len(house.rows("SELECT DISTINCT invocation_id FROM runs WHERE status = 'success' AND task <> 'morning'")) == 1
    )
    answer = house.run("retry", "--failed")
    assert (answer.code, answer.out, answer.err) == (0, "", "nothing has to be run again\n")


def test_retry_failed_can_be_narrowed_to_a_task_and_to_runs_since_a_day(house: House) -> None:
    """A task that does not exist is named; a day is that on which the run began."""
    house.touch("broken")
    house.run("--task", "daily")
    house.run("--task", "shaky")
    house.mend()
    assert house.run("retry", "--failed", "--task", "dayly").code == 2
    assert house.json("retry", "--failed", "--since", house.day(-1)) == {"outcomes": []}
    (outcome,) = house.json("retry", "--failed", "--task", "daily", "--since", house.today)["outcomes"]
    assert outcome["task"] == "daily"
    assert set(house.slots("shaky").values()) == {"failed"}


@posix
def test_retry_failed_takes_what_was_interrupted(house: House) -> None:
    """It failed as well: nobody has to know the difference."""
    process = house.start("--task", "sleepy", "--key", "a")
    run = house.await_run("sleepy")
    process.kill()
    process.communicate()
    house.run("cancel", run)
    house.app.write_text(APP.replace("not ctx.stopped", "False"))
    (outcome,) = house.json("retry", "--failed")["outcomes"]
    assert (outcome["task"], outcome["slot"], outcome["status"]) == ("sleepy", "a", "success")


def test_a_run_of_a_task_that_is_gone_is_a_sentence(house: House) -> None:
    """As it is when its app was not named; with --failed the others are run."""
    house.touch("broken")
    house.run("--task", "daily")
    house.run("--task", "shaky")
    run = house.run_of("shaky")
    house.mend()
    answer = house.run("retry", run, app=False)
    assert (answer.code, len(answer.err.splitlines())) == (2, 1)
    assert "of the task shaky, which does not exist" in answer.err
    assert "--app" in answer.err
    answer = house.run("retry", "--failed", app=False)
    assert answer.code == 2
    assert "daily, shaky" in answer.err
    house.app = house.home / "later.py"  # an app is loaded once a process
    house.app.write_text(APP.replace("def shaky", "def steady"))
    answer = house.run("retry", "--failed")
    assert answer.code == 0
    assert "warning: left out, since there is no such task: shaky" in answer.err
    assert set(house.slots("daily").values()) == {"success"}


def test_a_run_that_had_no_slot_cannot_be_run_again(house: House) -> None:
    """There was nothing to do, or its key was missing; and an outbox has no slots of its own."""
    house.run("--task", "letter")
    house.run("--task", "letter")
    answer = house.run("retry", "last")
    assert answer.code == 2
    assert "had no slot to run: nothing to do: it is done already" in answer.err
    answer = house.run("replay", house.run_of("post"))
    assert answer.code == 2
    assert "the outbox post" in answer.err


def test_retry_says_which_runs_it_wants(house: House) -> None:
    """Some or --failed, not both; what narrows --failed means nothing without it."""
    house.run("--task", "morning")
    for words, says in (
        ((), "no run was named"), (("last", "--failed"), "exclude"), (("last", "--task", "x"), "--failed"),
        (("last", "--since", "2026-01-01"), "--failed"),
    ):  # fmt: skip
        answer = house.run("retry", *words)
        assert (answer.code, len(answer.err.splitlines())) == (2, 1)
        assert says in answer.err


def test_what_a_run_is_refused_for_a_retry_is_refused_for_too(house: House) -> None:
    """A setting that is missing: exit 3."""
    env = house.home / ".env"
    env.write_text("TINY_KEY=something-long\n")
    env.chmod(0o600)
    house.touch("broken")
    house.run("--task", "keyed")
    env.write_text("")
    answer = house.run("retry", "last")
    assert answer.code == 3
    assert "TINY_KEY is not set" in answer.err


@posix
def test_what_is_running_elsewhere_is_busy_for_all_of_them(house: House) -> None:
    """Exit 4, and nothing was done."""
    house.touch("broken")
    house.run("--task", "shaky", "--key", "a")
    house.app.write_text(APP.replace("if ctx.attempt < 3", "time.sleep(30)\n    if ctx.attempt < 3"))
    process = house.start("--task", "shaky", "--key", "b")
    running = house.await_run("shaky")
    for words in (("retry", house.run_of("shaky", "a")), ("replay", house.run_of("shaky", "a"))):
        answer = house.run(*words)
        assert answer.code == 4
        assert "shaky is already running" in answer.err
    house.run("cancel", running)
    process.communicate(timeout=30)


def test_retry_asks_a_provider_for_the_days_that_failed(world: World) -> None:
    """Not for those in between that were stored before, nor for the other provider's."""
    early, late = world.day(30), world.day(2)
    world.run("--task", "fetch_openai", "--since", world.day(10), "--until", world.day(5))
    world.write_env(OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    assert world.run("--task", "fetch_openai", "--since", early, "--until", late).code == 1
    world.write_env()
    before = len(world.sandbox.requests("openai"))
    answer = world.run("retry", "last", "--json")
    assert answer.code == 0, answer.err
    outcome = answer.outcomes["openai"]
    assert (outcome["status"], outcome["days_new"], outcome["days_missing"]) == ("success", 23, 0)
    assert outcome["since"] == early
    asked = [dict(entry.query) for entry in world.sandbox.requests("openai")[before:]]
    spans = {(day_of_unix(int(query["start_time"])), day_of_unix(int(query["end_time"]))) for query in asked}
    assert spans == {(early, world.day(10)), (world.day(5), late)}
    days = {world.day(back) for back in range(3, 31)}
    assert set(world.stored("openai")) == days
    assert world.stored("openai") == world.truth("openai", sorted(days))
    assert world.stored("anthropic") == {}


def test_retry_asks_again_for_days_that_were_to_be_read_once_more(world: World) -> None:
    """What is stored of them stays and counts; that the second reading failed is no reason to leave it at that."""
    since, until = world.day(60), world.day(50)
    words = ("--task", "fetch_openai", "--since", since, "--until", until)
    world.run(*words)
    world.sandbox.ledger.restate("openai", world.day(55), factor="0.5")
    world.write_env(OPENAI_BASE_URL="http://127.0.0.1:9/v1")
    assert world.run(*words, "--force").code == 1
    world.write_env()
    outcome = world.run("retry", "last", "--json").outcomes["openai"]
    assert (outcome["status"], outcome["restated"]) == ("success", [world.day(55)])


def test_what_a_limit_has_put_off_has_not_failed(house: House) -> None:
    """It is due again after a run that succeeded: that is no failure to make good."""
    house.run("--task", "paid", "--key", "a")
    house.touch("broken")
    assert "says no" in house.run("replay", "last").out
    assert house.slots("paid") == {"a": "due"}
    house.mend()
    answer = house.run("retry", "--failed")
    assert (answer.code, answer.err) == (0, "nothing has to be run again\n")


# --- replay


def test_replay_does_a_slot_again_though_it_is_done_but_no_effect(house: House) -> None:
    """All steps anew; the mail was sent and stays sent."""
    day = house.day(1)
    house.run("--task", "daily")
    house.notes()
    answer = house.run("replay", "last", "--json")
    assert answer.code == 0
    (outcome,) = json.loads(answer.out)["outcomes"]
    assert (outcome["slot"], outcome["status"]) == (day, "success")
    assert house.notes() == [f"first {day}", f"second {day}"]


def test_replay_from_a_step_reads_what_is_before_it(house: House) -> None:
    """And says which steps there are, where there is no such step."""
    day = house.day(1)
    house.run("--task", "daily")
    house.notes()
    assert house.run("replay", "last", "--from-step", "second").code == 0
    assert house.notes() == [f"second {day}"]
    answer = house.run("replay", "last", "--from-step", "third")
    assert answer.code == 2
    assert f"daily {day} has no step 'third'" in answer.err
    assert "first, second" in answer.err
    assert house.notes() == []
    assert len(house.json("history")) == 2


def test_replay_has_the_same_slot_whatever_is_due(house: House) -> None:
    """An old day, an instant of a schedule, and a name stay what they were."""
    house.run("backfill", "daily", "--since", house.day(9), "--until", house.day(8))
    house.run("--task", "morning")
    house.run("--task", "shaky", "--key", "a")
    for task in ("daily", "morning", "shaky"):
        run = house.run_of(task)
        (before,) = house.slots(task)
        house.run("replay", run)
        assert house.run_of(task) != run
        assert house.slots(task) == {before: "success"}
        assert house.json("show", "last")["window"] == house.json("show", run)["window"]


def test_replay_asks_a_provider_for_the_same_days_again(world: World) -> None:
    """The whole window, settled or not; what was restated is replaced."""
    since, until = world.day(500), world.day(490)
    world.run("--task", "fetch_openai", "--since", since, "--until", until)
    world.sandbox.ledger.restate("openai", world.day(495), factor="0.5")
    answer = world.run("replay", "last", "--json")
    outcome = answer.outcomes["openai"]
    assert (outcome["days_new"], outcome["restated"], outcome["since"]) == (0, [world.day(495)], since)
    assert world.stored("openai") == world.truth("openai", [world.day(back) for back in range(500, 490, -1)])


# --- backfill


def test_backfill_runs_what_is_missing_in_a_span(house: House) -> None:
    """From --since up to today; what is done is left alone, what failed is not."""
    house.touch(f"broken {house.day(3)}")
    house.run("--task", "daily", "--since", house.day(3), "--until", house.day(1))
    house.mend()
    house.notes()
    answer = house.run("backfill", "daily", "--since", house.day(4), "--json")
    assert answer.code == 0
    slots = [outcome["slot"] for outcome in json.loads(answer.out)["outcomes"]]
    assert slots == [house.day(4), house.day(3), house.day(1)]
    assert house.slots("daily") == {house.day(back): "success" for back in (4, 3, 2, 1)}
    answer = house.run("backfill", "daily", "--since", house.day(4), "--missing-only")
    assert (answer.code, answer.out) == (0, "")
    assert "nothing is missing" in answer.err
    assert house.json("backfill", "daily", "--since", house.day(4)) == {"outcomes": []}


def test_backfill_all_does_again_what_is_done(house: House) -> None:
    """Its steps too; an effect stays done."""
    since, until = house.day(3), house.day(1)
    house.run("backfill", "daily", "--since", since, "--until", until)
    house.notes()
    assert len(house.json("backfill", "daily", "--since", since, "--until", until, "--all")["outcomes"]) == 2
    assert house.notes() == sorted(f"{step} {house.day(back)}" for back in (3, 2) for step in ("first", "second"))
    assert house.run("backfill", "daily", "--since", since, "--all", "--missing-only").code == 2


def test_backfill_has_the_instants_of_a_schedule(house: House) -> None:
    """Each of its own, before today."""
    house.run("backfill", "morning", "--since", house.day(3))
    keys = [f"{house.day(back)}T05:00Z" for back in (3, 2, 1)]
    assert house.slots("morning") == dict.fromkeys(keys, "success")
    assert house.notes() == [f"morning {key}" for key in keys]


def test_backfill_does_first_what_its_task_comes_after(house: House) -> None:
    """For the same days."""
    house.run("backfill", "letter", "--since", house.day(2))
    assert house.slots("daily") == house.slots("letter") == {house.day(2): "success", house.day(1): "success"}


def test_a_dry_run_lists_what_would_run_and_touches_nothing(house: House) -> None:
    """Not even a home without a database."""
    words = ("backfill", "letter", "--since", house.day(2), "--dry-run")
    runs = house.json(*words)["runs"]
    assert [(run["task"], run["slot"], run["action"]) for run in runs] == [
        ("daily", house.day(2), "run"), ("daily", house.day(1), "run"),
        ("letter", house.day(2), "run"), ("letter", house.day(1), "run"),
    ]  # fmt: skip
    assert list(house.home.glob("agent_os.db*")) == []
    assert house.notes() == []
    house.run("--task", "letter")
    before = (
        (house.home / "agent_os.db").read_bytes(),
        house.rows("SELECT * FROM slots"),
        house.rows("SELECT * FROM runs"),
    )
    answer = house.run(*words)
    assert answer.code == 0
    assert [line.split()[:3] for line in answer.out.splitlines()[1:3]] == [
        ["daily", house.day(2), "run"], ["letter", house.day(2), "run"],
    ]  # fmt: skip
    assert answer.out.splitlines()[-1].startswith("a run now would make 2 runs")
    assert before == (
        (house.home / "agent_os.db").read_bytes(), house.rows("SELECT * FROM slots"), house.rows("SELECT * FROM runs"),
    )  # fmt: skip


def test_backfill_of_a_provider_goes_further_back_than_a_run_by_itself(world: World) -> None:
    """`run_all` means each of them; a dry run tells the windows."""
    since, until = world.day(500), world.day(490)
    answer = world.run("backfill", "run_all", "--since", since, "--until", until, "--dry-run", "--json")
    assert [(run["task"], run["since"], run["until"], run["action"]) for run in json.loads(answer.out)["runs"]] == [
        ("fetch_openai", since, until, "run"), ("fetch_anthropic", since, until, "run"),
    ]  # fmt: skip
    assert not (world.home / "agent_os.db").exists()
    answer = world.run("backfill", "run_all", "--since", since, "--until", until, "--json")
    assert {name: each["days_new"] for name, each in answer.outcomes.items()} == {"anthropic": 10, "openai": 10}


def test_more_than_a_thousand_slots_have_to_be_meant(house: House) -> None:
    """--yes means them; a dry run needs no such word."""
    since = house.day(1001)
    answer = house.run("backfill", "morning", "--since", since)
    assert (answer.code, len(answer.err.splitlines())) == (2, 1)
    assert "1,001 slots of morning would run; give --yes" in answer.err
    assert not (house.home / "agent_os.db").exists()
    assert len(house.json("backfill", "morning", "--since", since, "--dry-run")["runs"]) == 1001
    assert house.run("backfill", "morning", "--since", since, "--yes", "--quiet").code == 0
    assert house.rows("SELECT count(*) FROM slots WHERE status = 'success'") == [(1001,)]


WRONG = [
    (("shaky", "--since", "2026-01-01"), "neither days nor a schedule"),
    (("daily",), "--since"),
    (("dayly", "--since", "2026-01-01"), "did you mean daily?"),
    (("export", "--since", "2026-01-01"), "export"),
    (("daily", "--since", "2999-01-01"), "future"),
    (("daily", "--since", "today"), "2026-11-21"),
    (("daily", "--since", "2026-01-02", "--until", "2026-01-02"), "not included"),
    (("daily", "--since", "2026-01-02", "--jobs", "0"), "--jobs"),
]


@pytest.mark.parametrize(("words", "says"), WRONG)
def test_a_backfill_that_cannot_be_meant_is_a_sentence(house: House, words: tuple[str, ...], says: str) -> None:
    """Exit 2, and no database is made."""
    answer = house.run("backfill", *words)
    assert (answer.code, answer.out, len(answer.err.splitlines())) == (2, "", 1)
    assert says in answer.err
    assert not (house.home / "agent_os.db").exists()


def test_a_backfill_of_today_has_to_say_until_when(house: House) -> None:
    """It ends before today by itself."""
    answer = house.run("backfill", "daily", "--since", house.today)
    assert answer.code == 2
    assert "give --until" in answer.err


def test_a_disabled_task_is_not_filled(house: House, world: World) -> None:
    """Exit 3, as for --task; a dry run says the same."""
    (world.home / ".env").write_text("")
    for more in ((), ("--dry-run",)):
        answer = house.run("backfill", "fetch_openai", "--since", house.day(3), *more)
        assert answer.code == 3
        assert "OPENAI" in answer.err


# --- the order that these verbs give


def test_from_a_step_on_means_again_though_it_is_done(house: House) -> None:
    """`--from-step` alone does its slot again; it needs no --force beside it."""
    day = house.day(1)
    house.run("--task", "daily")
    house.notes()
    assert house.run("--task", "daily", "--from-step", "second").code == 0
    assert house.notes() == [f"second {day}"]


def test_an_option_before_the_verb_counts(house: House) -> None:
    """`--app X tasks` is `tasks --app X`."""
    for words in (["--app", str(house.app), "tasks"], ["tasks", "--app", str(house.app)]):
        house._capsys.readouterr()
        assert main([*words, "--home", str(house.home)]) == 0
        assert "daily" in house._capsys.readouterr().out
