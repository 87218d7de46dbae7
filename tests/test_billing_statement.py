"""The statement of a month or year: complete or stamped, exact in every file, the same bytes each time."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import agent_os
from agent_os.core.days import add_days
from agent_os.main import main
from apps.billing_tracker import bookkeeping, focus, statement_folder
from apps.billing_tracker.cents import CENT, Cents, half_even
from apps.billing_tracker.period import period_of
from apps.billing_tracker.statement_facts import Facts
from apps.billing_tracker.statement_proof import prove, rows_of
from tests.homes import MovableClock
from tests.house import Answer
from tests.posted import cost, post, usage

APP = Path(__file__).resolve().parent.parent / "apps" / "billing_tracker"
SEEN = "2026-11-10T06:00:00.000Z"  # 35 days and more after every day of September
SEPTEMBER = ("2026-09-01", "2026-10-01")
FORMULA = "=cmd|' /C calc'!A0"
FILES = [
    "beancount.beancount", "focus.csv", "hledger.journal", "lines.csv", "manifest.json", "missing.csv", "sources.csv",
    "statement.html", "summary.txt",
]  # fmt: skip
# By provider, currency and basis: what the figures of `ledger` come to, added up by hand.
TOTALS = {
    ("anthropic", "USD", "reported"): "2.469134",
    ("openai", "EUR", "reported"): "-0.06",
    ("openai", "USD", "imported"): "41.27",
    ("openai", "USD", "reported"): "1.2443455",
}


class Desk:
    """A home and the verbs of the app, on 2026-11-22."""

    def __init__(self, home: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self.out = out
        self._capsys = capsys

    def run(self, *words: str) -> Answer:
        self._capsys.readouterr()
        code = main([*words, "--app", str(APP), "--home", str(self.home)], clock=MovableClock())
        return Answer(code, *self._capsys.readouterr())

    def state(self, *words: str, out: str = "s") -> dict[str, bytes]:
        """The files of a statement that is made."""
        answer = self.run("statement", *words, "--out", str(self.out / out))
        assert answer.code == 0, answer.err
        return {path.name: path.read_bytes() for path in sorted((self.out / out).iterdir())}

    def refused(self, *words: str, code: int) -> str:
        """The sentence with which a statement is refused: nothing is written."""
        before = sorted(os.listdir(self.out))
        answer = self.run("statement", *words, "--out", str(self.out / "s"))
        assert (answer.code, answer.out) == (code, "")
        assert answer.err.count("\n") == 1
        assert sorted(os.listdir(self.out)) == before
        return answer.err


@pytest.fixture
def desk(tmp_path, capsys) -> Desk:
    """A home without anything."""
    (tmp_path / "home").mkdir()
    (tmp_path / "out").mkdir()
    return Desk(tmp_path / "home", tmp_path / "out", capsys)


@pytest.fixture
def ledger(desk) -> Desk:
    """September 2026: complete and settled; two currencies, money taken back, a name that is a formula."""
    post(desk.home, SEEN, [
        cost("2026-09-03", "0.0796455", project="proj_a", model="gpt-5", line_item="gpt-5, input", token_type="input",
             quantity=500000, unit="tokens"),
        cost("2026-09-03", "0.1597", project="proj_a", line_item='say "hi"\nthere'),
        cost("2026-09-03", "1.005", project=FORMULA),
        cost("2026-09-30", "-0.06", project="p;x | y", currency="EUR"),
    ], span=SEPTEMBER)  # fmt: skip
    post(desk.home, SEEN, [cost("2026-09-05", "2.469134")], provider="anthropic", span=SEPTEMBER)
    imported = [cost("2026-09-30", "41.27", report="import")]
    post(desk.home, SEEN, imported, basis="imported", body=b"")
    return desk


def rows(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode(), newline="")))


def added(found: list[dict[str, str]], *names: str) -> dict[tuple[str, ...], Decimal]:
    """The last column added up by the others."""
    sums: dict[tuple[str, ...], Decimal] = {}
    for row in found:
        key = tuple(row[name] for name in names[:-1])
        sums[key] = sums.get(key, Decimal(0)) + Decimal(row[names[-1]])
    return sums


# --- one sum ----------------------------------------------------------------------------------------------------------


def test_every_file_comes_to_the_same_sum(ledger):
    """Rows, printed total, accounts and FOCUS, each read by a reader of its own; by currency and basis."""
    files = ledger.state("2026-09")
    assert list(files) == FILES
    wanted = {key: Decimal(amount) for key, amount in TOTALS.items()}
    assert added(rows(files["lines.csv"]), "provider", "currency", "basis", "amount") == wanted
    assert added(rows(files["focus.csv"]), "x_Provider", "BillingCurrency", "x_Basis", "BilledCost") == wanted
    summary = files["summary.txt"].decode()
    for (provider, currency, basis), amount in TOTALS.items():
        assert f"total {basis} {currency} {amount} {provider} " in " ".join(summary.split())
    manifest = json.loads(files["manifest.json"])
    assert {
        (each["provider"], each["currency"], each["basis"]): each["amount"] for each in manifest["totals"]
    } == TOTALS


def test_a_row_says_where_it_comes_from(ledger):
    """Its run, its batch and the SHA-256 of its page, which sources.csv has with its URL."""
    files = ledger.state("2026-09")
    row = rows(files["lines.csv"])[0]
    assert (row["date_utc"], row["provider"], row["project"], row["amount"]) == (
        "2026-09-03", "openai", "proj_a", "0.0796455",
    )  # fmt: skip
    assert (row["quantity"], row["unit"], row["day_status"]) == ("500000", "tokens", "settled")
    assert row["page_sha256"] == sha256(b"{}").hexdigest()
    (run_id, pages), = ledger_rows(ledger, "SELECT run_id, pages_sha256 FROM batches WHERE id = 1")  # fmt: skip
    assert (row["run_id"], row["pages_sha256"], row["observed_at_utc"]) == (run_id, pages, SEEN)
    source = rows(files["sources.csv"])[0]
    assert (source["batch_id"], source["url"]) == (row["batch_id"], "https://x.example/costs")


def ledger_rows(desk: Desk, sql: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(desk.home / "agent_os.db") as connection:
        found = connection.execute(sql).fetchall()
    connection.close()
    return found


def test_a_log_that_has_nothing_in_the_month_does_not_stamp_it(ledger, tmp_path, monkeypatch):
    """Its days are missing for the estimates alone, and there are none."""
    (tmp_path / "user/.claude/projects/p").mkdir(parents=True)
    (tmp_path / "user/.claude/projects/p/a.jsonl").write_text("{}\n")
    monkeypatch.setenv("USERPROFILE" if os.name == "nt" else "HOME", str(tmp_path / "user"))
    files = ledger.state("2026-09")
    assert {row["is_in_total"] for row in rows(files["missing.csv"])} == {"no"}
    assert b"INCOMPLETE" not in files["summary.txt"] + files["statement.html"]


def test_no_cell_is_a_formula(ledger):
    """A name that a spreadsheet would run begins with a quote; a negative amount stays a number."""
    files = ledger.state("2026-09")
    for name in ("lines.csv", "focus.csv"):
        text = files[name].decode()
        assert f",'{FORMULA}," in text
        assert f",{FORMULA}," not in text
    assert "-0.06" in [row["amount"] for row in rows(files["lines.csv"])]
    assert files["lines.csv"].count(b"\r\n") == 7
    assert b'"say ""hi""\nthere"' in files["lines.csv"]


def test_the_manifest_has_the_hash_of_every_file(ledger):
    """And the chain head, the as-of and the version."""
    files = ledger.state("2026-09")
    manifest = json.loads(files.pop("manifest.json"))
    listed = {name: (each["sha256"], each["size"]) for name, each in manifest["files"].items()}
    assert listed == {name: (sha256(data).hexdigest(), len(data)) for name, data in files.items()}
    ((chain,),) = ledger_rows(ledger, "SELECT chain FROM batches ORDER BY id DESC LIMIT 1")
    assert (manifest["chain_head"], manifest["as_of"], manifest["stamp"]) == (chain, "2026-11-22", "")
    assert manifest["program"] == f"Agent OS {agent_os.__version__}"


@pytest.mark.parametrize("name", ["lines.csv", "summary.txt", "beancount.beancount", "hledger.journal"])
def test_a_place_that_differs_is_found(ledger, name):
    """One digit in one file, and there is no statement."""
    ledger.state("2026-09")
    folder = str(ledger.out / "s")
    path = ledger.out / "s" / name
    text = path.read_bytes()
    assert b"2.469134" in text
    path.write_bytes(text.replace(b"2.469134", b"2.469135", 1))
    with agent_os.open(ledger.home) as home:
        facts = Facts(home, period_of("2026-09"), as_of="2026-11-22")
        with pytest.raises(agent_os.StoreError, match=r"2\.469135"):
            prove(home, facts, folder, rows_of(folder)[0])


def test_an_amount_that_is_no_whole_number_makes_no_statement(ledger):
    """SQLite keeps what it is given; a float is nobody's money."""
    with sqlite3.connect(ledger.home / "agent_os.db") as connection:
        connection.execute("UPDATE result_lines SET amount_nano = 0.5 WHERE id = 1")
    connection.close()
    assert "line 1 of openai on 2026-09-03 has the amount 0.5" in ledger.refused("2026-09", code=6)


