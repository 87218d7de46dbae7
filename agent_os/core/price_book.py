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
    from collections.abc import Callable, Collection, Mapping, Sequence
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
    return put_together(settings, imported)


def put_together(settings: Settings, imported: Sequence[Price]) -> PriceBook:
    """The three origins of prices, the one that wins first."""
    return PriceBook([("override", overrides(settings)), ("imported", imported), ("shipped", shipped())])


class LateBook:
    """The price book of a home, put together when a price is first looked for: most runs need none that is new."""

    def __init__(self, settings: Settings, imported: Callable[[], Sequence[Price]]) -> None:
        self._settings = settings
        self._imported = imported
        self._book: Optional[PriceBook] = None
        overrides(settings)  # what cannot be meant is said in any case

    def find(self, vendor: str, model: str, day: str) -> Optional[Price]:
        """As `PriceBook.find`."""
        return self._whole().find(vendor, model, day)

    def of(self, ids: Collection[str]) -> list[tuple[str, Price]]:
        """As `PriceBook.of`."""
        return self._whole().of(ids) if ids else []

    def _whole(self) -> PriceBook:
        if self._book is None:
            self._book = put_together(self._settings, self._imported())
        return self._book


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
