"""When a task is late: tables of instants, written out; and `watch`, which says so."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta, timezone

import pytest
from homes import AppHome
from hypothesis import given
from hypothesis import strategies as st
from world import World

from agent_os.commands.watch import named
from agent_os.core.clock import Clock
from agent_os.core.days import add_days
from agent_os.core.lateness import Known, is_watched, judge, suspicions
from agent_os.core.spec import Task
from agent_os.sandbox.server import Sandbox


def task_of(kind="command", **options):
    task = Task("backup", kind=kind, source="here").declare(options)
    assert task.faults == []
    return task


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


def full(text):
    """2026-11-22T06:00 as it is stored."""
    return f"{text}:00.000Z" if text else ""


DAILY = {"schedule": "0 6 * * *"}
OSLO = {"schedule": "0 6 * * *", "timezone": "Europe/Oslo"}
GAP = {"schedule": "30 2 * * *", "timezone": "Europe/Berlin"}
HOURLY = {"schedule": "0 * * * *"}
DAYS = {"partition": "day"}
DAYS_AT_SIX = {"partition": "day", "schedule": "0 6 * * *"}
PERIOD = {"period": "1d"}

# id: (options, newest slot that succeeded, now, since when `tick` knows it, state, since when a success is owed)
SCHEDULED = {
    "done today": (DAILY, "2026-11-22T06:00Z", "2026-11-22T23:00", "", "ok", ""),
    "within its grace": (DAILY, "2026-11-21T06:00Z", "2026-11-22T06:59", "", "ok", ""),
    "the grace is over": (DAILY, "2026-11-21T06:00Z", "2026-11-22T07:00", "", "late", "2026-11-22T06:00"),
    "since three days": (DAILY, "2026-11-19T06:00Z", "2026-11-22T09:00", "", "late", "2026-11-20T06:00"),
    "grace of its own": ({**DAILY, "grace": "3h"}, "2026-11-21T06:00Z", "2026-11-22T08:59", "", "ok", ""),
    "grace of its own is over": (
        {**DAILY, "grace": "3h"}, "2026-11-21T06:00Z", "2026-11-22T09:00", "", "late", "2026-11-22T06:00",
    ),
    "jitter comes on top": ({**DAILY, "jitter": "30m"}, "2026-11-21T06:00Z", "2026-11-22T07:29", "", "ok", ""),
    "jitter is over": (
        {**DAILY, "jitter": "30m"}, "2026-11-21T06:00Z", "2026-11-22T07:30", "", "late", "2026-11-22T06:00",
    ),
    "never, and nobody knows since when": (DAILY, "", "2026-11-22T09:00", "", "late", "2026-11-22T06:00"),
    "never, declared after it was due": (DAILY, "", "2026-11-22T09:00", "2026-11-22T08:00", "not due yet", ""),
    "never, declared at that very instant": (DAILY, "", "2026-11-22T09:00", "2026-11-22T06:00", "not due yet", ""),
    "never, declared before it was due": (
        DAILY, "", "2026-11-22T09:00", "2026-11-22T05:00", "late", "2026-11-22T06:00",
    ),
    "never, and declared days ago": (DAILY, "", "2026-11-22T09:00", "2026-11-19T08:00", "late", "2026-11-20T06:00"),
    "never, its first is in its grace": (DAILY, "", "2026-11-22T06:30", "2026-11-22T05:00", "not due yet", ""),
    "declared anew since it succeeded": (
        DAILY, "2026-09-01T06:00Z", "2026-11-22T09:00", "2026-11-22T08:00", "not due yet", "",
    ),
    "seen by a clock that was ahead": (DAILY, "", "2026-11-22T09:00", "2027-11-22T08:00", "late", "2026-11-22T06:00"),
    "a manual slot between two instants counts for what was due before": (
        DAILY, "2026-11-22T06:30Z", "2026-11-22T09:00", "", "ok", "",
    ),
    "every hour": (HOURLY, "2026-11-22T07:00Z", "2026-11-22T08:59", "", "ok", ""),
    "every hour, late": (HOURLY, "2026-11-22T07:00Z", "2026-11-22T09:00", "", "late", "2026-11-22T08:00"),
    # 06:00 in Oslo is 04:00 UTC in summer and 05:00 in winter; the clocks went back on 2026-10-25
    "summer": (OSLO, "2026-10-23T04:00Z", "2026-10-24T05:00", "", "late", "2026-10-24T04:00"),
    "the day the clocks go back": (OSLO, "2026-10-24T04:00Z", "2026-10-25T05:59", "", "ok", ""),
    "the day the clocks went back": (OSLO, "2026-10-24T04:00Z", "2026-10-25T06:00", "", "late", "2026-10-25T05:00"),
    # 02:30 is skipped in Berlin on 2027-03-28, and comes at 03:00 summer time, 01:00 UTC
    "in the gap": (GAP, "2027-03-27T01:30Z", "2027-03-28T01:59", "", "ok", ""),
    "after the gap": (GAP, "2027-03-27T01:30Z", "2027-03-28T02:00", "", "late", "2027-03-28T01:00"),
    "done after the gap": (GAP, "2027-03-28T01:00Z", "2027-03-29T01:00", "", "ok", ""),
    # 02:30 comes twice on 2026-10-25, and counts the first time, 00:30 UTC
    "the repeated hour": (GAP, "2026-10-25T00:30Z", "2026-10-25T12:00", "", "ok", ""),
    "the repeated hour, late": (GAP, "2026-10-24T00:30Z", "2026-10-25T01:30", "", "late", "2026-10-25T00:30"),
    "days": (DAYS, "2026-11-20", "2026-11-22T00:59", "", "ok", ""),
    "days, late": (DAYS, "2026-11-20", "2026-11-22T01:00", "", "late", "2026-11-22T00:00"),
    "days, long since": (DAYS, "2026-11-17", "2026-11-22T01:00", "", "late", "2026-11-19T00:00"),
    "days, never": (DAYS, "", "2026-11-22T01:00", "", "late", "2026-11-22T00:00"),
    "days, declared days ago": (DAYS, "", "2026-11-22T01:00", "2026-11-19T08:00", "late", "2026-11-20T00:00"),
    "days, new": (DAYS, "", "2026-11-22T01:00", "2026-11-22T00:30", "not due yet", ""),
    "days at six": (DAYS_AT_SIX, "2026-11-20", "2026-11-22T06:59", "", "ok", ""),
    "days at six, late": (DAYS_AT_SIX, "2026-11-20", "2026-11-22T07:00", "", "late", "2026-11-22T06:00"),
}  # fmt: skip


@pytest.mark.parametrize("case", SCHEDULED)
def test_what_a_schedule_or_a_day_owes(case):
    """The newest instant that was due a grace ago has succeeded, or it is late since the first that has not."""
    options, done, now, since, state, owed = SCHEDULED[case]
    ended = full(f"{done[:10]}T06:01") if done else ""
    known = Known(done=done, began_at=ended, ended_at=ended, since=full(since))
    found = judge(task_of(**options), known, now=at(now))
    assert (found.state, found.due_at) == (state, full(owed))
    if owed:
        assert timedelta(seconds=found.late_seconds) == at(now) - at(owed)


# id: (newest day that was read when it was over, now, since, state, since when a success is owed)
COLLECTED = {
    "yesterday was read": ("2026-11-21", "2026-11-22T23:59", "", "ok", ""),
    "a day has a day": ("2026-11-20", "2026-11-22T23:59", "", "ok", ""),
    "and its grace": ("2026-11-20", "2026-11-23T00:59", "", "ok", ""),
    "then it is late": ("2026-11-20", "2026-11-23T01:00", "", "late", "2026-11-23T00:00"),
    "long since": ("2026-11-10", "2026-11-23T01:00", "", "late", "2026-11-13T00:00"),
    "never": ("", "2026-11-23T01:00", "", "late", "2026-11-23T00:00"),
    "read before, set up anew": ("2026-11-10", "2026-11-23T01:00", "2026-11-22T09:00", "late", "2026-11-13T00:00"),
    "set up today": ("", "2026-11-23T01:00", "2026-11-22T09:00", "not due yet", ""),
    "set up a day and an hour ago": ("", "2026-11-23T10:01", "2026-11-22T09:00", "late", "2026-11-23T00:00"),
}


@pytest.mark.parametrize("case", COLLECTED)
def test_what_a_collector_owes(case):
    """Every day within a day of its end, whatever schedule runs it."""
    done, now, since, state, owed = COLLECTED[case]
    task = Task("fetch_openai", kind="collector", source="here")
    found = judge(task, Known(done=done, since=full(since)), now=at(now))
    assert (found.state, found.due_at) == (state, full(owed))


# id: (end of the last success, now, since, state, since when a success is owed)
PERIODIC = {
    "just done": ("2026-11-22T06:00", "2026-11-22T06:01", "", "ok", ""),
    "within period and grace": ("2026-11-21T06:00", "2026-11-22T06:59", "", "ok", ""),
    "late": ("2026-11-21T06:00", "2026-11-22T07:00", "", "late", "2026-11-22T06:00"),
    "never": ("", "2026-11-22T07:00", "", "late", "2026-11-22T06:00"),
    "never, new": ("", "2026-11-22T07:00", "2026-11-22T05:00", "not due yet", ""),
    "never, not new": ("", "2026-11-22T07:00", "2026-11-21T05:00", "late", "2026-11-22T05:00"),
    "declared anew": ("2026-09-01T06:00", "2026-11-22T07:00", "2026-11-22T05:00", "ok", ""),
}


@pytest.mark.parametrize("case", PERIODIC)
def test_what_a_period_owes(case):
    """A success a period, counted from the last, or from when the task was first seen."""
    ended, now, since, state, owed = PERIODIC[case]
    known = Known(began_at=full(ended), ended_at=full(ended), since=full(since))
    found = judge(task_of(**PERIOD), known, now=at(now))
    assert (found.state, found.due_at) == (state, full(owed))


def test_a_grace_that_is_asked_for_stands_in_place_of_the_task_s_own():
    """`--grace` is the caller's word."""
    known = Known(done="2026-11-21T06:00Z", began_at=full("2026-11-21T06:00"), ended_at=full("2026-11-21T06:00"))
    task = task_of(**DAILY, grace="3h")
    assert judge(task, known, now=at("2026-11-22T06:01"), grace_seconds=0).state == "late"
    assert judge(task, known, now=at("2026-11-22T10:00"), grace_seconds=86_400).state == "ok"


