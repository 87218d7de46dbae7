"""What the database knows, as named questions; each docstring is its promise. `slots`, `journal` and `ledger` write.

Only a note is taken here: a text under a name, of which a command makes what it likes.
"""

from __future__ import annotations

from .days import Read, Window

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Optional

    from .db import Database

# What lines can be added up by, and the columns that say it.
BY = {
    "day": "date", "month": "substr(date, 1, 7)", "model": "model", "project": "project", "account": "account",
    "key": "api_key", "item": "line_item",
}  # fmt: skip


class Store:
    """The questions to one open database."""

    def __init__(self, db: Database) -> None:
        self.db = db

    # notes

    def note(self, name: str) -> str:
        """What was noted last under a name; "" where nothing was."""
        row = self.db.one("SELECT value FROM meta WHERE name = ?", (name,))
        return str(row[0]) if row else ""

    def take_note(self, name: str, text: str) -> None:
        """Note a text under a name, in the place of what was noted before; "" is nothing."""
        with self.db.atomic():
            if text:
                self.db.run(
                    "INSERT INTO meta VALUES (?, ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value",
                    (name, text),
                )
            else:
                self.db.run("DELETE FROM meta WHERE name = ?", (name,))

    # slots

    def last_resolved(self) -> Optional[tuple[str, str, str, str]]:
        """Of the slots that are resolved the one that was so last: its task, key and status, and when."""
        row = self.db.one(
            "SELECT task, key, status, changed_at FROM slots WHERE status IN ('success', 'failed', 'skipped')"
            " ORDER BY changed_at DESC LIMIT 1"
        )
        return (str(row[0]), str(row[1]), str(row[2]), str(row[3])) if row else None

    # days

    def reads(self, task: str, span: Window) -> dict[str, Read]:
        """When each day of the span was last read with success; a day that never was is absent."""
        rows = self.db.all(
            "SELECT key, read_at FROM slots WHERE task = ? AND key >= ? AND key < ? AND read_at IS NOT NULL",
            (task, span.start, span.end),
        )
        return {day: Read(at) for day, at in rows}

    def told(self, provider: str, span: Window) -> set[str]:
        """The days of the span that a local log has told of: no gaps, though the tool no longer has all of them."""
        rows = self.db.all(
            "SELECT date FROM results WHERE provider = ? AND basis = 'estimated' AND date >= ? AND date < ?",
            (provider, span.start, span.end),
        )
        return {day for (day,) in rows}

    def first_day(self, task: str) -> Optional[str]:
        """The earliest day that was ever asked for, whatever came of it."""
        row = self.db.one("SELECT key FROM slots WHERE task = ? ORDER BY key LIMIT 1", (task,))
        return row[0] if row else None

    def asked(self, task: str) -> set[str]:
        """The days that were asked for in vain and never read."""
        return {day for (day,) in self.db.all("SELECT key FROM slots WHERE task = ? AND read_at IS NULL", (task,))}

    def reasons(self, task: str, span: Window) -> dict[str, str]:
        """Why days of the span failed when they were last asked for."""
        rows = self.db.all(
            "SELECT key, reason FROM slots WHERE task = ? AND key >= ? AND key < ? AND reason <> ''",
            (task, span.start, span.end),
        )
        return dict(rows)

    # results

    def results(self, *, since: str, until: str, provider: str = "") -> list[tuple[Any, ...]]:
        """Headlines, oldest first: the columns of `Result`."""
        return self.db.all(
            "SELECT date, provider, tokens, cost_nano, currency, basis, day_status, updated_at, unpriced_tokens"
            " FROM results"
            " WHERE date >= ? AND date < ? AND (? = '' OR provider = ?) ORDER BY date, provider",
            (since, until, provider, provider),
        )

    def sums_by(
        self, columns: Sequence[str], *, since: str, until: str, provider: str = ""
    ) -> list[tuple[tuple[str, ...], int, int, list[tuple[str, int]]]]:
        """Days added up by columns of the lines (of BY): what they hold behind provider and basis, the tokens, those of
        them that no price is known for, and money as (currency, nano). Bases and currencies are never added.
        """
        names = ", ".join(("provider", "basis", *(BY[column] for column in columns)))
        is_tokens = "kind = 'usage' AND unit = 'tokens'"
        rows = self.db.all(
            f"SELECT {names}, currency, coalesce(sum(CASE WHEN {is_tokens} THEN quantity END), 0),"  # noqa: S608 (of BY)
            f" coalesce(sum(CASE WHEN {is_tokens} AND basis = 'estimated' AND price = '' THEN quantity END), 0),"
            " sum(CASE WHEN kind = 'cost' THEN amount_nano END) FROM result_lines"
            " WHERE superseded_at IS NULL AND date >= ? AND date < ? AND (? = '' OR provider = ?)"
            f" GROUP BY {names}, currency ORDER BY {names}, currency",
            (since, until, provider, provider),
        )
        found: dict[tuple[str, ...], tuple[list[int], list[tuple[str, int]]]] = {}
        for *key, code, tokens, unpriced, nano in rows:
            counts, money = found.setdefault(tuple(key), ([0, 0], []))
            counts[0] += int(tokens)
            counts[1] += int(unpriced)
            if nano is not None:
                money.append((code, int(nano)))
        return [(key, counts[0], counts[1], money) for key, (counts, money) in found.items()]

    def coverage(self) -> dict[str, tuple[str, int, str, str, str]]:
        """What is stored of each provider: (basis, days, the first, the last, when it last changed)."""
        rows = self.db.all(
            "SELECT provider, min(basis), count(*), min(date), max(date), max(updated_at) FROM results"
            " GROUP BY provider ORDER BY provider"
        )
        return {provider: tuple(rest) for provider, *rest in rows}

    def sums(self, provider: str, span: Window) -> tuple[int, int, list[tuple[str, str, int]]]:
        """Tokens of a span, those of them that no price is known for, and its money as (basis, currency, nano), each
        apart: they are never added.
        """
        tokens = self.db.one(
            "SELECT coalesce(sum(tokens), 0), coalesce(sum(unpriced_tokens), 0) FROM results"
            " WHERE provider = ? AND date >= ? AND date < ?",
            (provider, span.start, span.end),
        ) or (0, 0)
        money = self.db.all(
            "SELECT basis, currency, sum(amount_nano) FROM result_lines WHERE superseded_at IS NULL"
            " AND kind = 'cost' AND provider = ? AND date >= ? AND date < ? GROUP BY basis, currency ORDER BY 1, 2",
            (provider, span.start, span.end),
        )
        return int(tokens[0]), int(tokens[1]), [(basis, code, int(nano)) for basis, code, nano in money]
