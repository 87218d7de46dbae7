"""Row 8: a million rows out of the database, exact, guarded and sorted, beside `csv.writer` over fetchmany.

    python3 -m bench.export [ROWS [ROUNDS]]

The floor writes the same columns with the money as REAL, unguarded and in whatever order they lie in; the second floor
writes them in our order, as anyone who wants the same bytes twice must.
"""

from __future__ import annotations

import csv
import sqlite3
import sys
import tempfile
from datetime import date, timedelta
from functools import partial
from itertools import islice
from pathlib import Path

from agent_os.core.export import write_export
from agent_os.core.migrations import MIGRATIONS
from bench.table import apart, measure

COLUMNS = {
    "results": "date, provider, tokens, cost, currency, basis, day_status, run_id, created_at, updated_at,"
    " unpriced_tokens",
    "lines": "date, provider, kind, report, account, project, model, api_key, line_item, cost_type, token_type, tier,"
    " context, region, quantity, unit, amount_nano / 1e9 AS cost, currency, basis, observed_at, batch_id, price",
}
SOURCES = {"results": "results", "lines": "result_lines WHERE superseded_at IS NULL"}
ORDERS = {
    "results": "date, provider",
    "lines": "date, provider, kind, report, account, project, model, api_key, line_item, cost_type, token_type, tier,"
    " context, region, id",
}
SEEN_AT = "2026-11-22T05:00:00.000Z"


def open_database(path: str) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def insert(connection: sqlite3.Connection, table: str, rows: list[dict[str, object]]) -> None:
    names = list(rows[0])
    marks = ", ".join(f":{name}" for name in names)
    connection.executemany(f"INSERT INTO {table}({', '.join(names)}) VALUES({marks})", rows)


def result(number: int) -> dict[str, object]:
    """Ten providers a day, each night's rows after those of the night before."""
    nano = number * 7919 % 90_000_000_000 * 100_000
    return {
        "run_id": f"{number // 10:032x}",
        "provider": f"provider{number % 10}",
        "date": (date(1900, 1, 1) + timedelta(number // 10)).isoformat(),
        "tokens": number * 17,
        "cost": nano / 1e9,
        "raw_json": "{}",
        "created_at": SEEN_AT,
        "cost_nano": nano,
        "currency": "USD",
        "basis": "reported",
        "day_status": "settled",
        "updated_at": SEEN_AT,
    }


def line(number: int, rows: int) -> dict[str, object]:
    """Two years; half the lines as one provider names them, with a comma in the line item, half as the other does."""
    common = {
        "date": (date(2024, 1, 1) + timedelta(number * 700 // rows)).isoformat(),
        "quantity": number % 99_991,
        "unit": "tokens",
        "basis": "reported",
        "batch_id": 1,
        "observed_at": SEEN_AT,
    }
    costs, pick = number % 2 == 1, number // 2 % 4
    if costs:
        model = ("gpt-4o-mini-2024-07-18", "gpt-4o-2024-08-06", "o3-2025-04-16", "gpt-5")[pick]
        named = {"line_item": f"{model}, input", "api_key": "", "cost_type": "", "token_type": "", "tier": ""}
        named |= {"context": "", "region": "", "provider": "openai", "kind": "cost", "report": "costs"}
    else:
        model = f"claude-sonnet-4-{pick}"
        named = {"line_item": "", "api_key": f"apikey_{number % 77:05}", "cost_type": "tokens", "tier": "standard"}
        named |= {"token_type": "uncached_input", "context": "0-200k", "region": "us", "provider": "anthropic"}
        named |= {"kind": "usage", "report": "messages"}
    amount = {
        "amount_nano": number * 7919 % 90_000_000_000 * 100 if costs else None,
        "currency": "USD" if costs else "",
    }
    return {**common, **named, **amount, "model": model, "project": f"proj_{number // 8 % 40:06}", "account": ""}


def fill(path: str, rows: int) -> None:
    connection = open_database(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = OFF")
    for _, statements in MIGRATIONS:
        for statement in statements:
            connection.execute(statement)
    connection.execute("BEGIN")
    results, lines = (result(number) for number in range(rows)), (line(number, rows) for number in range(rows))
    for table, records in (("results", results), ("result_lines", lines)):
        while block := list(islice(records, 1000)):
            insert(connection, table, block)
    connection.execute("COMMIT")
    connection.close()


def write_plainly(path: str, out: str, *, table: str, order: str = "") -> None:
    cursor = open_database(path).execute(f"SELECT {COLUMNS[table]} FROM {SOURCES[table]} {order}")
    with Path(out).open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(column[0] for column in cursor.description)
        while block := cursor.fetchmany(1000):
            writer.writerows(block)


def write_ours(path: str, out: str, *, table: str, kind: str) -> None:
    with Path(out).open("wb") as stream:
        write_export(open_database(path), table=table, format=kind, out=stream)


def main(rows: int = 1_000_000, rounds: int = 5) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, out = f"{folder}/agent_os.db", f"{folder}/out"
        apart(partial(fill, path, rows))
        for table in COLUMNS:
            works = {
                "csv.writer, any order": partial(write_plainly, path, out, table=table),
                "csv.writer, our order": partial(
                    write_plainly, path, out, table=table, order=f"ORDER BY {ORDERS[table]}"
                ),
                "export csv": partial(write_ours, path, out, table=table, kind="csv"),
                "export jsonl": partial(write_ours, path, out, table=table, kind="jsonl"),
            }
            title = f"{rows:,} rows of {table}"
            measure(works, rounds=rounds, floor="csv.writer, any order", title=title)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
