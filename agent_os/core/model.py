"""The values that travel from a provider to the database: page, row, record, batch. They are checked when made."""

from __future__ import annotations

import re
from collections.abc import (  # noqa: TC003 (a NamedTuple evaluates its annotations)
    Collection,
    Iterator,
    Mapping,
    Sequence,
)
from decimal import Decimal
from typing import Any, NamedTuple, Optional, Union

from . import money
from .days import Window, day_of_instant, day_of_unix, ordinal
from .errors import PermanentError

Json = Any
_LITERAL = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,4})?")
_SMALLEST_QUANTITY = -40  # 10^-40 of anything is nothing; a 128-bit zero is written 0E-6176
LONGEST_TEXT = 500  # characters of a name that a provider sends; the longest seen is about 120


class Record(NamedTuple):
    """One normalized fact of one UTC day, in the order of the columns of `result_lines`.

    `kind` is `cost` (then `amount_nano` and `currency` are set) or `usage` (then `quantity` and `unit` are).
    A dimension that the provider did not give is `''`. `price` is the id of the price that an estimated line was priced
    with; an estimated line of tokens without one is unpriced, and never counts as free.
    """

    date: str
    kind: str
    report: str
    account: str
    project: str
    model: str
    api_key: str
    line_item: str
    cost_type: str
    token_type: str
    tier: str
    context: str
    region: str
    quantity: Union[int, str, None]
    unit: str
    amount_nano: Optional[int]
    currency: str
    basis: str
    price: str = ""

    @property
    def identity(self) -> tuple[object, ...]:
        """What may stand only once in a window: all but the figures."""
        return (*self[:13], self.unit, self.currency, self.basis)


class Row:
    """One object of a provider's answer, read by name; a value that cannot be meant is refused with its place."""

    __slots__ = ("_data", "day", "report")

    def __init__(self, data: Json, *, day: str, report: str) -> None:
        self._data = data
        self.day = day
        self.report = report
        if not isinstance(data, dict):
            raise self.wrong("a row", data)

    def wrong(self, what: str, value: object) -> PermanentError:
        """The error for a value that is refused."""
        shown = repr(value)
        shown = shown if len(shown) <= 60 else shown[:57] + "..."
        return PermanentError(
            f"the answer to {self.report} for {self.day} is wrong: {what} is {shown}",
            hint="nothing of this window was stored; the next run asks again",
        )

    def part(self, name: str) -> Row:
        """The object under `name`, as a row of its own; empty when null or absent."""
        value = self._data.get(name)
        return Row({} if value is None else value, day=self.day, report=self.report)

    def text(self, name: str) -> str:
        """A dimension: `''` when null or absent. Numbers and flags become text; anything else is refused."""
        value = self._data.get(name)
        if value is None:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return str(value)
        if not isinstance(value, str) or len(value) > LONGEST_TEXT:
            raise self.wrong(name, value)
        return value

    def count(self, name: str, *, required: bool = False) -> int:
        """A whole number, not negative, that a ledger can hold; 0 when null or absent unless `required`."""
        value = self._data.get(name)
        if value is None and not required:
            return 0
        if (
            isinstance(value, Decimal)
            and value.is_finite()
            and value.adjusted() < 19
            and value == value.to_integral_value()
        ):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**63:
            raise self.wrong(name, value)
        return value

    def quantity(self, name: str) -> Union[int, str, None]:
        """A number, whole or as exact decimal text, spelled one way however the provider did; None when absent."""
        value = self._data.get(name)
        if value is None:
            return None
        number = _number(value)
        if number is None or number.adjusted() > 18:  # more than a ledger can hold
            raise self.wrong(name, value)
        if number.adjusted() < _SMALLEST_QUANTITY or number == number.to_integral_value():
            return int(number) if abs(number) < 2**63 else str(number)
        return format(number.normalize(), "f")

    def value(self, name: str) -> Json:
        """Whatever stands under `name`; None when absent."""
        return self._data.get(name)

    def cost(  # noqa: PLR0913 (a line of a bill has that many parts; all but three by name)
        self,
        amount: Json,
        currency: Json,
        dimensions: Mapping[str, str],
        *,
        shift: int = 0,
        quantity: Union[int, str, None] = None,
        unit: str = "",
    ) -> Record:
        """A cost record with money the provider itself reports: `amount` times 10**`shift` units of `currency`."""
        try:
            nano = money.nano(amount, shift=shift)
            code = money.currency(currency)
        except ValueError as error:
            raise self.wrong("the money of a row", f"{amount} {currency}") from error
        return self._record("cost", dimensions, quantity=quantity, unit=unit, amount_nano=nano, currency=code)

    def usage(self, quantity: Union[int, str], unit: str, dimensions: Mapping[str, str]) -> Record:
        """A usage record: so many of `unit` ("tokens", "requests", "images", ...), whole or as exact decimal text."""
        return self._record("usage", dimensions, quantity=quantity, unit=unit)

    def _record(self, kind: str, dimensions: Mapping[str, str], **figures: Any) -> Record:
        values = {
            **_BLANK,
            **dimensions,
            **figures,
            "date": self.day,
            "kind": kind,
            "report": self.report,
            "basis": "reported",
        }
        return Record(**values)


