"""What a task is, before anything runs: its name, when it is due, what it comes after, how patient one is with it.

A `Task` never refuses to be made: whatever is wrong with it is kept in `faults`, so that all of it can be said at once.
"""

from __future__ import annotations

from .text import nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, Optional

    from .cron import Schedule

KINDS = ("function", "command", "collector", "outbox")
CATCH_UPS = ("all", "latest", "none")
OVERLAPS = ("skip", "queue", "replace")
AFTER_FAILURES = ("skip", "run")
RUN_ALL = "run_all"  # in `after`: every collector that is set up
PARTITIONS = ("day",)
DSTS = ("once", "skip", "wall")  # what a schedule does when the clocks of its zone are changed; `cron` says it in full
LONGEST_NAME = 64
MOST_RETRIES = 100
LONGEST_SECONDS = 366 * 86_400.0
BACKOFF_SECONDS = 10.0  # before the first retry; doubled for each one after it
_MOST_CIRCLES = 10  # that are said at once: in a knot there is no end of them
_FEW = 25  # instants of a schedule that show its rhythm: more than a day of hours
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


class Task:
    """One task as it was declared. `kind`: a Python function, a command, a collector, or an outbox to be emptied."""

    __slots__ = (
        "after", "after_failure", "app", "backoff_seconds", "catch_up", "collector", "command", "cost", "cost_limit",
        "cwd", "doc", "env", "faults", "function", "grace_seconds", "jitter_seconds", "kind", "limits",
        "min_duration_seconds", "min_output", "name", "needs", "overlap", "partition", "period_seconds", "ping",
        "retries", "schedule", "source", "timeout_seconds",
    )  # fmt: skip

    def __init__(self, name: str, *, kind: str, source: str) -> None:
        self.name = name
        self.kind = kind
        self.source = source  # where it was declared, for people
        self.doc = ""
        self.faults: list[str] = []
        self.app = ""  # what to load to have its function again, in another process
        self.function: Optional[Callable[..., Any]] = None
        self.collector: Any = None  # a Collector class
        self.command: tuple[str, ...] = ()
        self.cwd = ""
        self.env: dict[str, str] = {}
        self.after: tuple[str, ...] = ()
        self.after_failure = "skip"  # what becomes of it when something that it comes after has failed
        self.schedule: Optional[Schedule] = None
        self.partition = ""  # "day", or "" for none
        self.retries = 0
        self.backoff_seconds = BACKOFF_SECONDS
        self.timeout_seconds: Optional[float] = None
        self.catch_up = "latest"
        self.overlap = "skip"
        self.jitter_seconds = 0.0  # by how much `tick` may delay it, so that not everyone begins at once
        self.period_seconds: Optional[float] = None  # how often `watch` expects it to succeed; None: by its schedule
        self.grace_seconds: Optional[float] = None  # and how late it may be
        self.min_duration_seconds: Optional[float] = None  # what succeeds faster than this is suspicious
        self.min_output = 0  # and so is what leaves less behind than this
        self.ping = ""  # where to say that it began, succeeded or failed: an address, or `env:NAME` of a setting
        self.needs: tuple[str, ...] = ()
        self.limits: tuple[str, ...] = ()
        self.cost_limit = ""
        self.cost = 0
        if not name:
            self.fault("'' is no name for a task; give it one of its own")
        elif not is_name(name):
            self.fault(
                f"{_shown(name)} is no name for a task: letters, digits, _, - and . (a letter first,"
                f" {LONGEST_NAME} at most)"
            )

    def __repr__(self) -> str:
        return f"<task {self.name}>"

    def copy(self) -> Task:
        """The same declaration, to which more may be said without saying it of this one."""
        twin = object.__new__(Task)
        for name in Task.__slots__:
            setattr(twin, name, getattr(self, name))
        twin.faults = list(self.faults)
        return twin

    @property
    def is_adhoc(self) -> bool:
        """Whether it is due only when it is asked for."""
        return not self.partition and self.schedule is None

    @property
    def place(self) -> str:
        """Where it was declared, and its name where that does not say it."""
        is_section = self.source.endswith(f"[task:{self.name}]")
        named = f"task {self.name[:LONGEST_NAME]}" if self.name else "a task"
        return self.source if is_section else f"{self.source}: {named}"

    def fault(self, what: str) -> None:
        """Note something that cannot be meant."""
        self.faults.append(f"{self.place}: {what}")

    def declare(self, options: Mapping[str, Any]) -> Task:
        """Take the options of a declaration, from Python or from text; None means that one was not given."""
        given = {name: value for name, value in options.items() if value is not None}
        self.after = self._names("after", given.get("after", ()))
        self.after_failure = self._choice("after_failure", given.get("after_failure", "skip"), AFTER_FAILURES)
        self.needs = self._names("needs", given.get("needs", ()))
        self.limits = self._names("limits", given.get("limits", ()))
        self.partition = self._choice("partition", given.get("partition", ""), ("", *PARTITIONS))
        self.schedule = self._schedule(given.get("schedule"), given.get("timezone"), given.get("dst"))
        default = "all" if self.partition else "latest"
        self.catch_up = self._choice("catch_up", given.get("catch_up", default), CATCH_UPS)
        self.overlap = self._choice("overlap", given.get("overlap", "skip"), OVERLAPS)
        self.retries = self._whole("retries", given.get("retries", 0), most=MOST_RETRIES)
        self.backoff_seconds = self._seconds("backoff", given.get("backoff")) or BACKOFF_SECONDS
        self.timeout_seconds = self._seconds("timeout", given.get("timeout"))
        self._declare_watched(given)
        self.cost_limit = self._text("cost_limit", given.get("cost_limit", ""))
        self.cost = self._whole("cost", given.get("cost", 0), most=2**62)
        if "after_failure" in given and not self.after:
            self.fault("after_failure means nothing without after")
        if self.cost and not self.cost_limit:
            self.fault("cost means nothing without cost_limit")
        return self

    def _declare_watched(self, given: Mapping[str, Any]) -> None:
        """What `tick` and `watch` have to know of it."""
        self.jitter_seconds = self._seconds("jitter", given.get("jitter")) or 0.0
        self.period_seconds = self._seconds("period", given.get("period"))
        self.grace_seconds = self._seconds("grace", given.get("grace"))
        self.min_duration_seconds = self._seconds("min_duration", given.get("min_duration"))
        self.min_output = self._whole("min_output", given.get("min_output", 0), most=2**62)
        self.ping = self._text("ping", given.get("ping", ""))
        if self.jitter_seconds and self.is_adhoc and given.get("schedule") is None:
            self.fault("jitter means nothing without a schedule or a partition")
        if self.jitter_seconds and self.schedule and self.jitter_seconds >= shortest_pause(self.schedule):
            self.fault("jitter is as long as the shortest time between two slots, or longer: each would meet the next")
        if self.grace_seconds is not None and not (self.schedule or self.partition or self.period_seconds):
            self.fault("grace means nothing without schedule, partition or period: it is never late")
        if self.period_seconds and self.schedule:
            self.fault("period and schedule exclude each other: the schedule says how often it is due")

    def _names(self, option: str, value: object) -> tuple[str, ...]:
        """Names from a name, text with commas, a task, or any nesting of those."""
        if isinstance(value, str):
            return tuple(part.strip() for part in value.replace("\n", ",").split(",") if part.strip())
        if isinstance(value, (list, tuple, set, frozenset)):
            return tuple(dict.fromkeys(name for each in value for name in self._names(option, each)))
        name = getattr(value, "task_name", "") or (value.name if isinstance(value, Task) else "")
        if name:
            return (name,)
        self.fault(f"{option} is {_shown(value)}; give names or tasks")
        return ()

    def _choice(self, option: str, value: object, choices: Sequence[str]) -> str:
        if isinstance(value, str) and value in choices:
            return value
        known = [choice for choice in choices if choice]
        close = nearest(value, choices) if isinstance(value, str) else None
        otherwise = f"it is one of {', '.join(known)}" if len(known) > 1 else f"it can only be {known[0]}"
        self.fault(f"{option} is {_shown(value)}; " + (f"did you mean {close}?" if close else otherwise))
        return choices[0]

    def _schedule(self, text: object, zone: object, dst: object) -> Optional[Schedule]:
        if text is None:
            for option, value in (("timezone", zone), ("dst", dst)):
                if value is not None:
                    self.fault(f"{option} means nothing without schedule")
            return None
        if not isinstance(text, str) or not (zone is None or isinstance(zone, str)):
            self.fault(f"schedule and timezone are text, not {_shown(text)} and {_shown(zone)}")
            return None
        from .cron import Schedule

        try:
            return Schedule(text, zone or None, dst=self._choice("dst", dst, DSTS) if dst else None)
        except ValueError as error:
            self.fault(str(error))
            return None

    def _whole(self, option: str, value: object, *, most: int) -> int:
        is_number = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= len(str(most))
        number = int(value) if isinstance(value, str) and is_number else value
        if isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= most:
            return number
        self.fault(f"{option} is {_shown(value)}; give a whole number from 0 to {most}")
        return 0

    def _seconds(self, option: str, value: object) -> Optional[float]:
        if value is None:
            return None
        seconds = seconds_of(value)
        if seconds is None:
            self.fault(f'{option} is {_shown(value)}; give a duration such as "90s", "5m" or "2h"')
        return seconds

    def _text(self, option: str, value: object) -> str:
        if isinstance(value, str):
            return value.strip()
        self.fault(f"{option} is {_shown(value)}; give text")
        return ""


