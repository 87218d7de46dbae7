"""Invents what an organization at GitHub was billed for Copilot on a day. Every name and price here is made up."""

from __future__ import annotations

from decimal import Decimal

from .day import EXACT, CostLine, Day, plain
from .draw import Draw

# sku, unit, USD a unit, how many of it are within the plan on a day
_SKUS = (
    ("Copilot Business", "user-months", "19", "0"),
    ("Copilot Premium Request", "requests", "0.04", "12"),
    ("Copilot AI Credits", "ai-credits", "0.01", "150"),
)
_REPOSITORIES = ("", "sandbox/atlas", "sandbox/beacon")


def invent(seed: int, day: str) -> Day:
    """The day as it ends: a function of seed and day alone. One day in eight nothing was billed."""
    draw = Draw(seed, "github", day)
    if draw.once_in(8):
        return Day()
    return Day(lines=tuple(_item(draw, f"{day} {number}") for number in range(1 + draw.below(6))))


def more(seed: int, day: str, turn: int) -> Day:
    """What one more hour of that day adds: never nothing."""
    return Day(lines=(_item(Draw(seed, "github", day, "more", turn), f"{day} more {turn}"),))


def _item(draw: Draw, name: str) -> CostLine:
    """One item of the bill: what is within the plan is priced, and taken off again."""
    sku, unit, price, included = draw.pick(_SKUS)
    quantity = Decimal(1 + draw.below(4_000)).scaleb(-3 if unit == "user-months" else 0)
    paid = max(EXACT.subtract(quantity, Decimal(included)), Decimal(0))
    gross, net = (EXACT.multiply(each, Decimal(price)) for each in (quantity, paid))
    where = {
        "item": name,
        "sku": sku,
        "product": draw.pick(("Copilot", "copilot")),
        "unitType": unit,
        "quantity": plain(quantity),
        "pricePerUnit": price,
        "gross": plain(gross),
        "repositoryName": draw.pick(_REPOSITORIES),
    }
    return CostLine(plain(net), where)
