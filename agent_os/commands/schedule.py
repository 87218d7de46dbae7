"""`schedule`: the machine's own scheduler starts a tick: install, remove, status, show; `import` reads other ones."""

from __future__ import annotations

from .. import exits
from ..core.clock import minute
from . import emit, emit_json, schedule_import, work_done

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Mapping, Sequence
    from typing import Any, Optional

    from ..schedulers import Scheduler, Trigger, Undo
    from ..schedulers.programs import Machine

WORDS = ("install", "remove", "status", "show", "import")
USAGE = """agent_os.pyz schedule install [--every 15m | --at 06:00,18:00]
                                     [--backend NAME] [--dry-run]
       agent_os.pyz schedule remove [--backend NAME] [--dry-run]
       agent_os.pyz schedule status [--json]
       agent_os.pyz schedule show [--every ... | --at ...]
                                  [--backend NAME]
       agent_os.pyz schedule import crontab|systemd|launchd
                [--file FILE | --take-over [--dry-run]] [--all]"""
CODES = """Exit codes of `schedule status`: 0 installed and in order; 1 installed, but it is broken, late, or
not what would be installed today; 3 not installed."""
# Which options a word takes, of those that not all of them do.
TAKES = {
    "install": ("backend", "at", "every", "dry_run"),
    "remove": ("backend", "dry_run"),
    "status": (),
    "show": ("backend", "at", "every"),
    "import": ("dry_run", "take_over", "file", "all"),
}


def add_arguments(parser: ArgumentParser) -> None:
    """The word, and the options of all words."""
    parser.usage, parser.epilog = USAGE, CODES
    parser.add_argument("words", nargs="+", metavar="|".join(WORDS), help="what to do")
    parser.add_argument("--every", metavar="15m", help="how often it is looked whether something is due (default: 15m)")
    parser.add_argument("--at", metavar="06:00", help="instead, at which times of day, by the local clock")
    parser.add_argument(
        "--backend", metavar="NAME", help="launchd, systemd, cron or windows (default: the best this machine has)"
    )
    parser.add_argument("--dry-run", action="store_true", help="only print what would be done; nothing is changed")
    schedule_import.add_arguments(parser)


def execute(args: Any) -> int:
    """Do what the first word says."""
    from ..core.errors import UsageError
    from ..core.text import nearest

    word, *rest = args.words
    if word not in WORDS:
        close = nearest(word, WORDS)
        known = f"did you mean {close}?" if close else f"it has {', '.join(WORDS)}"
        raise UsageError(f"schedule does not know {word[:40]!r}", hint=known)
    for name in ("backend", "at", "every", "dry_run", "take_over", "file", "all"):
        if getattr(args, name, None) and name not in TAKES[word]:
            raise UsageError(f"schedule {word} takes no --{name.replace('_', '-')}", hint="`schedule --help` has all")
    if word == "import":
        return schedule_import.execute(args)
    if rest:
        raise UsageError(f"schedule {word} takes no {rest[0][:40]!r}", hint="`schedule --help` has all")
    if args.at is not None and args.every is not None:
        raise UsageError("--at and --every exclude each other", hint="give one of them")
    if word == "install":
        return install(args)
    if word == "remove":
        return remove(args)
    from . import schedule_status

    return schedule_status.status(args) if word == "status" else schedule_status.show(args)


def install(args: Any) -> int:
    """Check everything, then install it and write down what was chosen: both, or neither."""
    from ..schedulers import Undo
    from ..wiring import setup_of
    from . import schedule_trigger as chosen
    from .tick_look import look_of, watcher_of

    home = args.open()
    setup = setup_of(home)  # what a tick would stumble over is said now
    machine = chosen.machine_of(home)
    memory = chosen.remembered(home, renew=not args.dry_run)
    moved = {} if memory else chosen.moved_from(home)
    backend = chosen.backend_of(args, machine, memory)
    trigger = chosen.trigger_of(home, args, memory, backend=backend.name)
    chosen.refuse_unfit(trigger, backend=backend.name)
    why_not = backend.why_not() if args.dry_run else ""
    told = [f"{backend.name} cannot be used here: {why_not}"] if why_not else backend.remarks(trigger)
    notes = [*chosen.warnings(home, trigger), *chosen.too_seldom(setup, trigger), *told]
    if args.dry_run:
        return _show_plan(args, backend, trigger, notes)
    home.store(write=True)
    with Undo() as undo:
        backend.install(trigger, undo)
        others, _ = chosen.installed(machine, trigger.ident)
        removed = [line for each, _ in others if each.name != backend.name for line in each.remove(trigger.ident, undo)]
        removed += _remove_moved(machine, moved, undo)
        look_of(home, watcher_of(home, setup))  # what is declared counts from now on, not from the first tick
        home.store(write=True).take_note(chosen.NOTE, chosen.written(trigger, backend=backend.name, clock=home.clock))
    with work_done():
        _say_installed(args, backend.name, trigger, removed=removed, notes=notes)
    return exits.OK