def shortest_pause(schedule: Schedule) -> float:
    """The least seconds between two instants of a schedule, of the first few from some day on."""
    from datetime import datetime, timedelta, timezone

    moment = datetime(2026, 1, 1, tzinfo=timezone.utc)
    found = []
    for _ in range(_FEW):
        following = schedule.next(moment)
        found.append(following - moment)
        moment = following
    return max(timedelta(minutes=1), min(found[1:])).total_seconds()


def is_name(text: object) -> bool:
    """Whether this may be the name of a task, an app or an outbox."""
    if not isinstance(text, str) or not 0 < len(text) <= LONGEST_NAME or not text.isascii():
        return False
    return text[0].isalpha() and all(letter.isalnum() or letter in "_-." for letter in text)


def seconds_of(value: object) -> Optional[float]:
    """The seconds of "90", "90s", "5m", "2h", "1d" or a number, more than none; None for what is no duration."""
    if isinstance(value, str):
        text = value.strip().lower()
        digits = text.rstrip("smhd")
        unit = text[len(digits) :]
        if unit not in _UNITS or not digits.isascii() or not digits.replace(".", "", 1).isdigit():
            return None
        value = float(digits) * _UNITS[unit]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 < value <= LONGEST_SECONDS else None


def closure(tasks: Mapping[str, Task], names: Iterable[str]) -> list[Task]:
    """These tasks and whatever they come after, each once, what comes first first. The graph must have been checked."""
    found: dict[str, Task] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = tasks[name]
            waiting += tasks[name].after
    if len(found) == 1:
        return list(found.values())
    from graphlib import TopologicalSorter  # here: most starts are about one task

    order = TopologicalSorter({name: task.after for name, task in found.items()}).static_order()
    return [found[name] for name in order]


