"""The verbs that look and settle: what is due, what is missing, what needs a person, and how a person settles it."""

from __future__ import annotations

import shlex
import shutil
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from homes import WAITING, AppHome, MovableClock

from agent_os.core import lock
from agent_os.core.clock import Clock
from agent_os.core.doctor import WAL_BUG
from agent_os.sandbox.server import Sandbox


@pytest.fixture
def home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AppHome:
    return AppHome(tmp_path, capsys)


@pytest.fixture
def busy_home(home: AppHome) -> Iterator[AppHome]:
    """A home in which a process of its own is at work on the task `slow`."""
    home.clock = Clock()
    home.write(WAITING.format(overlap="skip"))
    process = home.start("--task", "slow")
    try:
        home.wait_for("begun")
        yield home
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def killed_home(home: AppHome) -> AppHome:
    """A home in which a process was killed while at work on the task `slow`."""
    home.clock = Clock()
    home.write(WAITING.format(overlap="skip"))
    process = home.start("--task", "slow")
    home.wait_for("begun")
    process.kill()
    process.wait()
    return home


def write_env(home: AppHome, sandbox: Sandbox) -> None:
    """The key and the address of the sandbox's OpenAI."""
    text = f"OPENAI_ADMIN_KEY={sandbox.openai_key}\nOPENAI_BASE_URL={sandbox.openai_base_url}\n"
    (home.folder / ".env").write_text(text)
    (home.folder / ".env").chmod(0o600)


DAILY = "@app.task(partition='day')\ndef rates(ctx): return ctx.slot\n"
SCHEDULED = "@app.task(schedule='0 6 * * *')\ndef rates(ctx): return ctx.slot\n"


@pytest.mark.parametrize(("before", "after"), [(DAILY, SCHEDULED), (SCHEDULED, DAILY)], ids=["schedule", "days"])
def test_a_task_whose_time_is_of_another_kind_now_begins_anew(home: AppHome, before: str, after: str) -> None:
    """Its old slots say nothing of the new ones: the latest of these is due."""
    home.write(before)
    assert home.run("--task", "rates").code == 0
    home.write(after)
    assert home.run("--task", "rates").code == 0
    assert [status for (status,) in home.sql("SELECT status FROM slots")] == ["success", "success"]


@pytest.mark.parametrize(("length", "code"), [(195, 0), (196, 1)])
def test_a_key_of_a_message_that_is_taken_can_be_sent(home: AppHome, length: int, code: int) -> None:
    """The longest key leaves room for the name of the effect that sends it; a longer one is refused at once."""
    home.write(
        f"@app.task\ndef tell(ctx): ctx.send('mail', 'm' * {length}, 1)\n"
        "@app.outbox('mail')\ndef mail(ctx, message): pass\n"
    )
    assert home.run("--task", "tell").code == code
    assert home.sql("SELECT status FROM outbox") == ([("sent",)] if code == 0 else [])


# --- plan -------------------------------------------------------------------------------------------------------------

SHOP = DAILY + "@app.task(after=rates, schedule='0 6 * * *')\ndef report(ctx): return 'text'\n"


def planned(home: AppHome, *words: str) -> list[tuple[str, Any, str]]:
    """(task, slot, action) of every line of a plan."""
    return [(run["task"], run["slot"], run["action"]) for run in home.json("plan", *words)["runs"]]


def test_a_plan_says_what_a_run_would_do_in_which_order(home: AppHome) -> None:
    """Each slot with what it waits for, before anything was ever run."""
    home.write(SHOP)
    assert planned(home, "report") == [("rates", "2026-11-21", "run"), ("report", "2026-11-22T06:00Z", "run")]
    rates, report = home.json("plan", "report")["runs"]
    assert (rates["waits_for"], report["waits_for"]) == ([], ["rates 2026-11-21"])
    assert (report["since"], report["until"]) == ("2026-11-21T06:00Z", "2026-11-22T06:00Z")


def test_a_plan_without_a_database_makes_no_file(home: AppHome) -> None:
    """Not the database, not the log: it only looks."""
    home.write(SHOP)
    before = sorted(path.name for path in home.folder.iterdir())
    assert home.run("plan", "report").code == 0
    assert home.run("plan").code == 0
    assert sorted(path.name for path in home.folder.iterdir() if path.name != "__pycache__") == before


def test_a_plan_changes_nothing_that_is_stored(home: AppHome) -> None:
    """Planning ten times is like planning once, and the run that follows finds all of it to be done."""
    home.write(SHOP)
    home.run("--task", "report")
    home.pass_days(3)
    before = home.files()
    for _ in range(3):
        assert home.run("plan", "report").code == 0
    assert home.files() == before


