"""What an export holds: the columns of each table, and the SQL that makes a cell or a line of them.

Declares and builds text; touches no database.
"""

from __future__ import annotations

from typing import NamedTuple

# Stands between cells until a block is written. JSON never holds it raw, so it is never data.
SEPARATOR = "\x1f"


def _money_text(nano: str) -> str:
    """SQL: the shortest exact decimal of an amount in 10^-9, two decimals at least.

    One branch for each number of decimals, so that nothing is trimmed afterwards. Quotient and remainder are taken
    before the sign is turned: the smallest integer has no positive twin.
    """

    def magnitude(sign: str) -> str:
        branches = []
        for decimals in range(2, 10):
            unit = 10 ** (9 - decimals)
            units, rest = f"{sign}({nano} / 1000000000)", f"{sign}({nano} % 1000000000 / {unit})"
            branches.append(f"WHEN {nano} % {unit} = 0 THEN printf('{sign}%d.%0{decimals}d', {units}, {rest})")
        return f"CASE {' '.join(branches)} END"

    return f"CASE WHEN {nano} >= 0 THEN {magnitude('')} WHEN {nano} < 0 THEN {magnitude('-')} END"


class Column(NamedTuple):
    """One column of an export: its kind is "text", "integer", "number" (integer or decimal text) or "money" (nano)."""

    name: str
    kind: str = "text"
    source: str = ""

    @property
    def value(self) -> str:
        """SQL of what is stored."""
        return self.source or self.name

    @property
    def plain(self) -> str:
        """SQL of the value as people read it; NULL stays NULL."""
        return _money_text(self.value) if self.kind == "money" else self.value

    @property
    def cell(self) -> str:
        """SQL of the value as text; NULL becomes the empty cell."""
        text = f"CAST({self.value} AS TEXT)" if self.kind in {"integer", "number"} else self.plain
        return f"COALESCE({text}, '')"


class Table(NamedTuple):
    """What is exported, from which rows, in which order; `day` is what since and until are compared with.

    `each` lists the pieces that are read one after the other, its columns the parameters of `rows`. `{line}` in the
    order stands for the line itself: its separator sorts below all that may stand in a cell.
    """

    columns: tuple[Column, ...]
    rows: str
    order: str
    day: str
    each: str = ""
    sums: tuple[str, str, str, str, str] = ("NULL", "''", "''", "NULL", "NULL")  # see `Totals`

    @property
    def csv_line(self) -> str:
        """SQL of a row as one JSON array of strings with the separator between its cells: `["a<US>b<US>12.50"]`.

        json_array is one call for all cells, and puts a backslash before whatever could be mistaken for structure.
        """
        cells = ", ".join(column.cell for column in self.columns)
        return f"replace(json_array({cells}), '\",\"', char({ord(SEPARATOR)}))"

    @property
    def json_line(self) -> str:
        """SQL of a row as one JSON object."""
        return "json_object(" + ", ".join(f"'{column.name}', {column.plain}" for column in self.columns) + ")"


def _columns(names: str) -> tuple[Column, ...]:
    return tuple(Column(name) for name in names.split())


_COST_NANO = Column("cost", "money", "cost_nano")
_AMOUNT_NANO = Column("cost", "money", "amount_nano")
_IS_UNPRICED = "price = '' AND basis = 'estimated' AND unit = 'tokens' AND kind = 'usage'"

TABLES = {
    "results": Table(
        columns=(
            *_columns("date provider"),
            Column("tokens", "integer"),
            _COST_NANO,
            *_columns("currency basis day_status run_id created_at updated_at"),
            Column("unpriced_tokens", "integer"),
        ),
        rows="FROM results",
        order="date, provider",
        day="date",
        sums=("cost_nano", "currency", "basis", "tokens", "unpriced_tokens"),
    ),
    # No index has the order of the lines, and none is worth its weight: day by day, a sort is small. The index is named
    # so that no planner, whatever its statistics, sorts the whole table instead.
    "lines": Table(
        columns=(
            *_columns("date provider kind report account project model api_key line_item cost_type token_type tier"),
            *_columns("context region"),
            Column("quantity", "number"),
            Column("unit"),
            _AMOUNT_NANO,
            *_columns("currency basis observed_at"),
            Column("batch_id", "integer"),
            Column("price"),
        ),
        rows="FROM result_lines INDEXED BY result_lines_now WHERE superseded_at IS NULL AND date = ? AND provider = ?",
        order="{line}",
        day="date",
        each="SELECT DISTINCT date, provider FROM result_lines INDEXED BY result_lines_now WHERE superseded_at IS NULL",
        sums=("amount_nano", "currency", "basis", "NULL", f"CASE WHEN {_IS_UNPRICED} THEN quantity END"),
    ),
    "runs": Table(
        columns=(
            *_columns("id plugin_name status started_at finished_at error task invocation_id window_start window_end"),
            Column("requests", "integer"),
            Column("notes"),
        ),
        rows="FROM runs",
        order="started_at, id",
        day="started_at",
    ),
}
