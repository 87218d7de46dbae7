"""What the client sends and to whom, what it takes for an answer, and what it makes of everything else."""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
import zlib
from datetime import datetime, timezone
from decimal import Decimal

import pytest

from agent_os.core.clock import Clock
from agent_os.core.errors import ConfigError, PermanentError, ResourceError, TransientError
from agent_os.core.http_client import HttpClient
from agent_os.core.logger import Log, Redactor
from agent_os.core.retry import Retry, UnreachableError
from tests.fakes.rawserver import ConnectProxy, RawServer, reply

KEY = "sk-admin-0123456789abcdefghij"
NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=timezone.utc)


class FastClock(Clock):
    """Real time for sockets, but a sleep takes none: it is noted, and the clock put forward."""

    def __init__(self):
        self.slept = 0.0

    def now(self):
        return NOON

    def monotonic(self):
        return time.monotonic() + self.slept

    def sleep(self, seconds):
        self.slept += seconds


class Bench:
    """A client, the clock it was handed and the log it writes."""

    def __init__(self, path, **options):
        self.clock, self.path, self.redactor = FastClock(), path, Redactor()
        self.redactor.add(KEY)
        self.log = Log(str(path), clock=self.clock, redactor=self.redactor, stderr=None)
        settings = {"retry": Retry(), "allowed_hosts": ["api.openai.com", ".example.test"], "environ": {}}
        settings.update(random=lambda: 0.0, agent="agent-os/0.0 (test)", **options)
        self.client = HttpClient(clock=self.clock, log=self.log, redactor=self.redactor, **settings)

    def close(self):
        self.client.close()
        self.log.close()

    def get(self, server, path="/v1/costs", **options):
        options.setdefault("headers", {"Authorization": f"Bearer {KEY}"})
        return self.client.get(server.url + path, **options)

    @property
    def told(self):
        """The whole log as text."""
        return self.path.read_text() if self.path.exists() else ""

    def events(self, event):
        """The records of one event, without time, level and message."""
        records = [json.loads(line) for line in self.told.splitlines()]
        common = {"time", "level", "event", "message"}
        return [{k: v for k, v in one.items() if k not in common} for one in records if one["event"] == event]

    @property
    def waits(self):
        """The pauses in seconds, as announced."""
        return [fields["seconds"] for fields in self.events("http.wait")]

    def fails(self, kind, server, path="/v1/costs", **options):
        """The error of exactly this kind that a request ends with; the key is nowhere in it or in the log."""
        with pytest.raises(kind) as caught:
            self.get(server, path, **options)
        assert type(caught.value) is kind
        for told in (caught.value.message, caught.value.hint, self.told):
            assert KEY not in told
        return caught.value


def benches(kind, folder):
    """Yields what makes clients; all are closed at the end."""
    made = []

    def make(**options):
        made.append(kind(folder / f"agent{len(made)}.log", **options))
        return made[-1]

    yield make
    for bench in made:
        bench.close()


@pytest.fixture
def make(tmp_path):
    yield from benches(Bench, tmp_path)


@pytest.fixture
def bench(request, make):
    return make(**getattr(request, "param", {}))


def once(**options):
    """For a client that tries only once."""
    return pytest.mark.parametrize("bench", [{"retry": Retry(attempts=1), **options}], indirect=True)


# What is sent, and what comes back


def test_a_reply_holds_the_whole_answer(bench):
    """Status, headers, body, where from, when, the vendor's id, and the JSON with exact numbers."""
    body = b'{"amount": 0.10}'
    with RawServer(reply(body, headers=["X-Request-ID: req_1", "Content-Type: application/json"])) as server:
        answer = bench.get(server, query=[("start_time", "1"), ("group_by[]", "line item")])
    assert (answer.status, answer.body, answer.data) == (200, body, {"amount": Decimal("0.10")})
    assert answer.headers == {"content-length": "16", "x-request-id": "req_1", "content-type": "application/json"}
    assert answer.url == f"{server.url}/v1/costs?start_time=1&group_by%5B%5D=line%20item"
    assert (answer.request_id, answer.seen_at) == ("req_1", "2026-11-22T12:00:00.000Z")
    assert bench.client.requests == 1


def test_the_request_is_exactly_this(bench):
    """One request line, our headers, the caller's; nothing compressed is asked for."""
    with RawServer(reply()) as server:
        bench.get(server, "/v1/costs?limit=1", query=[("page", "a&b")])
    assert server.requests[0].decode().split("\r\n") == [
        "GET /v1/costs?limit=1&page=a%26b HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        "User-Agent: agent-os/0.0 (test)",
        "Accept-Encoding: identity",
        "Accept: application/json",
        f"Authorization: Bearer {KEY}",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("headers", "body", "named"),
    [
        (["request-id: req_a"], b"{}", "req_a"),
        (["x-request-id: req_b"], b"{}", "req_b"),
        ([], b'{"request_id": "req_c"}', "req_c"),
        (["request-id: req_a", "x-request-id: req_b"], b'{"request_id": "req_c"}', "req_a"),
        ([], b'{"request_id": 5}', ""),
        ([], b"[]", ""),
    ],
)
def test_the_vendors_id_of_the_request_is_kept(bench, headers, body, named):
    """From either header, else from the body."""
    with RawServer(reply(body, headers=headers)) as server:
        assert bench.get(server).request_id == named


