"""Codex: the tokens of every answer, from the session files ("rollouts") that the tool keeps on this machine."""

from __future__ import annotations

from .. import LogCollector

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from .. import Answer, Counts

    Json = Any

_COUNTS = (
    *("input_tokens", "cached_input_tokens", "cache_write_input_tokens"),
    *("output_tokens", "reasoning_output_tokens"),
)
_MOST_OF_ALL = 10**15  # tokens of a session; whatever claims more is damaged
_BURST_MS = 1000  # a copied history is written line upon line; a model takes longer to answer
_UNIQUE = 32  # characters of an id that is the only one of its kind
_PACKED = ".zst"


class Codex(LogCollector):
    """Tokens of Codex by day, model and project. A ChatGPT plan is not billed by them: money is what they would be."""

    name = "codex"
    vendor = "openai"
    gives = "tokens by model and project; what they would cost at list prices"
    fresh = "at once"
    folders = ("~/.codex",)
    folder_setting = "CODEX_HOME"
    parts = ("sessions", "archived_sessions")
    markers = (b'"token_count"', b'"turn_context"', b'"session_meta"', b'"task_started"')

    _is_packed = False  # whether there are sessions that were compressed before anybody read them

    def matches(self, path: str) -> bool:
        return path.endswith(".jsonl") and path.rpartition("/")[2].startswith("rollout-")

    def belongs(self, path: str) -> bool:
        return self.matches(path.removesuffix(_PACKED))

    def gather(self, found: Any) -> None:
        """A session that rests for a week may be compressed, with what only Python 3.14 and later could read."""
        found.read_files()
        packed = [file.path for file in found.files(lambda path: path.endswith(".jsonl" + _PACKED))]
        lost = [path for path in packed if not found.has_read(path[: -len(_PACKED)])]
        self._is_packed = bool(lost)
        if lost:
            found.faults.count("sessions compressed by Codex before anybody had read them", len(lost))

    def kept_days(self) -> int:
        return 6 if self._is_packed else 0

    def answer(self, message: Json, carry: dict[str, Any], *, path: str) -> Optional[Answer]:  # noqa: ARG002
        """`carry`: the header of the session, the model and the turn, the totals, and whether history is copied."""
        from .. import hashed, text_of

        kind, payload = message.get("type"), message.get("payload")
        if not isinstance(payload, dict):
            return None
        if kind == "session_meta":
            begin(message, payload, carry)
        elif kind == "turn_context" or (kind == "event_msg" and payload.get("type") == "task_started"):
            turn = text_of(payload.get("turn_id"))
            carry["turn"], carry["turn_ms"] = hashed(turn if len(turn) >= _UNIQUE else ""), minted(turn)
            if kind == "turn_context":
                carry["model"] = text_of(payload.get("model"))
            is_copied(message, carry)
        elif kind == "event_msg" and payload.get("type") == "token_count":
            return counted(message, payload.get("info"), carry)
        return None  # also for token_usage_record, which tells of the same answers once more


def begin(message: Json, header: Json, carry: dict[str, Any]) -> None:
    """The header of the session is the first one. Behind it others may stand: those of the sessions it was forked from.

    A fork, and a sub-agent that was given the history, begins with a copy of it, token counts and all.
    """
    from .. import folder_of, hashed, text_of

    name = hashed(text_of(header.get("id")))
    is_first = "session" not in carry
    if is_first:
        maker = text_of(header.get("model_provider"))
        carry.update(session=name, project=folder_of(header.get("cwd")), vendor="" if maker == "openai" else maker)
        carry["born"] = minted(header.get("id") or "") or milliseconds(
            header.get("timestamp") or message.get("timestamp")
        )
        start = header.get("subagent_history_start_ordinal")
        carry["start"] = start if isinstance(start, int) else None
    source = header.get("source")
    is_fork = header.get("forked_from_id") or (isinstance(source, dict) and source.get("subagent"))
    if (is_fork if is_first else name != carry["session"]) and not carry.get("is_own"):
        # The history is being copied, so far up to then.
        carry["copied_ms"] = max(carry.get("copied_ms", carry["born"]), milliseconds(message.get("timestamp")))
        carry["is_fork"] = True


