"""The moves of slots and what is due, under every schedule that chance comes up with; `simulation` has the world.

AGENT_OS_SIMULATION_SEED chooses the schedules, and is printed at the end; each failure prints how to see it again.
"""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from types import SimpleNamespace

import pytest

from agent_os.core import due, machine
from agent_os.core.clock import Clock, iso
from agent_os.core.db import Database
from agent_os.core.errors import FencedError
from agent_os.core.machine import Slot
from agent_os.core.opening import open_to_write
from agent_os.core.slots import Claimed, RunRow, Slots

from . import simulation
from .simulation import Broken, Paper, play, schedule_of, shortest

SCHEDULES = 10_000
ENOUGH = 3_000  # schedules in which a broken rule must have shown
SEED = int(os.environ["AGENT_OS_SIMULATION_SEED"])  # conftest draws one where none is given, and prints it


@pytest.fixture(autouse=True)
def _quickly(monkeypatch):
    simulation.hurry(monkeypatch.setattr)


def found(*, count: int, seed: int = SEED, **how) -> str:
    """The first broken promise in so many schedules, with what shows it again; '' when there is none."""
    for number in range(count):
        try:
            play(schedule_of(seed, number), **how)
        except Broken as broken:
            return f"schedule {number} of seed {seed}: {broken}"
    return ""


def fails(schedule) -> bool:
    try:
        play(schedule)
    except Broken:
        return True
    return False


def test_every_schedule_keeps_every_promise():
    """Runners crash, sleep, overlap, the clock jumps: each due slot is resolved once, no fenced write is taken."""
    number = next((number for number in range(SCHEDULES) if fails(schedule_of(SEED, number))), None)
    if number is not None:
        words = " ".join(map(str, shortest(schedule_of(SEED, number), fails)))
        told = found(count=number + 1)
        pytest.fail(f"{told}\nto see it: {sys.executable} -m tests.simulation {words}", pytrace=False)


# --- rules broken on purpose: each must show

CLAIM, CHECK, FINISH, ENLIST = machine.claim, machine.check, machine.finish, machine.enlist
JUDGE, INTERRUPT, RELEASE, ATTEMPT = machine.judge, machine.interrupt, machine.release, machine.attempt
BY_POLICY, DUE_SLOTS, LATEST_KEY, KEYS_SINCE = due._by_policy, due.due_slots, due.latest_key, due.keys_since


def held(slot, epoch):
    return slot if slot.epoch == epoch else CHECK(slot, epoch=epoch)


def interrupt_keeps_the_epoch(slot):
    return Slot("due", epoch=slot.epoch, attempts=slot.attempts) if slot.owner else slot


def claim_of_what_another_has(slot, *, owner, lease_until):
    return CLAIM(
        Slot("due", epoch=slot.epoch, owner=owner, attempts=slot.attempts), owner=owner, lease_until=lease_until
    )


def claim_keeps_the_epoch(slot, *, owner, lease_until):
    after = CLAIM(slot, owner=owner, lease_until=lease_until)
    after.epoch = slot.epoch
    return after


def write_without_a_check(slot, *, epoch):
    return slot


def write_after_an_interrupt(slot, *, epoch):
    if slot is None or slot.epoch not in (epoch, epoch + 1):
        raise FencedError("lost")
    return slot


def finish_without_the_epoch(slot, *, epoch, status):
    return FINISH(slot, epoch=slot.epoch, status=status)


def finish_keeps_the_owner(slot, *, epoch, status):
    CHECK(slot, epoch=epoch)
    return Slot(status, epoch=epoch, owner=slot.owner, lease_until=slot.lease_until, attempts=slot.attempts)


def enlist_steals(slot, *, owner, lease_until):
    before = slot or Slot()
    return Slot("due", epoch=before.epoch, owner=owner, lease_until=lease_until, attempts=before.attempts)


def enlist_begins_anew(slot, *, owner, lease_until):
    ENLIST(slot, owner=owner, lease_until=lease_until)
    return Slot("due", owner=owner, lease_until=lease_until)


def no_patience(lease_until, **facts):
    return "gone" if JUDGE(lease_until, **facts) == "late" else JUDGE(lease_until, **facts)


def patience_with_the_runner_not_the_lease(lease_until, *, seen, **facts):
    state = JUDGE(lease_until, seen=None, **facts)
    return "gone" if state == "late" and seen is not None else state


def a_held_lock_is_enough(lease_until, **facts):
    return "gone" if facts["lock_is_free"] else "alive"


def any_lease_is_believed(lease_until, **facts):
    return JUDGE(lease_until, **{**facts, "farthest": "9999"})


