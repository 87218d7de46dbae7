"""`diff`: what was known at the end of one day against what was known at the end of another."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from .. import exits
from . import emit, emit_json, emit_table

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Iterator
    from typing import Any, Optional

    from ..core.line_store import Line
    from ..core.provenance import Day


_ZERO = Fraction(0)


def add_arguments(parser: ArgumentParser) -> None:
    """--from, --to, --provider."""
    parser.add_argument("--from", dest="known_from", metavar="DATE", required=True, help="as it was known then")
    parser.add_argument("--to", dest="known_to", metavar="DATE", required=True, help="as it was known then; both UTC")
    parser.add_argument("--provider", metavar="NAME", default="", help="only this provider")


def execute(args: Any) -> int:
    """Print the days that are not the same, line by line, and what the differences come to."""
    from ..core.provenance import Provenance
    from ..core.text import plural

    first, second = instants(args.known_from, args.known_to)
    home = args.open()
    sums = Sums()
    days = (
        sums.counted(as_json(day)) for day in Provenance(home.store().db).changes(first, second, provider=args.provider)
    )
    if args.json:
        emit_json({"from": first, "to": second, "days": list(days), "sums": sums.rows()})
        return exits.OK
    for day in days:
        show(day)
    for each in sums.rows():
        emit(
            f"{plural(each['days'], 'day')} {each['kind']}: {signed(each['difference'])} {each['unit']} {each['basis']}"
        )
    if not sums.rows():
        emit("nothing is different")
    return exits.OK


def instants(first: str, second: str) -> tuple[str, str]:
    """The ends of the two days. Raises UsageError."""
    from ..core.days import last_instant, parse_day
    from ..core.errors import UsageError

    try:
        days = parse_day(first), parse_day(second)
    except ValueError as error:
        raise UsageError(
            str(error), hint="--from and --to are days of knowledge: what was known at their end"
        ) from error
    if days[0] >= days[1]:
        raise UsageError(f"--to {days[1]} is not after --from {days[0]}", hint="--from is the earlier one")
    return last_instant(days[0]), last_instant(days[1])


def as_json(day: Day) -> dict[str, Any]:
    """A day: what each basis and unit came to then and now, and the lines that differ. Figures as exact text."""
    totals: dict[tuple[str, str], list[Fraction]] = {}
    for then, now in [*day.lines, *((line, line) for line in day.same)]:
        for place, line in ((0, then), (1, now)):
            if line:
                totals.setdefault((line.basis, unit_of(line)), [_ZERO, _ZERO])[place] += number(line)
    changed = {(line.basis, unit_of(line)) for pair in day.lines for line in pair if line}
    return {
        "provider": day.provider, "day": day.date, "kind": "new" if day.is_new else "restated",
        "totals": [
            {"basis": basis, "unit": unit, **compared(None if day.is_new else then, now, unit)}
            for (basis, unit), (then, now) in sorted(totals.items())
            if (basis, unit) in changed
        ],
        "lines": [] if day.is_new else [line_of(then, now) for then, now in day.lines],
    }  # fmt: skip


def line_of(then: Optional[Line], now: Optional[Line]) -> dict[str, Any]:
    """A line that differs; `old` or `new` is null where there was none."""
    line = now or then
    if line is None:
        return {}
    names = [line.report, *(part for part in (*line[5:15],) if part)]
    return {
        "basis": line.basis, "unit": unit_of(line), "what": ", ".join(names),
        **compared(number(then) if then else None, number(now) if now else None, unit_of(line)),
        "old_line": then.id if then else None, "new_line": now.id if now else None,
        "seen_at": now.observed_at if now else line.superseded_at,
    }  # fmt: skip


def unit_of(line: Line) -> str:
    """What its figure counts: a currency, or tokens, calls, ..."""
    return line.currency if line.kind == "cost" else line.unit


def number(line: Line) -> Fraction:
    """Its figure, exactly, in whole units."""
    from ..core.money import UNIT

    return Fraction(line.amount_nano or 0, UNIT) if line.kind == "cost" else Fraction(str(line.quantity or 0))


def compared(old: Optional[Fraction], new: Optional[Fraction], unit: str) -> dict[str, Any]:
    """Both figures and their difference; where one is null there was no line, which adds nothing."""
    return {
        "old": None if old is None else text(old, unit), "new": None if new is None else text(new, unit),
        "difference": text((new or _ZERO) - (old or _ZERO), unit),
    }  # fmt: skip


def text(figure: Fraction, unit: str) -> str:
    """As exact decimal text, of money with two decimals at least; every figure here has one."""
    from decimal import Context, Decimal

    from ..core.money import UNIT, decimal_text

    if unit.isupper():  # a currency
        return decimal_text(int(figure * UNIT))
    return format(Context(prec=200).divide(Decimal(figure.numerator), Decimal(figure.denominator)), "f")


class Sums:
    """What the differences come to, apart by basis and unit, restated days apart from new ones."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str, str], list[Any]] = {}

    def counted(self, day: dict[str, Any]) -> dict[str, Any]:
        """The day, counted in."""
        for each in day["totals"]:
            known = self._sums.setdefault((day["kind"], each["basis"], each["unit"]), [0, Fraction(0)])
            known[0] += 1
            known[1] += Fraction(each["difference"])
        return day

    def rows(self) -> list[dict[str, Any]]:
        """All of them, in order."""
        return [
            {"kind": kind, "basis": basis, "unit": unit, "days": days, "difference": text(figure, unit)}
            for (kind, basis, unit), (days, figure) in sorted(self._sums.items())
        ]


def show(day: dict[str, Any]) -> None:
    """A day: what it came to, and its lines."""
    from ..core.text import safe

    for each in told(day["totals"]):
        old = "not known" if each["old"] is None else each["old"]
        what = f"{old} -> {each['new']} {each['unit']} {each['basis']} ({signed(each['difference'])})"
        emit(safe(f"{day['day']} {day['provider']} {day['kind']}: {what}"))
    if day["lines"]:
        header = ("  line", "was", "is", "difference", "unit", "seen", "what")
        emit_table(header, list(cells(day)), right={1, 2, 3})


def told(sums: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Money and tokens, where there are any of them; calls, images and seconds are in --json."""
    return [each for each in sums if each["unit"].isupper() or each["unit"] == "tokens"] or sums


def cells(day: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """The lines of a day as rows of a table."""
    for line in day["lines"]:
        number = f"  {line['new_line'] or line['old_line']}"
        seen = f"{line['seen_at'][:19]}Z"
        figures = (line["old"] or "-", line["new"] or "-", signed(line["difference"]))
        yield (number, *figures, line["unit"], seen, line["what"])


def signed(figure: str) -> str:
    """With a plus where it is not less."""
    return figure if figure.startswith("-") else f"+{figure}"