def test_a_plan_and_the_run_that_follows_it_agree(home: AppHome) -> None:
    """Missed slots, those that are left out, and those with nothing to do: foretold as they come."""
    home.write(SHOP)
    home.run("--task", "report")
    home.pass_days(3)
    plan = home.json("plan", "report")
    foretold = [(run["task"], run["slot"]) for run in plan["runs"] if run["action"] == "run"]
    assert foretold == [
        ("rates", "2026-11-22"), ("rates", "2026-11-23"), ("rates", "2026-11-24"), ("report", "2026-11-25T06:00Z"),
    ]  # fmt: skip
    assert [(left["task"], left["slot"]) for left in plan["left_out"]] == [
        ("report", "2026-11-23T06:00Z"), ("report", "2026-11-24T06:00Z"),
    ]  # fmt: skip
    outcomes = home.json("--task", "report")["outcomes"]
    assert [(each["task"], each["slot"]) for each in outcomes if each["status"] == "success"] == foretold
    assert home.sql("SELECT key FROM slots WHERE status = 'skipped' ORDER BY key") == [
        ("2026-11-23T06:00Z",), ("2026-11-24T06:00Z",),
    ]  # fmt: skip
    assert planned(home, "report") == [("rates", None, "skip"), ("report", None, "skip")]


def test_a_plan_takes_the_days_that_are_asked_for(home: AppHome) -> None:
    """--since and --until as with --task."""
    home.write(DAILY)
    assert planned(home, "rates", "--since", "2026-11-10", "--until", "2026-11-12") == [
        ("rates", "2026-11-10", "run"), ("rates", "2026-11-11", "run"),
    ]  # fmt: skip


def test_a_time_is_the_median_of_the_last_successes(home: AppHome) -> None:
    """Unknown before the first one; what failed tells nothing; all of it together counts runs side by side once."""
    home.write(SHOP)
    assert [run["expected_seconds"] for run in home.json("plan", "report")["runs"]] == [None, None]
    assert home.json("plan", "report")["expected_seconds"] is None
    home.run("--task", "report", "--since", "2026-11-18")
    for number, (took, status) in enumerate(
        [("01", "success"), ("02", "success"), ("09", "success"), ("59", "failed")]
    ):
        home.sql(
            "UPDATE runs SET started_at = ?, finished_at = ?, status = ? WHERE id ="
            " (SELECT id FROM runs WHERE task = 'rates' ORDER BY id LIMIT 1 OFFSET ?)",
            f"2026-11-22T0{number}:00:00.000Z", f"2026-11-22T0{number}:00:{took}.000Z", status, number,
        )  # fmt: skip
    home.sql("UPDATE runs SET finished_at = '2026-11-22T09:00:03.000Z' WHERE task = 'report'")
    home.pass_days(1)
    plan = home.json("plan", "report")
    assert [(run["task"], run["expected_seconds"]) for run in plan["runs"]] == [("rates", 2.0), ("report", 3.0)]
    assert plan["expected_seconds"] == 5.0
    assert "about 5.0 s" in home.run("plan", "report").out


def test_the_requests_of_a_collector_are_foretold(home: AppHome) -> None:
    """A part of the days costs what it cost before, however few they are; unknown before the first run."""
    with Sandbox(clock=home.clock, today=home.clock.today()) as sandbox:
        write_env(home, sandbox)
        assert home.json("plan", "fetch_openai")["runs"][0]["expected_requests"] is None
        for _ in range(3):
            (foretold,) = home.json("plan", "fetch_openai")["runs"]
            (done,) = home.json("--task", "fetch_openai")["outcomes"]
            assert foretold["expected_requests"] in (None, done["requests"])
            home.pass_days(1)
        assert (foretold["since"], foretold["expected_requests"]) == ("2026-11-21", 11)


def test_a_run_that_would_wait_for_another_says_so(busy_home: AppHome) -> None:
    """Where its policy is to wait, or to ask for the end of the other; and where a limit has no room."""
    busy_home.write("@app.task(overlap='queue')\ndef slow(ctx): pass\n")
    assert "would wait for its end" in busy_home.json("plan", "slow")["runs"][0]["reason"]
    busy_home.write("@app.task(overlap='replace')\ndef slow(ctx): pass\n")
    assert "would ask for its end" in busy_home.json("plan", "slow")["runs"][0]["reason"]
    busy_home.sql("UPDATE runs SET limits = ',bank,'")
    (busy_home.folder / "agent_os.ini").write_text("[agent_os]\nlimits = bank = 1\n")
    busy_home.write("@app.task(limits='bank')\ndef other(ctx): pass\n")
    (run,) = busy_home.json("plan", "other")["runs"]
    assert (run["action"], run["reason"]) == ("run", "waits for room in the limit bank")


def test_a_run_whose_day_before_has_failed_is_foretold_as_blocked(home: AppHome) -> None:
    """It comes after a day that failed and cannot be tried again now, and so does what comes after it."""
    after = (
        "@app.task(partition='day', after=a)\ndef b(ctx): pass\n@app.task(partition='day', after=b)\ndef c(ctx): pass\n"
    )
    home.write("@app.task(partition='day')\ndef a(ctx): raise PermanentError('no')\n" + after)
    home.run("--task", "c")
    home.write("@app.task(partition='day', needs='SHOP_KEY')\ndef a(ctx): pass\n" + after)
    home.pass_days(1)
    runs = {(run["task"], run["slot"]): run for run in home.json("plan", "c")["runs"]}
    assert runs["b", "2026-11-21"]["reason"] == "a has not succeeded for 2026-11-21"
    assert runs["c", "2026-11-21"]["reason"] == "b 2026-11-21, which it comes after, is blocked"
    foretold = {key: run["action"] for key, run in runs.items()}
    assert foretold == {
        ("a", None): "skip", ("b", "2026-11-21"): "blocked", ("b", "2026-11-22"): "run",
        ("c", "2026-11-21"): "blocked", ("c", "2026-11-22"): "run",
    }  # fmt: skip
    done = {
        (each["task"], each["slot"]) for each in home.json("--task", "c")["outcomes"] if each["status"] == "success"
    }
    assert done == {("b", "2026-11-22"), ("c", "2026-11-22")}


