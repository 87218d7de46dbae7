"""One file a verb: add_arguments(parser), execute(args) -> int. Only here is anything printed to standard output."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def emit(text: str) -> None:
    """Print to standard output; nothing when there is none."""
    print(text)  # noqa: T201 (what a command is for)


def emit_json(value: Any) -> None:
    """Print a value as JSON, ASCII only."""
    import json

    emit(json.dumps(value, indent=2, allow_nan=False))
