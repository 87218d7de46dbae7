"""One child process in a group of its own: started, listened to in bounded memory, ended on time.

Changes nothing of this process: no signal handler, no thread, and it waits for no child but its own.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import signal
import subprocess
import sys
from collections import deque
from io import FileIO
from typing import TYPE_CHECKING, NamedTuple

from .capture import Capture
from .errors import ConfigError, PermanentError, os_failure
from .groups import has_rest, is_at_work, ready_pipes, signal_group
from .text import safe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Callable, Optional, Union

    from .clock import Clock
    from .errors import AgentOSError
    from .keeper import Keeper

    Talk = Callable[[bytes], Optional[bytes]]

_LINE_BYTES = 64 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024
_AHEAD_BYTES = 1024 * 1024  # of lines to read after the end of who wrote them: more than a pipe holds
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.001, 0.2  # seconds without a look at stop(), the clocks and the child
_PATIENCE_SECONDS = 1.0  # with what is left of a process that has ended, or should have
_KILLED = -9
_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP}
_DENIED = {errno.EACCES, errno.EPERM}
_REFUSALS = (
    (_ABSENT, "there is no such program", "check its name and PATH, and the first line (#!) of a script"),
    (_DENIED, "it is not executable", "make it so (chmod +x), or name the program that runs it"),
    ({errno.ENOEXEC}, "this system cannot run what is in it", "begin a script with a line such as #!/bin/sh"),
    ({errno.E2BIG}, "its words and variables are too long", "hand over in a file what is long"),
)


class Ended(NamedTuple):
    """What came of a process."""

    code: int  # its exit code; negative: ended by that signal
    output: str  # see Capture
    timed_out: bool
    stopped: bool  # ended because stop() said so
    left_behind: bool  # a background process still held its output a second after it had exited


def run_process(  # noqa: PLR0913 (each is a choice of whoever runs a process; all but the words by name)
    words: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: str,
    clock: Clock,
    timeout_seconds: Optional[float],
    stop: Callable[[], bool],
    grace_seconds: float = 5.0,
    talk: Optional[Talk] = None,
    first_input: bytes = b"",
    keeper: Optional[Keeper] = None,
) -> Ended:
    """Run a program in a session of its own to its end, and say what came of it; from any thread, many at once.

    When `timeout_seconds` are over by the wall clock or by the monotonic one, or stop() says so (asked every 0.2 s),
    its group gets SIGTERM, and SIGKILL what is left of it `grace_seconds` later. A program that will not end even then
    counts as killed. What one that ends by itself leaves in the background is left alone.

    Without `talk` its stdin is empty, and stdout and stderr are one output. With `talk` it is a program of ours: each
    line on its stdout (at most 64 MiB) is given to `talk`, an answer that is not None is sent to its stdin as a line,
    after `first_input`; its output is stderr alone. Nothing else happens while `talk` works. If `talk` raises, the
    group is ended as above and the error passed on. Its stdin ends when this call does or when we are killed, which is
    how it learns of that; without `talk` a program then goes on, unless a `keeper` ends it. Signals ignored here are
    ignored by it too (nohup).

    Raises PermanentError where the program or its folder will not do, else what `os_failure` makes of a refusal.
    """
    if sys.platform != "win32" and signal.getsignal(signal.SIGCHLD) == signal.SIG_IGN:
        raise ConfigError("SIGCHLD is ignored here, which hides all exit codes", hint="start this program otherwise")
    with contextlib.ExitStack() as ends:
        run = _Run(f'"{safe(words[0])[:200]}"', clock=clock, talk=talk, first_input=first_input)
        if keeper:
            keeper.start(env.get("PATH", ""))
        run.start(words, env=env, cwd=cwd, ends=ends)
        run.watched_by(keeper)
        try:
            return run.to_its_end(timeout_seconds, stop=stop, grace_seconds=grace_seconds)
        except BaseException:
            run.give_up(grace_seconds)
            raise


class _Run:
    """A child, our ends of its pipes, and what is on its way through them."""

    _child: subprocess.Popen[bytes]

    def __init__(self, name: str, *, clock: Clock, talk: Optional[Talk], first_input: bytes) -> None:
        self._name = name
        self._clock = clock
        self._started_at, self._started = clock.now(), clock.monotonic()
        self._talk = talk
        self._capture = Capture()
        self._readers: dict[FileIO, Callable[[bytes], None]] = {}
        self._stdin: Optional[FileIO] = None
        self._unsent = bytearray(first_input)
        self._lines: deque[bytes] = deque()  # whole ones, not answered yet
        self._line = bytearray()  # the one that has no end yet
        self._keeper: Optional[Keeper] = None
        self._has_ended = False
        self._ahead = 0  # bytes read of lines since then

    def start(self, words: Sequence[str], *, env: Mapping[str, str], cwd: str, ends: contextlib.ExitStack) -> None:
        """Start it. Our ends of its pipes are closed with `ends`, the child's own as soon as it has them."""
        with contextlib.ExitStack() as its:
            try:
                stdin, stdout, stderr = self._connect(ends, its)
            except OSError as error:
                raise os_failure(f"starting {self._name}", error) from error
            try:
                self._child = subprocess.Popen(  # noqa: S603 (running what the user names is what it is for)
                    [*map(_spelt, words)], stdin=stdin, stdout=stdout, stderr=stderr, cwd=_spelt(cwd),
                    env={name: _spelt(value) for name, value in env.items()},
                    start_new_session=sys.platform != "win32",
                    creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
                )  # fmt: skip
            except (OSError, ValueError) as error:
                raise _not_started(self._name, error, cwd=cwd) from error

    def watched_by(self, keeper: Optional[Keeper]) -> None:
        """Have somebody end it if we are killed."""
        self._keeper = keeper
        if keeper:
            keeper.watch(self._child.pid)

    def _let_go(self) -> None:
        keeper, self._keeper = self._keeper, None
        if keeper:
            keeper.forget(self._child.pid)

    def _connect(self, ours: contextlib.ExitStack, its: contextlib.ExitStack) -> tuple[FileIO, FileIO, FileIO]:
        """The child's stdin, stdout and stderr. (Popen's own pipes leak where only some of them can be made.)"""
        output, stderr = _pipe(ours, its)
        self._readers[output] = self._capture.add
        if self._talk is None:
            return its.enter_context(FileIO(os.devnull)), stderr, stderr
        lines, stdout = _pipe(ours, its)
        self._readers[lines] = self._hear
        stdin, self._stdin = _pipe(its, ours)
        if sys.platform != "win32":  # there a write waits until the child reads
            os.set_blocking(self._stdin.fileno(), False)
        return stdin, stdout, stderr

    def to_its_end(self, timeout_seconds: Optional[float], *, stop: Callable[[], bool], grace_seconds: float) -> Ended:
        """Listen until it has ended by itself or was made to, and then for what it left unread."""
        limit = math.inf if timeout_seconds is None else timeout_seconds
        is_stopped = is_late = False

        def is_enough() -> bool:
            nonlocal is_stopped, is_late
            is_stopped = is_stopped or (not is_late and stop())
            seconds = (self._clock.now() - self._started_at).total_seconds()
            seconds = max(seconds, self._clock.monotonic() - self._started)
            is_late = not is_stopped and (is_late or seconds >= limit)
            return is_stopped or is_late

        self._listen(lambda: self._has_exited() or is_enough(), limit)
        if self._child.returncode is None and is_enough():
            self._end(grace_seconds)
        self._let_go()
        self._has_ended, self._ahead = True, 0
        self._listen(lambda: not self._readers, _PATIENCE_SECONDS)
        patient_until = self._clock.monotonic() + _PATIENCE_SECONDS
        while self._lines and (self._clock.monotonic() < patient_until or not is_enough()):
            self._answer()
        code = self._child.returncode
        return Ended(_KILLED if code is None else code, self._capture.text(), is_late, is_stopped, bool(self._readers))

    def give_up(self, grace_seconds: float) -> None:
        """End it, and heed nothing that it says."""
        self._readers = dict.fromkeys(self._readers, self._capture.add)
        self._lines.clear()
        self._end(grace_seconds)
        self._let_go()

    def _end(self, grace_seconds: float) -> None:
        try:
            self._signal(hard=False)
            self._listen(lambda: self._has_exited() and not is_at_work(self._child.pid), grace_seconds)
        finally:
            self._signal(hard=True)
            self._listen(self._has_exited, _PATIENCE_SECONDS)

    def _signal(self, *, hard: bool) -> None:
        if not self._has_exited() or has_rest(self._child.pid):
            with contextlib.suppress(OSError):  # gone meanwhile, or another user's
                signal_group(self._child, hard=hard)

    def _has_exited(self) -> bool:
        return self._child.poll() is not None

    def _listen(self, is_over: Callable[[], bool], seconds: float) -> None:
        """Let the pipes move until `is_over`, at most so many seconds; the less they do, the longer the pauses."""
        ends_at = self._clock.monotonic() + seconds
        pause = _SHORTEST_PAUSE
        while not is_over():
            left = ends_at - self._clock.monotonic()
            if left <= 0:
                return
            pause = _SHORTEST_PAUSE if self._move(min(pause, left)) else min(2 * pause, _LONGEST_PAUSE)

    def _move(self, seconds: float) -> bool:
        """Answer one line, or else wait so many seconds for a pipe; move what can be. Whether anything was."""
        has_line = bool(self._lines) and len(self._unsent) < _LINE_BYTES and not self._has_ended
        if has_line:
            self._answer()
        is_full = self._ahead >= _AHEAD_BYTES if self._has_ended else self._lines
        reading = [pipe for pipe, taker in self._readers.items() if taker != self._hear or not is_full]
        writing = [self._stdin] if self._stdin and self._unsent and not self._has_ended else []
        ready = ready_pipes(reading, writing, 0 if has_line else seconds)
        for pipe in ready:
            if pipe is self._stdin:
                self._send(pipe)
            elif data := pipe.read(_CHUNK_BYTES):
                self._readers[pipe](data)
            else:
                pipe.close()
                del self._readers[pipe]
        return has_line or bool(ready)

    def _hear(self, data: bytes) -> None:
        self._ahead += len(data)
        *ends, rest = data.split(b"\n")
        for end in ends:
            self._line += end
            self._lines.append(bytes(self._line))
            self._line.clear()
        self._line += rest
        if len(self._line) > _LINE_BYTES:
            raise PermanentError(f"{self._name} sent a line of more than 64 MiB", hint="hand it over in a file")

    def _answer(self) -> None:
        answer = self._talk(self._lines.popleft()) if self._talk else None
        if answer is not None and not self._has_ended:
            self._unsent += answer + b"\n"

    def _send(self, stdin: FileIO) -> None:
        try:
            sent = stdin.write(self._unsent[:_CHUNK_BYTES])
        except OSError:  # it has closed its stdin: there is nobody to tell
            self._unsent.clear()
        else:
            del self._unsent[: sent or 0]


