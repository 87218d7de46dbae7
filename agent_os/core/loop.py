"""Works through the units of a plan: worker threads do the work, and one thread commits what they hand over.

The calling thread is the only one that touches the database. It works in turns: what the threads have handed over since
the last turn, and the claims of what may begin now, go into one transaction; then everyone is told. No transaction is
open while anyone waits for the network or for a process.
"""

from __future__ import annotations

from .agenda import Agenda, blocked_by
from .bodies import Printed
from .courier import CLOSING_SECONDS, Courier
from .crew import LAST_WORDS, Crew
from .desk import Refusal
from .errors import AgentOSError, FencedError, PermanentError, TransientError, out_of_memory, sentence
from .machine import PATIENCE_SECONDS
from .reasons import Cancelled, hint_of, slot_status_of, trace_of, wait_after, why
from .signals import stop_if_asked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Optional

    from .bodies import Work
    from .crew import Event
    from .desk import Desk
    from .home import Home
    from .plan import Setup, Unit
    from .progress import Progress

    Tell = Callable[[], None]  # what to do once the transaction is committed

HEARD_EVERY_SECONDS = 0.5  # how long a signal, a request to cancel, or a lease may go unnoticed
PROCESS_SECONDS = 6.5  # for processes to be ended (5 s), once the program has been asked to stop
THREAD_SECONDS = 2.0  # the same where only threads are at work, which nobody can end
MOMENT_SECONDS = 0.05  # for how much work of very short units is claimed ahead
MOST_AT_ONCE = 256
AGAIN = "nothing of that window was stored; the next run asks again"


