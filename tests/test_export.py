"""Exports: exact, inert in a spreadsheet, the same bytes every time, and never more memory than a block of rows."""

import csv
import errno
import io
import json
import re
import sqlite3
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_os.core import export
from agent_os.core.columns import TABLES
from agent_os.core.errors import StoreError, UsageError
from agent_os.core.export import format_file_name, write_export
from agent_os.core.migrations import MIGRATIONS

SEEN_AT = "2026-11-22T05:00:00.123Z"
MOST, LEAST = 2**63 - 1, -(2**63)
RESULT_NAMES = "date,provider,tokens,cost,currency,basis,day_status,run_id,created_at,updated_at,unpriced_tokens"
LINE_NAMES = (
    "date,provider,kind,report,account,project,model,api_key,line_item,cost_type,token_type,tier,context,region,"
    "quantity,unit,cost,currency,basis,observed_at,batch_id,price"
)
RUN_NAMES = (
    "id,plugin_name,status,started_at,finished_at,error,task,invocation_id,window_start,window_end,requests,notes"
)
RESULT = {
    "run_id": "r1",
    "provider": "openai",
    "date": "2026-11-21",
    "tokens": 5,
    "raw_json": "{}",
    "created_at": SEEN_AT,
    "cost_nano": 12_500_000_000,
    "currency": "USD",
    "basis": "reported",
    "day_status": "settled",
    "updated_at": SEEN_AT,
}
LINE = {
    "provider": "openai",
    "date": "2026-11-21",
    "kind": "cost",
    "report": "costs",
    "quantity": 7,
    "unit": "tokens",
    "amount_nano": 12_500_000_000,
    "currency": "USD",
    "basis": "reported",
    "batch_id": 1,
    "observed_at": SEEN_AT,
}
RUN = {
    "id": "r1",
    "plugin_name": "openai",
    "status": "success",
    "started_at": "2026-11-21T06:00:00.000Z",
    "task": "run_all",
    "invocation_id": "i1",
}


def new_database(path=":memory:"):
    connection = sqlite3.connect(path, isolation_level=None)
    for _, statements in MIGRATIONS:
        for statement in statements:
            connection.execute(statement)
    return connection


@pytest.fixture
def database():
    connection = new_database()
    yield connection
    connection.close()


def insert(connection, table, common, *rows):
    for row in rows:
        record = {**common, **row}
        names, marks = ", ".join(record), ", ".join("?" * len(record))
        connection.execute(f"INSERT INTO {table}({names}) VALUES({marks})", list(record.values()))


def insert_results(connection, *rows):
    """Rows with their own days, unless they say which."""
    days = [f"{2000 + number // 28}-01-{number % 28 + 1:02}" for number in range(len(rows))]
    insert(connection, "results", RESULT, *({"date": day, **row} for day, row in zip(days, rows)))


def insert_lines(connection, *rows):
    insert(connection, "result_lines", LINE, *rows)


def exported(connection, table="results", kind="csv", **limits):
    out = io.BytesIO()
    totals = write_export(connection, table=table, format=kind, out=out, **limits)
    return out.getvalue(), totals


def rows_of(connection, table="results", kind="csv", **limits):
    """The rows as a reader sees them: dicts, with the values that csv or json gives."""
    text = exported(connection, table, kind, **limits)[0].decode("utf-8" if kind == "csv" else "ascii")
    if kind == "csv":
        return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    return [json.loads(line) for line in text.split("\n")[:-1]]


# What is in the file


def test_a_csv_of_results_is_exactly_these_bytes(database):
    """A header, CRLF, no BOM, the fixed columns; unknown is empty and never zero."""
    insert_results(database, {"date": "2026-11-21"}, {"date": "2026-11-22", "tokens": None, "cost_nano": None})
    assert (
        exported(database)[0]
        == (
            f"{RESULT_NAMES}\r\n"
            f"2026-11-21,openai,5,12.50,USD,reported,settled,r1,{SEEN_AT},{SEEN_AT},0\r\n"
            f"2026-11-22,openai,,,USD,reported,settled,r1,{SEEN_AT},{SEEN_AT},0\r\n"
        ).encode()
    )


