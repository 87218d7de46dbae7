"""The log of opencode: its rules as pure calls, and its database and older files through the collector."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Optional

import pytest
from laptop import laptop_of
from logs import MARKER, Logs

from agent_os.core import config, foreign_db
from agent_os.core.errors import PermanentError
from agent_os.core.log_events import Answer, Counts
from agent_os.plugins.opencode import OpenCode

DATA = ".local/share/opencode"
AT = 1_794_996_009_123  # 2026-11-18T10:00:09.123Z in milliseconds
LATER = 1_795_082_400_000  # 2026-11-19T10:00:00Z
BEGUN = AT - 5000  # a session begins before its messages


def minted(at: int) -> str:
    """A message id as opencode makes it at an instant: 36 bits of the millisecond, a counter, and letters."""
    return f"msg_{(at * 0x1000 + 1) & (2**48 - 1):012x}AbCdEfGhIjKlMn"


def tokens(fresh: int, read: int, written: int, output: int, reasoning: int, total: Optional[int] = None) -> Any:
    found: dict[str, Any] = {
        "input": fresh, "output": output, "reasoning": reasoning, "cache": {"read": read, "write": written},
    }  # fmt: skip
    return found if total is None else {**found, "total": total}


def message(at: int = AT, used: Any = None, **more: Any) -> dict[str, Any]:
    """A message as version 1 keeps it in its column `data`; in a file it has its id too."""
    return {
        "role": "assistant", "time": {"created": at, "completed": at + 4000}, "modelID": "gpt-5.5",
        "providerID": "openai", "cost": 123.45, "path": {"cwd": "/home/u/shop/src", "root": "/home/u/shop"},
        "tokens": used or tokens(600, 400, 0, 50, 20, 1070), "system": [MARKER], **more,
    }  # fmt: skip


SAID = {"role": "user", "time": {"created": AT - 1}, "text": MARKER, "model": {"modelID": "x"}}
SECOND = tokens(17, 0, 5, 5, 0, 27)
SUMS = {
    ("2026-11-18", "gpt-5.5", "input"): 600,
    ("2026-11-18", "gpt-5.5", "cache_read"): 400,
    ("2026-11-18", "gpt-5.5", "output"): 70,
    ("2026-11-18", "gpt-5.5", "requests"): 1,
    ("2026-11-19", "gpt-5.5", "input"): 17,
    ("2026-11-19", "gpt-5.5", "cache_write"): 5,
    ("2026-11-19", "gpt-5.5", "output"): 5,
    ("2026-11-19", "gpt-5.5", "requests"): 1,
}
SCHEMA = """
CREATE TABLE project(id text PRIMARY KEY, worktree text NOT NULL);
CREATE TABLE session(id text PRIMARY KEY, project_id text, directory text NOT NULL, title text,
    time_created integer NOT NULL, time_updated integer NOT NULL);
CREATE TABLE message(id text PRIMARY KEY, session_id text NOT NULL, time_created integer NOT NULL,
    time_updated integer NOT NULL, data text NOT NULL);
CREATE TABLE part(id text PRIMARY KEY, message_id text, data text);
CREATE TABLE session_message(id text PRIMARY KEY, session_id text NOT NULL, type text NOT NULL, seq integer NOT NULL,
    time_created integer NOT NULL, time_updated integer NOT NULL, data text NOT NULL);
CREATE TABLE session_v2(id text PRIMARY KEY, project_id text, directory text NOT NULL, fork_session_id text,
    time_created integer NOT NULL, time_updated integer NOT NULL);
