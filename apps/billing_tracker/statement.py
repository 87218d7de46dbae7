"""`statement`: what a month or year has cost, as files that prove themselves. `focus`: checks a file of that format."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from agent_os import AgentOSError, BusyError, UsageError, decimal_text

from . import statement_folder as folders
from . import statement_pages as pages
from .csv_row import cells_of, row_of
from .focus import VERSIONS, check
from .period import period_of
from .statement_facts import Facts
from .statement_proof import prove, rows_of
from .statement_rows import LACKS, Files, Writer, origins

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from agent_os import OpenHome

    from .statement_facts import Total


def add_arguments(parser: ArgumentParser) -> None:
    """PERIOD and its options."""
    parser.add_argument("period", metavar="PERIOD", help="a month or a year: 2026-10, 2026")
    parser.add_argument("--out", metavar="PLACE", help="a folder, or a file NAME.zip (default: statement-PERIOD)")
    parser.add_argument(
        "--as-of", dest="as_of", metavar="DAY", default="", help="as it was known then (default: today)"
    )
    parser.add_argument("--provider", metavar="NAME", default="", help="only of this provider")
    parser.add_argument("--focus", metavar="VERSION", default="", help="the columns of FOCUS 1.2 or 1.4 alone")
    parser.add_argument(
        "--allow-incomplete", dest="allow_incomplete", action="store_true",
        help="also where days are missing or not settled; every file says so",
    )  # fmt: skip
    parser.add_argument(
        "--allow-unpriced", dest="allow_unpriced", action="store_true", help="also where tokens have no price"
    )


def state(home: OpenHome, args: Namespace) -> int:
    """Make the statement, and say what is in it."""
    if args.focus and args.focus not in VERSIONS:
        raise UsageError(f"there is no FOCUS {args.focus[:20]} here", hint=f"it is {' or '.join(VERSIONS)}")
    today = home.today
    as_of = args.as_of or today
    home.chain_head(as_of)  # refuses what is neither a day nor an instant
    if as_of[:10] > today:
        raise UsageError(f"--as-of {as_of[:40]} has not come yet", hint=f"today is {today}")
    period = period_of(args.period)
    if period.since > as_of[:10]:
        raise UsageError(f"{period.name} had not begun on {as_of[:10]}", hint="choose an earlier period")
    facts = Facts(home, period, as_of=as_of, provider=args.provider)
    allowed = {"--allow-incomplete": args.allow_incomplete, "--allow-unpriced": args.allow_unpriced}
    asked = [option for option, is_given in allowed.items() if is_given]
    facts.asked = " ".join([*asked, *([f"--focus {args.focus}"] if args.focus else [])])
    facts.refuse(allow_incomplete=args.allow_incomplete, allow_unpriced=args.allow_unpriced)
    out = args.out or f"statement-{period.name}"
    manifest = make(home, facts, out=out, version=args.focus)
    if args.json:
        print(json.dumps({"out": out, **manifest}, indent=2, ensure_ascii=False))
    else:
        print(told(facts, out))
    return 0


def told(facts: Facts, out: str) -> str:
    """What was made, in a few lines."""
    lines = [f"{out}: {facts.period.name} as of {facts.as_of}"]
    lines += [facts.stamps] if facts.stamps else []
    for (provider, currency, basis), nano in facts.totals.items():
        lines.append(f"  {provider}  {decimal_text(nano)} {currency}  {basis}")
    lines += [] if facts.totals else ["  no line of cost"]
    return "\n".join([*lines, "the sum is the same in rows, printed totals, database and accounts"])


def make(home: OpenHome, facts: Facts, *, out: str, version: str = "") -> dict[str, Any]:
    """Write all files, prove their sums, and put them in their place; the manifest. A failure leaves nothing."""
    about = {"period": facts.period.name, "provider": facts.provider}
    with folders.published(out, f"statement-{facts.period.name}", about=about) as folder:
        _write_rows(home, facts, folder, version=version)
        money, counts = rows_of(folder)
        parts = pages.parts_of(facts, counts)
        for name, text in (
            ("summary.txt", pages.text_of(facts, parts)),
            ("statement.html", pages.html_of(facts, parts)),
        ):
            with folders.opened(folder, name) as file:
                file.write(text)
        if home.chain_head(facts.as_of) != facts.head:
            raise BusyError(
                "figures were stored while the statement was made", hint="make it again; nothing was written"
            )
        prove(home, facts, folder, money)
        manifest = _manifest(facts, counts, folder)
        with folders.opened(folder, folders.MANIFEST) as file:
            file.write(json.dumps(manifest, indent=2, ensure_ascii=False, sort_keys=True) + "\n")
    return manifest


def _write_rows(home: OpenHome, facts: Facts, folder: str, *, version: str) -> None:
    """The files that have a row a line, a page or a day."""
    with ExitStack() as stack:

        def opened(name: str) -> Any:
            return stack.enter_context(folders.opened(folder, name))

        origin = origins(home, facts, opened("sources.csv"))
        names = ("lines.csv", "focus.csv", "beancount.beancount", "hledger.journal")
        files = Files(*map(opened, names))
        has_estimates = facts.estimates or facts.unpriced
        estimated = opened("estimated.csv") if has_estimates else None
        Writer(home, facts, origin, version=version).write(files, estimated)
        missing = opened("missing.csv")
        missing.write(row_of(LACKS))
        for lack in facts.lacks:
            told = (lack.status, "yes" if lack.is_filed else "no", lack.reason)
            stamp = facts.stamp if lack.is_filed else facts.estimates_stamp
            missing.write(f"{lack.date},{cells_of((lack.provider, *told, stamp))}\r\n")


def _manifest(facts: Facts, counts: dict[Total, int], folder: str) -> dict[str, Any]:
    """What the files are, and what they come to."""

    def listed(totals: dict[Total, int]) -> list[dict[str, Any]]:
        return [
            {"provider": provider, "currency": currency, "basis": basis, "amount": decimal_text(nano)}
            for (provider, currency, basis), nano in totals.items()
        ]

    lacks = [lack for lack in facts.lacks if lack.is_filed]
    return {
        "kind": folders.KIND,
        "program": f"Agent OS {facts.version}",
        "period": facts.period.name,
        "since": facts.period.since,
        "until": facts.period.until,
        "as_of": facts.as_of,
        "provider": facts.provider,
        "chain_head": facts.head,
        "stamp": facts.stamps,
        "days_missing": sum(lack.status == "missing" for lack in lacks),
        "days_open": sum(lack.status == "open" for lack in lacks),
        "days_provisional": sum(lack.status == "provisional" for lack in lacks),
        "lines": sum(counts.values()),
        "totals": listed(facts.totals),
        "estimates": listed(facts.estimates),
        "tokens_unpriced": facts.unpriced,
        "files": folders.hashes(folder),
    }


def add_focus_arguments(parser: ArgumentParser) -> None:
    """`focus check FILE`."""
    parser.add_argument("action", choices=("check",), help="look a file over")
    parser.add_argument("file", metavar="FILE", help="a CSV in the format FOCUS, 1.2 or 1.4")


def check_focus(_: OpenHome, args: Namespace) -> int:
    """Say what is wrong with a file; 1 where anything is."""
    import csv

    try:
        with open(args.file, encoding="utf-8-sig", newline="") as file:
            faults = check(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise AgentOSError(f"reading {args.file}: {error}", hint="it has to be a CSV file in UTF-8") from error
    if args.json:
        print(json.dumps({"file": args.file, "faults": faults}, indent=2, ensure_ascii=False))
    else:
        print("\n".join(faults) or f"{args.file} is as FOCUS demands")
    return 1 if faults else 0
