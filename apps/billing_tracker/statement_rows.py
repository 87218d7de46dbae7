"""The files that have a row a line: lines.csv, estimated.csv, focus.csv, and the two for accounting, in one reading.

Lines are written while they are read; what is held is one day of one provider, and what batches there were.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from agent_os import StoreError, decimal_text

from . import bookkeeping
from .cents import Cents
from .csv_row import cells_of, row_of
from .focus import FocusRows
from .statement_facts import FILED

if TYPE_CHECKING:
    from typing import TextIO

    from agent_os import Line, OpenHome, StoredBatch, StoredPage

    from .statement_facts import Facts, Total

HEADER = (
    "date_utc", "provider", "account", "project", "model", "api_key", "line_item", "cost_type", "token_type", "tier",
    "context", "region", "quantity", "unit", "currency", "basis", "amount", "cents_for_display_only", "line_id",
    "batch_id", "report", "page_sha256", "pages_sha256", "observed_at_utc", "day_status", "run_id", "price", "stamp",
)  # fmt: skip
SOURCES = (
    "batch_id", "run_id", "provider", "since_utc", "until_utc", "observed_at_utc", "chain", "pages_sha256", "report",
    "url", "request_id", "seen_at_utc", "page_sha256", "notes", "stamp",
)  # fmt: skip
LACKS = ("date_utc", "provider", "status", "is_in_total", "reason", "stamp")


class Origin(NamedTuple):
    """Where lines of a batch come from. `pages` has the SHA-256 of a report's page where there was but one."""

    run_id: str
    pages_sha256: str
    pages: dict[str, str]


class Files(NamedTuple):
    """The open files of the total."""

    lines: TextIO
    focus: TextIO
    beancount: TextIO
    hledger: TextIO


def origins(home: OpenHome, facts: Facts, sources: TextIO) -> dict[int, Origin]:
    """Where the lines of the statement come from, each page a row in sources.csv."""
    sources.write(row_of(SOURCES))
    found = {}
    for batch in home.batches(**facts.span):
        sources.writelines(_source(batch, page, facts.stamp) for page in batch.pages or (None,))
        reports = [page.report for page in batch.pages]
        pages = {page.report: page.sha256 for page in batch.pages if reports.count(page.report) == 1}
        found[batch.id] = Origin(batch.run_id, batch.pages_sha256, pages)
    return found


def _source(batch: StoredBatch, page: Optional[StoredPage], stamp: str) -> str:
    told = tuple(page) if page else ("",) * 5
    head = (batch.run_id, batch.provider, batch.since, batch.until, batch.observed_at, batch.chain, batch.pages_sha256)
    return f"{batch.id},{cells_of((*head, *told, batch.notes, stamp))}\r\n"


def cents_of(home: OpenHome, facts: Facts) -> dict[Total, Cents]:
    """How the amounts of each total are rounded; found by reading all of them once."""
    found: dict[Total, Cents] = {}
    for line in home.lines(**facts.span, kind="cost"):
        key = (line.provider, line.currency, line.basis)
        cents = found.get(key)
        if cents is None:
            cents = found[key] = Cents()
        cents.see(amount_of(line))
    for cents in found.values():
        cents.settle()
    return found


def amount_of(line: Line) -> int:
    """Its money in 10^-9 units. Raises StoreError for what is no whole number."""
    nano = line.amount_nano
    if type(nano) is not int:
        raise StoreError(
            f"line {line.id} of {line.provider} on {line.date} has the amount {nano!r:.40}",
            hint="the program never stores that: restore a backup; `doctor` looks the database over",
        )
    return nano


