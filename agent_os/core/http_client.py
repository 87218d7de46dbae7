"""Asks a provider for JSON: only the hosts it was allowed, only over verified TLS, never following a redirect.

A request either gives a whole, readable answer or an error that says whether asking again is worth it. A client
belongs to one thread; only `abort` may be called from another.
"""

from __future__ import annotations

import http.client
import random as chance
import socket
from base64 import b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

from .errors import AgentOSError, ConfigError, PermanentError, TaskError, TransientError
from .http_answer import Answer, Reply, explain, judge
from .http_target import Target, check_header, join_host, proxy_for, read_target
from .http_tls import distrust, trust
from .http_wire import GarbledError, TooLargeError, Wire, read_body, read_headers, read_some
from .retry import CATCHES_UP, UnreachableError, should_retry

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping, Sequence
    from typing import Callable

    from .clock import Clock
    from .http_target import Proxy
    from .logger import Log, Redactor
    from .retry import Retry, Wait

__all__ = ["HttpClient", "Reply"]

_REFUSED_BYTES = 64 * 1024  # how much of an answer is read that will be refused anyway
_SHOWN = 2048  # characters of a refused body that the log keeps
_OURS = {"host", "user-agent", "accept-encoding", "connection", "content-length", "transfer-encoding"}


@dataclass
class _Attempt:
    """One try: what is asked, until when, and what has been seen of the answer so far."""

    target: Target
    request: bytes
    started: float
    deadline_at: float
    status: int = 0
    size: int = 0
    failure: str = ""


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
        self._environ = environ
        self._timeout = timeout
        self._deadline = deadline
        self._max_bytes = max_bytes
        self._random = random
        self._kept: dict[tuple[str, str, int], Wire] = {}
        self._busy: Optional[Wire] = None
        self._is_aborted = False
        self._context: Optional[ssl.SSLContext] = None
        self._known_proxies: set[str] = set()
        self.requests = 0

    def get(
        self, url: str, *, query: Sequence[tuple[str, str]] = (), headers: Optional[Mapping[str, str]] = None
    ) -> Reply:
        """The JSON answer to a GET, tried again as `retry` allows. Raises ConfigError, PermanentError, TransientError.

        No try but the first begins or lasts beyond the budget of `retry`.
        """
        target = read_target(url, query, self._allowed_hosts)
        request = self._write_request(target, headers or {})
        last_end = self._clock.monotonic() + max(self._retry.budget_seconds, self._deadline)

        def ask() -> Reply:
            started = self._clock.monotonic()
            return self._ask(_Attempt(target, request, started, min(started + self._deadline, last_end)))

        return self._retry.call(
            ask, clock=self._clock, random=self._random, on_wait=self._tell_wait, stop=lambda: self._is_aborted
        )

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

    def _write_request(self, target: Target, headers: Mapping[str, str]) -> bytes:
        lines = [f"GET {target.resource} HTTP/1.1", f"Host: {target.authority}", f"User-Agent: {self._agent}"]
        lines.append("Accept-Encoding: identity")
        if "accept" not in (name.lower() for name in headers):
            lines.append("Accept: application/json")
        for name, value in headers.items():
            check_header(name, value)
            if name.lower() in _OURS:
                raise ConfigError(f"the request header {name} is written by the client itself")
            lines.append(f"{name}: {value}")
        return "\r\n".join([*lines, "", ""]).encode("ascii")

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
            raise explained from error
        finally:
            self._tell_attempt(attempt)

    def _exchange(self, attempt: _Attempt) -> Answer:
        """Over the kept connection if it lives, else over a new one.

        The other side may close a kept connection just when it is used again. When it dies before one byte of an
        answer, nothing was refused: the same attempt goes over a new connection.
        """
        kept = self._kept.pop(attempt.target.origin, None)
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
                self._open(wire, attempt.target)
            self.requests += 1
            wire.send(attempt.request)
            with wire.answer("GET") as response:
                attempt.status = response.status
                answer = self._read(wire, response)
                attempt.size = len(answer.body)
                is_whole = response.isclosed() and not response.will_close
            return answer
        finally:
            self._busy = None
            if is_whole:
                self._kept[attempt.target.origin] = wire
            else:
                wire.close()

    def _open(self, wire: Wire, target: Target) -> None:
        """Connect, straight or through the proxy that the environment wants, and secure the connection."""
        proxy = proxy_for(target, self._environ)
        if proxy is None:
            wire.connect(target.host, target.port)
        else:
            self._pass(wire, target, proxy)
        if target.scheme == "https":
            self._secure(wire, target.host)

    def _secure(self, wire: Wire, host: str) -> None:
        context = self._context = self._context or trust(self._environ)
        import ssl  # after `trust`, which explains its absence

        try:
            wire.secure(context, host)
        except ssl.SSLCertVerificationError as error:
            raise distrust(error, host, context) from error

    def _pass(self, wire: Wire, target: Target, proxy: Proxy) -> None:
        """Have the proxy connect us. It sees the host's name and nothing of what is said to it."""
        shown = join_host(proxy.host, proxy.port)
        if shown not in self._known_proxies:
            self._known_proxies.add(shown)
            self._keep_secret(proxy)
            self._log.info("http.proxy", f"requests to {target.host} go through the proxy {shown}", proxy=shown)
        authorization = f"Basic {b64encode(proxy.login).decode('ascii')}" if proxy.login else ""
        try:
            wire.connect(proxy.host, proxy.port)
        except OSError as error:
            if self._is_aborted:
                raise
            reason = error.strerror or "no answer in time"
            message = f"the proxy {shown}, through which {target.host} is asked, cannot be reached: {reason}"
            raise UnreachableError(message, hint=f"correct or unset https_proxy; {CATCHES_UP}") from error
        status = wire.tunnel(join_host(target.host, target.port), authorization)
        if status != 200:
            message = f"the proxy {shown} does not connect to {target.host}: it answered {status}"
            hint = "it wants a login: https_proxy=http://user:password@host:port" if status == 407 else "ask its keeper"
            kind = TransientError if should_retry(status, {}) else PermanentError
            raise kind(message, hint=hint)

    def _keep_secret(self, proxy: Proxy) -> None:
        for secret in (proxy.login, proxy.login.partition(b":")[2]):
            if secret:
                self._redactor.add(secret.decode("utf-8", "replace"))

    def _read(self, wire: Wire, response: http.client.HTTPResponse) -> Answer:
        headers = read_headers(response)
        if response.status != 200:
            return Answer(response.status, headers, read_some(wire, response, most=_REFUSED_BYTES))
        encoding = headers.get("content-encoding", "identity").lower()
        if encoding not in ("", "identity"):
            raise GarbledError(f"is encoded as {ascii(encoding)[:60]}, though nothing but plain was asked for")
        return Answer(200, headers, read_body(wire, response, headers=headers, most=self._max_bytes))

    def _judge(self, answer: Answer, attempt: _Attempt) -> Reply:
        try:
            return judge(answer, attempt.target, redactor=self._redactor, now=self._clock.now())
        except TaskError:
            shown = self._redactor.text(answer.body.decode("utf-8", "backslashreplace"))[:_SHOWN]
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
            path=attempt.target.path,
            status=attempt.status,
            ms=milliseconds,
            bytes=attempt.size,
        )

    def _tell_wait(self, wait: Wait) -> None:
        message = f"{wait.error.message}; trying again in {wait.seconds:.1f} s"
        self._log.info("http.wait", message, attempt=wait.attempt, seconds=round(wait.seconds, 3))