# --- cents ------------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.lists(st.integers(-(10**12), 10**12), max_size=60))
def test_cents_add_up_to_the_rounded_total(amounts):
    """And none is further than a cent from its amount."""
    cents = Cents()
    for nano in amounts:
        cents.see(nano)
    cents.settle()
    found = [cents.of(nano) for nano in amounts]
    assert sum(found) == half_even(sum(amounts))
    assert all(abs(each * CENT - nano) < CENT for each, nano in zip(found, amounts))


def test_the_largest_remainders_are_rounded_up():
    """Of equal ones the first: three thirds of a cent more than nine make ten."""
    cents = Cents()
    amounts = [33_333_333, 33_333_333, 33_333_334]
    for nano in amounts:
        cents.see(nano)
    cents.settle()
    assert [cents.of(nano) for nano in amounts] == [3, 3, 4]


def test_the_column_of_cents_says_what_it_is_for(ledger):
    """1.2443455 USD of OpenAI are 124 cents, in whole cents that add up to that."""
    found = [row for row in rows(ledger.state("2026-09")["lines.csv"]) if row["provider"] == "openai"]
    cents = [
        int(row["cents_for_display_only"]) for row in found if (row["currency"], row["basis"]) == ("USD", "reported")
    ]
    assert (cents, sum(cents)) == ([8, 16, 100], 124)


