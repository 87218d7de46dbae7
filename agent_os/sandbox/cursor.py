"""Answers as Cursor's Admin API does for usage events: request and ledger in, reply out. Pure.

Amounts are cents, as numbers with a fraction. A question is a POST; its span is of milliseconds, 30 days at most.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from .day import DAY_SECONDS, EXACT, day_of, midnight, plain, total
from .exchange import Knobs, Literal, Refusal, Reply, Request

if TYPE_CHECKING:
    from .ledger import Ledger

EVENTS = "/teams/filtered-usage-events"
_DAY = DAY_SECONDS * 1000
_MOST_DAYS = 30
_PAGE_SIZES = (10, 100)  # by default, and at most
_SHOWN = ("kind", "model", "userEmail", "maxMode", "isTokenBasedCall", "isChargeable")
_TOKENS = ("inputTokens", "outputTokens", "cacheWriteTokens", "cacheReadTokens")


def answer(request: Request, *, ledger: Ledger, knobs: Knobs, key: str) -> Reply:
    """The reply to any request; `key` is the one admin key that exists."""
    try:
        _check(request, key)
        if knobs.is_moving:
            ledger.grow_today()
        return Reply(200, _page(_asked(request), ledger), (("x-request-id", request.id),))
    except Refusal as refusal:
        return Reply(refusal.status, error(refusal), refusal.headers)


def error(refusal: Refusal) -> dict[str, Any]:
    """The body of an error."""
    return {"error": {401: "Unauthorized", 404: "Not Found"}.get(refusal.status, refusal.message)}


def _check(request: Request, key: str) -> None:
    """HTTP Basic: the key is the user name, the password is empty."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    try:
        name, colon, password = base64.b64decode(given, validate=True).decode("ascii").partition(":")
    except ValueError:
        name = colon = password = ""
    if scheme != "Basic" or (name, colon, password) != (key, ":", ""):
        raise Refusal(401, "Invalid API key")
    if request.path != EVENTS:
        raise Refusal(404, "Not found")
    if request.method != "POST":
        raise Refusal(405, "Method not allowed")


def _asked(request: Request) -> dict[str, int]:
    """The question: where it begins and ends, which page, and how long that is."""
    try:
        body = json.loads(request.body or b"{}")
    except ValueError:
        raise Refusal(400, "Request body is not valid JSON") from None
    if request.headers.get("content-type") != "application/json" or not isinstance(body, dict):
        raise Refusal(400, "Request body must be a JSON object")
    asked = {"page": 1, "pageSize": _PAGE_SIZES[0], **body}
    for name in ("startDate", "endDate", "page", "pageSize"):
        if type(asked.get(name)) is not int:
            raise Refusal(400, f"{name} must be a number")
    if min(asked["startDate"], asked["endDate"]) < 10**11:
        raise Refusal(400, "startDate and endDate must be in epoch milliseconds")
    if asked["startDate"] >= asked["endDate"]:
        raise Refusal(400, "startDate must be before endDate")
    if asked["endDate"] - asked["startDate"] > _MOST_DAYS * _DAY:
        raise Refusal(400, f"Date range cannot exceed {_MOST_DAYS} days")
    if asked["page"] < 1 or not 1 <= asked["pageSize"] <= _PAGE_SIZES[1]:
        raise Refusal(400, f"page must be at least 1, pageSize from 1 to {_PAGE_SIZES[1]}")
    return asked


def _page(asked: dict[str, int], ledger: Ledger) -> dict[str, Any]:
    """One page of the events in the span, both ends included, the newest first."""
    start, end, size = asked["startDate"], asked["endDate"], asked["pageSize"]
    events = []
    for day in range(start // _DAY, end // _DAY + 1):
        events += _events(day_of(day * DAY_SECONDS), ledger)
    wanted = [event for event in events if start <= int(event["timestamp"]) <= end]
    wanted.sort(key=lambda event: -int(event["timestamp"]))
    pages = -(-len(wanted) // size)
    return {
        "totalUsageEventsCount": len(wanted),
        "pagination": {
            "numPages": pages,
            "currentPage": asked["page"],
            "pageSize": size,
            "hasNextPage": asked["page"] < pages,
            "hasPreviousPage": asked["page"] > 1,
        },
        "usageEvents": wanted[(asked["page"] - 1) * size : asked["page"] * size],
        "period": {"startDate": start, "endDate": end},
    }


def _events(day: str, ledger: Ledger) -> list[dict[str, Any]]:
    known = ledger.day("cursor", day)
    amounts: dict[object, list[str]] = {}
    for line in known.lines:
        amounts.setdefault(line.dimensions["event"], []).append(line.amount)
    events = []
    for number, burst in enumerate(known.traffic):
        where = burst.dimensions
        charged = EXACT.scaleb(total(amounts.get(where["event"], [])), 2)
        moment = (midnight(day) + burst.minute * 60) * 1000 + number
        events.append(
            {
                "timestamp": str(moment),
                **{name: where[name] for name in _SHOWN},
                "requestsCosts": Literal("1.4"),
                # What is not charged tells its price all the same.
                "chargedCents": Literal(plain(charged) if where["isChargeable"] else str(where["cents"])),
                "cursorTokenFee": Literal("1.18"),
                "isFreeBugbot": False,
                **(
                    {"tokenUsage": {name: burst.counts[name] for name in _TOKENS}}
                    if "inputTokens" in burst.counts
                    else {}
                ),
            }
        )
    return events
