"""What figures by hand would change: those of a file beside those that were imported before. Pure.

The days of a file replace the same days of before, of the same provider and label; days that are not in it stay. So a
file that is imported twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence  # noqa: TC003 (a NamedTuple evaluates its annotations)
from typing import NamedTuple

from .days import Window, add_days
from .model import Batch
from .money import shown
from .text import plural, thousands

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .figures import Figures
    from .model import Record

    Sums = dict[tuple[str, str], int]  # (day, currency) -> 10^-9 units, and (day, "tokens") -> tokens

TASK = "import"


class Changes(NamedTuple):
    """The days of a file: new, replaced, and as they were; and what got less than it was, as sentences."""

    new: list[str]
    replaced: list[str]
    unchanged: list[str]
    warnings: list[str]


def report_of(label: str, part: str) -> str:
    """The report under which figures by hand are kept: one for each label, and for each part of an export in two."""
    return TASK + (f":{label}" if label else "") + (f"/{part}" if part else "")


def window_of(days: Sequence[str]) -> Window:
    """The window from the first to the last of ascending days."""
    return Window(days[0], add_days(days[-1], 1))


def compare(figures: Figures, before: Sequence[Record], *, known: Collection[str]) -> Changes:
    """What storing the figures would change. `known`: days of which anything is stored, though it be nothing."""
    was, will = _by_day(before), _by_day(figures.records)
    changes = Changes([], [], [], [])
    for day in figures.days:
        old, new = was.get(day, set()), will.get(day, set())
        if not old and (new or day not in known):
            changes.new.append(day)
        elif old == new:
            changes.unchanged.append(day)
        else:
            changes.replaced.append(day)
            changes.warnings.extend(_less(day, old, new))
    return changes


def _by_day(records: Sequence[Record]) -> dict[str, set[Record]]:
    found: dict[str, set[Record]] = {}
    for record in records:
        found.setdefault(record.date, set()).add(record)
    return found


def _less(day: str, old: Collection[Record], new: Collection[Record]) -> list[str]:
    """What of a day is less than before: its sums, else its lines."""
    before, after = totals(old), totals(new)
    found = []
    for unit, figure in sorted(before.items()):
        left = after.get(unit, 0)
        if left < figure:
            tell = thousands if unit == "tokens" else shown
            found.append(f"{day}: {tell(figure)} {unit} were imported before, now {tell(left)}")
    gone = len({line.identity for line in old} - {line.identity for line in new})
    if gone and not found:
        found.append(f"{day}: {plural(gone, 'line')} of before {'is' if gone == 1 else 'are'} not in this file")
    return found


def totals(records: Collection[Record]) -> dict[str, int]:
    """Money by currency, in 10^-9 units, and "tokens"."""
    found: dict[str, int] = {}
    for record in records:
        if record.kind == "cost":
            found[record.currency] = found.get(record.currency, 0) + (record.amount_nano or 0)
        elif record.unit == "tokens" and isinstance(record.quantity, int):
            found["tokens"] = found.get("tokens", 0) + record.quantity
    return found


def hidden(figures: Figures) -> list[str]:
    """A sentence where days have amounts in several currencies: a headline has one, and none is ever added."""
    codes: dict[str, set[str]] = {}
    for record in figures.records:
        if record.kind == "cost":
            codes.setdefault(record.date, set()).add(record.currency)
    count = sum(len(each) > 1 for each in codes.values())
    if not count:
        return []
    have = "has" if count == 1 else "have"
    return [
        f"{plural(count, 'day')} {have} amounts in several currencies: `results` shows one of them,"
        " `--task export --table lines` all"
    ]


def batch_of(figures: Figures, *, provider: str, report: str, observed_at: str, notes: Sequence[str]) -> Batch:
    """The figures as a batch that replaces their days."""
    codes = sorted({record.currency for record in figures.records if record.kind == "cost"})
    return Batch(
        provider=provider,
        task=TASK,
        window=window_of(figures.days),
        days=figures.days,
        reports={report},
        observed_at=observed_at,
        records=figures.records,
        pages=(),
        currency="USD" if "USD" in codes or not codes else codes[0],
        notes=notes,
        basis="imported",
    )
