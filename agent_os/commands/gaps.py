"""`gaps`: the days that are missing, and why each is."""

from __future__ import annotations

from .. import exits
from . import emit, emit_json, emit_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from typing import Any

    from ..arguments import Arguments
    from ..core.collector import Collector
    from ..core.days import Window
    from ..core.due import Order
    from ..core.home import Home
    from ..core.plan import Setup
    from ..core.store import Store


def add_arguments(parser: ArgumentParser) -> None:
    """--since, --until."""
    parser.add_argument("--since", metavar="DAY", help="first UTC day, included (default: what a run looks after)")
    parser.add_argument("--until", metavar="DAY", help="the UTC day to stop before; it is not included")


def execute(args: Arguments) -> int:
    """Print every span of missing days with its reason."""
    from ..wiring import setup_of
    from .run import order_of

    home = args.open()
    found = missing(setup_of(home), home, order_of(args, home))
    if args.json:
        emit_json(found)
    elif not found:
        emit("no day is missing")
    else:
        rows = [(each["provider"], each["since"], each["last"], str(each["days"]), each["reason"]) for each in found]
        emit_table(("provider", "from", "to", "days", "why"), rows, right={3})
    return exits.OK


def missing(setup: Setup, home: Home, order: Order) -> list[dict[str, Any]]:
    """All that is missing, as `--json` lists it; for the Python API too."""
    from ..core.days import CATCH_UP_DAYS, add_days

    store, today = home.store(), home.clock.today()
    found: list[dict[str, Any]] = []
    for collector in setup.collectors.values():
        span = order.span(today=today, first=store.first_day(collector.task))
        found += holes(collector, span, store, reach=add_days(today, -CATCH_UP_DAYS))
    return found


def holes(collector: Collector, span: Window, store: Store, *, reach: str) -> list[dict[str, Any]]:
    """Consecutive missing days with the same reason, as one entry each; a run by itself goes back to `reach`."""
    reads, reasons = store.reads(collector.task, span), store.reasons(collector.task, span)
    found: list[dict[str, Any]] = []
    before = ""
    for day in span:
        if day in reads:
            before = ""
            continue
        reason = why(collector, reasons.get(day, ""), out_of_reach=day < reach)
        if before and found and found[-1]["reason"] == reason:
            found[-1]["last"] = day
            found[-1]["days"] += 1
        else:
            names = {"provider": collector.name, "task": collector.task}
            found.append({**names, "since": day, "last": day, "days": 1, "reason": reason})
        before = day
    return found


def why(collector: Collector, failure: str, *, out_of_reach: bool) -> str:
    """Why a day is missing, in words."""
    if failure:
        return f"failed: {failure}"
    if collector.disabled:
        return collector.disabled
    if out_of_reach:
        return "further back than a run goes by itself; --task run_all --since asks for it"
    return "not asked for yet (off, asleep or never run); the next run does"