def _pipe(readers: contextlib.ExitStack, writers: contextlib.ExitStack) -> tuple[FileIO, FileIO]:
    """The ends of a new pipe, each to be closed with its own stack. No other child gets them."""
    reader, writer = os.pipe()
    return readers.enter_context(FileIO(reader)), writers.enter_context(FileIO(writer, "w"))


def _spelt(text: str) -> Union[str, bytes]:
    """As the system takes it. In an ASCII locale Python does not: what stands in our files, in UTF-8, stays that."""
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape")
    return text


def _not_started(name: str, error: Exception, *, cwd: str) -> AgentOSError:
    """What a refused start becomes. NUL in a word is a ValueError."""
    number = error.errno if isinstance(error, OSError) else None
    folder = _spelt(cwd)
    if number in _ABSENT | _DENIED and not (os.path.isdir(folder) and os.access(folder, os.X_OK)):
        is_there, is_folder = os.path.lexists(folder), os.path.isdir(folder)
        why = "may not be entered" if is_folder else "is no folder" if is_there else "is not there"
        return PermanentError(f"cannot start {name}: its folder {safe(cwd)} {why}", hint="check the path, or create it")
    for numbers, reason, hint in _REFUSALS:
        if number in numbers:
            return PermanentError(f"cannot start {name}: {reason}", hint=hint)
    if isinstance(error, OSError):
        return os_failure(f"starting {name}", error)
    return PermanentError(f"cannot start {name}: {error}", hint="check its words and its variables")