"""


class Store:
    """The database of opencode, as the tool itself writes it."""

    def __init__(self, path: Path, *, wal: bool = True) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.db = sqlite3.connect(path, isolation_level=None)
        if wal:
            self.db.execute("PRAGMA journal_mode = wal")
        self.db.executescript(SCHEMA)
        self.session("ses_1")

    def session(self, name: str, at: int = BEGUN, table: str = "session", folder: str = "/home/u/Shop") -> None:
        self.db.execute(f"INSERT INTO {table} VALUES (?, 'p', ?, NULL, ?, ?)", (name, folder, at, at))

    def put(self, name: str, data: Any, *, session: str = "ses_1", at: int = AT, changed: Optional[int] = None) -> None:
        text = data if isinstance(data, str) else json.dumps(data)
        row = (name, session, at, changed or at, text)
        self.db.execute("INSERT OR REPLACE INTO message VALUES (?, ?, ?, ?, ?)", row)

    def put_2(self, name: str, data: Any, *, session: str = "ses_1", kind: str = "assistant", at: int = AT) -> None:
        row = (name, session, kind, 1, at, at, json.dumps(data))
        self.db.execute("INSERT INTO session_message VALUES (?, ?, ?, ?, ?, ?, ?)", row)


@pytest.fixture
def logs(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Logs:
    for name in ("OPENCODE_DATA_DIR", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(foreign_db, "WAIT_SECONDS", 0.05)
    return laptop_of(tmp_path, monkeypatch, capsys, kind=Logs)


@pytest.fixture
def store(logs: Logs) -> Iterator[Store]:
    found = Store(logs.user / DATA / "opencode.db")
    yield found
    found.db.close()


def answers(*messages: Any) -> list[Answer]:
    source = OpenCode(config.load(home=".", environ={"HOME": "/nowhere"}), lambda _: pytest.fail("a request"))
    found = [source.answer(each, {}, path="/x/a.json") for each in messages]
    return [answer for answer in found if answer]


def counts(used: Any, **more: Any) -> Counts:
    (answer,) = answers(message(used=used, id="msg_a", **more))
    return answer.counts


# --- one answer -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("used", "output"),
    [
        (tokens(600, 400, 0, 50, 20, 1070), 70), (tokens(600, 400, 0, 50, 20, 1050), 50),
        (tokens(600, 400, 0, 50, 20), 50), (tokens(600, 400, 0, 0, 20), 20), (tokens(600, 400, 0, 50, 0), 50),
    ],
    ids=["beside output", "within output", "no total", "more than output", "none"],
)  # fmt: skip
def test_the_total_says_where_reasoning_stands(used: Any, output: int) -> None:
    """Newer versions put it beside output, older ones within; without a total it is taken to be within."""
    assert counts(used) == Counts(input=600, cache_read=400, output=output)


def test_reasoning_of_google_and_of_version_2_is_beside_output() -> None:
    """Though there is no total."""
    used = tokens(600, 400, 0, 50, 20)
    assert counts(used, providerID="google").output == 70
    assert counts(used, model={"id": "gpt-5.5", "providerID": "openai"}).output == 70


def test_what_anthropic_keeps_is_kept_for_five_minutes() -> None:
    """opencode asks for the cache without a time; of others it is not known."""
    used = tokens(1, 2, 30, 4, 0)
    assert counts(used, providerID="anthropic") == Counts(input=1, cache_read=2, cache_write_5m=30, output=4)
    assert counts(used, providerID="openrouter") == Counts(input=1, cache_read=2, cache_write=30, output=4)


def test_vendor_model_day_and_project_are_those_of_the_message() -> None:
    """A worktree gives its name; outside of one (its root is /) the folder worked in does."""
    first, second = answers(
        message(id="msg_a", providerID="amazon-bedrock", modelID="claude-x"),
        message(id="msg_b", path={"cwd": "/home/u/notes", "root": "/"}),
    )
    assert (first.vendor, first.model, first.project) == ("amazon-bedrock", "claude-x", "shop")
    assert first.moment == ("2026-11-18", 1_794_996_009)
    assert second.project == "notes"


@pytest.mark.parametrize(
    "told", [SAID, message(tokens=None), message(tokens=tokens(0, 0, 0, 0, 0)), {"id": "x"}], ids=str
)
def test_what_tells_of_no_answer_counts_nothing(told: Any) -> None:
    """What the user said, and answers that have not come."""
    assert answers({"id": "msg_a", **told}) == []


@pytest.mark.parametrize(
    "bad",
    [
        {"tokens": tokens(-1, 0, 0, 0, 0)}, {"tokens": tokens(0, 0, 0, 10**10, 0)}, {"tokens": {"input": "1"}},
        {"tokens": {"cache": 5, "input": 1}}, {"time": {"created": "now"}}, {"time": {"created": True}}, {"time": None},
        {"time": {"created": 1e300}}, {"providerID": 5},
    ],
    ids=str,
)  # fmt: skip
def test_figures_that_cannot_be_are_refused(bad: dict[str, Any]) -> None:
    """They are counted as faults by the reading; nothing of them is added up."""
    with pytest.raises((ValueError, AttributeError, TypeError, OverflowError)):
        answers({**message(id="msg_a"), **bad})


def test_a_copy_in_a_file_is_known_by_its_id() -> None:
    """A fork gives copied messages new ids, which hold when they were made."""
    assert len(answers(message(id=minted(AT)), message(id=minted(AT + 5000)), message(id="msg_whatever"))) == 3
    assert answers(message(id=minted(AT + 3_600_000)), message(id=minted(LATER))) == []


# --- the database -----------------------------------------------------------------------------------------------------


def test_a_database_is_summed_by_day(logs: Logs, store: Store) -> None:
    """Read while the tool has it open; the cost that it names is not taken; no word of a prompt is kept anywhere."""
    store.put("msg_0", SAID)
    store.put("msg_1", message())
    store.put("msg_2", message(LATER, SECOND), at=LATER)
    outcome = logs.read("opencode")
    assert (outcome["status"], outcome["notes"]) == ("success", [])
    assert [(each["basis"], each["amount"][:4]) for each in outcome["money"]] == [("estimated", "0.00")]
    assert logs.sums("opencode") == SUMS
    assert logs.column("opencode", "account") == {"openai"}
    assert logs.column("opencode", "project") == {"shop"}
    kept = logs.everything_kept()
    assert MARKER.encode() not in kept
    assert b"msg_1" not in kept


def test_only_what_changed_is_read_again(logs: Logs, store: Store) -> None:
    """An answer that grew, and a new one; a row that did not change is not looked at, even if somebody broke it."""
    store.put("msg_0", message(AT - 100, tokens(-1, 0, 0, 0, 0)))
    store.put("msg_1", message(used=tokens(1, 0, 0, 1, 0, 2)), changed=AT + 10)
    assert logs.read("opencode")["notes"] == ["passed over: 1 answer with impossible figures"]
    store.db.execute(
        "UPDATE message SET data = ?, time_updated = ? WHERE id = 'msg_1'", (json.dumps(message()), AT + 50)
    )
    store.put("msg_2", message(LATER, SECOND), at=AT - 1000)  # however old it says it is
    assert logs.read("opencode")["notes"] == []
    assert logs.sums("opencode") == SUMS


def test_a_database_that_did_not_change_is_not_opened(
    logs: Logs, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its size and time, and those of its write-ahead log, are enough."""
    store.put("msg_1", message())
    logs.read("opencode")
    opened = []
    real = foreign_db.ForeignDatabase.__enter__
    monkeypatch.setattr(foreign_db.ForeignDatabase, "__enter__", lambda self: opened.append(1) or real(self))
    logs.read("opencode")
    assert opened == []
    store.put("msg_2", message(LATER, SECOND), at=LATER)  # into the write-ahead log: the file itself stays as it was
    logs.read("opencode")
    assert opened == [1]
    assert logs.sums("opencode") == SUMS


