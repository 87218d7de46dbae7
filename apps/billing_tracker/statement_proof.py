"""The sum of a statement, proven before it has a name: rows, printed total, database and accounts are one figure."""

from __future__ import annotations

import csv
from operator import itemgetter
from typing import TYPE_CHECKING

from agent_os import StoreError, decimal_text

from . import bookkeeping
from .statement_facts import FILED
from .statement_folder import read
from .statement_pages import printed_totals
from .statement_rows import HEADER

if TYPE_CHECKING:
    from agent_os import OpenHome

    from .statement_facts import Facts, Total


def rows_of(folder: str) -> tuple[dict[Total, int], dict[Total, int]]:
    """What lines.csv says, read back: money in 10^-9 units, and how many lines, by provider, currency and basis."""
    found: dict[Total, list[int]] = {}
    figures = itemgetter(*[HEADER.index(name) for name in ("provider", "currency", "basis", "amount")])
    with read(folder, "lines.csv") as file:
        reader = csv.reader(file)
        next(reader)
        for cells in reader:
            provider, currency, basis, amount = figures(cells)
            sums = found.setdefault((provider, currency, basis), [0, 0])
            sums[0] += nano_of(amount)
            sums[1] += 1
    return {key: sums[0] for key, sums in found.items()}, {key: sums[1] for key, sums in found.items()}


def nano_of(amount: str) -> int:
    """An exact decimal in 10^-9 units, read by another way than it was written. Raises ValueError."""
    whole, _, fraction = amount.partition(".")
    if len(fraction) > 9 or not fraction.isdigit():
        raise ValueError(f"{amount[:40]!r} is no exact amount")
    return int(whole + fraction.ljust(9, "0"))


def prove(home: OpenHome, facts: Facts, folder: str, rows: dict[Total, int]) -> None:
    """Raise StoreError where two of the places differ."""
    database = {
        (each.by[0], each.currency, each.basis): each.nano
        for each in home.sums("provider", **facts.span)
        if each.basis in FILED and each.nano is not None
    }
    _same("the rows of lines.csv", rows, "the database", database)
    with read(folder, "summary.txt") as file:
        printed = printed_totals(file.read())
    _same("the totals of summary.txt", printed, "the rows of lines.csv", rows)
    owed: dict[tuple[str, ...], int] = {}
    for (provider, currency, basis), nano in rows.items():
        owed[bookkeeping.of_provider(provider, basis), currency] = nano
    for name in ("beancount.beancount", "hledger.journal"):
        with read(folder, name) as file:
            expenses, debts, asserted = bookkeeping.sums_of(file)
        for what, found in (("expenses", expenses), ("debts", _turned(debts)), ("assertions", _turned(asserted))):
            _same(f"the {what} of {name}", found, "the rows of lines.csv", owed)


def _turned(sums: dict[tuple[str, str], int]) -> dict[tuple[str, str], int]:
    return {key: -nano for key, nano in sums.items()}


def _same(name: str, found: object, other: str, wanted: object) -> None:
    """Raise StoreError for the first sum in which they differ."""
    left, right = dict(found), dict(wanted)  # type: ignore[call-overload]
    for key in sorted({*left, *right}):
        if left.get(key) != right.get(key):
            what = " ".join(key)
            raise StoreError(
                f"{name} come to {_shown(left.get(key))} of {what}, {other} to {_shown(right.get(key))}",
                hint="nothing was written; `doctor` looks the database over",
            )


def _shown(nano: object) -> str:
    return decimal_text(nano) if isinstance(nano, int) else "nothing"
