"""A world in which slots can be watched: processes that run, crash, sleep and wake, a clock that jumps, one table.

The moves of a slot and which slots are due are the program's own (core/machine.py, core/due.py). What is written out
here is how they are used: what a runner does between two commits (core/runner.py, desk.py, loop.py), as a generator
that is left alone, killed or suspended between any two of its transactions. The table is a dictionary. It knows what
really happened, who lives and who holds what, and raises `Broken` at the first change that breaks a promise.

A schedule is a list of small numbers. Each says which process is meant, what happens to it, and how lucky it is.
"""

from __future__ import annotations

import random
import sys
from datetime import datetime, timedelta, timezone
from functools import lru_cache

from agent_os.core import due, machine
from agent_os.core.clock import iso
from agent_os.core.due import Known, Order
from agent_os.core.errors import FencedError
from agent_os.core.machine import Slot
from agent_os.core.runner import LONGEST_POLL_SECONDS
from agent_os.core.spec import Task

START = datetime(2026, 11, 20, 22, 10, tzinfo=timezone.utc)
CAUGHT_UP = 6  # as MOST_CAUGHT_UP, but soon reached
NUMBERS = 1 << 16
LENGTHS = (8, 20, 40)  # of schedules, in numbers


class Broken(AssertionError):  # noqa: N818 (it is the promise that is broken)
    """A promise does not hold."""


def task(name: str, **options) -> Task:
    declared = Task(name, kind="function", source="simulation").declare(options)
    assert not declared.faults, declared.faults
    return declared


TASKS = {
    each.name: each
    for each in (
        task("days", partition="day"),
        task("last_day", partition="day", catch_up="latest", overlap="queue"),
        task("hours", schedule="0 * * * *"),
        task("no_hours", schedule="0 * * * *", catch_up="none", overlap="replace"),
        task("all_hours", schedule="30 */6 * * *", catch_up="all", overlap="queue"),
        task("asked", retries=1),
    )
}
NAMES = tuple(TASKS)
STEP = {"days": 24, "last_day": 24, "hours": 1, "no_hours": 1, "all_hours": 6}  # hours between two slots


class Process:
    """One runner; `runs` are those it has begun: (task, key) -> the epoch that its writes state."""

    def __init__(self, number: int) -> None:
        self.number = 0  # of its lock
        self.owner = ""
        self.nth = number
        self.is_alive = True
        self.is_suspended = False
        self.has_slept = False  # it was suspended, and has not looked after its lease since
        self.is_explicit = False  # it was told which slots
        self.may_redo = False
        self.is_lucky = False  # nothing it does fails
        self.has_list = False
        self.renew_at = ""
        self.life = None

    def __repr__(self) -> str:
        return f"process {self.nth}"


