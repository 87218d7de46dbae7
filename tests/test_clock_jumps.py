"""What a machine's clock does to `tick`: weeks off, both changes of the clocks in Oslo, steps back, a wrong year.

The program runs in a process of its own; libfaketime gives that another time of day, and leaves it its monotonic clock,
as a machine that jumps does. Each `tick` is at the instant that the test says, in UTC.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Optional

import pytest

from .fakes.environment import bare
from .namespaces import libfaketime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LIBRARY = libfaketime()

pytestmark = pytest.mark.skipif(not LIBRARY, reason="libfaketime is not installed: apt-get install libfaketime")


# Python sleeps until an instant of the monotonic clock since 3.11; libfaketime 0.9.10 answers that with EINVAL.
SLEEP = """
import select, time
time.sleep = lambda seconds: select.select((), (), (), seconds) and None
"""


class Machine:
    """A home on a machine whose clock the test sets for each start."""

    def __init__(self, home: Path, program: list[str]) -> None:
        self.home = home
        self._program = program
        self._early = home / "early"
        self._early.mkdir()
        (self._early / "sitecustomize.py").write_text(SLEEP, encoding="utf-8")

    def ini(self, text: str) -> None:
        """Write agent_os.ini; `@` stands for a command that succeeds."""
        path = self.home / "agent_os.ini"
        path.write_text(text.replace("@", "command = true"), encoding="utf-8")
        path.chmod(0o600)

    def environment(self, moment: str) -> dict[str, str]:
        """It is this instant when a process starts in it, `2026-11-22T09:00`, and time goes on from there."""
        wanted = datetime.fromisoformat(moment).strftime("@%Y-%m-%d %H:%M:%S")
        quirks = {"FAKETIME_DONT_RESET": "1", "NO_FAKE_STAT": "1", "DONT_FAKE_MONOTONIC": "1"}
        env = bare(LD_PRELOAD=LIBRARY or "", FAKETIME=wanted, TZ="UTC", **quirks)
        return {**env, "PYTHONPATH": str(self._early) + os.pathsep + env["PYTHONPATH"]}

    def start(self, moment: str, *words: str, env: Optional[dict[str, str]] = None) -> subprocess.Popen[str]:
        """Start the program at this instant."""
        return subprocess.Popen(
            [*self._program, *(words or ("tick",)), "--home", str(self.home)],
            cwd=self.home, env=env or self.environment(moment), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def tick(self, moment: str, *words: str, code: int = 0) -> str:
        """`tick` at this instant, to its end; what it says."""
        process = self.start(moment, *(words or ("tick", "--quiet")))
        out, err = process.communicate(timeout=300)
        assert process.returncode == code, out + err
        assert "Traceback" not in err
        return out + err

    def wait_until(self, what: str, is_so: Callable[[], bool]) -> None:
        """Until something is so."""
        deadline = time.monotonic() + 45
        while not is_so():
            assert time.monotonic() < deadline, f"{what} never came; there are {self.everything()}"
            time.sleep(0.05)

    def wait_for(self, task: str, key: str) -> None:
        """Until a slot is resolved."""
        deadline = time.monotonic() + 45
        while key not in self.slots(task, "success"):
            assert time.monotonic() < deadline, f"{task} {key} never came; there are {self.everything()}"
            time.sleep(0.1)

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """What the database answers; nothing where there is none."""
        path = self.home / "agent_os.db"
        if not path.exists():
            return []
        with closing(sqlite3.connect(path, timeout=30)) as connection:
            return connection.execute(sql, values).fetchall()

    def slots(self, task: str, *statuses: str) -> list[str]:
        """The keys of a task's slots of these statuses, or of all."""
        found = self.rows("SELECT key, status FROM slots WHERE task = ? ORDER BY key", task)
        return [key for key, status in found if not statuses or status in statuses]

    def everything(self) -> list[tuple[Any, ...]]:
        """All slots, but for when they were resolved."""
        return self.rows("SELECT task, key, status, attempts, reason FROM slots ORDER BY 1, 2")

    def ran(self) -> list[tuple[str, str]]:
        """(task, slot) of every run that ran something, oldest first."""
        return self.rows("SELECT task, slot_key FROM runs WHERE status <> 'skipped' ORDER BY rowid")


