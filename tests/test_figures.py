"""Figures by hand: what a cell, a column and a sheet mean, and what of them is refused."""

from __future__ import annotations

import contextlib
import io
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_os.core import cells, headings
from agent_os.core.errors import PermanentError, UsageError
from agent_os.core.figures import Figures, Reader
from agent_os.core.money import decimal_text
from agent_os.core.sheet import Sheet

TODAY = "2026-11-26"

# --- money in a cell --------------------------------------------------------------------------------------------------

NBSP, THIN = "\u00a0", "\u202f"


@pytest.mark.parametrize(
    ("text", "point", "comma", "mark"),
    [
        ("1.234", "1.234", "1234", ""),  # nobody can tell from the cell alone
        ("1,234", "1234", "1.234", ""),
        ("0.123", "0.123", None, ""),  # a thousand never begins with 0
        ("0,123", None, "0.123", ""),
        ("1234.567", "1234.567", None, ""),
        ("1234,567", None, "1234.567", ""),
        ("12.50", "12.50", None, ""),
        ("12,50", None, "12.50", ""),
        ("1.234,56", None, "1234.56", ""),
        ("1,234.56", "1234.56", None, ""),
        ("1,234,567.8", "1234567.8", None, ""),
        ("1.234.567", None, "1234567", ""),
        ("1,234,567", "1234567", None, ""),
        (f"1{NBSP}234,5", None, "1234.5", ""),
        (f"1{THIN}234.567", "1234.567", None, ""),  # thousands are set apart already
        ("1'234.50", "1234.50", None, ""),
        ("1 234", "1234", "1234", ""),
        (".5", "0.5", None, ""),
        (",5", None, "0.5", ""),
        ("3", "3", "3", ""),
        ("1.2e-5", "0.000012", None, ""),
        ("$12.50", "12.50", None, "$"),
        ("12,50 €", None, "12.50", "€"),
        ("USD 3", "3", "3", "USD"),
        ("3usd", "3", "3", "USD"),
        ("US$ 1,000", "1000", "1", "US$"),
        ("$ 3 CAD", "3", "3", "CAD"),
        ("-$3.10", "-3.10", None, "$"),
        ("$-3.10", "-3.10", None, "$"),
        ("\u22123", "-3", "-3", ""),
        ("12.50-", "-12.50", None, ""),
        ("(12.50)", "-12.50", None, ""),
        ("($1,234.00)", "-1234.00", None, "$"),
        ("+3", "3", "3", ""),
    ],
)
def test_money_is_read_in_both_ways_that_there_are(text: str, point: str | None, comma: str | None, mark: str) -> None:
    """With a decimal point, with a decimal comma, None where it cannot be read so; and the sign or code in the cell."""
    wanted = tuple(None if each is None else int(Decimal(each) * 10**9) for each in (point, comma))
    assert cells.amount(text) == (wanted, mark)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "-", "n/a", "abc", "=1+1", "=SUM(A1)", "@cmd", "1.2.3", "1,23,456", "12,5,0", "5.", "12 34", "--3",
        "(-3)", "1 2 3", "12.50 foo", "$3 EUR", "USD 3 EUR", "1e99999", "NaN", "inf", "0x10", "1_000", "12.50%",
        "\u0661\u0662", "9" * 14,
    ],
)  # fmt: skip
def test_what_is_no_money_is_refused(text: str) -> None:
    """A formula, two signs, two currencies, thousands set wrong, too large: a sentence, never a guess."""
    with pytest.raises(ValueError, match=r"is not|two|large"):
        cells.amount(text)


@given(st.integers(-(10**15), 10**15))
def test_money_that_is_written_by_us_is_read_back_exactly(nano: int) -> None:
    """Plain, with thousands set apart, and the continental way."""
    text = decimal_text(nano)
    whole, _, fraction = text.partition(".")
    grouped = f"{int(whole.lstrip('-')):,}"
    sign = "-" if nano < 0 else ""
    continental = f"{sign}{grouped.replace(',', '.')},{fraction}"
    assert nano in cells.amount(text)[0]
    assert nano in cells.amount(f"{sign}{grouped}.{fraction}")[0]
    assert nano in cells.amount(continental)[0]


