"""What a run has to do: the units of work, one a run, and which of them come after which.

Planning reads the database and changes nothing; `plan` shows its result, and the runner enlists it in the same
transaction in which it was made.
"""

from __future__ import annotations

from .clock import from_iso, iso
from .days import Window, add_days, due_days, windows, within_reach
from .due import MOST_CAUGHT_UP, Due, Known, Order, due_slots, latest_key, overtaken, slot_of
from .errors import ConfigError
from .spec import closure
from .text import plural

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime
    from typing import Any, Optional

    from .collector import Collector
    from .config import Settings
    from .home import Home
    from .pings import Pings
    from .slots import Slots
    from .spec import Task
    from .store import Store

NOTHING_DUE = "nothing to do: every day is settled or was just read"
OLDEST_YEAR = "2024"  # a clock that shows less was never set


class Unit:
    """One run to be made: a slot of a task, or all windows of a collector. And, later, what came of it."""

    __slots__ = (
        "after", "attempt", "begins_at", "blocked", "cause", "collector", "delay_seconds", "detail", "disabled", "dues",
        "error", "hint", "is_cancelled", "is_target", "key", "label", "missing_days", "money", "new_days", "notes",
        "output", "output_json", "restated_days", "run_id", "seconds", "span", "spent", "status", "task", "tokens",
        "unpriced", "value", "windows",
    )  # fmt: skip

    def __init__(self, task: Task, *, key: str = "", dues: Sequence[Due] = ()) -> None:
        self.task = task
        self.key = key
        self.dues = dues
        # The task, and its slot where that says more than when it was asked for.
        is_instant = task.is_adhoc and key[:1].isdigit() and key.endswith("Z")
        self.label = f"{task.name} {key}" if key and not is_instant else task.name
        self.after: list[Unit] = []
        self.is_target = False
        self.blocked = ""  # why it cannot be done, known before anything runs
        self.delay_seconds = 0.0  # how long to wait before it begins (jitter)
        self.begins_at = 0.0  # the same as an instant of the monotonic clock; 0: at once
        self.collector: Optional[Collector] = None
        self.windows: Sequence[Window] = ()
        self.span: Optional[Window] = None
        # what came of it
        self.run_id = ""
        self.status = ""
        self.error = ""
        self.hint = ""
        self.cause: Optional[BaseException] = None
        self.attempt = 0
        self.seconds = 0.0
        self.value: Any = None
        self.output_json: Optional[str] = None  # the value as what comes after it reads it
        self.output = ""
        self.disabled = False
        self.is_cancelled = False
        self.detail = ""  # where it has got to, as it said last
        self.new_days: list[str] = []
        self.restated_days: list[str] = []
        self.notes: list[str] = []
        self.spent: Optional[int] = None  # under its cost limit, as it said; None: it said nothing
        self.missing_days = 0
        self.tokens: Optional[int] = None
        self.unpriced = 0  # of the tokens, those that no price is known for
        self.money: list[tuple[str, str, int]] = []

    def __repr__(self) -> str:
        return f"<unit {self.label} {self.status}>"

    @property
    def is_over(self) -> bool:
        """Whether it is known what came of it."""
        return bool(self.status)

    def failed_before(self) -> list[Unit]:
        """Of what it comes after, what failed or had to be skipped; not what is disabled or had nothing to do."""
        return [each for each in self.after if each.status == "failed" or (each.status == "skipped" and each.dues)]

    @property
    def provider(self) -> str:
        """What `runs.plugin_name` says: the provider, else the app, else the kind of task."""
        return self.collector.name if self.collector else self.task.name

    @property
    def requests(self) -> int:
        """How many requests a collector has sent."""
        return self.collector.requests if self.collector else 0

    @property
    def window(self) -> tuple[Optional[str], Optional[str]]:
        """The span that the run is about."""
        if self.windows:
            return self.windows[0].start, self.windows[-1].end
        if self.dues:
            return self.dues[0].window.start, self.dues[0].window.end
        return None, None


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
        pings: Optional[Pings] = None,
        jobs: int = 8,
        retention_days: int = 400,
        chance: Optional[Callable[[], float]] = None,
    ) -> None:
        self.tasks = tasks
        self.collectors = collectors
        self.cost_limits = cost_limits or {}
        self.limits = limits or {}
        self.outboxes = outboxes or {}
        self.hosts = hosts or {}
        self.pings = pings  # who is told how runs begin and end; None: nobody
        self.jobs = jobs
        self.retention_days = retention_days
        self.chance = chance  # 0 <= x < 1, for the jitter of retries

    def disabled(self, task: Task, settings: Settings) -> str:
        """Why a task cannot run at all; `""` when it can."""
        if task.name in self.collectors:
            return str(self.collectors[task.name].disabled)
        missing = next((name for name in task.needs if not settings.get(name)), "")
        return f"disabled: {missing} is not set" if missing else ""