class Writer:
    """Writes the lines of the total to all files of it, and those of estimates to their own."""

    def __init__(self, home: OpenHome, facts: Facts, origin: dict[int, Origin]) -> None:
        self._home = home
        self._facts = facts
        self._origin = origin
        self._status = facts.day_status
        self._cents = cents_of(home, facts)

    def write(self, files: Files, estimated: Optional[TextIO], *, version: str) -> None:
        """Write them all. `estimated` is None where there are no estimates."""
        focus, facts = FocusRows(version), self._facts
        stamp, day = facts.stamp, Day()
        self._open(files, estimated, focus)
        for line in self._home.lines(**facts.span, kind="cost"):
            if line.basis not in FILED:
                if estimated:
                    estimated.write(self._row(line, facts.estimates_stamp)[0])
                continue
            if day.key != (line.date, line.provider):
                day.write(files)
                day = Day((line.date, line.provider))
            row, amount, origin = self._row(line, stamp)
            files.lines.write(row)
            tail = (origin.run_id, line.observed_at, self._status.get((line.provider, line.date), ""), stamp)
            files.focus.write(focus.text(line, amount=amount, sha=origin.pages_sha256, tail=tail))
            day.add(line, row, run=origin.run_id)
        day.write(files)
        files.beancount.write(bookkeeping.beancount_closing(facts))
        files.hledger.write(bookkeeping.hledger_closing(facts))
        if estimated and facts.unpriced:
            self._write_unpriced(estimated)

    def _open(self, files: Files, estimated: Optional[TextIO], focus: FocusRows) -> None:
        """What each file begins with."""
        files.lines.write(row_of(HEADER))
        files.focus.write(row_of(focus.header))
        files.beancount.write(bookkeeping.beancount_opening(self._facts))
        files.hledger.write(bookkeeping.hledger_opening(self._facts))
        if estimated:
            estimated.write(row_of(HEADER))

    def _write_unpriced(self, estimated: TextIO) -> None:
        """Tokens that no price is known for: rows without an amount."""
        stamp = self._facts.estimates_stamp
        for line in self._home.lines(**self._facts.span, kind="usage"):
            if line.basis == "estimated" and not line.price and line.unit == "tokens":
                estimated.write(self._row(line, stamp)[0])

    def _row(self, line: Line, stamp: str) -> tuple[str, str, Origin]:
        """The row of a line, in the order of HEADER; its exact amount, "" for none; where it comes from."""
        amount, cents = "", ""
        if line.kind == "cost":
            nano = amount_of(line)
            amount = decimal_text(nano)
            cents = f"{self._cents[line.provider, line.currency, line.basis].of(nano)}"
        origin = self._origin[line.batch_id]
        run_id, pages_sha256, pages = origin
        quantity = "" if line.quantity is None else line.quantity
        what = cells_of(line[2:3] + line[5:15])
        kind = cells_of((line.unit, line.currency, line.basis))
        source = cells_of((line.report, pages.get(line.report, ""), pages_sha256))
        tail = cells_of((self._status.get((line.provider, line.date), ""), run_id, line.price, stamp))
        return (
            f"{line.date},{what},{quantity},{kind},{amount},{cents},{line.id},{line.batch_id},{source},"
            f"{line.observed_at},{tail}\r\n"
        ), amount, origin  # fmt: skip


class Day:
    """What the projects of a provider come to on one day, until all lines of it were seen."""

    def __init__(self, key: tuple[str, str] = ("", "")) -> None:
        self.key = key
        self._found: dict[tuple[str, str, str], list[Any]] = {}

    def add(self, line: Line, row: str, *, run: str) -> None:
        """Count a line in, whose row in lines.csv is `row`."""
        key = (line.project, line.currency, line.basis)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = [0, sha256(), set(), 0]
        found[0] += line.amount_nano
        found[1].update(row.encode())
        found[2].add(run)
        found[3] += 1

    def write(self, files: Files) -> None:
        """Write a transaction for each."""
        date, provider = self.key
        for (project, currency, basis), (nano, digest, runs, lines) in sorted(self._found.items()):
            entry = bookkeeping.Entry(
                date, provider, project, currency, basis, nano, digest.hexdigest(), tuple(sorted(runs)), lines
            )
            beancount, hledger = bookkeeping.texts_of(entry)
            files.beancount.write(beancount)
            files.hledger.write(hledger)
