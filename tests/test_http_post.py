"""What a POST sends, how often, what it takes for a success, and what its failure says about whether it happened."""

from __future__ import annotations

import errno
import json
import os
import socket
import threading
import time
import traceback
from decimal import Decimal

import pytest

from agent_os.core.errors import ConfigError, PermanentError, ResourceError, TaskError, TransientError, UsageError
from agent_os.core.http_request import LARGEST_BODY
from agent_os.core.retry import Retry, UnreachableError
from tests.fakes.rawserver import ConnectProxy, RawServer, reply

from .test_http_client import Bench as GetBench
from .test_http_client import benches, chunked, closing, make_certificate

TOKEN = "tok_ABCDEFghij-KLMNOP0123456789"
HOOK = f"/api/webhooks/98765432100/{TOKEN}"
THREAD = "thread-7777777"
CONTENT = "Grüße an alle Münchner"
SECRETS = (HOOK, TOKEN, "98765432100", THREAD, CONTENT, "Münchner")


class Bench(GetBench):
    """A client that posts to a webhook. Whatever comes of it: nothing of address and content is told, nothing repeated.

    Its `retry` is that of any client, so that a POST which heeded it would be seen.
    """

    def post(self, server, path=HOOK, **options):
        if "data" not in options:
            options.setdefault("json", {"content": CONTENT})
        before = (self.clock.slept, self.client.requests)
        try:
            return self.client.post(server.url + path, query=[("thread_id", THREAD)], **options)
        finally:
            assert self.clock.slept == before[0]
            assert self.client.requests <= before[1] + 1
            for secret in SECRETS:
                assert secret not in self.told

    def fails(self, kind, server, path=HOOK, **options):
        """The error of exactly this kind that a POST ends with, after one try; no secret in it or in its traceback."""
        with pytest.raises(kind) as caught:
            self.post(server, path, **options)
        error = caught.value
        assert type(error) is kind
        shown = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        for secret in SECRETS:
            assert secret not in f"{error.message} {error.hint} {shown}"
        return error


@pytest.fixture
def make(tmp_path):
    yield from benches(Bench, tmp_path)


@pytest.fixture
def bench(make):
    return make()


@pytest.fixture
def impatient(make):
    return make(timeout=0.2, deadline=0.5)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("tls"))


# What is sent


def test_the_request_is_exactly_this(bench):
    """The JSON on one line in ASCII with its length, on a connection that ends with it; any kind of answer will do."""
    with RawServer(reply()) as server:
        bench.post(server, json={"b": "é\u2028", "a": [1, 2.5, None, True]}, headers={"Idempotency-Key": "alert-1"})
    body = b'{"b":"\\u00e9\\u2028","a":[1,2.5,null,true]}'
    assert server.bodies == [body]
    assert server.requests[0].decode().split("\r\n") == [
        f"POST {HOOK}?thread_id={THREAD} HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        "User-Agent: agent-os/0.0 (test)",
        "Accept-Encoding: identity",
        "Accept: application/json, */*",
        "Connection: close",
        f"Content-Length: {len(body)}",
        "Content-Type: application/json",
        "Idempotency-Key: alert-1",
        "",
        "",
    ]


def test_bytes_are_sent_as_they_stand(bench):
    """With the media type that they are said to be."""
    with RawServer(reply()) as server:
        bench.post(server, data=b"\x00\xff", content_type="text/x-odd; charset=utf-8")
    assert server.bodies == [b"\x00\xff"]
    assert b"\r\nContent-Length: 2\r\nContent-Type: text/x-odd; charset=utf-8\r\n" in server.requests[0]


def test_nothing_can_be_sent_as_well(bench):
    """A ping has no body, but says so."""
    with RawServer(reply()) as server:
        bench.post(server, data=b"")
    assert b"\r\nContent-Length: 0\r\n" in server.requests[0]
    assert b"Content-Type" not in server.requests[0]


@pytest.mark.parametrize(("value", "body"), [({}, b"{}"), ([], b"[]"), (0, b"0"), ("", b'""'), (False, b"false")])
def test_what_is_empty_is_json_too(bench, value, body):
    with RawServer(reply()) as server:
        bench.post(server, json=value)
    assert server.bodies == [body]


