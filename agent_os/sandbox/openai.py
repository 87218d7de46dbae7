"""Answers as OpenAI's organisation admin API does: query and ledger in, reply out. Pure.

Strict where the vendor is: what it refuses is refused, and every way of writing an array that it takes is taken.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Optional

from .day import DAY_SECONDS, CostLine, Traffic, day_of, grouped, is_wanted, midnight, plain, total
from .draw import Draw
from .exchange import Knobs, Literal, Refusal, Reply, Request
from .openai_reports import REPORTS, Report
from .paging import Range, binding_of, page

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from .ledger import Ledger

_WIDTHS = {"1d": DAY_SECONDS, "1h": 3_600, "1m": 60}
_END_OF_TIME = 253_402_300_800
# Costs by key exist from 2025-12-06 on.
_KEY_COSTS_FROM = 1_764_979_200
_ORGANIZATION = "org-sandbox"
_SCOPE_MISSING = (
    "You have insufficient permissions for this operation. Missing scopes: api.usage.read. Check that you have the "
    "correct role in your organization, and if you're using a restricted API key, that it has the necessary scopes."
)


def answer(request: Request, *, ledger: Ledger, knobs: Knobs, key: str) -> Reply:
    """The reply to any request below `/v1`; `key` is the one admin key that exists."""
    headers = (("x-request-id", request.id), ("openai-organization", _ORGANIZATION), ("openai-version", "2020-10-01"))
    try:
        _check_key(request, knobs, key)
        return Reply(200, _page(request, _report(request, knobs), ledger=ledger, knobs=knobs), headers)
    except Refusal as refusal:
        return Reply(refusal.status, error(refusal), headers + refusal.headers)


def error(refusal: Refusal) -> dict[str, Any]:
    """The body of an error."""
    members = {"message": refusal.message, "type": refusal.kind, "param": refusal.param, "code": refusal.code}
    return {"error": members}


def _check_key(request: Request, knobs: Knobs, key: str) -> None:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer" or not given:
        raise Refusal(401, "You didn't provide an API key in an Authorization header (Bearer auth).")
    if given == key:
        return
    if given.startswith("sk-") and not given.startswith("sk-admin-"):
        raise Refusal(knobs.wrong_key_status, _SCOPE_MISSING)
    # The vendor repeats part of the key; whoever logs its messages must be ready for that.
    shown = f"{given[:8]}{'*' * 8}{given[-4:]}"
    raise Refusal(401, f"Incorrect API key provided: {shown}.", code="invalid_api_key")


def _report(request: Request, knobs: Knobs) -> Report:
    report = REPORTS.get(request.path)
    if report is None:
        raise Refusal(404, f"Invalid URL ({request.method} {request.path})")
    if request.method != "GET":
        raise Refusal(405, f"Not allowed to {request.method} on {request.path}.", code="method_not_supported")
    absent = knobs.absent_reports.get(report.name)
    if absent:
        raise Refusal(absent, f"Your organization does not have access to usage of {report.name}.")
    return report


def _page(request: Request, report: Report, *, ledger: Ledger, knobs: Knobs) -> dict[str, Any]:
    span = _range(request, report, ledger=ledger, knobs=knobs)
    keys = _group_by(request, report, span.start)
    wanted = {dimension: _array(request, name) for name, dimension in report.filters.items()}
    wanted["batch"] = _batch(request, report)
    try:
        starts, following = page(span, binding=binding_of(request, "openai"), token=request.get("page"))
    except ValueError:
        raise Refusal(400, "Invalid page token for these parameters.", param="page", code="invalid_value") from None
    data = []
    for start in starts:
        results: list[dict[str, Any]]
        if report.is_cost:
            lines = [line for line in ledger.day("openai", day_of(start)).lines if is_wanted(line.dimensions, wanted)]
            results = _cost_rows(Draw(ledger.seed, "openai form", start, keys), keys, lines)
        else:
            bursts = ledger.traffic("openai", report.name, (start, span.width))
            results = _usage_rows(report, keys, [burst for burst in bursts if is_wanted(burst.dimensions, wanted)])
        data.append({"object": "bucket", "start_time": start, "end_time": start + span.width, "results": results})
    return {"object": "page", "data": data, "has_more": following is not None, "next_page": following}


def _range(request: Request, report: Report, *, ledger: Ledger, knobs: Knobs) -> Range:
    """Which buckets are asked for. Without an end: up to and including today."""
    width = _one_of("bucket_width", _scalar(request, "bucket_width") or "1d", tuple(report.limits))
    start = _integer(request, "start_time")
    if start is None:
        raise Refusal(400, "Missing required parameter: 'start_time'.", code="invalid_request_error")
    end = _integer(request, "end_time")
    end = midnight(ledger.today) + DAY_SECONDS if end is None else end
    seconds = _WIDTHS[width]
    first = start - start % seconds
    # Costs compare dates, so a range inside one day holds nothing; usage shows the bucket in which the range ends.
    last = end - end % seconds if report.is_cost else end + -end % seconds
    if last <= first or end <= start:
        raise Refusal(400, "Invalid date range: 'end_time' must be after 'start_time'.", param="end_time")
    size = min(_limit(request, report, width, knobs=knobs), knobs.page_buckets or 1440)
    return Range(first, seconds, (last - first) // seconds, size)


def _limit(request: Request, report: Report, width: str, *, knobs: Knobs) -> int:
    default, highest = report.limits[width]
    limit = _integer(request, "limit")
    if limit is None:
        return default
    if limit < 1:
        raise Refusal(400, f"Invalid limit provided: {limit}. Limit must be at least 1.", param="limit")
    if limit > highest and not knobs.is_limit_clamped:
        message = f"Invalid limit provided: {limit}. Limit must be less than or equal to {highest}."
        raise Refusal(400, message, param="limit", code="integer_above_max_value")
    return min(limit, highest)


def _group_by(request: Request, report: Report, start: int) -> tuple[str, ...]:
    keys = tuple(_one_of("group_by", value, report.dimensions) for value in _array(request, "group_by") or ())
    if report.is_cost and "api_key_id" in keys and start < _KEY_COSTS_FROM:
        message = f"Grouping costs by api_key_id needs a 'start_time' of at least {_KEY_COSTS_FROM}."
        raise Refusal(400, message, param="start_time", code="invalid_value")
    return keys


def _batch(request: Request, report: Report) -> Optional[list[object]]:
    given = _scalar(request, "batch")
    if given is None or report.name != "completions":
        return None
    return [_one_of("batch", given, ("true", "false")) == "true"]


def _scalar(request: Request, name: str) -> Optional[str]:
    values = [value for key, value in request.query if key == name]
    if len(values) > 1:
        raise Refusal(400, f"Parameter '{name}' was given more than once.", param=name, code="invalid_value")
    return values[0] if values else None


def _array(request: Request, name: str) -> Optional[list[object]]:
    """The values of `name[]=` and `name=`, repeated; never split at commas. None: not given."""
    return [value for key, value in request.query if key in (name, f"{name}[]")] or None


def _integer(request: Request, name: str) -> Optional[int]:
    text = _scalar(request, name)
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,12}", text) or int(text) >= _END_OF_TIME:
        raise Refusal(400, f"Invalid type for '{name}': expected an integer.", param=name, code="invalid_type")
    return int(text)


def _one_of(name: str, value: object, choices: Sequence[str]) -> str:
    if value not in choices:
        supported = ", ".join(f"'{choice}'" for choice in choices)
        message = f"Invalid value: '{value}'. Supported values are: {supported}."
        raise Refusal(400, message, param=name, code="invalid_value")
    return str(value)


def _usage_rows(report: Report, keys: tuple[str, ...], bursts: list[Traffic]) -> list[dict[str, Any]]:
    rows = []
    for values, members in grouped(bursts, keys, lambda burst: burst.dimensions).items():
        counts: dict[str, int] = {}
        for burst in members:
            for name, count in burst.counts.items():
                counts[name] = counts.get(name, 0) + count
        shown = {**dict.fromkeys(report.dimensions), **dict(zip(keys, values))}
        rows.append({"object": report.object, **report.measures(counts), **shown})
    return rows


def _cost_rows(draw: Draw, keys: tuple[str, ...], lines: list[CostLine]) -> list[dict[str, Any]]:
    """Each amount in another of the forms that were seen; now and then a field that nobody documented."""
    rows = []
    for values, members in grouped(lines, keys, lambda line: line.dimensions).items():
        sold = "line_item" in keys and all(line.quantity is not None for line in members)
        row: dict[str, Any] = {
            "object": "organization.costs.result",
            "amount": {"value": _in_some_form(draw, total(line.amount for line in members)), "currency": "usd"},
            **dict.fromkeys(("project_id", "line_item", "user_id", "api_key_id", "api_source")),
            **dict(zip(keys, values)),
            "quantity": sum(line.quantity or 0 for line in members) if sold else None,
            "quantity_unit": members[0].unit if sold else None,
        }
        if keys and draw.once_in(4):
            row.update(organization_id=_ORGANIZATION, user_email=None)
        rows.append(row)
    return rows


def _in_some_form(draw: Draw, amount: Decimal) -> object:
    """The amount, exactly, as a number, a text, with an exponent or with needless zeros."""
    text = plain(amount)
    padded = (text if "." in text else f"{text}.") + "00"
    if not amount:
        return draw.pick((Literal("0E-6176"), Literal("0"), "0.00"))
    forms = (Literal(text), Literal(text), text, Literal(f"{amount.normalize():e}"), padded, Literal(padded))
    return draw.pick(forms)
