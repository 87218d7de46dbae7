"""A statement over five years, two providers and 40 cost lines a day, beside the SQL that it needs.

    python3 -m bench.statement [YEARS [ROUNDS]]

The floor runs the same queries and fetches their rows. The second floor also writes two files of the same columns with
csv.writer: no cents, no accounts, no hashes, nothing read back. Memory is the peak of Python's own, by tracemalloc.
"""

from __future__ import annotations

import csv
import sqlite3
import sys
import tempfile
import tracemalloc
from functools import partial

import agent_os
from agent_os.core.clock import Clock
from agent_os.core.days import STORED_TOGETHER_DAYS, Window, add_days
from agent_os.core.ledger import Ledger
from agent_os.core.line_store import COLUMNS, GROUPS
from agent_os.core.model import Batch, Page, Record
from agent_os.core.opening import open_to_write
from agent_os.core.slots import RunRow, Slots
from agent_os.core.store import Store
from apps.billing_tracker.period import Period
from apps.billing_tracker.statement import make
from apps.billing_tracker.statement_facts import Facts
from bench.table import measure

LINES_A_DAY = 40
SEEN_AT = "2026-11-01T09:00:00.000Z"
FIRST = "2021-01-01"
AS_OF = "2026-11-01"
BLANK = {**dict.fromkeys(Record._fields, ""), "kind": "cost", "report": "costs", "basis": "reported"}


def records_of(day: str, salt: int) -> list[Record]:
    """Forty lines of one day: eight projects, five models."""
    found = []
    for number in range(LINES_A_DAY):
        where = {
            "project": f"proj_{number % 8}",
            "model": f"model-{number // 8}",
            "line_item": f"model {number // 8}, input",
        }
        what = {"date": day, "quantity": number * 7919 + salt, "unit": "tokens", "currency": "USD"}
        found.append(Record(**{**BLANK, **where, **what, "amount_nano": (salt * 31 + number) * 7919 % 10**10}))
    return found


def fill(path: str, end: str) -> None:
    """The ledger, stored as a backfill does."""
    store = Store(open_to_write(path, clock=Clock()))
    with store.db.atomic():
        Slots(store.db).note_skipped(RunRow("r", task="fetch_x", plugin_name="x", invocation_id="i", owner=""), "")
    page = Page("costs", "https://x.example/", "", SEEN_AT, b"{}", [])
    for provider in ("anthropic", "openai"):
        for window in Window(FIRST, end).parts(STORED_TOGETHER_DAYS):
            lines = [record for number, day in enumerate(window) for record in records_of(day, number)]
            batch = Batch(
                provider=provider, task=f"fetch_{provider}", window=window, days=list(window), reports={"costs"},
                observed_at=SEEN_AT, records=lines, pages=[page], currency="USD", notes=[],
            )  # fmt: skip
            with store.db.atomic():
                Ledger(store.db).store(batch, run_id="r")
    store.db.close()


def raw(path: str, end: str, *, out: str = "") -> None:
    """The queries of a statement; with `out`, the rows of the lines in two files as well."""
    connection = sqlite3.connect(path)
    instant = f"{AS_OF}T23:59:59.999Z"
    known = "observed_at <= ? AND (superseded_at IS NULL OR superseded_at > ?) AND date >= ? AND date < ?"
    values = (instant, instant, FIRST, end)
    by = ", ".join(GROUPS[word] for word in ("month", "provider", "project"))
    connection.execute(
        f"SELECT {by}, basis, currency, sum(amount_nano) FROM result_lines WHERE {known} GROUP BY {by}", values
    ).fetchall()
    connection.execute(
        f"SELECT provider, sum(amount_nano) FROM result_lines WHERE {known} GROUP BY provider", values
    ).fetchall()
    connection.execute(
        f"SELECT * FROM batches WHERE id IN (SELECT batch_id FROM result_lines WHERE {known})", values
    ).fetchall()
    connection.execute("SELECT date, provider, day_status, basis, created_at, updated_at FROM results").fetchall()
    lines = f"SELECT {COLUMNS} FROM result_lines WHERE {known} AND kind = 'cost' ORDER BY date, provider, id"
    for _ in connection.execute(lines, values):
        pass
    files = [open(f"{out}{number}", "w", encoding="utf-8", newline="") for number in (1, 2)] if out else []  # noqa: SIM115
    writers = [csv.writer(file) for file in files]
    for row in connection.execute(lines, values):
        for writer in writers:
            writer.writerow(row)
    for file in files:
        file.close()
    connection.close()


def ours(home: str, end: str, out: str) -> None:
    """The statement: all its files, proven."""
    with agent_os.open(home) as opened:
        facts = Facts(opened, Period("years", FIRST, end), as_of=AS_OF)
        make(opened, facts, out=out)


def main(years: int, rounds: int) -> None:
    end = add_days(FIRST, 365 * years)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/agent_os.db"
        fill(path, end)
        works = {
            "the SQL alone": partial(raw, path, end),
            "the SQL and two csv.writer": partial(raw, path, end, out=f"{folder}/raw"),
            "statement": partial(ours, folder, end, f"{folder}/statement"),
        }
        title = f"{years * 365 * 2 * LINES_A_DAY:,} lines of {years} years"
        measure(works, rounds=rounds, floor="the SQL alone", title=title)
        tracemalloc.start()
        ours(folder, end, f"{folder}/statement")
        print(f"peak of Python's memory: {tracemalloc.get_traced_memory()[1] / 1e6:.1f} MB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 5, int(sys.argv[2]) if sys.argv[2:] else 5)