@given(st.text(max_size=30))
def test_any_text_is_money_or_a_sentence(text: str) -> None:
    """Nothing but ValueError leaves the readers of cells."""
    for read in (cells.amount, cells.day, cells.count, cells.words):
        with contextlib.suppress(ValueError):
            read(text)


@pytest.mark.parametrize(
    ("mark", "code", "meant"),
    [("$", "", "USD"), ("$", "CAD", "CAD"), ("€", "EUR", "EUR"), ("", "", ""), ("", "GBP", "GBP"), ("EUR", "", "EUR")],
)
def test_a_sign_means_a_currency(mark: str, code: str, meant: str) -> None:
    """A dollar is one of several where the column says so; alone it is the American one."""
    assert cells.currency(mark, code) == meant


@pytest.mark.parametrize(("mark", "code"), [("€", "USD"), ("EUR", "USD"), ("¥", ""), ("$", "EUR")])
def test_two_currencies_are_not_one(mark: str, code: str) -> None:
    """A cell that contradicts its column, or a sign that two currencies have, is refused."""
    with pytest.raises(ValueError, match=r"may be|was said"):
        cells.currency(mark, code)


# --- days and counts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        ("03/04/2026", "2026-04-03", "2026-03-04"),
        ("3-4-2026", "2026-04-03", "2026-03-04"),
        ("31/10/2026", "2026-10-31", None),
        ("10/31/2026", None, "2026-10-31"),
        ("3/3/2026", "2026-03-03", "2026-03-03"),
        ("03.04.2026", "2026-04-03", None),  # with points the day comes first
    ],
)
def test_a_day_with_the_year_at_the_end_has_two_readings(text: str, first: str | None, second: str | None) -> None:
    """Day first, month first; None where the calendar has no such day."""
    assert cells.day(text) == (first, second)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-11-21", "2026-11-21"),
        (" 2026-11-21 ", "2026-11-21"),
        ("2026/11/21", "2026-11-21"),
        ("20261121", "2026-11-21"),
        ("2026-11-21T23:30:00-02:00", "2026-11-22"),
        ("2026-11-21T00:30:00+02:00", "2026-11-20"),
        ("2026-11-21 00:30:00.123 UTC", "2026-11-21"),
        ("2026-11-21 23:00", "2026-11-21"),
        ("2026-11-21T10:00:00Z", "2026-11-21"),
        ("2026-11-21T10:00:00+0530", "2026-11-21"),
        ("1759622400", "2025-10-05"),
        ("1759622399", "2025-10-04"),
        ("1759622400123", "2025-10-05"),
        ("1759622400.0", "2025-10-05"),
    ],
)
def test_a_day_is_the_utc_day_of_what_is_written(text: str, day: str) -> None:
    """ISO days and instants, numbers, Unix seconds and milliseconds."""
    assert cells.day(text) == (day, day)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2026-10", "is a month"), ("10/2026", "is a month"), ("", "not a day"), ("31/11/2026", "not a day of any"),
        ("2026-02-30", "not a day"), ("03/04/26", "not a day"), ("Oct 3", "not a day"),
        ("45000", "not a day"),
        ("9999-12-31T23:59-05:00", "not a day"), ("2026-11-21T25:00Z", "not a day"),
    ],
)  # fmt: skip
def test_what_is_no_day_is_refused(text: str, why: str) -> None:
    """A month has no day to be stored under, and the serial numbers of spreadsheets look like anything."""
    with pytest.raises(ValueError, match=why):
        cells.day(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [("1500", 1500), ("1500.0", 1500), ("1,500", 1500), ("1 500", 1500), ("1.500.000", 1500000), ("0", 0), ("007", 7)],
)
def test_a_count_is_whole(text: str, count: int) -> None:
    """Also where a program has written it as a fraction, or a person with thousands set apart."""
    assert cells.count(text) == count


