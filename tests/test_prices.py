"""Prices: which one a model has on a day, what a line comes to with it, and that what is shipped is what it says."""

from __future__ import annotations

import json
from contextlib import suppress
from fractions import Fraction

import pytest
from fakes.clock import ManualClock
from hypothesis import given
from hypothesis import strategies as st

from agent_os.core.days import Window
from agent_os.core.errors import UsageError
from agent_os.core.model import Record
from agent_os.core.opening import open_to_write
from agent_os.core.price_book import faults_of, shipped
from agent_os.core.price_facts import completed, facts_of, price_of
from agent_os.core.price_import import read, table_of
from agent_os.core.price_store import PriceStore
from agent_os.core.price_table import TABLE
from agent_os.core.prices import PriceBook, Rates, amount_of, estimate, make_price, names_of
from agent_os.core.repricing import repriced

DOLLAR = 10**9
DAY = "2026-11-20"
BLANK = {**dict.fromkeys(Record._fields, ""), "amount_nano": None}


def line(kind="input", quantity=1_000_000, **others) -> Record:
    """A line of estimated usage."""
    where = {"date": DAY, "account": "acme", "model": "road", "context": "0-128k", "report": "log"}
    what = {"kind": "usage", "basis": "estimated", "unit": "tokens", "token_type": kind, "quantity": quantity}
    return Record(**{**BLANK, **where, **what, **others})


def searches(quantity) -> Record:
    return line("", quantity, unit="calls", cost_type="web_search")


def price(faults=None, **facts):
    """A price of acme's road runner, from facts as a file has them."""
    wrong = [] if faults is None else faults
    found = price_of({"vendor": "acme", "model": "road", "input": "4", "output": "20", **facts}, wrong)
    assert faults is not None or not wrong, wrong
    return found


def book(*prices) -> PriceBook:
    return PriceBook([("shipped", prices)])


def amounts(records):
    return [record.amount_nano for record in records if record.kind == "cost"]


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vendor", "model", "names"),
    [
        pytest.param("anthropic", "claude-opus-5-5", ["claude-opus-5-5"], id="plain"),
        pytest.param(
            "anthropic", "claude-opus-4-6-20260205", ["claude-opus-4-6-20260205", "claude-opus-4-6"], id="dated"
        ),
        pytest.param("openai", "gpt-5.4-2026-03-05", ["gpt-5.4-2026-03-05", "gpt-5.4"], id="dated-with-dashes"),
        pytest.param(
            "anthropic",
            "claude-haiku-4-5@20251001",
            ["claude-haiku-4-5@20251001", "claude-haiku-4-5"],
            id="at-a-version",
        ),
        pytest.param("anthropic", "claude-sonnet-5-latest", ["claude-sonnet-5-latest", "claude-sonnet-5"], id="latest"),
        pytest.param("anthropic", "claude-opus-4-6[1m]", ["claude-opus-4-6[1m]", "claude-opus-4-6"], id="large-window"),
        pytest.param("openai", "openai/gpt-5.4", ["openai/gpt-5.4", "gpt-5.4"], id="vendor-before-it"),
        pytest.param("acme", "acme/road", ["acme/road", "road"], id="any-vendor-before-it"),
        pytest.param("google", "models/gemini-2.5-pro", ["models/gemini-2.5-pro", "gemini-2.5-pro"], id="models"),
        pytest.param(
            "anthropic",
            "us.anthropic.claude-haiku-4-5-20251001-v1:0",
            [
                "us.anthropic.claude-haiku-4-5-20251001-v1:0",
                "claude-haiku-4-5-20251001-v1:0",
                "claude-haiku-4-5-20251001",
                "claude-haiku-4-5",
            ],
            id="of-a-cloud",
        ),
        pytest.param("openai", "anthropic/claude-opus-5", ["anthropic/claude-opus-5"], id="of-another-vendor"),
        pytest.param("openai", "gpt-4-0613", ["gpt-4-0613"], id="short-date-is-a-name"),
        pytest.param("openai", "gpt-5.4x", ["gpt-5.4x"], id="a-letter-more"),
        pytest.param("openai", "-latest", ["-latest"], id="nothing-but-a-suffix"),
        pytest.param("openai", "", [""], id="nothing"),
    ],
)
def test_a_name_leads_to_others_by_rules_alone(vendor, model, names):
    """A model is looked up under its own name, then without what a table says may stand around it; nothing is near."""
    assert names_of(vendor, model) == names


