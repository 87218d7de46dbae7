"""What a tick asks the database, and the one thing that it writes down: since when each schedule is looked after."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Optional

    from .db import Database

    # status, attempts, when it is due, why it waits, when it was last touched
    Unresolved = tuple[str, int, str, str, str]


class Schedules:
    """The table `schedules` of an open database, and questions about slots of all tasks at once."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def all(self) -> dict[str, tuple[str, str, str]]:
        """Task -> (its schedule as it was declared, since when it is looked after, the app that declares it)."""
        return {task: tuple(rest) for task, *rest in self._db.all("SELECT task, declared, since, app FROM schedules")}

    def keep(self, rows: Iterable[tuple[str, str, str, str]], *, now: str) -> None:
        """Write down (task, declared, since, app), over what was written of another declaration or in the future.

        Of any number of processes that see a new declaration at the same time, the first one's `since` counts.
        """
        self._db.many(
            "INSERT INTO schedules(task, declared, since, app) VALUES (?, ?, ?, ?) ON CONFLICT(task) DO UPDATE SET"
            " declared = excluded.declared, since = excluded.since, app = excluded.app"
            " WHERE declared <> excluded.declared OR since > ?",
            [(*row, now) for row in rows],
        )

    def unresolved(self) -> dict[str, dict[str, Unresolved]]:
        """Every slot that is due, running or failed: task -> key -> what is known of it."""
        rows = self._db.all(
            "SELECT task, key, status, attempts, due_at, reason, changed_at FROM slots INDEXED BY slots_unresolved"
            " WHERE status IN ('due', 'running', 'failed')"
        )
        found: dict[str, dict[str, Unresolved]] = {}
        for task, key, *rest in rows:
            found.setdefault(task, {})[key] = (rest[0], rest[1], rest[2], rest[3], rest[4])
        return found

    def newest(self, task: str, *, shape: str, latest: str) -> str:
        """The newest slot of a task up to `latest` whose key has this shape; `""` for none."""
        row = self._db.one(
            "SELECT key FROM slots WHERE task = ? AND key <= ? AND key GLOB ? ORDER BY key DESC LIMIT 1",
            (task, latest, shape),
        )
        return row[0] if row else ""

    def runs(self, task: str, *, since: str, until: str) -> list[tuple[str, str, str]]:
        """The runs of a task that began in a span, `until` included: (status, when it ended, error). None that was
        asked for days before the span only.
        """
        return self._db.all(
            "SELECT status, coalesce(finished_at, started_at), coalesce(error, '') FROM runs"
            " WHERE task = ? AND started_at >= ? AND started_at <= ? AND coalesce(window_end, '9') >= ?"
            " ORDER BY started_at",
            (task, since, until, since[:10]),
        )

    def next_message_at(self) -> Optional[str]:
        """When the next message of any outbox may be sent; None where none waits."""
        row = self._db.one(
            "SELECT min(next_at) FROM outbox INDEXED BY outbox_unsent"
            " WHERE status IN ('waiting', 'parked') AND status = 'waiting'"
        )
        return row[0] if row else None