def test_the_callers_wish_for_an_answer_is_respected(bench):
    with RawServer(reply()) as server:
        bench.post(server, headers={"ACCEPT": "text/plain"})
    assert server.requests[0].lower().count(b"accept: ") == 1


@pytest.mark.parametrize(
    ("options", "kind", "reason"),
    [
        ({"json": {}, "data": b"x"}, UsageError, "not both"),
        ({"json": {}, "data": b"", "content_type": "text/plain"}, UsageError, "not both"),
        ({"json": {"a": float("nan")}}, PermanentError, "no JSON"),
        ({"json": {"a": Decimal("0.1")}}, PermanentError, "no JSON"),
        ({"json": {"a": b"x"}}, PermanentError, "no JSON"),
        ({"data": b"x", "content_type": "text/plain\r\nX: y"}, ConfigError, "Content-Type has a line end"),
        ({"headers": {"Content-Type": "text/plain"}}, ConfigError, "Content-Type is written by the client"),
        ({"headers": {"content-length": "7"}}, ConfigError, "content-length is written by the client"),
        ({"headers": {"Idempotency-Key": "a\r\nX: y"}}, ConfigError, "Idempotency-Key has a line end"),
    ],
)
def test_what_cannot_be_sent_is_said_before_anything_is(bench, options, kind, reason):
    """One body, of JSON or of bytes; headers that http can carry, and not those that are the client's."""
    with RawServer(reply()) as server:
        error = bench.fails(kind, server, **options)
    assert reason in error.message
    assert (server.connections, error.may_have_happened) == (0, False)


@pytest.mark.parametrize(
    "made", [lambda n: {"data": b"x" * n}, lambda n: {"json": "x" * (n - 2)}], ids=["data", "json"]
)
def test_a_body_has_at_most_eight_megabytes(make, made):
    """The limit itself is sent, a byte more is refused before any connection."""
    with RawServer(reply()) as server:
        patient = make()
        patient.post(server, **made(8 * 1024 * 1024))
        error = patient.fails(PermanentError, server, **made(8 * 1024 * 1024 + 1))
    assert "a body of 8,388,609 bytes is larger than the 8,388,608" in error.message
    assert ([len(body) for body in server.bodies], server.connections) == ([8 * 1024 * 1024], 1)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (f"http://discord.com{HOOK}", "without TLS"),
        (f"https://evil.test{HOOK}", "not a host"),
        (f"https://user:{TOKEN}@api.openai.com{HOOK}", "user name or password"),
        (f"https://api.openai.com{HOOK}\n", "blank"),
        (f"ftp://api.openai.com{HOOK}", "https://"),
    ],
)
def test_an_address_out_of_bounds_is_refused_as_for_get(bench, url, reason):
    """The same hosts, the same schemes; the address is not quoted."""
    with pytest.raises(ConfigError, match=reason) as caught:
        bench.client.post(url, json={})
    assert TOKEN not in caught.value.message + caught.value.hint
    assert (bench.client.requests, bench.told) == (0, "")


def test_a_get_may_name_a_content_type(bench):
    """It has no body that the client would have to describe."""
    with RawServer(reply()) as server:
        bench.get(server, headers={"Content-Type": "application/json"})
    assert server.requests[0].endswith(b"Accept: application/json\r\nContent-Type: application/json\r\n\r\n")


# Success


