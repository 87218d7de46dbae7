"""`results`: tokens and cost by day and provider; by model, project or month where that is asked for."""

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
    """--since, --until, --provider, --by."""
    parser.add_argument("--since", metavar="DAY", help=f"first UTC day, included (default: {DAYS_SHOWN} days back)")
    parser.add_argument("--until", metavar="DAY", help="the UTC day to stop before; it is not included")
    parser.add_argument("--provider", metavar="NAME", default="", help="only this provider")
    parser.add_argument(
        "--by", metavar="LIST", default="", help="added up by day, month, model, project, account, key or item; as"
        " --by model or --by day,project"
    )  # fmt: skip


def execute(args: Arguments) -> int:
    """Print the headlines of the days, and what they add up to, apart by basis and currency."""
    from ..core.days import add_days

    since, until = args.days()
    home = args.open()
    span = {
        "since": since or ("" if until else add_days(args.clock.today(), -DAYS_SHOWN)),
        "until": until or "9999-12-31",
        "provider": getattr(args, "provider", ""),
    }
    if getattr(args, "by", ""):
        return execute_by(args, home, span)
    rows = home.store().results(**span)
    if args.json:
        emit_json([as_json(row) for row in rows])
    elif not rows:
        emit("no day is stored for this span; `gaps` says why")
    else:
        show(rows)
        for line in notes(rows, home):
            emit(line)
    return exits.OK


def execute_by(args: Arguments, home: Home, span: dict[str, str]) -> int:
    """Print what the lines of the days add up to by model, project ..., the dearest first within each provider."""
    from ..core.money import decimal_text
    from ..wiring import setup_of
    from .report import beside

    columns = columns_of(args)
    found = home.store().sums_by(columns, **span)
    timed = sum(column in ("day", "month") for column in columns)
    if not timed:
        found.sort(key=lambda each: (each[0][:2], -sum(nano for _, nano in each[3]), -each[1]))
    if args.json:
        emit_json([
            {
                **dict(zip(("provider", "basis", *columns), key)), "tokens": tokens, "unpriced_tokens": unpriced,
                "money": [{"currency": code, "amount": decimal_text(nano)} for code, nano in money],
            }
            for key, tokens, unpriced, money in found
        ])  # fmt: skip
    elif not found:
        emit("no day is stored for this span; `gaps` says why")
    else:
        show_by(columns, found)
        told = {each[0][0] for each in found}
        shown = [each for each in setup_of(home).collectors.values() if each.name in told]
        for line in beside(sorted(shown, key=lambda each: str(each.name))):
            emit(line)
    return exits.OK


def columns_of(args: Arguments) -> list[str]:
    """What --by lists. Raises UsageError for what nothing can be added up by."""
    from ..core.errors import UsageError
    from ..core.store import BY

    columns = list(dict.fromkeys(part.strip() for part in getattr(args, "by", "").split(",") if part.strip()))
    for column in columns:
        if column not in BY:
            raise UsageError(f"nothing is added up by {column[:40]!r}", hint=f"--by knows {', '.join(BY)}")
    return columns


def show_by(columns: list[str], found: list[Any]) -> None:
    """A line for each combination and currency; tokens are told once."""
    from ..core.money import at_least
    from ..core.text import thousands

    lines = []
    for (provider, basis, *where), tokens, unpriced, money in found:
        for number, (code, nano) in enumerate(money or [("", None)]):
            cost = "-" if nano is None and not unpriced else at_least(nano, unpriced)
            count = thousands(tokens) if not number else ""
            lines.append((provider, *(each or "-" for each in where), count, cost, code, basis))
    header = ("provider", *columns, "tokens", "cost", "currency", "basis")
    emit_table(header, lines, right={len(columns) + 1, len(columns) + 2})


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
        *unseen(rows, home),
        *(f"{name}: {thousands(count)} tokens unpriced; `prices check` says of which models"
          for name, count in sorted(unpriced.items()) if count),
        *beside(sorted(shown, key=lambda each: str(each.name))),
    ]  # fmt: skip


def unseen(rows: list[tuple[Any, ...]], home: Home) -> list[str]:
    """Money of these days that no row shows: a row is of one basis and one currency, and a day may have more."""
    from ..core.days import Window, add_days
    from ..core.money import shown

    span = Window(min(row[0] for row in rows), add_days(max(row[0] for row in rows), 1))
    seen: dict[tuple[str, str, str], int] = {}
    for _, provider, _, nano, currency, basis, *_ in rows:
        seen[provider, basis, currency] = seen.get((provider, basis, currency), 0) + (nano or 0)
    store = home.store()
    return [
        f"{provider}: {shown(rest)} {code} {basis} stand beside the rows above, and are in no sum"
        for provider in sorted({row[1] for row in rows})
        for basis, code, nano in store.sums(provider, span)[-1]
        if (rest := nano - seen.get((provider, basis, code), 0))
    ]


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
    by_kind: dict[tuple[str, str, str], list[tuple[Any, ...]]] = {}
    for row in rows:
        by_kind.setdefault((row[1], row[4], row[5]), []).append(row)
    totals = [
        ("sum", key[0], thousands(sum(row[2] or 0 for row in days)), sum_of(days), key[1], key[2], "")
        for key, days in sorted(by_kind.items())
    ]
    header = ("date", "provider", "tokens", "cost", "currency", "basis", "day")
    emit_table(header, [*lines, *totals], right={2, 3})


def sum_of(rows: list[tuple[Any, ...]]) -> str:
    """What days of one provider, currency and basis cost; those of which nobody knows are counted, not taken for 0."""
    from ..core.money import at_least
    from ..core.text import plural

    known = [row[3] for row in rows if row[3] is not None]
    unpriced = sum(row[8] for row in rows)
    told = at_least(sum(known) if known else None, unpriced)
    unknown = sum(row[3] is None and not row[8] for row in rows)
    return f"{told} + {plural(unknown, 'day')} unknown" if unknown and (known or unpriced) else told