def test_a_task_that_runs_elsewhere_is_foretold_as_busy(busy_home: AppHome) -> None:
    """With who has it, and that a run now would be refused."""
    plan = busy_home.json("plan", "slow")
    assert [run["action"] for run in plan["runs"]] == ["busy"]
    assert "process " in plan["refusal"]
    assert "would be refused" in busy_home.run("plan", "slow").out
    assert busy_home.run("--task", "slow").code == 4


def test_what_a_killed_run_had_is_foretold_as_due(killed_home: AppHome) -> None:
    """Though the database still says that it is running, and goes on to say so."""
    ((key, status),) = killed_home.sql("SELECT key, status FROM slots")
    assert planned(killed_home, "slow") == [("slow", key, "run")]
    assert (status, killed_home.sql("SELECT status FROM slots")) == ("running", [("running",)])
    (killed_home.folder / "go").touch()
    assert killed_home.run("--task", "slow").code == 0


def test_what_is_disabled_is_foretold_as_skipped(home: AppHome) -> None:
    """With the setting that it needs; where nothing could be run, what the run would say."""
    home.write(DAILY + "@app.task(after=rates, partition='day', needs='SHOP_KEY')\ndef report(ctx): pass\n")
    plan = home.json("plan", "report")
    assert plan["runs"][-1]["reason"] == "disabled: SHOP_KEY is not set"
    assert "SHOP_KEY" in plan["refusal"]
    assert "OPENAI_ADMIN_KEY" in home.run("plan").out


def test_a_plan_names_the_limits_and_the_messages_that_wait(home: AppHome) -> None:
    """What a run has to ask, and what it would do besides."""
    home.write(
        "@app.limit('monthly')\ndef monthly(ask): return True\n"
        "@app.task(cost=1, cost_limit='monthly')\ndef train(ctx): ctx.send('mail', 'm', 1)\n"
        "@app.outbox('mail')\ndef mail(ctx, message): raise TransientError('down')\n"
    )
    home.run("--task", "train")
    home.pass_days(1)
    plan = home.json("plan", "train")
    assert plan["runs"][0]["reason"] == "asks the limit monthly first"
    assert "outbox mail" in plan["remarks"][0]


@pytest.mark.parametrize(("word", "says"), [("reprot", "report"), ("export", "--task export")])
def test_a_plan_of_what_is_no_task_is_refused(home: AppHome, word: str, says: str) -> None:
    """With the nearest right name."""
    home.write(SHOP)
    answer = home.run("plan", word)
    assert answer.code == 2
    assert says in answer.err


def test_neighbours_that_come_to_the_same_are_one_line(home: AppHome) -> None:
    """A hundred days are told in a line, for people."""
    home.write(DAILY)
    lines = home.run("plan", "rates", "--since", "2026-08-14").out.splitlines()
    assert len(lines) == 3
    assert "2026-08-14 to 2026-11-21" in lines[1]
    assert "run 100" in lines[1]


# --- gaps -------------------------------------------------------------------------------------------------------------

FIELDS = ("task", "since", "last", "slots", "reason")


def gaps(home: AppHome, *words: str) -> list[tuple[Any, ...]]:
    """The holes of the tasks of the app."""
    return [tuple(each[name] for name in FIELDS) for each in home.json("gaps", *words) if "fetch" not in each["task"]]


def test_what_was_never_due_is_no_hole(home: AppHome) -> None:
    """Nothing before the first run that saw a task, nothing whose time has not come."""
    home.write(SHOP)
    home.json("--task", "report")
    assert gaps(home) == []
    home.clock.pass_by(86_400 - 9 * 3600 - 60)  # type: ignore[attr-defined]  # one minute before midnight
    assert gaps(home) == []


def test_slots_that_were_missed_are_folded_with_their_reason(home: AppHome) -> None:
    """Asleep for four days: what the next run does is told apart from what it leaves out."""
    home.write(SHOP)
    home.run("--task", "report")
    home.pass_days(4)
    asleep = "not run yet (off or asleep); the next run does it"
    assert gaps(home) == [
        ("rates", "2026-11-22", "2026-11-25", 4, asleep),
        ("report", "2026-11-23T06:00Z", "2026-11-25T06:00Z", 3,
         "not run (off or asleep); the next run leaves it out (catch_up = latest)"),
        ("report", "2026-11-26T06:00Z", "2026-11-26T06:00Z", 1, asleep),
    ]  # fmt: skip
    home.run("--task", "report")
    assert gaps(home) == [
        ("report", "2026-11-23T06:00Z", "2026-11-25T06:00Z", 3,
         "skipped: missed; 2026-11-26T06:00Z stands for it (catch_up = latest)"),
    ]  # fmt: skip
    home.pass_days(40)
    assert "skipped" not in " ".join(reason for *_, reason in gaps(home))


