"""`gaps`: what is missing, why each is, and until when it can still be had."""

from __future__ import annotations

from .. import exits
from . import add_app, emit, emit_json, emit_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from typing import Any

    from ..core.due import Order
    from ..core.holes import Hole
    from ..core.home import Home
    from ..core.plan import Setup
    from ..core.spec import Task


def add_arguments(parser: ArgumentParser) -> None:
    """--task, --since, --until, --app."""
    parser.add_argument("--task", dest="of_task", metavar="NAME", default="", help="only of this task")
    parser.add_argument("--since", metavar="DAY", help="first UTC day, included (default: what a run looks after)")
    parser.add_argument("--until", metavar="DAY", help="the UTC day to stop before; it is not included")
    add_app(parser)


def execute(args: Any) -> int:
    """Print every span of missing days or slots with its reason."""
    from ..wiring import setup_of
    from .run import order_of

    home = args.open()
    found = gaps_of(setup_of(home, app=args.app), home, order_of(args, home), of_task=args.of_task)
    if args.json:
        emit_json(found)
    elif not found:
        emit("nothing is missing")
    else:
        show(found)
    return exits.OK


def gaps_of(setup: Setup, home: Home, order: Order, *, of_task: str = "") -> list[dict[str, Any]]:
    """All that is missing, or only of one task, as `--json` lists it; for the Python API too. Raises UsageError."""
    from ..wiring import targets_of

    names = targets_of(of_task, setup) if of_task else list(setup.tasks)
    tasks = [setup.tasks[name] for name in names]
    _refuse_adhoc(tasks, is_chosen=bool(of_task))
    today = home.clock.today()
    return [as_json(task, hole, today=today) for task in tasks for hole in holes(task, setup, home, order)]


def _refuse_adhoc(tasks: list[Task], *, is_chosen: bool) -> None:
    from ..core.errors import UsageError

    for task in tasks if is_chosen else ():
        if task.is_adhoc and task.kind != "collector":
            raise UsageError(
                f"the task {task.name} has no gaps: it has neither days nor a schedule", hint="`history` has its runs"
            )


def holes(task: Task, setup: Setup, home: Home, order: Order) -> list[Hole]:
    """What is missing of one task."""
    from ..core import lock
    from ..core.days import CATCH_UP_DAYS, add_days
    from ..core.holes import holes_of, holes_of_collector
    from ..core.schedules import Schedules
    from ..core.survey import Survey

    store = home.store()
    if task.is_adhoc and task.kind != "collector":
        return []  # before its slots are read: there may be a million
    rows = Survey(store.db).slots(task.name)
    known: dict[str, bool] = {}

    def is_alive(owner: str) -> bool:
        if owner not in known:
            known[owner] = not lock.is_gone(home.db_path, owner)
        return known[owner]

    collector = setup.collectors.get(task.name)
    if collector:
        today = home.clock.today()
        first = store.first_day(task.name)
        if first is None and collector.disabled and not collector.is_expected:
            return []  # nobody has it, and nobody ever had
        span = order.span(today=today, first=first)
        reads = collector.known(store, span, today=today)
        return holes_of_collector(
            collector, rows, reads=reads, span=span, today=today,
            reach=add_days(today, -CATCH_UP_DAYS), is_alive=is_alive,
        )  # fmt: skip
    disabled = setup.disabled(task, home.settings)
    _, enabled_at, _ = Schedules(store.db).all().get(task.name, ("", "", ""))
    return holes_of(
        task, rows, order=order, now=home.clock.now(), disabled=disabled, is_alive=is_alive, enabled_at=enabled_at
    )


def as_json(task: Task, hole: Hole, *, today: str) -> dict[str, Any]:
    """A hole; `since` and `last` are both missing. `lost_on`: when the provider forgets the first of it."""
    return {
        "provider": task.collector.name if task.collector else task.name,
        "since": hole.since,
        "last": hole.last,
        "days": hole.days,
        "reason": hole.reason,
        "task": task.name,
        "slots": hole.slots,
        "lost_on": hole.lost_on or None,
        "is_lost": bool(hole.lost_on) and hole.lost_on <= today,
    }


def show(found: list[dict[str, Any]]) -> None:
    """A line a hole."""

    def deadline(each: dict[str, Any]) -> str:
        return "lost" if each["is_lost"] else f"lost on {each['lost_on']}" if each["lost_on"] else ""

    has_deadlines = any(each["lost_on"] for each in found)
    header = ("task", "from", "to", "missing", *(["deadline"] if has_deadlines else []), "why")
    rows = [
        (
            each["task"], each["since"], each["last"], str(each["slots"]),
            *([deadline(each)] if has_deadlines else []), each["reason"],
        )
        for each in found
    ]  # fmt: skip
    emit_table(header, rows, right={3})
