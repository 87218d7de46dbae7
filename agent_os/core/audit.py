"""Walks everything that is chained or derived, in one snapshot, and finds what is not as it was stored.

Reads each table once, in order; what is held in memory is one batch, one page, one day.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING
from zlib import decompressobj
from zlib import error as ZlibError  # noqa: N812 (a class)

from .audit_chain import Ahead, Chain, Findings
from .days import status_of
from .ledger import BASES, COLUMNS, Headline, raw_json
from .model import Record
from .seals import SEALED, seal_of, total

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .db import Database

_UNPACKED_AT_ONCE = 2**20  # bytes of a page


def _text(raw: bytes) -> str:
    """Text that is no UTF-8 is not what was stored: its row is to be found, not to end the walk."""
    return raw.decode("utf-8", "replace")


class Audit(Findings):
    """The walk over one open database. Afterwards: what was counted, the head of the chain, the first fault."""

    def __init__(self, db: Database) -> None:
        super().__init__()
        self._db = db
        self.unsealed: list[str] = []  # tables that no seal speaks for yet

    def walk(self) -> None:
        """All of it. A database that SQLite itself finds damaged is not walked any further."""
        self._db.run("BEGIN")
        self._db.connection.text_factory = _text
        try:
            [(said,)] = self._db.all("PRAGMA quick_check(1)")
            if said == "ok":
                self._walk()
            else:
                self.note("the database", "", what=f"SQLite says: {said}")
        except (TypeError, ValueError) as error:  # a value of a kind that the program never writes
            self.note("the database", "", what=f"holds a value that it cannot hold ({error})")
        finally:
            self._db.connection.text_factory = str
            self._db.run("ROLLBACK")

    def _walk(self) -> None:
        for table, row, parent, _ in self._db.run("PRAGMA foreign_key_check"):
            self.note(table, row or "", what=f"refers to a row of {parent} that is not there")
        self._count("batches")
        self._count("result_lines")
        Chain(self._db, self).walk()
        self._walk_bodies()
        _Headlines(self._db, self).walk()
        self._walk_prices()
        self._walk_seals()

    def _count(self, table: str) -> None:
        """Whether the newest rows are there: SQLite counts for itself which ids it has given."""
        sql = f"SELECT max(id), (SELECT seq FROM sqlite_sequence WHERE name = '{table}') FROM {table}"  # noqa: S608
        last, given = self._db.one(sql) or (None, None)
        if last != given:
            self.note(table, given or last, what=f"the last id that was given is {given}, the last row is {last}")

    def _walk_bodies(self) -> None:
        for digest, packed in self._db.run("SELECT sha256, gzip FROM page_bodies"):
            found = _digest(packed)
            if found != digest:
                what = f"its content has the SHA-256 {found}" if found else "cannot be unpacked"
                self.note("page_bodies", digest, what=what)

    def _walk_prices(self) -> None:
        from .json_value import from_json
        from .price_facts import price_of

        for number, facts in self._db.run("SELECT id, facts FROM prices ORDER BY id"):
            self.prices.pop(number, None)
            try:
                price = price_of(from_json(facts), [])
            except (ValueError, TypeError, RecursionError):
                price = None
            if price is None or price.id != number:
                what = f"its facts are those of {price.id}" if price else "its facts cannot be read"
                self.note("prices", number, what=what)
        for number, line in sorted(self.prices.items(), key=lambda each: each[1]):
            self.note("prices", number, what=f"is not there, and line {line} was priced with it")

    def _walk_seals(self) -> None:
        newest = self._db.one("SELECT max(id) FROM batches") or (0,)
        _, batch = seal_of(self._db, "results")
        is_void = batch < (newest[0] or 0)  # a program that knows no seals has stored something since
        for table in SEALED:
            seal, _ = seal_of(self._db, table)
            is_unsealed = seal is None or is_void
            self.unsealed += [table] if is_unsealed else []
            if (is_unsealed or seal != total(self._db, table)) and not self._is_named(table) and not is_unsealed:
                what = "a row was changed, taken away or put in by hand; no other table tells which"
                self.note(table, "", what=what)

    def _is_named(self, table: str) -> bool:
        """Note the headline that no batch has brought when it is said to have come, if there is one."""
        sql = (
            "SELECT id, date, provider, created_at FROM results WHERE NOT EXISTS (SELECT 1 FROM batches WHERE"
            " batches.provider = results.provider AND observed_at = created_at AND window_start <= date"
            " AND window_end > date) ORDER BY provider, date LIMIT 1"
        )
        row = self._db.one(sql) if table == "results" else None
        if row:
            what = f"no batch has brought it at {row[3]}, when it is said to have come"
            self.note(table, row[0], day=row[1], provider=row[2], what=what)
        return row is not None


class _Headlines:
    """Headlines and the lines that are known now, side by side, day by day."""

    def __init__(self, db: Database, findings: Findings) -> None:
        self._db = db
        self._found = findings

    def walk(self) -> None:
        lines = Ahead(
            self._db.run(
                f"SELECT provider, date, id, {COLUMNS} FROM result_lines"  # noqa: S608 (a constant)
                " WHERE superseded_at IS NULL ORDER BY provider, date"
            )
        )
        rows = self._db.run(
            "SELECT provider, date, id, run_id, tokens, cost, raw_json, cost_nano, currency, basis, day_status,"
            " updated_at, unpriced_tokens FROM results ORDER BY provider, date"
        )
        for row in rows:
            while lines.row is not None and lines.row[:2] < row[:2]:
                self._note_missing(lines)
            self._check(row, self._day(lines, row[:2]))
        while lines.row is not None:
            self._note_missing(lines)

    def _note_missing(self, lines: Ahead) -> None:
        provider, day = lines.row[:2] if lines.row else ("", "")
        found = self._day(lines, (provider, day))
        self._found.note("results", "", day=day, provider=provider, what=f"has no row, but {found.lines} lines")

    def _day(self, lines: Ahead, key: Sequence[Any]) -> Headline:
        """The lines of one day, added up; none may say the same as another."""
        found, seen = Headline(), set()
        while lines.row is not None and lines.row[:2] == tuple(key):
            row = lines.take()
            record = Record._make(row[3:])
            found.add(record)
            if record.identity in seen:
                self._found.note("result_lines", row[2], day=row[1], provider=row[0], what="is there twice")
            seen.add(record.identity)
        return found

    def _check(self, row: Sequence[Any], lines: Headline) -> None:
        wrong = self._wrong(row, lines)
        if wrong:
            self._found.note("results", row[2], day=row[1], provider=row[0], what=wrong)

    def _wrong(self, row: Sequence[Any], lines: Headline) -> str:
        """What is wrong with a headline, in words; "" for one that is what its lines and its batch come to."""
        tokens, cost, _, nano, currency, basis, _, _, unpriced = row[4:]
        best = min(lines.bases, key=BASES.index, default=basis)
        if basis not in BASES or BASES.index(best) < BASES.index(basis) or (basis == "imported" != best):
            return f"its basis is {basis}, that of its lines {', '.join(lines.bases)}"
        figures = lines.at(basis, currency=currency)
        if figures != (tokens, nano, currency, basis, unpriced):
            return f"its lines come to {_told(*figures)}, it says {_told(tokens, nano, currency, basis, unpriced)}"
        if cost != (None if nano is None else nano / 10**9):
            return f"its cost is {cost}, and {nano} nano"
        return self._wrong_origin(row, lines.lines)

    def _wrong_origin(self, row: Sequence[Any], lines: int) -> str:
        provider, day, run_id, raw, status, updated_at = (row[place] for place in (0, 1, 3, 6, 10, 11))
        batch = self._db.one(
            "SELECT id, run_id, observed_at FROM batches WHERE id = CAST(substr(?, 11) AS INTEGER) AND provider = ?"
            " AND window_start <= ? AND window_end > ?",
            (raw, provider, day, day),
        )
        if not batch or raw != raw_json(batch[0], lines):
            return f"it says {raw}; that is not where it comes from"
        if (run_id, updated_at) != batch[1:]:
            return f"it says that run {run_id} brought it at {updated_at}; its batch is of {batch[1]}, {batch[2]}"
        if status != status_of(day, updated_at[:10]) and not self._was(status, provider, day, before=batch[0]):
            return f"its day is {status}, and was {status_of(day, updated_at[:10])} when it was read"
        return ""

    def _was(self, status: str, provider: str, day: str, *, before: int) -> bool:
        """Whether an earlier batch has left the day with this status: one of a lesser basis does not change it."""
        rows = self._db.run(
            "SELECT DISTINCT substr(observed_at, 1, 10) FROM batches WHERE provider = ? AND window_start <= ?"
            " AND window_end > ? AND id < ?",
            (provider, day, day, before),
        )
        return any(status_of(day, read_on) == status for (read_on,) in rows)


def _digest(packed: object) -> str:
    """The SHA-256 of what is packed, unpacked a piece at a time; "" where it cannot be unpacked as it was packed."""
    if not isinstance(packed, bytes):
        return ""
    unpack, digest, left = decompressobj(31), sha256(), packed
    try:
        while left:
            digest.update(unpack.decompress(left, _UNPACKED_AT_ONCE))
            left = unpack.unconsumed_tail
            if unpack.eof:
                break
        digest.update(unpack.flush())
    except ZlibError:
        return ""
    return digest.hexdigest() if unpack.eof and not unpack.unused_data else ""


def _told(tokens: object, nano: object, currency: str, basis: str, unpriced: object) -> str:
    counted = "unknown tokens" if tokens is None else f"{tokens} tokens"
    more = f" ({unpriced} unpriced)" if unpriced else ""
    return f"{counted}{more} and {'no known cost' if nano is None else f'{nano} nano {currency}'} {basis}"
