"""`invoice` and `reconcile`: list prices, report and invoice side by side; each gap has its name, or is unexplained."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from fakes.clock import ManualClock
from homes import AppHome
from house import Answer

import agent_os
from agent_os.core.days import Window, add_days
from agent_os.core.home import open_home
from agent_os.core.model import Batch, Record
from agent_os.core.posting import post
from agent_os.main import main

APP = Path(__file__).resolve().parent.parent / "apps" / "billing_tracker"
BLANK = {**dict.fromkeys(Record._fields, ""), "quantity": None, "amount_nano": None, "basis": "reported"}
# Round prices: 2 and 10 dollars a million, batch at half of that, nothing known of the tier `fast`.
INI = """\
[price:sand-1]
vendor = {vendor}
input = 2
output = 10
batch = 0.5
"""
ANTHROPIC_KINDS = {"input": "uncached_input_tokens", "output": "output_tokens"}


class Books(AppHome):
    """A home of the billing tracker; it is 2026-11-22."""

    def bill(self, *words: str) -> Answer:
        """Run a verb of the app."""
        self._capsys.readouterr()
        code = main([*words, "--app", str(APP), "--home", str(self.folder)], clock=self.clock)
        out, err = self._capsys.readouterr()
        return Answer(code, out, err)

    def store(self, provider: str, *records: Record, until: str = "2026-11-01", basis: str = "reported") -> None:
        """What a provider said of October (up to a day) on November 20."""
        window = Window("2026-10-01", until)
        home = open_home(str(self.folder), clock=ManualClock(), stderr=None)
        batch = Batch(
            provider=provider, task="it", window=window, days=list(window), reports={"costs", "usage"},
            observed_at="2026-11-20T09:00:00.000Z", records=[each._replace(basis=basis) for each in records], pages=(),
            currency="USD", notes=(), basis=basis,
        )  # fmt: skip
        post(home, batch, task="it")
        home.close()

    def account(self, *words: str, code: int = 0) -> dict[str, Any]:
        """The one account of October."""
        answer = self.bill("reconcile", "2026-10", "--json", *words)
        assert answer.code == code, (answer.out, answer.err)
        [found] = json.loads(answer.out)
        return dict(found)


@pytest.fixture
def books(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Books:
    return Books(tmp_path, capsys)


def with_prices(books: Books, vendor: str) -> None:
    books.ini(INI.format(vendor=vendor))


def tokens(count: int, kind: str = "input", tier: str = "standard", day: str = "2026-10-05", **more: Any) -> Record:
    what = {"date": day, "kind": "usage", "report": "usage", "model": "sand-1", "token_type": kind, "tier": tier}
    return Record(**{**BLANK, **what, "quantity": count, "unit": "tokens", **more})


def searches(count: int) -> Record:
    return tokens(count, "", unit="calls", cost_type="web_search")


def charge(nano: int, kind: str = "input", tier: str = "standard", day: str = "2026-10-05", **more: Any) -> Record:
    """A charge as Anthropic's report has it."""
    what = {"date": day, "kind": "cost", "report": "costs", "model": "sand-1", "token_type": ANTHROPIC_KINDS[kind]}
    item = f"Sand 1 {kind} {tier}"
    rest = {"tier": tier, "line_item": item, "cost_type": "tokens", "amount_nano": nano, "currency": "USD"}
    return Record(**{**BLANK, **what, **rest, **more})


def other(nano: int, cost_type: str, item: str, **more: Any) -> Record:
    """A charge for something else than tokens."""
    what = {"date": "2026-10-05", "kind": "cost", "report": "costs", "cost_type": cost_type, "line_item": item}
    return Record(**{**BLANK, **what, "amount_nano": nano, "currency": "USD", **more})


def named(gap: dict[str, Any]) -> dict[str, Any]:
    return {each["name"]: each["amount"] for each in gap["named"]}


M = 1_000_000
USD = 10**9


# --- three that agree -------------------------------------------------------------------------------------------------


def test_three_that_agree_leave_nothing_unexplained(books: Books) -> None:
    """3 million tokens in and 1 million out at 2 and 10 dollars are 16 dollars, on the report and on the invoice."""
    with_prices(books, "anthropic")
    books.store(
        "anthropic", tokens(3 * M), tokens(M, "output"), charge(6 * USD), charge(10 * USD, "output")
    )  # fmt: skip
    assert books.bill("invoice", "add", "anthropic", "2026-10", "16.00").code == 0
    found = books.account()
    assert (found["token_priced"], found["reported"], found["invoiced"]) == ("16.00", "16.00", "16.00")
    assert [(each["of"], each["amount"], each["unexplained"]) for each in found["gaps"]] == [
        ("reported - token-priced", "0.00", "0.00"), ("invoice - reported", "0.00", "0.00")
    ]  # fmt: skip


