"""UTC days, windows of them, and which of them are due: pure, no clock, no database.

A day is the text `2026-11-21`. Its status depends on when it was last read: `open` while the day is not over,
`provisional` while the provider may still restate it, `settled` once it was read 35 days after or later.
"""

from __future__ import annotations

from datetime import date, datetime, timezone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from typing import Optional

SETTLED_AFTER_DAYS = 35  # the vendors revise up to 30 days back; none publishes a promise for these reports
RECENT_DAYS = 3  # read again by every run
SWEEP_EVERY_DAYS = 7  # how often everything that is not settled is read again
STORED_TOGETHER_DAYS = 62  # the most that one window, hence one transaction, spans
CATCH_UP_DAYS = 400  # how far back a run asks on its own for days that nobody ever asked for; --since goes further
FIRST_DAY = "2015-01-01"  # no provider has anything from before
_EPOCH = date(1970, 1, 1).toordinal()


class Window:
    """A half-open span of whole UTC days: `start` is in it, `end` is not. Both are days as text."""

    __slots__ = ("end", "start")

    def __init__(self, start: str, end: str) -> None:
        if ordinal(end) <= ordinal(start):
            raise ValueError(f"a window must end after it starts: {start} to {end}")
        self.start = start
        self.end = end

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Window) and (self.start, self.end) == (other.start, other.end)

    def __hash__(self) -> int:
        return hash((self.start, self.end))

    def __repr__(self) -> str:
        return f"Window({self.start!r}, {self.end!r})"

    def __str__(self) -> str:
        last = add_days(self.end, -1)
        return self.start if last == self.start else f"{self.start} to {last}"

    def __len__(self) -> int:
        return ordinal(self.end) - ordinal(self.start)

    def __iter__(self) -> Iterator[str]:
        return (day_of(number) for number in range(ordinal(self.start), ordinal(self.end)))

    def parts(self, most_days: int) -> Iterator[Window]:
        """The window cut into as few consecutive windows as it takes, of about the same length.

        Even parts: no last part is the open day alone, which a provider refuses.
        """
        start, count = ordinal(self.start), -(-len(self) // most_days)
        edges = [start + len(self) * number // count for number in range(count + 1)]
        for first, end in zip(edges, edges[1:]):
            yield Window(day_of(first), day_of(end))

    @property
    def start_unix(self) -> int:
        """Seconds since 1970 of the first instant in the window."""
        return unix(self.start)

    @property
    def end_unix(self) -> int:
        """Seconds since 1970 of the first instant after the window."""
        return unix(self.end)


class Moments:
    """A half-open span between two instants: `start` is in it, `end` is not. Both as `2026-11-22T05:00Z`."""

    __slots__ = ("end", "start")

    def __init__(self, start: str, end: str) -> None:
        self.start = start
        self.end = end

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Moments) and (self.start, self.end) == (other.start, other.end)

    def __hash__(self) -> int:
        return hash((self.start, self.end))

    def __repr__(self) -> str:
        return f"Moments({self.start!r}, {self.end!r})"

    def __str__(self) -> str:
        return f"{self.start} to {self.end}"


def parse_day(text: str) -> str:
    """`2026-11-21`, checked. Raises ValueError with a sentence for anything else, 31 February included."""
    try:
        day = date.fromisoformat(text) if len(text) == 10 and text.isascii() and text[4] == text[7] == "-" else None
    except ValueError:
        day = None
    if day is None:
        raise ValueError(f"{text[:40]!r} is not a day; write it as 2026-11-21")
    return day.isoformat()


def last_instant(day: str) -> str:
    """The last instant of a day, as instants are stored."""
    return f"{day}T23:59:59.999Z"


def ordinal(day: str) -> int:
    """The day as a number; consecutive days are consecutive numbers."""
    return date.fromisoformat(day).toordinal()


def day_of(number: int) -> str:
    """The day of such a number."""
    return date.fromordinal(number).isoformat()


def add_days(day: str, count: int) -> str:
    """The day so many days later (earlier when negative)."""
    return day_of(ordinal(day) + count)


def unix(day: str) -> int:
    """Seconds since 1970 of the day's first instant, UTC."""
    return (ordinal(day) - _EPOCH) * 86_400


def day_of_unix(seconds: int) -> Optional[str]:
    """The day that begins at this instant, or None when no UTC day begins there."""
    number, rest = divmod(seconds, 86_400)
    in_range = 0 < number + _EPOCH <= date.max.toordinal()
    return day_of(number + _EPOCH) if not rest and in_range else None


def day_of_instant(text: str) -> Optional[str]:
    """The day that begins at this RFC 3339 instant, or None when no UTC day begins there."""
    try:
        moment = datetime.fromisoformat(text[:-1] + "+00:00" if text[-1:] in ("Z", "z") else text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    try:
        utc = moment.astimezone(timezone.utc)
    except OverflowError:  # the first or last day there is, shifted out of the calendar
        return None
    return utc.date().isoformat() if utc.time() == utc.time().min else None


def day_at(value: object) -> Optional[str]:
    """The UTC day that a row names: `2026-11-21`, its midnight as an instant, or any millisecond of it since 1970.

    None for what is neither. Seconds since 1970 are not taken: they would be a day of January 1970.
    """
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 15:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return day_of_unix(value // 86_400_000 * 86_400) if value >= 10**11 else None
    if not isinstance(value, str):
        return None
    try:
        return parse_day(value)
    except ValueError:
        return day_of_instant(value) or day_of_instant(value + "Z")


def status_of(day: str, read_on: str) -> str:
    """`open`, `provisional` or `settled`: what a day is that was last read on the UTC day `read_on`."""
    age = ordinal(read_on) - ordinal(day)
    if age < 1:
        return "open"
    return "provisional" if age < SETTLED_AFTER_DAYS else "settled"


class Read:
    """When a day was last read: the instant as stored, and the UTC day of it."""

    __slots__ = ("at", "on")

    def __init__(self, at: str) -> None:
        self.at = at
        self.on = at[:10]


def due_days(span: Window, reads: Mapping[str, Read], *, now: str, fresh_since: str, force: bool = False) -> list[str]:
    """The days of `span` that a run has to ask for, oldest first; none after today.

    A day is due when it was never read; when it is one of the last days, which every run reads again; and when it is
    not settled and the weekly reading of all such days has come. What was read at or after `fresh_since` (the start
    of this very run: someone else was faster) is not asked for twice. What was read later than `now` was read by a
    clock that was wrong, and counts for nothing. `force` asks for everything.
    """
    today = ordinal(now[:10])
    days = [day for day in span if ordinal(day) <= today]
    if force:
        return days
    known = {day: reads[day] for day in days if day in reads and reads[day].at <= now}
    unsettled = {day for day, read in known.items() if status_of(day, read.on) != "settled"}
    sweep = any(
        today - ordinal(known[day].on) >= SWEEP_EVERY_DAYS for day in unsettled if today - ordinal(day) > RECENT_DAYS
    )

    def is_due(day: str) -> bool:
        read = known.get(day)
        if read is None:
            return True
        if read.at >= fresh_since:
            return False
        return today - ordinal(day) <= RECENT_DAYS or (sweep and day in unsettled)

    return [day for day in days if is_due(day)]


def windows(days: Sequence[str], *, today: str) -> list[Window]:
    """Ascending days as windows of consecutive ones, none longer than what is stored together.

    A window of nothing but the open day is begun a day earlier: a provider refuses a range without a complete day.
    """
    spans: list[list[int]] = []
    for number in map(ordinal, days):
        if spans and number == spans[-1][1]:
            spans[-1][1] = number + 1
        else:
            spans.append([number, number + 1])
    found: list[Window] = []
    for first, end in spans:
        start = first - 1 if first == ordinal(today) else first
        found += Window(day_of(start), day_of(end)).parts(STORED_TOGETHER_DAYS)
    return found


def horizon(*, today: str, first: Optional[str], lookback_days: int) -> Window:
    """The span that a run looks after without being told: from the first day ever asked for, at least the look-back."""
    start = add_days(today, -lookback_days)
    return Window(min(start, first or start), add_days(today, 1))


def within_reach(days: Sequence[str], *, today: str, asked: Collection[str]) -> list[str]:
    """The days without those that nobody ever asked for and that lie further back than CATCH_UP_DAYS.

    So a clock that is ten years ahead does not make a run ask for ten years.
    """
    limit = add_days(today, -CATCH_UP_DAYS)
    return [day for day in days if day >= limit or day in asked]