@pytest.mark.parametrize("text", ["1.500", "1.5", "1,5", "-3", "1e5", "1.23E+06", "", "abc", "9" * 19, "9" * 30, "=1"])
def test_what_is_no_count_is_refused(text: str) -> None:
    """1.500 may be one and a half; what a spreadsheet has rounded is not what was counted."""
    with pytest.raises(ValueError, match=r"whole number|large"):
        cells.count(text)


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "@SUM(1)", "ключ", "a  b"])
def test_a_text_stays_text(text: str) -> None:
    """Also one that a spreadsheet would compute; blanks in a row are one."""
    assert cells.words(text) == " ".join(text.split())


@pytest.mark.parametrize("text", ["a\x1b[31mb", "a\u202eb", "a\x07", "x" * 501])
def test_a_text_that_could_steer_a_terminal_is_refused(text: str) -> None:
    """Control characters and what changes the order of others; and what is too long for a name."""
    with pytest.raises(ValueError, match=r"control character|too long"):
        cells.words(text)


# --- the sheet --------------------------------------------------------------------------------------------------------


def sheet_of(tmp_path: Path, data: bytes) -> Sheet:
    path = tmp_path / "costs.csv"
    path.write_bytes(data)
    return Sheet(str(path))


TEXT = "Day;Model;Kosten €\n2026-11-01;Ünï “5”;12,50\n"


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (TEXT.encode(), "utf-8-sig"),
        (b"\xef\xbb\xbf" + TEXT.encode(), "utf-8-sig"),
        (TEXT.encode("utf-16"), "utf-16"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "utf-16"),
        (TEXT.encode("cp1252"), "cp1252"),
        (TEXT.replace("\n", "\r\n").encode(), "utf-8-sig"),
        (TEXT.replace("\n", "\r").encode(), "utf-8-sig"),
        (b"sep=;\r\n" + TEXT.encode(), "utf-8-sig"),
        (b"\r\n;;\r\n" + TEXT.encode() + b";;\n\n", "utf-8-sig"),
    ],
    ids=["utf-8", "bom", "utf-16", "utf-16-be", "cp1252", "crlf", "cr", "sep", "blank-lines"],
)
def test_a_sheet_is_read_in_the_encoding_that_it_has(tmp_path: Path, data: bytes, encoding: str) -> None:
    """With any ends of lines, after blank lines, and with the note that Excel puts at the top."""
    with sheet_of(tmp_path, data) as sheet:
        assert (sheet.encoding, sheet.delimiter, sheet.header) == (encoding, ";", ["Day", "Model", "Kosten €"])
        assert [line.cells for line in sheet.rows()] == [["2026-11-01", "Ünï “5”", "12,50"]]
        assert [line.cells[0] for line in sheet.rows()] == ["2026-11-01"]  # as often as wanted


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("a,b\n1,2\n", ","),
        ("a\tb\n1,5\t2,5\n", "\t"),
        ("a|b|c\n1|2|3\n", "|"),
        ('a;"b, net"\n1,5;2,5\n', ";"),
        ('"a;b",c\n1,2\n', ","),
        ("only\n1\n", ","),
    ],
)
def test_the_delimiter_is_the_one_that_cuts_every_line_alike(tmp_path: Path, text: str, delimiter: str) -> None:
    """Marks within quotation marks, and decimal commas, do not count."""
    with sheet_of(tmp_path, text.encode()) as sheet:
        assert sheet.delimiter == delimiter


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"PK\x03\x04rest", "Excel workbook"),
        (b"%PDF-1.7", "PDF"),
        (b"\x1f\x8b\x08", "compressed"),
        (b"\n <!DOCTYPE html><html>", "a web page"),
        (b'{"data": []}', "JSON"),
        (b"a,b\n1,\x00\n", "binary"),
        ("a,b\n1,\0\n".encode("utf-16"), "binary"),
        (b"\xff\xfe\x00\x00a\x00\x00\x00", "UTF-32"),
        (b"a,b\n\x81\xff,2\n", "neither UTF-8"),
        (b"x" * 201 + b",b\n1,2\n", "no line of names"),
        (b"1," * 500 + b"1\n", "no line of names"),
        (b'a,b\n"1,2\n3,4\n', "cannot be read as CSV at line 2"),
        (b'a,b\n1,"2"3\n', "cannot be read as CSV at line 2"),
        (b"a,b\n" + b"x" * 2**21, "longer|more than 1,048,576 characters, line 2"),
        (b'a,b\n"' + b"x" * 200_000 + b'"\n', "field larger"),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else "",
)
def test_what_is_no_sheet_is_refused_in_one_sentence(tmp_path: Path, data: bytes, why: str) -> None:
    """Workbooks, pages, archives, binary files, quotation marks that are not closed, lines without an end."""
    with pytest.raises(PermanentError, match=why), sheet_of(tmp_path, data) as sheet:
        list(sheet.rows())


