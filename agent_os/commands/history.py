"""`history`: the runs of the past, newest first."""

from __future__ import annotations

from .. import exits
from ..core.chronicle import Chronicle
from . import emit, emit_json, emit_table, terminal_width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Sequence
    from typing import Any, Optional

    from ..core.chronicle import Run
    from ..core.store import Store

WIDE = 120  # columns of a terminal that has room for whole ids


def add_arguments(parser: ArgumentParser) -> None:
    """--task, --status, --since, --limit."""
    parser.add_argument("--task", dest="of_task", metavar="NAME", default="", help="only runs of this task")
    parser.add_argument("--status", choices=("running", "success", "failed", "skipped"), default="", help="only these")
    parser.add_argument("--since", metavar="DAY", help="only runs that started on this UTC day or later")
    parser.add_argument("--limit", metavar="N", default="20", help="how many at most (default: 20)")


def execute(args: Any) -> int:
    """Print the newest runs."""
    since, _ = args.days()
    runs = Chronicle(args.open().store().db).runs(
        task=args.of_task, status=args.status, since=since or "", most=args.whole("limit", args.limit, most=2**31)
    )  # fmt: skip
    if args.json:
        emit_json([as_json(run) for run in runs])
    elif not runs:
        emit("no run is recorded" + (" that fits" if args.of_task or args.status or since else ""))
    else:
        show(runs)
    return exits.OK


def past(store: Store, *, task: str, status: str, since: Optional[str], most: int) -> list[dict[str, Any]]:
    """The newest runs, as `--json` lists them; for the Python API too."""
    runs = Chronicle(store.db).runs(task=task, status=status, since=since or "", most=most)
    return [as_json(run) for run in runs]


def as_json(run: Run) -> dict[str, Any]:
    """A run; the slot is null where it had none, as a collector's, which is about many days."""
    return {
        "run": run.id, "task": run.task, "provider": run.provider, "status": run.status, "started_at": run.started_at,
        "finished_at": run.finished_at, "error": run.error, "requests": run.requests, "notes": run.notes,
        "slot": run.slot or None, "attempts": run.attempts,
    }  # fmt: skip


def show(runs: Sequence[Run]) -> None:
    """A line a run; the reason or error last, where it may be long. Columns that say nothing are left out."""
    from ..core.clock import minute
    from ..core.text import span

    is_narrow = (terminal_width() or WIDE) < WIDE  # the end of an id will do to name a run
    lines: list[dict[str, str]] = []
    for run in runs:
        took = "" if run.seconds is None or run.status == "skipped" else span(run.seconds)
        started = minute(run.started_at).replace("T", " ") if is_narrow else run.started_at[:19] + "Z"
        lines.append(
            {
                "started": started, "task": run.task, "slot": run.slot, "status": run.status,
                "attempts": str(run.attempts), "requests": str(run.requests), "took": took,
                "run": run.id[-12:] if is_narrow else run.id, "what was said": run.error or run.notes,
            }
        )  # fmt: skip
    usual = {"slot": {""}, "attempts": {"0", "1"}, "requests": {"0"}}
    header = [name for name in lines[0] if {line[name] for line in lines} - usual.get(name, set())]
    right = {place for place, name in enumerate(header) if name in ("attempts", "requests")}
    emit_table(header, [[line[name] for name in header] for line in lines], right=right)
