"""The sandbox answers as strictly as the vendors do, and every answer of it adds up to its ledger."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from decimal import ROUND_HALF_EVEN, Context, Decimal

import pytest

from agent_os.sandbox import anthropic, openai
from agent_os.sandbox.day import midnight
from agent_os.sandbox.exchange import Knobs, Request
from agent_os.sandbox.ledger import Ledger
from agent_os.sandbox.openai_reports import REPORTS

TODAY = "2026-11-22"
OPENAI_KEY = "sk-admin-sandbox-test"
ANTHROPIC_KEY = "sk-ant-admin01-sandbox-test"
COSTS = "/v1/organization/costs"
COMPLETIONS = "/v1/organization/usage/completions"
# 2026-10-10 and 2026-11-20 as Unix times, written out.
START, END = 1791590400, 1795132800
DAYS = [f"2026-10-{day:02d}" for day in range(10, 32)] + [f"2026-11-{day:02d}" for day in range(1, 20)]
WIDE = Context(prec=100, rounding=ROUND_HALF_EVEN)


@pytest.fixture(scope="module")
def ledger():
    return Ledger(7, TODAY)


def ask_openai(ledger, path, *query, knobs=None, key=f"Bearer {OPENAI_KEY}", method="GET"):
    headers = {"authorization": key} if key else {}
    request = Request("openai", method, path, query, headers, "req_1", datetime.now(timezone.utc))
    return openai.answer(request, ledger=ledger, knobs=knobs or Knobs(), key=OPENAI_KEY)


def ask_anthropic(ledger, path, *query, knobs=None, **headers):
    given = {"x-api-key": ANTHROPIC_KEY, "anthropic-version": "2023-06-01"}
    given.update({name.replace("_", "-"): value for name, value in headers.items()})
    given = {name: value for name, value in given.items() if value is not None}
    request = Request("anthropic", "GET", path, query, given, "req_1", datetime.now(timezone.utc))
    return anthropic.answer(request, ledger=ledger, knobs=knobs or Knobs(), key=ANTHROPIC_KEY)


def named(cases):
    """Cases whose first member is their name."""
    return [pytest.param(*case[1:], id=case[0]) for case in cases]


def read(reply):
    """The body, with numbers as they stand in it."""
    return json.loads(reply.body(), parse_float=Decimal)


def all_buckets(ask, ledger, path, *query, knobs=None):
    """Every bucket of every page, as a client that follows `next_page` sees them."""
    buckets, token = [], ()
    while True:
        reply = ask(ledger, path, *query, *token, knobs=knobs)
        assert reply.status == 200, reply.body()
        content = read(reply)
        buckets += content["data"]
        assert content["has_more"] == (content["next_page"] is not None)
        if not content["has_more"]:
            return buckets
        token = (("page", content["next_page"]),)


def spans():
    return ("start_time", str(START)), ("end_time", str(END)), ("limit", "31")


def instants():
    return ("starting_at", "2026-10-10T00:00:00Z"), ("ending_at", "2026-11-20T00:00:00Z"), ("limit", "31")


def nano(value):
    return int(WIDE.to_integral_value(WIDE.scaleb(Decimal(str(value)), 9)))


# The ledger


def test_a_day_follows_from_seed_and_date_alone():
    """The same on every Python, in any order, however many days are asked for."""
    backwards = Ledger(7, TODAY)
    asked = {day: backwards.truth("openai", day) for day in reversed(DAYS)}
    assert asked["2026-11-10"] == Ledger(7, TODAY).truth("openai", "2026-11-10") == (560775, 2913431555)
    assert Ledger(7, TODAY).truth("anthropic", "2026-11-10") == (630797, 1068949757)
    assert Ledger(8, TODAY).truth("openai", "2026-11-10") != (560775, 2913431555)


def test_any_past_day_can_be_asked_for_and_the_future_is_empty(ledger):
    """A ledger has no first day; its last is today."""
    assert any(ledger.truth("openai", f"1999-05-{day:02d}")[0] for day in range(1, 8))
    assert ledger.truth("openai", "2026-11-23") == (0, 0)
    assert ledger.truth("anthropic", "2027-01-01") == (0, 0)


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_the_ledger_holds_what_makes_collecting_hard(ledger, provider):
    """Empty days, credits, rows of nobody, searches, rounding ties, tails below a nano-dollar."""
    days = [ledger.day(provider, day) for day in DAYS]
    lines = [line for day in days for line in day.lines]
    scope = {"openai": "project_id", "anthropic": "workspace_id"}[provider]
    assert any(not day.traffic and not day.lines for day in days)
    assert any(line.amount.startswith("-") for line in lines)
    assert any(line.dimensions[scope] is None for line in lines)
    assert any("search" in str(line.dimensions).lower() for line in lines)
    assert any(Decimal(line.amount).as_tuple().exponent < -15 for line in lines)
    assert any(len(line.amount) == 12 and line.amount.endswith("5") for line in lines), "no tie at half a nano-dollar"


def test_a_restated_day_changes_up_and_down():
    """Tokens and cost change together; another factor changes what the first one left."""
    ledger = Ledger(7, TODAY)
    ledger.restate("openai", "2026-11-10", factor="2")
    assert ledger.truth("openai", "2026-11-10") == (1121550, 5826863108)
    ledger.restate("openai", "2026-11-10", factor="0.5")
    assert ledger.truth("openai", "2026-11-10") == (560775, 2913431555)


def test_a_restated_amount_takes_the_place_of_the_largest_line():
    """The rest of the day stays."""
    ledger = Ledger(7, TODAY)
    before = ledger.day("anthropic", "2026-11-10")
    ledger.restate("anthropic", "2026-11-10", amount="0.0000000015")
    changed = [line for line in ledger.day("anthropic", "2026-11-10").lines if line not in before.lines]
    assert [line.amount for line in changed] == ["0.0000000015"]
    assert ledger.truth("anthropic", "2026-11-10")[0] == before.tokens()


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_line_can_vanish_or_take_another_name(ledger, provider):
    """Dropping changes the sum; renaming does not."""
    own = Ledger(7, TODAY)
    tokens, cost = own.truth(provider, "2026-11-10")
    old, new = own.rename_line(provider, "2026-11-10")
    assert new == f"{old} (renamed)"
    assert own.truth(provider, "2026-11-10") == (tokens, cost)
    assert own.drop_line(provider, "2026-11-10") == new
    assert own.truth(provider, "2026-11-10")[0] == tokens
    assert own.truth(provider, "2026-11-10")[1] != cost
    assert ledger.truth(provider, "2026-11-10") == (tokens, cost), "another ledger of the same seed is untouched"


def test_a_day_can_turn_out_empty_and_then_has_no_line_to_change():
    """What cannot be done is said at once."""
    ledger = Ledger(7, TODAY)
    ledger.empty("openai", "2026-11-10")
    assert ledger.truth("openai", "2026-11-10") == (0, 0)
    with pytest.raises(ValueError, match="no cost line"):
        ledger.drop_line("openai", "2026-11-10")


def test_today_grows_and_the_next_day_begins():
    """Also on a day that was empty: it never stays the same."""
    ledger = Ledger(7, TODAY)
    ledger.empty("openai", TODAY)
    seen = [ledger.truth("openai", TODAY)]
    for _ in range(3):
        ledger.grow_today()
        seen.append(ledger.truth("openai", TODAY))
    assert [tokens for tokens, _ in seen] == sorted({tokens for tokens, _ in seen})
    ledger.set_today("2026-11-29")
    assert ledger.truth("openai", TODAY) == seen[-1]
    assert any(ledger.truth("openai", f"2026-11-{day}")[0] for day in range(23, 30))


# The answers add up


def test_openai_costs_sum_to_the_truth_of_every_day(ledger):
    """Grouped by project and line item, each row rounded for itself."""
    grouping = ("group_by[]", "project_id"), ("group_by[]", "line_item")
    buckets = all_buckets(ask_openai, ledger, COSTS, *spans(), *grouping)
    got = [sum(nano(row["amount"]["value"]) for row in bucket["results"]) for bucket in buckets]
    assert got == [ledger.truth("openai", day)[1] for day in DAYS]


def test_openai_tokens_sum_to_the_truth_of_every_day(ledger):
    """Input (cached included) and output of the three token reports."""
    got = [0] * len(DAYS)
    for name in ("completions", "embeddings", "moderations"):
        buckets = all_buckets(ask_openai, ledger, f"/v1/organization/usage/{name}", *spans())
        for index, bucket in enumerate(buckets):
            got[index] += sum(row["input_tokens"] + row.get("output_tokens", 0) for row in bucket["results"])
    assert got == [ledger.truth("openai", day)[0] for day in DAYS]


def test_anthropic_cents_sum_to_the_truth_of_every_day(ledger):
    """Amounts are cents as decimal text."""
    grouping = ("group_by[]", "workspace_id"), ("group_by[]", "description")
    buckets = all_buckets(ask_anthropic, ledger, anthropic.COST, *instants(), *grouping)
    rows = [[WIDE.scaleb(Decimal(row["amount"]), -2) for row in bucket["results"]] for bucket in buckets]
    assert [sum(map(nano, day)) for day in rows] == [ledger.truth("anthropic", day)[1] for day in DAYS]


def test_anthropic_tokens_sum_to_the_truth_of_every_day(ledger):
    """Uncached, both cache creations, cache read and output."""
    buckets = all_buckets(ask_anthropic, ledger, anthropic.USAGE, *instants(), ("bucket_width", "1d"))
    got = [
        sum(
            row["uncached_input_tokens"]
            + row["cache_creation"]["ephemeral_5m_input_tokens"]
            + row["cache_creation"]["ephemeral_1h_input_tokens"]
            + row["cache_read_input_tokens"]
            + row["output_tokens"]
            for row in bucket["results"]
        )
        for bucket in buckets
    ]
    assert got == [ledger.truth("anthropic", day)[0] for day in DAYS]


@pytest.mark.parametrize("path", list(REPORTS))
def test_every_grouping_of_a_report_has_the_same_total(ledger, path):
    """Grouping is computed: it spreads the numbers over more rows and loses none."""
    report = REPORTS[path]
    totals = {}
    for keys in [(), *((key,) for key in report.dimensions), report.dimensions]:
        grouping = [("group_by", key) for key in keys]
        total, rows = {}, 0
        for bucket in all_buckets(ask_openai, ledger, path, *spans(), *grouping):
            for row in bucket["results"]:
                rows += 1
                assert row["object"] == report.object
                assert all(row[name] is None for name in report.dimensions if name not in keys)
                for name, value in row.items():
                    if report.is_cost and name == "amount":
                        total[name] = WIDE.add(total.get(name, 0), Decimal(str(value["value"])))
                    elif type(value) is int and name not in keys and name != "quantity":
                        total[name] = total.get(name, 0) + value
        totals[keys] = (total, rows)
    assert totals[()][0], "this report shows nothing in all these days"
    assert all(total == totals[()][0] for total, _ in totals.values())
    assert totals[report.dimensions][1] > totals[()][1] or report.dimensions == ("project_id",)


def test_every_grouping_of_anthropics_reports_has_the_same_total(ledger):
    """Cents for cost, tokens for usage; whatever was not grouped by is null."""
    cost = set()
    for keys in [(), ("workspace_id",), ("description",), ("description", "workspace_id")]:
        buckets = all_buckets(
            ask_anthropic, ledger, anthropic.COST, *instants(), *(("group_by[]", key) for key in keys)
        )
        rows = [row for bucket in buckets for row in bucket["results"]]
        if "description" not in keys:
            assert all(row["model"] is None and row["cost_type"] is None for row in rows)
        total = Decimal(0)
        for row in rows:
            total = WIDE.add(total, Decimal(row["amount"]))
        cost.add(total)
    assert len(cost) == 1
    output = set()
    for keys in [(), ("model",), ("api_key_id", "workspace_id", "model", "service_tier", "context_window")]:
        query = *instants(), ("bucket_width", "1d"), *(("group_by[]", key) for key in keys)
        rows = [
            row for bucket in all_buckets(ask_anthropic, ledger, anthropic.USAGE, *query) for row in bucket["results"]
        ]
        assert all(row[name] is None for row in rows for name in ("model", "inference_geo") if name not in keys)
        output.add(sum(row["output_tokens"] for row in rows))
    assert len(output) == 1


def test_hours_and_minutes_sum_to_the_day(ledger):
    """The same traffic in narrower buckets."""
    day = ("start_time", str(midnight("2026-11-10"))), ("end_time", str(midnight("2026-11-11")))
    sums = {}
    for width, count in (("1d", 1), ("1h", 24), ("1m", 1440)):
        buckets = all_buckets(ask_openai, ledger, COMPLETIONS, *day, ("bucket_width", width))
        assert len(buckets) == count
        sums[width] = sum(row["input_tokens"] for bucket in buckets for row in bucket["results"])
    assert sums["1d"] == sums["1h"] == sums["1m"] > 0


def test_filters_keep_what_they_name(ledger):
    """A filter and its complement together are the whole."""
    whole = all_buckets(ask_openai, ledger, COMPLETIONS, *spans())
    parts = [all_buckets(ask_openai, ledger, COMPLETIONS, *spans(), ("batch", value)) for value in ("true", "false")]
    sums = [sum(r["output_tokens"] for b in buckets for r in b["results"]) for buckets in (whole, *parts)]
    assert sums[0] == sums[1] + sums[2]
    assert sums[1] > 0
    named = ("group_by[]", "project_id"), ("project_ids[]", "proj_sandboxAtlas")
    rows = [row for bucket in all_buckets(ask_openai, ledger, COSTS, *spans(), *named) for row in bucket["results"]]
    assert {row["project_id"] for row in rows} == {"proj_sandboxAtlas"}


def test_openai_writes_amounts_in_every_form_that_was_seen(ledger):
    """Numbers, texts, exponents, needless zeros, the zero with a huge exponent, negative amounts."""
    grouping = ("group_by[]", "project_id"), ("group_by[]", "line_item")
    text = "".join(
        ask_openai(ledger, COSTS, ("start_time", str(midnight(day))), *grouping).body().decode()
        for day in ("2026-09-01", "2026-10-01", "2026-11-01")
    )
    values = [piece.split(',"currency"')[0] for piece in text.split('"value":')[1:]]
    assert any(value.startswith('"') for value in values)
    assert any(value[0].isdigit() for value in values)
    assert any("e-" in value for value in values)
    assert any(value.endswith("00") for value in values)
    assert any("E-6176" in value for value in values)
    assert any(value.lstrip('"').startswith("-") for value in values)
    assert "organization_id" in text


def test_buckets_ascend_without_a_gap_and_empty_ones_are_there(ledger):
    """Whatever the page size."""
    for ask, path, query, name in (
        (ask_openai, COSTS, spans(), "start_time"),
        (ask_anthropic, anthropic.COST, instants(), "starting_at"),
    ):
        whole = all_buckets(ask, ledger, path, *query)
        small = all_buckets(ask, ledger, path, *query, knobs=Knobs(page_buckets=4))
        assert whole == small
        assert any(bucket["results"] == [] for bucket in whole)
        starts = [bucket[name] for bucket in whole]
        expected = [midnight(day) if name == "start_time" else f"{day}T00:00:00Z" for day in DAYS]
        assert starts == expected


def test_a_page_token_is_bound_to_its_parameters(ledger):
    """Any other parameter than the page, and any token that was never given out: 400."""
    knobs = Knobs(page_buckets=5)
    token = ("page", read(ask_openai(ledger, COSTS, *spans(), knobs=knobs))["next_page"])
    assert not token[1].replace("page_", "").isdigit()
    assert ask_openai(ledger, COSTS, *spans(), token, knobs=knobs).status == 200
    for changed in (
        (("start_time", str(START)), ("end_time", str(END)), ("limit", "30")),
        (("start_time", str(START)), ("end_time", str(END + 86400)), ("limit", "31")),
        (*spans(), ("group_by[]", "line_item")),
    ):
        assert ask_openai(ledger, COSTS, *changed, token, knobs=knobs).status == 400
    assert ask_openai(ledger, COMPLETIONS, *spans(), token, knobs=knobs).status == 400
    for text in ("", "1", "page_", token[1][:-1] + "A", "page_\u00e9"):
        reply = ask_openai(ledger, COSTS, *spans(), ("page", text), knobs=knobs)
        assert (reply.status, read(reply)["error"]["param"]) == (400, "page")
    token = ("page", read(ask_anthropic(ledger, anthropic.COST, *instants()))["next_page"])
    assert ask_anthropic(ledger, anthropic.COST, *instants(), token).status == 200
    assert ask_anthropic(ledger, anthropic.COST, *instants(), ("group_by[]", "description"), token).status == 400


def test_the_three_ways_of_writing_an_array_mean_the_same(ledger):
    """Bracketed, bare and mixed; the encoded bracket is the bracketed one once decoded."""
    keys = ("project_id", "line_item")
    bodies = {
        ask_openai(ledger, COSTS, *spans(), *zip(names, keys)).body().split(b'"has_more"')[0]
        for names in (("group_by[]", "group_by[]"), ("group_by", "group_by"), ("group_by[]", "group_by"))
    }
    assert len(bodies) == 1


# What is refused

STORES = "/v1/organization/usage/vector_stores"
COST_SPAN = (("start_time", str(START)), ("end_time", str(END)))
REFUSED_BY_OPENAI = [
    ("no start", COSTS, (), "start_time", None),
    ("RFC 3339", COSTS, (("start_time", "2026-11-01T00:00:00Z"),), "integer", "start_time"),
    ("float", COSTS, (("start_time", "1793491200.0"),), "integer", "start_time"),
    ("milliseconds", COSTS, (("start_time", "1793491200000"),), "integer", "start_time"),
    ("start twice", COSTS, (*COST_SPAN, COST_SPAN[0]), "more than once", "start_time"),
    ("end before start", COMPLETIONS, (("start_time", str(END)), ("end_time", str(START))), "after", "end_time"),
    ("same instant", COMPLETIONS, (("start_time", str(END)), ("end_time", str(END))), "after", "end_time"),
    ("same date", COSTS, (("start_time", str(START)), ("end_time", str(START + 86399))), "after", "end_time"),
    ("hourly costs", COSTS, (*COST_SPAN, ("bucket_width", "1h")), "Supported values are: '1d'.", "bucket_width"),
    ("odd width", COMPLETIONS, (*COST_SPAN, ("bucket_width", "1w")), "'1d', '1h', '1m'", "bucket_width"),
    ("limit 0", COSTS, (*COST_SPAN, ("limit", "0")), "at least 1", "limit"),
    ("limit text", COSTS, (*COST_SPAN, ("limit", "many")), "integer", "limit"),
    ("costs limit", COSTS, (*COST_SPAN, ("limit", "366")), "366. Limit must be less than or equal to 180.", "limit"),
    ("usage limit", COMPLETIONS, (*COST_SPAN, ("limit", "32")), "less than or equal to 31", "limit"),
    ("unknown group", COSTS, (*COST_SPAN, ("group_by[]", "model")), "'project_id', 'user_id', 'line_item'", "group_by"),
    ("comma-joined", COSTS, (*COST_SPAN, ("group_by", "project_id,line_item")), "'project_id,line_item'", "group_by"),
    ("stores by model", STORES, (*COST_SPAN, ("group_by", "model")), "'project_id'.", "group_by"),
    ("batch", COMPLETIONS, (*COST_SPAN, ("batch", "yes")), "'true', 'false'", "batch"),
    ("by key too early", COSTS, (("start_time", "1764979199"), ("group_by", "api_key_id")), "1764979200", "start_time"),
]


@pytest.mark.parametrize(("path", "query", "words", "param"), named(REFUSED_BY_OPENAI))
def test_openai_refuses(ledger, path, query, words, param):
    """400 in OpenAI's shape, with the parameter at fault where the vendor names it."""
    reply = ask_openai(ledger, path, *query)
    error = read(reply)["error"]
    assert (reply.status, error["param"], error["type"]) == (400, param, "invalid_request_error")
    assert words in error["message"]
    assert set(error) == {"message", "type", "param", "code"}
    assert ("x-request-id", "req_1") in reply.headers


