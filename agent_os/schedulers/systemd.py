"""systemd, of most Linux systems: a timer and a service of the user's own manager.

Persistent makes up for time off, once. What is printed goes to the journal, which keeps itself small.
"""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from ..core.clock import iso
from . import Standing, Trigger, changed_lines
from .programs import put_back, read, refused, remove, write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from . import Undo
    from .programs import Machine

_TIMER = """\
[Unit]
Description=When the tasks of {home} are looked after

[Timer]
{calendar}
OnBootSec=2min
Persistent=true
RandomizedDelaySec=30

[Install]
WantedBy=timers.target
"""
_SERVICE = """\
[Unit]
Description=The tasks of {home} that are due

[Service]
Type=oneshot
WorkingDirectory={folder}
ExecStart={command}
UMask={umask:04o}
SuccessExitStatus=4
"""
_TIMER_ASKED = "LoadState,ActiveState,UnitFileState,NeedDaemonReload,NextElapseUSecRealtime,LastTriggerUSec,DropInPaths"
_SERVICE_ASKED = "LoadState,NeedDaemonReload,ExecMainCode,ExecMainStatus,ExecMainExitTimestamp,DropInPaths"

_BY_SIGNAL = ("2", "3")  # CLD_KILLED, CLD_DUMPED


def of(machine: Machine) -> Systemd:
    """It, on this machine."""
    return Systemd(machine)


def units(trigger: Trigger) -> dict[str, bytes]:
    """The two units of a trigger, by their names. Pure."""
    name = unit_of(trigger.ident)
    home = percent(trigger.home)
    service = _SERVICE.format(
        home=home,
        folder=working_directory(trigger.folder),
        command=exec_start(trigger.command[0], trigger.command[1:]),
        umask=trigger.umask,
    )
    return {
        f"{name}.service": service.encode(),
        f"{name}.timer": _TIMER.format(home=home, calendar=_calendar(trigger)).encode(),
    }


def unit_of(ident: str) -> str:
    """The name of both units."""
    return f"agent-os-{ident}"


def percent(text: str) -> str:
    """Text in which a percent sign is one."""
    return text.replace("%", "%%")


def working_directory(path: str) -> str:
    """WorkingDirectory. A blank at its end would be dropped, and quotation marks are none here."""
    return percent(f"{path}/." if path.endswith(" ") else path)


def exec_start(program: str, words: Sequence[str]) -> str:
    """ExecStart. In the path of the program itself systemd replaces no variable, so there a dollar is one."""
    return " ".join([_quoted(program), *(_quoted(word).replace("$", "$$") for word in words)])


def _quoted(word: str) -> str:
    escaped = percent(word).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _calendar(trigger: Trigger) -> str:
    """The OnCalendar lines: one for all hours of a minute."""
    times = trigger.times
    if 0 < trigger.every_seconds <= 3600:
        minutes = ",".join(f"{minute:02}" for minute in sorted({minute for _, minute in times}))
        return f"OnCalendar=*-*-* *:{minutes}:00"
    lines = []
    for minute in sorted({minute for _, minute in times}):
        hours = ",".join(f"{hour:02}" for hour, each in times if each == minute)
        lines.append(f"OnCalendar=*-*-* {hours}:{minute:02}:00")
    return "\n".join(lines)


