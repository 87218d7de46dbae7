"""A course of numbers in one line of characters, and the days, weeks or months that it is drawn from. Pure."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
LETTERS = "_.:-=+*#"  # where the blocks cannot be shown
DAYS_SHOWN = 92  # of a longer span weeks are drawn
WEEKS_SHOWN = 400  # of one longer than so many days months are
TIMES = ("day", "week", "month", "year")


def unit_of(by: Sequence[str], days: int) -> str:
    """What the course of a group is added up in: as fine as can be seen, so that five years need few sums."""
    times = [word for word in by if word in TIMES]
    if "day" in times:
        return "day"
    if times and "year" not in times:
        return "day" if days <= WEEKS_SHOWN or len(by) == 1 else times[0]
    return "day" if days <= DAYS_SHOWN else "week" if days <= WEEKS_SHOWN and not times else "month"


def span_of(word: str, value: str) -> tuple[str, str]:
    """The days [first, end) of a day, the week that begins with it, a month or a year."""
    if word in ("day", "week"):
        first = date.fromisoformat(value)
        return value, (first + timedelta(days=7 if word == "week" else 1)).isoformat()
    first = date.fromisoformat(value + ("-01" if word == "month" else "-01-01"))
    end = (first + timedelta(days=31 if word == "month" else 366)).replace(day=1)
    return first.isoformat(), end.isoformat()


def cells_in(unit: str, since: str, until: str) -> list[str]:
    """The names of all days, weeks, months or years that have a day in [since, until), as sums have them."""
    day, end = date.fromisoformat(since), date.fromisoformat(until)
    found = []
    while day < end:
        name = cell_of(unit, day.isoformat())
        found.append(name)
        day = date.fromisoformat(span_of(unit, name)[1])
    return found


def cell_of(unit: str, day: str) -> str:
    """The name of the day, week, month or year that a day is in."""
    if unit == "week":
        first = date.fromisoformat(day)
        return (first - timedelta(days=first.weekday())).isoformat()
    return day[: {"day": 10, "month": 7, "year": 4}[unit]]


def drawn(  # noqa: PLR0913 (all but the first by name)
    course: Mapping[str, int], *, cells: Sequence[str], width: int, levels: str, most: int = 0, is_whole: bool = True
) -> str:
    """One character for each cell, or for so many neighbours that all fit; a blank where nothing was told.

    Neighbours are shown by their mean; of those that were told where the course `is_whole`: a day that is missing is
    not a low one. `most` is what the highest level stands for; 0: the largest of them.
    """
    each = -(-len(cells) // width) if cells else 1
    means: list[Optional[int]] = []
    for start in range(0, len(cells), each):
        names = cells[start : start + each]
        told = [course[name] for name in names if name in course]
        means.append(sum(told) // len(told if is_whole else names) if told else None)
    top = most or max((number for number in means if number is not None), default=0)
    return "".join(" " if number is None else levels[_level(number, top, len(levels))] for number in means)


def _level(number: int, top: int, count: int) -> int:
    return max(0, min(count - 1, number * count // top)) if top > 0 else 0
