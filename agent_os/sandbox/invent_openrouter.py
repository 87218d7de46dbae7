"""Invents what an OpenRouter account did on a day. Every name, endpoint and price here is made up."""

from __future__ import annotations

from decimal import Decimal

from .day import EXACT, CostLine, Day, Traffic, plain
from .draw import Draw

# model, its dated name, the provider that serves it, the endpoint; USD a token: prompt, cached prompt, completion.
_ENDPOINTS = (
    ("sandlab/dune-4", "sandlab/dune-4-2026-08-01", "Sandlab", "ep-0a-dune", ("0.0000031", "0.00000029", "0.0000149")),
    ("sandlab/dune-4", "sandlab/dune-4-2026-08-01", "Beach", "ep-0b-dune", ("0.0000029", "0.0000003", "0.0000151")),
    ("sandlab/dune-4", "sandlab/dune-4-2026-08-01", "Beach", "ep-0c-dune", ("0.0000027", "0.0000003", "0.0000139")),
    ("pebble/mini", "pebble/mini-2026-02", "Pebble", "ep-1a-mini", ("0.00000017", "0.0000000185", "0.00000061")),
    ("pebble/mini:free", "pebble/mini-2026-02", "Pebble", "ep-1b-free", ("0", "0", "0")),
)


def invent(seed: int, day: str) -> Day:
    """The day as it ends: a function of seed and day alone. One day in six nobody asked anything."""
    draw = Draw(seed, "openrouter", day)
    if draw.once_in(6):
        return Day()
    found = Day()
    for _ in range(1 + draw.below(5)):
        found = found.and_also(_burst(draw))
    return found


def more(seed: int, day: str, turn: int) -> Day:
    """What one more hour of that day adds: never nothing."""
    return _burst(Draw(seed, "openrouter", day, "more", turn))


def _burst(draw: Draw) -> Day:
    """Some requests to one endpoint. One in four goes with the account's own key for the provider behind it."""
    model, permaslug, provider, endpoint, prices = draw.pick(_ENDPOINTS)
    counts = {
        "uncached_prompt": 0 if draw.once_in(4) else draw.below(60_000),
        "cached_prompt": draw.below(40_000) if draw.once_in(2) else 0,
        "completion": 1 + draw.below(9_000),
        "requests": 1 + draw.below(60),
    }
    amount = Decimal(0)
    for name, price in zip(("uncached_prompt", "cached_prompt", "completion"), prices):
        amount = EXACT.add(amount, EXACT.multiply(Decimal(counts[name]), Decimal(price)))
    is_byok = bool(amount) and draw.once_in(4)
    charged = EXACT.multiply(amount, Decimal("0.05")) if is_byok else amount
    where = {"model": model, "model_permaslug": permaslug, "provider_name": provider, "endpoint_id": endpoint}
    traffic = Traffic("activity", draw.below(1440), {**where, "byok": plain(amount if is_byok else Decimal(0))}, counts)
    return Day((traffic,), (CostLine(plain(charged), where),))
