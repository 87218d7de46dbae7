"""`doctor`: is everything in order? One line a check; nothing is changed and nobody is connected to."""

from __future__ import annotations

from .. import exits
from . import add_app, emit, emit_json, emit_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Iterator

    from ..arguments import Arguments
    from ..core.doctor import Check
    from ..core.plan import Setup


def add_arguments(parser: ArgumentParser) -> None:
    """--app."""
    add_app(parser)


def execute(args: Arguments) -> int:
    """Print what each check found; 0 when none found a problem, else the worst of what they come to."""
    from ..core.doctor import PROBLEM

    checks = []
    for check in examine(args):
        checks.append(check)
        if not args.json:
            emit_text(line(check), indent=19)
    problems = [check for check in checks if check.state == PROBLEM]
    if args.json:
        emit_json({"checks": [as_json(check) for check in checks], "problems": len(problems)})
    else:
        from ..core.text import plural

        emit(f"{plural(len(problems), 'problem')} found" if problems else "everything is in order")
    return exits.worst([exits.of(check.cause) if check.cause else exits.FAILED for check in problems])


def examine(args: Arguments) -> Iterator[Check]:
    """Every check; of a home that cannot be opened, why not."""
    from ..core.doctor import PROBLEM, failed, look_at_home, look_at_program
    from ..core.errors import AgentOSError
    from .doctor_time import look_at_time

    yield from look_at_program()
    try:
        home = args.open(warn=False)
    except AgentOSError as error:
        yield failed("settings", error)
        return

    found: list[Setup] = []

    def tasks() -> str:
        from ..core.text import plural
        from ..wiring import setup_of

        setup = setup_of(home, app=args.app)
        found.append(setup)
        outboxes = f", {plural(len(setup.outboxes), 'outbox')}" if setup.outboxes else ""
        silent = [
            f"; {task.name} pings nobody: {task.ping[4:].strip()} is not set"
            for task in setup.tasks.values()
            if task.ping and not (setup.pings and setup.pings.of(task.name))
        ]
        silent += [
            f"; the outbox {name} sends nothing, which is {disabled}"
            for name, outbox in setup.outboxes.items()
            if (disabled := setup.disabled(outbox, home.settings))
        ]
        return f"{plural(len(setup.tasks), 'task')}{outboxes}, no fault in them{''.join(silent)}"

    is_readable = True
    for check in look_at_home(home, tasks):
        is_readable = is_readable and not (check.name == "database" and check.state == PROBLEM)
        yield check
    if found and is_readable:
        yield from look_at_time(home, found[0])


def line(check: Check) -> str:
    """A check as a line for people."""
    from ..core.text import safe

    return safe(f"{check.state:<8} {check.name:<9} {check.message}" + (f"; {check.todo}" if check.todo else ""))


def as_json(check: Check) -> dict[str, str]:
    """A check for programs."""
    return {"check": check.name, "state": check.state, "message": check.message, "todo": check.todo}
