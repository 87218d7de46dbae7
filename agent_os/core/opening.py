"""Opens the database of a home: what a file is is known before it is touched; then it is made or migrated.

A newer, foreign, damaged or shortened database is refused and left byte for byte as it was.
"""

from __future__ import annotations

import os
import sqlite3
import sys

from . import files
from .clock import iso
from .db import WAIT_SECONDS, Database, Identity, bring_back, failure, rescue
from .errors import ConfigError, ResourceError, StoreError, os_failure
from .migrations import APPLICATION_ID, MIGRATIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    from .clock import Clock

OLDEST_SQLITE = (3, 24, 0)
_JUST_MADE_BYTES = 2 * 65_536  # the first pages, whatever their size
_MAGIC = b"SQLite format 3\x00"
_NETWORK = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "fuse.sshfs", "fuse.s3fs", "fuse.rclone")
_SYNCED = ("Dropbox", "OneDrive", "Google Drive", "GoogleDrive", "Mobile Documents", "iCloud Drive")


def open_to_read(path: str, *, clock: Clock) -> Database:
    """Open for reading only. Raises ConfigError when there is none yet, StoreError when it is gone or damaged."""
    if not _exists(path):
        raise ConfigError(f"there is no database at {path} yet", hint="run --task run_all first, or give --home")
    db, version = _look(path, clock)
    try:
        _refuse_older(path, version)
    except BaseException:
        db.close()
        raise
    return db


