"""The one place that turns a batch into rows: `result_lines` (append-only, bitemporal), `results`, `slots`, `pages`."""

from __future__ import annotations

from hashlib import sha256
from itertools import chain, islice
from json import JSONEncoder
from typing import TYPE_CHECKING, Any
from zlib import compressobj

from .days import status_of
from .model import Record
from .seals import Resealed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Optional

    from .days import Window
    from .db import Database
    from .model import Batch

COLUMNS = ", ".join(Record._fields)
BASES = ("reported", "imported", "estimated", "")  # the best first: never are two added
_rank = BASES.index
_MARKS = ", ".join("?" * len(Record._fields))
_HASHED_AT_ONCE = 2000  # lines turned into canonical text at a time: bounds memory
_encode = JSONEncoder(separators=(",", ":")).encode


class Change:
    """What storing a batch changed: days seen for the first time, days restated after they were over, lines."""

    __slots__ = ("added", "closed", "new_days", "restated_days")

    def __init__(self, *, added: int, closed: int) -> None:
        self.new_days: list[str] = []
        self.restated_days: list[str] = []
        self.added = added
        self.closed = closed


class Headline:
    """What one day of a provider comes to, apart by basis: the best one there is makes the headline."""

    __slots__ = ("bases", "lines")

    def __init__(self) -> None:
        self.lines = 0
        self.bases: dict[str, Figures] = {}

    def add(self, record: Record) -> None:
        """Count one line in."""
        self.lines += 1
        figures = self.bases.get(record.basis)
        if figures is None:
            figures = self.bases[record.basis] = Figures()
        figures.add(record)

    def of(
        self, *, basis: str, currency: str, before: tuple[str, str]
    ) -> tuple[Optional[int], Optional[int], str, str, int]:
        """(tokens, cost_nano, currency, basis, unpriced tokens) of a day that a source of this basis answered.

        `before`: currency and basis of what stood there: a better basis stays, also where it has no line; but not one
        by hand that was taken back, where there is anything else.
        """
        best = min((basis, before[1], *self.bases), key=_rank)
        if best == "imported" and self.bases:
            best = min(self.bases, key=_rank)
        return self.at(best, currency=currency if best == basis else before[0])

    def at(self, basis: str, *, currency: str) -> tuple[Optional[int], Optional[int], str, str, int]:
        """The same where it is known which basis makes the headline. `currency`: the source's own."""
        figures = self.bases.get(basis) or Figures()
        code, nano = figures.main(currency)
        is_unknown = not figures.money and (figures.unpriced or (basis == "imported" and figures.has_usage))
        tokens: Optional[int] = figures.tokens
        if basis == "imported" and not figures.has_usage:  # money alone: tokens are as others tell, or unknown
            tokens = next((each.tokens for each in self.bases.values() if each.has_usage), None)
        return tokens, None if is_unknown else nano, code, basis, figures.unpriced


class Figures:
    """Tokens, and money by currency in 10^-9 units, of one basis; `unpriced` tokens are in no money."""

    __slots__ = ("has_usage", "money", "tokens", "unpriced")

    def __init__(self) -> None:
        self.has_usage = False
        self.tokens = 0
        self.unpriced = 0
        self.money: dict[str, int] = {}

    def add(self, record: Record) -> None:
        """Count one line in."""
        if record.kind == "cost":
            self.money[record.currency] = self.money.get(record.currency, 0) + (record.amount_nano or 0)
            return
        self.has_usage = True
        if record.unit == "tokens" and isinstance(record.quantity, int):
            self.tokens += record.quantity
            if record.basis == "estimated" and not record.price:
                self.unpriced += record.quantity

    def main(self, currency: str) -> tuple[str, int]:
        """The currency and amount of the headline: the source's own currency, else the only other one there is."""
        if currency in self.money or not self.money:
            return currency, self.money.get(currency, 0)
        return min(self.money.items())


