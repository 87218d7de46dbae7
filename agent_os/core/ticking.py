"""Which tasks a tick has to run: the declarations, what the database knows and the time go in. Changes nothing.

A tick looks after tasks that have a time of their own: a schedule, days, or, for collectors, the time at which all of
them collect. docs/SCHEDULES.md says what the rules are; which slots a task then runs is decided by `due`, once more,
in the transaction that takes them.
"""

from __future__ import annotations

from datetime import timedelta

from .clock import from_iso, iso
from .due import Known, Order, due_at, due_slots, latest_key, shape_of
from .spec import closure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime
    from typing import Optional

    from .plan import Setup
    from .schedules import Schedules, Unresolved
    from .spec import Task

AGAIN_SECONDS = 900.0  # after a collector has failed; doubled for each failure in a row
LONGEST_AGAIN_SECONDS = 6 * 3600.0
ASK_LIMIT_SECONDS = 3600.0  # between two questions to a limit that said no
JUST_EDITED_SECONDS = 3600.0  # what was due between an edit and the tick that sees it is due, but no more than this
COLLECT = "daily 00:00"  # when collectors collect, unless AGENT_OS_COLLECT says otherwise
DISABLED = "disabled"
OFF = "-"  # how the declaration begins of a task that is not looked after any more: it is disabled, or gone
DAYS = "/day"  # how one ends that is by days


class Look:
    """What a tick has found. `waits` says of tasks for which something is due why it is not begun now."""

    def __init__(self) -> None:
        self.targets: list[str] = []
        self.waits: dict[str, str] = {}
        self.enabled_at: dict[str, str] = {}  # since when each task is looked after; `""`: for ever
        self.changes: list[tuple[str, str, str, str]] = []  # rows of `schedules` that are new or different
        self.is_quiet = False  # nothing is due, waits, is under way or has to be tried again


