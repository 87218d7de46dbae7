"""The sandbox on its sockets: it speaks HTTP/1.1 as a vendor does, keeps a journal, and misbehaves when told to."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import threading
import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

import pytest

from agent_os.core.clock import Clock
from agent_os.sandbox import FAULTS, Sandbox

TODAY = "2026-11-22"
COSTS = "/v1/organization/costs"
COMPLETIONS = "/v1/organization/usage/completions"
COST_REPORT = "/v1/organizations/cost_report"
OPENAI_QUERY = [
    ("start_time", "1791590400"),  # 2026-10-10
    ("end_time", "1792454400"),  # 2026-10-20
    ("group_by[]", "project_id"),
    ("group_by[]", "line_item"),
    ("limit", "5"),
]
ANTHROPIC_QUERY = [
    ("starting_at", "2026-10-10T00:00:00Z"),
    ("ending_at", "2026-10-20T00:00:00Z"),
    ("group_by[]", "workspace_id"),
    ("group_by[]", "description"),
    ("limit", "5"),
]


@pytest.fixture
def sandbox():
    with Sandbox(today=TODAY) as running:
        yield running


class Client:
    """One kept-alive connection to one provider, with its key."""

    def __init__(self, sandbox, provider):
        self.provider = provider
        base = {"openai": sandbox.openai_base_url, "anthropic": sandbox.anthropic_base_url}[provider]
        self.connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=20)
        self.headers = {
            "openai": {"Authorization": f"Bearer {sandbox.openai_key}"},
            "anthropic": {"X-Api-Key": sandbox.anthropic_key, "anthropic-version": "2023-06-01"},
        }[provider]

    def get(self, path, *query):
        """`(status, headers, body)`."""
        self.connection.request("GET", f"{path}?{urlencode(query)}" if query else path, headers=self.headers)
        reply = self.connection.getresponse()
        return reply.status, reply.headers, reply.read()

    def page(self, *more):
        """The cost report of ten days in October, five a page."""
        path, query = {"openai": (COSTS, OPENAI_QUERY), "anthropic": (COST_REPORT, ANTHROPIC_QUERY)}[self.provider]
        return self.get(path, *query, *more)


@pytest.fixture
def openai(sandbox):
    client = Client(sandbox, "openai")
    yield client
    client.connection.close()


@pytest.fixture
def anthropic(sandbox):
    client = Client(sandbox, "anthropic")
    yield client
    client.connection.close()


def test_both_providers_answer_at_their_base_urls(sandbox, openai, anthropic):
    """OpenAI's ends in /v1, Anthropic's does not, as their SDKs have it; both are on loopback."""
    assert sandbox.openai_base_url.startswith("http://127.0.0.1:")
    assert sandbox.openai_base_url.endswith("/v1")
    assert not sandbox.anthropic_base_url.endswith("/v1")
    assert openai.page()[0] == 200
    status, headers, body = anthropic.get("/v1/organizations/me")
    assert (status, json.loads(body)["type"]) == (200, "organization")
    assert headers["request-id"].startswith("req_")
    assert headers["content-type"] == "application/json"


def test_today_is_the_clocks_unless_it_is_named():
    """The sandbox reads no other clock than the one it is given."""

    class Fixed(Clock):
        def today(self):
            return "2026-03-04"

    assert Sandbox(clock=Fixed()).ledger.today == "2026-03-04"
    assert Sandbox(clock=Fixed(), today=TODAY).ledger.today == TODAY


def test_a_connection_is_kept_for_the_next_page(sandbox, openai):
    """One connection carries them all, also after an error."""
    for path in (COSTS, "/v1/nowhere", COSTS):
        openai.get(path)
    assert len({entry.connection for entry in sandbox.journal}) == 1
    assert [entry.status for entry in sandbox.journal] == [400, 404, 400]


def test_an_answer_does_not_wait_for_the_network_stack(openai):
    """A kept-alive one comes in well under the 40 ms that a delayed acknowledgement would cost, each of them."""
    openai.page()
    took = []
    for _ in range(20):
        start = time.monotonic()
        openai.page()
        took.append(time.monotonic() - start)
    assert min(took) < 0.03


def test_the_journal_says_what_was_asked_and_holds_no_key(sandbox, openai, anthropic):
    """Method, path, pairs in their order, time, headers; a key's value is never in it."""
    openai.page()
    anthropic.page()
    first, second = sandbox.journal
    assert (first.provider, first.method, first.path) == ("openai", "GET", COSTS)
    assert list(first.query) == OPENAI_QUERY
    assert (first.headers["authorization"], second.headers["x-api-key"]) == ("***", "***")
    assert second.headers["anthropic-version"] == "2023-06-01"
    assert first.at.endswith("Z")
    assert sandbox.openai_key not in repr(sandbox.journal)
    assert sandbox.anthropic_key not in repr(sandbox.journal)
    assert sandbox.requests("anthropic", "cost_report") == [second]
    assert sandbox.requests("openai", "usage") == []


