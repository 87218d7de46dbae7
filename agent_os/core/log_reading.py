"""One reading of a local log: goes through what was added, hands it to the log's reader, and has the answers kept.

Answers and how far they were read are committed together, some thousands at a time: a reading that is cut short goes
on where it was.
"""

from __future__ import annotations

import re
from json import JSONDecoder, dumps, loads

from .log_events import Event, Group, context_of, key_of, merged
from .log_tree import Faults, FileState, LogFile, document_of, files_below, key_of_path, parts_of, start_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any, BinaryIO, Optional, Protocol

    from .foreign_db import ForeignDatabase
    from .log_events import Answer
    from .log_tree import Part

    Rows = Callable[[ForeignDatabase, dict[str, Any]], Iterable[Any]]

    class Source(Protocol):
        """A local log, as far as a reading needs it: what `LogCollector` says of it."""

        name: str
        vendor: str
        markers: tuple[bytes, ...]
        last_wins: bool

        @property
        def roots(self) -> list[tuple[str, str]]:
            """The folders of the log, each with the part of it that the log lies in."""

        def matches(self, path: str) -> bool:
            """Whether a file is one of the log."""

        def enters(self, path: str) -> bool:
            """Whether a folder can hold files of the log."""

        def is_document(self, path: str) -> bool:
            """Whether a file is one JSON document."""

        def messages(self, data: Any) -> Iterable[Any]:
            """What a line tells of."""

        def reader(self) -> Callable[..., Optional[Answer]]:
            """What tells the answer that a message is about."""


KEPT_AT_ONCE = 20_000  # answers, or files, that are committed together
TOLD_FROM_BYTES = 16 * 2**20  # less is read before anyone could look
LONG_LINE = 100_000
WRONG = "answers with impossible figures"
_WRONG = (ValueError, TypeError, AttributeError, KeyError, IndexError, OverflowError)
LONGEST_STORED = 200  # characters of a name
_BAR = 20


