"""Our schedules as lines of systemd's OnCalendar. Pure.

Several lines stand for all that one of them says. A schedule that no such lines can say is refused with a sentence.
systemd leaves out a time that the clocks skip, and takes one that they repeat once, the first or the second time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.crontab import LAST, LAST_DAY, LAST_WORKING_DAY, NTH
from .ranges import in_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Union

    from ..core.cron import Schedule
    from ..core.crontab import Calendar

    Term = tuple[frozenset[int], Union[frozenset[int], str]]  # weekdays, and the days of the month or a text for them

_WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_FRIDAY = 5
_ALL_DAYS, _ALL_WEEKDAYS = frozenset(range(1, 32)), frozenset(range(7))
_LAST_DAY, _LAST_THREE_DAYS, _LAST_WEEK = "~01", "~03/1", "~07/1"
_DAY_MINUTES = 1440


def lines_of(schedule: Schedule) -> list[str]:
    """The values of OnCalendar, each once. Raises ValueError with a sentence."""
    if schedule.calendar is None:
        zone, dates = " UTC", ["*-*-*"]
        times = _times_of_interval(schedule)
    else:
        zone = "" if schedule.zone.lower() == "local" else f" {schedule.zone}"
        dates = _dates(schedule.calendar, schedule.text)
        times = [_time(schedule.calendar.hours, schedule.calendar.minutes)]
    return list(dict.fromkeys(f"{date} {time}{zone}" for date in dates for time in times))


def _times_of_interval(schedule: Schedule) -> list[str]:
    """An interval that a day holds a whole number of times comes at the same times of each day, by UTC."""
    step = int(schedule.every.total_seconds()) // 60
    if _DAY_MINUTES % step:
        what = f"systemd cannot say {schedule.text!r}, which comes at other times on every day"
        raise ValueError(f"{what}: take an interval that a day holds a whole number of times, such as every 15m or 8h")
    times = [divmod(minute, 60) for minute in range(0, _DAY_MINUTES, step)]
    hours_of: dict[tuple[int, ...], list[int]] = {}  # the minutes of an hour -> the hours with these
    for hour in sorted({hour for hour, _ in times}):
        hours_of.setdefault(tuple(minute for each, minute in times if each == hour), []).append(hour)
    return [_time(hours, minutes) for minutes, hours in hours_of.items()]


def _time(hours: Sequence[int], minutes: Sequence[int]) -> str:
    return f"{_numbers(hours, 24)}:{_numbers(minutes, 60)}:00"


def _dates(calendar: Calendar, text: str) -> list[str]:
    """The weekdays and dates, as `Mon..Fri *-01-08..14`."""
    by_date, by_weekday = list(_date_terms(calendar)), list(_weekday_terms(calendar))
    if calendar.is_both:
        terms = [_both(one, other, text) for one in by_date for other in by_weekday if one[0] & other[0]]
    else:
        terms = by_date + by_weekday
    terms = [(weekdays, days) for weekdays, days in terms if days]
    if (_ALL_WEEKDAYS, _ALL_DAYS) in terms:
        terms = [(_ALL_WEEKDAYS, _ALL_DAYS)]  # every day, whatever else was said
    months = _numbers(calendar.months, 12, first=1)
    dates = []
    for weekdays, days in terms:
        date = f"*-{months}{days}" if isinstance(days, str) else f"*-{months}-{_numbers(sorted(days), 31, first=1)}"
        dates.append(date if weekdays == _ALL_WEEKDAYS else f"{_names(weekdays)} {date}")
    return dates


def _date_terms(calendar: Calendar) -> Iterator[Term]:
    plain = _ALL_DAYS & calendar.days
    if plain:
        yield _ALL_WEEKDAYS, plain
    if LAST_DAY in calendar.days:
        yield _ALL_WEEKDAYS, _LAST_DAY
    if LAST_WORKING_DAY in calendar.days:  # the last day, or the Friday that at most a Saturday and a Sunday follow
        yield frozenset((1, 2, 3, 4)), _LAST_DAY
        yield frozenset((_FRIDAY,)), _LAST_THREE_DAYS


def _weekday_terms(calendar: Calendar) -> Iterator[Term]:
    plain = _ALL_WEEKDAYS & calendar.weekdays
    if plain:
        yield plain, _ALL_DAYS
    for number in sorted(calendar.weekdays - plain):
        if number >= LAST:
            yield frozenset((number - LAST,)), _LAST_WEEK
        else:
            nth, weekday = divmod(number, NTH)
            yield frozenset((weekday,)), _ALL_DAYS & frozenset(range(7 * nth - 6, 7 * nth + 1))


def _both(one: Term, other: Term, text: str) -> Term:
    """What fits both of a term of dates and a term of weekdays."""
    weekdays = one[0] & other[0]
    days, week = one[1], other[1]
    if isinstance(days, str):
        if week in (_ALL_DAYS, _LAST_WEEK):  # the last of its weekday is what the last day, or the Friday, always is
            return weekdays, days
    elif isinstance(week, str):
        if days == _ALL_DAYS:
            return weekdays, week
    else:
        return weekdays, days & week
    raise ValueError(
        f"systemd cannot say {text!r}, which counts days from both ends of the month at once:"
        " give a day of the month or a day of the week, and * for the other"
    )


def _names(weekdays: Iterable[int]) -> str:
    """`Mon..Fri` or `Mon,Wed`: Monday first, as there no range goes over the end of the week."""
    names = (*_WEEKDAYS[1:], _WEEKDAYS[0])
    return in_words(((day - 1) % 7 for day in weekdays), names, to="..")


def _numbers(numbers: Sequence[int], count: int, *, first: int = 0) -> str:
    """`*` for all of them, else two digits each."""
    if len(numbers) == count:
        return "*"
    return in_words(numbers, [f"{number:02}" for number in range(first + count)], to="..")
