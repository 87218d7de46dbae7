"""OnCalendar= of systemd as our schedules: text in, text out. Pure.

systemd wants weekday *and* date, where cron takes either unless one of the two begins with `*`; so a field may begin
with `*/31` (the 1st alone) or `*/7` (Sunday alone) for no other reason than that.
"""

from __future__ import annotations

from .ranges import in_words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

SHORT = {
    "minutely": "*-*-* *:*:00",
    "hourly": "*-*-* *:00:00",
    "daily": "*-*-* 00:00:00",
    "monthly": "*-*-01 00:00:00",
    "weekly": "Mon *-*-* 00:00:00",
    "yearly": "*-01-01 00:00:00",
    "annually": "*-01-01 00:00:00",
    "anually": "*-01-01 00:00:00",
    "quarterly": "*-01,04,07,10-01 00:00:00",
    "biannually": "*-01,07-01 00:00:00",
    "bi-annually": "*-01,07-01 00:00:00",
    "semiannually": "*-01,07-01 00:00:00",
    "semi-annually": "*-01,07-01 00:00:00",
}
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_LONG = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_WEEKS = {1: range(1, 8), 2: range(8, 15), 3: range(15, 22), 4: range(22, 29), 5: range(29, 32)}
_EVERY_DAY = frozenset(range(1, 32))
_UNITS = {
    **dict.fromkeys(("", "s", "sec", "second", "seconds"), 1.0),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3600.0),
    **dict.fromkeys(("d", "day", "days"), 86_400.0),
    **dict.fromkeys(("w", "week", "weeks"), 604_800.0),
    **dict.fromkeys(("M", "month", "months"), 2_629_800.0),
    **dict.fromkeys(("y", "year", "years"), 31_557_600.0),
    **dict.fromkeys(("ms", "msec"), 0.001),
    **dict.fromkeys(("us", "usec"), 0.000_001),
}


class Meant:
    """What an expression comes to: a schedule, its zone ("" for the machine's own), and a remark or ""."""

    __slots__ = ("remark", "schedule", "zone")

    def __init__(self, schedule: str, zone: str, remark: str) -> None:
        self.schedule = schedule
        self.zone = zone
        self.remark = remark


def meaning_of(text: str) -> Meant:
    """What OnCalendar=TEXT comes to. Raises ValueError with a sentence for what we cannot say, or systemd cannot."""
    words, zone = _without_zone(text.split())
    if len(words) == 1 and words[0].lower() in SHORT:
        words = SHORT[words[0].lower()].split()
    if not words or words[0].startswith("@"):
        raise _refused(text, "an instant that comes once is no schedule" if words else "it is empty")
    weekdays = _weekdays(words.pop(0), text) if words[0][0].isalpha() else frozenset()
    if len(words) == 1 and "T" in words[0]:
        words = words[0].split("T", 1)
    date = words.pop(0) if words and ("-" in words[0] or "~" in words[0]) else "*-*-*"
    time = words.pop(0) if words else "00:00:00"
    if words:
        raise _refused(text, f"{words[0][:20]!r} stands where nothing should")
    months, days, last = _date(date, text)
    hours, minutes, second = _time(time, text)
    day, weekday = _days(days, weekdays, last, text)
    fields = (_field(minutes, 0, 59), _field(hours, 0, 23), day, _field(months, 1, 12), weekday)
    remark = f"it comes at the full minute, not {second:g} seconds later" if second else ""
    return Meant(" ".join(fields), zone, remark)


def seconds_of(text: str) -> float:
    """The seconds of a time span, as `1h 30min`; ValueError for what is none. `infinity` is endless."""
    if text.strip().lower() == "infinity":
        return float("inf")
    total, number, unit, found = 0.0, "", "", False
    for letter in f"{text.strip()} 0":  # the last word is one that ends the others
        if unit and (letter.isdigit() or letter in ". "):
            total, number, unit, found = total + _span(number, unit, text), "", "", True
        if letter.isdigit() or letter == ".":
            if number.endswith(" "):  # a number without a unit is of seconds
                total, number, found = total + _span(number.strip(), "", text), "", True
            number += letter
        elif letter == " ":
            number += " " if number and not number.endswith(" ") else ""
        else:
            number, unit = number.strip(), unit + letter
    if not found or unit:
        raise ValueError(f"{text[:40]!r} is no time span")
    return total


def _span(number: str, unit: str, text: str) -> float:
    try:
        return float(number) * _UNITS[unit if unit in _UNITS else unit.lower()]
    except (KeyError, ValueError):
        raise ValueError(f"{text[:40]!r} is no time span") from None


def _without_zone(words: list[str]) -> tuple[list[str], str]:
    """The words but for a time zone at the end, and that; a weekday or a short name stands first."""
    if len(words) > 1 and words[-1][0].isalpha():
        return words[:-1], words[-1]
    return words, ""


