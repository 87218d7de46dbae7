"""Row 5: commands with a million old runs, beside the same with a thousand.

    python3 -m bench.history [RUNS [ROUNDS]]

Two homes, alike but for the length of their history. Each command is the built file; nothing is due in either home.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from agent_os.core.clock import Clock
from agent_os.core.days import Window, add_days
from agent_os.core.opening import open_to_write
from bench.table import measure

PYZ = Path(__file__).resolve().parent.parent / "agent_os.pyz"
FEW = 1_000
COMMANDS = {
    "--task, nothing due": ("--task", "fetch_openai", "--until", "{until}", "--since", "{since}", "--quiet"),
    "history": ("history",),
    "history --task": ("history", "--task", "fetch_openai", "--status", "failed"),
    "results": ("results",),
    "gaps": ("gaps",),
}


def run(number: int) -> tuple[str, str, str, str]:
    """Every fiftieth one failed."""
    at = f"2020-01-01T00:{number // 60000 % 60:02d}:{number // 1000 % 60:02d}.{number % 1000:03d}Z"
    return f"{number:09d}", "success" if number % 50 else "failed", at, at


def make(home: Path, runs: int) -> tuple[str, str]:
    """A home whose days are all settled, after so many runs; the span that has nothing due."""
    home.mkdir()
    (home / ".env").write_text("OPENAI_ADMIN_KEY=sk-admin-invented-0001\n", encoding="ascii")
    os.chmod(home / ".env", 0o600)
    db = open_to_write(str(home / "agent_os.db"), clock=Clock())
    today = Clock().today()
    span = Window(add_days(today, -100), add_days(today, -50))
    names = "id, plugin_name, status, started_at, finished_at, task, invocation_id"
    with db.atomic():
        db.many(
            f"INSERT INTO runs({names}) VALUES (?, 'openai', ?, ?, ?, 'fetch_openai', 'i')",
            (run(number) for number in range(runs)),
        )
        db.many(
            "INSERT INTO slots(task, key, status, due_at, changed_at, read_at)"
            " VALUES ('fetch_openai', ?, 'success', '', '', ?)",
            [(day, f"{today}T00:00:00.000Z") for day in span],
        )
    db.close()
    return span.start, span.end


def main(runs: int, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        homes = {count: Path(folder, str(count)) for count in (FEW, runs)}
        for count, home in homes.items():
            since, until = make(home, count)
        for name, words in COMMANDS.items():
            line = [word.format(since=since, until=until) for word in words]
            works = {
                f"{count:,} runs": [sys.executable, str(PYZ), *line, "--home", str(home)]
                for count, home in homes.items()
            }
            measure(works, rounds=rounds, floor=f"{FEW:,} runs", title=name)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 1_000_000, int(sys.argv[2]) if sys.argv[2:] else 7)