class Watcher:
    """Looks over all tasks at one instant. `held`: tasks that another runner has.

    `edited_at`: when agent_os.ini (`""`) and each app that is loaded were written; `""` where nobody knows.
    `origin`: what stands before the app in the rows of a home that shares the database of another one.
    `gone`: apps that the settings of this home named before, and name no more.
    """

    def __init__(  # noqa: PLR0913 (all that is known, by name)
        self,
        setup: Setup,
        schedules: Schedules,
        *,
        now: datetime,
        disabled: Mapping[str, str],
        held: Collection[str],
        collect: str = COLLECT,
        edited_at: Mapping[str, str],
        origin: str = "",
        gone: Collection[str] = (),
    ) -> None:
        self._setup = setup
        self._schedules = schedules
        self.now = now
        self._at = iso(now)
        self._disabled = disabled
        self._held = held
        self._edited_at = edited_at
        self._origin = origin
        self._gone = gone
        self._collect_since = collects_since(collect, now)
        self._unresolved: Mapping[str, Mapping[str, Unresolved]] = {}
        self._newest: dict[str, str] = {}
        self._with_new: set[str] = set()  # tasks with a slot to be run that nobody has written down
        self.again_at = ""  # when the first collector that has failed is tried again

    def look(self) -> Look:
        """Every task that has something due now."""
        look = Look()
        self._unresolved = self._schedules.unresolved()
        mine = [task for task in self._setup.tasks.values() if has_time(task) and task.name not in self._disabled]
        self._register(look, mine)
        for task in closure(self._setup.tasks, [task.name for task in mine]):
            if not has_time(task) or task.name in self._disabled:
                continue
            why = self._why_due(task, look)
            if not why:
                continue
            busy = sorted({each.name for each in closure(self._setup.tasks, [task.name])} & set(self._held))
            if busy and not (task.overlap == "replace" and busy == [task.name] and task.name in self._with_new):
                look.waits[task.name] = f"{busy[0]} is running"
            elif why == "due":
                look.targets.append(task.name)
            else:
                look.waits[task.name] = why
        is_any_open = any(slot[0] != "failed" for slots in self._unresolved.values() for slot in slots.values())
        look.is_quiet = not (look.targets or look.waits or is_any_open or self._held or self.again_at)
        return look

    def ask(self, schedules: Schedules) -> None:
        """Ask another connection from now on: that of the writer, inside its transaction."""
        self._schedules = schedules

    def is_idle(self, collector: str) -> bool:
        """Whether a collector has nothing to do before its next time."""
        return not self._collector_due(collector)

    # since when

    def _register(self, look: Look, mine: Sequence[Task]) -> None:
        """Note which declarations are new or changed: what was due before is not replayed."""
        before = self._schedules.all()
        for task in mine:
            if task.kind == "collector":
                continue
            declared = declaration_of(task)
            was = before.get(task.name)
            if was and was[0] == declared and was[1] <= self._at:
                look.enabled_at[task.name] = was[1]
                continue
            since = self._since(task, was)
            look.enabled_at[task.name] = since
            look.changes.append((task.name, declared, since, self._origin + task.app))
        on = {task.name for task in mine}
        ours = {self._origin + app for app in (*self._edited_at, *self._gone)}
        for name, (declared, since, app) in before.items():
            if name not in on and app in ours and not declared.startswith(OFF):
                off_since = since if declared.endswith(DAYS) else self._at
                look.changes.append((name, OFF + declared, off_since, app))

    def _since(self, task: Task, was: Optional[tuple[str, str, str]]) -> str:
        """Since when a declaration counts that was not seen before.

        Days are the same days whatever hour they are done at. A task that was run by name goes on where it is. Else it
        counts from now, or from when the file was written, if that was just before. What lies in the future was written
        by a clock that was ahead, and says nothing.
        """
        is_wrong = bool(was and was[1] > self._at)
        if was and not is_wrong and task.partition and was[0].endswith(DAYS):
            return was[1]
        if (not was or (is_wrong and task.partition)) and self._newest_of(task):
            return ""
        edited_at = self._edited_at.get(task.app, "")
        is_news = edited_at and (not was or was[1] < edited_at)
        return edited_at if is_news and self._is_recent(edited_at, JUST_EDITED_SECONDS) else self._at

    # what is due

    def _why_due(self, task: Task, look: Look) -> str:
        """Whether a task has to be run now: the word due, else why it waits, or `""` where nothing is due."""
        if task.kind == "collector":
            return "due" if self._collector_due(task.name) else ""
        unresolved = self._unresolved.get(task.name, {})
        known = Known(self._newest_of(task), {key: self._seen(task, *slot[:3]) for key, slot in unresolved.items()})
        order = Order(enabled_at=look.enabled_at)
        dues = due_slots(task, known, now=self.now, order=order)
        if any(not (due.skip or due.key in unresolved) for due in dues):
            self._with_new.add(task.name)
        waiting = {due.key: unresolved[due.key] for due in dues if due.key in unresolved and not due.skip}
        if len(waiting) < len(dues) or any(slot[1] for slot in waiting.values()):
            return "due"  # something new, or something that was cut short
        if not dues:
            return ""
        if all(self._is_parked(slot) for slot in waiting.values()):
            return min(slot[3] for slot in waiting.values())
        held_up_by = self._held_up_by(task, look, waiting)
        return f"{held_up_by}, which it comes after, has not succeeded" if held_up_by else "due"

    def _is_parked(self, slot: Unresolved) -> bool:
        """Whether a limit has said no to a slot, a short while ago."""
        return slot[3].startswith("the limit ") and self._is_recent(slot[4], ASK_LIMIT_SECONDS)

    def _held_up_by(self, task: Task, look: Look, waiting: Collection[str]) -> str:
        """What has to succeed before these slots of a task have their turn; `""` where nothing has to."""
        names = (name for name in task.after if name not in look.targets)
        return next((name for name in names if not self._is_settled_now(name, look, waiting)), "")

    def _seen(self, task: Task, status: str, tries: int, at: str) -> tuple[str, int, str]:
        """A slot as the next run will find it: one that is running, but nobody's, was cut short."""
        is_left = status == "running" and task.name not in self._held
        return ("due", max(1, tries), at) if is_left else (status, tries, at)

    def _collector_due(self, name: str) -> bool:
        """Whether a collector has not collected since it was last time to; after a failure, only when it has waited."""
        runs = self._schedules.runs(name, since=self._collect_since, until=self._at)
        if any(status == "success" or (status == "skipped" and not error.startswith(DISABLED))
               for status, _, error in runs):  # fmt: skip
            return False
        failed = [at for status, at, error in runs if status == "failed" and not error.startswith("interrupted")]
        if not failed:
            return True
        wait = min(AGAIN_SECONDS * 2.0 ** (len(failed) - 1), LONGEST_AGAIN_SECONDS)
        if not self._is_recent(failed[-1], wait):
            return True
        again_at = iso(from_iso(failed[-1]) + timedelta(seconds=wait))
        self.again_at = min(again_at, self.again_at or again_at)
        return False

    def _is_settled_now(self, name: str, look: Look, waiting: Collection[str]) -> bool:
        """Whether what a waiting task comes after is done, so that it may have its turn.

        What has no time of its own is done with what comes after it, and by nobody else: only a failure is in the way.
        An old slot that failed is in the way only where it will be tried again.
        """
        task = self._setup.tasks[name]
        if task.kind == "collector":
            runs = self._schedules.runs(task.name, since="", until=self._at)
            return task.name in self._disabled or not runs or runs[-1][0] != "failed"
        unresolved = self._unresolved.get(task.name, {})
        wanted = [unresolved[key] for key in waiting if key in unresolved]
        if not has_time(task):
            is_in_the_way = any(slot[0] == "failed" or self._is_parked(slot) for slot in wanted)
            return not wanted or not (is_in_the_way or self._held_up_by(task, look, waiting))
        is_tried_again = task.partition or task.catch_up == "all"
        return self._newest_of(task) not in unresolved and not (wanted and is_tried_again)

    def _newest_of(self, task: Task) -> str:
        if task.name not in self._newest:
            latest = latest_key(task, self.now)
            self._newest[task.name] = self._schedules.newest(task.name, shape=shape_of(task), latest=latest)
        return self._newest[task.name]

    def _is_recent(self, at: str, seconds: float) -> bool:
        return self._at < iso(from_iso(at) + timedelta(seconds=seconds)) and at <= self._at