def test_the_exact_name_wins_over_the_shorter_one():
    """A dated model that costs otherwise has its own price."""
    found = book(price(), price(model="road-20260101", input="5"))
    assert found.find("acme", "road-20260101", DAY).rates.base["input"] == 5 * DOLLAR
    assert found.find("acme", "road-20260202", DAY).rates.base["input"] == 4 * DOLLAR
    assert found.find("acme", "roads", DAY) is None
    assert found.find("other", "road", DAY) is None


@pytest.mark.parametrize(
    ("day", "rate"),
    [("2026-05-31", None), ("2026-06-01", 4), ("2026-08-31", 4), ("2026-09-01", 3), ("2030-01-01", 3)],
)
def test_a_price_holds_from_its_day_up_to_the_next(day, rate):
    """`from` is included, `until` is not; before and after there is no price."""
    found = book(
        price(**{"from": "2026-06-01", "until": "2026-09-01"}), price(input="3", **{"from": "2026-09-01"})
    ).find("acme", "road", day)
    assert (found and found.rates.base["input"]) == (rate and rate * DOLLAR)


def test_what_was_set_wins_over_what_was_imported_over_what_is_shipped():
    """Of two prices for a day the first origin decides; within imports the one that is listed first."""
    origins = {"override": ["1"], "imported": ["3", "2"], "shipped": ["4"]}
    given = [(name, [price(input=rate) for rate in rates]) for name, rates in origins.items()]
    for first, rate in ((0, 1), (1, 3), (2, 4)):
        assert PriceBook(given[first:]).find("acme", "road", DAY).rates.base["input"] == rate * DOLLAR


# --- ids --------------------------------------------------------------------------------------------------------------


def test_an_id_means_the_rates():
    """Whatever an amount depends on changes the id; where it was read does not, nor until when it holds."""
    one = price(**{"from": "2026-06-01"})
    assert one.id == "acme/road@2026-06-01#" + one.digest
    assert len(one.digest) == 8
    same = price(source="elsewhere", source_date=DAY, licence="MIT", until="2027-01-01", **{"from": "2026-06-01"})
    assert same.id == one.id
    others = [
        price(input="4.000000001"),
        price(cache_read="0"),
        price(currency="EUR"),
        price(above={"200000": {"input": "8"}}),
        price(above={"272000": {"input": "8"}}),
        price(tiers={"batch": "0.5"}),
        price(tiers={"flex": {"input": "2"}}),
        price(regions={"us": "1.1"}),
        price(web_search="10"),
        price(model="roads"),
        price(),
    ]
    assert len({each.digest for each in others}) == len(others)


def test_facts_come_back_as_they_were():
    """What is kept of a price makes the same price again, id included."""
    given = price(
        cache_write_1h="0.125", above={"200000": {"input": "8", "output": "30"}}, web_search="10", currency="EUR",
        tiers={"batch": "0.5", "flex": {"input": "2", "above": {"200000": {"input": "4"}}}}, regions={"us": "1.1"},
        source="a list", source_date=DAY, licence="MIT", until="2027-01-01", **{"from": "2026-06-01"},
    )  # fmt: skip
    assert price_of(json.loads(json.dumps(facts_of(given))), []) == given


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"input": "-1"}, "input is negative"),
        ({"input": "12,50"}, "input: '12,50' is not an amount"),
        ({"input": True}, "input: True is not an amount"),
        ({"input": "0.00000000001"}, "finer than prices are kept"),
        ({"inptu": "1"}, "inptu is no part of a price; did you mean input?"),
        ({"vendor": ""}, "it has no vendor"),
        ({"from": "yesterday"}, "from: 'yesterday' is not a day"),
        ({"from": "2026-06-01", "until": "2026-06-01"}, "until 2026-06-01 is not after from 2026-06-01"),
        ({"currency": "dollars"}, "currency: 'dollars' is not a currency code"),
        ({"above": {"many": {"input": "1"}}}, "above is not as"),
        ({"above": []}, "above is not as"),
        ({"regions": "us"}, "regions is not as"),
        ({"tiers": {"batch": "half"}}, "batch: 'half' is not an amount"),
    ],
)
def test_a_price_that_cannot_be_meant_is_refused_with_the_reason(facts, said):
    """All that is wrong is said, and there is no price."""
    faults = []
    assert price(faults, **facts) is None
    assert said in "; ".join(faults)