def test_a_clock_that_ran_ahead_hides_nothing(logs: Logs, store: Store) -> None:
    """A row from the year 2031 does not make the updates of today old ones."""
    store.put("msg_1", message(used=tokens(1, 0, 0, 1, 0, 2)))
    store.put("msg_9", message(1_925_000_000_000), changed=1_925_000_000_000)
    assert len(logs.read("opencode")["notes"]) == 1
    now = os.stat(f"{store.path}-wal").st_mtime_ns // 1_000_000 + 5
    store.put("msg_2", message(LATER, SECOND), at=LATER)
    store.db.execute("UPDATE message SET data = ?, time_updated = ? WHERE id = 'msg_1'", (json.dumps(message()), now))
    logs.read("opencode")
    assert logs.sums("opencode") == SUMS


def test_a_fork_counts_only_what_was_added_to_it(logs: Logs, store: Store) -> None:
    """The messages before it are copied with counts and times, under new ids: they are older than their session."""
    store.put("msg_1", message())
    store.session("ses_2", at=AT + 60_000)
    store.put("msg_2", message(), session="ses_2", at=AT + 60_000)
    store.put("msg_3", message(LATER, SECOND), session="ses_2", at=LATER)
    logs.read("opencode")
    assert logs.sums("opencode") == SUMS


