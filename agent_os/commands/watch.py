"""`watch`: has every task succeeded in time? For whatever monitors this machine: exit 0 or 1, and a line a task."""

from __future__ import annotations

from .. import exits
from ..core.clock import minute
from . import add_app, emit_json, emit_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from typing import Any, Optional

    from ..core.home import Home
    from ..core.journal import Journal
    from ..core.lateness import Known
    from ..core.plan import Setup
    from ..core.spec import Task
    from ..core.survey import Survey


WIDTH = 80  # of the first line, which a status bar shows


def add_arguments(parser: ArgumentParser) -> None:
    """Tasks, --grace, --strict, --app."""
    parser.add_argument("names", nargs="*", metavar="TASK", help="only these (default: all that have a time)")
    parser.add_argument(
        "--grace", metavar="TIME", help="how late a success may be, as 90m (default: 1h, or as declared)"
    )
    parser.add_argument("--strict", action="store_true", help="exit 1 for a suspicious success, too")
    add_app(parser)


def execute(args: Any) -> int:
    """Print who is late, and who is suspicious."""
    from ..wiring import setup_of

    grace = grace_of(args.grace)
    home = args.open()
    setup = setup_of(home, app=args.app)
    found, apart = look_over(home, setup, args.names, grace=grace)
    late = [each for each in found if each["state"] == "late"]
    odd = [each for each in found if each["warnings"]]
    if args.json:
        emit_json({"state": "late" if late else "warning" if odd else "ok", "tasks": found, "not_loaded": apart})
    elif late or odd or not args.quiet:
        for line in lines_of(found, apart):
            emit_text(line)
    return exits.FAILED if late or (args.strict and odd) else exits.OK


def look_over(
    home: Home, setup: Setup, names: Sequence[str], *, grace: Optional[float]
) -> tuple[list[dict[str, Any]], list[str]]:
    """What is to be said of each task, as --json says it, and the tasks of apps that are not loaded; for the Python API
    and `doctor`, too. Raises what `tasks_of` does, and ConfigError where there is no database yet.
    """
    from ..core.journal import Journal
    from ..core.schedules import Schedules
    from ..core.survey import Survey
    from .tick_look import edited

    tasks = tasks_of(setup, names)
    with home.reading() as store:
        survey, journal, now = Survey(store.db), Journal(store.db), home.clock.now()
        rows, written_at = Schedules(store.db).all(), edited(home, setup)
        found = [
            facts_of(
                task, setup, home, survey, now=now, grace=grace, is_named=task.name in names,
                reason=reason_of(task, journal),
                since=since_of(task, rows.get(task.name), home, written_at=written_at.get(task.app, ""), now=now),
            )
            for task in tasks
        ]  # fmt: skip
    return found, [] if names else not_loaded(rows, setup)


def grace_of(text: Optional[str]) -> Optional[float]:
    """The seconds of --grace; None where it was not given. Raises UsageError."""
    from ..core.errors import UsageError
    from ..core.spec import seconds_of

    if text is None:
        return None
    seconds = 0.0 if text.strip().rstrip("smhd") == "0" else seconds_of(text)
    if seconds is None:
        raise UsageError(f"--grace is {text[:40]!r}", hint="give a duration such as 90s, 5m or 2h")
    return seconds


def tasks_of(setup: Setup, names: Sequence[str]) -> list[Task]:
    """The tasks to look at. Raises UsageError for one that owes nothing, ConfigError where none does."""
    from ..core.errors import ConfigError, UsageError
    from ..core.lateness import is_watched
    from ..wiring import targets_of

    if not names:
        found = [task for task in setup.tasks.values() if is_watched(task)]
        if all(setup.collectors[task.name].disabled for task in found if task.kind == "collector") and not any(
            task.kind != "collector" for task in found
        ):
            raise ConfigError(
                "there is nothing to watch: no task has a schedule, days or a period, and no provider is set up",
                hint="`tasks` lists the tasks, `providers` the sources",
            )
        return found
    chosen = [setup.tasks[target] for name in dict.fromkeys(names) for target in targets_of(name, setup)]
    for task in chosen:
        if not is_watched(task):
            raise UsageError(
                f"the task {task.name} is due when it is asked for, so it is never late",
                hint="declare how often it should succeed, as period = 1d",
            )
    return list(dict.fromkeys(chosen))


def facts_of(  # noqa: PLR0913 (all that is known of a task, by name)
    task: Task, setup: Setup, home: Home, survey: Survey, *, reason: str, since: str, now: datetime,
    grace: Optional[float], is_named: bool,
) -> dict[str, Any]:  # fmt: skip
    """What is to be said of a task, as --json says it."""
    from ..core.lateness import judge

    disabled = setup.disabled(task, home.settings)
    if task.kind == "collector" and not since and not disabled:
        since = set_up_at(home, now)
    known = known_of(task, survey, since=since, now=now)
    verdict = judge(task, known, now=now, grace_seconds=grace)
    if disabled and not is_named:
        verdict.state, verdict.due_at, verdict.warnings = "not set up", "", []
    return {
        "task": task.name,
        "state": verdict.state,
        "due_at": verdict.due_at or None,
        "late_seconds": round(verdict.late_seconds, 3) if verdict.state == "late" else None,
        "last_success_at": known.ended_at or None,
        "last_slot": known.done or None,
        "reason": disabled or reason or None,
        "warnings": verdict.warnings,
    }


