"""`prices` and `reprice`, as they are typed."""

from __future__ import annotations

import io
import json
import sys

import pytest
from homes import AppHome

from agent_os.core.days import Window
from agent_os.core.home import open_home
from agent_os.core.model import Batch, Record
from agent_os.core.posting import post
from agent_os.core.price_book import book_of
from agent_os.core.price_store import PriceStore
from agent_os.core.prices import estimate

DOLLAR = 10**9
BLANK = {**dict.fromkeys(Record._fields, ""), "amount_nano": None}
OURS = '{"form": "agent_os prices", "prices": [{"vendor": "%s", "model": "%s", "input": "%s", "output": "20"}]}'


@pytest.fixture
def home(tmp_path, capsys):
    return AppHome(tmp_path, capsys)


def usage(day, quantity, model="claude-opus-5-5", kind="input") -> Record:
    where = {"date": day, "account": "anthropic", "model": model, "context": "0-128k", "report": "log"}
    what = {"kind": "usage", "basis": "estimated", "unit": "tokens", "token_type": kind, "quantity": quantity}
    return Record(**{**BLANK, **where, **what})


def store(home, *records, provider="claude_code"):
    """Have these lines in the database, priced by the book of the home, as a collector of logs leaves them."""
    opened = open_home(str(home.folder), clock=home.clock, stderr=None, quiet=True, environ={})
    days = sorted({record.date for record in records})
    book = book_of(opened.settings, opened.store(write=True))
    with_prices = list(estimate(records, book, used={}))
    batch = Batch(
        provider=provider, task="fetch", window=Window(days[0], "2026-11-22"), days=days, reports=["log"],
        observed_at="2026-11-22T09:00:00.000Z", records=with_prices, pages=(), currency="USD", notes=(),
        basis="estimated", prices=book.of(record.price for record in with_prices),
    )  # fmt: skip
    post(opened, batch, task="fetch")
    opened.close()


def put(home, name, text):
    path = home.folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


# --- prices -----------------------------------------------------------------------------------------------------------


def test_prices_are_listed_without_a_database(home):
    """What is shipped is known from the start, and looking makes no database."""
    answer = home.run("prices", "--vendor", "anthropic")
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert lines[0].split() == (
        ["vendor", "model", "input", "output", "cache", "read", "write", "5m", "write", "1h", "from", "until", "origin"]
    )
    assert (
        "anthropic  claude-opus-5-5         4.00   20.00        0.20      5.00      8.00               shipped" in lines
    )
    assert lines[-1] == "per million tokens, on 2026-11-22; - is not known, and tokens of that kind are unpriced"
    assert "gpt" not in answer.out
    assert not (home.folder / "agent_os.db").exists()


def test_one_model_is_shown_in_full(home):
    """By the name it has in a log; with its id, long requests, tiers, regions, calls and where it is from."""
    answer = home.run("prices", "show", "claude-haiku-5-5-20260901")
    assert answer.out.splitlines()[3:] == [
        "",
        "claude-haiku-5-5 (anthropic), USD, id anthropic/claude-haiku-5-5@#86e42fa4",
        "  a request of more than 100,000 tokens: input 0.50, output 2.50, cache_read 0.05, cache_write_5m 0.625,"
        " cache_write_1h 1.00",
        "  tier batch: 0.50 times that",
        "  region us: 1.10 times that",
        "  web_search: 10.00 for 1,000",
        "  shipped, from LiteLLM (PyPI wheel 1.110.2), 2026-11-26, licence MIT",
    ]
    assert home.json("prices", "claude-haiku-4-5") == [
        {
            "id": "anthropic/claude-haiku-4-5@#918f2dc4", "origin": "shipped", "vendor": "anthropic",
            "model": "claude-haiku-4-5", "input": "1", "output": "5", "cache_read": "0.1", "cache_write_5m": "1.25",
            "cache_write_1h": "2", "web_search": "10", "tiers": {"batch": "0.5"},
            "source": "LiteLLM (PyPI wheel 1.110.2)",
            "source_date": "2026-11-26", "licence": "MIT",
        }
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("prices", "claude-opus-55"),
            "no price of 'claude-opus-55' is known on 2026-11-22; did you mean claude-opus-5-5?",
        ),
        (("prices", "--vendor", "gogle"), "no price of the vendor 'gogle' is known; did you mean google?"),
        (("prices", "--at", "today"), "'today' is not a day"),
        (("prices", "import"), "prices import takes one FILE"),
        (("prices", "import", "a", "b"), "prices import takes one FILE"),
        (("prices", "check", "x"), "prices check takes no 'x'"),
        (("prices", "show", "a", "b"), "prices show takes no 'b'"),
    ],
)
def test_a_wrong_line_is_told_what_was_meant(home, words, said):
    """Exit 2, and a sentence."""
    answer = home.run(*words)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err


