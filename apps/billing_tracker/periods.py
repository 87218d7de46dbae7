"""The periods of budgets, days as text, and amounts as text. Pure."""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

UNIT = 10**9


class Period(NamedTuple):
    """The days from `start` up to `end`, which is not in it."""

    start: str
    end: str

    @property
    def days(self) -> int:
        """How many."""
        return (date.fromisoformat(self.end) - date.fromisoformat(self.start)).days


def add_days(day: str, number: int) -> str:
    """The day so many days later."""
    return (date.fromisoformat(day) + timedelta(days=number)).isoformat()


def days_between(since: str, until: str) -> list[str]:
    """Each day from `since` up to `until`, which is not among them."""
    first = date.fromisoformat(since)
    count = (date.fromisoformat(until) - first).days
    return [(first + timedelta(days=number)).isoformat() for number in range(count)]


def period_of(word: str, day: str) -> Period:
    """The month, week (from Monday), day or year that a day is in."""
    moment = date.fromisoformat(day)
    if word == "day":
        start, end = moment, moment + timedelta(days=1)
    elif word == "week":
        start = moment - timedelta(days=moment.weekday())
        end = start + timedelta(days=7)
    elif word == "month":
        start = moment.replace(day=1)
        end = (start + timedelta(days=31)).replace(day=1)
    else:
        start, end = date(moment.year, 1, 1), date(moment.year + 1, 1, 1)
    return Period(start.isoformat(), end.isoformat())


def periods_since(word: str, since: str, today: str) -> list[Period]:
    """The periods that any day from `since` to `today` is in, oldest first."""
    found = [period_of(word, since)]
    while found[-1].end <= today:
        found.append(period_of(word, found[-1].end))
    return found


def plain(nano: int) -> str:
    """The exact amount with at least two decimals, as 104.20."""
    whole, rest = divmod(abs(nano), UNIT)
    return f"{'-' if nano < 0 else ''}{whole}.{f'{rest:09d}'.rstrip('0').ljust(2, '0')}"