@pytest.mark.parametrize(
    "query",
    [
        (("start_time", "1764979200"), ("end_time", "1765065600"), ("group_by", "api_key_id")),
        (*COST_SPAN, ("limit", "180")),
        (*COST_SPAN, ("something_else", "1")),
        (("start_time", str(START)),),
        (("start_time", str(midnight(TODAY))), ("end_time", str(midnight("2026-11-23")))),
    ],
)
def test_openai_accepts(ledger, query):
    """The edge of what is refused, unknown parameters, an open end, and today."""
    assert ask_openai(ledger, COSTS, *query).status == 200


def test_openai_clamps_a_limit_where_it_is_told_to(ledger):
    """One report of the vendor says that it refuses, another that it clamps."""
    reply = ask_openai(ledger, COMPLETIONS, *COST_SPAN, ("limit", "99"), knobs=Knobs(is_limit_clamped=True))
    assert len(read(reply)["data"]) == 31


@pytest.mark.parametrize(
    ("key", "knobs", "status", "words"),
    [
        (None, Knobs(), 401, "didn't provide"),
        (OPENAI_KEY, Knobs(), 401, "didn't provide"),
        ("Bearer sk-proj-abcdefgh", Knobs(), 401, "Missing scopes: api.usage.read"),
        ("Bearer sk-proj-abcdefgh", Knobs(wrong_key_status=403), 403, "Missing scopes: api.usage.read"),
        ("Bearer sk-admin-unknown-wxyz", Knobs(wrong_key_status=403), 401, "Incorrect API key provided: sk-admin"),
        ("Bearer nonsense", Knobs(), 401, "Incorrect API key"),
    ],
)
def test_openai_wants_its_admin_key(ledger, key, knobs, status, words):
    """A project key lacks a scope; anything else is no key at all."""
    reply = ask_openai(ledger, COSTS, *COST_SPAN, key=key, knobs=knobs)
    assert reply.status == status
    assert words in read(reply)["error"]["message"]


