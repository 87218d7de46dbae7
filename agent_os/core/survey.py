"""Questions of the verbs that look: how long runs took, where slots have got to, what needs a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Optional

if TYPE_CHECKING:
    from .db import Database

MOST_FAULTS = 3  # of a damaged file that are named


class Past(NamedTuple):
    """A run that succeeded. Its window: two days, two instants, or nothing."""

    started_at: str
    finished_at: str
    requests: int
    window_start: Optional[str]
    window_end: Optional[str]


class SlotRow(NamedTuple):
    """Where a slot has got to; `owner` is the runner that has it, `""` for none."""

    status: str
    reason: str
    owner: str


class RunLeft(NamedTuple):
    """A run that is written down as running."""

    run_id: str
    task: str
    slot: str
    owner: str
    started_at: str


class Success(NamedTuple):
    """The last run of a task that succeeded."""

    run_id: str
    started_at: str
    finished_at: str
    slot: str


class Effect(NamedTuple):
    """An effect; `owner` is the runner whose run is at it as far as is written down, `""` for none."""

    task: str
    key: str
    status: str
    policy: str
    intent_at: str
    outcome_at: Optional[str]
    outcome: Optional[str]
    error: str
    run_id: str
    slot: str
    owner: str


class Survey:
    """The questions, to one open database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    # history

    def successes(self, task: str, *, most: int) -> list[Past]:
        """The last runs of a task that succeeded, newest first."""
        rows = self._db.all(
            "SELECT started_at, finished_at, requests, window_start, window_end FROM runs"
            " WHERE task = ? AND status = 'success' AND finished_at IS NOT NULL ORDER BY started_at DESC LIMIT ?",
            (task, most),
        )
        return [Past(*row) for row in rows]

    def newest_start(self) -> str:
        """When the newest run began; `""` where there is none."""
        row = self._db.one("SELECT max(started_at) FROM runs")
        return (row[0] if row else None) or ""

    def still_running(self) -> list[RunLeft]:
        """Every run that is written down as running, oldest first, whether its runner lives or not."""
        rows = self._db.all(
            "SELECT id, task, slot_key, owner, started_at FROM runs WHERE status = 'running' ORDER BY started_at"
        )
        return [RunLeft(*row) for row in rows]

    # slots

    def slots(self, task: str) -> dict[str, SlotRow]:
        """Every slot of a task by its key, ascending."""
        rows = self._db.all("SELECT key, status, reason, owner FROM slots WHERE task = ? ORDER BY key", (task,))
        return {key: SlotRow(*rest) for key, *rest in rows}

    # when something succeeded last

    def newest_done(self, task: str, *, latest: str, shape: str) -> str:
        """The newest slot that has succeeded, up to `latest`, of those whose keys look like `shape`; `""` for none."""
        row = self._db.one(
            "SELECT key FROM slots WHERE task = ? AND key <= ? AND status = 'success' AND key GLOB ?"
            " ORDER BY key DESC LIMIT 1",
            (task, latest, shape),
        )
        return row[0] if row else ""

    def newest_read(self, task: str, *, before: str) -> str:
        """The newest day of a collector that was read once it was over, of those before a day; `""` for none."""
        row = self._db.one(
            "SELECT key FROM slots WHERE task = ? AND key < ? AND substr(read_at, 1, 10) > key"
            " ORDER BY key DESC LIMIT 1",
            (task, before),
        )
        return row[0] if row else ""

    def last_success(self, task: str, *, now: str) -> Optional[Success]:
        """The newest run that has succeeded, of those that did not begin in the future; None for none."""
        row = self._db.one(
            "SELECT id, started_at, coalesce(finished_at, started_at), slot_key FROM runs"
            " WHERE task = ? AND status = 'success' AND started_at <= ? ORDER BY started_at DESC LIMIT 1",
            (task, now),
        )
        return Success(*row) if row else None

    def printed_bytes(self, run_id: str) -> int:
        """How much a run has printed, in bytes of UTF-8."""
        row = self._db.one("SELECT length(CAST(text AS BLOB)) FROM outputs WHERE run_id = ?", (run_id,))
        return int(row[0]) if row else 0

    def output_bytes(self, task: str, key: str) -> int:
        """How much a slot has handed on, in bytes of its JSON."""
        row = self._db.one(
            "SELECT length(CAST(output_json AS BLOB)) FROM slots WHERE task = ? AND key = ?"
            " AND output_json IS NOT NULL",
            (task, key),
        )
        return int(row[0]) if row else 0

    # effects

    def effects(self, *, settled: bool, task: str = "") -> list[Effect]:
        """Effects of which nobody knows whether they happened, oldest first; with `settled`, all others too."""
        rows = self._db.all(
            "SELECT e.task, e.key, e.status, e.policy, e.intent_at, e.outcome_at, e.outcome, e.error, e.run_id,"
            " coalesce(r.slot_key, ''), CASE r.status WHEN 'running' THEN r.owner ELSE '' END"
            " FROM effects e LEFT JOIN runs r ON r.id = e.run_id"
            " WHERE (? OR e.status IN ('intent', 'ambiguous')) AND (? = '' OR e.task = ?)"
            " ORDER BY e.intent_at, e.task, e.key",
            (settled, task, task),
        )
        return [Effect(*row) for row in rows]

    def tasks_with_effects(self) -> list[str]:
        """The tasks, and outboxes, that ever had an effect."""
        return [task for (task,) in self._db.all("SELECT DISTINCT task FROM effects ORDER BY task")]

    # messages

    def unsent(self) -> dict[int, tuple[str, str, str, str]]:
        """Every message that waits or was parked: id -> (outbox, key, status, error)."""
        rows = self._db.all(
            "SELECT id, outbox, key, status, error FROM outbox INDEXED BY outbox_unsent"
            " WHERE status IN ('waiting', 'parked') ORDER BY id"
        )
        return {number: (outbox, key, status, error) for number, outbox, key, status, error in rows}

    def message(self, number: int) -> Optional[tuple[str, str]]:
        """(outbox, status) of a message; None for a number that none has."""
        row = self._db.one("SELECT outbox, status FROM outbox WHERE id = ?", (number,))
        return (row[0], row[1]) if row else None

    # the file

    def damages(self) -> list[str]:
        """What SQLite finds wrong with the file, without comparing each index with its table; nothing when whole."""
        rows = self._db.all(f"PRAGMA quick_check({MOST_FAULTS})")
        found = [str(text) for (text,) in rows if text != "ok"]
        broken = self._db.all("PRAGMA foreign_key_check")
        return found + [
            f"a row of {table} refers to one of {parent} that is not there" for table, _, parent, _ in broken
        ]