# --- amounts ----------------------------------------------------------------------------------------------------------

FULL = {
    "cache_read": "0.4",
    "cache_write_5m": "5",
    "cache_write_1h": "8",
    "web_search": "10",
    "above": {"200000": {"input": "8", "output": "30"}},
    "tiers": {"batch": "0.5", "priority": {"input": "7", "output": "35"}},
    "regions": {"us": "1.1"},
}


@pytest.mark.parametrize(
    ("record", "nano"),
    [
        pytest.param(line(), 4 * DOLLAR, id="input"),
        pytest.param(line("output"), 20 * DOLLAR, id="output"),
        pytest.param(line("cache_read"), DOLLAR * 4 // 10, id="cache-read"),
        pytest.param(line("cache_write_1h"), 8 * DOLLAR, id="cache-write-1h"),
        pytest.param(line("cache_write"), 5 * DOLLAR, id="a-write-of-unknown-retention-is-the-short-one"),
        pytest.param(line("input_audio"), None, id="kind-without-rate"),
        pytest.param(line(quantity=0), 0, id="nothing"),
        pytest.param(line(quantity=1), 4000, id="one-token"),
        pytest.param(line(tier="standard"), 4 * DOLLAR, id="standard"),
        pytest.param(line(tier="standard standard"), 4 * DOLLAR, id="standard-in-two-words"),
        pytest.param(line(tier="batch"), 2 * DOLLAR, id="batch-is-a-factor"),
        pytest.param(line(tier="standard batch"), 2 * DOLLAR, id="one-word-that-is-not-standard"),
        pytest.param(line(tier="batch priority"), None, id="two-tiers-at-once"),
        pytest.param(line(tier="priority"), 7 * DOLLAR, id="a-tier-with-rates-of-its-own"),
        pytest.param(line("cache_read", tier="priority"), None, id="which-has-none-for-this-kind"),
        pytest.param(line(tier="fast"), None, id="unknown-tier"),
        pytest.param(line(region="us"), 4_400_000_000, id="region"),
        pytest.param(line(region="global"), 4 * DOLLAR, id="no-region"),
        pytest.param(line(region="eu"), None, id="unknown-region"),
        pytest.param(line(tier="batch", region="us"), 2_200_000_000, id="batch-in-a-region"),
        pytest.param(line(context="128k-200k"), 4 * DOLLAR, id="up-to-the-threshold"),
        pytest.param(line(context="200k-272k"), 8 * DOLLAR, id="above-the-threshold"),
        pytest.param(line(context="272k+"), 8 * DOLLAR, id="far-above"),
        pytest.param(line(context="200k-1M"), 8 * DOLLAR, id="another-label-above"),
        pytest.param(line(tier="batch", context="272k+"), 4 * DOLLAR, id="long-batch"),
        pytest.param(line("cache_read", context="272k+"), None, id="long-and-no-rate-for-it"),
        pytest.param(line(tier="priority", context="272k+"), None, id="long-in-a-tier-that-says-nothing-of-it"),
        pytest.param(line(context="128k-272k"), None, id="label-on-both-sides"),
        pytest.param(line(context=""), None, id="size-unknown"),
        pytest.param(line(context="large"), None, id="label-that-says-nothing"),
        pytest.param(searches(3), 30_000_000, id="web-search"),
        pytest.param(line("", 3, unit="calls", cost_type="maps"), None, id="call-without-price"),
        pytest.param(line("", 3, unit="requests"), None, id="requests-cost-nothing-by-themselves"),
        pytest.param(line(quantity=10**18), None, id="more-than-an-amount-can-be"),
    ],
)
def test_a_line_comes_to_what_its_price_says(record, nano):
    """By kind, tier, region and size of the request; what has no rate has no amount, and never 0."""
    assert amount_of(price(**FULL), record) == nano


def test_a_size_matters_only_where_the_price_has_a_threshold():
    """A request of unknown size is priced by a price that is the same for all."""
    assert amount_of(price(), line(context="")) == 4 * DOLLAR


@pytest.mark.parametrize(
    ("rate", "quantity", "nano"),
    [("0.0005", 1, 0), ("0.0015", 1, 2), ("0.0005", 3, 2), ("0.0025", 1, 2), ("0.000500001", 1, 1)],
)
def test_an_amount_is_rounded_half_even_once(rate, quantity, nano):
    """A rate of half a billionth a token: half goes to the even number."""
    assert amount_of(price(input=rate), line(quantity=quantity)) == nano


@given(
    rate=st.integers(0, 10**12),
    quantity=st.integers(0, 10**9),
    tier=st.integers(0, 10**10),
    region=st.integers(0, 10**10),
)
def test_amounts_are_exact(rate, quantity, tier, region):
    """Whatever the rate and the factors: the fraction that it is, rounded once."""
    rates = Rates({"input": rate}, {})
    given_price = make_price("acme", "road", rates=rates, tiers={"x": tier}, regions={"y": region})
    exact = Fraction(quantity * rate, 10**6) * Fraction(tier, 10**9) * Fraction(region, 10**9)
    wanted = round(exact)  # half to even
    found = amount_of(given_price, line(quantity=quantity, tier="x", region="y"))
    assert found == (wanted if wanted < 2**63 else None)


# --- estimates --------------------------------------------------------------------------------------------------------


def test_each_priced_line_is_followed_by_its_cost():
    """The line keeps its figures and names its price; the cost has the same dimensions and the same price."""
    one = price()
    usage, cost = estimate([line("output", 500, project="p", tier="standard")], book(one), used={})
    assert usage == line("output", 500, project="p", tier="standard", price=one.id)
    assert cost == Record(
        **{
            **BLANK, "date": DAY, "kind": "cost", "report": "log", "account": "acme", "project": "p", "model": "road",
            "cost_type": "api_equivalent", "token_type": "output", "tier": "standard", "context": "0-128k",
            "quantity": None, "amount_nano": 10_000_000, "currency": "USD", "basis": "estimated", "price": one.id,
        }
    )  # fmt: skip


def test_what_has_no_price_stays_as_it_is():
    """An unknown model is unpriced, not free; what a provider has reported is left alone."""
    unknown, reported = line(model="other"), line(basis="reported")
    requests = line("", 3, unit="requests")
    assert list(estimate([unknown, reported, requests], book(price()), used={})) == [unknown, reported, requests]


def test_what_was_priced_is_not_priced_again():
    """The price that lines of a day had wins over the book, for this group and no other; where it has no rate, not."""
    old = price(input="3")
    used = {(DAY, "acme", "road", "", "0-128k", ""): old}
    records = [line(), line("cache_read"), line(tier="batch"), line(date="2026-11-21")]
    new = book(price(cache_read="0.4", tiers={"batch": "0.5"}))
    assert amounts(estimate(records, new, used=used)) == [3 * DOLLAR, DOLLAR * 4 // 10, 2 * DOLLAR, 4 * DOLLAR]


def test_a_free_model_is_priced_at_zero():
    """Zero is a price where it is told for input and output."""
    (usage, cost) = estimate([line()], book(price(input="0", output="0")), used={})
    assert (usage.price != "", cost.amount_nano) == (True, 0)


# --- what is derived --------------------------------------------------------------------------------------------------


def test_anthropics_multiples_stand_in_where_nothing_is_told():
    """1.25 and 2 times input for writes, a tenth for reads; a figure that is told stands; nobody else has them."""
    assert completed("anthropic", {"input": 4 * DOLLAR, "cache_read": 7}) == {
        "input": 4 * DOLLAR, "cache_read": 7, "cache_write_5m": 5 * DOLLAR, "cache_write_1h": 8 * DOLLAR,
    }  # fmt: skip
    assert completed("openai", {"input": 4 * DOLLAR}) == {"input": 4 * DOLLAR}


# --- importing --------------------------------------------------------------------------------------------------------

LITELLM = """{
 "sample_spec": {"litellm_provider": "one of", "mode": "chat", "input_cost_per_token": 0},
 "claude-x": {"litellm_provider": "anthropic", "mode": "chat", "input_cost_per_token": 4e-06,
   "output_cost_per_token": 2e-05, "cache_creation_input_token_cost": 5e-06, "input_cost_per_token_batches": 2e-06,
   "output_cost_per_token_batches": 1e-05, "search_context_cost_per_query": {"a": 0.01, "b": 0.01},
   "provider_specific_entry": {"us": 1.1, "fast": 2}},
 "claude-x-20260101": {"litellm_provider": "anthropic", "mode": "chat", "input_cost_per_token": 4e-06,
   "output_cost_per_token": 2e-05, "cache_creation_input_token_cost": 5e-06, "input_cost_per_token_batches": 2e-06,
   "output_cost_per_token_batches": 1e-05, "search_context_cost_per_query": {"a": 0.01, "b": 0.01},
   "provider_specific_entry": {"us": 1.1, "fast": 2}},
 "gpt-x": {"litellm_provider": "openai", "mode": "responses", "input_cost_per_token": 1.25e-06,
   "output_cost_per_token": 1e-05, "cache_read_input_token_cost": 1.25e-07, "input_cost_per_token_batches": 6.25e-07,
   "output_cost_per_token_batches": 5e-06, "input_cost_per_token_priority": 2.5e-06,
   "output_cost_per_token_priority": 2e-05, "cache_read_input_token_cost_priority": 2.5e-07,
   "search_context_cost_per_query": {"low": 0.01, "high": 0.03}},
 "gemini/gemini-x": {"litellm_provider": "gemini", "mode": "chat", "input_cost_per_token": 2e-06,
   "output_cost_per_token": 1.2e-05, "input_cost_per_token_above_200k_tokens": 4e-06,
   "output_cost_per_token_above_200k_tokens": 1.8e-05, "output_cost_per_reasoning_token": 1.2e-05,
   "search_context_cost_per_query": {"low": 0.035}, "search_free_requests": {"count": 10}},
 "gemini/half-free": {"litellm_provider": "gemini", "mode": "chat", "input_cost_per_token": 0,
   "output_cost_per_token": 1e-06},
 "gemini/no-output": {"litellm_provider": "gemini", "mode": "chat", "input_cost_per_token": 0},
 "gemini/thinks": {"litellm_provider": "gemini", "mode": "chat", "input_cost_per_token": 1e-06,
   "output_cost_per_token": 1e-06, "output_cost_per_reasoning_token": 2e-06},
 "gemini/owes": {"litellm_provider": "gemini", "mode": "chat", "input_cost_per_token": -1e-06,
   "output_cost_per_token": 1e-06},
 "gemini/free": {"litellm_provider": "gemini", "mode": "chat", "input_cost_per_token": 0, "output_cost_per_token": 0.0},
 "gemini/songs": {"litellm_provider": "gemini", "mode": "chat", "input_cost_per_token": 0, "output_cost_per_token": 0,
   "output_cost_per_image": 0.08},
 "gemini/twice": {"litellm_provider": "gemini", "mode": "chat", "input_cost_per_token": 1e-06,
   "output_cost_per_token": 1e-06},
 "twice": {"litellm_provider": "gemini", "mode": "chat", "input_cost_per_token": 2e-06, "output_cost_per_token": 1e-06},
 "gpt-image": {"litellm_provider": "openai", "mode": "image_generation", "input_cost_per_token": 1e-06,
   "output_cost_per_token": 1},
 "ft:gpt-x": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-06,
   "output_cost_per_token": 1e-06},
 "bedrock/x": {"litellm_provider": "bedrock", "mode": "chat", "input_cost_per_token": 1e-06,
   "output_cost_per_token": 1e-06}
}"""


def imported(text, **given):
    options = {"name": "list.json", "valid_from": "2026-06-01", "read_on": DAY, **given}
    return read(text.encode("utf-8"), **options)


def plain(found):
    """The facts of what was read, without what is the same for all."""
    common = ("vendor", "model", "from", "source", "source_date", "licence")
    return {
        f"{each.vendor}/{each.model}": {name: value for name, value in facts_of(each).items() if name not in common}
        for each in found.prices
    }


def test_litellms_list_is_read():
    """Dollars a token become dollars a million, exactly; what cannot price tokens is left out with the reason."""
    found = imported(LITELLM)
    claude = {
        "input": "4", "output": "20", "cache_read": "0.4", "cache_write_5m": "5", "cache_write_1h": "8",
        "web_search": "10", "tiers": {"batch": "0.5", "fast": "2"}, "regions": {"us": "1.1"},
    }  # fmt: skip
    assert plain(found) == {
        "anthropic/claude-x": claude,
        "anthropic/claude-x-20260101": claude,
        "openai/gpt-x": {
            "input": "1.25", "output": "10", "cache_read": "0.125",
            "tiers": {"batch": {"input": "0.625", "output": "5"}, "priority": "2"},
        },
        "google/gemini-x": {"input": "2", "output": "12", "above": {"200000": {"input": "4", "output": "18"}}},
        "google/free": {"input": "0", "output": "0"},
    }  # fmt: skip
    assert found.left_out == {
        "google/half-free": "its input is free, its output not",
        "google/no-output": "it has no price for input and output",
        "google/thinks": "its thinking has a price of its own",
        "google/owes": "a figure of it cannot be meant: -0.000001 is no price",
        "google/songs": "its output is not only text, and costs by what it is",
        "google/twice": "it is there with two prices",
    }
    one = found.prices[0]
    assert (one.valid_from, one.source, one.source_date, one.licence) == (
        "2026-06-01", "LiteLLM (list.json)", DAY, "MIT",
    )  # fmt: skip


def test_the_shipped_table_is_what_the_converter_writes():
    """A dated name that costs the same as the plain one is left out; models that cost the same share a line."""
    written = table_of(LITELLM.encode(), name="x", read_on=DAY)
    found = imported(written, valid_from="")
    assert [each.model for each in found.prices] == ["claude-x", "free", "gemini-x", "gpt-x"]
    assert (found.form, found.prices[0].source, found.prices[0].valid_from) == ("own", "LiteLLM (x)", "")


MODELS_DEV = """{
 "anthropic": {"id": "anthropic", "models": {"claude-x": {"id": "claude-x", "cost":
   {"input": 3, "output": 15, "cache_read": 0.3, "cache_write": 3.75,
    "context_over_200k": {"input": 6, "output": 22.5, "cache_read": 0.6, "cache_write": 7.5}}}}},
 "openai": {"id": "openai", "models": {
   "gpt-x": {"id": "gpt-x", "cost": {"input": 5, "output": 30, "reasoning": 30,
     "context_over_200k": {"input": 10, "output": 45},
     "tiers": [{"tier": {"type": "context", "size": 272000}, "input": 10, "output": 45}]}},
   "odd": {"id": "odd", "cost": {"input": 5, "output": 30,
     "tiers": [{"tier": {"type": "moon"}, "input": 1, "output": 1}]}},
   "bare": {"id": "bare"}}},
 "google": {"id": "google", "models": {"g": {"id": "g", "cost": {"input": 1, "output": 2, "reasoning": 3}}}},
 "elsewhere": {"id": "elsewhere", "models": {"claude-x": {"cost": {"input": 1, "output": 1}}}}
}"""


def test_models_devs_list_is_read():
    """Its one write is the short one; tiers of size win over the older field that repeats them at another size."""
    found = imported(MODELS_DEV)
    assert plain(found) == {
        "anthropic/claude-x": {
            "input": "3", "output": "15", "cache_read": "0.3", "cache_write_5m": "3.75", "cache_write_1h": "6",
            "above": {
                "200000": {
                    "input": "6", "output": "22.5", "cache_read": "0.6", "cache_write_5m": "7.5",
                    "cache_write_1h": "12",
                },
            },
        },
        "openai/gpt-x": {"input": "5", "output": "30", "above": {"272000": {"input": "10", "output": "45"}}},
    }  # fmt: skip
    assert found.left_out == {
        "openai/odd": "a figure of it cannot be meant: a tier of it is not one of size",
        "google/g": "its thinking has a price of its own",
    }


def test_our_own_form_is_read():
    """It may say its days and its source itself; several models may share a price."""
    text = """{"form": "agent_os prices", "source": "a contract", "prices": [
      {"vendor": "acme", "models": ["road", "rail"], "input": 4, "output": "20", "until": "2027-01-01"},
      {"vendor": "acme", "model": "sky", "input": "0.5", "output": "1", "from": "2026-01-01", "currency": "EUR"}]}"""
    found = imported(text).prices
    assert [(each.model, each.valid_from, each.valid_to, each.currency, each.source) for each in found] == [
        ("road", "2026-06-01", "2027-01-01", "USD", "a contract"),
        ("rail", "2026-06-01", "2027-01-01", "USD", "a contract"),
        ("sky", "2026-01-01", "", "EUR", "a contract"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no price list that this program knows: it is not JSON"),
        ("[1]", "is no price list"),
        ('{"a": {"b": 1}}', "is no price list"),
        ('{"a": 1e999999999999999999999}', "is no price list"),
        ('{"form": "agent_os prices"}', "price 1 (): it has no vendor"),
        ('{"form": "agent_os prices", "prices": [{"vendor": "a", "model": "b", "inptu": "1"}]}', "did you mean input?"),
    ],
)
def test_a_file_that_is_none_of_them_is_refused(text, said):
    """One sentence that names the file."""
    with pytest.raises(UsageError, match=r"list\.json") as caught:
        imported(text)
    assert said in caught.value.message


OURS = """{"form": "agent_os prices", "source": "x", "prices": [{"vendor": "acme", "models": ["road"], "input": "4",
  "output": 20, "above": {"200000": {"input": "8"}}, "tiers": {"batch": "0.5", "flex": {"input": "2"}},
  "regions": {"us": "1.1"}, "web_search": "10", "from": "2026-01-01"}]}"""


def places(value, path=()):
    """The path to every part of a document."""
    yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], (*path, key))


