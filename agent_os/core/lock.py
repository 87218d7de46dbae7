"""A runner's lock: the kernel gives it back when its holder dies, however that happens. Never a PID.

The files `DATABASE.runner-N.lock` are numbered from 1; a runner takes the first that is free, and its name begins with
that number. So whether the runner `3.20261122T050000-1a2b3c4d5e6f` lives is asked of lock 3.
"""

from __future__ import annotations

import os

from . import files
from .clock import iso
from .errors import BusyError
from .keeper import ORPHANED, Keeper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from .clock import Clock

MOST_RUNNERS = 1000


def new_id(clock: Clock) -> str:
    """An id that sorts by time: `20261122T050000-1a2b3c4d5e6f`."""
    return f"{clock.now().strftime('%Y%m%dT%H%M%S')}-{os.urandom(6).hex()}"


class RunnerLock:
    """The lock of this runner; `owner` is its name, `number` that of its lock. The text in it tells who holds it."""

    def __init__(self, db_path: str, *, clock: Clock) -> None:
        self.owner = ""
        self.number = 0
        self._db_path = db_path
        self._clock = clock
        self._fd = -1
        self._keeper: Optional[Keeper] = None

    @property
    def keeper(self) -> Keeper:
        """What ends the commands of this runner if it is killed. It has the lock until that is done."""
        if not self._keeper:
            self._keeper = Keeper(self._fd)
        return self._keeper

    def acquire(self) -> None:
        """Take the first free lock. BusyError where a thousand runners live."""
        for number in range(1, MOST_RUNNERS + 1):
            fd = _try(_path(self._db_path, number))
            if fd < 0:
                continue
            self._fd, self.number = fd, number
            self.owner = f"{number}.{new_id(self._clock)}"
            try:
                os.ftruncate(fd, 0)
                text = f"process {os.getpid()}, since {iso(self._clock.now())}, runner {self.owner}\n"
                os.write(fd, text.encode("ascii"))
            except OSError:
                pass  # the text only helps a person; a full disk must not stop a run here
            return
        raise BusyError(
            f"{MOST_RUNNERS} runners are at work on {self._db_path}", hint="wait until some of them have ended"
        )

    def release(self) -> None:
        """Give it back. The file stays: removing it would let two processes hold two locks of one name."""
        if self._keeper:
            self._keeper.close()
            self._keeper = None
        if self._fd >= 0:
            files.unlock_fd(self._fd)
            os.close(self._fd)
            self._fd = -1


def number_of(owner: str) -> int:
    """The number of the lock that the runner of this name has, or had."""
    digits = owner.partition(".")[0]
    return int(digits) if digits.isascii() and digits.isdigit() else 0


def is_gone(db_path: str, owner: str) -> bool:
    """Whether the runner of this name is gone: nobody holds its lock, or someone else does."""
    number = number_of(owner)
    if not number:
        return True
    path = _path(db_path, number)
    if not _is_held(path):
        return True
    written = _written(path).partition("\n")[0].rpartition(", runner ")[2]
    return bool(written) and number_of(written) == number and written != owner


def holder(db_path: str, owner: str) -> str:
    """Who holds it, as they wrote it down: "process 123, since 2026-…"; '' when unknown."""
    return _written(_path(db_path, number_of(owner))).partition(", runner ")[0]


def is_orphaned(db_path: str, owner: str) -> bool:
    """Whether the runner of this name was killed, and what it had started is being ended: a matter of seconds."""
    return _written(_path(db_path, number_of(owner))).endswith(ORPHANED)


def _written(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read(200).strip()
    except OSError:
        return ""


def living(db_path: str) -> list[str]:
    """Who holds a runner's lock of this database now, as they wrote it down: "process 123, since 2026-…"."""
    folder, name = os.path.split(db_path)
    try:
        found = os.listdir(folder)
    except OSError:
        return []
    begin, end = f"{name}.runner-", ".lock"
    numbers = [
        number_of(each[len(begin) : -len(end)]) for each in found if each.startswith(begin) and each.endswith(end)
    ]
    held = [number for number in sorted(numbers) if number and _is_held(_path(db_path, number))]
    return [holder(db_path, str(number)) for number in held]


def _is_held(path: str) -> bool:
    fd = files.open_private(path, os.O_RDWR | os.O_CREAT)
    try:
        if files.lock_fd(fd, wait=False, shared=True):  # shared: those who look do not take each other for it
            files.unlock_fd(fd)
            return False
        return True
    finally:
        os.close(fd)


def _path(db_path: str, number: int) -> str:
    return f"{db_path}.runner-{number}.lock"


def _try(path: str) -> int:
    """The locked file, or -1 when someone else has it."""
    fd = files.open_private(path, os.O_RDWR | os.O_CREAT)
    try:
        if files.lock_fd(fd, wait=False):
            return fd
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)
    return -1
