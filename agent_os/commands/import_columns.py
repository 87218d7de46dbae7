"""What the columns of an imported file mean: shown, settled with whoever imports it, and remembered for the next."""

from __future__ import annotations

import sys

from . import emit, emit_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Optional

    from ..core.headings import Headings
    from ..core.home import Home
    from ..core.sheet import Sheet


def settle(args: Any, home: Home, sheet: Sheet) -> Headings:
    """What the columns mean: given, remembered, known, or guessed and confirmed. UsageError where nobody says."""
    from ..core import headings as meanings

    header = sheet.header
    if args.map:
        found = meanings.given(args.map, header)
    else:
        found = remembered(args, home, header) or meanings.known(header) or meanings.guess(header)
    if args.currency and "currency" not in found.columns:
        found = in_currency(found, args.currency)
    found = found._replace(order=args.dates or found.order)
    meanings.check(found, header)
    first = next(sheet.rows(), None)
    cells = first.cells if first else [""] * len(header)
    refuse_no_currency(found, header, cells)
    if found.origin == "saved" and not args.json:
        emit(f"columns as confirmed before: {meanings.as_map(found, header)}")
    elif found.origin != "guessed" and not args.json:
        emit(f"columns as {'given' if found.origin == 'given' else f'in the export {found.origin!r}'}:")
    if found.origin != "saved" and not args.json:
        emit_table(("column", "meaning", "first value"), rows_of(found, header, cells))
    if found.origin == "guessed" and not (args.yes or args.dry_run):
        confirm(args, command(args, found, header))
    return found


def in_currency(found: Headings, code: str) -> Headings:
    """The same in this currency. UsageError where the export, the column's name or --map says another."""
    from ..core.errors import UsageError

    stated = found.constants.get("currency", code)
    if stated != code and found.origin != "saved":
        raise UsageError(f"--currency is {code}, and the columns say {stated}", hint="leave --currency out")
    return found._replace(constants={**found.constants, "currency": code})


def rows_of(found: Headings, header: Sequence[str], cells: Sequence[str]) -> list[tuple[str, str, str]]:
    """The table of what the columns mean."""
    from ..core.headings import MEANINGS

    by_place = {at: MEANINGS[meaning] for meaning, at in found.columns.items()}
    rows = [
        (name or f"#{at + 1}", by_place.get(at, "- (not kept)"), cells[at] if at < len(cells) else "")
        for at, name in enumerate(header)
    ]
    return rows + [("(every row)", MEANINGS[meaning], text) for meaning, text in found.constants.items()]


def refuse_no_currency(found: Headings, header: Sequence[str], cells: Sequence[str]) -> None:
    """Raise UsageError where there is money and neither option, name, column nor first cell tells its currency."""
    from ..core.cells import amount
    from ..core.errors import UsageError

    at = found.columns.get("amount", found.columns.get("cents"))
    if at is None or {"currency"} & {*found.columns, *found.constants}:
        return
    try:
        mark = amount(cells[at])[1]
    except (IndexError, ValueError):
        mark = ""
    if not mark:
        raise UsageError(
            f"nothing says which currency column {header[at]!r} is in", hint="say --currency USD, or another"
        )


def remembered(args: Any, home: Home, header: Sequence[str]) -> Optional[Headings]:
    """What was confirmed for this provider and header before."""
    import json
    import os

    from ..core import imports
    from ..core.headings import from_json
    from ..core.journal import Journal

    if not os.path.exists(home.db_path):
        return None
    kept = Journal(home.store(write=not args.dry_run).db).state(imports.TASK).get(key_of(args.provider, header))
    return from_json(json.loads(kept), header) if kept else None


def key_of(provider: str, header: Sequence[str]) -> str:
    """The name under which the meaning of a header is remembered."""
    import json
    from hashlib import sha256

    return sha256(json.dumps([provider, *header]).encode("ascii")).hexdigest()[:32]


def command(args: Any, found: Headings, header: Sequence[str]) -> str:
    """The command line that takes the guess as it is."""
    import shlex

    from ..core.headings import as_map

    words = ["import", "csv", args.words[1], "--provider", args.provider]
    words += ["--account", args.account] if args.account else []
    words += ["--dates", args.dates] if args.dates else []
    words += ["--skip-bad"] if args.skip_bad else []
    return shlex.join([*words, "--map", as_map(found, header)])


def confirm(args: Any, accepting: str) -> None:
    """Ask whether the guess is right. Raises UsageError for a no, or where nobody can be asked."""
    from ..core.errors import UsageError

    answer = "nobody"
    if not args.json and args.words[1] != "-" and _is_there():
        emit("Is that what the columns mean? [Y/n]")
        answer = (sys.stdin.readline() or "n").strip().lower()
    if answer not in ("", "y", "yes"):
        raise UsageError(
            "nothing was stored: what the columns mean was guessed and nobody has confirmed it",
            hint=f"to take it say --yes, or change it here: {accepting}",
        )


def _is_there() -> bool:
    """Whether somebody can be asked: at a terminal, or with the answer in a pipe already (`yes | ...`)."""
    if not sys.stdin or not sys.stdout:
        return False
    if sys.stdin.isatty():
        return bool(sys.stdout.isatty())
    from select import select

    try:
        return bool(select([sys.stdin], [], [], 0)[0])
    except (OSError, ValueError):  # not a file that can be waited for, as on Windows
        return False


def memory(args: Any, header: Sequence[str], headings: Headings) -> Mapping[str, Optional[str]]:
    """What to remember of what the columns mean; nothing of an export that is known anyway."""
    import json

    from ..core.headings import to_json

    if headings.origin not in ("given", "guessed"):
        return {}
    return {key_of(args.provider, header): json.dumps(to_json(headings))}