def the_lock_is_not_asked(lease_until, **facts):
    return JUDGE(lease_until, **{**facts, "lock_is_free": False})


def everyone_lives(lease_until, **facts):
    return "alive"


def release_for_anyone(slot, *, owner, status="due"):
    return Slot(status, epoch=slot.epoch, attempts=slot.attempts)


def attempt_without_a_check(slot, *, epoch):
    return Slot("running", epoch=epoch, owner=slot.owner, lease_until=slot.lease_until, attempts=slot.attempts + 1)


def what_failed_is_dropped(task, known, **facts):
    kept = {key: slot for key, slot in known.slots.items() if slot[0] != "failed"}
    return BY_POLICY(task, due.Known(known.newest, kept), **facts)


def what_waits_is_dropped(task, known, **facts):
    kept = {key: slot for key, slot in known.slots.items() if slot[0] != "due" or slot[1]}
    return BY_POLICY(task, due.Known(known.newest, kept), **facts)


def a_later_slot_stands_for_this_one(task, known, *, latest, **facts):
    return BY_POLICY(task, known, latest=max([latest, *known.slots]), **facts)


def what_was_begun_is_skipped(task, known, **facts):
    anew = {key: (status, 0, at) for key, (status, _, at) in known.slots.items()}
    return BY_POLICY(task, due.Known(known.newest, anew), **facts)


def what_is_newest_is_skipped(task, known, **facts):
    found = BY_POLICY(task, known, **facts)
    if task.catch_up == "latest" and found:
        found[-1].skip = "missed"
    return found


def what_is_done_is_done_again(task, known, *, order, **facts):
    slots = {key: slot for key, slot in known.slots.items() if slot[0] != "success"}
    return DUE_SLOTS(task, due.Known(known.newest, slots), order=order, **facts)


def nothing_is_overtaken(*_, **__):
    return []


def the_day_that_is_not_over(task, now):
    return due.add_days(LATEST_KEY(task, now), 1) if task.partition else LATEST_KEY(task, now)


def only_the_last_that_was_missed(task, newest, latest, *, most=0):
    return KEYS_SINCE(task, newest, latest, most=most)[-1:]


def the_newest_again(task, newest, latest, *, most=0):
    keys = KEYS_SINCE(task, newest, latest, most=most)
    return [newest, *keys] if due.is_key(task, newest) and not task.is_adhoc else keys


def a_new_name_for_what_is_unfinished(task, known, *, now, order):
    moment = now
    while known.status(iso(moment)):
        moment += timedelta(milliseconds=1)
    return [due.slot_of(task, order.key or iso(moment), now=moment)]


MUTANTS = [
    (machine, "interrupt", interrupt_keeps_the_epoch),
    (machine, "claim", claim_of_what_another_has),
    (machine, "claim", claim_keeps_the_epoch),
    (machine, "check", write_without_a_check),
    (machine, "check", write_after_an_interrupt),
    (machine, "finish", finish_without_the_epoch),
    (machine, "finish", finish_keeps_the_owner),
    (machine, "enlist", enlist_begins_anew),
    (machine, "judge", no_patience),
    (machine, "judge", patience_with_the_runner_not_the_lease),
    (machine, "judge", a_held_lock_is_enough),
    (machine, "judge", any_lease_is_believed),
    (machine, "judge", the_lock_is_not_asked),
    (machine, "judge", everyone_lives),
    (machine, "release", release_for_anyone),
    (machine, "attempt", attempt_without_a_check),
    (due, "_by_policy", what_failed_is_dropped),
    (due, "_by_policy", what_waits_is_dropped),
    (due, "_by_policy", a_later_slot_stands_for_this_one),
    (due, "_by_policy", what_was_begun_is_skipped),
    (due, "_by_policy", what_is_newest_is_skipped),
    (due, "due_slots", what_is_done_is_done_again),
    (due, "overtaken", nothing_is_overtaken),
    (due, "latest_key", the_day_that_is_not_over),
    (due, "keys_since", only_the_last_that_was_missed),
    (due, "keys_since", the_newest_again),
    (due, "_asked_for", a_new_name_for_what_is_unfinished),
]


@pytest.mark.parametrize(("module", "name", "mutant"), MUTANTS, ids=[mutant.__name__ for _, _, mutant in MUTANTS])
def test_a_rule_that_is_broken_shows(monkeypatch, module, name, mutant):
    """A simulation that never fails proves nothing: without each of these rules a promise is broken soon."""
    monkeypatch.setattr(module, name, mutant)
    assert found(count=ENOUGH, seed=1)


