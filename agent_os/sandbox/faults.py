"""Misbehaviour by name: each fault makes of a request and its proper reply the reply that is sent instead."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, Optional

from . import spoil

if TYPE_CHECKING:
    from .exchange import Reply, Request

# None: there is nothing in this reply that the fault could spoil; it waits for the next one.
Fault = Callable[["Request", "Reply"], "Optional[Reply]"]

FAULTS: dict[str, Fault] = {
    # told to wait
    "rate_limited": spoil.status(429, ("retry-after", "1")),
    "rate_limited_date": spoil.rate_limited_until(seconds=2),
    "rate_limited_ms": spoil.status(429, ("retry-after-ms", "150")),
    "rate_limited_silent": spoil.status(429),
    "rate_limited_garbage": spoil.status(429, ("retry-after", "soon")),
    "rate_limited_negative": spoil.status(429, ("retry-after", "-5")),
    "rate_limited_huge": spoil.status(429, ("retry-after", "86400")),
    "rate_limited_for_good": spoil.status(429, ("x-should-retry", "false")),
    # worth another try
    "timeout": spoil.status(408),
    "conflict": spoil.status(409),
    "server_error": spoil.status(500),
    "bad_gateway_html": spoil.html(502, "<html><body><h1>502 Bad Gateway</h1></body></html>"),
    "unavailable": spoil.status(503),
    "gateway_timeout": spoil.status(504),
    "overloaded": spoil.status(529),
    "bad_request_do_retry": spoil.status(400, ("x-should-retry", "true")),
    # not worth it
    "server_error_do_not_retry": spoil.status(500, ("x-should-retry", "false")),
    "bad_request": spoil.status(400),
    "bad_key": spoil.status(401),
    "payment_required": spoil.status(402),
    "forbidden": spoil.status(403),
    "not_found": spoil.status(404),
    "unprocessable": spoil.status(422),
    "key_revoked": spoil.key_revoked,
    "redirect": spoil.redirect,
    "captive_portal": spoil.html(200, "<html><body>Please log in to the hotel network.</body></html>"),
    # on the wire
    "slow_start": spoil.wire(wait_seconds=0.3),
    "slow_body": spoil.wire(drip_bytes=16),
    "hang": spoil.wire(is_headless=True, ending="hang"),
    "hang_mid_body": spoil.wire(stop_at=20, ending="hang"),
    "reset": spoil.wire(is_headless=True, ending="reset"),
    "reset_mid_body": spoil.wire(stop_at=20, ending="reset"),
    "no_answer": spoil.wire(is_headless=True, ending="close"),
    "short_body": spoil.wire(stop_at=20, ending="close"),
    # a body that is no page
    "cut_json": spoil.cut_json,
    "empty_body": spoil.body(lambda _: b""),
    "trailing_garbage": spoil.body(lambda good: good + b"}"),
    "byte_order_mark": spoil.body(lambda good: b"\xef\xbb\xbf" + good),
    "bad_utf8": spoil.body(lambda good: good.replace(b'"', b'"\xff', 1)),
    "huge_page": spoil.body(lambda good: good[:-1] + b" " * (20 << 20) + good[-1:]),
    "gzip": spoil.gzipped,
    "not_an_object": spoil.body(lambda _: b"[]"),
    "deep_nesting": spoil.member("nested", "[" * 100_000 + "]" * 100_000),
    "duplicate_members": spoil.duplicate_members,
    # a page that is not like one
    "no_data": spoil.without("data"),
    "data_is_null": spoil.member("data", "null"),
    "has_more_is_text": spoil.member("has_more", '"false"'),
    "has_more_without_token": spoil.has_more_without_token,
    "repeated_token": spoil.repeated_token,
    "missing_bucket": spoil.missing_bucket,
    "missing_last_bucket": spoil.missing_last_bucket,
    "duplicate_bucket": spoil.duplicate_bucket,
    "bucket_out_of_range": spoil.moved_bucket(days=-400),
    "bucket_off_midnight": spoil.moved_bucket(days=0.5),
    "duplicate_row": spoil.duplicate_row,
    "results_is_null": spoil.no_results,
    # a number that is none
    "nan": spoil.number("NaN"),
    "infinity": spoil.number("Infinity"),
    "overflow": spoil.number("1e999"),
    "huge_exponent": spoil.number("1e1000000"),
    "beyond_int64": spoil.number("9223372036854775808"),
    "many_digits": spoil.number("1" * 5_000),
    "null_number": spoil.number("null"),
    "bool": spoil.number("true"),
    "list": spoil.number("[1]"),
    "empty_text": spoil.number('""'),
    "comma": spoil.number('"12,50"'),
    "underscore": spoil.number('"1_000"'),
    "arabic_digit": spoil.number('"\u0663"'),
    "nan_text": spoil.number('"NaN"'),
    "negative_tokens": spoil.count("-1"),
    "half_tokens": spoil.count("1.5"),
    # money of another kind
    "no_currency": spoil.currency(None),
    "null_currency": spoil.currency("null"),
    "euro": spoil.currency('"EUR"'),
    # to be kept as it is
    "unknown_field": spoil.member("surprise", '{"as_of":"2026-11-22"}'),
    "unknown_cost_type": spoil.name("moon_landing"),
    "hostile_name": spoil.name("=cmd()|<script>alert(1)</script>\x1b[31m\u202e'; DROP TABLE runs;--"),
    "lone_surrogate": spoil.escaped_name("\\ud800"),
    "nul": spoil.escaped_name("\\u0000"),
}

# Faults that stay once they have begun, unless a number of times is given.
_LASTING = {"key_revoked", "repeated_token"}


@dataclass
class _Planned:
    """A fault that waits for its request: the `nth` that has `path` in its path, and `times` in all (None: on)."""

    path: str
    name: str
    nth: int
    times: Optional[int]
    seen: int = 0
    done: int = 0


class Script:
    """The faults one provider will show, in the order in which they were planned."""

    def __init__(self) -> None:
        self._planned: list[_Planned] = []
        self._lock = threading.Lock()

    def plan(self, path: str, name: str, *, nth: int = 1, times: Optional[int] = None) -> None:
        """Let the `nth` matching request from now on meet the fault. KeyError: there is no fault of that name."""
        if name not in FAULTS:
            raise KeyError(f"no fault is called {name}; there are: {', '.join(FAULTS)}")
        lasts = None if name in _LASTING else 1
        with self._lock:
            self._planned.append(_Planned(path, name, nth, times or lasts))

    def clear(self) -> None:
        """Behave again."""
        with self._lock:
            self._planned.clear()

    def spoil(self, request: Request, reply: Reply) -> tuple[Reply, str]:
        """The reply to send and the name of the fault that made it ("": none). At most one fault acts on a request."""
        with self._lock:
            matching = [planned for planned in self._planned if planned.path in request.path]
            for planned in matching:
                planned.seen += 1
            for planned in matching:
                is_due = planned.seen >= planned.nth and (planned.times is None or planned.done < planned.times)
                spoiled = FAULTS[planned.name](request, reply) if is_due else None
                if spoiled is not None:
                    planned.done += 1
                    return spoiled, planned.name
        return reply, ""
