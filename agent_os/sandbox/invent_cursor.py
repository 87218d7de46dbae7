"""Invents what a Cursor team did on a day, event by event. Every name, model and price here is made up."""

from __future__ import annotations

from decimal import Decimal

from .day import EXACT, CostLine, Day, Traffic, plain
from .draw import Draw

_PEOPLE = ("ada@sandbox.example", "ben@sandbox.example", "cleo@sandbox.example")
_MODELS = ("dune-4-opus", "dune-4-sonnet-thinking", "pebble-mini")
# kind, whether it is charged
_KINDS = (
    ("Usage-based", True),
    ("Usage-based", True),
    ("Included in Business", False),
    ("Errored, Not Charged", False),
)


def invent(seed: int, day: str) -> Day:
    """The day as it ends: a function of seed and day alone. One day in five nobody worked."""
    draw = Draw(seed, "cursor", day)
    if draw.once_in(5):
        return Day()
    found = Day()
    for number in range(1 + draw.below(30)):
        found = found.and_also(_event(draw, f"{day} {number}"))
    return found


def more(seed: int, day: str, turn: int) -> Day:
    """What one more hour of that day adds: never nothing."""
    return _event(Draw(seed, "cursor", day, "more", turn), f"{day} more {turn}")


def _event(draw: Draw, name: str) -> Day:
    """One request. Its price is told whether it is charged or not; one in five has neither tokens nor price."""
    kind, is_charged = draw.pick(_KINDS)
    is_by_tokens = not draw.once_in(5)
    counts = {"requests": 1}
    if is_by_tokens:
        counts.update(inputTokens=draw.below(9_000), outputTokens=1 + draw.below(4_000))
        counts.update(cacheWriteTokens=draw.below(12_000), cacheReadTokens=draw.below(50_000))
    cents = EXACT.add(Decimal(draw.below(5_000_000)).scaleb(-5), Decimal("1.18")) if is_by_tokens else Decimal(4)
    where = {
        "event": name,
        "kind": kind,
        "model": draw.pick(_MODELS),
        "userEmail": draw.pick(_PEOPLE),
        "maxMode": draw.once_in(4),
        "isTokenBasedCall": is_by_tokens,
        "isChargeable": is_charged,
        "cents": plain(cents),
    }
    charged = EXACT.scaleb(cents, -2) if is_charged else Decimal(0)
    return Day((Traffic("events", draw.below(1440), where, counts),), (CostLine(plain(charged), where),))
