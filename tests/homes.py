"""A home with an app that the test writes: the program runs in it in this process, or in one of its own."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Optional

import pytest
from fakes.clock import ManualClock
from world import Answer

from agent_os import arguments
from agent_os.core.clock import Clock
from agent_os.main import main

ROOT = Path(arguments.__file__).parent.parent
BESIDE = ("-wal", "-shm", ".lock", ".py")  # what stands beside a database, and what Python leaves


class MovableClock(ManualClock):
    """The time of day stands until the test moves it; for threads and retries it goes on as the machine's does."""

    def monotonic(self) -> float:
        return Clock.monotonic(self) + self.ticks


class AppHome:
    """The clock is the test's to move: it starts on 2026-11-22 (a Sunday) at 09:00 UTC."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.clock: Clock = MovableClock()
        self.app: Optional[Path] = None
        self._written = 0
        self._capsys = capsys

    def write(self, text: str) -> None:
        """Put an app there; under a name of its own, since an app is loaded once a process."""
        self._written += 1
        self.app = self.folder / f"app_{self._written}.py"
        self.app.write_text(f"from agent_os import *\napp = App('shop')\n{text}", encoding="utf-8")

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
            [sys.executable, "-m", "agent_os", *self._words(words, app=True), "--quiet"],
            cwd=self.folder, env={"PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def wait_for(self, name: str) -> None:
        """Until a file of this name is in the home."""
        deadline = time.monotonic() + 20
        while not (self.folder / name).exists():
            assert time.monotonic() < deadline, f"{name} never came"
            time.sleep(0.02)

    def pass_days(self, days: float) -> None:
        """Let days go by."""
        assert isinstance(self.clock, MovableClock)
        self.clock.pass_by(days * 86_400)

    def sql(self, text: str, *values: object) -> list[tuple[Any, ...]]:
        """What the database answers; what it is told to change, it changes."""
        connection = sqlite3.connect(self.folder / "agent_os.db")
        try:
            with connection:
                return connection.execute(text, values).fetchall()
        finally:
            connection.close()

    def files(self) -> dict[str, bytes]:
        """Every file of the home with its bytes, but for those that SQLite and locks need beside a database."""
        found = (path for path in self.folder.iterdir() if path.is_file() and not path.name.endswith(BESIDE))
        return {path.name: path.read_bytes() for path in found}

    def _words(self, words: tuple[str, ...], *, app: bool) -> list[str]:
        verb = next((word for word in words if word in arguments.VERBS), "")
        knows_apps = not verb or verb in ("tasks", "plan", "gaps", "doctor")
        named = ["--app", str(self.app)] if app and self.app and knows_apps else []
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
