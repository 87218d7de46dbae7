"""The SQLite file of another program: read, never changed, with nothing left beside it, and nobody made to wait long.

The other program may be writing, and owns the schema: tables and columns are looked for before they are read.
"""

from __future__ import annotations

import os

from .errors import PermanentError, TransientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any, Optional

WAIT_SECONDS = 2.0  # for a lock of the other program
_MODES = slice(18, 20)  # of the header: 2 and 2 is write-ahead logging


def beside(path: str) -> list[list[int]]:
    """What has changed when the file itself has not: size and time of its write-ahead log and of its journal."""
    found = []
    for ending in ("-wal", "-journal"):
        try:
            status = os.stat(path + ending)
        except OSError:
            continue
        found.append([status.st_size, status.st_mtime_ns])
    return found


class ForeignDatabase:
    """`with ForeignDatabase(path) as db:`. Raises TransientError while it is locked, PermanentError if it is none."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._db: Optional[sqlite3.Connection] = None

    def __enter__(self) -> ForeignDatabase:  # noqa: PYI034 (typing has no Self before 3.11)
        import sqlite3
        from pathlib import Path

        # A closed file in WAL mode would be given a log and its index by a reader, which would not remove them again.
        # Without a log there is nothing to merge, so it can be read as it lies.
        lies_still = "&immutable=1" if self._is_wal() and not beside(self._path) else ""
        uri = f"{Path(self._path).as_uri()}?mode=ro{lies_still}"
        try:
            self._db = sqlite3.connect(uri, uri=True, timeout=WAIT_SECONDS, isolation_level=None)
        except sqlite3.Error as error:
            raise self._meant(error) from error
        self._db.text_factory = _text
        return self

    def __exit__(self, kind: object, error: Optional[BaseException], trace: object) -> None:
        import sqlite3

        if self._db:
            self._db.close()
        if isinstance(error, sqlite3.Error):
            raise self._meant(error) from error

    @property
    def touched_ms(self) -> int:
        """When it was last written to, in Unix milliseconds: nothing in it can be newer."""
        return max([os.stat(self._path).st_mtime_ns, *(at for _, at in beside(self._path))]) // 1_000_000 + 1

    def has(self, table: str, columns: Iterable[str]) -> bool:
        """Whether there is such a table with such columns."""
        rows = self._run(f"PRAGMA table_info({_quoted(table)})")
        return set(columns) <= {row[1] for row in rows}

    def rows(
        self,
        table: str,
        columns: Sequence[str],
        *,
        only: Optional[Mapping[str, str]] = None,
        later: Optional[Mapping[str, int]] = None,
    ) -> Iterator[tuple[Any, ...]]:
        """The rows of a table by rowid. `only`: what columns must be. `later`: one of these is at least so much."""
        same, least = only or {}, later or {}
        wishes = [f"{_quoted(name)} = ?" for name in same]
        if least:
            wishes.append("(" + " OR ".join(f"{_quoted(name)} >= ?" for name in least) + ")")
        where = " WHERE " + " AND ".join(wishes) if wishes else ""
        wanted = ", ".join(map(_quoted, columns))
        yield from self._run(
            f"SELECT {wanted} FROM {_quoted(table)}{where} ORDER BY rowid",  # noqa: S608 (quoted names)
            (*same.values(), *least.values()),
        )

    def _run(self, sql: str, values: Sequence[object] = ()) -> Iterable[tuple[Any, ...]]:
        if self._db is None:
            raise PermanentError(f"{self._path} was asked before it was opened")
        return self._db.execute(sql, values)

    def _is_wal(self) -> bool:
        try:
            with open(self._path, "rb") as stream:
                return stream.read(20)[_MODES] == b"\x02\x02"
        except OSError as error:
            raise PermanentError(f"{self._path} cannot be read: {error.strerror}") from error

    def _meant(self, error: sqlite3.Error) -> Exception:
        text = str(error)
        if "locked" in text or "busy" in text:
            return TransientError(f"{self._path} is locked by the program that it belongs to")
        return PermanentError(f"{self._path} cannot be read: {text}", hint="is it whole? the next run tries again")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
