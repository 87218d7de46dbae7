"""`results`: tokens and cost by day and provider."""

from __future__ import annotations

from .. import exits
from . import emit, emit_json, emit_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from typing import Any

    from ..arguments import Arguments

DAYS_SHOWN = 31


def add_arguments(parser: ArgumentParser) -> None:
    """--since, --until, --provider."""
    parser.add_argument("--since", metavar="DAY", help=f"first UTC day, included (default: {DAYS_SHOWN} days back)")
    parser.add_argument("--until", metavar="DAY", help="the UTC day to stop before; it is not included")
    parser.add_argument("--provider", metavar="NAME", default="", help="only this provider")


def execute(args: Arguments) -> int:
    """Print the headlines of the days, and what they add up to, apart by basis and currency."""
    from ..core.days import add_days

    since, until = args.days()
    home = args.open()
    rows = home.store().results(
        since=since or ("" if until else add_days(args.clock.today(), -DAYS_SHOWN)), until=until or "9999-12-31",
        provider=getattr(args, "provider", ""),
    )  # fmt: skip
    if args.json:
        emit_json([as_json(row) for row in rows])
    elif not rows:
        emit("no day is stored for this span; `gaps` says why")
    else:
        show(rows)
    return exits.OK


def as_json(row: tuple[Any, ...]) -> dict[str, Any]:
    """A headline; cost as exact decimal text, null when unknown."""
    from ..core.money import decimal_text

    date, provider, tokens, nano, currency, basis, status, updated_at = row
    return {
        "date": date, "provider": provider, "tokens": tokens, "cost": None if nano is None else decimal_text(nano),
        "currency": currency, "basis": basis, "day_status": status, "updated_at": updated_at,
    }  # fmt: skip


def show(rows: list[tuple[Any, ...]]) -> None:
    """A table of the days, then the sums."""
    from ..core.money import shown
    from ..core.text import thousands

    def figure(nano: int | None) -> str:
        return "unknown" if nano is None else shown(nano)

    lines = [
        (date, provider, "unknown" if tokens is None else thousands(tokens), figure(nano), currency, basis, status)
        for date, provider, tokens, nano, currency, basis, status, _ in rows
    ]
    sums: dict[tuple[str, str, str], list[int]] = {}
    for _, provider, tokens, nano, currency, basis, _, _ in rows:
        known = sums.setdefault((provider, currency, basis), [0, 0])
        known[0] += tokens or 0
        known[1] += nano or 0
    totals = [
        ("sum", key[0], thousands(tokens), shown(nano), key[1], key[2], "")
        for key, (tokens, nano) in sorted(sums.items())
    ]
    header = ("date", "provider", "tokens", "cost", "currency", "basis", "day")
    emit_table(header, [*lines, *totals], right={2, 3})
