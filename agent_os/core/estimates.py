"""What usage would cost by the price book, whoever has reported it: a second opinion on what a provider charges."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Optional

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .collector import Collector
    from .home import Home
    from .line_store import Line
    from .price_store import PriceStore
    from .prices import Price, PriceBook


class Estimate(NamedTuple):
    """A line of usage, and what it comes to: 10^-9 of `currency`, by the price of this id.

    `nano` is None where no price is known for it, or for its tier, region or size: unknown, and not nothing.
    """

    line: Line
    nano: Optional[int]
    currency: str
    price: str


def estimates_of(
    home: Home, collectors: Iterable[type[Collector]], *, since: str, until: str, provider: str
) -> Iterator[Estimate]:
    """The lines of usage of the days in [since, until), each with its estimate; read as they are taken.

    A line that was priced keeps its price. For others the book decides; whose the model is, is told by the line's
    account where it was read from a log, else by the collector.
    """
    from .line_store import LineStore
    from .price_book import book_of
    from .price_store import PriceStore
    from .prices import amount_of
    from .provenance import record_of

    store = home.store()
    vendors = {each.name: each.vendor for each in collectors}
    book, kept = book_of(home.settings, store), _Kept(PriceStore(store.db))
    for line in LineStore(store.db).lines(since=since, until=until, provider=provider):
        if line.kind != "usage":
            continue
        vendor = line.account if line.basis == "estimated" else vendors.get(line.provider) or line.provider
        price = kept.get(line.price) or _found(book, vendor, line)
        nano = amount_of(price, record_of(line)) if price else None
        if price is None or nano is None:
            yield Estimate(line, None, "", "")
        else:
            yield Estimate(line, nano, price.currency, price.id)


def _found(book: PriceBook, vendor: str, line: Line) -> Optional[Price]:
    return book.find(vendor, line.model, line.date) if line.model else None


class _Kept:
    """The prices that lines were priced with, each looked up once."""

    def __init__(self, store: PriceStore) -> None:
        self._store = store
        self._known: dict[str, Optional[Price]] = {"": None}

    def get(self, number: str) -> Optional[Price]:
        if number not in self._known:
            self._known[number] = self._store.by_ids([number]).get(number)
        return self._known[number]