def test_pages_of_one_host_share_a_connection(bench):
    """Twelve requests, one connection."""
    with RawServer(reply()) as server:
        for _ in range(12):
            bench.get(server)
    assert (len(server.requests), server.connections, bench.client.requests) == (12, 1, 12)


def test_a_refusal_keeps_the_connection_too(bench):
    """An answer that came whole leaves the connection as good as it was."""
    with RawServer(reply(b'{"error": {}}', status=503), reply()) as server:
        bench.get(server)
    assert (len(server.requests), server.connections) == (2, 1)


def test_a_close_is_respected(bench):
    """`Connection: close` means that the next request opens another one."""
    with RawServer(reply(headers=["Connection: close"])) as server:
        bench.get(server)
        bench.get(server)
    assert server.connections == 2


def test_a_kept_connection_that_died_is_opened_anew(bench):
    """The other side closed it while it lay idle: no attempt is lost, nothing waited for."""

    def leave(talk):
        talk.send(reply())
        talk.close()

    with RawServer(leave, reply()) as server:
        bench.get(server)
        time.sleep(0.02)
        bench.get(server)
    assert (server.connections, len(bench.events("http.request")), bench.clock.slept) == (2, 2, 0)


@pytest.mark.parametrize("end", ["close", "reset"])
def test_a_kept_connection_that_dies_under_the_request_is_opened_anew(bench, end):
    """The request was on its way and not a byte came back: it goes over a new connection within the same attempt."""
    with RawServer(reply(), lambda talk: getattr(talk, end)(), reply()) as server:
        bench.get(server)
        bench.get(server)
    assert (server.connections, len(bench.events("http.request")), bench.clock.slept) == (2, 2, 0)


def test_a_fresh_connection_that_dies_counts_as_an_attempt(bench):
    """Only the kept one gets its second chance for free."""
    with RawServer(lambda talk: talk.close(), reply()) as server:
        bench.get(server)
    assert (len(bench.events("http.request")), bench.waits) == (2, [0.5])


def test_bytes_that_nobody_asked_for_are_never_an_answer(bench):
    """A server that says more than it announced is not believed on the same connection again."""
    with RawServer(reply(b'{"n": 1}') + reply(b'{"n": "slipped in"}'), reply(b'{"n": 2}')) as server:
        assert [bench.get(server).data["n"] for _ in range(2)] == [1, 2]
    assert server.connections == 2


def test_each_attempt_is_one_line_of_the_log(bench):
    """Host, path, status, time, size: no query, no header."""
    with RawServer(reply(status=503), reply(b'{"a": 1}')) as server:
        bench.get(server, query=[("after", "cursor-value")])
    host = f"127.0.0.1:{server.port}"
    told = [{**fields, "ms": 0} for fields in bench.events("http.request")]
    assert told == [
        {"host": host, "path": "/v1/costs", "status": 503, "ms": 0, "bytes": 2},
        {"host": host, "path": "/v1/costs", "status": 200, "ms": 0, "bytes": 8},
    ]
    assert "cursor-value" not in bench.told
    assert bench.waits == [0.5]


# To whom


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        pytest.param("http://api.openai.com/v1", "without TLS", id="clear text"),
        pytest.param("https://evil.test/v1", "not a host that a key may be sent to", id="foreign host"),
        pytest.param("https://api.openai.com.evil.test/", "not a host", id="host below a foreign one"),
        pytest.param("https://evil-example.test/", "not a host", id="ends alike"),
        pytest.param("https://example.test/", "not a host", id="the domain itself is not below it"),
        pytest.param("https://api.openai.com./v1", "no host", id="trailing dot"),
        pytest.param("https://api.openai.com@evil.test/", "user name or password", id="userinfo"),
        pytest.param("https://user:pw-secret@api.openai.com/", "user name or password", id="password"),
        pytest.param("https://evil.test\\.example.test/", "no host", id="backslash"),
        pytest.param("https://api.openai.com:99999/", "cannot be read", id="port"),
        pytest.param("https://api.openai.com/#x", "no host", id="fragment"),
        pytest.param("https:///v1", "no host", id="no host"),
        pytest.param("ftp://api.openai.com/v1", "https://", id="ftp"),
        pytest.param("file:///etc/passwd", "https://", id="file"),
        pytest.param("data:,x", "https://", id="data"),
        pytest.param("api.openai.com/v1", "https://", id="no scheme"),
        pytest.param("https://api.openai.com/a b", "blank", id="blank"),
        pytest.param("https://api.openai.com/\r\nX: y", "blank", id="line end"),
        pytest.param("https://\u0430pi.openai.com/", "beyond ASCII", id="cyrillic letter"),
        pytest.param("http://169.254.169.254/", "without TLS", id="link-local"),
        pytest.param("http://127.0.0.1.evil.test/", "without TLS", id="looks like loopback"),
        pytest.param("http://127.1/", "without TLS", id="short form"),
        pytest.param("http://0.0.0.0/", "without TLS", id="any address"),
    ],
)
def test_an_address_out_of_bounds_is_refused_before_anything_is_sent(bench, url, reason):
    """Only https to the hosts that were allowed; http to this machine alone. The address is not quoted."""
    with pytest.raises(ConfigError, match=reason) as caught:
        bench.client.get(url)
    assert "pw-secret" not in caught.value.message
    assert (bench.client.requests, bench.told) == (0, "")


