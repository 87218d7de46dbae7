"""Entries as the `[task:NAME]` sections of agent_os.ini that `core.ini` reads back to the same words. Pure.

No value of a secret is ever written: a task gets `env.X = env:X`, and a note says what to put into .env.
"""

from __future__ import annotations

import posixpath

from .entries import PLAIN, Entry, Found, unique

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_RUN_AS_IT_IS = ("/bin/sh", "-c", 'exec "$@"', "sh")  # in front of a program whose path the ini would read otherwise


class Section:
    """One task to be: its options in order, and what to say above it."""

    def __init__(self, name: str, entry: Entry) -> None:
        self.name = name
        self.entry = entry
        self.options: dict[str, str] = {}
        self.settings: dict[str, str] = {}  # what has to be in .env: setting -> the value it has in the source

    def text(self) -> str:
        """It, as the ini holds it."""
        entry = self.entry
        when = f"; {entry.doc}" if entry.doc and "doc" not in self.options else ""
        notes = [f"{entry.where}{when}"]
        notes += [f"note: {remark}" for remark in entry.remarks]
        notes += [f"to do: {todo}" for todo in entry.open_ends]
        lines = [f"# {_one_line(note)}" for note in notes] + [f"[task:{self.name}]"]
        for option, value in self.options.items():
            lines.append(f"{option} = {value}".rstrip(" ").replace("\n", "\n    "))
        return "\n".join(lines) + "\n"


class Written:
    """What comes of a source: the sections, and in comments what cannot be one."""

    def __init__(self, found: Found, taken: Iterable[str]) -> None:
        self.sections: list[Section] = []
        self.left: list[tuple[Entry, str]] = []  # (entry, why it cannot be carried over)
        self.remarks = list(found.remarks)
        names = set(taken)
        settings: dict[str, str] = {}
        for entry in found.entries:
            why = entry.refusals or _unwritable(entry)
            if why:
                self.left.append((entry, "; ".join(why)))
                continue
            for schedule in entry.schedules:
                name = unique(entry.name or "task", names)
                names.add(name)
                self.sections.append(_section(name, entry, schedule=schedule, settings=settings))

    def text(self) -> str:
        """All of it: remarks, what is not taken over, then the sections."""
        todo = [f"to do: put {name}=... into .env; its value is not shown here" for name in variables_of(self.sections)]
        blocks = ["".join(f"# {_one_line(remark)}\n" for remark in (*self.remarks, *todo))]
        blocks += ["".join(f"# not taken over: {each}\n" for each in self.reasons())]
        blocks += [section.text() for section in self.sections]
        return "\n".join(filter(None, blocks))

    def reasons(self) -> list[str]:
        """A line for each entry that is not taken over."""
        return [_one_line(f"{entry.where} ({entry.name or 'no command'}): {why}") for entry, why in self.left]


def _section(name: str, entry: Entry, *, schedule: str, settings: dict[str, str]) -> Section:
    section = Section(name, entry)
    options = section.options
    if entry.doc and _is_value(_one_line(entry.doc)):
        options["doc"] = _one_line(entry.doc)
    options["schedule"] = schedule
    if not schedule.startswith("every ") and entry.zone not in ("UTC", "Etc/UTC"):
        options["timezone"] = entry.zone
    env = {variable: value for variable, value in entry.env.items() if _is_env(value)}
    others = [f"{variable}={value}" for variable, value in entry.env.items() if variable not in env]
    if entry.script and not others and _is_value(entry.script):
        options["shell"] = "yes"
        options["command"] = entry.script
    else:
        words = ("/bin/sh", "-c", entry.script) if entry.script else _readable(entry.words, entry.cwd)
        if others and "=" in words[0]:  # which env would take for a variable
            words = (*_RUN_AS_IT_IS, *words)
        options["command"] = command_of(("/usr/bin/env", *others, *words) if others else words)
    options["cwd"] = entry.cwd
    options.update(entry.options)
    options.update({f"env.{variable}": value for variable, value in env.items()})
    for variable, value in entry.secrets.items():
        setting = _setting(variable, value, name, settings)
        section.settings[setting] = value
        options[f"env.{variable}"] = f"env:{setting}"
    return section


