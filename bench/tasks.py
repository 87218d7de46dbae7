"""Rows 2, 3, 4 and 10: what a task costs: a start for one, ten thousand tiny ones, chains and graphs, many processes.

    python3 -m bench.tasks [ROUNDS [ROW ...]]

The program is the built file, made here; homes are on the disk of the checkout (build/bench), where a sync costs what
it costs. The floors do by hand what cannot be left out: two commits a task, one before and one after its work. doit
takes part where bench/setup has installed it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from bench.startup import FLOOR as START_FLOOR
from bench.startup import build
from bench.table import Work, apart, measure, ratio

ROOT = Path(__file__).resolve().parent.parent
DOIT = ROOT / "build" / "peers" / "bin" / "doit"
MANY, NODES, PROCESSES, RUNS = 10_000, 1_000, 32, 60
RAW = "raw loop, two commits a task"
FULL = RAW + " (FULL, as ours)"
NORMAL = RAW + " (NORMAL)"

ONE_APP = """
from agent_os import App
app = App("one")

@app.task
def nothing(ctx): pass
"""
ONE_INI = "[task:shell]\ncommand = true\n"
GRAPH_APP = """
import sys
sys.path.insert(0, {root!r})
from bench.tasks import shape_of
from agent_os import App
app = App("graph")

def make(name, after):
    app.task(lambda ctx: None, name=name, after=after)

for name, after in shape_of({shape!r}).items():
    make(name, after)
"""
# One process of row 10, as tests/test_many.py has it: `preload` apart, which reads all modules at every run.
WORKER = """
import json, sys
sys.path.insert(0, sys.argv[1])
from agent_os.core import archive
from agent_os.main import main
archive.preload = lambda: 0
home, task, runs = sys.argv[2], sys.argv[3], int(sys.argv[4])
codes = [main(["--task", task, "--home", home, "--app", home + "/app.py", "--quiet"]) for _ in range(runs)]
sys.exit(any(codes))
"""
WORKERS_APP = """
from agent_os import App
app = App("many")
for number in range({count}):
    app.task(lambda ctx: None, name=f"task_{{number}}")
