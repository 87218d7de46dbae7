"""`tick`: whatever is due is run, once; what was due before anyone looked after a task is not replayed."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from agent_os.core import idle
from agent_os.core.clock import iso
from agent_os.core.db import Database
from agent_os.core.opening import open_to_write
from agent_os.core.schedules import Schedules
from agent_os.core.ticking import Watcher
from agent_os.wiring import setup_of
from tests.homes import AppHome

HOURLY = "[task:hourly]\ncommand = true\nschedule = 0 * * * *\n"


@pytest.fixture
def home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AppHome:
    found = AppHome(tmp_path, capsys)
    found.pass_days(600 / 86_400)  # ten past nine
    return found


def declare(home: AppHome, text: str) -> None:
    (home.folder / "agent_os.ini").write_text(text, encoding="utf-8")


def slots(home: AppHome, task: str = "hourly") -> list[tuple[str, str]]:
    return home.rows("SELECT key, status FROM slots WHERE task = ? ORDER BY key", task)


def hours(home: AppHome, count: float) -> None:
    home.pass_days(count / 24)


def tick(home: AppHome, code: int = 0) -> str:
    answer = home.run("tick", app=False)
    assert answer.code == code, answer.err
    return answer.out


# --- tried later ------------------------------------------------------------------------------------------------------


def test_a_command_that_asks_to_be_tried_later_is_due_at_the_next_tick(home: AppHome) -> None:
    """Exit code 75 is "not now": its slot stays due. Any other code is a failure, which waits for the next slot."""
    text = "[task:{}]\ncommand = sh -c 'test -e ready || exit {}'\ncwd = .\nschedule = 0 * * * *\n"
    declare(home, text.format("later", 75) + text.format("failing", 1))
    tick(home)
    hours(home, 1)
    tick(home, code=1)
    assert slots(home, "later") == [("2026-11-22T10:00Z", "due")]
    assert slots(home, "failing") == [("2026-11-22T10:00Z", "failed")]
    assert home.rows("SELECT task, status, error FROM runs ORDER BY task") == [
        ("failing", "failed", "it ended with exit code 1"),
        ("later", "failed", "it asks to be tried later (exit code 75)"),
    ]
    (home.folder / "ready").touch()
    tick(home)
    assert slots(home, "later") == [("2026-11-22T10:00Z", "success")]
    assert slots(home, "failing") == [("2026-11-22T10:00Z", "failed")]


# --- what is due ------------------------------------------------------------------------------------------------------


def test_a_new_schedule_does_not_replay_the_past(home: AppHome) -> None:
    """At 09:00 and a bit, the hours before are nobody's; the next one is due."""
    declare(home, HOURLY)
    assert tick(home) == "nothing is due; next: 2026-11-22T10:00Z\n"
    assert slots(home) == []
    hours(home, 1)
    tick(home)
    assert slots(home) == [("2026-11-22T10:00Z", "success")]


def test_a_tick_does_a_due_slot_once(home: AppHome) -> None:
    """However often one comes."""
    declare(home, HOURLY)
    tick(home)
    hours(home, 1)
    for _ in range(3):
        tick(home)
    assert home.rows("SELECT count(*) FROM runs") == [(1,)]


@pytest.mark.parametrize(
    ("catch_up", "expected"),
    [
        ("all", ["success"] * 4),
        ("latest", ["skipped"] * 3 + ["success"]),
        ("none", ["skipped"] * 3 + ["success"]),
    ],
)
def test_what_was_missed_is_resolved_by_the_policy_of_the_task(
    home: AppHome, catch_up: str, expected: list[str]
) -> None:
    """Off for four hours before the first slot was ever due: each of the four is there, with what became of it."""
    declare(home, HOURLY + f"catch_up = {catch_up}\n")
    tick(home)
    hours(home, 4)
    tick(home)
    assert slots(home) == [(f"2026-11-22T{10 + n}:00Z", status) for n, status in enumerate(expected)]


def test_what_a_tick_will_do_is_missing_before_it_comes(home: AppHome) -> None:
    """A machine that was off from the first slot on: `gaps` says what `watch` says, and nothing after the tick."""
    declare(home, HOURLY + "catch_up = all\n[task:daily]\ncommand = true\npartition = day\n")
    tick(home)
    assert home.json("gaps", "--task", "hourly", app=False) == []
    hours(home, 16)

    def gaps(task: str) -> list[tuple[str, str, str]]:
        found = home.json("gaps", "--task", task, app=False)
        return [(each["since"], each["last"], each["reason"]) for each in found]

    why = "not run yet (off or asleep); the next run does it"
    assert gaps("hourly") == [("2026-11-22T10:00Z", "2026-11-23T01:00Z", why)]
    assert gaps("daily") == [("2026-11-22", "2026-11-22", why)]
    tick(home)
    assert gaps("hourly") == gaps("daily") == []


