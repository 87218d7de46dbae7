"""`explain` and `diff`: where a figure comes from, what it was before, and what has changed since a day."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from fakes.clock import ManualClock
from homes import AppHome

from agent_os.core.days import Window
from agent_os.core.home import Home, open_home
from agent_os.core.model import Batch, Page, Record
from agent_os.core.posting import post
from agent_os.core.prices import Rates, estimate, make_price

BODIES = {"10": b'{"day": "2026-11-10", "cents": 125}', "11": b'{"day": "2026-11-11", "cents": 300}'}
BLANK = {**dict.fromkeys(Record._fields, ""), "quantity": None, "amount_nano": None}


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AppHome:
    return AppHome(tmp_path, capsys)


@pytest.fixture
def home(house: AppHome) -> Any:
    opened = open_home(str(house.folder), clock=ManualClock(), stderr=None)
    yield opened
    opened.close()


def cost(day: str, nano: int, item: str = "input", currency: str = "USD") -> Record:
    what = {"date": day, "kind": "cost", "report": "costs", "line_item": item, "amount_nano": nano}
    return Record(**{**BLANK, **what, "currency": currency, "basis": "reported"})


def store(home: Home, at: str, *records: Record, provider: str = "acme", days: tuple[str, ...] = ()) -> str:
    """What a provider said of November 10 and 11, with a page for each."""
    pages = [
        Page("costs", f"https://api.acme.test/costs?day={day}", f"req_{day}", f"{at}T08:59:00.000Z", body, ())
        for day, body in BODIES.items()
    ]
    batch = Batch(
        provider=provider, task="fetch_acme", window=Window("2026-11-10", "2026-11-12"),
        days=days or ("2026-11-10", "2026-11-11"), reports={"costs"}, observed_at=f"{at}T09:00:00.000Z",
        records=records, pages=pages, currency="USD", notes=(),
    )  # fmt: skip
    return post(home, batch, task="fetch_acme")[0]


def told_three_times(home: Home) -> list[str]:
    """Twice the first day cost something else, and a line was taken back."""
    day, next_day = "2026-11-10", "2026-11-11"
    return [
        store(
            home, "2026-11-12", cost(day, 1_250_000_000), cost(day, 500_000_000, "output"), cost(next_day, 3 * 10**9)
        ),
        store(
            home, "2026-11-14", cost(day, 1_000_000_000), cost(day, 500_000_000, "output"), cost(next_day, 3 * 10**9)
        ),
        store(home, "2026-11-16", cost(day, 1_500_000_000), cost(next_day, 3 * 10**9)),
    ]


# --- explain ----------------------------------------------------------------------------------------------------------


def test_a_line_is_explained_down_to_the_answer_it_came_in(house: AppHome, home: Home) -> None:
    """Request, request id, hash of the page that has its day, when it was seen, and the run."""
    runs = told_three_times(home)
    [day] = house.json("explain", "5")
    [line] = day["lines"]
    assert (day["provider"], day["day"], day["status"], day["cost"]) == ("acme", "2026-11-10", "provisional", "1.50")
    assert (line["amount"], line["currency"], line["basis"], line["line_item"]) == ("1.50", "USD", "reported", "input")
    assert line["pages"] == [
        {
            "url": "https://api.acme.test/costs?day=10", "request_id": "req_10", "seen_at": "2026-11-16T08:59:00.000Z",
            "sha256": hashlib.sha256(BODIES["10"]).hexdigest(),
        }
    ]  # fmt: skip
    assert (line["seen_at"], line["run"], line["task"]) == ("2026-11-16T09:00:00.000Z", runs[2], "fetch_acme")
    assert [line["link"]] == [row[0] for row in house.sql("SELECT chain FROM batches WHERE id = 3")]
    text = house.run("explain", "5").out
    for words in ("1.50 USD, reported", "https://api.acme.test/costs?day=10 (request req_10)", runs[2]):
        assert words in text


def test_what_was_said_before_stands_with_a_line(house: AppHome, home: Home) -> None:
    """Each earlier value, from when until when, and the batch that brought it; of an old one, what came later."""
    told_three_times(home)
    [day] = house.json("explain", "5")
    before = [(each["amount"], each["seen_at"][:10], each["replaced_at"][:10]) for each in day["lines"][0]["earlier"]]
    assert before == [("1.25", "2026-11-12", "2026-11-14"), ("1.00", "2026-11-14", "2026-11-16")]
    [day] = house.json("explain", "1")
    later = [(each["line"], each["amount"], each["replaced_at"]) for each in day["lines"][0]["later"]]
    assert later == [(4, "1.00", "2026-11-16T09:00:00.000Z"), (5, "1.50", None)]
    assert (
        "1.25 USD from 2026-11-12T09:00:00.000Z until 2026-11-14T09:00:00.000Z (line 1" in house.run("explain", "5").out
    )
    assert "nothing is said of it since" in house.run("explain", "2").out


def test_a_day_is_explained_line_by_line(house: AppHome, home: Home) -> None:
    """Of each provider that has it, or of one."""
    told_three_times(home)
    store(home, "2026-11-12", provider="quiet")
    days = house.json("explain", "2026-11-10")
    assert [(day["provider"], len(day["lines"]), day["cost"]) for day in days] == [
        ("acme", 1, "1.50"),
        ("quiet", 0, "0.00"),
    ]
    [day] = house.json("explain", "2026-11-10", "--provider", "quiet")
    assert day["provider"] == "quiet"
    assert "no line: the provider was asked and has none" in house.run("explain", "2026-11-10").out
    assert "nothing is stored of 2026-10-01" in house.run("explain", "2026-10-01").out


def test_an_estimate_is_computed_before_the_readers_eyes(house: AppHome, home: Home) -> None:
    """Quantity times rate, with the factor of its tier in the rate, by the price it was made with."""
    rates = Rates({"input": 3 * 10**9, "output": 15 * 10**9}, {})
    price = make_price("anthropic", "m", rates=rates, tiers={"batch": 500_000_000}, source=("a list", "2026-11-01", ""))
    line = Record(**{
        **BLANK, "date": "2026-11-10", "kind": "usage", "report": "log", "account": "anthropic", "model": "m",
        "token_type": "input", "tier": "batch", "quantity": 12_345, "unit": "tokens", "basis": "estimated",
    })  # fmt: skip
    unpriced = line._replace(model="n")
    group = (line.date, "anthropic", "m", "batch", "", "")

    class Empty:
        def find(self, *_: str) -> None:
            return None

    records = list(estimate([line, unpriced], Empty(), used={group: price}))
    batch = Batch(
        provider="log", task="it", window=Window("2026-11-10", "2026-11-11"), days=["2026-11-10"], reports={"log"},
        observed_at="2026-11-12T09:00:00.000Z", records=records, pages=(), currency="USD", notes=(),
        basis="estimated", prices=[("override", price)],
    )  # fmt: skip
    post(home, batch, task="it")
    [day] = house.json("explain", "2026-11-10")
    usage, money, none = (each["computed"] for each in day["lines"])
    assert usage == money
    assert (usage["usage_line"], usage["quantity"], usage["rate"], usage["per"]) == (1, 12_345, "1.50", 1_000_000)
    assert (usage["amount"], usage["price"], usage["source"]) == ("0.0185175", price.id, "a list")
    assert day["lines"][1]["amount"] == "0.0185175"
    assert none is None
    text = house.run("explain", "2026-11-10").out
    assert f"12,345 tokens of line 1 x 1.50 USD per 1,000,000 = 0.0185175 ({price.id}, a list, 2026-11-01)" in text
    assert "no price is known for it" in text


@pytest.mark.parametrize("what", ["99", "yesterday", "2026-02-30", "0x1", "9" * 30])
def test_what_is_neither_a_line_nor_a_day_is_refused(house: AppHome, home: Home, what: str) -> None:
    """In one sentence."""
    told_three_times(home)
    answer = house.run("explain", what)
    assert (answer.code, answer.out, answer.err.count("\n")) == (2, "", 1)


# --- diff -------------------------------------------------------------------------------------------------------------


def test_a_restated_day_shows_old_new_and_difference(house: AppHome, home: Home) -> None:
    """Line by line, with when it was seen; days that are the same are not shown."""
    told_three_times(home)
    found = house.json("diff", "--from", "2026-11-12", "--to", "2026-11-15")
    [day] = found["days"]
    assert (day["provider"], day["day"], day["kind"]) == ("acme", "2026-11-10", "restated")
    assert day["totals"] == [
        {"basis": "reported", "unit": "USD", "old": "1.75", "new": "1.50", "difference": "-0.25"}
    ]  # fmt: skip
    assert day["lines"] == [
        {
            "basis": "reported", "unit": "USD", "what": "costs, input", "old": "1.25", "new": "1.00",
            "difference": "-0.25", "old_line": 1, "new_line": 4, "seen_at": "2026-11-14T09:00:00.000Z",
        }
    ]  # fmt: skip
    assert found["sums"] == [
        {"kind": "restated", "basis": "reported", "unit": "USD", "days": 1, "difference": "-0.25"}
    ]  # fmt: skip
    text = house.run("diff", "--from", "2026-11-12", "--to", "2026-11-15").out
    assert "2026-11-10 acme restated: 1.75 -> 1.50 USD reported (-0.25)" in text
    assert "1 day restated: -0.25 USD reported" in text


def test_a_line_that_was_taken_back_counts_against(house: AppHome, home: Home) -> None:
    """It is not there any more: its amount is taken off, and it has no new one."""
    told_three_times(home)
    [day] = house.json("diff", "--from", "2026-11-14", "--to", "2026-11-16")["days"]
    assert [(each["what"], each["old"], each["new"], each["difference"]) for each in day["lines"]] == [
        ("costs, input", "1.00", "1.50", "0.50"), ("costs, output", "0.50", None, "-0.50")
    ]  # fmt: skip
    assert day["totals"][0]["difference"] == "0.00"


def test_a_day_that_was_not_known_is_no_restatement(house: AppHome, home: Home) -> None:
    """It was not zero, nobody had asked; what it adds is apart. One that was known to be empty was zero."""
    store(home, "2026-11-12", days=("2026-11-11",))
    store(home, "2026-11-14", cost("2026-11-10", 10**9), cost("2026-11-11", 2 * 10**9))
    found = house.json("diff", "--from", "2026-11-12", "--to", "2026-11-14")
    assert [(day["day"], day["kind"], day["totals"][0]["old"]) for day in found["days"]] == [
        ("2026-11-10", "new", None), ("2026-11-11", "restated", "0.00")
    ]  # fmt: skip
    assert [(each["kind"], each["difference"]) for each in found["sums"]] == [("new", "1.00"), ("restated", "2.00")]


def test_differences_of_two_currencies_are_not_added(house: AppHome, home: Home) -> None:
    """Nor of two bases, which is the same code."""
    store(home, "2026-11-12", cost("2026-11-10", 10**9), cost("2026-11-10", 10**9, currency="EUR"))
    store(home, "2026-11-14", cost("2026-11-10", 2 * 10**9), cost("2026-11-10", 4 * 10**9, currency="EUR"))
    found = house.json("diff", "--from", "2026-11-12", "--to", "2026-11-14")
    assert [(each["unit"], each["difference"]) for each in found["sums"]] == [("EUR", "3.00"), ("USD", "1.00")]


def test_a_value_that_came_back_is_no_difference(house: AppHome, home: Home) -> None:
    """A line that was something else in between is what it was."""
    for at, nano in (("2026-11-12", 10**9), ("2026-11-13", 2 * 10**9), ("2026-11-14", 10**9)):
        store(home, at, cost("2026-11-10", nano))
    assert house.json("diff", "--from", "2026-11-12", "--to", "2026-11-14")["days"] == []
    assert house.run("diff", "--from", "2026-11-12", "--to", "2026-11-14").out == "nothing is different\n"


@pytest.mark.parametrize("days", [("2026-11-12", "2026-11-12"), ("2026-11-13", "2026-11-12"), ("x", "2026-11-12")])
def test_days_of_knowledge_that_cannot_be_meant_are_refused(house: AppHome, days: tuple[str, str]) -> None:
    """The second is after the first."""
    assert house.run("diff", "--from", days[0], "--to", days[1]).code == 2


def test_the_same_question_has_the_same_answer(house: AppHome, home: Home) -> None:
    """What is stored later changes nothing about what was known then."""
    told_three_times(home)
    before = house.run("diff", "--from", "2026-11-12", "--to", "2026-11-15", "--json").out
    store(home, "2026-11-18", cost("2026-11-10", 7))
    assert house.run("diff", "--from", "2026-11-12", "--to", "2026-11-15", "--json").out == before
    assert json.loads(before)["days"]
