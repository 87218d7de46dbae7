"""Does what is due: takes the slots of a plan, all or none, has them worked through, and sums up.

A run with nothing to do ends here; `loop`, which loads threads and all that works in them, is for the others.
"""

from __future__ import annotations

from . import lock, machine
from .clock import iso
from .desk import Desk
from .due import due_slots, latest_key
from .errors import BusyError
from .keeper import GRACE_SECONDS
from .plan import Planner, Setup, Unit
from .retention import tidy_daily

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from .due import Order
    from .home import Home
    from .plan import Plan
    from .progress import Progress

SHORTEST_POLL_SECONDS = 0.02  # between two looks at a task that is running elsewhere
LONGEST_POLL_SECONDS = 0.5


class Runner:
    """Runs tasks of one home. May be used again and again, by one thread."""

    def __init__(self, home: Home, setup: Setup, *, progress: Callable[[], Progress]) -> None:
        """`progress` makes the display, when there is something to show."""
        self._home = home
        self._clock = home.clock
        self._log = home.log
        self._setup = setup
        self._progress = progress
        self._store = home.store(write=True)

    def run(self, targets: Collection[str], order: Order, *, began_at: str) -> list[Unit]:
        """Do what is due of these tasks and of what they come after; what came of each run.

        Raises BusyError when a task is running elsewhere, and whatever the database raises; a task that fails does not
        raise.
        """
        runner_lock = lock.RunnerLock(self._home.db_path, clock=self._clock)
        runner_lock.acquire()
        try:
            desk = Desk(self._home, self._setup, lock=runner_lock)
            plan = self._take(desk, targets, order, began_at=began_at)
            units = list(plan.units)
            is_idle = all(unit.is_over for unit in units)
            if not is_idle or desk.has_to_send():
                from .loop import Loop

                self._note_clock(desk.journal.newest_instant())
                units = Loop(desk, self._home, self._setup, progress=self._progress()).run(units)
            for unit in units:
                self._sum_up(unit)
            tidy_daily(desk.db, keep_days=self._setup.retention_days, log=self._log)
        finally:
            runner_lock.release()
        return units

    def _take(self, desk: Desk, targets: Collection[str], order: Order, *, began_at: str) -> Plan:
        """Close what the dead have left; have all slots of the plan or none; wait where the overlap policy says so."""
        planner = Planner(self._setup, home=self._home, store=self._store, slots=desk.slots)
        names = planner.names(targets)
        late: dict[str, str] = {}
        asked: set[str] = set()
        pause = SHORTEST_POLL_SECONDS
        patient_until = self._clock.monotonic() + 2 * GRACE_SECONDS
        while True:
            busy = desk.living.busy(names)  # a look, which costs no transaction
            if not busy:
                with desk.db.atomic():
                    late, busy = desk.living.bury(late, names)
                    if not late and not busy:
                        plan = planner.plan(targets, order, began_at=began_at)
                        desk.enlist(plan, order, targets)
                if late:
                    self._clock.sleep(machine.PATIENCE_SECONDS)
                    continue
                if not busy:
                    for remark in plan.remarks:
                        self._log.info("plan.remark", remark)
                    return plan
            if self._clock.monotonic() >= patient_until or not self._are_being_ended(busy):
                self._refuse_overlap(desk, busy, targets, order=order, asked=asked)
            self._clock.sleep(pause)
            pause = min(pause * 1.5, LONGEST_POLL_SECONDS)

    def _are_being_ended(self, busy: Mapping[str, str]) -> bool:
        """Whether one of these has a runner that was killed: what it had left running is over in a moment."""
        return any(lock.is_orphaned(self._home.db_path, owner) for owner in busy.values())

    def _refuse_overlap(
        self, desk: Desk, busy: Mapping[str, str], targets: Collection[str], *, order: Order, asked: set[str]
    ) -> None:
        """Raise BusyError where the policy of a target says so; else ask whoever has it to end, or just wait.

        A tick waits for nobody, but for the end of an older run that it has something newer for: whoever looked at the
        same time as another would end what that one has just begun.
        """
        for name in sorted(busy):
            policy = self._setup.tasks[name].overlap if name in targets else "queue"
            is_replaced = policy == "replace" and self._replace(desk, name, busy[name], order=order)
            if policy == "skip" or (order.is_tick and not is_replaced):
                holder = lock.holder(self._home.db_path, busy[name])
                raise BusyError(
                    f"{name} is already running" + (f" ({holder})" if holder else ""),
                    hint="nothing was done; what is due is done by that run, or by the next one",
                )
            if name not in asked:
                asked.add(name)
                self._log.info("run.waits", f"{name} is running elsewhere; waiting for it to end", task=name)

    def _replace(self, desk: Desk, name: str, owner: str, *, order: Order) -> bool:
        """Ask a runner to end its run of a task; for a tick only where a slot is due that nobody has yet."""
        if not (order.is_tick or desk.may_cancel(name, owner)):
            return True
        with desk.db.atomic():
            task, now = self._setup.tasks[name], self._clock.now()
            known = desk.slots.known(task, order, latest=latest_key(task, now))
            dues = due_slots(task, known, now=now, order=order) if order.is_tick else []
            is_newer = any(not (due.skip or known.status(due.key)) for due in dues)
            if (is_newer or not order.is_tick) and desk.may_cancel(name, owner):
                desk.ask_to_cancel(name, owner)
        return is_newer or not order.is_tick

    def _note_clock(self, newest: str) -> None:
        """Whoever reads the history later has to know why its times do not follow each other."""
        now = iso(self._clock.now())
        if now < newest:
            text = (
                f"the clock says {now[:16]}Z, and a run has ended at {newest[:16]}Z: it was ahead then, or is slow now"
            )
            self._log.info("clock_went_back", text)

    def _sum_up(self, unit: Unit) -> None:
        """The figures of a collector's span, whoever collected them."""
        if unit.span is None or unit.collector is None:
            return
        today = self._clock.today()
        known = unit.collector.known(self._store, unit.span, today=today)
        # What a source had forgotten before anybody asked for it is not missed; `gaps` says it.
        answered = unit.collector.first_answered(today) or ""
        first = min(answered, self._store.first_day(unit.task.name) or answered)
        unit.missing_days = sum(1 for day in unit.span if day >= first and day not in known)
        unit.tokens, unit.unpriced, unit.money = self._store.sums(unit.provider, unit.span)
