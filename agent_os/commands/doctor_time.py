"""What `doctor` says of time: whether anything starts a tick, whether that is what it should be, and who is late."""

from __future__ import annotations

from ..core.clock import iso, minute
from ..core.doctor import MOST_LISTED, NOTE, OK, PROBLEM, Check, failed
from ..core.errors import AgentOSError, ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..core.home import Home
    from ..core.plan import Setup

LATELY_SECONDS = 26 * 3600.0  # a tick once a day is enough for some, also when the clocks are changed


def look_at_time(home: Home, setup: Setup) -> Iterator[Check]:
    """The schedule of this home, and how late its tasks are; for a database that could be read."""
    looks: tuple[tuple[str, Callable[[Home, Setup], Iterator[Check]]], ...]
    looks = (("schedule", _schedule), ("lateness", _lateness))
    for name, look in looks:
        try:
            yield from look(home, setup)
        except AgentOSError as error:
            yield failed(name, error)


def _schedule(home: Home, setup: Setup) -> Iterator[Check]:
    """As `schedule status` says it; where none is installed, whether anybody looks at all."""
    from .schedule_status import told_of

    told, trigger = told_of(home)
    if told["installed"] and not told["problems"]:
        times = f", {trigger.words}" if trigger else ""
        yield Check("schedule", OK, f"installed with {told['backend']}{times}; next {minute(told['next_at'])}")
    for problem in told["problems"]:
        yield Check("schedule", PROBLEM, problem, todo="`schedule status` has all of it, `schedule install` mends it")
    if not (told["installed"] or told["problems"]):
        yield _nobody(home, setup)


def _nobody(home: Home, setup: Setup) -> Check:
    """None is installed, and none was: a tick by hand, or by an entry of somebody's own, will do."""
    from datetime import datetime, timezone

    from ..core import idle
    from ..core.text import plural, span
    from ..core.ticking import has_time

    timed = [task for task in setup.tasks.values() if has_time(task) and not setup.disabled(task, home.settings)]
    if not timed:
        return Check("schedule", OK, "none is installed, and no task has a time of its own")
    looked, now = idle.looked_at(home.settings.home), home.clock.now()
    passed = now.timestamp() - looked
    if looked and passed <= LATELY_SECONDS:
        at = minute(iso(datetime.fromtimestamp(looked, timezone.utc)))
        return Check("schedule", OK, f"none is installed, but a tick has looked at {at}")
    since = f"no tick has looked for {span(passed)}" if looked else "no tick has ever looked"
    many = f"{plural(len(timed), 'task')} with a time of {'its' if len(timed) == 1 else 'their'} own"
    return Check("schedule", NOTE, f"none is installed, and {since}: {many}", todo="`schedule install` does it")


def _lateness(home: Home, setup: Setup) -> Iterator[Check]:
    """As `watch` says it."""
    import os

    from ..core.text import plural
    from .watch import late_line, look_over

    if not os.path.exists(home.db_path):
        return
    try:
        found, _ = look_over(home, setup, (), grace=None)
    except ConfigError:  # nothing is watched
        return
    late = [each for each in found if each["state"] == "late"]
    for each in late[:MOST_LISTED]:
        todo = f"`tick` runs what is due; `history --task {each['task']}` tells what was"
        yield Check("lateness", PROBLEM, late_line(each), todo=todo)
    if len(late) > MOST_LISTED:
        yield Check("lateness", PROBLEM, f"and {len(late) - MOST_LISTED} more", todo="`watch` lists them all")
    for each in found:
        for warning in each["warnings"]:
            yield Check(
                "lateness",
                NOTE,
                f"{each['task']}: {warning}",
                todo=f"look at what it did: `show last --task {each['task']}`",
            )
    watched = [each for each in found if each["state"] != "not set up"]
    if not late:
        yield Check("lateness", OK, f"{plural(len(watched), 'task')} on time")