@pytest.mark.parametrize("host", ["API.OpenAI.com", "deep.eu.example.test", "127.0.0.1", "127.8.9.250", "localhost"])
def test_a_host_in_bounds_is_asked(bench, host):
    """Allowed by name, by the domain it lies below, or as this machine: it fails only for want of a server."""
    bench.client.abort()  # so that no name is looked up in earnest
    with pytest.raises(TransientError, match="stopped"):
        bench.client.get(f"https://{host}/v1")


def test_loopback_has_a_second_family(bench):
    """http://[::1] is this machine as well."""
    bench.client.abort()
    with pytest.raises(TransientError, match=r"^\[::1\]:8/v1: stopped"):
        bench.client.get("http://[::1]:8/v1")


@pytest.mark.parametrize(
    "value", [f"{KEY}\n", f"{KEY}\r\nX: y", f" {KEY}", f"{KEY} ", "sk-é", "\ufeffsk-a", "", "a\0b"]
)
def test_a_key_that_http_cannot_carry_is_not_shown(bench, value):
    """A trailing line end, a BOM, an accent: said without a character of the value."""
    with RawServer(reply()) as server:
        error = bench.fails(ConfigError, server, headers={"x-api-key": value})
    assert "x-api-key" in error.message
    assert not server.requests


def test_a_header_name_is_checked_as_well(bench):
    with RawServer(reply()) as server:
        bench.fails(ConfigError, server, headers={"a: b\r\nc": "d"})
        bench.fails(ConfigError, server, headers={"Host": "elsewhere.test"})
    assert not server.requests


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 305, 307, 308])
def test_no_redirect_is_followed(bench, status):
    """Whatever its kind: refused at once, the host named, and that host sees nothing of the key."""
    with RawServer(reply()) as other:
        location = f"Location: http://localhost:{other.port}/steal?token=abc"
        with RawServer(reply(status=status, headers=[location])) as server:
            error = bench.fails(PermanentError, server)
    told = f"127.0.0.1:{server.port}/v1/costs answered {status}, a redirect to localhost; none is followed"
    assert (error.message, error.status) == (told, status)
    assert (len(server.requests), other.connections) == (1, 0)


@pytest.mark.parametrize(
    ("location", "named"),
    [("/login", "no other host"), ("", "no other host"), ("http://[", "no other host"), ("//evil.test/x", "evil.test")],
)
def test_an_odd_redirect_is_refused_like_any(bench, location, named):
    with RawServer(reply(status=302, headers=[f"Location: {location}"])) as server:
        assert f"a redirect to {named};" in bench.fails(PermanentError, server).message


# Refusals by status


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 410, 413, 422, 201, 204, 206])
def test_a_final_status_is_not_asked_again(bench, status):
    """The error carries the status and the vendor's sentence."""
    body = b"" if status == 204 else b'{"error": {"message": "No such thing."}}'
    with RawServer(reply(body, status=status)) as server:
        error = bench.fails(PermanentError, server)
    said = "" if status == 204 else ": No such thing."
    assert (error.message, error.status) == (f"127.0.0.1:{server.port}/v1/costs answered {status}{said}", status)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_a_passing_failure_is_asked_again(bench, status):
    """Up to five attempts, 0.5 s doubling between them."""
    with RawServer(*[reply(status=status)] * 4, reply(b'{"ok": true}')) as server:
        assert bench.get(server).data == {"ok": True}
    assert bench.waits == [0.5, 1.0, 2.0, 4.0]
    assert bench.clock.slept == pytest.approx(7.5, abs=0.2)


def test_five_attempts_are_the_end(bench):
    with RawServer(reply(b'{"error": {"message": "Overloaded"}}', status=529)) as server:
        error = bench.fails(TransientError, server)
    assert len(server.requests) == bench.client.requests == 5
    assert "/v1/costs answered 529: Overloaded; gave up after 5 attempts in " in error.message
    assert error.status == 529


