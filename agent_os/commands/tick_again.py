"""What a scheduled tick does while its runs last: it looks again when its scheduler would, which starts no second one.

systemd, launchd and the Task Scheduler count the whole of a tick as one. So the tick that they have started stands in
for them, as `tick --watch` does for all of them: it starts further ones, each in a process of its own, at the times of
the installed entry, for as long as any of them has a run under way. docs/adr/0021-a-scheduled-tick-looks-again.md
"""

from __future__ import annotations

from .. import exits
from ..core import signals
from ..core.reasons import why
from .ticks import Ticks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any, Optional

    from ..core.home import Home

START_THEMSELVES = ("cron",)  # schedulers that start a tick beside one that is under way
PAUSE_SECONDS = 0.5  # between two questions whether a tick has ended


class Lookout:
    """`with Lookout(args, home) as lookout:` whatever it has started ends with an error; `beat` it while runs go on."""

    def __init__(self, args: Any, home: Home) -> None:
        self._home = home
        self._ticks = Ticks(args, home)
        self._is_on = bool(args.scheduled and not args.watched)
        self._code = exits.OK  # the worst of those that have ended
        self._looked_at = self._asked_at = home.clock.now()

    def __enter__(self) -> Lookout:  # noqa: PYI034 (typing has no Self before 3.11)
        return self

    def __exit__(self, _: object, error: object, __: object) -> None:
        if error is not None:
            self._ticks.end()

    def beat(self) -> None:
        """Start a tick if a time of the entry has come since somebody looked last. Asks once a minute, if ever."""
        self._hear()
        now = self._home.clock.now()
        if not self._is_on or _minute(now) == _minute(self._asked_at):
            return
        self._asked_at = now
        try:
            following = self._next_after(min(self._looked_at, now))
            if following and following <= now:
                self._ticks.start()
                self._looked_at = now
        except Exception as error:  # noqa: BLE001 (the runs that are under way must not suffer from it)
            self._home.log.warning("tick.again", f"no second tick could be started: {why(error)}")

    def wait(self, code: int) -> int:
        """Stay until no tick has anything under way, and go on looking; the worst code of all, ours among them."""
        while self._ticks:
            signals.stop_if_asked()
            self._home.reopen()  # nobody else's database is held open for hours
            self._home.clock.sleep(PAUSE_SECONDS)
            self.beat()
        return exits.worst([code, self._code])

    def _hear(self) -> None:
        """Of those that have ended, at once: until they are asked for, the system keeps them in its table."""
        codes = [each if each in exits.WORST_FIRST else exits.FAILED for each in self._ticks.ended()]
        self._code = exits.worst([self._code, *codes])

    def _next_after(self, moment: datetime) -> Optional[datetime]:
        """When the entry would have somebody look next; None where it sees to that itself, or is gone."""
        from ..schedulers import times
        from .schedule_trigger import remembered, trigger_remembered

        memory = remembered(self._home)
        if not memory or memory["backend"] in START_THEMSELVES:
            return None
        return times.next_of(trigger_remembered(self._home, memory).times, moment)


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
