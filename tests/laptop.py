"""A user's home directory with the logs that local tools leave there, and the program beside it."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any, Optional

import pytest
from homes import AppHome


class Laptop(AppHome):
    """`user` is the home directory; the program's own home is another folder. It is 2026-11-22, 09:00 UTC."""

    def __init__(self, folder: Path, user: Path, capsys: pytest.CaptureFixture[str]) -> None:
        super().__init__(folder, capsys)
        self.user = user

    def log(self, name: str, *lines: object, whole: bool = True) -> Path:
        """Add lines to a file of the home directory; a line that is no text becomes JSON. Half a line: not `whole`."""
        path = self.user / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
        with path.open("a", encoding="utf-8") as file:
            file.write(text + ("\n" if whole else ""))
        return path

    def collect(self, task: str = "run_all", *, code: int = 0) -> dict[str, Any]:
        """Run it a second later, and what came of each source."""
        self.clock.sleep(1)
        found = self.json("--task", task, code=code)["outcomes"]
        return {each["provider"]: each for each in found}

    def tokens(self, provider: str) -> dict[str, dict[str, int]]:
        """day -> kind -> tokens, as the lines have it now."""
        found: dict[str, dict[str, int]] = {}
        sql = (
            "SELECT date, token_type, sum(quantity) FROM result_lines WHERE superseded_at IS NULL AND kind = 'usage'"
            " AND unit = 'tokens' AND provider = ? GROUP BY 1, 2 ORDER BY 1, 2"
        )
        for day, kind, count in self.rows(sql, provider):
            found.setdefault(day, {})[kind] = count
        return found

    def days(self, provider: str) -> dict[str, tuple[int, Optional[int]]]:
        """day -> (tokens, nano), as `results` has it."""
        sql = "SELECT date, tokens, cost_nano FROM results WHERE provider = ? ORDER BY date"
        return {day: (tokens, nano) for day, tokens, nano in self.rows(sql, provider)}

    def everything_kept(self) -> bytes:
        """All bytes that the program has written into its home, pages unpacked."""
        kept = b"".join(path.read_bytes() for path in self.folder.iterdir() if path.is_file())
        return kept + b"".join(gzip.decompress(body) for (body,) in self.rows("SELECT gzip FROM page_bodies"))


def laptop_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, kind: Any = Laptop
) -> Any:
    """A new one (of a kind of Laptop); HOME is its user's."""
    folder, user = tmp_path / "agent", tmp_path / "user"
    folder.mkdir()
    user.mkdir()
    monkeypatch.setenv("USERPROFILE" if os.name == "nt" else "HOME", str(user))
    return kind(folder, user, capsys)
