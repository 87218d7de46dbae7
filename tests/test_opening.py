"""Opening the database: what it is is known before it is touched."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agent_os.core import db as db_module
from agent_os.core import migrations, opening
from agent_os.core.clock import Clock
from agent_os.core.errors import AgentOSError, BusyError, ConfigError, StoreError
from agent_os.core.opening import open_to_read, open_to_write
from tests.fakes.clock import ManualClock

CLOCK = ManualClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agent_os.db"


@pytest.fixture
def made(path: Path) -> Path:
    open_to_write(str(path), clock=CLOCK).close()
    return path


def refused(path: Path, kind: type[AgentOSError], *, says: str) -> None:
    """Both ways of opening refuse with this error, and the file stays byte for byte as it was."""
    before = path.read_bytes() if path.is_file() else None
    for opened in (open_to_write, open_to_read):
        with pytest.raises(kind, match=says) as caught:
            opened(str(path), clock=CLOCK)
        assert caught.value.hint
    assert (path.read_bytes() if path.is_file() else None) == before


def test_the_first_writer_makes_a_private_database(path: Path) -> None:
    """0600 from birth, whatever the umask; so are the files beside it."""
    before = os.umask(0)
    try:
        db = open_to_write(str(path), clock=CLOCK)
        db.run("SELECT 1")
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        db.close()
    finally:
        os.umask(before)
    assert set(modes) >= {"agent_os.db", "agent_os.db.lock", "agent_os.db.id"}
    assert set(modes.values()) == {0o600}


def test_the_users_columns_come_first_and_in_their_order(made: Path) -> None:
    """The two tables are a contract; further columns come after."""
    connection = sqlite3.connect(made)
    columns = {
        table: [row[1] for row in connection.execute(f"PRAGMA table_info({table})")] for table in ("runs", "results")
    }
    connection.close()
    assert columns["runs"][:6] == ["id", "plugin_name", "status", "started_at", "finished_at", "error"]
    assert columns["results"][:8] == ["id", "run_id", "provider", "date", "tokens", "cost", "raw_json", "created_at"]


def test_it_is_a_write_ahead_log_synced_before_every_acknowledgement(path: Path) -> None:
    """WAL, FULL, foreign keys on."""
    db = open_to_write(str(path), clock=CLOCK)
    found = [db.one(f"PRAGMA {name}") for name in ("journal_mode", "synchronous", "foreign_keys")]
    db.close()
    assert found == [("wal",), (2,), (1,)]


def test_reading_where_there_is_no_database_makes_none(path: Path) -> None:
    """A typo in a path is told, not turned into an empty database."""
    with pytest.raises(ConfigError, match="no database at"):
        open_to_read(str(path), clock=CLOCK)
    assert not path.exists()


def test_a_newer_database_is_left_untouched(made: Path) -> None:
    """By the version in the header."""
    connection = sqlite3.connect(made)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    refused(made, ConfigError, says="newer version")


def test_a_newer_database_is_known_by_its_migrations_too(made: Path) -> None:
    """By the record of migrations, where the header says nothing."""
    connection = sqlite3.connect(made)
    connection.execute("INSERT INTO schema_migrations VALUES (99, 'later', '2030-01-01')")
    connection.commit()
    connection.close()
    refused(made, ConfigError, says="newer version")


@pytest.mark.parametrize("statement", ["PRAGMA application_id = 7", "CREATE TABLE theirs(x)"])
def test_another_programs_database_is_left_untouched(path: Path, statement: str) -> None:
    """By its application id, or by tables that are not ours."""
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE other(y)")
    connection.execute(statement)
    connection.commit()
    connection.close()
    refused(path, ConfigError, says="another program")


@pytest.mark.parametrize(
    "content",
    [b"not a database at all", b"SQLite format 3\x00" + b"\x00" * 50, bytes(range(256)) * 32],
    ids=["text", "a header alone", "bytes"],
)
def test_a_file_that_is_no_database_is_left_untouched(path: Path, content: bytes) -> None:
    """Text, a cut header, noise."""
    path.write_bytes(content)
    refused(path, StoreError, says="damaged|not a database")


def test_an_empty_file_where_data_was_is_not_started_afresh(made: Path) -> None:
    """A 0-byte file is a valid empty database to SQLite; the note beside it knows better."""
    made.write_bytes(b"")
    refused(made, StoreError, says="empty, though data was there")


def test_a_missing_database_where_data_was_is_not_started_afresh(made: Path) -> None:
    """The note beside it says that it was there."""
    made.unlink()
    refused(made, StoreError, says="is gone")


def test_a_database_without_its_log_is_noticed(made: Path, tmp_path: Path) -> None:
    """A copy without the -wal file lacks the last commits; they are counted beside the database."""
    db = open_to_write(str(made), clock=CLOCK)
    with db.atomic():
        db.run("INSERT INTO meta VALUES ('x', 'y')")
    older = made.read_bytes()  # the commit is in the -wal file still
    db.close()
    for suffix in ("-wal", "-shm"):
        Path(f"{made}{suffix}").unlink(missing_ok=True)
    made.write_bytes(older)
    refused(made, StoreError, says="lacks the last 1 change")


def test_a_fresh_file_that_a_crash_left_is_taken_over(path: Path) -> None:
    """Killed between making the file and filling it: the next start goes on."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    open_to_write(str(path), clock=CLOCK).close()
    db = open_to_read(str(path), clock=CLOCK)
    assert db.one("SELECT count(*) FROM runs") == (0,)
    db.close()


