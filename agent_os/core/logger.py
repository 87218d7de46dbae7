"""The log: one JSON object a line for machines, one plain line on stderr for people, no secret in either.

Whatever goes wrong with the file or with stderr, the run goes on. Nothing here raises for what it was given to log.
"""

from __future__ import annotations

import errno
import os
from _thread import RLock, get_ident

from . import files
from .clock import iso
from .errors import AgentOSError
from .redactor import Redactor
from .text import safe

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping
    from typing import Optional, TextIO

    from .clock import Clock

__all__ = ["Log", "Redactor", "stdlib_bridge"]

OLD_FILES = 3  # PATH.1 is the newest of them
_LARGEST_FILE = 5_000_000
_LONGEST_WAIT = 1.0  # seconds, for the lock that others hold for microseconds
_DEEPEST = 8
_MOST_HELD = 64 * 1024  # bytes
_OURS = ("time", "level", "event", "message")
_LEVELS = ((40, "error"), (30, "warning"), (20, "info"))  # from where on, in the numbers of the standard library


class Log:
    """Records with a context. One file and one stderr are shared by all that were bound from one Log, in any thread."""

    def __init__(  # noqa: PLR0913 - all but the path by keyword, and given once, where the program is put together
        self,
        path: Optional[str],
        *,
        clock: Clock,
        redactor: Redactor,
        stderr: Optional[TextIO],
        quiet: bool = False,
        verbose: bool = False,
        max_bytes: int = _LARGEST_FILE,
    ) -> None:
        """`path` None: no file. The file is opened by the first record; at `max_bytes` it becomes `path`.1, .2, .3."""
        self._file = _File(path, clock=clock, max_bytes=max_bytes) if path else None
        self._clock = clock
        self._redactor = redactor
        self._stderr = stderr
        self._above: list[Callable[[str], None]] = []  # shared by all that are bound from this one
        self._told = {"info": not quiet, "debug": verbose and not quiet}
        self._context: Mapping[str, object] = {}

    def bind(self, **context: object) -> Log:
        """A Log whose records carry `context` as well (run, task, slot, provider)."""
        bound = object.__new__(type(self))
        bound.__dict__.update(self.__dict__, _context={**self._context, **context})
        return bound

    def debug(self, event: str, message: str = "", /, **fields: object) -> None:
        """For the file; people see it when they asked for much (`verbose`)."""
        self.record("debug", event, message, fields)

    def info(self, event: str, message: str = "", /, **fields: object) -> None:
        """What happened; people see `message` unless they asked for quiet."""
        self.record("info", event, message, fields)

    def warning(self, event: str, message: str = "", /, **fields: object) -> None:
        """What people should look at; they always see it."""
        self.record("warning", event, message, fields)

    def error(self, event: str, message: str = "", /, **fields: object) -> None:
        """What did not work; people always see it."""
        self.record("error", event, message, fields)

    def record(self, level: str, event: str, message: str, fields: Mapping[str, object]) -> None:
        """One record: to people if its level is for them, then to the file. Where one text is given, it is both."""
        message = message or event
        if self._told.get(level, True):
            self._tell((f"{level}: " if level in ("warning", "error") else "") + _text_of(message))
        if self._file is None:
            return
        self._complain(self._file.append(f"{self.line(level, event, message, fields)}\n".encode("ascii")))

    def line(self, level: str, event: str, message: str, fields: Mapping[str, object]) -> str:
        """The record as a JSON object in ASCII, redacted: time, level, event, message, then context, then fields."""
        redact = self._redactor.text
        event, message = _quoted(redact(_text_of(event))), _quoted(redact(_text_of(message)))
        parts = f'"time": "{iso(self._clock.now())}", "level": "{level}", "event": {event}, "message": {message}'
        for name, value in {**self._context, **fields}.items():
            shown = _quoted(redact(value)) if type(value) is str else _json(value, redact, _DEEPEST)
            parts += f", {_quoted(redact(f'{name}_' if name in _OURS else name))}: {shown}"
        return f"{{{parts}}}"

    def tell_above(self, above: Optional[Callable[[str], None]]) -> None:
        """Have lines for people printed by `above` from now on, which keeps them apart from a live display."""
        self._above[:] = [above] if above else []

    def together(self) -> Together:
        """`with log.together():` this thread's records go into the file in one piece, at the end of the block."""
        return Together(self)

    def hold(self, is_held: bool) -> None:
        """Begin or end what `together` does."""
        if self._file is not None:
            self._complain(self._file.hold(is_held))

    def close(self) -> None:
        """Close the file. A later record opens it again."""
        if self._file is not None:
            self._file.close()

    def _complain(self, trouble: str) -> None:
        if trouble:
            self._tell(f"warning: the log is not written: {trouble}")

    def _tell(self, message: str) -> None:
        """A line to people, if they can be reached. A stream that is closed or broken is nobody's error here."""
        if self._stderr is None:
            return
        line = f"{safe(self._redactor.text(message))}\n"
        if self._above:
            self._above[0](line)
            return
        try:
            try:
                self._stderr.write(line)
            except UnicodeEncodeError:
                self._stderr.write(line.encode("ascii", "backslashreplace").decode("ascii"))
            self._stderr.flush()
        except (OSError, ValueError):
            return