@given(data=st.data())
def test_a_file_that_is_wrong_somewhere_is_refused_or_read_and_nothing_else(data):
    """Whatever stands in whatever place: prices without a negative rate, or one sentence."""
    document = json.loads(data.draw(st.sampled_from([LITELLM, MODELS_DEV, OURS])))
    *way, last = data.draw(st.sampled_from([path for path in places(document) if path]))
    part = document
    for key in way:
        part = part[key]
    odd = [
        None,
        True,
        -1,
        0,
        1.5,
        10**400,
        "",
        "x",
        "1e400",
        "-1",
        [],
        {},
        [None],
        {"x": None},
        {"tier": {"size": "x"}},
    ]
    part[last] = data.draw(st.sampled_from(odd))
    with suppress(UsageError):  # any other error is one
        found = imported(json.dumps(document))
        assert all(rate >= 0 for each in found.prices for rate in each.rates.base.values())


def test_a_file_with_two_prices_of_one_model_for_a_day_is_refused():
    """Nobody could tell which is meant."""
    text = """{"form": "agent_os prices", "prices": [
      {"vendor": "acme", "model": "road", "input": 4, "output": "20", "from": "2026-01-01"},
      {"vendor": "acme", "model": "road", "input": 5, "output": "20", "from": "2026-02-01"}]}"""
    with pytest.raises(UsageError, match="acme/road has two prices from 2026-02-01 on"):
        imported(text)
    assert len(imported(text.replace('"2026-01-01"', '"2026-01-01", "until": "2026-02-01"')).prices) == 2


