"""What an answer, or the lack of one, amounts to: a reply, or an error that knows if asking again is worth it. Pure."""

from __future__ import annotations

import errno
import http.client
import re
import socket
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple, Optional
from urllib.parse import urlsplit

from .clock import iso
from .errors import AgentOSError, PermanentError, TaskError, TransientError, os_failure
from .http_tls import tls_reason
from .retry import CATCHES_UP, UnreachableError, asked_wait, should_retry
from .strict_json import Json, parse

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from .http_request import Request
    from .http_target import Target
    from .logger import Redactor

_LONGEST_MESSAGE = 300
_LONGEST_NAME = 100
_LONGEST_WAIT = 86400.0  # seconds; who wants to be left alone for longer is asked once a day
_PLAIN = re.compile(r"[!-~]+")
_BROKEN = {errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED}
_LIMITS = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}
_OFFLINE = {
    *(errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.ETIMEDOUT),
    *(errno.EACCES, errno.EPERM),  # how a firewall on this machine says it
}
_OFFLINE_HINT = f"check the network of this machine; {CATCHES_UP}"
_HINTS = {
    ("GET", 401): "check that the key is complete, still valid and of the kind that this report needs",
    ("GET", 403): "check that the key is of the kind, and has the rights, that this report needs",
    ("GET", 404): "check the base URL setting",
    ("POST", 401): "check that the address, or the key sent with it, is complete and still valid",
    ("POST", 403): "check that the address, or the key sent with it, has the right to this",
    ("POST", 404): "check that the address is complete and still in use",
}
# What says that a request was not taken, apart from all 4xx: "send it there instead", and "not now" or "not at all" of
# a server that has begun nothing. Not 500, 502 and 504, behind which it may have gone its way; not 303, "done, see".
_NOT_TAKEN = {307, 308, 501, 503, 505, 511, 529}
_NOT_DONE = "nothing was done there"
_MAYBE_DONE = "it may have been done all the same: look there before it is sent again"


@dataclass(frozen=True)
class Reply:
    """A whole answer: status 200 to a GET, any 2xx to a POST. Header names in lower case; `seen_at` is ISO, UTC.

    `url` holds no secret: of a POST it is the host alone. `data` is the JSON; None when the answer to a POST has none.
    `retry_after` is the wait in seconds that the headers ask for before the next request, at most a day.
    """

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)
    url: str
    request_id: str
    seen_at: str
    data: Json = field(repr=False)
    retry_after: Optional[float] = None


class Answer(NamedTuple):
    """What came over the wire, not yet judged: of a refused one, the beginning of the body."""

    status: int
    headers: dict[str, str]
    body: bytes


def judge(answer: Answer, request: Request, *, redactor: Redactor, now: datetime) -> Reply:
    """The reply, or the TransientError or PermanentError that the answer amounts to."""
    if not request.is_success(answer.status):
        raise _refusal(answer, request, redactor=redactor, now=now)
    try:
        data = parse(answer.body) if request.is_safe else _document(answer)
    except TaskError as error:
        message = f"{request.target.label}: {error.message}{_named(_request_id(answer, None, redactor))}"
        raise type(error)(message, hint=error.hint, status=answer.status) from error
    return Reply(
        status=answer.status,
        headers=answer.headers,
        body=answer.body,
        url=redactor.text(request.target.url),
        request_id=_request_id(answer, data, redactor),
        seen_at=iso(now),
        data=data,
        retry_after=_wish(answer, None, now),
    )


def settle(error: AgentOSError, *, is_sent: bool, status: int) -> None:
    """Note on the error of a POST whether it may have happened, and say so in its hint. `status` 0: none came."""
    error.may_have_happened = is_sent and not (400 <= status < 500 or status in _NOT_TAKEN)
    if isinstance(error, TaskError) and error.status is None:
        error.status = status or None
    first = error.hint.replace(CATCHES_UP, "").rstrip("; ")
    error.hint = "; ".join(part for part in (first, _MAYBE_DONE if error.may_have_happened else _NOT_DONE) if part)


