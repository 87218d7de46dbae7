"""Does what is due: takes the slots, lets worker threads do the work, and commits what they hand over, all in one place.

The calling thread is the only one that touches the database. It works in turns: what the threads have handed over since
the last turn, and the claims of what may begin now, go into one transaction; then they are told. No transaction is open
while anyone waits for the network or for a process.
"""

from __future__ import annotations

from heapq import heappop, heappush
from queue import Empty, SimpleQueue
from threading import Thread

from . import lock, machine
from .bodies import Printed, Work, run_body
from .clock import iso
from .desk import Desk, Refusal
from .errors import (
    AgentOSError,
    BusyError,
    ConfigError,
    FencedError,
    KeyRefusedError,
    PermanentError,
    ResourceError,
    Stopped,
    TransientError,
    out_of_memory,
    sentence,
)
from .plan import Planner, Unit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from typing import Any, Optional

    from .due import Order
    from .home import Home
    from .lock import RunnerLock
    from .plan import Plan
    from .progress import Progress

HEARD_EVERY_SECONDS = 0.5  # how long a signal, a request to cancel, or a lease may go unnoticed
GRACE_SECONDS = 6.5  # for processes to be ended (5 s) and threads to leave, once the program has been asked to stop
THREAD_SECONDS = 2.0  # the same where only threads are at work, which nobody can end
LONGEST_BACKOFF_SECONDS = 3600.0
AGAIN = "nothing of that window was stored; the next run asks again"
_THREADS = "raise the limit of processes or memory (ulimit -u, ulimit -v) and start again"


class Setup:
    """What a runner is given: the tasks and what belongs to them, and how it may work."""

    def __init__(  # noqa: PLR0913 (put together in one place, all by name)
        self,
        tasks: Mapping[str, Any],
        *,
        collectors: Mapping[str, Any],
        cost_limits: Optional[Mapping[str, Callable[..., Any]]] = None,
        limits: Optional[Mapping[str, int]] = None,
        outboxes: Optional[Mapping[str, Any]] = None,
        hosts: Optional[Mapping[str, Sequence[str]]] = None,
        jobs: int = 8,
    ) -> None:
        self.tasks = tasks
        self.collectors = collectors
        self.cost_limits = cost_limits or {}
        self.limits = limits or {}
        self.outboxes = outboxes or {}
        self.hosts = hosts or {}
        self.jobs = jobs


