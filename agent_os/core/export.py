"""Tables as CSV or JSON Lines: exact, inert in a spreadsheet, and the same bytes every time.

Reads only, in one transaction, and holds a few hundred rows at a time. Opens no file: where the bytes go
is the caller's. SQLite builds each line in one call; Python looks closer only where a block of lines holds something
unusual (ADR 0003).
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

from .columns import SEPARATOR, TABLES, Column, Table
from .errors import StoreError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from typing import Any, BinaryIO, Callable, Optional

FORMATS = ("csv", "jsonl")
_ROWS_A_BLOCK = 250

_SPACES = " \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_FORMULA_MAY_START = re.compile(f"{SEPARATOR}[{_SPACES}=+@-]")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_NOT_ASCII = re.compile("[^\x00-\x7f]{1,16}")  # short, so that what is remembered of them stays small


@dataclass
class Totals:
    """What an export held, added up from the stored integers and never from the text that was written.

    `cost_nano` maps (currency, basis) to 10^-9 of the unit: neither currencies nor bases are added together. Unknown
    amounts are in no sum. `tokens` is 0 for tables that have none; `unpriced_tokens` are in no money.
    """

    rows: int = 0
    cost_nano: dict[tuple[str, str], int] = field(default_factory=dict)
    tokens: int = 0
    unpriced_tokens: int = 0


def format_file_name(table: str, format: str, moment: datetime) -> str:  # noqa: A002 - the command line's word
    """`agent_os-results-20261122T050000Z.csv`: nothing in it comes from data."""
    return f"agent_os-{table}-{moment.astimezone(timezone.utc):%Y%m%dT%H%M%SZ}.{format}"


def write_export(  # noqa: PLR0913 - what the command line asks, one keyword each
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
    if table not in TABLES or format not in FORMATS:
        raise UsageError(
            f"export: there is no table {table!r} in the format {format!r}",
            hint=f"tables: {', '.join(TABLES)}; formats: {', '.join(FORMATS)}",
        )
    chosen, totals = TABLES[table], Totals()
    encode: Callable[[Table, Sequence[str]], bytes] = _csv if format == "csv" else _jsonl
    if format == "csv":
        out.write((",".join(column.name for column in chosen.columns) + "\r\n").encode())
    with _snapshot(connection), _damage_named(table):
        rows = _rows(connection, chosen, kind=format, since=since, until=until)
        while block := list(islice(rows, _ROWS_A_BLOCK)):
            _add(totals, block)
            out.write(encode(chosen, [row[0] for row in block]))
        _require_integers(totals)
    return totals


# Reading


def _rows(
    connection: sqlite3.Connection,
    table: Table,
    *,
    kind: str,
    since: Optional[str],
    until: Optional[str],
) -> Iterator[tuple[Any, ...]]:
    """(line, nano, currency, basis, tokens, unpriced tokens) of every row, in the order of the table.

    The order is an outermost ORDER BY, which SQL guarantees; lines are never joined by an aggregate inside SQLite,
    whose order is only a habit. Both formats share it. All SQL here is made of constants; values are bound.
    """
    line = table.csv_line if kind == "csv" else table.json_line
    select = f"SELECT {line}, {', '.join(table.sums)} {table.rows}"
    order = f" ORDER BY {table.order.format(line=table.csv_line)}"
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
    """One read transaction, so that a writer beside us is seen wholly or not at all; or that of the caller."""
    ours = not connection.in_transaction
    if ours:
        connection.execute("BEGIN")
    try:
        yield
    finally:
        if ours and connection.in_transaction:  # SQLite ends it by itself after some errors
            connection.execute("ROLLBACK")


@contextmanager
def _damage_named(table: str) -> Iterator[None]:
    """Text that is no UTF-8, or a BLOB in place of text, is damage; other errors of SQLite are for the caller."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if not any(sign in str(error) for sign in ("UTF-8", "BLOB", "user-defined function")):
            raise
        raise _damaged(f"exporting {table}: a cell holds bytes that are not text") from error


def _damaged(message: str) -> StoreError:
    return StoreError(message, hint="the program never stores that: restore a backup, or mend the row with sqlite3")


# Adding up


