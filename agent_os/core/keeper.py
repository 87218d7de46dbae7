"""Ends the commands of a runner that was killed: a shell that waits for the end of a pipe, which is the runner's end.

It has the runner's lock too. So a runner lives, for all others, until nothing that it started is at work any more, and
what it was doing is not begun again beside that.
"""

from __future__ import annotations

import contextlib
import os
import sys
from _thread import allocate_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess
    from typing import Optional

GRACE_SECONDS = 5  # from SIGTERM to SIGKILL, as for a timeout
ORPHANED = "its runner was killed; what that had left running is being ended"
_PATIENCE_SECONDS = 1.0  # with the shell, once there is nothing left for it to do
_SHELL = "/bin/sh"
_PLACES = "/usr/bin:/bin"  # of the one program that it needs
# It reads `+GROUP` and `-GROUP`, a line each, until `.`, or until nobody can write any more. Its output is the text in
# the lock.
_SCRIPT = """# agent_os: ends what it has started, should it be killed
trap '' HUP INT TERM
groups=' '
while read -r line; do
  group=${line#?}
  case $line in
    +*) groups="$groups$group " ;;
    -*) groups="${groups%% $group *} ${groups#* $group }" ;;
    .) break ;;
  esac
done
[ -n "${groups# }" ] || exit 0
echo "$1"
alive() {
  for group in $groups; do kill -s 0 -- "-$group" && return; done
  return 1
}
for group in $groups; do kill -s TERM -- "-$group"; done
tenths=0
while alive && [ "$tenths" -lt "$2" ]; do
  sleep 0.1 || sleep 1
  tenths=$((tenths + 1))
done
for group in $groups; do kill -s KILL -- "-$group"; done
"""


class Keeper:
    """Knows which process groups a runner has started. Any thread; no shell is started before there is one."""

    def __init__(self, lock_fd: int) -> None:
        self._lock_fd = lock_fd
        self._turn = allocate_lock()
        self._shell: Optional[subprocess.Popen[bytes]] = None
        self._pipe = -1
        self._may_start = sys.platform != "win32" and os.path.exists(_SHELL)

    def start(self, path: str = "") -> None:
        """Be there before the first group is; where no shell can be had, nobody is. `path`: where programs are, too."""
        with self._turn, contextlib.suppress(OSError, ValueError):  # ValueError: a path that is none
            if self._may_start:
                self._may_start = False
                self._start(f"{_PLACES}:{path}" if path else _PLACES)

    def watch(self, group: int) -> None:
        """From here on this group is ended if this process is killed."""
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        """It has ended, or has been ended."""
        self._tell(f"-{group}\n")

    def _tell(self, line: str) -> None:
        with self._turn, contextlib.suppress(OSError):  # somebody has ended or stopped the shell
            if self._pipe >= 0:
                os.write(self._pipe, line.encode("ascii"))

    def _start(self, path: str) -> None:
        from subprocess import DEVNULL, Popen

        words = [_SHELL, "-c", _SCRIPT, "agent_os", ORPHANED, str(10 * GRACE_SECONDS)]
        reader, writer = os.pipe()
        try:
            os.set_blocking(writer, False)
            self._shell = Popen(  # noqa: S603 (our own words)
                words, stdin=reader, stdout=self._lock_fd, stderr=DEVNULL, cwd="/", env={"PATH": path},
                start_new_session=True,
            )  # fmt: skip
            self._pipe = writer
        finally:
            os.close(reader)
            if self._pipe < 0:
                os.close(writer)

    def close(self) -> None:
        """The runner ends by itself. Said in a word, since what a task has forked may have our end of the pipe, too."""
        self._tell(".\n")
        with self._turn:
            self._may_start = False
            if self._shell:
                os.close(self._pipe)
                self._pipe = -1
                with contextlib.suppress(Exception):  # one that is stopped ends when it goes on
                    self._shell.wait(_PATIENCE_SECONDS)
                self._shell = None
