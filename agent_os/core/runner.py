"""Runs collectors: works out what is due, has the providers asked side by side, stores what comes, tells about it.

Workers compute and hand over; only the calling thread writes to the database. No transaction is open while one waits
for the network.
"""

from __future__ import annotations

import os

from .clock import iso
from .days import Window, add_days, due_days, horizon, windows, within_reach
from .errors import (
    AgentOSError,
    BusyError,
    ConfigError,
    KeyRefusedError,
    Stopped,
    out_of_memory,
    sentence,
)
from .lock import TaskLock
from .store import Run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Optional

    from .clock import Clock
    from .collector import Collector
    from .logger import Log
    from .model import Batch
    from .store import Store

AGAIN = "nothing of that window was stored; the next run asks again"
NOTHING_DUE = "nothing to do: every day is settled or was just read"
OLDEST_YEAR = "2024"  # a clock that shows less was never set


class Order:
    """What the caller wants: which days (None: whatever is due), whether to ask again for all of them."""

    __slots__ = ("force", "lookback_days", "since", "until")

    def __init__(self, *, since: Optional[str], until: Optional[str], force: bool, lookback_days: int) -> None:
        self.since = since
        self.until = until
        self.force = force
        self.lookback_days = lookback_days

    @property
    def is_open(self) -> bool:
        """Whether no days were named: then the run itself decides how far back it goes."""
        return self.since is None and self.until is None

    def span(self, *, today: str, first: Optional[str]) -> Window:
        """The days to look after: those ordered, else the horizon. Nothing after today."""
        after = add_days(today, 1)
        if self.is_open:
            return horizon(today=today, first=first, lookback_days=self.lookback_days)
        until = min(self.until or after, after)
        return Window(self.since or add_days(until, -self.lookback_days), until)


class Outcome:
    """What came of one collector: how its run ended, and the figures of the span it looked after."""

    def __init__(self, collector: Collector, *, status: str, error: str = "", hint: str = "") -> None:
        self.provider = collector.name
        self.task = collector.task
        self.disabled = bool(collector.disabled)
        self.status = status
        self.error = error
        self.hint = hint
        self.cause: Optional[BaseException] = None
        self.run_id = ""
        self.span: Optional[Window] = None
        self.new_days: list[str] = []
        self.restated_days: list[str] = []
        self.missing_days = 0
        self.tokens: Optional[int] = None
        self.money: list[tuple[str, str, int]] = []
        self.notes: list[str] = []
        self.requests = 0
        self.seconds = 0.0

    def fail(self, error: BaseException) -> None:
        """Note why it failed."""
        if isinstance(error, MemoryError):
            error = out_of_memory()
        self.status = "failed"
        self.cause = error
        self.error = _why(error)
        self.hint = (
            (error.hint or AGAIN)
            if isinstance(error, AgentOSError)
            else "a fault here: the log has more; please report it"
        )

    @property
    def key_refused(self) -> bool:
        """Whether it failed for the key: the provider did not take it, or it cannot be one."""
        return isinstance(self.cause, (KeyRefusedError, ConfigError))


class Work:
    """One collector on its way through a run."""

    def __init__(self, collector: Collector, lock: TaskLock) -> None:
        self.collector = collector
        self.lock = lock
        self.outcome = Outcome(collector, status="running")
        self.windows: list[Window] = []
        self.started = 0.0


