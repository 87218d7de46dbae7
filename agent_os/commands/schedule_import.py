"""`schedule import crontab|systemd|launchd`: what is scheduled on this machine, as sections of agent_os.ini."""

from __future__ import annotations

import sys

from .. import exits
from . import emit, emit_foreign, emit_json, work_done

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from typing import Any

    from ..core.home import Home
    from ..schedulers.ini_writing import Section, Written
    from ..schedulers.programs import Machine
    from ..schedulers.sources import Source

USAGE = "schedule import crontab|systemd|launchd [--file FILE] [--all] [--take-over [--dry-run]]"
_STEPS = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60)  # minutes that `schedule install --every` takes


def add_arguments(parser: ArgumentParser) -> None:
    """--file, --all, --take-over."""
    text = "import: put them into agent_os.ini, then out of force where they are"
    parser.add_argument("--take-over", action="store_true", help=text)
    parser.add_argument("--file", metavar="FILE", default="", help="import: read this file; - is standard input")
    parser.add_argument("--all", action="store_true", help="import: of the system and the distribution too")


def execute(args: Any) -> int:
    """Print the sections, or put them in force."""
    from ..core.errors import UsageError
    from ..schedulers.ini_writing import Written
    from ..schedulers.sources import SOURCES
    from .schedule_trigger import machine_of

    names = args.words[1:]
    if len(names) != 1 or names[0] not in SOURCES:
        what = f"there is no source {' '.join(names)[:40]!r}" if names else "schedule import needs a source"
        raise UsageError(what, hint=USAGE)
    if args.take_over and (args.file or args.all):
        given = "--file" if args.file else "--all"
        raise UsageError(f"--take-over and {given} exclude each other", hint="it takes over what is this user's own")
    home = args.open()
    hint = "name a file with --file, or ask for another of crontab, systemd and launchd"
    machine = machine_of(home, hint=hint)
    source = SOURCES[names[0]](machine)
    found = source.of_file(args.file, _bytes_of(args.file)) if args.file else source.found(is_all=args.all)
    written = Written(found, _names(home, is_strict=args.take_over))
    if args.take_over:
        return _take_over(args, home, source, written, machine=machine)
    _show(args, written, title=args.file or source.title)
    return exits.OK


def _names(home: Home, *, is_strict: bool) -> set[str]:
    """The names that tasks have already. An ini that has faults still gives those of its sections, unless strict."""
    from ..core.errors import ConfigError
    from ..wiring import setup_of

    names = {"run_all", "export", *home.settings.section_group("task")}
    try:
        setup = setup_of(home)
    except ConfigError:
        if is_strict:
            raise
        return names
    return {*names, *setup.tasks, *setup.outboxes}


def _show(args: Any, written: Written, *, title: str) -> None:
    if args.json:
        emit_json({"tasks": [_facts(section) for section in written.sections], **_left(written)})
        return
    if not written.sections and not written.left and not written.remarks:
        emit(f"# {title} holds nothing to take over")
        return
    emit(f"# What {title} starts, as tasks of Agent OS. What was missed is caught up, the latest of each task, unless")
    emit("# catch_up = none; two runs of one task never overlap (overlap = queue waits instead).")
    step = _step(written.sections)
    if step:
        emit(f"# They are done to the minute where `tick` looks every {step}m: schedule install --every {step}m")
    emit("")
    emit_foreign(written.text().rstrip("\n"))


def _facts(section: Section) -> dict[str, Any]:
    entry = section.entry
    return {
        "name": section.name, "where": entry.where, "options": section.options, "remarks": entry.remarks,
        "to_do": entry.open_ends, "settings": list(section.settings),
    }  # fmt: skip


def _left(written: Written) -> dict[str, Any]:
    left = [{"where": entry.where, "name": entry.name, "why": why} for entry, why in written.left]
    return {"not_taken_over": left, "remarks": written.remarks}


def _step(sections: list[Section]) -> int:
    """What `schedule install --every` has to be for these; 0 where the default will do."""
    from ..schedulers.ini_writing import smallest_step

    minutes = smallest_step(section.options["schedule"] for section in sections)
    step = max((step for step in _STEPS if minutes and minutes % step == 0), default=15)
    return 0 if step % 15 == 0 else step


def _take_over(args: Any, home: Home, source: Source, written: Written, *, machine: Machine) -> int:
    """All that can be; the others stay where they are, each with its reason."""
    from ..schedulers.taking_over import blocked, look_over, take_over

    whys = {id(section.entry): why for section in written.sections if (why := blocked(section, home.settings))}
    sections = [section for section in written.sections if id(section.entry) not in whys]
    stay = [*written.left]
    stay += [(each.entry, whys.pop(id(each.entry))) for each in written.sections if id(each.entry) in whys]
    kept: list[str] = []
    if sections and args.dry_run:
        look_over(sections, home.settings)
    elif sections:
        kept = take_over(sections, source, home.settings, machine=machine)
    for entry, why in stay:
        tell = home.log.warning if entry.has_time else home.log.info
        tell("schedule.stays", f"{entry.where} ({entry.name or 'no command'}) stays where it is: {why}")
    with work_done():
        _tell(args, sections, kept, title=source.title)
    return exits.FAILED if any(entry.has_time for entry, _ in stay) else exits.OK


def _tell(args: Any, sections: list[Section], kept: list[str], *, title: str) -> None:
    if args.json:
        facts = [_facts(section) for section in sections]
        emit_json({"taken_over": facts, "kept": kept, "dry_run": args.dry_run})
        return
    done = "would be taken over" if args.dry_run else "taken over"
    for section in sections:
        emit(f"{section.name}: {done} from {section.entry.where}, {section.options['schedule']}")
    for path in kept:
        emit(f"kept as it was: {path}")
    if not sections:
        emit(f"{title} holds nothing to take over")
        return
    step = _step(sections)
    every = f" --every {step}m" if step else ""
    emit(f"these are due when `tick` looks: schedule install{every}, unless that is done already")


def _bytes_of(path: str) -> bytes:
    """What a file, or standard input, holds. Raises UsageError or one of ours for a failed system call."""
    from ..core.errors import UsageError, os_failure

    if path == "-":
        if sys.stdin is None:
            raise UsageError("there is no standard input", hint="name a file")
        return sys.stdin.buffer.read()
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise os_failure(f"reading {path}", error) from error
