"""What a token cost on a day: dated prices, the book that finds one, and estimates made with it. Pure, and exact.

Nothing here is guessed: a name that no rule leads to a price, a tier, region or kind without a rate is unpriced.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Optional, Union

from . import money

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any, Protocol

    from .model import Record

    class Book(Protocol):
        """Whatever finds prices."""

        def find(self, vendor: str, model: str, day: str) -> Optional[Price]:
            """The price of a model on a day."""


KINDS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "cache_write")
COST_TYPE = "api_equivalent"  # what tokens would have cost by the price list; nobody has billed it
MILLION = 10**6  # rates are for so many tokens
STANDARD_TIERS = ("standard", "default")
STANDARD_REGIONS = ("", "global", "not_available")
_LARGEST = 2**63 - 1

# Names that stand for another one: what may stand before it, by vendor, and what may follow it. Each is taken away at
# most once, in this order, and after each the name that is left is looked up; the longest that has a price decides.
PREFIXES = {
    "anthropic": (
        *("anthropic/", "us.anthropic.", "eu.anthropic.", "apac.anthropic.", "jp.anthropic.", "au.anthropic."),
        *("global.anthropic.", "anthropic."),
    ),
    "openai": ("openai/",),
    "google": ("google/", "gemini/", "models/"),
}
SUFFIXES = (
    r"\[1m\]",  # claude-opus-4-6[1m]: the size of the window, not another price
    r"-v[0-9]+(?::[0-9]+)?",  # claude-haiku-4-5-20251001-v1:0
    r"@[^@]+",  # claude-haiku-4-5@20251001
    r"-latest",
    r"-20[0-9]{6}",  # claude-opus-4-6-20260205
    r"-20[0-9]{2}-[0-9]{2}-[0-9]{2}",  # gpt-5.4-2026-03-05
)
# What a kind is charged as where it has no rate of its own: a cache write of unknown retention is the short one.
STAND_INS = {"cache_write": "cache_write_5m", "cache_write_5m": "cache_write"}


class Rates(NamedTuple):
    """Nano of the currency per million tokens by kind; `above` so many tokens of one request, others for all of it."""

    base: Mapping[str, int]
    above: Mapping[int, Mapping[str, int]]


class Price(NamedTuple):
    """What one model costs from a day on, up to another (not included; '' is open).

    `tiers`: a factor in 10^-9 on the standard rates, or rates of its own; `regions`: a factor in 10^-9. `calls`: nano
    for one call, by what is called ("web_search"). The id names the rates: other rates, another id.
    """

    id: str
    vendor: str
    model: str
    valid_from: str
    valid_to: str
    currency: str
    rates: Rates
    tiers: Mapping[str, Union[int, Rates]]
    regions: Mapping[str, int]
    calls: Mapping[str, int]
    source: str
    source_date: str
    licence: str

    @property
    def digest(self) -> str:
        """What the id says of the rates: equal for equal ones of this model, whenever they are valid."""
        return self.id.rpartition("#")[2]

    def is_valid(self, day: str) -> bool:
        """Whether it holds on that day."""
        return self.valid_from <= day and (not self.valid_to or day < self.valid_to)


def make_price(  # noqa: PLR0913 (a price has that many parts; all but the first two by name)
    vendor: str,
    model: str,
    *,
    rates: Rates,
    tiers: Optional[Mapping[str, Union[int, Rates]]] = None,
    regions: Optional[Mapping[str, int]] = None,
    calls: Optional[Mapping[str, int]] = None,
    currency: str = "USD",
    span: tuple[str, str] = ("", ""),
    source: tuple[str, str, str] = ("", "", ""),
) -> Price:
    """A price with the id that its facts give it. `span` is from and until; `source` its name, date and licence."""
    tiers, regions, calls = tiers or {}, regions or {}, calls or {}
    digest = _digest((vendor, model, currency, rates, tiers, regions, calls))
    name = f"{vendor}/{model}@{span[0]}#{digest}"
    return Price(name, vendor, model, *span, currency, rates, tiers, regions, calls, *source)


def _digest(facts: Sequence[Any]) -> str:
    """The first 8 digits of the SHA-256 of all that an amount depends on, as JSON (sorted, ASCII, no spaces)."""
    from hashlib import sha256
    from json import dumps

    text = dumps(facts, sort_keys=True, separators=(",", ":"))
    return sha256(text.encode("ascii")).hexdigest()[:8]


class PriceBook:
    """Prices by origin ("override", "imported", "shipped"), the one that wins first."""

    def __init__(self, origins: Iterable[tuple[str, Iterable[Price]]]) -> None:
        self._entries = [(origin, price) for origin, prices in origins for price in prices]
        self._by_name: dict[tuple[str, str], list[Price]] = {}
        for _, price in self._entries:
            self._by_name.setdefault((price.vendor, price.model), []).append(price)
        self._found: dict[tuple[str, str, str], Optional[Price]] = {}

    def find(self, vendor: str, model: str, day: str) -> Optional[Price]:
        """The price of a model on a day; None when no name that it has by the rules above has one then."""
        key = (vendor, model, day)
        if key not in self._found:
            named = (price for name in names_of(vendor, model) for price in self._by_name.get((vendor, name), ()))
            self._found[key] = next((price for price in named if price.is_valid(day)), None)
        return self._found[key]

    def exact(self, vendor: str, model: str, day: str) -> Optional[Price]:
        """The price under this very name on a day."""
        return next((price for price in self._by_name.get((vendor, model), ()) if price.is_valid(day)), None)

    def of(self, ids: Iterable[str]) -> list[tuple[str, Price]]:
        """(origin, price) of these ids."""
        wanted = set(ids)
        return [entry for entry in self._entries if entry[1].id in wanted]

    def entries(self) -> Sequence[tuple[str, Price]]:
        """All of it: (origin, price)."""
        return self._entries


def names_of(vendor: str, model: str) -> list[str]:
    """The names a model may have a price under, the name itself first."""
    found = [model]
    for prefix in PREFIXES.get(vendor, (f"{vendor}/",)):
        if found[-1].startswith(prefix):
            found.append(found[-1][len(prefix) :])
    for suffix in SUFFIXES:
        match = re.fullmatch(f"(.+?){suffix}", found[-1])
        if match:
            found.append(match[1])
    return found


def overlaps(prices: Sequence[Price]) -> list[str]:
    """The days for which one model has two prices, in words."""
    ordered = sorted(prices, key=lambda each: each.valid_from)
    return [
        f"has two prices from {second.valid_from or 'ever'} on"
        for first, second in zip(ordered, ordered[1:])
        if not first.valid_to or second.valid_from < first.valid_to
    ]


def estimate(
    records: Iterable[Record],
    book: Book,
    *,
    used: Mapping[tuple[str, str, str, str, str, str], Price],
) -> Iterator[Record]:
    """The records, each estimated line of usage with its price and followed by its cost; what has none stays as it is.

    `used`: what lines of a day were priced with before, by (date, account, model, tier, context, region). It wins over
    the book, which decides where that has no rate: what was priced is never priced again.
    """
    for record in records:
        if record.kind != "usage" or record.basis != "estimated" or not isinstance(record.quantity, int):
            yield record
            continue
        for price in _candidates(record, book, used):
            nano = amount_of(price, record) if price else None
            if price and nano is not None:
                yield record._replace(price=price.id)
                yield record._replace(
                    kind="cost", cost_type=COST_TYPE, quantity=None, unit="", amount_nano=nano,
                    currency=price.currency, price=price.id,
                )  # fmt: skip
                break
        else:
            yield record._replace(price="") if record.price else record


def _candidates(
    record: Record, book: Book, used: Mapping[tuple[str, str, str, str, str, str], Price]
) -> Iterator[Optional[Price]]:
    yield used.get((record.date, record.account, record.model, record.tier, record.context, record.region))
    yield book.find(record.account, record.model, record.date)


def amount_of(price: Price, record: Record) -> Optional[int]:
    """What a line of usage comes to, in nano, rounded half-even once; None where the price has no rate for it."""
    rate = rate_of(price, record) if isinstance(record.quantity, int) else None
    if rate is None or not isinstance(record.quantity, int):
        return None
    nano = money.half_even(record.quantity * rate[0], rate[1])
    return nano if abs(nano) <= _LARGEST else None


def rate_of(price: Price, record: Record) -> Optional[tuple[int, int]]:
    """Nano for one token or call of a line of usage, as (dividend, divisor); None where it has no rate."""
    if record.unit == "calls":
        nano = price.calls.get(record.cost_type)
        return None if nano is None else (nano, 1)
    return _ratio(price, record) if record.unit == "tokens" else None


def _ratio(price: Price, record: Record) -> Optional[tuple[int, int]]:
    """Nano for one token of a line, as (dividend, divisor); None for what has no rate."""
    rates, factors = price.rates, []
    special = [word for word in record.tier.split() if word not in STANDARD_TIERS]  # "standard fast" is fast
    if special:
        tier = price.tiers.get(" ".join(special))
        if tier is None:
            return None
        if isinstance(tier, int):
            factors.append(tier)
        else:
            rates = tier
    if record.region not in STANDARD_REGIONS:
        region = price.regions.get(record.region)
        if region is None:
            return None
        factors.append(region)
    by_kind = _at_size(price, rates, record.context)
    rate = None if by_kind is None else by_kind.get(record.token_type, _stand_in(by_kind, record.token_type))
    if rate is None:
        return None
    divisor = MILLION
    for factor in factors:
        rate, divisor = rate * factor, divisor * money.UNIT
    return rate, divisor


def _stand_in(by_kind: Mapping[str, int], kind: str) -> Optional[int]:
    return by_kind.get(STAND_INS.get(kind, ""))


def _at_size(price: Price, rates: Rates, context: str) -> Optional[Mapping[str, int]]:
    """The rates for requests of this size: the whole request is charged at those above the threshold it exceeds.

    None where that cannot be told: the label is of requests on both sides of a threshold, or has no size.
    """
    for threshold in sorted({*price.rates.above, *rates.above}, reverse=True):
        low, high = _bounds(context)
        if low >= threshold:
            return rates.above.get(threshold, {})
        if high is None or high > threshold:
            return None
    return rates.base


def _bounds(context: str) -> tuple[int, Optional[int]]:
    """Of a label as "128k-200k" or "272k+": requests of more tokens than the first, and of no more than the second."""
    match = _LABEL.fullmatch(context)
    if not match:
        return 0, None
    low, high = (int(match[n] or 0) * _UNITS[match[n + 1] or ""] for n in (1, 3))
    return low, high or None


_LABEL = re.compile(r"([0-9]{1,9})([kM]?)(?:-([0-9]{1,9})([kM]?)|\+)")
_UNITS = {"": 1, "k": 1000, "M": 10**6}
