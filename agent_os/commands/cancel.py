"""`cancel`: have a run that is under way ended, and tell what came of it."""

from __future__ import annotations

from .. import exits
from ..core import lock
from ..core.chronicle import Chronicle
from ..core.errors import TaskError
from ..core.slots import Slots
from . import emit, emit_json
from .runs import WHICH, find

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from typing import Any

    from ..core.chronicle import Run
    from ..core.clock import Clock
    from ..core.db import Database

WAIT_SECONDS = 15.0
LOOK_SECONDS = 0.2


def add_arguments(parser: ArgumentParser) -> None:
    """RUN."""
    parser.add_argument("run", metavar="RUN", help=WHICH)


def execute(args: Any) -> int:
    """Ask its runner to end the run and wait for that; close the run where its runner is gone."""
    home = args.open()
    with home.reading() as store:
        run = find(Chronicle(store.db), args.run)
    if run.status != "running":
        return tell(args, run, f"is over already: {run.status}")
    db = home.store(write=True).db
    if lock.is_gone(home.db_path, run.owner):
        with db.atomic():
            Slots(db).interrupt(run.owner)
        home.log.debug("run.interrupted", "its runner was gone: closed", task=run.task, run=run.id)
        return tell(args, Chronicle(db).run(run.id) or run, "is closed: its runner was gone; its slot is due again")
    with db.atomic():
        Slots(db).ask_to_cancel(run_id=run.id)
    home.log.debug("run.cancel", "its end was asked for", task=run.task, run=run.id)
    run = ended(db, run, clock=args.clock)
    if run.status == "running":
        raise TaskError(
            f"run {run.id} of {run.label} has not ended within {WAIT_SECONDS:.0f} seconds of being asked to",
            hint=f"it ends as soon as its runner looks; `show {run.id}` tells who that is",
        )
    is_cancelled = (run.error or "").startswith("cancelled")
    return tell(args, run, "was cancelled" if is_cancelled else f"came to its end before that: {run.status}")


def ended(db: Database, run: Run, *, clock: Clock) -> Run:
    """The run when it is over, or after 15 seconds; signals are heard meanwhile."""
    deadline = clock.monotonic() + WAIT_SECONDS
    while run.status == "running" and clock.monotonic() < deadline:
        clock.sleep(LOOK_SECONDS)
        run = Chronicle(db).run(run.id) or run
    return run


def tell(args: Any, run: Run, what: str) -> int:
    """One sentence, or the same as JSON."""
    if args.json:
        emit_json(
            {
                "run": run.id, "task": run.task, "slot": run.slot or None, "status": run.status, "error": run.error,
                "what": what,
            }
        )  # fmt: skip
    elif not args.quiet:
        from ..core.text import safe

        emit(safe(f"run {run.id} of {run.label} {what}"))
    return exits.OK
