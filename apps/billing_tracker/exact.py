"""Amounts as they are typed in and told: whole numbers of 10^-9 of a currency, never a float. Months. Pure."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal

from agent_os import UsageError

from .budgets import CURRENCIES

UNIT = 10**9


def nano_of(what: str, text: str) -> int:
    """An amount that was typed in. Raises UsageError for what is none, or is finer than amounts are kept."""
    if not re.fullmatch("-?[0-9]{1,9}(\\.[0-9]{1,9})?", text):
        raise UsageError(f"{what} is {text[:40]!r}, which is no amount", hint="write it as 41.27, without a currency")
    return int(Decimal(text).scaleb(9))


def exact(nano: int, *, signed: bool = False) -> str:
    """All of an amount, with two decimals at least: "12.50", "0.0123005"."""
    whole, rest = divmod(abs(nano), UNIT)
    fraction = f"{rest:09d}".rstrip("0").ljust(2, "0")
    return f"{'-' if nano < 0 else '+' if signed else ''}{whole:,}.{fraction}"


def month_of(text: str) -> tuple[str, str]:
    """The first day of a month, and of the next. Raises UsageError for what is no month."""
    try:
        first = date.fromisoformat(f"{text}-01")
    except ValueError as error:
        raise UsageError(f"{text[:40]!r} is no month", hint="write it as 2026-10") from error
    if len(text) != 7:
        raise UsageError(f"{text[:40]!r} is no month", hint="write it as 2026-10")
    return first.isoformat(), (first + timedelta(days=31)).replace(day=1).isoformat()


def currency_of(text: str) -> str:
    """A currency that was typed in. Raises UsageError for what is none."""
    if text.upper() not in CURRENCIES:
        raise UsageError(f"{text[:40]!r} is no currency", hint="give its three letters, as USD")
    return text.upper()
