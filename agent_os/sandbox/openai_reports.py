"""OpenAI's reports as a table: what each may be grouped and filtered by, and how its rows look. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable

Counts = Mapping[str, int]
Row = dict[str, Any]


@dataclass(frozen=True)
class Report:
    """One report. `limits`: bucket width -> (buckets a page by default, and at most)."""

    name: str
    object: str
    dimensions: tuple[str, ...]
    filters: Mapping[str, str]
    measures: Callable[[Counts], Row]
    limits: Mapping[str, tuple[int, int]]

    @property
    def is_cost(self) -> bool:
        """Whether its rows are money."""
        return self.name == "costs"


_CALLER = ("project_id", "user_id", "api_key_id")
_CALLER_FILTERS = {"project_ids": "project_id", "user_ids": "user_id", "api_key_ids": "api_key_id"}
_MODEL_FILTERS = {**_CALLER_FILTERS, "models": "model"}
_USAGE_LIMITS = {"1d": (7, 31), "1h": (24, 168), "1m": (60, 1440)}


def _chat(counts: Counts) -> Row:
    """All input includes cached tokens and cache writes; the parts by modality are of uncached and cached ones."""
    kinds = ("text", "audio", "image")
    uncached = sum(counts[f"uncached_{kind}"] for kind in kinds)
    cached = sum(counts[f"cached_{kind}"] for kind in kinds)
    written = counts["write_30m"] + counts["write_12h"]
    return {
        "input_tokens": uncached + cached + written,
        "input_uncached_tokens": uncached,
        "input_cached_tokens": cached,
        "input_cache_write_tokens": written,
        "input_cache_write_30m_tokens": counts["write_30m"],
        "input_cache_write_12h_tokens": counts["write_12h"],
        **{f"input_{kind}_tokens": counts[f"uncached_{kind}"] for kind in kinds},
        **{f"input_cached_{kind}_tokens": counts[f"cached_{kind}"] for kind in kinds},
        "output_tokens": sum(counts[f"output_{kind}"] for kind in kinds),
        **{f"output_{kind}_tokens": counts[f"output_{kind}"] for kind in kinds},
        "num_model_requests": counts["num_model_requests"],
    }


def _usage(
    name: str, called: str, more: tuple[str, ...] = (), *, filters: Mapping[str, str] = _MODEL_FILTERS
) -> Report:
    """A usage report; `called` is its name inside `object`, which differs for two of them."""
    measures: Callable[[Counts], Row] = _chat if name == "completions" else dict
    return Report(name, f"organization.usage.{called}.result", (*_CALLER, *more), filters, measures, _USAGE_LIMITS)


def _by_project_only(name: str) -> Report:
    return Report(
        name, f"organization.usage.{name}.result", ("project_id",), {"project_ids": "project_id"}, dict, _USAGE_LIMITS
    )


_COSTS = Report(
    "costs",
    "organization.costs.result",
    ("project_id", "user_id", "line_item", "api_key_id", "api_source"),
    {"project_ids": "project_id", "api_key_ids": "api_key_id", "line_items": "line_item"},
    dict,
    {"1d": (7, 180)},
)
_IMAGE_FILTERS = {**_MODEL_FILTERS, "sources": "source", "sizes": "size"}
_FILE_FILTERS = {**_CALLER_FILTERS, "vector_store_ids": "vector_store_id"}

# By path.
REPORTS: dict[str, Report] = {
    f"/v1/organization/{'' if report.is_cost else 'usage/'}{report.name}": report
    for report in (
        _COSTS,
        _usage("completions", "completions", ("model", "batch", "service_tier", "api_source")),
        _usage("embeddings", "embeddings", ("model",)),
        _usage("moderations", "moderations", ("model",)),
        _usage("images", "images", ("model", "size", "source"), filters=_IMAGE_FILTERS),
        _usage("audio_speeches", "audio_speeches", ("model",)),
        _usage("audio_transcriptions", "audio_transcriptions", ("model",)),
        _by_project_only("vector_stores"),
        _by_project_only("code_interpreter_sessions"),
        _usage("file_search_calls", "file_searches", ("vector_store_id",), filters=_FILE_FILTERS),
        _usage("web_search_calls", "web_searches", ("model", "context_level", "api_source")),
    )
}
