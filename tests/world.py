"""A home, both sandboxed providers and the program, in one process: what most end-to-end tests need."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from agent_os.core.clock import Clock
from agent_os.core.days import add_days
from agent_os.main import main
from agent_os.sandbox.server import Sandbox

PROVIDERS = ("anthropic", "openai")


class FastClock(Clock):
    """Real time, but nobody waits: a sleep only moves the monotonic clock."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.ahead += seconds


class Answer(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def outcomes(self) -> dict[str, dict[str, Any]]:
        """The outcomes of a `--json` run, by provider."""
        return {each["provider"]: each for each in json.loads(self.out)["outcomes"] if "provider" in each}


class World:
    """One home and its providers."""

    def __init__(self, home: Path, sandbox: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self.sandbox = sandbox
        self.clock = FastClock()
        self._capsys = capsys
        self.today = self.clock.today()
        self.keys = {"OPENAI_ADMIN_KEY": sandbox.openai_key, "ANTHROPIC_ADMIN_KEY": sandbox.anthropic_key}
        self.write_env()

    def write_env(self, **more: str) -> None:
        """The `.env` of the home: the sandbox's keys and addresses, and whatever else is given."""
        values = {
            **self.keys,
            "OPENAI_BASE_URL": self.sandbox.openai_base_url,
            "ANTHROPIC_BASE_URL": self.sandbox.anthropic_base_url,
            **more,
        }
        path = self.home / ".env"
        path.write_text("".join(f"{name}={value}\n" for name, value in values.items()), encoding="utf-8")
        path.chmod(0o600)

    def run(self, *words: str) -> Answer:
        """Run the program in this home."""
        self._capsys.readouterr()
        code = main([*words, "--home", str(self.home)], clock=self.clock)
        out, err = self._capsys.readouterr()
        return Answer(code, out, err)

    def collect(self, *words: str) -> Answer:
        """`--task run_all --json`."""
        return self.run("--task", "run_all", "--json", *words)

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
        with connection:
            connection.execute(sql, values)
        connection.close()

    def stored(self, provider: str) -> dict[str, tuple[int, int]]:
        """day -> (tokens, nano) as `results` has it."""
        sql = "SELECT date, tokens, cost_nano FROM results WHERE provider = ?"
        return {date: (tokens, nano) for date, tokens, nano in self.rows(sql, provider)}

    def truth(self, provider: str, days: list[str]) -> dict[str, tuple[int, int]]:
        """The same as the ledger of the sandbox has it."""
        return {day: self.sandbox.ledger.truth(provider, day) for day in days}

    def day(self, back: int) -> str:
        """The UTC day so many days ago."""
        return add_days(self.today, -back)

    def days(self, back: int = 35) -> list[str]:
        """Today and so many days before it, oldest first."""
        return [self.day(number) for number in range(back, -1, -1)]