class Plan:
    """The units of one invocation, in an order in which they could be done one after the other."""

    def __init__(self) -> None:
        self.units: list[Unit] = []
        self.left_out: list[tuple[Task, Due]] = []  # slots that are resolved as skipped without a run
        self.overtaken: list[tuple[Task, Due]] = []  # slots that are due too, and wait for the next run
        self.remarks: list[str] = []
        self.is_cut = False  # more is left out than may be at once: this is no whole plan, and may not be enlisted

    def enlisted(self) -> list[tuple[Task, Sequence[Due]]]:
        """Every slot that the runner needs for itself, but those that it leaves out."""
        return [(unit.task, unit.dues) for unit in self.units if unit.dues]


class Planner:
    """Makes plans from the declarations of all tasks and what the database knows."""

    def __init__(self, setup: Setup, *, home: Home, store: Store, slots: Slots) -> None:
        self._setup = setup
        self._tasks = setup.tasks
        self._collectors = setup.collectors
        self._home = home
        self._store = store
        self._slots = slots
        self._left_out: dict[str, set[str]] = {}  # what `missed` has named of a task
        self._asked: dict[str, Due] = {}  # slots without a time of their own, which several tasks may have: by key

    def names(self, targets: Collection[str]) -> set[str]:
        """These tasks and whatever they come after, without those that are disabled."""
        return {task.name for task in closure(self._tasks, targets) if not self._disabled(task)}

    def _disabled(self, task: Task) -> str:
        return self._setup.disabled(task, self._home.settings)

    def plan(
        self, targets: Collection[str], order: Order, *, began_at: str, most_left_out: Optional[int] = None
    ) -> Plan:
        """What is due of these tasks and of whatever they come after. ConfigError for a clock that was never set.

        `began_at` is when this process began: what another one read since then is not asked for again. Where more than
        `most_left_out` slots would be left out, the plan is cut short: see `missed`.
        """
        check_clock(self._home.clock.now())
        self._asked = {}
        chosen = closure(self._tasks, targets)
        made: dict[str, list[Unit]] = {}
        plan = Plan()
        followers: dict[str, list[Task]] = {task.name: [] for task in chosen}
        for task in chosen:
            for name in task.after:
                followers[name].append(task)
        for task in reversed(chosen):
            is_target = task.name in targets
            mine = order if is_target else order.of_others()
            if task.kind == "collector":
                made[task.name] = [self._collection(task, mine, began_at=began_at, remarks=plan.remarks)]
            else:
                wanted = [unit.key for follower in followers[task.name] for unit in made[follower.name] if unit.dues]
                made[task.name] = self._runs(task, mine, wanted=wanted, is_target=is_target, plan=plan)
            for unit in made[task.name]:
                unit.is_target = is_target
            if most_left_out is not None and len(plan.left_out) > most_left_out:
                plan.is_cut = True
                return plan
        plan.units = [unit for task in chosen for unit in made[task.name]]
        for unit in plan.units:
            self._connect(unit, made)
        return plan

    def missed(self, targets: Collection[str], order: Order) -> Iterator[tuple[Task, list[Due]]]:
        """What a plan would leave out that nobody has written down, task by task. Any of it may be written down before
        the plan is made, the slots of a task together: what is older than a slot that is known is never new again.
        """
        now = self._home.clock.now()
        for task in closure(self._tasks, targets):
            if task.kind != "collector" and not task.is_adhoc and not self._disabled(task):
                mine = order if task.name in targets else order.of_others()
                known = self._slots.known(task, mine, latest=latest_key(task, now))
                dues = due_slots(task, known, now=now, order=mine)
                missed = [due for due in dues if due.skip and not known.status(due.key)]
                self._left_out[task.name] = {due.key for due in missed}
                yield task, missed

    def _runs(self, task: Task, order: Order, *, wanted: Sequence[str], is_target: bool, plan: Plan) -> list[Unit]:
        """The units of a task that is no collector: slots of its own, and those that what follows it is in need of."""
        now = self._home.clock.now()
        if task.is_adhoc and not is_target:
            return self._units(task, self._wanted(task, wanted, (), now=now))
        latest = latest_key(task, now)
        known, dues = Known(), list[Due]()
        if is_target or not task.is_adhoc:
            span = None if order.is_open else (order.since or "", order.until or "9999")
            known = self._slots.known(task, order, latest=latest, span=span)
            dues = due_slots(task, known, now=now, order=order)
        if len(dues) >= MOST_CAUGHT_UP and order.is_open:
            plan.remarks.append(
                f"{task.name}: at most {MOST_CAUGHT_UP} missed slots are caught up unasked (`backfill`)"
            )
        if task.is_adhoc or task.partition:
            dues += self._wanted(task, wanted, dues, now=now)
        units = self._units(task, sorted((due for due in dues if not due.skip), key=lambda due: (due.due_at, due.key)))
        if not units[0].dues and order.keys_of(task.name) and not units[0].disabled:
            units[0].error = "nothing to do: it is done already"
        if order.is_tick and task.jitter_seconds:
            self._delay(units, now=now)
        if not units[0].disabled:
            plan.left_out += [(task, due) for due in dues if due.skip]
            later = overtaken(task, known, dues, latest=latest, now=now, order=order)
            plan.overtaken += [(task, due) for due in later]
        return units

    def _wanted(self, task: Task, wanted: Sequence[str], dues: Sequence[Due], *, now: datetime) -> list[Due]:
        """The slots that what follows a task is in need of, and that are neither done nor among those that are due."""
        have = {due.key for due in dues} | self._left_out.get(task.name, set())
        more = sorted({key for key in wanted if key not in have and _fits(task, key)})
        known = self._slots.of(task.name, more)
        dues = []
        for key in more:
            if task.is_adhoc and not known.status(key):
                if key not in self._asked:
                    self._asked[key] = slot_of(task, key, now=now)
                dues.append(self._asked[key])
            elif known.status(key) != "success":
                dues.append(slot_of(task, key, now=known.asked_at(key, now)))
        return dues

    def _units(self, task: Task, dues: Sequence[Due]) -> list[Unit]:
        """A unit for each slot; one without a slot where there is nothing to do, or the task is disabled."""
        disabled = self._disabled(task)
        if not disabled and dues:
            return [Unit(task, key=due.key, dues=(due,)) for due in dues]
        unit = Unit(task)
        unit.status, unit.disabled = "skipped", bool(disabled)
        unit.error = disabled or self._nothing_due(task)
        return [unit]

    def _delay(self, units: Sequence[Unit], *, now: datetime) -> None:
        """Have what has just become due wait: always as long for one task of one database, at most what it says."""
        from zlib import crc32

        identity = self._store.db.identity
        for unit in units:
            share = crc32(f"{identity.instance if identity else ''} {unit.task.name}".encode()) / 2**32
            for due in unit.dues:
                late = (now - from_iso(due.due_at)).total_seconds()
                unit.delay_seconds = max(0.0, unit.task.jitter_seconds * share - late)

    def _nothing_due(self, task: Task) -> str:
        if task.schedule is None:
            return "nothing to do: it is done already"
        following = iso(task.schedule.next(self._home.clock.now()))[:16]
        return f"nothing to do until {following}Z; --force does it again now"

    def _collection(self, task: Task, order: Order, *, began_at: str, remarks: list[str]) -> Unit:
        """The one unit of a collector: the windows that it has to ask for."""
        unit = Unit(task)
        collector = unit.collector = self._collectors[task.name]
        if self._disabled(task):
            unit.status, unit.error, unit.disabled = "skipped", self._disabled(task), True
            return unit
        if order.has_become_idle(task.name):
            unit.status, unit.error = "skipped", "nothing to do: another run was faster"
            return unit
        now = iso(self._home.clock.now())
        today = now[:10]
        days = order.keys_of(task.name)
        named = Window(days[0], add_days(days[-1], 1)) if days else None
        span = unit.span = named or order.span(today=today, first=self._store.first_day(task.name))
        reads = self._store.reads(task.name, span)
        if any(read.at > now for read in reads.values()):
            remarks.append(f"{task.name}: some days were read later than now; they are read again")
        answered = self._answered(collector, span, today, order, remarks)
        due = due_days(answered, reads, now=now, fresh_since=began_at, force=order.force) if answered else []
        if days:
            due = [day for day in days if answered and day >= answered.start]
        elif order.is_open:
            wanted, due = due, within_reach(due, today=today, asked=self._store.asked(task.name))
            if len(due) < len(wanted):
                remarks.append(
                    f"{task.name}: {wanted[0]} and other days are too long ago to be caught up unasked;"
                    f" --since {wanted[0]} asks for them"
                )
        unit.windows = windows(due, today=today)
        unit.dues = [
            Due(day, due_at=day + "T00:00:00.000Z", window=Window(day, add_days(day, 1)))
            for window in unit.windows
            for day in window
        ]
        if not unit.windows:
            unit.status, unit.error = "skipped", NOTHING_DUE if answered else _forgotten(collector)
        return unit

    def _answered(
        self, collector: Collector, span: Window, today: str, order: Order, remarks: list[str]
    ) -> Optional[Window]:
        """The days of the span that the provider still answers for; None where it answers for none of them."""
        first = collector.first_answered(today)
        if first is None or first <= span.start:
            return span
        if order.keys or not order.is_open:
            remarks.append(f"{collector.task}: nothing before {first} is asked for; it is {_forgotten(collector)}")
        return Window(first, span.end) if first < span.end else None

    def _connect(self, unit: Unit, made: Mapping[str, Sequence[Unit]]) -> None:
        """What a unit waits for: the same slot of a task that has it, else all that is done of that task now."""
        for name in unit.task.after:
            before = made[name]
            same = [each for each in before if each.key == unit.key and each.key]
            unit.after += same or before
            task = self._tasks[name]
            is_alone = not same and bool(unit.dues and task.partition and unit.task.partition)
            is_alone = is_alone and unit.task.after_failure == "skip"
            if is_alone and self._slots.of(name, (unit.key,)).status(unit.key) in ("failed", "due"):
                unit.blocked = f"{name} has not succeeded for {unit.key}"


def check_clock(now: datetime) -> None:
    """Raise ConfigError for a clock that was never set: what is due by it is due by no other."""
    if iso(now) < OLDEST_YEAR:
        raise ConfigError(f"the clock of this machine says {iso(now)[:10]}", hint="set the clock and start again")


def _forgotten(collector: Collector) -> str:
    return f"outside the history of {collector.name}, which goes back {plural(collector.history_days or 0, 'day')}"


def _fits(task: Task, key: str) -> bool:
    """Whether a key that what follows is in need of can be one of this task's."""
    from .due import is_day

    return is_day(key) if task.partition else True