def test_jsonl_of_results_is_exactly_these_bytes(database):
    """One object a line, cost as a string, null for what is unknown."""
    insert_results(database, {"date": "2026-11-21", "cost_nano": None, "tokens": None}, {"date": "2026-11-22"})
    rest = (
        f'"day_status":"settled","run_id":"r1","created_at":"{SEEN_AT}","updated_at":"{SEEN_AT}",'
        '"unpriced_tokens":0}\n'
    )
    assert exported(database, kind="jsonl")[0] == (
        '{"date":"2026-11-21","provider":"openai","tokens":null,"cost":null,"currency":"USD","basis":"reported",'
        + rest
        + '{"date":"2026-11-22","provider":"openai","tokens":5,"cost":"12.50","currency":"USD","basis":"reported",'
        + rest
    ).encode("ascii")


def test_a_csv_of_lines_is_exactly_these_bytes(database):
    """The dimensions in their fixed order; a cell with a comma is quoted, others are not."""
    insert_lines(database, {"model": "gpt-5", "line_item": "gpt-5, input", "project": "p 1"})
    assert (
        exported(database, "lines")[0]
        == (
            f"{LINE_NAMES}\r\n"
            f'2026-11-21,openai,cost,costs,,p 1,gpt-5,,"gpt-5, input",,,,,,7,tokens,12.50,USD,reported,{SEEN_AT},1,\r\n'
        ).encode()
    )


def test_a_csv_of_runs_is_exactly_these_bytes(database):
    """Errors may run over lines; what is not known yet is empty."""
    insert(database, "runs", RUN, {"error": 'refused: "no",\r\nsays it'}, {"id": "r2", "status": "running"})
    assert (
        exported(database, "runs")[0]
        == (
            f"{RUN_NAMES}\r\n"
            'r1,openai,success,2026-11-21T06:00:00.000Z,,"refused: ""no"",\r\nsays it",run_all,i1,,,0,\r\n'
            "r2,openai,running,2026-11-21T06:00:00.000Z,,,run_all,i1,,,0,\r\n"
        ).encode()
    )


@pytest.mark.parametrize("table", TABLES)
def test_an_empty_table_is_a_header_in_csv_and_nothing_in_jsonl(database, table):
    """An export of nothing is still a valid file."""
    header, totals = exported(database, table)
    assert header.count(b"\r\n") == 1
    assert header.endswith(b"\r\n")
    assert (totals.rows, totals.cost_nano, totals.tokens) == (0, {}, 0)
    assert exported(database, table, "jsonl")[0] == b""


def test_lines_that_were_superseded_are_not_exported(database):
    """An export says what we know now."""
    insert_lines(database, {"model": "old", "superseded_at": SEEN_AT}, {"model": "new"})
    assert [row["model"] for row in rows_of(database, "lines")] == ["new"]


# Money


MONEY = {
    "zero": (0, "0.00"),
    "two decimals at least": (12_500_000_000, "12.50"),
    "whole": (7_000_000_000, "7.00"),
    "three": (1_001_000_000, "1.001"),
    "seven": (12_300_500, "0.0123005"),
    "nine": (1, "0.000000001"),
    "below zero": (-60_000_000, "-0.06"),
    "the least below zero": (-1, "-0.000000001"),
    "minus whole": (-3_000_000_000, "-3.00"),
    "minus with digits": (-1_234_567_891, "-1.234567891"),
    "the largest integer": (MOST, "9223372036.854775807"),
    "the smallest integer": (LEAST, "-9223372036.854775808"),
    "more digits than a double has": (1_234_567_890_123_456_789, "1234567890.123456789"),
}


@pytest.mark.parametrize(("nano", "text"), MONEY.values(), ids=MONEY)
@pytest.mark.parametrize("kind", export.FORMATS)
def test_money_is_the_shortest_exact_decimal_with_two_decimals_at_least(database, nano, text, kind):
    """The text is the integer in the database, digit for digit."""
    insert_results(database, {"cost_nano": nano})
    assert [row["cost"] for row in rows_of(database, kind=kind)] == [text]


def test_totals_are_those_of_the_database_even_beyond_its_integers(database):
    """Sums have no upper bound; currencies and bases are never added together; unknown is in none."""
    insert_results(
        database,
        *[{"cost_nano": MOST, "tokens": MOST}] * 3,
        {"cost_nano": 5, "currency": "EUR", "tokens": None},
        {"cost_nano": 7, "basis": "estimated"},
        {"cost_nano": None, "currency": "NOK"},
    )
    totals = exported(database)[1]
    assert totals.rows == 6
    assert totals.tokens == 3 * MOST + 5 + 5
    assert totals.cost_nano == {("USD", "reported"): 3 * MOST, ("EUR", "reported"): 5, ("USD", "estimated"): 7}