@pytest.mark.parametrize(
    ("header", "waited"),
    [
        ("Retry-After: 7", 7.0),
        ("Retry-After: Sun, 22 Nov 2026 12:00:09 GMT", 9.0),
        ("retry-after-ms: 1500", 1.5),
        ("Retry-After: soon", 0.5),
        ("Retry-After: -3", 0.5),
        ("X-Nothing: 1", 0.5),
    ],
)
def test_the_wait_that_is_asked_for_is_waited(bench, header, waited):
    """In seconds, as a date or in milliseconds; what cannot be read is the usual wait."""
    with RawServer(reply(status=429, headers=[header]), reply()) as server:
        bench.get(server)
    assert bench.waits == [waited]


def test_a_huge_wait_is_given_up_at_once(bench):
    """An hour is not waited; the error says what was asked."""
    with RawServer(reply(status=429, headers=["Retry-After: 3600"])) as server:
        error = bench.fails(TransientError, server)
    assert (len(server.requests), bench.clock.slept, error.retry_after) == (1, 0, 3600.0)
    assert "a wait of 3600 s was asked for" in error.message
    assert "next run catches up" in error.hint


@pytest.mark.parametrize(("status", "wish", "count"), [(429, "false", 1), (405, "true", 2), (401, "true", 1)])
def test_the_servers_wish_decides(bench, status, wish, count):
    """`x-should-retry` wins over the status, except where asking again can never help."""
    with RawServer(reply(status=status, headers=[f"x-should-retry: {wish}"]), reply()) as server:
        if count == 1:
            bench.fails(PermanentError, server)
        else:
            bench.get(server)
    assert len(server.requests) == count


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            b'{"type":"error","error":{"type":"x","message":"invalid x-api-key"},"request_id":"req_9"}',
            "invalid x-api-key",
        ),
        (b'{"error": "just text"}', "just text"),
        (b'{"error": {"message": "line one\\n\\tline  two"}}', "line one line two"),
        (b'{"error": {"message": 5}}', ""),
        (b"[1]", ""),
        (b"Bad Gateway", ""),
        (b"", ""),
        (b"<html><body>" + b"x" * 5000, "an HTML page, no message"),
        (
            f'{{"error": {{"message": "Incorrect API key provided: {KEY}."}}}}'.encode(),
            "Incorrect API key provided: ***.",
        ),
    ],
)
def test_the_vendors_sentence_is_told(bench, body, said):
    """Without secrets, on one line; a page of HTML is named, not dumped."""
    with RawServer(reply(body, status=401)) as server:
        error = bench.fails(PermanentError, server)
    named = " (request req_9)" if b"req_9" in body else ""
    assert error.message.endswith(f"/v1/costs answered 401{said and ': ' + said}{named}")


def test_a_long_sentence_is_cut_after_its_secrets_are_out(bench):
    """Half a key is no longer recognised as one."""
    text = "x" * 290 + KEY + "y" * 500
    with RawServer(reply(f'{{"error": {{"message": "{text}"}}}}'.encode(), status=400)) as server:
        error = bench.fails(PermanentError, server)
    assert "sk-" not in error.message
    assert error.message.endswith("x" * 290 + "***yyyyyyy…")


def test_the_body_of_a_refusal_goes_to_the_log(bench):
    """Its first 2,048 characters, for whoever has to find out; without secrets."""
    with RawServer(reply(b"<html>" + KEY.encode() + b"x" * 5000, status=403)) as server:
        bench.fails(PermanentError, server)
    (refused,) = bench.events("http.refused")
    assert refused["body"] == "<html>***" + "x" * (2048 - 9)


def test_a_refusal_with_a_cut_body_is_still_that_refusal(bench):
    """The status is known: no hang and no cut in the rest turns a 401 into anything else."""

    def cut(talk):
        talk.send(b'HTTP/1.1 401 No\r\nContent-Length: 900\r\n\r\n{"error": {"mess')
        talk.close()

    with RawServer(cut) as server:
        assert bench.fails(PermanentError, server).status == 401


# Bodies


def chunked(*pieces, end=b"0\r\n\r\n"):
    framed = b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + framed + end


def closing(data):
    """Say it and hang up."""

    def answer(talk):
        talk.send(data)
        talk.close()

    return answer


def test_chunks_are_put_together(bench):
    """And the connection is kept after them."""
    with RawServer(chunked(b'{"a"', b": [1", b"]}")) as server:
        assert [bench.get(server).data for _ in range(2)] == [{"a": [1]}] * 2
    assert server.connections == 1


def test_a_body_that_ends_with_the_connection_is_read(bench):
    with RawServer(closing(b'HTTP/1.0 200 OK\r\n\r\n{"a": 1}')) as server:
        assert bench.get(server).data == {"a": 1}


