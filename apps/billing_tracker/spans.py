"""UTC days: which of a span are missing, and how many days are said in few words. Pure."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from agent_os import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from agent_os import KnownDay

MOST_RANGES = 6  # that are written out; of more, the rest is counted


def day_of(what: str, text: str) -> date:
    """A day as it was typed. Raises UsageError for what is none."""
    try:
        found = date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{what} is {text[:40]!r}, which is no day", hint="write it as 2026-11-21") from error
    if found.isoformat() != text:
        raise UsageError(f"{what} is {text[:40]!r}", hint=f"write it as {found.isoformat()}")
    return found


def days_in(since: str, until: str) -> Iterator[str]:
    """Each day of [since, until)."""
    day, end = date.fromisoformat(since), date.fromisoformat(until)
    while day < end:
        yield day.isoformat()
        day += timedelta(days=1)


def missing_of(known: Iterable[KnownDay], *, since: str, until: str) -> dict[str, list[str]]:
    """Provider -> the days of [since, until) of which nothing is known; only providers that lack some."""
    have: dict[str, set[str]] = {}
    for each in known:
        days = have.setdefault(each.provider, set())
        if each.status != "missing":
            days.add(each.date)
    span = list(days_in(since, until))
    missing = {provider: [day for day in span if day not in have[provider]] for provider in sorted(have)}
    return {provider: days for provider, days in missing.items() if days}


def ranges(days: Sequence[str]) -> list[tuple[str, str]]:
    """Ascending days as (first, last) of neighbours."""
    found: list[tuple[str, str]] = []
    for day in days:
        if found and date.fromisoformat(day) - date.fromisoformat(found[-1][1]) == timedelta(days=1):
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found


def in_words(days: Sequence[str]) -> str:
    """As in "2026-11-07, 2026-11-09 to 2026-11-11 (4 days)"."""
    found = ranges(days)
    told = [first if first == last else f"{first} to {last}" for first, last in found[:MOST_RANGES]]
    rest = ", ..." if len(found) > MOST_RANGES else ""
    return f"{', '.join(told)}{rest} ({counted(len(days), 'day')})"


def counted(number: int, word: str) -> str:
    """As in "1 day", "1,234 days"."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def listed(what: Collection[str]) -> str:
    """As in "a, b and c"."""
    *most, last = sorted(what)
    return f"{', '.join(most)} and {last}" if most else last
