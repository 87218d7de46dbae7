"""`--task export`: write what is stored as CSV or JSON lines."""

from __future__ import annotations

import os
import sys

from .. import exits
from ..core.errors import ConfigError, UsageError
from . import emit, emit_json, work_done

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ..arguments import Arguments
    from ..core.export import Totals


def execute(args: Arguments) -> int:
    """Write the file, then say where it is (stdout) and what it adds up to (stderr)."""
    from ..core.columns import TABLES
    from ..core.export import FORMATS
    from ..core.files import atomic_write

    table = one_of("--table", args.table or "results", TABLES)
    form = one_of("--format", args.format or "csv", FORMATS)
    if args.force:
        raise UsageError("--force means nothing to export", hint="leave it out")
    home = args.open()
    if args.out == "-":
        if sys.stdout is None:
            raise ConfigError("standard output is closed", hint="give --out a file")
        out: Any = Screen() if sys.stdout.isatty() else sys.stdout.buffer
        totals = write(args, out, table=table, form=form)
        path = "standard output"
    else:
        from ..core.export import format_file_name

        path = (
            os.path.abspath(args.out)
            if args.out
            else os.path.join(home.settings.home, format_file_name(table, form, args.clock.now()))
        )
        home.store()  # whether there is anything to export is known before a file is begun
        with atomic_write(path) as file:
            totals = write(args, file, table=table, form=form)
    summary = summed(totals)
    home.log.info("exported", f"{summary} written to {path}", rows=totals.rows)
    if args.out != "-":
        with work_done():
            if args.json:
                unpriced = totals.unpriced_tokens
                emit_json({"path": path, "rows": totals.rows, "sums": sums(totals), "unpriced_tokens": unpriced})
            else:
                emit(path)
    return exits.OK


class Screen:
    """A terminal as a file to export to: whatever could steer it is shown, not sent. A pipe gets the very bytes."""

    def write(self, data: bytes) -> int:
        """Show whole lines."""
        from ..core.text import safe

        lines = data.decode("utf-8").replace("\r\n", "\n").split("\n")
        sys.stdout.write("\n".join(map(safe, lines)))
        return len(data)


def write(args: Arguments, out: Any, *, table: str, form: str) -> Totals:
    """Write one table to an open binary file."""
    from ..core.export import write_export

    since, until = args.days()
    connection = args.open().store().db.connection
    return write_export(connection, table=table, format=form, since=since, until=until, out=out)


def one_of(option: str, value: str, known: Iterable[str]) -> str:
    """The value, if it is a known one. Raises UsageError."""
    if value not in known:
        raise UsageError(f"{option} {value[:40]!r} is not known", hint=f"it is one of {', '.join(known)}")
    return value


def sums(totals: Totals) -> list[dict[str, str]]:
    """The money of an export, apart by basis and currency, as exact decimal text."""
    from ..core.money import decimal_text

    return [
        {"currency": currency, "basis": basis, "amount": decimal_text(nano)}
        for (currency, basis), nano in sorted(totals.cost_nano.items())
    ]


def summed(totals: Totals) -> str:
    """An export in one line; an estimate that lacks prices is a lower bound."""
    from ..core.text import plural, thousands

    unpriced = totals.unpriced_tokens
    told = [f"{each['amount']} {each['currency']} {each['basis']}" for each in sums(totals)]
    told = [f"≥ {text}" if unpriced and text.endswith(" estimated") else text for text in told]
    told += [f"{thousands(unpriced)} tokens unpriced"] if unpriced else []
    return ", ".join([plural(totals.rows, "row"), *told]) + ("," if told else "")