def test_encoded_brackets_are_brackets(sandbox, openai):
    """`group_by%5B%5D` and `group_by[]` arrive as the same name."""
    raw = "start_time=1791590400&end_time=1792454400&group_by{0}=project_id&group_by{0}=line_item&limit=5"
    bodies = {openai.get(f"{COSTS}?{raw.format(form)}")[2] for form in ("[]", quote("[]"))}
    assert len(bodies) == 1
    assert {entry.query for entry in sandbox.journal} == {tuple(OPENAI_QUERY)}


def test_the_journal_counts_requests_side_by_side(sandbox):
    """Per provider: so a test can say that there was never more than one."""
    sandbox.latency = 0.1

    def ask(provider):
        client = Client(sandbox, provider)
        client.page()
        client.connection.close()

    threads = [threading.Thread(target=ask, args=(name,)) for name in ("openai", "openai", "anthropic")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sandbox.most_at_once("openai") == 2
    assert sandbox.most_at_once("anthropic") == 1


def test_a_provider_can_go_away_and_the_other_stays(sandbox, anthropic):
    """Its port refuses."""
    address = ("127.0.0.1", urlsplit(sandbox.openai_base_url).port)
    sandbox.stop("openai")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=1)
    assert anthropic.page()[0] == 200


def test_leaving_ends_open_connections_at_once_and_in_silence(capfd):
    """A client in the middle of something, one that hangs, one that left: no wait, no traceback."""
    before = time.monotonic()
    with Sandbox(today=TODAY) as sandbox:
        gone, idle = Client(sandbox, "openai"), Client(sandbox, "openai")
        sandbox.fault("openai", "costs", "huge_page")
        gone.connection.request("GET", f"{COSTS}?{urlencode(OPENAI_QUERY)}", headers=gone.headers)
        gone.connection.sock.recv(10)
        gone.connection.close()
        idle.page()
        sandbox.fault("openai", "costs", "hang")
        idle.connection.request("GET", f"{COSTS}?{urlencode(OPENAI_QUERY)}", headers=idle.headers)
        time.sleep(0.05)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        idle.connection.getresponse()
    idle.connection.close()
    assert time.monotonic() - before < 10
    assert capfd.readouterr() == ("", "")


# Faults


def test_a_fault_meets_the_nth_matching_request_so_many_times(sandbox, openai):
    """Counted from when it was planned, among the requests whose path holds the text."""
    sandbox.fault("openai", "costs", "server_error", nth=2, times=2)
    asked = [openai.page()[0], openai.get(COMPLETIONS, *OPENAI_QUERY[:2])[0], *(openai.page()[0] for _ in range(3))]
    assert asked == [200, 200, 500, 500, 200]
    assert [entry.fault for entry in sandbox.journal] == ["", "", "server_error", "server_error", ""]


def test_faults_wait_their_turn_and_can_be_called_off(sandbox, openai):
    """One fault a request, in the order of planning."""
    sandbox.fault("openai", "costs", "rate_limited")
    sandbox.fault("openai", "", "unavailable")
    sandbox.fault("openai", "", "bad_key", times=9)
    assert [openai.page()[0] for _ in range(3)] == [429, 503, 401]
    sandbox.clear_faults()
    assert openai.page()[0] == 200


def test_an_unknown_fault_is_refused_by_name(sandbox):
    """At once, with the names there are."""
    with pytest.raises(KeyError, match="no fault is called nonesuch; there are: rate_limited"):
        sandbox.fault("openai", "costs", "nonesuch")


