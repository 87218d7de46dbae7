"""What a provider has really asked for: the amounts of its invoices. Of a file its name and SHA-256 are kept."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from agent_os import ResourceError, UsageError, decimal_text, table

from .exact import currency_of, exact, month_of, nano_of

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from agent_os import OpenHome

TASK = "invoices"  # under whose name they are remembered
_AT_ONCE = 2**20


class Invoice(NamedTuple):
    """One invoice of one month. Amounts in 10^-9; `tax` is in `nano`, `credits` were taken off before it was made."""

    provider: str
    month: str
    nano: int
    currency: str
    tax: int
    credits: int
    file: str
    sha256: str
    added_on: str


def add_arguments(parser: ArgumentParser) -> None:
    """Add PROVIDER MONTH AMOUNT, list, remove PROVIDER MONTH."""
    parser.add_argument("action", choices=("add", "list", "remove"), help="what to do")
    parser.add_argument("provider", metavar="PROVIDER", nargs="?", default="", help="whose invoice: openai, ...")
    parser.add_argument("month", metavar="MONTH", nargs="?", default="", help="the month that it is for, as 2026-10")
    parser.add_argument("amount", metavar="AMOUNT", nargs="?", default="", help="what it asks for, tax and all: 41.27")
    parser.add_argument("--currency", metavar="CODE", default="USD", help="of the amount (default: USD)")
    parser.add_argument("--tax", metavar="AMOUNT", default="0", help="how much of it is tax")
    parser.add_argument("--credits", metavar="AMOUNT", default="0", help="credits that were taken off before")
    parser.add_argument("--file", metavar="FILE", default="", help="the invoice; its name and SHA-256 are kept, not it")


def execute(home: OpenHome, args: Namespace) -> None:
    """Add one, list all, or remove those of a month."""
    if args.action == "list":
        show(list_of(home, provider=args.provider, month=args.month), as_json=args.json)
        return
    if not args.provider or not args.month or (args.action == "add") != bool(args.amount):
        hint = "invoice add openai 2026-10 41.27; invoice remove openai 2026-10; invoice list"
        raise UsageError("an invoice has a provider, a month and an amount", hint=hint)
    month_of(args.month)
    if args.action == "remove":
        gone = remove(home, args.provider, args.month)
        print(f"{args.provider} {args.month}: {gone} removed")
        return
    invoice = read(home, args)
    add(home, invoice)
    kept = f", {invoice.file} sha256 {invoice.sha256}" if invoice.file else ""
    print(f"{invoice.provider} {invoice.month}: {exact(invoice.nano)} {invoice.currency} kept{kept}")


def read(home: OpenHome, args: Namespace) -> Invoice:
    """The invoice that was typed in. Raises UsageError for what cannot be meant."""
    known = sorted({each.by[0] for each in home.sums("provider")})
    if args.provider not in known:
        stored = f"it is one of {', '.join(known)}" if known else "nothing is stored of any provider yet"
        raise UsageError(f"nothing is stored of {args.provider[:40]!r}", hint=stored)
    if args.month > home.today[:7]:
        raise UsageError(f"{args.month} has not begun", hint=f"today is {home.today}, in UTC")
    nano, tax, credited = (
        nano_of(name, text)
        for name, text in (("the amount", args.amount), ("--tax", args.tax), ("--credits", args.credits))
    )
    if tax < 0 or credited < 0 or abs(tax) > abs(nano):
        raise UsageError("the tax and the credits of an invoice are not less than 0, the tax not more than all of it")
    name, digest = (os.path.basename(args.file), digest_of(args.file)) if args.file else ("", "")
    return Invoice(
        args.provider, args.month, nano, currency_of(args.currency), tax, credited, name, digest, home.today
    )  # fmt: skip


def digest_of(path: str) -> str:
    """The SHA-256 of a file. Raises UsageError where there is none, ResourceError where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(_AT_ONCE), b""):
                digest.update(block)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise UsageError(f"there is no file {path}", hint="--file names the invoice itself") from error
    except OSError as error:
        raise ResourceError(f"reading {path}: {error.strerror or error}", hint="check its rights (ls -l)") from error
    return digest.hexdigest()


def list_of(home: OpenHome, *, provider: str = "", month: str = "") -> list[Invoice]:
    """The invoices that were typed in, by provider and month."""
    found = []
    for name, kept in sorted(home.kept(TASK).items()):
        of, _, when = name.rpartition(" ")
        if provider in ("", of) and month in ("", when):
            found += [Invoice(of, when, **each) for each in kept]
    return found


def add(home: OpenHome, invoice: Invoice) -> None:
    """Keep one more. Raises UsageError for one that is there already."""
    before = list_of(home, provider=invoice.provider, month=invoice.month)
    if any(each[2:8] == invoice[2:8] for each in before):
        hint = "remove it to type it in anew; two that are really alike differ in their --file"
        raise UsageError(f"this invoice of {invoice.provider} for {invoice.month} is there already", hint=hint)
    _keep(home, invoice.provider, invoice.month, [*before, invoice])


def remove(home: OpenHome, provider: str, month: str) -> int:
    """Forget those of a month; how many. Raises UsageError where there is none."""
    gone = len(list_of(home, provider=provider, month=month))
    if not gone:
        raise UsageError(f"there is no invoice of {provider[:40]} for {month}", hint="`invoice list` has them all")
    _keep(home, provider, month, [])
    return gone


def _keep(home: OpenHome, provider: str, month: str, invoices: list[Invoice]) -> None:
    rows = [dict(zip(each._fields[2:], each[2:])) for each in invoices]
    note = f"invoices of {provider} for {month}: {len(rows)}"
    home.keep(TASK, {f"{provider} {month}": rows or None}, note=note)


def show(found: list[Invoice], *, as_json: bool) -> None:
    """All of them, a row each."""
    if as_json:
        print(json.dumps([as_facts(each) for each in found], indent=2))
        return
    if not found:
        print("no invoice was typed in: invoice add PROVIDER MONTH AMOUNT")
        return
    header = ("provider", "month", "amount", "", "tax", "credits", "added", "file", "sha256")
    rows = [
        (
            each.provider, each.month, exact(each.nano), each.currency, exact(each.tax), exact(each.credits),
            each.added_on, each.file, each.sha256[:16],
        )
        for each in found
    ]  # fmt: skip
    print(table(header, rows, right={2, 4, 5}))


def as_facts(each: Invoice) -> dict[str, Optional[Any]]:
    """An invoice as JSON; amounts as exact decimals."""
    return {
        "provider": each.provider, "month": each.month, "amount": decimal_text(each.nano), "currency": each.currency,
        "tax": decimal_text(each.tax), "credits": decimal_text(each.credits), "file": each.file or None,
        "sha256": each.sha256 or None, "added_on": each.added_on,
    }  # fmt: skip
