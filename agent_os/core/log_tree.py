"""The files of a local log: which there are, which have changed, and the lines that were added. Reads, never writes.

Whatever is wrong with one of them (gone, unreadable, no text, endless lines) is counted, and the others are read.
"""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import BinaryIO, Optional

BLOCK_BYTES = 4 * 2**20  # read at a time
LONGEST_LINE = 32 * 2**20
LARGEST_DOCUMENT = 64 * 2**20
_TAIL_BYTES = 256  # before the offset: that a file still is the one that was read
_INTEGER = 2**63 - 1  # what a table can hold: inodes of some systems have 64 bits


class FileState(NamedTuple):
    """How far a file was read: what it was then, and what its reader has to remember (`carry`, JSON)."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    offset: int
    tail: bytes
    carry: str


class LogFile(NamedTuple):
    """A file of a log as it is now; `key` stands for its path in the database, which keeps no path."""

    path: str
    key: bytes
    device: int
    inode: int
    size: int
    mtime_ns: int

    def is_as(self, state: Optional[FileState]) -> bool:
        """Whether nothing has happened to it since."""
        return state is not None and state[:4] == self[2:]

    def state(self, *, offset: int, tail: bytes, carry: str) -> FileState:
        """What to remember of it."""
        return FileState(self.device, self.inode, self.size, self.mtime_ns, offset, tail, carry)


class Faults:
    """What could not be read, counted by what was wrong: said once, whatever the number."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def count(self, what: str, times: int = 1) -> None:
        """One more of these: "lines that are no JSON"."""
        self._counts[what] = self._counts.get(what, 0) + times

    def sentences(self) -> list[str]:
        """A sentence for each: "passed over: 3 lines that are no JSON". The most frequent first."""
        ordered = sorted(self._counts.items(), key=lambda each: (-each[1], each[0]))
        return [f"passed over: {_counted(count, what)}" for what, count in ordered]


def _counted(count: int, what: str) -> str:
    """As in "1 line that is no JSON", "3 lines that are no JSON"."""
    if count != 1:
        return f"{count:,} {what}"
    noun, _, rest = what.partition(" ")
    return f"1 {noun[:-1]} {rest.replace('that are', 'that is')}"


def files_below(
    folder: str,
    part: str,
    matches: Callable[[str], bool],
    faults: Faults,
    *,
    enters: Callable[[str], bool] = lambda _: True,
) -> Iterator[LogFile]:
    """The regular files of a part of a folder whose path from the folder (with /) matches.

    Links are followed, each folder once, and only those that it `enters`.
    """
    seen: set[tuple[int, int]] = set()
    waiting = [(os.path.join(folder, part) if part else folder, part)]
    while waiting:
        path, name = waiting.pop()
        try:
            status = os.stat(path)
            if (status.st_dev, status.st_ino) in seen or not enters(name):
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(path) as entries:
                below = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                faults.count("folders that cannot be read")
            continue
        for entry in below:
            relative = f"{name}/{entry.name}" if name else entry.name
            try:
                if entry.is_dir():
                    waiting.append((entry.path, relative))
                elif matches(relative):
                    found = _as_file(entry.path, entry.stat())
                    if found:
                        yield found
            except OSError:  # it has gone meanwhile, or is a link to nothing
                faults.count("files that could not be looked at")


def _as_file(path: str, status: os.stat_result) -> Optional[LogFile]:
    if not stat.S_ISREG(status.st_mode):
        return None
    numbers = (status.st_dev & _INTEGER, status.st_ino & _INTEGER, status.st_size & _INTEGER)
    return LogFile(path, key_of_path(path), *numbers, status.st_mtime_ns)


def key_of_path(path: str) -> bytes:
    """What stands for a path in the database."""
    from hashlib import blake2b

    return blake2b(os.fsencode(path), digest_size=16).digest()


class Part(NamedTuple):
    """Whole lines of a file; `offset` and `tail` are how far it is read once they are taken in.

    `is_rest` marks the rest of a file that ends without a line break: it is read again, it may go on.
    """

    lines: Sequence[bytes]
    offset: int
    tail: bytes
    is_rest: bool


def start_of(file: LogFile, state: Optional[FileState], stream: BinaryIO) -> int:
    """Where to go on in a file: behind what was read, or at 0 where it is another file than it was."""
    if state is None or not state.offset:
        return 0
    if state[:2] != file[2:4] or file.size < state.offset or _tail(stream, state.offset) != state.tail:
        return 0
    return state.offset


def parts_of(stream: BinaryIO, start: int, faults: Faults) -> Iterator[Part]:
    """The lines from an offset on, some megabytes at a time."""
    stream.seek(start)
    offset, rest, is_endless = start, b"", False
    while block := stream.read(BLOCK_BYTES):
        data = rest + block if rest else block
        end = data.rfind(b"\n") + 1
        whole, rest = data[:end], data[end:]
        offset += end
        lines = whole.split(b"\n")[:-1]
        if is_endless and lines:
            lines, is_endless = lines[1:], False
        if len(rest) > LONGEST_LINE:
            if not is_endless:  # else it is the same line, still going on
                faults.count("lines longer than 32 MB")
            offset += len(rest)
            rest, is_endless = b"", True
        if lines:
            yield Part(lines, offset, _tail(stream, offset), False)
            stream.seek(offset + len(rest))
    if rest and not is_endless:
        yield Part([rest], offset, _tail(stream, offset), True)


def document_of(stream: BinaryIO, file: LogFile, faults: Faults) -> Iterator[Part]:
    """A file that is one JSON document, whole."""
    if file.size > LARGEST_DOCUMENT:
        faults.count("files larger than 64 MB")
        return
    stream.seek(0)
    yield Part([stream.read(LARGEST_DOCUMENT + 1)], file.size, b"", False)


def _tail(stream: BinaryIO, offset: int) -> bytes:
    from hashlib import blake2b

    begin = max(0, offset - _TAIL_BYTES)
    stream.seek(begin)
    return blake2b(stream.read(offset - begin), digest_size=8).digest()