def _number(value: Json) -> Optional[Decimal]:
    """A number, or a number written as text in JSON's own way; None for what is neither."""
    if isinstance(value, str):
        return Decimal(value) if _LITERAL.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return None
    return Decimal(value) if Decimal(value).is_finite() else None


_BLANK: dict[str, Any] = {**dict.fromkeys(Record._fields, ""), "quantity": None, "amount_nano": None}


class Page(NamedTuple):
    """One answer of a provider, untouched (`body`), with the daily buckets that were found in it."""

    report: str
    url: str
    request_id: str
    seen_at: str
    body: bytes
    buckets: Sequence[tuple[str, Sequence[Json]]]

    def rows(self) -> Iterator[Row]:
        """Every row of every bucket, as the provider ordered them."""
        for day, results in self.buckets:
            for data in results:
                yield Row(data, day=day, report=self.report)


def buckets_of(data: Json, window: Window, *, fields: tuple[str, str]) -> list[tuple[str, Sequence[Json]]]:
    """The daily buckets of one page: each a whole UTC day inside `window`, ascending, none twice.

    `fields` names the members that hold a bucket's start and end: Unix seconds or RFC 3339 text.
    """
    if not isinstance(data, list):
        raise PermanentError("the answer has no list `data`")
    found: list[tuple[str, Sequence[Json]]] = []
    for bucket in data:
        results = bucket.get("results") if isinstance(bucket, dict) else None
        if not isinstance(results, list):
            raise PermanentError("the answer holds a bucket without a list `results`")
        start, end = (_day(bucket.get(field)) for field in fields)
        if start is None or end is None or ordinal(end) != ordinal(start) + 1:
            raise PermanentError("the answer holds a bucket that is not one whole UTC day")
        if not window.start <= start < window.end:
            raise PermanentError(f"the answer holds a bucket of {start}, which is outside {window}")
        if found and start <= found[-1][0]:
            raise PermanentError(f"the answer holds {start} twice, or its days are out of order")
        found.append((start, results))
    return found


def _day(value: Json) -> Optional[str]:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return day_of_unix(value)
    return day_of_instant(value) if isinstance(value, str) else None


class Batch(NamedTuple):
    """All that one source said of one window, complete and checked. Storing it replaces those days.

    `basis` is the kind of money that it gives. `days` are the days that were answered: the whole window, but for the
    open day where a provider left it out. `silent` are days of which it was asked and cannot tell: no log reaches back.
    `reports` are those that answered: lines of a report that the organization does not have (any more) stay.
    """

    provider: str
    task: str
    window: Window
    days: Sequence[str]
    reports: Collection[str]
    observed_at: str
    records: Sequence[Record]
    pages: Sequence[Page]
    currency: str
    notes: Sequence[str]
    basis: str = "reported"
    silent: Sequence[str] = ()
    prices: Sequence[Any] = ()  # those that its lines were priced with
