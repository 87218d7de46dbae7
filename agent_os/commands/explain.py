"""`explain ROW|DAY`: where figures come from: what was asked, what came, who brought it, and what was known before."""

from __future__ import annotations

from .. import exits
from . import emit, emit_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any, Optional

    from ..core.line_store import Line
    from ..core.prices import Price
    from ..core.provenance import Provenance, Source
    from ..core.store import Store

DIMENSIONS = (
    "account", "project", "model", "api_key", "line_item", "cost_type", "token_type", "tier", "context", "region",
)  # fmt: skip


def add_arguments(parser: ArgumentParser) -> None:
    """ROW|DAY, --provider."""
    what = "the number of a line (`--task export --table lines` has it), or a UTC day, as 2026-11-01"
    parser.add_argument("what", metavar="ROW|DAY", help=what)
    parser.add_argument("--provider", metavar="NAME", default="", help="of a day: only this provider")


def execute(args: Any) -> int:
    """Print what is known of each line."""
    from .show import hidden

    home = args.open()
    store = home.store()
    days = [(each, lines) for each, lines in found(store, args.what, provider=args.provider)]
    facts = [hidden(as_json(store, *each), home.redactor.text) for each in days]
    if args.json:
        emit_json(facts)
    elif not facts:
        emit(f"nothing is stored of {args.what}; `gaps` says why")
    for number, each in enumerate(() if args.json else facts):
        if number:
            emit("")
        show(each)
    return exits.OK


def found(store: Store, what: str, *, provider: str) -> Iterator[tuple[tuple[str, str], list[Line]]]:
    """The (provider, day) that are meant, and the lines of it that are asked about. Raises UsageError."""
    from ..core.days import add_days, parse_day
    from ..core.errors import UsageError
    from ..core.line_store import LineStore
    from ..core.provenance import Provenance

    origins = Provenance(store.db)
    if what.isascii() and what.isdigit() and len(what) < 19:
        line = origins.line(int(what))
        if line is None:
            raise UsageError(f"there is no line {what}", hint="`--task export --table lines` has the numbers of all")
        yield (line.provider, line.date), [line]
        return
    try:
        day = parse_day(what)
    except ValueError as error:
        hint = "give the number of a line, or a day as 2026-11-01"
        raise UsageError(f"{what[:40]!r} is neither a line nor a day", hint=hint) from error
    for name in origins.providers(day):
        if provider in ("", name):
            lines = LineStore(store.db).lines(since=day, until=add_days(day, 1), provider=name)
            yield (name, day), list(lines)


# what is known


def as_json(store: Store, key: tuple[str, str], lines: Sequence[Line]) -> dict[str, Any]:
    """A day, its headline, and everything about the lines."""
    from ..core.days import add_days
    from ..core.money import decimal_text
    from ..core.price_store import PriceStore
    from ..core.provenance import Provenance

    provider, day = key
    origins = Provenance(store.db)
    ever = origins.all_of(provider, day)
    prices = PriceStore(store.db).by_ids(line.price for line in ever if line.price)
    [headline] = store.results(since=day, until=add_days(day, 1), provider=provider) or [(None,) * 9]
    tokens, nano, currency, basis, status, updated_at, unpriced = headline[2:]
    return {
        "provider": provider, "day": day, "status": status, "basis": basis, "tokens": tokens,
        "cost": None if nano is None else decimal_text(nano), "currency": currency, "unpriced_tokens": unpriced,
        "updated_at": updated_at, "lines": [about(line, ever, origins, prices) for line in lines],
    }  # fmt: skip


def about(line: Line, ever: Sequence[Line], origins: Provenance, prices: Mapping[str, Price]) -> dict[str, Any]:
    """A line: what it says, how that came about, where from, and what was said of the same before and after."""
    from ..core.provenance import identity

    origin = origins.origin(line.batch_id)
    same = [each for each in ever if identity(each) == identity(line) and each.id != line.id]
    return {
        **said(line),
        "report": line.report,
        **{name: getattr(line, name) for name in DIMENSIONS if getattr(line, name)},
        "computed": computed(line, ever, prices),
        "batch": origin.batch, "run": origin.run, "task": origin.task, "link": origin.link,
        "window": {"start": origin.window_start, "end": origin.window_end},
        "pages": [page_of(each) for each in origins.sources(line.batch_id, line.report, line.date)],
        "earlier": [said(each) for each in same if each.id < line.id],
        "later": [said(each) for each in same if each.id > line.id],
    }  # fmt: skip


def said(line: Line) -> dict[str, Any]:
    """The figures of a line, and when they were known."""
    from ..core.money import decimal_text

    return {
        "line": line.id, "kind": line.kind, "basis": line.basis,
        "amount": None if line.amount_nano is None else decimal_text(line.amount_nano),
        "currency": line.currency or None, "quantity": line.quantity, "unit": line.unit or None,
        "batch": line.batch_id, "seen_at": line.observed_at, "replaced_at": line.superseded_at,
    }  # fmt: skip


