"""Numbers as the text of a field: what every kind of cron writes down alike. Pure."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Optional


def in_words(numbers: Iterable[int], names: Optional[Sequence[str]] = None, *, to: str = "-") -> str:
    """`1,3-5`: a list, in ascending order, in which three or more neighbours are a range."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    parts = []
    for run in runs:
        words = [names[number] if names else str(number) for number in run]
        parts += [f"{words[0]}{to}{words[-1]}"] if len(run) > 2 else words
    return ",".join(parts)
