"""`emit`: tasks for a scheduler that you have: a DAG of Airflow, a CronJob, a timer and a service, a crontab."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .. import exits
from . import add_app, emit, emit_json

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Sequence
    from typing import Any

    from ..core.home import Home
    from ..schedulers.calls import Call, Outline

TARGETS = ("airflow", "kubernetes", "systemd", "cron")
ANY_FILE = "/path/to/agent_os.pyz"


def add_arguments(parser: ArgumentParser) -> None:
    """TARGET, TASK..., --app, --file, --image."""
    parser.add_argument("target", metavar="TARGET", choices=TARGETS, help=f"one of {', '.join(TARGETS)}")
    parser.add_argument("of_tasks", metavar="TASK", nargs="+", help="a task, or run_all; several belong together")
    parser.add_argument("--file", metavar="FILE", default="", help="where the program is there (default: this file)")
    parser.add_argument("--image", metavar="IMAGE", default="", help="kubernetes: the image with Python and the file")
    add_app(parser)


def execute(args: Any) -> int:
    """Print the text. Nothing is installed, and nothing of the home is changed."""
    from ..core.errors import ConfigError, UsageError
    from ..schedulers.calls import EXPORT, outlines_of
    from ..wiring import setup_of, targets_of

    if args.image and args.target != "kubernetes":
        raise UsageError(f"--image means nothing to {args.target}", hint="only kubernetes runs images")
    home = args.open()
    setup = setup_of(home, app=args.app)
    for name in args.of_tasks:
        if name != EXPORT:
            targets_of(name, setup)  # raises for one that is not known
    try:
        texts = _texts(args, outlines_of(args.of_tasks, setup.tasks), _call(args, home))
    except ValueError as error:
        raise ConfigError(str(error), hint="nothing was printed") from error
    if args.json:
        emit_json(texts)
    else:
        emit("\n".join(_headed(name, text, len(texts)) for name, text in texts.items()).rstrip("\n"))
    return exits.OK


def _texts(args: Any, outlines: Sequence[Outline], call: Call) -> dict[str, str]:
    """What is to be put where: the name of each file, and its text."""
    if args.target == "airflow":
        from ..schedulers.airflow import dag_of

        name = "_".join(outline.task for outline in outlines)[:200]
        return {f"agent_os_{name}.py": dag_of(outlines, call, today=args.clock.today())}
    if args.target == "kubernetes":
        from ..schedulers.kubernetes import manifest_of

        return {"agent-os.yaml": manifest_of(outlines, call, image=args.image)}
    from ..schedulers.task_units import crontab_of, units_of

    if args.target == "cron":
        return {"crontab": crontab_of(outlines, call)}
    return {name: text for outline in outlines for name, text in units_of(outline, call).items()}


def _call(args: Any, home: Home) -> Call:
    """How the program is started there. Raises ValueError for a path that no line can hold."""
    from ..core import archive
    from ..schedulers import kubernetes
    from ..schedulers.calls import Call
    from .schedule_trigger import paths_of

    python, *rest = archive.self_command()
    file = args.file or (rest[0] if archive.is_single_file() else ANY_FILE)
    app = os.path.abspath(args.app) if os.path.exists(args.app) else args.app  # who starts it stands elsewhere
    call = Call((python, file), home.settings.home, app, tuple(paths_of(home)))
    if args.target == "kubernetes":
        call = Call(("python3", args.file or kubernetes.FILE), kubernetes.HOME, args.app)
    for path in (*call.program, call.home, call.app, *call.paths, args.image):
        if not path.isprintable() or (path.endswith("\\") and os.name != "nt"):
            raise ValueError(f"the path {path[:60]!r} holds a character that no line can")
    return call


def _headed(name: str, text: str, count: int) -> str:
    """A file with its name before it, where there are several."""
    return f"# --- {name}\n{text}" if count > 1 else text