def test_a_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    """What cannot be read twice is copied aside first."""
    with Sheet("-", stdin=io.BytesIO(TEXT.encode())) as sheet:
        assert (sheet.name, len(list(sheet.rows()))) == ("standard input", 1)


# --- what the columns mean --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "meanings"),
    [
        ("date,amount,currency", "date=date,amount=amount,currency=currency"),
        ("Day,Cost (USD),Model", 'date=Day,amount="Cost (USD)",model=Model,currency:=USD'),
        ("Datum;Beschreibung;Betrag €", 'date=Datum,amount="Betrag €",line_item=Beschreibung,currency:=EUR'),
        ("timestamp,cost_usd,prompt_tokens,completion_tokens",
         "date=timestamp,amount=cost_usd,input=prompt_tokens,output=completion_tokens,currency:=USD"),
        ("date,input_tokens,cached_input_tokens,output_tokens",
         "date=date,input_all=input_tokens,output=output_tokens,cache_read=cached_input_tokens"),
        ("date,input_tokens,cache_read_input_tokens,output_tokens",
         "date=date,input=input_tokens,output=output_tokens,cache_read=cache_read_input_tokens"),
        ("date,total_tokens", "date=date,tokens=total_tokens"),
        ("date,input_tokens,output_tokens,total_tokens", "date=date,input=input_tokens,output=output_tokens"),
        ("date,amount_cents", "date=date,cents=amount_cents"),
        ("day,EUR", "date=day,amount=EUR,currency:=EUR"),
        ("usage day,api spend,unit cost", 'date="usage day",amount="api spend"'),
        ("date,list_price_usd,cost_type,Net cost", 'date=date,amount="Net cost",cost_type=cost_type'),
    ],
)  # fmt: skip
def test_columns_are_guessed_by_their_names(header: str, meanings: str) -> None:
    """In several wordings; what is cached is within the input or apart from it, by the name that it has."""
    names = header.split(";" if ";" in header else ",")
    assert headings.as_map(headings.guess(names), names) == meanings


def test_what_is_guessed_can_be_given_back() -> None:
    """The text for --map means the same columns, whatever their names are."""
    header = ["Day", "Cost, net", "", "Model", "Model", 'He said "x"', "#1"]
    found = headings.Headings(
        {"date": 0, "amount": 1, "project": 2, "model": 4, "line_item": 5, "api_key": 6}, {"currency": "EUR"}, "guessed"
    )
    text = headings.as_map(found, header)
    assert text == 'date=Day,amount="Cost, net",project=#3,model=#5,line_item=#6,api_key=#7,currency:=EUR'
    again = headings.given(text, header)
    assert (again.columns, again.constants) == (found.columns, found.constants)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("date", "--map has 'date'"),
        ("datum=Day", "--map has 'datum=Day'"),
        ("date=", "--map has 'date='"),
        ("date=Tag", "no column 'Tag'"),
        ("date=Day,date=Cost", "names date twice"),
        ("date=Model", "2 columns are named 'Model'"),
        ("date=#9", "no column '#9'"),
    ],
)
def test_a_map_that_cannot_be_meant_is_refused(text: str, why: str) -> None:
    """With what there is instead."""
    with pytest.raises(UsageError, match=why):
        headings.given(text, ["Day", "Cost", "Model", "Model"])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("amount=Cost", "known to be a day"),
        ("date=Day", "money or a count"),
        ("date=Day,amount=Day", "two meanings"),
        ("date=Day,amount=Cost,cents=Model", "both amount and cents"),
        ("date=Day,output:=3", "output cannot be the same in every row"),
    ],
)
def test_headings_need_a_day_and_a_figure(text: str, why: str) -> None:
    """And one meaning a column."""
    header = ["Day", "Cost", "Model"]
    with pytest.raises(UsageError, match=why):
        headings.check(headings.given(text, header), header)