def test_a_known_zero_is_a_sum_and_an_unknown_amount_is_none(database):
    """Zero was charged, or nobody knows: two different facts."""
    insert_lines(database, {"amount_nano": 0}, {"amount_nano": None, "currency": ""})
    assert exported(database, "lines")[1].cost_nano == {("USD", "reported"): 0}


def test_totals_of_lines_are_kept_by_currency_and_basis(database):
    """The same holds for lines, over several days and providers."""
    insert_lines(
        database,
        {"amount_nano": 3},
        {"amount_nano": -1, "date": "2026-11-20"},
        {"amount_nano": 10, "provider": "anthropic", "basis": "imported"},
        {"amount_nano": None, "kind": "usage", "currency": ""},
    )
    totals = exported(database, "lines", "jsonl")[1]
    assert (totals.rows, totals.cost_nano) == (4, {("USD", "reported"): 2, ("USD", "imported"): 10})


@pytest.mark.parametrize("value", [1.5, "12abc"], ids=["a float", "a text"])
@pytest.mark.parametrize("column", ["cost_nano", "tokens"])
def test_an_amount_that_is_no_integer_is_damage(database, column, value):
    """A column of SQLite keeps what it is given; what is not exact is not exported as if it were."""
    insert_results(database, {column: value})
    with pytest.raises(StoreError, match="stored as"):
        exported(database)


# Cells


CELLS = {
    "empty": ("", ""),
    "plain": ("gpt-5", "gpt-5"),
    "comma": ("gpt-5, input", '"gpt-5, input"'),
    "only commas": (",,", '",,"'),
    "quote": ('5" disk', '"5"" disk"'),
    "quote and comma, as between two cells": ('a","b', '"a"",""b"'),
    "ends like a cell": ('a",', '"a"","'),
    "CRLF": ("a\r\nb", '"a\r\nb"'),
    "LF": ("a\nb", '"a\nb"'),
    "CR": ("a\rb", '"a\rb"'),
    "backslash": ("a\\b", "a\\b"),
    "backslash at the end": ("a\\", "a\\"),
    "written like an escape": (r"a\u0000b", r"a\u0000b"),
    "unit separator": ("a\x1fb", "a\x1fb"),
    "other control character": ("a\x01b", "a\x01b"),
    "brackets": ('["a"]', '"[""a""]"'),
    "null": ("null", "null"),
    "unicode": ("Bjørn 模型 🙂", "Bjørn 模型 🙂"),
    "line separator of unicode": ("a\u2028b", "a\u2028b"),
    "ten thousand": ("x" * 10_000, "x" * 10_000),
    "formula": ("=1+1", "'=1+1"),
    "plus": ("+1", "'+1"),
    "minus": ("-1", "'-1"),
    "at": ("@SUM(A1)", "'@SUM(A1)"),
    "tab": ("\t=1", "'\t=1"),
    "tab before text": ("\tx", "'\tx"),
    "CR first": ("\rx", '"\'\rx"'),
    "spaces before a formula": ("  =1", "'  =1"),
    "no-break space before a formula": ("\xa0=1", "'\xa0=1"),
    "ideographic space before a formula": ("\u3000@x", "'\u3000@x"),
    "LF before a formula": ("\n=1", '"\'\n=1"'),
    "formula with comma and quote": ('=HYPERLINK("http://x","y")', '"\'=HYPERLINK(""http://x"",""y"")"'),
    "spaces before text": ("  x", "  x"),
    "only spaces": ("   ", "   "),
    "formula later": ("a=1", "a=1"),
}


@pytest.mark.parametrize(("value", "cell"), CELLS.values(), ids=CELLS)
@pytest.mark.parametrize("column", ["project", "account", "region"])
def test_a_csv_cell_is_quoted_where_it_must_be_and_cannot_run(database, value, cell, column):
    """RFC 4180, and a ' before what a spreadsheet would take for a formula."""
    insert_lines(database, {column: value}, {"date": "2026-11-22"})
    cells = {"account": "", "project": "", "region": "", column: cell}
    assert exported(database, "lines")[0].decode() == (
        f"{LINE_NAMES}\r\n2026-11-21,openai,cost,costs,{cells['account']},{cells['project']},,,,,,,,{cells['region']},"
        f"7,tokens,12.50,USD,reported,{SEEN_AT},1,\r\n"
        f"2026-11-22,openai,cost,costs,,,,,,,,,,,7,tokens,12.50,USD,reported,{SEEN_AT},1,\r\n"
    )