@pytest.mark.parametrize(
    ("options", "kind", "expected"),
    [({}, "command", False), (DAILY, "command", True), (DAYS, "function", True), (PERIOD, "command", True),
     ({}, "collector", True)],
)  # fmt: skip
def test_only_what_has_a_time_or_a_period_is_watched(options, kind, expected):
    """What is due when it is asked for is never late."""
    assert is_watched(task_of(kind, **options)) is expected


@given(minutes=st.integers(0, 60 * 24 * 30), more=st.integers(0, 10_000))
def test_what_is_late_stays_late_until_something_succeeds(minutes, more):
    """Time alone never makes it good."""
    task = task_of(**DAILY)
    known = Known(done="2026-11-01T06:00Z", began_at=full("2026-11-01T06:00"), ended_at=full("2026-11-01T06:01"))
    now = at("2026-11-01T06:05") + timedelta(minutes=minutes)
    if judge(task, known, now=now).state == "late":
        assert judge(task, known, now=now + timedelta(minutes=more)).state == "late"


@pytest.mark.parametrize(
    ("seconds", "size", "expected"),
    [
        (5.0, 1000, []),
        (4.9, 1000, ["it took 4.9 s, less than the 5 s of min_duration"]),
        (5.0, 999, ["it left 999 bytes, fewer than the 1,000 of min_output"]),
        (-3.0, 1000, ["it took 0 s, less than the 5 s of min_duration"]),
    ],
    ids=["fine", "too fast", "too little", "the clock went back"],
)
def test_a_success_that_was_too_fast_or_left_too_little_is_suspicious(seconds, size, expected):
    """A backup of nothing takes no time."""
    assert suspicions(task_of(**DAILY, min_duration="5s", min_output=1000), seconds=seconds, size=size) == expected


