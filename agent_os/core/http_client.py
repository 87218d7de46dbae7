"""Asks for JSON and sends it: only to the hosts it was allowed, only over verified TLS, never following a redirect.

A request either gives a whole, readable answer or an error that says whether asking again is worth it, and whether what
was sent may have had its effect. A client belongs to one thread; only `abort` may be called from another.
"""

from __future__ import annotations

import http.client
import random as chance
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

from .errors import AgentOSError, PermanentError, TaskError, TransientError
from .http_answer import Answer, Reply, explain, judge, settle
from .http_connector import Connector
from .http_request import Request, read_content, write_get, write_post, write_question
from .http_target import Target, check_header, read_target
from .http_wire import GarbledError, TooLargeError, Wire, read_body, read_headers, read_some
from .retry import CATCHES_UP, Wait, pause

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Callable

    from .clock import Clock
    from .logger import Log, Redactor
    from .retry import Retry
    from .strict_json import Json

__all__ = ["HttpClient", "Reply"]

_REFUSED_BYTES = 64 * 1024  # how much of an answer is read that will be refused anyway
_SHOWN = 2048  # characters of a refused body that the log keeps


@dataclass
class _Attempt:
    """One try: what is asked, until when, whether any of it may have left, and what has been seen of the answer."""

    request: Request
    started: float
    deadline_at: float
    is_sent: bool = False
    status: int = 0
    size: int = 0
    failure: str = ""

    @property
    def target(self) -> Target:
        return self.request.target