class Reading:
    """What one reading has found; the reader of a log adds to it."""

    def __init__(
        self,
        source: Source,
        ask: Callable[..., Any],
        *,
        say: Callable[[str], None],
        today: str,
        has_projects: bool,
    ) -> None:
        from .days import add_days

        self.faults = Faults()
        self._source = source
        self._answer = source.reader()
        self._ask = ask
        self._say = say
        self._last_day = add_days(today, 1)  # later ones are a clock's mistake
        self._has_projects = has_projects
        self._answers: dict[tuple[str, str], Answer] = {}
        self._states: dict[bytes, FileState] = {}
        self._groups: dict[Group, Group] = {}
        self._known: Optional[dict[bytes, FileState]] = None
        self._told = self._done = self._total = 0

    def add(self, answer: Answer) -> None:
        """Take in one copy of one answer. ValueError for one without an id."""
        if not answer.message:
            raise ValueError("an answer without an id")
        ids = (answer.message, answer.request)
        known = self._answers.get(ids)
        if known is not None:
            if known.counts == answer.counts and known.moment <= answer.moment and known.is_side <= answer.is_side:
                return  # most copies tell nothing new
            answer = merged(known, answer, last_wins=self._source.last_wins)
        self._answers[ids] = answer

    def read_files(self) -> None:
        """Read what was added to the files of the log."""
        known = self.known()
        changed = [file for file in self.files(self._source.matches) if not file.is_as(known.get(file.key))]
        self._total = sum(max(0, file.size - _offset(known.get(file.key))) for file in changed)
        for file in changed:
            self._read(file, known.get(file.key))
            if len(self._answers) >= KEPT_AT_ONCE or len(self._states) >= KEPT_AT_ONCE:
                self.flush()

    def read_databases(self, matches: Callable[[str], bool], messages: Rows) -> None:
        """Read what was added to SQLite files of the log. `messages` goes through one; its dict remembers how far."""
        for file in self.files(matches):
            self._read_database(file, messages)

    def files(self, matches: Callable[[str], bool]) -> Iterator[LogFile]:
        """The files of the log's folders whose path from there matches."""
        for folder, part in self._source.roots:
            yield from files_below(folder, part, matches, self.faults, enters=self._source.enters)

    def has_read(self, path: str) -> bool:
        """Whether a file that lies or lay at this path was read."""
        return key_of_path(path) in self.known() or key_of_path(path) in self._states

    def known(self) -> dict[bytes, FileState]:
        """How far each file was read before."""
        if self._known is None:
            self._known = self._ask("log_files")
        return self._known

    def remember(self, file: LogFile, state: FileState) -> None:
        """How far a file is read now; kept together with the answers."""
        self._states[file.key] = state

    def flush(self) -> None:
        """Have everything that was found so far kept."""
        if self._states or self._answers:
            events = [event for event in map(self._event, self._answers.values()) if event is not None]
            self._ask("keep_log", events=events, files=self._states, last_wins=self._source.last_wins)
            self._answers, self._states = {}, {}

    def _event(self, answer: Answer) -> Optional[Event]:
        """An answer as it is kept; None for one at a time that cannot be."""
        (day, at), counts = answer.moment, answer.counts
        if not "2020" < day <= self._last_day:
            self.faults.count("answers at an impossible time (is the clock right?)")
            return None
        size = sum(counts) - counts.output - counts.web_search
        group = Group(
            day, _name(answer.vendor or self._source.vendor)[:100], _name(answer.project) if self._has_projects else "",
            _name(answer.model), _name(answer.tier), context_of(size), _name(answer.region),
        )  # fmt: skip
        group = self._groups.setdefault(group, group)
        key = key_of(self._source.name, answer.message, answer.request)
        return Event(key, at, answer.is_side, group, counts)

    def _read(self, file: LogFile, state: Optional[FileState]) -> None:
        try:
            with open(file.path, "rb") as stream:
                start = start_of(file, state, stream)
                carry = loads(state.carry) if state and start else {}
                end = file.state(offset=start, tail=state.tail if state and start else b"", carry=self._kept(carry))
                for part in self._parts(stream, file, start):
                    if part.is_rest:  # it may be going on: read again next time, from where it begins
                        self._take_in(file, part, loads(end.carry))
                        continue
                    self._take_in(file, part, carry)
                    end = end._replace(offset=part.offset, tail=part.tail, carry=self._kept(carry))
                    if len(self._answers) >= KEPT_AT_ONCE:
                        self.remember(file, end._replace(size=-1))  # not whole yet: looked at again if this ends here
                        self.flush()
                self.remember(file, end)
        except FileNotFoundError:
            self.faults.count("files that vanished")
        except OSError:
            self.faults.count("files that cannot be read")

    def _read_database(self, file: LogFile, messages: Rows) -> None:
        from .errors import PermanentError, TransientError
        from .foreign_db import ForeignDatabase, beside

        state, around = self.known().get(file.key), beside(file.path)
        carry = loads(state.carry) if state and state[:2] == (file.device, file.inode) else {}
        if file.is_as(state) and carry.get("beside") == around:
            return
        try:
            with ForeignDatabase(file.path) as db:
                for message in messages(db, carry):
                    self._take(message, {}, file.path)
                    if len(self._answers) >= KEPT_AT_ONCE:
                        self.flush()
        except TransientError:
            self.faults.count("databases that are in use and locked")
        except (PermanentError, OSError):
            self.faults.count("databases that cannot be read")
        else:
            self.remember(file, file.state(offset=0, tail=b"", carry=self._kept({**carry, "beside": around})))

    def _kept(self, carry: dict[str, Any]) -> str:
        return dumps(carry if self._has_projects else {key: carry[key] for key in carry if key != "project"})

    def _parts(self, stream: BinaryIO, file: LogFile, start: int) -> Iterator[Part]:
        parts: Iterable[Part]
        if self._source.is_document(file.path):
            parts = document_of(stream, file, self.faults)
        else:
            parts = parts_of(stream, start, self.faults)
        offset = start
        for part in parts:
            yield part
            self._done += part.offset - offset
            offset = part.offset
            self._tell()

    def _take_in(self, file: LogFile, part: Part, carry: dict[str, Any]) -> None:
        """The answers in some lines; what cannot be read of them is counted, and the others are read."""
        messages, take, path = self._source.messages, self._take, file.path
        for data in self._objects(part.lines, is_rest=part.is_rest):
            try:
                told = list(messages(data))
            except _WRONG:  # a document of another shape
                self.faults.count(WRONG)
                continue
            for message in told:
                take(message, carry, path)

    def _take(self, message: Any, carry: dict[str, Any], path: str) -> None:
        try:
            found = self._answer(message, carry, path=path)
            if found is not None:
                self.add(found)
        except _WRONG:
            self.faults.count(WRONG)

    def _objects(self, lines: Sequence[bytes], *, is_rest: bool) -> Iterator[Any]:
        """The lines that can tell something, parsed."""
        find = re.compile(b"|".join(map(re.escape, self._source.markers))).search  # without markers: all of them
        for line in lines:
            if find(line) is None:
                if line[:1] != b"{" and line.strip() and not is_rest:
                    self.faults.count("lines that are no JSON")
                continue
            text = line.decode("utf-8", "replace").strip()
            try:
                data, end = _decode(text) if len(text) < LONG_LINE else _decode_long(text)
            except (ValueError, RecursionError):
                data, end = None, -1
            if end == len(text):
                yield data
            elif not is_rest:
                self.faults.count("lines that are no JSON")

    def _tell(self) -> None:
        share = self._done * 100 // self._total if self._total else 100
        if self._total >= TOLD_FROM_BYTES and share != self._told:
            self._told = share
            full = min(_BAR, share * _BAR // 100)
            bar = "#" * full + "-" * (_BAR - full)
            self._say(f"[{bar}] {share} % of {self._total // 2**20} MB of logs")


def _offset(state: Optional[FileState]) -> int:
    return state.offset if state else 0


def _whole(digits: str) -> int:
    """A number of a long line: one of a million digits would take minutes."""
    return int(digits) if len(digits) < 20 else -1


_decode = JSONDecoder().raw_decode  # without the checks of `loads`, which cost as much as a third of a short line
_decode_long = JSONDecoder(parse_int=_whole).raw_decode


def _name(text: str) -> str:
    """A name as it can be stored: bounded, and without what is no text."""
    return text[:LONGEST_STORED] if text.isascii() else text[:LONGEST_STORED].encode("utf-8", "replace").decode("utf-8")
