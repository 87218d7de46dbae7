"""Where figures come from, and what they were before: questions about single lines and days."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple, Optional
from zlib import decompress
from zlib import error as ZlibError  # noqa: N812 (a class)

from .days import unix
from .line_store import COLUMNS, Line
from .model import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from .db import Database

_KNOWN = "(observed_at <= ? AND (superseded_at IS NULL OR superseded_at > ?))"


class Origin(NamedTuple):
    """The batch that brought a line, and its run."""

    batch: int
    run: str
    task: str
    window_start: str
    window_end: str
    observed_at: str
    link: str


class Source(NamedTuple):
    """An answer that was kept: what was asked for, when, and the SHA-256 of what came."""

    report: str
    url: str
    request_id: str
    seen_at: str
    sha256: str


class Day(NamedTuple):
    """What was known of one day of a provider at two instants: `lines` as (then, now); None: it was not there.

    `is_new`: nothing was known of that day at the first one. Lines that are the same are in `same`.
    """

    provider: str
    date: str
    is_new: bool
    lines: list[tuple[Optional[Line], Optional[Line]]]
    same: list[Line]


class Provenance:
    """The past of the figures in one open database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def line(self, number: int) -> Optional[Line]:
        """The line of this id."""
        row = self._db.one(f"SELECT {COLUMNS} FROM result_lines WHERE id = ?", (number,))  # noqa: S608 (a constant)
        return Line._make(row) if row else None

    def all_of(self, provider: str, day: str) -> list[Line]:
        """Every line that there ever was of a day, oldest first."""
        rows = self._db.all(
            f"SELECT {COLUMNS} FROM result_lines WHERE provider = ? AND date = ? ORDER BY id",  # noqa: S608
            (provider, day),
        )
        return [Line._make(row) for row in rows]

    def providers(self, day: str) -> list[str]:
        """Who has a headline on a day."""
        return [row[0] for row in self._db.all("SELECT provider FROM results WHERE date = ? ORDER BY 1", (day,))]

    def origin(self, batch: int) -> Origin:
        """The batch of this id, and its run."""
        row = self._db.one(
            "SELECT batches.id, run_id, coalesce(task, ''), batches.window_start, batches.window_end, observed_at,"
            " chain FROM batches LEFT JOIN runs ON runs.id = run_id WHERE batches.id = ?",
            (batch,),
        )
        return Origin._make(row or (batch, "", "", "", "", "", ""))

    def sources(self, batch: int, report: str, day: str) -> list[Source]:
        """The answers to a report that a batch was made of, in order; of several those that name the day."""
        rows = self._db.all(
            "SELECT report, url, request_id, seen_at, sha256 FROM pages WHERE batch_id = ? AND report = ? ORDER BY seq",
            (batch, report),
        )
        found = [Source._make(row) for row in rows]
        return [each for each in found if len(found) == 1 or self._names(each.sha256, day)] or found

    def _names(self, digest: str, day: str) -> bool:
        row = self._db.one("SELECT gzip FROM page_bodies WHERE sha256 = ?", (digest,))
        try:
            body = decompress(row[0], 31) if row else b""
        except ZlibError:
            return True  # `verify` says what is wrong with it
        return day.encode("ascii") in body or str(unix(day)).encode("ascii") in body

    def changes(self, first: str, second: str, *, provider: str = "") -> Iterator[Day]:
        """The days of which something else was known at the second instant, by provider and day; one at a time."""
        of_provider = " AND provider = ?" if provider else ""
        rows = self._db.run(
            f"SELECT {COLUMNS}, {_KNOWN}, {_KNOWN} FROM result_lines"  # noqa: S608 (constants)
            f" WHERE ({_KNOWN} OR {_KNOWN}){of_provider} ORDER BY provider, date, id",
            (*[first] * 2, *[second] * 2, *[first] * 2, *[second] * 2, *([provider] if provider else [])),
        )
        for (name, date), group in groupby(rows, key=lambda row: (row[2], row[1])):
            old, new, same = _parted(group)
            pairs = _paired(old, new)
            if pairs:
                is_new = not old and not same and not self._was_known(name, date, first)
                yield Day(name, date, is_new, pairs, same)

    def _was_known(self, provider: str, date: str, at: str) -> bool:
        sql = "SELECT 1 FROM results WHERE provider = ? AND date = ? AND created_at <= ?"
        return self._db.one(sql, (provider, date, at)) is not None


def identity(line: Line) -> tuple[Any, ...]:
    """What a line says it is about: all but the figures, and when it was known."""
    return (*line[1:15], line.unit, line.currency, line.basis)


def figure(line: Line) -> object:
    """What it says."""
    return line.amount_nano if line.kind == "cost" else line.quantity


def record_of(line: Line) -> Record:
    """The record that it was made from."""
    return Record(line.date, *line[3:21])


def usage_of(cost: Line, lines: Sequence[Line]) -> Optional[Line]:
    """The line of usage that an estimated cost is of, among all lines of its day."""
    for line in lines:
        is_known = line.observed_at <= cost.observed_at and (line.superseded_at or "~") > cost.observed_at
        if line.kind == "usage" and line.price == cost.price and is_known and _about(line) == _about(cost):
            return line
    return None


def _about(line: Line) -> tuple[Any, ...]:
    return (*line[4:10], *line[11:15])


def _parted(rows: Iterator[Sequence[Any]]) -> tuple[list[Line], list[Line], list[Line]]:
    """(known only then, known only now, known both times)."""
    old: list[Line] = []
    new: list[Line] = []
    same: list[Line] = []
    for row in rows:
        kept = same if row[-2] and row[-1] else old if row[-2] else new
        kept.append(Line._make(row[:-2]))
    return old, new, same


def _paired(old: list[Line], new: list[Line]) -> list[tuple[Optional[Line], Optional[Line]]]:
    """Lines that are about the same side by side; without those that say the same, brought anew."""
    before = {identity(line): line for line in old}
    pairs = [(before.pop(identity(line), None), line) for line in new]
    gone: list[tuple[Optional[Line], Optional[Line]]] = [(line, None) for line in before.values()]
    changed = [(then, now) for then, now in pairs if then is None or figure(then) != figure(now)]
    return [*changed, *gone]