def test_what_is_left_out_says_why(home: AppHome) -> None:
    """A row for each slot that was skipped, with the reason."""
    declare(home, HOURLY)
    tick(home)
    hours(home, 2)
    tick(home)
    assert home.rows("SELECT key, reason FROM slots WHERE status = 'skipped'") == [
        ("2026-11-22T10:00Z", "missed; 2026-11-22T11:00Z stands for it (catch_up = latest)")
    ]


def test_an_edited_schedule_does_not_replay_the_past(home: AppHome) -> None:
    """From every hour to every five minutes: not one of the five minutes before the edit."""
    declare(home, HOURLY)
    tick(home)
    hours(home, 1)
    tick(home)
    hours(home, 0.9)
    declare(home, HOURLY.replace("0 * * * *", "*/5 * * * *"))
    tick(home)
    assert slots(home) == [("2026-11-22T10:00Z", "success")]
    hours(home, 0.1)
    tick(home)
    assert slots(home)[1:] == [("2026-11-22T11:05Z", "skipped"), ("2026-11-22T11:10Z", "success")]


def test_a_task_that_is_enabled_again_does_not_replay_the_past(home: AppHome) -> None:
    """Its setting was missing for a day; what was due then is not made up for."""
    text = HOURLY + "needs = TOKEN_FOR_IT\n"
    declare(home, text)
    (home.folder / ".env").write_text("TOKEN_FOR_IT=x-1234567\n", encoding="utf-8")
    tick(home)
    hours(home, 1)
    tick(home)
    (home.folder / ".env").write_text("", encoding="utf-8")
    tick(home)
    hours(home, 24)
    (home.folder / ".env").write_text("TOKEN_FOR_IT=x-1234567\n", encoding="utf-8")
    hours(home, 0.5)
    tick(home)
    assert slots(home) == [("2026-11-22T10:00Z", "success")]


def test_days_are_made_up_for_whatever_the_hour_and_whatever_was_missing(home: AppHome) -> None:
    """A task by days loses no day by being disabled, nor by being given another hour."""
    text = "[task:daily]\ncommand = true\npartition = day\nschedule = 0 6 * * *\nneeds = TOKEN_FOR_IT\n"
    declare(home, text)
    env = home.folder / ".env"
    env.write_text("TOKEN_FOR_IT=x-1234567\n", encoding="utf-8")
    tick(home)
    home.pass_days(1)
    tick(home)
    env.write_text("", encoding="utf-8")
    tick(home)
    home.pass_days(3)
    tick(home)
    declare(home, text.replace("0 6", "0 5"))
    env.write_text("TOKEN_FOR_IT=x-1234567\n", encoding="utf-8")
    tick(home)
    assert [key for key, status in slots(home, "daily") if status == "success"] == [
        f"2026-11-{day}" for day in (22, 23, 24, 25)
    ]


def test_a_slot_that_failed_is_not_tried_again_before_the_next_one(home: AppHome) -> None:
    """`retries` are for that. With catch_up = all it is tried again together with the next."""
    declare(home, HOURLY.replace("true", "false") + "catch_up = all\n")
    tick(home)
    hours(home, 1)
    tick(home, code=1)
    tick(home)
    assert home.rows("SELECT count(*) FROM runs") == [(1,)]
    declare(home, HOURLY + "catch_up = all\n")
    hours(home, 1)
    tick(home)
    assert [status for _, status in slots(home)] == ["success", "success"]


def test_a_run_that_was_cut_short_is_due_at_once(home: AppHome) -> None:
    """Its runner is gone: the next tick does it, whatever the time."""
    declare(home, HOURLY)
    tick(home)
    hours(home, 1)
    tick(home)
    home.rows("UPDATE slots SET status = 'running', owner = '7.x', lease_until = '2026-11-22T10:12:00.000Z'")
    home.rows("UPDATE runs SET status = 'running', owner = '7.x', finished_at = NULL")
    hours(home, 0.2)
    tick(home)
    assert slots(home) == [("2026-11-22T10:00Z", "success")]
    assert home.rows("SELECT status FROM runs ORDER BY started_at") == [("failed",), ("success",)]


