"""A laptop with logs whose bytes a test decides, and what was collected from one source: for the tests of a plugin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Union

from laptop import Laptop

MARKER = "the-secret-plan"  # stands in every prompt that a test writes

Line = Union[dict[str, Any], str, bytes]


class Logs(Laptop):
    """It is 22 November 2026."""

    def put(self, path: str, *lines: Line, more: bool = False) -> Path:
        """A file below the user's home, one line after the other; `more`: behind what it holds."""
        file = self.user / path
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab" if more else "wb") as stream:
            for line in lines:
                stream.write(as_bytes(line) + b"\n")
        return file

    def read(self, source: str) -> dict[str, Any]:
        """Collect from a source; what came of it."""
        outcome: dict[str, Any] = self.collect(f"fetch_{source}")[source]
        return outcome

    def refused(self, source: str) -> str:
        """Why nothing can be collected from a source."""
        answer = self.run("--task", f"fetch_{source}")
        assert answer.code == 3, answer.err
        return answer.err

    def sums(self, source: str) -> dict[tuple[str, str, str], int]:
        """(day, model, kind of token) -> quantity, as `result_lines` has it now; requests are the kind `requests`."""
        rows = self.rows(
            "SELECT date, model, CASE token_type WHEN '' THEN unit ELSE token_type END, sum(quantity)"
            " FROM result_lines WHERE provider = ? AND kind = 'usage' AND superseded_at IS NULL GROUP BY 1, 2, 3",
            source,
        )
        return {(date, model, kind): quantity for date, model, kind, quantity in rows}

    def column(self, source: str, name: str) -> set[str]:
        """What stands in a column of the lines of a source."""
        return {value for (value,) in self.rows(f"SELECT {name} FROM result_lines WHERE provider = ?", source)}


def as_bytes(line: Line) -> bytes:
    """A line of a log."""
    if isinstance(line, dict):
        return json.dumps(line).encode()
    return line.encode() if isinstance(line, str) else line