@pytest.mark.parametrize(("value", "cell"), CELLS.values(), ids=CELLS)
@pytest.mark.parametrize("column", ["date", "updated_at"])
def test_the_first_and_the_last_cell_of_a_line_are_no_exception(database, value, cell, column):
    """Cells have one neighbour there, which is where a shortcut would go wrong."""
    insert_results(database, {column: value}, {})
    cells = {"date": "2000-01-01", "updated_at": SEEN_AT, column: cell}
    line = f"{cells['date']},openai,5,12.50,USD,reported,settled,r1,{SEEN_AT},{cells['updated_at']},0\r\n"
    assert line in exported(database)[0].decode()


@pytest.mark.parametrize("value", [case[0] for case in CELLS.values()], ids=CELLS)
def test_a_jsonl_value_is_the_stored_one_in_ascii(database, value):
    """JSON can carry any text as it is, so it does."""
    insert_lines(database, {"project": value})
    assert [row["project"] for row in rows_of(database, "lines", "jsonl")] == [value]


@pytest.mark.parametrize("value", ["a\0b", "\0", 'a\0"'])
def test_nul_is_refused_in_csv(database, value):
    """No CSV reader agrees with another about NUL."""
    insert_lines(database, {"project": value})
    with pytest.raises(StoreError, match="NUL"):
        exported(database, "lines")


@pytest.mark.parametrize(
    ("value", "cell"), [(None, ""), (0, "0"), (-5, "-5"), (MOST, str(MOST)), ("0.125", "0.125"), ("-0.5", "-0.5")]
)
def test_numbers_are_written_as_they_are(database, value, cell):
    """A minus before a number is no formula."""
    insert_lines(database, {"quantity": value, "amount_nano": -1})
    assert [(row["quantity"], row["cost"]) for row in rows_of(database, "lines")] == [(cell, "-0.000000001")]
    assert [row["quantity"] for row in rows_of(database, "lines", "jsonl")] == [value]


@pytest.mark.parametrize("value", ["=1+1", "-1+cmd|' /C calc'!A0", "@x", "1\r\n2", "+5"])
def test_a_formula_in_a_column_of_numbers_is_refused(database, value):
    """Numbers go unguarded, so what goes there must be one."""
    insert_lines(database, {"quantity": value})
    with pytest.raises(StoreError, match="quantity is not a number"):
        exported(database, "lines")


@pytest.mark.parametrize("value", [b"\xff\xfe", b"abc"], ids=["not text", "text, as bytes"])
@pytest.mark.parametrize("kind", export.FORMATS)
def test_bytes_in_place_of_text_are_damage(database, value, kind):
    """The sentence names the table; the bytes are not written."""
    insert_lines(database, {"project": value})
    with pytest.raises(StoreError, match="exporting lines: a cell holds bytes"):
        exported(database, "lines", kind)


def test_text_that_is_no_utf8_is_damage(database):
    """What claims to be text and is not cannot be written as UTF-8."""
    database.execute("CREATE TEMP TABLE t(x)")
    insert_lines(database, {})
    database.execute("UPDATE result_lines SET project = CAST(x'ff41' AS TEXT)")
    with pytest.raises(StoreError, match="exporting lines: a cell holds bytes"):
        exported(database, "lines")


def test_a_row_without_an_id_is_exported_with_an_empty_one(database):
    """SQLite lets a text primary key be NULL."""
    insert(database, "runs", RUN, {"id": None})
    assert [row["id"] for row in rows_of(database, "runs")] == [""]
    assert [row["id"] for row in rows_of(database, "runs", "jsonl")] == [None]


# Against an independent reader


ODD = st.text(st.sampled_from(list("ab\\\"',;=+-@ \t\r\n\x1f\x1e\x7f[]{}nu0\xa0é\u2028🙂")), max_size=8)
TEXTS = st.one_of(ODD, st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20))
NANOS = st.one_of(st.none(), st.integers(LEAST, MOST), st.integers(-(10**10), 10**10))
DIMENSIONS = ("report", "account", "project", "model", "line_item", "region", "unit", "currency")
LINES = st.fixed_dictionaries(
    {
        "date": st.sampled_from(["2026-11-20", "2026-11-21"]),
        "provider": st.sampled_from(["anthropic", "openai"]),
        "quantity": st.one_of(st.none(), st.integers(LEAST, MOST)),
        "amount_nano": NANOS,
        **dict.fromkeys(DIMENSIONS, TEXTS),
    }
)


