"""A task as another scheduler is told of it: when it comes, what it is about, and the words that start it. Pure.

The program looks itself for what is due, so whoever starts it late, twice or not at all does no harm: what is done is
not done again, and what was missed is caught up by the next start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..core.cron import Schedule
from ..core.spec import RUN_ALL

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import Optional

    from ..core.spec import Task

DAY, INSTANT, NAME = "day", "instant", "name"  # what its slots are called after
COLLECTED_AT = "0 6 * * *"  # UTC: a provider's day is final some hours after it is over
EXPORT = "export"


class Outline(NamedTuple):
    """One task. `schedule` is None where it is due when asked for; `is_ours`: nobody has declared that time."""

    task: str
    doc: str
    schedule: Optional[Schedule]
    is_ours: bool = False
    slot: str = ""  # "" for what finds its days itself, as a collector
    after: tuple[str, ...] = ()  # of those that are told of together
    retries: int = 0
    backoff_seconds: float = 0.0
    timeout_seconds: Optional[float] = None
    catch_up: str = "latest"
    jitter_seconds: float = 0.0


class Call(NamedTuple):
    """How the program is started."""

    program: tuple[str, ...]  # a Python and the file
    home: str
    app: str = ""
    paths: tuple[str, ...] = ()  # options for what is not where the home says

    def words(self, task: str, *more: str) -> list[str]:
        """A run of a task. `--quiet` comes last: a command that ends in .sh is a file to Airflow."""
        app = ["--app", self.app] if self.app else []
        return [*self.program, "--task", task, "--home", self.home, *self.paths, *app, *more, "--quiet"]


def outlines_of(names: Sequence[str], tasks: Mapping[str, Task]) -> list[Outline]:
    """The tasks of these names, each once, in the order given; `run_all` and `export` are names too."""
    unique = list(dict.fromkeys(names))
    return [_outline(name, tasks, unique) for name in unique]


def _outline(name: str, tasks: Mapping[str, Task], named: Collection[str]) -> Outline:
    if name == RUN_ALL:
        return Outline(RUN_ALL, "Every collector, side by side.", Schedule(COLLECTED_AT), is_ours=True)
    if name == EXPORT:
        return Outline(EXPORT, "What is stored, as CSV or JSON lines.", None)
    task = tasks[name]
    schedule, slot = task.schedule, INSTANT if task.schedule else NAME
    if task.kind == "collector":
        schedule, slot = Schedule(COLLECTED_AT), ""
    elif task.partition:
        schedule, slot = task.schedule or Schedule("@daily"), DAY
    return Outline(
        task=name, doc=task.doc, schedule=schedule, is_ours=schedule is not task.schedule, slot=slot,
        after=tuple(_after(task, tasks, named)), retries=task.retries, backoff_seconds=task.backoff_seconds,
        timeout_seconds=task.timeout_seconds, catch_up=task.catch_up, jitter_seconds=task.jitter_seconds,
    )  # fmt: skip


def _after(task: Task, tasks: Mapping[str, Task], named: Collection[str]) -> list[str]:
    """Those of the named tasks that it comes after, also by way of others that are not named."""
    found, waiting, seen = [], list(task.after), set()
    while waiting:
        name = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        if name in named:
            found.append(name)
        elif name in tasks:
            if RUN_ALL in named and tasks[name].kind == "collector":
                found.append(RUN_ALL)
            waiting += tasks[name].after
    return list(dict.fromkeys(found))


def timed(outline: Outline) -> Schedule:
    """When it comes. Raises ValueError with a sentence where it has no time of its own."""
    if outline.schedule is None:
        what = f"{outline.task} has no time of its own: it is due when it is asked for"
        raise ValueError(f"{what}; give it a schedule, or name a task that comes after it")
    return outline.schedule
