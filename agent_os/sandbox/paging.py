"""Buckets of time, and page tokens that say nothing and are bound to the parameters they were given for. Pure."""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from .exchange import Request

_MAC_BYTES = 14


@dataclass(frozen=True)
class Range:
    """`count` buckets of `width` seconds from `start` (Unix time), at most `size` of them a page."""

    start: int
    width: int
    count: int
    size: int


def page(span: Range, *, binding: str, token: Optional[str]) -> tuple[list[int], Optional[str]]:
    """The starts of the buckets of the page that `token` names (None: the first) and the token of the next page.

    Raises ValueError for a token that was not given out for these parameters.
    """
    first = 0 if token is None else _index(binding, token)
    last = min(first + span.size, span.count)
    starts = [span.start + index * span.width for index in range(first, last)]
    return starts, _token(binding, last) if last < span.count else None


def binding_of(request: Request, secret: str) -> str:
    """What a page token is bound to: the path and every parameter but the page, however arrays were written."""
    pairs = sorted((name.replace("[]", ""), value) for name, value in request.query if name != "page")
    return f"{secret}|{request.path}|{pairs!r}"


def _token(binding: str, index: int) -> str:
    """Random to the eye, the same for the same question: a tag of parameters and index, then the index masked by it."""
    tag = _digest(binding, str(index))[:_MAC_BYTES]
    return "page_" + urlsafe_b64encode(tag + _masked(index.to_bytes(4, "big"), tag)).decode()


def _index(binding: str, token: str) -> int:
    data = urlsafe_b64decode(token[len("page_") :].encode())
    tag, masked = data[:_MAC_BYTES], data[_MAC_BYTES:]
    index = int.from_bytes(_masked(masked, tag), "big")
    if _token(binding, index) != token:
        raise ValueError("not a page token of these parameters")
    return index


def _masked(four: bytes, tag: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(four, _digest("mask", tag.hex())))


def _digest(*parts: str) -> bytes:
    return hashlib.sha256("\n".join(parts).encode()).digest()
