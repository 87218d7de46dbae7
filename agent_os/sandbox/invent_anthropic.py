"""Invents what an Anthropic organisation did on a day. Every name, model and price here is made up."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Optional

from .day import EXACT, CostLine, Day, Traffic, plain
from .draw import Draw

if TYPE_CHECKING:
    from collections.abc import Mapping

# workspace, key, account. No workspace is the default one; no key is the Console, where an account works.
_CALLERS: tuple[tuple[Optional[str], Optional[str], Optional[str]], ...] = (
    (None, "apikey_sandboxDefault", None),
    (None, None, "user_sandboxCaro"),
    ("wrkspc_sandboxOrbit", "apikey_sandboxOrbit1", None),
    ("wrkspc_sandboxOrbit", "apikey_sandboxOrbit2", None),
    ("wrkspc_sandboxPier", "apikey_sandboxPier", None),
)
# The name in descriptions, then USD a token in the order of _TOKEN_TYPES. Odd last digits meet rounding ties.
_MODELS = {
    "claude-opus-5-5": ("Claude Opus 5.5", ("0.0000047", "0.0000233", "0.00000047", "0.0000058755", "0.0000094")),
    "claude-sonnet-5-2": ("Claude Sonnet 5.2", ("0.0000027", "0.0000136", "0.000000275", "0.00000335", "0.0000053")),
    "claude-haiku-5-20260611": (
        "Claude Haiku 5",
        ("0.0000009", "0.0000044", "0.0000000885", "0.00000113", "0.0000018"),
    ),
}
# token type in the cost report, the count it prices, its words in a description
_TOKEN_TYPES = (
    ("uncached_input_tokens", "uncached_input_tokens", "Input Tokens"),
    ("output_tokens", "output_tokens", "Output Tokens"),
    ("cache_read_input_tokens", "cache_read_input_tokens", "Input Tokens, Cache Read"),
    ("cache_creation.ephemeral_5m_input_tokens", "ephemeral_5m_input_tokens", "Input Tokens, Cache Write 5m"),
    ("cache_creation.ephemeral_1h_input_tokens", "ephemeral_1h_input_tokens", "Input Tokens, Cache Write 1h"),
)
_TIERS = ("standard", "standard", "standard", "standard", "batch", "batch", "priority")
_BLANK: Mapping[str, object] = dict.fromkeys(
    ("model", "service_tier", "token_type", "context_window", "inference_geo", "workspace_id")
)


def invent(seed: int, day: str) -> Day:
    """The day as it ends: a function of seed and day alone. One day in eight nobody worked."""
    draw = Draw(seed, "anthropic", day)
    if draw.once_in(8):
        return Day()
    result = Day()
    for _ in range(3 + draw.below(6)):
        result = result.and_also(_worked(draw))
    return result.and_also(Day(lines=_extras(draw)))


def more(seed: int, day: str, turn: int) -> Day:
    """What one more hour of that day adds: never nothing."""
    return _worked(Draw(seed, "anthropic", day, "more", turn))


def _worked(draw: Draw) -> Day:
    burst = _messages(draw)
    return Day((burst,), tuple(_lines(draw, burst)))


def _messages(draw: Draw) -> Traffic:
    workspace, key, account = draw.pick(_CALLERS)
    who = {
        "workspace_id": workspace,
        "api_key_id": key,
        "account_id": account,
        "service_account_id": None,
        "model": draw.pick(tuple(_MODELS)),
        "service_tier": draw.pick(_TIERS),
        "context_window": draw.pick(("0-200k", "0-200k", "200k-1M")),
        "inference_geo": draw.pick(("global", "global", "us", "not_available")),
        "speed": draw.pick(("standard", "standard", "fast")),
    }
    counts = {
        "uncached_input_tokens": 50 + draw.below(60_000),
        "output_tokens": 10 + draw.below(15_000),
        "cache_read_input_tokens": draw.below(300_000) if draw.once_in(2) else 0,
        "ephemeral_5m_input_tokens": draw.below(9_000) if draw.once_in(2) else 0,
        "ephemeral_1h_input_tokens": draw.below(4_000) if draw.once_in(3) else 0,
        "web_search_requests": 1 + draw.below(9) if draw.once_in(3) else 0,
    }
    return Traffic("messages", draw.below(1440), who, counts)


def _lines(draw: Draw, burst: Traffic) -> list[CostLine]:
    """A line for each kind of token and one for searches. Priority Tier is never in the cost report."""
    lines = []
    if burst.dimensions["service_tier"] != "priority":
        _, prices = _MODELS[str(burst.dimensions["model"])]
        for (kind, counted, words), price in zip(_TOKEN_TYPES, prices):
            if burst.counts[counted]:
                amount = EXACT.multiply(Decimal(burst.counts[counted]), Decimal(price))
                lines.append(CostLine(_tailed(draw, amount), _token_dimensions(burst, kind, words)))
    if burst.counts["web_search_requests"]:
        amount = EXACT.multiply(Decimal(burst.counts["web_search_requests"]), Decimal("0.0105"))
        lines.append(
            _other("web_search", "Web Search Usage", amount=plain(amount), workspace=burst.dimensions["workspace_id"])
        )
    return lines


def _token_dimensions(burst: Traffic, kind: str, words: str) -> dict[str, object]:
    """The parsed fields and the description that holds them all: two lines of one description are one line."""
    who = burst.dimensions
    notes = [
        *(["Batch"] if who["service_tier"] == "batch" else []),
        *(["Long Context"] if who["context_window"] == "200k-1M" else []),
        *([] if who["inference_geo"] == "global" else [f"Geo {who['inference_geo']}"]),
    ]
    description = f"{_MODELS[str(who['model'])][0]} Usage - {words}" + "".join(f", {note}" for note in notes)
    shown = {name: who[name] for name in ("model", "service_tier", "context_window", "inference_geo", "workspace_id")}
    return {**shown, "token_type": kind, "cost_type": "tokens", "description": description}


def _other(cost_type: str, description: str, *, amount: str, workspace: object) -> CostLine:
    dimensions = {**_BLANK, "cost_type": cost_type, "description": description, "workspace_id": workspace}
    return CostLine(amount, dimensions)


def _tailed(draw: Draw, amount: Decimal) -> str:
    """One amount in six carries a tail far below a nano-dollar."""
    return plain(EXACT.add(amount, Decimal(1 + draw.below(99)).scaleb(-18)) if draw.once_in(6) else amount)


def _extras(draw: Draw) -> tuple[CostLine, ...]:
    """Money that the usage report does not show."""
    lines = []
    if draw.once_in(4):
        amount = plain(Decimal(5 * (1 + draw.below(60))).scaleb(-3))
        lines.append(
            _other(
                "code_execution",
                "Code Execution Usage",
                amount=amount,
                workspace=draw.pick((None, "wrkspc_sandboxPier")),
            )
        )
    if draw.once_in(7):
        amount = plain(Decimal(1 + draw.below(9_999)).scaleb(-5))
        lines.append(_other("session_usage", "Agent Session Runtime", amount=amount, workspace="wrkspc_sandboxOrbit"))
    if draw.once_in(7):
        amount = plain(Decimal(-(1 + draw.below(50_000))).scaleb(-6))
        lines.append(_other("tokens", "Usage credit", amount=amount, workspace=None))
    return tuple(lines)