def test_openai_knows_its_paths_and_what_an_organisation_lacks(ledger):
    """404 for what does not exist, 403 or 404 for a report that was taken away, 405 for another verb."""
    assert ask_openai(ledger, "/v1/organization/usage/decisions", *COST_SPAN).status == 404
    assert ask_openai(ledger, COSTS, *COST_SPAN, method="POST").status == 405
    knobs = Knobs(absent_reports={"images": 403, "moderations": 404})
    assert ask_openai(ledger, "/v1/organization/usage/images", *COST_SPAN, knobs=knobs).status == 403
    assert ask_openai(ledger, "/v1/organization/usage/moderations", *COST_SPAN, knobs=knobs).status == 404
    assert ask_openai(ledger, COSTS, *COST_SPAN, knobs=knobs).status == 200


SINCE, UNTIL = ("starting_at", "2026-11-01T00:00:00Z"), ("ending_at", "2026-11-08T00:00:00Z")
DAILY = ("bucket_width", "1d")
SIX = [("group_by[]", f"{name}_id") for name in ("account", "api_key", "service_account", "workspace")]
SIX += [("group_by[]", "model"), ("group_by[]", "service_tier")]
REFUSED_BY_ANTHROPIC = [
    ("no start", anthropic.COST, (UNTIL,), "starting_at"),
    ("Unix seconds", anthropic.COST, (("starting_at", "1793491200"), UNTIL), "RFC 3339"),
    ("a bare date", anthropic.COST, (("starting_at", "2026-11-01"), UNTIL), "RFC 3339"),
    ("no zone", anthropic.COST, (("starting_at", "2026-11-01T00:00:00"), UNTIL), "RFC 3339"),
    ("a plus that was not encoded", anthropic.COST, (("starting_at", "2026-11-01T00:00:00 00:00"), UNTIL), "RFC 3339"),
    ("the 31st of February", anthropic.COST, (("starting_at", "2026-02-31T00:00:00Z"), UNTIL), "RFC 3339"),
    ("usage without width", anthropic.USAGE, (SINCE, UNTIL), "bucket_width"),
    ("hourly cost", anthropic.COST, (SINCE, UNTIL, ("bucket_width", "1h")), "bucket_width"),
    ("usage end before start", anthropic.USAGE, (("starting_at", "2026-11-09T00:00:00Z"), UNTIL, DAILY), "after"),
    ("limit 0", anthropic.USAGE, (SINCE, UNTIL, DAILY, ("limit", "0")), "limit"),
    ("limit 32", anthropic.COST, (SINCE, UNTIL, ("limit", "32")), "limit"),
    ("unknown group", anthropic.COST, (SINCE, UNTIL, ("group_by[]", "model")), "workspace_id"),
    ("comma-joined", anthropic.COST, (SINCE, UNTIL, ("group_by[]", "workspace_id,description")), "group_by"),
    ("no brackets", anthropic.COST, (SINCE, UNTIL, ("group_by", "workspace_id")), "group_by[]"),
    ("six groups", anthropic.USAGE, (SINCE, UNTIL, DAILY, *SIX), "Cannot specify more than 5 group_by[] dimensions."),
    ("speed", anthropic.USAGE, (SINCE, UNTIL, DAILY, ("group_by[]", "speed")), "fast-mode"),
    ("speeds", anthropic.USAGE, (SINCE, UNTIL, DAILY, ("speeds[]", "fast")), "fast-mode"),
]


