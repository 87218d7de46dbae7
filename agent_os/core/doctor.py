"""Is everything in order? Each check looks at one thing, changes nothing, and says in one line what it found."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Optional

from . import archive, files, http_tls, lock
from .clock import from_iso, iso
from .db import rescue
from .errors import AgentOSError, ResourceError, StoreError
from .plan import OLDEST_YEAR
from .survey import Survey
from .text import plural, size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .home import Home
    from .store import Store
    from .survey import Effect, RunLeft

OK, NOTE, PROBLEM = "ok", "note", "problem"
WAL_BUG = ((3, 7, 0), (3, 51, 2))  # the first and the last SQLite with it
LEAST_FREE = 100 * 10**6  # bytes; below, a run may not end well
SCARCE = 10**9
MOST_LISTED = 10  # of effects or messages, a line each
_CLOCK_SLACK = timedelta(minutes=5)


class Check:
    """What one look found: `state` is ok, note or problem; `todo` says what to do; `cause` the error it amounts to."""

    def __init__(
        self, name: str, state: str, message: str, *, todo: str = "", cause: Optional[AgentOSError] = None
    ) -> None:
        self.name = name
        self.state = state
        self.message = message
        self.todo = todo
        self.cause = cause


def failed(name: str, error: AgentOSError) -> Check:
    """An error of ours as what a check found."""
    return Check(name, PROBLEM, error.message, todo=error.hint, cause=error)


def look_at_program() -> Iterator[Check]:
    """The file, the Python and the SQLite under it: what can be checked without a home."""
    faults = archive.self_check()
    if faults:
        error = StoreError(f"this file is damaged: {'; '.join(faults[:3])}", hint="copy or build it again")
        yield failed("program", error)
    else:
        yield Check("program", OK, f"{archive.location()}, " + ("whole" if archive.is_single_file() else "a folder"))
    yield Check("python", OK, f"{'.'.join(map(str, sys.version_info[:3]))}, {sys.executable or 'unknown where'}")
    import sqlite3

    version = sqlite3.sqlite_version
    if WAL_BUG[0] <= sqlite3.sqlite_version_info <= WAL_BUG[1]:
        yield Check(
            "sqlite", NOTE, f"{version} has the WAL-reset bug (3.7.0 to 3.51.2): two checkpoints at once can damage a"
            " file; Agent OS never does two at once", todo="let no other program write to the database",
        )  # fmt: skip
    else:
        yield Check("sqlite", OK, version)


def look_at_home(home: Home, tasks: Callable[[], str]) -> Iterator[Check]:
    """A home that could be opened. `tasks` puts all tasks together and says in words what there is."""
    yield from _tried("settings", lambda: _settings(home))
    yield from _tried("tasks", lambda: iter([Check("tasks", OK, tasks())]))
    yield from _tried("log", lambda: _log(home))
    yield from _tried("disk", lambda: _disk(home))
    yield from _tried("tls", lambda: _tls(home))
    yield from _clock(home)
    yield from _tried("database", lambda: _database(home))


def _tried(name: str, look: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    try:
        yield from look()
    except AgentOSError as error:
        yield failed(name, error)


def _settings(home: Home) -> Iterator[Check]:
    for warning in home.settings.warnings:
        what, _, todo = warning.partition("; run: ")
        yield Check("settings", PROBLEM if todo else NOTE, what, todo=todo)
    if not home.settings.warnings:
        found = [name for name in (".env", "agent_os.ini") if os.path.exists(os.path.join(home.settings.home, name))]
        yield Check("settings", OK, f"{home.settings.home}: {', '.join(found) or 'neither .env nor agent_os.ini'}")


def _log(home: Home) -> Iterator[Check]:
    path = home.settings.path("AGENT_OS_LOG_FILE")
    if not path:
        yield Check("log", OK, "none is kept (AGENT_OS_LOG_FILE is empty)")
    elif os.path.lexists(path):
        os.close(files.open_private(path, os.O_WRONLY | os.O_APPEND))
        yield Check("log", OK, f"{path}, {size(os.path.getsize(path))}")
    elif os.access(os.path.dirname(path), os.W_OK | os.X_OK):
        yield Check("log", OK, f"{path}, not there yet")
    else:
        error = ResourceError(f"the log {path} cannot be made", hint="check the folder and its rights, or move the log")
        yield failed("log", error)


def _disk(home: Home) -> Iterator[Check]:
    import shutil

    folder = os.path.dirname(home.db_path) or home.settings.home
    if not os.path.isdir(folder):
        return  # the check of the database says so
    free = shutil.disk_usage(folder).free
    message = f"{size(free)} free in {folder}"
    if free < LEAST_FREE:
        yield failed("disk", ResourceError(f"only {message}", hint=f"free at least {size(LEAST_FREE)} there"))
    elif free < max(SCARCE, 2 * _bytes(home.db_path)):
        yield Check("disk", NOTE, f"{message}: little", todo="free some; `vacuum` needs twice the size of the database")
    else:
        yield Check("disk", OK, message)


def _bytes(path: str) -> int:
    return os.path.getsize(path) if os.path.exists(path) else 0


def _tls(home: Home) -> Iterator[Check]:
    yield Check("tls", OK, f"certificates are checked with {http_tls.authorities(home.settings.environment())}")


def _clock(home: Home) -> Iterator[Check]:
    now = home.clock.now()
    try:
        newest = Survey(home.store().db).newest_start()
    except AgentOSError:  # there is none, or the check of the database says what is wrong with it
        newest = ""
    todo = "set the clock of this machine"
    if iso(now) < OLDEST_YEAR:
        yield Check("clock", PROBLEM, f"it says {iso(now)[:10]}: it was never set", todo=todo)
    elif newest and now < from_iso(newest) - _CLOCK_SLACK:
        told = f"it says {iso(now)[:16]}Z, but a run began at {newest[:16]}Z: it is wrong now, or was wrong then"
        yield Check("clock", PROBLEM, told, todo=todo)
    else:
        yield Check("clock", OK, f"{iso(now)[:16]}Z")


def _database(home: Home) -> Iterator[Check]:
    path = home.db_path
    if path and not os.path.lexists(path) and not os.path.exists(path + ".id"):
        yield Check("database", NOTE, f"there is none at {path} yet", todo="the first run makes it")
        return
    store = home.store()
    survey = Survey(store.db)
    damages = survey.damages()
    if damages:
        yield failed("database", StoreError(f"{path} is damaged: {'; '.join(damages[:3])}", hint=rescue(path)))
        return
    yield Check("database", OK, f"{path}, {size(_bytes(path))}, whole")
    yield from _runs(survey.still_running(), path)
    yield from _effects(survey.effects(settled=False), path)
    yield from _messages(store)


def _runs(running: list[RunLeft], db_path: str) -> Iterator[Check]:
    gone = [run for run in running if lock.is_gone(db_path, run.owner)]
    if gone:
        tasks = ", ".join(dict.fromkeys(run.task for run in gone))
        yield Check(
            "runs", NOTE, f"{plural(len(gone), 'run')} of a runner that is gone ({tasks})",
            todo="the next run of any task closes them, and they are due again",
        )  # fmt: skip
    living = len(running) - len(gone)
    if living or not gone:
        yield Check("runs", OK, f"{plural(living, 'run')} under way" if living else "none is under way")


def _effects(effects: list[Effect], db_path: str) -> Iterator[Check]:
    """Those that a living run is at are nobody's business."""
    from shlex import quote

    left = [each for each in effects if not each.owner or lock.is_gone(db_path, each.owner)]
    for each in left[:MOST_LISTED]:
        settle = f"effects settle {quote(each.task)} {quote(each.key)}"
        yield Check(
            "effects", PROBLEM, f"{each.task} {each.key}: nobody knows whether it happened ({each.intent_at[:16]}Z)",
            todo=f"find out, then: {settle} --done, or: {settle} --not-done",
        )  # fmt: skip
    if len(left) > MOST_LISTED:
        yield Check("effects", PROBLEM, f"and {len(left) - MOST_LISTED} more", todo="`effects` lists them all")
    if not left:
        yield Check("effects", OK, "all are settled")


def _messages(store: Store) -> Iterator[Check]:
    unsent = Survey(store.db).unsent()
    parked = {number: told for number, told in unsent.items() if told[2] == "parked"}
    for number, (outbox, key, _, error) in list(parked.items())[:MOST_LISTED]:
        yield Check(
            "outbox", PROBLEM, f"message {number} to {outbox}, {key}, was given up: {error}",
            todo=f"outbox resend {number}, or: outbox drop {number} --yes",
        )  # fmt: skip
    if len(parked) > MOST_LISTED:
        yield Check("outbox", PROBLEM, f"and {len(parked) - MOST_LISTED} more", todo="`outbox` lists them all")
    waiting = len(unsent) - len(parked)
    if waiting or not parked:
        told = f"{plural(waiting, 'message')} not sent yet; `outbox` says when the next try is due" if waiting else ""
        told = told or "nothing waits"
        yield Check("outbox", OK, told)