class Runner:
    """Runs collectors on one store. `run` may be called again and again."""

    def __init__(self, store: Store, *, clock: Clock, log: Log) -> None:
        self._store = store
        self._clock = clock
        self._log = log
        self._today = ""

    def run(self, collectors: Sequence[Collector], order: Order, *, began_at: str) -> list[Outcome]:
        """Fill what is due for every collector; one outcome each, in their order.

        `began_at` is when this process began: what another one read since then is not asked for again. Raises
        BusyError when a task is running elsewhere, and whatever the database raises; a failing provider does not raise.
        """
        works = [Work(each, TaskLock(self._store.db.path, each.task, clock=self._clock)) for each in collectors]
        enabled = [work for work in works if not work.collector.disabled]
        self._lock(enabled)
        try:
            self._close_interrupted(enabled)
            self._plan(enabled, order, began_at)
            try:
                self._begin(works)
                self._collect([work for work in enabled if work.windows])
            except BaseException as error:
                self._abandon([work for work in enabled if work.windows], error)
                raise
            for work in enabled:
                self._sum_up(work)
        finally:
            for work in enabled:
                work.lock.release()
        return [work.outcome for work in works]

    def _lock(self, works: Sequence[Work]) -> None:
        """All locks or none, in one order everywhere, so that of two equal runs exactly one goes on."""
        for work in sorted(works, key=lambda each: each.collector.task):
            if not work.lock.acquire():
                holder = work.lock.holder()
                for each in works:
                    each.lock.release()
                raise BusyError(
                    f"{work.collector.task} is already running" + (f" ({holder})" if holder else ""),
                    hint="nothing was done; what is due is collected by that run, or by the next one",
                )

    def _close_interrupted(self, works: Sequence[Work]) -> None:
        """Runs left behind by a program that died: their lock is free, or is ours now."""
        ours = {work.collector.task for work in works}

        def is_dead(task: str) -> bool:
            if task in ours:
                return True
            lock = TaskLock(self._store.db.path, task, clock=self._clock)
            free = lock.acquire()
            lock.release()
            return free

        for run_id in self._store.close_interrupted(is_dead):
            self._log.warning("run.interrupted", "an earlier run was interrupted; its days are due again", run=run_id)

    def _plan(self, works: Sequence[Work], order: Order, began_at: str) -> None:
        """Work out the windows that each collector has to ask for."""
        now = iso(self._clock.now())
        today = self._today = now[:10]
        if today < OLDEST_YEAR:
            raise ConfigError(f"the clock of this machine says {today}", hint="set the clock and start again")
        for work in works:
            task = work.collector.task
            span = order.span(today=today, first=self._store.first_day(task))
            reads = self._store.reads(task, span)
            if any(read.at > now for read in reads.values()):
                self._log.warning(
                    "clock.went_back", f"{task}: some days were read later than now; they are read again", task=task
                )
            due = due_days(span, reads, now=now, fresh_since=began_at, force=order.force)
            if order.is_open:
                wanted, due = due, within_reach(due, today=today, asked=self._store.asked(task))
                if len(due) < len(wanted):
                    left_out = f"{task}: {wanted[0]} and other days are too long ago to be caught up unasked"
                    self._log.info("days.left_out", f"{left_out}; --since {wanted[0]} asks for them", task=task)
            work.outcome.span = span
            work.windows = windows(due, today=today)

    def _begin(self, works: Sequence[Work]) -> None:
        """Write down every run before its work: running, or skipped with the reason."""
        invocation = _new_id(self._clock)
        runs = []
        for work in works:
            outcome, collector = work.outcome, work.collector
            outcome.run_id = _new_id(self._clock)
            work.started = self._clock.monotonic()
            run = Run(
                outcome.run_id,
                task=collector.task,
                plugin_name=collector.name,
                invocation_id=invocation,
                started_at=iso(self._clock.now()),
            )
            if work.windows:
                run.window = Window(work.windows[0].start, work.windows[-1].end)
            else:
                outcome.status, outcome.error = "skipped", collector.disabled or NOTHING_DUE
                run.skipped = outcome.error
            runs.append(run)
        self._store.begin_runs(runs)

    def _collect(self, works: Sequence[Work]) -> None:
        """Let every collector work in a thread of its own; store what each hands over; close its run."""
        if not works:
            return
        from .archive import preload
        from .crew import Crew

        preload()  # the file may be replaced by a newer one while we work
        pending = {work.collector.name: work for work in works}
        crew = Crew([(work.collector, work.windows) for work in works], open_day=self._today)
        try:
            for name, window, result in crew:
                work = pending[name]
                if isinstance(result, BaseException):
                    self._refuse(work, window, result)
                elif result is not None:
                    self._store_batch(work, result)
                else:
                    self._finish(pending.pop(name))
        except BaseException:
            crew.stop()
            raise

    def _store_batch(self, work: Work, batch: Batch) -> None:
        change = self._store.replace_window(batch, run_id=work.outcome.run_id)
        outcome = work.outcome
        outcome.new_days += change.new_days
        outcome.restated_days += change.restated_days
        outcome.notes += [note for note in batch.notes if note not in outcome.notes]
        self._log.info(
            "window.stored", f"{outcome.provider}: {batch.window} stored", task=outcome.task, run=outcome.run_id,
            days=len(batch.days), new=len(change.new_days), restated=change.restated_days, added=change.added,
            closed=change.closed, pages=len(batch.pages),
        )  # fmt: skip

    def _refuse(self, work: Work, window: Window, error: BaseException) -> None:
        """A window that failed: what was stored of it before stays; its days are due again."""
        outcome = work.outcome
        outcome.fail(error)
        self._log.debug(
            "window.failed",
            f"{outcome.provider}: {window} failed",
            task=outcome.task,
            run=outcome.run_id,
            window=str(window),
            kind=type(error).__name__,
            error=outcome.error,
            traceback=_trace(error),
            **work.collector.evidence(),
        )
        self._store.fail_days(outcome.task, window, run_id=outcome.run_id, reason=outcome.error)

    def _finish(self, work: Work) -> None:
        outcome = work.outcome
        outcome.requests = work.collector.requests
        outcome.seconds = self._clock.monotonic() - work.started
        if outcome.status == "running":
            outcome.status = "success"
        self._store.finish_run(
            outcome.run_id, status=outcome.status, error=outcome.error or None, requests=outcome.requests,
            notes="; ".join(outcome.notes),
        )  # fmt: skip
        if outcome.status == "failed":  # said once, however many windows it cost
            self._log.error("run.failed", sentence(outcome.error, outcome.hint), task=outcome.task, run=outcome.run_id)
        for note in outcome.notes:  # not a warning: it is so every day, and cron would mail it
            self._log.info("run.note", f"{outcome.provider}: {note}", task=outcome.task, run=outcome.run_id)

    def _abandon(self, works: Sequence[Work], error: BaseException) -> None:
        """Close the runs that a signal or a broken database ends; those that are closed already stay as they are.

        If even that fails, the next start does it.
        """
        self._store.db.hurry()
        for work in works:
            try:
                self._store.finish_run(
                    work.outcome.run_id, status="failed", error=f"interrupted: {_why(error)}",
                    requests=work.collector.requests, notes="",
                )  # fmt: skip
            except AgentOSError:
                return

    def _sum_up(self, work: Work) -> None:
        """The figures of the span, whoever collected them."""
        outcome, span = work.outcome, work.outcome.span
        if span is None:
            return
        reads = self._store.reads(outcome.task, span)
        outcome.missing_days = sum(1 for day in span if day not in reads)
        outcome.tokens, outcome.money = self._store.sums(outcome.provider, span)


def _why(error: BaseException) -> str:
    if isinstance(error, Stopped):
        return f"stopped by signal {error.signal_number}"
    return error.message if isinstance(error, AgentOSError) else f"{type(error).__name__}: {error}"


def _trace(error: BaseException) -> str:
    """Where a fault of the program came from; an error of ours says all there is to say."""
    if isinstance(error, AgentOSError):
        return ""
    from traceback import format_exception

    return "".join(format_exception(type(error), error, error.__traceback__))


def _new_id(clock: Clock) -> str:
    """An id that sorts by time: `20261122T050000-1a2b3c4d5e6f`."""
    return f"{clock.now().strftime('%Y%m%dT%H%M%S')}-{os.urandom(6).hex()}"