@once()
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(closing(b'HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n{"a": 1}'), id="shorter than announced"),
        pytest.param(closing(b"HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n"), id="nothing of it"),
        pytest.param(closing(chunked(b'{"a": 1}', end=b"")), id="last chunk missing"),
        pytest.param(closing(chunked(b'{"a": 1}', end=b"50\r\n{")), id="inside a chunk"),
        pytest.param(closing(b'HTTP/1.1 200 OK\r\n\r\n{"a": [1, 2'), id="ends with the connection, inside the JSON"),
        pytest.param(closing(b"HTTP/1.1 200 OK\r\n\r\n"), id="ends with the connection, empty"),
        pytest.param(reply(b'{"a": "caf\xc3'), id="inside a character"),
    ],
)
def test_a_cut_body_is_never_taken_for_a_whole_one(bench, answer):
    """However it was cut: worth asking again."""
    with RawServer(answer) as server:
        assert "ends too early" in bench.fails(TransientError, server).message


def test_a_cut_body_is_asked_for_again(bench):
    with RawServer(closing(b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"a"'), reply(b'{"a": 1}')) as server:
        assert bench.get(server).data == {"a": 1}


ENDLESS = b" " * 65536


def forever(head):
    def answer(talk):
        talk.send(head)
        while not talk.stopping.is_set():
            talk.send(ENDLESS)

    return answer


def forever_in_chunks(talk):
    talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not talk.stopping.is_set():
        talk.send(b"1\r\n \r\n" * 1000)


def forever_in_trailers(talk):
    talk.send(chunked(b"{}", end=b"0\r\n"))
    while not talk.stopping.is_set():
        talk.send(b"X-More: and more\r\n" * 1000)


def forever_continue(talk):
    while not talk.stopping.is_set():
        talk.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)


@once(max_bytes=200_000)
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 200001\r\n\r\n", id="announced"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n", id="announced, huge"),
        pytest.param(forever(b"HTTP/1.1 200 OK\r\n\r\n"), id="endless"),
        pytest.param(forever_in_chunks, id="endless chunks"),
        pytest.param(forever_in_trailers, id="endless trailers"),
        pytest.param(forever_continue, id="endless 100 Continue"),
    ],
)
def test_an_answer_beyond_the_limit_is_refused(bench, answer):
    """For good, as soon as it is known, and without reading it all."""
    with RawServer(answer) as server:
        assert "larger than the 200,000 bytes" in bench.fails(PermanentError, server).message


@once(max_bytes=2000)
def test_the_limit_itself_is_allowed(bench):
    body = b"[" + b" " * 1998 + b"]"
    with RawServer(reply(body), reply(body + b" "), chunked(body), chunked(body, b" ")) as server:
        for _ in ("counted", "in chunks"):
            assert bench.get(server).data == []
            bench.fails(PermanentError, server)


BOMB = zlib.compressobj(9, zlib.DEFLATED, 31)
GZIPPED = BOMB.compress(b" " * 20_000_000) + BOMB.flush()


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("Content-Encoding: gzip", "is encoded as 'gzip'"),
        ("Content-Encoding: identity, br", "is encoded as 'identity, br'"),
        ("Transfer-Encoding: gzip, chunked", "transfer encoding 'gzip, chunked'"),
        ("Content-Length: 7", "a length that is not one number"),
        ("Content-Length: +5", "a length that is not one number"),
    ],
)
def test_what_nobody_asked_for_is_not_unpacked(bench, header, reason):
    """A compressed bomb, or a length that two readers would read differently, is refused for good."""
    with RawServer(reply(GZIPPED, headers=[header])) as server:
        assert reason in bench.fails(PermanentError, server).message


def test_identity_said_aloud_is_fine(bench):
    with RawServer(reply(headers=["Content-Encoding: Identity"])) as server:
        assert bench.get(server).data == {}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<!doctype html><title>Sign in to Free Wifi</title>", "an HTML page came instead of JSON"),
        (b"OK", "the answer is not JSON"),
        (b'{"a": NaN}', "NaN is not a number"),
        (b'{"a": 1e1000000}', "out of all range"),
        (b'{"a": 1, "a": 2}', "stands twice"),
        (b'{"a": 1}<!-- served by edge -->', "the answer is not JSON"),
    ],
)
def test_a_200_that_is_not_acceptable_json_is_refused(bench, body, reason):
    """With the address and the vendor's id in the sentence, and the body in the log."""
    with RawServer(reply(body, headers=["request-id: req_7"])) as server:
        error = bench.fails(PermanentError, server)
    assert error.message.startswith(f"127.0.0.1:{server.port}/v1/costs: ")
    assert reason in error.message
    assert error.message.endswith(" (request req_7)")
    assert len(server.requests) == len(bench.events("http.refused")) == 1


