"""Tables as CSV or JSON Lines: exact, inert in a spreadsheet, and the same bytes every time.

Reads only, in one transaction, a few hundred rows at a time. Opens no file: where the bytes go is the caller's affair.
SQLite builds each line in one call; Python looks closer only where a block of lines holds something unusual (ADR 0003).
"""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timezone
from functools import lru_cache
from itertools import chain, islice

from .errors import StoreError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from typing import Any, BinaryIO, Callable, NamedTuple, Optional
else:
    from typing import NamedTuple

FORMATS = ("csv", "jsonl")
_ROWS_A_BLOCK = 250

# The unit separator stands between cells until a block is written. JSON never holds it raw, so it is never data.
_SEPARATOR = "\x1f"
_SPACES = " \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_FORMULA_MAY_START = re.compile(f"{_SEPARATOR}[{_SPACES}=+@-]")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_NOT_ASCII = re.compile("[^\x00-\x7f]+")


class _Column(NamedTuple):
    """One column of an export: its kind is "text", "integer", "number" (integer or decimal text) or "money" (nano)."""

    name: str
    kind: str = "text"
    source: str = ""
    nullable: bool = False

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
        return f"COALESCE({text}, '')" if self.nullable else text


class _Table(NamedTuple):
    """What is exported, from which rows, in which order. `each` lists the pieces that are read one after the other."""

    columns: tuple[_Column, ...]
    rows: str
    order: str
    day: str
    each: str = ""
    sums: tuple[str, str, str, str] = ("NULL", "''", "''", "NULL")  # nano, currency, basis, tokens


def _columns(names: str) -> tuple[_Column, ...]:
    return tuple(_Column(name) for name in names.split())


_COST_NANO = _Column("cost", "money", "cost_nano", nullable=True)
_AMOUNT_NANO = _Column("cost", "money", "amount_nano", nullable=True)

_TABLES = {
    "results": _Table(
        columns=(
            *_columns("date provider"),
            _Column("tokens", "integer", nullable=True),
            _COST_NANO,
            *_columns("currency basis day_status run_id created_at updated_at"),
        ),
        rows="FROM results",
        order="date, provider",
        day="date",
        sums=("cost_nano", "currency", "basis", "tokens"),
    ),
    # No index has the order of the lines, and none is worth its weight: day by day, a sort is small. The index is named
    # so that no planner, whatever its statistics, sorts the whole table instead.
    "lines": _Table(
        columns=(
            *_columns("date provider kind report account project model api_key line_item cost_type token_type tier"),
            *_columns("context region"),
            _Column("quantity", "number", nullable=True),
            _Column("unit"),
            _AMOUNT_NANO,
            *_columns("currency basis observed_at"),
            _Column("batch_id", "integer"),
        ),
        rows="FROM result_lines INDEXED BY result_lines_now WHERE superseded_at IS NULL AND date = ? AND provider = ?",
        order="{line}",
        day="date",
        each="SELECT DISTINCT date, provider FROM result_lines INDEXED BY result_lines_now WHERE superseded_at IS NULL",
        sums=("amount_nano", "currency", "basis", "NULL"),
    ),
    "runs": _Table(
        columns=(
            _Column("id", nullable=True),
            *_columns("plugin_name status started_at"),
            _Column("finished_at", nullable=True),
            _Column("error", nullable=True),
            *_columns("task invocation_id"),
            _Column("window_start", nullable=True),
            _Column("window_end", nullable=True),
            _Column("requests", "integer"),
            _Column("notes"),
        ),
        rows="FROM runs",
        order="started_at, id",
        day="started_at",
    ),
}
TABLES = tuple(_TABLES)


@dataclass
class Totals:
    """What an export held, added up from the stored integers and never from the text that was written.

    `cost_nano` maps (currency, basis) to 10^-9 of the unit: neither currencies nor bases are added together. Unknown
    amounts are in no sum. `tokens` is 0 for tables that have none.
    """

    rows: int = 0
    cost_nano: dict[tuple[str, str], int] = field(default_factory=dict)
    tokens: int = 0


def format_file_name(table: str, format: str, moment: datetime) -> str:  # noqa: A002 - the command line's word
    """`agent_os-results-20261122T050000Z.csv`: nothing in it comes from data."""
    return f"agent_os-{table}-{moment.astimezone(timezone.utc):%Y%m%dT%H%M%SZ}.{format}"


