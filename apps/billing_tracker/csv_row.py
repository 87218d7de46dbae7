"""A row of CSV as text: RFC 4180, CRLF at its end, and nothing in it that a spreadsheet would run. Pure."""

from __future__ import annotations

import csv
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from agent_os import StoreError, inert

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class _Sink:
    """Hands back what a csv.writer writes."""

    @staticmethod
    def write(text: str) -> str:
        return text


row_of: Callable[[Sequence[Any]], str] = csv.writer(_Sink()).writerow


@lru_cache(maxsize=4096)
def cells_of(texts: tuple[str, ...]) -> str:
    """Two or more text cells as they stand in a row. Raises StoreError for text that no CSV can carry."""
    for text in texts:
        if "\0" in text:
            raise StoreError(
                f"a name in the database holds a NUL character: {text!r:.60}", hint="the program never stores that"
            )
    return row_of([inert(text) for text in texts])[:-2]
