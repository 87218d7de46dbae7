"""What `schedule` tells a scheduler about a home: what was asked for, what was chosen before, and what may be wrong."""

from __future__ import annotations

import os

from ..core.errors import AgentOSError, ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from ..core.clock import Clock
    from ..core.home import Home
    from ..core.plan import Setup
    from ..schedulers import Scheduler, Standing, Trigger
    from ..schedulers.programs import Machine

NOTE = "schedule"  # the note in the database that says what was chosen
LOG = "schedule.log"  # what a scheduled tick prints; it should print nothing
DEFAULT_EVERY = "15m"
_PATHS = (("AGENT_OS_DB_PATH", "--db-path"), ("AGENT_OS_LOG_FILE", "--log-file"))
_KEPT = {"ident", "home", "backend", "at", "every_seconds", "command", "folder", "installed_at"}
_BOM = b"\xff\xfe"


def open_anyway(args: Any) -> tuple[Home, str]:
    """The home, and what is wrong with its agent_os.ini: what is installed can be asked for and removed anyway."""
    try:
        return args.open(), ""
    except ConfigError as error:
        return args.open(has_ini=False), error.message


def machine_of(home: Home, *, hint: str = "") -> Machine:
    """The machine, by the environment of this home; `hint` is for a program that it has not."""
    from ..schedulers.programs import Machine

    settings = home.settings
    return Machine(settings.environment(), clock=home.clock, user_folder=settings.user_folder(), hint=hint)


def remembered(home: Home, *, renew: bool = False) -> dict[str, Any]:
    """What was chosen when it was installed; {} where it was not, or for another home (a copy has its database too).

    `renew`: a database of an older version may be brought up to date for that.
    """
    found = _noted(home, renew=renew)
    return found if found and _is_same(found["home"], home.settings.home) else {}


def moved_from(home: Home, *, renew: bool = False) -> dict[str, Any]:
    """What was chosen when this home lay elsewhere; {} where it did not, or something lies there: this is a copy."""
    found = _noted(home, renew=renew)
    return found if found and not os.path.lexists(found["home"]) else {}


def _noted(home: Home, *, renew: bool) -> dict[str, Any]:
    import json

    if not home.db_path or not os.path.exists(home.db_path):
        return {}
    try:
        with home.reading() as store:
            text = store.note(NOTE)
    except ConfigError:
        if not renew:
            raise
        text = home.store(write=True).note(NOTE)
    try:
        found = json.loads(text) if text else {}
        return found if set(found) >= _KEPT and isinstance(found["home"], str) and _has_times(home, found) else {}
    except (ValueError, KeyError, TypeError, ArithmeticError):  # whoever has written that, it was not this version
        return {}


def _has_times(home: Home, found: Mapping[str, Any]) -> bool:
    return bool(next_at(trigger_remembered(home, found), home.clock))


def written(trigger: Trigger, *, backend: str, clock: Clock) -> str:
    """What is remembered of an installation."""
    import json

    from ..core.clock import iso

    return json.dumps(
        {
            "ident": trigger.ident, "home": trigger.home, "backend": backend, "at": at_words(trigger),
            "every_seconds": trigger.every_seconds, "command": trigger.command, "folder": trigger.folder,
            "installed_at": iso(clock.now()),
        }
    )  # fmt: skip


def backend_of(args: Any, machine: Machine, memory: Mapping[str, Any]) -> Scheduler:
    """The scheduler that is asked for, else the one chosen before, else the best there is. Raises ConfigError."""
    from ..schedulers import BACKENDS, scheduler, usable

    if args.backend and args.dry_run:  # what it would be can be said on any machine
        return scheduler(args.backend, machine)
    before = memory.get("backend", "")
    if not args.backend and before in BACKENDS and not scheduler(before, machine).why_not():
        return scheduler(before, machine)
    return usable(args.backend or "", machine)


def trigger_of(home: Home, args: Any, memory: Mapping[str, Any], *, backend: str) -> Trigger:
    """What the scheduler would be told today: the times that are asked for, else those chosen before. UsageError."""
    from ..schedulers import Trigger, times

    at: times.Times = ()
    every = 0
    if args.at is not None:
        at = times.parse_at(args.at)
    elif args.every is not None:
        every = times.parse_every(args.every)
    elif memory:
        at = tuple((int(hour), int(minute)) for hour, minute in (word.split(":") for word in memory["at"]))
        every = memory["every_seconds"]
    else:
        every = times.parse_every(DEFAULT_EVERY)
    folder = home.settings.home
    command, where = command_of(home, backend=backend)
    log, ident = os.path.join(folder, LOG), ident_of(home, memory)
    return Trigger(ident, folder, command, where or folder, log, at=at, every_seconds=every)


def too_seldom(setup: Setup, trigger: Trigger) -> list[str]:
    """A word about tasks that are due more often than it is looked."""
    from ..core.spec import shortest_pause

    pause = trigger.every_seconds or 86_400 / len(trigger.at)
    names = [each.name for each in setup.tasks.values() if each.schedule and shortest_pause(each.schedule) < pause]
    if not names:
        return []
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return [f"due more often than it is looked: {', '.join(names[:3])}{more}; with a smaller --every no slot is missed"]


