"""Files of ours: private from birth, never followed through a link, replaced whole or not at all, locked by the kernel.

Nothing here knows what is in a file. A system call that fails becomes the error that `errors.os_failure` makes of it.
"""

# ruff: noqa: SIM105 - pathlib and contextlib cost start-up
from __future__ import annotations

import errno
import os
import stat
import sys

from .errors import AgentOSError, ConfigError, os_failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import BinaryIO, Optional

# 0 where a system lacks one. O_NONBLOCK: opening a FIFO must not wait for its other end. O_BINARY: no newline games.
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_ALWAYS = _NOFOLLOW | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_CHECK = "check the path"
# Windows locks bytes, and against readers too: one far beyond any content hurts nobody.
_LOCK_OFFSET = 1 << 40


def check_plain(path: str, what: str) -> bool:
    """Whether `path` is a plain file of ours: True, or False when nothing is there.

    Raises ConfigError for anything else at that place (a link, FIFO, device, folder, a file with a second name or of
    another user). `what` names the file in the sentence: "the database".
    """
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        raise _failure(f"looking at {what} {path}", error) from error
    _refuse(_not_plain(found) or _not_ours(found), f"{what} {path}")
    return True


def open_private(path: str, flags: int) -> int:
    """A file descriptor on a plain file of ours, made 0600 whatever the umask where `flags` ask to create it.

    A link is not followed and a FIFO not waited for. The modes of a file that exists are its owner's choice and stay.
    """
    if not _NOFOLLOW:
        check_plain(path, "the file")
    try:
        fd = _open(path, flags | _ALWAYS)
    except (OSError, ValueError) as error:
        check_plain(path, "the file")  # says what it is where that is the reason: "is a symbolic link"
        raise _failure(f"opening {path}", error) from error
    try:
        found = os.fstat(fd)
        _refuse(_not_plain(found) or _not_ours(found), f"the file {path}")
    except BaseException:
        os.close(fd)
        raise
    return fd


def atomic_write(path: str) -> AtomicWrite:
    """Put a new file (0600) in the place of `path` once a `with` block ends well; yields the binary file to write to.

    The bytes are on the disk before the name is. After any exception, or a kill, the old file is as it was. An OSError
    of the block is taken for one of writing. The name itself may not be a link, device, FIFO or folder.
    """
    return AtomicWrite(path)


class AtomicWrite:
    """What `atomic_write` hands out: a context manager that yields a binary file."""

    def __init__(self, path: str) -> None:
        self._path = path
        folder, name = os.path.split(path)
        # In the same folder, since a rename does not cross file systems; the name is cut, since names have a longest.
        self._folder = folder
        self._temporary = os.path.join(folder, f".{name[:32]}.{os.getpid()}.{os.urandom(4).hex()}.tmp")

    def __enter__(self) -> BinaryIO:
        try:
            self._refuse_target()
            fd = _open(self._temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | _ALWAYS)
        except (OSError, ValueError) as error:
            raise _failure(f"writing {self._path}", error) from error
        self._file: BinaryIO = os.fdopen(fd, "w+b")
        return self._file

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        try:
            if error is None:
                self._publish()
            elif isinstance(error, OSError):
                raise os_failure(f"writing {self._path}", error) from error
        except OSError as failure:
            raise os_failure(f"writing {self._path}", failure) from failure
        finally:
            self._discard()

    def _refuse_target(self) -> None:
        try:
            _refuse(_not_plain(os.lstat(self._path)), self._path)
        except FileNotFoundError:
            return

    def _publish(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self._temporary, self._path)
        _sync_folder(self._folder or os.curdir)

    def _discard(self) -> None:
        try:
            self._file.close()  # what could not be written is tried once more here, and may fail once more
        except OSError:
            pass
        try:
            os.unlink(self._temporary)
        except OSError:
            pass  # renamed: the usual end


