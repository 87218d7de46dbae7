"""The time zone of the machine, as the C library knows it: it works where there is no zone data. Pure but for that.

`datetime.astimezone()` asks the C library about one instant, and `zoneinfo` cannot say which zone the machine is in.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone, tzinfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional


class LocalZone(tzinfo):
    """`TZ` or what the machine is set to, with `fold` as PEP 495 has it.

    Where the C library has no answer (on Windows before 1970 and after 3000), the nearest year with one stands for it.
    """

    def utcoffset(self, when: Optional[datetime]) -> Optional[timedelta]:
        """What a clock on the wall adds to UTC when it shows this time; in a gap, `fold` tells before and after it.

        It asks about instants only: what Python makes of a wall time in a gap is not the same in all of its versions.
        """
        if when is None:
            return None
        wall = when.replace(tzinfo=timezone.utc, fold=0)
        before, after = _asked(_moved(wall, -_TWO_DAYS)), _asked(_moved(wall, _TWO_DAYS))
        if before == after:
            return before
        is_before, is_after = (_asked(wall - offset) == offset for offset in (before, after))
        return after if (is_after and not is_before) or (is_after == is_before and when.fold) else before

    def dst(self, _: Optional[datetime]) -> Optional[timedelta]:
        """Not known: the C library tells the sum only."""
        return None

    def tzname(self, _: Optional[datetime]) -> str:
        """What a person calls it."""
        return "local"

    def fromutc(self, moment: datetime) -> datetime:
        """What the wall shows at an instant; `fold` is 1 where it shows that for the second time."""
        offset = _asked(moment.replace(tzinfo=timezone.utc))
        wall = moment + offset
        return wall.replace(fold=int(self.utcoffset(wall.replace(fold=0)) != offset))


_TWO_DAYS = timedelta(days=2)  # no clock was ever put by more than one, and none twice in four
_YEARS = (1971, 2999)


def _moved(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except OverflowError:
        return moment


def _asked(moment: datetime) -> timedelta:
    """What the machine adds to UTC at an instant."""
    try:
        offset = moment.astimezone().utcoffset()
    except (OSError, OverflowError, ValueError):
        year = _YEARS[moment.year > _YEARS[0]]
        day = min(moment.day, 28)
        offset = moment.replace(year=year, day=day).astimezone().utcoffset()
    return offset or timedelta()