def guarded(text):
    """The rule of the formula guard, written a second time."""
    bare = text.lstrip()
    return "'" + text if text[:1] in ("\t", "\r") or (bare and bare[0] in "=+-@") else text


def decimal_or_none(text):
    return Decimal(text) if text else None


@settings(max_examples=60, deadline=None)
@given(st.lists(LINES, max_size=12))
def test_whatever_the_lines_hold_a_reader_gets_it_back(lines):
    """Every cell, every amount to the last digit, and the sums, through the csv and json modules."""
    database = new_database()
    insert_lines(database, *lines)
    csv_rows, jsonl_rows = rows_of(database, "lines"), rows_of(database, "lines", "jsonl")

    def wanted(guard):
        return sorted(
            [
                line["date"],
                line["provider"],
                *[guard(line[name]) for name in DIMENSIONS],
                str(line["quantity"]),
                str(line["amount_nano"]),
            ]
            for line in lines
        )

    def found(rows):
        return sorted(
            [
                row["date"],
                row["provider"],
                *[row[name] for name in DIMENSIONS],
                "None" if row["quantity"] in ("", None) else str(row["quantity"]),
                str(int(Decimal(row["cost"]).scaleb(9)) if row["cost"] else None),
            ]
            for row in rows
        )

    assert found(csv_rows) == wanted(guarded)
    assert found(jsonl_rows) == wanted(str)
    assert [row["batch_id"] for row in csv_rows] == ["1"] * len(lines)

    sums = {}
    for row in jsonl_rows:
        if row["cost"] is not None:
            key = (row["currency"], row["basis"])
            sums[key] = sums.get(key, 0) + int(Decimal(row["cost"]).scaleb(9))
    assert exported(database, "lines")[1].cost_nano == sums
    assert exported(database, "lines", "jsonl")[1].cost_nano == sums
    database.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(NANOS, TEXTS, TEXTS), max_size=12))
def test_whatever_the_results_hold_a_reader_gets_it_back(rows):
    """The same for the table whose rows come out of an index, in its order."""
    database = new_database()
    insert_results(database, *[{"cost_nano": nano, "run_id": a, "updated_at": b} for nano, a, b in rows])
    for kind, guard in (("csv", guarded), ("jsonl", str)):
        found = [
            (row["run_id"], row["updated_at"], decimal_or_none(row["cost"])) for row in rows_of(database, kind=kind)
        ]
        assert found == [(guard(a), guard(b), nano if nano is None else Decimal(nano) / 10**9) for nano, a, b in rows]
    database.close()


def test_the_sum_of_the_cells_is_the_sum_of_the_database(database):
    """What the user adds up is what the ledger holds, over more rows than one block."""
    insert_results(database, *[{"cost_nano": number * 7_919_113 - 10**9} for number in range(1, 1001)])
    nano = database.execute("SELECT sum(cost_nano) FROM results").fetchone()[0]
    rows = rows_of(database)
    assert len(rows) == 1000
    assert sum(Decimal(row["cost"]) for row in rows) == Decimal(nano).scaleb(-9)
    assert exported(database)[1].cost_nano == {("USD", "reported"): nano}


# Order and limits


def test_results_are_sorted_by_day_and_provider(database):
    """Whatever order they came in."""
    days = [("2026-11-22", "b"), ("2026-11-21", "b"), ("2026-11-22", "a"), ("2026-11-21", "a")]
    insert_results(database, *[{"date": day, "provider": provider} for day, provider in days])
    assert [(row["date"], row["provider"]) for row in rows_of(database)] == sorted(days)


