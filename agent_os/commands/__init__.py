"""One file a verb: HELP, add_arguments(parser), execute(args) -> int. Printing to stdout happens here and nowhere else."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def emit(text: str) -> None:
    """Print to standard output; nothing when there is none."""
    print(text)


def emit_json(value: Any) -> None:
    """Print a value as JSON, ASCII only."""
    import json

    print(json.dumps(value, indent=2, allow_nan=False))