# --- agent_os.ini -----------------------------------------------------------------------------------------------------


def test_the_ini_wins(home):
    """A price there holds for its days, whatever is shipped; what Anthropic derives is derived."""
    home.ini("""
        [price:claude-opus-5-5]
        vendor = anthropic
        input = 3
        output = 15.50
        web_search = 9
        batch = 0.4
        from = 2026-11-01
        """)
    (found,) = home.json("prices", "claude-opus-5-5-20261001")
    assert (found["origin"], found["id"].split("#")[0]) == ("override", "anthropic/claude-opus-5-5@2026-11-01")
    assert [found[each] for each in ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")] == [
        *("3", "15.5", "0.3", "3.75", "6"),
    ]
    assert (found["web_search"], found["tiers"]) == ("9", {"batch": "0.4"})
    assert home.json("prices", "claude-opus-5-5", "--at", "2026-10-31")[0]["origin"] == "shipped"


def test_all_that_is_wrong_in_the_ini_is_said_at_once(home):
    """Exit 3, every section and option, with the name that was probably meant."""
    home.ini("""
        [price:one]
        vendor = acme
        inptu = 3
        output = cheap
        [price:two]
        input = -1
        output = 1
        """)
    answer = home.run("prices")
    assert answer.code == 3
    for said in (
        "[price:one]: inptu is no option; did you mean input?",
        "[price:one]: output: 'cheap' is not an amount",
        "[price:two]: it has no vendor",
        "[price:two]: input is negative (-1)",
        "web_search is for 1000 calls",
    ):
        assert said in answer.err
    home.ini("[prise:one]\n")
    assert "did you mean [price:one]?" in home.run("prices").err


# --- check ------------------------------------------------------------------------------------------------------------


def test_check_finds_what_is_unpriced(home):
    """Which models, how many tokens, which days: exit 1; once they have a price, exit 0."""
    store(
        home, usage("2026-11-19", 5), usage("2026-11-20", 1000, "claude-next"), usage("2026-11-21", 200, "claude-next")
    )
    answer = home.run("prices", "check")
    assert answer.code == 1
    assert answer.out.splitlines()[1] == "claude_code  anthropic  claude-next      1,200  2026-11-20  2026-11-21"
    assert home.json("prices", "check", code=1)["unpriced"] == [
        {
            "provider": "claude_code", "account": "anthropic", "model": "claude-next", "tokens": 1200,
            "first_day": "2026-11-20", "last_day": "2026-11-21",
        }
    ]  # fmt: skip
    home.ini("[price:claude-next]\nvendor = anthropic\ninput = 1\noutput = 2\n")
    assert home.run("reprice").code == 0
    assert home.run("prices", "check").code == 0


def test_check_finds_faults_of_the_book(home):
    """A price that lacks a figure."""
    home.ini("[price:x]\nvendor = acme\ninput = 1\n")
    answer = home.run("prices", "check")
    assert (answer.code, answer.out.splitlines()[0]) == (1, "fault: acme/x (override) has no rate for output")


