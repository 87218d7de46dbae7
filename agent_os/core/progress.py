"""Live progress on a terminal: a line for each task that runs or waits, below them the sums. Elsewhere nothing.

Nothing here raises for a stream that is gone, hides the cursor or clears the screen: whatever ends us leaves no mess.
"""

from __future__ import annotations

import os
import sys
from _thread import get_ident

from .text import columns, cut, safe, span, thousands

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Optional, TextIO

    from .clock import Clock

_LEAST_SECONDS = 0.1  # between two looks at what changed
_END_OF_LINE = "\x1b[K"  # erase from the cursor to there
_END_OF_SCREEN = "\x1b[J"  # not from the first row, or tmux moves all that was there into its history
_BLOCK = f"{_END_OF_LINE}\n{_END_OF_SCREEN}\x1b[1A"  # erase it, from its first row
_PLAIN = "\x1b[0m"
_COLOURS = {"success": "\x1b[32m", "failed": "\x1b[31m", "skipped": "\x1b[33m", "waits": "\x1b[33m"}


class Progress:
    """What is going on, for people who watch it on a terminal. All calls come from one thread."""

    def __init__(
        self,
        stream: Optional[TextIO],
        *,
        clock: Clock,
        environ: Mapping[str, str],
        is_live: Optional[bool] = None,
        most_lines: int = 12,
    ) -> None:
        """`is_live` None: when `stream` is a terminal that can be drawn on. Never more tasks than `most_lines`."""
        self._stream = stream
        self._clock = clock
        self._is_live = _can_draw(stream, environ) if is_live is None else is_live
        has_colour = _is_terminal(stream) and not environ.get("NO_COLOR")
        self._state = State(clock.monotonic(), most_lines=most_lines, has_colour=has_colour)
        self._thread = get_ident()
        self._permanent: list[str] = []  # lines that wait to be printed above the block
        self._drawn: list[str] = []
        self._looked_at = -_LEAST_SECONDS

    def begin(self, total: int) -> None:
        """So many units of work there are. With one there is nothing to sum up."""
        self._state.total = total

    def started(self, name: str, detail: str = "") -> None:
        """`name` is its task, and its slot where a task has several; a further try keeps the time of the first."""
        self._active(name, detail, None)

    def update(self, name: str, detail: str) -> None:
        """It runs and has come so far: "window 2 of 3"."""
        self._active(name, detail, None)

    def waiting(self, name: str, seconds: float, why: str) -> None:
        """It failed in a way that may pass: the next try is in so many seconds."""
        self._active(name, f"({why})" if why else "", self._clock.monotonic() + seconds)

    def ended(self, name: str, status: str, detail: str = "", seconds: float = 0.0) -> None:
        """It is over: success, failed or skipped. Its line leaves the block and stays above it."""
        if not self._is_live:
            return
        shown, state = self._named(name), self._state
        state.active.pop(shown, None)
        state.ended[status] = state.ended.get(status, 0) + 1
        told = "  ".join(filter(None, [span(seconds) if seconds else "", self._shown(detail)]))
        self._permanent.append(_line(state, (shown, status, f"{'':{9 - len(status)}}{told}"), self._size()[0]))

    def tick(self) -> None:
        """Draw what changed since the last time. Call it a few times a second, or as often as you like."""
        now = self._clock.monotonic()
        if self._is_live and now - self._looked_at >= _LEAST_SECONDS:
            self._looked_at = now
            self._draw()

    def above(self, text: str) -> None:
        """Print a line that stays: above the block where there is one, else as it is. May be called from any thread;
        from another one than that which draws it is printed with the next drawing.
        """
        line = self._shown(text.removesuffix("\n"))
        if self._is_live:
            self._permanent.append(line)
            if get_ident() == self._thread:
                self._draw()
        else:
            self._write(f"{line}\n")

    def close(self) -> None:
        """Take the block away; what ended stays, and so do lines `above`, then and later."""
        self._state.active.clear()
        self._state.total = 0
        if self._is_live:
            self._draw()
        self._is_live = False

    def _active(self, name: str, detail: str, next_at: Optional[float]) -> None:
        if not self._is_live:
            return
        task = self._state.active.setdefault(self._named(name), Task(self._clock.monotonic()))
        task.detail, task.next_at = self._shown(detail), next_at

    def _named(self, name: str) -> str:
        shown = self._shown(name)
        self._state.widest = max(self._state.widest, columns(shown))
        return shown

    def _shown(self, text: str) -> str:
        """`text` as the stream will show it, so that its columns can be counted."""
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        return safe(text).encode(encoding, "backslashreplace").decode(encoding)

    def _draw(self) -> None:
        width, height = self._size()
        lines = render(self._state, width, height, self._clock.monotonic())
        if not self._permanent and lines == self._drawn:
            return
        permanent = [self._permanent.pop(0) for _ in range(len(self._permanent))]  # others may be adding to it
        text = _frame(permanent, self._drawn, lines, (width, height))
        self._drawn = lines  # first: a signal that raises does so while we write
        self._write(text)

    def _size(self) -> tuple[int, int]:
        """(columns, rows), asked each time: people resize windows."""
        try:
            width, height = os.get_terminal_size(self._stream.fileno()) if self._stream is not None else (0, 0)
        except (OSError, ValueError):
            width, height = 0, 0
        return width or 80, height or 24

    def _write(self, text: str) -> None:
        try:
            if self._stream is not None:
                self._stream.write(text)
                self._stream.flush()
        except (OSError, ValueError):
            self._is_live = False  # nobody watches any more; that is nobody's error here


