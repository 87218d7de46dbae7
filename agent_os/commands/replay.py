"""`replay`: run the slot of a run once more, whatever came of it. An effect that was done is not done again."""

from __future__ import annotations

from ..core.chronicle import Chronicle
from ..core.clock import iso
from . import add_app
from .runs import WHICH, find, run_again, slots_of, task_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from typing import Any


def add_arguments(parser: ArgumentParser) -> None:
    """RUN, --from-step, --app."""
    parser.add_argument("run", metavar="RUN", help=WHICH)
    parser.add_argument("--from-step", metavar="STEP", help="read the steps before this one instead of running them")
    add_app(parser)


def execute(args: Any) -> int:
    """Run the slot, its steps anew or from one of them on, and report as `--task` does."""
    from ..wiring import setup_of

    began_at = iso(args.clock.now())
    home = args.open()
    setup = setup_of(home, app=args.app)
    with home.reading() as store:
        run = find(Chronicle(store.db), args.run)
    keys = slots_of(run, task_of(run, setup))
    return run_again(args, home, setup, keys={run.task: keys}, began_at=began_at, force=True)