def test_each_gap_between_tokens_and_report_has_its_name(books: Books) -> None:
    """Searches, code, a tier that the book has no price for, one that no report has, free tokens, a credit."""
    with_prices(books, "anthropic")
    books.store(
        "anthropic",
        tokens(3 * M), charge(6 * USD),
        tokens(2 * M, tier="batch"), charge(2 * USD, tier="batch"),
        tokens(M, "output", tier="fast"), charge(60 * USD, "output", tier="fast"),
        tokens(M, tier="priority"),
        tokens(M, day="2026-10-06"), charge(0, day="2026-10-06"),
        searches(40), other(400_000_000, "web_search", "Web Search Usage"),
        other(70_000_000, "code_execution", "Code Execution Usage"),
        other(30_000_000, "session_usage", "Agent Session Runtime"),
        other(-4 * USD, "tokens", "Usage credit"), charge(-USD, "output"),
    )  # fmt: skip
    found = books.account()
    assert (found["token_priced"], found["reported"], found["invoiced"]) == ("10.00", "63.50", None)
    [gap] = found["gaps"]
    assert (gap["amount"], gap["unexplained"], gap["is_within"]) == ("53.50", "0.00", True)
    assert named(gap) == {
        "web search": "0.40",
        "code execution": "0.07",
        "Agent Session Runtime": "0.03",
        "credits in the report": "-5.00",
        "fast tier without a price": "60.00",
        "free tokens: lines of 0": "-2.00",
        "priority tier, which is in no cost report": "0.00",
        "provisional days": None,
    }
    what = {each["name"]: each["what"] for each in gap["named"]}
    assert what["web search"] == "40 calls"
    assert what["fast tier without a price"] == "1,000,000 tokens have no price"
    assert what["priority tier, which is in no cost report"] == "1,000,000 tokens have no price"


def test_tokens_of_a_tier_that_no_report_has_are_taken_off_at_their_price(books: Books) -> None:
    """Priority tokens are in the first sum and can be in no report; an invoice may have them, nobody knows how much."""
    with_prices(books, "anthropic")
    prices = books.folder / "prices.json"
    price = {"vendor": "anthropic", "model": "sand-2", "input": "2", "output": "10", "tiers": {"priority": "2"}}
    prices.write_text(json.dumps({"form": "agent_os prices", "prices": [{**price, "from": "2026-01-01"}]}))
    assert books.run("prices", "import", str(prices)).code == 0
    books.store("anthropic", tokens(3 * M), charge(6 * USD), tokens(M, tier="priority", model="sand-2"))
    assert books.bill("invoice", "add", "anthropic", "2026-10", "6").code == 0
    first, second = books.account()["gaps"]
    assert (first["amount"], first["unexplained"]) == ("-4.00", "0.00")
    assert named(first)["priority tier, which is in no cost report"] == "-4.00"
    assert named(second)["priority tier, which is in no cost report"] is None


# --- OpenAI's words ---------------------------------------------------------------------------------------------------


def item(nano: int, text: str, day: str = "2026-10-05", project: str = "") -> Record:
    return other(nano, "", text, date=day, project=project)


def test_openai_tells_in_words_what_a_charge_is_for(books: Books) -> None:
    """Its line items are read to name gaps: tokens are set against usage, the rest is called what it is called."""
    with_prices(books, "openai")
    books.store(
        "openai",
        tokens(2 * M, tier="default"), tokens(2 * M, tier="batch default"), item(6 * USD, "sand-1, input"),
        tokens(M, "output", tier="default"), item(10 * USD, "sand-1, output"),
        tokens(M, "cache_read", tier="flex"), item(USD, "sand-1, cached input"),
        tokens(M, project="free"), item(0, "sand-1, input", project="free"),
        item(250_000_000, "web search tool calls"), item(40_000_000, "image-model image, output"),
        item(100_000_000, "Vector storage"),
    )  # fmt: skip
    found = books.account(code=1)
    [gap] = found["gaps"]
    assert (found["token_priced"], found["reported"]) == ("18.00", "17.39")
    assert named(gap) == {
        "web search": "0.25", "Vector storage": "0.10", "flex tier without a price": "1.00",
        "free tokens: lines of 0": "-2.00", "provisional days": None
    }  # fmt: skip
    assert gap["unexplained"] == "0.04"  # an image that no usage stands against: nobody says what it is


