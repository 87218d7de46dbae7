"""Price lists as others and we write them, read into prices: LiteLLM's JSON, models.dev's api.json, our own. Pure.

The shipped table is what `table_of` gives; the head of `price_table` says how. No figure is a float on its way.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import NamedTuple, Union

from . import money
from .errors import UsageError
from .price_facts import CALLS, SOURCE, completed, facts_of, price_of
from .prices import KINDS, Price, Rates, make_price, names_of, overlaps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

FORM = "agent_os prices"
# Whose prices are read: their name there -> what `account` is of lines with their models.
LITELLM_VENDORS = {
    "anthropic": "anthropic", "openai": "openai", "gemini": "google", "deepseek": "deepseek", "mistral": "mistral",
    "moonshot": "moonshotai", "xai": "xai", "zai": "zai",
}  # fmt: skip
MODELS_DEV_VENDORS = tuple(LITELLM_VENDORS.values())
FIRST_PARTY = ("anthropic", "openai", "google")
LARGEST_BYTES = 64 * 2**20
_FIELD = re.compile(
    r"(input_cost_per_token|output_cost_per_token|cache_read_input_token_cost|cache_creation_input_token_cost)"
    r"(_above_1hr|_above_12hr)?(?:_above_([0-9]+)k_tokens)?(?:_([a-z]+))?"
)
_KIND = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write",
}
_TIERS = {"batches": "batch"}  # the others are called as in the usage
_MODES = ("chat", "responses", "embedding", "completion")
# Output of these kinds costs something else, and a count of tokens does not tell them apart.
_OTHER_OUTPUT = re.compile(
    r"output_cost_per_(audio|image|video|second|pixel|character)(_token|_per_second|_1080p|_4k)*"
)
_UPLIFT = "regional_processing_uplift_multiplier_"
_HINT = "it reads LiteLLM's model_prices_and_context_window.json, models.dev's api.json, and what the README shows"


class Imported(NamedTuple):
    """What a file held: its form, its prices, and for each model that was left out why."""

    form: str
    prices: list[Price]
    left_out: dict[str, str]


class _Origin(NamedTuple):
    valid_from: str
    source: tuple[str, str, str]


def read(data: bytes, *, name: str, valid_from: str, read_on: str) -> Imported:
    """The prices of a file. `name` is what it is called; `valid_from` holds where the file itself has no dates.

    Raises UsageError for what is none of the three forms, or says of itself what cannot be meant.
    """
    document = _document(data, name)
    if document.get("form") == FORM:
        return _read_own(document, name=name, valid_from=valid_from)
    if any(isinstance(entry, dict) and "litellm_provider" in entry for entry in document.values()):
        source = (f"LiteLLM ({name})", read_on, "MIT")
        return _collected("LiteLLM", _litellm(document, _Origin(valid_from, source)))
    if any(isinstance(entry, dict) and isinstance(entry.get("models"), dict) for entry in document.values()):
        source = (f"models.dev ({name})", read_on, "MIT")
        return _collected("models.dev", _models_dev(document, _Origin(valid_from, source)))
    raise UsageError(f"{name} is no price list that this program knows", hint=_HINT)


def _document(data: bytes, name: str) -> dict[str, Any]:
    if len(data) > LARGEST_BYTES:
        raise UsageError(f"{name} is larger than {LARGEST_BYTES // 2**20} MB", hint=_HINT)
    try:
        document = json.loads(data.decode("utf-8-sig"), parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise UsageError(f"{name} is no price list that this program knows: it is not JSON", hint=_HINT) from error
    if not isinstance(document, dict):
        raise UsageError(f"{name} is no price list that this program knows", hint=_HINT)
    return document


def _collected(form: str, found: Iterable[tuple[str, str, Union[Price, str]]]) -> Imported:
    """Of (vendor, model, price or why there is none): a model with two prices has none."""
    prices: dict[tuple[str, str], Price] = {}
    left_out: dict[str, str] = {}
    for vendor, model, price in found:
        key = (vendor, model)
        if isinstance(price, str):
            left_out[f"{vendor}/{model}"] = price
        elif key in prices and prices[key].digest != price.digest:
            left_out[f"{vendor}/{model}"] = "it is there with two prices"
        else:
            prices[key] = price
    return Imported(
        form, [price for price in prices.values() if f"{price.vendor}/{price.model}" not in left_out], left_out
    )


# --- our own ----------------------------------------------------------------------------------------------------------


def _read_own(document: Mapping[str, Any], *, name: str, valid_from: str) -> Imported:
    head = {each: document[each] for each in ("source", "source_date", "licence", "currency") if each in document}
    head.setdefault("source", name)
    faults: list[str] = []
    entries = document.get("prices")
    prices: list[Price] = []
    for number, entry in enumerate(entries if isinstance(entries, list) else [None], 1):
        given = dict(entry) if isinstance(entry, dict) else {}
        models = given.pop("models", None) or [given.pop("model", "")]
        for model in models if isinstance(models, list) else [models]:
            wrong: list[str] = []
            price = price_of({**head, "from": valid_from, **given, "model": model}, wrong)
            faults += [f"price {number} ({str(model)[:60]}): {each}" for each in wrong]
            prices += [price] if price else []
    faults += _doubled(prices)
    if faults:
        more = f", and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise UsageError(
            f"{name} has prices that cannot be meant: {'; '.join(faults[:5])}{more}", hint="correct the file"
        )
    return Imported("own", prices, {})


def _doubled(prices: Iterable[Price]) -> Iterator[str]:
    spans: dict[str, list[Price]] = {}
    for price in prices:
        spans.setdefault(f"{price.vendor}/{price.model}", []).append(price)
    return (f"{name} {what}" for name, same in spans.items() for what in overlaps(same))


# --- LiteLLM ----------------------------------------------------------------------------------------------------------


def _litellm(document: Mapping[str, Any], origin: _Origin) -> Iterator[tuple[str, str, Union[Price, str]]]:
    for key, entry in document.items():
        named = str(entry.get("litellm_provider")) if isinstance(entry, dict) else ""
        vendor = LITELLM_VENDORS.get(named)
        model = key.partition("/")[2] if key.startswith(f"{named}/") else key
        if not vendor or entry.get("mode") not in _MODES or "/" in model or model.startswith("ft:"):
            continue  # fine-tuned models have names of their own
        reason = _reason_against(entry)
        yield vendor, model, reason or _litellm_price(vendor, model, entry, origin)


def _reason_against(entry: Mapping[str, Any]) -> str:
    """Why the tokens of an entry cannot be priced by it; '' where they can."""
    if any(value for name, value in entry.items() if _OTHER_OUTPUT.fullmatch(name)):
        return "its output is not only text, and costs by what it is"
    given = [entry.get("input_cost_per_token"), entry.get("output_cost_per_token")]
    if None in given:
        return "it has no price for input and output"
    thought = entry.get("output_cost_per_reasoning_token", given[1])
    if thought != given[1]:
        return "its thinking has a price of its own"
    if not given[0] and given[1]:
        return "its input is free, its output not"
    return ""


def _litellm_price(vendor: str, model: str, entry: Mapping[str, Any], origin: _Origin) -> Union[Price, str]:
    try:
        by_tier = _figures(vendor, entry)
        calls, regions, factors = _searches(entry), _regions(entry), _factors(entry)
    except ValueError as error:
        return f"a figure of it cannot be meant: {error}"
    rates = _rates(vendor, by_tier.pop("", {}))
    tiers = {tier: _tier(vendor, rates, _rates("", by_size)) for tier, by_size in by_tier.items()}
    return make_price(
        vendor, model, rates=rates, tiers={**tiers, **factors}, regions=regions, calls=calls,
        span=(origin.valid_from, ""), source=origin.source,
    )  # fmt: skip


def _figures(vendor: str, entry: Mapping[str, Any]) -> dict[str, dict[int, dict[str, int]]]:
    """Tier ('' is the standard one) -> tokens above which it holds (0: none) -> kind -> nano per million."""
    found: dict[str, dict[int, dict[str, int]]] = {}
    for name, value in entry.items():
        match = _FIELD.fullmatch(name)
        if not match or value is None or match[2] == "_above_12hr":  # no log tells of a write that is kept so long
            continue
        kind = _KIND[match[1]]
        if kind == "cache_write" and vendor == "anthropic":
            kind = "cache_write_1h" if match[2] else "cache_write_5m"
        tier = _TIERS.get(match[4], match[4]) if match[4] else ""
        found.setdefault(tier, {}).setdefault(int(match[3] or 0) * 1000, {})[kind] = _figure(value, shift=6)
    return found


def _rates(vendor: str, by_size: Mapping[int, Mapping[str, int]]) -> Rates:
    above = {size: completed(vendor, by_kind) for size, by_kind in sorted(by_size.items()) if size}
    return Rates(completed(vendor, by_size.get(0, {})), above)


def _tier(vendor: str, standard: Rates, given: Rates) -> Union[int, Rates]:
    """The factor that a tier comes to where it is one for all, else its rates.

    Anthropic publishes a factor; that some of the rates it gives are not listed says nothing else.
    """
    ours = {(size, kind): nano for size, by_kind in _by_size(standard) for kind, nano in by_kind.items()}
    theirs = {(size, kind): nano for size, by_kind in _by_size(given) for kind, nano in by_kind.items()}
    dividend, divisor = theirs.get((0, "input"), 0) * money.UNIT, ours.get((0, "input"), 0)
    is_whole = theirs.keys() == ours.keys() or (vendor == "anthropic" and theirs.keys() <= ours.keys())
    if (
        divisor
        and is_whole
        and all(nano * divisor * money.UNIT == ours[key] * dividend for key, nano in theirs.items())
    ):
        factor, rest = divmod(dividend, divisor)
        if not rest:
            return factor
    return Rates(completed(vendor, given.base), {size: completed(vendor, each) for size, each in given.above.items()})


def _by_size(rates: Rates) -> Iterator[tuple[int, Mapping[str, int]]]:
    yield 0, rates.base
    yield from rates.above.items()


def _searches(entry: Mapping[str, Any]) -> dict[str, int]:
    """What a web search costs where that is one number: not where some are free each day, or are billed otherwise."""
    given = entry.get("search_context_cost_per_query")
    figures = {_figure(value) for value in given.values()} if isinstance(given, dict) else set()
    if (
        len(figures) != 1
        or entry.get("search_free_requests")
        or entry.get("web_search_billing_unit", "query") != "query"
    ):
        return {}
    return {CALLS[0]: figures.pop()}


def _factors(entry: Mapping[str, Any]) -> dict[str, int]:
    given = _part(entry, "provider_specific_entry")
    return {name: _figure(given[name]) for name in ("fast",) if name in given}


def _regions(entry: Mapping[str, Any]) -> dict[str, int]:
    given = _part(entry, "provider_specific_entry")
    found = {name: given[name] for name in ("us",) if name in given}
    found.update({name: entry[_UPLIFT + name] for name in ("us", "eu") if _UPLIFT + name in entry})
    return {name: _figure(factor) for name, factor in sorted(found.items())}


def _figure(value: Any, *, shift: int = 0) -> int:
    """An amount that a price can have, in nano. ValueError for any other."""
    nano = money.nano(value, shift=shift)
    if nano < 0 or (nano == 0 and Decimal(value) != 0):
        raise ValueError(f"{str(value)[:40]} is no price")
    return nano


def _part(entry: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """What stands under a name where it has parts, else nothing."""
    found = entry.get(name)
    return found if isinstance(found, dict) else {}


# --- models.dev -------------------------------------------------------------------------------------------------------


def _models_dev(document: Mapping[str, Any], origin: _Origin) -> Iterator[tuple[str, str, Union[Price, str]]]:
    for vendor in MODELS_DEV_VENDORS:
        for model, entry in _part(_part(document, vendor), "models").items():
            cost = entry.get("cost") if isinstance(entry, dict) else None
            if isinstance(cost, dict):
                yield vendor, model, _models_dev_price(vendor, model, cost, origin)


def _models_dev_price(vendor: str, model: str, cost: Mapping[str, Any], origin: _Origin) -> Union[Price, str]:
    given = [cost.get("input"), cost.get("output")]
    if None in given:
        return "it has no price for input and output"
    if not given[0] and given[1]:
        return "its input is free, its output not"
    if cost.get("reasoning", given[1]) != given[1]:
        return "its thinking has a price of its own"
    if cost.get("output_audio"):
        return "its output is not only text, and costs by what it is"
    try:
        sizes = {0: cost, **_large(cost)}
        by_size = {size: _kinds(vendor, figures) for size, figures in sizes.items()}
    except ValueError as error:
        return f"a figure of it cannot be meant: {error}"
    span = (origin.valid_from, "")
    return make_price(vendor, model, rates=_rates(vendor, by_size), span=span, source=origin.source)


def _large(cost: Mapping[str, Any]) -> dict[int, Mapping[str, Any]]:
    """Tokens of a request -> what it costs above them.

    Where there are `tiers`, `context_over_200k` repeats one of them, and with another size. ValueError for others than
    of size.
    """
    if "tiers" not in cost:
        return {200_000: _part(cost, "context_over_200k")} if cost.get("context_over_200k") else {}
    found: dict[int, Mapping[str, Any]] = {}
    for each in cost["tiers"] if isinstance(cost["tiers"], list) else [None]:
        tier = each.get("tier") if isinstance(each, dict) else None
        size = tier.get("size") if isinstance(tier, dict) and tier.get("type", "context") == "context" else None
        if not isinstance(each, dict) or not isinstance(size, int) or size <= 0:
            raise ValueError("a tier of it is not one of size")
        found[size] = each
    return found


def _kinds(vendor: str, cost: Mapping[str, Any]) -> dict[str, int]:
    """The four kinds; the one write that is told is Anthropic's short one, the only one that this list knows."""
    found = {kind: _figure(cost[kind]) for kind in KINDS if cost.get(kind) is not None}
    if vendor == "anthropic" and "cache_write" in found:
        found["cache_write_5m"] = found.pop("cache_write")
    return found


