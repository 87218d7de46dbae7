"""An open SQLite database: every write is one `atomic()`, every failure one of our errors. `opening` opens it.

Beside the database stand `NAME.lock`, held while committing and closing (concurrent checkpoints have damaged files
under SQLite before 3.51.3), and `NAME.id`, which says which database this is and how many commits it has seen.
"""

from __future__ import annotations

import os
import sqlite3

from . import files
from .clock import iso
from .errors import AgentOSError, BusyError, ResourceError, StoreError, os_failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import TracebackType
    from typing import Any, Optional

    from .clock import Clock

    Row = tuple[Any, ...]

WAIT_SECONDS = 5.0  # for a lock that is held while someone opens or closes
BUSY_SECONDS = 60.0
LAST_SECONDS = 1.0  # of patience, once the program has been asked to stop
LARGE_WAL_BYTES = 64 * 2**20


class Database:
    """An open database. One connection; used by one thread. `lock_fd` is -1 for one that is only read."""

    on_commit: Optional[Callable[[str], None]] = None  # told "before" and "after" each commit: for tests that crash

    def __init__(self, path: str, connection: sqlite3.Connection, *, clock: Clock, lock_fd: int = -1) -> None:
        self.path = path
        self.connection = connection
        self.clock = clock
        self.identity: Optional[Identity] = None
        self._lock_fd = lock_fd
        self._patience = BUSY_SECONDS
        self._now = ""

    def now(self) -> str:
        """The instant as it is stored: within a transaction one and the same, since all of it happens at once."""
        return self._now or iso(self.clock.now())

    def run(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Execute one statement."""
        try:
            return self.connection.execute(sql, values)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise failure(error, self.path) from error

    def many(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Execute one statement for each row of values."""
        try:
            self.connection.executemany(sql, rows)
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise failure(error, self.path) from error

    def all(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """Every row of the answer."""
        try:
            return self.connection.execute(sql, values).fetchall()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise failure(error, self.path) from error

    def one(self, sql: str, values: Sequence[Any] = ()) -> Optional[Row]:
        """The first row of the answer, or None."""
        try:
            row: Optional[Row] = self.connection.execute(sql, values).fetchone()
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise failure(error, self.path) from error
        return row

    def atomic(self) -> Atomic:
        """`with db.atomic():` one transaction that changes everything or nothing."""
        return Atomic(self)

    def lock(self) -> None:
        """Take the writers' lock. Raises BusyError when another writer keeps it for a minute."""
        self.patiently(lambda: files.lock_fd(self._lock_fd, wait=False))

    def unlock(self) -> None:
        """Give the writers' lock back."""
        files.unlock_fd(self._lock_fd)

    def patiently(self, attempt: Callable[[], bool]) -> None:
        """Call until it answers true, for a minute; signals are heard in between. Raises BusyError.

        Whoever waited that long in vain is not kept waiting again: what is left to do is tried once.
        """
        deadline = self.clock.monotonic() + self._patience
        pause = 0.002
        while not attempt():
            if self.clock.monotonic() >= deadline:
                self._patience = 0.0
                raise BusyError(
                    f"{self.path} has been kept locked by another program for {BUSY_SECONDS:.0f} seconds",
                    hint="close the program that has it open for writing and run the same command again",
                )
            self.clock.sleep(pause)
            pause = min(pause * 2, 0.1)

    def hurry(self) -> None:
        """The program is about to end: from now on wait for other writers for a moment only."""
        self._patience = min(self._patience, LAST_SECONDS)

    def begin(self) -> bool:
        """Begin a write transaction; False while someone else writes: waiting is `patiently`'s, which hears signals."""
        try:
            self.connection.execute("PRAGMA busy_timeout = 0")
            self.connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if _is_busy(error):
                return False
            raise failure(error, self.path) from error
        except sqlite3.Error as error:
            raise failure(error, self.path) from error
        finally:
            self.connection.execute(f"PRAGMA busy_timeout = {WAIT_SECONDS * 1000:.0f}")
        return True

    def close(self) -> None:
        """Close; the last one out folds the write-ahead log into the file, alone."""
        if self._lock_fd < 0:
            self.connection.close()
            return
        try:
            self.lock()
            if _size(self.path + "-wal") > LARGE_WAL_BYTES:
                self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except (BusyError, sqlite3.Error):
            pass  # nothing is lost: the log is folded in by whoever closes next
        finally:
            self.connection.close()
            self.unlock()  # closing is not enough: a fork of a task may have the file open too, and live on
            os.close(self._lock_fd)
            self._lock_fd = -1
            if self.identity:
                self.identity.close()


class Atomic:
    """One write transaction: BEGIN IMMEDIATE … COMMIT, rolled back on any exception."""

    __slots__ = ("_db",)

    def __init__(self, db: Database) -> None:
        self._db = db

    def __enter__(self) -> None:
        db = self._db
        db.lock()
        try:
            db.patiently(db.begin)
        except BaseException:
            db.unlock()
            raise
        db._now = iso(db.clock.now())  # noqa: SLF001 (a part of it)

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        db = self._db
        db._now = ""  # noqa: SLF001
        try:
            if kind is None:
                commits = self._count()
                if db.on_commit:
                    db.on_commit("before")
                db.run("COMMIT")
                if db.on_commit:
                    db.on_commit("after")
                if db.identity:
                    db.identity.seen(commits)
        finally:
            try:
                if db.connection.in_transaction:
                    db.connection.execute("ROLLBACK")
            except sqlite3.Error:
                pass  # SQLite has rolled back by itself, or will when the file is opened next
            db.unlock()

    def _count(self) -> int:
        """The number of this commit, kept in the database itself."""
        self._db.run("UPDATE meta SET value = value + 1 WHERE name = 'commits'")
        row = self._db.one("SELECT value FROM meta WHERE name = 'commits'")
        return int(row[0]) if row else 0


class Identity:
    """The note beside a database: its id and the number of its last commit. Fixed width, written in place."""

    __slots__ = ("_fd", "instance")

    def __init__(self, fd: int, instance: str) -> None:
        self._fd = fd
        self.instance = instance

    def seen(self, commits: int) -> None:
        """Note a commit. A failure is passed over: an older note only notices less."""
        try:
            os.lseek(self._fd, 0, os.SEEK_SET)
            os.write(self._fd, f"{self.instance} {commits:020d}\n".encode("ascii"))
        except OSError:
            pass

    def close(self) -> None:
        """Close the note."""
        os.close(self._fd)


def failure(error: Exception, path: str) -> AgentOSError:
    """The error that an sqlite3 exception becomes."""
    text = str(error)
    low = text.lower()
    if _is_busy(error):
        return BusyError(f"{path} is being written by another program", hint="try again in a moment")
    if "is full" in low or ("disk i/o" in low and _no_room(path)):
        return ResourceError(
            f"no space to write {path} ({text})",
            hint="free about 10 MB there, or raise the file size limit, and run the same again; nothing was lost",
        )
    if "readonly" in low or "unable to open" in low:
        return _not_opened(path, text)
    if "disk i/o" in low:
        return StoreError(f"the disk failed under {path} ({text})", hint="check the disk before anything else")
    if isinstance(error, UnicodeDecodeError) or any(sign in low for sign in ("utf-8", "malformed", "not a database")):
        return StoreError(f"{path} is damaged or is not a database ({text})", hint=rescue(path))
    return StoreError(f"{path} did not take a statement ({text})", hint="if this comes back, please report it")


def _not_opened(path: str, text: str) -> AgentOSError:
    """SQLite says the same of a file that it may not open and of one too many."""
    spare: list[int] = []
    try:
        spare += [os.open(os.devnull, os.O_RDONLY) for _ in range(4)]  # as many as SQLite may want at once
    except OSError as error:
        return os_failure(f"opening {path}", error)
    finally:
        for fd in spare:
            os.close(fd)
    return ResourceError(
        f"{path} cannot be opened as needed ({text})",
        hint="check the rights of the file and of its folder: even to read, SQLite must be able to write beside it",
    )


def bring_back(path: str) -> str:
    """What to do about a database that is gone."""
    newest = _newest_backup(path)
    if newest:
        return f"put it back, or restore the newest backup: cp {newest} {path} && rm {path}.id"
    return f"put it back, or start afresh: rm {path}.id; `--task run_all` then fetches what the providers still have"


def _newest_backup(path: str) -> str:
    folder, name = os.path.split(path)
    try:
        found = sorted(each for each in os.listdir(folder) if each.startswith(f"{name}.backup-"))
    except OSError:
        found = []
    return os.path.join(folder, found[-1]) if found else ""


def rescue(path: str) -> str:
    """What to do about a database that cannot be used: restore the newest backup beside it, if there is one."""
    newest = _newest_backup(path)
    if newest:
        return f"restore the newest backup: move {path} away, then: cp {newest} {path} && rm {path}.id"
    return (
        f"move it away together with {path}.id and start afresh: `--task run_all` fetches what the providers still have"
    )


def _is_busy(error: Exception) -> bool:
    low = str(error).lower()
    return isinstance(error, sqlite3.OperationalError) and ("locked" in low or "busy" in low)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _no_room(path: str) -> bool:
    """Whether an I/O error means a limit (no space, a quota, a maximal file size) and not a failing disk."""
    try:
        import resource

        limited = resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY
        disk = os.statvfs(os.path.dirname(path))
    except (ImportError, OSError):
        return False
    return limited or disk.f_bavail * disk.f_frsize < 2**20
