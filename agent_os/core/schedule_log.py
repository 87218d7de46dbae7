"""The log of what an installed schedule starts: a file in the home that hears what a scheduled tick prints.

It should print nothing. The time of the file is that of the last scheduled tick, which is how `schedule status` knows.
"""

from __future__ import annotations

import os

from . import files
from .errors import AgentOSError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime

NAME = "schedule.log"


def path_of(home: str) -> str:
    """Where it is."""
    return os.path.join(home, NAME)


def begin(home: str) -> None:
    """Make it, where it is not there yet: private, and empty."""
    os.close(files.open_private(path_of(home), os.O_WRONLY | os.O_CREAT | os.O_APPEND))


def sign(home: str, now: datetime) -> None:
    """A scheduled tick was here, at this instant; and the log is kept small. What fails here fails for nobody.

    Where there is none it is not made: the folder may be the wrong one.
    """
    path = path_of(home)
    try:
        if files.check_plain(path, "the log"):  # a link is not followed
            files.bounded(path)
            os.utime(path, (now.timestamp(), now.timestamp()))  # last: to shorten it is to change it
    except (AgentOSError, OSError):
        return


def signed_at(home: str) -> float:
    """When the last one was, in seconds since 1970; 0.0 where nobody knows."""
    try:
        return os.stat(path_of(home)).st_mtime
    except OSError:
        return 0.0
