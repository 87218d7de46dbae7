"""Crashes on purpose: a process that works through the scenario is killed, then the scenario is run undisturbed.

Where a process is killed is counted in commits: just before the n-th half of one, or just after. Or it is an instant.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from .. import exits
from ..core.archive import PACKAGE, child_environment, self_command
from ..core.clock import Clock, iso
from ..core.db import Database
from ..core.due import Order
from ..core.errors import ResourceError, StoreError
from ..core.home import open_home
from . import scenario
from .verdict import Seen, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Callable, Optional

    from ..core.plan import Unit

WORD = "_crash"  # the word that starts this program as the one that is killed; arguments.py knows it
LONGEST_SECONDS = 120.0  # for one run of the scenario
KILL = 9
SAID = "child.txt"  # what the process said that is killed


def run(home: str, clock: Clock) -> list[Unit]:
    """Work through the scenario in a home of its own; settings of the user's take no part."""
    from ..wiring import runner_of, setup_of

    opened = open_home(home, clock=clock, stderr=None, quiet=True, environ={})
    try:
        setup = setup_of(opened, app=f"{PACKAGE}.selftest.scenario", jobs=4)
        order = Order(key=scenario.SLOT)
        return runner_of(opened, setup).run([scenario.TASKS[-1]], order, began_at=iso(clock.now()))
    finally:
        opened.close()


def be_killed(order: Mapping[str, Any], clock: Clock, kill: Callable[[], None]) -> None:
    """The child's side: the same, until the n-th time that a commit begins or is done."""
    left = int(order["kill_at"])

    def count(_: str) -> None:
        nonlocal left
        left -= 1
        if not left:
            kill()

    Database.on_commit = staticmethod(count)  # type: ignore[assignment]  # of the class: there is no database yet
    run(order["home"], clock)


class Rounds:
    """One crash after the other, each in a fresh home inside `folder`."""

    def __init__(self, folder: str, *, clock: Clock, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._clock = clock
        self._environ = child_environment(environ)
        self._number = 0
        self.was_killed = False  # the last process; it may have ended before its time had come
        self.seconds = 1.0  # that a process takes which is not killed

    @property
    def home(self) -> str:
        """The home of the last crash; it is there until the next one."""
        return os.path.join(self._folder, f"round-{self._number}")

    def kill(self, *, at: int, after_seconds: Optional[float] = None) -> Optional[Seen]:
        """Kill at the n-th half of a commit, or after so many seconds; None when the process ended before that."""
        shutil.rmtree(self.home, ignore_errors=True)
        self._number += 1
        os.mkdir(self.home, 0o700)
        begin = self._clock.monotonic()
        code = self._child(at, after_seconds)
        self.was_killed = code != 0
        if not self.was_killed:
            self.seconds = self._clock.monotonic() - begin
            return None
        if code > 0 and os.name == "posix":
            self._complain(code)
        return Seen(self.home, os.path.join(self.home, "seen"))

    def _complain(self, code: int) -> None:
        """The process that was to be killed was faster: it may just lack room, as whoever runs it then does too."""
        with open(os.path.join(self.home, SAID), encoding="utf-8", errors="replace") as file:
            said = file.read().strip().rpartition("\n")[2]
        if code == exits.ENV:
            raise ResourceError(said.partition(": ")[2] or said)
        raise StoreError(
            f"the process that was to be killed ended by itself, with exit code {code}: {said}",
            hint=f"{self.home} has what it left; please report it",
        )

    def recover(self, seen: Seen) -> Verdict:
        """Run the scenario undisturbed after a crash."""
        units = run(self.home, self._clock)
        verdict = Verdict(self.home, seen)
        verdict.faults += [f"{unit.label} failed: {unit.error}" for unit in units if unit.status == "failed"]
        return verdict

    def _child(self, kill_at: int, after_seconds: Optional[float]) -> int:
        """The exit code of a process that is, or is not, killed."""
        with open(os.path.join(self.home, SAID), "wb") as said:
            child = subprocess.Popen(  # noqa: S603 (this very program)
                [*self_command(), WORD], stdin=subprocess.PIPE, stdout=said, stderr=said, env=self._environ,
                cwd=self.home,
            )  # fmt: skip
            try:
                order = json.dumps({"home": self.home, "kill_at": kill_at}).encode("ascii")
                child.communicate(order, timeout=LONGEST_SECONDS if after_seconds is None else after_seconds)
            except subprocess.TimeoutExpired:
                if after_seconds is None:
                    raise StoreError(
                        f"a run of the scenario took longer than {LONGEST_SECONDS:.0f} seconds",
                        hint=f"{self.home} has what it left; please report it",
                    ) from None
            finally:
                child.kill()
                child.wait()
        return child.returncode
