"""`schedule`: what the operating system starts by the clock."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from typing import Any


def add_arguments(parser: ArgumentParser) -> None:
    """What to do, and the options of that."""
    from . import schedule_import

    parser.add_argument("words", nargs="*", metavar="import SOURCE", help="what to do")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    schedule_import.add_arguments(parser)


def execute(args: Any) -> int:
    """Do it."""
    from ..core.errors import UsageError
    from . import schedule_import

    if args.words[:1] != ["import"]:
        raise UsageError("schedule what?", hint="`schedule --help` has it")
    return schedule_import.execute(args)