@pytest.fixture
def machine(tmp_path: Path, program: list[str]) -> Machine:
    return Machine(tmp_path, program)


def instants(start: str, *, until: str, step: timedelta) -> Iterator[str]:
    """Every instant from `start` up to `until`."""
    moment = datetime.fromisoformat(start)
    while moment <= datetime.fromisoformat(until):
        yield moment.isoformat(timespec="minutes")
        moment += step


def no_slot_ran_twice(machine: Machine) -> bool:
    ran = machine.ran()
    return len(ran) == len(set(ran))


# --- off for three weeks

OFF = """
[task:daily_all]
@
schedule = 0 6 * * *
catch_up = all
[task:daily_latest]
@
schedule = 0 6 * * *
[task:daily_none]
@
schedule = 0 6 * * *
catch_up = none
[task:hourly_latest]
@
schedule = 0 * * * *
[task:hourly_none]
@
schedule = 0 * * * *
catch_up = none
[task:by_day]
@
partition = day
"""


def test_three_weeks_off_are_caught_up_by_each_tasks_policy(machine: Machine) -> None:
    """All, oldest first; the latest alone; or none that is late. What was left out is written down, with why."""
    machine.ini(OFF)
    machine.tick("2026-10-31T23:10")
    machine.tick("2026-11-01T09:10")
    machine.tick("2026-11-22T09:10")
    three_weeks = [f"2026-11-{day:02}T06:00Z" for day in range(2, 23)]
    assert [key for key in machine.slots("daily_all", "success") if key in three_weeks] == three_weeks
    assert [key for key in machine.slots("daily_latest", "success") if key in three_weeks] == ["2026-11-22T06:00Z"]
    assert machine.slots("daily_latest", "skipped") == three_weeks[:-1]
    assert machine.slots("daily_none", "skipped")[1:] == three_weeks
    assert machine.slots("hourly_latest", "success")[-1] == "2026-11-22T09:00Z"
    assert machine.slots("hourly_none", "success")[-1] == "2026-11-22T09:00Z"
    days = [f"2026-11-{day:02}" for day in range(1, 22)]
    assert [key for key in machine.slots("by_day", "success") if key in days] == days
    ran = [key for task, key in machine.ran() if task == "daily_all" and key in three_weeks]
    assert ran == three_weeks
    assert no_slot_ran_twice(machine)
    reasons = machine.rows("SELECT DISTINCT reason FROM slots WHERE status = 'skipped'")
    assert reasons
    assert all(reason for (reason,) in reasons)


def test_what_came_before_the_first_slot_is_not_lost(machine: Machine) -> None:
    """A task that a tick has seen is looked after from then on, though nothing of it was ever due yet."""
    machine.ini("[task:daily]\n@\nschedule = 0 6 * * *\ncatch_up = all\n[task:by_day]\n@\npartition = day\n")
    machine.tick("2026-11-18T09:10")
    assert machine.slots("daily") == []
    machine.tick("2026-11-21T09:10")
    assert machine.slots("daily", "success") == ["2026-11-19T06:00Z", "2026-11-20T06:00Z", "2026-11-21T06:00Z"]
    assert machine.slots("by_day", "success")[-3:] == ["2026-11-18", "2026-11-19", "2026-11-20"]


def test_a_second_tick_finds_nothing_to_do(machine: Machine) -> None:
    """Also right after three weeks off: idempotent."""
    machine.ini(OFF)
    machine.tick("2026-11-01T09:10")
    machine.tick("2026-11-22T09:10")
    runs = "SELECT count(*) FROM runs"
    before = machine.everything(), machine.rows(runs)
    machine.tick("2026-11-22T09:20")
    assert (machine.everything(), machine.rows(runs)) == before


def test_what_was_missed_is_bounded(machine: Machine) -> None:
    """A year off makes at most 400 runs of an hourly task that wants them all, and rows for no more than those."""
    machine.ini("[task:hourly]\n@\nschedule = 0 * * * *\n")
    machine.tick("2025-11-22T09:10")
    machine.tick("2026-11-22T09:10")
    assert len(machine.slots("hourly")) <= 401
    assert machine.slots("hourly", "success")[-1] == "2026-11-22T09:00Z"
    assert len(machine.slots("hourly", "success")) <= 2


# --- the clocks of Oslo

