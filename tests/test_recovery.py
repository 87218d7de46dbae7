"""What was missed, cut short or left behind is found by the next start, whatever was asked for or the clock said."""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from agent_os.core import due, files, lock
from agent_os.core.clock import Clock, iso
from agent_os.core.desk import Desk
from agent_os.core.home import open_home
from agent_os.core.spec import Task
from agent_os.wiring import setup_of
from tests.fakes.clock import ManualClock
from tests.house import House


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> House:
    return House(tmp_path, capsys)


DAYS = """
    @app.task(partition="day")
    def days(ctx): note(ctx.slot)
"""


# --- nothing is lost --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [("--since", "2026-11-24", "--until", "2026-11-25"), ("--force",)])
def test_who_asks_for_the_last_day_has_not_asked_to_forget_those_before_it(house: House, words) -> None:
    """A later slot that is done is no reason to take the earlier ones for done: the next run catches up on them."""
    house.app(DAYS)
    house.clock.set("2026-11-21T09:00")
    house.task("days")
    house.clock.set("2026-11-25T09:00")
    house.task("days", *words)
    assert house.notes == ["2026-11-20", "2026-11-24"]
    house.task("days", "--jobs", "1")
    assert house.notes == ["2026-11-20", "2026-11-24", "2026-11-21", "2026-11-22", "2026-11-23"]


def test_a_slot_of_a_clock_that_was_ahead_stands_for_no_other(house: House) -> None:
    """It failed in 2036: its time has yet to come. It neither replaces the slots of today nor is it tried before."""
    house.app("""
        @app.task(schedule="0 5 * * *")
        def daily(ctx):
            note(ctx.slot)
            if ctx.slot > "2030": raise PermanentError("no")
    """)
    house.clock.set("2036-11-22T09:00")
    assert house.task("daily").code == 1
    house.clock.set("2026-11-22T09:00")
    assert house.task("daily").code == 0
    house.clock.set("2026-11-23T09:00")
    assert house.task("daily").code == 0
    assert house.notes == ["2036-11-22T05:00Z", "2026-11-22T05:00Z", "2026-11-23T05:00Z"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", 'schedule="0 5 * * *"'),
        ("", 'partition="day"'),
        ('partition="day"', 'schedule="0 5 * * *"'),
        ('schedule="0 5 * * *"', 'partition="day"'),
    ],
)
@pytest.mark.parametrize("ended", ["success", "due", "failed"])
def test_a_task_may_be_declared_otherwise(house: House, before: str, after: str, ended: str) -> None:
    """Tried by hand first, then given a schedule: what it was due for before says nothing of what it is due for now."""
    house.clock.set("2026-11-22T09:00")
    house.app(f"@app.task({before})\ndef it(ctx): pass")
    house.task("it")
    house.change("UPDATE slots SET status = ?", ended)
    house.app(f"@app.task({after})\ndef it(ctx): note(ctx.slot)")
    assert house.task("it").code == 0
    assert house.notes == ["2026-11-22T05:00Z" if "schedule" in after else "2026-11-21"]
    assert house.rows("SELECT count(*) FROM slots WHERE status = 'due'") == [(0,)]


def test_a_minute_schedule_and_a_clock_ten_years_ahead_are_no_work() -> None:
    """Five million minutes lie in between: only the last of them are counted."""
    task = Task("it", kind="function", source="test").declare({"schedule": "* * * * *"})
    assert task.schedule
    between, count = task.schedule.between, 0

    def counted(after: datetime, until: datetime):
        nonlocal count
        for moment in between(after, until):
            count += 1
            yield moment

    task.schedule = type("Counted", (), {"between": staticmethod(counted)})()  # type: ignore[assignment]
    keys = due.keys_since(task, "2026-11-22T09:00Z", "2036-11-22T09:00Z")
    assert (len(keys), keys[-1]) == (due.MOST_CAUGHT_UP, "2036-11-22T09:00Z")
    assert count < 10_000


