"""`schedule status` and `schedule show`: what the operating system has, and whether that is what it should have."""

from __future__ import annotations

import os

from .. import exits
from ..core.clock import minute
from . import emit, emit_json
from . import schedule_trigger as chosen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from typing import Any, Optional

    from ..core.home import Home
    from ..schedulers import Scheduler, Standing, Trigger

GRACE_SECONDS = 180.0  # between the time of a trigger and its tick may lie what the schedulers add, and the work
_HARMLESS = (exits.OK, exits.FAILED, exits.BUSY)  # what a tick may end with though the schedule is in order
_EXITS = {
    exits.CONFIG: "not set up", exits.DATA: "the database is damaged or gone", exits.ENV: "no space or permission",
    126: "it could not be started", 127: "it was not found", 200: "its folder is gone", 203: "it could not be started",
}  # fmt: skip
_MOST_LINES = 40


def status(args: Any) -> int:
    """Ask every scheduler, and the database; 0 in order, 1 not in order, 3 not installed."""
    home, fault = chosen.open_anyway(args)
    told, trigger = told_of(home)
    told["problems"] += [fault] if fault else []
    told["healthy"] = told["installed"] and not told["problems"]
    if args.json:
        emit_json(told)
    elif told["installed"]:
        _show(told, trigger)
    else:
        emit(absent(home, told))
    return exits.CONFIG if not told["installed"] else exits.OK if told["healthy"] else exits.FAILED


def told_of(home: Home) -> tuple[dict[str, Any], Optional[Trigger]]:
    """Everything that is known of what is installed, as --json has it, and what it was told; for `doctor`, too."""
    memory = chosen.remembered(home)
    machine = chosen.machine_of(home)
    ident = chosen.ident_of(home, memory)
    found, unasked = chosen.installed(machine, ident)
    if not found:
        lost = _lost(home, memory, unasked)
        problems = [lost] if lost else []
        return {"installed": False, "healthy": False, "problems": problems, "unasked": dict(unasked)}, None
    backend, standing = next((each for each in found if each[0].name == memory.get("backend")), found[0])
    trigger = chosen.trigger_remembered(home, memory) if memory else None
    told = _told(home, memory, standing, backend=backend, trigger=trigger)
    told["problems"] += [f"{each.name} has it too" for each, _ in found if each is not backend]
    if memory and memory["backend"] != backend.name:
        told["problems"].append(f"it was installed with {memory['backend']}, which does not have it")
    told["notes"] += _notes(home, memory, backend)
    told["id"] = ident
    return told, trigger


def _lost(home: Home, memory: Mapping[str, Any], unasked: Mapping[str, str]) -> str:
    """What became of an installation that is not there; `""` where there never was one."""
    lost = f"it was installed with {memory['backend']}, which does not have it any more" if memory else ""
    moved = {} if memory else chosen.moved_from(home)
    if moved:
        lost = f"it was for {moved['home']}, where this home was: that entry is replaced then"
    if memory and memory["backend"] in unasked:
        lost = f"it was installed with {memory['backend']}, which cannot be asked: {unasked[memory['backend']]}"
    return lost


def absent(home: Home, told: Mapping[str, Any]) -> str:
    """That nothing is installed, and what became of it."""
    lost = "; ".join(told["problems"])
    return f"not installed for {home.settings.home}; `schedule install` does it" + (f" ({lost})" if lost else "")


def _told(
    home: Home, memory: Mapping[str, Any], standing: Standing, *, backend: Scheduler, trigger: Optional[Trigger]
) -> dict[str, Any]:
    """Everything that is known, as --json has it."""
    problems = list(standing.problems)
    difference: list[str] = []
    if trigger is None:
        problems.append("the database does not know what was chosen; `schedule install` writes it anew")
    else:
        difference = backend.differences(trigger, standing)
        gone = [path for path in trigger.command[:2] if os.path.isabs(path) and not os.path.exists(path)]
        problems += [f"it starts {path}, which is not there" for path in gone]
        if difference:
            problems.append("it is not what would be installed today; `schedule install` replaces it")
    if standing.last_exit is not None and standing.last_exit not in _HARMLESS:
        why = _EXITS.get(standing.last_exit, "`history` and the log may say more")
        problems.append(f"it last ended with {standing.last_exit}: {why}")
    slot, sign = _last_slot(home), _last_sign(home, memory, standing)
    late = _late(trigger, sign, now=home.clock.now()) if trigger and sign else None
    if late:
        from ..core.text import span

        problems.append(f"it is late by {span(late)}: the last sign of it is of {sign}")
    next_at = standing.next_at or (chosen.next_at(trigger, home.clock) if trigger and not standing.problems else "")
    return {
        "installed": True, "backend": backend.name, "at": chosen.at_words(trigger) if trigger else [],
        "every_seconds": trigger.every_seconds if trigger else 0, "next_at": next_at, "last_at": standing.last_at,
        "last_exit": standing.last_exit, "differs": bool(difference), "difference": difference[:_MOST_LINES],
        "last_slot": dict(zip(("task", "key", "status", "changed_at"), slot)) if slot else None,
        "last_sign_at": sign, "late_seconds": late, "problems": problems, "notes": list(standing.notes),
    }  # fmt: skip


