"""Keeps what a program prints, in bounded memory: its beginning and its end."""

from __future__ import annotations

import codecs

from .redactor import gap
from .text import plural

_HEAD_BYTES = 64 * 1024
_TAIL_BYTES = 192 * 1024


class Capture:
    """Keeps the first 64 KiB and the last 192 KiB of what a process printed; what was between them is counted."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._left_out = 0

    def add(self, data: bytes) -> None:
        """Take what came next."""
        room = _HEAD_BYTES - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        excess = len(self._tail) - _TAIL_BYTES
        if excess > 0:
            del self._tail[:excess]
            self._left_out += excess

    def text(self) -> str:
        r"""What was kept, without NUL; bytes that are no UTF-8 show as \xNN, and no character is cut in two."""
        if not self._left_out:
            return _decoded(self._head + self._tail)
        _, whole = codecs.utf_8_decode(self._head, "backslashreplace", False)
        start = 0
        while start < 3 and self._tail[start] & 0xC0 == 0x80:  # belongs to a character that began in the gap
            start += 1
        left_out = gap(plural(self._left_out + len(self._head) - whole + start, "byte"))
        return f"{_decoded(self._head[:whole])}{left_out}{_decoded(self._tail[start:])}"


def _decoded(data: bytearray) -> str:
    return data.decode("utf-8", "backslashreplace").replace("\0", "\\x00")
