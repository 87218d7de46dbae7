"""What a machine has to be able to do: keep what was written, lock a file between processes, tell the time."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, NamedTuple

from ..core import files
from ..core.archive import child_environment, is_single_file, self_check, self_command
from ..core.clock import iso
from ..core.plan import OLDEST_YEAR
from . import rounds, scenario
from .verdict import Seen, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..core.clock import Clock

SYNCS = 20
MEMORY_SECONDS = 0.00005  # a sync that takes less has not waited for a disk


class Check(NamedTuple):
    """What was looked at, whether it is as it has to be, and what was found."""

    what: str
    is_good: bool
    found: str


def checks(folder: str, *, clock: Clock, environ: Mapping[str, str]) -> Iterator[Check]:
    """Look at one thing after the other; all files are made in `folder`."""
    faults = self_check()
    whole = "it is whole" if is_single_file() else "not a built file: nothing to compare with"
    yield Check("the program's file", not faults, "; ".join(faults) or whole)
    yield _time(clock)
    yield _disk(folder, clock)
    yield _locks(folder, environ)
    yield from _runs(folder, clock)


def _time(clock: Clock) -> Check:
    now, begin = clock.now(), clock.monotonic()
    clock.sleep(0.02)
    later, passed = clock.now(), clock.monotonic() - begin
    moved = (later - now).total_seconds()
    is_good = iso(now) >= OLDEST_YEAR and passed > 0 and abs(moved - passed) < 1
    return Check("the clock", is_good, f"it says {iso(now)[:19]}Z" + ("" if is_good else ", and does not go evenly"))


def _disk(folder: str, clock: Clock) -> Check:
    """Write and sync some pages, and read them again."""
    path = os.path.join(folder, "pages")
    page = os.urandom(4096)
    fd = files.open_private(path, os.O_RDWR | os.O_CREAT)
    begin = clock.monotonic()
    try:
        for _ in range(SYNCS):
            os.write(fd, page)
            os.fsync(fd)
    finally:
        os.close(fd)
    seconds = (clock.monotonic() - begin) / SYNCS
    with open(path, "rb") as file:
        is_good = file.read() == page * SYNCS
    found = f"a sync takes {1000 * seconds:.2f} ms" if is_good else "what was written is not what is read"
    return Check("the disk", is_good, found + (" (no disk is that fast)" if seconds < MEMORY_SECONDS else ""))


def _locks(folder: str, environ: Mapping[str, str]) -> Check:
    """A lock that is held keeps another process out, and one that was given back does not."""
    path = os.path.join(folder, "lock")
    fd = files.open_private(path, os.O_RDWR | os.O_CREAT)
    try:
        files.lock_fd(fd, wait=True)
        is_kept_out = not _may_lock(path, environ)
        files.unlock_fd(fd)
        is_let_in = _may_lock(path, environ)
    finally:
        os.close(fd)
    found = "they hold between processes" if is_kept_out else "two processes hold the same one"
    return Check("locks", is_kept_out and is_let_in, found if is_let_in else "one that was given back is still held")


def _may_lock(path: str, environ: Mapping[str, str]) -> bool:
    """Whether another process gets the lock."""
    done = subprocess.run(  # noqa: S603 (this very program)
        [*self_command(), rounds.WORD], input=json.dumps({"lock": path}).encode("ascii"), capture_output=True,
        env=child_environment(environ), cwd=os.path.dirname(path), timeout=rounds.LONGEST_SECONDS, check=False,
    )  # fmt: skip
    return done.returncode == 0


def _runs(folder: str, clock: Clock) -> Iterator[Check]:
    """The scenario, and once more: then there is nothing to do."""
    home = os.path.join(folder, "runs")
    os.mkdir(home, 0o700)
    seen = Seen(home, os.path.join(folder, "seen"))
    begin = clock.monotonic()
    rounds.run(home, clock)
    seconds = clock.monotonic() - begin
    verdict = Verdict(home, seen)
    found = "; ".join(verdict.faults) or f"three of them and a message in {seconds:.2f} s; the database is whole"
    yield Check("tasks", not verdict.faults, found)
    outside = scenario.happened(home)
    begin = clock.monotonic()
    again = rounds.run(home, clock)
    seconds = clock.monotonic() - begin
    is_idle = scenario.happened(home) == outside and all(unit.status == "skipped" for unit in again)
    found = f"nothing to do, in {seconds:.2f} s" if is_idle else "what was done is done again"
    yield Check("the same again", is_idle and not Verdict(home, seen).faults, found)
