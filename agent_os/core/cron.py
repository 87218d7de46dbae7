"""When a task is due: schedules, and the keys of their instants. Pure: no clock, no database.

An instant is an aware UTC datetime. A wall time, what a clock on a wall in the zone shows, is kept as the UTC datetime
that reads the same, so that `wall - offset` is the instant. Time zones come from the machine, and only when asked for.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from .crontab import Calendar, fields_of, interval_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo
    from typing import Optional

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)  # no zone ever put its clocks forward or back by more, and none did so twice in four days
_GIVE_UP = timedelta(days=50 * 366)  # the rarest day, 29 February on one weekday, comes after 40 years at the latest
_TICK = timedelta(microseconds=1)
_SOME_INSTANT = datetime(2026, 1, 1, tzinfo=timezone.utc)
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_FIRST = datetime.min.replace(tzinfo=timezone.utc)
_LAST = datetime.max.replace(tzinfo=timezone.utc)


class Schedule:
    """When a task is due: five cron fields in a time zone, read as Debian's cron reads them, or a plain interval.

    Where the day of the month and the day of the week are both given, one that fits is enough; where one of the two
    begins with `*`, both must fit. What becomes of a schedule when the clocks of its zone are changed:

    - One whose minute or hour begins with `*` keeps to elapsed time, whatever `dst` says: it goes on through a
      repeated hour, and has nothing in a skipped one.
    - Any other has fixed times and keeps to the wall. With dst = once, a time that is skipped comes right after the
      gap, and several of them as one; a time that is repeated comes the first time only. With dst = skip, a time that
      is skipped does not come that day. With dst = wall, it comes whenever the wall shows it: never, once or twice.
    - `every 15m` knows no wall: it counts elapsed time from 1970-01-01T00:00Z on.

    The zone is a name of IANA, `UTC` (when none is given), or `local`, that of the machine. Instants are UTC, so no two
    have the same key whatever the wall shows. OverflowError where none lies within 50 years, or in the years 1 to 9999.
    """

    __slots__ = ("_is_by_elapsed_time", "_zone", "calendar", "dst", "every", "is_fixed", "text", "zone")

    def __init__(self, text: str, zone: Optional[str] = None, *, dst: Optional[str] = None) -> None:
        """None: not given. Raises ValueError with a sentence: this cannot be meant, or would never come."""
        self.text = " ".join(text.split())
        self.zone = "UTC" if zone is None else zone.strip()
        self.dst = dst or "once"
        self.every = timedelta(minutes=interval_of(self.text))  # nothing where a calendar says when
        self.calendar: Optional[Calendar] = None
        self.is_fixed = self._is_by_elapsed_time = False
        self._zone: Optional[tzinfo] = None
        if not self.every:
            self._read_fields()
        elif zone is not None or dst is not None:
            given = " and ".join(name for name, value in (("timezone", zone), ("dst", dst)) if value is not None)
            nothing = f"{given} cannot be given with {self.text!r}, which counts elapsed time"
            raise ValueError(f"{nothing}: leave that out, or write daily 06:00 or five cron fields")

    def _read_fields(self) -> None:
        fields = fields_of(self.text)
        self.is_fixed = not fields[0].startswith("*") and not fields[1].startswith("*")
        self._is_by_elapsed_time = not self.is_fixed or self.dst == "wall"
        self.calendar = Calendar(fields)
        if not self.calendar.comes():
            raise ValueError(f"the schedule {self.text!r} never comes: no such day is in any year")
        self._zone = None if self.zone in ("UTC", "Etc/UTC") else _time_zone(self.zone)
        may_be_skipped = self._is_by_elapsed_time or self.dst == "skip"
        if self._zone and may_be_skipped and next(self._instants(_SOME_INSTANT), None) is None:
            raise ValueError(f"the schedule {self.text!r} never comes: in {self.zone} the clocks skip its hour")

    def __repr__(self) -> str:
        said = "" if self.dst == "once" else f", dst={self.dst!r}"
        return f"Schedule({self.text!r}, {self.zone!r}{said})"

    def next(self, after: datetime) -> datetime:
        """The first instant after `after`."""
        found = next(self._instants(_utc(after)), None)
        if found is None:
            raise OverflowError(f"{self!r} has no instant in the 50 years after {after}")
        return found

    def latest(self, now: datetime) -> datetime:
        """The last instant at or before `now`."""
        found = self._latest(_utc(now))
        if found is None:
            raise OverflowError(f"{self!r} has no instant up to {now}")
        return found

    def previous(self, before: datetime) -> datetime:
        """The last instant before `before`."""
        moment = _utc(before)
        found = self._latest(moment - _TICK) if moment > _FIRST else None
        if found is None:
            raise OverflowError(f"{self!r} has no instant before {before}")
        return found

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """Every instant after `after` up to `until`, which is included, ascending."""
        return _up_to(_utc(until), self._instants(_utc(after)))

    def _latest(self, end: datetime) -> Optional[datetime]:
        if self.calendar is None:
            since = (end - _EPOCH) % self.every
            return end - since if end - _FIRST >= since else None
        offset = self._offset(end)
        wall = self.calendar.latest(end + offset)
        while wall is not None:
            if self._zone is None:
                return wall
            moment = wall - offset
            if end - moment < _DAY and self._offset(moment - 2 * _DAY) == offset:  # no change is near
                return moment
            # The offset may have been another one then. Whatever lies in between, the last of it is the answer.
            found = max(self.between(moment - _MINUTE, end), default=None)
            if found is not None:
                return found
            wall = self.calendar.latest(wall - 3 * _HOUR)
        return None

    def _instants(self, after: datetime) -> Iterator[datetime]:
        """Every instant after `after`, ascending, until 50 years have none."""
        if self.calendar is None:
            return self._intervals(after)
        return self.calendar.walls(after) if self._zone is None else self._instants_in_zone(after, self.calendar)

    def _intervals(self, after: datetime) -> Iterator[datetime]:
        step = self.every
        moment = after - (after - _EPOCH) % step
        while _LAST - moment >= step:
            moment += step
            yield moment

    def _instants_in_zone(self, after: datetime, calendar: Calendar) -> Iterator[datetime]:
        """`offset` is known to hold from `since` up to `steady`: the zone is asked once a day, not once an instant."""
        last = after
        since = steady = after.replace(second=0, microsecond=0)
        offset = self._offset(since)
        walls = calendar.walls(self._reached(since, offset))
        wall = next(walls, None)
        while wall is not None:
            moment = wall - offset
            is_skipped = moment < since  # the wall jumped over this time when the offset changed
            if is_skipped:
                moment = since
            if moment > steady:
                if moment - last > _GIVE_UP:
                    return
                since = steady
                is_far = moment - since > 4 * _DAY
                ahead = since + _DAY if is_far else max(moment, since + _DAY)
                change = self._change(since, ahead, offset)
                if change is not None and change <= moment:
                    since = steady = change
                    offset = self._offset(change)
                    if self._is_by_elapsed_time:
                        walls = calendar.walls(change + offset - _MINUTE)
                        wall = next(walls, None)
                    continue
                if is_far:  # whatever changes on the way, nothing comes before these two days
                    steady = moment - 2 * _DAY
                    offset = self._offset(steady)
                    continue
                steady = ahead if change is None else change - _MINUTE
            if moment > last and not (is_skipped and self.dst == "skip"):
                yield moment
                last = moment
            wall = next(walls, None)

    def _offset(self, moment: datetime) -> timedelta:
        """What the zone adds to UTC at an instant."""
        return (self._zone and moment.astimezone(self._zone).utcoffset()) or timedelta()

    def _change(self, since: datetime, until: datetime, offset: timedelta) -> Optional[datetime]:
        """The first minute after `since` that has not its offset any more; None when `until` still has it."""
        if self._offset(until) == offset:
            return None
        while until - since > _MINUTE:
            middle = since + (until - since) // _MINUTE // 2 * _MINUTE
            if self._offset(middle) == offset:
                since = middle
            else:
                until = middle
        return until

    def _reached(self, moment: datetime, offset: timedelta) -> datetime:
        """The wall time up to which everything came, at an instant."""
        local = moment.astimezone(self._zone)
        before = local.replace(fold=0).utcoffset()
        is_again = local.fold and not self._is_by_elapsed_time
        if is_again and before is not None:  # the second time round: the first reached further
            change = self._change(moment - (before - offset), moment, before) or moment
            return change + before - _MINUTE
        return moment + offset


def key_of(moment: datetime) -> str:
    """`2026-11-22T05:00Z`: the slot key of a scheduled instant; sorts as text. ValueError between two minutes."""
    utc = _utc(moment)
    if utc.second or utc.microsecond:
        raise ValueError(f"{utc.isoformat()} is no scheduled instant: those are whole minutes")
    return utc.isoformat()[:16] + "Z"


def moment_of(key: str) -> datetime:
    """The instant whose key `key_of` wrote. Raises ValueError for anything else."""
    try:
        moment = datetime.fromisoformat(key[:-1]).replace(tzinfo=timezone.utc)
    except ValueError:
        moment = None
    if moment is None or key_of(moment) != key:
        raise ValueError(f"{key[:40]!r} is no key of a scheduled instant; write it as 2026-11-22T05:00Z")
    return moment


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} is no instant: it has no time zone")
    return moment if moment.tzinfo is timezone.utc else moment.astimezone(timezone.utc)


def _up_to(end: datetime, moments: Iterator[datetime]) -> Iterator[datetime]:
    for moment in moments:
        if moment > end:
            return
        yield moment


def _time_zone(name: str) -> tzinfo:
    if name.lower() == "local":
        from .local_zone import LocalZone

        return LocalZone()
    from zoneinfo import ZoneInfo, available_timezones

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # unknown; not a name, as "../x"; a folder, as "Europe"
        from .text import nearest

        known = available_timezones()
        if not known:
            what = f"this machine has no time zones, so not {name[:40]!r}"
            raise ValueError(f"{what}; install the package tzdata, or use UTC or local") from error
        near = nearest(name, known) or "a name such as Europe/Oslo, or UTC"
        raise ValueError(f"the time zone {name[:40]!r} is not known; write {near}") from error