def test_a_hole_says_why_a_run_did_not_fill_it(home: AppHome) -> None:
    """Failed and with what; after what failed; parked by a limit; disabled by which setting."""
    home.write(
        "@app.limit('monthly')\ndef monthly(ask): return 'the month is over'\n"
        "@app.task(partition='day')\ndef a(ctx): raise PermanentError('no rate for today')\n"
        "@app.task(partition='day', after=a)\ndef b(ctx): pass\n"
        "@app.task(partition='day', cost=1, cost_limit='monthly')\ndef c(ctx): pass\n"
    )
    home.run("--task", "b", "--since", "2026-11-20")
    home.run("--task", "c")
    day = "2026-11-21"
    assert gaps(home) == [
        ("a", "2026-11-20", day, 2, "failed: no rate for today"),
        ("b", "2026-11-20", day, 2, "waiting: a, which it comes after, failed"),
        ("c", day, day, 1, "parked by a limit: the limit monthly says no: the month is over"),
    ]
    home.write("@app.task(partition='day', needs='SHOP_KEY')\ndef c(ctx): pass\n")
    home.pass_days(1)
    assert gaps(home, "--task", "c", "--since", "2026-11-22") == [
        ("c", "2026-11-22", "2026-11-22", 1, "disabled: SHOP_KEY is not set")
    ]


def test_a_run_that_waits_for_its_next_attempt_says_so(home: AppHome) -> None:
    """Its error is told while its runner lives; once that is gone, that it was interrupted."""
    home.clock = Clock()
    home.write(
        "import os\n@app.task(schedule='0 6 * * *', retries=1, backoff='1h')\n"
        "def slow(ctx):\n    raise TransientError('the bank is closed')\n"
    )
    process = home.start("--task", "slow")
    try:
        home.wait_for("agent_os.db.id")
        rows: list[tuple[Any, ...]] = []
        while not rows:
            assert process.poll() is None
            rows = home.sql("SELECT 1 FROM slots WHERE reason <> ''")
        assert gaps(home)[0][-1] == "waiting for its next attempt: the bank is closed"
    finally:
        process.kill()
        process.wait()
    assert gaps(home)[0][-1] == "interrupted; the next run does it"


def test_days_before_those_that_were_asked_for_by_hand_are_told_apart(home: AppHome) -> None:
    """A day far back was asked for; those after it never came due, and the gap says how to have them."""
    home.write(DAILY)
    home.run("--task", "rates")
    home.run("--task", "rates", "--since", "2026-11-10", "--until", "2026-11-11")
    assert gaps(home) == [("rates", "2026-11-11", "2026-11-20", 10, "never due by itself; --since asks for it")]


def test_more_missed_slots_than_are_caught_up_are_told(home: AppHome) -> None:
    """The last 400 come by themselves; the others have to be asked for."""
    home.write(DAILY)
    home.run("--task", "rates")
    home.pass_days(410)
    assert [(slots, reason.partition(";")[0]) for *_, slots, reason in gaps(home)] == [
        (10, "more than 400 were missed at once"), (400, "not run yet (off or asleep)"),
    ]  # fmt: skip


def test_a_schedule_that_comes_more_often_now_makes_one_line_of_the_past(home: AppHome) -> None:
    """Its new times were never due back then; what failed by the old ones is still told."""
    home.write(
        "@app.task(schedule='30 6 * * *')\ndef rates(ctx):\n    if '22T' in ctx.slot: raise PermanentError('no')\n"
    )
    for _ in range(3):
        home.run("--task", "rates")
        home.pass_days(1)
    home.write("@app.task(schedule='0 */6 * * *')\ndef rates(ctx): pass\n")
    home.run("--task", "rates")
    why = "never due (another schedule?), or one of more than 400 missed at once; --since asks for it"
    assert gaps(home)[:2] == [
        ("rates", "2026-11-22T06:30Z", "2026-11-22T06:30Z", 1, "failed: no"),
        ("rates", "2026-11-22T12:00Z", "2026-11-24T06:00Z", 8, why),
    ]


def test_gaps_of_what_has_none_is_refused(home: AppHome) -> None:
    """A task without days or a schedule, and a name that is none."""
    home.write("@app.task\ndef once(ctx): pass\n")
    assert home.run("gaps", "--task", "once").code == 2
    answer = home.run("gaps", "--task", "onc")
    assert (answer.code, "once" in answer.err) == (2, True)


FORGETFUL = """
from agent_os.plugins.openai import OpenAI
class Forgetful(OpenAI):
    name = 'forgetful'
    history_days = 30
app.collect(Forgetful)
"""


@pytest.fixture
def forgetful(home: AppHome) -> Iterator[tuple[AppHome, Sandbox]]:
    """A home with a provider that answers for the last 30 days only."""
    with Sandbox(clock=home.clock, today="2026-11-22") as sandbox:
        write_env(home, sandbox)
        home.write(FORGETFUL)
        yield home, sandbox


