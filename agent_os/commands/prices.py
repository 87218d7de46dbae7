"""`prices`: what tokens cost, and from when to when; `prices check` looks it over, `prices import FILE` adds to it."""

from __future__ import annotations

import os
import sys

from .. import exits
from . import emit, emit_json, emit_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Sequence
    from typing import Any, Optional

    from ..core.home import Home
    from ..core.prices import Price, PriceBook
    from ..core.store import Store

USAGE = """agent_os.pyz prices [show] [MODEL] [--at DAY] [--vendor NAME] [--json]
       agent_os.pyz prices check [--json]
       agent_os.pyz prices import FILE [--valid-from DAY] [--dry-run]"""
VERBS = ("show", "check", "import")
SHOWN_CHANGES = 40
COLUMNS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")


def add_arguments(parser: ArgumentParser) -> None:
    """What to do, and --at, --vendor, --valid-from, --dry-run."""
    parser.usage = USAGE
    parser.add_argument("words", nargs="*", metavar="show|check|import", help="a MODEL to show, or a FILE to import")
    parser.add_argument("--at", metavar="DAY", help="show: the prices of this UTC day (default: today)")
    parser.add_argument("--vendor", metavar="NAME", default="", help="show: only of this vendor")
    parser.add_argument("--valid-from", metavar="DAY", help="import: from when on, if the file does not say (today)")
    parser.add_argument("--dry-run", action="store_true", help="import: only say what would change")


def execute(args: Any) -> int:
    """Show, check or import."""
    from ..core.errors import UsageError

    verb, *words = args.words or ["show"]
    if verb not in VERBS:
        verb, words = "show", args.words
    most = 0 if verb == "check" else 1
    if len(words) > most or (verb == "import" and not words):
        what = "prices import takes one FILE" if verb == "import" else f"prices {verb} takes no {words[-1][:40]!r}"
        raise UsageError(what, hint="`prices --help` has all three forms")
    if verb == "import":
        return take_in(args, words[0])
    home = args.open()
    with _reading(home) as store:
        return check(args, home, store) if verb == "check" else show(args, home, store, model="".join(words))


class _reading:  # noqa: N801 (reads as a word of the statement it is used in)
    """`with _reading(home) as store:` the database, None where there is none yet: prices are known without one."""

    def __init__(self, home: Home) -> None:
        self._reading = home.reading() if home.db_path and os.path.exists(home.db_path) else None

    def __enter__(self) -> Optional[Store]:
        return self._reading.__enter__() if self._reading else None

    def __exit__(self, *error: object) -> None:
        if self._reading:
            self._reading.__exit__(*error)


def day_of(args: Any, option: str) -> str:
    """The day of an option, else today. Raises UsageError."""
    from ..core.days import parse_day
    from ..core.errors import UsageError

    value = getattr(args, option)
    try:
        return parse_day(value) if value is not None else str(args.clock.today())
    except ValueError as error:
        raise UsageError(str(error), hint=f"--{option.replace('_', '-')} takes a UTC day") from error


# --- show -------------------------------------------------------------------------------------------------------------


def show(args: Any, home: Home, store: Optional[Store], *, model: str) -> int:
    """The prices of a day, of all models or, in full, of one."""
    from ..core.price_book import book_of
    from ..core.price_facts import facts_of

    day = day_of(args, "at")
    book = book_of(home.settings, store)
    found = chosen(book, day, vendor=args.vendor, model=model)
    if args.json:
        emit_json([{"id": price.id, "origin": origin, **facts_of(price)} for origin, price in found])
        return exits.OK
    emit_table(_HEADER, [_row(*each) for each in found], right={2, 3, 4, 5, 6})
    emit(f"per million tokens, on {day}; - is not known, and tokens of that kind are unpriced")
    for origin, price in found if model else ():
        emit("")
        for line in details(origin, price):
            emit(line)
    return exits.OK


