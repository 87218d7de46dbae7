"""A property list of launchd: bytes in, an entry out. Pure.

StartCalendarInterval is cron's idea in another form: a key that is absent is `*`, and of Day and Weekday one is enough.
"""

from __future__ import annotations

from .entries import Entry, every, name_from

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_FIELDS = (("Minute", 0, 59), ("Hour", 0, 23), ("Day", 1, 31), ("Month", 1, 12), ("Weekday", 0, 7))
_OTHER_STARTS = (
    *("KeepAlive", "WatchPaths", "QueueDirectories", "StartOnMount", "Sockets", "MachServices", "LaunchEvents"),
    "inetdCompatibility",
)  # what starts an agent, or keeps it running, that is no time
_ELSEWHERE = ("BundleProgram", "RootDirectory", "LimitLoadToHosts")
_READ = (
    *("Label", "Program", "ProgramArguments", "StartCalendarInterval", "StartInterval", "EnvironmentVariables"),
    *("WorkingDirectory", "StandardOutPath", "StandardErrorPath", "RunAtLoad", "Disabled", "UserName"),
)


def read(content: bytes, *, where: str) -> Entry:
    """The entry of one file; `where` is the file's name."""
    import plistlib
    from xml.parsers.expat import ExpatError

    entry = Entry(where)
    entry.cwd = "/"
    entry.name = name_from(where.removesuffix(".plist"))
    try:
        agent = plistlib.loads(content)
    except (plistlib.InvalidFileException, ExpatError, ValueError, KeyError, IndexError, OverflowError, TypeError):
        entry.refusals.append("it is no property list")
        return entry
    if not isinstance(agent, dict):
        entry.refusals.append("it is no dictionary")
        return entry
    label = entry.handle = str(agent.get("Label", ""))
    entry.name = name_from(label.rpartition(".")[2] or where)
    if label:
        entry.remarks.append(f"launchd calls it {label}")
    else:
        entry.refusals.append("it has no Label, without which launchd loads nothing")
    _starts(entry, agent)
    _command(entry, agent)
    _surroundings(entry, agent)
    return entry


def _starts(entry: Entry, agent: Mapping[str, Any]) -> None:
    entry.has_time = "StartCalendarInterval" in agent or "StartInterval" in agent
    others = [name for name in _OTHER_STARTS if agent.get(name)]
    if others:
        entry.refusals.append(f"cannot be taken over: {', '.join(others)}: a task is due by the clock alone")
    if agent.get("Disabled") is True:
        entry.refusals.append("it is disabled")
    calendar = agent.get("StartCalendarInterval")
    for each in calendar if isinstance(calendar, list) else [] if calendar is None else [calendar]:
        _calendar(entry, each)
    interval = agent.get("StartInterval")
    if interval is not None:
        is_number = isinstance(interval, (int, float)) and not isinstance(interval, bool)
        schedule = every(interval) if is_number else ""
        if schedule and not entry.schedules:
            entry.schedule(schedule)
        else:
            why = "beside another time cannot be said" if schedule else "is no interval of whole minutes"
            entry.refusals.append(f"StartInterval {interval!r:.20} {why}")
    if agent.get("RunAtLoad"):
        entry.remarks.append("RunAtLoad is not carried over: what was missed is caught up by itself")


def _calendar(entry: Entry, when: object) -> None:
    fields = []
    unknown = sorted(set(when) - {name for name, _, _ in _FIELDS}) if isinstance(when, dict) else ["what it is"]
    if not isinstance(when, dict) or unknown:
        entry.refusals.append(f"StartCalendarInterval: {', '.join(map(str, unknown))[:60]} is not known")
        return
    for name, low, high in _FIELDS:
        number = when.get(name)
        if number is None:
            fields.append("*")
        elif isinstance(number, bool) or not isinstance(number, int) or not low <= number <= high:
            entry.refusals.append(f"StartCalendarInterval: {name} is {number!r:.20}; it is {low} to {high}")
            return
        else:
            fields.append(str(number % 7 if name == "Weekday" else number))
    entry.schedule(" ".join(fields))


def _command(entry: Entry, agent: Mapping[str, Any]) -> None:
    words = agent.get("ProgramArguments", [])
    program = agent.get("Program", "")
    if not isinstance(words, list) or not all(isinstance(word, str) for word in (*words, program)):
        entry.refusals.append("Program is text, and ProgramArguments a list of texts")
        return
    if program and words and words[0] != program:
        entry.remarks.append(f"Program is {program}, which calls itself {words[0]}; here it goes by its path")
    entry.words = (program, *words[1:]) if program else tuple(words)
    if agent.get("EnableGlobbing"):
        entry.open_ends.append("EnableGlobbing: its words are patterns, which nothing here fills in")


def _surroundings(entry: Entry, agent: Mapping[str, Any]) -> None:
    folder = agent.get("WorkingDirectory", "/")
    entry.cwd = folder if isinstance(folder, str) else "/"
    variables = agent.get("EnvironmentVariables", {})
    for name, value in variables.items() if isinstance(variables, dict) else ():
        entry.set_env(str(name), str(value))
    for name in ("StandardOutPath", "StandardErrorPath"):
        if agent.get(name):
            entry.remarks.append(f"{name} {agent[name]} is not carried over; `show` has what a task says")
    if agent.get("UserName"):
        entry.remarks.append(f"there it runs as {agent['UserName']}, here as whoever runs agent_os")
    elsewhere = [name for name in _ELSEWHERE if name in agent]
    if elsewhere:
        entry.refusals.append(f"{', '.join(elsewhere)} cannot be carried over")
    others = [str(name) for name in agent if name not in (*_READ, *_OTHER_STARTS, *_ELSEWHERE, "EnableGlobbing")]
    if others:
        entry.remarks.append(f"not carried over: {', '.join(others)}")