@pytest.mark.parametrize("status", [200, 201, 202, 203, 206, 226])
def test_any_2xx_is_a_success(bench, status):
    """With its status and its JSON, exact; of the address only the host is kept."""
    with RawServer(reply(b'{"id": "m1", "n": 0.10}', status=status, headers=["X-Request-ID: r1"])) as server:
        answer = bench.post(server)
    assert (answer.status, answer.data, answer.request_id) == (status, {"id": "m1", "n": Decimal("0.10")}, "r1")
    assert answer.url == server.url
    assert answer.seen_at == "2026-11-22T12:00:00.000Z"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", id="204"),
        pytest.param(reply(b"", status=204), id="204 with a length of 0"),
        pytest.param(
            b"HTTP/1.1 204 No Content\r\nContent-Length: 9\r\nContent-Encoding: br\r\n\r\n", id="204 that errs"
        ),
        pytest.param(reply(b""), id="200 with a length of 0"),
        pytest.param(closing(b"HTTP/1.1 202 Accepted\r\n\r\n"), id="202 that hangs up"),
        pytest.param(chunked(), id="no chunk"),
    ],
)
def test_an_answer_may_be_empty(bench, answer):
    """A webhook says 204 and nothing more; the answer is not waited for any longer."""
    with RawServer(answer) as server:
        answer = bench.post(server)
    assert (answer.status // 100, answer.body, answer.data) == (2, b"", None)


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"ok", ["Content-Type: text/plain"]),
        (b"<html>thanks</html>", []),
        (b'{"a": NaN}', []),
        (b'{"a": [1', []),
        (b"\xff\xfe\x00", []),
        (b"\x1f\x8b\x08zip", ["Content-Encoding: gzip"]),
    ],
)
def test_an_answer_that_is_no_json_is_none_and_no_error(bench, body, headers):
    """It was taken, whatever the words for it; they are kept as they came."""
    with RawServer(reply(body, headers=headers)) as server:
        answer = bench.post(server)
    assert (answer.status, answer.body, answer.data) == (200, body, None)


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("Retry-After: 7", 7.0),
        ("Retry-After: 0.65", 0.65),
        ("retry-after-ms: 1500", 1.5),
        ("Retry-After: Sun, 22 Nov 2026 12:00:09 GMT", 9.0),
        ("Retry-After: soon", None),
        ("X-Nothing: 1", None),
        ("Retry-After: " + "9" * 400, 86400.0),
    ],
)
def test_a_success_may_ask_for_a_pause(bench, method, header, seconds):
    """Said as a number of seconds, at most a day; nothing waits for it here."""
    with RawServer(reply(b'{"retry_after": 3}', headers=[header])) as server:
        answer = getattr(bench, method)(server)
    assert answer.retry_after == seconds
    assert bench.clock.slept == 0


def test_a_post_is_one_line_of_the_log(bench):
    """Host, status, time, size: no path, no query, nothing of what was sent or came."""
    with RawServer(reply(b'{"id": 1}')) as server:
        bench.post(server)
    (told,) = bench.events("http.request")
    assert {**told, "ms": 0} == {"host": f"127.0.0.1:{server.port}", "path": "", "status": 200, "ms": 0, "bytes": 9}


# Once


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(reply(status=429, headers=["Retry-After: 0"]), id="429"),
        pytest.param(reply(status=503), id="503"),
        pytest.param(reply(status=500, headers=["x-should-retry: true"]), id="500 that wants it"),
        pytest.param(lambda talk: talk.reset(), id="reset"),
        pytest.param(lambda talk: talk.close(), id="closed"),
        pytest.param(lambda talk: talk.pause(2), id="silent"),
    ],
)
def test_a_post_is_sent_once(impatient, answer):
    """Whatever comes of it, and however patient `retry` is: the caller decides on a second one."""
    with RawServer(answer, reply()) as server:
        impatient.fails(TransientError, server)
        time.sleep(0.05)
    assert (len(server.requests), server.connections, impatient.waits) == (1, 1, [])


def test_a_refused_connection_is_tried_once(bench):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(TransientError):
        bench.client.post(f"http://127.0.0.1:{port}/", json={})
    assert (bench.clock.slept, len(bench.events("http.request"))) == (0, 1)


@pytest.mark.parametrize("end", ["close", "reset"])
def test_a_post_goes_over_a_connection_of_its_own(bench, end):
    """A kept one may die under it, and nobody would know whether it arrived; it stays for the next GET."""
    with RawServer(reply(), lambda talk: getattr(talk, end)(), reply(b'{"n": 3}')) as server:
        bench.get(server, "/v1/costs")
        bench.fails(TransientError, server)
        assert bench.get(server, "/v1/costs").data == {"n": 3}
    assert [head.split()[0] for head in server.requests] == [b"GET", b"POST", b"GET"]
    assert server.connections == 2


def test_the_connection_of_a_post_is_not_kept(bench):
    """Even if the server would."""
    with RawServer(reply()) as server:
        for _ in range(3):
            bench.post(server)
        bench.get(server, "/v1/costs")
    assert (len(server.requests), server.connections) == (4, 4)


