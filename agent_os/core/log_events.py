"""What a line of a local log tells of one answer of a model, and what two copies of the same answer come to: pure.

No text of a prompt or an answer passes through here: hashed ids, a time, names, counts.
"""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Optional

MOST_OF_ONE = 10**9  # tokens in one request; whatever claims more is damaged
LONGEST_NAME = 4096
_REQUEST_BITS = 19
_REQUEST_MASK = (1 << _REQUEST_BITS) - 1
_MESSAGE_MASK = (1 << 44) - 1
# From where on models have charged more for long requests; finer than any of them needs, so that prices can be looked
# up by the label for ever.
_SIZES = ((272_000, "272k+"), (200_000, "200k-272k"), (128_000, "128k-200k"), (100_000, "100k-128k"))
SMALL = "0-100k"


class Group(NamedTuple):
    """What events are added up by: the columns of `log_groups`. `account` is the vendor of the model."""

    date: str
    account: str
    project: str
    model: str
    tier: str
    context: str
    region: str


class Counts(NamedTuple):
    """Tokens of one answer, no kind within another, and its web searches: the columns of `log_events`."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    cache_write: int = 0
    web_search: int = 0

    @property
    def weight(self) -> tuple[int, int]:
        """Of two copies of one answer the heavier one is the later one: a stream is written while it grows."""
        return self.output, sum(self)


class Answer(NamedTuple):
    """What a line tells: one copy of one answer. Of the ids `message` and `request` only hashes are kept.

    `moment`: from `moment_of`. `vendor`: whose model it was, where that is not the same for the whole log.
    """

    message: str
    moment: tuple[str, int]
    model: str
    counts: Counts
    request: str = ""
    vendor: str = ""
    project: str = ""
    tier: str = ""
    region: str = ""
    is_side: bool = False


def merged(known: Answer, copy: Answer, *, last_wins: bool) -> Answer:
    """What two copies under the same ids come to, of which `copy` was read later."""
    first = copy if copy.moment[1] < known.moment[1] else known
    full = copy if last_wins or copy.counts.weight >= known.counts.weight else known
    if first is full and known.is_side == copy.is_side:
        return full
    return full._replace(moment=first.moment, project=first.project, is_side=known.is_side and copy.is_side)


class Event(NamedTuple):
    """One answer as it is kept. `at`: the Unix second of its first copy."""

    key: int
    at: int
    is_side: bool
    group: Group
    counts: Counts


def key_of(source: str, message: str, request: str = "") -> int:
    """63 bits that stand for an answer: 44 of its message id, 19 of its request id (0: it has none)."""
    high = _hashed(f"{source}\n{message}") & _MESSAGE_MASK
    low = (_hashed(request) & _REQUEST_MASK or 1) if request else 0
    return high << _REQUEST_BITS | low


def _hashed(text: str) -> int:
    """64 bits of a text, with surrogates or without: they come from escapes in JSON, and must not end a run."""
    from hashlib import blake2b

    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def hashed(name: str) -> str:
    """What may be remembered in place of an id; "" of an empty one."""
    return f"{_hashed(name):016x}" if name else ""


def message_of(key: int) -> int:
    """The part of a key that copies of one message share."""
    return key >> _REQUEST_BITS


def keys_of(message: int) -> tuple[int, int]:
    """The first and the last key that a message can have."""
    return message << _REQUEST_BITS, message << _REQUEST_BITS | _REQUEST_MASK


def context_of(tokens: int) -> str:
    """The size of a request as a label: prices of long requests depend on it. `tokens`: all input of the request."""
    for least, label in _SIZES:
        if tokens > least:
            return label
    return SMALL


def count_of(value: Any) -> int:
    """A count as a log has it: 0 when null or absent. ValueError for what is no count, or cannot be one."""
    if value is None:
        return 0
    if type(value) is not int or not 0 <= value <= MOST_OF_ONE:
        raise ValueError("a count that cannot be")
    return value


def text_of(value: Any) -> str:
    """A name or an id as a log has it: "" when null or absent. ValueError for what is none."""
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > LONGEST_NAME:
        raise ValueError("a name that is none")
    return value


def folder_of(path: Any) -> str:
    """The name of a project: the last folder of the path that was worked in."""
    parts = [part for part in text_of(path).replace("\\", "/").split("/") if part]
    return parts[-1] if parts else ""


_minutes: dict[str, tuple[str, int]] = {}  # the day and the second a minute begins at, by its text: parsed once
_MOST_MINUTES = 100_000


def moment_of(text: Any) -> tuple[str, int]:
    """(UTC day, Unix second) of an RFC 3339 instant. ValueError for what is none."""
    if not isinstance(text, str) or len(text) > 40:
        raise ValueError("a time that is none")
    if text[-1:] != "Z" or text[16:17] != ":":
        return _moment(text)
    begun = _minutes.get(text[:16])
    if begun is None:
        if len(_minutes) >= _MOST_MINUTES:
            _minutes.clear()
        begun = _minutes[text[:16]] = _moment(text[:16] + ":00Z")
    second = int(text[17:19])
    if not 0 <= second <= 60:
        raise ValueError("a time that is none")
    return begun[0], begun[1] + min(second, 59)


def _moment(text: str) -> tuple[str, int]:
    from datetime import datetime, timezone

    moment = datetime.fromisoformat(text[:-1] + "+00:00" if text[-1:] in ("Z", "z") else text)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return day_and_second(moment.astimezone(timezone.utc).timestamp())


def day_and_second(seconds: float) -> tuple[str, int]:
    """(UTC day, Unix second) of an instant in Unix seconds. ValueError or OverflowError for what is none."""
    from .days import day_of_unix

    whole = int(seconds)
    day = day_of_unix(whole - whole % 86_400)
    if day is None:
        raise ValueError("a time that is none")
    return day, whole


class Copies:
    """The answers of a source, each once, whatever number of copies of it is added.

    - The same message and request: one answer. Its counts are those of its heaviest copy (or its last, where a source
      writes `last_wins`), its day and its project those of its first copy.
    - A copy without a request id is the answer of the same message.
    - A side chain repeats messages of its parent under other request ids: beside the parent's copy it counts nothing,
      and among side chains a message counts once.
    """

    def __init__(self, *, last_wins: bool = False) -> None:
        self._last_wins = last_wins
        self._by_message: dict[int, list[Event]] = {}

    def __len__(self) -> int:
        return len(self._by_message)

    def messages(self) -> Iterable[int]:
        """The messages that have been added."""
        return self._by_message

    def add(self, event: Event) -> None:
        """Take in one copy."""
        message = event.key >> _REQUEST_BITS
        same = self._by_message.get(message)
        if same is None:
            self._by_message[message] = [event]
            return
        twin = self._twin(same, event)
        if twin is not None:
            same[same.index(twin)] = self._merged(twin, event)
        elif not event.is_side:
            same[:] = [each for each in same if not each.is_side] + [event]

    def events(self) -> Iterable[Event]:
        """Every answer once."""
        for same in self._by_message.values():
            yield from same

    def _twin(self, same: list[Event], event: Event) -> Optional[Event]:
        """The answer that an event is a copy of."""
        for each in same:
            if each.key == event.key:
                return each
        is_nameless = not event.key & _REQUEST_MASK
        for each in same:
            if each.is_side == event.is_side and (event.is_side or is_nameless or not each.key & _REQUEST_MASK):
                return each
        return None

    def _merged(self, known: Event, copy: Event) -> Event:
        first = copy if copy.at < known.at else known
        full = copy if self._last_wins or copy.counts.weight >= known.counts.weight else known
        group = full.group._replace(date=first.group.date, project=first.group.project)
        key = known.key if known.key & _REQUEST_MASK else copy.key
        return Event(key, first.at, known.is_side and copy.is_side, group, full.counts)
