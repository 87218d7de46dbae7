"""What one provider saw on one UTC day, and how such a day may change afterwards. Pure values; money is exact text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Callable, Optional, TypeVar

Dimensions = Mapping[str, object]
T = TypeVar("T")

# Wide enough that no sum or product of invented amounts is ever rounded.
EXACT = Context(prec=120, rounding=ROUND_HALF_EVEN)

# The counts that are tokens, of all providers; every other count is calls, images, seconds, bytes.
TOKENS = frozenset(
    (
        *(f"{part}_{kind}" for part in ("uncached", "cached", "output") for kind in ("text", "audio", "image")),
        *("write_30m", "write_12h", "input_tokens"),
        *("uncached_input_tokens", "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"),
        *("cache_read_input_tokens", "output_tokens"),
        *("uncached_prompt", "cached_prompt", "completion"),
        *("inputTokens", "cacheWriteTokens", "cacheReadTokens", "outputTokens"),
    )
)

DAY_SECONDS = 86_400
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Traffic:
    """One burst of calls: which report shows it, in which minute of the day, by whom, and how much of what."""

    report: str
    minute: int
    dimensions: Dimensions
    counts: Mapping[str, int]


@dataclass(frozen=True)
class CostLine:
    """Money of one combination of dimensions: `amount` in USD as decimal text, negative for a credit."""

    amount: str
    dimensions: Dimensions
    quantity: Optional[int] = None
    unit: Optional[str] = None


@dataclass(frozen=True)
class Day:
    """All traffic and all cost lines of one provider on one UTC day."""

    traffic: tuple[Traffic, ...] = ()
    lines: tuple[CostLine, ...] = ()

    def tokens(self) -> int:
        """The day's tokens: all input (cached included) and all output."""
        return sum(n for burst in self.traffic for name, n in burst.counts.items() if name in TOKENS)

    def nano(self, keys: Sequence[str]) -> int:
        """The day's cost in 10⁻⁹ USD: lines that agree in `keys` are one line, and each is rounded half-even once."""
        rows = grouped(self.lines, keys, lambda line: line.dimensions)
        return sum(nano(total(line.amount for line in lines)) for lines in rows.values())

    def and_also(self, other: Day) -> Day:
        """Both days' traffic and lines."""
        return Day(self.traffic + other.traffic, self.lines + other.lines)

    def scaled(self, factor: str) -> Day:
        """Counts (rounded) and amounts (exact) times `factor`, decimal text."""
        times = Decimal(factor)
        traffic = [replace(burst, counts=_scaled_counts(burst.counts, times)) for burst in self.traffic]
        lines = [replace(line, amount=plain(EXACT.multiply(Decimal(line.amount), times))) for line in self.lines]
        return Day(tuple(traffic), tuple(lines))

    def with_largest(self, keys: Sequence[str], change: Callable[[list[CostLine]], list[CostLine]]) -> Day:
        """The day whose largest line (either way) became what `change` makes of its pieces. ValueError: no line."""
        pieces = self.largest(keys)
        rest = tuple(line for line in self.lines if line not in pieces)
        return replace(self, lines=rest + tuple(change(pieces)))

    def largest(self, keys: Sequence[str]) -> list[CostLine]:
        """The pieces of the line with the largest single amount. ValueError: the day has no line."""
        if not self.lines:
            raise ValueError("the day has no cost line")
        top = max(self.lines, key=lambda line: abs(Decimal(line.amount)))
        return [line for line in self.lines if all(line.dimensions[key] == top.dimensions[key] for key in keys)]


def grouped(
    things: Iterable[T], keys: Sequence[str], of: Callable[[T], Dimensions]
) -> dict[tuple[object, ...], list[T]]:
    """The things by their values of `keys`, ascending, null before text."""
    groups: dict[tuple[object, ...], list[T]] = {}
    for thing in things:
        dimensions = of(thing)
        groups.setdefault(tuple(dimensions.get(key) for key in keys), []).append(thing)
    return dict(sorted(groups.items(), key=lambda item: [(value is not None, str(value)) for value in item[0]]))


def is_wanted(dimensions: Dimensions, wanted: Mapping[str, Optional[Sequence[object]]]) -> bool:
    """Whether each dimension has one of the values that are wanted of it; None wants them all."""
    return all(dimensions.get(name) in values for name, values in wanted.items() if values is not None)


def total(amounts: Iterable[str]) -> Decimal:
    """The exact sum of decimal texts."""
    result = Decimal(0)
    for amount in amounts:
        result = EXACT.add(result, Decimal(amount))
    return result


def nano(amount: Decimal) -> int:
    """USD as an integer of 10⁻⁹ USD, half-even."""
    return int(EXACT.to_integral_value(EXACT.scaleb(amount, 9)))


def plain(amount: Decimal) -> str:
    """The amount without exponent and without needless zeros: `0.06`, `12`, `-3.5`."""
    text = format(amount, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def day_of(seconds: int) -> str:
    """The UTC day that holds a Unix time, as `2026-11-22`."""
    return (_EPOCH + timedelta(days=seconds // DAY_SECONDS)).isoformat()


def midnight(day: str) -> int:
    """The Unix time at which a UTC day begins."""
    return (date.fromisoformat(day) - _EPOCH).days * DAY_SECONDS


def _scaled_counts(counts: Mapping[str, int], times: Decimal) -> dict[str, int]:
    return {name: int(EXACT.to_integral_value(EXACT.multiply(Decimal(n), times))) for name, n in counts.items()}
