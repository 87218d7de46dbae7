"""Our schedules as five plain cron fields, for programs that have some cron of their own. Pure.

Numbers, ranges and `*` mean the same everywhere. What does not is refused with a sentence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.crontab import LAST, LAST_DAY, LAST_WORKING_DAY, NTH
from ..core.crontab import fields_of as said
from .ranges import in_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.cron import Schedule
    from ..core.crontab import Calendar

_DAYS, _WEEKDAYS = 31, 7
_HOUR, _DAY = 60, 1440


class Dialect:
    """What some cron can say beyond numbers."""

    def __init__(self, name: str, *, last_day: str = "", last_weekday: str = "", nth: str = "") -> None:
        self.name = name
        self.last_day = last_day
        self.last_weekday = last_weekday  # with {} for the weekday
        self.nth = nth  # with {} for the weekday and its number


CRON = Dialect("cron")
KUBERNETES = Dialect("Kubernetes")
AIRFLOW = Dialect("Airflow", last_day="L", last_weekday="L{}", nth="{}#{}")  # croniter


def fields_of(schedule: Schedule, dialect: Dialect) -> str:
    """`30 6 * * 1-5`: the same instants by its clock. Raises ValueError with a sentence."""
    calendar = schedule.calendar
    if calendar is None:
        return _interval(schedule, dialect)
    days, weekdays = _days(calendar, schedule.text, dialect), _weekdays(calendar, schedule.text, dialect)
    if not calendar.is_both and "*" in (days, weekdays):  # one is enough, and one of them fits every day
        days = weekdays = "*"
    times = [_steps(calendar.minutes, 60), _steps(calendar.hours, 24)]
    fields = [*times, days, _numbers(calendar.months, 12), weekdays]
    if dialect is CRON:  # Debian's cron reads stars as we do
        texts = said(schedule.text)
        return " ".join(text if text.startswith("*") else field for text, field in zip(texts, fields))
    one = "one of the two, and * for the other"
    if calendar.is_both and "*" not in (days, weekdays):
        raise _cannot(dialect, schedule.text, "where both a date and a weekday must fit", one)
    if days != "*" and any(mark in weekdays for mark in "L#"):  # there, both must fit
        raise _cannot(dialect, schedule.text, "a date or a counted weekday", one)
    return " ".join(fields)


def zone_of(schedule: Schedule, dialect: Dialect) -> str:
    """The name of its zone. Raises ValueError for the machine's own: there it is another machine's."""
    if schedule.zone.lower() == "local":
        raise ValueError(
            f"{dialect.name} has to be told the zone of {schedule.text!r} by name: write it instead of timezone = local"
        )
    return schedule.zone


def _interval(schedule: Schedule, dialect: Dialect) -> str:
    step = int(schedule.every.total_seconds()) // 60
    if _HOUR % step == 0 or step == _HOUR:
        return "* * * * *" if step == 1 else "0 * * * *" if step == _HOUR else f"*/{step} * * * *"
    if step % _HOUR == 0 and _DAY % step == 0:
        return "0 0 * * *" if step == _DAY else f"0 */{step // _HOUR} * * *"
    what = "an interval that does not divide an hour or a day"
    raise _cannot(dialect, schedule.text, what, "one such as every 15m, every 2h or every 1d")


def _days(calendar: Calendar, text: str, dialect: Dialect) -> str:
    if LAST_WORKING_DAY in calendar.days:
        raise _cannot(dialect, text, "LW, the last working day", "L, or let `tick` look after the task")
    found = _numbers(sorted(day for day in calendar.days if day <= _DAYS), _DAYS)
    if LAST_DAY not in calendar.days or found == "*":
        return found
    if not dialect.last_day:
        raise _cannot(dialect, text, "L, the last day", "the first day, or let `tick` look after the task")
    return ",".join(filter(None, (found, dialect.last_day)))


def _weekdays(calendar: Calendar, text: str, dialect: Dialect) -> str:
    found = [_numbers(sorted(day for day in calendar.weekdays if day < _WEEKDAYS), _WEEKDAYS)]
    if found == ["*"]:
        return "*"
    for number in sorted(day for day in calendar.weekdays if day >= _WEEKDAYS):
        is_last = number >= LAST
        form = dialect.last_weekday if is_last else dialect.nth
        if not form:
            what = "a weekday counted in its month (# or L)"
            raise _cannot(dialect, text, what, "dates such as 8-14, or let `tick` look after the task")
        nth, weekday = divmod(number, NTH)
        found.append(form.format(number - LAST) if is_last else form.format(weekday, nth))
    return ",".join(filter(None, found))


def _cannot(dialect: Dialect, text: str, what: str, instead: str) -> ValueError:
    return ValueError(f"{dialect.name} cannot say {text!r} ({what}): take {instead}")


def _steps(numbers: Sequence[int], count: int) -> str:
    """`*/15` where that says it, in a field that begins with 0."""
    step = numbers[1] if len(numbers) > 2 and not numbers[0] else 0
    return f"*/{step}" if step > 1 and list(numbers) == list(range(0, count, step)) else _numbers(numbers, count)


def _numbers(numbers: Sequence[int], count: int) -> str:
    """`*` for all, else a list in which three or more neighbours are a range."""
    if len(numbers) == count:
        return "*"
    return in_words(numbers)