NIGHT = "".join(
    f"[task:{dst}]\n@\nschedule = 30 2 * * *\ntimezone = Europe/Oslo\ncatch_up = all\ndst = {dst}\n"
    for dst in ("once", "skip", "wall")
)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        pytest.param(
            "2026-03-29",
            {"once": ["2026-03-29T01:00Z"], "skip": [], "wall": []},
            id="02:30 does not come",
        ),
        pytest.param(
            "2026-10-25",
            {
                "once": ["2026-10-25T00:30Z"],
                "skip": ["2026-10-25T00:30Z"],
                "wall": ["2026-10-25T00:30Z", "2026-10-25T01:30Z"],
            },
            id="02:30 comes twice",
        ),
    ],
)
def test_a_night_in_which_the_clocks_change(machine: Machine, day: str, expected: dict[str, list[str]]) -> None:
    """A tick every ten minutes resolves what each dst policy says, each slot once, and the next day is as any other."""
    machine.ini(NIGHT)
    after = (datetime.fromisoformat(day) + timedelta(days=1)).date().isoformat()
    machine.tick(f"{day}T00:05")
    for moment in instants(f"{day}T00:15", until=f"{day}T02:15", step=timedelta(minutes=10)):
        machine.tick(moment)
    machine.tick(f"{after}T03:00")
    next_night = f"{after}T00:30Z" if "-03-" in day else f"{after}T01:30Z"
    for dst, keys in expected.items():
        assert [key for key in machine.slots(dst, "success") if key[:10] >= day] == [*keys, next_night]
        assert [key for task, key in machine.ran() if task == dst and key[:10] >= day] == [*keys, next_night]


# --- a clock that is wrong

HOURLY = "[task:hourly]\n@\nschedule = 0 * * * *\ncatch_up = all\n"


@pytest.mark.parametrize("back", [timedelta(hours=1), timedelta(days=1)], ids=["an hour", "a day"])
def test_a_clock_that_goes_back_does_nothing_twice(machine: Machine, back: timedelta) -> None:
    """What was resolved stays so; when the time comes again, only what is new is done."""
    machine.ini(HOURLY)
    for moment in ("2026-11-22T09:10", "2026-11-22T10:10"):
        machine.tick(moment)
    done = machine.slots("hourly", "success")
    machine.tick((datetime.fromisoformat("2026-11-22T10:20") - back).isoformat())
    machine.tick("2026-11-22T10:30")
    assert machine.slots("hourly", "success")[-len(done) :] == done
    machine.tick("2026-11-22T11:10")
    assert machine.slots("hourly", "success")[-1] == "2026-11-22T11:00Z"
    assert no_slot_ran_twice(machine)
    assert not machine.slots("hourly", "failed", "due", "running")


def test_one_tick_ten_years_ahead_is_bounded_and_over(machine: Machine) -> None:
    """At most 400 slots of a task are caught up; when the clock is right again, each hour of today still comes."""
    machine.ini(HOURLY.replace("catch_up = all\n", ""))
    machine.tick("2026-11-22T09:10")
    machine.tick("2036-11-22T09:10")
    assert len(machine.slots("hourly")) <= 401
    for moment in ("2026-11-22T10:10", "2026-11-22T11:10", "2026-11-22T11:20"):
        machine.tick(moment)
    today = [key for key in machine.slots("hourly", "success") if key.startswith("2026-")]
    assert today[-2:] == ["2026-11-22T10:00Z", "2026-11-22T11:00Z"]
    assert no_slot_ran_twice(machine)


def test_a_clock_in_1970_is_refused(machine: Machine) -> None:
    """A board without a battery has not been told the time yet: nothing is resolved, exit 3, one sentence."""
    machine.ini(HOURLY)
    machine.tick("2026-11-22T09:10")
    before = machine.everything(), machine.ran()
    said = machine.tick("1970-01-01T00:10", code=3)
    assert "clock" in said
    assert (machine.everything(), machine.ran()) == before


# --- a schedule that is new


def test_a_task_that_is_new_does_not_replay_the_past(machine: Machine) -> None:
    """It begins with its latest slot at most, whatever it says of catching up."""
    machine.ini("[task:other]\n@\nschedule = 0 * * * *\n")
    machine.tick("2026-11-01T09:10")
    machine.ini("[task:other]\n@\nschedule = 0 * * * *\n" + HOURLY)
    machine.tick("2026-11-22T09:10")
    assert machine.slots("hourly") in ([], ["2026-11-22T09:00Z"])
    machine.tick("2026-11-22T10:10")
    assert machine.slots("hourly", "success")[-1] == "2026-11-22T10:00Z"


