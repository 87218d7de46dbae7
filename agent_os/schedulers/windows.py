"""The Task Scheduler of Windows: a task of the user's own, without a password and without an administrator.

What it shows of times is in the words of the machine's language: of all that, only numbers and the XML are read.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from . import Standing, Trigger, changed_lines
from .programs import remove

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Optional
    from xml.etree.ElementTree import Element

    from . import Undo
    from .programs import Machine

_SPACE = "http://schemas.microsoft.com/windows/2004/02/mit/task"
_BOM = b"\xff\xfe"
_FIRST_DAY = "2025-01-01"  # since when it counts: any day of the past
_LAST_RESULT = 6  # the column of `schtasks /Query /V /FO CSV`
_NEVER = (267011, 267009)  # what stands there for "has not run yet" and "is running"
_HEAD = f"""\
<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="{_SPACE}">
  <RegistrationInfo>
    <Description>{{description}}</Description>
  </RegistrationInfo>
  <Triggers>
"""
_TRIGGER = """\
    <CalendarTrigger>
      <Enabled>true</Enabled>
      <StartBoundary>{start}</StartBoundary>
{repetition}      <ScheduleByDay>
        <DaysInterval>1</DaysInterval>
      </ScheduleByDay>
    </CalendarTrigger>
"""
_REPETITION = """\
      <Repetition>
        <Interval>PT{minutes}M</Interval>
        <Duration>P1D</Duration>
        <StopAtDurationEnd>false</StopAtDurationEnd>
      </Repetition>
"""
_TAIL = """\
  </Triggers>
  <Principals>
    <Principal id="Author">
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <RunOnlyIfNetworkAvailable>false</RunOnlyIfNetworkAvailable>
    <Enabled>true</Enabled>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>{command}</Command>
      <Arguments>{arguments}</Arguments>
      <WorkingDirectory>{folder}</WorkingDirectory>
    </Exec>
  </Actions>
