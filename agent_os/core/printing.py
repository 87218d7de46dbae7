"""What tasks print in threads of this process: each thread's words are kept for its run, not mixed into ours."""

from __future__ import annotations

import sys
from threading import Lock, local

from .capture import Capture

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional, TextIO

_mine = local()
_turn = Lock()
_users: list[object] = []
_shared: list[tuple[Any, Any]] = []  # the streams as they were, while they are shared out


class Divider:
    """Stands in for a standard stream: what a thread with a capture writes goes there, all else where it always did."""

    def __init__(self, stream: Optional[TextIO]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write to this thread's capture, else on."""
        capture = getattr(_mine, "capture", None)
        if capture is not None:
            capture.add(str(text).encode("utf-8", "backslashreplace"))
        elif self._stream is not None:
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Nothing is held back here."""
        if getattr(_mine, "capture", None) is None and self._stream is not None:
            self._stream.flush()

    def close(self) -> None:
        """What belongs to all is not a task's to close."""
        if getattr(_mine, "capture", None) is None and self._stream is not None:
            self._stream.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class captured:  # noqa: N801 (reads as a word of the statement it is used in)
    """`with captured() as printed:` what this thread prints in the block is kept in a `Capture`."""

    def __enter__(self) -> Capture:
        capture = _mine.capture = Capture()
        return capture

    def __exit__(self, *_: object) -> None:
        _mine.capture = None


class divided:  # noqa: N801 (reads as a word of the statement it is used in)
    """`with divided():` the standard streams are shared out by thread; restored by the last to leave."""

    def __enter__(self) -> None:
        with _turn:
            if not _shared:
                _shared.append((sys.stdout, sys.stderr))
                sys.stdout, sys.stderr = Divider(sys.stdout), Divider(sys.stderr)
            _users.append(self)

    def __exit__(self, *_: object) -> None:
        with _turn:
            _users.remove(self)
            if not _users:
                sys.stdout, sys.stderr = _shared.pop()
