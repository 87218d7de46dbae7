"""Walks the chain: batches, their lines and their pages, side by side, each table once and in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Optional

from .ledger import COLUMNS, link_of, page_facts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from .db import Database


class Fault(NamedTuple):
    """A row that is not as it was stored: its id or key; the day (or days) and provider, where it is of one."""

    table: str
    id: str
    day: str
    provider: str
    what: str


class Findings:
    """What a walk has seen, and the first thing that was wrong."""

    def __init__(self) -> None:
        self.batches = self.lines = self.pages = 0
        self.head = ""  # of the chain
        self.prices: dict[str, int] = {}  # those that lines were priced with, and the first such line
        self.first: Optional[Fault] = None
        self.faults = 0

    def note(self, table: str, row: object, *, what: str, day: object = "", provider: object = "") -> None:
        """Count a fault; keep it if it is the first."""
        self.faults += 1
        if self.first is None:
            self.first = Fault(table, str(row), str(day), str(provider), what)


class Chain:
    """Batches, their lines and their pages, side by side."""

    def __init__(self, db: Database, findings: Findings) -> None:
        self._db = db
        self._found = findings
        self._lines = Ahead(
            db.run(
                "SELECT batch_id, id, provider, observed_at, superseded_at, superseded_by,"  # noqa: S608 (a constant)
                f" {COLUMNS} FROM result_lines ORDER BY id"
            )
        )
        self._closed = Ahead(
            db.run(
                "SELECT superseded_by, id, provider, superseded_at, batch_id FROM result_lines"
                " WHERE superseded_by IS NOT NULL ORDER BY superseded_by, id"
            )
        )
        self._pages = Ahead(
            db.run("SELECT batch_id, seq, report, url, request_id, seen_at, sha256 FROM pages ORDER BY batch_id, seq")
        )
        self._line = 0

    def walk(self) -> None:
        """All of them, in order."""
        before = ""
        rows = self._db.run(
            "SELECT id, run_id, provider, window_start, window_end, observed_at, pages_sha256, lines_added,"
            " lines_closed, chain FROM batches ORDER BY id"
        )
        for row in rows:
            self._found.batches += 1
            if row[0] != self._found.batches:
                self._note(row, f"stands in the place of batch {self._found.batches}")
            self._check(row, before)
            before = self._found.head = row[9]
        for table, left, place in (("result_lines", self._lines, 1), ("pages", self._pages, 0)):
            for row in left.rest():
                self._found.note(table, row[place], what=f"is of batch {row[0]}, which is not there")
        for row in self._closed.rest():
            self._found.note("result_lines", row[1], what=f"was closed by batch {row[0]}, which is not there")

    def _check(self, row: Sequence[Any], before: str) -> None:
        """One batch: its pages, then what it closed and added, then the link over it all."""
        number, head, counts = row[0], row[1:7], row[7:9]
        pages = self._pages_of(number)
        closed = self._closed_by(row)
        added = _Counted(self._added_by(row))
        try:
            if page_facts(pages) != row[6]:
                self._note(row, f"its {len(pages)} pages are not those that were stored with it")
            link = link_of(before, head, added=added, closed=closed)
        except (TypeError, ValueError):
            link = ""
            for _ in added:
                pass
        if (added.count, len(closed)) != counts:
            self._note(
                row, f"has {added.count} lines and closed {len(closed)}; it was stored with {counts[0]} and {counts[1]}"
            )
        elif link != row[9]:
            self._note(row, "its link of the chain is not what it and its lines come to")

    def _pages_of(self, number: int) -> list[Sequence[Any]]:
        found: list[Sequence[Any]] = []
        for page in self._pages.up_to(number):
            self._found.pages += 1
            if page[0] != number:
                self._found.note("pages", f"{page[0]}/{page[1]}", what=f"is of batch {page[0]}, which is not there")
                continue
            found.append(page[2:])
            if page[1] != len(found):
                self._found.note("pages", f"{number}/{page[1]}", what=f"is page {len(found)} of its batch")
        return found

    def _closed_by(self, batch: Sequence[Any]) -> list[int]:
        found = []
        for by, line, provider, at, of in self._closed.up_to(batch[0]):
            if by != batch[0]:
                self._found.note("result_lines", line, what=f"was closed by batch {by}, which is not there")
                continue
            found.append(line)
            if (provider, at) != (batch[2], batch[5]) or of >= by:
                self._found.note(
                    "result_lines", line, provider=provider, what=f"was not closed by batch {by} like that"
                )
        return found

    def _added_by(self, batch: Sequence[Any]) -> Iterator[Sequence[Any]]:
        """The lines of a batch in the order of their ids, which is the one that they were hashed in."""
        number = batch[0]
        while self._lines.row is not None:
            row, after = self._lines.row, self._lines.after
            if row[0] != number and not (after is not None and after[0] == number) and row[0] > number:
                return  # of a later batch; a single line among those of this one would belong to it
            self._lines.take()
            self._found.lines += 1
            self._line += 1
            self._check_line(row, batch)
            yield row[6:]

    def _check_line(self, row: Sequence[Any], batch: Sequence[Any]) -> None:
        of, line, provider, observed_at, closed_at, closed_by = row[:6]
        wrong = ""
        if line != self._line:
            wrong, self._line = f"stands in the place of line {self._line}", line
        elif of != batch[0]:
            wrong = f"says that batch {of} brought it, and stands among the lines of batch {batch[0]}"
        elif (provider, observed_at) != (batch[2], batch[5]):
            wrong = f"is of {provider}, seen at {observed_at}; its batch is of {batch[2]}, seen at {batch[5]}"
        elif (closed_at is None) != (closed_by is None):
            wrong = f"is said to be replaced at {closed_at}, by batch {closed_by}"
        if wrong:
            self._found.note("result_lines", line, day=row[6], provider=provider, what=wrong)
        if row[-1]:
            self._found.prices.setdefault(row[-1], line)

    def _note(self, batch: Sequence[Any], what: str) -> None:
        self._found.note("batches", batch[0], day=f"{batch[3]} up to {batch[4]}", provider=batch[2], what=what)


class Ahead:
    """Rows, with a look at the next two."""

    def __init__(self, rows: Iterable[Sequence[Any]]) -> None:
        self._rows = iter(rows)
        self.row: Optional[Sequence[Any]] = next(self._rows, None)
        self.after: Optional[Sequence[Any]] = next(self._rows, None)

    def take(self) -> Sequence[Any]:
        """The next row; there has to be one."""
        row, self.row = self.row, self.after
        self.after = next(self._rows, None)
        return row or ()

    def up_to(self, number: int) -> Iterator[Sequence[Any]]:
        """The rows whose first value is at most this."""
        while self.row is not None and self.row[0] <= number:
            yield self.take()

    def rest(self) -> Iterator[Sequence[Any]]:
        """All that is left."""
        while self.row is not None:
            yield self.take()


class _Counted:
    """Lines, counted while they are taken."""

    def __init__(self, lines: Iterator[Sequence[Any]]) -> None:
        self._lines = lines
        self.count = 0

    def __iter__(self) -> Iterator[Sequence[Any]]:
        for line in self._lines:
            self.count += 1
            yield line
