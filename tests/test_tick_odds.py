"""What could keep a due task from its turn, or give it a wrong one: chains, wrong clocks, shared databases."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from agent_os.core.clock import iso
from agent_os.core.lock import RunnerLock
from agent_os.core.opening import open_to_write
from tests.homes import AppHome
from tests.test_tick import HOURLY, declare, hours, slots, tick

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AppHome:
    found = AppHome(tmp_path, capsys)
    found.pass_days(600 / 86_400)  # ten past nine
    return found


# --- clocks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("times", ["schedule = 0 * * * *", "partition = day"])
def test_what_was_first_seen_by_a_clock_ten_years_ahead_is_looked_after_once_it_is_right(
    home: AppHome, times: str
) -> None:
    """A row that says "since 2036" counts for nothing in 2026: else nothing is due for ten years."""
    declare(home, f"[task:hourly]\ncommand = true\n{times}\n")
    home.pass_days(3652)
    tick(home)
    home.pass_days(-3652)
    tick(home)
    assert home.rows("SELECT substr(since, 1, 4) FROM schedules") == [("2026",)]
    home.pass_days(1)
    tick(home)
    assert slots(home)[-1] == ({"s": "2026-11-23T09:00Z", "p": "2026-11-22"}[times[0]], "success")


def test_days_go_on_where_they_were_whatever_a_wrong_clock_has_written(home: AppHome) -> None:
    """Edited while the clock was ahead: no day is lost."""
    text = "[task:daily]\ncommand = true\npartition = day\n"
    declare(home, text)
    tick(home)
    home.pass_days(1)
    tick(home)
    home.rows("DELETE FROM schedules")
    home.rows("INSERT INTO schedules VALUES ('daily', '/day', '2036-01-01T00:00:00.000Z', '')")
    home.pass_days(3)
    tick(home)
    assert [key for key, status in slots(home, "daily") if status == "success"] == [
        f"2026-11-{day}" for day in (22, 23, 24, 25)
    ]


# --- what comes after what --------------------------------------------------------------------------------------------


def test_what_was_cut_short_before_a_task_is_done_again_with_it(home: AppHome) -> None:
    """The task that is due never began; what it comes after has no time of its own, and was killed half-way."""
    declare(home, "[task:fetch]\ncommand = true\n" + HOURLY + "after = fetch\n")
    tick(home)
    hours(home, 1)
    tick(home)
    home.rows(
        "UPDATE slots SET status = 'running', owner = '7.x', lease_until = '2026-11-22T10:12:00.000Z'"
        " WHERE task = 'fetch'"
    )
    home.rows("UPDATE runs SET status = 'running', owner = '7.x', finished_at = NULL WHERE task = 'fetch'")
    home.rows(
        "UPDATE slots SET status = 'due', owner = '7.x', attempts = 0, epoch = 0,"
        " lease_until = '2026-11-22T10:12:00.000Z' WHERE task = 'hourly'"
    )
    hours(home, 0.2)
    tick(home)
    assert (slots(home, "fetch"), slots(home)) == ([("2026-11-22T10:00Z", "success")],) * 2


def test_what_failed_before_a_task_is_not_tried_at_each_tick(home: AppHome) -> None:
    """Neither the one that failed, nor what lies between it and the task that has a time."""
    declare(
        home,
        "[task:first]\ncommand = false\n[task:second]\ncommand = true\nafter = first\n" + HOURLY + "after = second\n",
    )
    tick(home)
    hours(home, 1)
    tick(home, code=1)
    counted = home.rows("SELECT count(*) FROM runs")
    assert tick(home).startswith("hourly waits: second, which it comes after, has not succeeded\n")
    assert home.rows("SELECT count(*) FROM runs") == counted
    home.run("--task", "second", "--key", "2026-11-22T10:00Z", app=False)
    declare(home, (home.folder / "agent_os.ini").read_text(encoding="utf-8").replace("false", "true"))
    home.run("--task", "second", "--key", "2026-11-22T10:00Z", app=False)
    tick(home)
    assert slots(home) == [("2026-11-22T10:00Z", "success")]


def test_a_failure_that_was_made_up_for_by_a_later_slot_holds_up_nobody(home: AppHome) -> None:
    """With catch_up = latest the old slot stays failed for ever; its task has succeeded all the same."""
    first = "[task:first]\ncommand = {}\nschedule = 0 * * * *\n"
    daily = "[task:daily]\ncommand = true\nafter = first\nschedule = 0 10 * * *\n"
    declare(home, first.format("false") + daily)
    tick(home)
    hours(home, 1)
    tick(home, code=1)
    declare(home, first.format("true") + daily)
    hours(home, 1)
    home.run("--task", "first", app=False)
    assert slots(home, "first") == [("2026-11-22T10:00Z", "failed"), ("2026-11-22T11:00Z", "success")]
    tick(home)
    assert slots(home, "daily") == [("2026-11-22T10:00Z", "success")]


def test_what_a_due_task_comes_after_does_not_replay_its_past_either(home: AppHome) -> None:
    """It was disabled for a day; a task that is due meanwhile must not bring that day back."""
    text = HOURLY + "catch_up = all\nneeds = TOKEN_FOR_IT\n"
    declare(home, text + "[task:often]\ncommand = true\nafter = hourly\nschedule = */5 * * * *\n")
    env = home.folder / ".env"
    env.write_text("TOKEN_FOR_IT=x-1234567\n", encoding="utf-8")
    tick(home)
    hours(home, 1)
    tick(home)
    env.write_text("", encoding="utf-8")
    tick(home)
    hours(home, 24)
    env.write_text("TOKEN_FOR_IT=x-1234567\n", encoding="utf-8")
    tick(home)
    assert slots(home, "often")[-1] == ("2026-11-23T10:10Z", "success")
    assert slots(home) == [("2026-11-22T10:00Z", "success")]


def test_what_never_ran_is_run_before_the_first_that_comes_after_it(home: AppHome) -> None:
    """Its own time was before anyone looked; what needs it is due, so it is done."""
    declare(home, HOURLY + "[task:often]\ncommand = true\nafter = hourly\nschedule = */5 * * * *\n")
    tick(home)
    hours(home, 1 / 6)
    tick(home)
    assert slots(home) == [("2026-11-22T09:00Z", "success")]


# --- days -------------------------------------------------------------------------------------------------------------


def test_days_that_are_due_once_a_week_are_all_due(home: AppHome) -> None:
    """Seen first on a Saturday: the week that is due on Sunday is due with all its days."""
    home.pass_days(6)  # 2026-11-28, a Saturday
    declare(home, "[task:daily]\ncommand = true\npartition = day\nschedule = 0 6 * * 0\n")
    tick(home)
    home.pass_days(1)
    tick(home)
    assert slots(home, "daily") == [(f"2026-11-{day}", "success") for day in range(22, 29)]


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "Pacific/Kiritimati", "Pacific/Honolulu"])
@pytest.mark.parametrize("times", ["30 0 * * *", "30 23 * * *"])
def test_a_day_is_done_once_after_it_is_over_wherever_its_schedule_is_read(
    home: AppHome, zone: str, times: str
) -> None:
    """Far from UTC, at either end of the wall's day: each day comes once, done within a day of its end."""
    declare(home, f"[task:daily]\ncommand = true\npartition = day\nschedule = {times}\ntimezone = {zone}\n")
    tick(home)
    for _ in range(4 * 12 + 2):
        hours(home, 2)
        tick(home)
    found = home.rows("SELECT slot_key, started_at FROM runs WHERE status = 'success' ORDER BY started_at")
    assert [key for key, _ in found][-4:] == [f"2026-11-{day}" for day in (22, 23, 24, 25)]
    assert len({key for key, _ in found}) == len(found)
    for key, at in found:
        late = home.clock.now().fromisoformat(at[:-1]) - home.clock.now().fromisoformat(key)
        assert timedelta(days=1) <= late <= timedelta(days=2, hours=2)


