"""What may be wrong with files: each is refused in one sentence with its exit code, and left as it was."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from agent_os.main import main

from .test_command_line import collected


def refused(home: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """The exit code and the one line that is said."""
    capsys.readouterr()
    code = main([*(words or ("--task", "run_all", "--quiet")), "--home", str(home)])
    lines = capsys.readouterr().err.splitlines()
    assert [line[:7] for line in lines] == ["error: "], lines
    return code, lines[0]


def with_key(home: Path, *more: str) -> None:
    (home / ".env").write_text("".join(f"{line}\n" for line in ("OPENAI_API_KEY=sk-admin-invented-000", *more)))
    (home / ".env").chmod(0o600)


def contents(home: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in home.iterdir() if file.name != "agent.log"}


def test_an_empty_database_path_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By its setting and where that comes from, not as a file without a name."""
    with_key(tmp_path, "AGENT_OS_DB_PATH=")
    for words in ((), ("results",)):
        code, line = refused(tmp_path, capsys, *words)
        assert code == 3
        assert f"AGENT_OS_DB_PATH is empty (from {tmp_path / '.env'})" in line


def test_a_folder_that_is_missing_is_named_with_the_command_that_makes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder is never made for a mistyped path."""
    with_key(tmp_path, "AGENT_OS_DB_PATH=no/such/a.db")
    code, line = refused(tmp_path, capsys)
    assert code == 3
    assert f"mkdir -p {tmp_path / 'no/such'}" in line
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_the_database_of_another_program_is_not_touched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: str
) -> None:
    """Not even its write-ahead log is folded in, and no file is put beside it."""
    with_key(tmp_path)
    foreign = sqlite3.connect(tmp_path / "live.db", isolation_level=None)
    foreign.execute(f"PRAGMA journal_mode = {mode}")
    foreign.execute("CREATE TABLE x(a)")
    for name in os.listdir(tmp_path):
        if name.startswith("live.db"):
            (tmp_path / name.replace("live", "agent_os")).write_bytes((tmp_path / name).read_bytes())
    foreign.close()
    before = contents(tmp_path)
    assert refused(tmp_path, capsys)[0] == 3
    after = contents(tmp_path)
    after.pop("agent_os.db-shm", None), before.pop("agent_os.db-shm", None)  # SQLite's shared memory, not data
    assert after == before


def test_a_database_that_is_gone_is_not_to_be_moved_away(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What helps: put it back, or say that a new one is meant."""
    collected(tmp_path)
    (tmp_path / "agent_os.db").unlink()
    with_key(tmp_path)
    code, line = refused(tmp_path, capsys)
    assert code == 6
    assert f"put it back, or start afresh: rm {tmp_path / 'agent_os.db.id'}" in line


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="rights do not bind root")
def test_settings_that_may_not_be_read_are_a_matter_of_the_set_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 3: whoever runs this can put it right."""
    with_key(tmp_path)
    (tmp_path / ".env").chmod(0)
    code, line = refused(tmp_path, capsys)
    assert code == 3
    assert "ls -l" in line
