"""What is sent: a request as bytes, and what of it may be told. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from json import dumps
from typing import TYPE_CHECKING, NamedTuple

from .errors import ConfigError, PermanentError, UsageError
from .http_target import check_header

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .http_target import Target
    from .strict_json import Json

LARGEST_BODY = 8 * 1024 * 1024  # bytes
_OURS = {"host", "user-agent", "accept-encoding", "connection", "content-length", "transfer-encoding"}
# What a vendor may quote. A shorter word gives nothing away; the name of a JSON member is no content.
_WORD = re.compile(r"[\w%~-]{6,}")
_ESCAPE = re.compile(r"\\u([0-9a-f]{4})")
_MEMBER = re.compile(r'"\w+":')


class Content(NamedTuple):
    """The body of a POST and its media type, "" when that is left open."""

    body: bytes
    kind: str


@dataclass(frozen=True)
class Request:
    """One request, ready to be sent. A GET `is_safe`: it changes nothing and may be sent twice. A POST is neither,
    unless it only asks.
    """

    method: str
    target: Target
    head: bytes = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    only_asks: bool = False

    @property
    def is_safe(self) -> bool:
        return self.method == "GET" or self.only_asks

    def is_success(self, status: int) -> bool:
        """Of a GET a whole document is expected; a POST may well be answered with "created", "later" or nothing."""
        return status == 200 if self.is_safe else 200 <= status < 300

    def blank(self, text: str) -> str:
        """The text without the words that it repeats of a POST: whoever refuses one may quote its address or content.

        Of the address also parts of words count. Nothing is taken out for a GET, whose query and path name reports.
        """
        if self.is_safe:
            return text
        said = set(_WORD.findall(text))
        content = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), self.body.decode("utf-8", "replace"))
        repeated = {word for word in said if word in self.target.resource}
        repeated.update(found[0] for found in _WORD.finditer(_MEMBER.sub("", content)) if found[0] in said)
        return _WORD.sub(lambda found: "***" if found[0] in repeated else found[0], text)


def write_get(target: Target, headers: Mapping[str, str], *, agent: str) -> Request:
    """Raises ConfigError for a header that http cannot carry or that is not the caller's to write."""
    return Request("GET", target, _write_head("GET", target, headers, own=_own(agent, headers, "application/json")))


def write_question(target: Target, headers: Mapping[str, str], *, agent: str, content: Content) -> Request:
    """A POST that changes nothing: what is asked stands in its body. Raises ConfigError as `write_get` does."""
    own = _own(agent, headers, "application/json")
    own += [f"Content-Length: {len(content.body)}", f"Content-Type: {content.kind}"]
    return Request("POST", target, _write_head("POST", target, headers, own=own), content.body, only_asks=True)


def write_post(
    target: Target, headers: Mapping[str, str], *, agent: str, content: Content, method: str = "POST"
) -> Request:
    """What changes something: a POST, or a PATCH. Raises ConfigError as `write_get` does.

    It closes its connection: the next request could otherwise meet one that is just being closed, and not know whether
    it arrived.
    """
    # Whatever comes back is fine: a server that insists may refuse what it has already done for want of a JSON answer.
    own = _own(agent, headers, "application/json, */*")
    own += ["Connection: close", f"Content-Length: {len(content.body)}"]
    if content.kind:
        check_header("Content-Type", content.kind)
        own.append(f"Content-Type: {content.kind}")
    return Request(method, target, _write_head(method, target, headers, own=own), content.body)


def read_content(json: Json, data: bytes, content_type: str) -> Content:
    """What is to be sent. Raises UsageError for json and data at once, PermanentError for what cannot be sent."""
    if json is not None and (data or content_type):
        raise UsageError("a POST carries json, or data with its content_type, not both")
    content = Content(data, content_type) if json is None else Content(_encode(json), "application/json")
    size = len(content.body)
    if size > LARGEST_BODY:
        raise PermanentError(
            f"a body of {size:,} bytes is larger than the {LARGEST_BODY:,} that are sent", hint="send it in parts"
        )
    return content


def _own(agent: str, headers: Mapping[str, str], accepted: str) -> list[str]:
    """The lines that are ours; of what is accepted the caller may know better."""
    own = [f"User-Agent: {agent}", "Accept-Encoding: identity"]
    return own if "accept" in (name.lower() for name in headers) else [*own, f"Accept: {accepted}"]


def _write_head(method: str, target: Target, headers: Mapping[str, str], *, own: Sequence[str]) -> bytes:
    lines = [f"{method} {target.resource} HTTP/1.1", f"Host: {target.authority}", *own]
    reserved = _OURS if method == "GET" else _OURS | {"content-type"}
    for name, value in headers.items():
        check_header(name, value)
        if name.lower() in reserved:
            raise ConfigError(f"the request header {name} is written by the client itself")
        lines.append(f"{name}: {value}")
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def _encode(value: Json) -> bytes:
    """Compact JSON in ASCII, which is UTF-8 whatever the other side takes it for."""
    try:
        return dumps(value, separators=(",", ":"), allow_nan=False).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise PermanentError(
            f"what is to be sent is no JSON: {type(error).__name__}",
            hint="send text, whole numbers, floats, true, false, null, lists and objects with text keys",
        ) from error