# --- complete, or said not to be --------------------------------------------------------------------------------------


def test_an_incomplete_month_is_refused(desk):
    """With what is missing and the command that asks for it; nothing is written."""
    post(desk.home, SEEN, [cost("2026-09-03", "1"), cost("2026-09-05", "1")], span=("2026-09-02", "2026-09-29"))
    said = desk.refused("2026-09", code=1)
    assert "2026-09 cannot be stated: openai has 3 missing days (between 2026-09-01 and 2026-09-30)" in said
    assert "--task run_all --since 2026-09-01" in said
    assert "--allow-incomplete" in said


def test_a_month_that_is_not_settled_is_refused(desk):
    """The provider may still restate its days."""
    post(desk.home, "2026-10-03T06:00:00.000Z", [cost("2026-09-03", "1")], span=SEPTEMBER)
    assert "openai has 30 provisional days (2026-09-01 to 2026-09-30)" in desk.refused("2026-09", code=1)


def test_a_day_that_was_read_before_it_was_over_is_not_there(desk):
    """Half a day is no day."""
    post(desk.home, "2026-09-30T12:00:00.000Z", [cost("2026-09-30", "1")])
    files = desk.state("2026-09", "--allow-incomplete")
    assert [(row["date_utc"], row["status"], row["reason"]) for row in rows(files["missing.csv"])][-1] == (
        "2026-09-30", "open", "it was last read before it was over",
    )  # fmt: skip


def test_a_month_that_is_not_over_says_so(desk):
    """Its days to come are neither missing nor nothing."""
    post(desk.home, "2026-11-22T06:00:00.000Z", [cost("2026-11-21", "1"), cost("2026-11-22", "1")])
    files = desk.state("2026-11", "--allow-incomplete")
    found = [(row["date_utc"], row["status"], row["reason"]) for row in rows(files["missing.csv"])]
    assert found[19:23] == [
        ("2026-11-20", "missing", "nothing is stored: it was never asked for, or never answered"),
        ("2026-11-21", "provisional", "the provider may still restate it"),
        ("2026-11-22", "open", "it is not over"),
        ("2026-11-23", "open", "it is not over"),
    ]
    assert len(found) == 30