def _refusal(answer: Answer, request: Request, *, redactor: Redactor, now: datetime) -> TaskError:
    """The error for an answer whose status is no success."""
    status, headers, target = answer.status, answer.headers, request.target
    if 300 <= status < 400:
        suspect = "base URL setting" if request.is_safe else "address"
        return PermanentError(
            f"{target.label} answered {status}, a redirect to {_redirect_host(headers, redactor)}; none is followed",
            hint=f"check the {suspect}; is a sign-in page of the network in between?",
            status=status,
        )
    data = _document(answer)
    said, request_id = _vendor_message(answer, data, request, redactor), _request_id(answer, data, redactor)
    message = f"{target.label} answered {status}{said and f': {said}'}{_named(request_id)}"
    if should_retry(status, headers):
        wish = asked_wait(headers, now) if request.is_safe else _wish(answer, data, now)
        return TransientError(message, hint=CATCHES_UP, status=status, retry_after=wish)
    method = "GET" if request.is_safe else "POST"  # a POST that only asks fails as a GET does
    return PermanentError(message, hint=_HINTS.get((method, status), ""), status=status)


def _document(answer: Answer) -> Json:
    """The body as JSON, None when it is none: the status alone says enough."""
    try:
        return parse(answer.body)
    except TaskError:
        return None


def _wish(answer: Answer, data: Json, now: datetime) -> Optional[float]:
    """The wait that is asked for in the headers, else (Discord) as the number `retry_after` of the JSON; seconds."""
    asked = asked_wait(answer.headers, now)
    if asked is None and isinstance(data, dict):
        number = data.get("retry_after")
        if isinstance(number, (int, Decimal)) and not isinstance(number, bool) and number >= 0:
            asked = float(number)
    return None if asked is None else min(asked, _LONGEST_WAIT)


def _vendor_message(answer: Answer, data: Json, request: Request, redactor: Redactor) -> str:
    """The vendor's own sentence on one line, short; secrets go first, since half a key is not recognised as one."""
    if answer.body.lstrip()[:1] == b"<":
        return "an HTML page, no message"
    error = data.get("error") if isinstance(data, dict) else None
    said = error.get("message") if isinstance(error, dict) else error
    if said is None and isinstance(data, dict) and not request.is_safe:
        said = data.get("message")  # where Discord says it
    if not isinstance(said, str):
        return ""
    text = " ".join(redactor.text(request.blank(said)).split())
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]}…"


def _request_id(answer: Answer, data: Json, redactor: Redactor) -> str:
    """By which the vendor finds the request again: from a header, else from the body."""
    headers = answer.headers
    named = headers.get("request-id") or headers.get("x-request-id") or headers.get("x-github-request-id")
    if not named and isinstance(data, dict):
        named = data.get("request_id")
    return redactor.text(named)[:_LONGEST_NAME] if isinstance(named, str) and _PLAIN.fullmatch(named) else ""


def _named(request_id: str) -> str:
    return f" (request {request_id})" if request_id else ""


def _redirect_host(headers: Mapping[str, str], redactor: Redactor) -> str:
    """The host a redirect points to, and nothing more of it."""
    try:
        host = urlsplit(headers.get("location", "")).hostname or ""
    except ValueError:
        host = ""
    return redactor.text(ascii(host)[1:-1])[:_LONGEST_NAME] or "no other host"


def explain(error: Exception, target: Target) -> AgentOSError:
    """The error for what went wrong before an answer was whole."""
    if isinstance(error, http.client.IncompleteRead):
        size = len(error.partial)
        return TransientError(f"{target.label}: the answer ends too early, after {size} bytes", hint=CATCHES_UP)
    if isinstance(error, http.client.RemoteDisconnected):
        return TransientError(f"{target.label}: {target.host} closed the connection", hint=CATCHES_UP)
    if isinstance(error, OSError):
        return _explain_network(error, target)
    reason = type(error).__name__
    return TransientError(f"{target.label}: {target.host} sent no readable HTTP ({reason})", hint=CATCHES_UP)


def _explain_network(error: OSError, target: Target) -> AgentOSError:
    """The error for a connection that did not come about or broke."""
    if tls := tls_reason(error):
        return TransientError(f"{target.label}: TLS with {target.host} failed: {tls}", hint=CATCHES_UP)
    reason = error.strerror or type(error).__name__
    if error.errno in _LIMITS:
        return os_failure(f"connecting to {target.host}", error)
    if isinstance(error, socket.gaierror):
        return UnreachableError(f"offline? the name {target.host} cannot be looked up: {reason}", hint=_OFFLINE_HINT)
    if error.errno in _OFFLINE:
        return UnreachableError(f"offline? {target.host} cannot be reached: {reason}", hint=_OFFLINE_HINT)
    if error.errno in _BROKEN:
        return TransientError(f"{target.label}: {target.host} broke the connection", hint=CATCHES_UP)
    return TransientError(f"{target.label}: no connection to {target.host}: {reason}", hint=CATCHES_UP)
