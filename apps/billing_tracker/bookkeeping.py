"""A statement as plain-text accounting: beancount and hledger prove its total by themselves. Pure: text out, text in.

A day of a provider's project is a transaction, from what is owed for the month to the project's expense. What is owed
for a month has an account of its own, so its balance is that month's total alone, whatever else is in a ledger, and
the assertion holds it to the last digit.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from agent_os import decimal_text

from .period import month_after

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .statement_facts import Facts

NO_PROJECT = "No-Project"
_POSTINGS = ("  Expenses:", "  Liabilities:", "    Expenses:", "    Liabilities:")
_BEANCOUNT = re.compile(r"  (Expenses|Liabilities)(:\S+)  (-?[0-9.]+) ([A-Z]{3})\n")
_BEANCOUNT_BALANCE = re.compile(r"[0-9-]{10} balance Liabilities(:\S+)  (-?[0-9.]+) ~ 0 ([A-Z]{3})\n")
_HLEDGER = re.compile(r"    (Expenses|Liabilities)(:\S+)  ([A-Z]{3}) (-?[0-9.]+)\n")
_HLEDGER_BALANCE = re.compile(r"    Liabilities(:\S+)  ([A-Z]{3}) 0 = [A-Z]{3} (-?[0-9.]+)\n")


class Entry(NamedTuple):
    """What one project of a provider came to on one day, in one currency and of one basis.

    `row_sha` is the SHA-256 of its rows in lines.csv, as they stand there; `runs` brought them.
    """

    date: str
    provider: str
    project: str
    currency: str
    basis: str
    nano: int
    row_sha: str
    runs: tuple[str, ...]
    lines: int


def account_part(name: str) -> str:
    """A name as part of an account, as both programs take it: a capital or digit first, then letters, digits, dashes.

    Where that is not the name itself, eight digits of its SHA-256 keep it apart from every other.
    """
    part = re.sub("[^A-Za-z0-9]+", "-", name).strip("-")[:40]
    part = part[:1].upper() + part[1:]
    if part.lower() == name and part.lower()[:1] == name[:1]:
        return part
    return f"{part or 'X'}-{sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def of_provider(provider: str, basis: str) -> str:
    """The middle of its accounts: money of two bases may be the same money twice, so it never meets."""
    return f":AI:{account_part(provider)}:{account_part(basis)}"


@lru_cache(maxsize=4096)
def expense(provider: str, basis: str, project: str) -> str:
    """What a project has cost."""
    return f"Expenses{of_provider(provider, basis)}:{account_part(project) if project else NO_PROJECT}"


@lru_cache(maxsize=4096)
def payable(provider: str, basis: str, month: str) -> str:
    """What is owed for a month."""
    return f"Liabilities{of_provider(provider, basis)}:{month}"


def accounts(facts: Facts) -> list[str]:
    """Every account of the statement."""
    found = set()
    for each in facts.filed_sums():
        month, provider, project = each.by
        found.add(expense(provider, each.basis, project))
        found.add(payable(provider, each.basis, month))
    return sorted(found)


def balances(facts: Facts) -> dict[tuple[str, str], int]:
    """(account, currency) -> what is owed, of every month, in 10^-9 units; less than nothing, as a debt is."""
    found: dict[tuple[str, str], int] = {}
    for each in facts.filed_sums():
        month, provider, _ = each.by
        key = (payable(provider, each.basis, month), each.currency)
        found[key] = found.get(key, 0) - (each.nano or 0)
    return dict(sorted(found.items()))


def head(facts: Facts, program: str) -> str:
    """What both files begin with."""
    told = [
        f"AI costs {facts.period.name}, as of {facts.as_of}; Agent OS {facts.version}; chain head {facts.head}",
        f"Check it with: {program}",
        "What is owed for a month stands in an account of its own; book what you pay from there.",
    ]
    if facts.stamp:
        told.insert(0, facts.stamp)
    return "".join(f"; {line}\n" for line in told)


def beancount_opening(facts: Facts) -> str:
    """The head of the beancount file: every account is opened, so joining two files takes one `open` of each."""
    title = f'option "title" "AI costs {facts.period.name}"\n'
    codes = sorted({currency for _, currency, _ in facts.totals})
    opened = [f"{facts.period.since} commodity {code}\n" for code in codes]
    opened += [f"{facts.period.since} open {account}\n" for account in accounts(facts)]
    return f"{head(facts, 'bean-check beancount.beancount')}{title}\n{''.join(opened)}"


def texts_of(entry: Entry) -> tuple[str, str]:
    """A transaction for either program, with what it is made of as metadata."""
    amount, debt, currency = decimal_text(entry.nano), decimal_text(-entry.nano), entry.currency
    cost, owed = (
        expense(entry.provider, entry.basis, entry.project),
        payable(entry.provider, entry.basis, entry.date[:7]),
    )
    runs = " ".join(entry.runs)
    beancount = (
        f"\n{entry.date} * {_quoted(entry.provider)} {_quoted(entry.project)}\n"
        f'  row-sha: "{entry.row_sha}"\n  run: "{runs}"\n  lines: {entry.lines}\n'
        f"  {cost}  {amount} {currency}\n  {owed}  {debt} {currency}\n"
    )
    hledger = (
        f"\n{entry.date} * {_described(entry.provider, entry.project)}\n"
        f"    ; row-sha:{entry.row_sha}, lines:{entry.lines}\n    ; run:{runs}\n"
        f"    {cost}  {currency} {amount}\n    {owed}  {currency} {debt}\n"
    )
    return beancount, hledger


def beancount_closing(facts: Facts) -> str:
    """The assertions: exact by `~ 0`, else beancount takes what the digits leave open. Each is for a morning."""
    lines = [
        f"{month_after(account[-7:])} balance {account}  {decimal_text(nano)} ~ 0 {currency}\n"
        for (account, currency), nano in balances(facts).items()
    ]
    return "\n" + "".join(lines)


def hledger_opening(facts: Facts) -> str:
    """The head of the journal; the nine decimals of a commodity are what hledger balances to."""
    codes = sorted({currency for _, currency, _ in facts.totals})
    declared = "".join(f"commodity {code} 1000.000000000\n" for code in codes)
    declared += "".join(f"account {account}\n" for account in accounts(facts))
    return f"{head(facts, 'hledger -f hledger.journal check')}\ndecimal-mark .\n{declared}"


def hledger_closing(facts: Facts) -> str:
    """The assertions, which hledger takes to the last digit."""
    parts = []
    for (account, currency), nano in balances(facts).items():
        day = month_after(account[-7:])
        parts.append(f"\n{day} * what is owed\n    {account}  {currency} 0 = {currency} {decimal_text(nano)}\n")
    return "".join(parts)


def sums_of(lines: Iterable[str]) -> list[dict[tuple[str, str], int]]:
    """What a file of either kind comes to, read back: its expenses, its debts, its assertions, by (accounts, currency).

    `accounts` is the middle that expenses and debts of a provider share, as `of_provider` has it.
    """
    expenses: dict[tuple[str, str], int] = {}
    debts: dict[tuple[str, str], int] = {}
    asserted: dict[tuple[str, str], int] = {}
    for kind, account, amount, currency in _amounts(lines):
        found = {"Expenses": expenses, "Liabilities": debts}.get(kind, asserted)
        key = (account.rpartition(":")[0], currency)
        found[key] = found.get(key, 0) + int(Decimal(amount).scaleb(9))
    return [expenses, debts, asserted]


def _amounts(lines: Iterable[str]) -> Iterator[tuple[str, str, str, str]]:
    """(kind, account, amount, currency) of every posting and assertion."""
    for line in lines:
        if line.startswith(_POSTINGS):
            found = _BEANCOUNT.fullmatch(line)
            if found:
                yield found[1], found[2], found[3], found[4]
                continue
            found = _HLEDGER.fullmatch(line)
            if found:
                yield found[1], found[2], found[4], found[3]
                continue
        if " balance " in line or " = " in line:
            found = _BEANCOUNT_BALANCE.fullmatch(line)
            if found:
                yield "balance", found[1], found[2], found[3]
                continue
            found = _HLEDGER_BALANCE.fullmatch(line)
            if found:
                yield "balance", found[1], found[3], found[2]


@lru_cache(maxsize=4096)
def _quoted(text: str) -> str:
    """A string of beancount's: in one line, without what would end it."""
    return '"' + _plain(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


@lru_cache(maxsize=4096)
def _described(provider: str, project: str) -> str:
    """A description of hledger's, in which ; and | would mean something."""
    return _plain(re.sub(r"[;|\s]+", " ", f"{provider} {project}").strip())


def _plain(text: str) -> str:
    """Text in one line; what is not printable is escaped."""
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in text)
