"""`reprice`: estimates of the past with the prices of today; `--dry-run` only says what would be different."""

from __future__ import annotations

from typing import NamedTuple

from .. import exits
from . import emit, emit_json, emit_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Iterator, Sequence
    from typing import Any, Optional

    from ..core.home import Home
    from ..core.model import Batch, Record
    from ..core.prices import PriceBook
    from ..core.repricing import Difference
    from ..core.store import Store

TASK = "reprice"


def add_arguments(parser: ArgumentParser) -> None:
    """--since, --until, --provider, --dry-run."""
    parser.add_argument("--since", metavar="DAY", help="first UTC day, included (default: all of the past)")
    parser.add_argument("--until", metavar="DAY", help="the UTC day to stop before; it is not included")
    parser.add_argument("--provider", metavar="NAME", default="", help="only this source")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be different; nothing is changed")


def execute(args: Any) -> int:
    """Say what is different, and store it."""
    from ..core.price_book import book_of

    since, until = args.days()
    home = args.open()
    with home.reading() as store:
        book = book_of(home.settings, store)
        parts = list(parts_of(store, book, since=since or "", until=until or "9999-12-31", provider=args.provider))
    differences = [each for part in parts for each in part.differences]
    if not args.dry_run:
        for part in parts:
            put(home, part, book)
    if args.json:
        emit_json({"dry_run": args.dry_run, "changes": [as_json(each) for each in differences]})
    elif differences:
        show(differences, is_dry=args.dry_run)
    else:
        emit("every estimate is what the prices of today come to")
    return exits.OK


class Part(NamedTuple):
    """What changes of one source in one span: the days, all lines of its reports on them, and how they differ."""

    provider: str
    days: list[str]
    reports: list[str]
    records: list[Record]
    differences: list[Difference]


def parts_of(store: Store, book: PriceBook, *, since: str, until: str, provider: str) -> Iterator[Part]:
    """The days of each source that would be different, in spans that can be stored together."""
    from ..core.days import STORED_TOGETHER_DAYS, Window, add_days
    from ..core.price_store import PriceStore
    from ..core.repricing import repriced

    prices = PriceStore(store.db)
    by_provider: dict[str, list[tuple[str, str]]] = {}
    for name, day, report in prices.estimated(since, until, provider=provider):
        by_provider.setdefault(name, []).append((day, report))
    for name, left in by_provider.items():
        while left:
            end = add_days(left[0][0], STORED_TOGETHER_DAYS)
            here = [each for each in left if each[0] < end]
            del left[: len(here)]
            reports = sorted({report for _, report in here})
            window = Window(here[0][0], add_days(here[-1][0], 1))
            lines = prices.lines(name, window, reports=reports)
            records, differences, days = repriced(lines, book, provider=name)
            if days:
                yield Part(name, sorted(days), reports, [each for each in records if each.date in days], differences)


def put(home: Home, part: Part, book: PriceBook) -> None:
    """Store a part as a run of its own, and the prices that its lines have now."""
    from ..core.posting import post

    batch = batch_of(part, observed_at=home.store(write=True).db.now())
    post(home, batch._replace(prices=book.of(record.price for record in part.records)), task=TASK)


def batch_of(part: Part, *, observed_at: str) -> Batch:
    """A part as a batch: it replaces the days, so it has all lines of their reports."""
    from ..core.days import Window, add_days
    from ..core.model import Batch

    window = Window(part.days[0], add_days(part.days[-1], 1))
    return Batch(
        provider=part.provider, task=TASK, window=window, days=part.days, reports=part.reports,
        observed_at=observed_at, records=part.records, pages=(), currency="USD", notes=["priced anew"],
        basis="estimated",
    )  # fmt: skip


def as_json(each: Difference) -> dict[str, Any]:
    """A difference; amounts as exact decimal text, null where there is no price."""
    from ..core.money import decimal_text

    found = each._asdict()
    for name in ("old", "new"):
        nano = found.pop(f"{name}_nano")
        found[f"{name}_amount"] = None if nano is None else decimal_text(nano)
    return found


def show(differences: Sequence[Difference], *, is_dry: bool) -> None:
    """A table, the prices by their ids, and what it all comes to, by currency."""
    from ..core.money import shown
    from ..core.text import plural, thousands

    def figure(nano: Optional[int], currency: str) -> str:
        return "unpriced" if nano is None else f"{shown(nano)} {currency}"

    header = ("source", "vendor", "model", "kind", "days", "tokens", "old", "new", "old price", "new price")
    rows = [
        (
            each.provider, each.account, each.model, each.kind, str(each.days), thousands(each.tokens),
            figure(each.old_nano, each.old_currency), figure(each.new_nano, each.new_currency),
            each.old_price, each.new_price,
        )
        for each in differences
    ]  # fmt: skip
    emit_table(header, rows, right={4, 5, 6, 7})
    sums: dict[str, list[Optional[int]]] = {}
    for each in differences:
        for place, currency, nano in ((0, each.old_currency, each.old_nano), (1, each.new_currency, each.new_nano)):
            if nano is not None:
                known = sums.setdefault(currency, [None, None])
                known[place] = (known[place] or 0) + nano
    tokens = sum(each.tokens for each in differences if each.old_nano is None and each.new_nano is not None)
    for currency, (old, new) in sorted(sums.items()):
        before, after = ("unpriced" if nano is None else f"{shown(nano)} {currency}" for nano in (old, new))
        emit(f"{before} {'would become' if is_dry else 'became'} {after}")
    if tokens:
        emit(f"{plural(tokens, 'token')} had no price before")
