"""launchd, of macOS: an agent of the user's own session.

It makes up for time asleep by itself, once on waking; for time off, RunAtLoad does. `load` and `unload` are never used:
they are legacy, and from a remote login they reach another session.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from ..core.errors import AgentOSError, ConfigError
from . import Standing, Trigger, changed_lines
from .programs import put_back, read, refused, remove, write

if TYPE_CHECKING:
    from typing import Any, Optional

    from . import Undo
    from .programs import Machine

# What macOS shows to no program in the background, unless the user has allowed it that (TCC).
GUARDED = ("Documents", "Desktop", "Downloads", os.path.join("Library", "Mobile Documents"))
_TRIES = 3
_GONE_SECONDS = 10.0  # `bootout` returns before it has happened


def of(machine: Machine) -> Launchd:
    """It, on this machine."""
    return Launchd(machine)


def label_of(ident: str) -> str:
    """The name of the agent, and of its file before `.plist`."""
    return f"com.agent-os.{ident}"


def plist(trigger: Trigger) -> bytes:
    """The property list of a trigger. Pure."""
    import plistlib

    found: dict[str, Any] = {
        "Label": label_of(trigger.ident),
        "ProgramArguments": list(trigger.command),
        "WorkingDirectory": trigger.folder,
        "StartCalendarInterval": _calendar(trigger),
        "RunAtLoad": True,
        "ProcessType": "Background",
        "StandardOutPath": trigger.log,
        "StandardErrorPath": trigger.log,
        "Umask": trigger.umask,
    }
    return plistlib.dumps(found, sort_keys=False)


def _calendar(trigger: Trigger) -> list[dict[str, int]]:
    """The times of day; of what comes every hour or more often, the minutes alone."""
    if 0 < trigger.every_seconds <= 3600:
        return [{"Minute": minute} for minute in sorted({minute for _, minute in trigger.times})]
    return [{"Hour": hour, "Minute": minute} for hour, minute in trigger.times]


def guarded(trigger: Trigger, user_folder: str) -> list[str]:
    """A sentence for each path of a trigger that no program in the background may read."""
    paths = (trigger.home, *(word for word in trigger.command if os.path.isabs(word)))
    return [
        f"macOS lets no program in the background read {path} (~/{folder}): it would be refused, or wait for an answer"
        " that nobody sees; move it elsewhere"
        for path in dict.fromkeys(paths)
        for folder in GUARDED
        if f"{path}{os.sep}".startswith(os.path.join(user_folder, folder) + os.sep)
    ]


class Launchd:
    """The agents of the user who runs this."""

    name = "launchd"

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._domain = f"gui/{machine.uid}"

    def why_not(self) -> str:
        """Whether there is a session to install into."""
        if not self._machine.find("launchctl"):
            return "launchctl is not on PATH"
        if self._machine.ask("launchctl", "print", self._domain).code:
            return f"nobody is logged in at the screen (there is no {self._domain}); do it from there, not by ssh"
        return ""

    def render(self, trigger: Trigger) -> dict[str, bytes]:
        """The file of the agent."""
        return {self._path(trigger.ident): plist(trigger)}

    def commands(self, trigger: Trigger) -> list[list[str]]:
        """Out with what was loaded before, in with the file."""
        target = self._target(trigger.ident)
        return [
            ["launchctl", "bootout", target],
            ["launchctl", "enable", target],
            ["launchctl", "bootstrap", self._domain, self._path(trigger.ident)],
        ]

    def install(self, trigger: Trigger, undo: Undo) -> None:
        """Write the file, have launchd forget the old one, wait until it has, and load the new."""
        path = self._path(trigger.ident)
        before, was_loaded = read(path), self._is_loaded(trigger.ident)
        undo.add(lambda: self._back(trigger.ident, before, was_loaded=was_loaded))
        write(path, plist(trigger))
        self._unload(trigger.ident)
        self._load(trigger.ident)

    def remove(self, ident: str, undo: Undo) -> list[str]:
        """Have launchd forget the agent, and remove its file."""
        path = self._path(ident)
        before, was_loaded = read(path), self._is_loaded(ident)
        if not before and not was_loaded:
            return []
        undo.add(lambda: self._back(ident, before, was_loaded=was_loaded))
        self._unload(ident)
        remove(path)
        return [f"the launchd agent {label_of(ident)}" + (f" ({path})" if before else "")]

    def status(self, ident: str) -> Standing:
        """Its file, and what `launchctl print` says. launchd does not say when an agent has run."""
        path = self._path(ident)
        content = read(path)
        said = self._machine.ask("launchctl", "print", self._target(ident))
        if not content:
            problems = ("launchd has it loaded, but its file is gone",) if not said.code else ()
            return Standing(is_installed=not said.code, problems=problems)
        return Standing(
            is_installed=True,
            texts={path: content.decode("utf-8", "replace")},
            problems=("its file is there, but launchd has not loaded it",) if said.code else (),
            notes=_notes(said.text) if not said.code else (),
            last_exit=_exit_of(said.text) if not said.code else None,
        )

    def differences(self, trigger: Trigger, standing: Standing) -> list[str]:
        """By lines of the file."""
        there = standing.texts.get(self._path(trigger.ident), "")
        return changed_lines(there, plist(trigger).decode("utf-8"))

    def remarks(self, trigger: Trigger) -> list[str]:
        """Folders that no program in the background may read."""
        return guarded(trigger, self._machine.user_folder)

    def _path(self, ident: str) -> str:
        return os.path.join(self._machine.user_folder, "Library", "LaunchAgents", f"{label_of(ident)}.plist")

    def _target(self, ident: str) -> str:
        return f"{self._domain}/{label_of(ident)}"

    def _is_loaded(self, ident: str) -> bool:
        return not self._machine.ask("launchctl", "print", self._target(ident)).code

    def _unload(self, ident: str) -> None:
        """Out, and wait until it is: what is loaded under a label on its way out is refused with an I/O error."""
        clock = self._machine.clock
        deadline = clock.monotonic() + _GONE_SECONDS
        words = ("launchctl", "bootout", self._target(ident))
        answer = self._machine.ask(*words)
        while self._is_loaded(ident):
            if clock.monotonic() >= deadline:
                raise refused(words, answer, "launchd keeps it loaded; nothing was changed")
            clock.sleep(0.1)

    def _load(self, ident: str) -> None:
        self._machine.tell("launchctl", "enable", self._target(ident))
        words = ("launchctl", "bootstrap", self._domain, self._path(ident))
        for tries_left in reversed(range(_TRIES)):
            answer = self._machine.ask(*words)
            if not answer.code:
                break
            if not tries_left:
                raise refused(words, answer)
            self._machine.clock.sleep(1.0)
        if not self._is_loaded(ident):
            raise ConfigError(f"launchd took {label_of(ident)} and does not have it", hint="nothing was changed")

    def _back(self, ident: str, content: bytes, *, was_loaded: bool) -> None:
        try:
            self._unload(ident)
        except AgentOSError:  # the file is what matters most: it counts from the next login on
            put_back(self._path(ident), content)
            raise
        put_back(self._path(ident), content)
        if was_loaded and content:
            self._load(ident)


def _exit_of(text: str) -> Optional[int]:
    """`last exit code = 0`; None for `(never exited)`."""
    found = re.search(r"^\s*last exit code = (-?\d+)", text, re.MULTILINE)
    return int(found[1]) if found else None


def _notes(text: str) -> tuple[str, ...]:
    found = re.search(r"^\s*runs = (\d+)", text, re.MULTILINE)
    return (f"launchd has started it {found[1]} times since it was loaded",) if found else ()