def test_a_sheet_without_names_is_refused() -> None:
    """Figures in the first line are no names of columns."""
    header = ["2026-10-30", "$1"]
    with pytest.raises(UsageError, match="the first line has figures where names should be"):
        headings.check(headings.guess(header), header)


# Invented rows under the headers of real exports.
EXPORTS = {
    "OpenAI, costs": (
        "start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,quantity,quantity_unit,line_item,"
        "user_id,api_key_id,project_id,organization_id,project_name,organization_name,user_email,api_source\n"
        "1759622400,1759708800,2025-10-05T00:00:00+00:00,2025-10-06T00:00:00+00:00,,,,,,,,,,,,,\n"
        "1759708800,1759795200,2025-10-06T00:00:00+00:00,2025-10-07T00:00:00+00:00,0.50000000000000000000,usd,10,tokens,"
        '"gpt-x, input",,key_1,proj_1,org-1,One,Us,a@b.example,\n',
        [("2025-10-06", "cost", "gpt-x, input", "", None, 500_000_000)],
        ["2025-10-05", "2025-10-06"],
    ),
    "OpenAI, usage": (
        "start_time,end_time,start_time_iso,end_time_iso,project_id,num_model_requests,user_id,api_key_id,model,batch,"
        "service_tier,input_tokens,output_tokens,input_cached_tokens,input_uncached_tokens,input_text_tokens\n"
        "1759622400,1759708800,a,b,proj_1,10.0,user-1,key_1,gpt-x,FALSE,default,5920.0,106.0,576.0,5344.0,5344.0\n",
        [
            ("2025-10-05", "usage", "", "", 10, None),
            ("2025-10-05", "usage", "", "cache_read", 576, None),
            ("2025-10-05", "usage", "", "input", 5344, None),
            ("2025-10-05", "usage", "", "output", 106, None),
        ],
        ["2025-10-05"],
    ),
    "Anthropic, cost": (
        "usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,list_price_usd,cost_type,"
        "inference_geo,speed,api_key_id,api_key_status\n"
        "2026-08-04,Claude Z,Default,demo,message,≤ 200k,input_no_cache,0.05,0.05,token,global,,apikey_1,active\n"
        "2026-08-04,Claude Z,Default,demo,message,≤ 200k,output,0.00,0.00,token,global,,apikey_1,active\n",
        [
            ("2026-08-04", "cost", "message", "input", None, 50_000_000),
            ("2026-08-04", "cost", "message", "output", None, 0),
        ],
        ["2026-08-04"],
    ),
    "Anthropic, usage": (
        "usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,"
        "usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,"
        "usage_output_tokens,web_search_count,inference_geo,speed\n"
        "2026-03-31 02:00,claude-z,k,Default,standard,≤ 200k,100,20,30,40,50,2,not_available,\n"
        "2026-03-31 03:00,claude-z,k,Default,standard,≤ 200k,100,0,0,0,0,0,not_available,\n",
        [
            ("2026-03-31", "usage", "", "", 2, None),
            ("2026-03-31", "usage", "", "cache_read", 40, None),
            ("2026-03-31", "usage", "", "cache_write_1h", 30, None),
            ("2026-03-31", "usage", "", "cache_write_5m", 20, None),
            ("2026-03-31", "usage", "", "input", 200, None),
            ("2026-03-31", "usage", "", "output", 50, None),
        ],
        ["2026-03-31"],
    ),
    "OpenRouter, activity by request": (
        "generation_id,created_at,cost_total,cost_web_search,cost_cache,byok_usage_inference,tokens_prompt,"
        "tokens_completion,tokens_reasoning,tokens_cached,model_permaslug,api_key_name,app_name\n"
        "gen-1,2026-06-28 03:46:57.713,0.0123,0,0,7,100,5,1,30,a/b,k,app\n"
        "gen-2,2026-06-28 03:46:57.713,0.0123,0,0,7,100,5,1,130,a/b,k,app\n",
        [
            ("2026-06-28", "cost", "", "", None, 24_600_000),
            ("2026-06-28", "usage", "", "", 2, None),
            ("2026-06-28", "usage", "", "cache_read", 160, None),
            ("2026-06-28", "usage", "", "input", 70, None),
            ("2026-06-28", "usage", "", "output", 10, None),
        ],
        ["2026-06-28"],
    ),
    "OpenRouter, activity by day": (
        "Date,Slug,Usage,BYOK Usage,Requests,Prompt Tokens,Completion Tokens,Reasoning Tokens\n"
        '"2026-05-12 00:00:00","a/b","4.07","9","41","709","30","0"\n',
        [
            ("2026-05-12", "cost", "", "", None, 4_070_000_000),
            ("2026-05-12", "usage", "", "", 41, None),
            ("2026-05-12", "usage", "", "input", 709, None),
            ("2026-05-12", "usage", "", "output", 30, None),
        ],
        ["2026-05-12"],
    ),
}


