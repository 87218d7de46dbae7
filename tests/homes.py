"""A house whose clock the test moves, and whose program may also be started in a process of its own."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from fakes.clock import ManualClock
from house import Answer, House

from agent_os import arguments
from agent_os.core.clock import Clock
from agent_os.main import main
from tests.fakes.environment import bare

PACKAGE = arguments.__name__.rpartition(".")[0]  # under the name that it really has
BESIDE = ("-wal", "-shm", ".lock", ".py")  # what stands beside a database, and what Python leaves
KNOW_APPS = ("tasks", "plan", "gaps", "doctor")  # verbs that take --app


class MovableClock(ManualClock):
    """The time of day stands until the test moves it; for threads and retries it goes on as the machine's does."""

    def monotonic(self) -> float:
        return Clock.monotonic(self) + self.ticks


class AppHome(House):
    """It starts on 2026-11-22 (a Sunday) at 09:00 UTC."""

    clock: Clock  # type: ignore[assignment]  # any will do

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        super().__init__(folder, capsys)
        self.folder = folder
        self.clock = MovableClock()
        self.sql = self.rows

    def write(self, source: str) -> None:
        """Put an app there, which imports the package under its real name: a process of its own knows no other."""
        self.app(source)
        assert self._app is not None
        text = self._app.read_text(encoding="utf-8")
        self._app.write_text(text.replace("from agent_os", f"from {PACKAGE}"), encoding="utf-8")

    def run(self, *words: str, app: bool = True) -> Answer:
        """Run the program in this home; with the app that was written last, or with none."""
        self._capsys.readouterr()
        code = main(self._words(words, app=app), clock=self.clock)
        out, err = self._capsys.readouterr()
        return Answer(code, out, err)

    def json(self, *words: str, app: bool = True, code: int = 0) -> Any:
        """What a verb says with --json."""
        answer = self.run(*words, "--json", app=app)
        assert answer.code == code, answer.err
        return json.loads(answer.out)

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """Run the program in a process of its own, by the clock of the machine."""
        return subprocess.Popen(
            [sys.executable, "-m", PACKAGE, *self._words(words, app=True), "--quiet"],
            cwd=self.folder, env=bare(),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def wait_for(self, name: str) -> None:
        """Until a file of this name is in the home."""
        deadline = time.monotonic() + 60
        while not (self.folder / name).exists():
            assert time.monotonic() < deadline, f"{name} never came"
            time.sleep(0.02)

    def pass_days(self, days: float) -> None:
        """Let days go by."""
        assert isinstance(self.clock, MovableClock)
        self.clock.pass_by(days * 86_400)

    def files(self) -> dict[str, bytes]:
        """Every file of the home with its bytes, but for those that SQLite and locks need beside a database."""
        found = (path for path in self.folder.iterdir() if path.is_file() and not path.name.endswith(BESIDE))
        return {path.name: path.read_bytes() for path in found}

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """What the database answers; what it is told to change, it changes."""
        connection = sqlite3.connect(self.folder / "agent_os.db")
        try:
            with connection:
                return connection.execute(sql, values).fetchall()
        finally:
            connection.close()

    def _words(self, words: tuple[str, ...], *, app: bool) -> list[str]:
        is_known = "--task" in words or any(word in KNOW_APPS for word in words)
        named = ["--app", str(self._app)] if app and self._app and is_known else []
        return [*words, *named, "--home", str(self.folder)]


WAITING = """
import os, time
@app.task(overlap='{overlap}')
def slow(ctx):
    folder = os.path.dirname(__file__)
    open(os.path.join(folder, 'begun'), 'w').close()
    while not os.path.exists(os.path.join(folder, 'go')):
        time.sleep(0.01)
"""  # a task that is under way from the file `begun` until the file `go`