class Paper:
    """The table of slots as a dictionary, with the methods of `Slots`. `by` is the process whose transaction it is."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.slots: dict[str, dict[str, Slot]] = {name: {} for name in NAMES}
        self.due_at: dict[tuple[str, str], str] = {}
        self.owned: dict[str, dict[tuple[str, str], None]] = {}
        self.by = Process(-1)
        # what really happened
        self.holder: dict[tuple[str, str], Process] = {}
        self.successes: dict[tuple[str, str], int] = {}
        self.redone: dict[tuple[str, str], int] = {}
        self.cancelled: set[tuple[str, str]] = set()
        self.was: dict[tuple[str, str], str] = {}  # the status of a slot before it was enlisted

    # the methods of Slots

    def known(self, task: Task, order: Order, *, latest: str) -> Known:
        rows = self.slots[task.name]
        unresolved = ("due", "running", "failed")
        wanted = {order.key, *order.keys_of(task.name), latest}
        span = None if order.is_open else (order.since or "", order.until or "9999")
        newest, found = "", {}
        for key, slot in rows.items():
            if newest < key <= latest and due.is_key(task, key):
                newest = key
            in_span = (span and span[0] <= key < span[1]) or (task.is_adhoc and not order.key and latest <= key < ":")
            if slot.status in unresolved or key in wanted or in_span:
                found[key] = (slot.status, slot.attempts, self.due_at[task.name, key])
        return Known(newest, found)

    def owners(self) -> dict[str, tuple[str, set[str]]]:
        found = {}
        for owner, mine in self.owned.items():
            if mine:
                lease = max(self.slots[name][key].lease_until for name, key in mine)
                found[owner] = (lease, {name for name, _ in mine})
        return found

    def interrupt(self, owner: str) -> None:
        for name, key in list(self.owned.get(owner, ())):
            self._put(name, key, machine.interrupt(self.slots[name][key]), "interrupt")

    def enlist(self, name: str, dues, *, owner: str, lease_until: str) -> None:
        rows = self.slots[name]
        for each in dues:
            after = machine.enlist(rows.get(each.key), owner=owner, lease_until=lease_until)
            self.due_at.setdefault((name, each.key), each.due_at)
            self.was[name, each.key] = rows[each.key].status if each.key in rows else ""
            self._put(name, each.key, after, "enlist")

    def notice(self, name: str, dues) -> None:
        for each in dues:
            if each.key not in self.slots[name]:
                self.due_at[name, each.key] = each.due_at
                self._put(name, each.key, Slot(), "notice")

    def leave_out(self, name: str, each, *, owner: str, lease_until: str) -> None:
        mine = machine.enlist(self.slots[name].get(each.key), owner=owner, lease_until=lease_until)
        self.due_at.setdefault((name, each.key), each.due_at)
        self.was[name, each.key] = self.slots[name][each.key].status if each.key in self.slots[name] else ""
        self._put(name, each.key, mine, "enlist")
        self._may_skip(name, each)
        self._put(name, each.key, machine.release(mine, owner=owner, status="skipped"), "leave out")

    def release(self, name: str, key: str, *, owner: str) -> None:
        after = machine.release(self.slots[name][key], owner=owner)
        if after != self.slots[name][key]:
            self._put(name, key, after, "release")

    def renew(self, owner: str, *, lease_until: str) -> None:
        for name, key in self.owned.get(owner, ()):
            held = self.slots[name][key]
            self.slots[name][key] = Slot(
                held.status, epoch=held.epoch, owner=owner, lease_until=lease_until, attempts=held.attempts
            )

    def claim(self, name: str, key: str, *, owner: str, lease_until: str) -> int:
        after = machine.claim(self.slots[name][key], owner=owner, lease_until=lease_until)
        self._put(name, key, after, "claim")
        return after.epoch

    def check(self, name: str, key: str, *, epoch: int) -> None:
        machine.check(self.slots[name][key], epoch=epoch)

    def attempt(self, name: str, key: str, *, epoch: int) -> None:
        self._put(name, key, machine.attempt(self.slots[name][key], epoch=epoch), "attempt")

    def finish(self, name: str, key: str, *, epoch: int, status: str) -> None:
        self._put(name, key, machine.finish(self.slots[name][key], epoch=epoch, status=status), "finish")

    # what may happen

    def _put(self, name: str, key: str, after: Slot, move: str) -> None:
        """Make a change, if no promise is broken by it."""
        slot = name, key
        before = self.slots[name].get(key) or Slot()
        if after.epoch < before.epoch or (after.epoch == before.epoch and move in ("claim", "interrupt")):
            raise Broken(f"{move} of {slot}: epoch {before.epoch} becomes {after.epoch}")
        if before.owner and before.owner != self.by.owner:
            self._may_take(slot, before.owner, move)
        if move in ("attempt", "finish") and self.holder.get(slot) is not self.by:
            raise Broken(f"{move} of {slot} by {self.by}, which has lost it")
        if before.status == "success":
            if move != "enlist" or not self.by.may_redo:
                raise Broken(f"{move} of {slot}, which has succeeded, by {self.by}")
            self.redone[slot] = self.redone.get(slot, 0) + 1
        if before.status == "skipped" and not (move == "enlist" and self.by.is_explicit):
            raise Broken(f"{move} of {slot}, which was skipped, by {self.by}")
        if after.status == "success":
            if self.successes.get(slot, 0) > self.redone.get(slot, 0) or move != "finish":
                raise Broken(f"{slot} succeeds a second time")
            self.successes[slot] = self.successes.get(slot, 0) + 1
        if bool(after.owner) != bool(after.lease_until) or (after.owner and after.status not in ("due", "running")):
            raise Broken(f"{move} of {slot} leaves {after}")
        self._note(slot, before, after, move)

    def _note(self, slot: tuple[str, str], before: Slot, after: Slot, move: str) -> None:
        if before.owner != after.owner:
            self.owned.get(before.owner, {}).pop(slot, None)
            if after.owner:
                self.owned.setdefault(after.owner, {})[slot] = None
        if move == "claim":
            self.holder[slot] = self.by
        elif after.status != "running":
            self.holder.pop(slot, None)
        self.slots[slot[0]][slot[1]] = after

    def _may_take(self, slot: tuple[str, str], owner: str, move: str) -> None:
        """Only a runner that is gone, or was not awake to look after its lease, loses its slots."""
        victim = self.world.everybody[owner]
        if move != "interrupt":
            raise Broken(f"{move} of {slot} by {self.by}, though {victim} has it")
        if victim.is_alive and not victim.has_slept:
            raise Broken(f"{self.by} takes {slot} from {victim}, which is at work")

    def _may_skip(self, name: str, each) -> None:
        catch_up = TASKS[name].catch_up
        slot = self.slots[name][each.key]
        late = each.due_at < iso(self.world.now - timedelta(hours=1))
        newer = any(key > each.key and self.due_at[name, key] <= self.world.now_text for key in self.slots[name])
        allowed = (catch_up == "latest" and newer) or (catch_up == "none" and late)
        if not allowed or (slot.attempts and self.was[name, each.key] == "due"):
            raise Broken(f"{name} {each.key} is left out: {each.skip}")


class World:
    """The machine: its clock, its locks, its processes."""

    def __init__(self, count: int, *, names=NAMES, paper: type[Paper] = Paper, flaws=()) -> None:
        self.names = names
        self.flaws = flaws  # ways to do it that were found wanting
        self.true = START
        self.ahead = timedelta()
        self._latest: dict[str, tuple[str, str]] = {}
        self.set_clock()
        self.locks: dict[int, Process] = {}
        self.everybody: dict[str, Process] = {}
        self.too_old: list[tuple[str, str, str]] = []  # too many to catch up: what lies between two keys
        self.expected: dict[str, set[str]] = {name: set() for name in STEP}
        self.table = paper(self)
        self.count = 0
        self.places: list[Process] = []
        for _ in range(count):
            process = Process(0)
            process.is_alive = False
            self.places.append(process)

    # time

    def set_clock(self) -> None:
        self.now = self.true + self.ahead
        self.now_text = iso(self.now)
        self._later: dict[float, str] = {}

    def pass_by(self, seconds: float) -> None:
        self.true += timedelta(seconds=seconds)
        self.set_clock()

    def later(self, seconds: float) -> str:
        if seconds not in self._later:
            self._later[seconds] = iso(self.now + timedelta(seconds=seconds))
        return self._later[seconds]

    @property
    def lease(self) -> str:
        return self.later(machine.LEASE_SECONDS)

    @property
    def renew_at(self) -> str:
        return self.later(machine.RENEW_SECONDS)

    def latest(self, name: str) -> str:
        """The key of the newest slot that is due by now."""
        if name not in STEP:
            return self.now_text
        if name not in self._latest or self._latest[name][0] != self.now_text[:16]:
            self._latest[name] = self.now_text[:16], due.latest_key(TASKS[name], self.now)
        return self._latest[name][1]

    # what a schedule says

    def act(self, number: int) -> None:
        """One number of a schedule."""
        place = number % len(self.places)
        deed = DEEDS[number // 8 % len(DEEDS)]
        deed(self, place, number // (8 * len(DEEDS)))

    def step(self, place: int, luck: int) -> None:
        """Let a process make its next transaction; where there is none, one starts."""
        process = self.places[place]
        if not process.is_alive:
            process = self.places[place] = self.started(luck)
        if process.is_suspended:
            return
        self.go_on(process, luck)

    def rush(self, place: int, luck: int) -> None:
        """Several transactions of one process, undisturbed."""
        for _ in range(2 + luck % 4):
            self.step(place, luck)

    def oversleep(self, place: int, luck: int) -> None:
        """A process is suspended for longer than its lease."""
        process = self.places[place]
        process.is_suspended = process.has_slept = True
        self.pass_by(machine.LEASE_SECONDS + 1 + luck)

    def go_on(self, process: Process, luck: int) -> None:
        self.table.by = process
        try:
            process.life.send(luck)
        except StopIteration:
            self.leave(process)

    def started(self, luck: int) -> Process:
        name = self.names[luck % len(self.names)]
        order, luck = Order(), luck // len(self.names)
        kind, luck = luck % 8, luck // 8
        if kind == 0:
            order = Order(force=True)
        elif kind == 1 and name == "asked":
            order = Order(key="ab"[luck % 2], force=luck // 2 % 2 == 0)
        elif kind == 1:
            until = due.add_days(self.now_text[:10], luck % 2)
            order = Order(since=due.add_days(until, -1 - luck // 2 % 2), until=until, force=luck // 4 % 2 == 0)
        elif kind == 3:
            rows = self.table.slots[name]
            again = [key for key in sorted(rows) if rows[key].status in ("failed", "skipped")][-1 - luck % 2 :]
            order = Order(keys={name: again}, force=luck // 2 % 4 == 0)
        elif kind > 5 and name in STEP:
            order = Order(enabled_at={})  # a tick
        return self.start({name, self.names[luck % len(self.names)]} if kind == 2 else {name}, order)

    def start(self, names, order: Order) -> Process:
        self.count += 1
        process = Process(self.count)
        process.is_explicit = not all(map(order.leaves_it_to, names))
        process.may_redo = order.force
        process.life = life(self, process, sorted(set(names)), order)
        process.life.send(None)
        return process

    def crash(self, place: int, luck: int) -> None:
        """kill -9: the lock is free, nothing more is written."""
        if self.places[place].is_alive:
            self.leave(self.places[place])

    def stop(self, place: int, luck: int) -> None:
        """A signal: it gives its slots back, and ends."""
        process = self.places[place]
        if process.is_alive and not process.is_suspended:
            self.table.by = process
            self.table.interrupt(process.owner)
            self.leave(process)

    def leave(self, process: Process) -> None:
        process.is_alive = False
        self.locks.pop(process.number, None)

    def suspend(self, place: int, luck: int) -> None:
        """It is stopped, or continues."""
        process = self.places[place]
        process.is_suspended = not process.is_suspended
        process.has_slept = process.has_slept or process.is_suspended

    def wait(self, place: int, luck: int) -> None:
        """Time goes by: for everyone, as on a machine that sleeps."""
        self.pass_by((1, 40, 60, 200, 1000, 3600, 6 * 3600, 30 * 3600)[luck % 8])

    def jump(self, place: int, luck: int) -> None:
        """Somebody sets the clock."""
        jumps = (-1 / 60, -1, 1, -26, 26, 87_660, -87_660)
        self.ahead = timedelta() if luck % 8 == 7 else self.ahead + timedelta(hours=jumps[luck % 8])
        self.set_clock()

    # what processes do

    def let_turn(self, waiting: Process) -> None:
        """A moment of patience: whoever is not stopped looks after its lease in the meantime."""
        self.pass_by(machine.PATIENCE_SECONDS)
        for process in self.places:
            if process.is_alive and not process.is_suspended and process is not waiting:
                self.table.by = process
                self.turn(process)
        self.table.by = waiting

    def turn(self, process: Process) -> None:
        """What comes first in every transaction: the lease, when its time has come."""
        process.has_slept = False
        if "no renewal" in self.flaws:
            return
        if process.has_list and (self.now_text >= process.renew_at or process.renew_at > self.renew_at):
            self.table.renew(process.owner, lease_until=self.lease)
            process.renew_at = self.renew_at

    def take_lock(self, process: Process) -> None:
        if not process.number:
            process.number = next(number for number in range(1, 1000) if number not in self.locks)
            process.owner = f"{process.number}.{process.nth}"
            self.locks[process.number] = process
            self.everybody[process.owner] = process

    def is_gone(self, owner: str) -> bool:
        """Whether a lock is free, or held by another: the file says by whom."""
        holder = self.locks.get(int(owner.partition(".")[0]))
        return holder is None or (holder.owner != owner and "nameless lock" not in self.flaws)

    def bury(self, me: Process, seen: dict[str, str], dead=None) -> dict[str, str]:
        """Close what the dead have left; the runners that seem to be gone, with the leases that are over."""
        late = {}
        for owner, (lease, _) in self.table.owners().items():
            if owner == me.owner:
                continue
            is_gone = self.is_gone(owner) if dead is None else owner in dead
            state = machine.judge(
                lease,
                lock_is_free=is_gone or int(owner.partition(".")[0]) == me.number,
                now=self.now_text, farthest=self.later(2 * machine.LEASE_SECONDS), seen=seen.get(owner),
            )  # fmt: skip
            if state == "gone":
                self.table.interrupt(owner)
            elif state == "late":
                late[owner] = lease
        return late

    def plan(self, names, order: Order):
        """What `Planner` makes of an order, for tasks that come after nothing."""
        runs, left_out, overtaken = [], [], []
        for name in names:
            task = TASKS[name]
            latest = self.latest(name)
            known = self.table.known(task, order, latest=latest)
            dues = due.due_slots(task, known, now=self.now, order=order)
            runs += [(name, each) for each in dues if not each.skip]
            left_out += [(name, each) for each in dues if each.skip]
            later = due.overtaken(task, known, dues, latest=latest, now=self.now, order=order)
            overtaken += [(name, each) for each in later]
            if order.leaves_it_to(name):
                self.no_doubles(name, dues, known)
        return runs, left_out, overtaken

    def no_doubles(self, name: str, dues, known: Known) -> None:
        """Nothing is due before its time, nor under two keys."""
        if name == "asked":
            unfinished = [key for key, slot in self.table.slots[name].items() if slot.status in ("due", "failed")]
            if len(dues) != 1 or (unfinished and dues[0].key not in unfinished):
                raise Broken(f"{dues} of {name} are due, though {unfinished} are unfinished")
            return
        moments = {moment_of(each.key) for each in dues}
        if len(moments) != len(dues) or any(key_of(name, moment_of(each.key)) != each.key for each in dues):
            raise Broken(f"{name} is due twice: {dues}")
        if any(each.due_at > self.now_text for each in dues):
            raise Broken(f"{name} is due before its time: {dues}")

    def busy(self, me: Process, names) -> dict[str, str]:
        """Tasks that another runner has. Whoever is dead was buried a moment ago."""
        found = {}
        for owner, (_, tasks) in self.table.owners().items():
            if owner != me.owner:
                found.update(dict.fromkeys(tasks & set(names), owner))
                if not self.everybody[owner].is_alive and tasks & set(names):
                    raise Broken(f"{me} is told that {tasks} is running, but {self.everybody[owner]} is dead")
        return found

    def ask_to_cancel(self, name: str, owner: str) -> None:
        held = self.table.owned[owner]
        running = {slot for slot in held if slot[0] == name and self.table.slots[name][slot[1]].status == "running"}
        self.table.cancelled |= running

    def expect(self, name: str, wished) -> None:
        """What a look at a task makes due: its slots since the last look, or at first its latest; those wished anyway.

        Whoever wishes for a later slot has looked at all before it.
        """
        if name not in STEP:
            return
        latest = self.latest(name)
        newest = latest if wished is None else max((key for key in wished if key <= latest), default="")
        looked_at = max((key for key in self.expected[name] if key <= latest), default="")
        ahead = min((key for key in self.table.slots[name] if key > latest), default="")
        if ahead:  # of a clock that was set back: who sleeps until after that slot takes those before it for done
            self.too_old.append((name, latest, ahead))
        if not looked_at or newest <= looked_at:
            self.expected[name].update([newest] if wished is None else wished)
            return
        moment = moment_of(newest)
        for _ in range(CAUGHT_UP):
            key = key_of(name, moment)
            if key <= looked_at:
                break
            self.expected[name].add(key)
            moment -= timedelta(hours=STEP[name])
        else:
            self.too_old.append((name, looked_at, key))


def moment_of(key: str) -> datetime:
    return datetime.fromisoformat(key.rstrip("Z"))


def key_of(name: str, moment: datetime) -> str:
    return moment.isoformat()[:10] if STEP[name] == 24 else moment.isoformat()[:16] + "Z"


def life(world: World, me: Process, names, order: Order):
    """A runner from its first transaction to its last: `Runner._take`, then what `Loop` does with each run."""
    yield
    plan = yield from take(world, me, names, order)
    for name, each in plan or ():
        luck = yield
        world.turn(me)
        if luck % 16 == 15 and not me.is_lucky:  # a limit leaves no room
            world.table.release(name, each.key, owner=me.owner)
            continue
        held = world.table.slots[name][each.key]
        try:
            epoch = world.table.claim(name, each.key, owner=me.owner, lease_until=world.lease)
        except FencedError:
            if held.owner == me.owner:
                raise Broken(f"{me} may not claim {name} {each.key}, which it has") from None
            continue
        yield from work(world, me, (name, each.key), epoch)
    if world.table.owned.get(me.owner):
        raise Broken(f"{me} ends, and still has {world.table.owned[me.owner]}")


def take(world: World, me: Process, names, order: Order):
    """All slots of a plan or none; the runs to be made, None where another runner has a task."""
    world.take_lock(me)
    yield
    seen: dict[str, str] = {}
    while True:
        dead = None
        if "early look" in world.flaws:
            dead = {owner for owner in world.table.owners() if world.is_gone(owner)}
            yield
        seen = world.bury(me, seen, dead)
        if seen:
            world.let_turn(me)
        else:
            is_over, runs = enlisted(world, me, names, order)
            if is_over:
                return runs
            world.pass_by(LONGEST_POLL_SECONDS)
        yield


def enlisted(world: World, me: Process, names, order: Order):
    """In the transaction that has buried the dead: (whether there is nothing to wait for, the runs to be made)."""
    runs, left_out, overtaken = world.plan(names, order)
    busy = {} if "blind" in world.flaws else world.busy(me, names)
    if not busy:
        if not enlist(world, me, runs, left_out, overtaken):
            return True, None
        for name in names:
            wished = None if order.leaves_it_to(name) else [each.key for of, each in runs if of == name]
            world.expect(name, wished)
        return True, runs
    for name, owner in busy.items():
        if TASKS[name].overlap == "replace":
            world.ask_to_cancel(name, owner)
    return any(TASKS[name].overlap == "skip" for name in busy), None


def enlist(world: World, me: Process, runs, left_out, overtaken) -> bool:
    """All or none. They are refused to nobody who has looked first."""
    table = world.table
    try:
        for name, each in [*runs, *left_out]:
            machine.enlist(table.slots[name].get(each.key), owner=me.owner, lease_until=world.lease)
    except FencedError as error:
        if "blind" in world.flaws:
            return False
        raise Broken(f"{me} may not have what nobody had: {error}") from error
    for name, each in runs:
        table.enlist(name, (each,), owner=me.owner, lease_until=world.lease)
    for name, each in left_out:
        table.leave_out(name, each, owner=me.owner, lease_until=world.lease)
    for name, each in overtaken:
        table.notice(name, (each,))
    me.has_list = True
    me.renew_at = world.renew_at
    return True


def work(world: World, me: Process, slot: tuple[str, str], epoch: int):
    """One run: attempts of one or more writes each."""
    table = world.table
    tries = TASKS[slot[0]].retries
    luck = yield
    while True:
        for _ in range(luck % 3):
            world.turn(me)
            if not fenced(world, me, slot, lambda: table.check(*slot, epoch=epoch)):
                return
            luck = yield
        world.turn(me)
        fate = 7 if me.is_lucky else luck // 3 % 8
        if slot in table.cancelled:
            end(world, me, slot, epoch, "skipped")
            return
        if fate > 1 or not tries:
            end(world, me, slot, epoch, "success" if fate > 1 else "failed")
            return
        tries -= 1
        if not fenced(world, me, slot, lambda: table.check(*slot, epoch=epoch)):  # the failed attempt is noted
            return
        luck = yield
        world.turn(me)
        if not fenced(world, me, slot, lambda: table.attempt(*slot, epoch=epoch)):
            return
        luck = yield


def end(world: World, me: Process, slot: tuple[str, str], epoch: int, status: str) -> None:
    fenced(world, me, slot, lambda: world.table.finish(*slot, epoch=epoch, status=status))


def fenced(world: World, me: Process, slot: tuple[str, str], write) -> bool:
    """Whether a write is taken. It has to be, if and only if the run still has its slot."""
    is_rightful = world.table.holder.get(slot) is me
    try:
        write()
    except FencedError:
        if is_rightful:
            raise Broken(f"{me} is refused a write of {slot}, which it has") from None
        return False
    if not is_rightful:
        raise Broken(f"a write of {slot} by {me} is taken, though it has lost it")
    return True


DEEDS = (
    *([World.step] * 14), *([World.rush] * 6), World.crash, World.crash, World.stop, *([World.suspend] * 4),
    World.oversleep, World.oversleep, World.wait, World.wait, World.jump,
)  # fmt: skip


def play(schedule, *, paper: type[Paper] = Paper, flaws=()) -> World:
    """Live through a schedule, and then come to rest. Raises Broken."""
    first = schedule[0] if schedule else 0
    count, first = 2 + first % 7, first // 7
    some = first % len(NAMES)
    names = NAMES if first % 4 == 0 else (NAMES * 2)[some : some + first % 4]
    world = World(count, names=names, paper=paper, flaws=flaws)
    for number in schedule[1:]:
        world.act(number)
    come_to_rest(world, first // 4)
    return world


def come_to_rest(world: World, luck: int) -> None:
    """Some are killed, the others suspended; time goes by; one last look at every task; then all wake up and end."""
    for place, process in enumerate(world.places):
        if luck >> place & 1:
            world.crash(place, 0)
        process.is_suspended = process.has_slept = True
    if luck // 8 % 4:
        world.ahead = timedelta()
    world.pass_by(4 * machine.LEASE_SECONDS)
    if any(lease >= world.now_text for lease, _ in world.table.owners().values()):  # the clock was set back meanwhile
        world.pass_by(4 * machine.LEASE_SECONDS)
    for name in world.names:
        for _ in range(20):
            run_to_its_end(world, world.start({name}, Order()))
            if not any(slot.status in ("due", "failed") for slot in world.table.slots[name].values()) or name in STEP:
                break
    settled(world)
    for process in world.places:
        if process.is_alive:
            process.is_suspended = False
            run_to_its_end(world, process)
    settled(world)


def run_to_its_end(world: World, process: Process) -> None:
    process.is_lucky = True
    for _ in range(1000):
        world.go_on(process, 0)
        if not process.is_alive:
            return
    raise Broken(f"{process} does not come to its end")


def settled(world: World) -> None:
    """After an undisturbed run of every task nothing is under way, and nothing is lost."""
    table = world.table
    for name, rows in table.slots.items():
        latest = world.latest(name)
        for key, slot in rows.items():
            is_later = name in STEP and key > latest  # of a clock that was ahead
            if slot.owner or slot.status == "running" or (slot.status == "due" and not is_later):
                raise Broken(f"{name} {key} is left as {slot}")
            if (slot.status == "success") != (table.successes.get((name, key), 0) > table.redone.get((name, key), 0)):
                raise Broken(f"{name} {key} is {slot.status} after {table.successes.get((name, key), 0)} successes")
        if name in STEP:
            for key in sorted(world.expected[name]):
                if key <= latest and not any(name == of and old < key < new for of, old, new in world.too_old):
                    accounted(world, name, key, is_latest=key == latest)


def accounted(world: World, name: str, key: str, *, is_latest: bool) -> None:
    """A slot that has been due was not lost."""
    slot = world.table.slots[name].get(key)
    status = slot.status if slot else "never heard of"
    catch_up = TASKS[name].catch_up
    must = catch_up == "all" or (catch_up == "latest" and is_latest)
    if (name, key) in world.table.cancelled and status in ("skipped", "success"):
        return
    if status == "skipped" and catch_up == "latest" and max(world.table.slots[name]) > key:
        return  # what stands for it was due by a clock that was ahead
    if status not in (("success",) if must else ("success", "skipped", "failed")):
        raise Broken(f"{name} {key} is {status}")


def hurry(patch) -> None:
    """Make `due` soon reach its limit, and remember what it has computed before: `patch` is setattr or pytest's."""
    keys_since, slot_of = lru_cache(5000)(due.keys_since), lru_cache(5000)(due.slot_of)

    def copied(task: Task, key: str, *, now: datetime):
        if task.is_adhoc:
            return slot_of.__wrapped__(task, key, now=now)
        found = slot_of(task, key, now=START)
        return due.Due(key, due_at=found.due_at, window=found.window)

    patch(due, "MOST_CAUGHT_UP", CAUGHT_UP)
    patch(due, "is_key", lru_cache(5000)(due.is_key))
    patch(due, "slot_of", copied)
    patch(due, "keys_since", keys_since)