# Whether it may have happened


def echo(talk):
    """A service that repeats what it hears, and is no HTTP server."""
    talk.send(talk.head.replace(b"POST ", b"", 1))
    talk.close()


def drip(talk):
    talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")
    talk.drip(b" " * 900, pause=0.02)


def forever(talk):
    talk.send(b"HTTP/1.1 200 OK\r\n\r\n")
    while not talk.stopping.is_set():
        talk.send(b" " * 65536)


UNANSWERED = [
    pytest.param(lambda talk: talk.reset(), TransientError, "broke the connection", id="reset"),
    pytest.param(closing(b""), TransientError, "closed the connection", id="closed"),
    pytest.param(closing(b"HTTP/1.1 200 O"), TransientError, "ends too early", id="cut in the first line"),
    pytest.param(closing(b"HTTP/1.1 200 OK\r\nContent-Le"), TransientError, "ends too early", id="cut in a header"),
    pytest.param(closing(b"HTTP/1.1 204 OK\r\nX: y\r\n"), TransientError, "ends too early", id="cut after a header"),
    pytest.param(closing(reply(b"{}")[:-1]), TransientError, "ends too early", id="short body"),
    pytest.param(closing(chunked(b"{}", end=b"")), TransientError, "ends too early", id="last chunk missing"),
    pytest.param(closing(chunked(end=b"zz\r\n")), TransientError, "", id="chunk size"),
    pytest.param(closing(b"SSH-2.0-OpenSSH_9.2\r\n"), TransientError, "no readable HTTP", id="another protocol"),
    pytest.param(echo, TransientError, "no readable HTTP", id="echo"),
    pytest.param(forever, PermanentError, "larger than the 200,000 bytes", id="endless"),
    pytest.param(
        reply(headers=["Content-Length: 7"]), PermanentError, "length that is not one number", id="two lengths"
    ),
]


@pytest.mark.parametrize(("answer", "kind", "reason"), UNANSWERED)
def test_without_a_whole_answer_it_may_have_happened(make, answer, kind, reason):
    """It was sent: no error after that can know what became of it, and the hint says what to do."""
    bench = make(max_bytes=200_000)
    with RawServer(answer) as server:
        error = bench.fails(kind, server)
    assert reason in error.message
    assert error.may_have_happened
    assert error.hint == "it may have been done all the same: look there before it is sent again"
    assert server.bodies == [json.dumps({"content": CONTENT}, separators=(",", ":")).encode()]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [(lambda talk: talk.pause(2), "sent nothing within 0.2 s"), (drip, "was not done within 0.5 s")],
    ids=["silent", "drips"],
)
def test_without_an_answer_in_time_it_may_have_happened(impatient, answer, reason):
    """A timeout is the classic of not knowing."""
    with RawServer(answer) as server:
        error = impatient.fails(TransientError, server)
    assert reason in error.message
    assert error.may_have_happened


def test_a_cut_answer_keeps_its_status(bench):
    """It began with a 201: the caller may make of that what it knows."""
    with RawServer(closing(b"HTTP/1.1 201 Created\r\nContent-Length: 90\r\n\r\n{")) as server:
        assert bench.fails(TransientError, server).status == 201
        server.answers = [lambda talk: talk.close()]
        assert bench.fails(TransientError, server).status is None


def test_a_post_that_was_sent_in_part_may_have_happened(bench):
    """The connection broke under the body: what a server makes of half of it is not ours to guess."""

    def read_a_little(talk):
        talk.connection.recv(1000)
        talk.reset()

    with RawServer(read_a_little, reads_bodies=False) as server:
        assert bench.fails(TransientError, server, data=b"x" * LARGEST_BODY).may_have_happened


def test_a_server_that_does_not_read_ends_at_the_timeout(impatient):
    """Sent in part, and then nobody took the rest."""
    with RawServer(lambda talk: talk.pause(3), reads_bodies=False) as server:
        error = impatient.fails(TransientError, server, data=b"x" * LARGEST_BODY)
    assert "within 0.2 s" in error.message
    assert error.may_have_happened