def has_time(task: Task) -> bool:
    """Whether a task has a time of its own, so that a tick looks after it."""
    return task.kind == "collector" or not task.is_adhoc


def declaration_of(task: Task) -> str:
    """A declaration of when a task is due, as text that is the same only for the same times."""
    schedule = f"{task.schedule.text}/{task.schedule.zone}/{task.schedule.dst}" if task.schedule else ""
    return f"{schedule}/{task.partition}"


def collects_since(schedule: str, now: datetime) -> str:
    """The last instant at which collectors were to collect. ValueError for a schedule that cannot be meant."""
    if schedule == COLLECT:
        return iso(now)[:10] + "T00:00:00.000Z"
    from .cron import Schedule

    return iso(Schedule(schedule).latest(now))


def next_of(setup: Setup, disabled: Collection[str], *, now: datetime, collect: str = COLLECT) -> Optional[str]:
    """When anything is due next by the clock: the instant; None where nothing has a time."""
    found = []
    for task in setup.tasks.values():
        if task.name in disabled:
            continue
        if task.kind == "collector":
            found.append(_next_collection(collect, now))
        elif task.schedule:
            found.append(iso(task.schedule.next(now)))
        elif task.partition:
            found.append(due_at(task, iso(now)[:10]))
    return min(found, default=None)


def _next_collection(collect: str, now: datetime) -> str:
    from .cron import Schedule

    return iso(Schedule("0 0 * * *" if collect == COLLECT else collect).next(now))