@pytest.mark.parametrize(("path", "query", "words"), named(REFUSED_BY_ANTHROPIC))
def test_anthropic_refuses(ledger, path, query, words):
    """400 in Anthropic's shape, with the request id in body and header."""
    reply = ask_anthropic(ledger, path, *query)
    body = read(reply)
    assert (reply.status, body["type"], body["error"]["type"]) == (400, "error", "invalid_request_error")
    assert words in body["error"]["message"]
    assert body["request_id"] == "req_1"
    assert ("request-id", "req_1") in reply.headers


@pytest.mark.parametrize(
    "query",
    [
        (("starting_at", "2026-11-05T00:00:00Z"), ("ending_at", "2026-11-05T23:59:59Z")),
        (("starting_at", f"{TODAY}T00:00:00Z"),),
        (("starting_at", f"{TODAY}T00:00:00Z"), ("ending_at", "2026-11-23T00:00:00Z")),
    ],
)
def test_anthropic_refuses_a_cost_range_without_a_whole_day(ledger, query):
    """And says that asking again is of no use."""
    reply = ask_anthropic(ledger, anthropic.COST, *query)
    assert reply.status == 400
    assert "Invalid date range: ending date must be after starting date" in read(reply)["error"]["message"]
    assert ("x-should-retry", "false") in reply.headers


