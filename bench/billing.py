"""A summary over five years of two providers, 40 lines a day each, beside the raw SQL that it needs.

    python3 -m bench.billing [YEARS [ROUNDS]]

The floor adds the same lines up in one statement of sqlite3 and fetches the rows. Ours is the verb `summary`: the same
sums, the days that are missing, courses, shares and the table. Ten years show that memory does not grow with the lines.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import tempfile
from datetime import date, timedelta
from functools import partial
from types import SimpleNamespace

import agent_os
from agent_os.core.clock import Clock
from agent_os.core.opening import open_to_write
from agent_os.core.slots import RunRow, Slots
from agent_os.core.store import Store
from apps.billing_tracker import app, paper, summary  # noqa: F401 (paper: what `summary` would import in the child)
from bench.table import apart, measure

FIRST = date(2016, 1, 1)
SEEN_AT = "2026-11-22T09:00:00.000Z"
LINES_A_DAY = 40
UNITS = {"provider": "substr(date, 1, 7)", "month": "date", "model": "substr(date, 1, 7)"}
GROUPS = {"provider": "provider", "month": "substr(date, 1, 7)", "model": "model"}


def fill(folder: str, years: int) -> None:
    """A home with that many years, half of the lines costs, of five models."""
    store = Store(open_to_write(f"{folder}/agent_os.db", clock=Clock()))
    with store.db.atomic():
        Slots(store.db).note_skipped(RunRow("r", task="fetch_x", plugin_name="x", invocation_id="i", owner=""), "")
        store.db.run("INSERT INTO batches VALUES (1, 'r', 'x', '', '', '', '', 0, 0, '')")
    days = [(FIRST + timedelta(number)).isoformat() for number in range(years * 365)]
    with store.db.atomic():
        for provider in ("anthropic", "openai"):
            store.db.many(
                "INSERT INTO result_lines(provider, date, kind, report, project, model, line_item, quantity, unit,"
                " amount_nano, currency, basis, batch_id, observed_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?)",
                (line(provider, day, number) for day in days for number in range(LINES_A_DAY)),
            )
            store.db.many(
                "INSERT INTO results(run_id, provider, date, tokens, cost, raw_json, created_at, cost_nano, currency,"
                " basis, day_status, updated_at)"
                " VALUES ('r', ?, ?, 1, 1.0, '{}', ?, 1, 'USD', 'reported', 'settled', ?)",
                ((provider, day, SEEN_AT, SEEN_AT) for day in days),
            )
    store.db.close()


def line(provider: str, day: str, number: int) -> tuple[object, ...]:
    model, project = f"model-{number // 2 % 5}", f"project-{number % 7}"
    if number % 2:
        return provider, day, "cost", "costs", project, model, f"{model}, output", None, "", number * 7919, "USD", \
            "reported", SEEN_AT  # fmt: skip
    return provider, day, "usage", "usage", project, model, "", number * 31, "tokens", None, "", "reported", SEEN_AT


def floor(folder: str, by: str, since: str, until: str) -> None:
    """The sums alone."""
    currency = "CASE kind WHEN 'cost' THEN currency ELSE '' END"
    connection = sqlite3.connect(f"{folder}/agent_os.db")
    connection.execute(
        f"SELECT {UNITS[by]}, {GROUPS[by]}, basis, {currency}, sum(amount_nano),"
        " sum(CASE WHEN kind = 'usage' AND unit = 'tokens' THEN quantity ELSE 0 END),"
        " sum(CASE WHEN kind = 'usage' AND unit = 'tokens' AND basis = 'estimated' AND price = '' THEN quantity"
        " ELSE 0 END), count(*) FROM result_lines WHERE superseded_at IS NULL AND date >= ? AND date < ?"
        f" GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3",
        (since, until),
    ).fetchall()
    connection.close()


def ours(folder: str, by: str, since: str, until: str) -> None:
    """The verb, its table written to nowhere."""
    asked = {"by": [by], "since": since, "until": until, "provider": "", "as_of": "", "json": False}
    with (
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
        agent_os.open(folder, app=app) as home,
    ):
        summary.execute(home, SimpleNamespace(**asked))


def main(years: int, rounds: int) -> None:
    for count in (years, 2 * years):
        with tempfile.TemporaryDirectory() as folder:
            apart(partial(fill, folder, count))
            until = (FIRST + timedelta(count * 365)).isoformat()
            works = {}
            for by in GROUPS:
                works[f"raw SQL by {by}"] = partial(floor, folder, by, FIRST.isoformat(), until)
                works[f"summary --by {by}"] = partial(ours, folder, by, FIRST.isoformat(), until)
            for by in GROUPS:
                pair = {name: work for name, work in works.items() if name.endswith(f"by {by}")}
                lines = 2 * LINES_A_DAY * 365 * count
                measure(pair, rounds=rounds, floor=f"raw SQL by {by}", title=f"{count} years, {lines:,} lines")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 5, int(sys.argv[2]) if sys.argv[2:] else 5)
