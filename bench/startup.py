"""Rows 1, 2 and 11: what a start costs, what a run with nothing to do costs, how large the file is.

    python3 -m bench.startup [ROUNDS [PYTHON ...]]

The file is built here, with and without bytecode. Row 1's floor is that Python doing nothing; "an empty zip" is what
any single file of Python costs at least, since Python loads `runpy` and `pkgutil` for it. Row 2's floor is a script
that opens an SQLite file in WAL mode, synchronous FULL, and commits twice. doit runs too where this Python has it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from functools import partial
from importlib.util import find_spec

from bench.table import apart, measure

# A window that is stored, settled and fresh: the run is recorded, and nobody is asked.
NO_OP = ("--task", "fetch_openai", "--since", "2026-01-05", "--until", "2026-01-08", "--quiet")

FLOOR = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA journal_mode = WAL")
db.execute("PRAGMA synchronous = FULL")
db.execute("CREATE TABLE IF NOT EXISTS runs(id INTEGER PRIMARY KEY, status TEXT)")
for statement in ("INSERT INTO runs(status) VALUES ('running')", "UPDATE runs SET status = 'success'"):
    db.execute("BEGIN IMMEDIATE")
    db.execute(statement)
    db.execute("COMMIT")
db.close()
"""
DODO = "def task_nothing():\n    return {'actions': [lambda: None], 'uptodate': [False]}\n"


def build(out: str, *words: str) -> str:
    """The file as build.py makes it; shiv's part does not show in the bytes."""
    command = [sys.executable, "build.py", "--without-shiv", "--out", out, *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return out


def fill(home: str, pyz: str) -> None:
    """Store the no-op's window once, from the sandbox, and again, so that what is left to do is nothing."""
    from agent_os.sandbox.server import Sandbox

    with Sandbox() as sandbox, open(os.path.join(home, ".env"), "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(f"OPENAI_ADMIN_KEY={sandbox.openai_key}\nOPENAI_BASE_URL={sandbox.openai_base_url}\n")
        file.flush()
        subprocess.run([sys.executable, pyz, *NO_OP, "--home", home], check=True)
        asked = len(sandbox.requests("openai"))
        subprocess.run([sys.executable, pyz, *NO_OP, "--home", home], check=True)
        if len(sandbox.requests("openai")) != asked:
            raise RuntimeError("the run that was to have nothing to do has asked the provider")


def start(python: str, files: dict[str, str], rounds: int) -> None:
    """Row 1 for one Python."""
    version = subprocess.run([python, "-V"], capture_output=True, text=True, check=True).stdout.strip()
    works = {
        "bare python -c pass": [python, "-c", "pass"],
        "an empty zip": [python, files["empty"]],
        "agent_os.pyz --version": [python, files["built"], "--version"],
        "agent_os.pyz --help": [python, files["built"], "--help"],
        "--version without bytecode": [python, files["sources"], "--version"],
    }
    measure(works, rounds=rounds, floor="bare python -c pass", title=f"row 1: a start, {version} at {python}")


def idle(folder: str, files: dict[str, str], rounds: int) -> None:
    """Row 2: the run that finds nothing to do."""
    home, script = os.path.join(folder, "home"), os.path.join(folder, "floor.py")
    os.mkdir(home, 0o700)
    apart(partial(fill, home, files["built"]))
    with open(script, "w", encoding="utf-8") as file:
        file.write(FLOOR)
    works = {
        "python3 + sqlite3, two commits": [sys.executable, script, os.path.join(folder, "floor.db")],
        "agent_os.pyz, nothing to do": [sys.executable, files["built"], *NO_OP, "--home", home],
        "the same without bytecode": [sys.executable, files["sources"], *NO_OP, "--home", home],
    }
    if find_spec("doit"):
        with open(os.path.join(folder, "dodo.py"), "w", encoding="utf-8") as file:
            file.write(DODO)
        works["doit, one task"] = [sys.executable, "-m", "doit", "-d", folder, "-f", os.path.join(folder, "dodo.py")]
    title = "row 2: a run with nothing to do, recorded; goal 1.3 x the floor, 15 MB"
    measure(works, rounds=rounds, floor="python3 + sqlite3, two commits", title=title)


def main(rounds: int = 15, *pythons: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = {
            "built": build(os.path.join(folder, "agent_os.pyz")),
            "sources": build(os.path.join(folder, "sources.pyz"), "--pythons", "none"),
            "empty": os.path.join(folder, "empty.pyz"),
        }
        with zipfile.ZipFile(files["empty"], "w") as archive:
            archive.writestr("__main__.py", "pass\n")
        for python in pythons or (sys.executable,):
            start(python, files, rounds)
        idle(folder, files, rounds)
        print("\nrow 11: the size of the file; goal 600 kB without bytecode, 2 MB with it")
        for name, text in (("built", "with bytecode"), ("sources", "without")):
            print(f"  {text:14} {os.path.getsize(files[name]):>12,} bytes")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]), *sys.argv[2:])
