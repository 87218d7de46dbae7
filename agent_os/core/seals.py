"""Seals: what the rows of a table that is in no chain come to. Kept in `meta`; a row that is changed by anybody but the
program, is gone or has another place disturbs it.
"""

from __future__ import annotations

from hashlib import sha256
from json import dumps
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import TracebackType
    from typing import Any, Optional

    from .db import Database

# What of each table is sealed. A column that is added later is not in it.
SEALED = {
    "results": "id, run_id, provider, date, tokens, cost, raw_json, created_at, cost_nano, currency, basis, day_status,"
    " updated_at, unpriced_tokens",
    "prices": "id, origin, facts, added_at",
}
_SIZE = 2**256


class Resealed:
    """`with Resealed(db, "results", where, values):` rows that match are changed in it, and the seal follows.

    Only inside `db.atomic()`. `batch`: the batch that changes them. Where one was stored since by a program that knew
    no seals, the seal is made anew from what there is.
    """

    def __init__(self, db: Database, table: str, where: str, values: Sequence[Any], *, batch: int = 0) -> None:
        self._db, self._table, self._batch = db, table, batch
        self._where, self._values = where, values
        self._kept: Optional[int] = None

    def __enter__(self) -> None:
        seal, batch = seal_of(self._db, self._table)
        if seal is not None and self._batch and batch != self._batch - 1:
            self._db.run("DELETE FROM meta WHERE name LIKE 'seal:%'")
        elif seal is not None:
            self._kept = seal - self._matching()

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if kind is None:
            seal = total(self._db, self._table) if self._kept is None else self._kept + self._matching()
            self._db.run(
                "INSERT INTO meta VALUES (?, ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value",
                (f"seal:{self._table}", f"{seal % _SIZE:064x} {self._batch}"),
            )

    def _matching(self) -> int:
        sql = f"SELECT {SEALED[self._table]} FROM {self._table} WHERE {self._where}"  # noqa: S608 (constants)
        return sum_of(self._db.run(sql, self._values))


def seal_of(db: Database, table: str) -> tuple[Optional[int], int]:
    """The seal, None where there is none, and the newest batch then."""
    row = db.one("SELECT value FROM meta WHERE name = ?", (f"seal:{table}",))
    if not row:
        return None, 0
    seal, _, batch = row[0].partition(" ")
    return int(seal, 16), int(batch)


def total(db: Database, table: str) -> int:
    """What all rows of a table come to."""
    return sum_of(db.run(f"SELECT {SEALED[table]} FROM {table}")) % _SIZE  # noqa: S608 (constants)


def sum_of(rows: Iterable[Sequence[Any]]) -> int:
    """What rows come to, in whatever order: each by its SHA-256 as JSON; what JSON has no word for as Python has it."""
    found = 0
    for row in rows:
        text = dumps(list(row), separators=(",", ":"), default=repr)
        found += int.from_bytes(sha256(text.encode("ascii")).digest(), "big")
    return found
