"""A home with an app of its own and the program, in one process: what tests of tasks need."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import textwrap
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NamedTuple, Optional

import pytest

from agent_os.core.clock import Clock
from agent_os.main import main

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Clock.__module__.removesuffix(".core.clock")  # the one under test, which may be a vendored copy


class ShiftedClock(Clock):
    """The machine's clock, moved by whatever the test says; sleeping is real."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead

    def set(self, text: str) -> None:
        """Let it be this instant now: `2026-11-22T05:00`, UTC."""
        moment = datetime.fromisoformat(text).replace(tzinfo=timezone.utc)
        self.ahead = moment - datetime.now(timezone.utc)


class Answer(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


class House:
    """One home; `app` is the source of its app, which may be written again between two runs."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self.clock = ShiftedClock()
        self._capsys = capsys
        self._number = 0
        self._app: Optional[Path] = None

    def app(self, source: str) -> None:
        """Write the app. Each version is a file of its own, since a file is imported once a process."""
        self._number += 1
        self._app = self.home / f"app_{self._number}.py"
        head = f"from {PACKAGE} import App, PermanentError, TransientError\nimport os, time\napp = App('it')\n"
        head += f"def note(text):\n    with open({str(self.home / 'notes')!r}, 'a') as f: f.write(text + '\\n')\n"
        self._app.write_text(head + textwrap.dedent(source), encoding="utf-8")

    def ini(self, text: str) -> None:
        """Write agent_os.ini."""
        path = self.home / "agent_os.ini"
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        path.chmod(0o600)

    def run(self, *words: str) -> Answer:
        """Run the program here; a task when the first word is none of its verbs' dashes."""
        self._capsys.readouterr()
        app = ["--app", str(self._app)] if self._app and "--task" in words else []
        code = main([*words, *app, "--home", str(self.home)], clock=self.clock)
        out, err = self._capsys.readouterr()
        return Answer(code, out, err)

    def task(self, name: str, *words: str) -> Answer:
        """`--task NAME`."""
        return self.run("--task", name, *words)

    def outcomes(self, name: str, *words: str) -> dict[str, dict[str, Any]]:
        """What `--task NAME --json` says, by task; of several slots the last."""
        return {each["task"]: each for each in self.task(name, "--json", *words).json["outcomes"]}

    @property
    def notes(self) -> list[str]:
        """What the app's tasks have noted, in order: the outside world."""
        path = self.home / "notes"
        return path.read_text().splitlines() if path.exists() else []

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """What the database answers."""
        connection = sqlite3.connect(self.home / "agent_os.db")
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def change(self, sql: str, *values: object) -> None:
        """Change the database behind the program's back."""
        connection = sqlite3.connect(self.home / "agent_os.db")
        try:
            with connection:
                connection.execute(sql, values)
        finally:
            connection.close()

    def slots(self, task: str) -> dict[str, str]:
        """key -> status."""
        return dict(self.rows("SELECT key, status FROM slots WHERE task = ? ORDER BY key", task))


def started(house: House, *words: str, before: str = "") -> subprocess.Popen[str]:
    """The program in a process of its own, in this home; `before` is code that is run there first."""
    command = [sys.executable, "-m", PACKAGE]
    if before:
        command = [sys.executable, "-c", f"{before}; from {PACKAGE}.__main__ import main; raise SystemExit(main())"]
    words = (*words, "--home", str(house.home))
    return subprocess.Popen([*command, *words], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(house: House, note: str, times: int = 1) -> None:
    """Until this has been noted so often."""
    deadline = time.monotonic() + 20
    while house.notes.count(note) < times and time.monotonic() < deadline:
        time.sleep(0.02)
    assert house.notes.count(note) >= times


def is_alive(pid: int) -> bool:
    """Whether it runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def is_gone(pid: int, seconds: float = 10) -> bool:
    """Whether it is gone, or will be within so many seconds."""
    deadline = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not is_alive(pid)