def test_the_stamp_is_in_every_file(desk):
    """Of a statement that was allowed to lack something."""
    post(desk.home, "2026-10-03T06:00:00.000Z", [cost("2026-09-03", "1")], span=("2026-09-02", "2026-10-01"))
    files = desk.state("2026-09", "--allow-incomplete")
    assert list(files) == FILES
    assert [name for name, data in files.items() if b"INCOMPLETE PROVISIONAL" not in data] == []
    lacks = rows(files["missing.csv"])
    assert [(row["date_utc"], row["status"]) for row in lacks][:2] == [
        ("2026-09-01", "missing"), ("2026-09-02", "provisional"),
    ]  # fmt: skip
    assert len(lacks) == 30


def test_a_day_without_a_line_is_no_missing_day(ledger):
    """Zero was reported; a day is missing where nothing was."""
    files = ledger.state("2026-09")
    assert rows(files["missing.csv"]) == []
    assert b"None: every day is there, and settled." in files["summary.txt"]


def test_estimates_stand_in_a_file_of_their_own(ledger):
    """Never in the total, never in FOCUS, never in an account; and the days that logs lack do not stop a statement."""
    post(ledger.home, SEEN, [cost("2026-09-05", "3.5", report="logs", price="p1")], provider="claude_code",
         basis="estimated")  # fmt: skip
    files = ledger.state("2026-09")
    (row,) = rows(files.pop("estimated.csv"))
    assert (row["amount"], row["basis"], row["stamp"]) == ("3.50", "estimated", "INCOMPLETE")
    assert list(files) == FILES
    for name in ("lines.csv", "focus.csv", "beancount.beancount", "hledger.journal"):
        assert b"claude_code" not in files[name]
        assert b"INCOMPLETE" not in files[name]
    assert {row["is_in_total"] for row in rows(files["missing.csv"])} == {"no"}


def test_tokens_without_a_price_are_refused_or_stamped(ledger):
    """They are never nothing: a row without an amount."""
    lines = [cost("2026-09-05", "3.5", report="logs", price="p1"), usage("2026-09-06", 1234, report="logs", model="m")]
    post(ledger.home, SEEN, lines, provider="claude_code", basis="estimated", span=SEPTEMBER)
    said = ledger.refused("2026-09", code=1)
    assert "1,234 tokens of claude_code have no price" in said
    assert "--allow-unpriced" in said
    files = ledger.state("2026-09", "--allow-unpriced")
    found = [(row["quantity"], row["amount"], row["stamp"]) for row in rows(files["estimated.csv"])]
    assert found == [("", "3.50", "UNPRICED"), ("1234", "", "UNPRICED")]
    assert "≥ 3.50" in files["summary.txt"].decode()
    assert b"UNPRICED" not in files["lines.csv"]


# --- the same bytes, as it was known ----------------------------------------------------------------------------------


