"""Claude Code: the tokens of every answer, from the session files that the tool keeps on this machine."""

from __future__ import annotations

from .. import LogCollector

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from .. import Answer, Counts

    Json = Any


class ClaudeCode(LogCollector):
    """Tokens of Claude Code by day, model and project; no log has its compactions, or what other machines did."""

    name = "claude_code"
    vendor = "anthropic"
    folders = ("~/.claude", "~/.config/claude")
    folder_setting = "CLAUDE_CONFIG_DIR"
    parts = ("projects",)
    markers = (b'"usage"',)
    history_days = 30  # then the tool deletes its files (its setting cleanupPeriodDays)

    def matches(self, path: str) -> bool:
        return path.endswith(".jsonl")

    def answer(self, message: Json, carry: dict[str, Any], *, path: str) -> Optional[Answer]:  # noqa: ARG002
        """While an answer streams in, its line is written again and again under the same id, with more output."""
        from .. import Answer, folder_of, moment_of, text_of

        said = message.get("message") if message.get("type") == "assistant" else None
        if not isinstance(said, dict) or not said.get("usage") or message.get("isApiErrorMessage"):
            return None
        if said.get("model") == "<synthetic>":  # written by the tool itself
            return None
        usage = said["usage"]
        tier = " ".join(filter(None, (text_of(usage.get("service_tier")), text_of(usage.get("speed")))))
        region = text_of(usage.get("inference_geo"))
        return Answer(
            message=text_of(said.get("id")), request=text_of(message.get("requestId")),
            moment=moment_of(message.get("timestamp")), model=text_of(said.get("model")), counts=counts_of(usage),
            project=folder_of(message.get("cwd")), is_side=message.get("isSidechain") is True,
            tier="" if tier in ("standard", "standard standard") else tier,
            region="" if region == "not_available" else region,
        )  # fmt: skip


def counts_of(usage: Json) -> Counts:
    """`input_tokens` are without what came from the cache or went into it. Without a split, it was kept 5 minutes."""
    from .. import Counts, count_of

    split = usage.get("cache_creation") or {}
    short, long = count_of(split.get("ephemeral_5m_input_tokens")), count_of(split.get("ephemeral_1h_input_tokens"))
    written = count_of(usage.get("cache_creation_input_tokens"))
    return Counts(
        input=count_of(usage.get("input_tokens")),
        output=count_of(usage.get("output_tokens")),
        cache_read=count_of(usage.get("cache_read_input_tokens")),
        cache_write_5m=max(short, written - long),
        cache_write_1h=long,
        web_search=count_of((usage.get("server_tool_use") or {}).get("web_search_requests")),
    )
