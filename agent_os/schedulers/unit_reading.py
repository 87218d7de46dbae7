"""A timer of systemd and the service it starts: two texts in, an entry out. Pure."""

from __future__ import annotations

from .entries import LOCAL, Entry, duration, every, name_from
from .oncalendar_reading import meaning_of, seconds_of
from .unit_words import Unit, commands_of, is_yes, last, parse, specified, unescaped, values, words_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Optional

_REPEATING = ("OnUnitActiveSec", "OnUnitInactiveSec")
_ONCE = ("OnActiveSec", "OnBootSec", "OnStartupSec", "OnClockChange", "OnTimezoneChange")
_READ = {
    "Unit": ("Description", "Documentation", "SourcePath", "DefaultDependencies"),
    "Timer": ("OnCalendar", "Persistent", "AccuracySec", "RandomizedDelaySec", "Unit", *_REPEATING, *_ONCE),
    "Service": (
        *("Type", "ExecStart", "ExecStartPre", "ExecStartPost", "Environment", "EnvironmentFile", "WorkingDirectory"),
        *("TimeoutStartSec", "TimeoutSec", "RuntimeMaxSec", "User", "Group", "SyslogIdentifier", "StandardOutput"),
        *("StandardError", "RemainAfterExit"),
    ),
}  # what is carried over, told of by name, or means nothing here
_TO_JOURNAL = ("", "journal", "inherit", "syslog", "kmsg", "journal+console")
_WAITED_FOR = ("", "simple", "exec", "oneshot", "idle")


def read(name: str, timer: str, service: Optional[str], *, known: Mapping[str, str]) -> Entry:
    """The entry of the timer `name` ("backup.timer"). `known`: what specifiers mean on this machine, as h and u."""
    entry = Entry(name)
    entry.handle = name
    stem = name.rpartition(".")[0] or name
    entry.name = name_from(stem)
    timer_unit, service_unit = parse(timer), parse(service or "")
    _time(entry, timer_unit)
    if stem.endswith("@"):
        entry.refusals.append("it is a template, which starts nothing before it has an instance")
    if service is None:
        entry.refusals.append(f"the service that {name} starts is not there")
        return entry
    try:
        known = {**known, **names_of(service_of(name, timer))}
        _command(entry, service_unit, known)
        _surroundings(entry, service_unit, known)
        entry.doc = specified(
            last(service_unit, "Unit", "Description") or last(timer_unit, "Unit", "Description"), known
        )
    except ValueError as error:
        entry.refusals.append(str(error))
    _tell_of_the_rest(entry, timer_unit, service_unit)
    return entry


def service_of(name: str, timer: str) -> str:
    """The unit that the timer `name` starts."""
    named = last(parse(timer), "Timer", "Unit")
    try:
        return specified(named, names_of(name)) or f"{name.rpartition('.')[0]}.service"
    except ValueError:
        return named


def names_of(unit: str) -> dict[str, str]:
    """What the specifiers mean that are made of a unit's own name."""
    stem = unit.rpartition(".")[0] or unit
    prefix, _, instance = stem.partition("@")
    known = {"n": unit, "N": stem, "p": prefix, "i": instance}
    return {**known, "P": unescaped(prefix), "I": unescaped(instance)}


def _time(entry: Entry, timer: Unit) -> None:
    calendars = values(timer, "Timer", "OnCalendar")
    try:
        for text in calendars:
            meant = meaning_of(text)
            zone = meant.zone or LOCAL
            if entry.schedules and zone != entry.zone:
                entry.refusals.append("its times are in several time zones")
            entry.schedule(meant.schedule, zone=zone)
            entry.remarks += [f"OnCalendar={text}"] + ([meant.remark] if meant.remark else [])
        _intervals(entry, timer)
        delay = seconds_of(last(timer, "Timer", "RandomizedDelaySec") or "0")
    except ValueError as error:
        entry.refusals.append(str(error))
        return
    if delay:
        entry.options["jitter"] = duration(delay)
    if calendars and not is_yes(last(timer, "Timer", "Persistent")):
        entry.options["catch_up"] = "none"


