"""One file a verb: add_arguments(parser), execute(args) -> int. Only here is anything printed to standard output."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from typing import Any


def emit(text: str) -> None:
    """Print to standard output; nothing when there is none."""
    print(text)  # noqa: T201 (what a command is for)


def emit_json(value: Any) -> None:
    """Print a value as JSON, ASCII only."""
    import json

    emit(json.dumps(value, indent=2, allow_nan=False))


def drop_output() -> None:
    """If standard output cannot take what is still buffered for it, let that go nowhere, not fail again at exit."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def emit_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Collection[int] = ()) -> None:
    """Print a table, not wider than the terminal where there is one."""
    from ..core.text import table

    try:
        width = os.get_terminal_size(sys.stdout.fileno()).columns if sys.stdout else None
    except (OSError, ValueError):
        width = None
    emit(table(header, rows, right=right, width=width))