@pytest.mark.parametrize("make", [lambda p: p.symlink_to("/etc/hostname"), os.mkfifo, lambda p: p.mkdir()])
def test_a_link_a_fifo_or_a_folder_is_no_database(path: Path, make: object) -> None:
    """Refused before it is opened; a FIFO would wait for ever."""
    make(path)  # type: ignore[operator]
    refused(path, ConfigError, says="link|FIFO|folder")


def test_a_synchronised_folder_is_refused(tmp_path: Path) -> None:
    """SQLite's shared memory does not survive there."""
    folder = tmp_path / "Dropbox"
    folder.mkdir()
    with pytest.raises(ConfigError, match="Dropbox"):
        open_to_write(str(folder / "agent_os.db"), clock=CLOCK)


def test_a_migration_and_its_record_are_one_transaction(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that fails leaves the old schema, a backup that opens, and every row."""
    broken = (*migrations.MIGRATIONS, ("broken", ("CREATE TABLE half(x)", "CREATE TABLE half(x)")))
    monkeypatch.setattr(opening, "MIGRATIONS", broken)
    with pytest.raises(StoreError):
        open_to_write(str(made), clock=CLOCK)
    monkeypatch.undo()
    db = open_to_read(str(made), clock=CLOCK)
    assert db.one("SELECT count(*) FROM sqlite_master WHERE name = 'half'") == (0,)
    assert db.all("SELECT version FROM schema_migrations") == [(1,), (2,), (3,), (4,)]
    db.close()
    assert [file.name for file in made.parent.glob("*.backup-*")] == ["agent_os.db.backup-20261122T090000Z"]


def test_an_older_database_is_migrated_after_a_backup(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The backup is the database as it was."""
    monkeypatch.setattr(opening, "MIGRATIONS", (*migrations.MIGRATIONS, ("more", ("CREATE TABLE more(x)",))))
    with pytest.raises(ConfigError, match="older"):
        open_to_read(str(made), clock=CLOCK)
    db = open_to_write(str(made), clock=CLOCK)
    assert db.all("SELECT version, name FROM schema_migrations") == [
        (1, "ledger"),
        (2, "durable tasks"),
        (3, "sources"),
        (4, "schedules"),
        (5, "more"),
    ]
    db.close()
    backup = sqlite3.connect(next(made.parent.glob("*.backup-*")))
    assert backup.execute("SELECT version FROM schema_migrations").fetchall() == [(1,), (2,), (3,), (4,)]
    backup.close()


def test_a_damaged_database_names_the_newest_backup(made: Path) -> None:
    """The hint is the command that restores it."""
    (made.parent / "agent_os.db.backup-20260101T000000Z").write_bytes(b"")
    made.write_bytes(b"x" * 5000)
    with pytest.raises(StoreError) as caught:
        open_to_read(str(made), clock=CLOCK)
    assert f"cp {made}.backup-20260101T000000Z {made}" in caught.value.hint


def test_a_writer_waits_a_minute_for_another_and_then_says_so(made: Path) -> None:
    """No immediate "database is locked", and no waiting for ever."""
    clock = ManualClock()
    db = open_to_write(str(made), clock=clock)
    other = sqlite3.connect(made, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(BusyError, match="60 seconds"), db.atomic():
        pass
    other.execute("ROLLBACK")
    other.close()
    with db.atomic():
        db.run("INSERT INTO meta VALUES ('x', 'y')")
    db.close()
    assert 60 <= sum(clock.slept) < 62


def test_what_fails_inside_a_transaction_leaves_nothing(made: Path) -> None:
    """Everything or nothing, and the lock is free again."""
    db = open_to_write(str(made), clock=CLOCK)
    with pytest.raises(StoreError), db.atomic():
        db.many("INSERT INTO meta VALUES (?, 'y')", [("x",), (None,)])
    assert db.one("SELECT count(*) FROM meta WHERE name = 'x'") == (0,)
    with db.atomic():
        db.run("INSERT INTO meta VALUES ('x', 'z')")
    db.close()


def test_many_processes_may_open_a_fresh_home_at_once(path: Path) -> None:
    """The first use is a race that everybody wins: one schema, no lock error."""
    code = (
        "import sys; from agent_os.core.opening import open_to_write; from agent_os.core.clock import Clock\n"
        "db = open_to_write(sys.argv[1], clock=Clock())\n"
        "with db.atomic(): db.run(\"INSERT INTO meta VALUES (?, '')\", (sys.argv[2],))\n"
        "db.close()"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(path), f"p{number}"], stderr=subprocess.PIPE)
        for number in range(8)
    ]
    said = [process.communicate()[1] for process in started]
    assert [process.returncode for process in started] == [0] * 8, said
    db = open_to_read(str(path), clock=CLOCK)
    assert db.one("SELECT count(*) FROM meta WHERE name LIKE 'p%'") == (8,)
    db.close()


