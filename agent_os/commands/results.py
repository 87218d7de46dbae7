"""`results`: tokens and cost by day and provider."""

from __future__ import annotations

from .. import exits
from . import emit, emit_json, emit_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from typing import Any

    from ..arguments import Arguments
    from ..core.home import Home

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
        for line in notes(rows, home):
            emit(line)
    return exits.OK


def notes(rows: list[tuple[Any, ...]], home: Home) -> list[str]:
    """What has to be known of the figures: what is no money yet, and which of them may be the same traffic."""
    from ..core.text import thousands
    from ..wiring import setup_of
    from .report import beside

    unpriced: dict[str, int] = {}
    for row in rows:
        unpriced[row[1]] = unpriced.get(row[1], 0) + row[8]
    told = {row[1] for row in rows}
    shown = [each for each in setup_of(home).collectors.values() if each.name in told]
    return [
        *(f"{name}: {thousands(count)} tokens unpriced; `prices check` says of which models"
          for name, count in sorted(unpriced.items()) if count),
        *beside(shown),
    ]  # fmt: skip


def as_json(row: tuple[Any, ...]) -> dict[str, Any]:
    """A headline; cost as exact decimal text, null when unknown."""
    from ..core.money import decimal_text

    date, provider, tokens, nano, currency, basis, status, updated_at, unpriced = row
    return {
        "date": date, "provider": provider, "tokens": tokens, "cost": None if nano is None else decimal_text(nano),
        "currency": currency, "basis": basis, "day_status": status, "updated_at": updated_at,
        "unpriced_tokens": unpriced,
    }  # fmt: skip


def show(rows: list[tuple[Any, ...]]) -> None:
    """A table of the days, then the sums."""
    from ..core.money import at_least
    from ..core.text import thousands

    lines = [
        (date, provider, "unknown" if tokens is None else thousands(tokens), at_least(nano, unpriced), currency, basis,
         status)
        for date, provider, tokens, nano, currency, basis, status, _, unpriced in rows
    ]  # fmt: skip
    sums: dict[tuple[str, str, str], list[int]] = {}
    for _, provider, tokens, nano, currency, basis, _, _, unpriced in rows:
        known = sums.setdefault((provider, currency, basis), [0, 0, 0, 0])
        for place, figure in enumerate((tokens or 0, nano or 0, unpriced, nano is not None)):
            known[place] += figure
    totals = [
        ("sum", key[0], thousands(tokens), at_least(nano if known else None, unpriced), key[1], key[2], "")
        for key, (tokens, nano, unpriced, known) in sorted(sums.items())
    ]
    header = ("date", "provider", "tokens", "cost", "currency", "basis", "day")
    emit_table(header, [*lines, *totals], right={2, 3})