class Systemd:
    """The user manager of the user who runs this."""

    name = "systemd"

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._units = os.path.join(machine.xdg("XDG_CONFIG_HOME", ".config"), "systemd", "user")

    def why_not(self) -> str:
        """Whether a user manager answers."""
        if not self._machine.find("systemctl"):
            return "systemctl is not on PATH"
        answer = self._machine.ask("systemctl", "--user", "show", "--property=Version")
        return f"no user manager answers ({answer.complaint})" if answer.code else ""

    def render(self, trigger: Trigger) -> dict[str, bytes]:
        """The files of the units."""
        return {os.path.join(self._units, name): content for name, content in units(trigger).items()}

    def commands(self, trigger: Trigger) -> list[list[str]]:
        """Read the files, and start the timer now and with each session."""
        timer = f"{unit_of(trigger.ident)}.timer"
        return [["systemctl", "--user", *words] for words in (["daemon-reload"], ["enable", timer], ["restart", timer])]

    def install(self, trigger: Trigger, undo: Undo) -> None:
        """Write both files, then run the commands. A timer that runs already is started anew, by its new times."""
        self._will_be_as_it_was(trigger.ident, undo)
        for path, content in self.render(trigger).items():
            write(path, content)
        for words in self.commands(trigger):
            self._machine.tell(*words)

    def remove(self, ident: str, undo: Undo) -> list[str]:
        """Stop the timer (a tick that is under way ends by itself), and remove both files and its memory of times."""
        paths = [path for path in self._paths(ident) if read(path)]
        if not paths:
            return []
        self._will_be_as_it_was(ident, undo)
        timer = f"{unit_of(ident)}.timer"
        if any(path.endswith(".timer") for path in paths):
            self._machine.tell("systemctl", "--user", "disable", "--now", timer)
        for path in paths:
            remove(path)
        self._machine.tell("systemctl", "--user", "daemon-reload")
        self._machine.ask("systemctl", "--user", "reset-failed", f"{unit_of(ident)}.service")  # fails where none failed
        remove(os.path.join(self._machine.xdg("XDG_DATA_HOME", ".local/share"), "systemd", "timers", f"stamp-{timer}"))
        return [f"the systemd timer {timer} ({' and '.join(paths)})"]

    def status(self, ident: str) -> Standing:
        """The files, and what the manager says of both units."""
        texts = {path: content.decode("utf-8", "replace") for path in self._paths(ident) if (content := read(path))}
        if not texts:
            return Standing(is_installed=False)
        timer, service = self._shown(ident, "timer", _TIMER_ASKED), self._shown(ident, "service", _SERVICE_ASKED)
        has_ended = bool(_instant(service.get("ExecMainExitTimestamp", "")))
        drop_ins = " ".join(filter(None, (timer.get("DropInPaths"), service.get("DropInPaths"))))
        return Standing(
            is_installed=True,
            texts=texts,
            problems=tuple(_problems(timer, service, len(texts))),
            notes=(f"changed by {drop_ins}",) if drop_ins else (),
            next_at=_instant(timer.get("NextElapseUSecRealtime", "")),
            last_at=_instant(timer.get("LastTriggerUSec", "")),
            last_exit=_exit_of(service) if has_ended else None,
        )

    def differences(self, trigger: Trigger, standing: Standing) -> list[str]:
        """By lines of the files."""
        found = []
        for path, content in self.render(trigger).items():
            found += changed_lines(standing.texts.get(path, ""), content.decode())
        return found

    def remarks(self, trigger: Trigger) -> list[str]:  # noqa: ARG002 (what holds here holds for every trigger)
        """Whether it runs while nobody is logged in."""
        machine = self._machine
        if not machine.find("loginctl"):
            return []
        answer = machine.ask("loginctl", "show-user", str(machine.uid), "--property=Linger")
        if answer.code or "Linger=yes" in answer.text:
            return []
        return ["it runs only while you are logged in; `loginctl enable-linger` lets it run without"]

    def _paths(self, ident: str) -> list[str]:
        return [os.path.join(self._units, f"{unit_of(ident)}.{kind}") for kind in ("service", "timer")]

    def _shown(self, ident: str, kind: str, asked: str) -> dict[str, str]:
        answer = self._machine.ask("systemctl", "--user", "show", f"{unit_of(ident)}.{kind}", f"--property={asked}")
        return dict(line.partition("=")[::2] for line in answer.text.splitlines())

    def _will_be_as_it_was(self, ident: str, undo: Undo) -> None:
        """The files with their content, and the timer enabled or not, and running or not."""
        before = {path: read(path) for path in self._paths(ident)}
        timer = self._shown(ident, "timer", _TIMER_ASKED)

        undo.add(lambda: self._back(ident, before, timer))

    def _back(self, ident: str, files: dict[str, bytes], timer: dict[str, str]) -> None:
        """Files first: they are what counts at the next login. Then all that can be done, whatever is refused of it."""
        name = f"{unit_of(ident)}.timer"
        was_enabled = timer.get("UnitFileState") == "enabled"
        if not was_enabled:
            self._machine.ask("systemctl", "--user", "disable", "--now", name)  # fails where it never was
        for path, content in files.items():
            put_back(path, content)
        steps = [["daemon-reload"]]
        if was_enabled and self._shown(ident, "timer", _TIMER_ASKED).get("UnitFileState") != "enabled":
            steps.append(["enable", name])
        if timer.get("ActiveState") == "active":
            steps.append(["start", name])
        answers = [(words, self._machine.ask("systemctl", "--user", *words)) for words in steps]
        for words, answer in answers:
            if answer.code:
                raise refused(("systemctl", "--user", *words), answer)


def _problems(timer: dict[str, str], service: dict[str, str], files: int) -> list[str]:
    found = []
    if files < 2:
        found.append("one of its two files is gone")
    if timer.get("LoadState") != "loaded" or service.get("LoadState") != "loaded":
        found.append("systemd has not loaded it")
    else:
        if timer.get("UnitFileState") != "enabled":
            found.append("its timer is not enabled")
        if timer.get("ActiveState") != "active":
            found.append("its timer is stopped")
        if "yes" in (timer.get("NeedDaemonReload"), service.get("NeedDaemonReload")):
            found.append("its files were changed since systemd has read them (systemctl --user daemon-reload)")
    return found


def _exit_of(service: dict[str, str]) -> int:
    """What it ended with; 128 and the number of the signal where one ended it, as shells have it."""
    number = int(service.get("ExecMainStatus") or 0)
    return number + 128 if service.get("ExecMainCode") in _BY_SIGNAL else number


def _instant(text: str) -> str:
    """`Thu 2026-11-26 17:00:00 UTC`, as systemctl shows times where TZ is UTC; "" for none."""
    words = text.split()
    if len(words) != 4:
        return ""
    try:
        moment = datetime.strptime(f"{words[1]} {words[2]}", "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
    except ValueError:
        return ""
    return iso(moment)
