"""Row 7: storing a million records, bitemporal and hash-chained, beside raw executemany into the same table.

    python3 -m bench.store [RECORDS [ROUNDS]]

The floor inserts the same rows into the same schema in one transaction, synced once. Ours stores them as batches of 62
days, as a backfill does, with headlines, slots, pages and the chain; then once more, unchanged.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from functools import partial

from agent_os.core.clock import Clock
from agent_os.core.days import STORED_TOGETHER_DAYS, Window, add_days
from agent_os.core.ledger import Ledger
from agent_os.core.model import Batch, Page, Record
from agent_os.core.opening import open_to_write
from agent_os.core.slots import RunRow, Slots
from agent_os.core.store import Store
from bench.table import measure

LINES_A_DAY = 1000
SEEN_AT = "2026-11-22T09:00:00.000Z"
BLANK = {**dict.fromkeys(Record._fields, ""), "kind": "usage", "report": "usage/completions", "basis": "reported"}


def records_of(day: str) -> Iterator[Record]:
    """A thousand lines of one day, of twenty projects, five models and ten kinds."""
    for number in range(LINES_A_DAY):
        where = {"project": f"proj_{number % 20}", "model": f"model-{number // 20 % 5}", "tier": f"t{number // 100}"}
        what = {"date": day, "quantity": number * 7919, "unit": "tokens", "amount_nano": None}
        yield Record(**{**BLANK, **where, **what})


def windows_of(records: int) -> Iterator[Window]:
    days = records // LINES_A_DAY
    return Window("2020-01-01", add_days("2020-01-01", days)).parts(STORED_TOGETHER_DAYS)


def opened(folder: str, name: str) -> Store:
    """A fresh database with one run in it."""
    for suffix in ("", "-wal", "-shm", ".id", ".lock"):
        if os.path.exists(f"{folder}/{name}{suffix}"):
            os.unlink(f"{folder}/{name}{suffix}")
    store = Store(open_to_write(f"{folder}/{name}", clock=Clock()))
    with store.db.atomic():
        Slots(store.db).note_skipped(RunRow("r", task="fetch_x", plugin_name="x", invocation_id="i", owner=""), "")
    return store


def floor(folder: str, records: int) -> None:
    """executemany of ready tuples, one transaction."""
    store = opened(folder, "floor.db")
    connection = store.db.connection
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO batches VALUES (1, 'r', 'x', '', '', '', '', 0, 0, '')")
    names = ", ".join(Record._fields)
    marks = ", ".join("?" * (len(Record._fields) + 3))
    sql = f"INSERT INTO result_lines(provider, {names}, batch_id, observed_at) VALUES ({marks})"
    for window in windows_of(records):
        for day in window:
            connection.executemany(sql, [("x", *record, 1, SEEN_AT) for record in records_of(day)])
    connection.execute("COMMIT")
    store.db.close()


def ours(folder: str, records: int, *, times: int = 1) -> None:
    """A batch for each window, stored as the collectors' are; `times` 2: then all of it again, unchanged."""
    store = opened(folder, "ours.db")
    page = Page("usage/completions", "https://x.example/", "", SEEN_AT, b"{}", [])
    for _ in range(times):
        for window in windows_of(records):
            lines = [record for day in window for record in records_of(day)]
            batch = Batch(
                provider="x",
                task="fetch_x",
                window=window,
                days=list(window),
                reports={page.report},
                observed_at=SEEN_AT,
                records=lines,
                pages=[page],
                currency="USD",
                notes=[],
            )
            with store.db.atomic():
                Ledger(store.db).store(batch, run_id="r")
    store.db.close()


def main(records: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        works = {
            "raw executemany": partial(floor, folder, records),
            "Ledger.store": partial(ours, folder, records),
            "the same, then again unchanged": partial(ours, folder, records, times=2),
        }
        measure(works, rounds=rounds, floor="raw executemany", title=f"{records:,} records")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 1_000_000, int(sys.argv[2]) if sys.argv[2:] else 5)