def first_asked(sandbox: Sandbox) -> str:
    """The earliest day that any request asked for."""
    from datetime import datetime, timezone

    starts = [int(dict(entry.query)["start_time"]) for entry in sandbox.requests("openai")]
    return datetime.fromtimestamp(min(starts), timezone.utc).date().isoformat()


def test_a_run_does_not_ask_for_what_the_provider_forgot(forgetful: tuple[AppHome, Sandbox]) -> None:
    """Not by itself, not by --since; and what is not asked for has not failed."""
    home, sandbox = forgetful
    assert home.run("--task", "fetch_forgetful").code == 0
    assert home.run("--task", "fetch_forgetful", "--since", "2026-09-01", "--force").code == 0
    assert first_asked(sandbox) == "2026-10-23"
    sandbox.journal.clear()
    answer = home.json("--task", "fetch_forgetful", "--since", "2026-09-01", "--until", "2026-10-01")
    assert sandbox.journal == []
    assert answer["outcomes"][0]["status"] == "skipped"
    assert "30 days" in answer["outcomes"][0]["reason"]
    assert home.sql("SELECT count(*) FROM slots WHERE status = 'failed' OR key < '2026-10-23'") == [(0,)]


def test_a_day_that_was_read_and_is_forgotten_does_not_make_runs_ask_for_more(
    forgetful: tuple[AppHome, Sandbox],
) -> None:
    """It is never read again, so it must not keep the weekly reading of all days coming."""
    home, sandbox = forgetful
    home.run("--task", "fetch_forgetful")
    home.pass_days(8)
    sandbox.journal.clear()
    home.run("--task", "fetch_forgetful")
    assert first_asked(sandbox) == "2026-10-31"  # the weekly reading, without what is forgotten
    home.pass_days(1)
    sandbox.journal.clear()
    home.run("--task", "fetch_forgetful")
    assert first_asked(sandbox) == "2026-11-28"


def test_a_gap_says_until_when_a_day_can_be_had(forgetful: tuple[AppHome, Sandbox]) -> None:
    """The day after the provider's history has moved past it; and `lost` from then on."""
    home, sandbox = forgetful
    sandbox.fault("openai", "costs", "bad_request", times=99)
    home.run("--task", "fetch_forgetful")
    fields = ("since", "last", "days", "lost_on", "is_lost")
    found = home.json("gaps", "--task", "fetch_forgetful")
    lost, had = [tuple(each[name] for name in fields) for each in found]
    assert lost == ("2026-10-18", "2026-10-22", 5, "2026-11-18", True)
    assert had == ("2026-10-23", "2026-11-22", 31, "2026-11-23", False)
    assert found[0]["reason"] == "outside the provider's history, which goes back 30 days"
    assert found[1]["reason"].startswith("failed: ")
    text = home.run("gaps", "--task", "fetch_forgetful", "--since", "2026-11-20").out
    assert "lost on 2026-12-21" in text
    home.pass_days(31)
    assert "  lost  " in home.run("gaps", "--task", "fetch_forgetful", "--since", "2026-11-20").out


def test_gaps_of_collectors_keep_their_fields(home: AppHome) -> None:
    """Programs read them: provider, since, last, days, reason."""
    home.run("--task", "once", app=False)
    home.write("@app.task\ndef once(ctx): pass\n")
    home.run("--task", "once")
    found = home.json("gaps")
    assert [each["provider"] for each in found] == ["anthropic", "openai"]
    assert (found[0]["since"], found[0]["last"], found[0]["days"]) == ("2026-10-18", "2026-11-22", 36)
    assert found[0]["reason"].startswith("disabled: ANTHROPIC_API_KEY or ANTHROPIC_ADMIN_KEY")


# --- doctor -----------------------------------------------------------------------------------------------------------


def told(home: AppHome, name: str, *, code: int) -> list[dict[str, str]]:
    """What the doctor says of one thing."""
    return [check for check in home.json("doctor", code=code)["checks"] if check["check"] == name]


def test_a_home_in_order_is_told_so(home: AppHome) -> None:
    """One line a check, exit 0, before the first run and after it; nothing is changed."""
    home.write(SHOP)
    answer = home.run("doctor")
    assert (answer.code, answer.out.splitlines()[-1], answer.err) == (0, "everything is in order", "")
    assert home.files() == {}
    home.run("--task", "report")
    before = home.files()
    assert home.run("doctor").code == 0
    assert home.files() == before
    names = [check["check"] for check in home.json("doctor")["checks"]]
    assert " ".join(names) == (
        "program python sqlite settings tasks log disk tls clock database runs effects outbox schedule lateness"
    )