def sip(talk):
    """Take a little at a time, for ever."""
    while not talk.stopping.is_set() and talk.connection.recv(300_000):
        talk.pause(0.05)


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
def test_a_server_that_reads_in_sips_ends_at_the_deadline(make, certificate, is_tls):
    """Every piece of the body is taken in time, the whole is not."""
    path, context = certificate
    patient = make(timeout=0.4, deadline=0.6, environ={"SSL_CERT_FILE": path})
    began = time.monotonic()
    with RawServer(sip, reads_bodies=False, tls=context if is_tls else None) as server:
        error = patient.fails(TransientError, server, data=b"x" * LARGEST_BODY)
        assert 0.5 < time.monotonic() - began < 8
    assert "was not done within 0.6 s" in error.message
    assert error.may_have_happened


def test_a_refusal_before_the_body_is_read_is_heard(make):
    """Who is told that a body is too large learns that, not that the connection broke; and that it was not taken."""

    def refuse(talk):
        talk.send(reply(b'{"message": "Request entity too large"}', status=413))
        talk.pause(0.05)
        talk.close()

    with RawServer(refuse, reads_bodies=False) as server:
        error = make().fails(PermanentError, server, data=b"x" * LARGEST_BODY)
    assert (error.status, error.may_have_happened) == (413, False)
    assert error.message.endswith("answered 413: Request entity too large")


def test_an_abort_under_way_may_have_happened(make):
    """From another thread, while the answer is waited for; before the request is sent it is certain."""
    patient, is_blocked = make(), threading.Event()

    def block(talk):
        is_blocked.set()
        talk.pause(10)

    def stop():
        is_blocked.wait(5)
        patient.client.abort()

    with RawServer(block) as server:
        other = threading.Thread(target=stop)
        other.start()
        error = patient.fails(TransientError, server)
        other.join()
        assert "stopped" in error.message
        assert error.may_have_happened
        assert not patient.fails(TransientError, server).may_have_happened
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [500, 502, 504, 507, 520, 524, 599, 300, 301, 302, 303, 304, 101])
def test_a_status_that_leaves_it_open_may_have_happened(bench, status):
    """A gateway may have passed it on; "see there" is what comes after a form was taken."""
    with RawServer(reply(b"" if status in (101, 304) else b"{}", status=status)) as server:
        error = bench.fails(TransientError if status >= 500 else PermanentError, server)
    assert (error.status, error.may_have_happened) == (status, True)
    assert error.hint.endswith("look there before it is sent again")


@pytest.mark.parametrize(
    "status", [400, 401, 402, 403, 404, 405, 408, 409, 410, 413, 422, 425, 429, 307, 308, 501, 503, 505, 511, 529]
)
def test_a_status_that_says_no_did_not_happen(bench, status):
    """It was not taken; whether another try is worth it is as for GET."""
    kind = TransientError if status in (408, 409, 429) or status >= 500 else PermanentError
    with RawServer(reply(b"{}", status=status)) as server:
        error = bench.fails(kind, server)
    assert (error.status, error.may_have_happened) == (status, False)
    assert error.hint.endswith("nothing was done there")


def test_a_refusal_with_a_cut_body_is_still_that_refusal(bench):
    """Its status is all that matters."""
    with RawServer(closing(b'HTTP/1.1 429 No\r\nContent-Length: 900\r\n\r\n{"retry_aft')) as server:
        error = bench.fails(TransientError, server)
    assert (error.status, error.retry_after, error.may_have_happened) == (429, None, False)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (socket.gaierror(socket.EAI_NONAME, "unknown"), UnreachableError),
        (OSError(errno.ENETUNREACH, "unreachable"), UnreachableError),
        (OSError(errno.EMFILE, "Too many open files"), ResourceError),
        (ConnectionResetError(errno.ECONNRESET, "reset"), TransientError),
    ],
)
def test_without_a_connection_it_did_not_happen(bench, monkeypatch, failure, kind):
    """No name, no network, no file descriptor, no handshake of TCP: certain, whatever the kind of error."""

    def fail(*_args, **_options):
        raise failure

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(kind) as caught:
        bench.client.post(f"https://api.openai.com{HOOK}", json={})
    assert not caught.value.may_have_happened
    assert caught.value.hint.endswith("nothing was done there")
    assert "catches up" not in caught.value.hint
    assert TOKEN not in caught.value.message + bench.told


