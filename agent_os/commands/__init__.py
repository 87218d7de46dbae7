"""One file a verb: add_arguments(parser), execute(args) -> int. Only here is anything printed to standard output."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional


def emit(text: str) -> None:
    """Print to standard output; nothing when there is none."""
    print(text)  # noqa: T201 (what a command is for)


def emit_json(value: Any) -> None:
    """Print a value as JSON, ASCII only."""
    import json

    emit(json.dumps(value, indent=2, allow_nan=False))


class work_done:  # noqa: N801 (reads as a word of the statement it is used in)
    """`with work_done():` what is printed here only tells of work that is done: a reader that left does not undo it."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: Optional[BaseException], trace: object) -> bool:
        try:
            if error is None and sys.stdout:
                sys.stdout.flush()
        except BrokenPipeError as left:
            error = left
        if not isinstance(error, BrokenPipeError):
            return False
        from ..main import drop_output

        drop_output()
        return True
