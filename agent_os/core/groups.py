"""Process groups and pipes as the two kinds of system have them. Knows nothing of what the pipes carry."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from io import FileIO

if sys.platform == "win32":
    import _winapi
    import msvcrt
    import threading

    def ready_pipes(reading: list[FileIO], writing: list[FileIO], seconds: float) -> list[FileIO]:
        """As below, except that a write may wait. Nobody can wait for a pipe here: look at each, then nap a little."""
        ready = [*(pipe for pipe in reading if _has_data(pipe)), *writing]
        if not ready:
            threading.Event().wait(min(seconds, 0.02))
        return ready

    def _has_data(pipe: FileIO) -> bool:
        try:
            return _winapi.PeekNamedPipe(msvcrt.get_osfhandle(pipe.fileno()))[0] != 0
        except OSError:
            return True  # its end

    def signal_group(child: subprocess.Popen[bytes], *, hard: bool) -> None:
        """As below, as far as a console reaches; `hard` ends the tree of processes that the child is the root of."""
        if hard:
            words = ["taskkill", "/T", "/F", "/PID", str(child.pid)]
            try:
                subprocess.run(words, capture_output=True, check=False)  # noqa: S603 (our own words)
            finally:
                child.kill()
        else:
            child.send_signal(signal.CTRL_BREAK_EVENT)

    def has_rest(_: int) -> bool:
        """As below; here nobody can tell."""
        return False

    is_at_work = has_rest

else:

    def ready_pipes(reading: list[FileIO], writing: list[FileIO], seconds: float) -> list[FileIO]:
        """Those that can be read or written at once, as soon as there is one; none when `seconds` were not enough."""
        poll = select.poll()  # needs no descriptor of its own
        for pipe in reading:
            poll.register(pipe, select.POLLIN)
        for pipe in writing:
            poll.register(pipe, select.POLLOUT)
        ready = {fd for fd, _ in poll.poll(seconds * 1000)}
        return [pipe for pipe in (*reading, *writing) if pipe.fileno() in ready]

    def signal_group(child: subprocess.Popen[bytes], *, hard: bool) -> None:
        """SIGTERM, or SIGKILL, to each process of the group that the child leads. OSError when that reaches nobody."""
        os.killpg(child.pid, signal.SIGKILL if hard else signal.SIGTERM)

    def has_rest(group: int) -> bool:
        """Whether anything is left of a group whose first process has been waited for, be it a zombie.

        Its number is not given away while it lasts: a process that has it now is a stranger, and so is its group.
        """
        try:
            os.kill(group, 0)
        except ProcessLookupError:
            with contextlib.suppress(OSError):  # nobody is left, or nobody that we may end
                os.killpg(group, 0)
                return True
        except PermissionError:
            pass
        return False

    def is_at_work(group: int) -> bool:
        """Whether more than zombies is left of it: as PID 1 of many a container waits for nobody, those may stay."""
        if not has_rest(group):
            return False
        try:
            pids = [name for name in os.listdir("/proc") if name.isdigit()]
        except OSError:
            return True  # no /proc here: it may be
        return any(_is_at_work(pid, group) for pid in pids)

    def _is_at_work(pid: str, group: int) -> bool:
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                state, _, its_group = file.read().rpartition(b")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return False  # gone, or another user's
        except OSError:
            return True  # cannot be told, as without /proc
        return int(its_group) == group and state not in (b"Z", b"X")