def test_every_asking_is_a_slot_of_its_own_however_fast(house: House) -> None:
    """Several within one millisecond: none is taken for another that is done."""
    house.app("""
        @app.task
        def asked(ctx): note(ctx.slot)
    """)
    moment = datetime(2026, 11, 22, 9, tzinfo=timezone.utc)
    house.clock.now = lambda: moment  # type: ignore[method-assign]
    for _ in range(4):
        house.task("asked")
    assert house.notes == [f"2026-11-22T09:00:00.00{number}Z" for number in range(4)]


def test_a_disabled_task_leaves_nothing_out(house: House) -> None:
    """It cannot run, so nothing stands for what it missed: all of it is still due when its setting comes."""
    house.app("""
        @app.task(schedule="0 5 * * *", needs="KEY")
        def reads(ctx): pass
        @app.task(after=reads)
        def shows(ctx): pass
    """)
    (house.home / ".env").write_text("KEY=x\n")
    (house.home / ".env").chmod(0o600)
    house.clock.set("2026-11-22T09:00")
    house.task("reads")
    house.change("UPDATE slots SET status = 'due', attempts = 0")
    (house.home / ".env").write_text("")
    house.clock.set("2026-11-24T09:00")
    house.task("shows")
    assert house.slots("reads") == {"2026-11-22T05:00Z": "due"}


# --- messages ---------------------------------------------------------------------------------------------------------

SENDS = """
    @app.task
    def tell(ctx): ctx.send("post", f"hello {ctx.slot}", "hello")
    @app.outbox("post")
    def post(ctx, message):
        note(f"sent, attempt {message.attempt}")
        if not os.path.exists(os.environ.get("OPEN", "nowhere")): raise TransientError("closed", retry_after=1000)
"""


