"""One run of a task at a time: a lock that the kernel gives back when its holder dies. Never a PID."""

from __future__ import annotations

import os

from . import files
from .clock import iso

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .clock import Clock


class TaskLock:
    """The lock of one task on one database: the file `DATABASE.TASK.lock`. The text in it is for people only."""

    def __init__(self, db_path: str, task: str, *, clock: Clock) -> None:
        self.task = task
        self._path = f"{db_path}.{task}.lock"
        self._clock = clock
        self._fd = -1

    def acquire(self) -> bool:
        """Take the lock without waiting; False when another process holds it."""
        fd = files.open_private(self._path, os.O_RDWR | os.O_CREAT)
        if not files.lock_fd(fd, wait=False):
            os.close(fd)
            return False
        self._fd = fd
        try:
            os.ftruncate(fd, 0)
            os.write(fd, f"process {os.getpid()}, since {iso(self._clock.now())}\n".encode("ascii"))
        except OSError:
            pass  # the text only helps a person; a full disk must not stop a run here
        return True

    def holder(self) -> str:
        """Who holds it, as they wrote it down: "process 123, since 2026-…"; '' when unknown."""
        try:
            with open(self._path, encoding="ascii", errors="replace") as file:
                return file.read(200).strip()
        except OSError:
            return ""

    def release(self) -> None:
        """Give it back. The file stays: removing it would let two processes hold two locks of one name."""
        if self._fd >= 0:
            files.unlock_fd(self._fd)
            os.close(self._fd)
            self._fd = -1
