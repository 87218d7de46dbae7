"""`tasks`: what can be run, and what keeps a task from running."""

from __future__ import annotations

from .. import exits
from . import emit_json, emit_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser

    from ..arguments import Arguments


def add_arguments(parser: ArgumentParser) -> None:
    """No options of its own."""


def execute(args: Arguments) -> int:
    """List every task with its state."""
    from .run import app_tasks, chosen

    home = args.open()
    collectors = chosen("run_all", home)
    rows = [
        (each.task, each.disabled or f"ready, key from {each.key_name}", (each.__doc__ or "").strip())
        for each in collectors
    ]
    ready = any(not each.disabled for each in collectors)
    rows.append(("run_all", "ready" if ready else "disabled: no provider is ready", "All of the above, side by side."))
    rows.append(("export", "ready", "What is stored, as CSV or JSON lines."))
    rows += [(name, "ready", (task.__doc__ or "").strip()) for name, task in app_tasks(home, args.app).items()]
    if args.json:
        emit_json([dict(zip(("task", "state", "what"), row)) for row in rows])
    else:
        emit_table(("task", "state", "what it does"), rows)
    return exits.OK