def write_export(  # noqa: PLR0913 - one call says which rows, how and where to, all by name
    connection: sqlite3.Connection,
    *,
    table: str,
    format: str,  # noqa: A002 - the command line's word
    since: Optional[str] = None,
    until: Optional[str] = None,
    out: BinaryIO,
) -> Totals:
    """Write the rows of `table` whose day lies in [since, until) to `out` and return what they add up to.

    CSV: RFC 4180 with a header, CRLF, UTF-8; a text cell that a spreadsheet would run begins with `'`; an unknown
    amount is empty. JSON Lines: the same names, ASCII, cost as a string, null where unknown. Raises StoreError where a
    cell cannot be what its column says (or holds NUL, in CSV); whatever `out.write` raises passes through.
    """
    if table not in _TABLES or format not in FORMATS:
        raise UsageError(
            f"export: there is no table {table!r} in the format {format!r}",
            hint=f"tables: {', '.join(_TABLES)}; formats: {', '.join(FORMATS)}",
        )
    chosen, totals = _TABLES[table], Totals()
    encode: Callable[[_Table, Sequence[str]], bytes] = _csv if format == "csv" else _jsonl
    if format == "csv":
        out.write((",".join(column.name for column in chosen.columns) + "\r\n").encode())
    with _snapshot(connection), _damage_named(table):
        rows = _rows(connection, chosen, form=format, since=since, until=until)
        while block := list(islice(rows, _ROWS_A_BLOCK)):
            out.write(encode(chosen, [row[0] for row in block]))
            _add(totals, block)
        _require_integers(totals)
    return totals


# Reading


def _money_text(nano: str) -> str:
    """SQL: the shortest exact decimal of an amount in 10^-9, two decimals at least.

    Quotient and remainder are taken before the sign is turned: the smallest integer has no positive twin.
    """

    def magnitude(sign: str) -> str:
        units, rest = f"{sign}({nano} / 1000000000)", f"{sign}({nano} % 1000000000)"
        return (
            f"CASE WHEN {nano} % 10000000 = 0 THEN printf('%d.%02d', {units}, {rest} / 10000000)"
            f" ELSE rtrim(printf('%d.%09d', {units}, {rest}), '0') END"
        )

    return f"CASE WHEN {nano} >= 0 THEN {magnitude('')} WHEN {nano} < 0 THEN '-' || {magnitude('-')} END"


def _csv_line(table: _Table) -> str:
    """SQL of a row as one JSON array of strings, the separator between its cells: `["a<US>b<US>12.50"]`.

    json_array is one call for all cells, and escapes every character that could be mistaken for structure.
    """
    cells = ", ".join(column.cell for column in table.columns)
    return f"replace(json_array({cells}), '\",\"', char({ord(_SEPARATOR)}))"


def _json_line(table: _Table) -> str:
    return "json_object(" + ", ".join(f"'{column.name}', {column.plain}" for column in table.columns) + ")"


def _rows(
    connection: sqlite3.Connection,
    table: _Table,
    *,
    form: str,
    since: Optional[str],
    until: Optional[str],
) -> Iterator[tuple[Any, ...]]:
    """(line, nano, currency, basis, tokens) of every row, in the order of the table.

    The order is an outermost ORDER BY, which SQL guarantees; lines are never joined by an aggregate inside SQLite,
    whose order is only a habit. Both formats share it. All SQL here is made of constants; values are bound.
    """
    line = _csv_line(table) if form == "csv" else _json_line(table)
    select = f"SELECT {line}, {', '.join(table.sums)} {table.rows}"
    order = f" ORDER BY {table.order.format(line='1' if form == 'csv' else _csv_line(table))}"
    limits = [(f"{table.day} >= ?", since), (f"{table.day} < ?", until)]
    asked = [limit for limit, value in limits if value is not None]
    values = [value for _, value in limits if value is not None]
    _provide_json(connection)
    if table.each:
        pieces = _select(connection, " AND ".join([table.each, *asked]) + " ORDER BY 1, 2", values).fetchall()
        return chain.from_iterable(_select(connection, select + order, piece) for piece in pieces)
    where = f" WHERE {' AND '.join(asked)}" if asked else ""
    return iter(_select(connection, select + where + order, values))


def _select(connection: sqlite3.Connection, sql: str, values: Sequence[object]) -> sqlite3.Cursor:
    cursor = connection.cursor()
    cursor.row_factory = None  # plain tuples, whatever the connection makes for others
    return cursor.execute(sql, values)


