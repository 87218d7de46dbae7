"""Ticks beside this process, each in a process of its own, as a scheduler would start it.

A long run keeps no other task waiting, an edited app or a new version of the file counts from the next tick on, and
nothing piles up in memory.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from subprocess import Popen
    from typing import Any

    from ..core.home import Home

END_SECONDS = 10.0  # for ticks to come to their end once we are asked to stop


class Ticks:
    """The ticks that this process has started, with the words that it was started with itself."""

    def __init__(self, args: Any, home: Home) -> None:
        self._words = [word for word in args.argv if word != "--watch"]
        self._home = home
        self._under_way: list[Popen[bytes]] = []

    def __len__(self) -> int:
        return len(self._under_way)

    def start(self) -> None:
        """Start one. Signals of the terminal reach it through us alone."""
        import os
        import subprocess

        from ..core import archive

        tick = subprocess.Popen(  # noqa: S603 (our own program)
            [*archive.self_command(), *self._words, "--watched"],
            env=archive.child_environment(self._home.settings.environment()),
            stdin=subprocess.DEVNULL,
            start_new_session=os.name != "nt",
        )
        self._under_way.append(tick)

    def ended(self) -> list[int]:
        """The exit codes of those that have ended since this was asked last, as the system says them."""
        codes = [tick.returncode for tick in self._under_way if tick.poll() is not None]
        self._under_way = [tick for tick in self._under_way if tick.returncode is None]
        return codes

    def end(self) -> None:
        """Have those that are under way end in order; those that do not in time are ended."""
        clock = self._home.clock
        for tick in self._under_way:
            tick.terminate()
        deadline = clock.monotonic() + END_SECONDS
        for tick in self._under_way:
            while tick.poll() is None and clock.monotonic() < deadline:
                clock.sleep(0.05)
            if tick.poll() is None:
                tick.kill()
                tick.wait()