def open_to_write(path: str, *, clock: Clock) -> Database:
    """Open for writing; made (0600) when it does not exist, brought up to this program's schema when it is older.

    Raises ConfigError (newer schema, foreign file, network folder), StoreError (damaged, empty or missing where data
    was), ResourceError (no space, no permission), BusyError (locked for a minute).
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise ConfigError(f"SQLite {sqlite3.sqlite_version} is too old; 3.24 is needed", hint="use a newer Python")
    _refuse_shared_folder(path)
    if not _exists(path):
        _refuse_no_folder(os.path.dirname(path))
        os.close(_open_file(path))
    elif _is_doubtful(path):
        _look(path, clock)[0].close()
    lock_fd = _open_file(path + ".lock")
    try:
        db = Database(path, _connect(path, "rw"), clock=clock, lock_fd=lock_fd)
    except BaseException:
        os.close(lock_fd)
        raise
    try:
        version = _check(db)
        _prepare(db)
        if version < len(MIGRATIONS):
            _migrate(db)
        db.identity = _identity(db)
    except BaseException:
        db.hurry()
        db.close()
        raise
    return db


def _is_doubtful(path: str) -> bool:
    """Whether the header does not say that it is ours, or what is newest is not in the file yet."""
    try:
        with open(path, "rb") as file:
            owner = file.read(100)[68:72]
        return owner not in (b"", APPLICATION_ID.to_bytes(4, "big")) or os.stat(path + "-wal").st_size > 0
    except OSError:
        return False


def _look(path: str, clock: Clock) -> tuple[Database, int]:
    """The database, open for reading, and its schema version; whatever has to be refused is refused without a trace.

    A writable connection would leave one: closing it folds the log into the file. Only where a program was killed at
    an instant that leaves work which only a writer can finish, that is done first.
    """
    try:
        return _read(path, clock)
    except ResourceError:
        if not _finish(path, clock):
            raise
    return _read(path, clock)


def _read(path: str, clock: Clock) -> tuple[Database, int]:
    db = Database(path, _connect(path, "ro"), clock=clock)
    try:
        return db, _check(db)
    except BaseException:
        db.close()
        raise


def _finish(path: str, clock: Clock) -> bool:
    """Have SQLite finish what a killed writer has begun: roll its journal back, or recover its log. False: not here.

    Only in a file that says it is ours, or that was only just being made: others are not touched.
    """
    with open(path, "rb") as file:
        owner = file.read(100)[68:72]
    is_ours = owner == APPLICATION_ID.to_bytes(4, "big") or os.path.getsize(path) <= _JUST_MADE_BYTES
    if not is_ours or not os.access(path, os.W_OK) or not os.access(os.path.dirname(path), os.W_OK):
        return False
    db = Database(path, _connect(path, "rw"), clock=clock, lock_fd=_open_file(path + ".lock"))
    try:
        db.lock()
        try:
            db.one("SELECT count(*) FROM sqlite_master")
        finally:
            db.unlock()
    except ResourceError:
        return False
    finally:
        db.close()
    return True


def _refuse_no_folder(folder: str) -> None:
    if not os.path.isdir(folder):
        raise ConfigError(
            f"the folder {folder}, where the database is to be, does not exist",
            hint=f"make it first (mkdir -p {folder}), or correct AGENT_OS_DB_PATH",
        )


def open_to_plan(path: str, *, clock: Clock) -> Database:
    """As `open_to_read`; where nothing was put in yet, an empty one in memory, so that no file is made for a look."""
    if _exists(path) and (os.path.getsize(path) or os.path.exists(path + ".id")):
        return open_to_read(path, clock=clock)
    db = Database(path, sqlite3.connect(":memory:", isolation_level=None), clock=clock)
    for _, statements in MIGRATIONS:
        for statement in statements:
            db.run(statement)
    return db


def _exists(path: str) -> bool:
    """Whether there is a database file that may be opened; its header has been looked at."""
    if not files.check_plain(path, "the database"):
        if os.path.exists(path + ".id"):
            raise StoreError(
                f"the database {path} is gone, though {path}.id says that it was there", hint=bring_back(path)
            )
        return False
    try:
        with open(path, "rb") as file:
            header = file.read(100)
    except OSError as error:
        raise os_failure(f"reading {path}", error) from error
    if header and (len(header) < 100 or not header.startswith(_MAGIC)):
        raise StoreError(f"{path} is damaged or is not a database", hint=rescue(path))
    if header:
        _judge(path, version=int.from_bytes(header[60:64], "big"), owner=int.from_bytes(header[68:72], "big"))
    return True


def _judge(path: str, *, version: int, owner: int) -> None:
    """Refuse a database of another program or of a newer version. Both numbers are 0 in one that is still empty."""
    if owner not in (0, APPLICATION_ID):
        raise ConfigError(f"{path} is another program's database", hint="point AGENT_OS_DB_PATH somewhere else")
    if version > len(MIGRATIONS):
        raise ConfigError(
            f"{path} was made by a newer version (schema {version}; this program knows {len(MIGRATIONS)})",
            hint="use the newer agent_os.pyz; nothing was changed",
        )


def _check(db: Database) -> int:
    """The schema version of an open database, 0 for an empty one, after every reason to refuse it."""
    note = _read_note(db.path + ".id")  # before the database: a commit in between only makes the database newer
    tables = {row[0] for row in db.all("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not tables:
        if note:
            raise StoreError(f"{db.path} is empty, though data was there before", hint=rescue(db.path))
        return 0
    if "schema_migrations" not in tables:
        raise ConfigError(f"{db.path} is another program's database", hint="point AGENT_OS_DB_PATH somewhere else")
    row = db.one("SELECT max(version) FROM schema_migrations")
    version = int(row[0] or 0) if row else 0
    _judge(db.path, version=version, owner=APPLICATION_ID)
    known: dict[str, str] = dict(db.all("SELECT name, value FROM meta WHERE name IN ('instance', 'commits')"))
    if note and note[0] != known.get("instance"):
        raise StoreError(
            f"{db.path} is another database than the one that was here",
            hint=f"if you put it there on purpose: rm {db.path}.id",
        )
    if note and int(known.get("commits", 0)) < note[1]:
        lost = note[1] - int(known.get("commits", 0))
        raise StoreError(
            f"{db.path} lacks the last {lost} changes: it is an older copy, or its -wal file was removed",
            hint=f"put the newer file (or its -wal) back; if you restored a backup on purpose: rm {db.path}.id",
        )
    return version


def _refuse_older(path: str, version: int) -> None:
    """A reader takes a database as it is: the first writer fills or migrates it."""
    if version < len(MIGRATIONS):
        state = "still empty" if not version else "from an older version"
        raise ConfigError(f"{path} is {state}", hint="run `--task run_all` once")


def _read_note(path: str) -> Optional[tuple[str, int]]:
    """The id of the database and the number of its last known commit; None when there is no note, or no whole one."""
    try:
        with open(path, encoding="ascii") as file:
            instance, commits = file.read(200).split()
            return instance, int(commits)
    except (OSError, ValueError):
        return None


def _open_file(path: str) -> int:
    return files.open_private(path, os.O_RDWR | os.O_CREAT)


def _connect(path: str, mode: str) -> sqlite3.Connection:
    # Written out rather than urllib.parse.quote: importing that takes as long as opening the database.
    name = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    if os.name == "nt":
        name = "/" + name.replace("\\", "/")
    try:
        return sqlite3.connect(f"file:{name}?mode={mode}", uri=True, isolation_level=None, timeout=WAIT_SECONDS)
    except sqlite3.Error as error:
        raise failure(error, path) from error


def _prepare(db: Database) -> None:
    """The pragmas every writer needs: write-ahead log, a sync before each acknowledgement, foreign keys."""
    db.run("PRAGMA foreign_keys = ON")
    db.run("PRAGMA synchronous = FULL")
    if sys.platform == "darwin":
        db.run("PRAGMA fullfsync = ON")  # plain fsync stops at the drive's own cache there
    if db.one("PRAGMA journal_mode") != ("wal",):
        db.lock()
        try:
            db.patiently(lambda: _to_wal(db))
        finally:
            db.unlock()


def _to_wal(db: Database) -> bool:
    try:
        return bool(db.connection.execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",))
    except sqlite3.Error as error:
        if "locked" in str(error):
            return False
        raise failure(error, db.path) from error


def _migrate(db: Database) -> None:
    """Bring the schema up to date: a verified backup if there is data, then all steps and their record at once."""
    _back_up_older(db)
    with db.atomic():
        db.run(
            "CREATE TABLE IF NOT EXISTS schema_migrations("
            "version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at TEXT NOT NULL)"
        )
        row = db.one("SELECT max(version) FROM schema_migrations")
        done = int(row[0] or 0) if row else 0  # asked again: another process may have been faster
        for version, (name, statements) in list(enumerate(MIGRATIONS, 1))[done:]:
            for statement in statements:
                db.run(statement)
            db.run("INSERT INTO schema_migrations VALUES (?, ?, ?)", (version, name, iso(db.clock.now())))
        if not done:
            instance = os.urandom(16).hex()
            db.many("INSERT INTO meta VALUES (?, ?)", [("instance", instance), ("commits", "0")])
        db.run(f"PRAGMA application_id = {APPLICATION_ID}")
        db.run(f"PRAGMA user_version = {len(MIGRATIONS)}")


def _back_up_older(db: Database) -> None:
    """Back up a database of an older version. Alone, and asked again: whoever was faster leaves nothing to keep."""
    db.lock()
    try:
        if 0 < _check(db) < len(MIGRATIONS):
            _back_up(db)
    finally:
        db.unlock()


def _back_up(db: Database) -> None:
    """A copy beside the database, checked before it gets its name. Raises StoreError when the copy is not sound."""
    stamp = db.clock.now().strftime("%Y%m%dT%H%M%SZ")
    target = f"{db.path}.backup-{stamp}"
    os.close(_open_file(target + ".part"))
    copy = _connect(target + ".part", "rw")
    try:
        db.connection.backup(copy)
        sound = copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    except sqlite3.Error as error:
        raise failure(error, target) from error
    finally:
        copy.close()
    if not sound:
        raise StoreError(f"{db.path} is damaged: its backup does not pass the check", hint=rescue(db.path))
    os.replace(target + ".part", target)


def _identity(db: Database) -> Identity:
    """The note beside the database, made when it is not there."""
    row = db.one("SELECT value FROM meta WHERE name = 'instance'")
    identity = Identity(_open_file(db.path + ".id"), str(row[0]) if row else "")
    if _read_note(db.path + ".id") is None:
        commits = db.one("SELECT value FROM meta WHERE name = 'commits'")
        identity.seen(int(commits[0]) if commits else 0)
    return identity


def _refuse_shared_folder(path: str) -> None:
    """Refuse folders that a network or a cloud keeps: SQLite's shared memory does not work there."""
    parts = path.split(os.sep)
    kind = next((name for name in _SYNCED if name in parts), "") or _network_kind(path)
    if kind:
        raise ConfigError(
            f"{path} lies in a shared or synchronised folder ({kind}), where a database gets damaged",
            hint="keep it on a local disk: --home or AGENT_OS_DB_PATH",
        )


def _network_kind(path: str) -> str:
    """The kind of network file system that holds `path`, by the machine's table of mounts; '' for a local one."""
    try:
        with open("/proc/self/mounts", encoding="utf-8", errors="replace") as file:
            mounts = [line.split()[1:3] for line in file]
    except (OSError, IndexError):
        return ""
    held = [(len(where), kind) for where, kind in mounts if (path + "/").startswith(where.rstrip("/") + "/")]
    kind = max(held)[1] if held else ""
    return kind if kind in _NETWORK else ""