def test_a_fault_that_finds_nothing_to_spoil_waits(sandbox, openai):
    """A wrong amount needs a row; an empty day has none."""
    for day in range(10, 20):
        sandbox.ledger.empty("openai", f"2026-10-{day}")
    sandbox.fault("openai", "costs", "nan")
    assert b"NaN" not in openai.page()[2]
    sandbox.fault("openai", "costs", "missing_bucket")
    assert len(json.loads(openai.page()[2])["data"]) == 4


STATUSES = {
    "rate_limited": (429, {"retry-after": "1"}),
    "rate_limited_ms": (429, {"retry-after-ms": "150"}),
    "rate_limited_silent": (429, {}),
    "rate_limited_garbage": (429, {"retry-after": "soon"}),
    "rate_limited_negative": (429, {"retry-after": "-5"}),
    "rate_limited_huge": (429, {"retry-after": "86400"}),
    "rate_limited_for_good": (429, {"x-should-retry": "false"}),
    "timeout": (408, {}),
    "conflict": (409, {}),
    "server_error": (500, {}),
    "server_error_do_not_retry": (500, {"x-should-retry": "false"}),
    "unavailable": (503, {}),
    "gateway_timeout": (504, {}),
    "overloaded": (529, {}),
    "bad_request": (400, {}),
    "bad_request_do_retry": (400, {"x-should-retry": "true"}),
    "bad_key": (401, {}),
    "payment_required": (402, {}),
    "forbidden": (403, {}),
    "not_found": (404, {}),
    "unprocessable": (422, {}),
}


@pytest.mark.parametrize("name", STATUSES)
def test_error_faults_speak_each_providers_words(sandbox, openai, anthropic, name):
    """Status, headers and the shape of the body; the connection stays."""
    status, headers = STATUSES[name]
    for client in (openai, anthropic):
        sandbox.fault(client.provider, "cost", name)
        got, seen, body = client.page()
        assert got == status
        assert headers.items() <= {key.lower(): value for key, value in seen.items()}.items()
        assert ("retry-after" in seen) == ("retry-after" in headers)
        error = json.loads(body)
        assert (error.get("type") == "error") == (client.provider == "anthropic")
        assert f"status {status}" in error["error"]["message"]
        assert client.page()[0] == 200


def test_a_wait_may_be_a_date(sandbox, anthropic):
    """Two seconds after the request, to the second."""
    sandbox.fault("anthropic", "cost_report", "rate_limited_date")
    status, headers, _ = anthropic.page()
    asked = parsedate_to_datetime(headers["retry-after"]).timestamp()
    assert status == 429
    assert 0 < asked - time.time() <= 2


@pytest.mark.parametrize(("name", "status"), [("bad_gateway_html", 502), ("captive_portal", 200)])
def test_html_where_json_is_due(sandbox, openai, name, status):
    """With its own content type."""
    sandbox.fault("openai", "costs", name)
    got, headers, body = openai.page()
    assert (got, headers["content-type"], body[:6]) == (status, "text/html", b"<html>")


def test_a_redirect_names_another_host_and_the_journal_shows_who_followed(sandbox, openai):
    """`localhost` is not `127.0.0.1`: a client that goes there with its key is seen."""
    sandbox.fault("openai", "costs", "redirect")
    status, headers, _ = openai.page()
    assert (status, urlsplit(headers["location"]).hostname) == (302, "localhost")
    openai.get("/elsewhere")
    assert sandbox.requests("openai", "/elsewhere")[0].headers["authorization"] == "***"