def is_copied(message: Json, carry: Json) -> bool:
    """Whether a line belongs to the history that a fork began with: those answers are counted where they were given.

    The parent may be gone, and some versions give every copied line the time of copying, others leave it its own. What
    tells, the surest first: the number of the first line of its own, where the header names it; the id of the turn,
    which is copied as it is and holds the instant it began at, before the fork or after; and else the times of the
    lines: older than the fork, or written within milliseconds of each other, without the second or more that a model
    needs. Once the session has gone on by itself, it never goes back.
    """
    ordinal, start = message.get("ordinal"), carry.get("start")
    if isinstance(start, int) and isinstance(ordinal, int):
        return ordinal < start
    if "copied_ms" not in carry:
        return False
    at = milliseconds(message.get("timestamp"))
    turn = int(carry.get("turn_ms", 0))
    born, until = int(carry["born"]), int(carry["copied_ms"])
    is_old = turn < born if turn else at - until < _BURST_MS
    if is_old:
        carry["copied_ms"] = max(at, until)
    else:
        del carry["copied_ms"]
        carry["is_own"] = True
    return is_old


def counted(message: Json, info: Json, carry: dict[str, Any]) -> Optional[Answer]:
    """The last answer as the running count has it. The same totals once more are the same answer once more."""
    from .. import Answer, moment_of

    if not isinstance(info, dict):  # news about rate limits only
        return None
    before, total = carry.get("total"), figures(info.get("total_token_usage"))
    if total:
        carry["total"] = total
    last = figures(info.get("last_token_usage"))
    if is_copied(message, carry) or (total and total == before):
        return None
    used = last or grown(total, before, is_fork=bool(carry.get("is_fork")))
    counts = counts_of(used) if used else None
    if counts is None or not sum(counts):
        return None
    carry["is_own"] = True
    # Copies of a line keep the turn and the totals, whatever file they are in and whatever time they were given.
    turn, model, at = carry.get("turn", ""), carry.get("model", ""), message.get("timestamp")
    moment = moment_of(at)
    name = f"{turn} {total or at} {used}" if turn else f"{at} {model} {used}"
    return Answer(
        message=name, moment=moment, model=model, counts=counts, vendor=carry.get("vendor", ""),
        project=carry.get("project", ""),
    )  # fmt: skip


def grown(total: Optional[list[int]], before: Optional[list[int]], *, is_fork: bool) -> Optional[list[int]]:
    """What totals have grown by. Smaller ones are a new count; the first ones of a fork may hold what others used."""
    if total is None or (before is None and is_fork):
        return None
    if before is None or any(now < then for now, then in zip(total, before)):
        return total
    return [now - then for now, then in zip(total, before)]


def figures(usage: Json) -> Optional[list[int]]:
    """The counts of a usage in the order of _COUNTS. ValueError for what cannot be one."""
    if usage is None:
        return None
    found = [usage.get(name) or 0 for name in _COUNTS]
    if not all(type(count) is int and 0 <= count < _MOST_OF_ALL for count in found):
        raise ValueError("a count that cannot be")
    return found


def counts_of(used: list[int]) -> Counts:
    """Input is with what came from the cache and (in newer versions) went into it; output is with reasoning."""
    from .. import Counts, count_of

    whole, read, written, output, _ = map(count_of, used)
    fresh = count_of(whole - read)
    return Counts(
        input=fresh - written if written <= fresh else fresh, output=output, cache_read=read, cache_write=written
    )


def minted(name: str) -> int:
    """The Unix millisecond that an id of version 7 was made in; 0 for another."""
    digits = name.replace("-", "")
    try:
        return int(digits[:12], 16) if len(digits) == 32 and digits[12] == "7" else 0
    except ValueError:
        return 0


def milliseconds(at: Json) -> int:
    """An RFC 3339 instant in Unix milliseconds. ValueError for what is none."""
    from .. import moment_of

    second = moment_of(at)[1]
    return second * 1000 + (int(at[20:23]) if at[19:20] == "." and at[20:23].isdecimal() else 0)