def faults_of(tasks: Mapping[str, Task], *, limits: Iterable[str], cost_limits: Iterable[str]) -> list[str]:
    """Everything that is wrong with these tasks, each alone and all together; nothing when they can be run."""
    faults = [fault for task in tasks.values() for fault in task.faults]
    for task in tasks.values():
        faults += [
            _unknown(task, f"comes after {name[:LONGEST_NAME]}, which is no task", name, tasks)
            for name in task.after
            if name not in tasks and name != RUN_ALL
        ]
        faults += [
            _unknown(task, f"uses the limit {name}, which `limits` does not set", name, limits)
            for name in task.limits
            if name not in limits
        ]
        if task.cost_limit and task.cost_limit not in cost_limits:
            name = task.cost_limit
            faults.append(_unknown(task, f"uses the cost limit {name}, which no app has", name, cost_limits))
    return faults + _cycles(tasks)


def _cycles(tasks: Mapping[str, Task]) -> list[str]:
    if not any(task.after for task in tasks.values()):
        return []
    from graphlib import CycleError, TopologicalSorter

    graph = {name: set(task.after) for name, task in tasks.items()}
    found: list[str] = []
    while len(found) < _MOST_CIRCLES:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            circle = error.args[1]
            found.append(f"tasks wait for each other in a circle: {' after '.join(reversed(circle))}")
            graph[circle[1]].discard(circle[0])  # what else is there?
        else:
            break
    return found


def _unknown(task: Task, what: str, name: str, known: Iterable[str]) -> str:
    close = nearest(name, known)
    return f"{task.place} {what}" + (f" (did you mean {close}?)" if close else "")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
