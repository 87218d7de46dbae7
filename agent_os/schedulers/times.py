"""When a trigger fires: pure, by the local clock of the machine, which is what its schedulers go by.

Each scheduler is told the same times of day, so that one function knows what all of them should do next.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta, timezone

from ..core.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Times = tuple[tuple[int, int], ...]  # (hour, minute), ascending

DAY_SECONDS = 86_400
# What divides an hour or a day, so that each day has the same times.
EVERY = ("1m", "2m", "3m", "4m", "5m", "6m", "10m", "12m", "15m", "20m", "30m",
         "1h", "2h", "3h", "4h", "6h", "8h", "12h", "1d")  # fmt: skip
_UNITS = {"m": 60, "h": 3600, "d": DAY_SECONDS}
_MOST_TIMES = 24
_MORNING = 6  # the hour of what comes once a day: clocks that change do so before


def parse_every(text: str) -> int:
    """`15m` as seconds. Raises UsageError for what divides neither an hour nor a day."""
    word = text.strip().lower()
    if word not in EVERY:
        raise UsageError(f"--every is {text[:40]!r}", hint=f"give one of {' '.join(EVERY)}")
    return int(word[:-1]) * _UNITS[word[-1]]


def every_word(seconds: int) -> str:
    """The word that `parse_every` takes for so many seconds."""
    return next(word for word in EVERY if int(word[:-1]) * _UNITS[word[-1]] == seconds)


def parse_at(text: str) -> Times:
    """`06:00,18:30` as times of day, ascending, each once. Raises UsageError."""
    found = set()
    for word in text.split(","):
        hour, colon, minute = word.strip().partition(":")
        is_time = colon and len(minute) == 2 and 0 < len(hour) <= 2 and (hour + minute).isascii()
        if not (is_time and (hour + minute).isdigit() and int(hour) < 24 and int(minute) < 60):
            raise UsageError(f"--at is {text[:60]!r}", hint="give times of day, as 06:00 or 06:00,18:30")
        found.add((int(hour), int(minute)))
    if len(found) > _MOST_TIMES:
        raise UsageError(f"--at names {len(found)} times of day", hint=f"at most {_MOST_TIMES}; or use --every")
    return tuple(sorted(found))


def at_words(times: Times) -> list[str]:
    """`06:00` for each."""
    return [f"{hour:02}:{minute:02}" for hour, minute in times]


def spread_times(every_seconds: int, seed: int) -> Times:
    """The times of day of something regular, moved by a `seed` so that not every home of a machine begins at once.

    Hourly and less often, only the minute moves.
    """
    minutes = every_seconds // 60
    if minutes < 60:
        first = seed % minutes
        return tuple((at // 60, at % 60) for at in range(first, 24 * 60, minutes))
    hours = minutes // 60
    return tuple((hour, seed % 60) for hour in range(_MORNING % hours, 24, hours))


def in_the_small_hours(times: Times) -> bool:
    """Whether one of them is from 01:00 to 03:59, where a change of the clocks may leave it out or repeat it."""
    return any(1 <= hour <= 3 for hour, _ in times)


def next_of(times: Times, now: datetime) -> datetime:
    """The first instant after now, UTC."""
    return min(each for each in _around(times, now) if each > now)


def last_of(times: Times, now: datetime) -> datetime:
    """The last instant up to now, UTC."""
    return max(each for each in _around(times, now) if each <= now)


def _around(times: Times, now: datetime) -> Iterator[datetime]:
    """The instants of the days before, of and after now. One that the clocks leave out comes an hour later."""
    today = now.astimezone().date()
    for days in range(-2, 3):
        day = today + timedelta(days=days)
        for hour, minute in times:
            yield datetime.combine(day, time(hour, minute)).astimezone(timezone.utc)