def test_what_comes_after_a_failure_waits_for_its_success(home: AppHome) -> None:
    """It neither runs nor is tried at each tick; once what it comes after has succeeded, it has its turn."""
    first = "[task:first]\ncommand = {}\nschedule = 0 * * * *\n"
    after = "[task:second]\ncommand = true\nafter = first\nschedule = 0 * * * *\n"
    declare(home, first.format("false") + after)
    tick(home)
    hours(home, 1)
    tick(home, code=1)
    counted = home.rows("SELECT count(*) FROM runs")
    assert tick(home).startswith("second waits: first, which it comes after, has not succeeded\n")
    assert home.rows("SELECT count(*) FROM runs") == counted
    declare(home, first.format("true") + after)
    home.run("--task", "first", app=False)
    tick(home)
    assert slots(home, "second") == [("2026-11-22T10:00Z", "success")]


def test_a_task_under_way_elsewhere_keeps_nobody_waiting(home: AppHome) -> None:
    """The others are run; that one has its turn with a later tick."""
    declare(home, HOURLY + "overlap = queue\n" + HOURLY.replace("hourly", "other"))
    tick(home)
    hours(home, 1)
    begun = "INSERT INTO slots(task, key, status, due_at, owner, lease_until, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?)"
    at = iso(home.clock.now())
    until = iso(home.clock.now() + timedelta(seconds=60))
    other = open_to_write(str(home.folder / "agent_os.db"), clock=home.clock)
    from agent_os.core.lock import RunnerLock

    lock = RunnerLock(other.path, clock=home.clock)
    lock.acquire()
    home.rows(begun, "hourly", "2026-11-22T09:59Z", "running", at, lock.owner, until, at)
    try:
        tick(home)
        assert slots(home, "other") == [("2026-11-22T10:00Z", "success")]
        assert tick(home).startswith("hourly waits: hourly is running\n")
    finally:
        lock.release()
        other.close()


def test_jitter_delays_by_the_same_time_and_no_longer_than_it_says(home: AppHome) -> None:
    """The run begins that much later; the slot is the same."""
    from zlib import crc32

    declare(home, HOURLY + "jitter = 2s\n")
    tick(home)
    hours(home, 5 / 6)
    (identity,) = home.rows("SELECT value FROM meta WHERE name = 'instance'")[0]
    share = crc32(f"{identity} hourly".encode()) / 2**32
    began = home.clock.monotonic()
    tick(home)
    assert home.clock.monotonic() - began >= 2 * share
    assert slots(home) == [("2026-11-22T10:00Z", "success")]


def test_missed_slots_run_one_after_the_other_oldest_first(home: AppHome) -> None:
    """However many may run side by side: a task never runs twice at once, and its later slots may build on earlier."""
    out = home.folder / "order"
    declare(home, f'[task:hourly]\ncommand = echo "$AGENT_OS_SLOT" >> {out}; sleep 0.05\nshell = yes\n')
    text = (home.folder / "agent_os.ini").read_text(encoding="utf-8") + "schedule = 0 * * * *\ncatch_up = all\n"
    declare(home, text)
    tick(home)
    hours(home, 6)
    tick(home)
    assert out.read_text(encoding="utf-8").split() == [f"2026-11-22T{10 + n}:00Z" for n in range(6)]


def test_a_folder_with_nothing_to_look_after_stays_as_it_is(home: AppHome) -> None:
    """A wrong folder is an error, and gets no database: exit 3."""
    answer = home.run("tick", app=False)
    assert (answer.code, "nothing is set up in" in answer.err) == (3, True)
    assert not (home.folder / "agent_os.db").exists()


@pytest.mark.parametrize(("schedule", "is_taken"), [("every 1h", True), ("every 30m", False), ("0 6,7 * * *", True)])
def test_jitter_is_shorter_than_the_time_between_two_slots(home: AppHome, schedule: str, is_taken: bool) -> None:
    """Else a slot would still wait when the next is due, and a tick that ends early would never run any."""
    declare(home, HOURLY.replace("0 * * * *", schedule) + "jitter = 45m\n")
    assert home.run("tick", app=False).code == (0 if is_taken else 3)


# --- collectors -------------------------------------------------------------------------------------------------------


def due_collectors(home: AppHome, db: Database) -> list[str]:
    from agent_os.core.home import open_home

    opened = open_home(str(home.folder), clock=home.clock, stderr=None, environ={"OPENAI_ADMIN_KEY": "sk-admin-x123"})
    setup = setup_of(opened)
    off = {name: each.disabled for name, each in setup.collectors.items() if each.disabled}
    watcher = Watcher(setup, Schedules(db), now=home.clock.now(), disabled=off, held=(), edited_at={})
    return watcher.look().targets


