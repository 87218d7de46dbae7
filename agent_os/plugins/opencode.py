"""opencode: the tokens of every answer, from the database and the older files that the tool keeps on this machine."""

from __future__ import annotations

from .. import LogCollector

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Optional

    from .. import Answer, Counts

    Json = Any

# Version 2 writes to a table of its own, in which it has put the messages of version 1 too, under the same ids.
_TABLES: dict[str, dict[str, str]] = {"message": {}, "session_message": {"type": "assistant"}}
_OF_MESSAGES = ("id", "session_id", "time_created", "data")
_SESSIONS = ("session", "session_v2")
_OF_SESSIONS = ("id", "time_created", "directory")
_CLOCK = 2**36  # what the time in an id is counted up to, in milliseconds
_A_MINUTE = 60_000


class OpenCode(LogCollector):
    """Tokens of opencode by day, provider, model and project."""

    # What the tool says a message cost is left alone: it is an estimate from a price list of its own, of unknown date,
    # 0 for every plan, and repeated by each fork.

    name = "opencode"
    gives = "tokens by provider, model and project; what they would cost at list prices"
    fresh = "at once"
    folders = ("~/.local/share/opencode",)
    folder_setting = "OPENCODE_DATA_DIR"
    markers = (b'"tokens"',)

    def matches(self, path: str) -> bool:
        return path.startswith("storage/message/") and path.endswith(".json")

    def belongs(self, path: str) -> bool:
        return is_database(path) or self.matches(path)

    def enters(self, path: str) -> bool:
        """The folder holds copies of whole projects too; only these lead to messages."""
        return path in ("", "storage", "storage/message") or path.startswith("storage/message/")

    def is_document(self, path: str) -> bool:  # noqa: ARG002
        return True

    def gather(self, found: Any) -> None:
        found.read_databases(is_database, rows)
        found.read_files()

    def answer(self, message: Json, carry: dict[str, Any], *, path: str) -> Optional[Answer]:  # noqa: ARG002
        """A message as version 1 writes it, in a row or a file, or as version 2 does (`model` for `modelID`)."""
        from .. import Answer, day_and_second, folder_of, text_of

        usage = message.get("tokens") if message.get("role") == "assistant" else None
        if not isinstance(usage, dict):
            return None
        made, place, model = message["time"]["created"], message.get("path") or {}, message.get("model") or {}
        if type(made) not in (int, float):
            raise ValueError("a time that is none")
        name, vendor = text_of(message.get("id")), text_of(message.get("providerID") or model.get("providerID"))
        counts = counts_of(usage, vendor, is_beside=bool(model) or vendor == "google")
        if not sum(counts) or is_copy(name, made, message.get("born")):
            return None
        root = folder_of(place.get("root"))
        return Answer(
            message=name, moment=day_and_second(made / 1000), vendor=vendor, counts=counts,
            model=text_of(message.get("modelID") or model.get("id")), project=root or folder_of(place.get("cwd")),
        )  # fmt: skip


def is_database(path: str) -> bool:
    """opencode.db, or that of another release channel (opencode-dev.db)."""
    return path.startswith("opencode") and path.endswith(".db") and "/" not in path


def rows(db: Any, carry: dict[str, Any]) -> Iterator[Json]:
    """The messages that were added or changed. `carry`: for each table the rowid and the time that were reached."""
    sessions: dict[str, tuple[Json, Json]] = {}
    for table in _SESSIONS:
        if db.has(table, _OF_SESSIONS):
            sessions.update((name, (begun, folder)) for name, begun, folder in db.rows(table, _OF_SESSIONS))
    for table, only in _TABLES.items():
        if not db.has(table, (*_OF_MESSAGES, *only)):
            continue
        number, until = carry.get(table, (0, 0))
        later = {"rowid": number + 1, "time_updated": until}
        for place, changed, *row in db.rows(table, ("rowid", "time_updated", *_OF_MESSAGES), only=only, later=later):
            number = max(number, place)
            until = max(until, changed) if isinstance(changed, int) else until
            yield message_of(row, sessions, is_answer=bool(only))
        carry[table] = (number, min(until, db.touched_ms))  # a clock that ran ahead must not hide what comes after


def message_of(row: list[Any], sessions: dict[str, tuple[Json, Json]], *, is_answer: bool) -> Json:
    """A row as a message, with when its session began (`born`). What is no message stays what it is: it is counted."""
    from json import loads

    name, session, made, text = row
    try:
        message = loads(text)
    except (ValueError, TypeError, RecursionError):
        return text
    if isinstance(message, dict):
        begun, folder = sessions.get(session, (0, ""))
        message = {"time": {"created": made}, "path": {"root": folder}, **message, "id": name, "born": begun}
        if is_answer:
            message["role"] = "assistant"
    return message


def counts_of(usage: Json, vendor: str, *, is_beside: bool) -> Counts:
    """Input is without what came from the cache or went into it.

    Reasoning stands beside output in newer versions, and within it in older ones (but for Google's models). The total
    tells which; `is_beside` is what to think where there is none.
    """
    from .. import Counts, count_of

    cache = usage.get("cache") or {}
    fresh, read, written = count_of(usage.get("input")), count_of(cache.get("read")), count_of(cache.get("write"))
    output, thought = count_of(usage.get("output")), count_of(usage.get("reasoning"))
    if usage.get("total") is not None:
        is_beside = count_of(usage["total"]) != fresh + read + written + output
    said = output + thought if is_beside or thought > output else output
    if vendor == "anthropic":  # asked for without a time, which is 5 minutes there
        return Counts(input=fresh, output=said, cache_read=read, cache_write_5m=written)
    return Counts(input=fresh, output=said, cache_read=read, cache_write=written)


def is_copy(name: str, made: float, born: Optional[int]) -> bool:
    """A fork copies the messages before it, counts and times and all, under new ids; they count where they come from.

    A copy is older than its session. Where nothing is known of the session (a file), the id tells: it begins with the
    millisecond it was made in, as far as 36 bits hold it.
    """
    if born is not None:
        return made < born
    try:
        late = ((int(name[4:16], 16) >> 12) - int(made)) % _CLOCK if name.startswith("msg_") else 0
    except ValueError:
        return False
    return _A_MINUTE < late < _CLOCK // 2
