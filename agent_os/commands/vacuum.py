"""`vacuum`: forget old runs now, not a little at the end of each day's first run, and give their room back."""

from __future__ import annotations

from .. import exits
from . import emit, emit_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Mapping
    from typing import Any

    from ..core.home import Home

WORDS = {
    "attempts": "attempt", "outputs": "output", "runs": "run", "steps": "step", "effects": "failed effect",
    "outbox": "sent message",
}  # fmt: skip


def add_arguments(parser: ArgumentParser) -> None:
    """--dry-run."""
    parser.add_argument("--dry-run", action="store_true", help="only say what would go; nothing is changed")


def execute(args: Any) -> int:
    """Forget, write the file anew, and say what went and what room it gave."""
    from ..core.retention import forgettable

    home = args.open()
    keep_days = home.settings.whole("AGENT_OS_RETENTION_DAYS", least=1, most=36_600)
    with home.reading() as store:
        gone = forgettable(store.db, keep_days=keep_days)
    before = after = bytes_of(home.db_path)
    if not args.dry_run:
        refuse_runners(home)
        refuse_full_disk(home, before)
        gone = vacuum(home, keep_days)
        after = bytes_of(home.db_path)
    if args.json:
        emit_json(
            {
                "dry_run": args.dry_run, "keep_days": keep_days, "removed": gone, "bytes_before": before,
                "bytes_after": after,
            }
        )  # fmt: skip
    else:
        show(gone, keep_days=keep_days, is_dry=args.dry_run)
        emit(sizes(home.db_path, before, None if args.dry_run else after))
    return exits.OK


def vacuum(home: Home, keep_days: int) -> dict[str, int]:
    """Forget what is old, then write the file anew, alone. How many rows of each table went."""
    from ..core.retention import forget, give_back

    db = home.store(write=True).db
    gone = forget(db, keep_days=keep_days)
    db.lock()  # whoever starts now waits at its first transaction
    try:
        refuse_runners(home)
        give_back(db)
    finally:
        db.unlock()
    return gone


def refuse_runners(home: Home) -> None:
    """Raise BusyError while a runner is at work on this database."""
    from ..core import lock
    from ..core.errors import BusyError

    living = lock.living(home.db_path)
    if living:
        who = ", ".join(filter(None, living)) or "who, is not written down"
        raise BusyError(f"a runner is at work ({who})", hint="wait until it has ended; the file was not written anew")


def refuse_full_disk(home: Home, size: int) -> None:
    """Say how much room it takes, and raise ResourceError where there is less: a copy, and the log of writing it."""
    import os
    import shutil

    from ..core import text
    from ..core.errors import ResourceError

    folder = os.path.dirname(home.db_path)
    free, needed = shutil.disk_usage(folder).free, 2 * size
    told = f"{text.size(needed)} of free space in {folder}, which has {text.size(free)}"
    if free < needed:
        raise ResourceError(f"writing the database anew takes up to {told}", hint="free some; nothing was changed")
    home.log.info("vacuum", f"writing the database anew; this takes up to {told}")


def bytes_of(path: str) -> int:
    """How much room a database takes, with what is not folded into it yet."""
    import os

    return sum(os.path.getsize(each) for each in (path, path + "-wal") if os.path.exists(each))


def show(gone: Mapping[str, int], *, keep_days: int, is_dry: bool) -> None:
    """What went, or would go."""
    from ..core.text import plural

    told = [plural(count, WORDS[table]) for table, count in gone.items()]
    verb = "would be removed" if is_dry else "removed"
    emit(f"older than {plural(keep_days, 'day')}, {verb}: {', '.join(told) or 'nothing'}")


def sizes(path: str, before: int, after: int | None) -> str:
    """The size of the file, and what it was."""
    from ..core.text import size

    return f"{path}: {size(before)}" + (f" before, {size(after)} now" if after is not None else "")