def test_a_refused_connection_did_not_happen(bench):
    with RawServer(reply()) as server:
        pass
    error = bench.fails(TransientError, server)
    assert error.message == f"127.0.0.1:{server.port}: no connection to 127.0.0.1: {os.strerror(errno.ECONNREFUSED)}"
    assert not error.may_have_happened


def test_without_trust_it_did_not_happen(certificate, bench):
    """TLS fails before a byte of the request is sent."""
    with RawServer(reply(), tls=certificate[1]) as server:
        error = bench.fails(PermanentError, server)
    assert (server.requests, bench.client.requests, error.may_have_happened) == ([], 0, False)


@pytest.mark.parametrize("end", ["answer", "reset", "stall"])
def test_a_handshake_that_fails_did_not_happen(impatient, end):
    """Whoever is there does not speak TLS, leaves or says nothing."""

    def serve(connection):
        if end == "answer":
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        elif end == "reset":
            connection.recv(1)
        else:
            server.stopping.wait(2)

    with RawServer() as server:
        server._serve = serve
        with pytest.raises(TransientError) as caught:
            impatient.client.post(f"https://127.0.0.1:{server.port}{HOOK}", json={})
    assert not caught.value.may_have_happened
    assert TOKEN not in caught.value.message + impatient.told


@pytest.mark.parametrize("status", [407, 502, 504])
def test_a_proxy_that_does_not_connect_did_not_pass_it_on(status, make):
    """Its 502 is not that of a gateway which has read the request."""
    with ConnectProxy(0, answer=reply(b"no", status=status)) as proxy:
        bench = make(environ={"https_proxy": f"127.0.0.1:{proxy.port}"})
        with pytest.raises(TaskError) as caught:
            bench.client.post(f"https://api.openai.com{HOOK}", json={})
    assert not caught.value.may_have_happened
    assert (proxy.connections, bench.client.requests) == (1, 0)
    assert TOKEN.encode() not in proxy.seen


@pytest.mark.parametrize("method", ["get", "post"])
def test_an_abort_is_not_blamed_on_the_proxy(make, method):
    """Nothing begins after a stop, and nobody is said to be unreachable for it."""
    client = make(environ={"https_proxy": "http://127.0.0.1:9"}).client
    client.abort()
    with pytest.raises(TransientError, match="stopped"):
        getattr(client, method)("https://api.openai.com/v1")


def test_a_post_goes_through_the_proxy_unseen(certificate, make):
    """It learns the host's name, and neither path nor content."""
    path, context = certificate
    with RawServer(reply(), tls=context) as server, ConnectProxy(server.port) as proxy:
        bench = make(environ={"https_proxy": f"http://127.0.0.1:{proxy.port}", "SSL_CERT_FILE": path})
        bench.client.post(f"https://api.example.test{HOOK}", json={"content": CONTENT})
    assert server.bodies == [json.dumps({"content": CONTENT}, separators=(",", ":")).encode()]
    assert TOKEN.encode() not in proxy.seen


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(lambda talk: talk.reset(), id="reset"),
        pytest.param(reply(status=500), id="500"),
        pytest.param(closing(reply(b"{}")[:-1]), id="short body"),
    ],
)
def test_a_get_has_no_effect_that_may_have_happened(make, answer):
    """It changes nothing, so its errors say nothing of the kind, and their hints are those for reading."""
    bench = make(retry=Retry(attempts=1))
    with RawServer(answer) as server, pytest.raises(TransientError) as caught:
        bench.get(server)
    assert not caught.value.may_have_happened
    assert caught.value.hint == "nothing of this was stored; the next run catches up"
    assert f":{server.port}/v1/costs" in caught.value.message


