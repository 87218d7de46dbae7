"""`plan`: what `--task` would do now: which runs, in which order, how long; what is skipped or blocked, and why."""

from __future__ import annotations

from .. import exits
from . import add_app, emit_json, emit_table, emit_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Sequence
    from typing import Any, Optional

    from ..core.outlook import Line, Outlook


def add_arguments(parser: ArgumentParser) -> None:
    """TASK, --since, --until, --app."""
    parser.add_argument("of_task", nargs="?", metavar="TASK", default="run_all", help="default: run_all")
    parser.add_argument("--since", metavar="DAY", help="as with --task: first UTC day, included")
    parser.add_argument("--until", metavar="DAY", help="as with --task: the UTC day to stop before")
    add_app(parser)


def execute(args: Any) -> int:
    """Print the plan. Nothing is run and nothing written."""
    from ..core.errors import ConfigError, UsageError, sentence
    from ..core.outlook import look_ahead
    from ..wiring import setup_of, targets_of
    from .run import check_order, order_of, refuse_disabled

    if args.of_task == "export":
        raise UsageError("export has no plan: it writes what is stored", hint="run it: --task export")
    home = args.open()
    setup = setup_of(home, app=args.app)
    targets = targets_of(args.of_task, setup)
    order = order_of(args, home)
    check_order(order, targets, setup)
    outlook = look_ahead(home, setup, targets, order)
    try:
        refuse_disabled(targets, setup, home)
    except ConfigError as error:
        outlook.refusal = sentence(error.message, error.hint)
    foretell(args, outlook, jobs=setup.jobs)
    return exits.OK


def foretell(args: Any, outlook: Outlook, *, jobs: int) -> None:
    """Print what would be done, for people or for programs."""
    if args.json:
        emit_json(as_json(outlook, task=args.of_task, jobs=jobs))
    else:
        show(outlook, jobs=jobs)


def as_json(outlook: Outlook, *, task: str, jobs: int) -> dict[str, Any]:
    """The plan, a run at a time; unknown figures are null."""
    runs = [
        {
            "order": number, "task": line.unit.task.name, "slot": line.unit.key or None,
            "since": line.unit.window[0], "until": line.unit.window[1], "action": line.action,
            "reason": line.reason or None, "waits_for": [before.label for before in line.waits_for],
            "expected_seconds": line.seconds, "expected_requests": line.requests,
        }
        for number, line in enumerate(outlook.lines, 1)
    ]  # fmt: skip
    return {
        "task": task,
        "refusal": outlook.refusal or None,
        "runs": runs,
        "left_out": [{"task": task.name, "slot": due.key, "reason": due.skip} for task, due in outlook.left_out],
        "remarks": outlook.remarks,
        "expected_seconds": outlook.seconds(jobs),
    }


def show(outlook: Outlook, *, jobs: int) -> None:
    """A line for each run, or for neighbours of a task that would come to the same; then all of it in a sentence."""
    rows = [row(lines) for lines in folded(outlook.lines)]
    left: dict[tuple[str, str], list[str]] = {}
    for task, due in outlook.left_out:
        left.setdefault((task.name, due.skip), []).append(due.key)
    rows += [(name, slots(keys), "leave out", "", "", "", reason) for (name, reason), keys in left.items()]
    emit_table(("task", "slots", "what", "comes after", "time", "requests", "why"), rows, right={4, 5})
    for remark in outlook.remarks:
        emit_text(remark)
    emit_text(summary(outlook, jobs))


def folded(lines: Sequence[Line]) -> list[list[Line]]:
    """Neighbours of the same task with the same to be said of them, together."""
    found: list[list[Line]] = []
    for line in lines:
        last = found[-1][-1] if found else None
        alike = last and (last.unit.task, last.action, last.reason) == (line.unit.task, line.action, line.reason)
        if alike and line.unit.key:
            found[-1].append(line)
        else:
            found.append([line])
    return found


def row(lines: Sequence[Line]) -> tuple[str, ...]:
    """One line of the table, for one run or several."""
    first = lines[0]
    unit = first.unit
    what = f"{first.action} {len(lines)}" if len(lines) > 1 else first.action
    is_run = first.action == "run"
    shown = slots([line.unit.key for line in lines]) if unit.key else days(unit.window)
    time = duration(first.seconds) + (" each" if len(lines) > 1 and first.seconds is not None else "")
    requests = "" if not unit.collector else "unknown" if first.requests is None else str(first.requests)
    return (
        unit.task.name, shown, what, after(lines), time if is_run else "", requests if is_run else "", first.reason
    )  # fmt: skip


def slots(keys: Sequence[str]) -> str:
    """One key, or the first and the last of several."""
    return keys[0] if len(keys) == 1 else f"{keys[0]} to {keys[-1]}"


def days(window: tuple[Optional[str], Optional[str]]) -> str:
    """The days that a collector asks for; nothing where it asks for none."""
    from ..core.days import Window

    start, end = window
    return str(Window(start, end)) if start and end else ""


def after(lines: Sequence[Line]) -> str:
    """What has to be over first: by its slot where there is one run, else by its task."""
    if len(lines) == 1:
        return ", ".join(before.label for before in lines[0].waits_for)
    return ", ".join(dict.fromkeys(before.task.name for line in lines for before in line.waits_for))


def duration(seconds: Optional[float]) -> str:
    """A duration, or that nobody knows."""
    from ..core.text import span

    return "unknown" if seconds is None else span(seconds)


def summary(outlook: Outlook, jobs: int) -> str:
    """What a run would come to."""
    from ..core.text import plural, span

    if outlook.refusal:
        return f"a run now would be refused: {outlook.refusal}"
    runs = outlook.runs()
    if not runs:
        return "nothing is due"
    seconds = outlook.seconds(jobs)
    took = "how long is unknown: not all of it has succeeded before" if seconds is None else f"about {span(seconds)}"
    side = f", {jobs} at a time" if len(runs) > 1 else ""
    return f"a run now would make {plural(len(runs), 'run')}{side}: {took}"
