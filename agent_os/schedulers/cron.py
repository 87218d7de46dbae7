"""cron: a block of lines in the user's crontab, between two marks. Every other byte of it stays as it is.

It makes up for nothing: what was missed asleep or off, the next tick does; `@reboot` is there for time off.
"""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING

from ..core.errors import ConfigError
from . import Standing, Trigger, changed_lines
from .launchd import guarded
from .programs import refused

if TYPE_CHECKING:
    from . import Undo
    from .programs import Machine

BLOCK = "the block in `crontab -l`"
_NOTE = "# Written by `agent_os.pyz schedule install`, and taken out by `schedule remove`: change nothing in between."
_NONE = ("no crontab for", "no such file or directory")  # the second: busybox
_READ, _WRITE, _DROP = ("crontab", "-l"), ("crontab", "-"), ("crontab", "-r")
_DAEMONS = ("cron", "crond", "fcron", "cronie", "dcron", "bcron-start")
_PLAIN_SHELLS = ("sh", "bash", "dash", "ash", "ksh", "mksh", "zsh")


def of(machine: Machine) -> Cron:
    """It, on this machine."""
    return Cron(machine)


def block(trigger: Trigger) -> bytes:
    """The lines of a trigger, with their marks. Pure."""
    begin, end = _marks(trigger.ident)
    quoted = " ".join(map(shlex.quote, trigger.command))
    command = f"cd {shlex.quote(trigger.folder)} && umask {trigger.umask:03o} && {quoted}"
    command = f"{command} >> {shlex.quote(trigger.log)} 2>&1".replace("%", r"\%")  # cron would end the line there
    lines = [begin, _NOTE, *(f"{when} {command}" for when in (*_fields(trigger), "@reboot")), end]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")


def _marks(ident: str) -> tuple[str, str]:
    return f"# BEGIN agent_os {ident}", f"# END agent_os {ident}"


def _fields(trigger: Trigger) -> list[str]:
    """The five fields: a line for all hours of a minute."""
    times = trigger.times
    if 0 < trigger.every_seconds <= 3600:
        minutes = sorted({minute for _, minute in times})
        return [f"{'*' if len(minutes) == 60 else ','.join(map(str, minutes))} * * * *"]
    return [
        f"{minute} {','.join(str(hour) for hour, each in times if each == minute)} * * *"
        for minute in sorted({minute for _, minute in times})
    ]


def without_block(crontab: bytes, ident: str) -> tuple[bytes, bytes, bytes]:
    """What stands before the block of an id, the block, and what stands behind it; the block is b"" where there is
    none. Pure. Raises ConfigError where its marks are not a pair.
    """
    begin, end = (mark.encode() for mark in _marks(ident))
    lines = crontab.splitlines(keepends=True)
    begins = [number for number, line in enumerate(lines) if line.rstrip() == begin]
    ends = [number for number, line in enumerate(lines) if line.rstrip() == end]
    if not begins and not ends:
        return crontab, b"", b""
    if len(begins) != 1 or len(ends) != 1 or ends[0] < begins[0]:
        raise ConfigError(
            f"the crontab's marks `{begin.decode()}` and `{end.decode()}` are not a pair",
            hint="remove those lines and what is between them (crontab -e); nothing was changed",
        )
    first, last = begins[0], ends[0] + 1
    return b"".join(lines[:first]), b"".join(lines[first:last]), b"".join(lines[last:])