# the verb


@pytest.fixture
def home(tmp_path, capsys):
    return AppHome(tmp_path, capsys)


INI = """
[task:backup]
command = sh -c 'test ! -e broken || exit 3'
schedule = 0 6 * * *
[task:hand]
command = true
"""


def watch(home, *words, code):
    answer = home.run("watch", *words, app=False)
    assert answer.code == code, answer
    return answer.out


def test_without_a_database_it_says_so_and_makes_none(home):
    """Exit 3: not set up is not the same as late."""
    home.ini(INI)
    answer = home.run("watch", app=False)
    assert answer.code == 3
    assert "there is no database" in answer.err
    assert not (home.folder / "agent_os.db").exists()


def test_a_task_that_succeeded_in_time_is_fine(home):
    """Exit 0, and one line."""
    home.ini(INI)
    home.run("--task", "backup", app=False)
    assert watch(home, code=0).splitlines()[0] == "OK: 1 task on time"


def test_a_task_that_failed_is_late_once_its_grace_is_over(home):
    """Exit 1, and a line that says since when, what was last, and why."""
    home.ini(INI)
    home.run("--task", "backup", app=False)
    home.pass_days(1)  # 09:00 on the 23rd
    (home.folder / "broken").touch()
    assert home.run("--task", "backup", app=False).code == 1
    first, line = watch(home, code=1).splitlines()[:2]
    assert first == "LATE: 1 of 1 task: backup"
    assert line == (
        "backup: due 2026-11-23T06:00Z, 3 h 0 min ago; last success 2026-11-22T09:00Z;"
        " failed: it ended with exit code 3"
    )
    assert watch(home, "--grace", "4h", code=0).startswith("OK: 1 task on time")


