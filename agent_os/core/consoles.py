"""The CSV exports of providers' consoles: how each is known, and what its columns mean. Nothing but facts.

They were read off files that people have published (header lines, and rows that are invented or blanked); how sure each
is stands with it. What an export does not say (a provider may add columns) is not needed to know it.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 (a NamedTuple evaluates its annotations)
from typing import NamedTuple


class Export(NamedTuple):
    """An export of a provider: columns that it always has, and what those that it may have mean."""

    title: str
    has: str
    columns: Mapping[str, str]
    constants: Mapping[str, str]
    part: str = ""  # what it tells of a day, where another export of the same console tells the rest
    may_exceed: bool = False  # more cached tokens than input tokens are no mistake of the file


EXPORTS = (
    # Sure: two published files, of 2025-10 (without quantity, user and key) and 2026-09. `amount_value` is in whole
    # units of `amount_currency`. A day without spending is a row of nothing but times, Unix seconds.
    Export(
        "OpenAI, costs", "start_time amount_value amount_currency",
        {
            "date": "start_time", "amount": "amount_value", "currency": "amount_currency", "line_item": "line_item",
            "project": "project_id", "api_key": "api_key_id",
        },
        {},
    ),
    # Fairly sure: published files of 2025-10, buckets of a day and of a minute; counts are written 59200.0, and
    # `input_tokens` includes `input_cached_tokens`. The column of cache writes is that of the report it is made from.
    Export(
        "OpenAI, usage", "start_time num_model_requests input_tokens output_tokens",
        {
            "date": "start_time", "input_all": "input_tokens", "cache_read": "input_cached_tokens",
            "cache_write": "input_cache_write_tokens", "output": "output_tokens", "requests": "num_model_requests",
            "model": "model", "project": "project_id", "api_key": "api_key_id", "tier": "service_tier",
        },
        {}, part="usage",
    ),
    # Sure: published headers from 2024-12 (seven columns) to 2026-09 (fourteen). Dollars, rounded to cents a row.
    Export(
        "Anthropic, cost", "usage_date_utc token_type cost_usd",
        {
            "date": "usage_date_utc", "amount": "cost_usd", "model": "model", "project": "workspace",
            "api_key": "api_key", "line_item": "usage_type", "cost_type": "cost_type", "token_type": "token_type",
            "context": "context_window", "region": "inference_geo",
        },
        {"currency": "USD"},
    ),
    # Sure: published files from 2025-06 to 2026-08; no kind of token is within another. Days, or hours without a zone.
    Export(
        "Anthropic, usage", "usage_date_utc usage_input_tokens_no_cache usage_output_tokens",
        {
            "date": "usage_date_utc", "input": "usage_input_tokens_no_cache", "output": "usage_output_tokens",
            "cache_read": "usage_input_tokens_cache_read", "cache_write_5m": "usage_input_tokens_cache_write_5m",
            "cache_write_1h": "usage_input_tokens_cache_write_1h", "web_searches": "web_search_count",
            "model": "model_version", "project": "workspace", "api_key": "api_key", "tier": "usage_type",
            "context": "context_window", "region": "inference_geo",
        },
        {}, part="usage",
    ),
    # Sure of the names (four published headers of 2026), less of the zone of `created_at`: none is written.
    # UTC is taken. A row is a request; `cost_total` is in dollars; `byok_usage_inference` is billed elsewhere.
    Export(
        "OpenRouter, activity by request", "generation_id created_at cost_total",
        {
            "date": "created_at", "amount": "cost_total", "model": "model_permaslug", "api_key": "api_key_name",
            "project": "app_name", "input_all": "tokens_prompt", "cache_read": "tokens_cached",
            "output": "tokens_completion",
        },
        {"currency": "USD", "requests": "1"}, may_exceed=True,
    ),
    # Fairly sure: one published file of 2026-05. `Usage` is in dollars, `BYOK Usage` is billed elsewhere and not kept.
    Export(
        "OpenRouter, activity by day", "date slug usage byok_usage requests",
        {
            "date": "date", "amount": "usage", "model": "slug", "input": "prompt_tokens",
            "output": "completion_tokens", "requests": "requests",
        },
        {"currency": "USD"},
    ),
)  # fmt: skip
