"""A price as JSON has it, and back: amounts of the currency per million tokens, as decimal text. Pure.

    {"vendor": "anthropic", "model": "claude-opus-5-5", "input": "4", "output": "20", "cache_read": "0.2",
     "cache_write_5m": "5", "cache_write_1h": "8", "web_search": "10",
     "tiers": {"batch": "0.5"}, "regions": {"us": "1.1"}}

`web_search` is for 1000 calls. `above` has other rates for a whole request of more tokens: {"200000": {"input": "8"}}.
A tier is a factor, or rates of its own. `from` and `until` (not included) are days; `currency` is USD unless said.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Optional, Union

from . import money
from .days import parse_day
from .prices import KINDS, Price, Rates, make_price
from .text import nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

CALLS = ("web_search",)
SOURCE = ("source", "source_date", "licence")
NAMES = ("vendor", "model", "from", "until", "currency", *KINDS, *CALLS, "above", "tiers", "regions", *SOURCE)
_PER_THOUSAND = -3
_LARGEST_THRESHOLD = 10**9
_LONGEST_NAME = 200


def facts_of(price: Price) -> dict[str, Any]:
    """A price as it is kept: all of it but the id, what is empty or usual left out."""
    found: dict[str, Any] = {"vendor": price.vendor, "model": price.model}
    told = {"from": price.valid_from, "until": price.valid_to, "currency": price.currency}
    found.update({name: text for name, text in told.items() if text and (name, text) != ("currency", "USD")})
    found.update(_texts_of(price.rates))
    found.update({name: _text(nano * 1000) for name, nano in price.calls.items()})
    if price.tiers:
        found["tiers"] = {
            name: _text(tier) if isinstance(tier, int) else _texts_of(tier) for name, tier in price.tiers.items()
        }
    if price.regions:
        found["regions"] = {name: _text(factor) for name, factor in price.regions.items()}
    found.update({name: text for name, text in zip(SOURCE, price[-3:]) if text})
    return found


def price_of(facts: Any, faults: list[str]) -> Optional[Price]:
    """The price that such facts are. What cannot be meant is added to `faults`, all of it; then there is no price."""
    reading = _Reading(faults)
    before = len(faults)
    if not isinstance(facts, dict):
        faults.append("a price is not an object")
        return None
    reading.refuse_unknown(facts, NAMES)
    vendor, model = (reading.name(facts, each) for each in ("vendor", "model"))
    rates = reading.rates(facts, vendor)
    if not rates.base.keys() & set(KINDS):
        faults.append("it has no rate for any kind of tokens, as input = 4")
    span = (reading.day(facts, "from"), reading.day(facts, "until"))
    if all(span) and span[1] <= span[0]:
        faults.append(f"until {span[1]} is not after from {span[0]}")
    calls = {each: reading.amount(facts, each, shift=_PER_THOUSAND) for each in CALLS if each in facts}
    tiers, regions = reading.tiers(facts, vendor), reading.factors(facts)
    currency = reading.currency(facts)
    if (vendor, currency) == ("anthropic", "USD"):
        calls.setdefault("web_search", _ANTHROPIC_SEARCH)
    name, date, licence = (reading.name(facts, each, required=False) for each in SOURCE)
    if len(faults) > before:
        return None
    return make_price(
        vendor, model, rates=rates, tiers=tiers, regions=regions, calls=calls, currency=currency, span=span,
        source=(name, date, licence),
    )  # fmt: skip


_ANTHROPIC_SEARCH = money.UNIT // 100  # published for all of its models: 10 USD for 1000


def completed(vendor: str, by_kind: Mapping[str, int]) -> dict[str, int]:
    """The rates, and where none is told those that Anthropic publishes as multiples of the one for input."""
    found = dict(by_kind)
    if vendor == "anthropic" and "input" in found:
        rate = found["input"]
        found.setdefault("cache_write_5m", found.get("cache_write", money.half_even(rate * 5, 4)))
        found.setdefault("cache_write_1h", rate * 2)
        found.setdefault("cache_read", money.half_even(rate, 10))
    return {kind: found[kind] for kind in KINDS if kind in found}


def _texts_of(rates: Rates) -> dict[str, Any]:
    found: dict[str, Any] = {kind: _text(nano) for kind, nano in rates.base.items()}
    if rates.above:
        found["above"] = {
            str(threshold): {kind: _text(nano) for kind, nano in by_kind.items()}
            for threshold, by_kind in rates.above.items()
        }
    return found


def _text(nano: int) -> str:
    """The shortest decimal: "4", "0.2"."""
    text = money.decimal_text(nano)
    return text.rstrip("0").rstrip(".")


class _Reading:
    """Reads one price; whatever is wrong with it is added to `faults`."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults

    def refuse_unknown(self, facts: Mapping[str, Any], known: Collection[str]) -> None:
        for name in facts:
            if name not in known:
                close = nearest(str(name), known)
                self.faults.append(
                    f"{str(name)[:40]} is no part of a price" + (f"; did you mean {close}?" if close else "")
                )

    def name(self, facts: Mapping[str, Any], name: str, *, required: bool = True) -> str:
        value = facts.get(name, "")
        if not isinstance(value, str) or len(value) > _LONGEST_NAME or not value.isprintable():
            self.faults.append(f"{name} is no name")
        elif required and not value.strip():
            self.faults.append(f"it has no {name}")
        else:
            return value.strip()
        return ""

    def day(self, facts: Mapping[str, Any], name: str) -> str:
        value = facts.get(name) or ""
        try:
            return parse_day(str(value)) if value else ""
        except ValueError as error:
            self.faults.append(f"{name}: {error}")
            return ""

    def currency(self, facts: Mapping[str, Any]) -> str:
        try:
            return money.currency(facts.get("currency", "USD"))
        except ValueError as error:
            self.faults.append(f"currency: {error}")
            return ""

    def amount(self, facts: Mapping[str, Any], name: str, *, shift: int = 0) -> int:
        """An amount in nano, not negative; one that is not zero does not become zero."""
        value = facts.get(name)
        try:
            nano = money.nano(value if isinstance(value, (str, int, Decimal)) else str(value), shift=shift)
        except ValueError as error:
            self.faults.append(f"{name}: {error}")
            return 0
        if nano < 0:
            self.faults.append(f"{name} is negative ({str(value)[:40]})")
        elif nano == 0 and Decimal(str(value)) != 0:
            self.faults.append(f"{name} is {str(value)[:40]}, which is finer than prices are kept")
        return nano

    def by_kind(self, facts: Mapping[str, Any], vendor: str) -> dict[str, int]:
        return completed(vendor, {kind: self.amount(facts, kind) for kind in KINDS if kind in facts})

    def rates(self, facts: Mapping[str, Any], vendor: str) -> Rates:
        above: dict[int, dict[str, int]] = {}
        given = facts.get("above", {})
        for text, by_kind in given.items() if isinstance(given, dict) else [("above", None)]:
            whole = str(text).isascii() and str(text).isdigit() and len(str(text)) <= len(str(_LARGEST_THRESHOLD))
            if not whole or not isinstance(by_kind, dict):
                self.faults.append("above is not as {'200000': {'input': '8'}}")
                continue
            self.refuse_unknown(by_kind, KINDS)
            above[int(text)] = self.by_kind(by_kind, vendor)
        return Rates(self.by_kind(facts, vendor), above)

    def tiers(self, facts: Mapping[str, Any], vendor: str) -> dict[str, Union[int, Rates]]:
        found: dict[str, Union[int, Rates]] = {}
        given = facts.get("tiers", {})
        for name, tier in given.items() if isinstance(given, dict) else [("tiers", None)]:
            if isinstance(tier, dict):
                self.refuse_unknown(tier, (*KINDS, "above"))
                found[name] = self.rates(tier, vendor)
            else:
                found[name] = self.amount({name: tier}, name)
        return found

    def factors(self, facts: Mapping[str, Any]) -> dict[str, int]:
        given = facts.get("regions", {})
        if not isinstance(given, dict):
            self.faults.append("regions is not as {'us': '1.1'}")
            return {}
        return {name: self.amount(given, name) for name in given}