def test_the_same_ledger_gives_the_same_bytes(ledger):
    """As a folder and as a zip, whose entries have no time and are not compressed."""
    assert ledger.state("2026-09", out="a") == ledger.state("2026-09", out="b")
    for name in ("a.zip", "b.zip"):
        assert ledger.run("statement", "2026-09", "--out", str(ledger.out / name)).code == 0
    assert (ledger.out / "a.zip").read_bytes() == (ledger.out / "b.zip").read_bytes()
    with zipfile.ZipFile(ledger.out / "a.zip") as packed:
        assert [each.filename for each in packed.infolist()] == [f"statement-2026-09/{name}" for name in FILES]
        assert {each.compress_type for each in packed.infolist()} == {zipfile.ZIP_STORED}
        assert {each.date_time for each in packed.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert packed.read("statement-2026-09/lines.csv") == (ledger.out / "a" / "lines.csv").read_bytes()


def test_what_was_stored_later_changes_nothing_of_an_earlier_day(ledger):
    """`--as-of`: the statement of then, byte for byte; today's says what is known today."""
    before = ledger.state("2026-09", "--as-of", "2026-11-12")
    post(ledger.home, "2026-11-15T06:00:00.000Z", [cost("2026-09-05", "9")], provider="anthropic", span=SEPTEMBER)
    assert ledger.state("2026-09", "--as-of", "2026-11-12") == before
    now = json.loads(ledger.state("2026-09")["manifest.json"])
    assert [each["amount"] for each in now["totals"] if each["provider"] == "anthropic"] == ["9.00"]


def test_a_year_is_the_sum_of_its_months(ledger):
    """With an assertion for each month, and all that is missing of it."""
    post(ledger.home, SEEN, [cost("2026-08-31", "0.5")])
    files = ledger.state("2026", "--allow-incomplete")
    assert added(rows(files["lines.csv"]), "provider", "currency", "basis", "amount")[
        "openai", "USD", "reported"
    ] == Decimal("1.7443455")
    text = files["beancount.beancount"].decode()
    assert "2026-09-01 balance Liabilities:AI:Openai:Reported:2026-08  -0.50 ~ 0 USD\n" in text
    assert "2026-10-01 balance Liabilities:AI:Openai:Reported:2026-09  -1.2443455 ~ 0 USD\n" in text


def test_one_provider_alone(ledger):
    """And only what is missing of it."""
    files = ledger.state("2026-09", "--provider", "anthropic")
    assert {row["provider"] for row in rows(files["lines.csv"])} == {"anthropic"}


# --- its place --------------------------------------------------------------------------------------------------------


def test_a_statement_is_replaced_by_the_next(ledger):
    """Whole: nothing of the old one stays, and nothing is left beside it."""
    ledger.state("2026-09", "--focus", "1.2")
    ledger.state("2026-09")
    assert os.listdir(ledger.out) == ["s"]
    assert (ledger.out / "s").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("other", [("2026",), ("2026-09", "--provider", "openai")])
def test_a_statement_takes_the_place_of_one_about_the_same_only(ledger, other):
    """One of another period or provider was perhaps filed: it stays, and its name is said."""
    ledger.state("2026-09")
    before = {path.name: path.read_bytes() for path in (ledger.out / "s").iterdir()}
    assert "is the statement for 2026-09" in ledger.refused(*other, "--allow-incomplete", code=3)
    assert {path.name: path.read_bytes() for path in (ledger.out / "s").iterdir()} == before


@pytest.mark.parametrize("kind", ["folder", "empty folder", "file", "link", "more than a statement"])
def test_what_is_no_statement_is_never_replaced(ledger, kind):
    """It stays as it is."""
    place = ledger.out / "s"
    if kind == "file":
        place.write_text("mine")
    elif kind == "link":
        (ledger.out / "real").mkdir()
        place.symlink_to(ledger.out / "real")
    elif kind == "more than a statement":
        ledger.state("2026-09")
        (place / "notes.txt").write_text("mine")
    else:
        place.mkdir()
        if kind == "folder":
            (place / "manifest.json").write_text('{"kind": "mine", "files": {}}')
    before = (place.lstat().st_ino, place.lstat().st_mtime_ns)
    assert "is there already and is no statement" in ledger.refused("2026-09", code=3)
    assert (place.lstat().st_ino, place.lstat().st_mtime_ns) == before


def test_a_zip_that_is_no_statement_is_never_replaced(ledger):
    """Nor is a folder whose name ends so."""
    path = ledger.out / "a.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("mine.txt", "mine")
    before = path.read_bytes()
    assert ledger.run("statement", "2026-09", "--out", str(path)).code == 3
    assert path.read_bytes() == before


def test_a_folder_that_is_not_there_is_said(ledger):
    """The statement makes its own folder, not the way to it."""
    answer = ledger.run("statement", "2026-09", "--out", str(ledger.out / "no" / "s"))
    assert (answer.code, answer.out) == (3, "")
    assert "No such file or directory" in answer.err


def test_a_disk_that_fails_leaves_the_old_one(ledger, monkeypatch):
    """A write that fails at the last step changes nothing."""
    before = ledger.state("2026-09")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(statement_folder.os, "rename", fail)
    place = statement_folder.published(str(ledger.out / "s"), "x", about={"period": "2026-09"})
    with pytest.raises(agent_os.ResourceError, match="No space"), place:
        pass
    assert {path.name: path.read_bytes() for path in sorted((ledger.out / "s").iterdir())} == before
    assert os.listdir(ledger.out) == ["s"]


# --- what cannot be meant ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["2026-13"], 2, "'2026-13' is neither a month nor a year"),
        (["sept"], 2, "'sept' is neither a month nor a year"),
        (["2026-12"], 2, "2026-12 had not begun on 2026-11-22"),
        (["2026-09", "--as-of", "2026-12-01"], 2, "--as-of 2026-12-01 has not come yet"),
        (["2026-09", "--as-of", "soon"], 2, "'soon'"),
        (["2026-09", "--as-of", "2026-08-01"], 2, "2026-09 had not begun on 2026-08-01"),
        (["2026-09", "--focus", "1.3"], 2, "there is no FOCUS 1.3 here"),
        (["2026-09", "--provider", "openal"], 2, "there is no provider 'openal' in 2026-09"),
        (["2026-07"], 3, "nothing is known of 2026-07"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_stated_is_a_sentence(ledger, words, code, said):
    """Nothing is written."""
    assert said in ledger.refused(*words, code=code)


def test_without_a_database_there_is_nothing_to_state(desk):
    """It makes none."""
    desk.refused("2026-09", code=3)
    assert not (desk.home / "agent_os.db").exists()


# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_needs_nothing_but_itself(ledger):
    """No script, nothing from elsewhere; a name is text, whatever is in it."""
    post(
        ledger.home,
        SEEN,
        [cost("2026-09-06", "1", project="<script>alert(1)</script>")],
        provider="cursor",
        span=SEPTEMBER,
    )
    page = ledger.state("2026-09")["statement.html"].decode()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert not any(word in page for word in ("http:", "https:", "src=", "@import", "url("))
    assert "2.469134" in page


# --- FOCUS ------------------------------------------------------------------------------------------------------------


def test_a_version_has_its_own_columns_alone(ledger):
    """1.2 names provider and publisher, 1.4 service provider and host; without a word both are there."""
    old, new = {"ProviderName", "PublisherName"}, {"ServiceProviderName", "HostProviderName"}
    for words, wanted, gone in (([], old | new, set()), (["1.2"], old, new), (["1.4"], new, old)):
        data = ledger.state("2026-09", *(["--focus", *words] if words else []))["focus.csv"]
        names = set(rows(data)[0])
        assert wanted <= names
        assert not gone & names
        assert focus.check(csv.reader(io.StringIO(data.decode(), newline=""))) == []


def test_a_line_is_a_focus_row(ledger):
    """Whole numbers end in .0, times are UTC, the day lies in its month, money taken back is an adjustment."""
    found = rows(ledger.state("2026-09")["focus.csv"])
    row = found[0]
    assert {name: row[name] for name in ("BilledCost", "EffectiveCost", "ListCost", "BillingCurrency")} == {
        "BilledCost": "0.0796455", "EffectiveCost": "0.0796455", "ListCost": "0.0796455", "BillingCurrency": "USD",
    }  # fmt: skip
    assert (row["ConsumedQuantity"], row["PricingUnit"], row["SkuMeter"]) == ("500000.0", "Tokens", "input")
    assert (row["ChargePeriodStart"], row["ChargePeriodEnd"]) == ("2026-09-03T00:00:00Z", "2026-09-04T00:00:00Z")
    assert (row["BillingPeriodStart"], row["BillingPeriodEnd"]) == ("2026-09-01T00:00:00Z", "2026-10-01T00:00:00Z")
    assert (row["ServiceName"], row["InvoiceIssuerName"], row["x_Confidence"]) == ("OpenAI API", "OpenAI", "billed")
    assert {(each["BillingCurrency"], each["ChargeCategory"]) for each in found} == {
        ("USD", "Usage"),
        ("EUR", "Adjustment"),
    }


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("BilledCost", "", "row 2: BilledCost is ''"),
        ("BilledCost", "500000", "row 2: BilledCost is '500000'"),
        ("BillingCurrency", "usd", "row 2: BillingCurrency is 'usd'"),
        ("ChargeCategory", "usage", "row 2: ChargeCategory is 'usage'"),
        ("ChargePeriodStart", "2026-09-03 00:00:00", "row 2: ChargePeriodStart is '2026-09-03 00:00:00'"),
        ("ChargePeriodEnd", "2026-10-02T00:00:00Z", "row 2: its charge period is not within its billing period"),
        ("PricingQuantity", "1e5", "row 2: PricingQuantity is '1e5'"),
        ("ServiceName", "", "row 2: ServiceName is ''"),
    ],
)
def test_the_checker_finds_what_is_wrong(ledger, name, value, said):
    """The first of it, by row and column."""
    ledger.state("2026-09")
    path = ledger.out / "s" / "focus.csv"
    assert ledger.run("focus", "check", str(path)).out == f"{path} is as FOCUS demands\n"
    found = rows(path.read_bytes())
    found[0][name] = value
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(found[0]))
        writer.writeheader()
        writer.writerows(found)
    answer = ledger.run("focus", "check", str(path))
    assert (answer.code, answer.out) == (1, f"{said}\n")


