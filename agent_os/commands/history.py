"""`history`: the runs of the past, newest first."""

from __future__ import annotations

from .. import exits
from . import emit, emit_json, emit_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from typing import Any, Optional

    from ..core.store import Store


COLUMNS = ("run", "task", "provider", "status", "started_at", "finished_at", "error", "requests", "notes")


def add_arguments(parser: ArgumentParser) -> None:
    """--task, --status, --since, --limit."""
    parser.add_argument("--task", dest="of_task", metavar="NAME", default="", help="only runs of this task")
    parser.add_argument("--status", choices=("running", "success", "failed", "skipped"), default="", help="only these")
    parser.add_argument("--since", metavar="DAY", help="only runs that started on this UTC day or later")
    parser.add_argument("--limit", metavar="N", type=int, default=20, help="how many at most (default: 20)")


def execute(args: Any) -> int:
    """Print the newest runs."""
    since, _ = args.days()
    rows = args.open().store().runs(
        task=args.of_task, status=args.status, since=since or "", most=max(0, min(args.limit, 2**31))
    )  # fmt: skip
    if args.json:
        emit_json([dict(zip(COLUMNS, row)) for row in rows])
    elif not rows:
        emit("no run is recorded")
    else:
        show(rows)
    return exits.OK


def past(store: Store, *, task: str, status: str, since: Optional[str], most: int) -> list[dict[str, Any]]:
    """The newest runs, as `--json` lists them; for the Python API too."""
    rows = store.runs(task=task, status=status, since=since or "", most=most)
    return [dict(zip(COLUMNS, row)) for row in rows]


def show(rows: list[tuple[Any, ...]]) -> None:
    """A line a run; the reason or error last, where it may be long."""
    from ..core.clock import from_iso
    from ..core.text import span

    lines = []
    for run_id, task, _, status, started_at, finished_at, error, requests, notes in rows:
        seconds = (from_iso(finished_at) - from_iso(started_at)).total_seconds() if finished_at else 0.0
        took = span(max(0.0, seconds)) if finished_at else ""
        lines.append((started_at[:19] + "Z", task, status, str(requests), took, run_id, error or notes or ""))
    emit_table(("started", "task", "status", "requests", "took", "run", "what was said"), lines, right={3})
