"""The periods of budgets, and days as text. Pure."""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple


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