def test_a_collector_collects_once_a_utc_day(home: AppHome) -> None:
    """After it has succeeded it is due again when the next day begins."""
    db = open_to_write(str(home.folder / "agent_os.db"), clock=home.clock)
    assert due_collectors(home, db) == ["fetch_openai"]
    ended(home, "success")
    assert due_collectors(home, db) == []
    hours(home, 15)
    assert due_collectors(home, db) == ["fetch_openai"]
    db.close()


def test_a_collector_that_failed_waits_longer_each_time(home: AppHome) -> None:
    """A quarter of an hour, half an hour, and so on; a run that was interrupted does not count."""
    db = open_to_write(str(home.folder / "agent_os.db"), clock=home.clock)
    ended(home, "failed", "interrupted: the program ended")
    assert due_collectors(home, db) == ["fetch_openai"]
    ended(home, "failed", "no route")
    waits = []
    for _ in range(3):
        waited = 0
        while not due_collectors(home, db):
            hours(home, 1 / 12)
            waited += 5
        waits.append(waited)
        ended(home, "failed", "no route")
    assert waits == [15, 30, 60]
    db.close()


def ended(home: AppHome, status: str, error: str = "") -> None:
    at = iso(home.clock.now())
    columns = "id, plugin_name, status, started_at, finished_at, error, task, invocation_id"
    (number,) = home.rows("SELECT count(*) FROM runs")[0]
    values = (f"r{number}", "openai", status, at, at, error, "fetch_openai", "i")
    home.rows(f"INSERT INTO runs({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *values)


def test_collectors_collect_when_the_setting_says(home: AppHome) -> None:
    """AGENT_OS_COLLECT is a schedule; one that cannot be meant is refused with the setting's name."""
    declare(home, "[agent_os]\ncollect = sometimes\n" + HOURLY)
    answer = home.run("tick", app=False)
    assert (answer.code, "AGENT_OS_COLLECT" in answer.err) == (3, True)


# --- started by a schedule --------------------------------------------------------------------------------------------


def test_an_installed_schedule_does_not_begin_an_empty_database(home: AppHome) -> None:
    """A folder that was moved away is an error, not a fresh start: exit 3, and no file is made."""
    declare(home, HOURLY)
    answer = home.run("tick", "--scheduled", app=False)
    assert (answer.code, "found no database" in answer.err) == (3, True)
    assert not (home.folder / "agent_os.db").exists()
    tick(home)
    assert home.run("tick", "--scheduled", app=False).out == ""


def test_a_clock_that_was_never_set_is_refused(home: AppHome) -> None:
    """1970 comes back after a dead battery; what is due by it is due by no other."""
    declare(home, HOURLY)
    home.clock.moment = home.clock.moment.replace(year=1970)  # type: ignore[attr-defined]
    answer = home.run("tick", app=False)
    assert (answer.code, "the clock of this machine says 1970-11-22" in answer.err) == (3, True)


def test_a_tick_for_programs_says_what_is_next(home: AppHome) -> None:
    """--json: the outcomes, what waits, and when something is due next."""
    declare(home, HOURLY)
    assert json.loads(home.run("tick", "--json", app=False).out) == {
        "outcomes": [],
        "waits": {},
        "next_at": "2026-11-22T10:00:00.000Z",
    }


def test_a_tick_that_did_something_says_what_is_next_too(home: AppHome) -> None:
    """The keys are the same, whether something was due or not."""
    declare(home, HOURLY)
    tick(home)
    hours(home, 1)
    told = json.loads(home.run("tick", "--json", app=False).out)
    assert [(each["slot"], each["status"]) for each in told["outcomes"]] == [("2026-11-22T10:00Z", "success")]
    assert (told["waits"], told["next_at"]) == ({}, "2026-11-22T11:00:00.000Z")


# --- the note that nothing is due -------------------------------------------------------------------------------------

NOW = "2026-11-22T09:00:00.000Z"
SPAN = (NOW, "2026-11-22T10:00:00.000Z")


def noted(folder: Path) -> Path:
    """A home with a note that nothing is due for an hour."""
    db_path = folder / "agent_os.db"
    db_path.write_bytes(b"x")
    (folder / "agent_os.db.id").write_text("abc 00000000000000000007\n", encoding="ascii")
    (folder / "agent_os.ini").write_text(HOURLY, encoding="utf-8")
    idle.write(str(folder), mark="m", state=idle.state_of(str(folder), str(db_path)), span=SPAN, following=SPAN[1])
    return folder


@pytest.mark.parametrize("now", [NOW, "2026-11-22T09:59:59.999Z"])
def test_a_note_counts_until_something_is_due(tmp_path: Path, now: str) -> None:
    """It says what is due next."""
    assert idle.next_at(str(noted(tmp_path)), mark="m", now=now) == SPAN[1]


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "agent_os.ini").write_text(HOURLY + "\n", encoding="utf-8"),
        lambda folder: (folder / ".env").write_text("", encoding="utf-8"),
        lambda folder: (folder / "agent_os.db").write_bytes(b"xy"),
        lambda folder: (folder / "agent_os.db-wal").write_bytes(b"xy"),
        lambda folder: (folder / "agent_os.db.id").write_text("abc 00000000000000000008\n", encoding="ascii"),
        lambda folder: (folder / idle.NAME).write_text("", encoding="utf-8"),
        lambda folder: (folder / idle.NAME).write_bytes(b"\xff\n" * 7),
    ],
    ids=["ini", "env", "database", "wal", "commit", "empty", "nonsense"],
)
def test_a_note_counts_only_while_all_is_as_it_was(tmp_path: Path, change) -> None:  # type: ignore[no-untyped-def]
    """What decides what is due has changed, or the note is none: look."""
    folder = noted(tmp_path)
    change(folder)
    assert idle.next_at(str(folder), mark="m", now=NOW) == ""