@pytest.mark.parametrize("title", EXPORTS)
def test_an_export_of_a_console_is_known_by_its_header(tmp_path: Path, title: str) -> None:
    """Money in whole units, kinds of token in our words, equal lines added up, and a day without figures kept."""
    text, records, days = EXPORTS[title]
    with sheet_of(tmp_path, text.encode()) as sheet:
        known = headings.known(sheet.header)
        assert known is not None
        assert known.origin == title
        found = Reader(sheet.header, known, today=TODAY, report="import").read(sheet.rows())
    shown = [(r.date, r.kind, r.line_item, r.token_type, r.quantity, r.amount_nano) for r in found.records]
    assert sorted(shown, key=str) == sorted(records, key=str)
    assert (found.days, found.bad) == (days, [])
    assert {record.basis for record in found.records} == {"imported"}
    assert {record.currency for record in found.records if record.kind == "cost"} <= {"USD"}


# --- rows -------------------------------------------------------------------------------------------------------------


def read(text: str, *, given: str = "", order: str = "", today: str = TODAY, currency: str = "USD") -> Figures:
    """What a sheet of text comes to; what its columns mean is guessed unless given."""
    with Sheet("-", stdin=io.BytesIO(text.encode())) as sheet:
        found = headings.given(given, sheet.header) if given else headings.guess(sheet.header)
        if currency and not {"currency"} & {*found.columns, *found.constants}:
            found = found._replace(constants={**found.constants, "currency": currency})
        return Reader(sheet.header, found._replace(order=order), today=today, report="import").read(sheet.rows())


def money(found: Figures) -> list[tuple[str, str, str]]:
    return [(r.date, decimal_text(r.amount_nano or 0), r.currency) for r in found.records if r.kind == "cost"]


def test_equal_rows_are_two_charges() -> None:
    """What is of one day and one kind is added up, exactly; other dimensions stay apart."""
    found = read("date,amount,model\n" + "2026-11-01,0.1,a\n" * 10 + "2026-11-01,0.2,b\n2026-11-02,0.1,a\n")
    assert money(found) == [("2026-11-01", "1.00", "USD"), ("2026-11-01", "0.20", "USD"), ("2026-11-02", "0.10", "USD")]
    assert [record.model for record in found.records] == ["a", "b", "a"]


def test_currencies_are_never_added() -> None:
    """Each has a line of its own, by the column or by the sign in the cell."""
    found = read("date,amount,currency\n2026-11-01,1,usd\n2026-11-01,2,EUR\n2026-11-01,€3,\n2026-11-01,4,USD\n")
    assert money(found) == [("2026-11-01", "5.00", "EUR"), ("2026-11-01", "5.00", "USD")]