def _add(totals: Totals, rows: Sequence[tuple[Any, ...]]) -> None:
    _, nanos, currencies, bases, tokens, unpriced = zip(*rows)
    costs = totals.cost_nano
    # Nearly every block has one currency and one basis: then the adding is one call.
    if currencies.count(currencies[0]) == bases.count(bases[0]) == len(rows):
        groups = [(currencies[0], bases[0], [nano for nano in nanos if nano is not None])]
    else:
        groups = [(*key, [nano]) for *key, nano in zip(currencies, bases, nanos) if nano is not None]
    try:
        for currency, basis, known in groups:
            if known:
                costs[currency, basis] = costs.get((currency, basis), 0) + sum(known)
        totals.tokens += sum([count for count in tokens if count is not None])
        totals.unpriced_tokens += sum([count for count in unpriced if count is not None])
    except TypeError as error:
        raise _damaged("export: an amount or a number of tokens is stored as text") from error
    totals.rows += len(rows)


def _require_integers(totals: Totals) -> None:
    """A REAL among the amounts turns its sum into a float, which is no longer exact: found here, once."""
    if not all(isinstance(number, int) for number in (totals.tokens, *totals.cost_nano.values())):
        raise _damaged("export: an amount is stored as a floating point number")


# Writing


def _jsonl(_: Table, lines: Sequence[str]) -> bytes:
    text = "\n".join(lines) + "\n"
    if not text.isascii():
        text = _NOT_ASCII.sub(_escape, text)
    return text.encode("ascii")


def _escape(found: re.Match[str]) -> str:
    return _escaped(found[0])


@lru_cache(maxsize=4096)
def _escaped(text: str) -> str:
    return json.dumps(text)[1:-1]


def _csv(table: Table, lines: Sequence[str]) -> bytes:
    bare = [line[2:-2] for line in lines]
    if _is_usual(bare):
        return _usual_csv(bare).encode()
    pairs = zip(lines, bare)
    return "".join([_usual_csv([b]) if _is_usual([b]) else _careful_csv(table, line) for line, b in pairs]).encode()


def _is_usual(bare: Sequence[str]) -> bool:
    """Whether no cell holds a quote, a line break, a control character or NUL, nor may start a formula.

    JSON wrote a backslash for each of the former, so that looking for one character finds them all.
    """
    text = SEPARATOR + SEPARATOR.join(bare)
    return "\\" not in text and _FORMULA_MAY_START.search(text) is None


def _usual_csv(bare: Sequence[str]) -> str:
    text = "\r\n".join(bare) + "\r\n"
    return (_quote_commas(text) if "," in text else text).replace(SEPARATOR, ",")


def _quote_commas(text: str) -> str:
    """Quotes around each cell that holds a comma; a cell ends at the separator or where its line does."""
    pieces: list[str] = []
    done, comma = 0, text.find(",")
    while comma >= 0:
        start = 1 + max(text.rfind(SEPARATOR, done, comma), text.rfind("\n", done, comma))
        line_end = text.find("\r", comma)
        cell_end = text.find(SEPARATOR, comma, line_end)
        end = line_end if cell_end < 0 else cell_end
        pieces += (text[done:start], '"', text[start:end], '"')
        done, comma = end, text.find(",", end)
    pieces.append(text[done:])
    return "".join(pieces)


def _careful_csv(table: Table, line: str) -> str:
    cells = json.loads(line.replace(SEPARATOR, '","'))
    pairs = zip(table.columns, cells)
    return ",".join([_text(x) if column.kind == "text" else _number(column, x) for column, x in pairs]) + "\r\n"


@lru_cache(maxsize=256)
def _text(text: str) -> str:
    """One CSV cell: a ' before what a spreadsheet would run, quotes where a reader needs them."""
    if "\0" in text:
        raise _damaged("export: a text holds a NUL character, which no CSV can carry")
    if text.startswith(("\t", "\r")) or text.lstrip().startswith(("=", "+", "-", "@")):
        text = "'" + text
    if any(mark in text for mark in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def _number(column: Column, text: str) -> str:
    """As it is, since a guard would make a text of it; so it must be a number, or it might be a formula."""
    if text and not _NUMBER.fullmatch(text):
        raise _damaged(f"export: a value of {column.name} is not a number")
    return text