@pytest.mark.parametrize("flaw", ["nameless lock", "early look", "no renewal"])
def test_a_runner_that_goes_about_it_otherwise_shows(flaw):
    """A lock that does not say who holds it; the dead looked for before the transaction begins; no renewed lease."""
    assert found(count=ENOUGH, seed=1, flaws=(flaw,))


def test_whoever_does_not_look_first_is_refused(monkeypatch):
    """Even without asking who is busy nobody gets what another has: the slot itself refuses it."""
    assert not found(count=ENOUGH // 3, seed=1, flaws=("blind",))
    monkeypatch.setattr(machine, "enlist", enlist_steals)
    assert found(count=ENOUGH // 3, seed=1, flaws=("blind",))


# --- the same, done to the rows of a database


class Both(Paper):
    """The dictionary and the real table side by side: each move is made in both, and both must say the same."""

    db: Database

    def __init__(self, world):
        super().__init__(world)
        self.db.clock = SimpleNamespace(now=lambda: world.now)
        self.real = Slots(self.db)
        self.claims: dict[tuple[simulation.Process, str, str], Claimed] = {}

    def both(self, on_paper, in_rows):
        try:
            expected = on_paper()
        except FencedError:
            with pytest.raises(FencedError):
                in_rows()
            raise
        found = in_rows()
        rows = self.db.all("SELECT task, key, status, epoch, owner, lease_until, attempts, due_at FROM slots")
        assert {(task, key): (*slot, at) for task, key, *slot, at in rows} == {
            (task, key): (*slot._values(), self.due_at[task, key])
            for task, each in self.slots.items()
            for key, slot in each.items()
        }
        return expected, found

    def known(self, task, order, *, latest):
        span = None if order.is_open else (order.since or "", order.until or "9999")
        expected = super().known(task, order, latest=latest)
        found = self.real.known(task, order, latest=latest, span=span)
        assert (found.newest, found.slots) == (expected.newest, expected.slots)
        return found

    def owners(self):
        expected = super().owners()
        assert self.real.owners() == expected
        return expected

    def interrupt(self, owner):
        self.both(lambda: Paper.interrupt(self, owner), lambda: self.real.interrupt(owner))

    def enlist(self, name, dues, **how):
        self.both(lambda: Paper.enlist(self, name, dues, **how), lambda: self.real.enlist(name, dues, **how))

    def notice(self, name, dues):
        self.both(lambda: Paper.notice(self, name, dues), lambda: self.real.notice(name, dues))

    def leave_out(self, name, each, **how):
        self.both(lambda: Paper.leave_out(self, name, each, **how), lambda: self.real.leave_out(name, each, **how))

    def release(self, name, key, *, owner):
        self.both(
            lambda: Paper.release(self, name, key, owner=owner),
            lambda: self.real.release(name, (key,), owner=owner, reason="x"),
        )

    def renew(self, owner, *, lease_until):
        self.both(
            lambda: Paper.renew(self, owner, lease_until=lease_until),
            lambda: self.real.renew(owner, lease_until=lease_until),
        )

    def claim(self, name, key, *, owner, lease_until):
        number = f"{owner}/{name}/{key}"
        row = RunRow(number, task=name, plugin_name=name, invocation_id="i", owner=owner, slot_key=key)
        epoch, claimed = self.both(
            lambda: Paper.claim(self, name, key, owner=owner, lease_until=lease_until),
            lambda: self.real.claim(row, (key,), lease_until=lease_until),
        )
        assert claimed.epochs == {key: epoch}
        self.claims[self.by, name, key] = claimed
        return epoch

    def check(self, name, key, *, epoch):
        claimed = self.claims[self.by, name, key]
        self.both(lambda: Paper.check(self, name, key, epoch=epoch), lambda: self.real.check(claimed))

    def attempt(self, name, key, *, epoch):
        claimed = self.claims[self.by, name, key]
        self.both(lambda: Paper.attempt(self, name, key, epoch=epoch), lambda: self.real.attempt(claimed, number=2))

    def finish(self, name, key, *, epoch, status):
        claimed = self.claims[self.by, name, key]
        self.both(
            lambda: Paper.finish(self, name, key, epoch=epoch, status=status),
            lambda: self.real.finish(claimed, status=status),
        )


def test_the_table_does_what_the_dictionary_does(tmp_path):
    """`Slots` makes the moves that were proved above, row by row; and every run in its table is closed."""
    Both.db = open_to_write(str(tmp_path / "a.db"), clock=Clock())
    connection = Both.db.connection
    for number in range(100):
        connection.execute("BEGIN")
        play(schedule_of(SEED, number), paper=Both)
        assert not connection.execute("SELECT * FROM runs WHERE status = 'running'").fetchall()
        connection.execute("ROLLBACK")
    Both.db.clock = Clock()
    Both.db.close()