# --- the shipped table ------------------------------------------------------------------------------------------------


def table_of(data: bytes, *, name: str, read_on: str) -> str:
    """What `price_table.py` holds, from LiteLLM's JSON: first-party models; a dated name where it costs otherwise."""
    found = read(data, name=name, valid_from="", read_on=read_on).prices
    kept: dict[str, list[str]] = {}
    for price in without_repeats(sorted(found, key=lambda each: (each.vendor, each.model))):
        if price.vendor in FIRST_PARTY:
            facts = {name: value for name, value in facts_of(price).items() if name not in ("model", *SOURCE)}
            kept.setdefault(json.dumps(facts, separators=(",", ":"))[1:], []).append(price.model)
    lines = [f'{{"models": {json.dumps(models)},{rest}' for rest, models in kept.items()]
    head = {"form": FORM, "source": f"LiteLLM ({name})", "source_date": read_on, "licence": "MIT"}
    return json.dumps(head)[:-1] + ', "prices": [\n' + ",\n".join(lines) + "\n]}"


def without_repeats(prices: Iterable[Price]) -> list[Price]:
    """The prices but for those that a model would have without them: a shorter name of it costs the same."""
    given = list(prices)
    named = {(price.vendor, price.model): price for price in given}

    def is_repeat(price: Price) -> bool:
        shorter = (named.get((price.vendor, name)) for name in names_of(price.vendor, price.model)[1:])
        plain = next(filter(None, shorter), None)
        return plain is not None and plain[3:10] == price[3:10]  # days, currency, rates, tiers, regions, calls

    return [price for price in given if not is_repeat(price)]