@pytest.mark.parametrize(
    ("rows", "amounts"),
    [
        (["1.234", "12.50"], ["1.234", "12.50"]),
        (["12.50", "1,234"], ["12.50", "1234.00"]),
        (["1.234", "12,50"], ["1234.00", "12.50"]),
        (["1,234", "12,50"], ["1.234", "12.50"]),
        (["1.234", "2.345"], ["1.234", "2.345"]),
        (["1.234,56", "7.891"], ["1234.56", "7891.00"]),
    ],
)
def test_a_column_decides_what_a_mark_means(rows: list[str], amounts: list[str]) -> None:
    """Amounts that can be read in one way only decide for all; without any a point is a decimal point."""
    found = read("date;amount\n" + "".join(f"2026-11-{day:02d};{text}\n" for day, text in enumerate(rows, 1)))
    assert [amount for _, amount, _ in money(found)] == amounts


def test_a_comma_that_nothing_decides_is_refused_with_its_place() -> None:
    """1,234 may be a thousand or a fraction."""
    with pytest.raises(PermanentError, match=r"line 3, column 'amount': '1,234' may be a thousand"):
        read("date;amount\n2026-11-01;3\n2026-11-01;1,234\n")


def test_two_ways_of_writing_decimals_in_one_column_are_a_bad_row() -> None:
    """The later row is the bad one, and says where the first is."""
    found = read("date;amount\n2026-11-01;12,50\n2026-11-01;12.50\n")
    assert [(bad.line, bad.column) for bad in found.bad] == [(3, "amount")]
    assert "a decimal comma in line 2" in found.bad[0].message


@pytest.mark.parametrize(
    ("days", "order", "wanted"),
    [
        (["03/04/2026", "31/10/2026"], "", ["2026-04-03", "2026-10-31"]),
        (["03/04/2026", "10/31/2026"], "", ["2026-03-04", "2026-10-31"]),
        (["03/04/2026"], "dmy", ["2026-04-03"]),
        (["03/04/2026"], "mdy", ["2026-03-04"]),
        (["03/03/2026"], "", ["2026-03-03"]),
    ],
)
def test_a_column_decides_whether_the_month_comes_first(days: list[str], order: str, wanted: list[str]) -> None:
    """A day over 12 decides for all, else --dates does."""
    assert read("date,amount\n" + "".join(f"{day},1\n" for day in days), order=order).days == wanted


def test_days_that_nothing_decides_are_refused() -> None:
    """With what to say."""
    with pytest.raises(PermanentError, match="line 2: the day '03/04/2026' can be read in two ways") as caught:
        read("date,amount\n03/04/2026,1\n")
    assert "--dates dmy" in caught.value.hint


def test_days_of_two_orders_are_a_bad_row() -> None:
    """Whichever decided first, and whatever --dates said."""
    assert [bad.line for bad in read("date,amount\n31/10/2026,1\n10/31/2026,1\n").bad] == [3]
    assert [bad.line for bad in read("date,amount\n31/10/2026,1\n", order="mdy").bad] == [2]


def test_a_chosen_day_that_is_in_the_future_is_refused() -> None:
    """Also where only another row has told how it is meant."""
    with pytest.raises(PermanentError, match=r"line 2: '01/12/2026': 2026-12-01 is in the future"):
        read("date,amount\n01/12/2026,1\n31/10/2026,1\n")


@pytest.mark.parametrize(
    ("row", "column", "why"),
    [
        ("2026-11-27,1,m,1", "date", "in the future: today is 2026-11-26"),
        ("2014-12-31,1,m,1", "date", "before 2015-01-01"),
        ("2026-10,1,m,1", "date", "is a month"),
        ("Total,1,m,1", "date", "'Total' is not a day"),
        ("2026-11-01,abc,m,1", "amount", "'abc' is not an amount"),
        ("2026-11-01,1,m,-1", "output_tokens", "'-1' is not a whole number"),
        ("2026-11-01,1,\x1b[2J,1", "model", "control character"),
        ("2026-11-01,1,m", "", "3 cells under 4 names"),
        ("2026-11-01,1,m,1,x", "", "5 cells under 4 names"),
        ("2026-11-01,,m,", "", "no figure in this row"),
        ("2026-11-01,€1,m,1", "amount", "the cell says € where USD was said"),
    ],
)
def test_a_bad_row_names_its_line_its_column_and_what_is_wrong(row: str, column: str, why: str) -> None:
    """Nothing of the row counts; the rows around it are good."""
    good = "2026-11-01,1,m,1\n"
    found = read(f"date,amount,model,output_tokens\n{good}{row}\n{good}")
    assert [(bad.line, bad.column) for bad in found.bad] == [(3, column)]
    assert why in found.bad[0].message
    assert (money(found), found.rows, found.bad_rows) == ([("2026-11-01", "2.00", "USD")], 3, 1)