def schedule_of(seed: int, number: int) -> list[int]:
    """The n-th schedule of a seed."""
    chance = random.Random(f"{seed}/{number}")
    return [chance.randrange(NUMBERS) for _ in range(chance.choice(LENGTHS))]


def shortest(schedule, fails) -> list[int]:
    """A schedule that still fails, and would not without any of its numbers."""
    schedule = list(schedule)
    size = len(schedule) // 2 or 1
    while size:
        start = 0
        while start < len(schedule):
            tried = schedule[:start] + schedule[start + size :]
            if fails(tried):
                schedule = tried
            else:
                start += size
        size //= 2
    return schedule


def tell(schedule) -> None:
    """Play a schedule aloud, for whoever wants to see what went wrong in it."""
    put, start = Paper._put, World.start

    def told_put(self, name, key, after, move):
        print(f"  {self.world.now_text} {self.by} {move}: {name} {key} {after}")  # noqa: T201 (what it is for)
        put(self, name, key, after, move)

    def told_start(self, names, order):
        process = start(self, names, order)
        told = [f"{word} {getattr(order, word)}" for word in ("force", "key", "since", "until") if getattr(order, word)]
        print(f"  {self.now_text} {process} starts: {', '.join(sorted(names))} {', '.join(told)}")  # noqa: T201 (what it is for)
        return process

    Paper._put, World.start = told_put, told_start
    hurry(setattr)
    play(schedule)


if __name__ == "__main__":
    tell([int(number) for number in sys.argv[1:]])