"""


def shape_of(shape: str) -> dict[str, list[str]]:
    """The nodes of a graph and what each comes after; the last one is `every`."""
    if shape == "many":
        nodes: dict[str, list[str]] = {f"t{number}": [] for number in range(MANY - 1)}
        return {**nodes, "every": list(nodes)}
    if shape == "chain":
        nodes = {f"t{number}": [f"t{number - 1}"] * (number > 0) for number in range(NODES - 1)}
        return {**nodes, "every": [f"t{NODES - 2}"]}
    nodes = {}  # layers of ten, each node after three of the layer before
    for number in range(NODES - 1):
        layer, place = divmod(number, 10)
        nodes[f"t{number}"] = [f"t{(layer - 1) * 10 + (place + step) % 10}" for step in range(3)] if layer else []
    return {**nodes, "every": list(nodes)[-10:]}


def loop(folder: str, shape: str, synchronous: str) -> None:
    """A floor: the tasks in the order of their graph, each written down before and after."""
    import sqlite3
    from graphlib import TopologicalSorter

    work = {name: (lambda _: None) for name in shape_of(shape)}
    db = sqlite3.connect(os.path.join(folder, f"floor-{synchronous}.db"), isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"PRAGMA synchronous = {synchronous}")
    db.execute("CREATE TABLE IF NOT EXISTS runs(id INTEGER PRIMARY KEY, task TEXT, status TEXT)")
    for name in TopologicalSorter(shape_of(shape)).static_order():
        db.execute("BEGIN IMMEDIATE")
        number = db.execute("INSERT INTO runs(task, status) VALUES (?, 'running')", (name,)).lastrowid
        db.execute("COMMIT")
        work[name](None)
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE runs SET status = 'success' WHERE id = ?", (number,))
        db.execute("COMMIT")
    db.close()


def floor_of(folder: str, shape: str, synchronous: str) -> list[str]:
    """The same in a Python of its own, which has to start as ours has."""
    code = "import sys; from bench.tasks import loop; loop(*sys.argv[1:])"
    return [sys.executable, "-c", code, folder, shape, synchronous]


def doit_of(folder: str, shape: str) -> dict[str, Work]:
    """doit with the same graph, if it is there."""
    if not DOIT.exists():
        return {}
    dodo = Path(folder, f"dodo_{shape}.py")
    dodo.write_text(
        f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom bench.tasks import shape_of\n"
        "def task_all():\n    for name, after in shape_of(" + repr(shape) + ").items():\n"
        "        yield {'name': name, 'actions': [lambda: None], 'task_dep': ['all:' + each for each in after],"
        " 'uptodate': [False]}\n",
        encoding="utf-8",
    )
    command = [str(DOIT), "-v0", "-f", str(dodo), "--db-file", os.path.join(folder, f"doit-{shape}"), "-r", "zero"]
    return {"doit": command}


def home_of(folder: str, name: str, app: str, ini: str = "") -> str:
    """A home with an app."""
    home = Path(folder, name)
    home.mkdir(0o700)
    (home / "app.py").write_text(app, encoding="utf-8")
    if ini:
        (home / "agent_os.ini").write_text(ini, encoding="utf-8")
        (home / "agent_os.ini").chmod(0o600)
    return str(home)


def ours(pyz: str, home: str, task: str, *words: str) -> list[str]:
    """The command line for a task of that home."""
    return [sys.executable, pyz, "--task", task, "--home", home, "--app", f"{home}/app.py", "--quiet", *words]


def row2(folder: str, pyz: str, rounds: int) -> None:
    """A start for one task that does nothing."""
    home, script = home_of(folder, "one", ONE_APP, ONE_INI), Path(folder, "floor.py")
    script.write_text(START_FLOOR, encoding="utf-8")
    floor = [sys.executable, str(script), os.path.join(folder, "floor.db")]
    script = Path(folder, "floor_and_true.py")
    script.write_text(
        START_FLOOR + "import os\nos.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0)\n", encoding="utf-8"
    )
    works: dict[str, Work] = {
        "python3 + sqlite3, two commits": floor,
        "the same, and /bin/true": [sys.executable, str(script), os.path.join(folder, "floor.db")],
        "a function that does nothing": ours(pyz, home, "nothing"),
        "the command `true`": ours(pyz, home, "shell"),
    }
    for work in works.values():
        apart(work)
    title = "row 2: a start for one task that does nothing; goal 1.3 x the floor, 15 MB"
    measure(works, rounds=rounds, floor="python3 + sqlite3, two commits", title=title)


def graph(folder: str, pyz: str, rounds: int, *, shape: str, title: str) -> None:
    """All tasks of a graph, each durable before what comes after it begins."""
    home = home_of(folder, shape, GRAPH_APP.format(root=str(ROOT), shape=shape))
    works: dict[str, Work] = {
        NORMAL: floor_of(folder, shape, "NORMAL"),
        FULL: floor_of(folder, shape, "FULL"),
        "agent_os.pyz": ours(pyz, home, "every"),
        **doit_of(folder, shape),
    }
    count = len(shape_of(shape))
    floor = NORMAL if shape == "many" else FULL
    samples = measure(works, rounds=rounds, floor=floor, title=title)
    for name, runs in samples.items():
        print(f"  {name}: {sorted(run.cpu for run in runs)[len(runs) // 2] / count * 1e6:,.0f} us of CPU a task")


def row10(folder: str, rounds: int) -> None:
    """Many processes on one home, each with a task of its own; and one that runs as often."""
    home = home_of(folder, "workers", WORKERS_APP.format(count=PROCESSES))

    def at_once(count: int, runs: int) -> None:
        words = [sys.executable, "-c", WORKER, str(ROOT), home]
        processes = [subprocess.Popen([*words, f"task_{number}", str(runs)]) for number in range(count)]
        if any([process.wait() for process in processes]):  # noqa: C419 (all have to be waited for)
            raise RuntimeError("a run was refused")

    one, many = f"one process, {PROCESSES * RUNS} runs", f"{PROCESSES} processes, {RUNS} runs each"
    works: dict[str, Work] = {one: partial(at_once, 1, PROCESSES * RUNS), many: partial(at_once, PROCESSES, RUNS)}
    title = f"row 10: {PROCESSES} processes on one home; goal 2 x the time of one that does the same"
    samples = measure(works, rounds=rounds, floor=one, title=title)
    print(f"  throughput: {1 / ratio(samples, many, one, of='wall'):.2f} x that of one process")


def main(rounds: int = 7, *rows: str) -> None:
    tables: dict[str, Callable[[str, str], None]] = {
        "2": lambda folder, pyz: row2(folder, pyz, max(rounds, 15)),
        "3": partial(graph, rounds=rounds, shape="many", title=f"row 3: {MANY:,} tiny tasks; goal: faster than doit"),
        "4": partial(_row4, rounds=rounds),
        "10": lambda folder, _: row10(folder, rounds),
    }
    scratch = ROOT / "build" / "bench"
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        pyz = build(os.path.join(folder, "agent_os.pyz"))
        for row in rows or tables:
            print(f"\nload {' '.join(f'{each:.1f}' for each in os.getloadavg())}", end="")
            tables[row](folder, pyz)


def _row4(folder: str, pyz: str, rounds: int) -> None:
    for shape in ("chain", "graph"):
        title = f"row 4: a {shape} of {NODES:,} nodes; goal 2 x raw graphlib with two commits a node"
        graph(folder, pyz, rounds, shape=shape, title=title)


def _words(words: Sequence[str]) -> None:
    main(*map(int, words[:1]), *words[1:])


if __name__ == "__main__":
    _words(sys.argv[1:])