def test_a_task_that_never_ran_is_late_too(home):
    """The silent failure: nothing runs, so nothing complains."""
    home.ini(INI + "[task:never]\ncommand = true\nschedule = 0 5 * * *\n")
    home.run("--task", "backup", app=False)
    lines = watch(home, code=1).splitlines()
    assert lines[0] == "LATE: 1 of 2 tasks: never"
    assert lines[1] == "never: due 2026-11-22T05:00Z, 4 h 0 min ago; no success yet; it never ran"


def test_what_tick_has_only_just_seen_is_not_late(home):
    """`schedules.since` says when that was."""
    home.ini(INI + "[task:never]\ncommand = true\nschedule = 0 5 * * *\n")
    home.run("--task", "backup", app=False)
    home.sql("INSERT INTO schedules VALUES ('never', '0 5 * * */UTC/once/', '2026-11-22T08:00:00.000Z', '')")
    found = {each["task"]: each["state"] for each in home.json("watch", app=False)["tasks"]}
    assert found["never"] == "not due yet"


def test_a_slot_of_a_clock_that_was_ahead_does_not_count(home):
    """A success of next year says nothing about today."""
    home.ini(INI)
    home.pass_days(365)
    home.run("--task", "backup", app=False)
    home.pass_days(-365)
    assert watch(home, code=1).startswith("LATE: 1 of 1 task: backup")


def test_a_run_of_a_clock_that_was_ahead_does_not_count_for_a_period(home):
    """Else it would be on time for a year."""
    home.ini("[task:hand]\ncommand = true\nperiod = 2d\n")
    home.run("--task", "hand", app=False)
    home.pass_days(365)
    home.run("--task", "hand", app=False)
    home.pass_days(-360)
    assert watch(home, code=1).startswith("LATE: 1 of 1 task: hand")


def test_a_clock_that_is_put_back_makes_nothing_late(home):
    """What was done by the later time covers the earlier one."""
    home.ini(INI)
    for _ in range(3):
        home.run("--task", "backup", app=False)
        home.pass_days(1)
    home.pass_days(-2)
    assert watch(home, code=0).startswith("OK: 1 task on time")


def test_what_is_not_set_up_is_named_but_not_late(home):
    """Unless it was asked for."""
    home.ini(INI + "[task:mail]\ncommand = true\nschedule = 0 5 * * *\nneeds = SMTP_HOST\n")
    home.run("--task", "backup", app=False)
    out = watch(home, code=0)
    assert out.startswith("OK: 1 task on time\n")
    assert "mail" in out.splitlines()[-1]
    assert out.splitlines()[-1].startswith("not set up: ")
    assert "disabled: SMTP_HOST is not set" in watch(home, "mail", code=1)


