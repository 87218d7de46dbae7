"""Wall clock, monotonic clock and sleep: the only place that asks the machine for the time. Handed in everywhere."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime


class Clock:
    """The machine's clock. Tests hand in one whose time they move themselves."""

    def now(self) -> datetime:
        """The current instant, aware, UTC."""
        from datetime import datetime, timezone  # here, so that --help does without it

        return datetime.now(timezone.utc)

    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean anything."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait so many seconds (not at all when negative)."""
        if seconds > 0:
            time.sleep(seconds)

    def zone_seconds(self) -> int:
        """How far the machine's own zone is ahead of UTC now."""
        return time.localtime().tm_gmtoff

    def today(self) -> str:
        """The current UTC day as `2026-11-22`."""
        return self.now().strftime("%Y-%m-%d")


def iso(moment: datetime) -> str:
    """`2026-11-22T05:00:00.123Z`: how every instant is stored and shown; sorts as text."""
    from datetime import timezone

    utc = moment if moment.tzinfo is timezone.utc else moment.astimezone(timezone.utc)
    return utc.isoformat(timespec="milliseconds")[:-6] + "Z"


def minute(instant: str) -> str:
    """The same for people, who care for the minute: `2026-11-22T05:00Z`; `""` stays `""`."""
    return instant and instant[:16] + "Z"


def from_iso(text: str) -> datetime:
    """The instant that `iso` wrote. Raises ValueError for anything else."""
    from datetime import datetime, timezone

    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
