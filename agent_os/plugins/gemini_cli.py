"""Gemini CLI: the tokens of every answer, from the chats that the tool keeps on this machine."""

from __future__ import annotations

from .. import LogCollector

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Optional

    from .. import Answer, Counts

    Json = Any

_HASH = 64  # hexadecimal digits: how older versions name the folder of a project
_UNIQUE = 32  # characters of an id that is the only one of its kind


class GeminiCli(LogCollector):
    """Tokens of Gemini CLI by day, model and project."""

    name = "gemini_cli"
    vendor = "google"
    gives = "tokens by model and project; what they would cost at list prices"
    fresh = "at once"
    folders = ("~/.gemini",)
    folder_setting = "GEMINI_DATA_DIR"
    parts = ("tmp",)
    markers = (b'"tokens"', b'"sessionId"')
    last_wins = True  # a message is written again, whole, each time something is added to it
    history_days = 30  # then the tool deletes its chats (its setting general.sessionRetention)

    def matches(self, path: str) -> bool:
        """tmp/PROJECT/chats/session-....json or .jsonl; those of sub-agents one folder deeper."""
        return path.endswith((".json", ".jsonl")) and path.split("/")[2:3] == ["chats"]

    def enters(self, path: str) -> bool:
        return path.split("/")[2:3] in ([], ["chats"])

    def is_document(self, path: str) -> bool:
        return path.endswith(".json")

    def messages(self, data: Json) -> Iterator[Json]:
        """A document is a header with all messages; a line is a header, a message, or a change that sets them all."""
        yield data
        yield from data.get("$set", data).get("messages") or ()

    def answer(self, message: Json, carry: dict[str, Any], *, path: str) -> Optional[Answer]:
        """What was rewound was answered nevertheless: `$rewindTo` takes nothing back."""
        from .. import Answer, folder_of, hashed, moment_of, text_of

        if "sessionId" in message:
            places = message.get("directories") or [""]
            carry.update(session=hashed(text_of(message["sessionId"])), project=folder_of(places[0]))
        usage = message.get("tokens") if message.get("type") == "gemini" else None
        if not isinstance(usage, dict):
            return None
        counts, name = counts_of(usage), text_of(message.get("id"))
        if not sum(counts):
            return None
        if name and len(name) < _UNIQUE:
            name = f"{carry.get('session', '')} {name}"
        return Answer(
            message=name, moment=moment_of(message.get("timestamp")), model=text_of(message.get("model")),
            counts=counts, project=carry.get("project") or project_of(path),
        )  # fmt: skip


def counts_of(usage: Json) -> Counts:
    """Input is with what came from the cache, without what tools gave; thoughts are billed as output, beside it."""
    from .. import Counts, count_of

    read, tool = count_of(usage.get("cached")), count_of(usage.get("tool"))
    return Counts(
        input=count_of(count_of(usage.get("input")) - read) + tool,
        output=count_of(usage.get("output")) + count_of(usage.get("thoughts")),
        cache_read=read,
    )


def project_of(path: str) -> str:
    """The name of the folder below tmp, which newer versions take from the project; "" for a hash."""
    name = path.replace("\\", "/").partition("/chats/")[0].rpartition("/")[2]
    is_hash = len(name) == _HASH and all(letter in "0123456789abcdef" for letter in name)
    return "" if is_hash else name