class Cron:
    """The crontab of the user who runs this."""

    name = "cron"

    def __init__(self, machine: Machine, *, processes: str = "/proc") -> None:
        self._machine = machine
        self._processes = processes

    def why_not(self) -> str:
        """Whether there is a `crontab`."""
        return "" if self._machine.find("crontab") else "crontab is not on PATH"

    def render(self, trigger: Trigger) -> dict[str, bytes]:
        """The block."""
        return {BLOCK: block(trigger)}

    def commands(self, trigger: Trigger) -> list[list[str]]:  # noqa: ARG002 (the same for every trigger)
        """The crontab is read, and written with the block in it."""
        return [list(_READ), list(_WRITE)]

    def install(self, trigger: Trigger, undo: Undo) -> None:
        """Put the block where the old one stands, else at the end."""
        crontab = self._read()
        before, _, behind = without_block(crontab, trigger.ident)
        if before and not before.endswith(b"\n"):
            before += b"\n"
        undo.add(lambda: self._back(crontab))
        self._write(before + block(trigger) + behind)

    def remove(self, ident: str, undo: Undo) -> list[str]:
        """Take the block out. A crontab without a line is no crontab."""
        crontab = self._read()
        before, there, behind = without_block(crontab, ident)
        if not there:
            return []
        undo.add(lambda: self._back(crontab))
        self._write(before + behind)
        return [f"the block of {ident} in the crontab"]

    def status(self, ident: str) -> Standing:
        """The block. cron says neither when it has run something nor what came of it."""
        crontab = self._read()
        try:
            _, there, _ = without_block(crontab, ident)
        except ConfigError as error:  # cron itself does not look at the marks: what is there may well be at work
            return Standing(is_installed=True, problems=(f"{error.message}; remove them and what is between them",))
        if not there:
            return Standing(is_installed=False)
        problems = () if self._has_daemon() else ("no cron daemon is at work on this machine",)
        return Standing(is_installed=True, texts={BLOCK: there.decode("utf-8", "replace")}, problems=problems)

    def differences(self, trigger: Trigger, standing: Standing) -> list[str]:
        """By lines of the block."""
        return changed_lines(standing.texts.get(BLOCK, ""), block(trigger).decode("utf-8", "replace"))

    def remarks(self, trigger: Trigger) -> list[str]:
        """What cron does not do, and what in this crontab changes what its lines mean."""
        found = ["cron makes up for nothing that was due while the machine slept: the next tick does"]
        if not trigger.every_seconds:
            found[0] += "; with --every that is soon"
        if not self._has_daemon():
            found.append("no cron daemon is at work on this machine: start one, or nothing will happen")
        if self._machine.platform == "darwin":
            found += guarded(trigger, self._machine.user_folder)
        before, _, _ = without_block(self._read(), trigger.ident)
        for line in before.decode("utf-8", "replace").splitlines():
            name, _, value = (part.strip().strip("\"'") for part in line.partition("="))
            if name == "SHELL" and os.path.basename(value) not in _PLAIN_SHELLS:
                found.append(f"the crontab has its lines read by {value}, which may not understand ours")
            if name in ("CRON_TZ", "TZ") and not trigger.every_seconds:
                found.append(f"the crontab sets {name}={value}: with some crons --at is meant in that zone")
        return found

    def _read(self) -> bytes:
        """The crontab; b"" where there is none. It says so with the same exit code as any trouble: the words decide."""
        answer = self._machine.ask(*_READ)
        if not answer.code:
            return answer.output
        if any(words in answer.complaint.lower() for words in _NONE):
            return b""
        raise refused(_READ, answer)

    def _write(self, crontab: bytes) -> None:
        """Put it in the place of the old one, and see that it is there."""
        if crontab:
            self._machine.tell(*_WRITE, stdin=crontab)
        elif self._read():
            self._machine.tell(*_DROP)
        if self._read() != crontab:
            raise ConfigError("the crontab is not what was written into it", hint="look at `crontab -l`")

    def _back(self, crontab: bytes) -> None:
        if self._read() != crontab:  # what was refused has changed nothing, and would only be refused again
            self._write(crontab)

    def _has_daemon(self) -> bool:
        """Whether something that may be a cron is at work; yes where nobody can tell."""
        try:
            numbers = [name for name in os.listdir(self._processes) if name.isdigit()]
        except OSError:
            return True
        if "1" not in numbers:  # the processes of others are hidden
            return True
        return any(self._name_of(number) in _DAEMONS for number in numbers)

    def _name_of(self, number: str) -> str:
        try:
            with open(os.path.join(self._processes, number, "comm"), encoding="utf-8", errors="replace") as file:
                return file.read().strip()
        except OSError:
            return ""
