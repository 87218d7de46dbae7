"""`backfill TASK --since D`: run the slots of a span of days that are missing, or all of them."""

from __future__ import annotations

from .. import exits
from ..core.clock import iso
from ..core.errors import UsageError
from . import add_app, emit, emit_json, emit_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Sequence
    from typing import Any

    from ..core.home import Home
    from ..core.plan import Setup, Unit

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
    from ..wiring import setup_of, targets_of
    from .run import order_of, refuse_disabled, run

    began_at = iso(args.clock.now())
    home = args.open()
    setup = setup_of(home, app=args.app, jobs=args.whole("jobs", args.jobs, most=256))
    targets = targets_of(args.of_task, setup)
    refuse_timeless(targets, setup)
    default_until(args)
    order = order_of(args, home)
    refuse_disabled(targets, setup, home)
    units = planned(targets, order, setup, home, began_at=began_at)
    wanted = sum(len(unit.dues) for unit in units if unit.is_target)
    if args.dry_run:
        return tell(args, units)
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


def planned(targets: Sequence[str], order: Any, setup: Setup, home: Home, *, began_at: str) -> list[Unit]:
    """What would be run, as the database is now."""
    from ..core.plan import Planner
    from ..core.slots import Slots

    with home.reading(or_empty=True) as store:
        planner = Planner(setup, home=home, store=store, slots=Slots(store.db))
        plan = planner.plan(targets, order, began_at=began_at)
    return [unit for unit in plan.units if unit.dues]


def tell(args: Any, units: Sequence[Unit]) -> int:
    """Each run that would be made, with what it comes after first."""
    rows: list[dict[str, Any]] = []
    for unit in units:
        start, end = unit.window
        rows.append(
            {
                "task": unit.task.name, "slot": unit.key or None, "start": start, "end": end, "slots": len(unit.dues),
                "reason": unit.blocked or ("" if unit.is_target else "it is needed by what comes after it"),
            }
        )  # fmt: skip
    if args.json:
        emit_json({"would_run": rows})
    elif not rows:
        emit("nothing would run")
    else:
        lines = [
            (row["task"], row["slot"] or f"{row['slots']} days, {row['start']} up to {row['end']}", row["reason"])
            for row in rows
        ]
        emit_table(("task", "slot", "remark"), lines)
        emit(f"nothing was run: this is what `backfill {args.of_task}` would do without --dry-run")
    return exits.OK