def test_the_checker_knows_the_columns(tmp_path):
    """Those that must be there, those that nobody knows."""
    names = [name for name in focus.header("1.4") if name not in ("BilledCost", "ServiceProviderName")]
    assert focus.check([[*names, "Colour"]]) == [
        "'Colour' is no column of FOCUS",
        "there is neither ProviderName and PublisherName nor HostProviderName and ServiceProviderName",
        "there is no column BilledCost",
    ]
    assert focus.check([]) != []


# --- accounts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("openai", "Openai"), ("gpt-5", "Gpt-5"), ("2026", "2026"), ("Openai", "Openai-7b80a4ca"),
        ("proj_a", "Proj-a-8021fa4a"), ("proj a", "Proj-a-d0eb79c4"), (":;", "X-9b989744"), ("ñ", "X-024bb908"),
        ("a-", "A-9baf4407"),
    ],
)  # fmt: skip
def test_a_name_is_part_of_an_account(name, part):
    """As both programs take it, and no two names are one account."""
    assert bookkeeping.account_part(name) == part


def test_no_two_names_are_one_account():
    """However alike they are."""
    names = ["a", "A", "a-", "-a", "a_", "a b", "a  b", "a-b", "A-b", "ab", "aB", "é", "e", "", "a" * 50, "a" * 60]
    assert len({bookkeeping.account_part(name) for name in names}) == len(names)


