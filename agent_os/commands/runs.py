"""Runs that are named on the command line: which one is meant, what its task is, and which slots it was about."""

from __future__ import annotations

from ..core.days import Window
from ..core.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..arguments import Arguments
    from ..core.chronicle import Chronicle, Run
    from ..core.home import Home
    from ..core.plan import Setup
    from ..core.spec import Task

LAST = "last"
LEAST = 6  # characters of an id that may stand for it
MOST_NAMED = 4
WHICH = "a run: its id, 6 or more characters of its beginning or end, or `last`; `history` lists them"


def find(chronicle: Chronicle, word: str, *, task: str = "") -> Run:
    """The run that a word means; `last` is the newest one (of `task`). Raises UsageError."""
    if word == LAST:
        newest = chronicle.runs(task=task, most=1)
        if newest:
            return newest[0]
        raise UsageError("no run is recorded" + (f" of {task[:60]!r}" if task else ""), hint="`history` lists them all")
    run = chronicle.run(word)
    if run:
        return run
    if len(word) < LEAST:
        raise UsageError(
            f"{word!r} is too short to name a run", hint=f"give {LEAST} characters of its id, or `last`"
        )  # fmt: skip
    ids = chronicle.named(word, most=MOST_NAMED + 1)
    run = chronicle.run(ids[0]) if len(ids) == 1 else None
    if run:
        return run
    if not ids:
        raise UsageError(f"there is no run {word[:60]!r}", hint="`history` lists them")
    shown = ", ".join(ids[:MOST_NAMED]) + (", …" if len(ids) > MOST_NAMED else "")
    raise UsageError(f"{word!r} is the beginning or the end of several runs: {shown}", hint="give more of the id")


def task_of(run: Run, setup: Setup) -> Task:
    """The task of a run. Raises UsageError when there is none of that name any more."""
    if run.task in setup.tasks:
        found: Task = setup.tasks[run.task]
        return found
    if run.task in setup.outboxes:
        raise UsageError(
            f"run {run.id} has emptied the outbox {run.task}", hint="what still waits in it is sent by the next run"
        )
    raise UsageError(
        f"run {run.id} was of the task {run.task}, which does not exist",
        hint="name its app with --app, or put it back where it was declared",
    )


def slots_of(run: Run, task: Task) -> Sequence[str]:
    """The keys of the slots that a run was about. Raises UsageError for one that was about none."""
    if task.kind == "collector" and run.window_start and run.window_end:
        return list(Window(run.window_start, run.window_end))
    if task.kind != "collector" and run.slot:
        return [run.slot]
    raise UsageError(
        f"run {run.id} of {run.task} had no slot to run" + (f": {run.error}" if run.error else ""),
        hint=f"`--task {run.task}` does what is due",
    )


def run_again(  # noqa: PLR0913 (what a run is, all by name)
    args: Arguments, home: Home, setup: Setup, *, keys: Mapping[str, Sequence[str]], began_at: str, force: bool = False
) -> int:
    """Run these slots, task -> keys, as `--task` runs those that are due. All of them are one run of the program."""
    from ..core.due import Order
    from .run import check_order, from_step_of, lookback_days, run

    order = Order(keys=keys, force=force, from_step=from_step_of(args), lookback_days=lookback_days(home))
    check_order(order, list(keys), setup)
    return run(args, home, setup, targets=list(keys), order=order, began_at=began_at)
