"""What a run would do now, and how long it would take as far as the past tells. Reads the database, changes nothing."""

from __future__ import annotations

from heapq import heappop, heappush
from statistics import median
from typing import TYPE_CHECKING, Optional

from . import lock
from .clock import iso
from .days import Window
from .due import is_day
from .journal import Journal
from .living import Living
from .opening import open_to_plan
from .plan import Planner
from .slots import Slots
from .store import Store
from .survey import Survey

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from .db import Database
    from .due import Known, Order
    from .home import Home
    from .plan import Plan, Setup, Unit
    from .spec import Task
    from .survey import Past

LAST_RUNS = 10  # that tell how long the next one takes


class Line:
    """One run, or one slot that is left out, and what would come of it: `run`, `skip`, `blocked` or `busy`."""

    def __init__(self, unit: Unit, action: str, reason: str = "") -> None:
        self.unit = unit
        self.action = action
        self.reason = reason
        self.seconds: Optional[float] = None  # None: nobody knows
        self.requests: Optional[int] = None

    @property
    def waits_for(self) -> list[Unit]:
        """The runs that have to be over first; nothing waits where nothing is done."""
        return [] if self.action == "skip" else [before for before in self.unit.after if not before.is_over]


class Outlook:
    """What a run would do. `refusal` says why it would do nothing at all, `""` when it would not refuse."""

    def __init__(self, lines: list[Line], plan: Plan) -> None:
        self.lines = lines
        self.left_out = plan.left_out
        self.remarks = plan.remarks
        self.refusal = ""

    def runs(self) -> list[Line]:
        """The lines that would be run."""
        return [line for line in self.lines if line.action == "run"]

    def seconds(self, jobs: int) -> Optional[float]:
        """About how long all of it would take, so many runs at a time; None when one of them was never run before."""
        ends: dict[Unit, float] = {}
        workers = [0.0] * jobs
        for line in self.runs():
            if line.seconds is None:
                return None
            begin = max([heappop(workers), *(ends.get(before, 0.0) for before in line.unit.after)])
            ends[line.unit] = begin + line.seconds
            heappush(workers, ends[line.unit])
        return max(ends.values(), default=0.0)


class Foreseen(Slots):
    """The slots as they will be once a run has closed what runners that are gone have left."""

    def __init__(self, db: Database, *, gone: Collection[str]) -> None:
        super().__init__(db)
        self._rows = Survey(db)
        self._gone = gone

    def known(self, task: Task, order: Order, *, latest: str, span: Optional[tuple[str, str]] = None) -> Known:
        """As `Slots.known`; what nobody works on any more is due."""
        return self._seen(task.name, super().known(task, order, latest=latest, span=span))

    def of(self, task: str, keys: Iterable[str]) -> Known:
        """As `Slots.of`; what nobody works on any more is due."""
        return self._seen(task, super().of(task, keys))

    def _seen(self, task: str, known: Known) -> Known:
        for key in self._left(task) & set(known.slots):
            known.slots[key] = ("due", *known.slots[key][1:])
        return known

    def _left(self, task: str) -> set[str]:
        if not self._gone:
            return set()
        return {key for key, row in self._rows.slots(task).items() if row.owner in self._gone}


def look_ahead(home: Home, setup: Setup, targets: Collection[str], order: Order) -> Outlook:
    """What a run of these tasks would do at this moment. Where there is no database yet, what the first one would."""
    db = open_to_plan(home.db_path, clock=home.clock)
    try:
        owners = Slots(db).owners()
        slots = Foreseen(db, gone={owner for owner in owners if lock.is_gone(home.db_path, owner)})
        planner = Planner(setup, home=home, store=Store(db), slots=slots)
        plan = planner.plan(targets, order, began_at=iso(home.clock.now()))
        wanted = {unit.task.name for unit in plan.units if not unit.disabled}
        busy = Living(home, slots, owner="").held(wanted)
        outlook = Outlook(_lines(plan, slots, setup, busy, targets), plan)
        _refuse_overlap(outlook, home, setup, busy, targets)
        _estimate(outlook.runs(), Survey(db))
        waiting = sorted(Journal(db).outboxes_due() & set(setup.outboxes))
        outlook.remarks += [f"messages wait in the outbox {name}; they are sent afterwards" for name in waiting]
    finally:
        db.close()
    return outlook


def _lines(plan: Plan, slots: Slots, setup: Setup, busy: Mapping[str, str], targets: Collection[str]) -> list[Line]:
    made: dict[Unit, Line] = {}
    for unit in plan.units:
        name = unit.task.name
        before = next((each for each in unit.after if made[each].action == "blocked"), None)
        before = before if unit.task.after_failure == "skip" else None
        if unit.status:
            line = Line(unit, "skip", unit.error)
        elif name in busy:
            policy = setup.tasks[name].overlap if name in targets else "queue"
            line = Line(unit, "busy", "running elsewhere; " + _WAITS[policy])
        elif unit.blocked or before:
            line = Line(unit, "blocked", unit.blocked or f"{before and before.label}, which it comes after, is blocked")
        else:
            line = Line(unit, "run", _conditions(unit, slots, setup))
        made[unit] = line
    return list(made.values())


_WAITS = {
    "skip": "a run now would be refused (overlap = skip)",
    "queue": "a run now would wait for its end",
    "replace": "a run now would ask for its end, and wait for it (overlap = replace)",
}


def _conditions(unit: Unit, slots: Slots, setup: Setup) -> str:
    """What else a run has to wait for, or ask."""
    full = [name for name in unit.task.limits if name in setup.limits and slots.in_use(name) >= setup.limits[name]]
    found = [f"waits for room in the limit {name}" for name in full]
    return ", ".join(found + ([f"asks the limit {unit.task.cost_limit} first"] if unit.task.cost_limit else []))


def _refuse_overlap(
    outlook: Outlook, home: Home, setup: Setup, busy: Mapping[str, str], targets: Collection[str]
) -> None:
    for name in sorted(busy):
        if name in targets and setup.tasks[name].overlap == "skip":
            holder = lock.holder(home.db_path, busy[name])
            outlook.refusal = f"{name} is already running" + (f" ({holder})" if holder else "")
            return


def _estimate(lines: list[Line], survey: Survey) -> None:
    """Time and requests of the runs to be made, by the last ones that succeeded."""
    past: dict[str, list[Past]] = {}
    for line in lines:
        name = line.unit.task.name
        if name not in past:
            past[name] = survey.successes(name, most=LAST_RUNS)
        if past[name]:
            line.seconds = median(_seconds(run) for run in past[name])
        if past[name] and line.unit.collector:
            line.requests = _requests(line.unit, past[name], most_days=line.unit.collector.most_days)


def _seconds(run: Past) -> float:
    from .clock import from_iso

    return max(0.0, (from_iso(run.finished_at) - from_iso(run.started_at)).total_seconds())


def _requests(unit: Unit, past: list[Past], *, most_days: int) -> Optional[int]:
    """A provider is asked in parts of `most_days`, and a part costs the same however few its days are.

    So runs of as many parts tell most; where there are none, what a part cost in the others.
    """
    wanted = _parts(unit.window, most_days)
    known = [(run.requests, _parts((run.window_start, run.window_end), most_days)) for run in past if run.requests]
    same = [requests for requests, parts in known if parts == wanted]
    if same:
        return round(median(same))
    return round(median(requests / parts for requests, parts in known) * wanted) if known else None


def _parts(window: tuple[Optional[str], Optional[str]], most_days: int) -> int:
    start, end = window
    if not start or not end or not is_day(start) or not is_day(end):
        return 1
    return -(-len(Window(start, end)) // most_days)
