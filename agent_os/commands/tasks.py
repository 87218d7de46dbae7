"""`tasks`: what can be run, and what keeps a task from running."""

from __future__ import annotations

from .. import exits
from . import add_app, emit_json, emit_table, emit_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser

    from ..arguments import Arguments
    from ..core.home import Home
    from ..core.plan import Setup
    from ..core.spec import Task


def add_arguments(parser: ArgumentParser) -> None:
    """--app."""
    add_app(parser)


def execute(args: Arguments) -> int:
    """List every task with what it waits for and its state."""
    from ..wiring import setup_of

    home = args.open()
    setup = setup_of(home, app=args.app)
    absent = [name for name, each in setup.collectors.items() if each.disabled and not each.is_expected]
    rows = [
        (task.name, state(task, setup, home), when(task), ", ".join(task.after), task.doc)
        for task in setup.tasks.values()
        if args.json or task.name not in absent
    ]
    ready = any(not each.disabled for each in setup.collectors.values())
    rows.append(
        ("run_all", "ready" if ready else "disabled: no provider is ready", "", "", "Every collector, side by side.")
    )
    rows.append(("export", "ready", "", "", "What is stored, as CSV or JSON lines."))
    if args.json:
        emit_json([dict(zip(("task", "state", "due", "after", "what"), row)) for row in rows])
    else:
        emit_table(("task", "state", "due", "after", "what it does"), rows)
        if absent:
            emit_text(f"not set up: {', '.join(sorted(absent))} (`providers` tells how)")
    return exits.OK


def when(task: Task) -> str:
    """When a task is due, in words."""
    if task.kind == "collector":
        return "every day"
    words = ["every day"] if task.partition else []
    if task.schedule:
        words.append(task.schedule.text)
        if not task.schedule.every:
            words.append(task.schedule.zone)
        if task.schedule.dst != "once":
            words.append(f"(dst = {task.schedule.dst})")
    return " ".join(words) or "when asked for"


def state(task: Task, setup: Setup, home: Home) -> str:
    """Whether a task can run, and what keeps it from it."""
    collector = setup.collectors.get(task.name)
    return setup.disabled(task, home.settings) or (f"ready, {collector.found}" if collector else "ready")
