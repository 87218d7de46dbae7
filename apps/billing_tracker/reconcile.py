"""`reconcile MONTH`: tokens at list prices, what was reported and what was invoiced, side by side."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from agent_os import UsageError, decimal_text

from .exact import month_of, nano_of
from .invoices import as_facts, list_of
from .matching import Account, lines_of

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator
    from typing import Optional

    from agent_os import OpenHome

FAILED = 1
_ORDER = ("reported", "imported")  # what is billed; of a provider that has both, only the first


def add_arguments(parser: ArgumentParser) -> None:
    """MONTH, --provider, --tolerance."""
    parser.add_argument("month", metavar="MONTH", help="as 2026-10")
    parser.add_argument("--provider", metavar="NAME", default="", help="only this provider")
    parser.add_argument(
        "--tolerance", metavar="AMOUNT", default="0.01", help="that may stay unexplained (default: 0.01)"
    )


def execute(home: OpenHome, args: Namespace) -> int:
    """Print each gap with its names; 1 where more stays unexplained than is tolerated."""
    since, until = month_of(args.month)
    tolerance = nano_of("--tolerance", args.tolerance)
    if tolerance < 0:
        raise UsageError("--tolerance is less than 0", hint="give what may stay unexplained, as 0.01")
    accounts = accounts_of(home, args.month, since=since, until=until, provider=args.provider)
    if not accounts:
        hint = "`results` has what is stored; estimates alone are nobody's bill"
        raise UsageError(f"nothing is reported, imported or invoiced for {args.month}", hint=hint)
    if args.json:
        print(json.dumps([as_json(each, tolerance) for each in accounts], indent=2))
    for number, each in enumerate(() if args.json else accounts):
        if number:
            print()
        for line in lines_of(each, tolerance):
            print(line)
    return 0 if all(abs(gap.unexplained) <= tolerance for each in accounts for gap in each.gaps()) else FAILED


def accounts_of(home: OpenHome, month: str, *, since: str, until: str, provider: str) -> list[Account]:
    """A month of every provider that has billed or been paid something, apart by currency."""
    span = {"since": since, "until": until, "provider": provider}
    basis = basis_of(home, span)
    found: dict[tuple[str, str], Account] = {}

    def account(name: str, currency: str) -> Account:
        return found.setdefault((name, currency), Account(name, month, currency, basis.get(name, "reported")))

    for line in home.lines(**span):
        if line.kind == "cost" and line.basis == basis.get(line.provider):
            account(line.provider, line.currency).charge(line)
    for invoice in list_of(home, provider=provider, month=month):
        account(invoice.provider, invoice.currency).invoices.append(invoice)
    for name in basis:
        if not any(key[0] == name for key in found):
            account(name, "USD")
    for estimate in home.estimates(**span):
        for (name, _), each in found.items():
            if name == estimate.line.provider and estimate.line.basis == basis.get(name):
                each.use(estimate)
    _tell_days(home, found, span)
    return [found[key] for key in sorted(found)]


def basis_of(home: OpenHome, span: dict[str, Any]) -> dict[str, str]:
    """Provider -> the best basis that it has money or usage of; without those that are only estimated."""
    found: dict[str, str] = {}
    for each in home.sums("provider", **span):
        name = each.by[0]
        if each.basis in _ORDER and found.get(name) != _ORDER[0]:
            found[name] = each.basis
    return found


def _tell_days(home: OpenHome, found: dict[tuple[str, str], Account], span: dict[str, Any]) -> None:
    """Which days of the month each provider lacks, and which are not for good."""
    status: dict[str, dict[str, str]] = {}
    for result in home.results(**span):
        status.setdefault(result.provider, {})[result.date] = result.day_status
    for (name, _), each in found.items():
        known = status.get(name, {})
        each.missing = [day for day in days_of(span["since"], min(span["until"], home.today)) if day not in known]
        each.provisional = sorted(day for day in known if known[day] == "provisional")
        each.open_day = max((day for day in known if known[day] == "open"), default="")


def days_of(since: str, until: str) -> Iterator[str]:
    """Each day of [since, until)."""
    day = date.fromisoformat(since)
    while day.isoformat() < until:
        yield day.isoformat()
        day += timedelta(days=1)


def as_json(account: Account, tolerance: int) -> dict[str, Any]:
    """An account; amounts as exact decimals, null where there is none or nobody knows."""
    return {
        "provider": account.provider, "month": account.month, "currency": account.currency, "basis": account.basis,
        "token_priced": decimal_text(account.priced) if account.has_usage else None,
        "reported": decimal_text(account.reported) if account.has_costs else None,
        "invoiced": _exact(account.invoiced),
        "invoices": [as_facts(each) for each in account.invoices],
        "gaps": [
            {
                "of": gap.of, "amount": decimal_text(gap.nano),
                "named": [
                    {"name": item.name, "amount": _exact(item.nano), "what": item.what}
                    for item in gap.items
                ],
                "unexplained": decimal_text(gap.unexplained), "is_within": abs(gap.unexplained) <= tolerance,
            }
            for gap in account.gaps()
        ],
    }  # fmt: skip


def _exact(nano: Optional[int]) -> Optional[str]:
    return None if nano is None else decimal_text(nano)
