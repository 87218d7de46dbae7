"""Reads a database as a stranger would, after a crash and after the run that followed, and says what is not right."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing

from . import scenario

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

DATABASE = "agent_os.db"
AMBIGUOUS_IS_FINE = {scenario.AT_MOST_ONCE}


class Seen:
    """What a crash has left: what was committed by then, and what had happened outside."""

    def __init__(self, home: str, scratch: str) -> None:
        """Looks at a copy of the files: the crash stays as it is for those who come after."""
        self.done: set[str] = set()  # steps and effects whose end was committed
        self.succeeded: set[str] = set()  # tasks
        self.outside = scenario.happened(home)
        os.makedirs(scratch)
        for name in (DATABASE, DATABASE + "-wal"):
            if os.path.exists(os.path.join(home, name)):
                shutil.copyfile(os.path.join(home, name), os.path.join(scratch, name))
        with closing(sqlite3.connect(os.path.join(scratch, DATABASE))) as connection:
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'effects'").fetchone():
                asked = "SELECT name FROM steps UNION ALL SELECT key FROM effects WHERE status = 'done'"
                self.done = _words(connection, asked)
                self.succeeded = _words(connection, "SELECT task FROM runs WHERE status = 'success'")
        shutil.rmtree(scratch)


class Verdict:
    """What came of one crash. `lost` and `doubled` count; `faults` says it in words, and whatever else is wrong."""

    def __init__(self, home: str, seen: Seen) -> None:
        self.faults: list[str] = []
        self.lost = 0
        self.doubled = 0
        self.is_once = False  # whether effects that may be called once, were called once at most
        self.kept = len(seen.done & set(scenario.STEPS))
        outside = scenario.happened(home)
        with closing(sqlite3.connect(os.path.join(home, DATABASE))) as connection:
            self._whole(connection)
            self._runs(connection, seen)
            self._outside(outside, seen)
            self._effects(connection, outside)
            self._books(connection)

    def _whole(self, connection: sqlite3.Connection) -> None:
        """The file is whole, and nothing is under way in it."""
        found = connection.execute("PRAGMA integrity_check").fetchall()
        if found != [("ok",)]:
            self.faults.append(f"the database is damaged: {found[0][0]}")
        for what, asked in (
            ("a run is still running", "SELECT task FROM runs WHERE status = 'running'"),
            ("a slot still has a runner", "SELECT task FROM slots WHERE owner <> '' OR status IN ('due', 'running')"),
            ("a cost is not settled", "SELECT cost_limit FROM spendings WHERE NOT is_settled"),
        ):
            self.faults += [f"{what}: {name}" for name in sorted(_words(connection, asked))]

    def _runs(self, connection: sqlite3.Connection, seen: Seen) -> None:
        """Every task has succeeded once, and its state has counted that once."""
        for task in scenario.TASKS:
            runs = _one(connection, "SELECT count(*) FROM runs WHERE status = 'success' AND task = ?", task)
            slots = _one(connection, "SELECT count(*) FROM slots WHERE status = 'success' AND task = ?", task)
            state = _one(connection, "SELECT value_json FROM state WHERE name = 'runs' AND task = ?", task)
            self._count(f"{task} succeeded", runs, least=1, most=1)
            self._count(f"{task} has slots that are done", slots, least=1, most=1)
            self._count(f"{task} counted", int(state or 0), least=1, most=1)
        if not seen.succeeded <= set(scenario.TASKS) | {scenario.OUTBOX}:
            self.faults.append("a task succeeded that does not exist")
        text = _one(connection, "SELECT payload_json FROM outbox WHERE outbox = ?", scenario.OUTBOX)
        if text != '"the sum is 6"':
            self.faults.append(f"the message says {text}")

    def _outside(self, outside: list[str], seen: Seen) -> None:
        """What was committed before the crash was not done again after it; the rest as often as was declared."""
        for name in sorted(seen.done):
            again = outside.count(name) - seen.outside.count(name)
            self._count(f"{name}, which was committed before the crash, was done again", again, least=0, most=0)
        most = len(outside)
        self.is_once = max(outside.count(scenario.AT_MOST_ONCE), outside.count(scenario.ASKED)) <= 1
        self._count(scenario.AT_MOST_ONCE, outside.count(scenario.AT_MOST_ONCE), least=0, most=1)
        self._count(scenario.ASKED, outside.count(scenario.ASKED), least=1, most=1)
        for name in (*scenario.STEPS, scenario.AT_LEAST_ONCE, scenario.LETTER):
            self._count(name, outside.count(name), least=1, most=most)

    def _effects(self, connection: sqlite3.Connection, outside: list[str]) -> None:
        """What the database says of effects is what happened."""
        known = dict(connection.execute("SELECT key, status FROM effects").fetchall())
        for key in (scenario.AT_MOST_ONCE, scenario.ASKED, scenario.AT_LEAST_ONCE, scenario.LETTER):
            fine = ("done", "ambiguous") if key in AMBIGUOUS_IS_FINE else ("done",)
            if known.get(key) not in fine:
                self.faults.append(f"the effect {key} is {known.get(key)}")
            if known.get(key) == "done" and key not in outside:
                self.lost += 1
                self.faults.append(f"the effect {key} is called done, and never happened")

    def _books(self, connection: sqlite3.Connection) -> None:
        """Each run that began has spent what it reserved, the one that succeeded what it said; the letter is sent."""
        spent = connection.execute(
            "SELECT runs.status, sum(amount), count(*) FROM spendings JOIN runs ON runs.id = run_id GROUP BY 1"
        ).fetchall()
        for status, amount, runs in spent:
            due = (scenario.SPENT if status == "success" else scenario.RESERVED) * runs
            if amount != due:
                self.faults.append(f"runs that ended as {status} have spent {amount}, not {due}")
        letters = connection.execute("SELECT status FROM outbox").fetchall()
        self._count("letters in the outbox", len(letters), least=1, most=1)
        self._count("letters sent", letters.count(("sent",)), least=1, most=1)

    def _count(self, what: str, found: int, *, least: int, most: int) -> None:
        if found < least:
            self.lost += 1
        elif found > most:
            self.doubled += 1
        if not least <= found <= most:
            self.faults.append(f"{what}: {found} times, not {least}" + (f" to {most}" if most > least else ""))


def _one(connection: sqlite3.Connection, asked: str, *values: str) -> Any:
    row = connection.execute(asked, values).fetchone()
    return row[0] if row else None


def _words(connection: sqlite3.Connection, asked: str) -> set[str]:
    rows: Iterable[tuple[str, ...]] = connection.execute(asked)
    return {row[0] for row in rows}
