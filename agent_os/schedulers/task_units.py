"""One task by systemd or cron: a timer and a service, or a line of a crontab, at the task's own times. Pure.

`schedule install` is the simpler way: one trigger for all tasks. This is for who wants to see each of them there.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from .calls import timed
from .five_fields import CRON, fields_of
from .oncalendar import lines_of
from .systemd import exec_start, percent, working_directory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..core.cron import Schedule
    from .calls import Call, Outline

_TIMER = """\
[Unit]
Description=When {task} of {home} is due: {text}

[Timer]
{lines}
Persistent=true

[Install]
WantedBy=timers.target
"""
_SERVICE = """\
[Unit]
Description={task} of {home}

[Service]
Type=oneshot
WorkingDirectory={folder}
ExecStart={command}
UMask=0077
# Busy: a run of it is under way already.
SuccessExitStatus=4
"""
_CLOCKS = """\
# When the clocks are changed, systemd leaves out a time that is skipped and takes one that is repeated once. The task
# itself goes by dst = {dst}: a slot without a trigger is done at the next one."""


def units_of(outline: Outline, call: Call) -> dict[str, str]:
    """The two units, by their names."""
    schedule, name = timed(outline), f"agent-os-task-{outline.task}"
    lines = [f"OnCalendar={line}" for line in lines_of(schedule)]
    if outline.jitter_seconds:
        lines.append(f"RandomizedDelaySec={outline.jitter_seconds:.0f}")
    if schedule.calendar and schedule.zone not in ("UTC", "Etc/UTC"):
        lines.insert(0, _CLOCKS.format(dst=schedule.dst))
    home, said = percent(call.home), percent(_said(schedule))
    program, *words = call.words(outline.task)
    command = exec_start(program, words)
    return {
        f"{name}.timer": _TIMER.format(task=outline.task, home=home, text=said, lines="\n".join(lines)),
        f"{name}.service": _SERVICE.format(
            task=outline.task, home=home, folder=working_directory(call.home), command=command
        ),
    }


def crontab_of(outlines: Sequence[Outline], call: Call) -> str:
    """The lines of these tasks; those in the machine's own zone first, since CRON_TZ holds for all below it."""
    groups: dict[str, list[str]] = {}
    for outline in outlines:
        schedule = timed(outline)
        command = " ".join(map(shlex.quote, call.words(outline.task)))
        command = f"cd {shlex.quote(call.home)} && {command}".replace("%", r"\%")  # cron would end the line there
        zone = "" if schedule.zone.lower() == "local" else schedule.zone
        groups.setdefault(zone, []).append(f"# {outline.task}: {_said(schedule)}")
        groups[zone].append(f"{fields_of(schedule, CRON)} {command}")
    text = _ZONES if any(groups) else ""
    for zone in sorted(groups):
        text += f"CRON_TZ={zone}\n" if zone else ""
        text += "".join(f"{line}\n" for line in groups[zone])
    return text


_ZONES = """\
# cronie and fcron read CRON_TZ, for all lines below it; the cron of Debian, macOS and busybox does not: there, on a
# machine in another zone, the task is started at another hour, and what is due comes late.
"""


def _said(schedule: Schedule) -> str:
    zone = "" if schedule.every else f" {schedule.zone}"
    return f"{schedule.text}{zone}" + (f" (dst = {schedule.dst})" if schedule.dst != "once" else "")