@pytest.mark.parametrize("kind", export.FORMATS)
def test_lines_are_sorted_by_their_columns_in_turn(database, kind):
    """By cell, not by the joined text: "gpt 5" and "gpt!" come after "gpt", whatever character ends a cell."""
    names = ("date", "provider", "kind", "report", "project", "model")
    wanted = [
        ("2026-11-20", "openai", "usage", "z", "z", "z"),
        ("2026-11-21", "anthropic", "usage", "z", "z", "z"),
        ("2026-11-21", "openai", "cost", "costs", "", "b"),
        ("2026-11-21", "openai", "cost", "costs", "gpt", "z"),
        ("2026-11-21", "openai", "cost", "costs", "gpt 5", "a"),
        ("2026-11-21", "openai", "cost", "costs", "gpt!", "a"),
        ("2026-11-21", "openai", "cost", "costs", "gpt,5", "a"),
        ("2026-11-21", "openai", "cost", "costs", "é", "a"),
        ("2026-11-21", "openai", "usage", "audio", "", ""),
    ]
    insert_lines(database, *[dict(zip(names, row)) for row in reversed(wanted)])
    assert [tuple(row[name] for name in names) for row in rows_of(database, "lines", kind)] == wanted


@pytest.mark.parametrize("kind", export.FORMATS)
def test_runs_are_sorted_by_start_and_id(database, kind):
    """Two may start in one millisecond."""
    starts = [("b", "06"), ("a", "06"), ("c", "05")]
    insert(database, "runs", RUN, *[{"id": i, "started_at": f"2026-11-21T{h}:00:00.000Z"} for i, h in starts])
    assert [row["id"] for row in rows_of(database, "runs", kind)] == ["c", "a", "b"]


@pytest.mark.parametrize("kind", export.FORMATS)
def test_the_same_rows_in_another_order_are_the_same_bytes(kind):
    """Row numbers leave no trace: an export can be compared with one from a restored or refilled database."""
    lines = [{"model": model, "amount_nano": nano} for model in ("a", "b", "a") for nano in (3, 1, None, 2)]
    one, other = new_database(), new_database()
    insert_lines(one, *lines)
    insert_lines(other, *reversed(lines))
    assert exported(one, "lines", kind) == exported(one, "lines", kind) == exported(other, "lines", kind)
    one.close()
    other.close()


LIMITS = {
    "neither": (None, None, ["20", "21", "22"]),
    "since is inclusive": ("2026-11-21", None, ["21", "22"]),
    "until is exclusive": (None, "2026-11-21", ["20"]),
    "one day": ("2026-11-21", "2026-11-22", ["21"]),
    "no day": ("2026-11-21", "2026-11-21", []),
    "the wrong way round": ("2026-11-22", "2026-11-20", []),
    "bound, not pasted": ("2026-11-20~' OR '1'='1", None, ["21", "22"]),
    "bound, with a second statement": (None, "2026-11-21~'; DROP TABLE results; --", ["20", "21"]),
}


@pytest.mark.parametrize(("since", "until", "days"), LIMITS.values(), ids=LIMITS)
@pytest.mark.parametrize("kind", export.FORMATS)
@pytest.mark.parametrize("table", TABLES)
def test_since_is_inclusive_and_until_exclusive(database, table, kind, since, until, days):
    """For runs it is the day on which they started, from its first to its last millisecond."""
    for day in ("20", "21", "22"):
        insert_results(database, {"date": f"2026-11-{day}"})
        insert_lines(database, {"date": f"2026-11-{day}"})
    starts = ["20T00:00:00.000Z", "20T23:59:59.999Z", "21T00:00:00.000Z", "21T23:59:59.999Z", "22T00:00:00.000Z"]
    insert(database, "runs", RUN, *[{"id": start, "started_at": f"2026-11-{start}"} for start in starts])
    rows = rows_of(database, table, kind, since=since, until=until)
    found = [(row["started_at"] if table == "runs" else row["date"])[8:10] for row in rows]
    assert found == ([start[:2] for start in starts if start[:2] in days] if table == "runs" else days)
    assert exported(database, table, kind, since=since, until=until)[1].rows == len(found)


