"""The errors of the kernel. Each says what was being done, to what and what came back; its hint says what to do now.

Which exit code an error becomes is decided in `main` and nowhere else.
"""

from __future__ import annotations

import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional


class AgentOSError(Exception):
    """Base of every error that a user may meet: one sentence, and one that says what to do.

    `may_have_happened`: something was asked of another machine that changes things there, the asking left this one, at
    least in part, and no word came back that it was not taken. So it may be done; to ask again may do it twice.
    """

    may_have_happened = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.message = str(message)  # apps hand on whatever they have caught
        self.hint = str(hint or "")
        super().__init__(self.message)


class UsageError(AgentOSError):
    """The command line, or an argument of the Python interface, cannot be meant as it is."""


class ConfigError(AgentOSError):
    """Not set up: a setting, key or file is missing or wrong, or the database is newer than the program."""


class BusyError(AgentOSError):
    """Another run or writer holds what this one needs; nothing was done."""


class StoreError(AgentOSError):
    """The database is damaged, or empty or missing where data was."""


class ResourceError(AgentOSError):
    """The machine refused: no space, no permission to write, a limit."""


class TaskError(AgentOSError):
    """A task did not do its work. `status` is the HTTP status behind it, where there is one.

    `retry_after` is the wait in seconds that the other side asked for, if any.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        status: Optional[int] = None,
        retry_after: Optional[float] = None,
        may_have_happened: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.retry_after = retry_after
        self.may_have_happened = may_have_happened


class TransientError(TaskError):
    """May well work in a moment."""


class PermanentError(TaskError):
    """Will not get better by asking again."""


class KeyRefusedError(PermanentError):
    """The provider does not accept this key, or not for this. Other sources are unharmed."""


class FencedError(TaskError):
    """A run or runner does not have the slot, or has it no longer: its write is refused, and changed nothing."""


class Stopped(BaseException):
    """A signal asked the program to stop. Not an `Exception`: nothing on the way up may swallow it."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number


def sentence(message: str, hint: str) -> str:
    """What went wrong and what to do about it, as the one line that people get."""
    return f"{message}; {hint}" if hint else message


def out_of_memory() -> AgentOSError:
    """What a MemoryError becomes."""
    return ResourceError(
        "the memory that this process may use is used up", hint="raise the limit (ulimit -v) and start again"
    )


def import_failure(error: ImportError) -> Optional[AgentOSError]:
    """What an ImportError becomes that only says that no more files can be opened: a module in C raises no OSError."""
    reason = os.strerror(errno.EMFILE)
    return os_failure(f"loading {error.name}", OSError(errno.EMFILE, reason)) if reason in str(error) else None


_NO_ROOM = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_LIMIT = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN}  # EAGAIN: no more processes or threads


def os_failure(doing: str, error: OSError) -> AgentOSError:
    """The error a failed system call becomes; `doing` is what was tried and to what, e.g. "writing /x/agent.log"."""
    reason = error.strerror or str(error)
    message = f"{doing}: {reason}"
    if error.errno in _NO_ROOM:
        return ResourceError(message, hint="free some space (or raise the limit) and start again; nothing was lost")
    if error.errno in _DENIED:
        return ResourceError(message, hint="check who owns it and its folder, and their rights (ls -l)")
    if error.errno in _LIMIT:
        return ResourceError(message, hint="raise the limit (ulimit -a shows them) and start again")
    if error.errno == errno.ENOLCK:
        return ConfigError(message, hint="this file system keeps no locks: use a folder on a local disk")
    if error.errno == errno.EIO:
        return StoreError(message, hint="the disk reports errors: copy the data to another one before anything else")
    return ConfigError(message, hint="check the path")
