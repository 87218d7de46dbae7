"""`import csv FILE`: figures by hand, from a file or typed; what its columns mean is shown, confirmed, remembered."""

from __future__ import annotations

import sys

from .. import exits
from . import emit, emit_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Sequence
    from typing import Any, NoReturn

    from ..core.figures import Bad, Figures
    from ..core.headings import Headings
    from ..core.home import Home
    from ..core.imports import Changes
    from ..core.model import Record
    from ..core.sheet import Sheet

USAGE = "agent_os.pyz import csv FILE --provider NAME [--account LABEL] [--map ...] [--yes] [--dry-run] [--json]"
MORE = """\
The days of the file replace the days that were imported before for the same
provider and label; days that are not in it stay. So the same file twice
changes nothing, and a longer export of the same time doubles nothing. Two
files that tell of the same days but of different things need an --account
LABEL each.

FILE is - for standard input, so figures can be typed:

  agent_os.pyz import csv - --provider acme --yes <<END
  date,amount,currency
  2026-10-31,12.50,EUR
  END

--map names what is kept, MEANING=COLUMN or MEANING:=TEXT for what is the same
in every row; a column may be counted:
  --map 'date=Day,amount="Cost, net",currency:=EUR,model=#4'
Meanings: {meanings}.
Exports of OpenAI, Anthropic and OpenRouter are known by their header and need
no --map; the costs and the usage of one console stand side by side without a
label.
Imported money stands beside what a provider reports by itself and is never
added to it.
"""
MOST_WARNINGS = 10


def add_arguments(parser: ArgumentParser) -> None:
    """What to read, for whom, what the columns mean, and what to do with rows that are bad."""
    from argparse import RawDescriptionHelpFormatter
    from textwrap import fill

    from ..core.headings import MEANINGS

    parser.usage = USAGE.replace(" [--map", "\n           [--map")
    parser.description = fill(parser.description or "", 78)
    parser.formatter_class = RawDescriptionHelpFormatter
    parser.epilog = MORE.replace("Meanings: {meanings}.", fill(f"Meanings: {', '.join(MEANINGS)}.", 78))
    parser.add_argument("words", nargs="*", metavar="csv FILE", help="the file; - is standard input")
    parser.add_argument("--provider", metavar="NAME", default="", help="who charged it: its name in the tables")
    parser.add_argument(
        "--account", metavar="LABEL", default="", help="keep it apart from other files of the same days"
    )
    parser.add_argument("--map", metavar="MEANINGS", default="", help="what the columns mean, see below")
    parser.add_argument("--currency", metavar="CODE", default="", help="the currency where no column tells it, as EUR")
    parser.add_argument("--dates", choices=("dmy", "mdy"), default="", help="how 03/04/2026 is meant")
    parser.add_argument("--skip-bad", action="store_true", help="leave out rows that cannot be meant, and count them")
    parser.add_argument("--yes", action="store_true", help="take the guess of what the columns mean")
    parser.add_argument("--dry-run", action="store_true", help="only say what would change; nothing is stored")


def execute(args: Any) -> int:
    """Read the file, settle what its columns mean, and store what it says of its days."""
    from ..core.sheet import Sheet
    from .import_columns import settle

    path = check(args)
    home = args.open()
    with Sheet(path, stdin=getattr(sys.stdin, "buffer", None)) as sheet:
        headings = settle(args, home, sheet)
        figures = read(args, home, sheet, headings)
    if figures.bad_rows and not args.skip_bad:
        refuse(args, sheet.name, figures)
    return store(args, home, sheet, headings, figures)


def check(args: Any) -> str:
    """The path of the file. Raises UsageError for what cannot be meant before anything is read."""
    from ..core import money
    from ..core.errors import UsageError
    from ..core.spec import is_name

    if len(args.words) != 2 or args.words[0] != "csv":
        raise UsageError("import takes `csv` and one file", hint=USAGE)
    for option, value in (("--provider", args.provider), ("--account", args.account)):
        if value and not (is_name(value) and value == value.lower()):
            raise UsageError(f"{option} {value[:60]!r} is no name", hint="use small letters, digits, _, - and .")
    if not args.provider:
        raise UsageError("it is not said whose figures these are", hint="say --provider NAME, as in --provider mistral")
    if args.currency:
        try:
            args.currency = money.currency(args.currency)
        except ValueError as error:
            raise UsageError(f"--currency: {error}", hint="as in --currency EUR") from error
    return str(args.words[1])


def read(args: Any, home: Home, sheet: Sheet, headings: Headings) -> Figures:
    """What the rows come to."""
    from ..core.errors import PermanentError
    from ..core.figures import Reader
    from ..core.imports import report_of
    from ..core.text import thousands

    def tell(rows: int) -> None:
        home.log.info("import.reading", f"{thousands(rows)} rows read")

    reader = Reader(sheet.header, headings, today=args.clock.today(), report=report_of(args.account, headings.part))
    figures = reader.read(sheet.rows(), tell=tell)
    if not figures.days and not figures.bad_rows:
        raise PermanentError(f"{sheet.name} has a line of names and no figures", hint="nothing was stored")
    return figures


def refuse(args: Any, name: str, figures: Figures) -> NoReturn:
    """Say which rows are bad; nothing is stored."""
    from ..core.errors import PermanentError
    from ..core.text import plural, thousands

    lines = [line_of(bad) for bad in figures.bad]
    more = figures.bad_rows - len(lines)
    if args.json:
        emit_json({"stored": False, "rows": figures.rows, "bad_rows": figures.bad_rows, "bad": as_json(figures.bad)})
    else:
        emit("\n".join(lines) + (f"\nand {plural(more, 'bad row')} more" if more else ""))
    raise PermanentError(
        f"nothing of {name} was stored: {plural(figures.bad_rows, 'bad row')} of {thousands(figures.rows)}",
        hint="correct them, or leave them out with --skip-bad",
    )


