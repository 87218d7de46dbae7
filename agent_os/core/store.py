"""What the database knows, as named questions and named changes; each docstring is its promise.

The one place that turns batches into rows: `result_lines` (append-only, bitemporal), `results`, `slots`, `pages`.
"""

from __future__ import annotations

from .clock import iso
from .days import Read, Window, status_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, Optional

    from .db import Database
    from .model import Batch, Record

LINE_COLUMNS = (
    "date, kind, report, account, project, model, api_key, line_item, cost_type, token_type, tier, context, region, "
    "quantity, unit, amount_nano, currency, basis"
)
_LINE_MARKS = ", ".join("?" * 18)
_HASHED_AT_ONCE = 2000  # lines turned into canonical text at a time: bounds memory


class Change:
    """What storing a batch changed: days seen for the first time, days restated after they were over, lines."""

    __slots__ = ("added", "closed", "new_days", "restated_days")

    def __init__(self) -> None:
        self.new_days: list[str] = []
        self.restated_days: list[str] = []
        self.added = 0
        self.closed = 0


class Headline:
    """What one day comes to: tokens, and money by currency in 10^-9 units (of one basis)."""

    __slots__ = ("lines", "money", "tokens")

    def __init__(self) -> None:
        self.tokens = 0
        self.money: dict[str, int] = {}
        self.lines = 0

    def add(self, record: Record) -> None:
        """Count one line in."""
        self.lines += 1
        if record.kind == "cost":
            self.money[record.currency] = self.money.get(record.currency, 0) + (record.amount_nano or 0)
        elif record.unit == "tokens" and isinstance(record.quantity, int):
            self.tokens += record.quantity

    def main(self, currency: str) -> tuple[str, int]:
        """The currency and amount of the headline: the provider's own currency, else the only other one there is."""
        if currency in self.money or not self.money:
            return currency, self.money.get(currency, 0)
        return min(self.money.items())