def test_no_table_is_sorted_as_a_whole_and_none_is_read_without_an_index(database):
    """A million rows are never sorted at once: results come out of an index, lines are sorted a day at a time."""
    insert_results(database, {})
    insert_lines(database, {})
    insert(database, "runs", RUN, {})
    seen = []
    for table in TABLES:
        database.set_trace_callback(seen.append)
        exported(database, table, since="2000-01-01")
        database.set_trace_callback(None)
    plans = {
        sql: [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {sql}")]
        for sql in seen
        if re.search(r"FROM (results|result_lines|runs)\b", sql)
    }
    sorted_by = {sql: [step for step in plan if "TEMP B-TREE" in step] for sql, plan in plans.items()}
    searched = [plan[0] for plan in plans.values()]
    assert len(plans) == 4
    assert all("INDEX" in step for step in searched), searched
    for sql, steps in sorted_by.items():
        if "FROM results" in sql:
            assert steps == []
        if "replace(json_array" in sql and "FROM result_lines" in sql:
            assert "date = '2026-11-21' AND provider = 'openai'" in sql


# The file and its surroundings


class FullDisk(io.RawIOBase):
    """Takes the first writes, then has no room."""

    def __init__(self, writes):
        super().__init__()
        self.left = writes

    def write(self, data):
        if self.left == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.left -= 1
        return len(data)


@pytest.mark.parametrize("writes", [0, 1, 2])
@pytest.mark.parametrize("table", ["results", "lines"])
def test_a_full_disk_is_passed_on_and_the_database_is_free_again(database, table, writes):
    """The caller owns the file and its cleaning up; the read transaction is ours and ends."""
    insert_results(database, *[{} for _ in range(600)])
    insert_lines(database, *[{} for _ in range(600)])
    with pytest.raises(OSError, match="No space left") as caught:
        write_export(database, table=table, format="csv", out=FullDisk(writes))
    assert caught.value.errno == errno.ENOSPC
    assert not database.in_transaction
    database.execute("DELETE FROM results")


def test_an_export_sees_one_moment(tmp_path):
    """A writer that commits in the middle changes nothing in the file, nor in the totals."""
    path = str(tmp_path / "agent_os.db")
    reader = new_database(path)
    reader.execute("PRAGMA journal_mode = WAL")
    insert_lines(reader, *[{"date": f"2026-11-{day}", "model": str(n)} for day in (20, 21) for n in range(300)])
    writer = sqlite3.connect(path, isolation_level=None)

    class Interrupted(io.BytesIO):
        def write(self, data):
            if self.tell() > 0:
                writer.execute("UPDATE result_lines SET superseded_at = 'now' WHERE date = '2026-11-21'")
            return super().write(data)

    before = exported(reader, "lines")
    out = Interrupted()
    totals = write_export(reader, table="lines", format="csv", out=out)
    assert (out.getvalue(), totals) == before
    assert exported(reader, "lines")[1].rows == 300
    writer.close()
    reader.close()


def test_a_transaction_of_the_caller_stays_open(database):
    """Inside one, its snapshot is used."""
    database.execute("BEGIN")
    insert_results(database, {})
    assert exported(database)[1].rows == 1
    assert database.in_transaction


def test_a_row_factory_of_the_caller_does_no_harm(database):
    """Connections are shared with code that likes its rows by name."""
    insert_lines(database, {})
    database.row_factory = lambda cursor, row: {"row": row}
    assert exported(database, "lines")[1].rows == 1


@pytest.mark.parametrize("kind", export.FORMATS)
def test_sqlite_without_json_gives_the_same_bytes(database, monkeypatch, kind):
    """SQLite before 3.38 may lack the functions; ours take their place."""
    odd = [value for value, _ in CELLS.values()]
    insert_lines(database, *[{"project": value, "quantity": None, "amount_nano": -5} for value in odd])
    wanted = rows_of(database, "lines", kind)
    database.create_function("json_array", -1, lambda *cells: export._compact(cells))
    database.create_function("json_object", -1, lambda *pairs: export._compact(dict(zip(pairs[::2], pairs[1::2]))))
    assert rows_of(database, "lines", kind) == wanted


def test_a_name_is_made_of_the_table_and_the_moment():
    """In UTC, to the second, without a character that a file system dislikes."""
    oslo = datetime(2026, 11, 22, 6, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=1)))
    assert format_file_name("results", "csv", oslo) == "agent_os-results-20261122T050000Z.csv"
    assert format_file_name("lines", "jsonl", oslo) == "agent_os-lines-20261122T050000Z.jsonl"


@pytest.mark.parametrize(("table", "kind"), [("batches", "csv"), ("results", "xlsx"), ("results; DROP", "csv")])
def test_an_unknown_table_or_format_is_a_usage_error(database, table, kind):
    """Nothing is written before that is known."""
    out = io.BytesIO()
    with pytest.raises(UsageError, match="there is no table"):
        write_export(database, table=table, format=kind, out=out)
    assert out.getvalue() == b""
