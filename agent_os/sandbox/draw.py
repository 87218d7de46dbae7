"""Choices that depend on their name alone: the same on every Python, whatever else was drawn before."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

T = TypeVar("T")


class Draw:
    """A stream of choices; two streams of the same name choose the same. Names are seed, provider, day and the like."""

    def __init__(self, *name: object) -> None:
        self._bytes = _stream("|".join(str(part) for part in name))

    def below(self, limit: int) -> int:
        """An integer from 0 up to, not including, `limit` (at most a few millions: four bytes are drawn)."""
        return int.from_bytes(bytes(next(self._bytes) for _ in range(4)), "big") % limit

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices; name one twice to make it twice as likely."""
        return choices[self.below(len(choices))]

    def once_in(self, times: int) -> bool:
        """True in one of so many cases."""
        return self.below(times) == 0


def _stream(name: str) -> Iterator[int]:
    block = 0
    while True:
        yield from hashlib.sha256(f"{name}|{block}".encode()).digest()
        block += 1