def test_a_key_can_be_revoked_between_two_pages(sandbox, openai):
    """Page 1 is fine, page 2 and whatever has a page token is 401."""
    sandbox.fault("openai", "costs", "key_revoked")
    status, _, body = openai.page()
    assert status == 200
    token = ("page", json.loads(body)["next_page"])
    assert [openai.page(token)[0], openai.page(token)[0], openai.page()[0]] == [401, 401, 200]


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("hang", TimeoutError),
        ("hang_mid_body", TimeoutError),
        ("reset", ConnectionResetError),
        ("reset_mid_body", ConnectionResetError),
        ("no_answer", http.client.RemoteDisconnected),
        ("short_body", http.client.IncompleteRead),
    ],
)
def test_wire_faults_break_the_connection(sandbox, openai, name, broken):
    """Each in its own way; a new connection is served."""
    broken = socket.timeout if broken is TimeoutError else broken  # the same class from Python 3.10 on
    openai.connection.timeout = 0.3 if broken is socket.timeout else 20
    sandbox.fault("openai", "costs", name)
    with pytest.raises(broken):
        openai.page()
    openai.connection.close()
    openai.connection.timeout = 20
    assert openai.page()[0] == 200


def test_slow_faults_arrive_whole(sandbox, openai):
    """Late, or a few bytes at a time."""
    path, query = "/v1/organization/usage/vector_stores", (("start_time", "1791590400"), ("limit", "1"))
    whole = openai.get(path, *query)[2]
    for name, least in (("slow_start", 0.25), ("slow_body", 0.1)):
        sandbox.fault("openai", path, name)
        start = time.monotonic()
        assert openai.get(path, *query)[2] == whole
        assert time.monotonic() - start > least


def test_cut_json_has_the_right_length(sandbox, openai):
    """Unlike `short_body`, only the JSON tells."""
    whole = openai.page()[2]
    sandbox.fault("openai", "costs", "cut_json")
    _, headers, body = openai.page()
    assert int(headers["content-length"]) == len(body) == len(whole) // 2
    assert whole.startswith(body)


def test_gzip_is_declared(sandbox, openai):
    """And is what it says."""
    whole = openai.page()[2]
    sandbox.fault("openai", "costs", "gzip")
    _, headers, body = openai.page()
    assert headers["content-encoding"] == "gzip"
    assert gzip.decompress(body) == whole


def test_a_huge_page_is_json_of_20_mebibytes(sandbox, openai):
    """Blanks, so that only its size is wrong."""
    whole = openai.page()[2]
    sandbox.fault("openai", "costs", "huge_page")
    body = openai.page()[2]
    assert len(body) == len(whole) + 20 * 1024 * 1024
    assert body.replace(b" " * 1024, b"") == whole


def test_page_faults(sandbox, openai):
    """What each does to the page, seen beside the page as it should be."""
    good = json.loads(openai.page()[2])

    def spoiled(name, *more):
        sandbox.fault("openai", "costs", name)
        return json.loads(openai.page(*more)[2])

    page = spoiled("has_more_without_token")
    assert (page["has_more"], page["next_page"]) == (True, None)
    assert spoiled("missing_bucket")["data"] == good["data"][:2] + good["data"][3:]
    assert spoiled("missing_last_bucket")["data"] == good["data"][:-1]
    assert spoiled("duplicate_bucket")["data"][:-1] == good["data"]
    assert spoiled("duplicate_bucket")["data"][-1] in good["data"]
    assert spoiled("bucket_out_of_range")["data"][-1]["start_time"] == good["data"][-1]["start_time"] - 400 * 86400
    assert spoiled("bucket_off_midnight")["data"][-1]["start_time"] == good["data"][-1]["start_time"] + 43200
    rows = spoiled("duplicate_row")["data"][0]["results"]
    assert rows == [*good["data"][0]["results"], good["data"][0]["results"][0]]
    assert spoiled("results_is_null")["data"][0]["results"] is None
    assert "data" not in spoiled("no_data")
    assert spoiled("data_is_null")["data"] is None
    assert spoiled("has_more_is_text")["has_more"] == "false"
    assert spoiled("unknown_field")["surprise"] == {"as_of": "2026-11-22"}
    assert json.loads(openai.page()[2]) == good, "nothing of it stays"


def test_a_repeated_token_never_ends(sandbox, openai, anthropic):
    """The second page is empty and names itself as the next; no other guard than the token's would notice."""
    for client in (openai, anthropic):
        sandbox.fault(client.provider, "cost", "repeated_token")
        first = json.loads(client.page()[2])
        assert first["data"]
        token = ("page", first["next_page"])
        for _ in range(2):
            status, _, body = client.page(token)
            assert (status, json.loads(body)["data"], json.loads(body)["next_page"]) == (200, [], token[1])


