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
_MOST_KEPT = 4096
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


class Kind(NamedTuple):
    """What lines of the same names have in common: parts of their rows as CSV, and the template of a FOCUS row."""

    names: str
    unit: str
    focus: str


class Source(NamedTuple):
    """What lines of one day have in common that one batch brought: where they come from, as CSV and as values."""

    pages: str
    tail: str
    origin: Origin
    status: str


class Writer:
    """Writes the lines of the total to all files of it, and those of estimates to their own."""

    def __init__(self, home: OpenHome, facts: Facts, origin: dict[int, Origin], *, version: str) -> None:
        self._home = home
        self._facts = facts
        self._origin = origin
        self._cents = cents_of(home, facts)
        self._focus = FocusRows(version)
        self._kinds: dict[tuple[Any, ...], Kind] = {}
        self._sources: dict[tuple[Any, ...], Source] = {}

    def write(self, files: Files, estimated: Optional[TextIO]) -> None:
        """Write them all. `estimated` is None where there are no estimates."""
        facts, focus, day = self._facts, self._focus, Day()
        stamp = facts.stamp
        self._open(files, estimated)
        for line in self._home.lines(**facts.span, kind="cost"):
            if line.basis not in FILED:
                if estimated:
                    estimated.write(self._row(line, facts.estimates_stamp)[0])
                continue
            if day.key != (line.date, line.provider):
                day.write(files)
                day = Day((line.date, line.provider))
            row, amount, kind, source = self._row(line, stamp)
            files.lines.write(row)
            run_id, pages_sha256, _ = source.origin
            tail = (run_id, line.observed_at, source.status, stamp)
            files.focus.write(focus.text(line, kind.focus, amount=amount, sha=pages_sha256, tail=tail))
            day.add(line, row, run=run_id)
        day.write(files)
        files.beancount.write(bookkeeping.beancount_closing(facts))
        files.hledger.write(bookkeeping.hledger_closing(facts))
        if estimated and facts.unpriced:
            self._write_unpriced(estimated)

    def _open(self, files: Files, estimated: Optional[TextIO]) -> None:
        """What each file begins with."""
        files.lines.write(row_of(HEADER))
        files.focus.write(row_of(self._focus.header))
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

    def _row(self, line: Line, stamp: str) -> tuple[str, str, Kind, Source]:
        """The row of a line, in the order of HEADER; its exact amount, "" for none; what it shares with others."""
        amount, cents, quantity, nano = "", "", line.quantity, line.amount_nano
        if line.kind == "cost":
            nano = amount_of(line)
            amount = decimal_text(nano)
            cents = f"{self._cents[line.provider, line.currency, line.basis].of(nano)}"
        is_negative = amount[:1] == "-"
        key = (line[2:15], line.unit, line.currency, line.basis, quantity is None, is_negative)
        kind = self._kinds.get(key) or self._kind(line, key)
        where = (line.batch_id, line.date, line.report, line.price, stamp)
        source = self._sources.get(where) or self._source(line, where)
        row = (
            f"{line.date},{kind.names},{'' if quantity is None else quantity},{kind.unit},{amount},{cents},{line.id},"
            f"{line.batch_id},{source.pages},{line.observed_at},{source.tail}\r\n"
        )
        return row, amount, kind, source

    def _kind(self, line: Line, key: tuple[Any, ...]) -> Kind:
        if len(self._kinds) >= _MOST_KEPT:
            self._kinds.clear()
        names, unit = cells_of(line[2:3] + line[5:15]), cells_of((line.unit, line.currency, line.basis))
        focus = self._focus.template(line) if line.basis in FILED else ""
        kind = self._kinds[key] = Kind(names, unit, focus)
        return kind

    def _source(self, line: Line, key: tuple[Any, ...]) -> Source:
        if len(self._sources) >= _MOST_KEPT:
            self._sources.clear()
        origin = self._origin[line.batch_id]
        status = self._facts.day_status.get((line.provider, line.date), "")
        pages = cells_of((line.report, origin.pages.get(line.report, ""), origin.pages_sha256))
        tail = cells_of((status, origin.run_id, line.price, key[-1]))
        source = self._sources[key] = Source(pages, tail, origin, status)
        return source


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
            found = self._found[key] = [0, [], set()]
        found[0] += line.amount_nano
        found[1].append(row)
        found[2].add(run)

    def write(self, files: Files) -> None:
        """Write a transaction for each."""
        date, provider = self.key
        for (project, currency, basis), (nano, rows, runs) in sorted(self._found.items()):
            digest = sha256("".join(rows).encode()).hexdigest()
            entry = bookkeeping.Entry(
                date, provider, project, currency, basis, nano, digest, tuple(sorted(runs)), len(rows)
            )
            beancount, hledger = bookkeeping.texts_of(entry)
            files.beancount.write(beancount)
            files.hledger.write(hledger)
