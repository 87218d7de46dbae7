"""Whether a task has succeeded in time, and whether its last success is one to believe. Pure: values in, verdicts out.

What a task owes: of a schedule, its newest instant; of days, the newest day; of a collector, every day within a day of
its end; of a task without a time of its own, a success a `period`. It may be late by its `grace`, and by its jitter.
"""

from __future__ import annotations

from datetime import timedelta

from .clock import from_iso, iso
from .days import add_days
from .due import latest_key, shape_of, slot_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Optional

    from .spec import Task

GRACE_SECONDS = 3600.0
COLLECTOR_SECONDS = 86_400.0  # within which a day is read once it is over
STATES = ("ok", "late", "not due yet", "not set up")


class Known:
    """What is known of a task. `done`: the newest slot that succeeded, or for a collector the newest day that was read
    when it was over; `success`: when the last success began and ended; `since`: when `tick` first saw the task as it is
    declared. `""` where there is none.
    """

    __slots__ = ("began_at", "done", "ended_at", "since", "size")

    def __init__(
        self, *, done: str = "", began_at: str = "", ended_at: str = "", since: str = "", size: int = 0
    ) -> None:
        self.done = done
        self.began_at = began_at
        self.ended_at = ended_at
        self.since = since
        self.size = size  # bytes that the last success has left


class Verdict:
    """What is to be said of a task: one of STATES; since when a success is owed, and by how much it is late."""

    __slots__ = ("due_at", "late_seconds", "state", "warnings")

    def __init__(self, state: str, *, due_at: str = "", late_seconds: float = 0.0) -> None:
        self.state = state
        self.due_at = due_at
        self.late_seconds = late_seconds
        self.warnings: list[str] = []


def is_watched(task: Task) -> bool:
    """Whether a success of this task is ever owed."""
    return task.kind == "collector" or not task.is_adhoc or task.period_seconds is not None


def latest_of(task: Task, now: datetime) -> tuple[str, str]:
    """The newest key that can count at an instant, and what the keys of the task look like: for the question to the
    database. What lies after it comes from a clock that was ahead.
    """
    return latest_key(task, now), shape_of(task)


def judge(task: Task, known: Known, *, now: datetime, grace_seconds: Optional[float] = None) -> Verdict:
    """Whether a task is late. `grace_seconds` stands in place of its own."""
    own = GRACE_SECONDS if task.grace_seconds is None else task.grace_seconds
    grace = timedelta(seconds=(own if grace_seconds is None else grace_seconds) + task.jitter_seconds)
    owed_at = _first_owed(task, known, now=now, by=now - grace)
    if owed_at is None:
        verdict = Verdict("ok" if known.done or known.ended_at else "not due yet")
    elif _is_new(task, known, now=now, by=now - grace):
        verdict = Verdict("not due yet")
    else:
        verdict = Verdict("late", due_at=iso(owed_at), late_seconds=(now - owed_at).total_seconds())
    if known.ended_at:
        took = (from_iso(known.ended_at) - from_iso(known.began_at)).total_seconds()
        verdict.warnings = suspicions(task, seconds=took, size=known.size)
    return verdict


def odd(task: Task, began_at: str, ended_at: str, *, printed: str, handed_on: Optional[str]) -> list[str]:
    """What is odd about a run that has just succeeded. It is no failure."""
    left = printed if task.kind == "command" else handed_on or ""
    seconds = (from_iso(ended_at) - from_iso(began_at)).total_seconds()
    return suspicions(task, seconds=seconds, size=len(left.encode("utf-8", "backslashreplace")))


def suspicions(task: Task, *, seconds: float, size: int) -> list[str]:
    """What is odd about a success: it was too fast, or left too little behind."""
    found = []
    if task.min_duration_seconds is not None and seconds < task.min_duration_seconds:
        found.append(
            f"it took {max(0.0, seconds):.3g} s, less than the {task.min_duration_seconds:g} s of min_duration"
        )
    if size < task.min_output:
        found.append(f"it left {size:,} bytes, fewer than the {task.min_output:,} of min_output")
    return found


def _first_owed(task: Task, known: Known, *, now: datetime, by: datetime) -> Optional[datetime]:
    """Since when a success is owed that had to be there `by` an instant; None when none is."""
    if task.kind == "collector":
        return _first_day(known, by=by - timedelta(seconds=COLLECTOR_SECONDS))
    if task.period_seconds is not None:
        return _end_of_period(task, known, by=by)
    try:
        key = latest_key(task, by)
    except OverflowError:  # it has no instant so far back
        return None
    if known.done >= key:
        return None
    done = known.done
    if not done and known.since and known.since <= iso(by):  # the last slot that was nobody's
        done = latest_key(task, from_iso(known.since))
    if not done or done >= key:
        return from_iso(slot_of(task, key, now=now).due_at)
    return _next_due(task, done, now=now)


def _next_due(task: Task, done: str, *, now: datetime) -> datetime:
    """When the slot after one was due."""
    if task.partition:
        return from_iso(slot_of(task, add_days(done, 1), now=now).due_at)
    from .cron import moment_of

    if task.schedule is None:
        raise ValueError(f"{task.name} has no time of its own")
    return task.schedule.next(moment_of(done))


def _first_day(known: Known, *, by: datetime) -> Optional[datetime]:
    """Of a collector: when the first day that was not read had to be."""
    owed = add_days(iso(by)[:10], -1)
    if known.done >= owed:
        return None
    first = add_days(known.done, 1) if known.done else owed
    return from_iso(add_days(first, 1) + "T00:00:00.000Z") + timedelta(seconds=COLLECTOR_SECONDS)


def _end_of_period(task: Task, known: Known, *, by: datetime) -> Optional[datetime]:
    last = max(known.ended_at, known.since if known.since <= iso(by) else "")
    if not last:
        return by  # it never ran, and nobody knows since when it should
    end = from_iso(last) + timedelta(seconds=task.period_seconds or 0.0)
    return end if end <= by else None


def _is_new(task: Task, known: Known, *, now: datetime, by: datetime) -> bool:
    """Whether a task was declared, as it is now, after all that it would owe was due: its first is yet to come."""
    if not known.since or known.since > iso(now) or task.period_seconds is not None:
        return False  # `_end_of_period` counts from there
    since = from_iso(known.since)
    if task.kind == "collector":
        return not known.done and since + timedelta(seconds=COLLECTOR_SECONDS) > by
    newest = from_iso(slot_of(task, latest_key(task, by), now=now).due_at)
    return newest <= since
