"""The verbs that look and tidy: what is due, what is missing, what needs a person, and how a person settles it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any, Optional

import pytest
from fakes.clock import ManualClock
from world import Answer

from agent_os.main import main


class Home:
    """A home with an app of the test's own, and a clock that the test moves: it starts on 2026-11-22 at 09:00 UTC."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.written = 0
        self.app = folder / "app_0.py"
        self._capsys = capsys

    def write(self, text: str) -> None:
        """Put an app there; under a name of its own, since an app is loaded once a process."""
        self.written += 1
        self.app = self.folder / f"app_{self.written}.py"
        self.app.write_text(f"from agent_os import *\napp = App('shop')\n{text}", encoding="utf-8")

    def run(self, *words: str, app: bool = True) -> Answer:
        """Run the program in this home, with the app that was written last."""
        self._capsys.readouterr()
        named = ["--app", str(self.app)] if app and self.written else []
        code = main([*words, *named, "--home", str(self.folder)], clock=self.clock)
        out, err = self._capsys.readouterr()
        return Answer(code, out, err)

    def json(self, *words: str, app: bool = True, code: int = 0) -> Any:
        """What a verb says with --json."""
        answer = self.run(*words, "--json", app=app)
        assert answer.code == code, answer.err
        return json.loads(answer.out)

    def sql(self, text: str, *values: object) -> list[tuple[Any, ...]]:
        """What the database answers; what it is told to change, it changes."""
        connection = sqlite3.connect(self.folder / "agent_os.db")
        try:
            with connection:
                return connection.execute(text, values).fetchall()
        finally:
            connection.close()

    def files(self) -> dict[str, Optional[bytes]]:
        """Every file of the home with its bytes."""
        return {path.name: path.read_bytes() if path.is_file() else None for path in self.folder.iterdir()}


@pytest.fixture
def home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Home:
    return Home(tmp_path, capsys)


DAILY = "@app.task(partition='day')\ndef rates(ctx): return ctx.slot\n"
SCHEDULED = "@app.task(schedule='0 6 * * *')\ndef rates(ctx): return ctx.slot\n"


@pytest.mark.parametrize(("before", "after"), [(DAILY, SCHEDULED), (SCHEDULED, DAILY)], ids=["schedule", "days"])
def test_a_task_whose_time_is_of_another_kind_now_begins_anew(home: Home, before: str, after: str) -> None:
    """Its old slots say nothing of the new ones: the latest of these is due."""
    home.write(before)
    assert home.run("--task", "rates").code == 0
    home.write(after)
    assert home.run("--task", "rates").code == 0
    assert [status for (status,) in home.sql("SELECT status FROM slots")] == ["success", "success"]


@pytest.mark.parametrize(("length", "code"), [(195, 0), (196, 1)])
def test_a_key_of_a_message_that_is_taken_can_be_sent(home: Home, length: int, code: int) -> None:
    """The longest key leaves room for the name of the effect that sends it; a longer one is refused at once."""
    home.write(
        f"@app.task\ndef tell(ctx): ctx.send('mail', 'm' * {length}, 1)\n@app.outbox('mail')\ndef mail(ctx, message): pass\n"
    )
    assert home.run("--task", "tell").code == code
    assert home.sql("SELECT status FROM outbox") == ([("sent",)] if code == 0 else [])
