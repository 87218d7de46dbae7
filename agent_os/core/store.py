"""What the database knows, as named questions and named changes; each docstring is its promise.

How a batch becomes rows is `ledger`'s affair: it is loaded when there is one to store.
"""

from __future__ import annotations

from .clock import iso
from .days import Read, Window

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, Optional

    from .db import Database
    from .ledger import Change
    from .model import Batch


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

    def asked(self, task: str) -> set[str]:
        """The days that were asked for in vain and never read."""
        return {day for (day,) in self.db.all("SELECT key FROM slots WHERE task = ? AND read_at IS NULL", (task,))}

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
        """Store a batch: its days then hold exactly its records. One transaction; equal lines stay untouched."""
        from .ledger import Ledger

        return Ledger(self.db).store(batch, run_id=run_id)


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