class Together:
    """The block of `Log.together`."""

    __slots__ = ("_log",)

    def __init__(self, log: Log) -> None:
        self._log = log

    def __enter__(self) -> None:
        self._log.hold(True)

    def __exit__(self, *_: object) -> None:
        self._log.hold(False)


class _File:
    """A file that several processes append lines to and rotate; no line is torn, and none lost while there is room.

    The kernel lock of the file itself is held over "is it still the one at `path`, has it room, write, or rotate".
    """

    def __init__(self, path: str, *, clock: Clock, max_bytes: int) -> None:
        self._path = path
        self._clock = clock
        self._max_bytes = max_bytes
        self._fd = -1
        self._pid = os.getpid()
        self._threads = RLock()
        self._has_complained = False
        self._held = b""
        self._holder = 0  # the thread whose lines wait

    def append(self, line: bytes) -> str:
        """Write `line`; the answer is what went wrong, the first time that something does, else nothing.

        Lines that wait are written before it, so that all are in the order in which they came.
        """
        with self._mine():
            self._held += line
            return "" if self._holder == get_ident() and len(self._held) < _MOST_HELD else self._flush()

    def hold(self, is_held: bool) -> str:
        """Have this thread's lines wait, or write those that do. The answer is that of `append`."""
        with self._mine():
            self._holder = get_ident() if is_held else 0
            return self._flush()

    def _mine(self) -> RLock:
        """The lock of the threads of this process."""
        if self._pid != os.getpid():  # forked: the lock may be held by a thread that is not here
            self._threads = RLock()
            self._pid = os.getpid()
            self._held, self._holder = b"", 0  # the parent writes them
            self._close()  # its kernel lock is the parent's, too
        return self._threads

    def _flush(self) -> str:
        lines, self._held = self._held, b""
        if lines:
            try:
                self._write(lines)
            except (AgentOSError, OSError) as error:
                self._close()
                first, self._has_complained = not self._has_complained, True
                return str(error) if first else ""
            except BaseException:  # a signal's: the kernel lock must not stay with us
                self._close()
                raise
        return ""

    def close(self) -> None:
        with self._mine():
            self._flush()
            self._close()

    def _write(self, line: bytes) -> None:
        is_locked = self._take(len(line))
        before = os.fstat(self._fd).st_size
        if os.write(self._fd, line) < len(line):
            if is_locked:
                os.ftruncate(self._fd, before)  # half a line is worse than none
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if is_locked:
            files.unlock_fd(self._fd)

    def _take(self, size: int) -> bool:
        """Have the current file open, locked, and with room; False where the lock could not be had in time."""
        while True:
            if self._fd < 0:
                self._fd = files.open_private(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            if not self._lock():
                return False
            found = os.fstat(self._fd)
            is_roomy = found.st_size == 0 or found.st_size + size <= self._max_bytes
            if self._is_current(found) and (is_roomy or not self._rotate(found.st_size)):
                return True
            self._close()

    def _lock(self) -> bool:
        """A holder that was stopped must not stop us: after a while we append without; only rotation needs the lock."""
        deadline = self._clock.monotonic() + _LONGEST_WAIT
        while not files.lock_fd(self._fd, wait=False):
            if self._clock.monotonic() >= deadline:
                return False
            self._clock.sleep(0.001)
        return True

    def _is_current(self, found: os.stat_result) -> bool:
        """Whether ours is still the file at the path; another process may have rotated it away."""
        try:
            there = os.lstat(self._path)
        except FileNotFoundError:
            return False
        return (there.st_ino, there.st_dev) == (found.st_ino, found.st_dev)

    def _rotate(self, size: int) -> bool:
        """Move the files one on. False where the folder does not let us: then one file takes the room of all four."""
        try:
            for number in range(OLD_FILES - 1, 0, -1):
                _move(f"{self._path}.{number}", f"{self._path}.{number + 1}")
            _move(self._path, f"{self._path}.1")
        except OSError:
            if size > self._max_bytes * (OLD_FILES + 1):
                os.ftruncate(self._fd, 0)
            return False
        return True

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            try:
                os.close(fd)
            except OSError:
                return


def stdlib_bridge(log: Log) -> logging.Handler:
    """What to add to a logger of the standard library, so that its records land in `log`, exceptions included."""
    import logging

    class Lines(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return log.line(*_translated(record, self))

    class Bridge(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            log.record(*_translated(record, lines))

    lines = Lines()
    bridge = Bridge()
    bridge.setFormatter(lines)
    return bridge


def _translated(record: logging.LogRecord, formatter: logging.Formatter) -> tuple[str, str, str, dict[str, object]]:
    """(level, event, message, fields): the event is the logger's name."""
    level = next((name for least, name in _LEVELS if record.levelno >= least), "debug")
    try:
        message = record.getMessage()
    except Exception:  # noqa: BLE001 - whatever the arguments of a foreign call do, the run goes on
        message = _text_of(record.msg)
    fields: dict[str, object] = {}
    if record.exc_info:
        fields["exception"] = formatter.formatException(record.exc_info)
    return level, record.name, message, fields


def _json(value: object, redact: Callable[[str], str], deepest: int) -> str:
    """`value` as JSON in ASCII with every text redacted; what JSON does not know goes in as its text."""
    if isinstance(value, (list, tuple)) and deepest:
        return f"[{', '.join(_json(item, redact, deepest - 1) for item in value)}]"
    if isinstance(value, dict) and deepest:
        members = (f"{_quoted(redact(_text_of(k)))}: {_json(v, redact, deepest - 1)}" for k, v in tuple(value.items()))
        return f"{{{', '.join(members)}}}"
    return _bare(value) or _quoted(redact(_text_of(value)))


def _bare(value: object) -> str:
    """What JSON writes without quotes, or nothing."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and value.bit_length() < 10_000:  # beyond, Python may refuse to write it in decimal
        return int.__repr__(value)
    if isinstance(value, float) and value - value == 0:  # neither NaN nor infinite
        return float.__repr__(value)
    return ""


def _quoted(s: str) -> str:
    """What json.dumps says, without importing it for plain text: a run should not pay for what it seldom needs."""
    if s.isascii() and s.isprintable() and '"' not in s and "\\" not in s:
        return '"' + s + '"'
    import json

    return json.dumps(s)


def _text_of(value: object) -> str:
    try:
        return value if isinstance(value, str) else str(value)
    except Exception:  # noqa: BLE001 - a value that cannot be shown must not end the run that wanted to log it
        return f"<{type(value).__name__}>"


def _move(old: str, new: str) -> None:
    try:
        os.replace(old, new)
    except FileNotFoundError:
        return
