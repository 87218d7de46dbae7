"""`retry`: run slots again whose runs failed; the steps that were done are read, not run."""

from __future__ import annotations

from .. import exits
from ..core.chronicle import Chronicle
from ..core.clock import iso
from ..core.errors import UsageError
from . import add_app
from .runs import WHICH, find, run_again, slots_of, task_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Iterable
    from typing import Any

    from ..core.chronicle import Run
    from ..core.home import Home
    from ..core.plan import Setup

    Keys = dict[str, list[str]]  # task -> keys


def add_arguments(parser: ArgumentParser) -> None:
    """RUN..., --failed, --task, --since, --app."""
    parser.add_argument("runs", metavar="RUN", nargs="*", default=[], help=WHICH)
    parser.add_argument("--failed", action="store_true", default=False, help="every slot whose newest run failed")
    parser.add_argument("--task", dest="of_task", metavar="NAME", default="", help="with --failed: only of this task")
    parser.add_argument("--since", metavar="DAY", help="with --failed: only runs that began on this UTC day or later")
    add_app(parser)


def execute(args: Any) -> int:
    """Run what is named and has not succeeded since, and report as `--task` does."""
    from ..wiring import setup_of, targets_of

    began_at = iso(args.clock.now())
    since, _ = args.days()
    if bool(args.runs) == args.failed:
        what = "runs and --failed exclude each other" if args.failed else "no run was named"
        raise UsageError(what, hint="name runs, or give --failed; `history --status failed` lists them")
    if args.runs and (since or args.of_task):
        raise UsageError("--task and --since choose among what --failed means", hint="leave them out, or give --failed")
    home = args.open()
    setup = setup_of(home, app=args.app)
    with home.reading() as store:
        chronicle = Chronicle(store.db)
        if args.failed:
            names = targets_of(args.of_task, setup) if args.of_task else None
            slots = [each for each in chronicle.failed_slots(since=since or "") if names is None or each[0] in names]
            keys = failed(slots, setup, home)
        else:
            keys = unresolved([find(chronicle, word) for word in args.runs], chronicle, setup, home)
    if keys:
        return run_again(args, home, setup, keys=keys, began_at=began_at)
    from .report import report

    home.log.info("retry.nothing", "nothing has to be run again")
    report(args, [])
    return exits.OK


def unresolved(runs: Iterable[Run], chronicle: Chronicle, setup: Setup, home: Home) -> Keys:
    """The slots of these runs, without those that have succeeded: that is said. Raises UsageError, see `runs`."""
    found: Keys = {}
    for run in runs:
        task = task_of(run, setup)
        keys = list(slots_of(run, task))
        if run.status == "success":
            left = []
        elif task.kind == "collector":
            left = chronicle.unresolved_days(run.task, run.window_start or "", run.window_end or "")
        else:
            left = [key for key in keys if (chronicle.slot(run.task, key) or ("",))[0] != "success"]
        if left:
            found.setdefault(run.task, []).extend(left)
        else:
            what = "succeeded" if run.status == "success" else "failed, but what it was about has succeeded since"
            home.log.info(
                "retry.left_alone", f"run {run.id} of {run.label} {what}: left alone; `replay` does it again anyway"
            )
    return found


def failed(slots: Iterable[tuple[str, str, str]], setup: Setup, home: Home) -> Keys:
    """Task -> keys, without outboxes, which are emptied by every run, and without tasks that are gone: that is said.

    Raises UsageError when no other is left.
    """
    found: Keys = {}
    gone: Keys = {}
    for task, key, _ in slots:
        if task not in setup.outboxes:
            (found if task in setup.tasks else gone).setdefault(task, []).append(key)
    told = ", ".join(sorted(gone))
    if gone and not found:
        raise UsageError(f"what failed is of tasks that do not exist: {told}", hint="name their app with --app")
    if gone:
        home.log.warning("retry.no_task", f"left out, since there is no such task: {told}; --app names an app")
    return found
