"""Answers as OpenRouter's activity report does: query and ledger in, reply out. Pure.

Amounts are dollars, as numbers. Only days that are over are told, the last 30 of them.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from .day import grouped, plain, total
from .draw import Draw
from .exchange import Knobs, Literal, Refusal, Reply, Request

if TYPE_CHECKING:
    from decimal import Decimal

    from .ledger import Ledger

ACTIVITY = "/api/v1/activity"
_DAYS = 30
_KEYS = ("model", "model_permaslug", "endpoint_id", "provider_name")


def answer(request: Request, *, ledger: Ledger, knobs: Knobs, key: str) -> Reply:
    """The reply to any request; `key` is the one management key that exists."""
    headers = (("x-request-id", request.id),)
    try:
        _check(request, key)
        return Reply(200, {"data": _rows(request, ledger, knobs)}, headers)
    except Refusal as refusal:
        return Reply(refusal.status, error(refusal), headers + refusal.headers)


def error(refusal: Refusal) -> dict[str, Any]:
    """The body of an error."""
    return {"error": {"code": refusal.status, "message": refusal.message}}


def _check(request: Request, key: str) -> None:
    if request.path != ACTIVITY:
        raise Refusal(404, "Not Found")
    if request.method != "GET":
        raise Refusal(405, "Method Not Allowed")
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer" or not given:
        raise Refusal(401, "No auth credentials found")
    if given != key and given.startswith("sk-or-"):
        raise Refusal(403, "Only management keys can fetch activity for an account")
    if given != key:
        raise Refusal(401, "User not found.")


def _rows(request: Request, ledger: Ledger, knobs: Knobs) -> list[dict[str, Any]]:
    """The rows of the one day that is asked for, or of all days, the newest first."""
    today = date.fromisoformat(ledger.today)
    days = [(today - timedelta(days=number)).isoformat() for number in range(1, _DAYS + 1)]
    asked = request.get("date")
    if asked is not None and not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", asked):
        raise Refusal(400, "Invalid date format. Use YYYY-MM-DD")
    if asked is not None and asked not in days:
        raise Refusal(400, "Date must be within the last 30 (completed) UTC days")
    if asked is None and knobs.is_open_day_shown:
        days = [ledger.today, *days]
    return [row for day in days if asked in (None, day) for row in _rows_of(day, ledger)]


def _rows_of(day: str, ledger: Ledger) -> list[dict[str, Any]]:
    draw = Draw(ledger.seed, "openrouter form", day)
    known = ledger.day("openrouter", day)
    lines = grouped(known.lines, _KEYS, lambda line: line.dimensions)
    shown = f"{day} 00:00:00" if draw.once_in(3) else day  # seen both ways
    rows = []
    for values, bursts in grouped(known.traffic, _KEYS, lambda burst: burst.dimensions).items():
        count = {name: sum(burst.counts[name] for burst in bursts) for name in bursts[0].counts}
        prompt = count["uncached_prompt"] + count["cached_prompt"]
        if not count["uncached_prompt"] and count["cached_prompt"]:
            prompt -= 1  # seen: more was read from cache than there was prompt
        charged = total(line.amount for line in lines.get(values, ()))
        rows.append(
            {
                "date": shown,
                **dict(zip(_KEYS, values)),
                "usage": _number(draw, charged),
                "byok_usage_inference": _number(draw, total(str(burst.dimensions["byok"]) for burst in bursts)),
                "requests": count["requests"],
                "prompt_tokens": prompt,
                "completion_tokens": count["completion"],
                "reasoning_tokens": count["completion"] // 3,
                "cached_tokens": count["cached_prompt"],
            }
        )
    return rows


def _number(draw: Draw, amount: Decimal) -> Literal:
    """The amount, exactly, as JavaScript writes small numbers now and then."""
    return Literal(f"{amount.normalize():e}" if amount and draw.once_in(3) else plain(amount))
