"""A piece of this Linux for one test: mounts and processes of its own, in which a real cron or systemd runs.

Nothing of the machine's own schedules is seen in there or touched from there, and all of it ends with its first
process.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Optional

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TOOLS = ("unshare", "nsenter", "mount")
UNSHARE = ("unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child")

# /run is where pid files and the sockets of other managers are; /dev/shm where libfaketime leaves things by pid, which
# are small numbers in here. What is mounted here is mounted nowhere else.
OWN_RUN = """
set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /dev/shm
: > /run/nothing
"""


def missing(*programs: str) -> str:
    """Why there cannot be a namespace with these programs here; "" when there can."""
    if not sys.platform.startswith("linux"):
        return "not Linux"
    if os.geteuid() != 0:
        return "not root: a namespace of mounts cannot be made"
    absent = [name for name in (*TOOLS, *programs) if not shutil.which(name, path=_path())]
    if absent:
        return f"not installed: {', '.join(absent)}"
    tried = subprocess.run([*UNSHARE, "true"], capture_output=True, text=True, check=False)
    return f"unshare: {tried.stderr.strip()}" if tried.returncode else ""


def libfaketime() -> Optional[str]:
    """The library that gives a process another clock, where Debian and Fedora put it."""
    for pattern in ("lib/*/faketime/libfaketime.so.1", "lib*/faketime/libfaketime.so.1"):
        for path in sorted(Path("/usr").glob(pattern)):
            return str(path)
    return None


class Namespace:
    """One that is there. `script` (sh) runs in it as its first process, and what that starts ends with it."""

    def __init__(self, script: str, *words: str, log: Path) -> None:
        self.log = log
        command = [*UNSHARE, "sh", "-c", OWN_RUN + script, "sh", *words]
        env = {"PATH": _path(), "HOME": "/root"}
        with log.open("wb") as file:
            self._outer = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=env)

    def run(self, words: Sequence[str], **env: str) -> subprocess.CompletedProcess[str]:
        """Run a program in it, with this environment alone."""
        command = ["nsenter", "-t", str(self._first()), "--mount", "--pid", *words]
        env = {"PATH": _path(), **env}
        return subprocess.run(command, cwd="/", env=env, capture_output=True, text=True, check=False)

    def said(self) -> str:
        """What its programs have said."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait_for(self, what: str, is_so: Callable[[], bool], *, seconds: float = 60) -> None:
        """Until it is so; fails the test when that takes too long or the namespace has ended."""
        deadline = time.monotonic() + seconds
        while not is_so():
            if self._outer.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"{what} never came; it said:\n{self.said()[-4000:]}")
            time.sleep(0.1)

    def end(self) -> None:
        """End it and everything in it."""
        self._outer.send_signal(signal.SIGKILL)  # the kernel then ends its first process, and that all others
        self._outer.wait()

    def _first(self) -> int:
        children = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children")
        self.wait_for("the first process of the namespace", lambda: bool(children.read_text().split()))
        return int(children.read_text().split()[0])


@contextmanager
def namespace(script: str, *words: str, log: Path) -> Iterator[Namespace]:
    """A Namespace that ends with the block."""
    made = Namespace(script, *words, log=log)
    try:
        yield made
    finally:
        made.end()


def _path() -> str:
    return os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin:/sbin:/bin"