def _weekdays(word: str, text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in filter(None, word.lower().split(",")):
        first, dots, last = part.replace("..", "-").partition("-")
        low = _weekday(first, text)
        high = _weekday(last, text) if dots else low
        if (low or 7) > (high or 7):
            raise _refused(text, f"{part[:20]!r} goes down")
        found.update(number % 7 for number in range(low or 7, (high or 7) + 1))
    return frozenset(found) if len(found) < 7 else frozenset()


def _weekday(name: str, text: str) -> int:
    for names in (_WEEKDAYS, _LONG):
        if name in names:
            return names.index(name)
    raise _refused(text, f"{name[:20]!r} is no weekday")


def _date(word: str, text: str) -> tuple[frozenset[int], frozenset[int], str]:
    """Months, days of the month, and what is counted from the end of it."""
    head, mark, tail = word.rpartition("~" if "~" in word else "-")
    year, dash, month = head.rpartition("-")
    if dash and year != "*":
        raise _refused(text, f"a schedule knows no year, so not {year[:20]!r}")
    months = _numbers(month, 1, 12, text=text)
    if mark == "~":
        return months, _EVERY_DAY, tail
    return months, _numbers(tail, 1, 31, text=text), ""


def _time(word: str, text: str) -> tuple[frozenset[int], frozenset[int], float]:
    parts = word.split(":")
    if not 2 <= len(parts) <= 3:
        raise _refused(text, f"{word[:20]!r} is no time")
    try:
        second = float(parts[2]) if len(parts) == 3 else 0.0
    except ValueError:
        raise _refused(text, "it comes more than once a minute") from None
    if not 0 <= second < 60:
        raise _refused(text, f"{parts[2][:20]!r} is no second")
    return _numbers(parts[0], 0, 23, text=text), _numbers(parts[1], 0, 59, text=text), second


def _numbers(word: str, low: int, high: int, *, text: str) -> frozenset[int]:
    """The numbers of one component: `*`, or a list of N, N..M, N/STEP, N..M/STEP."""
    if word == "*":
        return frozenset(range(low, high + 1))
    found: set[int] = set()
    for part in word.split(","):
        base, slash, step_text = part.partition("/")
        first_text, dots, last_text = base.partition("..")
        first = _whole(first_text, text)
        last = _whole(last_text, text) if dots else high if slash else first
        step = _whole(step_text, text) if slash else 1
        if not low <= first <= last <= high or step < 1:
            raise _refused(text, f"{part[:20]!r} is not within {low} and {high}")
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _whole(word: str, text: str) -> int:
    if word.isascii() and word.isdigit() and len(word) < 10:
        return int(word)
    raise _refused(text, f"{word[:20]!r} is no whole number")


def _days(days: frozenset[int], weekdays: frozenset[int], last: str, text: str) -> tuple[str, str]:
    """The two fields of the day. No weekdays: any will do."""
    if last:
        return _from_the_end(last, weekdays, text)
    if not weekdays or days == _EVERY_DAY:
        return _field(days, 1, 31), _field(weekdays, 0, 6) if weekdays else "*"
    weeks = [number for number, week in _WEEKS.items() if days & set(week)]
    if days == {day for number in weeks for day in _WEEKS[number]}:
        return "*", ",".join(f"{weekday}#{number}" for number in weeks for weekday in sorted(weekdays))
    day, weekday = _field(days, 1, 31), _field(weekdays, 0, 6)
    if day.startswith("*") or weekday.startswith("*"):
        return day, weekday
    if 1 in days:
        return _starred(days, 1, 31), weekday
    if 0 in weekdays:
        return day, _starred(weekdays, 0, 6)
    raise _refused(text, "a day of the month that must also be a certain weekday cannot be said")


def _from_the_end(last: str, weekdays: frozenset[int], text: str) -> tuple[str, str]:
    count, _, step = last.partition("/")
    if (count.lstrip("0"), step) == ("7", "1") and weekdays:
        return "*", ",".join(f"{weekday}L" for weekday in sorted(weekdays))
    if (count.lstrip("0"), step) == ("1", "") and not weekdays:
        return "L", "*"
    if (count.lstrip("0"), step) == ("1", "") and 0 in weekdays:
        return "L", _starred(weekdays, 0, 6)
    raise _refused(text, f"~{last[:20]}, counted from the end of the month, cannot be said")


def _starred(values: frozenset[int], low: int, high: int) -> str:
    """A field with these numbers that begins with `*`; `low` is among them."""
    rest = _field(values - {low}, low, high) if len(values) > 1 else ""
    return f"*/{31 if high == 31 else 7}" + (f",{rest}" if rest else "")


def _field(values: Iterable[int], low: int, high: int) -> str:
    """A cron field with these numbers."""
    left = sorted(values)
    if left == list(range(low, high + 1)):
        return "*"
    step = left[1] - left[0] if len(left) > 2 else 1
    if step > 1 and left == list(range(left[0], left[-1] + 1, step)):
        is_all = left[0] == low and left[-1] + step > high
        return f"*/{step}" if is_all else f"{left[0]}-{left[-1]}/{step}"
    return in_words(left)


def _refused(text: str, why: str) -> ValueError:
    return ValueError(f"OnCalendar={text[:60]}: {why}")
