"""Which slots of a task are due: pure. A declaration, what is known of its slots and the time go in.

docs/TASKS.md says what the rules are; collectors, whose days are read again until they are settled, ask `days` instead.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from .clock import from_iso, iso
from .days import Moments, Window, add_days, horizon, ordinal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Optional, Union

    from .spec import Task

MOST_CAUGHT_UP = 400  # slots that were missed and are caught up unasked; a clock ten years ahead must not start 87,600
GRACE_SECONDS = 3600  # how late `catch_up = none` still runs
NEVER_SEEN = ""


class Order:
    """What the caller wants: which slots (none named: whatever is due), and whether to do again what is done."""

    __slots__ = (
        "_is_idle", "enabled_at", "force", "from_step", "is_of_others", "key", "keys", "lookback_days", "since",
        "until",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913 (each is an option of the command line)
        self,
        *,
        since: Optional[str] = None,
        until: Optional[str] = None,
        force: bool = False,
        lookback_days: int = 35,
        key: str = "",
        keys: Optional[Mapping[str, Iterable[str]]] = None,
        from_step: str = "",
        enabled_at: Optional[Mapping[str, str]] = None,
        is_idle: Optional[Callable[[str], bool]] = None,
        is_of_others: bool = False,
    ) -> None:
        self.since = since
        self.until = until
        self.force = force
        self.lookback_days = lookback_days
        self.key = key
        self.keys = keys or {}  # task -> exactly these slots of it, whatever is due otherwise
        self.from_step = from_step
        # Of a tick: since when each task is looked after; nothing that was due before is. None: asked for by name.
        self.enabled_at = enabled_at
        self._is_idle = is_idle
        self.is_of_others = is_of_others  # of tasks that others come after: one that never ran has its last slot due

    @property
    def is_tick(self) -> bool:
        """Whether nobody asked: it is only looked whether something is due."""
        return self.enabled_at is not None

    def has_become_idle(self, collector: str) -> bool:
        """Whether a collector that a tick found to be due is not due any more."""
        return self._is_idle is not None and self._is_idle(collector)

    def of_others(self) -> Order:
        """What the same order wants of the tasks that the ones which were asked for come after."""
        return Order(
            since=self.since, until=self.until, lookback_days=self.lookback_days, enabled_at=self.enabled_at,
            is_of_others=True,
        )  # fmt: skip

    @property
    def is_again(self) -> bool:
        """Whether what is done is to be done once more: all of it, or from one of its steps on."""
        return self.force or bool(self.from_step)

    def keys_of(self, task: str) -> list[str]:
        """The slots of a task that were named, each once; none when it is not about single ones."""
        return sorted(set(self.keys.get(task, ())))

    @property
    def is_open(self) -> bool:
        """Whether no days were named: then the run itself decides how far back it goes."""
        return self.since is None and self.until is None

    def leaves_it_to(self, task: str) -> bool:
        """Whether nothing is wished for of a task: its own policy says what is due."""
        return self.is_open and not (self.is_again or self.key or self.keys_of(task))

    def span(self, *, today: str, first: Optional[str]) -> Window:
        """The days to look after: those ordered, else the horizon. Nothing after today."""
        after = add_days(today, 1)
        if self.is_open:
            return horizon(today=today, first=first, lookback_days=self.lookback_days)
        until = min(self.until or after, after)
        return Window(self.since or add_days(until, -self.lookback_days), until)


class Known:
    """What the database knows of a task's slots: the newest key that is not in the future; and of those that matter
    (all that are not resolved, and those that were asked for) the status, how many attempts were made, and since when
    they are due.
    """

    __slots__ = ("newest", "slots")

    def __init__(self, newest: str = NEVER_SEEN, slots: Optional[Mapping[str, tuple[str, int, str]]] = None) -> None:
        self.newest = newest
        self.slots = dict(slots or {})

    def status(self, key: str) -> str:
        """The status of a slot; `""` for one that nobody ever had."""
        return self.slots[key][0] if key in self.slots else ""

    def asked_at(self, key: str, now: datetime) -> datetime:
        """Since when a slot without a time of its own is due: a run that goes on later is about the same day."""
        return from_iso(self.slots[key][2]) if key in self.slots else now


class Due:
    """A slot that has to be done, or (`skip` says why) that is to be left out for good.

    `window`: the span that it is about; of a scheduled instant, given as its `task`, the time since the one before.
    """

    __slots__ = ("_task", "_window", "due_at", "key", "skip")

    def __init__(
        self,
        key: str,
        *,
        due_at: str,
        window: Union[Window, Moments, None] = None,
        task: Optional[Task] = None,
        skip: str = "",
    ) -> None:
        self.key = key
        self.due_at = due_at
        self.skip = skip
        self._window = window
        self._task = task

    def __repr__(self) -> str:
        return f"Due({self.key!r}, due_at={self.due_at!r}" + (f", skip={self.skip!r})" if self.skip else ")")

    @property
    def window(self) -> Union[Window, Moments]:
        """Looked up when it is asked for: of very many slots, few are run."""
        if self._window is None:
            from .cron import key_of, moment_of

            before = _schedule(self._task).previous(moment_of(self.key)) if self._task else moment_of(self.key)
            self._window = Moments(key_of(before), self.key)
        return self._window


def latest_key(task: Task, now: datetime) -> str:
    """The key of the newest slot that is due by now; of a task that is due when asked for, this very instant."""
    if task.partition:
        latest = task.schedule.latest(now) if task.schedule else now
        return add_days(latest.astimezone(timezone.utc).date().isoformat(), -1)
    if task.schedule:
        from .cron import key_of

        return key_of(task.schedule.latest(now))
    return iso(now)


def due_slots(task: Task, known: Known, *, now: datetime, order: Order) -> list[Due]:
    """The slots that a run of this task has to take care of, oldest first."""
    named = order.keys_of(task.name)
    if named:
        keys = [key for key in named if order.is_again or known.status(key) != "success"]
        return [slot_of(task, key, now=known.asked_at(key, now)) for key in keys]
    if task.is_adhoc:
        return _asked_for(task, known, now=now, order=order)
    latest = latest_key(task, now)
    if not order.is_open:
        keys = [key for key in keys_in(task, order, latest) if order.is_again or known.status(key) != "success"]
        return [slot_of(task, key, now=now) for key in keys]
    if order.is_again:
        return [slot_of(task, latest, now=now)]
    return _by_policy(task, known, latest=latest, now=now, order=order)


def _asked_for(task: Task, known: Known, *, now: datetime, order: Order) -> list[Due]:
    """The slot of a task without a time of its own: the one that was named, else what is unfinished, else a new one."""
    if order.key:
        done = known.status(order.key) == "success" and not order.is_again
        return [] if done else [slot_of(task, order.key, now=known.asked_at(order.key, now))]
    if order.from_step and known.newest:
        return [slot_of(task, known.newest, now=known.asked_at(known.newest, now))]
    unfinished = [key for key in known.slots if known.status(key) in ("due", "failed")]
    if unfinished and not order.force:
        key = max(unfinished, key=lambda each: known.slots[each][2])
        return [slot_of(task, key, now=known.asked_at(key, now))]
    moment = now
    while known.status(iso(moment)):
        moment += timedelta(milliseconds=1)
    return [slot_of(task, iso(moment), now=moment)]


def _by_policy(task: Task, known: Known, *, latest: str, now: datetime, order: Order) -> list[Due]:
    """What is due without being asked for: what is new since the newest slot known, and what is unresolved.

    Slots after `latest` come from a clock that was ahead: their time has yet to come. Slots that are not of the kind
    that the task has now come from another declaration of it, and stand for nothing. A tick does not try again what
    has failed before the next slot is due: whoever wants that says `retries`.
    """
    mine = {key: slot for key, slot in known.slots.items() if key <= latest and is_key(task, key)}
    fresh = [key for key in new_keys(task, known, latest=latest, order=order) if not known.status(key)]
    begun = [key for key, (status, tries, _) in mine.items() if status == "due" and tries]
    waiting = [key for key, (status, tries, _) in mine.items() if status == "due" and not tries]
    failed = [key for key, (status, _, _) in mine.items() if status == "failed"]
    missed = sorted({*fresh, *waiting})
    if order.is_tick and not missed:
        failed = []
    newest = max([*missed, *begun, *failed, known.newest], default="")
    found = _of_another_kind(task, known, now=now)
    if task.catch_up == "all":
        return found + [slot_of(task, key, now=now) for key in sorted({*missed, *begun, *failed})]
    late = iso(now - timedelta(seconds=GRACE_SECONDS))
    for key in sorted({*missed, *begun, *(key for key in failed if key == newest)}):
        if key in begun:
            skip = ""
        elif task.catch_up == "latest" and key != newest:
            skip = f"missed; {newest} stands for it (catch_up = latest)"
        elif task.catch_up == "none" and due_at(task, key) < late:
            skip = "missed by more than an hour (catch_up = none)"
        else:
            skip = ""
        if skip and key == missed[0] and len(missed) >= MOST_CAUGHT_UP:
            skip += "; what was missed before it is not listed"
        due = slot_of(task, key, now=now)
        due.skip = skip
        found.append(due)
    return found


def new_keys(task: Task, known: Known, *, latest: str, order: Order) -> list[str]:
    """The keys after the newest known. For a tick, whatever came since it looks after the task, and nothing before."""
    since = (order.enabled_at or {}).get(task.name, "")
    is_known = is_key(task, known.newest)
    if not since or (order.is_of_others and not is_known):
        return keys_since(task, known.newest, latest)
    first = latest_key(task, from_iso(since)) if task.partition else since[:16] + "Z"
    begin = max(first, known.newest) if is_known else first
    return [key for key in keys_since(task, begin, latest) if due_at(task, key) > since]


def _of_another_kind(task: Task, known: Known, *, now: datetime) -> list[Due]:
    """Slots that were due when the task was declared otherwise: it cannot be run for them any more."""
    found = []
    for key in sorted(key for key in known.slots if known.status(key) == "due" and not is_key(task, key)):
        due = slot_of(task, key, now=now)
        due.skip = "the task is declared otherwise now, and has no such slots"
        found.append(due)
    return found


def overtaken(  # noqa: PLR0913 (what `due_slots` is given, and its answer)
    task: Task, known: Known, dues: Iterable[Due], *, latest: str, now: datetime, order: Order
) -> list[Due]:
    """Slots that no later run would find, once these are known: only what is newer than all that is known is new.

    Whoever asks for yesterday has not asked for the days before it, but they are due all the same.
    """
    if task.is_adhoc or order.leaves_it_to(task.name) or known.newest == NEVER_SEEN:
        return []
    taken = {due.key for due in dues}
    newest = max((key for key in taken if key <= latest and is_key(task, key)), default=NEVER_SEEN)
    if newest <= known.newest:
        return []
    keys = keys_since(task, known.newest, newest, most=MOST_CAUGHT_UP + len(taken))
    missed = [key for key in keys if key not in taken and not known.status(key)]
    return [slot_of(task, key, now=now) for key in missed[-MOST_CAUGHT_UP:]]


def keys_since(task: Task, newest: str, latest: str, *, most: int = 0) -> list[str]:
    """The keys after `newest` up to `latest`, the last MOST_CAUGHT_UP; only `latest` for a task never seen.

    A task that had another kind of time before (days, a schedule, none) was never seen with this one.
    """
    if not is_key(task, newest):
        return [latest]
    if latest <= newest:
        return []
    most = most or MOST_CAUGHT_UP
    if task.partition:
        first = max(add_days(newest, 1), add_days(latest, 1 - most))
        return list(Window(first, add_days(latest, 1)))
    from .cron import key_of, moment_of

    begin, end, back = moment_of(newest), moment_of(latest), timedelta(days=1)
    while True:  # from the end: a clock ten years ahead must not count five million minutes
        start = end - back if back < end - begin else begin
        moments = list(_schedule(task).between(start, end))
        if start == begin or len(moments) >= most:
            return [key_of(moment) for moment in moments[-most:]]
        back *= 4


def keys_in(task: Task, order: Order, latest: str) -> list[str]:
    """The keys of the days that were asked for, none after `latest`."""
    if task.partition:
        until = min(order.until or "9999-12-31", add_days(latest, 1))
        since = order.since or add_days(until, -order.lookback_days)
        return list(Window(since, until)) if since < until else []
    from .cron import key_of, moment_of

    end = moment_of(latest) if order.until is None else min(moment_of(latest), _midnight(order.until) - _TICK)
    since_day = order.since or add_days(end.date().isoformat(), -order.lookback_days)
    return [key_of(moment) for moment in _schedule(task).between(_midnight(since_day) - _TICK, end)]


def slot_of(task: Task, key: str, *, now: datetime) -> Due:
    """The slot of this key: when it was due, and the window that it is about.

    A day is about itself. A scheduled instant is about the time since the one before. Whatever else was asked for is
    about the day of asking.
    """
    if is_day(key):
        due = due_at(task, key) if task.partition else iso(_midnight(add_days(key, 1)))
        return Due(key, due_at=due, window=Window(key, add_days(key, 1)))
    if task.schedule and not task.partition and is_key(task, key):
        return Due(key, due_at=due_at(task, key), task=task)
    today = now.astimezone(timezone.utc).date().isoformat()
    return Due(key, due_at=iso(now), window=Window(today, add_days(today, 1)))


def due_at(task: Task, key: str) -> str:
    """When a slot of a task with days or a schedule is due."""
    if not task.partition:
        return key[:16] + ":00.000Z"
    end = _midnight(add_days(key, 1))
    return iso(_schedule(task).next(end - _TICK) if task.schedule else end)


def is_day(key: str) -> bool:
    """Whether a key is a UTC day."""
    try:
        return len(key) == 10 and bool(ordinal(key))
    except ValueError:
        return False


def is_key(task: Task, key: str) -> bool:
    """Whether a key is one of those that the days or the schedule of this task make; any name, where it has neither."""
    if task.partition:
        return is_day(key)
    if task.schedule is None:
        return True
    return _is_instant(key)


def _is_instant(key: str) -> bool:
    """Whether `cron.key_of` wrote this; asked of very many keys."""
    if len(key) != 17 or (key[4], key[7], key[10], key[13], key[16]) != ("-", "-", "T", ":", "Z"):
        return False
    try:
        return key.isascii() and bool(datetime.fromisoformat(key[:16]))
    except ValueError:
        return False


def shape_of(task: Task) -> str:
    """What the keys of a task look like, as a pattern of GLOB."""
    day = "[0-9][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]"
    return day if task.partition else day + "T[0-2][0-9]:[0-5][0-9]Z" if task.schedule else "*"


_TICK = timedelta(microseconds=1)


def _midnight(day: str) -> datetime:
    return datetime.fromisoformat(day + "T00:00:00+00:00")


def _schedule(task: Task):  # type: ignore[no-untyped-def]  # noqa: ANN202 (a Schedule; only called where there is one)
    if task.schedule is None:
        raise ValueError(f"{task.name} has no schedule")
    return task.schedule
