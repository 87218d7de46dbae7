"""The price book of a home: what agent_os.ini says, else what was imported (the newest first), else what is shipped."""

from __future__ import annotations

import os
from functools import lru_cache

from . import ini_file
from .errors import ConfigError
from .price_facts import price_of
from .prices import KINDS, PriceBook, overlaps
from .text import nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Optional

    from .config import Settings
    from .prices import Price
    from .store import Store

OPTIONS = ("vendor", *KINDS, "web_search", "batch", "from", "until", "currency")
OLD_AFTER_DAYS = 120
_PRICE = "price:"


def book_of(settings: Settings, store: Optional[Store]) -> PriceBook:
    """All prices of a home. Raises ConfigError for those in agent_os.ini that cannot be meant."""
    imported: Sequence[Price] = ()
    if store is not None:
        from .price_store import PriceStore

        imported = PriceStore(store.db).imported()
    return PriceBook([("override", overrides(settings)), ("imported", imported), ("shipped", shipped())])


@lru_cache(maxsize=1)
def shipped() -> tuple[Price, ...]:
    """The prices that come with the program."""
    from .price_import import read
    from .price_table import TABLE

    return tuple(read(TABLE.encode("ascii"), name="price_table", valid_from="", read_on="").prices)


def overrides(settings: Settings) -> list[Price]:
    """The prices of the sections [price:MODEL]. Raises ConfigError that says all that cannot be meant."""
    found, wrong = [], []
    for section, options in settings.sections.items():
        if section.startswith(_PRICE):
            faults: list[str] = []
            price = _override(section[len(_PRICE) :], options, faults)
            wrong += [f"[{section[:80]}]: {fault}" for fault in faults]
            found += [price] if price and not faults else []
    if wrong:
        path = os.path.join(settings.home, ini_file.NAME)
        hint = "rates are dollars (or the currency) per million tokens, as input = 4; web_search is for 1000 calls"
        raise ConfigError(f"{path} has prices that cannot be meant: {'; '.join(wrong)}", hint=hint)
    return found


def _override(model: str, options: Mapping[str, str], faults: list[str]) -> Optional[Price]:
    for option in options:
        if option not in OPTIONS:
            close = nearest(option, OPTIONS)
            faults.append(f"{option[:40]} is no option" + (f"; did you mean {close}?" if close else ""))
    facts: dict[str, Any] = {name: options[name].strip() for name in OPTIONS if name in options}
    if "batch" in facts:
        facts["tiers"] = {"batch": facts.pop("batch")}
    return price_of({**facts, "model": model.strip(), "source": ini_file.NAME}, faults)


def faults_of(book: PriceBook) -> list[str]:
    """What is wrong with the book itself, a sentence each.

    Imports may overlap: each replaces what was imported before it.
    """
    found = []
    spans: dict[tuple[str, str, str], list[Price]] = {}
    for origin, price in book.entries():
        missing = [kind for kind in ("input", "output") if kind not in price.rates.base]
        if missing:
            found.append(f"{price.vendor}/{price.model} ({origin}) has no rate for {' and '.join(missing)}")
        if any(rate < 0 for rate in price.rates.base.values()):
            found.append(f"{price.vendor}/{price.model} ({origin}) has a negative rate")
        if origin != "imported":
            spans.setdefault((origin, price.vendor, price.model), []).append(price)
    for (origin, vendor, model), prices in spans.items():
        found += [f"{vendor}/{model} ({origin}) {what}" for what in overlaps(prices)]
    return found
