"""`tick --watch`: a tick every minute, for machines without a scheduler (containers). Does nothing itself."""

from __future__ import annotations

from datetime import timedelta

from .. import exits
from .ticks import Ticks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..core.home import Home

LONGEST_SLEEP_SECONDS = 30.0  # a machine that was asleep is noticed that soon after
STEP_SECONDS = 2.0  # by which the clock has to be off before it counts as one that was set, or has slept
NOT_SET_UP = (exits.USAGE, exits.CONFIG, exits.DATA, exits.ENV)  # what will not be better in a minute


def watch(args: Any) -> int:
    """Start a tick on every minute until a signal ends us. Returns early only where nothing was ever set up right."""
    home = args.open()
    home.log.info("watch", f"looking every minute; {home.where()}")
    ticks = Ticks(args, home)
    has_worked = False
    try:
        while True:
            ticks.start()
            rest_of_minute(home, ticks)
            codes = ticks.ended()
            has_worked = has_worked or any(code not in NOT_SET_UP for code in codes)
            if codes and not has_worked:
                return codes[-1]
    finally:
        ticks.end()


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