def test_version_2_is_read_from_its_own_table(logs: Logs, store: Store) -> None:
    """It has taken over the messages of version 1 under their ids; the model is an object, and the kind a column."""
    two = {"model": {"id": "gpt-5.5", "providerID": "openai"}, "content": [{"type": "text", "text": MARKER}]}
    store.put("msg_1", message())
    store.session("ses_1", table="session_v2")
    store.session("ses_2", at=LATER + 5000, table="session_v2")
    store.put_2("msg_0", {"text": MARKER}, kind="user")
    store.put_2("msg_1", {**two, "time": {"created": AT}, "tokens": tokens(600, 400, 0, 50, 20)})
    store.put_2("msg_2", {**two, "time": {"created": LATER}, "tokens": tokens(17, 0, 5, 5, 0)}, at=LATER)
    store.put_2("msg_3", {**two, "time": {"created": LATER}, "tokens": tokens(17, 0, 5, 5, 0)}, session="ses_2")
    logs.read("opencode")
    assert logs.sums("opencode") == SUMS
    assert logs.column("opencode", "project") == {"shop", "Shop"}
    assert MARKER.encode() not in logs.everything_kept()


def test_files_of_older_versions_count_once(logs: Logs, store: Store) -> None:
    """They stay where they are after the database has taken them over."""
    store.put(minted(AT), message())
    logs.put(f"{DATA}/storage/message/ses_1/{minted(AT)}.json", {"id": minted(AT), **message()})
    logs.put(f"{DATA}/storage/message/ses_1/{minted(LATER)}.json", {"id": minted(LATER), **message(LATER, SECOND)})
    logs.put(f"{DATA}/storage/message/ses_2/{minted(LATER)}.json", {"id": minted(LATER + 1), **message()})
    logs.put(f"{DATA}/auth.json", {"id": "msg_w", **message()})
    logs.put(f"{DATA}/storage/part/ses_1/x.json", {"id": "msg_x", **message()})
    logs.put(f"{DATA}/snapshot/message/x.json", {"id": "msg_y", **message()})
    logs.read("opencode")
    assert logs.sums("opencode") == SUMS