# --- what is shipped --------------------------------------------------------------------------------------------------


def test_the_shipped_prices_are_sound():
    """Every id is unique and what its facts give; no model has two prices for a day; each says where it is from."""
    assert len({each.id for each in shipped()}) == len(shipped())
    assert [price_of(facts_of(each), []) for each in shipped()] == list(shipped())
    assert faults_of(book(*shipped())) == []
    assert {(each.source, each.source_date, each.licence) for each in shipped()} == {
        ("LiteLLM (PyPI wheel 1.110.2)", "2026-11-26", "MIT")
    }
    assert len(TABLE) <= 30_000


@pytest.mark.parametrize(
    ("vendor", "model", "record", "nano"),
    [
        # $4 / $20 / $0.20 / $5 / $8 a million
        ("anthropic", "claude-opus-5-5", line(quantity=12), 48_000),
        ("anthropic", "claude-opus-5-5", line("output", 431), 8_620_000),
        ("anthropic", "claude-opus-5-5", line("cache_read", 40112), 8_022_400),
        ("anthropic", "claude-opus-5-5", line("cache_write_1h", 2210), 17_680_000),
        ("anthropic", "claude-opus-5-5", line(tier="batch"), 2 * DOLLAR),
        ("anthropic", "claude-opus-5-5", line(tier="fast"), 8 * DOLLAR),
        ("anthropic", "claude-opus-5-5", line(tier="priority"), None),
        ("anthropic", "claude-opus-5-5", line(region="us"), 4_400_000_000),
        ("anthropic", "claude-opus-4-6-20260205", line("output"), 25 * DOLLAR),
        ("anthropic", "claude-sonnet-5-5", searches(7), 70_000_000),
        ("anthropic", "claude-haiku-5-5", line(context="0-100k"), DOLLAR // 10),
        ("anthropic", "claude-haiku-5-5", line(context="100k-128k"), DOLLAR // 2),
        ("anthropic", "claude-haiku-5-5", line(context="0-128k"), None),
        ("openai", "gpt-5.4", line(context="200k-272k"), 2_500_000_000),
        ("openai", "gpt-5.4", line(context="272k+"), 5 * DOLLAR),
        ("openai", "gpt-5.4-2026-03-05", line("cache_read", tier="flex"), 130_000_000),
        ("openai", "gpt-5.5", line(tier="priority", context="272k+"), None),
        ("openai", "gpt-6-astra", line("cache_write"), 12_500_000_000),
        ("google", "gemini-2.5-pro", line("output", context="200k-272k"), 15 * DOLLAR),
        ("google", "models/gemini-2.5-pro", line(context="128k-200k"), 1_250_000_000),
    ],
)
def test_known_prices_are_there(vendor, model, record, nano):
    """As the source has them."""
    found = book(*shipped()).find(vendor, model, DAY)
    assert amount_of(found, record) == nano


def test_a_model_nobody_knows_has_no_price():
    """Not that of a similar one."""
    for model in ("claude-opus-9", "claude", "gpt-5.4-nanos", "opus", "claude-opus-5-5-thinking"):
        assert book(*shipped()).find("anthropic", model, DAY) is None


# --- in the database --------------------------------------------------------------------------------------------------


@pytest.fixture
def db(tmp_path):
    found = open_to_write(str(tmp_path / "agent_os.db"), clock=ManualClock())
    yield found
    found.close()


def keep(db, prices, origin):
    with db.atomic():
        PriceStore(db).keep(prices, origin)


def take_in(db, *prices):
    with db.atomic():
        PriceStore(db).take_in(prices)


def test_the_newest_import_is_first(db):
    """What is imported again is new again; what lines were priced with stays, and is no import until it is one."""
    first, second = price(input="1"), price(input="2")
    keep(db, [first, price(input="3")], "shipped")
    take_in(db, first)
    db.clock.pass_by(1)
    take_in(db, second)
    assert PriceStore(db).imported() == [second, first]
    db.clock.pass_by(1)
    take_in(db, first)
    keep(db, [first, second], "shipped")
    assert PriceStore(db).imported() == [first, second]
    assert PriceStore(db).by_ids([first.id, second.id, "gone"]) == {first.id: first, second.id: second}
    assert PriceStore(db).used("x", Window(DAY, "2026-11-21")) == {}


# --- pricing anew -----------------------------------------------------------------------------------------------------


def test_pricing_anew_says_what_is_different():
    """Each kind of a model by its old and new price; what has none today keeps the one it had."""
    old, new = price(input="3"), price()
    other = line(model="gone")
    stored = list(estimate([line(), line(date="2026-11-21"), line("output", 10)], book(old), used={}))
    stored += estimate([other], book(price(model="gone")), used={})
    stored += [line("cache_read", 5), line("", 2, unit="requests")]
    lines, differences, days = repriced(stored, book(new), provider="log")
    assert [each[:8] for each in differences] == [
        ("log", "acme", "road", "input", old.id, new.id, "USD", "USD"),
        ("log", "acme", "road", "output", old.id, new.id, "USD", "USD"),
    ]
    assert [each[8:] for each in differences] == [
        (2, 2_000_000, 6 * DOLLAR, 8 * DOLLAR),
        (1, 10, 200_000, 200_000),
    ]
    assert days == {DAY, "2026-11-21"}
    assert len(lines) == len(stored)
    assert amounts(each for each in lines if each.model == "gone") == [4 * DOLLAR]
    assert repriced(lines, book(new), provider="log") == (lines, [], set())


def test_pricing_anew_prices_what_had_no_price():
    """A line that was unpriced gets the price that its model has by now, and a cost."""
    lines, differences, _ = repriced([line()], book(price()), provider="log")
    assert (differences[0].old_nano, differences[0].new_nano) == (None, 4 * DOLLAR)
    assert [each.kind for each in lines] == ["usage", "cost"]