def test_anthropic_shows_the_cost_of_today_beside_a_whole_day(ledger):
    """From yesterday to tomorrow: two buckets. Today alone only where the knob allows it."""
    yesterday, tomorrow = ("starting_at", "2026-11-21T00:00:00Z"), ("ending_at", "2026-11-23T00:00:00Z")
    assert len(read(ask_anthropic(ledger, anthropic.COST, yesterday, tomorrow))["data"]) == 2
    alone = ("starting_at", f"{TODAY}T00:00:00Z"), tomorrow
    knobs = Knobs(is_cost_of_today_served=True)
    assert len(read(ask_anthropic(ledger, anthropic.COST, *alone, knobs=knobs))["data"]) == 1


def test_anthropic_snaps_the_start_and_includes_a_bucket_that_ends_at_the_end(ledger):
    """Down to the bucket; offsets are understood."""
    since, until = ("starting_at", "2026-11-01T07:30:00+02:00"), ("ending_at", "2026-11-08T00:00:00.000Z")
    data = read(ask_anthropic(ledger, anthropic.USAGE, since, until, DAILY))["data"]
    assert [bucket["starting_at"] for bucket in data] == [f"2026-11-0{day}T00:00:00Z" for day in range(1, 8)]
    assert data[-1]["ending_at"] == "2026-11-08T00:00:00Z"