def _setting(variable: str, value: str, task: str, settings: dict[str, str]) -> str:
    """The setting for a secret: named like the variable, unless another task has another value under that name."""
    own = "".join(letter if letter.isalnum() else "_" for letter in task.upper())
    setting = variable if settings.get(variable, value) == value else f"{own}_{variable}"
    settings.setdefault(setting, value)
    return setting


def command_of(words: Iterable[str]) -> str:
    """The text of `command` that means these words, whatever is in them but a carriage return or NUL.

    A line break stands between two quotations: configparser strips each line, and what is stripped is outside of them.
    """
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    if word and set(word) <= PLAIN:
        return word
    inner = word.replace("'", "'\"'\"'").replace("\n", "''\n''")
    return f"'{inner}'"


def _readable(words: tuple[str, ...], cwd: str) -> tuple[str, ...]:
    """Words whose first the ini reads as it is: a path there is made clean, and a relative one is the home's."""
    first = words[0]
    if "/" not in first:
        return words
    if not first.startswith("/") and cwd.startswith("/"):
        first = posixpath.join(cwd, first)
    if first == first.strip() and first.startswith("/") and posixpath.normpath(first) == first:
        return (first, *words[1:])
    return (*_RUN_AS_IT_IS, *words)


def _unwritable(entry: Entry) -> list[str]:
    """Why an entry cannot be written down, though it was read."""
    why = []
    if not entry.schedules:
        why.append("it has no time")
    if not entry.script.strip() and not (entry.words and entry.words[0]):
        why.append("it has no command")
    texts = [*entry.words, entry.script, entry.cwd, *entry.env.values(), *entry.options.values()]
    if any("\r" in text or "\0" in text for text in texts):
        why.append("it holds a carriage return or a NUL, which agent_os.ini cannot")
    if any("\ud800" <= letter <= "\udfff" for text in texts for letter in text):
        why.append("it is not UTF-8")
    if not _is_value(entry.cwd):
        why.append(f"its folder {entry.cwd[:40]!r} cannot be written into agent_os.ini")
    return why


def _is_value(text: str) -> bool:
    """Whether one line of the ini holds this as it is."""
    return bool(text) and text == text.strip() and not set(text) & set("\n\r\0")


def _is_env(value: str) -> bool:
    return not value or (_is_value(value) and not value.startswith("env:"))


def _one_line(text: str) -> str:
    """Text for a comment: one line, and nothing in it that could steer a terminal."""
    from ..core.text import safe

    return safe(" ".join(text.split()))


def smallest_step(schedules: Iterable[str]) -> int:
    """The minutes between two looks that miss none of these times; 0 where there are none."""
    from math import gcd

    found = 0
    for schedule in schedules:
        for minute in _minutes_of(schedule):
            found = gcd(found, minute)
    return gcd(found, 60) if found else 0


def _minutes_of(schedule: str) -> Iterator[int]:
    from datetime import datetime, timedelta, timezone

    from ..core.cron import Schedule
    from ..core.crontab import fields_of

    if schedule.startswith("every "):
        yield int(schedule[6:-1]) * {"m": 1, "h": 60, "d": 1440}[schedule[-1]]
        return
    hour = datetime(2026, 1, 1, tzinfo=timezone.utc)
    minutes = Schedule(f"{fields_of(schedule)[0]} * * * *")
    for moment in minutes.between(hour - timedelta(minutes=1), hour + timedelta(minutes=59)):
        yield moment.minute or 60


def variables_of(sections: Iterable[Section]) -> dict[str, str]:
    """Every setting that sections ask for, with the value that the source has for it."""
    return {name: value for section in sections for name, value in section.settings.items()}
