"""What the database knows of prices: those that lines were priced with, those that were imported, what has none."""

from __future__ import annotations

from .errors import StoreError
from .ledger import COLUMNS
from .model import Record
from .price_facts import facts_of, price_of
from .seals import Resealed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from .days import Window
    from .db import Database
    from .prices import Price

    Group = tuple[str, str, str, str, str, str]  # date, account, model, tier, context, region

_AT_ONCE = 500  # SQLite before 3.32 takes 999 values in a statement


class PriceStore:
    """The prices in one open database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def keep(self, prices: Iterable[Price], origin: str) -> None:
        """Have the facts of these prices kept for good; called inside `db.atomic()`. What is there stays as it is."""
        self._insert(prices, origin, "DO NOTHING")

    def take_in(self, prices: Iterable[Price]) -> None:
        """Have these prices kept as imported; each is from then on the newest import, also one that was there."""
        self._insert(
            prices, "imported",
            "DO UPDATE SET origin = excluded.origin, facts = excluded.facts, added_at = excluded.added_at",
        )  # fmt: skip

    def _insert(self, prices: Iterable[Price], origin: str, otherwise: str) -> None:
        from .json_value import to_json

        rows = [(each.id, origin, to_json(facts_of(each), f"the price {each.id}"), self._db.now()) for each in prices]
        for first in range(0, len(rows), _AT_ONCE):
            part = rows[first : first + _AT_ONCE]
            marks = ", ".join("?" * len(part))
            with Resealed(self._db, "prices", f"id IN ({marks})", [row[0] for row in part]):
                self._db.many(
                    "INSERT INTO prices(id, origin, facts, added_at) VALUES (?, ?, ?, ?)"  # noqa: S608 (constants)
                    f" ON CONFLICT(id) {otherwise}",
                    part,
                )

    def imported(self) -> list[Price]:
        """What was imported, newest first."""
        rows = self._db.all("SELECT id, facts FROM prices WHERE origin = 'imported' ORDER BY added_at DESC, id DESC")
        return [self._price(*row) for row in rows]

    def by_ids(self, ids: Iterable[str]) -> dict[str, Price]:
        """The prices of these ids, as far as they are kept."""
        wanted = sorted(set(ids))
        found: dict[str, Price] = {}
        for first in range(0, len(wanted), _AT_ONCE):
            part = wanted[first : first + _AT_ONCE]
            marks = ", ".join("?" * len(part))
            rows = self._db.all(f"SELECT id, facts FROM prices WHERE id IN ({marks})", part)  # noqa: S608 (marks)
            found.update((row[0], self._price(*row)) for row in rows)
        return found

    def used(self, provider: str, window: Window) -> dict[Group, Price]:
        """What the lines of a window were priced with, by group; of two prices of a group the one of the older line."""
        rows = self._db.all(
            "SELECT date, account, model, tier, context, region, price, min(id) FROM result_lines"
            " WHERE superseded_at IS NULL AND provider = ? AND date >= ? AND date < ? AND kind = 'usage'"
            " AND price <> '' GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 8 DESC",
            (provider, window.start, window.end),
        )
        known = self.by_ids(row[6] for row in rows)
        return {row[:6]: known[row[6]] for row in rows if row[6] in known}

    def unpriced(self, since: str, until: str) -> list[tuple[str, str, str, int, str, str]]:
        """(provider, account, model, tokens, first day, last day) of all that is estimated and has no price."""
        return self._db.all(
            "SELECT provider, account, model, sum(quantity), min(date), max(date) FROM result_lines"
            " WHERE superseded_at IS NULL AND kind = 'usage' AND basis = 'estimated' AND unit = 'tokens'"
            " AND price = '' AND quantity > 0 AND date >= ? AND date < ? GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
            (since, until),
        )

    def estimated(self, since: str, until: str, *, provider: str = "") -> list[tuple[str, str, str]]:
        """(provider, date, report) of every day that has estimated usage, in this order."""
        return self._db.all(
            "SELECT DISTINCT provider, date, report FROM result_lines WHERE superseded_at IS NULL AND kind = 'usage'"
            " AND basis = 'estimated' AND date >= ? AND date < ? AND (? = '' OR provider = ?) ORDER BY 1, 2, 3",
            (since, until, provider, provider),
        )

    def lines(self, provider: str, window: Window, *, reports: Collection[str]) -> Sequence[Record]:
        """The current lines of these reports, as they were stored."""
        rows = self._db.all(
            f"SELECT {COLUMNS} FROM result_lines"  # noqa: S608 (a constant)
            " WHERE superseded_at IS NULL AND provider = ? AND date >= ? AND date < ? ORDER BY id",
            (provider, window.start, window.end),
        )
        return [record for record in map(Record._make, rows) if record.report in reports]

    def _price(self, number: str, facts: str) -> Price:
        from .json_value import from_json

        faults: list[str] = []
        price = price_of(from_json(facts), faults)
        if price is None:
            raise StoreError(f"the price {number} in the database cannot be read: {'; '.join(faults)}")
        return price._replace(id=number)
