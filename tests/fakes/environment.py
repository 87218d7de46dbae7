"""The environment of a program that is started by a test: next to nothing, as under cron."""

from __future__ import annotations

import os
import sys


def bare(**more: str) -> dict[str, str]:
    """Where the program is, and a home directory in which nobody lives."""
    return {"PYTHONPATH": os.pathsep.join(sys.path), "HOME": os.environ["HOME"], **more}
