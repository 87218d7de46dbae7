"""The lines behind the headlines: as they are known now, or as they were known on a day; and what they add up to."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Optional, Union

from .errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from .db import Database

COLUMNS = (
    "id, date, provider, kind, report, account, project, model, api_key, line_item, cost_type, token_type, tier,"
    " context, region, quantity, unit, amount_nano, currency, basis, price, batch_id, observed_at, superseded_at"
)
# What lines can be added up by: the word, and the SQL of it.
GROUPS = {
    "day": "date",
    "week": "date(date, '-6 days', 'weekday 1')",  # the Monday it begins with
    "month": "substr(date, 1, 7)",
    "year": "substr(date, 1, 4)",
    "provider": "provider",
    "project": "project",
    "model": "model",
    "line": "line_item",
    "key": "api_key",
    "account": "account",
    "cost_type": "cost_type",
    "token_type": "token_type",
    "tier": "tier",
}


class Line(NamedTuple):
    """A line of a provider's report, of an estimate or of an import. `amount_nano`: 10^-9 of `currency`, for a cost.

    `superseded_at` is when it was replaced; None: it is what is known now. `batch_id` is what brought it.
    """

    id: int
    date: str
    provider: str
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
    price: str
    batch_id: int
    observed_at: str
    superseded_at: Optional[str]


class Sum(NamedTuple):
    """What some lines come to, of one basis and one currency: neither is ever added to another.

    `by` are the values that were asked for, in order. `nano` is None where there is no money (tokens alone); tokens
    without a price are in `tokens` and in `unpriced_tokens`, and in no money. `lines` is the number of lines.
    """

    by: tuple[str, ...]
    basis: str
    currency: str
    nano: Optional[int]
    tokens: int
    unpriced_tokens: int
    lines: int


class LineStore:
    """The lines of one open database. `as_of`: the instant that is asked about, as stored; "" for now."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def lines(self, *, since: str, until: str, provider: str = "", as_of: str = "") -> Iterator[Line]:
        """The lines of the days in [since, until), by day, provider and when they came; read as they are taken."""
        where, values = self._where(since, until, provider, as_of)
        cursor = self._db.run(
            f"SELECT {COLUMNS} FROM result_lines WHERE {where} ORDER BY date, provider, id",  # noqa: S608 (constants)
            values,
        )
        return (Line._make(row) for row in cursor)

    def sums(self, by: Sequence[str], *, since: str, until: str, provider: str = "", as_of: str = "") -> list[Sum]:
        """What the lines of the days in [since, until) come to, in the order of what they are added up by.

        Costs have a row for each basis and currency; tokens stand in the row of their basis, in one of their own where
        that has no money or several currencies. Raises UsageError for what lines cannot be added up by.
        """
        unknown = [word for word in by if word not in GROUPS]
        if unknown:
            raise UsageError(f"nothing is added up by {unknown[0][:40]!r}", hint=f"it is one of {', '.join(GROUPS)}")
        where, values = self._where(since, until, provider, as_of)
        groups = ", ".join(GROUPS[word] for word in by) or "''"
        rows = self._db.all(
            f"SELECT {groups}, basis, CASE kind WHEN 'cost' THEN currency ELSE '' END,"  # noqa: S608 (constants)
            " sum(amount_nano), sum(CASE WHEN kind = 'usage' AND unit = 'tokens' THEN quantity ELSE 0 END),"
            " sum(CASE WHEN kind = 'usage' AND unit = 'tokens' AND basis = 'estimated' AND price = '' THEN quantity"
            f" ELSE 0 END), count(*) FROM result_lines WHERE {where}"
            f" GROUP BY {groups}, basis, CASE kind WHEN 'cost' THEN currency ELSE '' END ORDER BY {groups}, basis",
            values,
        )
        return _folded([_sum(row, len(by)) for row in rows])

    def _where(self, since: str, until: str, provider: str, as_of: str) -> tuple[str, list[Any]]:
        known = "superseded_at IS NULL"
        values: list[Any] = []
        if as_of:
            known = "observed_at <= ? AND (superseded_at IS NULL OR superseded_at > ?)"
            values += [as_of, as_of]
        limit = " AND provider = ?" if provider else ""
        return f"{known} AND date >= ? AND date < ?{limit}", [*values, since, until, *([provider] if provider else [])]


def instant_of(as_of: Optional[str]) -> str:
    """The instant that is asked about: the last of a day. Raises UsageError for what is neither a day nor one."""
    from .clock import from_iso
    from .days import parse_day

    if not as_of:
        return ""
    try:
        if len(as_of) == 10:
            return f"{parse_day(as_of)}T23:59:59.999Z"
        from_iso(as_of)
    except ValueError as error:
        raise UsageError(f"{as_of[:40]!r} is neither a day nor an instant", hint="write it as 2026-10-05") from error
    return as_of


def _sum(row: Sequence[Any], count: int) -> Sum:
    place = max(count, 1)
    basis, currency, nano, tokens, unpriced, lines = row[place:]
    return Sum(tuple(row[:count]), basis, currency, nano if currency else None, tokens, unpriced, lines)


def _folded(found: list[Sum]) -> list[Sum]:
    """Tokens put beside the money of their basis, where that is of one currency."""
    money: dict[tuple[tuple[str, ...], str], list[int]] = {}
    for place, each in enumerate(found):
        if each.currency:
            money.setdefault((each.by, each.basis), []).append(place)
    folded = list(found)
    gone = set()
    for place, each in enumerate(found):
        places = money.get((each.by, each.basis), [])
        if not each.currency and len(places) == 1:
            known = folded[places[0]]
            folded[places[0]] = known._replace(
                tokens=known.tokens + each.tokens,
                unpriced_tokens=known.unpriced_tokens + each.unpriced_tokens,
                lines=known.lines + each.lines,
            )
            gone.add(place)
    return [each for place, each in enumerate(folded) if place not in gone]