def chosen(book: PriceBook, day: str, *, vendor: str, model: str) -> list[tuple[str, Price]]:
    """(origin, price) of the day, by vendor and name; with a model the one that it gets. Raises UsageError for none."""
    from ..core.errors import UsageError
    from ..core.text import nearest

    vendors = {price.vendor for _, price in book.entries()}
    if vendor and vendor not in vendors:
        close = nearest(vendor, vendors)
        known = f"did you mean {close}?" if close else f"there are prices of {', '.join(sorted(vendors))}"
        raise UsageError(f"no price of the vendor {vendor[:60]!r} is known", hint=known)
    wanted = [each for each in sorted(vendors) if vendor in ("", each)]
    if model:
        winners = {price.id for price in (book.find(each, model, day) for each in wanted) if price}
    else:
        in_force = (book.exact(price.vendor, price.model, day) for _, price in book.entries())
        winners = {price.id for price in in_force if price and price.vendor in wanted}
    found = {price.id: (origin, price) for origin, price in reversed(book.entries()) if price.id in winners}
    if not found:
        names = {price.model for _, price in book.entries() if price.vendor in wanted}
        close = nearest(model, names) if model else None
        what = f"no price of {model[:80]!r} is known" if model else "no price is known"
        hint = (
            f"did you mean {close}?" if close else "`prices` lists what is known; agent_os.ini or an import adds to it"
        )
        raise UsageError(f"{what} on {day}", hint=hint)
    return sorted(found.values(), key=lambda each: (each[1].vendor, each[1].model))


_HEADER = ("vendor", "model", "input", "output", "cache read", "write 5m", "write 1h", "from", "until", "origin")


def _row(origin: str, price: Price) -> tuple[str, ...]:
    from ..core.money import decimal_text

    base = price.rates.base
    short = base.get("cache_write_5m", base.get("cache_write"))
    rates = [base.get("input"), base.get("output"), base.get("cache_read"), short, base.get("cache_write_1h")]
    cells = ("-" if rate is None else decimal_text(rate) for rate in rates)
    model = price.model if price.currency == "USD" else f"{price.model} ({price.currency})"
    return (price.vendor, model, *cells, price.valid_from, price.valid_to, origin)


def details(origin: str, price: Price) -> list[str]:
    """A price in full, a line each."""
    from ..core.money import decimal_text
    from ..core.text import thousands

    lines = [f"{price.model} ({price.vendor}), {price.currency}, id {price.id}"]
    for threshold, rates in sorted(price.rates.above.items()):
        lines.append(f"  a request of more than {thousands(threshold)} tokens: {_listed(rates)}")
    for name, tier in sorted(price.tiers.items()):
        what = f"{decimal_text(tier)} times that" if isinstance(tier, int) else _listed(tier.base)
        lines.append(f"  tier {name}: {what}")
        for threshold, rates in sorted(tier.above.items()) if not isinstance(tier, int) else ():
            lines.append(f"    above {thousands(threshold)} tokens: {_listed(rates)}")
    lines += [f"  region {name}: {decimal_text(factor)} times that" for name, factor in sorted(price.regions.items())]
    lines += [f"  {name}: {decimal_text(nano * 1000)} for 1,000" for name, nano in price.calls.items()]
    told = ", ".join(filter(None, (price.source, price.source_date, price.licence and f"licence {price.licence}")))
    return [*lines, f"  {origin}, from {told or 'nowhere that was told'}"]


def _listed(rates: Any) -> str:
    from ..core.money import decimal_text

    return ", ".join(f"{kind} {decimal_text(rate)}" for kind, rate in rates.items())


# --- check ------------------------------------------------------------------------------------------------------------


def check(args: Any, home: Home, store: Optional[Store]) -> int:
    """Faults of the book, what in the database is unpriced, and the age of what is shipped."""
    from ..core.days import ordinal
    from ..core.price_book import OLD_AFTER_DAYS, book_of, faults_of, shipped
    from ..core.price_store import PriceStore
    from ..core.text import plural, thousands

    faults = faults_of(book_of(home.settings, store))
    unpriced = PriceStore(store.db).unpriced("", "9999-12-31") if store else []
    told = shipped()[0].source_date
    age = max(ordinal(args.clock.today()) - ordinal(told), 0)
    code = exits.FAILED if faults or unpriced else exits.OK
    if args.json:
        names = ("provider", "account", "model", "tokens", "first_day", "last_day")
        rows = [dict(zip(names, row)) for row in unpriced]
        emit_json({"faults": faults, "unpriced": rows, "shipped_on": told, "age_days": age})
        return code
    for fault in faults:
        emit(f"fault: {fault}")
    if unpriced:
        header = ("provider", "vendor", "unpriced model", "tokens", "first day", "last day")
        emit_table(header, [(*row[:3], thousands(row[3]), *row[4:]) for row in unpriced], right={3})
        emit("give these a price from their first day on: [price:MODEL] in agent_os.ini, or prices import FILE")
        emit("--valid-from DAY; then `reprice`. What is priced stays so.")
    if not faults and not unpriced:
        emit("nothing is unpriced, and the book has no fault")
    emit(f"the shipped prices are of {told}, {plural(age, 'day')} ago")
    if age >= OLD_AFTER_DAYS:
        home.log.warning("prices.old", "the shipped prices are old: use a newer version, or prices import FILE")
    return code


