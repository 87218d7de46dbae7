"""Forgets the history that nobody needs any more; the last word on what may be forgotten stands here.

Older than AGENT_OS_RETENTION_DAYS, these go: runs with their attempts and outputs; the steps of slots that are done or
left out; effects that failed (nothing happened, so calling again is what would be done anyway); messages that were
sent. These never go:

- results, their lines, batches and pages, and the runs that they refer to: the figures and where they come from.
- slots, state, spendings (a limit may ask what was ever spent), unsent messages, and the runs that unsent messages and
  unsettled effects refer to.
- effects that are not settled: a person has to look at them.
- effects that are done. Their key is theirs for ever: any slot, an old one that is forced or a new one, may come with
  it again, and must find it done. That is also what makes it safe to forget sent messages: the outbox has an effect
  for each of them. A row is small; what it protects from (to pay or to write twice) is not.
- steps of slots that failed or are due: the next attempt goes on from them, however late.
"""

from __future__ import annotations

from datetime import timedelta

from .clock import iso
from .days import ordinal
from .errors import AgentOSError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from .db import Database
    from .logger import Log

ROWS_AT_ONCE = 1000  # in one transaction: nobody waits for it
MOST_AT_NIGHT = 50  # transactions at the end of one run; what is left has the next days
LONGEST_PAUSE_DAYS = 35  # between two runs; after a longer one the clock may be wrong, and forgetting waits for a day
_MARK = "tidied_on"

_OLD_RUN = (
    "status <> 'running' AND started_at < ?1 AND id NOT IN (SELECT run_id FROM results)"
    " AND id NOT IN (SELECT run_id FROM batches)"
    " AND id NOT IN (SELECT run_id FROM effects WHERE status IN ('intent', 'ambiguous'))"
    " AND id NOT IN (SELECT run_id FROM outbox WHERE status <> 'sent')"
)
_OF_OLD_RUN = f"run_id IN (SELECT id FROM runs WHERE {_OLD_RUN})"  # noqa: S608 (a constant)
# What is forgotten, in this order: table, and which of its rows.
FORGOTTEN = (
    ("attempts", _OF_OLD_RUN),
    ("outputs", _OF_OLD_RUN),
    (
        "runs",  # only once all of what belongs to them is gone: what became old in between waits for the next time
        _OLD_RUN + " AND NOT EXISTS (SELECT 1 FROM attempts WHERE run_id = runs.id)"  # noqa: S608 (a constant)
        " AND NOT EXISTS (SELECT 1 FROM outputs WHERE run_id = runs.id)",
    ),
    (
        "steps",
        "done_at < ?1 AND EXISTS (SELECT 1 FROM slots WHERE slots.task = steps.task AND slots.key = steps.key"
        " AND slots.status IN ('success', 'skipped') AND slots.changed_at < ?1)",
    ),
    ("effects", "status = 'failed' AND intent_at < ?1"),
    ("outbox", "status = 'sent' AND changed_at < ?1"),
)


def tidy_daily(db: Database, *, keep_days: int, log: Log) -> None:
    """At the end of a run: forget what is old, the first time on each UTC day. What fails here fails for nobody."""
    today = db.clock.today()
    try:
        row = db.one("SELECT value FROM meta WHERE name = ?", (_MARK,))
        before = row[0] if row else ""
        if before == today:
            return
        with db.atomic():
            db.run(
                "INSERT INTO meta VALUES (?, ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value", (_MARK, today)
            )
        if before and 0 < ordinal(today) - ordinal(before) <= LONGEST_PAUSE_DAYS:
            forgotten = forget(db, keep_days=keep_days, most=MOST_AT_NIGHT)
            if forgotten:
                log.debug("retention", f"history older than {keep_days} days was forgotten", **forgotten)
    except AgentOSError as error:
        log.debug("retention.failed", f"forgetting old history: {error.message}")


def forgettable(db: Database, *, keep_days: int) -> dict[str, int]:
    """How many rows of each table would be forgotten now; tables without any are absent."""
    found = {}
    for table, which in {**dict(FORGOTTEN), "runs": _OLD_RUN}.items():
        row = db.one(f"SELECT count(*) FROM {table} WHERE {which}", _since(db, keep_days))  # noqa: S608 (constants)
        if row and row[0]:
            found[table] = int(row[0])
    return found


def forget(db: Database, *, keep_days: int, most: Optional[int] = None) -> dict[str, int]:
    """Forget it, in transactions of a thousand rows, at most so many of them. How many rows of each table went."""
    found: dict[str, int] = {}
    since = _since(db, keep_days)
    left = -1 if most is None else most
    # Off, since for each run that goes SQLite would read all of results and batches; `_OLD_RUN` has looked there.
    db.run("PRAGMA foreign_keys = OFF")
    try:
        for table, which in FORGOTTEN:
            rows = f"SELECT rowid FROM {table} WHERE {which}"  # noqa: S608 (constants)
            while left and db.one(f"{rows} LIMIT 1", since):
                left -= 1
                with db.atomic():
                    gone = db.run(f"DELETE FROM {table} WHERE rowid IN ({rows} LIMIT {ROWS_AT_ONCE})", since)  # noqa: S608
                found[table] = found.get(table, 0) + gone.rowcount
    finally:
        db.run("PRAGMA foreign_keys = ON")
    return found


def give_back(db: Database) -> None:
    """Write the file anew without the room that nothing needs. The caller has the writers' lock."""
    db.run("VACUUM")
    db.all("PRAGMA wal_checkpoint(TRUNCATE)")


def _since(db: Database, keep_days: int) -> tuple[str]:
    return (iso(db.clock.now() - timedelta(days=keep_days)),)
