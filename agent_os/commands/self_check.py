"""`self-check`: whether this file is whole. zipimport checks no sums, so a flipped bit would run unnoticed."""

from __future__ import annotations

from .. import exits
from ..core.errors import StoreError
from . import emit, emit_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser

    from ..arguments import Arguments


def add_arguments(parser: ArgumentParser) -> None:
    """No options of its own."""


def execute(args: Arguments) -> int:
    """Compare every member with the sums noted when the file was built."""
    from ..core.archive import is_single_file, self_check

    faults = self_check()
    if args.json:
        emit_json({"whole": not faults, "faults": faults})
    elif not faults:
        emit("this file is whole" if is_single_file() else "not a built file: there is nothing to compare with")
    if faults:
        raise StoreError(f"this file is damaged: {'; '.join(faults[:3])}", hint="copy or build it again")
    return exits.OK