def test_ten_bad_rows_are_named_and_all_are_counted() -> None:
    """A file of the wrong kind does not fill the terminal."""
    found = read("date,amount\n" + "x,1\n" * 1000)
    assert (len(found.bad), found.bad_rows) == (10, 1000)


def test_the_line_of_a_row_is_where_it_begins() -> None:
    """Also behind a cell of several lines."""
    found = read('date,amount,description\n2026-11-01,1,"a\nb"\nx,1,y\n')
    assert [bad.line for bad in found.bad] == [4]
    assert found.records[0].line_item == "a b"


def test_rows_without_money_are_usage_alone() -> None:
    """Tokens, requests and searches have no currency, and are whole."""
    found = read("date,input_tokens,output_tokens,requests,web_searches\n2026-11-01,10,5,2,1\n", currency="")
    shown = [(r.kind, r.quantity, r.unit, r.token_type, r.cost_type, r.currency) for r in found.records]
    assert sorted(shown) == [
        ("usage", 1, "calls", "", "web_search", ""),
        ("usage", 2, "requests", "", "", ""),
        ("usage", 5, "tokens", "output", "", ""),
        ("usage", 10, "tokens", "input", "", ""),
    ]


def test_cached_tokens_are_taken_out_of_an_input_that_includes_them() -> None:
    """And a row in which they are more than the input is bad."""
    found = read("date,prompt_tokens,cached_tokens\n2026-11-01,100,30\n2026-11-01,10,30\n", currency="")
    assert {record.token_type: record.quantity for record in found.records} == {"input": 70, "cache_read": 30}
    assert [(bad.line, bad.column) for bad in found.bad] == [(3, "prompt_tokens")]


def test_cents_are_hundredths() -> None:
    """A column of cents is not a hundred times too much."""
    assert money(read("date,amount_cents\n2026-11-01,1250\n2026-11-01,0.5\n")) == [("2026-11-01", "12.505", "USD")]


def test_what_is_the_same_in_every_row_is_given_once() -> None:
    """The day of a bill, a model, a currency."""
    found = read("what,eur\nseats,12\n", given="date:=2026-10-31,amount=eur,line_item=what,currency:=EUR,model:=m")
    assert money(found) == [("2026-10-31", "12.00", "EUR")]
    assert (found.records[0].model, found.records[0].line_item) == ("m", "seats")


def test_a_currency_that_nobody_tells_is_a_bad_row() -> None:
    """Money without a currency is none."""
    found = read("date,amount\n2026-11-01,$1\n2026-11-01,1\n", currency="")
    assert [(bad.line, bad.message) for bad in found.bad] == [(3, "nothing says which currency this is")]


def test_a_sum_that_no_ledger_can_hold_is_refused() -> None:
    """Not wrapped, not rounded."""
    with pytest.raises(PermanentError, match="adds up to more than a ledger can hold"):
        read("date,amount\n" + "2026-11-01,9000000000\n" * 2)


@given(st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=20))
def test_the_sum_is_exact_whatever_the_rows_are(nanos: list[int]) -> None:
    """To the last digit, in any number of rows."""
    found = read("date,amount\n" + "".join(f"2026-11-01,{decimal_text(nano)}\n" for nano in nanos))
    assert sum(record.amount_nano or 0 for record in found.records) == sum(nanos)


@given(st.permutations(["2026-11-01,1,a", "2026-11-01,2,b", "2026-11-02,3,a", "2026-11-01,4,a"]))
def test_the_order_of_rows_does_not_matter(rows: list[str]) -> None:
    """The same rows are the same figures."""
    found = read("date,amount,model\n" + "\n".join(rows) + "\n")
    assert money(found) == [("2026-11-01", "5.00", "USD"), ("2026-11-01", "2.00", "USD"), ("2026-11-02", "3.00", "USD")]
