"""What the database tells of runs: questions about them, and about what each of them left. Nothing here writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Optional

from .clock import from_iso

if TYPE_CHECKING:
    from .db import Database


class Run(NamedTuple):
    """A run as it is written down. Times are instants as text; `error` says of a skipped one why it was skipped."""

    id: str
    task: str
    provider: str
    status: str
    started_at: str
    finished_at: Optional[str]
    error: Optional[str]
    requests: int
    notes: str
    slot: str
    attempts: int
    hint: str
    window_start: Optional[str]
    window_end: Optional[str]
    owner: str
    retry_at: Optional[str]
    cancel_at: Optional[str]

    @property
    def label(self) -> str:
        """The task, and its slot where it has one."""
        return f"{self.task} {self.slot}".strip()

    @property
    def seconds(self) -> Optional[float]:
        """How long it took, by the wall clock; None for one that is not over."""
        if self.finished_at is None:
            return None
        took = (from_iso(self.finished_at) - from_iso(self.started_at)).total_seconds()
        return round(max(0.0, took), 3)


_RUNS = (
    "SELECT id, task, plugin_name, status, started_at, finished_at, error, requests, notes, slot_key,"
    " CASE status WHEN 'skipped' THEN 0 ELSE attempts END, hint,"
    " window_start, window_end, owner, retry_at, cancel_at FROM runs"
)
# What each status adds to the question, so that SQLite finds it in an index: (a name of one, a condition).
_STATUS = {
    "": ("", ""),
    "success": ("", " AND status = 'success'"),
    "running": (" INDEXED BY runs_still_running", " AND status = 'running'"),
    "failed": ("", " AND status IN ('failed', 'skipped') AND status = 'failed'"),
    "skipped": ("", " AND status IN ('failed', 'skipped') AND status = 'skipped'"),
}


class Chronicle:
    """The past of one open database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    # runs

    def runs(self, *, task: str = "", status: str = "", since: str = "", most: int) -> list[Run]:
        """The newest runs first: read from an index in its order, so that a million older ones cost nothing."""
        index, condition = _STATUS[status]
        rows = self._db.all(
            f"{_RUNS}{index} WHERE started_at >= ?{condition}{' AND task = ?' if task else ''}"
            " ORDER BY started_at DESC, rowid DESC LIMIT ?",
            (since, *([task] if task else []), most),
        )
        return [Run(*row) for row in rows]

    def run(self, run_id: str) -> Optional[Run]:
        """The run of this id."""
        row = self._db.one(f"{_RUNS} WHERE id = ?", (run_id,))
        return Run(*row) if row else None

    def named(self, part: str, *, most: int) -> list[str]:
        """The ids that begin or end with a part, oldest first."""
        found = self._db.all(
            "SELECT id FROM runs WHERE id >= ? AND id < ? ORDER BY id LIMIT ?", (part, part + "\U0010ffff", most)
        ) or self._db.all(
            "SELECT id FROM runs WHERE substr(id, ?) = ? ORDER BY id LIMIT ?", (-len(part), part, most)
        )  # fmt: skip
        return [run_id for (run_id,) in found]

    # what a run left

    def attempts(self, run_id: str) -> list[tuple[int, str, str, str, Optional[str]]]:
        """Attempts of a run that another one followed: number, started_at, ended_at, error, retry_at."""
        return self._db.all(
            "SELECT number, started_at, ended_at, error, retry_at FROM attempts WHERE run_id = ? ORDER BY number",
            (run_id,),
        )

    def steps(self, task: str, key: str) -> list[tuple[str, str, str, str]]:
        """The steps of a slot in the order in which they were done: name, done_at, run, value as JSON."""
        return self._db.all(
            "SELECT name, done_at, run_id, output_json FROM steps WHERE task = ? AND key = ? ORDER BY seq", (task, key)
        )

    def effects(self, task: str, run_id: str) -> list[tuple[str, str, str, str, Optional[str], str, Optional[str]]]:
        """What a run caused outside: key, status, policy, intent_at, outcome_at, error, outcome as JSON."""
        return self._db.all(
            "SELECT key, status, policy, intent_at, outcome_at, error, outcome FROM effects"
            " WHERE task = ? AND run_id = ? ORDER BY intent_at, key",
            (task, run_id),
        )

    def messages(self, run_id: str) -> list[tuple[int, str, str, str, int, str, str]]:
        """The messages that a run has posted: id, outbox, key, status, attempts, error, payload as JSON."""
        return self._db.all(
            "SELECT id, outbox, key, status, attempts, error, payload_json FROM outbox WHERE run_id = ? ORDER BY id",
            (run_id,),
        )

    def output(self, run_id: str) -> str:
        """What a run has printed."""
        row = self._db.one("SELECT text FROM outputs WHERE run_id = ?", (run_id,))
        return str(row[0]) if row else ""

    # slots

    def slot(self, task: str, key: str) -> Optional[tuple[str, Optional[str]]]:
        """(status, newest run) of a slot; None for one that nobody ever had."""
        row = self._db.one("SELECT status, run_id FROM slots WHERE task = ? AND key = ?", (task, key))
        return (row[0], row[1]) if row else None

    def unresolved_days(self, task: str, start: str, end: str) -> list[str]:
        """The days from `start` up to `end` that were asked for in vain, or not since they were last due."""
        rows = self._db.all(
            "SELECT key FROM slots WHERE task = ? AND key >= ? AND key < ? AND (status <> 'success' OR reason <> '')"
            " ORDER BY key",
            (task, start, end),
        )
        return [day for (day,) in rows]

    def failed_slots(self, *, since: str = "") -> list[tuple[str, str, str]]:
        """Slots whose newest run has failed or was interrupted: task, key, run. `since`: when that run began."""
        return self._db.all(
            "SELECT s.task, s.key, s.run_id FROM slots s INDEXED BY slots_unresolved JOIN runs r ON r.id = s.run_id"
            " WHERE s.status IN ('due', 'running', 'failed') AND r.status = 'failed'"
            " AND r.started_at >= ? ORDER BY s.task, s.key",
            (since,),
        )