def test_a_database_that_was_just_made_is_not_backed_up(tmp_path: Path) -> None:
    """Who loses the race for a fresh file finds the schema made: there is no older version to keep a copy of."""
    errors: list[BaseException] = []

    def open_one(path: Path, gate: threading.Barrier) -> None:
        gate.wait()
        try:
            open_to_write(str(path), clock=Clock()).close()
        except BaseException as error:  # noqa: BLE001 (shown below)
            errors.append(error)

    for number in range(25):
        folder = tmp_path / str(number)
        folder.mkdir()
        gate = threading.Barrier(6)
        starters = [threading.Thread(target=open_one, args=(folder / "agent_os.db", gate)) for _ in range(6)]
        for each in starters:
            each.start()
        for each in starters:
            each.join()
    assert errors == []
    assert list(tmp_path.glob("*/*backup*")) == []


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (sqlite3.OperationalError("database or disk is full"), "ResourceError"),
        (sqlite3.OperationalError("attempt to write a readonly database"), "ResourceError"),
        (sqlite3.OperationalError("unable to open database file"), "ResourceError"),
        (sqlite3.OperationalError("database is locked"), "BusyError"),
        (sqlite3.DatabaseError("database disk image is malformed"), "StoreError"),
        (sqlite3.DatabaseError("file is not a database"), "StoreError"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), "StoreError"),
        (sqlite3.IntegrityError("FOREIGN KEY constraint failed"), "StoreError"),
    ],
)
def test_every_database_error_becomes_one_of_ours(error: Exception, kind: str) -> None:
    """With a path and a next step."""
    found = db_module.failure(error, "/x/agent_os.db")
    assert type(found).__name__ == kind
    assert "/x/agent_os.db" in found.message
    assert found.hint


def test_what_a_killed_writer_left_half_done_is_finished_first(path: Path, made: Path) -> None:
    """A journal that only a writer can roll back is rolled back, for a reader too; nothing is refused for it."""
    half_done(made, path)
    reader = open_to_read(str(path), clock=CLOCK)
    assert reader.one("SELECT count(*) FROM sqlite_master WHERE name = 'half'") == (0,)
    reader.close()
    half_done(path, path)
    writer = open_to_write(str(path), clock=CLOCK)
    assert writer.one("SELECT count(*) FROM sqlite_master WHERE name = 'half'") == (0,)
    writer.close()


def test_what_another_program_left_half_done_is_its_own(path: Path, tmp_path: Path) -> None:
    """Refused, and byte for byte as it was."""
    foreign = tmp_path / "foreign.db"
    connection = sqlite3.connect(foreign)
    connection.execute("CREATE TABLE theirs(x)")
    connection.executemany("INSERT INTO theirs VALUES (?)", [("z" * 900,) for _ in range(500)])
    connection.commit()
    connection.close()
    half_done(foreign, path)
    before = path.read_bytes()
    with pytest.raises(AgentOSError):
        open_to_write(str(path), clock=CLOCK)
    assert path.read_bytes() == before


def half_done(source: Path, target: Path) -> None:
    """Make `target` what a kill leaves of `source` in the middle of a transaction with a rollback journal."""
    work = target.with_name("work.db")
    work.write_bytes(source.read_bytes())
    connection = sqlite3.connect(work, isolation_level=None)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("PRAGMA cache_size = 1")
    connection.execute("BEGIN")
    connection.execute("CREATE TABLE half(x)")
    connection.executemany("INSERT INTO half VALUES (?)", [("y" * 500,) for _ in range(500)])
    target.write_bytes(work.read_bytes())
    target.with_name(f"{target.name}-journal").write_bytes(work.with_name("work.db-journal").read_bytes())
    connection.close()
    work.unlink()
    target.chmod(0o600)