def _intervals(entry: Entry, timer: Unit) -> None:
    for name in _REPEATING:
        for text in values(timer, "Timer", name):
            schedule = every(seconds_of(text))
            if not schedule:
                raise ValueError(f"{name}={text} is no interval of whole minutes")
            if entry.schedules:
                raise ValueError(f"{name}={text} beside another time cannot be said")
            entry.schedule(schedule)
            entry.remarks.append(f"{name}={text}; here it is counted by the clock, not from the last start")
    once = [f"{name}={text}" for name in _ONCE for text in values(timer, "Timer", name)]
    if once and entry.schedules:
        entry.remarks.append(f"{', '.join(once)}: not carried over, `tick` looks soon after a start anyway")
    elif once:
        entry.has_time = False
        raise ValueError(f"{', '.join(once)}: that comes once after a start, which is no time")


def _command(entry: Entry, service: Unit, known: Mapping[str, str]) -> None:
    kinds = ("ExecStartPre", "ExecStart", "ExecStartPost")
    lines = [text for kind in kinds for text in values(service, "Service", kind)]
    commands = [command for line in lines for command in commands_of(line, known)]
    if not values(service, "Service", "ExecStart") or not commands:
        raise ValueError("its service has no ExecStart=")
    odd = "".join(command.odd for command in commands)
    if odd:
        entry.open_ends.append(f"ExecStart= begins with {odd}, which is not carried over")
    only = commands[0] if len(commands) == 1 and not commands[0].may_fail else None
    entry.words = only.plain() if only else ()
    if not entry.words:
        script = " && ".join(command.shell() for command in commands)
        entry.script = (
            f"set -f; {script}" if any(_is_split(word) for each in commands for word in each.words) else script
        )
    kind = last(service, "Service", "Type")
    if kind not in _WAITED_FOR:
        entry.open_ends.append(f"its service is of Type={kind[:20]}; a task is over when its program is")


def _is_split(word: str) -> bool:
    return word.startswith("$") and word[1:].isidentifier()


def _surroundings(entry: Entry, service: Unit, known: Mapping[str, str]) -> None:
    """Folder, variables, time limit."""
    folder = specified(last(service, "Service", "WorkingDirectory").lstrip("-"), known)
    entry.cwd = folder or known.get("cwd", "~")
    for text in values(service, "Service", "Environment"):
        for word in words_of(text):
            name, _, value = specified(word, known).partition("=")
            entry.set_env(name, value)
    files = values(service, "Service", "EnvironmentFile")
    if files:
        entry.open_ends.append(
            f"EnvironmentFile={', '.join(files)}: put its variables into .env, and env.X = env:X here"
        )
    is_awaited = last(service, "Service", "Type") == "oneshot"
    limits = ("TimeoutStartSec", "TimeoutSec") if is_awaited else ("RuntimeMaxSec",)
    limit = next(filter(None, (last(service, "Service", name) for name in limits)), "")
    seconds = seconds_of(limit) if limit else 0.0
    if 0 < seconds < float("inf"):
        entry.options["timeout"] = duration(seconds)


def _tell_of_the_rest(entry: Entry, timer: Unit, service: Unit) -> None:
    user = last(service, "Service", "User")
    if user:
        entry.remarks.append(f"there it runs as {user[:40]}, here as whoever runs agent_os")
    for name in ("StandardOutput", "StandardError"):
        where = last(service, "Service", name)
        if where not in _TO_JOURNAL:
            entry.remarks.append(f"{name}={where[:80]} is not carried over; `show` has what a task says")
    others: dict[str, None] = {}
    for unit in (timer, service):
        for section, settings in unit.items():
            read_here = _READ.get(section, ())
            others.update(dict.fromkeys(key for key, _ in settings if key not in read_here and section in _READ))
    if others:
        entry.remarks.append(f"not carried over: {', '.join(others)}")
