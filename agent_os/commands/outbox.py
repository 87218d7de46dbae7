"""`outbox`: messages that were not sent yet; `outbox resend` and `outbox drop` for those that were given up."""

from __future__ import annotations

import sys

from .. import exits
from . import emit, emit_json, emit_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Sequence
    from typing import Any

    from ..core.home import Home

USAGE = """agent_os.pyz outbox [--all] [--json]
       agent_os.pyz outbox resend ID...
       agent_os.pyz outbox drop ID... [--yes]"""
COLUMNS = ("id", "outbox", "key", "status", "attempts", "next_at", "error", "run", "created_at")
MOST = 1_000_000
VERBS = ("resend", "drop")


def add_arguments(parser: ArgumentParser) -> None:
    """IDs to resend or to drop, --yes, --all."""
    parser.usage = USAGE
    parser.add_argument("words", nargs="*", metavar="resend|drop ID", help="what to do with which messages")
    parser.add_argument("--yes", action="store_true", help="drop without asking")
    parser.add_argument("--all", action="store_true", help="list the messages that were sent too")


def execute(args: Any) -> int:
    """List messages, let some be sent again, or drop some."""
    from ..core.errors import UsageError
    from ..core.text import nearest

    verb, *words = args.words or [""]
    if not verb:
        return show(args)
    if verb not in VERBS:
        close = nearest(verb, VERBS)
        raise UsageError(
            f"outbox does not know {verb[:40]!r}", hint=f"did you mean {close}?" if close else "it has resend and drop"
        )
    numbers = numbers_of(words, verb)
    home = args.open()
    with home.reading() as store:  # wrong numbers are known before anyone is asked, or anything opened for writing
        check(store.db, numbers)
    if verb == "drop" and not args.yes and not agrees(numbers):
        emit("nothing was dropped")
        return exits.OK
    change(home, verb, numbers)
    if args.json:
        emit_json({verb: numbers})
    else:
        from ..core.text import plural

        done = "dropped" if verb == "drop" else "will be sent by the next run"
        emit(f"{plural(len(numbers), 'message')} {done}")
    return exits.OK


def show(args: Any) -> int:
    """Print the messages, newest first."""
    from ..core.journal import Journal

    found = Journal(args.open().store().db).messages(unsent=not args.all, most=MOST)
    if args.json:
        emit_json([dict(zip(COLUMNS, row)) for row in found])
    elif not found:
        emit("no message is recorded" if args.all else "no message waits")
    else:
        emit_table(
            ("id", "outbox", "key", "status", "attempts", "next", "what was said"), [_row(*row) for row in found]
        )
        if any(row[3] == "parked" for row in found):
            emit("parked: given up; once the reason is gone: outbox resend ID, or: outbox drop ID")
    return exits.OK


def _row(  # noqa: PLR0913 (the columns of the table)
    number: int, outbox: str, key: str, status: str, attempts: int, next_at: str, error: str, *_: str
) -> tuple[str, ...]:
    following = next_at[:19] + "Z" if status == "waiting" else ""
    return (str(number), outbox, key, status, str(attempts), following, error)


def numbers_of(words: Sequence[str], verb: str) -> list[int]:
    """The ids that were given, each once. Raises UsageError."""
    from ..core.errors import UsageError

    wrong = next((word for word in words if not (word.isascii() and word.isdigit() and len(word) <= 18)), "")
    if wrong or not words:
        what = f"{wrong[:40]!r} is not the id of a message" if wrong else f"which messages should {verb} be done to?"
        raise UsageError(what, hint=f"outbox {verb} ID...; `outbox` lists the ids")
    return sorted({int(word) for word in words})


def check(db: Any, numbers: Sequence[int]) -> None:
    """Raise UsageError for a message that is not there, or was sent."""
    from ..core.errors import UsageError
    from ..core.survey import Survey

    survey = Survey(db)
    for number in numbers:
        found = survey.message(number)
        if found is None:
            known = list(survey.unsent())
            close = min(known, key=lambda each: abs(each - number), default=None)
            hint = (
                "no message waits" if close is None else f"the nearest that was not sent is {close}; `outbox` has all"
            )
            raise UsageError(f"there is no message {number}", hint=hint)
        if found[1] == "sent":
            raise UsageError(f"message {number} was sent", hint="leave it out; nothing was changed")


def agrees(numbers: Sequence[int]) -> bool:
    """Ask on a terminal. Raises UsageError where there is none."""
    from ..core.errors import UsageError
    from ..core.text import plural

    if not (sys.stdin and sys.stdin.isatty() and sys.stderr):
        raise UsageError("what is dropped is gone, and there is no terminal to ask on", hint="add --yes if you mean it")
    sys.stderr.write(f"drop {plural(len(numbers), 'message')} for good? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def change(home: Home, verb: str, numbers: Sequence[int]) -> None:
    """All of them or none. Raises BusyError while one of their outboxes is being emptied."""
    from ..core import lock
    from ..core.errors import BusyError
    from ..core.journal import Journal
    from ..core.living import Living
    from ..core.slots import Slots
    from ..core.survey import Survey

    db = home.store(write=True).db
    with db.atomic():
        check(db, numbers)
        unsent = Survey(db).unsent()
        busy = Living(home, Slots(db), owner="").held({unsent[number][0] for number in numbers})
        for name, owner in busy.items():
            raise BusyError(
                f"messages of the outbox {name} are being sent just now ({lock.holder(home.db_path, owner)})",
                hint="wait until that is over; nothing was changed",
            )
        journal = Journal(db)
        for number in numbers:
            (journal.drop_message if verb == "drop" else journal.resend)(number)
    home.log.debug("outbox.changed", f"messages: {verb}", ids=numbers)
