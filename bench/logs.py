"""Row 9: the session files of a local tool, read for the first time, unchanged, and with one line added.

    python3 -m bench.logs [LINES [ROUNDS]]

The floor is what anyone would write: every line that speaks of usage through json, each answer once in a dict, sums by
day and model; it keeps nothing. Ours is the built file: it starts, reads, keeps every answer with a sync, prices, and
stores the days. Half of the lines tell of an answer, each of which is written twice, as tools do while it streams in.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path

from bench.table import apart, measure

PYZ = Path(__file__).resolve().parent.parent / "agent_os.pyz"
LINES_A_FILE = 2000
TEXT = "It reads each file from where it stopped. " * 14


def lines_of(number: int, now: datetime) -> list[str]:
    """The lines of one file, about 810 bytes each."""
    found = []
    for each in range(LINES_A_FILE // 4):
        at = (now - timedelta(minutes=(number * 37 + each * 5) % 40_000)).isoformat(timespec="milliseconds")
        moment = at.replace("+00:00", "Z")
        prompt = {"type": "user", "timestamp": moment, "message": {"role": "user", "content": TEXT}}
        for output in (each % 7, 100 + each):
            usage = {
                "input_tokens": 12, "output_tokens": output, "cache_creation_input_tokens": 2210,
                "cache_read_input_tokens": 40112, "service_tier": "standard",
                "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 2210},
            }  # fmt: skip
            said = {"id": f"msg_{number}_{each}", "model": "claude-opus-5-5", "usage": usage, "content": TEXT[:180]}
            line = {
                "type": "assistant", "timestamp": moment, "requestId": f"req_{number}_{each}", "sessionId": str(number),
                "isSidechain": False, "cwd": f"/home/u/project{number % 9}", "version": "2.4.0", "message": said,
            }  # fmt: skip
            found += [json.dumps(prompt), json.dumps(line)]
    return found


def fill(folder: Path, lines: int) -> None:
    """A tree of session files."""
    now = datetime.now(timezone.utc)
    for number in range(max(1, lines // LINES_A_FILE)):
        path = folder / ".claude" / "projects" / f"project{number % 9}" / f"{number}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines_of(number, now)) + "\n", encoding="utf-8")


def floor(folder: Path) -> None:
    """The plain loop."""
    answers = {}
    for path in sorted(folder.rglob("*.jsonl")):
        with path.open("rb") as file:
            for line in file:
                if b'"usage"' in line:
                    data = json.loads(line)
                    said = data["message"]
                    answers[said["id"], data["requestId"]] = data["timestamp"][:10], said["model"], said["usage"]
    sums: dict[tuple[str, str], int] = {}
    for day, model, usage in answers.values():
        sums[day, model] = sums.get((day, model), 0) + usage["input_tokens"] + usage["output_tokens"]


def ours(user: Path, home: Path, *, fresh: bool = False, added: int = 0) -> None:
    """One run of the built file."""
    if fresh:
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
    if added:
        with next(user.rglob("0.jsonl")).open("a", encoding="utf-8") as file:
            file.write(lines_of(10**6 + os.getpid(), datetime.now(timezone.utc))[1] + "\n")
    words = [sys.executable, str(PYZ), "--task", "fetch_claude_code", "--quiet", "--home", str(home)]
    os.execve(sys.executable, words, {"HOME": str(user), "PATH": os.environ["PATH"]})


def main() -> None:
    """Print the tables."""
    lines = int(sys.argv[1]) if sys.argv[1:] else 200_000
    rounds = int(sys.argv[2]) if sys.argv[2:] else 3
    with tempfile.TemporaryDirectory() as scratch:
        user, home, empty = Path(scratch, "user"), Path(scratch, "home"), Path(scratch, "empty")
        apart(partial(fill, user, lines))
        apart(partial(fill, empty, 4))
        megabytes = sum(path.stat().st_size for path in user.rglob("*.jsonl")) / 2**20
        title = f"{lines:,} lines, {megabytes:,.0f} MB"
        works = {"plain json loop": partial(floor, user), "ours, cold": partial(ours, user, home, fresh=True)}
        measure(works, rounds=rounds, floor="plain json loop", title=f"read for the first time: {title}")
        apart(partial(ours, empty, Path(scratch, "small"), fresh=True))
        again = {
            "a run over one small file": partial(ours, empty, Path(scratch, "small")),
            "unchanged": partial(ours, user, home),
            "one line added": partial(ours, user, home, added=1),
        }
        measure(again, rounds=max(rounds, 5), floor="a run over one small file", title=f"read again: {title}")


if __name__ == "__main__":
    main()