def line_of(bad: Bad) -> str:
    """A bad row, for people."""
    from ..core.text import safe

    return safe(f"line {bad.line}{f', column {bad.column!r}' if bad.column else ''}: {bad.message}")


def as_json(found: Sequence[Bad]) -> list[dict[str, Any]]:
    """Bad rows; `column` is null where the row as a whole is meant."""
    return [{"line": bad.line, "column": bad.column or None, "message": bad.message} for bad in found]


def store(args: Any, home: Home, sheet: Sheet, headings: Headings, figures: Figures) -> int:
    """Store what changes, in one transaction, and say what that was."""
    from ..core import imports
    from ..core.clock import iso
    from ..core.errors import PermanentError
    from ..core.posting import post
    from ..core.text import plural, safe
    from .import_columns import memory

    if not figures.days:
        raise PermanentError(f"no row of {sheet.name} is good", hint="nothing was stored; run it without --skip-bad")
    report = imports.report_of(args.account, headings.part)
    changes = compared(args, home, figures, report)
    notes = [f"{safe(sheet.name)}, sha256 {sheet.sha256}, {plural(figures.rows, 'row')}", *figures.notes]
    notes += [f"{plural(figures.bad_rows, 'bad row')} left out"] if figures.bad_rows else []
    run_id = ""
    if not args.dry_run and (changes.new or changes.replaced):
        batch = imports.batch_of(
            figures, provider=args.provider, report=report, observed_at=iso(args.clock.now()), notes=notes
        )
        run_id = post(home, batch, task=imports.TASK, state=memory(args, sheet.header, headings))[0]
    for told in (*told_apart(home, args.provider, figures), *imports.hidden(figures)):
        home.log.warning("import.apart", told)
    for warning in changes.warnings[:MOST_WARNINGS]:
        home.log.warning("import.less", warning)
    if args.json:
        emit_json({"report": report, **summary(args, sheet, figures, changes, run_id)})
    else:
        show(args, sheet, figures, changes)
    return exits.OK


def compared(args: Any, home: Home, figures: Figures, report: str) -> Changes:
    """The figures beside those that are stored."""
    import os

    from ..core import imports
    from ..core.ledger import Ledger

    if not os.path.exists(home.db_path):
        return imports.compare(figures, [], known=())
    store, window = home.store(write=not args.dry_run), imports.window_of(figures.days)
    before = Ledger(store.db).lines(args.provider, window, report=report)
    known = {row[0] for row in store.results(since=window.start, until=window.end, provider=args.provider)}
    return imports.compare(figures, before, known=known)


def told_apart(home: Home, provider: str, figures: Figures) -> list[str]:
    """A sentence for a provider that reports by itself, or has done so for the days of the file."""
    import os

    from ..core.imports import window_of
    from ..plugins import NAMES

    reports = provider in NAMES
    if not reports and os.path.exists(home.db_path):
        reports = "reported" in {basis for basis, _, _ in home.store().sums(provider, window_of(figures.days))[-1]}
    return [f"{provider} has figures of its own, too: imported ones are shown apart, never added"] if reports else []


def show(args: Any, sheet: Sheet, figures: Figures, changes: Changes) -> None:
    """What was stored, for people."""
    from ..core.text import plural

    whose = args.provider + (f" ({args.account})" if args.account else "")
    days = figures.days
    span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    taken = plural(figures.rows - figures.bad_rows, "row")
    emit(f"{whose}: {taken} of {sheet.name}, {plural(len(days), 'day')} ({span})")
    for unit, figure in sums(figures.records).items():
        emit(f"  {figure} {unit}")
    for note in figures.notes:
        emit(f"  {note}")
    if sheet.encoding == "cp1252":
        emit("  it is not UTF-8: it was read as Windows-1252")
    if figures.bad_rows:
        emit("\n".join(f"  left out: {line_of(bad)}" for bad in figures.bad))
        emit(f"  {plural(figures.bad_rows, 'bad row')} left out")
    if not changes.new and not changes.replaced:
        emit(f"nothing changed: {'the day is' if len(days) == 1 else f'all {len(days)} days are'} as before")
        return
    verb = "would be " if args.dry_run else ""
    emit(
        f"{plural(len(changes.new), 'day')} {verb}new, {len(changes.replaced)} {verb}replaced,"
        f" {len(changes.unchanged)} unchanged; days that are not in the file stay as they are"
    )


def sums(records: Sequence[Record]) -> dict[str, str]:
    """What the file adds up to by currency, exact, and its tokens."""
    from ..core.imports import totals
    from ..core.money import decimal_text
    from ..core.text import thousands

    found = sorted(totals(records).items())
    return {unit: thousands(figure) if unit == "tokens" else decimal_text(figure) for unit, figure in found}


def summary(args: Any, sheet: Sheet, figures: Figures, changes: Changes, run_id: str) -> dict[str, Any]:
    """The same for programs: money as exact decimal text by currency."""
    from ..core.imports import totals
    from ..core.money import decimal_text

    found = totals(figures.records)
    tokens = found.pop("tokens", 0)
    return {
        "provider": args.provider, "file": sheet.name, "sha256": sheet.sha256,
        "dry_run": args.dry_run, "run": run_id or None, "rows": figures.rows, "new": changes.new,
        "replaced": changes.replaced, "unchanged": changes.unchanged, "tokens": tokens,
        "money": {code: decimal_text(nano) for code, nano in sorted(found.items())}, "bad_rows": figures.bad_rows,
        "bad": as_json(figures.bad), "warnings": changes.warnings, "notes": figures.notes,
    }  # fmt: skip