def test_a_task_without_a_time_cannot_be_late(home):
    """Asking for it is a mistake of whoever asks."""
    home.ini(INI)
    home.run("--task", "backup", app=False)
    answer = home.run("watch", "hand", app=False)
    assert answer.code == 2
    assert "declare how often it should succeed, as period = 1d" in answer.err


def test_an_unknown_task_is_a_mistake(home):
    """With the one that was meant."""
    home.ini(INI)
    answer = home.run("watch", "bakup", app=False)
    assert (answer.code, "did you mean backup?" in answer.err) == (2, True)


def test_nothing_to_watch_is_not_all_is_well(home):
    """A monitor that watches nothing would be green for ever."""
    home.ini("[task:hand]\ncommand = true\n")
    answer = home.run("watch", app=False)
    assert answer.code == 3
    assert "there is nothing to watch" in answer.err


def test_a_period_watches_what_has_no_time(home):
    """Run by hand or by another scheduler, it should succeed that often."""
    home.ini("[task:hand]\ncommand = true\nperiod = 2d\n")
    home.run("--task", "hand", app=False)
    home.pass_days(2)
    assert watch(home, code=0).startswith("OK")
    home.pass_days(0.1)
    assert watch(home, code=1).startswith("LATE: 1 of 1 task: hand")


def test_a_suspicious_success_is_noted_by_the_run_in_the_history_and_by_watch(home):
    """It remains a success; --strict makes it count."""
    home.ini("[task:backup]\ncommand = echo x\nschedule = 0 6 * * *\nmin_duration = 1h\nmin_output = 1000\n")
    answer = home.run("--task", "backup", app=False)
    assert answer.code == 0
    notes = [
        "it left 2 bytes, fewer than the 1,000 of min_output",
    ]
    assert all(note in answer.out for note in notes)
    assert "less than the 3600 s of min_duration" in answer.out
    assert notes[0] in home.run("history", app=False).out
    out = watch(home, code=0)
    assert out.startswith("WARNING: 1 task on time, 1 suspicious\nbackup: it took ")
    assert f"backup: {notes[0]}" in out
    assert watch(home, "--strict", code=1) == out
    assert home.json("watch", app=False)["state"] == "warning"


def test_the_output_of_a_function_is_what_it_hands_on(home):
    """Its JSON, in bytes: here the two quotes and three letters of two bytes."""
    home.write("@app.task(schedule='0 6 * * *', min_output=8)\ndef work(ctx): return 'æøå'\n")
    assert home.run("--task", "work").code == 0
    assert home.run("watch", "--app", str(home._app)).code == 0
    home.write("@app.task(schedule='0 6 * * *', min_output=60)\ndef work(ctx): return 'æøå'\n")
    answer = home.run("watch", "--strict", "--app", str(home._app))
    assert answer.code == 1
    assert "fewer than the 60 of min_output" in answer.out


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_it_needs_no_right_to_write(home):
    """Whoever monitors may be another user."""
    home.ini(INI)
    home.run("--task", "backup", app=False)
    home.folder.chmod(0o500)
    try:
        assert watch(home, "--log-file", "", code=0).startswith("OK")
    finally:
        home.folder.chmod(0o700)


def test_it_changes_nothing(home):
    """It only looks."""
    home.ini(INI)
    home.run("--task", "backup", app=False)
    before = home.files()["agent_os.db"]
    watch(home, code=0)
    assert home.files()["agent_os.db"] == before


@pytest.mark.parametrize("text", ["soon", "-1h", "1w", ""])
def test_a_grace_is_a_duration(home, text):
    """Or a mistake."""
    home.ini(INI)
    assert home.run("watch", f"--grace={text}", app=False).code == 2


@pytest.fixture
def world(tmp_path, capsys):
    with Sandbox(seed=11) as sandbox:
        yield World(tmp_path, sandbox, capsys)