def _remove_moved(machine: Machine, moved: Mapping[str, Any], undo: Undo) -> list[str]:
    """Take out what was installed when the home lay elsewhere: it would look for it there for ever."""
    from . import schedule_trigger as chosen

    found = chosen.installed(machine, moved["ident"])[0] if moved else []
    return [line for each, _ in found for line in each.remove(moved["ident"], undo)]


def _say_installed(args: Any, name: str, trigger: Trigger, *, removed: Sequence[str], notes: Sequence[str]) -> None:
    from . import schedule_trigger as chosen

    next_at = chosen.next_at(trigger, args.clock)
    if args.json:
        emit_json(
            {
                "installed": True, "backend": name, "id": trigger.ident, "every_seconds": trigger.every_seconds,
                "at": chosen.at_words(trigger), "command": list(trigger.command), "next_at": next_at,
                "removed": list(removed), "notes": list(notes),
            }
        )  # fmt: skip
    else:
        emit(f"installed with {name}, {trigger.words}: {trigger.ident}; next at {minute(next_at)}")
        _say_rest([f"removed: {line}" for line in removed], notes)


def remove(args: Any) -> int:
    """Take out what is installed, wherever that is; nothing else is touched."""
    from ..core.errors import ConfigError
    from ..schedulers import Undo
    from . import schedule_trigger as chosen

    home, fault = chosen.open_anyway(args)
    if fault:
        home.log.warning("schedule.ini", f"{fault}; what stands there is left aside")
    machine = chosen.machine_of(home)
    memory = chosen.remembered(home, renew=not args.dry_run)
    ident = chosen.ident_of(home, memory)
    moved = {} if memory else chosen.moved_from(home)
    found, unasked = chosen.installed(machine, ident, only=args.backend or "")
    if memory.get("backend") in unasked:
        name = memory["backend"]
        raise ConfigError(
            f"the schedule was installed with {name}, which cannot be asked: {unasked[name]}",
            hint="nothing was removed",
        )
    if args.dry_run:
        before = chosen.installed(machine, moved["ident"])[0] if moved else []
        removed = [f"{each.name}: {', '.join(standing.texts) or ident}" for each, standing in (*found, *before)]
    else:
        with Undo() as undo:
            removed = [line for each, _ in found for line in each.remove(ident, undo)]
            removed += _remove_moved(machine, moved, undo)
            if memory and memory.get("backend") in (args.backend or memory.get("backend"), *(e.name for e, _ in found)):
                home.store(write=True).take_note(chosen.NOTE, "")
    with work_done():
        if args.json:
            emit_json({"dry_run": args.dry_run, "id": ident, "removed": removed})
        elif not removed:
            emit(f"nothing is installed for {home.settings.home}")
        else:
            _say_rest([f"{'would be removed' if args.dry_run else 'removed'}: {line}" for line in removed], [])
    return exits.OK


def _show_plan(args: Any, backend: Scheduler, trigger: Trigger, notes: Sequence[str]) -> int:
    """What would be installed, and with which commands."""
    show_rendered(args, backend, trigger, notes=notes, commands=backend.commands(trigger))
    return exits.OK


def show_rendered(
    args: Any,
    backend: Scheduler,
    trigger: Trigger,
    *,
    notes: Sequence[str] = (),
    commands: Optional[Sequence[Sequence[str]]] = None,
) -> None:
    """The pieces as they would be written; `commands` None: nothing is said of them."""
    from ..schedulers.programs import shown
    from .schedule_trigger import as_text

    texts = {name: as_text(content) for name, content in backend.render(trigger).items()}
    if args.json:
        value = {"dry_run": True, "backend": backend.name, "id": trigger.ident, "texts": texts, "notes": list(notes)}
        emit_json({**value, "commands": [list(words) for words in commands or ()]})
        return
    for name, text in texts.items():
        emit(f"--- {name}")
        emit(text.rstrip("\n"))
    for words in commands or ():
        emit(f"$ {shown(words)}")
    _say_rest([], notes)


def _say_rest(lines: Sequence[str], notes: Sequence[str]) -> None:
    for line in (*lines, *(f"note: {note}" for note in notes)):
        emit(line)