def test_a_gap_in_what_has_a_price_stays_unexplained(books: Books) -> None:
    """Tokens that cost more than the book says: that is the very thing to look at, so it has no excuse."""
    with_prices(books, "anthropic")
    books.store("anthropic", tokens(3 * M), charge(7 * USD))
    [gap] = books.account(code=1)["gaps"]
    assert (gap["amount"], gap["unexplained"], gap["is_within"]) == ("1.00", "1.00", False)
    assert books.account("--tolerance", "1")["gaps"][0]["is_within"] is True
    text = books.bill("reconcile", "2026-10").out
    assert "+1.00  unexplained, more than the tolerance of 0.01" in text


def test_usage_without_any_charge_is_not_called_free(books: Books) -> None:
    """A line of 0 says free; no line says nothing."""
    with_prices(books, "anthropic")
    books.store("anthropic", tokens(3 * M), charge(6 * USD), tokens(M, day="2026-10-07"))
    [gap] = books.account(code=1)["gaps"]
    assert (gap["unexplained"], named(gap)) == ("-2.00", {"provisional days": None})


# --- the invoice ------------------------------------------------------------------------------------------------------


def test_an_invoice_tells_of_its_tax_and_credits(books: Books) -> None:
    """They are in no report. What is left after them is unexplained."""
    books.store("openai", item(40 * USD, "sand-1, input"))
    words = ("invoice", "add", "openai", "2026-10", "41.60", "--tax", "6.65", "--credits", "5.00")
    assert books.bill(*words).code == 0
    [gap] = books.account(code=1)["gaps"]
    assert (gap["of"], gap["amount"], gap["unexplained"]) == ("invoice - reported", "1.60", "-0.05")
    assert named(gap) == {"tax": "6.65", "credits": "-5.00", "provisional days": None}


def test_days_that_are_missing_are_named_and_excuse_nothing(books: Books) -> None:
    """Nobody knows what they cost, so what is left is unexplained all the same."""
    books.store("openai", item(40 * USD, "sand-1, input"), until="2026-10-30")
    assert books.bill("invoice", "add", "openai", "2026-10", "45.00").code == 0
    [gap] = books.account(code=1)["gaps"]
    assert gap["named"][0] == {"name": "missing days", "amount": None, "what": "2026-10-30, 2026-10-31"}
    assert gap["unexplained"] == "5.00"


def test_an_invoice_in_another_currency_is_an_account_of_its_own(books: Books) -> None:
    """Nothing is converted: euros stand against no dollars."""
    books.store("openai", item(40 * USD, "sand-1, input"))
    assert books.bill("invoice", "add", "openai", "2026-10", "38.00", "--currency", "eur").code == 0
    answer = books.bill("reconcile", "2026-10", "--json")
    euros, dollars = json.loads(answer.out)
    assert answer.code == 1
    assert (euros["currency"], euros["reported"], euros["gaps"][-1]["unexplained"]) == ("EUR", None, "38.00")
    assert (dollars["currency"], dollars["invoiced"]) == ("USD", None)


def test_of_a_file_the_name_and_the_hash_are_kept(books: Books) -> None:
    """And not the file: it may hold an address."""
    books.store("openai", item(40 * USD, "sand-1, input"))
    file = books.folder / "invoice of october.pdf"
    file.write_bytes(b"an address")
    assert books.bill("invoice", "add", "openai", "2026-10", "40", "--file", str(file)).code == 0
    [kept] = json.loads(books.bill("invoice", "list", "--json").out)
    assert (kept["file"], kept["sha256"]) == (file.name, hashlib.sha256(b"an address").hexdigest())
    assert (kept["amount"], kept["currency"], kept["added_on"]) == ("40.00", "USD", "2026-11-22")
    assert b"an address" not in (books.folder / "agent_os.db").read_bytes()


def test_invoices_of_a_month_are_added_up_and_removed_together(books: Books) -> None:
    """One more is kept beside the first; the same once more is refused."""
    books.store("openai", item(40 * USD, "sand-1, input"))
    for amount in ("30", "10"):
        assert books.bill("invoice", "add", "openai", "2026-10", amount).code == 0
    again = books.bill("invoice", "add", "openai", "2026-10", "10.00")
    assert (again.code, "is there already" in again.err) == (2, True)
    assert books.account()["invoiced"] == "40.00"
    assert "2 removed" in books.bill("invoice", "remove", "openai", "2026-10").out
    assert "no invoice was typed in" in books.bill("invoice", "list").out
    assert books.account()["invoiced"] is None
    assert books.bill("invoice", "remove", "openai", "2026-10").code == 2


