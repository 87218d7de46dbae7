"""What a month will probably come to, as a range, from the days that have settled enough. Whole numbers only. Pure."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple, Optional

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRST_ON = 3  # the day of the month from which on there is a forecast
YOUNGEST_DAYS = 2  # what is younger may still be incomplete
MOST_DAYS = 28  # that a range is drawn from: four weeks
LEAST_DAYS = 3
NONE = (
    f"no forecast: before day {FIRST_ON} of a month, without a known day of this one that is older than yesterday, or"
    f" with fewer than {LEAST_DAYS} known days in all."
)
METHOD = (
    "forecast = the month's known days (older than yesterday), and for each other day of it between a low and a high"
    f" day: the quartiles of the last {MOST_DAYS} known days, or their mean where that is outside; never below what is"
    " known already. Days that are missing or have no price are among the other days, never zero."
)


class Forecast(NamedTuple):
    """Of a month, in 10^-9 of its currency: `known` days are counted as they are, `left` days are estimated."""

    low: int
    high: int
    mean: int
    known: int
    left: int


def month_of(today: str) -> tuple[str, str]:
    """The first day of the month, and the first of the next one."""
    first = date.fromisoformat(today).replace(day=1)
    return first.isoformat(), (first + timedelta(days=31)).replace(day=1).isoformat()


def forecast(costs: Mapping[str, int], *, today: str, floor: int) -> Optional[Forecast]:
    """The forecast of the month of `today`; None before its third day, or where too little is known.

    `costs` are the known and fully priced days of this month and some before it, `floor` is what the month has come to
    so far, whatever its days are.
    """
    now = date.fromisoformat(today)
    first, end = month_of(today)
    youngest = (now - timedelta(days=YOUNGEST_DAYS)).isoformat()
    steady = sorted(day for day in costs if day <= youngest)
    own = [costs[day] for day in steady if day >= first]
    base = sorted(costs[day] for day in steady[-MOST_DAYS:])
    if now.day < FIRST_ON or not own or len(base) < LEAST_DAYS:
        return None
    left = (date.fromisoformat(end) - date.fromisoformat(first)).days - len(own)
    quarter = (len(base) - 1) // 4
    mean = sum(own) + (2 * left * sum(base) + len(base)) // (2 * len(base))
    low = min(sum(own) + left * base[quarter], mean)
    high = max(sum(own) + left * base[-1 - quarter], mean)
    return Forecast(max(low, floor), max(high, floor), max(mean, floor), len(own), left)
