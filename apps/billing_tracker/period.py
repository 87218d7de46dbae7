"""A month or a year, as it is asked for; pure."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import NamedTuple

from agent_os import UsageError


class Period(NamedTuple):
    """A span of whole months. `since` is in it, `until` is not; both are UTC days as text."""

    name: str
    since: str
    until: str

    def days(self) -> list[str]:
        """Every day of it."""
        first, end = date.fromisoformat(self.since), date.fromisoformat(self.until)
        return [(first + timedelta(number)).isoformat() for number in range((end - first).days)]

    def months(self) -> list[str]:
        """Every month of it: "2026-10"."""
        found, day = [], self.since
        while day < self.until:
            found.append(day[:7])
            day = month_after(day[:7])
        return found


def period_of(text: str) -> Period:
    """What `2026-10` or `2026` means. Raises UsageError."""
    if re.fullmatch("[0-9]{4}-(0[1-9]|1[0-2])", text) and "2000" < text < "9999":
        return Period(text, f"{text}-01", month_after(text))
    if re.fullmatch("[0-9]{4}", text) and "2000" <= text < "9999":
        return Period(text, f"{text}-01-01", f"{int(text) + 1}-01-01")
    raise UsageError(f"{text[:40]!r} is neither a month nor a year", hint="write it as 2026-10 or 2026")


def month_after(month: str) -> str:
    """The first day of the month after `2026-10`."""
    return (date.fromisoformat(f"{month}-01") + timedelta(31)).replace(day=1).isoformat()


def day_after(day: str, count: int = 1) -> str:
    """The next day, or the one so many days later."""
    return (date.fromisoformat(day) + timedelta(count)).isoformat()