def _last_slot(home: Home) -> Optional[Sequence[str]]:
    """The slot that was resolved last. It is no sign of a tick: a run by hand resolves slots too."""
    if not os.path.exists(home.db_path):
        return None
    with home.reading() as store:
        return store.last_resolved()


def _last_sign(home: Home, memory: Mapping[str, Any], standing: Standing) -> str:
    """When it last fired, by the system or by the note that every look of a tick leaves; else when it was installed."""
    from datetime import datetime, timezone

    from ..core import idle
    from ..core.clock import iso

    looked = idle.looked_at(home.settings.home)
    signs = [standing.last_at, str(memory.get("installed_at", ""))]
    if looked:
        signs.append(iso(datetime.fromtimestamp(looked, timezone.utc)))
    return max(signs)


def _late(trigger: Trigger, sign: str, *, now: datetime) -> float:
    """Seconds since the first time that should have left a sign and did not; 0.0 where there is none."""
    from ..core.clock import from_iso
    from ..schedulers import times

    missed = times.next_of(trigger.times, from_iso(sign))
    late = (now - missed).total_seconds()
    return round(late, 1) if late > GRACE_SECONDS else 0.0


def _notes(home: Home, memory: Mapping[str, Any], backend: Scheduler) -> list[str]:
    """What is no trouble, but may surprise."""
    from ..schedulers.programs import shown

    today, _ = chosen.command_of(home, backend=backend.name)
    if memory and list(today) != memory["command"]:
        return [f"installed from here it would start {shown(today)}; it starts {shown(memory['command'])}"]
    return []


def _show(told: Mapping[str, Any], trigger: Optional[Trigger]) -> None:
    """The same for people."""
    emit(f"installed   with {told['backend']}{f', {trigger.words}' if trigger else ''}: {told['id']}")
    emit(f"next        {minute(told['next_at']) or 'not known'}")
    ended = "" if told["last_exit"] is None else f", ended with {told['last_exit']}"
    emit(f"last        {minute(told['last_at']) or told['backend'] + ' does not say'}{ended}")
    slot = told["last_slot"]
    emit(
        "last slot   "
        + (f"{slot['task']} {slot['key']}: {slot['status']}, {minute(slot['changed_at'])}" if slot else "none")
    )
    emit(f"last sign   {minute(told['last_sign_at']) or 'none'}" + _lateness(told))
    emit(f"differs     {'yes' if told['differs'] else 'no'}")
    for line in told["difference"]:
        emit(f"            {line}")
    for line in told["problems"]:
        emit(f"problem     {line}")
    for line in told["notes"]:
        emit(f"note        {line}")


def _lateness(told: Mapping[str, Any]) -> str:
    from ..core.text import span

    if told["late_seconds"] is None:
        return ""
    return f", late by {span(told['late_seconds'])}" if told["late_seconds"] else ", not late"


def show(args: Any) -> int:
    """Print what is installed, as the system has it; with options, what would be."""
    from ..core.errors import ConfigError
    from ..schedulers import scheduler
    from .schedule import show_rendered

    home = args.open()
    memory = chosen.remembered(home)
    machine = chosen.machine_of(home)
    if args.backend or args.at is not None or args.every is not None:
        # Of a scheduler that this machine has not, too: nothing is asked of it.
        backend = scheduler(args.backend, machine) if args.backend else chosen.backend_of(args, machine, memory)
        trigger = chosen.trigger_of(home, args, memory, backend=backend.name)
        chosen.refuse_untold(trigger, backend=backend.name)
        show_rendered(args, backend, trigger)
        return exits.OK
    found, _ = chosen.installed(machine, chosen.ident_of(home, memory))
    if not found:
        raise ConfigError(
            f"nothing is installed for {home.settings.home}",
            hint="`schedule install` does it; with --backend, --at or --every `schedule show` prints what it would be",
        )
    if args.json:
        emit_json([{"backend": backend.name, "texts": dict(standing.texts)} for backend, standing in found])
        return exits.OK
    for backend, standing in found:
        for name, text in standing.texts.items():
            emit(f"--- {backend.name}: {name}")
            emit(text.rstrip("\n"))
    return exits.OK