def bounded(path: str, most: int = 1_000_000) -> bool:
    """Let a log that others append to keep no more than the last half of `most` bytes, in whole lines, once it is
    longer than `most`; whether anything went. No file is fine.

    In place, since whoever has it open goes on writing into it; of two who do this at once, one does.
    """
    if not check_plain(path, "the log"):
        return False
    fd = open_private(path, os.O_RDWR)
    try:
        size = os.fstat(fd).st_size
        if size <= most or not lock_fd(fd, wait=False):
            return False
        os.lseek(fd, size - most // 2, os.SEEK_SET)
        _, _, kept = os.read(fd, most // 2).partition(b"\n")
        os.lseek(fd, 0, os.SEEK_SET)
        while kept:
            kept = kept[os.write(fd, kept) :]
        os.ftruncate(fd, os.lseek(fd, 0, os.SEEK_CUR))
    except OSError as error:
        raise os_failure(f"shortening {path}", error) from error
    finally:
        os.close(fd)
    return True


def lock_fd(fd: int, *, wait: bool, shared: bool = False) -> bool:
    """Lock the open file for this process alone; False when someone else holds it and `wait` is False.

    `shared`: with others who ask for that too, where the system knows such locks (Windows does not).

    The kernel frees it when the last descriptor of this opening is closed, however the process ends.
    """
    try:
        return _lock(fd, wait=wait, shared=shared)
    except OSError as error:
        raise os_failure("locking a file", error) from error


def unlock_fd(fd: int) -> None:
    """Give back what `lock_fd` took."""
    try:
        _unlock(fd)
    except OSError as error:
        raise os_failure("unlocking a file", error) from error


if sys.platform == "win32":

    def _lock(fd: int, *, wait: bool, shared: bool) -> bool:  # noqa: ARG001 (there are none here)
        import msvcrt

        place = os.lseek(fd, 0, os.SEEK_CUR)
        try:
            while True:
                os.lseek(fd, _LOCK_OFFSET, os.SEEK_SET)
                try:
                    msvcrt.locking(fd, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
                except OSError as error:
                    if not wait and error.errno == errno.EACCES:
                        return False
                    if error.errno != errno.EDEADLK:  # LK_LOCK gives up with it after ten seconds: ask again
                        raise
                else:
                    return True
        finally:
            os.lseek(fd, place, os.SEEK_SET)

    def _unlock(fd: int) -> None:
        import msvcrt

        place = os.lseek(fd, 0, os.SEEK_CUR)
        try:
            os.lseek(fd, _LOCK_OFFSET, os.SEEK_SET)
            msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)
        finally:
            os.lseek(fd, place, os.SEEK_SET)

else:

    def _lock(fd: int, *, wait: bool, shared: bool) -> bool:
        import fcntl

        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(fd, kind if wait else kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(fd: int) -> None:
        import fcntl

        fcntl.flock(fd, fcntl.LOCK_UN)


def _open(path: str, flags: int) -> int:
    """`os.open`; a file that this call creates is 0600, though the umask may have left it nothing at all."""
    if not flags & os.O_CREAT:
        return os.open(path, flags)
    while True:  # ends: the name comes and goes between the two calls only while someone else keeps at it
        try:
            fd = os.open(path, flags | os.O_EXCL, 0o600)
        except FileExistsError:
            if flags & os.O_EXCL:
                raise
        else:
            return _made_private(fd)
        try:
            return os.open(path, flags & ~os.O_CREAT)
        except FileNotFoundError:
            continue


def _made_private(fd: int) -> int:
    if sys.platform != "win32":
        try:
            os.fchmod(fd, 0o600)
        except OSError:
            os.close(fd)
            raise
    return fd


def _sync_folder(folder: str) -> None:
    """Bring the new name to the disk too, where the folder can be opened: never on Windows, not without read rights."""
    try:
        fd = os.open(folder, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except PermissionError:
        return
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems have nothing to sync there
            raise
    finally:
        os.close(fd)


def _not_plain(found: os.stat_result) -> str:
    """What it is instead of a regular file, or nothing."""
    mode = found.st_mode
    if stat.S_ISREG(mode):
        return ""
    if stat.S_ISLNK(mode):
        return "is a symbolic link"
    if stat.S_ISDIR(mode):
        return "is a folder"
    if stat.S_ISFIFO(mode):
        return "is a FIFO (named pipe)"
    return "is a device or socket"


def _not_ours(found: os.stat_result) -> str:
    if found.st_nlink > 1:
        return "has a second name (hard link)"
    if sys.platform != "win32" and found.st_uid not in (os.geteuid(), 0):
        return f"belongs to another user (uid {found.st_uid})"
    return ""


def _failure(doing: str, error: Exception) -> AgentOSError:
    """What a refused path becomes; ValueError is Python's answer to one that no system could take (NUL in it)."""
    return os_failure(doing, error) if isinstance(error, OSError) else ConfigError(f"{doing}: {error}", hint=_CHECK)


def _refuse(reason: str, name: str) -> None:
    if reason:
        raise ConfigError(f"{name} {reason}", hint="use a plain file that the user who runs this owns")