LITERALS = {
    "nan": "NaN",
    "infinity": "Infinity",
    "overflow": "1e999",
    "huge_exponent": "1e1000000",
    "beyond_int64": "9223372036854775808",
    "many_digits": "1" * 5000,
    "null_number": "null",
    "bool": "true",
    "list": "[1]",
    "empty_text": '""',
    "comma": '"12,50"',
    "underscore": '"1_000"',
    "arabic_digit": '"\u0663"',
    "nan_text": '"NaN"',
}


@pytest.mark.parametrize("name", LITERALS)
def test_number_faults_stand_in_the_body_as_they_are(sandbox, openai, anthropic, name):
    """In OpenAI's amount, Anthropic's amount, and the first count of a usage row."""
    for client, text in ((openai, '"amount":{"value":%s,'), (anthropic, '"amount":%s,')):
        sandbox.fault(client.provider, "cost", name)
        assert text % LITERALS[name] in client.page()[2].decode()
    sandbox.fault("openai", "completions", name)
    assert f'"input_tokens":{LITERALS[name]},' in openai.get(COMPLETIONS, *OPENAI_QUERY[:2])[2].decode()


@pytest.mark.parametrize(("name", "literal"), [("negative_tokens", "-1"), ("half_tokens", "1.5")])
def test_count_faults_leave_money_alone(sandbox, openai, name, literal):
    """They wait for a usage report."""
    good = openai.page()[2]
    sandbox.fault("openai", "", name)
    assert openai.page()[2] == good
    assert f'"input_tokens":{literal},' in openai.get(COMPLETIONS, *OPENAI_QUERY[:2])[2].decode()


def test_currency_faults(sandbox, openai, anthropic):
    """Inside OpenAI's amount, beside Anthropic's: missing, null, another one."""
    for name, currency in (("no_currency", "absent"), ("null_currency", None), ("euro", "EUR")):
        for client in (openai, anthropic):
            sandbox.fault(client.provider, "cost", name)
            row = json.loads(client.page()[2])["data"][0]["results"][0]
            holder = row["amount"] if client.provider == "openai" else row
            assert holder.get("currency", "absent") == currency


def test_name_faults(sandbox, openai, anthropic):
    """Kinds nobody knew, names that want to be formulas, markup, terminal controls, broken text."""
    sandbox.fault("anthropic", "cost_report", "unknown_cost_type")
    assert json.loads(anthropic.page()[2])["data"][0]["results"][0]["cost_type"] == "moon_landing"
    sandbox.fault("openai", "costs", "hostile_name")
    name = json.loads(openai.page()[2])["data"][0]["results"][0]["line_item"]
    assert name.startswith("=cmd()|<script>")
    assert "\x1b[31m\u202e" in name
    for fault, escape in (("lone_surrogate", b"\\ud800"), ("nul", b"\\u0000")):
        sandbox.fault("openai", "costs", fault)
        assert b'"line_item":"%s"' % escape in openai.page()[2]


def test_body_faults(sandbox, openai):
    """Bytes that are no page."""
    good = openai.page()[2]
    for name, body in (
        ("empty_body", b""),
        ("trailing_garbage", good + b"}"),
        ("byte_order_mark", b"\xef\xbb\xbf" + good),
        ("bad_utf8", b'{"\xff' + good[2:]),
        ("not_an_object", b"[]"),
    ):
        sandbox.fault("openai", "costs", name)
        assert openai.page()[2] == body, name
    sandbox.fault("openai", "costs", "deep_nesting")
    assert b"[" * 100_000 in openai.page()[2]


def test_duplicate_members_name_an_amount_twice(sandbox, openai, anthropic):
    """A parser that takes the last one would store 7."""
    for client in (openai, anthropic):
        sandbox.fault(client.provider, "cost", "duplicate_members")
        objects = json.loads(client.page()[2], object_pairs_hook=lambda pairs: pairs)
        row = dict(dict(objects)["data"][0])["results"][0]
        assert [name for name, _ in row].count("amount") == 2


def test_every_fault_has_a_test_above():
    """The names in this file are all there are."""
    text = Path(__file__).read_text(encoding="utf-8")
    assert [name for name in FAULTS if f'"{name}"' not in text] == []