class State:
    """What is going on, as values: what `render` makes lines of."""

    def __init__(self, began_at: float, *, most_lines: int, has_colour: bool) -> None:
        self.began_at = began_at
        self.most_lines = most_lines
        self.has_colour = has_colour
        self.total = 0
        self.active: dict[str, Task] = {}
        self.ended: dict[str, int] = {}
        self.widest = 0  # name, so far

    def elapsed(self, since: float, until: float) -> str:
        """Whole seconds between two moments, so counted that they change for all tasks at the same moment."""
        seconds = max(int(until - self.began_at) - int(since - self.began_at), 0)
        return f"{seconds} s" if seconds < 60 else span(seconds)


class Task:
    """One that runs, or waits until `next_at` for its next try."""

    def __init__(self, started_at: float) -> None:
        self.started_at = started_at
        self.detail = ""
        self.next_at: Optional[float] = None


def render(state: State, width: int, height: int, now: float) -> list[str]:
    """The block: a line for each task in the order they started, as many as there is room for, then the sums."""
    room = min(state.most_lines, height - 2)  # the sums have a row, and so has the cursor
    tasks = list(state.active.items())
    told = tasks if len(tasks) <= room else tasks[: max(room - 1, 0)]
    lines = [_line(state, (name, *_words(state, task, now)), width) for name, task in told]
    if len(told) < len(tasks) and room > 0:
        lines.append(cut(f"... and {thousands(len(tasks) - len(told))} more", width - 1))
    if state.total > 1 and height > 1:
        lines.append(cut(_sums(state, now), width - 1))
    return lines


def _words(state: State, task: Task, now: float) -> tuple[str, str]:
    if task.next_at is not None:
        return "waits", f" {state.elapsed(now, task.next_at)} for its next try {task.detail}"
    return "running", f"  {state.elapsed(task.started_at, now)}  {task.detail}"


def _line(state: State, words: tuple[str, str, str], width: int) -> str:
    """Name, status and the rest. The last column stays free: what fills it makes terminals differ about the cursor."""
    name, status, rest = words
    widest = min(state.widest, width // 2)
    name = cut(name, widest)
    head = f"{name}{' ' * (widest - columns(name))}  "
    line = cut(f"{head}{status}{rest}".rstrip(" "), width - 1)
    colour = _COLOURS.get(status) if state.has_colour and line.startswith(head + status) else None
    return f"{head}{colour}{status}{_PLAIN}{line[len(head + status) :]}" if colour else line


def _sums(state: State, now: float) -> str:
    """Its figures add up to the total."""
    waiting = sum(task.next_at is not None for task in state.active.values())
    left = max(state.total - sum(state.ended.values()) - len(state.active), 0)
    parts = {"failed": state.ended.get("failed", 0), "skipped": state.ended.get("skipped", 0)}
    parts.update({"running": len(state.active) - waiting, "waiting": waiting, "to do": left})
    done = f"{thousands(state.ended.get('success', 0))} of {thousands(state.total)} done"
    told = [f"{thousands(n)} {word}" for word, n in parts.items() if n]
    return ", ".join([done, *told, state.elapsed(state.began_at, now)])


def _frame(permanent: Sequence[str], old: Sequence[str], new: Sequence[str], size: tuple[int, int]) -> str:
    """What turns a screen with the block `old`, the cursor below it, into one with `permanent` lines and `new`."""
    width, height = size
    rows = sum(_rows(line, width) for line in old)
    is_in_place = rows == len(old) < height and not permanent
    # A terminal made narrower has wrapped them; some forget that of a row only when all of it is erased.
    parts = [f"\x1b[{rows}A\r" if rows else "\r", _BLOCK if rows > len(old) else ""]
    # Erasing behind a line that fills its last row might take its last letter; so the block goes before a long one.
    parts += [f"{line}{_END_OF_LINE}\n" if _rows(line, width - 1) == 1 else f"{_BLOCK}{line}\n" for line in permanent]
    for index, line in enumerate(new):
        is_there = is_in_place and index < len(old) and old[index] == line
        parts.append("\n" if is_there else f"{line}{_END_OF_LINE}\n")
    return "".join([*parts, _END_OF_SCREEN if permanent or new else _BLOCK])


def _rows(line: str, width: int) -> int:
    """How many rows a terminal makes of it; a wide character that does not fit goes to the next one whole."""
    for code in (*_COLOURS.values(), _PLAIN):
        line = line.replace(code, "")
    rows, left = 1, width
    for taken in map(columns, line):
        rows, left = (rows, left - taken) if taken <= left else (rows + 1, width - taken)
    return rows


def _is_terminal(stream: Optional[TextIO]) -> bool:
    try:
        return stream is not None and stream.isatty() and stream.fileno() >= 0  # an editor's window has no number
    except (OSError, ValueError):
        return False


def _can_draw(stream: Optional[TextIO], environ: Mapping[str, str]) -> bool:
    term = environ.get("TERM", "console" if sys.platform == "win32" else "")
    can = stream is not None and _is_terminal(stream) and term not in ("", "dumb")
    if can and stream and sys.platform == "win32":
        import ctypes
        import msvcrt

        kernel, mode, codes = ctypes.windll.kernel32, ctypes.c_ulong(), 0x0004  # so that it obeys escape codes
        handle = ctypes.c_void_p(msvcrt.get_osfhandle(stream.fileno()))
        can = kernel.GetConsoleMode(handle, ctypes.byref(mode)) and kernel.SetConsoleMode(handle, mode.value | codes)
    return bool(can)