class Runner:
    """Runs tasks of one home. Used once."""

    def __init__(self, home: Home, setup: Setup, *, progress: Progress, chance: Callable[[], float]) -> None:
        self._home = home
        self._clock = home.clock
        self._log = home.log
        self._setup = setup
        self._progress = progress
        self._chance = chance
        self._desk = Desk(home, setup)
        self._planner = Planner(
            setup.tasks, setup.collectors, home=home, store=home.store(write=True), slots=self._desk.slots
        )
        self._events: SimpleQueue[tuple[str, Unit, Any, Optional[SimpleQueue[Any]]]] = SimpleQueue()
        self._todo: SimpleQueue[Optional[tuple[Unit, Work]]] = SimpleQueue()
        self._unanswered: set[SimpleQueue[Any]] = set()
        self._threads: list[Thread] = []
        self._units: list[Unit] = []
        self._waits_for: dict[Unit, int] = {}
        self._followers: dict[Unit, list[Unit]] = {}
        self._ready: list[Unit] = []
        self._active: dict[Unit, _Active] = {}
        self._retries: list[tuple[float, int, Unit]] = []
        self._is_stopping = False
        self._began = 0.0

    # one invocation

    def run(self, targets: Collection[str], order: Order, *, began_at: str) -> list[Unit]:
        """Do what is due of these tasks and of what they come after; what came of each run.

        Raises BusyError when a task is running elsewhere, and whatever the database raises; a task that fails does not
        raise.
        """
        runner_lock = lock.RunnerLock(self._home.db_path, clock=self._clock)
        runner_lock.acquire()
        try:
            self._desk.owner = runner_lock.owner
            plan = self._take(targets, order, began_at, runner_lock)
            try:
                self._work(plan.units)
                self._empty_outboxes(order)
            except BaseException as error:
                self._abandon(error)
                raise
            finally:
                self._dismiss()
        finally:
            runner_lock.release()
        return self._units

    def _take(
        self, targets: Collection[str], order: Order, began_at: str, runner_lock: RunnerLock
    ) -> Plan:
        """Close what the dead have left, and have all slots of the plan or none. Waits where the overlap policy says so."""
        patient: set[str] = set()
        asked: set[str] = set()
        while True:
            gone = self._gone(patient)
            with self._desk.db.atomic():
                for run_id in self._desk.bury(gone, number=runner_lock.number):
                    self._log.warning(
                        "run.interrupted", "an earlier run was interrupted; what it had to do is due again", run=run_id
                    )
                plan = self._planner.plan(targets, order, began_at=began_at)
                busy = self._desk.busy({unit.task.name for unit in plan.units if not unit.disabled})
                if not busy:
                    self._desk.enlist(plan, order, targets)
                else:
                    self._refuse_overlap(busy, targets, asked)
            if not busy:
                for remark in plan.remarks:
                    self._log.info("plan.remark", remark)
                return plan
            self._clock.sleep(HEARD_EVERY_SECONDS)

    def _gone(self, patient: set[str]) -> set[str]:
        """The runners that are gone: their lock is free, or their lease is over and stays so while one waits a moment."""
        gone, late = self._desk.judge(patient)
        if late - patient:
            self._clock.sleep(machine.PATIENCE_SECONDS)
            patient |= late
            gone, _ = self._desk.judge(patient)
        return gone

    def _refuse_overlap(self, busy: Mapping[str, str], targets: Collection[str], asked: set[str]) -> None:
        """Raise BusyError where the policy of a target says so; else ask whoever has it to end, or just wait."""
        for name in sorted(busy):
            policy = self._setup.tasks[name].overlap if name in targets else "queue"
            if policy == "skip":
                holder = lock.holder(self._home.db_path, busy[name])
                raise BusyError(
                    f"{name} is already running" + (f" ({holder})" if holder else ""),
                    hint="nothing was done; what is due is done by that run, or by the next one",
                )
            if policy == "replace":
                self._desk.ask_to_cancel(name, busy[name])
            if name not in asked:
                asked.add(name)
                self._log.info("run.waits", f"{name} is running elsewhere; waiting for it to end", task=name)

    # the loop

    def _work(self, units: Sequence[Unit]) -> None:
        """Do these units, each when what it comes after is done."""
        self._began = self._clock.monotonic()
        self._units += units
        self._progress.begin(sum(1 for unit in self._units if not unit.status))
        for unit in units:
            self._waits_for[unit] = len(unit.after)
            for before in unit.after:
                self._followers.setdefault(before, []).append(unit)
        for unit in units:
            if unit.status:
                self._settle(unit)
        self._ready += [unit for unit in units if not unit.status and not self._waits_for[unit]]
        if any(not unit.status for unit in units):
            from .archive import preload

            preload()  # the file may be replaced by a newer one while we work
        while self._ready or self._active or self._retries:
            self._turn()

    def _turn(self) -> None:
        """One transaction: what was handed over, and the claims of what may begin. Then everyone is told."""
        events = self._gather()
        told: list[Callable[[], None]] = []
        starts = self._startable()
        due_retries = self._due_retries()
        if events or starts or due_retries or self._desk.is_renewal_due():
            with self._desk.db.atomic():
                if self._desk.is_renewal_due():
                    self._desk.renew()
                for kind, unit, what, answer in events:
                    told.append(self._take_event(kind, unit, what, answer))
                for unit in due_retries:
                    told.append(self._claim(unit, is_retry=True))
                for unit in starts:
                    told.append(self._claim(unit))
        for tell in told:
            tell()
        self._progress.tick()

    def _gather(self) -> list[tuple[str, Unit, Any, Optional[SimpleQueue[Any]]]]:
        """What the threads have handed over; waits for the first when there is nothing else to do."""
        events = []
        try:
            while True:
                events.append(self._events.get(block=False))
        except Empty:
            pass
        if events or (self._ready and self._has_room()):
            return events
        try:
            events.append(self._events.get(timeout=self._patience()))
        except Empty:
            self._look_around()
        return events

    def _patience(self) -> float:
        left = self._retries[0][0] - self._clock.monotonic() if self._retries else HEARD_EVERY_SECONDS
        return max(0.001, min(HEARD_EVERY_SECONDS, left))

    def _look_around(self) -> None:
        """Between two turns: has anyone asked for the end of a run?"""
        for run_id in self._desk.cancelled():
            for unit, active in self._active.items():
                if unit.run_id == run_id and not active.is_cancelled:
                    active.is_cancelled = True
                    active.abort()
            for _, _, unit in self._retries:
                if unit.run_id == run_id:
                    self._events.put(("end", unit, Cancelled(), None))

    def _has_room(self) -> bool:
        return len(self._active) < self._setup.jobs

    def _startable(self) -> list[Unit]:
        """Ready units for which there is room: in threads, and in every limit that they name."""
        room = self._setup.jobs - len(self._active)
        if room <= 0 or not self._ready:
            return []
        chosen: list[Unit] = []
        waiting: list[Unit] = []
        used: dict[str, int] = {}
        for position, unit in enumerate(self._ready):
            if len(chosen) == room:
                waiting += self._ready[position:]
                break
            if self._desk.has_room(unit, used):
                chosen.append(unit)
            else:
                waiting.append(unit)
        self._ready = waiting
        return chosen

    def _due_retries(self) -> list[Unit]:
        """Units whose next attempt is due and for which there is room; the others get in line."""
        due: list[Unit] = []
        now = self._clock.monotonic()
        while self._retries and self._retries[0][0] <= now and len(self._active) + len(due) < self._setup.jobs:
            due.append(heappop(self._retries)[2])
        return due

    # what a turn does

    def _claim(self, unit: Unit, *, is_retry: bool = False) -> Callable[[], None]:
        """Inside the transaction: give a unit its slot. The answer is what to do once that is committed."""
        blocked = "" if is_retry else (unit.blocked or _blocked_by(unit))
        if blocked:
            self._desk.skip(unit, blocked)
            return lambda: self._end(unit, "skipped", blocked)
        try:
            work = self._desk.next_attempt(unit) if is_retry else self._desk.claim(unit)
        except Refusal as refusal:
            self._desk.skip(unit, refusal.message)
            reason = refusal.message
            return lambda: self._park(unit, reason)
        except FencedError as error:
            lost = error
            return lambda: self._fail(unit, lost)
        return lambda: self._start(unit, work)

    def _take_event(
        self, kind: str, unit: Unit, what: Any, answer: Optional[SimpleQueue[Any]]
    ) -> Callable[[], None]:
        """Inside the transaction: do what a thread has asked for. The answer is what to tell it afterwards."""
        if kind == "call" and answer is not None:
            operation, given = what
            value: Any
            try:
                value = self._desk.do(unit, operation, given)
            except (FencedError, PermanentError) as error:
                value = error
            waiting = answer

            def reply() -> None:
                self._unanswered.discard(waiting)
                waiting.put(value)

            return reply
        return self._take_end(unit, what)

    def _take_end(self, unit: Unit, what: Any) -> Callable[[], None]:
        """Inside the transaction: a body has come to its end."""
        active = self._active.get(unit)
        unit.output = what.output if isinstance(what, Printed) else getattr(what, "output", "")
        error = what.error if isinstance(what, Printed) else what if isinstance(what, BaseException) else None
        if active and active.is_cancelled:
            error = Cancelled()
        try:
            if error is None:
                self._desk.succeed(unit, what)
                value = what.value
                return lambda: self._succeed(unit, value)
            wait = self._wait_of(unit, error)
            if wait is not None:
                self._desk.await_retry(unit, _why(error), wait)
                return lambda: self._await_retry(unit, error, wait)
            self._desk.fail(unit, error=_why(error), hint=hint_of(error), is_cancelled=isinstance(error, Cancelled))
        except (FencedError, PermanentError) as refused:
            lost = refused
            if isinstance(lost, PermanentError) and not isinstance(lost, FencedError):
                self._desk.fail(unit, error=_why(lost), hint=hint_of(lost), is_cancelled=False)
            return lambda: self._fail(unit, lost)
        failure = error
        return lambda: self._fail(unit, failure)

    def _wait_of(self, unit: Unit, error: BaseException) -> Optional[float]:
        """For how long to wait before another attempt; None when there will be none."""
        hopeless = (PermanentError, ConfigError, FencedError, Stopped, Cancelled)
        if self._is_stopping or unit.attempt > unit.task.retries or isinstance(error, hopeless):
            return None
        doubled: float = unit.task.backoff_seconds * 2.0 ** min(unit.attempt - 1, 30)
        wait = min(doubled, LONGEST_BACKOFF_SECONDS) * (1 - 0.25 * self._chance())
        asked = (error.retry_after if isinstance(error, TransientError) else None) or 0.0
        return None if asked > LONGEST_BACKOFF_SECONDS else max(wait, asked)

    # what follows a turn

    def _start(self, unit: Unit, work: Work) -> None:
        """The claim is committed: hand the unit to a thread."""
        active = self._active[unit] = _Active(self._clock.monotonic(), work)
        work.call = lambda operation, **given: self._call(unit, operation, given)
        work.stopped = lambda: self._is_stopping or active.is_cancelled
        if len(self._threads) < min(self._setup.jobs, len(self._active) + self._lost_threads()):
            thread = Thread(target=self._serve, name=f"worker-{len(self._threads) + 1}", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                raise ResourceError(f"no thread can be started: {error}", hint=_THREADS) from error
            self._threads.append(thread)
        self._progress.started(unit.label)
        self._todo.put((unit, work))

    def _lost_threads(self) -> int:
        return 0

    def _succeed(self, unit: Unit, value: Any) -> None:
        unit.value = value
        self._end(unit, "success" if unit.status != "failed" else "failed", unit.error)

    def _await_retry(self, unit: Unit, error: BaseException, wait: float) -> None:
        self._active.pop(unit, None)
        heappush(self._retries, (self._clock.monotonic() + wait, id(unit), unit))
        self._log.info(
            "run.retry", f"{unit.label}: {_why(error)}; trying again in {wait:.1f} s", task=unit.task.name,
            run=unit.run_id, attempt=unit.attempt,
        )  # fmt: skip
        self._progress.waiting(unit.label, wait, _why(error))

    def _park(self, unit: Unit, reason: str) -> None:
        self._log.warning("run.parked", f"{unit.label} was not begun: {reason}", task=unit.task.name)
        self._end(unit, "skipped", reason)

    def _fail(self, unit: Unit, error: BaseException) -> None:
        if isinstance(error, MemoryError):
            error = out_of_memory()
        unit.cause = error
        unit.hint = hint_of(error)
        self._log.error(
            "run.failed", sentence(f"{unit.label}: {_why(error)}" if not unit.collector else _why(error), unit.hint),
            task=unit.task.name, run=unit.run_id,
        )  # fmt: skip
        trace = _trace(error)
        if trace:
            self._log.debug("run.traceback", _why(error), task=unit.task.name, run=unit.run_id, traceback=trace)
        self._end(unit, "failed", _why(error))

    def _end(self, unit: Unit, status: str, error: str) -> None:
        """A unit is over: tell about it, and let what comes after it be done or skipped."""
        active = self._active.pop(unit, None)
        unit.status, unit.error = status, error
        unit.seconds = self._clock.monotonic() - active.began if active else 0.0
        unit.requests = unit.collector.requests if unit.collector else 0
        self._progress.ended(unit.label, status, error, unit.seconds)
        self._log.debug(
            "run.finished", f"{unit.label}: {status}", task=unit.task.name, run=unit.run_id, reason=error
        )
        for note in unit.notes:  # not a warning: it is so every day, and cron would mail it
            self._log.info("run.note", f"{unit.provider}: {note}", task=unit.task.name, run=unit.run_id)
        self._settle(unit)

    def _settle(self, unit: Unit) -> None:
        for follower in self._followers.pop(unit, ()):
            self._waits_for[follower] -= 1
            if not self._waits_for[follower] and not follower.status:
                self._ready.append(follower)

    def _empty_outboxes(self, order: Order) -> None:
        """Send what waits. What a sender does changes nothing about how the other tasks ended."""
        due = self._desk.outboxes_due() & set(self._setup.outboxes)
        if not due:
            return
        units = []
        with self._desk.db.atomic():
            for name in sorted(due):
                units += self._desk.enlist_outbox(name)
        self._work(units)

    # threads

    def _serve(self) -> None:
        """The life of a worker thread."""
        while True:
            given = self._todo.get()
            if given is None:
                return
            unit, work = given
            try:
                end: Any = run_body(work)
            except BaseException as error:  # noqa: BLE001 (the run boundary: a fault of one task is its own)
                end = error
            self._events.put(("end", unit, end, None))
            del given, unit, work, end

    def _call(self, unit: Unit, operation: str, given: Mapping[str, Any]) -> Any:
        """In a worker thread: have the writer do something, and wait until it is committed."""
        if operation == "progress":
            self._progress.update(unit.label, str(given["detail"]))
            return None
        if self._is_stopping:
            raise TransientError(f"{unit.label} was stopped")
        answer: SimpleQueue[Any] = SimpleQueue()
        self._unanswered.add(answer)
        self._events.put(("call", unit, (operation, given), answer))
        value = answer.get()
        if isinstance(value, BaseException):
            raise value
        return value

    # the end

    def _dismiss(self) -> None:
        """Send idle threads home."""
        for _ in self._threads:
            self._todo.put(None)
        self._progress.close()

    def _abandon(self, error: BaseException) -> None:
        """End what is under way because of a signal or a broken database: what was not finished is due again.

        Processes are ended, threads asked to leave; what they finish in the meantime counts. If the database takes
        nothing any more, the next start does the rest.
        """
        self._is_stopping = True
        self._desk.db.hurry()
        for active in self._active.values():
            active.abort()
        has_process = any(_has_process(unit) for unit in self._active)
        deadline = self._clock.monotonic() + (GRACE_SECONDS if has_process else THREAD_SECONDS)
        self._answer_all()
        try:
            while self._active and self._clock.monotonic() < deadline:
                self._take_last(self._events.get(timeout=0.1))
        except Empty:
            pass
        except AgentOSError:
            return
        self._abandon_rest(_why(error), deadline)

    def _abandon_rest(self, reason: str, deadline: float) -> None:
        while self._active and self._clock.monotonic() < deadline:
            try:
                self._take_last(self._events.get(timeout=0.1))
            except Empty:
                self._answer_all()
            except AgentOSError:
                return
        try:
            with self._desk.db.atomic():
                self._desk.give_up(f"interrupted: {reason}")
        except AgentOSError:
            return

    def _take_last(self, event: tuple[str, Unit, Any, Optional[SimpleQueue[Any]]]) -> None:
        """A body that comes to its end while everything ends: only success counts."""
        kind, unit, what, answer = event
        if answer is not None:
            self._unanswered.discard(answer)
            answer.put(TransientError(f"{unit.label} was stopped"))
        if kind != "end":
            return
        if not isinstance(what, BaseException):
            with self._desk.db.atomic():
                tell = self._take_end(unit, what)
            tell()
        self._active.pop(unit, None)

    def _answer_all(self) -> None:
        while self._unanswered:
            self._unanswered.pop().put(TransientError("stopped"))


class Cancelled(Exception):  # noqa: N818 (what happened, not an error)
    """Somebody asked for the end of this run."""

    def __init__(self) -> None:
        super().__init__("cancelled: its end was asked for")


class _Active:
    """A unit that a thread is at."""

    def __init__(self, began: float, work: Work) -> None:
        self.began = began
        self.work = work
        self.is_cancelled = False

    def abort(self) -> None:
        """End a request that is under way; a process notices by itself."""
        if self.work.collector:
            self.work.collector.abort()


def _has_process(unit: Unit) -> bool:
    return unit.task.kind == "command" or unit.task.timeout_seconds is not None


def _blocked_by(unit: Unit) -> str:
    """Why a unit cannot be done, from what it comes after; being disabled, or having nothing to do, blocks nobody."""
    for before in unit.after:
        if before.status == "failed":
            return f"{before.label}, which it comes after, failed"
        if before.status == "skipped" and before.dues:
            return f"{before.label}, which it comes after, was skipped"
    return ""


def hint_of(error: BaseException) -> str:
    """What to do about it."""
    if isinstance(error, AgentOSError):
        return error.hint or (AGAIN if isinstance(error, KeyRefusedError) else "")
    if isinstance(error, Cancelled):
        return "`retry` does it again"
    return "the log has the traceback"


def _why(error: BaseException) -> str:
    if isinstance(error, Stopped):
        return f"stopped by signal {error.signal_number}"
    if isinstance(error, (AgentOSError, Cancelled)):
        return str(error)
    from .child import ForeignError

    return str(error) if isinstance(error, ForeignError) else f"{type(error).__name__}: {error}"


def _trace(error: BaseException) -> str:
    """Where a fault came from; an error of ours says all there is to say."""
    if isinstance(error, (AgentOSError, Cancelled)):
        return ""
    if hasattr(error, "trace"):
        return str(error.trace)
    from traceback import format_exception

    return "".join(format_exception(type(error), error, error.__traceback__))


__all__ = ["Runner", "Setup", "iso"]