# --- import -----------------------------------------------------------------------------------------------------------


def take_in(args: Any, path: str) -> int:
    """Read a file, say what it changes, and keep that: all of it or nothing."""
    from ..core.price_book import book_of
    from ..core.price_import import read
    from ..core.text import plural

    day = day_of(args, "valid_from")
    name = "standard input" if path == "-" else os.path.basename(path)
    home = args.open()
    found = read(_bytes_of(path), name=name, valid_from=day, read_on=args.clock.today())
    with _reading(home) as store:
        book = book_of(home.settings, store)
    new, changed, unchanged = compared(book, found.prices)
    if not args.dry_run and (new or changed):
        from ..core.price_store import PriceStore

        db = home.store(write=True).db
        with db.atomic():
            PriceStore(db).take_in([*new, *(price for _, price in changed)])
    if args.json:
        emit_json(
            {
                "form": found.form, "dry_run": args.dry_run, "new": [price.id for price in new],
                "changed": [{"old": old.id, "new": price.id} for old, price in changed], "unchanged": unchanged,
                "left_out": found.left_out,
            }
        )  # fmt: skip
        return exits.OK
    _tell(new, changed)
    left = f"; {plural(len(found.left_out), 'model')} left out (--json says why)" if found.left_out else ""
    done = "would be imported" if args.dry_run else "imported"
    emit(f"{done}: {len(new)} new, {len(changed)} changed; {unchanged} unchanged{left}")
    since = min((price.valid_from for price in new), default="")
    if since:
        emit(f"new prices hold from {since} on: --valid-from DAY is for earlier days, `reprice` for what is stored")
    return exits.OK


def compared(book: PriceBook, prices: Sequence[Price]) -> tuple[list[Price], list[tuple[Price, Price]], int]:
    """(those of models that had no price then, (old, new) of those with other rates, how many tell nothing new).

    What agent_os.ini says is left aside: it wins whatever is imported.
    """
    from ..core.price_import import without_repeats
    from ..core.prices import PriceBook

    kept = PriceBook([(origin, [price]) for origin, price in book.entries() if origin != "override"])
    new: list[Price] = []
    changed: list[tuple[Price, Price]] = []
    telling = {price.id for price in without_repeats(prices)}
    for price in prices:
        old = kept.exact(price.vendor, price.model, price.valid_from)
        if old is None:
            new += [price] if price.id in telling else []
        elif (old.digest, old.valid_to) != (price.digest, price.valid_to):
            changed.append((old, price))
    return new, changed, len(prices) - len(new) - len(changed)


def _tell(new: Sequence[Price], changed: Sequence[tuple[Price, Price]]) -> None:
    lines = [f"new      {price.vendor}/{price.model}: {_listed(price.rates.base)}" for price in new]
    lines += [f"changed  {price.vendor}/{price.model}: {_difference(old, price)}" for old, price in changed]
    for line in lines[:SHOWN_CHANGES]:
        emit(line)
    if len(lines) > SHOWN_CHANGES:
        emit(f"... and {len(lines) - SHOWN_CHANGES} more (--json has all)")


def _difference(old: Price, new: Price) -> str:
    """The standard rates that are not the same, "input 5.00 -> 4.00"; else what else is not."""
    from ..core.money import decimal_text

    def text(rate: Optional[int]) -> str:
        return "-" if rate is None else decimal_text(rate)

    kinds = [*old.rates.base, *(kind for kind in new.rates.base if kind not in old.rates.base)]
    pairs = [(kind, old.rates.base.get(kind), new.rates.base.get(kind)) for kind in kinds]
    told = [f"{kind} {text(before)} -> {text(after)}" for kind, before, after in pairs if before != after]
    return ", ".join(told) or "its tiers, regions, long requests, calls or days"


def _bytes_of(path: str) -> bytes:
    """What a file, or standard input, holds. Raises UsageError or one of ours for a failed system call."""
    from ..core.errors import UsageError, os_failure
    from ..core.price_import import LARGEST_BYTES

    if path == "-":
        if sys.stdin is None:
            raise UsageError("there is no standard input", hint="name a file")
        return sys.stdin.buffer.read(LARGEST_BYTES + 1)
    try:
        with open(path, "rb") as file:
            return file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise os_failure(f"reading {path}", error) from error
