"""Row 5: commands with a million old runs, beside the same with a thousand.

    python3 -m bench.history [RUNS [ROUNDS]]

Two homes, alike but for the length of their history: so many runs of a collector, and as many of a task, each with
a slot of its own. Each command is the built file, made here. In neither home is anything due, or a slot left failed.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from agent_os.core.clock import Clock
from agent_os.core.days import Window, add_days
from agent_os.core.opening import open_to_write
from bench.startup import build
from bench.table import measure

SCRATCH = Path(__file__).resolve().parent.parent / "build" / "bench"  # on the disk of the checkout
FEW = 1_000
APP = """
from agent_os import App
app = App("one")

@app.task
def nothing(ctx): pass
"""
COMMANDS = {
    "--task, a function that does nothing": ("--task", "nothing", "--quiet"),
    "--task, nothing due": ("--task", "fetch_openai", "--until", "{until}", "--since", "{since}", "--quiet"),
    "history": ("history",),
    "history --task": ("history", "--task", "fetch_openai", "--status", "failed"),
    "results": ("results",),
    "gaps": ("gaps",),
    "show last": ("show", "last"),
    "plan": ("plan", "nothing"),
    "doctor": ("doctor",),
    "retry --failed": ("retry", "--failed"),
}


def instant(number: int) -> str:
    """A thousandth of a second after the other."""
    return f"2020-01-01T00:{number // 60000 % 60:02d}:{number // 1000 % 60:02d}.{number % 1000:03d}Z"


def run(number: int) -> tuple[str, str, str, str]:
    """Every fiftieth one failed."""
    return f"{number:09d}", "success" if number % 50 else "failed", instant(number), instant(number)


def make(home: Path, runs: int) -> tuple[str, str]:
    """A home whose days are all settled, after so many runs; the span that has nothing due."""
    home.mkdir()
    (home / ".env").write_text("OPENAI_ADMIN_KEY=sk-admin-invented-0001\n", encoding="ascii")
    os.chmod(home / ".env", 0o600)
    (home / "app.py").write_text(APP, encoding="ascii")
    (home / "agent_os.ini").write_text(f"[agent_os]\napps = {home}/app.py\n", encoding="utf-8")
    os.chmod(home / "agent_os.ini", 0o600)
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
            f"INSERT INTO runs({names}, slot_key) VALUES ('t' || ?, 'nothing', ?, ?, ?, 'nothing', 'i', ?)",
            ((*run(number), instant(number)) for number in range(runs)),
        )
        db.many(
            "INSERT INTO slots(task, key, status, due_at, changed_at, epoch, attempts, run_id)"
            " VALUES ('nothing', ?, 'success', ?, ?, 1, 1, 't' || ?)",
            ((instant(number), *run(number)[2:], run(number)[0]) for number in range(runs)),
        )
        db.many(
            "INSERT INTO slots(task, key, status, due_at, changed_at, read_at)"
            " VALUES ('fetch_openai', ?, 'success', '', '', ?)",
            [(day, f"{today}T00:00:00.000Z") for day in span],
        )
    db.close()
    return span.start, span.end


def main(runs: int, rounds: int) -> None:
    SCRATCH.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        pyz = build(os.path.join(folder, "agent_os.pyz"))
        homes = {count: Path(folder, str(count)) for count in (FEW, runs)}
        for count, home in homes.items():
            since, until = make(home, count)
        for name, words in COMMANDS.items():
            line = [word.format(since=since, until=until) for word in words]
            works = {
                f"{count:,} runs": [sys.executable, pyz, *line, "--home", str(home)] for count, home in homes.items()
            }
            measure(works, rounds=rounds, floor=f"{FEW:,} runs", title=name)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 1_000_000, int(sys.argv[2]) if sys.argv[2:] else 7)