def trigger_remembered(home: Home, memory: Mapping[str, Any]) -> Trigger:
    """What the scheduler was told, as this program would tell it."""
    from ..schedulers import Trigger

    at = tuple((int(hour), int(minute)) for hour, minute in (word.split(":") for word in memory["at"]))
    log = os.path.join(memory["home"], LOG)
    command, every = tuple(memory["command"]), memory["every_seconds"]
    return Trigger(ident_of(home, memory), memory["home"], command, memory["folder"], log, at=at, every_seconds=every)


def command_of(home: Home, *, backend: str) -> tuple[tuple[str, ...], str]:
    """What starts a tick for this home from anywhere, and the folder that it has to be started in ("": any).

    The paths of flags and of this shell's variables are in it, since a scheduler knows neither.
    """
    from ..core import archive

    python, *program = archive.self_command()
    if backend == "windows":
        python = _windowless(python)
    words = [python, *program, "tick", "--scheduled", "--home", home.settings.home, *paths_of(home)]
    folder = ""
    if not archive.is_single_file():  # a checkout: it is imported from the folder it lies in
        folder = archive.location()
        for _ in archive.PACKAGE.split("."):
            folder = os.path.dirname(folder)
    return (*words, "--quiet"), folder


def paths_of(home: Home) -> list[str]:
    """The options for the paths that come from flags or from this shell's variables, which nobody else knows."""
    settings = home.settings
    named = [(option, name) for name, option in _PATHS if settings.find(name)[1] in ("flag", "environment")]
    return [word for option, name in named if settings.path(name) for word in (option, settings.path(name))]


def _windowless(python: str) -> str:
    """The Python that opens no window each time, where there is one beside it."""
    folder, name = os.path.split(python)
    quiet = os.path.join(folder, name.replace("python", "pythonw", 1))
    return quiet if name.lower().startswith("python.") and os.path.exists(quiet) else python


def refuse_unfit(trigger: Trigger, *, backend: str) -> None:
    """Raise ConfigError for what no scheduler could start, or this one."""
    from ..core import archive

    refuse_untold(trigger, backend=backend)
    if not os.path.isabs(trigger.command[0]):
        raise ConfigError("it is not known which Python this is", hint="start the program with a full path to Python")
    program = archive.location()
    if not (os.access(program, os.R_OK) and os.access(os.path.dirname(program), os.R_OK | os.X_OK)):
        raise ConfigError(f"{program} cannot be read by you, nor by what you schedule", hint="check its rights (ls -l)")


def refuse_untold(trigger: Trigger, *, backend: str) -> None:
    """Raise ConfigError for a path that cannot be written down, or would be read as another one."""
    for path in (trigger.home, trigger.folder, *trigger.command):
        try:
            path.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ConfigError(f"the path {path!r} is no text", hint="rename it") from error
        if not path.isprintable() or (path.endswith("\\") and os.name != "nt"):
            raise ConfigError(f"no scheduler takes a path such as {path!r}", hint="rename it")
        if backend == "windows" and (path.count("%") > 1 or "$(" in path):
            raise ConfigError(f"Windows would fill in what is between the signs of {path!r}", hint="rename it")


def warnings(home: Home, trigger: Trigger) -> Iterator[str]:
    """What will work, but perhaps not as it was meant."""
    from ..core import config
    from ..plugins import load
    from ..schedulers import times

    if trigger.at and times.in_the_small_hours(trigger.at):
        yield "from 01:00 to 03:59 clocks are changed: some schedulers then leave a day out, or run twice"
    settings = home.settings
    known = {each.name for each in config.KNOWN} - {name for name, _ in _PATHS}
    for collector in load():
        known.update((*collector.needs, *collector.settings))
    shell_only = sorted(name for name in known if settings.find(name)[1] == "environment" and settings.get(name))
    if shell_only:
        yield (
            f"{', '.join(shell_only)}: set in this shell alone, where no scheduler sees it;"
            f" write it into {os.path.join(settings.home, '.env')}"
        )


def ident_of(home: Home, memory: Mapping[str, Any]) -> str:
    """The id of this home: the one it was installed under, else that of its path."""
    from ..schedulers import ident_of as of_path

    return str(memory.get("ident") or of_path(home.settings.home))


def installed(
    machine: Machine, ident: str, *, only: str = ""
) -> tuple[list[tuple[Scheduler, Standing]], dict[str, str]]:
    """The schedulers that have something under this id, with what they say; and those that cannot be asked, and why."""
    from ..schedulers import BACKENDS, scheduler

    found, unasked = [], {}
    for name in (only,) if only else BACKENDS:
        each = scheduler(name, machine)
        try:
            why_not = each.why_not()
            if not why_not:
                standing = each.status(ident)
                found += [(each, standing)] if standing.is_installed else []
        except AgentOSError as error:
            why_not = error.message
        if why_not:
            unasked[name] = why_not
    return found, unasked


def next_at(trigger: Trigger, clock: Clock) -> str:
    """When it fires next, as text."""
    from ..core.clock import iso
    from ..schedulers import times

    return iso(times.next_of(trigger.times, clock.now()))


def at_words(trigger: Trigger) -> list[str]:
    """Its times of day, where it was told some."""
    from ..schedulers import times

    return times.at_words(trigger.at)


def as_text(content: bytes) -> str:
    """What is installed, for people and for JSON."""
    if content.startswith(_BOM):
        return content[2:].decode("utf-16-le", "replace").replace("\r\n", "\n")
    return content.decode("utf-8", "replace")


def _is_same(one: str, other: str) -> bool:
    if one == other:
        return True
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False