def _provide_json(connection: sqlite3.Connection) -> None:
    """SQLite before 3.38 may be built without JSON: then Python lends it the two functions, slower, the same text."""
    try:
        connection.execute("SELECT json_array(1), json_object('a', 1)").fetchone()
    except sqlite3.OperationalError:
        connection.create_function("json_array", -1, lambda *cells: _compact(cells))
        connection.create_function("json_object", -1, lambda *pairs: _compact(dict(zip(pairs[::2], pairs[1::2]))))


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@contextmanager
def _snapshot(connection: sqlite3.Connection) -> Iterator[None]:
    """One read transaction: a writer beside us is seen wholly or not at all. The caller's, where one is open."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


@contextmanager
def _damage_named(table: str) -> Iterator[None]:
    """Text that is no UTF-8, or a BLOB in place of text, is damage; other errors of SQLite are for the caller."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "UTF-8" not in str(error) and "BLOB" not in str(error):
            raise
        raise _damaged(f"exporting {table}: a cell holds bytes that are not text") from error


def _damaged(message: str) -> StoreError:
    return StoreError(message, hint="the program never stores that: restore a backup, or mend the row with sqlite3")


# Adding up


def _add(totals: Totals, rows: Iterable[tuple[Any, ...]]) -> None:
    costs = totals.cost_nano
    try:
        for _, nano, currency, basis, tokens in rows:
            totals.rows += 1
            if nano is not None:
                costs[currency, basis] = costs.get((currency, basis), 0) + nano
            if tokens is not None:
                totals.tokens += tokens
    except TypeError as error:
        raise _damaged("export: an amount is stored as text") from error


def _require_integers(totals: Totals) -> None:
    """A REAL among the amounts turns its sum into a float, which is no longer exact: found here, once."""
    if not all(isinstance(number, int) for number in (totals.tokens, *totals.cost_nano.values())):
        raise _damaged("export: an amount is stored as a floating point number")


# Writing


def _jsonl(_: _Table, lines: Sequence[str]) -> bytes:
    text = "\n".join(lines) + "\n"
    if not text.isascii():
        text = _NOT_ASCII.sub(lambda match: json.dumps(match[0])[1:-1], text)
    return text.encode("ascii")


def _csv(table: _Table, lines: Sequence[str]) -> bytes:
    bare = [line[2:-2] for line in lines]
    if _is_usual(bare):
        return _usual_csv(bare).encode()
    return "".join([_usual_csv([line]) if _is_usual([line]) else _careful_csv(table, line) for line in bare]).encode()


def _is_usual(bare: Sequence[str]) -> bool:
    r"""Whether no cell holds a quote, a line break, a control character or NUL (JSON wrote a \ for each) or may start a
    formula. A raw quote is left only around a NULL that the schema forbids.
    """
    text = _SEPARATOR + _SEPARATOR.join(bare)
    return "\\" not in text and '"' not in text and _FORMULA_MAY_START.search(text) is None


def _usual_csv(bare: Sequence[str]) -> str:
    text = "\r\n".join(bare) + "\r\n"
    return (_quote_commas(text) if "," in text else text).replace(_SEPARATOR, ",")


def _quote_commas(text: str) -> str:
    """Quotes around each cell that holds a comma; a cell ends at the separator or where its line does."""
    pieces: list[str] = []
    done, comma = 0, text.find(",")
    while comma >= 0:
        start = 1 + max(text.rfind(_SEPARATOR, done, comma), text.rfind("\n", done, comma))
        line_end = text.find("\r", comma)
        cell_end = text.find(_SEPARATOR, comma, line_end)
        end = line_end if cell_end < 0 else cell_end
        pieces += (text[done:start], '"', text[start:end], '"')
        done, comma = end, text.find(",", end)
    pieces.append(text[done:])
    return "".join(pieces)


def _careful_csv(table: _Table, bare: str) -> str:
    cells = json.loads('["' + bare.replace(_SEPARATOR, '","') + '"]')
    return ",".join([_cell(column, cell or "") for column, cell in zip(table.columns, cells)]) + "\r\n"


@lru_cache(maxsize=4096)
def _cell(column: _Column, text: str) -> str:
    """One CSV cell. A number is written as it is; where it is none, writing it unguarded could run a formula."""
    if "\0" in text:
        raise _damaged(f"export: a value of {column.name} holds a NUL character, which no CSV can carry")
    if column.kind != "text":
        if text and not _NUMBER.fullmatch(text):
            raise _damaged(f"export: a value of {column.name} is not a number")
        return text
    if text.startswith(("\t", "\r")) or text.lstrip().startswith(("=", "+", "-", "@")):
        text = "'" + text
    if any(mark in text for mark in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text
