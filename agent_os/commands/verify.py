"""`verify`: whether everything that is stored is what was stored, and the figures are what their lines come to."""

from __future__ import annotations

from .. import exits
from . import emit, emit_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from typing import Any

    from ..core.audit import Audit

UNSEALED = "no seal speaks for them yet, the next run that stores something makes one"


def add_arguments(parser: ArgumentParser) -> None:
    """Nothing of its own."""


def execute(args: Any) -> int:
    """Walk everything; name the first row that is wrong, count the others."""
    from ..core.audit import Audit

    home = args.open()
    audit = Audit(home.store().db)
    audit.walk()
    if args.json:
        emit_json(as_json(audit))
    else:
        show(audit)
    return exits.DATA if audit.faults else exits.OK


def as_json(audit: Audit) -> dict[str, Any]:
    """What was counted, and the first fault, if there is one."""
    return {
        "whole": not audit.faults,
        "batches": audit.batches,
        "lines": audit.lines,
        "pages": audit.pages,
        "chain_head": audit.head,
        "unsealed": audit.unsealed,
        "faults": audit.faults,
        "first": audit.first._asdict() if audit.first else None,
    }


def show(audit: Audit) -> None:
    """In two or three lines."""
    from ..core.text import plural, safe

    first = audit.first
    if first:
        of = " ".join(filter(None, (first.provider, first.day)))
        row = f" {first.id}" if first.id else ""
        emit(safe(f"damaged: {first.table}{row}{f' ({of})' if of else ''}: {first.what}"))
        if audit.faults > 1:
            emit(f"and {plural(audit.faults - 1, 'fault')} more, which may come of the first")
    counts = ", ".join(
        plural(*each) for each in ((audit.batches, "batch"), (audit.lines, "line"), (audit.pages, "page"))
    )
    emit(f"{'looked at' if first else 'whole:'} {counts}, chain head {audit.head or 'none'}")
    if audit.unsealed and audit.batches:
        emit(f"not proven: that no row of {' and '.join(audit.unsealed)} is gone or moved; {UNSEALED}")
