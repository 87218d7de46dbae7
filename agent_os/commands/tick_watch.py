"""`tick --watch`: a tick every minute, for machines without a scheduler (containers). Does nothing itself.

Each tick is a process of its own, as cron would start it: a long run keeps no other task waiting, an edited app or a
new version of the file counts from the next minute on, and nothing piles up in memory.
"""

from __future__ import annotations

from datetime import timedelta

from .. import exits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from subprocess import Popen
    from typing import Any

    from ..core.home import Home

    Ticks = list[Popen[bytes]]

LONGEST_SLEEP_SECONDS = 30.0  # a machine that was asleep is noticed that soon after
STEP_SECONDS = 2.0  # by which the clock has to be off before it counts as one that was set, or has slept
END_SECONDS = 10.0  # for ticks to come to their end once we are asked to stop
NOT_SET_UP = (exits.USAGE, exits.CONFIG, exits.DATA, exits.ENV)  # what will not be better in a minute


def watch(args: Any) -> int:
    """Start a tick on every minute until a signal ends us. Returns early only where nothing was ever set up right."""
    home = args.open()
    home.log.info("watch", f"looking every minute; {home.where()}")
    ticks: Ticks = []
    has_worked = False
    try:
        while True:
            ticks.append(start(args, home))
            rest_of_minute(home, ticks)
            codes = [tick.returncode for tick in ticks if tick.poll() is not None]
            ticks = [tick for tick in ticks if tick.poll() is None]
            has_worked = has_worked or any(code not in NOT_SET_UP for code in codes)
            if codes and not has_worked:
                return int(codes[-1])
    finally:
        end(ticks, home)


def start(args: Any, home: Home) -> Popen[bytes]:
    """Start a tick with the words that we were started with. Signals of the terminal reach it through us alone."""
    import os
    import subprocess

    from ..core import archive

    words = [word for word in args.argv if word != "--watch"]
    return subprocess.Popen(  # noqa: S603 (our own program)
        [*archive.self_command(), *words, "--watched"],
        env=archive.child_environment(home.settings.environment()),
        stdin=subprocess.DEVNULL,
        start_new_session=os.name != "nt",
    )


def rest_of_minute(home: Home, ticks: Ticks) -> None:
    """Wait for the next whole minute of the wall clock; not for it if the clock was set, or the machine slept."""
    clock = home.clock
    begun, began = clock.now(), clock.monotonic()
    until = begun.replace(second=0, microsecond=0) + timedelta(minutes=1)
    while True:
        left = (until - clock.now()).total_seconds()
        if left <= 0:
            return
        clock.sleep(min(left, LONGEST_SLEEP_SECONDS))
        passed = (clock.now() - begun).total_seconds() - (clock.monotonic() - began)
        if abs(passed) > STEP_SECONDS:
            what = "the machine has slept, or its clock was set" if passed > 0 else "the clock was set back"
            home.log.info("watch.step", f"{what} ({passed:+.0f} s); looking at once", running=len(ticks))
            return


def end(ticks: Ticks, home: Home) -> None:
    """Have the ticks that are under way end in order; those that do not in time are ended."""
    for tick in ticks:
        tick.terminate()
    deadline = home.clock.monotonic() + END_SECONDS
    for tick in ticks:
        while tick.poll() is None and home.clock.monotonic() < deadline:
            home.clock.sleep(0.05)
        if tick.poll() is None:
            tick.kill()
            tick.wait()
