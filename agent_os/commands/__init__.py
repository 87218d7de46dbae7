"""One file a verb: add_arguments(parser), execute(args) -> int. Only here is anything printed to standard output."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Collection, Sequence
    from typing import Any, Optional


def add_app(parser: ArgumentParser) -> None:
    """--app, for the verbs that look at tasks."""
    parser.add_argument("--app", metavar="APP", default="", help="an app to look at too: a path or a module")


def emit(text: str) -> None:
    """Print to standard output; nothing when there is none."""
    print(text)  # noqa: T201 (what a command is for)


def emit_foreign(text: str) -> None:
    """Print what a task has said: to a terminal without what could steer it, elsewhere as it is."""
    if sys.stdout and sys.stdout.isatty():
        from ..core.text import safe

        text = "\n".join(safe(line.replace("\t", "    ")) for line in text.split("\n"))
    emit(text)


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
        drop_output()
        return True


def drop_output() -> None:
    """What cannot be written to a reader that left, or to a full disk, goes nowhere.

    Python would try once more at exit, and let its own code (120) replace ours.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream:
                stream.flush()
        except ValueError:  # closed
            pass
        except OSError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            os.close(null)


def terminal_width() -> Optional[int]:
    """The columns of the terminal; None where there is none, or one that was never told its width and says 0."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None if sys.stdout else None
    except (OSError, ValueError):
        return None


def emit_text(text: str, *, indent: int = 2) -> None:
    """Print a sentence; on a terminal broken at blanks, further lines indented."""
    from ..core.text import wrapped

    width = terminal_width()
    first, *rest = wrapped(text, width, further=max(width - indent, 20)) if width else [text]
    emit(first)
    for line in rest:
        emit(" " * indent + line)


def emit_table(header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Collection[int] = ()) -> None:
    """Print a table, not wider than the terminal where there is one."""
    from ..core.text import table

    emit(table(header, rows, right=right, width=terminal_width()))
