"""Random lives of a home, with edits, settings that go and come back, pauses and a clock that is wrong: each owed once.

What is owed is written down here once more, in a few lines: an instant of a schedule is, if a tick before it and a tick
after it have seen the same declaration, and none in between has missed it.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Optional

import pytest

from agent_os.core.cron import Schedule, key_of
from tests.homes import AppHome

if TYPE_CHECKING:
    from pathlib import Path

SCHEDULES = ("0 * * * *", "*/20 * * * *", "30 */3 * * *", "every 45m", "15 4 * * *")
LIVES = 6
STEPS = 25


class Life:
    """A home with two tasks, and what it owes."""

    def __init__(self, home: AppHome, seed: int) -> None:
        self.home = home
        self.luck = random.Random(seed)
        self.is_wrong_clock = seed % 2 == 0  # then the schedules stay as they are
        self.schedule = dict.fromkeys("ab", "0 * * * *")
        self.is_on = dict.fromkeys("ab", True)
        self.seen: dict[str, Optional[tuple[str, datetime]]] = dict.fromkeys("ab")
        self.owed: dict[str, set[str]] = {"a": set(), "b": set()}
        self.history: list[str] = []

    def step(self) -> None:
        name = self.luck.choice("ab")
        kind = self.luck.randrange(6)
        if kind == 0 and not self.is_wrong_clock:
            self.schedule[name] = self.luck.choice(SCHEDULES)
        elif kind == 1:
            self.is_on[name] = not self.is_on[name]
        elif kind == 2 and self.is_wrong_clock:
            ahead = self.luck.choice((0.1, 3, 10))
            self.is_on[name] = True  # perhaps it is the wrong clock that sees this first
            self.home.pass_days(ahead)
            self.tick()
            self.home.pass_days(-ahead)
        else:
            self.home.pass_days(self.luck.choice((7, 40, 61, 600, 3000)) / 1440)
        if self.luck.random() < 0.7:
            self.tick()

    def tick(self) -> None:
        now = self.home.clock.now()
        text = "".join(
            f"[task:{name}]\ncommand = true\nschedule = {self.schedule[name]}\ncatch_up = {policy}\nneeds = IS_{name}\n"
            for name, policy in (("a", "all"), ("b", "latest"))
        )
        (self.home.folder / "agent_os.ini").write_text(text, encoding="utf-8")
        settings = "".join(f"IS_{name}=1\n" for name in "ab" if self.is_on[name])
        (self.home.folder / ".env").write_text(settings, encoding="utf-8")
        self.history.append(f"{now:%d %H:%M} {[self.schedule[name] for name in 'ab' if self.is_on[name]]}")
        for name in "ab":
            seen = self.seen[name]
            if not self.is_on[name]:
                self.seen[name] = None
            elif seen is None or seen[0] != self.schedule[name] or seen[1] > now:
                self.seen[name] = (self.schedule[name], now)
            else:
                self.owed[name] |= {key_of(each) for each in Schedule(seen[0]).between(seen[1], now)}
        answer = self.home.run("tick", app=False)
        assert answer.code == 0, answer.err


@pytest.mark.parametrize("seed", range(LIVES))
def test_what_is_owed_is_resolved_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int
) -> None:
    """Whatever happens to a home: every instant that is owed has one row, no other has, and no slot ran twice."""
    home = AppHome(tmp_path, capsys)
    life = Life(home, seed)
    life.tick()
    for _ in range(STEPS):
        life.step()
    home.pass_days(timedelta(minutes=61) / timedelta(days=1))
    life.tick()
    for name in "ab":
        now = key_of(home.clock.now().replace(second=0, microsecond=0))  # what a wrong clock did later has its own time
        rows = dict(home.rows("SELECT key, status FROM slots WHERE task = ? AND key <= ?", name, now))
        assert set(rows) == {key for key in life.owed[name] if key <= now}, "\n".join(life.history)
        assert set(rows.values()) <= ({"success"} if name == "a" else {"success", "skipped"})
    assert home.rows("SELECT task, slot_key FROM runs WHERE slot_key <> '' GROUP BY 1, 2 HAVING count(*) > 1") == []
