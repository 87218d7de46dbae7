"""What a tick has to know before it looks: from settings, from the database, and from the files that declare tasks."""

from __future__ import annotations

import os

from ..core import archive
from ..core.clock import iso
from ..core.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any, Optional

    from ..core.home import Home
    from ..core.plan import Setup
    from ..core.schedules import Schedules
    from ..core.ticking import Look, Watcher

APPS = "apps"  # the note in the database that says which apps were named when it was looked last


def watcher_of(home: Home, setup: Setup) -> Watcher:
    """Who looks at the tasks of this home, at this instant."""
    from ..core.living import Living
    from ..core.schedules import Schedules
    from ..core.slots import Slots
    from ..core.ticking import Watcher

    db = readable(home)
    names = list(setup.tasks)
    named = named_apps(home)
    return Watcher(
        setup,
        Schedules(db),
        now=home.clock.now(),
        disabled=disabled_of(home, setup),
        held=Living(home, Slots(db), owner="").held(names),
        collect=collect_of(home),
        edited_at=edited(home, setup),
        origin=origin_of(home),
        gone=[] if named is None else sorted(set(noted_apps(home)) - set(named)),
    )


def origin_of(home: Home) -> str:
    """What tells the tasks of this home from those of another one whose database it shares."""
    folder = home.settings.home
    return "" if os.path.dirname(os.path.abspath(home.db_path)) == os.path.abspath(folder) else folder + os.pathsep


def readable(home: Home) -> Any:
    """The database: made or migrated where that has to be; else it is enough to read it."""
    try:
        return home.store().db
    except ConfigError:  # there is none yet, or it is of an older version: a writer says what else may be wrong
        return home.store(write=True).db


def look_of(home: Home, watcher: Watcher) -> Look:
    """What is due, after what is declared now was written down, if it is new."""
    look = watcher.look()
    named = named_apps(home)
    is_noted = named is None or named == noted_apps(home)
    if look.changes or not is_noted:
        schedules = writable(home, watcher)
        with home.store(write=True).db.atomic():
            schedules.keep(look.changes, now=iso(watcher.now))
        if not is_noted:  # last: if it is lost, the next look finds the same once more
            home.store(write=True).take_note(APPS + origin_of(home), "\n".join(named or ()))
    return look


def named_apps(home: Home) -> Optional[list[str]]:
    """The apps that .env and agent_os.ini name. None where a shell does: that says nothing of other ticks."""
    value, source = home.settings.find("AGENT_OS_APPS")
    if source in ("flag", "environment"):
        return None
    if not value:
        return []
    from ..core.apps import apps_of

    bundled = archive.bundled_apps()
    return sorted({app.loaded_from for app in apps_of(home.settings, "")} - set(bundled))


def noted_apps(home: Home) -> list[str]:
    """Those that they named when it was looked last."""
    noted = home.store().note(APPS + origin_of(home))
    return noted.split("\n") if noted else []


def writable(home: Home, watcher: Watcher) -> Schedules:
    """Have the database open for writing, and the watcher ask there."""
    from ..core.schedules import Schedules

    home.reopen()
    schedules = Schedules(home.store(write=True).db)
    watcher.ask(schedules)
    return schedules


def disabled_of(home: Home, setup: Setup) -> dict[str, str]:
    """Tasks that cannot run, and why."""
    found = {name: setup.disabled(task, home.settings) for name, task in setup.tasks.items()}
    return {name: reason for name, reason in found.items() if reason}


def collect_of(home: Home) -> str:
    """When collectors collect. Raises ConfigError for a schedule that cannot be meant."""
    from ..core.ticking import collects_since

    value, source = home.settings.find("AGENT_OS_COLLECT")
    try:
        collects_since(value, home.clock.now())
    except ValueError as error:
        raise ConfigError(
            f"AGENT_OS_COLLECT (from {source}): {error}", hint="as daily 06:00 or every 6h, in UTC"
        ) from error
    return value


def edited(home: Home, setup: Setup) -> dict[str, str]:
    """When agent_os.ini (`""`) and the files of apps were written last; `""` where nobody knows."""
    files = {"": os.path.join(home.settings.home, "agent_os.ini")}
    files.update({task.app: task.app for task in setup.tasks.values() if task.app})
    return {app: written_at(path, home.clock.now()) for app, path in files.items()}


def written_at(path: str, now: datetime) -> str:
    """When a file was written last; `""` where nobody knows, or a clock that was ahead says so."""
    from datetime import datetime, timezone

    try:
        written = datetime.fromtimestamp(os.stat(path).st_mtime, timezone.utc)
    except (OSError, OverflowError, ValueError):
        return ""
    return iso(written) if written <= now else ""
