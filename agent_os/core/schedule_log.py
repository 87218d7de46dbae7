"""The log of what an installed schedule starts: a file in the home that hears what a scheduled tick prints.

It should print nothing. The time of the file is that of the last scheduled tick, which is how `schedule status` knows.
An idle tick is nearly nothing: what is seldom needed here is imported only then.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime

NAME = "schedule.log"
MOST_BYTES = 1_000_000
_KIND, _PLAIN = 0o170000, 0o100000  # of a mode; the module that has them by name costs a start more than this file


def path_of(home: str) -> str:
    """Where it is."""
    return os.path.join(home, NAME)


def begin(home: str) -> None:
    """Make it, where it is not there yet: private, and empty."""
    from . import files

    os.close(files.open_private(path_of(home), os.O_WRONLY | os.O_CREAT | os.O_APPEND))


def sign(home: str, now: datetime) -> None:
    """A scheduled tick was here, at this instant; and the log is kept small. What fails here fails for nobody.

    Where there is none it is not made: the folder may be the wrong one. A link is not followed.
    """
    path = path_of(home)
    try:
        found = os.lstat(path)
        if found.st_mode & _KIND != _PLAIN:
            return
        if found.st_size > MOST_BYTES:
            _shorten(path)
        os.utime(path, (now.timestamp(), now.timestamp()))  # last: to shorten it is to change it
    except OSError:
        return


def _shorten(path: str) -> None:
    from . import files
    from .errors import AgentOSError

    try:
        files.bounded(path, MOST_BYTES)
    except AgentOSError:
        return


def signed_at(home: str) -> float:
    """When the last one was, in seconds since 1970; 0.0 where nobody knows."""
    try:
        return os.stat(path_of(home)).st_mtime
    except OSError:
        return 0.0