# The wait that is asked for


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        pytest.param(["Retry-After: 7"], b'{"retry_after": 0.65}', 7.0, id="header first"),
        pytest.param(["Retry-After: 0.5"], b"{}", 0.5, id="float in the header"),
        pytest.param(["Retry-After: Sun, 22 Nov 2026 12:00:09 GMT"], b"", 9.0, id="date"),
        pytest.param(
            [], b'{"message": "You are being rate limited.", "retry_after": 0.65}', 0.65, id="float in the body"
        ),
        pytest.param([], b'{"retry_after": 3}', 3.0, id="integer in the body"),
        pytest.param([], b'{"retry_after": 0}', 0.0, id="zero"),
        pytest.param(["Retry-After: soon"], b'{"retry_after": 0.65}', 0.65, id="garbage in the header"),
        pytest.param(["Retry-After: -3"], b'{"retry_after": 0.65}', 0.65, id="negative in the header"),
        pytest.param(["Retry-After: nan"], b'{"retry_after": 0.65}', 0.65, id="NaN in the header"),
        pytest.param(["Retry-After: Sun, 22 Nov 2020 12:00:09 GMT"], b'{"retry_after": 1}', 1.0, id="date gone by"),
        pytest.param([], b'{"retry_after": -1}', None, id="negative"),
        pytest.param([], b'{"retry_after": NaN}', None, id="NaN"),
        pytest.param([], b'{"retry_after": Infinity}', None, id="infinity"),
        pytest.param([], b'{"retry_after": 1e999}', None, id="out of range"),
        pytest.param([], b'{"retry_after": "0.65"}', None, id="text"),
        pytest.param([], b'{"retry_after": true}', None, id="true"),
        pytest.param([], b'{"retry_after": null}', None, id="null"),
        pytest.param([], b'{"retry_after": [1]}', None, id="list"),
        pytest.param([], b"[1]", None, id="no object"),
        pytest.param([], b"slow down", None, id="no JSON"),
        pytest.param([], b'{"retry_after": 1e20}', 86400.0, id="huge"),
        pytest.param(["Retry-After: " + "9" * 400], b"{}", 86400.0, id="huge in the header"),
    ],
)
def test_the_wait_that_is_asked_for_is_in_the_error(bench, headers, body, seconds):
    """From the header, else from the JSON as Discord has it; a number of seconds from zero to a day, or None."""
    with RawServer(reply(body, status=429, headers=headers)) as server:
        error = bench.fails(TransientError, server)
    assert (error.status, error.retry_after) == (429, seconds)


def test_a_get_goes_by_the_headers_alone(make):
    """As ever: a number in the body of a refusal changes no wait."""
    bench = make()
    with RawServer(reply(b'{"retry_after": 9}', status=429), reply()) as server:
        bench.get(server)
    assert bench.waits == [0.5]


# Redirects


@pytest.mark.parametrize("status", [300, 301, 302, 303, 305, 307, 308])
def test_no_redirect_is_followed(bench, status):
    """Whatever its kind: refused at once, only the other host named, and that host hears nothing."""
    with RawServer(reply()) as other:
        location = f"Location: http://localhost:{other.port}{HOOK}?thread_id={THREAD}"
        with RawServer(reply(status=status, headers=[location])) as server:
            error = bench.fails(PermanentError, server)
    assert error.message == f"127.0.0.1:{server.port} answered {status}, a redirect to localhost; none is followed"
    assert error.hint.startswith("check the address; is a sign-in page of the network in between?; ")
    assert (len(server.requests), other.connections) == (1, 0)


# What is told


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (401, "check that the address, or the key sent with it, is complete and still valid; nothing was done there"),
        (403, "check that the address, or the key sent with it, has the right to this; nothing was done there"),
        (404, "check that the address is complete and still in use; nothing was done there"),
        (400, "nothing was done there"),
    ],
)
def test_a_refusal_is_told_with_what_to_do(bench, status, hint):
    """The host, the status and the vendor's sentence, where Discord has it."""
    with RawServer(reply(b'{"message": "Unknown Webhook", "code": 10015}', status=status)) as server:
        error = bench.fails(PermanentError, server)
    assert (error.message, error.hint) == (f"127.0.0.1:{server.port} answered {status}: Unknown Webhook", hint)