def page_of(source: Source) -> dict[str, Any]:
    """An answer that was kept."""
    return {
        "url": source.url, "request_id": source.request_id or None, "seen_at": source.seen_at, "sha256": source.sha256,
    }  # fmt: skip


def computed(line: Line, ever: Sequence[Line], prices: Mapping[str, Price]) -> Optional[dict[str, Any]]:
    """How an estimate was made: so many, at a rate, by a price. None for what nobody here has computed."""
    from ..core.money import decimal_text
    from ..core.prices import amount_of, rate_of
    from ..core.provenance import record_of, usage_of

    price = prices.get(line.price)
    usage = line if line.kind == "usage" else usage_of(line, ever) if line.price else None
    rate = rate_of(price, record_of(usage)) if price and usage else None
    if price is None or usage is None or rate is None:
        return None
    per = 10**6 if usage.unit == "tokens" else 1
    amount = amount_of(price, record_of(usage))
    return {
        "usage_line": usage.id, "quantity": usage.quantity, "unit": usage.unit,
        "rate": exact(rate[0] * per, rate[1]), "per": per, "currency": price.currency, "price": price.id,
        "source": price.source or None, "source_date": price.source_date or None,
        "amount": None if amount is None else decimal_text(amount),
    }  # fmt: skip


def exact(dividend: int, divisor: int) -> str:
    """A rate in nano as decimal text of whole units; the divisor is a power of ten, so this is exact."""
    from ..core.money import UNIT, decimal_text

    whole, rest = divmod(dividend, divisor)
    if not rest:
        return decimal_text(whole)
    digits = len(str(divisor * UNIT)) - 1
    text = f"{dividend:0{digits + 1}d}"
    return f"{text[:-digits]}.{text[-digits:]}".rstrip("0")


# how it is shown


def show(day: Mapping[str, Any]) -> None:
    """The day in a line, then each of its lines."""
    from ..core.text import plural, safe, thousands

    cost = "no known cost" if day["cost"] is None else f"{day['cost']} {day['currency']}"
    unpriced = f", {plural(day['unpriced_tokens'], 'token')} unpriced" if day["unpriced_tokens"] else ""
    told = f"{cost} {day['basis']}, {thousands(day['tokens'] or 0)} tokens{unpriced}; {day['status']}, last changed"
    emit(safe(f"{day['provider']} on {day['day']} (UTC): {told} {day['updated_at']}"))
    if not day["lines"]:
        emit("  no line: the provider was asked and has none")
    for line in day["lines"]:
        emit("")
        for name, text in told_of(line):
            emit(safe(f"  {name:<9} {text}"))


def told_of(line: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """A line, as a name and a text each."""
    yield "line", f"{line['line']}: {figure(line)}, {line['basis']}"
    yield (
        "of",
        ", ".join([f"report {line['report']}", *(f"{each} {line[each]}" for each in DIMENSIONS if each in line)]),
    )
    how = line["computed"]
    if how:
        source = ", ".join(filter(None, (how["price"], how["source"], how["source_date"])))
        rate = f"{how['rate']} {how['currency']}" + (" per 1,000,000" if how["per"] != 1 else " each")
        of = "" if how["usage_line"] == line["line"] else f" of line {how['usage_line']}"
        yield "computed", f"{how['quantity']:,} {how['unit']}{of} x {rate} = {how['amount']} ({source})"
    elif line["basis"] == "estimated" and line["unit"] == "tokens":
        yield "computed", "no: no price is known for it; it is in no sum of money"
    for page in line["pages"]:
        asked = f" (request {page['request_id']})" if page["request_id"] else ""
        yield "asked", f"{page['url']}{asked} at {page['seen_at']}"
        yield "answer", f"sha256 {page['sha256']}"
    if not line["pages"]:
        yield "asked", "nobody: no answer was kept with it"
    yield "seen", f"{line['seen_at']} by run {line['run']} ({line['task'] or 'forgotten'}), batch {line['batch']}"
    yield "link", line["link"]
    for word, others in (("earlier", line["earlier"]), ("later", line["later"])):
        for each in others:
            until = f" until {each['replaced_at']}" if each["replaced_at"] else ", as it is known now"
            yield word, f"{figure(each)} from {each['seen_at']}{until} (line {each['line']}, batch {each['batch']})"
    if line["replaced_at"] and not line["later"]:
        yield "replaced", f"at {line['replaced_at']}; nothing is said of it since"


def figure(line: Mapping[str, Any]) -> str:
    """What a line says, in words."""
    money = f"{line['amount']} {line['currency']}" if line["kind"] == "cost" else ""
    quantity = line["quantity"]
    many = f"{quantity:,}" if isinstance(quantity, int) else str(quantity)
    count = "" if quantity is None else f"{many} {line['unit'] or ''}".strip()
    return f"{money} for {count}" if money and count else money or count
