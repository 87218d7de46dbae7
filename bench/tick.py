"""What a tick costs that finds nothing to do, and what it costs to find out what a year has left undone.

    python3 -m bench.tick [ROUNDS]

A tick is what cron starts every few minutes, so it is measured as it is started: the built file, in a process of its
own. The floors are the same file saying its version, and Python doing nothing. "noted" is the tick after one that has
left its note that nothing is due; "looking" is one without a note. Planning is measured inside one process: tasks with
an hourly schedule that were last seen a year ago, per 10^6 slots that lie in between. The same from end to end is one
tick of the built file: it writes down what it leaves out, and runs one slot of each task; somebody else who wants to
write to the database meanwhile says for how long they were kept waiting.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from bench.startup import build
from bench.table import apart, measure

if TYPE_CHECKING:
    from collections.abc import Mapping

NOTE = "agent_os.db.idle"
SCHEDULE = "0 4 * * *"
TASKS = 1_000
HOURS = 365 * 24
CLEAN = {"PATH": "/usr/bin:/bin"}


def home_of(folder: str, name: str, tasks: int) -> str:
    """A home with so many tasks, none of them due."""
    home = os.path.join(folder, name)
    os.mkdir(home, 0o700)
    path = os.path.join(home, "agent_os.ini")
    if tasks:
        with open(path, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o600)
            sections = (f"[task:task_{number}]\ncommand = true\nschedule = {SCHEDULE}\n" for number in range(tasks))
            file.writelines(sections)
    return home


def words_of(pyz: str, home: str) -> list[str]:
    """A tick as an installed schedule starts it, with next to no environment, and no logs of whoever measures."""
    environ = [f"{name}={value}" for name, value in {**CLEAN, "HOME": home}.items()]
    return ["/usr/bin/env", "-i", *environ, sys.executable, pyz, "tick", "--scheduled", "--quiet", "--home", home]


def begin(pyz: str, home: str) -> None:
    """Have a database there, and whatever the first ticks write down, written."""
    words = [word for word in words_of(pyz, home) if word != "--scheduled"]
    for _ in range(3):
        subprocess.run(words, check=True)
        subprocess.run(words_of(pyz, home), check=True)


def without_note(words: list[str], home: str) -> list[str]:
    """The same where the note of the tick before is gone."""
    return ["/bin/sh", "-c", 'rm -f "$0" && exec "$@"', os.path.join(home, NOTE), *words]


def idle(pyz: str, folder: str, rounds: int) -> None:
    """A tick with nothing due, in homes of three sizes."""
    version = ["/usr/bin/env", "-i", f"HOME={folder}", sys.executable, pyz, "--version"]
    works = {"--version": version, "python3 -c pass": [sys.executable, "-c", "pass"]}
    for name, tasks in (("1 task", 1), ("30 tasks", 30), (f"{TASKS:,} tasks", TASKS)):
        home = home_of(folder, name.replace(" ", "-"), tasks)
        begin(pyz, home)
        works[f"tick, noted, {name}"] = words_of(pyz, home)
        works[f"tick, looking, {name}"] = without_note(words_of(pyz, home), home)
    measure(works, rounds=rounds, floor="--version", title="a tick with nothing due; goal 1.3 x --version")


def missed(tasks: int, catch_up: str, *, back: int = HOURS) -> int:
    """Find what is due of so many hourly tasks that were last done so many hours ago; how many slots that leaves."""
    from datetime import datetime, timedelta, timezone

    from agent_os.core.clock import iso
    from agent_os.core.cron import Schedule, key_of
    from agent_os.core.due import Known, Order, due_slots
    from agent_os.core.spec import Task

    now = datetime(2026, 11, 22, 9, 30, tzinfo=timezone.utc)
    last = now.replace(minute=0) - timedelta(hours=back)
    found = 0
    for number in range(tasks):
        task = Task(f"task_{number}", kind="command", source="bench")
        task.schedule = Schedule(f"{number % 60} * * * *")
        task.catch_up = catch_up
        known = Known(key_of(task.schedule.latest(last)))
        found += len(due_slots(task, known, now=now, order=Order(enabled_at={task.name: iso(last)})))
    return found


def print_found(tasks: int, catch_up: str) -> None:
    """Say what there was to find."""
    print(f"  {catch_up}: {missed(tasks, catch_up):,} slots due or left out, of {tasks * HOURS:,}", flush=True)


def planning(rounds: int) -> None:
    """1,000 tasks, a year of hours each."""
    works: Mapping[str, partial[object]] = {
        "up to date": partial(missed, TASKS, "latest", back=0),
        "a year missed, latest": partial(missed, TASKS, "latest"),
        "a year missed, all": partial(missed, TASKS, "all"),
        "a year missed, none": partial(missed, TASKS, "none"),
        "ten years missed, latest": partial(missed, TASKS, "latest", back=10 * HOURS),
    }
    title = f"what is due of {TASKS:,} hourly tasks ({TASKS * HOURS / 1e6:.1f} x 10^6 slots a year); goal 1 s per 10^6"
    measure(works, rounds=rounds, floor="up to date", title=title)
    for catch_up in ("latest", "all"):
        apart(partial(print_found, TASKS, catch_up))


def wait_to_write(path: str, stop: int) -> None:
    """Ask for the database's lock again and again, until `stop` is closed; print the longest wait for it."""
    longest = 0.0
    os.set_blocking(stop, False)
    with closing(sqlite3.connect(path, timeout=300, isolation_level=None)) as connection:
        while not _is_closed(stop):
            began = time.perf_counter()
            connection.execute("BEGIN IMMEDIATE")
            longest = max(longest, time.perf_counter() - began)
            connection.execute("ROLLBACK")
            time.sleep(0.02)
    print(f"  the longest that another writer was kept waiting: {longest:.2f} s", flush=True)


def _is_closed(pipe: int) -> bool:
    try:
        return os.read(pipe, 1) == b""
    except BlockingIOError:
        return False


def end_to_end(pyz: str, folder: str) -> None:
    """One tick that finds a year left undone."""
    home = os.path.join(folder, "a-year")
    os.mkdir(home, 0o700)
    with open(os.path.join(home, "agent_os.ini"), "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.writelines(f"[task:task_{n}]\ncommand = true\nschedule = {n % 60} * * * *\n" for n in range(TASKS))
    begin(pyz, home)
    path = os.path.join(home, "agent_os.db")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE schedules SET since = strftime('%Y-%m-%dT%H:%M:%S.000Z', 'now', '-365 days')")
    reader, writer = os.pipe()
    watcher = os.fork()
    if not watcher:
        os.close(writer)
        wait_to_write(path, reader)
        os._exit(0)
    os.close(reader)
    print(f"\none tick, from end to end: {TASKS:,} hourly tasks with a year missed", flush=True)
    used = apart(words_of(pyz, home))
    os.close(writer)
    os.waitpid(watcher, 0)
    with closing(sqlite3.connect(path)) as connection:
        rows = dict(connection.execute("SELECT status, count(*) FROM slots GROUP BY status"))
    print(f"  {used.wall:.1f} s, {used.cpu:.1f} s of processor, {used.megabytes:.0f} MB; slots: {rows}", flush=True)


def main(rounds: int = 15) -> None:
    with tempfile.TemporaryDirectory() as folder:
        pyz = build(os.path.join(folder, "agent_os.pyz"))
        idle(pyz, folder, rounds)
        end_to_end(pyz, folder)
    planning(3)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