def test_a_schedule_that_was_edited_does_not_replay_the_past(machine: Machine) -> None:
    """From every hour to every five minutes: what would have been due before the edit is not."""
    machine.ini(HOURLY)
    machine.tick("2026-11-22T00:10")
    machine.tick("2026-11-22T09:10")
    before = machine.slots("hourly")
    machine.ini(HOURLY.replace("0 * * * *", "*/5 * * * *"))
    machine.tick("2026-11-22T20:12")
    assert len(set(machine.slots("hourly")) - set(before)) <= 1
    machine.tick("2026-11-22T20:16")
    assert machine.slots("hourly", "success")[-1] == "2026-11-22T20:15Z"


def test_a_task_that_was_gone_for_weeks_does_not_replay_them(machine: Machine) -> None:
    """Taken out of agent_os.ini, and put back: nobody wanted it in between."""
    machine.ini(HOURLY)
    machine.tick("2026-11-01T09:10")
    machine.ini("[task:other]\n@\nschedule = 0 * * * *\n")
    machine.tick("2026-11-02T09:10")
    machine.tick("2026-11-21T09:10")
    machine.ini("[task:other]\n@\nschedule = 0 * * * *\n" + HOURLY)
    machine.tick("2026-11-22T09:10")
    assert len(machine.slots("hourly")) <= 2


# --- many at once


def test_forty_ticks_at_once_do_what_one_does(tmp_path: Path, program: list[str]) -> None:
    """The same slots with the same statuses and reasons, and each run once."""
    homes = []
    for count in (1, 40):
        folder = tmp_path / str(count)
        folder.mkdir()
        machine = Machine(folder, program)
        machine.ini(OFF)
        machine.tick("2026-11-01T09:10")
        ticks = [machine.start("2026-11-22T09:10", "tick", "--quiet") for _ in range(count)]
        for tick in ticks:
            out, err = tick.communicate(timeout=300)
            assert tick.returncode == 0, err
            assert "Traceback" not in err
            assert out == ""
        homes.append(machine)
    one, many = homes
    assert many.everything() == one.everything()
    assert sorted(many.ran()) == sorted(one.ran())


# --- in the foreground


def test_watching_notices_a_clock_that_was_set(machine: Machine, tmp_path: Path) -> None:
    """What is due by the new time is done at once, not when the old minute is over; SIGTERM ends it in order."""
    machine.ini(HOURLY)
    machine.tick("2026-11-22T08:10")
    said = tmp_path / "clock"
    said.write_text("@2026-11-22 09:10:51\n", encoding="ascii")
    env = machine.environment("2026-11-22T09:10")
    env.pop("FAKETIME")
    env.update(FAKETIME_TIMESTAMP_FILE=str(said), FAKETIME_NO_CACHE="1")
    watch = machine.start("2026-11-22T09:10", "tick", "--watch", "--quiet", env=env)
    try:
        machine.wait_for("hourly", "2026-11-22T09:00Z")
        said.write_text("@2026-11-22 12:10:01\n", encoding="ascii")
        machine.wait_for("hourly", "2026-11-22T12:00Z")
    finally:
        watch.terminate()
        _, err = watch.communicate(timeout=30)
    assert (watch.returncode, "Traceback" in err) == (143, False)
    assert machine.slots("hourly", "success")[-3:] == ["2026-11-22T10:00Z", "2026-11-22T11:00Z", "2026-11-22T12:00Z"]
    assert no_slot_ran_twice(machine)


def test_a_signal_that_ends_watching_is_told_of_once(watched: Watched) -> None:
    """The tick that is under way ends with it, its run is closed, and one line says why."""
    watch = watched.start("tick", "--watch")
    watched.await_begin("slow")
    watch.terminate()
    _, err = watch.communicate(timeout=30)
    assert watch.returncode == 143
    assert err.count("stopped by signal") == 1
    assert watched.machine.rows("SELECT status, error FROM runs") == [("failed", "interrupted: stopped by signal 15")]