def checked(program: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What an accounting program says of a file; skipped where it is not installed."""
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"{program} is not installed")
    words = {"bean-check": ["beancount.beancount"], "hledger": ["-f", "hledger.journal", "check"]}[program]
    return subprocess.run([path, *words], cwd=folder, capture_output=True, text=True, check=False)


PROGRAMS = [("bean-check", "beancount.beancount"), ("hledger", "hledger.journal")]


@pytest.mark.parametrize(("program", "name"), PROGRAMS)
def test_the_accounting_program_proves_the_sum(ledger, program, name):
    """By itself, to the last digit."""
    ledger.state("2026-09")
    done = checked(program, ledger.out / "s")
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize(("program", "name"), PROGRAMS)
@pytest.mark.parametrize("place", ["a posting", "both postings", "the assertion"])
def test_the_accounting_program_finds_a_changed_digit(ledger, program, name, place):
    """Wherever it is; the millionth of a dollar too."""
    ledger.state("2026-09")
    path = ledger.out / "s" / name
    text = path.read_text(encoding="utf-8")
    assert text.count("2.469134") == 3
    pieces = text.split("2.469134")
    marks = {"a posting": (5, 4, 4), "both postings": (5, 5, 4), "the assertion": (4, 4, 5)}[place]
    path.write_text(
        pieces[0] + "".join(f"2.46913{mark}{piece}" for mark, piece in zip(marks, pieces[1:])), encoding="utf-8"
    )
    assert checked(program, ledger.out / "s").returncode != 0


@pytest.mark.parametrize(("program", "name"), PROGRAMS)
def test_a_month_can_be_booked_beside_others(ledger, program, name):
    """What is owed for a month has an account of its own: the assertions hold in one ledger with other months."""
    post(ledger.home, SEEN, [cost(add_days("2026-08-01", number), "0.5") for number in range(31)])
    september = ledger.state("2026-09", out="september")[name].decode()
    august = ledger.state("2026-08")[name].decode()
    opened = {line.split(" ", 1)[1] for line in august.splitlines() if " open " in line or " commodity " in line}
    lines = [line for line in september.splitlines() if line.partition(" ")[2] not in opened]
    (ledger.out / "s" / name).write_text(august + "\n".join(lines) + "\n", encoding="utf-8")
    done = checked(program, ledger.out / "s")
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_app_loads_next_to_nothing():
    """What a verb needs is imported by the verb."""
    code = "import sys, apps.billing_tracker; print([name for name in sys.modules if 'billing_tracker.' in name])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=APP.parent.parent, capture_output=True, text=True, check=True
    )
    assert done.stdout == "['apps.billing_tracker.channels', 'apps.billing_tracker.registration']\n"