def since_of(
    task: Task, row: Optional[tuple[str, str, str]], home: Home, *, written_at: str, now: datetime
) -> str:  # fmt: skip
    """Since when a task owes anything, as it is declared now; `""` where nobody knows.

    `row` is what `tick` has written down of it. If it was declared anew after that, the time counts at which that was
    written (`written_at`): the next tick will see it so. A task without a time of its own `tick` never writes down.
    """
    from ..core.ticking import DAYS, OFF, declaration_of

    if task.kind != "collector" and task.is_adhoc:
        return written_at
    if row is None or row[0] == declaration_of(task) or (task.partition and row[0].endswith(DAYS)):
        return row[1] if row else ""
    return max(row[1], set_up_at(home, now) if row[0].startswith(OFF) else written_at)


def not_loaded(rows: Mapping[str, tuple[str, str, str]], setup: Setup) -> list[str]:
    """The tasks that `tick` looks after, but of an app that is not loaded here."""
    from ..core.ticking import OFF

    apps = {task.app for task in setup.tasks.values()} | {""}
    return sorted(
        task
        for task, (declared, _, app) in rows.items()
        if app not in apps and task not in setup.tasks and not declared.startswith(OFF)
    )


def set_up_at(home: Home, now: datetime) -> str:
    """When a collector was set up at the latest: when the settings were written last; `""` where there are none."""
    import os

    from .tick_look import written_at

    return max(written_at(os.path.join(home.settings.home, name), now) for name in (".env", "agent_os.ini"))


def known_of(task: Task, survey: Survey, *, since: str, now: datetime) -> Known:
    """What the database knows of a task."""
    from ..core.clock import iso
    from ..core.lateness import Known, latest_of

    done, last = "", survey.last_success(task.name, now=iso(now))
    if task.kind == "collector":
        done = survey.newest_read(task.name, before=iso(now)[:10])
    elif not task.is_adhoc:
        latest, shape = latest_of(task, now)
        done = survey.newest_done(task.name, latest=latest, shape=shape)
    if last is None:
        return Known(done=done, since=since)
    size = 0
    if task.min_output:
        is_command = task.kind == "command"
        size = survey.printed_bytes(last.run_id) if is_command else survey.output_bytes(task.name, last.slot)
    if task.kind != "collector" and task.is_adhoc:
        since = ""  # a period is counted from the last success, whenever the file was written
    return Known(done=done, began_at=last.started_at, ended_at=last.finished_at, since=since, size=size)


def reason_of(task: Task, journal: Journal) -> str:
    """What the newest run has to say, if it did not succeed."""
    last = journal.last_run(task.name)
    if last is None:
        return "it never ran"
    status, error, began_at = last
    if status == "running":
        return f"running since {minute(began_at)}"
    return "" if status == "success" else f"{status}: {error}" if error else status


def lines_of(found: Sequence[dict[str, Any]], apart: Sequence[str] = ()) -> list[str]:
    """One line that says it all, then one for each task that is late or suspicious."""
    from ..core.text import plural

    watched = [each for each in found if each["state"] != "not set up"]
    late = [each for each in found if each["state"] == "late"]
    odd = [each for each in found if each["warnings"]]
    if late:
        lines = [named(f"LATE: {len(late)} of {plural(len(watched), 'task')}: ", [each["task"] for each in late])]
    elif odd:
        lines = [f"WARNING: {plural(len(watched), 'task')} on time, {len(odd)} suspicious"]
    else:
        lines = [f"OK: {plural(len(watched), 'task')} on time"]
    lines += [late_line(each) for each in late]
    lines += [f"{each['task']}: {warning}" for each in odd for warning in each["warnings"]]
    absent = [each["task"] for each in found if each["state"] == "not set up"]
    lines += [f"not set up: {', '.join(sorted(absent))}"] if absent else []
    return [*lines, f"not watched (their app is not loaded, see --app): {', '.join(apart)}"] if apart else lines


def named(first: str, names: Sequence[str]) -> str:
    """A line with as many names as it has room for, one at least; the others are counted."""
    for count in range(min(len(names), WIDTH), 1, -1):
        more = f" and {len(names) - count:,} more" if count < len(names) else ""
        line = f"{first}{', '.join(names[:count])}{more}"
        if len(line) <= WIDTH:
            return line
    return f"{first}{names[0]}" + (f" and {len(names) - 1:,} more" if len(names) > 1 else "")


def late_line(each: dict[str, Any]) -> str:
    """What is wrong with a task that is late."""
    from ..core.text import safe, span

    last = each["last_success_at"]
    told = [f"due {minute(each['due_at'])}, {span(each['late_seconds'])} ago"]
    told.append(f"last success {minute(last)}" if last else "no success yet")
    told += [each["reason"]] if each["reason"] else []
    return f"{each['task']}: {safe('; '.join(told))}"