@pytest.mark.parametrize(
    ("mark", "now"),
    [("n", NOW), ("m", "2026-11-22T10:00:00.000Z"), ("m", "2026-11-22T08:59:59.999Z")],
    ids=["another program or environment", "over", "a clock that went back"],
)
def test_a_note_is_for_one_program_and_one_time(tmp_path: Path, mark: str, now: str) -> None:
    """Another environment may enable a task; before it was written it knows nothing."""
    assert idle.next_at(str(noted(tmp_path)), mark=mark, now=now) == ""


def test_what_changes_from_call_to_call_does_not_spoil_a_note(tmp_path: Path) -> None:
    """The scheduler's own numbers are not asked; what tasks may need is."""

    def mark(**environ: str) -> str:
        return idle.mark_of(["tick"], environ, program=str(tmp_path), zone_seconds=0)

    assert mark(INVOCATION_ID="1", PWD="/") == mark(INVOCATION_ID="2", PWD="/x")
    assert mark(TOKEN="1") != mark(TOKEN="2")


# --- one slot, for engines that call us -------------------------------------------------------------------------------


def test_a_key_names_one_slot_of_a_schedule(home: AppHome) -> None:
    """Exactly that one is run, done once; what is no slot is refused."""
    declare(home, HOURLY)
    key = ("--task", "hourly", "--key", "2026-11-20T03:00Z", "--exit-skipped", "99")
    assert [home.run(*key, app=False).code for _ in range(2)] == [0, 99]
    assert ("2026-11-20T03:00Z", "success") in slots(home)
    for wrong in ("2026-11-20T03:01Z", "2026-11-20", "tuesday", "2026-11-23T03:00Z"):
        assert home.run("--task", "hourly", "--key", wrong, app=False).code == 2


@pytest.mark.parametrize("code", ["1", "70", "130", "x", "-1"])
def test_a_code_for_skipped_is_none_that_means_something_else(home: AppHome, code: str) -> None:
    """It is one that neither we nor a shell use."""
    declare(home, HOURLY)
    assert home.run("--task", "hourly", f"--exit-skipped={code}", app=False).code == 2


def test_what_is_declared_counts_from_the_installation_on(
    home: AppHome, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Installed at ten past nine, looked at from ten past eleven on: the hours in between were due."""
    tools = tmp_path_factory.mktemp("tools")
    table = tools / "table"
    fake = tools / "crontab"
    fake.write_text(f'#!/bin/sh\nif [ "$1" = -l ]; then cat {table}; else cat > {table}; fi\n', encoding="utf-8")
    fake.chmod(0o755)
    table.write_text("", encoding="utf-8")
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    declare(home, HOURLY)
    answer = home.run("schedule", "install", "--backend", "cron", app=False)
    assert answer.code == 0, answer.err
    hours(home, 2)
    tick(home)
    assert [key for key, _ in slots(home)] == ["2026-11-22T10:00Z", "2026-11-22T11:00Z"]