class Store:
    """The questions and changes of one open database."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self._clock = db.clock

    # runs

    def begin_runs(self, runs: Sequence[Run]) -> None:
        """Write these runs down before any of their work is done; those with nothing to do are closed at once."""
        with self.db.atomic():
            self.db.many(
                "INSERT INTO runs(id, plugin_name, status, started_at, finished_at, error, task, invocation_id,"
                " window_start, window_end) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [run.row() for run in runs],
            )

    def finish_run(self, run_id: str, *, status: str, error: Optional[str], requests: int, notes: str) -> None:
        """Close a run with its final status. One that is closed already stays as it is."""
        with self.db.atomic():
            self.db.run(
                "UPDATE runs SET status = ?, error = ?, requests = ?, notes = ?, finished_at = ?"
                " WHERE id = ? AND status = 'running'",
                (status, error, requests, notes, iso(self._clock.now()), run_id),
            )

    def close_interrupted(self, is_dead: Callable[[str], bool]) -> list[str]:
        """Close as failed every run that is still `running` though its task's lock is free; the ids of those runs."""
        stale = [
            (run_id, task)
            for run_id, task in self.db.all("SELECT id, task FROM runs WHERE status = 'running'")
            if is_dead(task)
        ]
        if not stale:
            return []
        reason = "interrupted: the program ended before the run did"
        with self.db.atomic():
            self.db.many(
                "UPDATE runs SET status = 'failed', error = ?, finished_at = ? WHERE id = ? AND status = 'running'",
                [(reason, iso(self._clock.now()), run_id) for run_id, _ in stale],
            )
        return [run_id for run_id, _ in stale]

    def runs(self, *, task: str = "", status: str = "", since: str = "", most: int) -> list[tuple[Any, ...]]:
        """The newest runs first: id, task, plugin_name, status, started_at, finished_at, error, requests, notes."""
        return self.db.all(
            "SELECT id, task, plugin_name, status, started_at, finished_at, error, requests, notes FROM runs"
            " WHERE (? = '' OR task = ?) AND (? = '' OR status = ?) AND started_at >= ?"
            " ORDER BY started_at DESC, id DESC LIMIT ?",
            (task, task, status, status, since, most),
        )

    # days

    def reads(self, task: str, span: Window) -> dict[str, Read]:
        """When each day of the span was last read with success; a day that never was is absent."""
        rows = self.db.all(
            "SELECT key, read_at FROM slots WHERE task = ? AND key >= ? AND key < ? AND read_at IS NOT NULL",
            (task, span.start, span.end),
        )
        return {day: Read(at) for day, at in rows}

    def first_day(self, task: str) -> Optional[str]:
        """The earliest day that was ever asked for, whatever came of it."""
        row = self.db.one("SELECT key FROM slots WHERE task = ? ORDER BY key LIMIT 1", (task,))
        return row[0] if row else None

    def reasons(self, task: str, span: Window) -> dict[str, str]:
        """Why days of the span failed when they were last asked for."""
        rows = self.db.all(
            "SELECT key, reason FROM slots WHERE task = ? AND key >= ? AND key < ? AND reason <> ''",
            (task, span.start, span.end),
        )
        return dict(rows)

    def fail_days(self, task: str, days: Iterable[str], *, run_id: str, reason: str) -> None:
        """Note that these days were asked for in vain. What was stored of them before stays and counts."""
        now = iso(self._clock.now())
        with self.db.atomic():
            self.db.many(
                "INSERT INTO slots(task, key, status, due_at, attempts, run_id, epoch, reason, changed_at)"
                " VALUES (?, ?, 'failed', ?, 1, ?, 1, ?, ?) ON CONFLICT(task, key) DO UPDATE SET"
                " status = CASE WHEN read_at IS NULL THEN 'failed' ELSE status END,"
                " attempts = attempts + 1, epoch = epoch + 1, run_id = excluded.run_id,"
                " reason = excluded.reason, changed_at = excluded.changed_at",
                [(task, day, day + "T00:00:00.000Z", run_id, reason, now) for day in days],
            )

    # results

    def results(self, *, since: str, until: str, provider: str = "") -> list[tuple[Any, ...]]:
        """Headlines, oldest first: date, provider, tokens, cost_nano, currency, basis, day_status, updated_at."""
        return self.db.all(
            "SELECT date, provider, tokens, cost_nano, currency, basis, day_status, updated_at FROM results"
            " WHERE date >= ? AND date < ? AND (? = '' OR provider = ?) ORDER BY date, provider",
            (since, until, provider, provider),
        )

    def sums(self, provider: str, span: Window) -> tuple[int, list[tuple[str, str, int]]]:
        """Tokens of a span, and its money as (basis, currency, nano), each apart: they are never added."""
        tokens = self.db.one(
            "SELECT coalesce(sum(tokens), 0) FROM results WHERE provider = ? AND date >= ? AND date < ?",
            (provider, span.start, span.end),
        )
        money = self.db.all(
            "SELECT basis, currency, sum(amount_nano) FROM result_lines WHERE superseded_at IS NULL"
            " AND kind = 'cost' AND provider = ? AND date >= ? AND date < ? GROUP BY basis, currency ORDER BY 1, 2",
            (provider, span.start, span.end),
        )
        return (int(tokens[0]) if tokens else 0), [(basis, code, int(nano)) for basis, code, nano in money]

    def replace_window(self, batch: Batch, *, run_id: str) -> Change:
        """Store a batch: its days then hold exactly its records. One transaction; equal lines stay untouched.

        Lines that changed or vanished are closed with the time and the batch that closed them, never deleted.
        """
        days = set(batch.days)
        with self.db.atomic():
            known = {
                row[1:]: row[0]
                for row in self.db.all(
                    f"SELECT id, {LINE_COLUMNS} FROM result_lines"  # noqa: S608 (a constant)
                    " WHERE superseded_at IS NULL AND provider = ? AND date >= ? AND date < ?",
                    (batch.provider, batch.window.start, batch.window.end),
                )
                if row[1] in days
            }
            wanted = set(batch.records)
            added = sorted((line for line in wanted if line not in known), key=_order) if known else batch.records
            closed = sorted((number, line) for line, number in known.items() if line not in wanted)
            batch_id = self._insert_batch(batch, run_id, added=added, closed=closed)
            self._insert_lines(batch, batch_id, added)
            self.db.many(
                "UPDATE result_lines SET superseded_at = ?, superseded_by = ? WHERE id = ?",
                [(batch.observed_at, batch_id, number) for number, _ in closed],
            )
            touched = {line[0] for line in added} | {line[0] for _, line in closed}
            change = self._write_days(batch, batch_id, run_id, touched)
        change.added, change.closed = len(added), len(closed)
        return change

    def _insert_lines(self, batch: Batch, batch_id: int, lines: Iterable[Record]) -> None:
        tail = (batch_id, batch.observed_at)
        self.db.many(
            f"INSERT INTO result_lines(provider, {LINE_COLUMNS}, batch_id, observed_at)"  # noqa: S608 (a constant)
            f" VALUES (?, {_LINE_MARKS}, ?, ?)",
            ((batch.provider, *line, *tail) for line in lines),
        )

    def _insert_batch(
        self, batch: Batch, run_id: str, *, added: Sequence[Record], closed: Sequence[tuple[int, tuple[Any, ...]]]
    ) -> int:
        """The row of the batch and its pages. `chain` = SHA-256 of the chain before and all that this batch changes."""
        from hashlib import sha256
        from zlib import compressobj

        hashes = [sha256(page.body).hexdigest() for page in batch.pages]
        pages_sha256 = sha256("".join(hashes).encode("ascii")).hexdigest()
        last = self.db.one("SELECT chain FROM batches ORDER BY id DESC LIMIT 1")
        head = (run_id, batch.provider, batch.window.start, batch.window.end, batch.observed_at, pages_sha256)
        chain = chain_of(last[0] if last else "", head, added=added, closed=[number for number, _ in closed])
        cursor = self.db.run(
            "INSERT INTO batches(run_id, provider, window_start, window_end, observed_at, pages_sha256,"
            " lines_added, lines_closed, chain) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*head, len(added), len(closed), chain),
        )
        batch_id = int(cursor.lastrowid or 0)
        for seq, (page, digest) in enumerate(zip(batch.pages, hashes), 1):
            if not self.db.one("SELECT 1 FROM page_bodies WHERE sha256 = ?", (digest,)):
                squeeze = compressobj(6, 8, 31)  # 31: the gzip format, whose header here holds no time
                body = squeeze.compress(page.body) + squeeze.flush()
                self.db.run("INSERT INTO page_bodies VALUES (?, ?)", (digest, body))
            self.db.run(
                "INSERT INTO pages VALUES (?, ?, ?, ?, ?, ?, ?)",
                (batch_id, seq, page.report, page.url, page.request_id, page.seen_at, digest),
            )
        return batch_id

    def _write_days(self, batch: Batch, batch_id: int, run_id: str, touched: set[str]) -> Change:
        """Derive the headline of every answered day from its records, and resolve the day's slot."""
        change = Change()
        headlines = {day: Headline() for day in batch.days}
        for record in batch.records:
            headlines[record.date].add(record)
        before = {
            row[0]: row[1:]
            for row in self.db.all(
                "SELECT date, day_status, tokens, cost_nano, currency FROM results"
                " WHERE provider = ? AND date >= ? AND date < ?",
                (batch.provider, batch.window.start, batch.window.end),
            )
        }
        rows = []
        for day, headline in headlines.items():
            currency, nano = headline.main(batch.currency)
            status = status_of(day, batch.observed_at[:10])
            now = (status, headline.tokens, nano, currency)
            if day not in before:
                change.new_days.append(day)
            elif day in touched and before[day][0] != "open":
                change.restated_days.append(day)
            if day in touched or before.get(day) != now:
                raw = f'{{"batch": {batch_id}, "lines": {headline.lines}}}'
                tail = (nano, currency, "reported", status, batch.observed_at)
                head = (run_id, batch.provider, day, headline.tokens, nano / 10**9, raw, batch.observed_at)
                rows.append((*head, *tail))
        self._upsert_results(rows)
        self._resolve_slots(batch, run_id)
        return change

    def _upsert_results(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Write headlines. A day that nothing changed keeps its row, so that a second run changes nothing."""
        self.db.many(
            "INSERT INTO results(run_id, provider, date, tokens, cost, raw_json, created_at,"
            " cost_nano, currency, basis, day_status, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT(provider, date) DO UPDATE SET run_id = excluded.run_id, tokens = excluded.tokens,"
            " cost = excluded.cost, raw_json = excluded.raw_json, cost_nano = excluded.cost_nano,"
            " currency = excluded.currency, basis = excluded.basis, day_status = excluded.day_status,"
            " updated_at = excluded.updated_at",
            rows,
        )

    def _resolve_slots(self, batch: Batch, run_id: str) -> None:
        self.db.many(
            "INSERT INTO slots(task, key, status, due_at, attempts, run_id, epoch, changed_at, read_at)"
            " VALUES (?, ?, 'success', ?, 1, ?, 1, ?, ?) ON CONFLICT(task, key) DO UPDATE SET"
            " status = 'success', attempts = attempts + 1, epoch = epoch + 1, run_id = excluded.run_id, reason = '',"
            " changed_at = excluded.changed_at, read_at = excluded.read_at",
            [
                (batch.task, day, day + "T00:00:00.000Z", run_id, batch.observed_at, batch.observed_at)
                for day in batch.days
            ],
        )


class Run:
    """A run as it is first written down: running, or skipped with the reason."""

    __slots__ = ("id", "invocation_id", "plugin_name", "skipped", "started_at", "task", "window")

    def __init__(self, run_id: str, *, task: str, plugin_name: str, invocation_id: str, started_at: str) -> None:
        self.id = run_id
        self.task = task
        self.plugin_name = plugin_name
        self.invocation_id = invocation_id
        self.started_at = started_at
        self.window: Optional[Window] = None
        self.skipped = ""

    def row(self) -> tuple[Any, ...]:
        """The values in the order of the statement that inserts runs."""
        span = (self.window.start, self.window.end) if self.window else (None, None)
        ended = ("skipped", self.started_at, self.started_at, self.skipped)
        begun = ("running", self.started_at, None, None)
        head = (self.id, self.plugin_name, *(ended if self.skipped else begun))
        return (*head, self.task, self.invocation_id, *span)


def chain_of(before: str, head: Sequence[str], *, added: Iterable[Sequence[Any]], closed: Sequence[int]) -> str:
    """The link of one batch: SHA-256 over the link before it, its head, its lines in order, and the ids it closed.

    Each of the four stands on a line of its own, the last three as JSON (ASCII, no spaces), so that anyone can
    compute it again from the tables.
    """
    from hashlib import sha256
    from itertools import islice
    from json import JSONEncoder

    encode = JSONEncoder(separators=(",", ":")).encode
    digest = sha256(f"{before}\n{encode(list(head))}\n[".encode("ascii"))
    lines, comma = iter(added), ""
    for block in iter(lambda: list(islice(lines, _HASHED_AT_ONCE)), []):
        digest.update(f"{comma}{encode(block)[1:-1]}".encode("ascii"))
        comma = ","
    digest.update(f"]\n{encode(list(closed))}\n".encode("ascii"))
    return digest.hexdigest()


def _order(line: Sequence[Any]) -> tuple[str, ...]:
    """Sorts lines by their text, whatever is None or a number among the values."""
    return tuple(map(str, line))
