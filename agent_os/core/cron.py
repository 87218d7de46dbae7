"""When a task is due: cron schedules, and the keys of their instants. Pure: no clock, no database.

An instant is an aware UTC datetime. A wall time, what a clock on a wall in the zone shows, is kept as the UTC datetime
that reads the same, so that `wall - offset` is the instant. Time zones come from the machine, and only when asked for.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from .crontab import Calendar, fields_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Optional
    from zoneinfo import ZoneInfo

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)  # no zone ever put its clocks forward or back by more, and none did so twice in four days
_GIVE_UP = timedelta(days=50 * 366)  # the rarest day, 29 February on one weekday, comes after 40 years at the latest
_SOME_INSTANT = datetime(2026, 1, 1, tzinfo=timezone.utc)


class Schedule:
    """When a task is due: five cron fields in a time zone, read as Debian's cron reads them.

    Where the day of the month and the day of the week are both given, one that fits is enough; where one of the two
    begins with `*`, both must fit. When the clocks of the zone are changed:

    - A schedule whose minute and hour are fixed (neither begins with `*`) keeps to the wall. A time that is skipped
      comes right after the gap, and several of them as one; a time that is repeated comes the first time only.
    - Any other schedule keeps to elapsed time: it goes on through a repeated hour, and a skipped one has nothing.

    Instants are UTC, so no two have the same key whatever the wall shows. OverflowError where none lies within 50
    years, or in the years 1 to 9999.
    """

    __slots__ = ("_calendar", "_is_fixed", "_zone", "dst", "text", "zone")

    def __init__(self, text: str, zone: str = "UTC", *, dst: str = "once") -> None:
        """Raises ValueError with a sentence: the schedule or the zone cannot be meant, or would never come."""
        self.text = " ".join(text.split())
        self.zone = zone.strip()
        self.dst = dst
        fields = fields_of(self.text)
        self._is_fixed = not fields[0].startswith("*") and not fields[1].startswith("*")
        self._calendar = Calendar(fields)
        if not self._calendar.comes():
            raise ValueError(f"the schedule {self.text!r} never comes: no such day is in any year")
        self._zone = None if self.zone in ("UTC", "Etc/UTC") else _time_zone(self.zone)
        if self._zone and not self._is_fixed and next(self._instants(_SOME_INSTANT), None) is None:
            raise ValueError(f"the schedule {self.text!r} never comes: in {self.zone} the clocks skip its hour")

    def __repr__(self) -> str:
        return f"Schedule({self.text!r}, {self.zone!r})"

    def next(self, after: datetime) -> datetime:
        """The first instant after `after`."""
        found = next(self._instants(_utc(after)), None)
        if found is None:
            raise OverflowError(f"{self!r} has no instant in the 50 years after {after}")
        return found

    def latest(self, now: datetime) -> datetime:
        """The last instant at or before `now`."""
        end = _utc(now)
        offset = self._offset(end)
        wall = self._calendar.latest(end + offset)
        while wall is not None:
            if self._zone is None:
                return wall
            # The offset may have been another one then. Whatever lies in between, the last of it is the answer.
            found = max(self.between(wall - offset - _MINUTE, end), default=None)
            if found is not None:
                return found
            wall = self._calendar.latest(wall - 3 * _HOUR)
        raise OverflowError(f"{self!r} has no instant up to {now}")

    def between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """Every instant after `after` up to `until`, which is included, ascending."""
        from itertools import takewhile

        end = _utc(until)
        return takewhile(lambda moment: moment <= end, self._instants(_utc(after)))

    def _instants(self, after: datetime) -> Iterator[datetime]:
        """Every instant after `after`, ascending, until 50 years have none."""
        return self._calendar.walls(after) if self._zone is None else self._instants_in_zone(after)

    def _instants_in_zone(self, after: datetime) -> Iterator[datetime]:
        """`offset` is known to hold from `since` up to `steady`: the zone is asked once a day, not once an instant."""
        last = after
        since = steady = after.replace(second=0, microsecond=0)
        offset = self._offset(since)
        walls = self._calendar.walls(self._reached(since, offset))
        wall = next(walls, None)
        while wall is not None and wall - last < _GIVE_UP:
            moment = max(wall - offset, since)  # `since` if the wall jumped over this time when the offset changed
            if moment > steady:
                since = steady
                is_far = moment - since > 4 * _DAY
                ahead = since + _DAY if is_far else max(moment, since + _DAY)
                change = self._change(since, ahead, offset)
                if change is not None and change <= moment:
                    since = steady = change
                    offset = self._offset(change)
                    if not self._is_fixed:
                        walls = self._calendar.walls(change + offset - _MINUTE)
                        wall = next(walls, None)
                    continue
                if is_far:  # whatever changes on the way, nothing comes before these two days
                    steady = moment - 2 * _DAY
                    offset = self._offset(steady)
                    continue
                steady = ahead if change is None else change - _MINUTE
            if moment > last:
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
        if self._is_fixed and local.fold and before is not None:  # the second time round: the first reached further
            change = self._change(moment - (before - offset), moment, before) or moment
            return change + before - _MINUTE
        return moment + offset


def key_of(moment: datetime) -> str:
    """`2026-11-22T05:00Z`: the slot key of a scheduled instant; sorts as text. ValueError between two minutes."""
    utc = _utc(moment)
    if utc.second or utc.microsecond:
        raise ValueError(f"{utc.isoformat()} is no scheduled instant: those are whole minutes")
    return utc.replace(tzinfo=None).isoformat(timespec="minutes") + "Z"


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
    return moment.astimezone(timezone.utc)


def _time_zone(name: str) -> ZoneInfo:
    from zoneinfo import ZoneInfo, available_timezones

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:  # unknown; not a name, as "../x"; a folder, as "Europe"
        from .text import nearest

        known = available_timezones()
        if not known:
            what = "this machine has no time zones"
            raise ValueError(f"{what}, so not {name[:40]!r}; install the package tzdata, or use UTC") from error
        near = nearest(name, known) or "a name such as Europe/Oslo, or UTC"
        raise ValueError(f"the time zone {name[:40]!r} is not known; write {near}") from error
