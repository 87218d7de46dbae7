"""Days that cost far more, or far less, than those before them: by the median and its absolute deviation. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Optional

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DAYS = 30  # observed days before the one in question
FEWEST = 10
TIMES = 3
SCALE = 14826  # of 10,000: makes the deviation comparable to a standard deviation
LEAST_PERCENT = 10  # of the median
FLOOR_PERCENT = 5  # of the median
FLOOR = 500_000_000  # 0.50 of the currency
_WHOLE = 10_000


class Spike(NamedTuple):
    """A day that stands out. Amounts in 10^-9 of the currency; `scale` is what three of were exceeded."""

    nano: int
    median: int
    mad: int
    scale: int
    days: int

    @property
    def told(self) -> str:
        """The rule with its constants, so that a person can do it again."""
        return (
            f"|x - median| > {TIMES} x max(1.4826 MAD, {FLOOR_PERCENT} % of median, 0.50) and >= {LEAST_PERCENT} %"
            f" of median, over the {self.days} observed days before"
        )


def spike_of(day: str, days: Mapping[str, int]) -> Optional[Spike]:
    """Whether a day stands out from the observed ones before it. Days without a figure are skipped, never zero."""
    nano = days.get(day)
    before = [days[each] for each in sorted(days) if each < day][-DAYS:]
    if nano is None or len(before) < FEWEST:
        return None
    middle = median(before)
    mad = median([abs(each - middle) for each in before])
    scale = max(mad * SCALE, abs(middle) * FLOOR_PERCENT * _WHOLE // 100, FLOOR * _WHOLE)
    away = abs(nano - middle)
    if away * _WHOLE > TIMES * scale and away * 100 >= LEAST_PERCENT * abs(middle):
        return Spike(nano, middle, mad, scale // _WHOLE, len(before))
    return None


def median(values: Sequence[int]) -> int:
    """The middle one; of an even number of values the mean of the two in the middle, rounded down."""
    ordered = sorted(values)
    place = len(ordered) // 2
    return ordered[place] if len(ordered) % 2 else (ordered[place - 1] + ordered[place]) // 2
