"""Answers as Anthropic's classic Admin API does: query and ledger in, reply out. Pure.

Amounts are cents, as decimal text. Strict where the vendor is; what differs between reports of it is a knob.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Optional

from .day import DAY_SECONDS, EXACT, CostLine, Traffic, day_of, grouped, is_wanted, midnight, plain, total
from .draw import Draw
from .exchange import Knobs, Refusal, Reply, Request
from .paging import Range, binding_of, page

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from .ledger import Ledger

USAGE = "/v1/organizations/usage_report/messages"
COST = "/v1/organizations/cost_report"
ME = "/v1/organizations/me"

_WIDTHS = {"1d": DAY_SECONDS, "1h": 3_600, "1m": 60}
_LIMITS = {"1d": (7, 31), "1h": (24, 168), "1m": (60, 1440)}
_VERSIONS = ("2023-06-01", "2026-10-21")
_SPEED_BETA = "fast-mode-2026-02-01"
_ORGANIZATION = "0a5bd0f0-0000-4000-8000-00000000a905"
_RFC_3339 = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})")
_MOST_DIMENSIONS = 5
_USAGE_DIMENSIONS = (
    "account_id",
    "api_key_id",
    "context_window",
    "inference_geo",
    "model",
    "service_account_id",
    "service_tier",
    "speed",
    "workspace_id",
)
_COST_DIMENSIONS = ("workspace_id", "description")
# What a description holds; shown only when descriptions are.
_PARSED = ("cost_type", "model", "service_tier", "token_type", "context_window", "inference_geo")
_FILTERS = {
    "account_ids": "account_id",
    "api_key_ids": "api_key_id",
    "context_window": "context_window",
    "inference_geos": "inference_geo",
    "models": "model",
    "service_account_ids": "service_account_id",
    "service_tiers": "service_tier",
    "speeds": "speed",
    "workspace_ids": "workspace_id",
}


def answer(request: Request, *, ledger: Ledger, knobs: Knobs, key: str) -> Reply:
    """The reply to any request; `key` is the one admin key that exists."""
    headers = (("request-id", request.id), ("anthropic-organization-id", _ORGANIZATION))
    try:
        _check_headers(request, knobs, key)
        return Reply(200, _content(request, ledger, knobs), headers)
    except Refusal as refusal:
        return Reply(refusal.status, error(refusal, request.id), headers + refusal.headers)


def error(refusal: Refusal, request_id: str) -> dict[str, Any]:
    """The body of an error."""
    return {
        "type": "error",
        "error": {"type": refusal.kind, "message": refusal.message},
        "request_id": request_id,
    }


def _check_headers(request: Request, knobs: Knobs, key: str) -> None:
    given = request.headers.get("x-api-key", "")
    if not given and knobs.is_bearer_accepted:
        given = request.headers.get("authorization", "").partition("Bearer ")[2]
    if not given:
        raise Refusal(401, "x-api-key header is required", kind="authentication_error")
    if given != key:
        is_of_wrong_kind = given.startswith("sk-ant-") and not given.startswith("sk-ant-admin01-")
        if is_of_wrong_kind and knobs.wrong_key_status == 403:
            raise Refusal(403, "This endpoint requires an Admin API key.", kind="permission_error")
        raise Refusal(401, "invalid x-api-key", kind="authentication_error")
    version = request.headers.get("anthropic-version")
    if version not in _VERSIONS:
        problem = "header is required" if version is None else f'"{version}" is not a valid version'
        raise Refusal(400, f"anthropic-version: {problem}")


def _content(request: Request, ledger: Ledger, knobs: Knobs) -> dict[str, Any]:
    if request.path not in (USAGE, COST, ME):
        raise Refusal(404, "Not found", kind="not_found_error")
    if request.method != "GET":
        raise Refusal(405, "Method Not Allowed")
    if request.path == ME:
        return {"id": _ORGANIZATION, "name": "Sandbox Organization", "type": "organization"}
    span = _cost_range(request, ledger, knobs) if request.path == COST else _usage_range(request, ledger, knobs)
    keys = _group_by(request, knobs)
    wanted = {} if request.path == COST else _filters(request, knobs)
    try:
        starts, following = page(span, binding=binding_of(request, "anthropic"), token=request.get("page"))
    except ValueError:
        raise Refusal(400, "page: Invalid page token for these parameters") from None
    data = []
    for start in starts:
        if request.path == COST:
            lines = ledger.day("anthropic", day_of(start)).lines
            results = _cost_rows(Draw(ledger.seed, "anthropic form", start, keys), keys, lines)
        else:
            bursts = ledger.traffic("anthropic", "messages", (start, span.width))
            results = _usage_rows(keys, [burst for burst in bursts if is_wanted(burst.dimensions, wanted)])
        if request.path == USAGE and not _has_speed_beta(request):
            for row in results:
                del row["speed"]
        data.append({"starting_at": _iso(start), "ending_at": _iso(start + span.width), "results": results})
    return {"data": data, "has_more": following is not None, "next_page": following}


def _usage_range(request: Request, ledger: Ledger, knobs: Knobs) -> Range:
    """The buckets from that of `starting_at` on which are over at `ending_at` (default: the end of today)."""
    width = _one_of("bucket_width", _scalar(request, "bucket_width"), tuple(_WIDTHS))
    start, end = _instant(request, "starting_at"), _instant(request, "ending_at")
    if start is None:
        raise Refusal(400, "starting_at: Field required")
    end = midnight(ledger.today) + DAY_SECONDS if end is None else end
    if end <= start:
        raise Refusal(400, "ending_at: must be after starting_at")
    seconds = _WIDTHS[width]
    first = start - start % seconds
    return Range(first, seconds, (end - first) // seconds, _size(request, width, knobs))


def _cost_range(request: Request, ledger: Ledger, knobs: Knobs) -> Range:
    """The days from that of `starting_at` to that of `ending_at`, which is not one of them (default: today)."""
    width = _scalar(request, "bucket_width")
    if width is not None:
        _one_of("bucket_width", width, ("1d",))
    start, end = _instant(request, "starting_at"), _instant(request, "ending_at")
    if start is None:
        raise Refusal(400, "starting_at: Field required")
    today = midnight(ledger.today)
    first = start - start % DAY_SECONDS
    last = today if end is None else end - end % DAY_SECONDS
    if last <= first or (first >= today and not knobs.is_cost_of_today_served):
        message = "Invalid date range: ending date must be after starting date"
        raise Refusal(400, message, headers=(("x-should-retry", "false"),))
    return Range(first, DAY_SECONDS, (last - first) // DAY_SECONDS, _size(request, "1d", knobs))


def _size(request: Request, width: str, knobs: Knobs) -> int:
    default, highest = _LIMITS[width]
    text = _scalar(request, "limit")
    if text is not None and not (re.fullmatch(r"[0-9]{1,6}", text) and 1 <= int(text) <= highest):
        raise Refusal(400, f"limit: Input should be an integer from 1 to {highest}")
    return min(default if text is None else int(text), knobs.page_buckets or highest)


def _group_by(request: Request, knobs: Knobs) -> tuple[str, ...]:
    choices = _COST_DIMENSIONS if request.path == COST else _USAGE_DIMENSIONS
    keys = tuple(_one_of("group_by[]", value, choices) for value in _array(request, "group_by", knobs) or ())
    if len(keys) > _MOST_DIMENSIONS:
        raise Refusal(400, "Cannot specify more than 5 group_by[] dimensions.")
    if "speed" in keys and not _has_speed_beta(request):
        raise Refusal(400, f"group_by[]: speed requires the anthropic-beta header {_SPEED_BETA}")
    return keys


def _filters(request: Request, knobs: Knobs) -> dict[str, Optional[list[str]]]:
    wanted = {dimension: _array(request, name, knobs) for name, dimension in _FILTERS.items()}
    if wanted["speed"] and not _has_speed_beta(request):
        raise Refusal(400, f"speeds[] requires the anthropic-beta header {_SPEED_BETA}")
    return wanted


def _has_speed_beta(request: Request) -> bool:
    return _SPEED_BETA in request.headers.get("anthropic-beta", "")


def _array(request: Request, name: str, knobs: Knobs) -> Optional[list[str]]:
    """The values of `name[]=`, repeated; never split at commas. None: not given."""
    bare = [value for key, value in request.query if key == name]
    if bare and not knobs.is_bare_array_accepted:
        raise Refusal(400, f"{name}: Extra inputs are not permitted; did you mean {name}[]?")
    return bare + [value for key, value in request.query if key == f"{name}[]"] or None


def _scalar(request: Request, name: str) -> Optional[str]:
    values = [value for key, value in request.query if key == name]
    if len(values) > 1:
        raise Refusal(400, f"{name}: given more than once")
    return values[0] if values else None


def _instant(request: Request, name: str) -> Optional[int]:
    """Unix seconds of an RFC 3339 instant, which carries a zone; Unix seconds themselves are refused."""
    text = _scalar(request, name)
    if text is None:
        return None
    match = _RFC_3339.fullmatch(text)
    if match:
        try:
            return int(datetime.fromisoformat(match[1] + match[3].replace("Z", "+00:00")).timestamp())
        except (ValueError, OverflowError):
            pass
    raise Refusal(400, f"{name}: Input should be a valid datetime (RFC 3339)")


def _one_of(name: str, value: Optional[str], choices: Sequence[str]) -> str:
    if value is None:
        raise Refusal(400, f"{name}: Field required")
    if value not in choices:
        raise Refusal(400, f"{name}: Input should be one of {', '.join(map(repr, choices))}")
    return value


def _usage_rows(keys: tuple[str, ...], bursts: list[Traffic]) -> list[dict[str, Any]]:
    rows = []
    for values, members in grouped(bursts, keys, lambda burst: burst.dimensions).items():
        count = {name: sum(burst.counts[name] for burst in members) for name in members[0].counts}
        cached = ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
        rows.append(
            {
                "uncached_input_tokens": count["uncached_input_tokens"],
                "cache_creation": {name: count[name] for name in cached},
                "cache_read_input_tokens": count["cache_read_input_tokens"],
                "output_tokens": count["output_tokens"],
                "server_tool_use": {"web_search_requests": count["web_search_requests"]},
                **dict.fromkeys(_USAGE_DIMENSIONS),
                **dict(zip(keys, values)),
            }
        )
    return rows


def _cost_rows(draw: Draw, keys: tuple[str, ...], lines: Sequence[CostLine]) -> list[dict[str, Any]]:
    rows = []
    for values, members in grouped(lines, keys, lambda line: line.dimensions).items():
        parsed = members[0].dimensions if "description" in keys else {}
        rows.append(
            {
                "amount": _cents(draw, total(line.amount for line in members)),
                "currency": "USD",
                **{name: parsed.get(name) for name in _PARSED},
                **dict.fromkeys(_COST_DIMENSIONS),
                **dict(zip(keys, values)),
            }
        )
    return rows


def _cents(draw: Draw, usd: Decimal) -> str:
    """The amount in cents, exactly; now and then with needless zeros."""
    text = plain(EXACT.scaleb(usd, 2))
    return (text if "." in text else f"{text}.") + "00" if draw.once_in(4) else text


def _iso(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