@pytest.mark.parametrize(("days", "is_told"), [(123, False), (124, True)])
def test_old_prices_are_warned_of(home, days, is_told):
    """From 120 days on, which is no failure."""
    home.pass_days(days)
    answer = home.run("prices", "check")
    assert answer.code == 0
    assert ("the shipped prices are old" in answer.err) is is_told


# --- import -----------------------------------------------------------------------------------------------------------


def test_an_import_says_what_it_changes_and_is_in_force_from_its_day(home):
    """New, changed (old and new), unchanged; before its day nothing is different."""
    path = put(home, "list.json", OURS % ("anthropic", "claude-opus-5-5", "3"))
    answer = home.run("prices", "import", path)
    assert answer.out.splitlines() == [
        "changed  anthropic/claude-opus-5-5: input 4.00 -> 3.00, cache_read 0.20 -> 0.30, cache_write_5m 5.00 -> 3.75,"
        " cache_write_1h 8.00 -> 6.00",
        "imported: 0 new, 1 changed; 0 unchanged",
    ]
    assert home.run("prices", "import", path).out == "imported: 0 new, 0 changed; 1 unchanged\n"
    (found,) = home.json("prices", "claude-opus-5-5")
    assert (found["origin"], found["input"], found["from"], found["source"]) == (
        "imported",
        "3",
        "2026-11-22",
        "list.json",
    )
    assert home.json("prices", "claude-opus-5-5", "--at", "2026-11-21")[0]["origin"] == "shipped"
    newer = put(home, "list.json", OURS % ("anthropic", "claude-opus-5-5", "2"))
    assert "input 3.00 -> 2.00" in home.run("prices", "import", newer, "--valid-from", "2026-11-22").out
    assert home.json("prices", "claude-opus-5-5")[0]["input"] == "2"
    assert home.run("prices", "check").code == 0


def test_a_dry_import_keeps_nothing(home):
    """It says the same and makes no database."""
    path = put(home, "list.json", OURS % ("acme", "road", "3"))
    before = home.files().keys()
    answer = home.run("prices", "import", path, "--dry-run")
    assert answer.out.splitlines() == [
        "new      acme/road: input 3.00, output 20.00",
        "would be imported: 1 new, 0 changed; 0 unchanged",
        "new prices hold from 2026-11-22 on: --valid-from DAY is for earlier days, `reprice` for what is stored",
    ]
    assert home.files().keys() - before <= {"agent.log"}