# --- beside a long run


class Watched:
    """A machine whose clock goes on by hand, and a tick that its scheduler has started at 09:10 for a slow task."""

    def __init__(self, machine: Machine, tmp_path: Path) -> None:
        self.machine = machine
        self._said = tmp_path / "clock"
        machine.ini(f"""
            [task:slow]
            command = {WAITS.format(home=machine.home, name="slow")}
            shell = yes
            schedule = 0 9 * * *
            [task:quick]
            command = {WAITS.format(home=machine.home, name="quick")}
            shell = yes
            schedule = 15 9 * * *
        """)
        machine.tick("2026-11-22T08:10")
        self.it_is("2026-11-22 09:10:51")

    def it_is(self, moment: str) -> None:
        """Set the clock."""
        part = self._said.with_suffix(".part")
        part.write_text(f"@{moment}\n", encoding="ascii")
        part.replace(self._said)

    def install(self, backend: str, **other: object) -> None:
        """What `schedule install --at 09:15` leaves in the database."""
        home = str(self.machine.home)
        note = {
            "ident": "a-000000", "home": home, "backend": backend, "at": ["09:15"], "every_seconds": 0,
            "command": ["true"], "folder": home, "installed_at": "2026-11-22T08:10:00.000Z",
            **other,
        }  # fmt: skip
        with closing(sqlite3.connect(self.machine.home / "agent_os.db")) as connection, connection:
            connection.execute("INSERT INTO meta VALUES ('schedule', ?)", (json.dumps(note),))

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start the program by the clock that is set here, as its scheduler does."""
        env = self.machine.environment("2026-11-22T09:10")
        env.pop("FAKETIME")
        env.update(FAKETIME_TIMESTAMP_FILE=str(self._said), FAKETIME_NO_CACHE="1")
        words = words or ("tick", "--scheduled", "--quiet")
        return self.machine.start("2026-11-22T09:10", *words, env=env)

    def at_work(self, *words: str) -> subprocess.Popen[str]:
        """The same, with the slow task under way and the time of the next look come."""
        tick = self.start(*words)
        self.await_begin("slow")
        self.it_is("2026-11-22 09:15:01")
        return tick

    def has_begun(self, name: str) -> bool:
        """Whether a task has begun."""
        return (self.machine.home / f"{name}-begun").exists()

    def await_begin(self, name: str) -> None:
        """Wait until a task has begun."""
        self.machine.wait_until(f"the {name} task", lambda: self.has_begun(name))

    def let_end(self, name: str, code: int = 0) -> None:
        """Have a task end."""
        part = self.machine.home / f"{name}-part"
        part.write_text(f"exit {code}\n", encoding="ascii")
        part.replace(self.machine.home / f"{name}-end")


WAITS = (
    "trap 'sleep 0.7; exit 1' TERM; touch '{home}/{name}-begun';"
    " while [ ! -e '{home}/{name}-end' ]; do sleep 0.05; done; . '{home}/{name}-end'"
)


@pytest.fixture
def watched(machine: Machine, tmp_path: Path) -> Watched:
    return Watched(machine, tmp_path)


@pytest.mark.parametrize("backend", ["systemd", "launchd", "windows"])
def test_a_long_run_holds_up_no_other_task(watched: Watched, backend: str) -> None:
    """Its scheduler starts no second tick, so the first one does, at the time at which the scheduler would have."""
    watched.install(backend)
    tick = watched.at_work()
    watched.await_begin("quick")
    watched.let_end("quick")
    watched.machine.wait_for("quick", "2026-11-22T09:15Z")
    assert tick.poll() is None
    watched.let_end("slow")
    _, err = tick.communicate(timeout=30)
    assert (tick.returncode, err) == (0, "")
    assert watched.machine.ran() == [("slow", "2026-11-22T09:00Z"), ("quick", "2026-11-22T09:15Z")]
    assert watched.machine.slots("slow", "success") == ["2026-11-22T09:00Z"]


def test_a_tick_stays_until_those_that_it_has_started_have_ended(watched: Watched) -> None:
    """A scheduler may end what outlives what it has started; and its exit code is the worst of all."""
    watched.install("systemd")
    tick = watched.at_work()
    watched.await_begin("quick")
    watched.let_end("slow")
    watched.machine.wait_for("slow", "2026-11-22T09:00Z")
    time.sleep(1)
    assert tick.poll() is None
    watched.let_end("quick", code=3)
    _, err = tick.communicate(timeout=30)
    assert tick.returncode == 1
    assert "quick" in err
    assert watched.machine.slots("quick", "failed") == ["2026-11-22T09:15Z"]


@pytest.mark.parametrize("backend", ["cron", ""])
def test_a_scheduler_that_starts_second_ticks_is_left_to_it(watched: Watched, backend: str) -> None:
    """cron does; and an entry that was removed in the meantime wants no more looks."""
    if backend:
        watched.install(backend)
    tick = watched.at_work()
    time.sleep(2.5)
    watched.let_end("slow")
    _, err = tick.communicate(timeout=30)
    assert (tick.returncode, err) == (0, "")
    assert watched.machine.ran() == [("slow", "2026-11-22T09:00Z")]


def test_a_signal_to_all_of_them_ends_all_in_order(watched: Watched) -> None:
    """systemd sends it to each process, and the first tick to those it has started: all runs are closed."""
    watched.install("systemd")
    tick = watched.at_work("tick", "--scheduled")
    watched.await_begin("quick")
    second = children_of(tick.pid)
    assert second
    for pid in (tick.pid, *second):
        os.kill(pid, signal.SIGTERM)
    _, err = tick.communicate(timeout=30)
    assert (tick.returncode, err.count("stopped by signal")) == (143, 1)
    assert watched.machine.rows("SELECT task, status, error FROM runs ORDER BY rowid") == [
        ("slow", "failed", "interrupted: stopped by signal 15"),
        ("quick", "failed", "interrupted: stopped by signal 15"),
    ]
    assert watched.machine.rows("SELECT DISTINCT status, owner FROM slots WHERE status <> 'skipped'") == [("due", "")]


@pytest.mark.parametrize("note", [{"at": ["soon"]}, {"at": 7}, {"at": [], "every_seconds": 0}])
def test_a_note_of_an_entry_that_makes_no_sense_is_none(watched: Watched, note: dict[str, Any]) -> None:
    """Somebody has changed it by hand, or a newer version has written it: no run under way minds it."""
    watched.install("systemd", **note)
    tick = watched.at_work()
    time.sleep(1.5)
    watched.let_end("slow")
    _, err = tick.communicate(timeout=30)
    assert (tick.returncode, err) == (0, "")
    assert watched.machine.ran() == [("slow", "2026-11-22T09:00Z")]


def test_a_look_that_has_ended_is_not_kept_and_its_code_is(watched: Watched) -> None:
    """A run of days sees thousands of them, and each would take a place in the table of processes."""
    watched.install("systemd")
    tick = watched.at_work()
    watched.await_begin("quick")
    (second,) = children_of(tick.pid)
    watched.let_end("quick", code=3)
    watched.machine.wait_until("its end", lambda: not Path(f"/proc/{second}").exists())
    assert not watched.machine.slots("slow", "success")
    watched.let_end("slow")
    tick.communicate(timeout=30)
    assert tick.returncode == 1


def children_of(pid: int) -> list[int]:
    """The ticks that a tick has started: what of its children leads a session of its own, as no command does."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [int(child) for child in found if b"--watched" in Path(f"/proc/{child}/cmdline").read_bytes()]


def test_a_killed_tick_leaves_those_that_it_has_started(watched: Watched) -> None:
    """kill -9: what it ran itself is due again; what the other one runs goes on, and is done once."""
    watched.install("systemd")
    tick = watched.at_work()
    watched.await_begin("quick")
    with tick:
        tick.kill()
    watched.let_end("slow")
    again = watched.start()
    watched.let_end("quick")
    assert again.communicate(timeout=30)[0] == ""
    watched.machine.wait_for("quick", "2026-11-22T09:15Z")
    watched.machine.wait_for("slow", "2026-11-22T09:00Z")
    ran = [(task, key, status) for task, key, status in
           watched.machine.rows("SELECT task, slot_key, status FROM runs ORDER BY rowid")]  # fmt: skip
    assert ran == [
        ("slow", "2026-11-22T09:00Z", "failed"),
        ("quick", "2026-11-22T09:15Z", "success"),
        ("slow", "2026-11-22T09:00Z", "success"),
    ]