def test_a_message_of_a_clock_that_was_ahead_is_sent(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits for a moment in 2036; when the clock is right again, that moment means nothing."""
    house.app(SENDS)
    house.clock.set("2036-11-22T09:00")
    house.task("tell")
    monkeypatch.setenv("OPEN", str(house.home))
    house.clock.set("2026-11-22T09:00")
    house.task("tell", "--key", "another")
    assert house.rows("SELECT status, count(*) FROM outbox GROUP BY 1") == [("sent", 2)]


def test_a_delivery_that_was_cut_short_is_gone_on_with(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its slot does not stay due for ever beside that of a new delivery."""
    monkeypatch.setenv("OPEN", str(house.home))
    house.app(SENDS)
    house.task("tell")
    house.change("UPDATE outbox SET status = 'waiting'")
    house.change("UPDATE slots SET status = 'running', owner = '7.dead', lease_until = 'x' WHERE task = 'post'")
    house.task("tell")
    assert house.rows("SELECT status, owner FROM slots WHERE task = 'post'") == [("success", "")]


# --- runs and runners -------------------------------------------------------------------------------------------------


def test_a_run_that_is_over_keeps_nothing_more(house: House) -> None:
    """A thread that a task has left behind is told so, and changes nothing."""
    house.app("""
        import threading
        @app.task
        def first(ctx):
            def late():
                time.sleep(0.3)
                try: ctx.step("late", lambda: 1)
                except Exception as error: note(type(error).__name__)
            threading.Thread(target=late, daemon=True).start()
        @app.task(after=first)
        def second(ctx): time.sleep(0.8)
    """)
    assert house.task("second").code == 0
    assert house.notes == ["FencedError"]
    assert house.rows("SELECT * FROM steps") == []


def test_a_runner_that_dies_while_others_look_is_taken_over(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alive at the first look and dead at the next: whoever takes the slots has closed what it left."""
    house.app("""
        @app.task(overlap="queue")
        def it(ctx): note("ran")
    """)
    house.task("it", "--key", "a")
    house.change("UPDATE slots SET status = 'running', owner = '7.dead', lease_until = ?", lease())
    answers = [False, True, True]
    monkeypatch.setattr(lock, "is_gone", lambda *_: answers.pop(0) if answers else True)
    assert house.task("it", "--key", "a").code == 0
    assert house.notes == ["ran", "ran"]


def test_a_start_that_is_refused_has_closed_what_the_dead_left(house: House) -> None:
    """No run stays `running` because of one that is."""
    house.app("""
        @app.task
        def alive(ctx): pass
        @app.task
        def dead(ctx): pass
    """)
    house.task("dead")
    house.task("alive", "--key", "a")
    house.change("UPDATE runs SET status = 'running', owner = '77.dead' WHERE task = 'dead'")
    held = lock.RunnerLock(str(house.home / "agent_os.db"), clock=Clock())
    held.acquire()
    house.change(
        "UPDATE slots SET status = 'due', owner = ?, lease_until = ? WHERE task = 'alive'", held.owner, lease()
    )
    assert house.task("alive", "--key", "a").code == 4
    held.release()
    assert house.rows("SELECT status FROM runs WHERE task = 'dead'") == [("failed",)]


def test_what_is_replaced_is_cancelled_whenever_it_begins(house: House) -> None:
    """The other runner had the slot on its list and had not begun: its run is asked to end all the same."""
    house.app("""
        @app.task(overlap="replace")
        def it(ctx): pass
    """)
    house.task("it", "--key", "a")
    held = lock.RunnerLock(str(house.home / "agent_os.db"), clock=Clock())
    held.acquire()
    house.change("UPDATE slots SET status = 'due', owner = ?, lease_until = ?", held.owner, lease())
    starting = threading.Thread(target=house.task, args=("it", "--key", "a"))
    starting.start()
    time.sleep(0.5)
    house.change("UPDATE runs SET status = 'running', owner = ?", held.owner)
    asked = [(None,)]
    deadline = time.monotonic() + 10
    while asked == [(None,)] and time.monotonic() < deadline:
        time.sleep(0.05)
        asked = house.rows("SELECT cancel_at FROM runs")
    held.release()
    starting.join()
    assert asked != [(None,)]


def test_an_amount_beyond_all_measure_is_refused(house: House) -> None:
    """It would not fit into the database: the run fails with a sentence, not the program."""
    house.app("""
        @app.limit("monthly")
        def monthly(ask): return True
        @app.task(cost_limit="monthly", cost=1)
        def spends(ctx):
            ctx.spend(2**62)
            ctx.spend(1)
    """)
    answer = house.task("spends")
    assert (answer.code, "which is no amount" in answer.err) == (1, True)


def lease() -> str:
    """The end of a lease that is not over."""
    return iso(Clock().now() + timedelta(minutes=2))


# --- who is gone ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_renewed", [True, False])
def test_a_lease_that_is_over_while_its_lock_is_held_has_a_moment_to_be_renewed(
    house: House, monkeypatch: pytest.MonkeyPatch, is_renewed: bool
) -> None:
    """A machine that has slept wakes everyone at once: whoever looks first waits for the others before it judges."""
    house.app("""
        @app.task
        def work(ctx): note(ctx.slot)
    """)
    house.task("work", "--key", "before")
    other = lock.RunnerLock(str(house.home / "agent_os.db"), clock=house.clock)
    other.acquire()
    try:
        house.change("UPDATE slots SET key = 'a', status = 'due', owner = ?, lease_until = '2026'", other.owner)
        slept = []

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            if is_renewed:
                house.change("UPDATE slots SET lease_until = ?", iso(house.clock.now() + timedelta(seconds=100)))

        monkeypatch.setattr(house.clock, "sleep", sleep)
        answer = house.task("work", "--key", "a")
    finally:
        other.release()
    assert slept == [6.0]
    assert (answer.code, house.notes) == ((4, ["before"]) if is_renewed else (0, ["before", "a"]))


def test_a_runner_is_gone_when_its_lock_is_free_or_another_ones(house: House) -> None:
    """The lock says who holds it; one whose text could not be written (a full disk) is believed to be whose it was."""
    path = str(house.home / "agent_os.db")
    mine = lock.RunnerLock(path, clock=house.clock)
    mine.acquire()
    try:
        assert not lock.is_gone(path, mine.owner)
        assert lock.is_gone(path, "1.20261122T050000-1a2b3c4d5e6f")
        assert lock.is_gone(path, "2.20261122T050000-1a2b3c4d5e6f")
        assert lock.is_gone(path, "nobody")
        for text in ("", "process 7, since 2026, runner 2.20261122T050000-1a2b3c4d5e6f\n"):
            (house.home / "agent_os.db.runner-1.lock").write_text(text, encoding="ascii")
            assert not lock.is_gone(path, "1.20261122T050000-1a2b3c4d5e6f")
    finally:
        mine.release()
    with open(path + ".runner-1.lock", "rb") as someone_looks:
        assert files.lock_fd(someone_looks.fileno(), wait=False, shared=True)
        assert lock.is_gone(path, mine.owner)


def test_whoever_has_the_lock_of_a_runner_knows_that_it_is_gone(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Although the text in it still says otherwise, since the disk is full: a lock of this number is held once."""
    house.app("""
        @app.task
        def work(ctx): note(ctx.slot)
    """)
    house.task("work", "--key", "a")
    owner = (house.home / "agent_os.db.runner-1.lock").read_text(encoding="ascii").split()[-1]
    lease = iso(house.clock.now() + timedelta(seconds=100))
    house.change("UPDATE slots SET status = 'running', owner = ?, lease_until = ?", owner, lease)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("agent_os.core.lock.os.ftruncate", full)
    assert house.task("work", "--key", "a").code == 0
    assert house.notes == ["a", "a"]


def test_a_runner_at_work_renews_its_lease(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while it waits for a single long task; what it has under way goes on."""
    monkeypatch.setattr("agent_os.core.machine.RENEW_SECONDS", 0.1)
    house.app("""
        import sqlite3
        @app.task
        def work(ctx):
            leases = set()
            until = time.monotonic() + 20
            while len(leases) < 3 and time.monotonic() < until:
                db = sqlite3.connect(os.path.join(ctx.settings.home, "agent_os.db"))
                leases |= set(db.execute("SELECT lease_until FROM slots").fetchall())
                db.close()
                time.sleep(0.05)
            return len(leases)
    """)
    assert house.task("work").code == 0
    assert house.rows("SELECT output_json FROM slots") == [("3",)]


def test_the_end_of_a_run_gives_its_lock_back(house: House) -> None:
    """Also in a process that lives on: a failed run, one that is refused, and one that has nothing to do."""
    house.app("""
        @app.task
        def work(ctx): raise PermanentError("no")
    """)
    for words in (("work",), ("work", "--key", "a"), ("work", "--key", "a", "--from-step", "none")):
        house.task(*words)
        assert lock.living(str(house.home / "agent_os.db")) == []


def test_a_lease_is_renewed_in_time_and_when_the_clock_was_ahead(tmp_path: Path) -> None:
    """Others do not believe a lease that reaches further than one of now can; so its runner does not, either."""
    clock = ManualClock()
    home = open_home(str(tmp_path), clock=clock, stderr=None, quiet=True, environ={})
    try:
        desk = Desk(home, setup_of(home), lock=lock.RunnerLock(home.db_path, clock=clock))
        for seconds, is_due in ((49, False), (1, True), (49, False), (-49 - 3600, True), (49, False), (86_400, True)):
            if desk.is_renewal_due():
                with desk.db.atomic():
                    desk.renew()
            clock.moment += timedelta(seconds=seconds)
            assert desk.is_renewal_due() is is_due
    finally:
        home.close()