def test_standard_input_is_read(home, monkeypatch):
    """A file of the name -."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((OURS % ("acme", "road", "3")).encode())))
    assert home.json("prices", "import", "-")["new"] == [
        "acme/road@2026-11-22#" + home.json("prices", "road")[0]["id"][-8:]
    ]
    assert home.json("prices", "road")[0]["source"] == "standard input"


def test_a_file_with_one_wrong_price_changes_nothing(home):
    """All of it or nothing."""
    entries = json.loads(OURS % ("acme", "road", "3"))
    entries["prices"].append({"vendor": "acme", "model": "sky", "input": "dear", "output": "1"})
    answer = home.run("prices", "import", put(home, "list.json", json.dumps(entries)))
    assert (answer.code, answer.out) == (2, "")
    assert "price 2 (sky): input: 'dear' is not an amount" in answer.err
    assert not (home.folder / "agent_os.db").exists()
    assert home.run("prices", "road").code == 2


# --- reprice ----------------------------------------------------------------------------------------------------------

LINES = (
    usage("2026-11-19", 1_000_000),
    usage("2026-11-20", 2_000_000),
    usage("2026-11-20", 10, kind="output"),
    usage("2026-11-20", 1_000_000, "claude-sonnet-5-5"),
    usage("2026-11-21", 500_000, "claude-next"),
)
CHEAPER = """
    [price:claude-opus-5-5]
    vendor = anthropic
    input = 3
    output = 20
    from = 2026-11-20
    [price:claude-next]
    vendor = anthropic
    input = 1
    output = 2
    """


def test_reprice_first_says_what_would_be_different(home):
    """By model and kind, with both prices and what they come to; nothing is changed by saying so."""
    store(home, *LINES)
    assert home.run("reprice", "--dry-run").out == "every estimate is what the prices of today come to\n"
    home.ini(CHEAPER)
    before = home.rows("SELECT * FROM result_lines"), home.rows("SELECT * FROM runs")
    answer = home.run("reprice", "--dry-run")
    assert [line.split()[:9] for line in answer.out.splitlines()[1:4]] == [
        ["claude_code", "anthropic", "claude-next", "input", "1", "500,000", "unpriced", "0.50", "USD"],
        ["claude_code", "anthropic", "claude-opus-5-5", "input", "1", "2,000,000", "8.00", "USD", "6.00"],
        ["claude_code", "anthropic", "claude-opus-5-5", "output", "1", "10", "0.0002", "USD", "0.0002"],
    ]
    assert answer.out.splitlines()[4:] == ["8.00 USD would become 6.50 USD", "500,000 tokens had no price before"]
    assert (home.rows("SELECT * FROM result_lines"), home.rows("SELECT * FROM runs")) == before
    found = home.json("reprice", "--dry-run", "--until", "2026-11-21")
    assert [(each["kind"], each["old_amount"], each["new_amount"]) for each in found["changes"]] == [
        ("input", "8.00", "6.00"), ("output", "0.0002", "0.0002"),
    ]  # fmt: skip
    assert home.json("reprice", "--dry-run", "--provider", "codex")["changes"] == []


def test_reprice_replaces_the_estimates_as_a_run_of_its_own(home):
    """The days have the new money, the old lines are kept as closed ones, other days are untouched; once is enough."""
    store(home, *LINES)
    home.ini(CHEAPER)
    days = "SELECT date, tokens, cost_nano, basis, unpriced_tokens FROM results ORDER BY date"
    assert home.rows(days) == [
        ("2026-11-19", 1_000_000, 4 * DOLLAR, "estimated", 0),
        ("2026-11-20", 3_000_010, 10_000_200_000, "estimated", 0),
        ("2026-11-21", 500_000, None, "estimated", 500_000),
    ]
    assert home.run("reprice").out.splitlines()[-2:] == [
        "8.00 USD became 6.50 USD", "500,000 tokens had no price before",
    ]  # fmt: skip
    assert home.rows(days) == [
        ("2026-11-19", 1_000_000, 4 * DOLLAR, "estimated", 0),
        ("2026-11-20", 3_000_010, 8_000_200_000, "estimated", 0),
        ("2026-11-21", 500_000, DOLLAR // 2, "estimated", 0),
    ]
    assert home.rows("SELECT plugin_name, task, status FROM runs WHERE task = 'reprice'") == [
        ("claude_code", "reprice", "success")
    ]
    assert home.rows("SELECT count(*) FROM result_lines WHERE superseded_at IS NOT NULL") == [(5,)]
    kept = home.rows("SELECT origin, count(*) FROM prices GROUP BY 1 ORDER BY 1")
    assert kept == [("override", 2), ("shipped", 2)]
    assert home.run("reprice").out == "every estimate is what the prices of today come to\n"
    assert home.rows("SELECT count(*) FROM runs WHERE task = 'reprice'") == [(1,)]


def test_what_was_priced_keeps_its_price_when_the_book_changes(home):
    """What the lines of a day were priced with is known by their ids, for whoever prices that day again."""
    store(home, *LINES[:3])
    home.ini(CHEAPER)
    opened = open_home(str(home.folder), clock=home.clock, stderr=None, quiet=True, environ={})
    used = PriceStore(opened.store().db).used("claude_code", Window("2026-11-19", "2026-11-22"))
    again = estimate(LINES[:3], book_of(opened.settings, opened.store()), used=used)
    assert [each.amount_nano for each in again if each.kind == "cost"] == [4 * DOLLAR, 8 * DOLLAR, 200_000]
    assert {group[:3] for group in used} == {
        ("2026-11-19", "anthropic", "claude-opus-5-5"), ("2026-11-20", "anthropic", "claude-opus-5-5"),
    }  # fmt: skip
    opened.close()