# --- a database for two homes -----------------------------------------------------------------------------------------


def test_homes_that_share_a_database_leave_each_others_tasks_alone(
    home: AppHome, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A task that is not in the agent_os.ini of one home is none that was taken out of that of the other."""
    folder = tmp_path / "other"
    folder.mkdir()
    other = AppHome(folder, capsys)
    other.clock = home.clock
    (folder / ".env").write_text(f"AGENT_OS_DB_PATH={home.folder / 'agent_os.db'}\n", encoding="utf-8")
    declare(home, HOURLY)
    declare(other, HOURLY.replace("hourly", "theirs"))
    for _ in range(12):
        tick(home)
        tick(other)
        hours(home, 0.25)
    expected = [(f"2026-11-22T{hour}:00Z", "success") for hour in (10, 11)]
    assert (slots(home), slots(home, "theirs")) == (expected, expected)


# --- at the same time -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("overlap", ["replace", "queue", "skip"])
def test_of_two_ticks_the_later_neither_ends_nor_awaits_what_the_earlier_has_begun(home: AppHome, overlap: str) -> None:
    """Both looked before either began. `replace` ends an older slot for a newer one; the newest would be lost."""
    declare(home, HOURLY + f"overlap = {overlap}\n")
    from agent_os.core.due import Order
    from agent_os.core.errors import BusyError
    from agent_os.core.home import open_home
    from agent_os.wiring import runner_of, setup_of

    tick(home)
    hours(home, 1)
    db = open_to_write(str(home.folder / "agent_os.db"), clock=home.clock)
    lock = RunnerLock(db.path, clock=home.clock)
    lock.acquire()
    at, until = iso(home.clock.now()), iso(home.clock.now() + timedelta(seconds=60))
    home.rows(
        "INSERT INTO slots(task, key, status, due_at, owner, lease_until, changed_at, run_id, epoch, attempts)"
        " VALUES ('hourly', '2026-11-22T10:00Z', 'running', ?, ?, ?, ?, 'r1', 1, 1)", at, lock.owner, until, at,
    )  # fmt: skip
    home.rows(
        "INSERT INTO runs(id, plugin_name, status, started_at, task, invocation_id, slot_key, owner)"
        " VALUES ('r1', 'x', 'running', ?, 'hourly', 'i', '2026-11-22T10:00Z', ?)", at, lock.owner,
    )  # fmt: skip
    opened = open_home(str(home.folder), clock=home.clock, stderr=None, environ={})
    order = Order(enabled_at={"hourly": "2026-11-22T09:10:00.000Z"})
    try:
        with pytest.raises(BusyError):
            runner_of(opened, setup_of(opened), is_live=False).run(["hourly"], order, began_at=at)
        assert home.rows("SELECT cancel_at FROM runs WHERE id = 'r1'") == [(None,)]
    finally:
        opened.close()
        lock.release()
        db.close()


def test_older_days_that_somebody_asked_for_are_not_todays_collection(home: AppHome) -> None:
    """`--since` and `--until` of last month, just before the tick: it collects all the same."""
    from tests.test_tick import due_collectors, ended

    db = open_to_write(str(home.folder / "agent_os.db"), clock=home.clock)
    ended(home, "success")
    home.rows("UPDATE runs SET window_start = '2026-10-01', window_end = '2026-11-01'")
    assert due_collectors(home, db) == ["fetch_openai"]
    home.rows("UPDATE runs SET window_end = '2026-11-23'")
    assert due_collectors(home, db) == []
    db.close()


def test_a_tick_for_programs_says_the_same_things_when_something_was_done(home: AppHome) -> None:
    """--json has outcomes, waits and next_at each time."""
    declare(home, HOURLY)
    tick(home)
    hours(home, 1)
    found = json.loads(home.run("tick", "--json", app=False).out)
    assert [outcome["slot"] for outcome in found["outcomes"]] == ["2026-11-22T10:00Z"]
    assert (found["waits"], found["next_at"]) == ({}, "2026-11-22T11:00:00.000Z")