</Task>
"""


def of(machine: Machine) -> Windows:
    """It, on this machine."""
    return Windows(machine)


def task_of(ident: str) -> str:
    """The path of the task."""
    return f"\\AgentOS\\{ident}"


def xml(trigger: Trigger) -> str:
    """The task of a trigger. Pure."""
    import subprocess
    from html import escape

    program, *words = trigger.command
    tail = _TAIL.format(
        command=escape(program, quote=False),
        arguments=escape(subprocess.list2cmdline(words), quote=False),
        folder=escape(trigger.folder, quote=False),
    )
    description = escape(f"The tasks of {trigger.home} that are due", quote=False)
    return _HEAD.format(description=description) + "".join(_triggers(trigger)) + tail


def _triggers(trigger: Trigger) -> Iterator[str]:
    """One for each time of day; of what comes more often than daily, one that is repeated all day."""
    minutes = trigger.every_seconds // 60
    is_repeated = 0 < minutes < 24 * 60
    for hour, minute in trigger.times[:1] if is_repeated else trigger.times:
        start = f"{_FIRST_DAY}T{hour:02}:{minute:02}:00"
        yield _TRIGGER.format(start=start, repetition=_REPETITION.format(minutes=minutes) if is_repeated else "")


def encoded(text: str) -> bytes:
    """As schtasks wants it: UTF-16, little end first, with its mark, and lines as Windows ends them."""
    return _BOM + text.replace("\n", "\r\n").encode("utf-16-le")


def decoded(content: bytes) -> str:
    """What schtasks prints, in whichever encoding it does."""
    if content.startswith(_BOM):
        text = content[2:].decode("utf-16-le", "replace")
    elif content[1:2] == b"\0":
        text = content.decode("utf-16-le", "replace")
    else:
        text = content.decode("utf-8", "replace")
    return text.replace("\r\r\n", "\n").replace("\r\n", "\n")


class Windows:
    """The tasks of the user who runs this."""

    name = "windows"

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def why_not(self) -> str:
        """Whether there is a `schtasks`."""
        return "" if self._machine.find("schtasks") else "schtasks is not on PATH"

    def render(self, trigger: Trigger) -> dict[str, bytes]:
        """The XML of the task."""
        return {task_of(trigger.ident): encoded(xml(trigger))}

    def commands(self, trigger: Trigger) -> list[list[str]]:
        """Create the task from a file that is removed afterwards."""
        return [["schtasks", "/Create", "/TN", task_of(trigger.ident), "/XML", f"{trigger.ident}.xml", "/F"]]

    def install(self, trigger: Trigger, undo: Undo) -> None:
        """Create the task, in the place of one of that name."""
        before = self._xml(trigger.ident)
        undo.add(lambda: self._back(trigger.ident, before))
        self._create(trigger.ident, encoded(xml(trigger)))

    def remove(self, ident: str, undo: Undo) -> list[str]:
        """Delete the task. Its folder stays: schtasks removes none."""
        before = self._xml(ident)
        if before is None:
            return []
        undo.add(lambda: self._back(ident, before))
        self._machine.tell("schtasks", "/Delete", "/TN", task_of(ident), "/F")
        return [f"the task {task_of(ident)}"]

    def status(self, ident: str) -> Standing:
        """The task as XML, and the number that its last run ended with."""
        found = self._xml(ident)
        if found is None:
            return Standing(is_installed=False)
        problems = ("the task is disabled",) if _leaves(found).get("Settings/Enabled") == "false" else ()
        return Standing(
            is_installed=True, texts={task_of(ident): found}, problems=problems, last_exit=self._last_exit(ident)
        )

    def differences(self, trigger: Trigger, standing: Standing) -> list[str]:
        """By what ours says: Windows adds much of its own, and writes down no default."""
        there, here = _leaves(standing.texts.get(task_of(trigger.ident), "")), _leaves(xml(trigger))
        lines = [f"{name} = {value}" for name, value in here.items()]
        kept = [f"{name} = {there.get(name) or _DEFAULTS.get(re.sub('#[0-9]+', '', name), 'nothing')}" for name in here]
        strange = [name for name in there if name.startswith(("Triggers", "Actions")) and name not in here]
        gone = [f"{name} = {there[name]}" for name in strange]
        return changed_lines("\n".join(kept + gone), "\n".join(lines))

    def remarks(self, trigger: Trigger) -> list[str]:  # noqa: ARG002 (what holds here holds for every trigger)
        """When it does not run."""
        return ["it runs only while you are logged in; what was missed asleep or off is made up for, once"]

    def _xml(self, ident: str) -> Optional[str]:
        """The task as the system has it; None where there is none."""
        answer = self._machine.ask("schtasks", "/Query", "/TN", task_of(ident), "/XML")
        return None if answer.code else decoded(answer.output).lstrip("\ufeff").strip() + "\n"

    def _create(self, ident: str, content: bytes) -> None:
        import tempfile

        fd, path = tempfile.mkstemp(prefix=f"{ident}-", suffix=".xml")
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(content)
            self._machine.tell("schtasks", "/Create", "/TN", task_of(ident), "/XML", path, "/F")
        finally:
            remove(path)

    def _back(self, ident: str, before: Optional[str]) -> None:
        now = self._xml(ident)
        if before is not None and now != before:
            self._create(ident, encoded(before))
        elif before is None and now is not None:
            self._machine.tell("schtasks", "/Delete", "/TN", task_of(ident), "/F")

    def _last_exit(self, ident: str) -> Optional[int]:
        """Of the first line: a task with several triggers has as many. None where it has not run."""
        import csv

        answer = self._machine.ask("schtasks", "/Query", "/TN", task_of(ident), "/V", "/FO", "CSV", "/NH")
        row = next(csv.reader(answer.text.splitlines()), [])
        said = row[_LAST_RESULT].strip() if len(row) > _LAST_RESULT and not answer.code else ""
        return int(said) if said.lstrip("-").isdigit() and int(said) not in _NEVER else None


_DEFAULTS = {
    "Triggers/CalendarTrigger/Enabled": "true",
    "Triggers/CalendarTrigger/Repetition/StopAtDurationEnd": "false",
    "Principals/Principal/RunLevel": "LeastPrivilege",
    "Settings/MultipleInstancesPolicy": "IgnoreNew",
    "Settings/RunOnlyIfNetworkAvailable": "false",
    "Settings/Enabled": "true",
}  # what may be left out where it is so


def _leaves(text: str) -> dict[str, str]:
    """Every element with text: `Settings/Enabled` -> `true`; the second of a name is `name#2`. {} for no XML."""
    from xml.etree.ElementTree import ParseError, XMLParser

    parser = XMLParser()  # noqa: S314 (what the machine's own scheduler says; and expat refuses entities in entities)
    try:
        parser.feed(text.partition("?>")[2] or text)  # it was in UTF-16, as it says: now it is text
        root: Element = parser.close()
    except ParseError:
        return {}
    found: dict[str, str] = {}

    def walk(element: Element, path: str) -> None:
        seen: list[str] = []
        for child in element:
            tag = child.tag.rpartition("}")[2]
            seen.append(tag)
            name = f"{path}{tag}" + (f"#{seen.count(tag)}" if tag in seen[:-1] else "")
            if len(child):
                walk(child, f"{name}/")
            else:
                found[name] = (child.text or "").strip()

    walk(root, "")
    return found
