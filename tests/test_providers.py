"""`providers`: every source, what it takes to use it, and what there is of it here."""

from __future__ import annotations

from pathlib import Path

import pytest
from laptop import Laptop, laptop_of

from agent_os.plugins import NAMES

LOGS = {"claude_code", "codex", "gemini_cli", "opencode"}


@pytest.fixture
def laptop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Laptop:
    return laptop_of(tmp_path, monkeypatch, capsys)


def answer(day: str) -> dict[str, object]:
    """A line of a log of Claude Code."""
    said = {"id": f"m{day}", "model": "claude-opus-5-5", "usage": {"input_tokens": 1, "output_tokens": 2}}
    return {"type": "assistant", "timestamp": f"{day}T10:00:00Z", "cwd": "/p", "message": said}


def test_every_source_says_what_it_gives_and_what_it_takes(laptop: Laptop) -> None:
    """What, how far back, how fresh, and for those that need one the key, its rights and where it is made."""
    found = {each["provider"]: each for each in laptop.json("providers")}
    assert set(found) == set(NAMES)
    for name, each in found.items():
        assert each["gives"], name
        assert each["fresh"], name
        assert each["basis"] == ("estimated" if name in LOGS else "reported")
        assert bool(each["keys"]) == bool(each["key_help"]) == (name not in LOGS)
        assert each["is_ready"] is False
        assert each["state"].startswith("disabled: ")
    assert {name: each["history_days"] for name, each in found.items()} == {
        "anthropic": None, "openai": None, "openrouter": 30, "cursor": 30, "github_copilot": 730, "claude_code": 30,
        "codex": None, "gemini_cli": 30, "opencode": None,
    }  # fmt: skip
    for name in set(NAMES) - LOGS:
        assert "https://" in found[name]["key_help"], name


def test_the_state_is_that_of_this_machine(laptop: Laptop) -> None:
    """What is set up, with what it works, and which days are stored; figures by hand are a source too."""
    laptop.log(".claude/projects/p/a.jsonl", answer("2026-11-19"))
    (laptop.folder / ".env").write_text("OPENAI_ADMIN_KEY=sk-admin-x\n")
    laptop.collect("fetch_claude_code")
    (laptop.folder / "bills.csv").write_text("date,amount,currency\n2026-10-31,12.50,EUR\n")
    assert laptop.run("import", "csv", str(laptop.folder / "bills.csv"), "--provider", "acme", "--yes").code == 0
    found = {each["provider"]: each for each in laptop.json("providers")}
    log, key, hand = found["claude_code"], found["openai"], found["acme"]
    assert (log["state"], log["days"], log["first_day"]) == ("ready, log at ~/.claude/projects", 4, "2026-11-19")
    assert (key["state"], key["days"], key["first_day"]) == ("ready, key from OPENAI_ADMIN_KEY", 0, None)
    assert (hand["task"], hand["basis"], hand["days"]) == (None, "imported", 1)
    text = laptop.run("providers").out
    assert "stored     4 days, 2026-11-19 to 2026-11-22" in text
    assert "sk-admin-x" not in text
    assert max(map(len, text.splitlines())) <= 100


def test_one_source_can_be_asked_for(laptop: Laptop) -> None:
    """By its name; a wrong one is told the nearest."""
    (found,) = laptop.json("providers", "openrouter")
    assert found["task"] == "fetch_openrouter"
    answer = laptop.run("providers", "openruter")
    assert (answer.code, "did you mean openrouter?" in answer.err) == (2, True)