@pytest.mark.parametrize(
    ("headers", "knobs", "status", "kind"),
    [
        ({"x_api_key": None}, Knobs(), 401, "authentication_error"),
        ({"x_api_key": "sk-ant-admin01-other"}, Knobs(), 401, "authentication_error"),
        ({"x_api_key": "sk-ant-api03-workspace"}, Knobs(), 401, "authentication_error"),
        ({"x_api_key": "sk-ant-api03-workspace"}, Knobs(wrong_key_status=403), 403, "permission_error"),
        ({"x_api_key": None, "authorization": f"Bearer {ANTHROPIC_KEY}"}, Knobs(), 401, "authentication_error"),
        ({"anthropic_version": None}, Knobs(), 400, "invalid_request_error"),
        ({"anthropic_version": "2024-01-01"}, Knobs(), 400, "invalid_request_error"),
    ],
)
def test_anthropic_wants_its_admin_key_and_its_version(ledger, headers, knobs, status, kind):
    """Both in headers; a Bearer only where the knob allows it."""
    reply = ask_anthropic(ledger, anthropic.ME, knobs=knobs, **headers)
    assert (reply.status, read(reply)["error"]["type"]) == (status, kind)


def test_anthropic_accepts(ledger):
    """The newer version, a Bearer and bare arrays by knob, speed with its beta, and who one is."""
    assert set(read(ask_anthropic(ledger, anthropic.ME, anthropic_version="2026-10-21"))) == {"id", "name", "type"}
    bearer = {"x_api_key": None, "authorization": f"Bearer {ANTHROPIC_KEY}"}
    assert ask_anthropic(ledger, anthropic.ME, knobs=Knobs(is_bearer_accepted=True), **bearer).status == 200
    bare = SINCE, UNTIL, ("group_by", "workspace_id")
    assert ask_anthropic(ledger, anthropic.COST, *bare, knobs=Knobs(is_bare_array_accepted=True)).status == 200
    by_speed = SINCE, UNTIL, DAILY, ("group_by[]", "speed")
    reply = ask_anthropic(ledger, anthropic.USAGE, *by_speed, anthropic_beta="fast-mode-2026-02-01")
    assert {row["speed"] for bucket in read(reply)["data"] for row in bucket["results"]} == {"standard", "fast"}
    assert ask_anthropic(ledger, "/v1/organizations/elsewhere").status == 404


def test_priority_traffic_has_tokens_and_no_cost(ledger):
    """As in the vendor's cost report, which leaves Priority Tier out."""
    query = *instants(), ("group_by[]", "service_tier"), DAILY
    rows = [r for b in all_buckets(ask_anthropic, ledger, anthropic.USAGE, *query) for r in b["results"]]
    assert "priority" in {row["service_tier"] for row in rows}
    query = *instants(), ("group_by[]", "description")
    rows = [r for b in all_buckets(ask_anthropic, ledger, anthropic.COST, *query) for r in b["results"]]
    assert {row["service_tier"] for row in rows} == {"standard", "batch", None}
    assert {row["cost_type"] for row in rows} == {"tokens", "web_search", "code_execution", "session_usage"}
