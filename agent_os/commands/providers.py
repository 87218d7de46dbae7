"""`providers`: every source that there is, what it takes to use it, and what there is of it here."""

from __future__ import annotations

import os

from .. import exits
from . import add_app, emit, emit_json, terminal_width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from typing import Any

    from ..core.collector import Collector
    from ..core.home import Home

    Coverage = dict[str, tuple[str, int, str, str, str]]

WIDTH = 100
_INDENT = 13


def add_arguments(parser: ArgumentParser) -> None:
    """A name, --app."""
    parser.add_argument("name", nargs="?", default="", metavar="PROVIDER", help="only this one")
    add_app(parser)


def execute(args: Any) -> int:
    """Print every source."""
    from ..wiring import setup_of

    home = args.open()
    collectors = sorted(setup_of(home, app=args.app).collectors.values(), key=lambda each: str(each.name))
    stored = coverage(home)
    by_hand = sorted(set(stored) - {each.name for each in collectors})
    found = [as_json(each, stored) for each in collectors] + [imported(name, stored) for name in by_hand]
    if args.name:
        found = [each for each in found if each["provider"] == args.name] or unknown(args.name, found)
    if args.json:
        emit_json(found)
    else:
        emit("\n\n".join(text_of(each) for each in found))
        if not args.name:
            emit("\nWhat has no API: import csv FILE --provider NAME.")
            emit("Several accounts: [account:NAME] in agent_os.ini.")
    return exits.OK


def coverage(home: Home) -> Coverage:
    """What is stored; nothing where there is no database yet."""
    if not os.path.exists(home.db_path):
        return {}
    with home.reading() as store:
        return store.coverage()


def unknown(name: str, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Raise UsageError for a name that no source has."""
    from ..core.errors import UsageError
    from ..core.text import nearest

    close = nearest(name, [each["provider"] for each in found])
    raise UsageError(
        f"there is no provider {name[:60]!r}", hint=f"did you mean {close}?" if close else "`providers` lists them"
    )


def as_json(collector: Collector, stored: Coverage) -> dict[str, Any]:
    """One source. `history_days`: null where it forgets nothing; `keys`: the first that is set is used."""
    return {
        "provider": collector.name,
        "task": collector.task,
        "state": collector.disabled or f"ready, {collector.found}",
        "is_ready": not collector.disabled,
        "basis": collector.basis,
        "gives": collector.gives,
        "history_days": collector.history_days,
        "fresh": collector.fresh,
        "keys": list(collector.needs),
        "key_help": collector.key_help,
        "folders": getattr(collector, "folder_setting", "") or None,
        **days_of(stored.get(collector.name)),
    }


def imported(name: str, stored: Coverage) -> dict[str, Any]:
    """What was only ever imported under a name."""
    return {
        "provider": name, "task": None, "state": "figures by hand (import csv)", "is_ready": False,
        "basis": stored[name][0], "gives": "what was imported", "history_days": None, "fresh": "", "keys": [],
        "key_help": "", "folders": None, **days_of(stored[name]),
    }  # fmt: skip


def days_of(known: Any) -> dict[str, Any]:
    """What is stored of a source."""
    _, days, first, last, changed_at = known or ("", 0, None, None, None)
    return {"days": days, "first_day": first, "last_day": last, "changed_at": changed_at}


def text_of(each: dict[str, Any]) -> str:
    """A source in a few lines."""
    from ..core.text import plural

    back = each["history_days"]
    kinds = {"reported": "reported by the provider", "estimated": "an estimate at list prices", "imported": "imported"}
    stored = f"{plural(each['days'], 'day')}, {each['first_day']} to {each['last_day']}" if each["days"] else "nothing"
    facts = (
        ("state", each["state"]),
        ("elsewhere", each["folders"] and f"{each['folders']} names other folders, separated by commas"),
        ("gives", each["gives"]),
        ("money is", kinds[each["basis"]]),
        ("goes back", f"{plural(back, 'day')}; older ones are lost" if back else "as far as there is anything"),
        ("is there", each["fresh"]),
        ("key", " or ".join(each["keys"])),
        ("", each["key_help"]),
        ("stored", stored),
    )
    lines = [wrapped(title, text) for title, text in facts if text]
    return "\n".join([each["provider"], *lines])


def wrapped(title: str, text: str) -> str:
    """A fact under its title, no line longer than a page, or the terminal, is wide."""
    from textwrap import fill

    from ..core.text import safe

    width = min(terminal_width() or WIDTH, WIDTH)
    return fill(
        safe(text), width, initial_indent=f"  {title:{_INDENT - 2}}", subsequent_indent=" " * _INDENT,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
