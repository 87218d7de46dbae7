"""Very many slots that are left out: written down in parts, each short, and the same in the end as if at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agent_os.core import runner
from agent_os.core.db import Database
from tests.fakes.environment import bare
from tests.homes import PACKAGE, AppHome

TESTS = Path(__file__).resolve().parent
HOURS = 60
INI = "".join(
    f"[task:{policy}_{number}]\ncommand = true\nschedule = {number} * * * *\ncatch_up = {policy}\n"
    for policy in ("latest", "none")
    for number in range(3)
)
# The program, killed right after it has written down so many parts.
KILLED = f"""
import os, sys
sys.path[:0] = [{str(TESTS)!r}, {str(TESTS.parent)!r}]
from fakes.clock import ManualClock
from {PACKAGE}.core import runner
from {PACKAGE}.main import main
home, parts = sys.argv[1], int(sys.argv[2])
write = runner._write_down
def written(desk, part):
    global parts
    write(desk, part)
    parts -= 1
    if not parts:
        os.kill(os.getpid(), 9)
runner._write_down, runner.MOST_LEFT_OUT = written, 50
clock = ManualClock()
clock.moment = clock.moment.fromisoformat(sys.argv[3])
sys.exit(main(["tick", "--quiet", "--home", home], clock=clock))
"""


@pytest.fixture
def home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AppHome:
    return off(tmp_path, capsys)


def off(folder: Path, capsys: pytest.CaptureFixture[str], ini: str = INI) -> AppHome:
    """A home whose tasks were declared, and never looked after since."""
    folder.mkdir(exist_ok=True)
    home = AppHome(folder, capsys)
    (folder / "agent_os.ini").write_text(ini, encoding="utf-8")
    home.pass_days(1 / 48)
    assert home.run("tick", app=False).code == 0
    home.pass_days(HOURS / 24)
    return home


def slots(home: AppHome) -> list[tuple[str, ...]]:
    return home.rows("SELECT task, key, status, reason FROM slots ORDER BY task, key")


def tick(home: AppHome) -> None:
    answer = home.run("tick", app=False)
    assert answer.code == 0, answer.err


def test_parts_are_as_good_as_one(
    home: AppHome, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same rows, reasons and runs, whether they were written at once or fifty at a time."""
    other = off(tmp_path / "other", capsys)
    tick(home)
    monkeypatch.setattr(runner, "MOST_LEFT_OUT", 50)
    tick(other)
    assert slots(other) == slots(home)
    assert len(slots(home)) == 6 * HOURS
    assert other.rows("SELECT task, slot_key, status FROM runs") == home.rows("SELECT task, slot_key, status FROM runs")


@pytest.mark.parametrize("parts", [1, 2, 6])
def test_a_kill_between_two_parts_is_gone_on_with(
    home: AppHome, tmp_path: Path, capsys: pytest.CaptureFixture[str], parts: int
) -> None:
    """kill -9: what is written stands and never runs, the next start leaves out the rest, and nothing runs twice."""
    other = off(tmp_path / "other", capsys)
    tick(other)
    words = [str(home.folder), str(parts), home.clock.now().isoformat()]
    killed = subprocess.run([sys.executable, "-c", KILLED, *words], env=bare(), capture_output=True, check=False)
    assert killed.returncode == -9, killed.stderr
    before = slots(home)
    assert 0 < len(before) < 6 * HOURS
    assert {status for _, _, status, _ in before} == {"skipped"}
    tick(home)
    assert slots(home) == slots(other)
    assert sorted(home.rows("SELECT task, slot_key, status FROM runs")) == [
        (task, key, "success") for task, key, status, _ in slots(home) if status == "success"
    ]


def test_what_is_left_out_in_parts_is_not_run_for_what_follows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task by days whose last day stands for the others does that for a follower, too, which does all of its days."""
    days = "partition = day\ncommand = true\n"
    home = off(tmp_path, capsys, INI + f"[task:a]\ncatch_up = latest\n{days}[task:b]\nafter = a\n{days}")
    monkeypatch.setattr(runner, "MOST_LEFT_OUT", 50)
    tick(home)
    assert home.rows("SELECT task, status, count(*) FROM slots WHERE task IN ('a', 'b') GROUP BY 1, 2") == [
        ("a", "skipped", 1),
        ("a", "success", 1),
        ("b", "success", 2),
    ]


def test_no_transaction_leaves_out_very_many(home: AppHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others want to write meanwhile, and memory has an end."""
    monkeypatch.setattr(runner, "MOST_LEFT_OUT", 50)
    written: list[int] = []
    many = Database.many

    def counted(self: Database, sql: str, rows: list[tuple[object, ...]]) -> None:
        written.append(len(rows) if "'skipped'" in sql or "INTO slots" in sql else 0)
        many(self, sql, rows)

    monkeypatch.setattr(Database, "many", counted)
    in_one: list[int] = []
    begin = Database.begin

    def begun(self: Database) -> bool:
        in_one.append(sum(written))
        written.clear()
        return begin(self)

    monkeypatch.setattr(Database, "begin", begun)
    tick(home)
    assert sum(in_one) == 6 * HOURS - 6
    assert max(in_one) < 50 + HOURS
