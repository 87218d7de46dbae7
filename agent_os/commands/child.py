"""The other process of a task with a timeout (core/child.py); not for people."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..arguments import Arguments
    from ..core.home import Home
    from ..core.spec import Task


def execute(args: Arguments) -> int:
    """Read an order from standard input, run its task, and say what came of it on what was standard output."""
    from ..core.apps import load
    from ..core.child import serve

    stdin, stdout = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)  # what the task prints is its output, never a line of ours
    os.close(null)
    sys.stdout = sys.stderr

    def open_home(order: dict[str, Any]) -> Home:
        args.home, args.db_path, args.log_file = order["home"], order["db_path"], order["log_file"]
        args.quiet = True
        return args.open()

    def load_task(order: dict[str, Any], _: Home) -> Task:
        return load(order["app"], base="").tasks[order["task"]]

    return serve(stdin, stdout, open_home=open_home, load_task=load_task)