class Ledger:
    """Stores batches in an open database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def store(self, batch: Batch, *, run_id: str) -> Change:
        """Replace the days of a batch by its records; called inside `db.atomic()`.

        Lines that changed or vanished are closed with the time and the batch that closed them, never deleted. Lines
        of reports that did not answer stay, and count: an error is not a zero.
        """
        current = self._current(batch)
        known = {row[1:]: row[0] for row in current if row[3] in batch.reports}
        wanted = set(batch.records)
        added = sorted((line for line in wanted if line not in known), key=_order) if known else batch.records
        closed = sorted((number, line) for line, number in known.items() if line not in wanted)
        batch_id = self._insert_batch(batch, run_id, added=added, closed=[number for number, _ in closed])
        self._insert_lines(batch, batch_id, added)
        self._db.many(
            "UPDATE result_lines SET superseded_at = ?, superseded_by = ? WHERE id = ?",
            [(batch.observed_at, batch_id, number) for number, _ in closed],
        )
        headlines = {day: Headline() for day in batch.days}
        kept = (Record._make(row[1:]) for row in current if row[3] not in batch.reports)
        for record in chain(batch.records, kept):
            headlines[record.date].add(record)
        change = Change(added=len(added), closed=len(closed))
        touched = {line[0] for line in added} | {line[0] for _, line in closed}
        told = {line[0] for line in known}
        self._write_results(batch, headlines, change, run_id=run_id, batch_id=batch_id, touched=touched, told=told)
        return change

    def lines(self, provider: str, window: Window, *, report: str) -> list[Record]:
        """What is known now of one report in a window."""
        rows = self._db.all(
            f"SELECT {COLUMNS} FROM result_lines"  # noqa: S608 (a constant)
            " WHERE superseded_at IS NULL AND provider = ? AND date >= ? AND date < ? AND report = ?",
            (provider, window.start, window.end, report),
        )
        return [Record._make(row) for row in rows]

    def _current(self, batch: Batch) -> list[tuple[Any, ...]]:
        """What is known now of the batch's days: the id and the columns of each line."""
        days = set(batch.days)
        rows = self._db.all(
            f"SELECT id, {COLUMNS} FROM result_lines"  # noqa: S608 (a constant)
            " WHERE superseded_at IS NULL AND provider = ? AND date >= ? AND date < ?",
            (batch.provider, batch.window.start, batch.window.end),
        )
        return [row for row in rows if row[1] in days]

    def _insert_lines(self, batch: Batch, batch_id: int, lines: Iterable[Record]) -> None:
        tail = (batch_id, batch.observed_at)
        self._db.many(
            f"INSERT INTO result_lines(provider, {COLUMNS}, batch_id, observed_at)"  # noqa: S608 (a constant)
            f" VALUES (?, {_MARKS}, ?, ?)",
            ((batch.provider, *line, *tail) for line in lines),
        )

    def _insert_batch(self, batch: Batch, run_id: str, *, added: Sequence[Record], closed: Sequence[int]) -> int:
        """The row of the batch, linked to the one before, and its pages. Returns its id."""
        pages = [
            (page.report, page.url, page.request_id, page.seen_at, sha256(page.body).hexdigest())
            for page in batch.pages
        ]
        pages_sha256 = page_facts(pages)
        last = self._db.one("SELECT chain FROM batches ORDER BY id DESC LIMIT 1")
        head = (run_id, batch.provider, batch.window.start, batch.window.end, batch.observed_at, pages_sha256)
        link = link_of(last[0] if last else "", head, added=added, closed=closed)
        cursor = self._db.run(
            "INSERT INTO batches(run_id, provider, window_start, window_end, observed_at, pages_sha256,"
            " lines_added, lines_closed, chain) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*head, len(added), len(closed), link),
        )
        batch_id = int(cursor.lastrowid or 0)
        for page, (*_, digest) in zip(batch.pages, pages):
            if not self._db.one("SELECT 1 FROM page_bodies WHERE sha256 = ?", (digest,)):
                self._db.run("INSERT INTO page_bodies VALUES (?, ?)", (digest, _squeezed(page.body)))
        rows = [(batch_id, seq, *page) for seq, page in enumerate(pages, 1)]
        self._db.many("INSERT INTO pages VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
        return batch_id

    def _write_results(  # noqa: PLR0913 (all by name; it is one step of `store`)
        self,
        batch: Batch,
        headlines: dict[str, Headline],
        change: Change,
        *,
        run_id: str,
        batch_id: int,
        touched: set[str],
        told: set[str],
    ) -> None:
        """Write the headline of every day, and note which are new or restated. `told`: days that had lines of it.

        A day that nothing changed keeps its row as it is, so that a second run changes nothing. One whose headline is
        of another basis keeps its status: that source was not read.
        """
        before = {
            row[0]: row[1:]
            for row in self._db.all(
                "SELECT date, day_status, tokens, cost_nano, currency, basis, unpriced_tokens FROM results"
                " WHERE provider = ? AND date >= ? AND date < ?",
                (batch.provider, batch.window.start, batch.window.end),
            )
        }
        rows = []
        for day, headline in headlines.items():
            stood = before.get(day, ("", 0, 0, "", "", 0))
            figures = headline.of(basis=batch.basis, currency=batch.currency, before=stood[3:5])
            status = status_of(day, batch.observed_at[:10]) if figures[3] == batch.basis else stood[0]
            if day not in told and stood[4] != batch.basis:
                change.new_days.append(day)
            elif day in touched and before[day][0] != "open":
                change.restated_days.append(day)
            if day in touched or stood != (status, *figures):
                tokens, nano, *rest = figures
                raw = raw_json(batch_id, headline.lines)
                cost = None if nano is None else nano / 10**9
                head = (run_id, batch.provider, day, tokens, cost, raw, batch.observed_at)
                rows.append((*head, nano, *rest, status, batch.observed_at))
        self._upsert(rows, batch, batch_id)

    def _upsert(self, rows: Sequence[Sequence[Any]], batch: Batch, batch_id: int) -> None:
        span = (batch.provider, batch.window.start, batch.window.end) if rows else ()
        where = "provider = ? AND date >= ? AND date < ?" if rows else "0"
        with Resealed(self._db, "results", where, span, batch=batch_id):
            self._db.many(
                "INSERT INTO results(run_id, provider, date, tokens, cost, raw_json, created_at,"
                " cost_nano, currency, basis, unpriced_tokens, day_status, updated_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT(provider, date) DO UPDATE SET run_id = excluded.run_id, tokens = excluded.tokens,"
                " cost = excluded.cost, raw_json = excluded.raw_json, cost_nano = excluded.cost_nano,"
                " currency = excluded.currency, basis = excluded.basis, unpriced_tokens = excluded.unpriced_tokens,"
                " day_status = excluded.day_status, updated_at = excluded.updated_at",
                rows,
            )


def raw_json(batch_id: int, lines: int) -> str:
    """Where a headline comes from: the batch that wrote it, and how many lines are behind it."""
    return f'{{"batch": {batch_id}, "lines": {lines}}}'


def page_facts(pages: Iterable[Sequence[Any]]) -> str:
    """The hash over (report, url, request_id, seen_at, sha256) of the pages of a batch, in order."""
    return sha256(_encode(list(pages)).encode("ascii")).hexdigest()


def link_of(before: str, head: Sequence[str], *, added: Iterable[Sequence[Any]], closed: Sequence[int]) -> str:
    """The link of one batch: SHA-256 over the link before it, its head, its lines in order, and the ids it closed.

    Each of the four stands on a line of its own, the last three as JSON (ASCII, no spaces), so that anyone can
    compute it again from the tables. A line without a price ends before it, as all lines did before there were prices.
    """
    digest = sha256(f"{before}\n{_encode(list(head))}\n[".encode("ascii"))
    lines, comma = iter(added), ""
    for block in iter(lambda: list(islice(lines, _HASHED_AT_ONCE)), []):
        plain = [line if line[-1] else line[:-1] for line in block]
        digest.update(f"{comma}{_encode(plain)[1:-1]}".encode("ascii"))
        comma = ","
    digest.update(f"]\n{_encode(list(closed))}\n".encode("ascii"))
    return digest.hexdigest()


def _squeezed(body: bytes) -> bytes:
    """The gzip of a body, the same bytes every time: this header holds no time."""
    squeeze = compressobj(6, 8, 31)
    return squeeze.compress(body) + squeeze.flush()


def _order(line: Sequence[Any]) -> tuple[str, ...]:
    """Sorts lines by their text, whatever is None or a number among the values."""
    return tuple(map(str, line))
