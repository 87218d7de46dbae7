"""Answers as GitHub's REST API does for what an account is billed: query and ledger in, reply out. Pure.

Amounts are dollars, as numbers. The bill holds everything that GitHub sells; the ledger knows what Copilot comes to.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Optional

from .day import EXACT, Dimensions, plain
from .draw import Draw
from .exchange import Knobs, Literal, Refusal, Reply, Request

if TYPE_CHECKING:
    from .ledger import Ledger

ORG, USER = "sandbox-org", "sandbox-user"
_PATHS = (f"/organizations/{ORG}/settings/billing/usage", f"/users/{USER}/settings/billing/usage")
_VERSIONS = ("2022-11-28", "2026-03-10")
_MONTHS = 24
_DOCS = "https://docs.github.com/rest/billing/usage"


def answer(request: Request, *, ledger: Ledger, knobs: Knobs, key: str) -> Reply:  # noqa: ARG001 (as every provider)
    """The reply to any request; `key` is the one token that exists, and may see one organization and one person."""
    headers = (("x-github-request-id", request.id), ("x-ratelimit-limit", "5000"))
    try:
        _check(request, key)
        items = [item for day in _days(request, ledger) for item in _items(day, ledger)]
        return Reply(200, {"usageItems": items}, headers)
    except Refusal as refusal:
        return Reply(refusal.status, error(refusal), headers + refusal.headers)


def error(refusal: Refusal) -> dict[str, Any]:
    """The body of an error."""
    return {"message": refusal.message, "documentation_url": _DOCS, "status": str(refusal.status)}


def _check(request: Request, key: str) -> None:
    if not request.headers.get("user-agent"):
        raise Refusal(403, "Request forbidden by administrative rules. Please make sure your request has a User-Agent")
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if not given:
        raise Refusal(401, "Requires authentication")
    if scheme not in ("Bearer", "token") or (given != key and not given.startswith("github_pat_")):
        raise Refusal(401, "Bad credentials")
    if given != key:
        raise Refusal(403, "Resource not accessible by personal access token")
    version = request.headers.get("x-github-api-version", _VERSIONS[0])
    if version not in _VERSIONS:
        raise Refusal(400, f"'{version}' is not a supported version of the REST API.")
    if request.path not in _PATHS or request.method != "GET":
        raise Refusal(404, "Not Found")  # what may not be seen is not there


def _days(request: Request, ledger: Ledger) -> list[str]:
    """The days of the year, the month or the day that is asked for; without a year it is this one, and so on."""
    year, month, day = (_number(request, name, most) for name, most in (("year", 9999), ("month", 12), ("day", 31)))
    today = date.fromisoformat(ledger.today)
    year = year or today.year
    month = month or (today.month if day else None)
    oldest = today.year * 12 + today.month - _MONTHS
    if year * 12 + (month or 12) < oldest:
        raise Refusal(400, "Only data from the past 24 months is accessible via this endpoint.")
    first, last = date(year, month or 1, 1).toordinal(), date(year + (month in (None, 12)), (month or 12) % 12 + 1, 1)
    found = [date.fromordinal(number) for number in range(first, last.toordinal())]
    if day and day > len(found):
        raise Refusal(400, "day is not in that month")
    return [each.isoformat() for each in found if day in (None, each.day)]


def _number(request: Request, name: str, most: int) -> Optional[int]:
    text = request.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= most:
        raise Refusal(400, f"{name} is not valid")
    return int(text)


def _items(day: str, ledger: Ledger) -> list[dict[str, Any]]:
    """The items of the bill of a day: Copilot's, and now and then something else."""
    draw = Draw(ledger.seed, "github form", day)
    shown = f"{day}T00:00:00Z" if draw.once_in(2) else day
    items = [_item(shown, line.dimensions, line.amount) for line in ledger.day("github", day).lines]
    if day <= ledger.today and draw.once_in(2):
        minutes = {"product": "Actions", "sku": "Actions Linux", "unitType": "minutes", "pricePerUnit": "0.008"}
        items.append(
            _item(shown, {**minutes, "quantity": "100", "gross": "0.8", "repositoryName": "sandbox/atlas"}, "0.8")
        )
    return items


def _item(shown: str, where: Dimensions, net: str) -> dict[str, Any]:
    gross = str(where["gross"])
    return {
        "date": shown,
        **{name: where[name] for name in ("product", "sku", "unitType")},
        **{name: Literal(str(where[name])) for name in ("quantity", "pricePerUnit")},
        "grossAmount": Literal(gross),
        "discountAmount": Literal(_minus(gross, net)),
        "netAmount": Literal(net),
        "organizationName": ORG,
        "repositoryName": where["repositoryName"],
    }


def _minus(gross: str, net: str) -> str:
    return plain(EXACT.subtract(Decimal(gross), Decimal(net)))
