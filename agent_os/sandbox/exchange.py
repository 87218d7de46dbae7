"""One request and its reply as values, the settings of how strict the sandbox is, and JSON that keeps every digit."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

Pairs = tuple[tuple[str, str], ...]


class Literal(str):
    """Text that stands in the JSON as it is: `12.50`, `1e-7`, and also what is no JSON at all."""

    __slots__ = ()


@dataclass(frozen=True)
class Request:
    """A request as it came: decoded query pairs in their order, header names in lower case."""

    provider: str
    method: str
    path: str
    query: Pairs
    headers: Mapping[str, str]
    id: str
    received_at: datetime
    body: bytes = b""

    def get(self, name: str) -> Optional[str]:
        """The first value of a query parameter."""
        return next((value for key, value in self.query if key == name), None)


@dataclass(frozen=True)
class Wire:
    """How the bytes travel. `stop_at`: after so many bytes of the body; `ending`: keep, close, reset or hang then."""

    ending: str = "keep"
    stop_at: Optional[int] = None
    drip_bytes: int = 0
    wait_seconds: float = 0.0
    is_headless: bool = False


@dataclass(frozen=True)
class Reply:
    """Status, headers, and a JSON tree as the body; `raw` bytes, where there are any, stand in its place."""

    status: int
    content: Any = None
    headers: Pairs = ()
    raw: Optional[bytes] = None
    media_type: str = "application/json"
    wire: Wire = Wire()

    def body(self) -> bytes:
        """The bytes to send, before anything on the wire goes wrong."""
        return render(self.content).encode("utf-8", "surrogatepass") if self.raw is None else self.raw


@dataclass
class Knobs:
    """Where the providers are known to differ from report to report, which of the two the sandbox plays."""

    page_buckets: Optional[int] = None  # at most so many buckets a page, whatever `limit` says
    wrong_key_status: int = 401  # or 403, for a key of the wrong kind
    absent_reports: dict[str, int] = field(default_factory=dict)  # OpenAI report -> 403 or 404, e.g. {"images": 404}
    is_limit_clamped: bool = False  # OpenAI: a limit that is too large is cut, not refused
    is_bearer_accepted: bool = False  # Anthropic: an admin key as `Authorization: Bearer`
    is_bare_array_accepted: bool = False  # Anthropic: `group_by=` as well as `group_by[]=`
    is_cost_of_today_served: bool = False  # Anthropic: a cost range that holds no complete day
    is_open_day_shown: bool = False  # OpenRouter: what today has so far, among the days that are over
    is_moving: bool = False  # Cursor: another event arrives with every request


class Refusal(Exception):  # noqa: N818  # an answer that a provider gives, not a failure of ours
    """The request is answered with an error. `param` and `code` are OpenAI's members, `kind` is the error's type."""

    def __init__(self, status: int, message: str, **details: Any) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind: str = details.get("kind", "invalid_request_error")
        self.param: Optional[str] = details.get("param")
        self.code: Optional[str] = details.get("code")
        self.headers: Pairs = details.get("headers", ())


def render(value: Any) -> str:
    """JSON text of a tree of dicts, lists, texts, integers, booleans, None and literals."""
    if isinstance(value, Literal):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{render(member)}" for name, member in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(render, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
