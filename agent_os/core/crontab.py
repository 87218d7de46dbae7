"""What the text of a schedule says: five cron fields or `daily 06:00` as wall times, `every 15m` as minutes. Pure.

A wall time, what a clock on a wall shows, is kept as the UTC datetime that reads the same.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Optional

_ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_LENGTHS = ((), (31,), (28, 29), (31,), (30,), (31,), (30,), (31,), (31,), (30,), (31,), (30,), (31,))
LAST_DAY = 32  # `L` among the days of the month
LAST_WORKING_DAY = 33  # and `LW`, the last that is no Saturday or Sunday
NTH = 10  # among the days of the week, `1#2` is 2 * NTH + 1
LAST = 60  # and `5L` is LAST + 5
_FRIDAY = 5
_MINUTE = timedelta(minutes=1)
_MINUTES_OF = {"m": 1, "h": 60, "d": 1440}
_LONGEST = 366 * 1440  # minutes that `every` may count


class Calendar:
    """The wall times that five fields stand for.

    `minutes`, `hours` and `months` are numbers. Among the `days` of the month stand LAST_DAY and LAST_WORKING_DAY;
    among the `weekdays`, 0 for Sunday to 6, those with NTH times or with LAST added to them. `is_both` tells whether
    a day must fit `days` and `weekdays`; else one of the two is enough.
    """

    __slots__ = ("_fitting", "_times", "_times_of_day", "days", "hours", "is_both", "minutes", "months", "weekdays")

    def __init__(self, fields: list[str]) -> None:
        minutes, hours, self.days, months, weekdays = (field.read(part) for field, part in zip(_FIELDS, fields))
        self.weekdays = {0 if number == 7 else number for number in weekdays}
        self.minutes, self.hours, self.months = sorted(minutes), sorted(hours), sorted(months)
        self.is_both = fields[2].startswith("*") or fields[4].startswith("*")
        self._times = [60 * hour + minute for hour in self.hours for minute in self.minutes]
        self._times_of_day = [time * _MINUTE for time in self._times]
        self._fitting: dict[tuple[int, int], list[int]] = {}

    def comes(self) -> bool:
        """Whether there is any such time: a month of each length begins on each weekday, sooner or later."""
        lengths = {length for month in self.months for length in _LENGTHS[month]}
        return any(self._fitting_days(length, first) for length in lengths for first in range(7))

    def walls(self, after: datetime) -> Iterator[datetime]:
        """Every wall time after `after`, ascending."""
        from bisect import bisect_right

        for midnight in self._midnights(after, 1):
            passed = 0 if midnight > after else bisect_right(self._times, (after - midnight) // _MINUTE)
            for time in self._times_of_day[passed:] if passed else self._times_of_day:
                yield midnight + time

    def latest(self, limit: datetime) -> Optional[datetime]:
        """The last wall time at or before `limit`."""
        from bisect import bisect_right

        for midnight in self._midnights(limit, -1):
            passed = bisect_right(self._times, (limit - midnight) // _MINUTE)
            if passed:
                return midnight + self._times_of_day[passed - 1]
        return None

    def _midnights(self, start: datetime, step: int) -> Iterator[datetime]:
        """Every day that fits, from that of `start` on (`step` 1) or from there back (-1)."""
        for year in range(start.year, 10_000 if step > 0 else 0, step):
            for month in self.months[::step]:
                if year == start.year and (month - start.month) * step < 0:
                    continue
                first = datetime(year, month, 1, tzinfo=timezone.utc)
                is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
                length = _LENGTHS[month][is_leap and month == 2]
                for day in self._fitting_days(length, first.weekday())[::step]:
                    if year == start.year and month == start.month and (day - start.day) * step < 0:
                        continue
                    yield first.replace(day=day)

    def _fitting_days(self, length: int, first: int) -> list[int]:
        """The days that fit, in a month of this length whose first day is this weekday (0 is Monday)."""
        if (length, first) not in self._fitting:
            days = [day for day in range(1, length + 1) if self._fits(day, length, (first + day) % 7)]
            self._fitting[length, first] = days
        return self._fitting[length, first]

    def _fits(self, day: int, length: int, weekday: int) -> bool:
        by_date = (
            day in self.days
            or (day == length and LAST_DAY in self.days)
            or (LAST_WORKING_DAY in self.days and _is_last_working(day, length, weekday))
        )
        nth = (day + 6) // 7
        by_weekday = (
            weekday in self.weekdays
            or nth * NTH + weekday in self.weekdays
            or (day + 7 > length and LAST + weekday in self.weekdays)
        )
        return by_date and by_weekday if self.is_both else by_date or by_weekday


def _is_last_working(day: int, length: int, weekday: int) -> bool:
    """Whether no working day of the month comes after this one: after a Friday, up to two days may."""
    return 1 <= weekday <= _FRIDAY and length - day <= (2 if weekday == _FRIDAY else 0)


def interval_of(text: str) -> int:
    """The minutes of `every 15m`, `every 2h` or `every 1d`; 0 where the schedule is of another kind."""
    words = text.lower().split()
    if not words or words[0] != "every":
        return 0
    amount = "".join(words[1:])
    minutes = (_whole(amount[:-1]) or 0) * _MINUTES_OF.get(amount[-1:], 0)
    if len(words) == 2 and 0 < minutes <= _LONGEST:
        return minutes
    takes = "it takes whole minutes, hours or days (every 15m, every 2h, every 1d), 366d at most"
    raise ValueError(f"the interval of the schedule {text[:40]!r} cannot be {amount[:40]!r}: {takes}")


def fields_of(text: str) -> list[str]:
    """The five fields of a schedule, in which one of the names, or `daily 06:00`, may stand for all of them."""
    if text[:5].lower() == "daily":
        return _fields_of_daily(text)
    if text.lower() == "@reboot":
        raise ValueError(f"the schedule {text!r} is no time; a task is due by the clock: write @daily or five fields")
    if text.startswith("@") and text.lower() not in _ALIASES:
        raise ValueError(f"the schedule {text[:40]!r} is not known; the names are {' '.join(_ALIASES)}")
    fields = _ALIASES.get(text.lower(), text).split()
    if len(fields) != len(_FIELDS):
        names = ", ".join(field.name for field in _FIELDS)
        raise ValueError(f"the schedule {text[:80]!r} has not five fields but {len(fields)}; they are {names}")
    return fields


def _fields_of_daily(text: str) -> list[str]:
    time = "".join(text.split()[1:])
    hour_text, _, minute_text = time.partition(":")
    hour, minute = _whole(hour_text), _whole(minute_text)
    is_time = hour is not None and hour < 24 and minute is not None and minute < 60 and len(minute_text) == 2
    if text[5:6] != " " or len(hour_text) > 2 or not is_time:
        takes = "it takes a time from 00:00 to 23:59 (daily 06:00)"
        raise ValueError(f"the time of the schedule {text[:40]!r} cannot be {time[:40]!r}: {takes}")
    return [str(minute), str(hour), "*", "*", "*"]


class _Field:
    """One of the five: which numbers it may hold, and what they are called."""

    __slots__ = ("high", "low", "name", "names", "takes")

    def __init__(self, name: str, low: int, high: int, *, names: str = "", takes: str = "") -> None:
        self.name = name
        self.low = low
        self.high = high
        self.names = names.split()
        self.takes = f"{low}-{high}{takes}, *, lists (1,2), ranges (1-5) and steps (*/5)"

    def read(self, text: str) -> set[int]:
        """The numbers that a field stands for. ValueError with a sentence when it cannot be meant."""
        return {number for part in text.split(",") for number in self.numbers(part)}

    def numbers(self, part: str) -> Iterable[int]:
        """The numbers of one item of the list."""
        base, slash, every = part.partition("/")
        first, dash, last = base.partition("-")
        if base == "*":
            low, high = self.low, self.high
        else:
            low = self.number(first, part)
            high = self.number(last, part) if dash else self.high if slash else low  # 5/10 is 5-59/10
        step = _whole(every) if slash else 1
        if not step:
            raise self.refused(part, "a step is 1 or more")
        if low > high:
            raise self.refused(part, f"a range goes up, write {first}-{self.high},{self.low}-{last}")
        return range(low, high + 1, step)

    def number(self, text: str, part: str) -> int:
        """The number that a number or a name in an item stands for."""
        if text.lower() in self.names:
            return self.names.index(text.lower()) + self.low
        number = _whole(text)
        if number is None or not self.low <= number <= self.high:
            raise self.refused(part)
        return number

    def refused(self, part: str, why: str = "") -> ValueError:
        """The error that says what is wrong with an item, and what the field takes."""
        why = "write * where any will do" if "?" in part else why
        said = f"the {self.name} of a schedule cannot be {part[:40]!r}"
        return ValueError(f"{said}: {why}; it takes {self.takes}" if why else f"{said}: it takes {self.takes}")


class _DayField(_Field):
    def numbers(self, part: str) -> Iterable[int]:
        special = {"L": LAST_DAY, "LW": LAST_WORKING_DAY}.get(part.upper())
        if special:
            return (special,)
        if "W" in part.upper():
            raise self.refused(part, "the working day nearest to a date is not known here, only LW")
        return super().numbers(part)


class _WeekdayField(_Field):
    def numbers(self, part: str) -> Iterable[int]:
        weekday, nth_mark, nth_text = part.partition("#")
        if nth_mark:
            nth = _whole(nth_text)
            if nth is None or not 1 <= nth <= 5:
                raise self.refused(part, "# counts from 1 to 5")
            return (nth * NTH + self.number(weekday, part) % 7,)
        if part.upper().endswith("L"):
            return (LAST + self.number(part[:-1], part) % 7,)
        return super().numbers(part)


def _whole(text: str) -> Optional[int]:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _DayField("day of the month", 1, 31, takes=", L (the last), LW (the last working day)"),
    _Field("month", 1, 12, names="jan feb mar apr may jun jul aug sep oct nov dec", takes=", jan-dec"),
    _WeekdayField(
        "day of the week",
        0,
        7,
        names="sun mon tue wed thu fri sat",
        takes=", sun-sat, 1#2 (second Monday), 5L (last Friday)",
    ),
)
