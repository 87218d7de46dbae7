"""Claude Code: the tokens of every answer, from the session files that the tool keeps on this machine."""

from __future__ import annotations

from .. import LogCollector

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Optional

    from .. import Answer

    Json = Any


class ClaudeCode(LogCollector):
    """Tokens of Claude Code by day, model and project; no log has its compactions, or what other machines did."""

    name = "claude_code"
    vendor = "anthropic"
    gives = "tokens by model and project; what they would cost at list prices"
    fresh = "at once"
    folders = ("~/.claude", "~/.config/claude")
    folder_setting = "CLAUDE_CONFIG_DIR"
    parts = ("projects",)
    markers = (b'"usage"',)
    history_days = 30  # then the tool deletes its files (its setting cleanupPeriodDays)

    def matches(self, path: str) -> bool:
        return path.endswith(".jsonl")

    def reader(self) -> Callable[..., Optional[Answer]]:
        """While an answer streams in, its line is written again and again under the same id, with more output.

        `input_tokens` are without what came from the cache or went into it. Without a split, it is kept 5 minutes.
        """
        from .. import Answer, Counts, count_of, folder_of, moment_of, text_of

        folders: dict[Any, str] = {}
        special: dict[Any, tuple[str, str]] = {}

        def answer(line: Json, carry: dict[str, Any], *, path: str) -> Optional[Answer]:  # noqa: ARG001 (not needed)
            if line.get("type") != "assistant" or line.get("isApiErrorMessage"):
                return None
            said = line["message"]
            usage = said["usage"] if isinstance(said, dict) and said.get("usage") else None
            if not usage or said.get("model") == "<synthetic>":  # written by the tool itself
                return None
            split, tools, cwd = usage.get("cache_creation"), usage.get("server_tool_use"), line.get("cwd")
            short = count_of(split.get("ephemeral_5m_input_tokens")) if split else 0
            long = count_of(split.get("ephemeral_1h_input_tokens")) if split else 0
            counts = Counts(
                count_of(usage.get("input_tokens")),
                count_of(usage.get("output_tokens")),
                count_of(usage.get("cache_read_input_tokens")),
                max(short, count_of(usage.get("cache_creation_input_tokens")) - long),
                long,
                0,
                count_of(tools.get("web_search_requests")) if tools else 0,
            )
            if cwd not in folders:
                folders[cwd] = folder_of(cwd)
            told = (usage.get("service_tier"), usage.get("speed"), usage.get("inference_geo"))
            if told not in special:
                special[told] = words(*map(text_of, told[:2])), words(text_of(told[2]))
            ids = text_of(said.get("id")), text_of(line.get("requestId"))
            moment, model = moment_of(line.get("timestamp")), text_of(said.get("model"))
            tier, region = special[told]
            is_side = line.get("isSidechain") is True
            return Answer(ids[0], moment, model, counts, ids[1], "", folders[cwd], tier, region, is_side)

        return answer


def words(*told: str) -> str:
    """What is special of a request: its tier and speed, or its region; nothing where it is as usual."""
    return " ".join(word for word in told if word and word not in ("standard", "not_available"))
