"""The process that `selftest` kills, or that tries a lock for it (selftest/rounds.py); not for people."""

from __future__ import annotations

import os
import sys

from .. import exits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..arguments import Arguments


def execute(args: Arguments) -> int:
    """Read an order from standard input and follow it."""
    import json

    from ..core import files
    from ..selftest.rounds import KILL, be_killed

    order = json.load(sys.stdin)
    if "lock" in order:
        fd = files.open_private(order["lock"], os.O_RDWR)
        try:
            return exits.OK if files.lock_fd(fd, wait=False) else exits.BUSY
        finally:
            os.close(fd)
    be_killed(order, args.clock, lambda: os.kill(os.getpid(), KILL))
    return exits.OK
