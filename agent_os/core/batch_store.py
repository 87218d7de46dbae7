"""Where the lines come from: the batches and pages that brought them, the days that were answered, the newest link."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .days import status_of
from .line_store import where_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from .db import Database

HEAD = (
    "SELECT b.id, b.run_id, b.provider, b.window_start, b.window_end, b.observed_at, b.pages_sha256, b.lines_added,"
    " b.lines_closed, b.chain, coalesce(r.notes, '') FROM batches b LEFT JOIN runs r ON r.id = b.run_id"
)


class StoredPage(NamedTuple):
    """An answer of a provider, as it is kept: which report it was asked for, and the SHA-256 of its bytes."""

    report: str
    url: str
    request_id: str
    seen_at: str
    sha256: str


class StoredBatch(NamedTuple):
    """What one reading, import or estimate stored. `since` is in it, `until` is not; `chain` is its link.

    `notes` are those of its run: for an import, the name and SHA-256 of the file. An import has no pages.
    """

    id: int
    run_id: str
    provider: str
    since: str
    until: str
    observed_at: str
    pages_sha256: str
    lines_added: int
    lines_closed: int
    chain: str
    notes: str = ""
    pages: tuple[StoredPage, ...] = ()


class KnownDay(NamedTuple):
    """A day of a provider: "open", "provisional", "settled"; or "missing" where it was asked for in vain, and why.

    `basis` is that of its headline; "" for a day that is missing.
    """

    date: str
    provider: str
    status: str
    basis: str
    reason: str = ""


class BatchStore:
    """The batches of one open database. `as_of`: the instant that is asked about, as stored; "" for now."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def head(self, as_of: str = "") -> str:
        """The link of the newest batch; "" where there is none."""
        row = self._db.one(
            "SELECT chain FROM batches WHERE ? = '' OR observed_at <= ? ORDER BY id DESC LIMIT 1", (as_of, as_of)
        )
        return str(row[0]) if row else ""

    def batches(self, *, since: str, until: str, provider: str = "", as_of: str = "") -> Iterator[StoredBatch]:
        """Those that brought the lines of the days in [since, until), oldest first, with their pages."""
        where, values = where_of(since, until, provider, as_of)
        rows = self._db.run(
            f"{HEAD} WHERE b.id IN (SELECT batch_id FROM result_lines WHERE {where}) ORDER BY b.id",  # noqa: S608 (constants)
            values,
        )
        return (StoredBatch._make((*row, self._pages(row[0]))) for row in rows)

    def _pages(self, batch_id: int) -> tuple[StoredPage, ...]:
        rows = self._db.all(
            "SELECT report, url, request_id, seen_at, sha256 FROM pages WHERE batch_id = ? ORDER BY seq", (batch_id,)
        )
        return tuple(StoredPage(*row) for row in rows)

    def days(self, *, since: str, until: str, provider: str = "", as_of: str = "") -> list[KnownDay]:
        """The days in [since, until) that were stored or asked for in vain, by day and provider.

        A headline says what a day is now; where it changed after `as_of`, what it was follows from the batches.
        """
        span = (since, until, provider, provider)
        rows = self._db.all(
            "SELECT date, provider, day_status, basis, created_at, updated_at FROM results"
            " WHERE date >= ? AND date < ? AND (? = '' OR provider = ?) ORDER BY date, provider",
            span,
        )
        known = [row for row in rows if not as_of or row[4] <= as_of]
        reads = self._reads(span, as_of) if any(as_of and row[5] > as_of for row in known) else {}
        found = {
            (date, name): KnownDay(
                date,
                name,
                status if not as_of or updated_at <= as_of else _status(date, reads.get((name, date))),
                basis,
            )
            for date, name, status, basis, _, updated_at in known
        }
        for date, name, reason in self._failures(span, as_of):
            found.setdefault((date, name), KnownDay(date, name, "missing", "", reason))
        return [found[key] for key in sorted(found)]

    def _failures(self, span: tuple[str, ...], as_of: str) -> Iterable[tuple[str, str, str]]:
        """Days that a collector asked for and never got, and why."""
        rows: list[tuple[str, str, str]] = self._db.all(
            "SELECT key, substr(task, 7), reason FROM slots WHERE task LIKE 'fetch\\_%' ESCAPE '\\' AND read_at IS NULL"
            " AND reason <> '' AND key >= ? AND key < ? AND (? = '' OR substr(task, 7) = ?)"
            " AND (? = '' OR changed_at <= ?)",
            (*span, as_of, as_of),
        )
        return rows

    def _reads(self, span: tuple[str, ...], as_of: str) -> dict[tuple[str, str], str]:
        """(provider, day) -> when it was last read, of the days that the batches up to `as_of` span."""
        from .days import Window

        since, until, *names = span
        rows: list[tuple[Any, ...]] = self._db.all(
            "SELECT provider, max(window_start, ?), min(window_end, ?), max(observed_at) FROM batches"
            " WHERE window_start < ? AND window_end > ? AND (? = '' OR provider = ?) AND observed_at <= ?"
            " GROUP BY 1, 2, 3",
            (since, until, until, since, *names, as_of),
        )
        found: dict[tuple[str, str], str] = {}
        for provider, first, end, observed_at in rows:
            for day in Window(first, end):
                found[provider, day] = max(observed_at, found.get((provider, day), ""))
        return found


def _status(day: str, observed_at: object) -> str:
    return status_of(day, str(observed_at)[:10]) if observed_at else "open"
