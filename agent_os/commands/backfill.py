"""`backfill TASK --since D`: run the slots of a span of days that are missing, or all of them."""

from __future__ import annotations

from .. import exits
from ..core.clock import iso
from ..core.errors import UsageError
from . import add_app

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Sequence
    from typing import Any

    from ..core.plan import Setup

MOST_UNASKED = 1000  # slots; more of them are seldom meant


def add_arguments(parser: ArgumentParser) -> None:
    """TASK, --since, --until, --missing-only, --all, --dry-run, --jobs, --yes, --app."""
    parser.add_argument("of_task", metavar="TASK", help="a task with days or a schedule, a collector, or run_all")
    parser.add_argument("--since", metavar="DAY", required=True, help="first UTC day, included")
    parser.add_argument("--until", metavar="DAY", help="the UTC day to stop before, not included (default: today)")
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--missing-only", action="store_true",
        help="what has not succeeded, and days that a provider may still restate (this is the default)",
    )  # fmt: skip
    which.add_argument("--all", dest="force", action="store_true", help="also what is done")
    parser.add_argument("--dry-run", action="store_true", default=False, help="list what would run; nothing is changed")
    parser.add_argument("--jobs", metavar="N", help="how many runs go on side by side (AGENT_OS_JOBS)")
    parser.add_argument(
        "--yes", action="store_true", default=False, help=f"even if it is more than {MOST_UNASKED:,} slots"
    )
    add_app(parser)


def execute(args: Any) -> int:
    """Run what is missing in the span and report as `--task` does; or list it."""
    from ..core.outlook import look_ahead
    from ..wiring import setup_of, targets_of
    from .plan import foretell
    from .run import order_of, refuse_disabled, run

    began_at = iso(args.clock.now())
    home = args.open()
    setup = setup_of(home, app=args.app, jobs=args.whole("jobs", args.jobs, most=256))
    targets = targets_of(args.of_task, setup)
    refuse_timeless(targets, setup)
    default_until(args)
    order = order_of(args, home)
    refuse_disabled(targets, setup, home)
    outlook = look_ahead(home, setup, targets, order)
    if args.dry_run:
        foretell(args, outlook, jobs=setup.jobs)
        return exits.OK
    wanted = sum(len(line.unit.dues) for line in outlook.lines if line.unit.is_target)
    if not wanted:
        from .report import report

        home.log.info("backfill.nothing", "nothing is missing there; --all runs again what is done")
        report(args, [])
        return exits.OK
    if wanted > MOST_UNASKED and not args.yes:
        raise UsageError(
            f"{wanted:,} slots of {args.of_task} would run", hint="give --yes if that is meant, or fewer days"
        )  # fmt: skip
    return run(args, home, setup, targets=targets, order=order, began_at=began_at)


def refuse_timeless(targets: Sequence[str], setup: Setup) -> None:
    """Raise UsageError for a task that has no slots in the past."""
    for name in targets:
        task = setup.tasks[name]
        if task.is_adhoc and task.kind != "collector":
            raise UsageError(
                f"{name} has neither days nor a schedule, so nothing of it can be missing",
                hint=f"`--task {name}` runs it; `retry` and `replay` run one of its slots again",
            )


def default_until(args: Any) -> None:
    """Without --until, what is before today. Raises UsageError where that leaves nothing."""
    since, until = args.days()
    today = args.clock.today()
    if until is None:
        if since == today:
            raise UsageError(f"{since} is today, and without --until a backfill ends before it", hint="give --until")
        if since < today:
            args.until = today