def test_a_collector_owes_the_days_that_are_over(world):
    """Within a day of their end; `providers` that are not set up owe nothing."""
    assert world.collect().code == 0
    answer = world.run("watch", "--json")
    found = {each["task"]: each for each in json.loads(answer.out)["tasks"]}
    assert answer.code == 0
    assert found["fetch_openai"]["state"] == found["fetch_anthropic"]["state"] == "ok"
    assert found["fetch_openrouter"]["state"] == "not set up"
    assert found["fetch_openai"]["last_slot"] == add_days(world.today, -1)
    assert world.run("watch", "fetch_openrouter").code == 1
    world.clock = Ahead(days=3)
    answer = world.run("watch")
    assert answer.code == 1
    assert answer.out.splitlines()[0] == "LATE: 2 of 2 tasks: fetch_anthropic, fetch_openai"


class Ahead(Clock):
    """The machine's clock, some days from now."""

    def __init__(self, days):
        self.ahead = timedelta(days=days)

    def now(self):
        return super().now() + self.ahead


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["backup"], "LATE: backup"),
        (["backup", "report"], "LATE: backup, report"),
        ([f"task{number:02}" for number in range(30)],
         "LATE: task00, task01, task02, task03, task04, task05, task06, task07 and 22 more"),
        ([f"t{number}" for number in range(1000)],
         "LATE: t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, t10, t11, t12, t13 and 986 more"),
        (["x" * 90, "y"], f"LATE: {'x' * 90} and 1 more"),
    ],
)  # fmt: skip
def test_the_first_line_fits_a_status_bar(names, expected):
    """As many names as there is room for in 80 columns, one at least; each has a line of its own below."""
    assert named("LATE: ", names) == expected


def written(home, at_text):
    """The settings were written at an instant."""
    os.utime(home.folder / "agent_os.ini", (at(at_text).timestamp(),) * 2)


def test_a_schedule_that_was_edited_owes_nothing_of_before(home):
    """`tick` will see it so, and until then nobody is to be woken: what was due at 03:00 was not declared then."""
    home.ini("[task:backup]\ncommand = true\nschedule = 0 8 * * *\n")
    home.run("tick", app=False)
    home.pass_days(1)  # 09:00 on the 23rd
    home.run("tick", app=False)
    home.ini("[task:backup]\ncommand = true\nschedule = 0 3 * * *\n")
    written(home, "2026-11-24T01:00")
    home.pass_days(18 / 24)  # 03:00 on the 24th
    assert watch(home, code=0).startswith("OK: 1 task on time")
    home.pass_days(2 / 24)  # no tick has come by, and what is due since the edit is owed
    assert watch(home, code=1).splitlines()[1].startswith("backup: due 2026-11-24T03:00Z, 2 h 0 min ago")


def test_a_period_that_was_only_just_declared_is_not_over(home):
    """`tick` does not look after such a task: it counts from when the file was written; later edits change nothing."""
    home.ini("[task:hand]\ncommand = true\nperiod = 1d\n[task:other]\ncommand = true\n")
    written(home, "2026-11-22T08:00")
    home.run("--task", "other", app=False)
    assert watch(home, code=0).startswith("OK: 1 task on time")
    home.pass_days(1)
    assert watch(home, code=1).splitlines()[1].startswith("hand: due 2026-11-23T08:00Z, 1 h 0 min ago")
    home.run("--task", "hand", app=False)
    home.pass_days(2)
    written(home, "2026-11-25T08:59")
    assert watch(home, code=1).splitlines()[1].startswith("hand: due 2026-11-24T09:00Z, 1 d 0 h ago")


def test_what_an_app_declares_that_is_not_loaded_is_named(home):
    """Silence about it would look like all is well."""
    home.write("@app.task(schedule='0 6 * * *')\ndef nightly(ctx): pass\n")
    home.ini("[task:hand]\ncommand = true\nperiod = 9d\n")
    written(home, "2026-11-22T08:00")
    app = ("--app", str(home.folder / "app_1.py"))
    assert home.run("tick", *app, app=False).code == 0
    assert watch(home, code=0).splitlines()[-1] == "not watched (their app is not loaded, see --app): nightly"
    assert home.json("watch", app=False)["not_loaded"] == ["nightly"]
    assert "nightly" not in watch(home, "hand", code=0)
    assert home.json("watch", *app, app=False)["not_loaded"] == []