@once()
@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(closing(b""), id="nothing"),
        pytest.param(lambda talk: talk.reset(), id="reset"),
        pytest.param(closing(b"SSH-2.0-OpenSSH_9.2\r\n"), id="another protocol"),
        pytest.param(closing(b"HTTP/1.1 abc OK\r\n\r\n"), id="no status"),
        pytest.param(closing(b"HTTP/3.0 200 OK\r\n\r\n{}"), id="unknown version"),
        pytest.param(closing(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n{}"), id="too many headers"),
        pytest.param(closing(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n{}"), id="too long a header"),
        pytest.param(closing(chunked(end=b"zz\r\n{}\r\n")), id="chunk size"),
    ],
)
def test_what_is_no_http_is_a_passing_failure(bench, answer):
    """Whatever the standard library calls it, one sentence comes out."""
    with RawServer(answer) as server:
        assert f"127.0.0.1:{server.port}/v1/costs: " in bench.fails(TransientError, server).message


# Time


def drip_head(talk):
    talk.drip(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 99, pause=0.02)


def drip_body(talk):
    talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")
    talk.drip(b"{" + b" " * 898, pause=0.02)


def drip_chunks(talk):
    talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    talk.drip(b"1\r\n \r\n" * 99, pause=0.05)


@once(timeout=0.1, deadline=0.3)
@pytest.mark.parametrize("answer", [drip_head, drip_body, drip_chunks])
def test_an_answer_that_drips_ends_at_the_deadline(bench, answer):
    """Every byte comes in time, the whole does not."""
    began = time.monotonic()
    with RawServer(answer) as server:
        assert "was not done within 0.3 s" in bench.fails(TransientError, server).message
        assert 0.25 < time.monotonic() - began < 1.9


@once(timeout=0.1, deadline=5)
def test_a_silent_server_ends_at_the_timeout(bench):
    """Long before the deadline."""
    with RawServer(lambda talk: talk.pause(5)) as server:
        assert "sent nothing within 0.1 s" in bench.fails(TransientError, server).message


@once(timeout=5, deadline=0.1)
def test_a_silent_server_ends_at_the_deadline_if_that_is_sooner(bench):
    """A wait never gets more than what is left of the whole."""
    began = time.monotonic()
    with RawServer(lambda talk: talk.pause(5)) as server:
        assert "was not done within 0.1 s" in bench.fails(TransientError, server).message
        assert time.monotonic() - began < 4


@once(deadline=0.1, max_bytes=10**12)
def test_a_flood_ends_at_the_deadline_too(bench):
    """Nothing is ever waited for, so no wait runs out: the time does."""
    with RawServer(forever_in_trailers) as server:
        assert "was not done within 0.1 s" in bench.fails(TransientError, server).message


@once(timeout=0.1, deadline=0.3)
def test_a_refusal_that_drips_is_still_that_refusal(bench):
    def drip(talk):
        talk.send(b"HTTP/1.1 403 No\r\nContent-Length: 900\r\n\r\n")
        talk.drip(b" " * 900, pause=0.02)

    with RawServer(drip) as server:
        assert bench.fails(PermanentError, server).status == 403


@pytest.mark.parametrize("bench", [{"timeout": 0.1, "retry": Retry(attempts=3)}], indirect=True)
def test_a_hang_is_tried_again(bench):
    with RawServer(lambda talk: talk.pause(5), reply()) as server:
        assert bench.get(server).data == {}
    assert server.connections == 2


@pytest.mark.parametrize("place", ["head", "body"])
def test_an_abort_ends_a_blocked_read(bench, place):
    """From another thread; what was under way is said to be stopped, and nothing begins afterwards."""
    is_blocked = threading.Event()

    def block(talk):
        if place == "body":
            talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{")
        is_blocked.set()
        talk.pause(10)

    def stop():
        is_blocked.wait(5)
        time.sleep(0.02)
        bench.client.abort()

    began = time.monotonic()
    with RawServer(block) as server:
        other = threading.Thread(target=stop)
        other.start()
        assert "stopped" in bench.fails(TransientError, server).message
        assert time.monotonic() - began < 2
        other.join()
        assert "stopped" in bench.fails(TransientError, server).message
    assert len(server.requests) == 1


# No connection


def test_a_refused_connection_is_a_passing_failure(bench):
    with RawServer(reply()) as server:
        pass
    error = bench.fails(TransientError, server)
    assert f"no connection to 127.0.0.1: {os.strerror(errno.ECONNREFUSED)}" in error.message


@pytest.mark.parametrize(
    ("failure", "kind", "reason"),
    [
        (
            socket.gaierror(socket.EAI_NONAME, "unknown"),
            UnreachableError,
            "offline? the name api.openai.com cannot be looked",
        ),
        (OSError(errno.ENETUNREACH, "unreachable"), UnreachableError, "offline? api.openai.com cannot be reached"),
        (
            OSError(errno.EMFILE, "Too many open files"),
            ResourceError,
            "connecting to api.openai.com: Too many open files",
        ),
    ],
)
def test_no_network_is_said_in_one_sentence(bench, monkeypatch, failure, kind, reason):
    """The name server and the kernel are the border here: they fail as they do on a machine that is offline."""

    def fail(*_args, **_options):
        raise failure

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(kind) as caught:
        bench.client.get("https://api.openai.com/v1")
    assert caught.value.message.startswith(reason)
    assert bench.client.requests == 0
    assert bench.clock.slept < 30


def test_an_address_that_swallows_packets_leaves_time_for_the_next(bench, monkeypatch, make):
    """A name with two addresses, the first of which never answers: the second one still gets its turn."""
    deaf = socket.create_server(("127.0.0.1", 0), backlog=0)
    crowd = [socket.socket() for _ in range(3)]
    for one in crowd:  # fill the backlog: from now on a connection waits for ever
        one.setblocking(False)
        one.connect_ex(deaf.getsockname())
    with RawServer(reply()) as server:
        both = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
            for port in (deaf.getsockname()[1], server.port)
        ]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: both)
        patient = make(timeout=6, retry=Retry(attempts=1))
        began = time.monotonic()
        assert patient.get(server).data == {}
        assert time.monotonic() - began < 5
    for one in [deaf, *crowd]:
        one.close()


# TLS and proxies


def make_certificate(folder):
    """A self-signed certificate for this machine and for api.example.test: its file, and a server's context with it."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl program")
    names = "subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:api.example.test"
    key, made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"], ["-x509", "-days", "2"]
    command = ["openssl", "req", *made, *key, "-subj", "/CN=test", "-addext", names]
    files = ["-keyout", folder / "key", "-out", folder / "cert"]
    subprocess.run([*command, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert", folder / "key")
    return str(folder / "cert"), context


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"))


def test_a_certificate_that_is_trusted_is_spoken_to(certificate, make):
    """SSL_CERT_FILE names the authority; the connection is kept as in the clear."""
    path, context = certificate
    bench = make(environ={"SSL_CERT_FILE": path})
    with RawServer(reply(b'{"a": 1}'), tls=context) as server:
        assert [bench.get(server).data for _ in range(3)] == [{"a": 1}] * 3
    assert server.connections == 1


def test_a_certificate_that_nobody_vouches_for_is_refused(certificate, bench):
    """Not one byte of the request is sent; the host is named."""
    with RawServer(reply(), tls=certificate[1]) as server:
        error = bench.fails(PermanentError, server)
    assert error.message.startswith("the certificate of 127.0.0.1 cannot be trusted: ")
    assert "SSL_CERT_FILE" in error.hint
    assert (server.requests, bench.client.requests) == ([], 0)


def test_a_certificate_for_another_name_is_refused(certificate, make):
    """Trusted, but not for the host that was asked."""
    path, context = certificate
    with RawServer(reply(), tls=context) as server, ConnectProxy(server.port) as proxy:
        bench = make(environ={"SSL_CERT_FILE": path, "https_proxy": f"127.0.0.1:{proxy.port}"})
        with pytest.raises(PermanentError, match=r"certificate of other\.example\.test cannot be trusted"):
            bench.client.get("https://other.example.test/v1")
    assert server.requests == []


def test_without_any_authority_the_way_out_is_named(certificate, bench, monkeypatch, tmp_path):
    """A Python without certificates (python.org on a Mac): set-up, not the vendor's fault."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))  # what OpenSSL itself reads
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    with RawServer(reply(), tls=certificate[1]) as server:
        error = bench.fails(ConfigError, server)
    assert "no certificate authorities" in error.message
    assert "SSL_CERT_FILE" in error.hint
    assert "Install Certificates.command" in error.hint


def test_a_certificate_file_that_is_not_there_is_named(make):
    bench = make(environ={"SSL_CERT_FILE": "/no/such/file"})
    with RawServer(reply()) as server, pytest.raises(ConfigError, match="SSL_CERT_FILE names /no/such/file"):
        bench.client.get(f"https://127.0.0.1:{server.port}/")


@once(timeout=0.2, deadline=0.3)
def test_a_handshake_that_stalls_ends(bench):
    """A server that takes the connection and says nothing more."""
    with socket.create_server(("127.0.0.1", 0)) as deaf, pytest.raises(TransientError, match=r"within 0\.[23] s"):
        bench.client.get(f"https://127.0.0.1:{deaf.getsockname()[1]}/")


@once()
def test_a_server_without_tls_is_a_passing_failure(bench):
    """https to a port that speaks http."""
    with RawServer() as server:
        server._serve = lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        with pytest.raises(TransientError, match=r"TLS with 127\.0\.0\.1 failed: WRONG_VERSION"):
            bench.client.get(f"https://127.0.0.1:{server.port}/")


def test_https_goes_through_the_proxy_unseen(certificate, make):
    """The proxy learns the host's name and its own login, and nothing of the request."""
    path, context = certificate
    with RawServer(reply(b'{"a": 1}'), tls=context) as server, ConnectProxy(server.port) as proxy:
        environ = {"https_proxy": f"http://me:pass%20word@127.0.0.1:{proxy.port}", "SSL_CERT_FILE": path}
        bench = make(environ=environ)
        for _ in range(2):
            answer = bench.client.get("https://api.example.test/v1", headers={"x-api-key": KEY})
    assert answer.data == {"a": 1}
    head = b"CONNECT api.example.test:443 HTTP/1.1\r\nHost: api.example.test:443\r\n"
    assert proxy.seen.startswith(head + b"Proxy-Authorization: Basic bWU6cGFzcyB3b3Jk\r\n\r\n")
    assert KEY.encode() not in proxy.seen
    assert (proxy.connections, len(server.requests)) == (1, 2)
    assert bench.events("http.proxy") == [{"proxy": f"127.0.0.1:{proxy.port}"}]
    assert "word" not in bench.told
    assert bench.redactor.text("pass word, cGFzcyB3b3Jk") == "***, ***"


@pytest.mark.parametrize(("status", "kind"), [(407, PermanentError), (403, PermanentError), (503, TransientError)])
def test_a_proxy_that_refuses_is_named(status, kind, make):
    """Its host and its status; a passing failure of its own is tried again."""
    with ConnectProxy(0, answer=reply(b"no", status=status)) as proxy:
        bench = make(environ={"HTTPS_PROXY": f"127.0.0.1:{proxy.port}"}, retry=Retry(attempts=2))
        with pytest.raises(
            kind, match=f"the proxy 127.0.0.1:{proxy.port} does not connect to api.openai.com"
        ) as caught:
            bench.client.get("https://api.openai.com/v1")
    assert str(status) in caught.value.message
    assert proxy.connections == (2 if kind is TransientError else 1)


@pytest.mark.parametrize(
    ("environ", "is_used"),
    [
        ({"https_proxy": "PROXY"}, True),
        ({"HTTPS_PROXY": "PROXY"}, True),
        ({"all_proxy": "PROXY"}, True),
        ({"ALL_PROXY": "PROXY"}, True),
        ({"https_proxy": "", "HTTPS_PROXY": "PROXY"}, False),
        ({"http_proxy": "PROXY"}, False),
        ({"HTTP_PROXY": "PROXY", "REQUEST_METHOD": "GET"}, False),
        ({"https_proxy": "PROXY", "no_proxy": "*"}, False),
        ({"https_proxy": "PROXY", "no_proxy": "other.test, .OpenAI.com"}, False),
        ({"https_proxy": "PROXY", "NO_PROXY": "openai.com:443"}, False),
        ({"https_proxy": "PROXY", "no_proxy": "api.openai.com:8443,nai.com,,"}, True),
    ],
)
def test_the_environment_decides_on_the_proxy(environ, is_used, monkeypatch, make):
    """As urllib has it, and `all_proxy` as well: lower case first, `no_proxy` by domain."""

    def refuse(*_args, **_options):
        raise socket.gaierror(socket.EAI_NONAME, "no name server in a test")

    with ConnectProxy(0, answer=reply(status=403)) as proxy:
        told = {name: value.replace("PROXY", f"http://127.0.0.1:{proxy.port}") for name, value in environ.items()}
        if not is_used:
            monkeypatch.setattr(socket, "getaddrinfo", refuse)
        bench = make(environ=told, retry=Retry(attempts=1))
        with pytest.raises(PermanentError if is_used else UnreachableError):
            bench.client.get("https://api.openai.com/v1")
    assert proxy.connections == (1 if is_used else 0)


def test_this_machine_is_never_asked_through_a_proxy(make):
    """Whatever the environment says: plain http would show it the key."""
    with ConnectProxy(0) as proxy, RawServer(reply()) as server:
        there = f"http://127.0.0.1:{proxy.port}"
        bench = make(environ={"http_proxy": there, "https_proxy": there, "all_proxy": there})
        bench.get(server)
    assert (proxy.connections, len(server.requests)) == (0, 1)


@pytest.mark.parametrize(
    "value", ["socks5://me:pw-secret@h:1", "https://h:1", "http://h:99999", "http://", "http://a b:1"]
)
def test_a_proxy_that_cannot_be_used_is_named_by_its_variable(value, make):
    """Not by its value, which may hold a password."""
    bench = make(environ={"ALL_PROXY": value})
    with pytest.raises(ConfigError, match="the proxy in ALL_PROXY cannot be used") as caught:
        bench.client.get("https://api.openai.com/v1")
    assert "pw-secret" not in caught.value.message + caught.value.hint