@pytest.mark.parametrize(
    "words",
    [
        ("add", "openai", "2026-10"),
        ("add", "openai", "2026-10", "41,27"),
        ("add", "openai", "2026-10", "USD 41"),
        ("add", "openai", "2026-10", "1e3"),
        ("add", "openai", "2026-13", "41.27"),
        ("add", "openai", "October", "41.27"),
        ("add", "opennai", "2026-10", "41.27"),
        ("add", "openai", "2026-10", "41.27", "--currency", "euro"),
        ("add", "openai", "2026-10", "41.27", "--currency", "xyz"),
        ("add", "openai", "2999-10", "41.27"),
        ("add", "openai", "2026-10", "41.27", "--tax", "50"),
        ("add", "openai", "2026-10", "41.27", "--tax", "-1"),
        ("add", "openai", "2026-10", "41.27", "--file", "not/there.pdf"),
        ("remove", "openai"),
        ("burn", "openai", "2026-10"),
    ],
)
def test_an_invoice_that_cannot_be_meant_is_refused(books: Books, words: tuple[str, ...]) -> None:
    """One sentence, nothing stored."""
    books.store("openai", item(40 * USD, "sand-1, input"))
    answer = books.bill("invoice", *words)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1), answer.err
    assert books.sql("SELECT count(*) FROM state") == [(0,)]


# --- whose, and what is not -------------------------------------------------------------------------------------------


def test_estimates_alone_are_nobodys_bill(books: Books) -> None:
    """A local log has no account to settle."""
    books.store("claude_code", tokens(M, account="anthropic"), basis="estimated")
    answer = books.bill("reconcile", "2026-10")
    assert (answer.code, "nothing is reported, imported or invoiced for 2026-10" in answer.err) == (2, True)


def test_what_was_imported_stands_for_a_report(books: Books) -> None:
    """Where nothing else is known, and it is called imported."""
    books.store("acme", other(40 * USD, "", "all of it"), basis="imported")
    assert books.bill("invoice", "add", "acme", "2026-10", "40").code == 0
    assert books.account()["basis"] == "imported"
    assert "invoice - imported = +0.00" in books.bill("reconcile", "2026-10").out


def test_one_provider_may_be_asked_for(books: Books) -> None:
    """The others are not judged then."""
    with_prices(books, "anthropic")
    books.store("anthropic", tokens(3 * M), charge(7 * USD))
    books.store("openai", item(40 * USD, "sand-1, input"))
    assert books.bill("reconcile", "2026-10").code == 1
    assert books.account("--provider", "openai")["provider"] == "openai"


@pytest.mark.parametrize("words", [("2026",), ("2026-10", "--tolerance", "x"), ("2026-10", "--tolerance", "-1"), ()])
def test_a_month_that_cannot_be_meant_is_refused(books: Books, words: tuple[str, ...]) -> None:
    """In a sentence."""
    books.store("openai", item(40 * USD, "sand-1, input"))
    answer = books.bill("reconcile", *words)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1), answer.err


def test_the_same_ledger_gives_the_same_bytes(books: Books) -> None:
    """Whatever order the lines came in."""
    with_prices(books, "openai")
    records = [tokens(M * n, day=add_days("2026-10-01", n)) for n in range(9)]
    records += [item(2 * USD * n, "sand-1, input", day=add_days("2026-10-01", n)) for n in range(9)]
    books.store("openai", *records)
    first = books.bill("reconcile", "2026-10").out
    for file in books.folder.glob("agent_os.db*"):
        file.unlink()
    books.store("openai", *reversed(records))
    assert books.bill("reconcile", "2026-10").out == first


# --- what the kernel gives for it -------------------------------------------------------------------------------------


def test_usage_is_priced_whoever_has_reported_it(books: Books) -> None:
    """By the collector's vendor; what has no price is None, and never 0."""
    with_prices(books, "openai")
    books.store("openai", tokens(3 * M, tier="batch default"), tokens(M, "output"), tokens(7, model="nobody-knows"))
    with agent_os.open(books.folder) as home:
        found = list(home.estimates(since="2026-10-01", until="2026-11-01", provider="openai"))
        assert list(home.estimates(provider="anthropic")) == []
    told = [(each.line.model, each.line.quantity, each.nano, each.currency, each.price[:14]) for each in found]
    assert told == [
        ("sand-1", 3 * M, 3 * USD, "USD", "openai/sand-1@"), ("sand-1", M, 10 * USD, "USD", "openai/sand-1@"),
        ("nobody-knows", 7, None, "", ""),
    ]  # fmt: skip