def test_copies_of_projects_are_not_searched(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of the tool holds whole repositories beside the messages."""
    logs.put(f"{DATA}/snapshot/deep/x.json", {"id": "msg_y", **message()})
    logs.put(f"{DATA}/storage/message/ses_1/x.json", {"id": "msg_z", **message()})
    seen = []
    real = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: seen.append(str(path)) or real(path))
    logs.read("opencode")
    below = {path.partition(f"{DATA}/")[2] for path in seen if f"{DATA}/" in path}
    assert below - {""} == {"storage", "storage/message", "storage/message/ses_1"}


def test_a_locked_database_is_told_and_the_rest_collected(logs: Logs) -> None:
    """It is waited for a moment, and read the next time."""
    locked = Store(logs.user / DATA / "opencode.db", wal=False)
    other = Store(logs.user / DATA / "opencode-dev.db")
    locked.put("msg_1", message())
    other.put("msg_2", message(LATER, SECOND), at=LATER)
    locked.db.execute("BEGIN EXCLUSIVE")
    assert logs.read("opencode")["notes"] == ["passed over: 1 database that is in use and locked"]
    locked.db.execute("COMMIT")
    assert logs.read("opencode")["notes"] == []
    assert logs.sums("opencode") == SUMS
    for each in (locked, other):
        each.db.close()


def test_what_is_no_database_is_told_and_the_rest_collected(logs: Logs, store: Store) -> None:
    """Text, an empty file, other tables, a column that is missing, rows that are no messages."""
    store.put("msg_1", message())
    store.put("msg_3", "{broken")
    store.put("msg_4", "[1]")
    store.put("msg_5", message(time=5))
    store.put("msg_2", message(LATER, SECOND), at=LATER)
    store.db.execute("UPDATE message SET time_updated = 'soon' WHERE id = 'msg_4'")
    store.db.execute("UPDATE message SET data = x'00ff' WHERE id = 'msg_3'")
    folder = logs.user / DATA
    (folder / "opencode-text.db").write_bytes(b"no database at all" * 100)
    (folder / "opencode-none.db").write_bytes(b"")
    (folder / "opencode-folder.db").mkdir()
    other = sqlite3.connect(folder / "opencode-other.db")
    other.executescript("CREATE TABLE message(id, data); INSERT INTO message VALUES ('msg_7', '{}');")
    other.close()
    assert logs.read("opencode")["notes"] == [
        "passed over: 3 answers with impossible figures",
        "passed over: 1 database that cannot be read",
    ]
    assert logs.sums("opencode") == SUMS


def test_a_database_that_has_gone_is_none(tmp_path: Path) -> None:
    """Between being listed and being opened; so is one that only its log and journal are left of."""
    (tmp_path / "opencode.db-wal").write_bytes(b"")
    with pytest.raises(PermanentError, match="cannot be read"), foreign_db.ForeignDatabase(f"{tmp_path}/opencode.db"):
        pass
    assert [file.name for file in tmp_path.iterdir()] == ["opencode.db-wal"]


def test_nothing_is_left_beside_the_database(logs: Logs) -> None:
    """A reader would leave a log and its index beside a file that the tool has closed; it is only looked at."""
    store = Store(logs.user / DATA / "opencode.db")
    store.put("msg_1", message())
    store.put("msg_2", message(LATER, SECOND), at=LATER)
    store.db.close()
    before = store.path.read_bytes()
    logs.read("opencode")
    assert [file.name for file in store.path.parent.iterdir()] == ["opencode.db"]
    assert store.path.read_bytes() == before
    assert logs.sums("opencode") == SUMS


@pytest.mark.parametrize(("name", "folder"), [("OPENCODE_DATA_DIR", "there"), ("XDG_DATA_HOME", "")])
def test_the_folder_can_be_named(logs: Logs, monkeypatch: pytest.MonkeyPatch, name: str, folder: str) -> None:
    """By the variable of the tool, or where its kind of data is kept altogether."""
    monkeypatch.setenv(name, f"{logs.user}/share" + (f"/{folder}" if folder else ""))
    store = Store(logs.user / "share" / (folder or "opencode") / "opencode.db")
    store.put("msg_1", message())
    store.put("msg_2", message(LATER, SECOND), at=LATER)
    store.db.close()
    logs.read("opencode")
    assert logs.sums("opencode") == SUMS


def test_without_a_log_the_reason_is_said(logs: Logs) -> None:
    """Where it was looked for."""
    assert "opencode is disabled: there is no log at ~/.local/share/opencode" in logs.refused("opencode")