class Loop:
    """Works through units, once."""

    def __init__(
        self, desk: Desk, home: Home, setup: Setup, *, progress: Progress, beat: Callable[[], None] = lambda: None
    ) -> None:
        """`beat` is called about twice a second for as long as there is anything to do; it may not raise."""
        self._beat = beat
        self._desk = desk
        self._clock = home.clock
        self._log = home.log
        self._setup = setup
        self._progress = progress
        self._crew = Crew(most=setup.jobs, clock=home.clock)
        self._courier = Courier(desk.pings, home)
        self._agenda = Agenda()
        self._units: list[Unit] = []
        self._active: dict[Unit, Optional[Work]] = {}  # None: its claim is being made
        self._took = 0.0  # seconds that units have taken lately, without waiting for anything of ours; 0: unknown
        self._began: dict[Unit, float] = {}
        self._is_stopping = False
        self._looked_at = 0.0
        self._buried_at = float("-inf")
        self._late: dict[str, str] = {}  # leases of others that were over then

    def run(self, units: Sequence[Unit]) -> list[Unit]:
        """Do these units, then empty the outboxes; all units, with what came of them."""
        from .archive import preload
        from .printing import divided

        preload()  # the file may be replaced by a newer one while we work
        try:
            with divided():
                self._work(units)
                self._empty_outboxes()
        except BaseException as error:
            self._abandon(error)
            raise
        finally:
            self._courier.finish(THREAD_SECONDS if self._is_stopping else CLOSING_SECONDS)
            self._crew.dismiss()
            self._progress.close()
        return self._units

    def _work(self, units: Sequence[Unit]) -> None:
        """Do these units, each when what it comes after is done."""
        self._units += units
        self._progress.begin(sum(1 for unit in self._units if not unit.is_over))
        for unit in units:
            unit.begins_at = unit.delay_seconds and self._clock.monotonic() + unit.delay_seconds
        self._agenda.add(units)
        while self._agenda or self._active or self._crew.has_news():
            self._turn()

    def _empty_outboxes(self) -> None:
        """Send what waits. What a sender does changes nothing about how the other tasks ended."""
        due = self._desk.outboxes_due() & set(self._setup.outboxes)
        if due:
            with self._desk.db.atomic():
                units = self._desk.enlist_outboxes(due)
            self._work(units)

    # a turn

    def _turn(self) -> None:
        """One transaction: what was handed over, and the claims of what may begin by that. Then everyone is told.

        What is known of a unit changes inside it, so that what comes after it is claimed in the same transaction. If
        that fails, so does the whole run, and nobody has heard of anything.
        """
        stop_if_asked()
        events = self._gather()
        is_renewal = self._desk.is_renewal_due()
        if events or is_renewal or self._courier.has_news() or self._may_start():
            told: list[Tell] = []
            with self._desk.db.atomic():
                if is_renewal:
                    self._desk.renew()
                told += [self._take(event) for event in events]
                while starts := self._startable():
                    told += [self._claim(unit) for unit in starts]
                self._courier.keep(None if self._agenda or self._active else self._units)
            self._courier.send()
            with self._log.together():
                for tell in told:
                    tell()
            self._crew.settle(events)
        for unit in self._active:
            if unit.detail:
                self._progress.update(unit.label, unit.detail)
                unit.detail = ""
        self._progress.tick()
        now = self._clock.monotonic()
        if now - self._looked_at >= HEARD_EVERY_SECONDS:
            self._looked_at = now
            self._look_for_cancelled()
            self._bury()
            self._beat()

    def _gather(self) -> list[Event]:
        """What the threads have handed over; waits for the first of it when there is nothing else to do."""
        events = self._crew.handed_over()
        if events or self._may_start():
            return events
        self._crew.wait(self._agenda.seconds_left(self._clock.monotonic(), most=HEARD_EVERY_SECONDS))
        return self._crew.handed_over()

    def _may_start(self) -> bool:
        """Whether a unit may begin: there is one, and room for it."""
        if len(self._active) >= self._most():
            return False
        used: dict[str, int] = {}
        return any(self._desk.has_room(unit, used) for unit in self._agenda.ready(self._clock.monotonic()))

    def _most(self) -> int:
        """How many units may be claimed and not over: as many as there are threads; or, where they take next to no
        time, as many as are done in a moment, so that one sync stands for all of them.
        """
        ahead = int(MOMENT_SECONDS / max(self._took, 1e-6))
        return max(self._setup.jobs, min(MOST_AT_ONCE, ahead) if self._took else 0)

    def _startable(self) -> list[Unit]:
        """Units for which there is room: for their work, and in every limit that they name. They count as active."""
        room = self._most() - len(self._active)
        used: dict[str, int] = {}
        chosen = self._agenda.take(
            self._clock.monotonic(), most=room, has_room=lambda unit: self._desk.has_room(unit, used)
        )
        self._active.update(dict.fromkeys(chosen))
        return chosen

    def _claim(self, unit: Unit) -> Tell:
        """Inside the transaction: give a unit its slot, or the next attempt at it."""
        blocked = "" if unit.attempt else unit.blocked or blocked_by(unit)
        if blocked:
            self._desk.skip(unit, blocked)
            return self._end(unit, "skipped", blocked)
        try:
            work = self._desk.next_attempt(unit) if unit.attempt else self._desk.claim(unit)
        except Refusal as refused:
            reason = self._desk.hide(refused.message)
            self._desk.skip(unit, reason)
            return self._park(unit, reason)
        except FencedError as error:
            return self._fail(unit, error)
        self._active[unit] = work
        return lambda: self._start(unit, work)

    def _take(self, event: Event) -> Tell:
        """Inside the transaction: do what a thread asks for, or end what it has ended."""
        unit, asked, answer = event
        if answer is None:
            return self._take_end(unit, asked)
        operation, given = asked
        value: Any
        try:
            value = self._desk.do(unit, operation, given)
        except (FencedError, PermanentError) as error:
            value = error
        return lambda: self._crew.answer(answer, value)

    def _take_end(self, unit: Unit, what: Any) -> Tell:
        """Inside the transaction: a body has come to its end."""
        if not self._desk.has(unit):
            return self._crew.forget_stray  # its run was cancelled while it could not be ended
        work = self._active.get(unit)
        if work:
            self._took = max(0.8 * self._took + 0.2 * work.took, 1e-6) if self._took else max(work.took, 1e-6)
        unit.output = self._desk.hide(getattr(what, "output", ""))
        error = what.error if isinstance(what, Printed) else what if isinstance(what, BaseException) else None
        error = Cancelled() if unit.is_cancelled else error
        try:
            if error is None:
                self._desk.succeed(unit, what)
                unit.value = what.value
                return self._end(unit, "success", "")
            wait = self._wait_of(unit, error)
            if wait is not None:
                self._desk.await_retry(unit, self._why(error), wait)
                return self._await_retry(unit, error, wait)
            return self._give_up(unit, error)
        except FencedError as lost:
            return self._fail(unit, lost)
        except PermanentError as refused:  # what it wants to leave behind cannot be kept
            return self._give_up(unit, refused)

    def _give_up(self, unit: Unit, error: BaseException) -> Tell:
        self._desk.fail(unit, error=self._why(error), hint=hint_of(error), slot_status=slot_status_of(error))
        return self._fail(unit, error)

    def _why(self, error: BaseException) -> str:
        return self._desk.hide(why(error))

    def _wait_of(self, unit: Unit, error: BaseException) -> Optional[float]:
        """For how long to wait before another attempt; None when there will be none."""
        if self._is_stopping or unit.attempt > unit.task.retries:
            return None
        return wait_after(unit.attempt, error, backoff_seconds=unit.task.backoff_seconds, chance=self._setup.chance)

    # what becomes of a unit: what is known of it now, and what to tell once that is committed

    def _start(self, unit: Unit, work: Work) -> None:
        """The claim is committed: hand the work to a thread."""
        self._began.setdefault(unit, self._clock.monotonic())
        work.call = lambda operation, **given: self._crew.call(unit, operation, given)
        work.stopped = lambda: self._is_stopping or unit.is_cancelled
        work.say = lambda detail: setattr(unit, "detail", detail)
        self._progress.started(unit.label, f"attempt {unit.attempt}" if unit.attempt > 1 else "")
        self._crew.take(unit, work)

    def _await_retry(self, unit: Unit, error: BaseException, wait: float) -> Tell:
        self._active.pop(unit, None)
        self._agenda.come_back(unit, self._clock.monotonic() + wait)

        def tell() -> None:
            self._log.info(
                "run.retry", f"{unit.label}: {self._why(error)}; trying again in {wait:.1f} s", task=unit.task.name,
                run=unit.run_id, attempt=unit.attempt,
            )  # fmt: skip
            self._progress.waiting(unit.label, wait, self._why(error))

        return tell

    def _park(self, unit: Unit, reason: str) -> Tell:
        told = self._end(unit, "skipped", reason)

        def tell() -> None:
            self._log.warning("run.parked", f"{unit.label} was not begun: {reason}", task=unit.task.name)
            told()

        return tell

    def _fail(self, unit: Unit, error: BaseException) -> Tell:
        error = out_of_memory() if isinstance(error, MemoryError) else error
        unit.cause, unit.hint = error, self._desk.hide(hint_of(error)) or (AGAIN if unit.collector else "")
        told = self._end(unit, "failed", self._why(error))

        def tell() -> None:
            shown = self._why(error) if unit.collector else f"{unit.label}: {self._why(error)}"
            self._log.error("run.failed", sentence(shown, unit.hint), task=unit.task.name, run=unit.run_id)
            trace = trace_of(error)
            if trace:
                self._log.debug(
                    "run.traceback", self._why(error), task=unit.task.name, run=unit.run_id, traceback=trace
                )
            told()

        return tell

    def _end(self, unit: Unit, status: str, error: str) -> Tell:
        """A unit is over: what comes after it may be done, or is skipped."""
        self._active.pop(unit, None)
        unit.status, unit.error = status, error
        now = self._clock.monotonic()
        unit.seconds = now - self._began.pop(unit, now)
        self._agenda.release(unit)

        def tell() -> None:
            self._progress.ended(unit.label, status, error, unit.seconds)
            self._log.debug(
                "run.finished", f"{unit.label}: {status}", task=unit.task.name, run=unit.run_id, reason=error
            )
            for note in unit.notes:  # no warning, which cron would mail every day; the report at the end says it
                self._log.debug("run.note", f"{unit.provider}: {note}", task=unit.task.name, run=unit.run_id)

        return tell

    # the end

    def _look_for_cancelled(self) -> None:
        """Has anyone asked for the end of a run? Processes and requests are ended; a thread is left to itself."""
        for run_id in self._desk.cancelled():
            for unit in [*self._active, *self._agenda.waiting()]:
                if unit.run_id == run_id and not unit.is_cancelled:
                    unit.is_cancelled = True
                    self._end_work(unit)

    def _bury(self) -> None:
        """What a runner that is gone has left takes room in limits that units of ours may be waiting for."""
        now = self._clock.monotonic()
        if now - self._buried_at >= PATIENCE_SECONDS and self._agenda.ready(now):
            self._buried_at = now
            is_any_gone, late = self._desk.living.look(self._late)
            if is_any_gone:
                with self._desk.db.atomic():
                    self._desk.living.bury(self._late, ())
            self._late = late

    def _end_work(self, unit: Unit) -> None:
        work = self._active.get(unit)  # None where it waits for its next attempt
        if work and work.collector:
            work.collector.abort()
        elif work is None or not work.has_process:
            if work:
                self._crew.add_stray()
            self._agenda.drop(unit)
            self._crew.hand_over((unit, Cancelled(), None))

    def _abandon(self, error: BaseException) -> None:
        """End what is under way because of a signal or a broken database: what was not finished is due again.

        Processes are ended, threads asked to leave; what they finish in the meantime counts. If the database takes
        nothing any more, the next start does the rest.
        """
        self._is_stopping = True
        self._desk.db.hurry()
        self._crew.stop()
        works = [work for work in self._active.values() if work]
        for work in works:
            if work.collector:
                work.collector.abort()
        if works:
            names = ", ".join(sorted({work.task.name for work in works}))
            self._log.info("run.stopping", f"stopping; waiting a moment for {names[:200]}")
        has_process = any(work.has_process for work in works)
        deadline = self._clock.monotonic() + (PROCESS_SECONDS if has_process else THREAD_SECONDS)
        try:
            while self._active and self._clock.monotonic() < deadline:
                self._take_last()
            with self._desk.db.atomic():
                self._desk.give_up(f"interrupted: {self._why(error)}", units=self._units)
        except AgentOSError:
            return

    def _take_last(self) -> None:
        """What is handed over while everything ends: only success counts, and what has happened outside.

        Some of it may have been dealt with just before the signal struck: nothing here does harm a second time.
        """
        events = self._crew.handed_over()
        for event in events:
            unit, what, answer = event
            if answer is not None and what[0] not in LAST_WORDS:
                self._crew.answer(answer, TransientError(f"{unit.label} was stopped"))
            elif answer is not None or not (isinstance(what, BaseException) or unit not in self._active):
                with self._desk.db.atomic():
                    tell = self._take(event)
                tell()
            else:
                unit.output = self._desk.hide(getattr(what, "output", "")) or unit.output
                self._active.pop(unit, None)
        self._crew.settle(events)
        if not events:
            self._crew.wait(0.1)