class HttpClient:
    """Keeps one connection a host open between requests. `requests` counts what was sent, repeats included.

    `timeout` bounds each operation on the socket, `deadline` one whole attempt, both in seconds; only the system's
    name lookup cannot be bounded. `max_bytes` is the largest body accepted.
    """

    def __init__(  # noqa: PLR0913  # the parameters are the design: every dependency is handed in, all by name
        self,
        *,
        agent: str,
        clock: Clock,
        retry: Retry,
        log: Log,
        redactor: Redactor,
        allowed_hosts: Sequence[str],
        environ: Mapping[str, str],
        timeout: float = 20.0,
        deadline: float = 60.0,
        max_bytes: int = 16 * 1024 * 1024,
        random: Callable[[], float] = chance.random,
    ) -> None:
        check_header("User-Agent", agent)
        self._agent = agent
        self._clock = clock
        self._retry = retry
        self._log = log
        self._redactor = redactor
        self._allowed_hosts = tuple(allowed_hosts)
        self._connector = Connector(environ=environ, log=log, redactor=redactor)
        self._timeout = timeout
        self._deadline = deadline
        self._max_bytes = max_bytes
        self._random = random
        self._kept: dict[tuple[str, str, int], Wire] = {}
        self._busy: Optional[Wire] = None
        self._is_aborted = False
        self.requests = 0

    def get(
        self, url: str, *, query: Sequence[tuple[str, str]] = (), headers: Optional[Mapping[str, str]] = None
    ) -> Reply:
        """The JSON answer to a GET, tried again as `retry` allows. Raises ConfigError, PermanentError, TransientError.

        No try but the first begins or lasts beyond the budget of `retry`.
        """
        target = read_target(url, query, self._allowed_hosts)
        return self._repeat(write_get(target, headers or {}, agent=self._agent))

    def ask(self, url: str, *, json: Json, headers: Optional[Mapping[str, str]] = None) -> Reply:
        """The JSON answer to a POST that changes nothing, its question in the body: tried again and told as a GET is.

        Only for what the other side documents as a question; everything else is a `post`.
        """
        target = read_target(url, (), self._allowed_hosts)
        content = read_content(json, b"", "")
        return self._repeat(write_question(target, headers or {}, agent=self._agent, content=content))

    def _repeat(self, request: Request) -> Reply:
        """The answer to a request that may be sent twice, tried again as `retry` allows."""
        last_end = self._clock.monotonic() + max(self._retry.budget_seconds, self._deadline)

        def ask() -> Reply:
            started = self._clock.monotonic()
            return self._ask(_Attempt(request, started, min(started + self._deadline, last_end)))

        return self._retry.call(
            ask, clock=self._clock, random=self._random, on_wait=self._tell_wait, stop=lambda: self._is_aborted
        )

    def post(  # noqa: PLR0913  # all but the address by name
        self,
        url: str,
        *,
        json: Json = None,
        data: bytes = b"",
        content_type: str = "",
        headers: Optional[Mapping[str, str]] = None,
        query: Sequence[tuple[str, str]] = (),
    ) -> Reply:
        """The answer to a POST of `json`, or of `data` as it stands, sent once; any 2xx is a success.

        Raises what `get` raises, and UsageError for json and data at once. The error's `may_have_happened` is False
        when no connection came about or the answer says that it was not taken (4xx, 503), True when some of it may have
        left and no whole answer came, or one that leaves it open (500, 502, 504). An exception that is no AgentOSError
        (a signal, no memory) leaves it open too. Neither path nor query nor body is told to a log or in an error.
        """
        target = read_target(url, query, self._allowed_hosts, is_secret=True)
        content = read_content(json, data, content_type)
        return self._once(write_post(target, headers or {}, agent=self._agent, content=content))

    def patch(
        self,
        url: str,
        *,
        json: Json,
        headers: Optional[Mapping[str, str]] = None,
        query: Sequence[tuple[str, str]] = (),
    ) -> Reply:
        """The answer to a PATCH of `json`, sent once; as with `post`."""
        target = read_target(url, query, self._allowed_hosts, is_secret=True)
        content = read_content(json, b"", "")
        return self._once(write_post(target, headers or {}, agent=self._agent, content=content, method="PATCH"))

    def _once(self, request: Request) -> Reply:
        """The answer to what changes something: one try, whose error says whether it may have happened."""
        started = self._clock.monotonic()
        attempt = _Attempt(request, started, started + self._deadline)
        try:
            return self._ask(attempt)
        except AgentOSError as error:
            settle(error, is_sent=attempt.is_sent, status=attempt.status)
            raise

    def rest(self, seconds: float) -> None:
        """Wait before the next request, where only so many are taken. An `abort` ends it with a TransientError."""
        due = TransientError("the next request was due")
        pause(Wait(0, due, seconds), self._clock, lambda: self._is_aborted)

    def close(self) -> None:
        """Close what is kept open. The client can be used again."""
        while self._kept:
            self._kept.popitem()[1].close()

    def abort(self) -> None:
        """From any thread: what is under way ends at once with a TransientError, and nothing new begins."""
        self._is_aborted = True
        busy = self._busy
        if busy is not None:
            busy.shut()

    def _ask(self, attempt: _Attempt) -> Reply:
        """One attempt, told in one line of the log whatever became of it."""
        try:
            return self._judge(self._exchange(attempt), attempt)
        except AgentOSError as error:
            attempt.failure = error.message
            raise
        except (OSError, http.client.HTTPException, ValueError, TooLargeError, GarbledError) as error:
            explained = self._explain(error, attempt)
            attempt.failure = explained.message
            # The standard library quotes what came, which may be an echo of what was sent; the system does not.
            is_fit_to_show = attempt.request.is_safe or isinstance(error, OSError)
            raise explained from (error if is_fit_to_show else None)
        finally:
            self._tell_attempt(attempt)

    def _exchange(self, attempt: _Attempt) -> Answer:
        """Over the kept connection if it lives, else over a new one; a POST over one of its own.

        The other side may close a kept connection just when it is used again. When it dies before one byte of an
        answer, nothing was refused: the same attempt goes over a new connection. That takes a request that may be sent
        twice.
        """
        kept = self._kept.pop(attempt.target.origin, None) if attempt.request.is_safe else None
        if kept is not None:
            try:
                if kept.is_reusable():
                    return self._converse(kept, attempt)
            except OSError as error:
                if kept.received or self._is_aborted or isinstance(error, socket.timeout):
                    raise
            kept.close()
        fresh = Wire(clock=self._clock, timeout=self._timeout, is_stopped=lambda: self._is_aborted)
        return self._converse(fresh, attempt)

    def _converse(self, wire: Wire, attempt: _Attempt) -> Answer:
        """Send the request and read the answer; the wire is kept when it is whole and the next may follow."""
        self._busy, wire.deadline_at = wire, attempt.deadline_at
        is_whole = False
        try:
            if not wire.is_open:
                self._connector.open(wire, attempt.target)
            self._send(wire, attempt)
            with wire.answer(attempt.request.method) as response:
                attempt.status = response.status
                answer = self._read(wire, response, attempt.request)
                attempt.size = len(answer.body)
                is_whole = attempt.request.is_safe and response.isclosed() and not response.will_close
            return answer
        finally:
            self._busy = None
            if is_whole:
                self._kept[attempt.target.origin] = wire
            else:
                wire.close()

    def _send(self, wire: Wire, attempt: _Attempt) -> None:
        self.requests += 1
        attempt.is_sent = True  # from here on some of it may have left
        try:
            wire.send(attempt.request.head + attempt.request.body)
        except (BrokenPipeError, ConnectionResetError):
            if attempt.request.is_safe:
                raise
            # Who refuses a large body may say so and hang up before it has read it all: the answer tells why.

    def _read(self, wire: Wire, response: http.client.HTTPResponse, request: Request) -> Answer:
        status, headers = response.status, read_headers(response)
        if not request.is_success(status):
            return Answer(status, headers, read_some(wire, response, most=_REFUSED_BYTES))
        if not request.is_safe and wire.is_ended:  # the head was cut, for which http.client does not care
            raise http.client.IncompleteRead(b"")
        if status == 204:
            return Answer(status, headers, b"")  # whatever length it announces
        encoding = headers.get("content-encoding", "identity").lower()
        if request.is_safe and encoding not in ("", "identity"):
            raise GarbledError(f"is encoded as {ascii(encoding)[:60]}, though nothing but plain was asked for")
        return Answer(status, headers, read_body(wire, response, headers=headers, most=self._max_bytes))

    def _judge(self, answer: Answer, attempt: _Attempt) -> Reply:
        try:
            return judge(answer, attempt.request, redactor=self._redactor, now=self._clock.now())
        except TaskError:
            text = attempt.request.blank(answer.body.decode("utf-8", "backslashreplace"))
            shown = self._redactor.text(text)[:_SHOWN]
            self._log.debug("http.refused", f"{attempt.target.label}: what came", body=shown)
            raise

    def _explain(self, error: Exception, attempt: _Attempt) -> AgentOSError:
        """The error for what went wrong on the wire, as far as it takes this client's limits to say it."""
        label = attempt.target.label
        if self._is_aborted:
            return TransientError(f"{label}: stopped")
        if isinstance(error, TooLargeError):
            return PermanentError(f"{label}: the answer is larger than the {self._max_bytes:,} bytes that are accepted")
        if isinstance(error, GarbledError):
            return PermanentError(f"{label}: the answer {error}", status=attempt.status)
        if isinstance(error, socket.timeout) and error.errno is None:
            is_over = self._clock.monotonic() >= attempt.deadline_at
            what = "was not done" if is_over else "sent nothing"
            seconds = attempt.deadline_at - attempt.started if is_over else self._timeout
            return TransientError(f"{label}: {attempt.target.host} {what} within {seconds:.3g} s", hint=CATCHES_UP)
        return explain(error, attempt.target)

    def _tell_attempt(self, attempt: _Attempt) -> None:
        """One line a request: neither headers nor query, which may hold what is nobody's business."""
        milliseconds = round((self._clock.monotonic() - attempt.started) * 1000)
        outcome = attempt.failure or f"{attempt.target.label} answered {attempt.status}"
        self._log.debug(
            "http.request",
            outcome,
            host=attempt.target.authority,
            path=attempt.target.shown_path,
            status=attempt.status,
            ms=milliseconds,
            bytes=attempt.size,
        )

    def _tell_wait(self, wait: Wait) -> None:
        message = f"{wait.error.message}; trying again in {wait.seconds:.1f} s"
        self._log.info("http.wait", message, attempt=wait.attempt, seconds=round(wait.seconds, 3))
