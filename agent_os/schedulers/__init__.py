"""The schedulers of the operating systems: what they are told, and what each of them can do. Sees the kernel only.

A file each. `render` is pure: the exact text that is installed. One trigger of a home starts one `tick`, which looks
after all of its tasks; which of them are due is none of the scheduler's business.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from ..core.errors import AgentOSError, ConfigError, UsageError
from . import times

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Optional, Protocol

    from .programs import Machine

    class Scheduler(Protocol):
        """One of the schedulers, on this machine."""

        name: str

        def why_not(self) -> str:
            """Why it cannot be used here, "" where it can."""

        def render(self, trigger: Trigger) -> dict[str, bytes]:
            """What is installed: the path (or the name) of each piece and its content. Pure."""

        def commands(self, trigger: Trigger) -> list[list[str]]:
            """What is run to install it, for people to read."""

        def install(self, trigger: Trigger, undo: Undo) -> None:
            """Install it, in the place of what is there under its id. Each step tells `undo` how it is taken back."""

        def remove(self, ident: str, undo: Undo) -> list[str]:
            """Remove what is there under an id; what that was, nothing where nothing was there."""

        def status(self, ident: str) -> Standing:
            """What the system says of an id."""

        def differences(self, trigger: Trigger, standing: Standing) -> list[str]:
            """How what is installed differs from what `render` says: a line of text each, "-" there, "+" here."""

        def remarks(self, trigger: Trigger) -> list[str]:
            """What somebody who has just installed it should know."""


BACKENDS = ("launchd", "systemd", "cron", "windows")
_LONGEST_NAME = 32


class Trigger(NamedTuple):
    """What an operating system is told: to run a command in a folder at times of day, for a home."""

    ident: str
    home: str
    command: tuple[str, ...]
    folder: str  # where the command is run
    log: str  # where its output goes, for schedulers that keep none themselves
    at: times.Times = ()
    every_seconds: int = 0  # 0: at `at`
    umask: int = 0o077

    @property
    def times(self) -> times.Times:
        """The times of day at which it fires, by the local clock."""
        return self.at or times.spread_times(self.every_seconds, self.seed)

    @property
    def seed(self) -> int:
        """A number that is the home's own, as its id is."""
        return int(self.ident.rpartition("-")[2], 16)

    @property
    def words(self) -> str:
        """`every 15m` or `at 06:00, 18:00`."""
        if self.every_seconds:
            return f"every {times.every_word(self.every_seconds)}"
        return f"at {', '.join(times.at_words(self.at))}"


class Standing(NamedTuple):
    """What a system says of an id. Instants as text (UTC); "" and None for what it does not say."""

    is_installed: bool
    texts: Mapping[str, str] = {}  # what is there, as `render` names it
    problems: tuple[str, ...] = ()  # why it will not fire as it should
    notes: tuple[str, ...] = ()
    next_at: str = ""
    last_at: str = ""
    last_exit: Optional[int] = None


class Undo:
    """`with Undo() as undo:` where the block fails, all that `undo` was told is done, the last first."""

    def __init__(self) -> None:
        self._steps: list[Callable[[], object]] = []

    def add(self, step: Callable[[], object]) -> None:
        """How what was done, or is about to be, is taken back."""
        self._steps.append(step)

    def __enter__(self) -> Undo:  # noqa: PYI034 (Self needs a newer Python)
        return self

    def __exit__(self, kind: object, error: Optional[BaseException], trace: object) -> None:
        if error is None:
            return
        failed = []
        for step in reversed(self._steps):
            try:
                step()
            except AgentOSError as failure:
                failed.append(failure.message)
        if failed and isinstance(error, AgentOSError):
            error.hint = f"and what was there before could not be put back: {'; '.join(failed)}"


def ident_of(home: str) -> str:
    """The name under which a home is known to a scheduler: `agent_os-1a2b3c`, of its folder and its absolute path."""
    import hashlib

    name = os.path.basename(home.rstrip("/\\")).lower()
    plain = "".join(letter if letter.isascii() and (letter.isalnum() or letter == "_") else "-" for letter in name)
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:6]
    return f"{plain.strip('-')[:_LONGEST_NAME].strip('-') or 'home'}-{digest}"


def scheduler(name: str, machine: Machine) -> Scheduler:
    """The scheduler of this name. Raises UsageError for a name that is none."""
    if name not in BACKENDS:
        raise UsageError(f"--backend is {name[:40]!r}", hint=f"give one of {', '.join(BACKENDS)}")
    module = __import__(f"{__name__}.{name}", fromlist=["of"])
    found: Scheduler = module.of(machine)
    return found


def usable(name: str, machine: Machine) -> Scheduler:
    """The same, or with name "" the first that this machine has. Raises ConfigError where it cannot be used."""
    if name:
        found = scheduler(name, machine)
        why_not = found.why_not()
        if why_not:
            raise ConfigError(f"{name} cannot be used here: {why_not}", hint="choose another --backend")
        return found
    reasons = []
    for each in _fitting(machine.platform):
        found = scheduler(each, machine)
        why_not = found.why_not()
        if not why_not:
            return found
        reasons.append(f"{each}: {why_not}")
    raise ConfigError(
        f"this machine has no scheduler that could be used ({'; '.join(reasons)})",
        hint="`tick --watch` does without one, in the foreground",
    )


def _fitting(platform: str) -> tuple[str, ...]:
    """The schedulers of a system, the best first."""
    return {"darwin": ("launchd",), "win32": ("windows",)}.get(platform, ("systemd", "cron"))


def changed_lines(there: str, here: str) -> list[str]:
    """The lines that only one of two texts has, in their order: "-" what is there, "+" what would be.

    A carriage return is part of its line: it keeps a line of a crontab from running.
    """
    import difflib

    lines = difflib.ndiff(there.split("\n"), here.split("\n"))
    return [line[0] + " " + line[2:] for line in lines if line[:1] in "-+"]