ECHOED = f"https://127.0.0.1{HOOK}?thread_id={THREAD}: {{'content': '{CONTENT}'}} in {TOKEN}, {TOKEN[:12]}… (Münchner)."


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(json.dumps({"error": {"message": ECHOED}}).encode(), id="error.message"),
        pytest.param(json.dumps({"error": f"Cannot POST {HOOK}"}, ensure_ascii=False).encode(), id="error"),
        pytest.param(json.dumps({"message": ECHOED}, ensure_ascii=False).encode(), id="message"),
        pytest.param(ECHOED.encode(), id="text"),
        pytest.param(f"<pre>Cannot POST {HOOK}</pre>".encode(), id="HTML"),
        pytest.param(json.dumps({"message": HOOK}).replace("/", "\\/").encode(), id="escaped"),
    ],
)
def test_a_vendor_that_quotes_us_is_not_quoted(bench, body):
    """Address and content come back in a refusal; neither the error nor the log repeats them (`fails` looks)."""
    with RawServer(reply(body, status=400)) as server:
        error = bench.fails(PermanentError, server)
    assert TOKEN[:12] not in error.message + bench.told
    (refused,) = bench.events("http.refused")
    assert "***" in refused["body"]


def test_a_vendor_may_name_what_is_wrong(bench):
    """The name of a member is no content; nor is any word of five letters or fewer."""
    with RawServer(
        reply(b'{"message": "content: Must be 2000 or fewer in length; got Wordsmith, Words"}', status=400)
    ) as server:
        error = bench.fails(PermanentError, server, json={"content": "Words of a Wordsmith"})
    assert error.message.endswith("400: content: Must be 2000 or fewer in length; got ***, Words")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"error": "no group line_item in /v1/costs"}', ": no group line_item in /v1/costs"),
        ('{"message": "no group line_item"}', ""),
    ],
)
def test_a_get_is_told_as_ever(bench, body, said):
    """Its path names a report, and a vendor that quotes it helps; its sentence is looked for where it always was."""
    with RawServer(reply(body.encode(), status=400)) as server, pytest.raises(PermanentError) as caught:
        bench.get(server, query=[("group_by[]", "line_item")])
    assert caught.value.message == f"127.0.0.1:{server.port}/v1/costs answered 400{said}"
    (refused,) = bench.events("http.refused")
    assert refused["body"] == body


# --- a POST that only asks --------------------------------------------------------------------------------------------


def test_a_post_that_only_asks_is_tried_again(bench):
    """It changes nothing, so it may be sent twice: after a status that says so, and when no answer came."""
    replies = [reply(b"{}", status=503), b"", reply(b'{"rows": []}')]
    with RawServer(*replies) as server:
        answer = bench.client.ask(server.url + "/events", json={"page": 1})
    assert answer.data == {"rows": []}
    assert bench.client.requests == 3


def test_a_post_that_only_asks_carries_json_and_tells_its_path(bench):
    """As a GET does: its path names a report. The question itself is told nowhere."""
    with RawServer(reply(b"{}")) as server:
        answer = bench.client.ask(server.url + "/events", json={"page": 1}, headers={"Authorization": "Basic eA=="})
    (head,), (body,) = server.requests, server.bodies
    assert head.startswith(b"POST /events HTTP/1.1\r\n")
    for line in (b"Content-Type: application/json", b"Content-Length: 10", b"Authorization: Basic eA=="):
        assert line in head
    assert body == b'{"page":1}'
    assert answer.url == server.url + "/events"
    assert "page" not in bench.told


def test_an_answer_that_is_not_200_is_none_to_a_question(bench):
    """A question is not "created" or "done without content"."""
    with RawServer(reply(b"", status=204)) as server, pytest.raises(PermanentError) as caught:
        bench.client.ask(server.url + "/events", json={})
    assert caught.value.may_have_happened is False


# PATCH


def test_a_patch_is_a_post_by_another_name(bench):
    """What an edit takes: its own method, the same care with what is told, one try."""
    with RawServer(reply(b'{"id": "1"}'), b"HTTP/1.1 503 x\r\nContent-Length: 0\r\n\r\n") as server:
        answer = bench.client.patch(server.url + HOOK, json={"content": CONTENT}, query=[("thread_id", THREAD)])
        assert answer.data == {"id": "1"}
        with pytest.raises(TransientError) as caught:
            bench.client.patch(server.url + HOOK, json={"content": CONTENT})
    assert server.requests[0].startswith(f"PATCH {HOOK}?thread_id={THREAD} HTTP/1.1\r\n".encode())
    assert len(server.requests) == 2
    assert not caught.value.may_have_happened
    assert not bench.clock.slept
    for secret in SECRETS:
        assert secret not in bench.told + caught.value.message
