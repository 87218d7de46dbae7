"""What a run leaves behind before it ends, in the database: steps, effects, state, messages for outboxes, spendings.

Every method that changes something is called inside `db.atomic()`, after the run's claim was checked there.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any, Optional

    from .db import Database


class Journal:
    """The memory of runs, in an open database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    # runs

    def keep_run(self, run_id: str, *, task: str, provider: str, window: tuple[str, str], notes: str) -> None:
        """Write down a run that took no slot and is done in the transaction that it is written down in."""
        now = self._db.now()
        self._db.run(
            "INSERT INTO runs(id, plugin_name, status, started_at, finished_at, task, invocation_id, window_start,"
            " window_end, notes) VALUES (?, ?, 'success', ?, ?, ?, ?, ?, ?, ?)",
            (run_id, provider, now, now, task, run_id, *window, notes),
        )

    # steps

    def last_run(self, task: str) -> Optional[tuple[str, str, str]]:
        """How the newest run of a task ended, with which error, and when it began; None when it has none."""
        row = self._db.one(
            "SELECT status, coalesce(error, ''), started_at FROM runs WHERE task = ?"
            " ORDER BY started_at DESC, id DESC LIMIT 1",
            (task,),
        )
        return (row[0], row[1], row[2]) if row else None

    def newest_instant(self) -> str:
        """When the run that was begun last has ended, or began; `""` where there was none."""
        row = self._db.one("SELECT coalesce(finished_at, started_at) FROM runs ORDER BY started_at DESC LIMIT 1")
        return str(row[0]) if row else ""

    def steps(self, task: str, key: str) -> dict[str, tuple[str, str]]:
        """The steps of a slot that are done: name -> (hash of the input, output as JSON)."""
        rows = self._db.all("SELECT name, input_hash, output_json FROM steps WHERE task = ? AND key = ?", (task, key))
        return {name: (input_hash, output) for name, input_hash, output in rows}

    def keep_step(  # noqa: PLR0913 (the columns of a row)
        self, task: str, key: str, name: str, *, input_hash: str, output_json: str, run_id: str
    ) -> None:
        """Keep the value of a step. One of the same name that was done for another input is replaced."""
        self._db.run(
            "INSERT OR REPLACE INTO steps(task, key, name, input_hash, output_json, run_id, done_at, seq)"
            " SELECT ?, ?, ?, ?, ?, ?, ?, coalesce(max(seq), 0) + 1 FROM steps WHERE task = ? AND key = ?",
            (task, key, name, input_hash, output_json, run_id, self._db.now(), task, key),
        )

    def forget_steps(self, task: str, key: str, *, since: str = "") -> bool:
        """Forget all steps of a slot, or those from the step `since` on. False when there is no such step."""
        first = 0
        if since:
            row = self._db.one("SELECT seq FROM steps WHERE task = ? AND key = ? AND name = ?", (task, key, since))
            if row is None:
                return False
            first = row[0]
        self._db.run("DELETE FROM steps WHERE task = ? AND key = ? AND seq >= ?", (task, key, first))
        return True

    # effects

    def effect(self, task: str, key: str) -> Optional[tuple[str, Optional[str]]]:
        """(status, outcome as JSON) of an effect, None for one that was never intended."""
        row = self._db.one("SELECT status, outcome FROM effects WHERE task = ? AND key = ?", (task, key))
        return (row[0], row[1]) if row else None

    def intend(self, task: str, key: str, *, policy: str, run_id: str) -> None:
        """Write down that an effect is about to be caused."""
        self._db.run(
            "INSERT OR REPLACE INTO effects(task, key, status, policy, intent_at, run_id)"
            " VALUES (?, ?, 'intent', ?, ?, ?)",
            (task, key, policy, self._db.now(), run_id),
        )

    def conclude(self, task: str, key: str, status: str, *, outcome: Optional[str] = None, error: str = "") -> bool:
        """Write down what came of an effect: done, failed (nothing happened) or ambiguous. False for an unknown one."""
        changed = self._db.run(
            "UPDATE effects SET status = ?, outcome = ?, outcome_at = ?, error = ? WHERE task = ? AND key = ?",
            (status, outcome, self._db.now(), error, task, key),
        )
        return changed.rowcount > 0

    # state

    def state(self, task: str) -> dict[str, str]:
        """What a task remembers from its last successful run, each value as JSON."""
        return dict(self._db.all("SELECT name, value_json FROM state WHERE task = ?", (task,)))

    def tasks_with_state(self) -> set[str]:
        """The tasks that remember anything."""
        return {task for (task,) in self._db.all("SELECT DISTINCT task FROM state")}

    def keep_state(self, task: str, changes: Mapping[str, Optional[str]], *, run_id: str) -> None:
        """Change what a task remembers; None forgets a value. The version of a value grows with each change."""
        now = self._db.now()
        for name, value in changes.items():
            if value is None:
                self._db.run("DELETE FROM state WHERE task = ? AND name = ?", (task, name))
            else:
                self._db.run(
                    "INSERT INTO state VALUES (?, ?, ?, 1, ?, ?) ON CONFLICT(task, name) DO UPDATE SET"
                    " value_json = excluded.value_json, version = version + 1, run_id = excluded.run_id,"
                    " changed_at = excluded.changed_at",
                    (task, name, value, run_id, now),
                )

    # messages

    def post(self, messages: Collection[tuple[str, str, str]], *, run_id: str) -> None:
        """Put messages (outbox, key, payload as JSON) into outboxes; a key that was used before is the same message."""
        now = self._db.now()
        if not messages:
            return
        self._db.many(
            "INSERT INTO outbox(outbox, key, payload_json, status, next_at, run_id, created_at, changed_at)"
            " VALUES (?, ?, ?, 'waiting', ?, ?, ?, ?) ON CONFLICT(outbox, key) DO NOTHING",
            [(outbox, key, payload, now, run_id, now, now) for outbox, key, payload in messages],
        )

    def waiting_messages(self, outbox: str, *, most: int) -> list[tuple[int, str, str, int]]:
        """Messages whose time has come, oldest first: id, key, payload as JSON, attempts so far.

        Or that were last touched later than now: their time was set by a clock that was ahead.
        """
        now = self._db.now()
        return self._db.all(
            "SELECT id, key, payload_json, attempts FROM outbox INDEXED BY outbox_unsent"
            " WHERE outbox = ? AND status IN ('waiting', 'parked') AND status = 'waiting'"
            " AND (next_at <= ? OR changed_at > ?) ORDER BY id LIMIT ?",
            (outbox, now, now, most),
        )

    def outboxes_due(self) -> set[str]:
        """The outboxes in which a message waits whose time has come."""
        now = self._db.now()  # below, `IN` says no more than `=`; SQLite needs it word by word to use the index
        rows = self._db.all(
            "SELECT DISTINCT outbox FROM outbox INDEXED BY outbox_unsent"
            " WHERE status IN ('waiting', 'parked') AND status = 'waiting' AND (next_at <= ? OR changed_at > ?)",
            (now, now),
        )
        return {outbox for (outbox,) in rows}

    def conclude_message(
        self, number: int, *, status: str, next_at: str = "", error: str = "", receipt_json: Optional[str] = None
    ) -> None:
        """Write down what came of sending a message: sent, parked for good, or waiting until `next_at`."""
        now = self._db.now()
        self._db.run(
            "UPDATE outbox SET status = ?, attempts = attempts + 1, next_at = ?, error = ?, receipt_json = ?,"
            " changed_at = ? WHERE id = ?",
            (status, next_at or now, error, receipt_json, now, number),
        )

    def messages(self, *, unsent: bool, most: int, has_body: bool = False) -> list[tuple[Any, ...]]:
        """Messages, newest first: id, outbox, key, status, attempts, next_at, error, run_id, created_at.

        With `has_body` the payload as JSON stands behind them, else None.
        """
        return self._db.all(
            "SELECT id, outbox, key, status, attempts, next_at, error, run_id, created_at,"
            " CASE WHEN ? THEN payload_json END FROM outbox"
            " WHERE NOT ? OR status IN ('waiting', 'parked') ORDER BY id DESC LIMIT ?",
            (has_body, unsent, most),
        )

    def resend(self, number: int) -> bool:
        """Let a parked or waiting message be sent by the next delivery. False for one that is sent or unknown."""
        now = self._db.now()
        changed = self._db.run(
            "UPDATE outbox SET status = 'waiting', next_at = ?, changed_at = ? WHERE id = ? AND status <> 'sent'",
            (now, now, number),
        )
        return changed.rowcount > 0

    def drop_message(self, number: int) -> bool:
        """Remove a message that was not sent. False for one that is sent or unknown."""
        return self._db.run("DELETE FROM outbox WHERE id = ? AND status <> 'sent'", (number,)).rowcount > 0

    # spendings

    def spent(self, cost_limit: str, *, is_settled: bool, since: str = "") -> int:
        """What runs that ended since a day have spent under a cost limit, or what those not over have reserved."""
        row = self._db.one(
            "SELECT coalesce(sum(amount), 0) FROM spendings WHERE cost_limit = ? AND is_settled = ?"
            " AND changed_at >= ?",
            (cost_limit, int(is_settled), since),
        )
        return int(row[0]) if row else 0

    def reserve(self, run_id: str, cost_limit: str, amount: int) -> None:
        """Set an amount aside for a run that begins."""
        self._db.run("INSERT INTO spendings VALUES (?, ?, ?, 0, ?)", (run_id, cost_limit, amount, self._db.now()))

    def reserve_more(self, run_id: str, amount: int) -> None:
        """Set aside at least so much, since it has been spent already."""
        self._db.run("UPDATE spendings SET amount = ? WHERE run_id = ? AND amount < ?", (amount, run_id, amount))

    def settle(self, run_id: str, amount: Optional[int]) -> None:
        """Replace what was set aside by what was spent; None: what was set aside was spent."""
        self._db.run(
            "UPDATE spendings SET amount = coalesce(?, amount), is_settled = 1, changed_at = ? WHERE run_id = ?",
            (amount, self._db.now(), run_id),
        )