def test_the_doctor_talks_to_nobody(home: AppHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also whether certificates can be checked is known without a connection."""
    monkeypatch.setattr(socket, "socket", lambda *_: pytest.fail("a socket was opened"))
    assert told(home, "tls", code=0)[0]["state"] == "ok"


def test_the_range_of_a_bug_of_sqlite_is_told(home: AppHome) -> None:
    """As information: it is no problem of this home."""
    has_it = WAL_BUG[0] <= sqlite3.sqlite_version_info <= WAL_BUG[1]
    (check,) = told(home, "sqlite", code=0)
    assert check["state"] == ("note" if has_it else "ok")
    assert ("3.7.0 to 3.51.2" in check["message"]) == has_it


def test_settings_that_others_can_read_are_a_problem(home: AppHome) -> None:
    """With the command that mends it; a line that is no assignment is a note."""
    env = home.folder / ".env"
    env.write_text("OPENAI_ADMIN_KEY=x\n=nonsense\n")
    env.chmod(0o644)
    first, second = told(home, "settings", code=1)
    assert (first["state"], first["todo"]) == ("problem", f"chmod 600 {env}")
    assert (second["state"], "line 2" in second["message"]) == ("note", True)


@pytest.mark.parametrize("part", ["page", "reference"])
def test_a_damaged_database_is_a_problem_and_exit_6(home: AppHome, part: str) -> None:
    """A page that is not what it was, and a row that refers to nothing."""
    home.write(SHOP)
    home.run("--task", "report")
    path = home.folder / "agent_os.db"
    if part == "page":
        content = bytearray(path.read_bytes())
        content[8192 : 8192 + 4096] = b"\xa5" * 4096
        path.write_bytes(content)
    else:
        home.sql("INSERT INTO attempts VALUES ('no such run', 1, '', '', '', NULL)")
    check = told(home, "database", code=6)[0]
    assert (check["state"], "is damaged" in check["message"], check["todo"] != "") == ("problem", True, True)


def test_a_database_that_is_gone_is_a_problem(home: AppHome) -> None:
    """The note beside it says that there was one."""
    home.write(SHOP)
    home.run("--task", "report")
    for path in home.folder.glob("agent_os.db*"):
        if not path.name.endswith(".id"):
            path.unlink()
    assert told(home, "database", code=6)[0]["state"] == "problem"


def test_faults_in_tasks_are_a_problem_of_the_set_up(home: AppHome) -> None:
    """Of an app and of the ini; exit 3, as a run would end."""
    home.write("@app.task(after='rats')\ndef report(ctx): pass\n")
    assert "rats" in told(home, "tasks", code=3)[0]["message"]
    home.write(SHOP)
    (home.folder / "agent_os.ini").write_text("[task:x]\nschedule = never\n")
    assert told(home, "tasks", code=3)[0]["state"] == "problem"


def test_a_home_that_cannot_be_opened_is_a_problem(home: AppHome) -> None:
    """What can be looked at without it is."""
    home.folder /= "none"
    checks = home.json("doctor", code=3)["checks"]
    assert [check["check"] for check in checks] == ["program", "python", "sqlite", "settings"]
    assert "mkdir" in checks[-1]["todo"]


def test_a_log_that_cannot_be_written_is_a_problem(home: AppHome) -> None:
    """A folder in its place."""
    (home.folder / "agent.log").mkdir()
    assert told(home, "log", code=3)[0]["state"] == "problem"


def test_a_disk_that_is_full_is_a_problem(home: AppHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 7; one that is nearly full is a note."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**10, 10**10, 10**6))
    assert told(home, "disk", code=7)[0]["state"] == "problem"
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**10, 10**9, 5 * 10**8))
    assert told(home, "disk", code=0)[0]["state"] == "note"


def test_a_clock_that_is_wrong_is_a_problem(home: AppHome) -> None:
    """Never set, or behind a run that was recorded."""
    home.write(DAILY)
    home.run("--task", "rates")
    home.pass_days(-2)
    assert "2026-11-22T09:00Z" in told(home, "clock", code=1)[0]["message"]
    home.clock = MovableClock("1970-01-01T00:10:00")
    assert "never set" in told(home, "clock", code=1)[0]["message"]


def test_authorities_that_cannot_be_read_are_a_problem(home: AppHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file that SSL_CERT_FILE names."""
    monkeypatch.setenv("SSL_CERT_FILE", str(home.folder / "no.pem"))
    assert "no.pem" in told(home, "tls", code=3)[0]["message"]


def test_a_run_that_was_killed_is_told(killed_home: AppHome) -> None:
    """As a note: the next run closes it."""
    (check,) = told(killed_home, "runs", code=0)
    assert (check["state"], "slow" in check["message"]) == ("note", True)


def test_a_run_that_is_under_way_is_in_order(busy_home: AppHome) -> None:
    """It is nobody's business."""
    assert [(check["state"], check["message"]) for check in told(busy_home, "runs", code=0)] == [
        ("ok", "1 run under way")
    ]


# --- effects ----------------------------------------------------------------------------------------------------------

PAYING = """
import os
LIST = os.path.join(os.path.dirname(__file__), 'calls')
def call():
    with open(LIST, 'a') as file: file.write('x')
    if os.path.getsize(LIST) == 1: raise ValueError('the line went dead')
    return {'id': 3}
@app.task
def pay(ctx): return ctx.effect('invoice 7', call)
"""


def calls(home: AppHome) -> int:
    return (home.folder / "calls").stat().st_size


@pytest.fixture
def unsettled(home: AppHome) -> AppHome:
    """A home in which a payment was made, or was not: the line went dead."""
    home.write(PAYING)
    assert home.run("--task", "pay", "--key", "first").code == 1
    assert calls(home) == 1
    return home


def test_effects_that_are_not_settled_are_listed(unsettled: AppHome) -> None:
    """With what is known of them, and what to do; nothing where all are settled."""
    (effect,) = unsettled.json("effects")
    assert {name: effect[name] for name in ("task", "key", "status", "slot", "outcome")} == {
        "task": "pay", "key": "invoice 7", "status": "ambiguous", "slot": "first", "outcome": None,
    }  # fmt: skip
    assert "effects settle TASK KEY" in unsettled.run("effects").out
    unsettled.run("effects", "settle", "pay", "invoice 7", "--done")
    assert unsettled.run("effects").out == "every effect is settled\n"
    assert [each["status"] for each in unsettled.json("effects", "--all")] == ["done"]


def test_an_effect_that_is_settled_as_done_is_never_called_again(unsettled: AppHome) -> None:
    """The outcome that a person gave is what the task gets."""
    words = ("effects", "settle", "pay", "invoice 7", "--done", "--outcome", '{"id": 9}')
    assert unsettled.json(*words) == {"task": "pay", "key": "invoice 7", "before": "ambiguous", "status": "done"}
    assert unsettled.json("--task", "pay", "--key", "first")["outcomes"][0]["output"] == {"id": 9}
    assert calls(unsettled) == 1


def test_an_effect_that_is_settled_as_not_done_is_called_again(unsettled: AppHome) -> None:
    """By the next attempt, and by no later one."""
    assert unsettled.run("effects", "settle", "pay", "invoice 7", "--not-done").code == 0
    assert unsettled.json("--task", "pay", "--key", "first")["outcomes"][0]["output"] == {"id": 3}
    assert unsettled.json("--task", "pay", "--key", "second")["outcomes"][0]["output"] == {"id": 3}
    assert calls(unsettled) == 2


def test_that_a_slot_is_over_is_said_when_its_effect_is_called_again_only_by_force(unsettled: AppHome) -> None:
    """The second attempt went on without the effect, and succeeded."""
    assert unsettled.run("--task", "pay", "--key", "first").code == 0
    assert "--force" in unsettled.run("effects", "settle", "pay", "invoice 7", "--not-done").out
    assert unsettled.run("--task", "pay", "--key", "first", "--force").code == 0
    assert calls(unsettled) == 2


def test_the_commands_of_the_doctor_settle_what_they_are_about(unsettled: AppHome) -> None:
    """Pasted as they stand, quotes and all."""
    (check,) = told(unsettled, "effects", code=1)
    assert (check["state"], "pay invoice 7" in check["message"]) == ("problem", True)
    command = check["todo"].partition("then: ")[2].partition(", or: ")[0]
    assert unsettled.run(*shlex.split(command)).code == 0
    assert told(unsettled, "effects", code=0)[0]["state"] == "ok"


WRONG_SETTLING = [
    (("settle", "pai", "invoice 7", "--done"), "did you mean pay?"),
    (("settle", "pay", "invoice 8", "--done"), "did you mean invoice 7?"),
    (("settle", "zzz", "invoice 7", "--done"), "effects --all"),
    (("settle", "pay", "invoice 7"), "--done or --not-done"),
    (("settle", "pay", "invoice 7", "--done", "--not-done"), "not both"),
    (("settle", "pay", "--done"), "TASK KEY"),
    (("settle", "pay", "invoice 7", "--not-done", "--outcome", "1"), "--outcome"),
    (("settle", "pay", "invoice 7", "--done", "--outcome", "{"), "no JSON"),
    (("settle", "pay", "invoice 7", "--done", "--outcome", "NaN"), "no JSON"),
    (("setle", "pay", "invoice 7", "--done"), "did you mean settle?"),
    (("--done",), "which effect"),
]


@pytest.mark.parametrize(("words", "says"), WRONG_SETTLING, ids=[" ".join(words) for words, _ in WRONG_SETTLING])
def test_a_wrong_settling_is_one_sentence_and_changes_nothing(
    unsettled: AppHome, words: tuple[str, ...], says: str
) -> None:
    """Exit 2, with the nearest right name."""
    answer = unsettled.run("effects", *words)
    assert (answer.code, len(answer.err.splitlines())) == (2, 1)
    assert says in answer.err
    assert unsettled.json("effects")[0]["status"] == "ambiguous"


def test_settling_without_a_database_makes_none(home: AppHome) -> None:
    """Exit 3, and no file but the log."""
    assert home.run("effects", "settle", "pay", "x", "--done").code == 3
    assert home.run("outbox", "drop", "1", "--yes").code == 3
    assert home.run("vacuum").code == 3
    assert not list(home.folder.glob("*.db*"))


def test_an_effect_of_a_run_that_is_under_way_is_not_settled(unsettled: AppHome) -> None:
    """It may be happening at this moment."""
    path = str(unsettled.folder / "agent_os.db")
    living = lock.RunnerLock(path, clock=unsettled.clock)
    living.acquire()
    try:
        unsettled.sql("UPDATE runs SET status = 'running', owner = ?", living.owner)
        answer = unsettled.run("effects", "settle", "pay", "invoice 7", "--done")
        assert (answer.code, "under way" in answer.err) == (4, True)
        assert told(unsettled, "effects", code=0)[0]["state"] == "ok"
    finally:
        living.release()
    assert unsettled.run("effects", "settle", "pay", "invoice 7", "--done").code == 0


# --- outbox -----------------------------------------------------------------------------------------------------------

MAILING = """
import os
@app.task
def tell(ctx):
    for key in ('a', 'b', 'c'): ctx.send('mail', key, key)
@app.outbox('mail')
def mail(ctx, message):
    if os.path.exists(os.path.join(os.path.dirname(__file__), 'up')) or message.key == 'c': return 'taken'
    if message.key == 'a': raise PermanentError('no such address')
    raise TransientError('nobody is there')
"""


@pytest.fixture
def mailing(home: AppHome) -> AppHome:
    """A home whose outbox has a message that was given up (1), one that waits (2) and one that was sent (3)."""
    home.write(MAILING)
    home.run("--task", "tell", "--key", "first")
    return home


def test_messages_that_were_not_sent_are_listed(mailing: AppHome) -> None:
    """Newest first, with why; --all lists those that were sent too."""
    assert [(each["id"], each["key"], each["status"], each["error"]) for each in mailing.json("outbox")] == [
        (2, "b", "waiting", "nobody is there"), (1, "a", "parked", "no such address"),
    ]  # fmt: skip
    assert [each["status"] for each in mailing.json("outbox", "--all")] == ["sent", "waiting", "parked"]
    assert "outbox resend ID" in mailing.run("outbox").out


def test_a_message_that_was_given_up_is_sent_again_when_asked(mailing: AppHome) -> None:
    """By the next run, and one that waits need not wait longer."""
    (mailing.folder / "up").touch()
    assert mailing.run("outbox", "resend", "2", "1").code == 0
    mailing.run("--task", "tell", "--key", "first")
    assert mailing.run("outbox").out == "no message waits\n"
    assert mailing.sql("SELECT DISTINCT status FROM outbox") == [("sent",)]


def test_a_dropped_message_is_gone(mailing: AppHome) -> None:
    """With --yes where there is no terminal; without it nothing happens."""
    refused = mailing.run("outbox", "drop", "1")
    assert (refused.code, "--yes" in refused.err) == (2, True)
    assert mailing.json("outbox", "drop", "1", "--yes") == {"drop": [1]}
    assert [each["id"] for each in mailing.json("outbox")] == [2]


@pytest.mark.parametrize(("answer", "left"), [("y\n", [2]), ("n\n", [2, 1]), ("", [2, 1])])
def test_a_terminal_is_asked_before_a_message_is_dropped(
    mailing: AppHome, monkeypatch: pytest.MonkeyPatch, answer: str, left: list[int]
) -> None:
    """Anything but yes is no."""

    class Terminal:
        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            return answer

    monkeypatch.setattr("sys.stdin", Terminal())
    said = mailing.run("outbox", "drop", "1")
    assert (said.code, "drop 1 message for good? [y/N]" in said.err) == (0, True)
    assert [each["id"] for each in mailing.json("outbox")] == left


def test_the_doctor_names_what_was_given_up(mailing: AppHome) -> None:
    """With commands that work as they stand."""
    given_up, waiting = told(mailing, "outbox", code=1)
    assert (given_up["state"], waiting["state"]) == ("problem", "ok")
    command = given_up["todo"].partition(", or: ")[2]
    assert mailing.run(*shlex.split(command)).code == 0
    assert [check["state"] for check in told(mailing, "outbox", code=0)] == ["ok"]


WRONG_OUTBOX = [
    (("resend",), "outbox resend ID"),
    (("resend", "one"), "'one'"),
    (("resend", "1", "9"), "nearest that was not sent is 2"),
    (("resend", "1", "3"), "message 3 was sent"),
    (("drop", "3", "--yes"), "message 3 was sent"),
    (("dorp", "1"), "did you mean drop?"),
]


@pytest.mark.parametrize(("words", "says"), WRONG_OUTBOX, ids=[" ".join(words) for words, _ in WRONG_OUTBOX])
def test_a_wrong_word_about_messages_is_one_sentence_and_changes_nothing(
    mailing: AppHome, words: tuple[str, ...], says: str
) -> None:
    """All messages that were named, or none."""
    before = mailing.sql("SELECT * FROM outbox")
    answer = mailing.run("outbox", *words)
    assert (answer.code, len(answer.err.splitlines())) == (2, 1)
    assert says in answer.err
    assert mailing.sql("SELECT * FROM outbox") == before


def test_messages_that_are_being_sent_are_left_alone(mailing: AppHome) -> None:
    """Exit 4 while a runner that lives empties their outbox."""
    living = lock.RunnerLock(str(mailing.folder / "agent_os.db"), clock=mailing.clock)
    living.acquire()
    try:
        mailing.sql("UPDATE slots SET owner = ? WHERE task = 'mail'", living.owner)
        answer = mailing.run("outbox", "drop", "1", "--yes")
        assert (answer.code, "being sent" in answer.err) == (4, True)
    finally:
        living.release()
    assert mailing.run("outbox", "drop", "1", "--yes").code == 0
