"""What a person or a spreadsheet writes in a cell, as exact values: days, money, counts, text. Pure; no float anywhere.

Some cells can be read in two ways (03/04/2026; 1.234). Both readings are given, and whoever has seen the whole column
chooses. What cannot be meant raises ValueError with a sentence that names it.
"""

from __future__ import annotations

import re

from . import money
from .days import ordinal, parse_day
from .model import LONGEST_TEXT
from .text import safe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

    Days = tuple[Optional[str], Optional[str]]  # the day by dd/mm/yyyy, and by mm/dd/yyyy
    Nanos = tuple[Optional[int], Optional[int]]  # the money by decimal point, and by decimal comma

MOST = 2**63 - 1
_BLANKS = " \t\u00a0\u2007\u202f"
# What a sign may stand for. Alone a dollar is the first; of any other sign that two currencies have nobody can tell.
SIGNS = {
    "$": ("USD", "AUD", "CAD", "HKD", "MXN", "NZD", "SGD"), "US$": ("USD",), "A$": ("AUD",), "C$": ("CAD",),
    "CA$": ("CAD",), "€": ("EUR",), "£": ("GBP",), "¥": ("JPY", "CNY"), "₹": ("INR",), "₩": ("KRW",), "zł": ("PLN",),
    "R$": ("BRL",), "Fr.": ("CHF",),
}  # fmt: skip
CODES = (
    "USD", "EUR", "GBP", "AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "HKD", "HUF", "ILS", "INR", "JPY", "KRW",
    "MXN", "NOK", "NZD", "PLN", "SEK", "SGD", "TRY", "TWD", "ZAR",
)  # fmt: skip
_ISO = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})[T ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(:[0-9]{2}(\.[0-9]+)?)?"
    r" ?(?P<zone>Z|z|UTC|(?P<sign>[+-])(?P<ahead>[0-9]{2}):?(?P<more>[0-9]{2}))?"
)
_NUMERIC = re.compile(r"(?P<a>[0-9]{1,2})(?P<mark>[/.-])(?P<b>[0-9]{1,2})(?P=mark)(?P<year>[0-9]{4})")
_MONTH = re.compile(r"[0-9]{4}[-/][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{4}")
_PLAIN = re.compile(r"-?(?P<whole>[0-9]+)(\.(?P<fraction>[0-9]+))?(?P<power>[eE][+-]?[0-9]{1,4})?")
_CORE = re.compile(r"[.,]?[0-9](?:[0-9.,'\u2019 \u00a0\u2007\u202f]*[0-9])?")
_GROUPS = re.compile(r"[0-9]{1,3}(?:(?P<mark>[.,'\u2019 \u00a0\u2007\u202f])[0-9]{3})(?:(?P=mark)[0-9]{3})*")
_WHOLE = re.compile(r"[0-9]+(\.0{1,2})?")


def day(text: str) -> Days:
    """The UTC day of a cell, in both readings: equal where there is but one way to read it, None where there is none.

    Takes 2026-11-21, 20261121, 2026/11/21, an instant with or without its zone (without: UTC), Unix seconds or
    milliseconds, and days with the year at the end: 21.11.2026 (day first), 21/11/2026, 11/21/2026.
    """
    found = text.strip()
    numeric = _NUMERIC.fullmatch(found)
    if numeric:
        a, b, year = numeric["a"].zfill(2), numeric["b"].zfill(2), numeric["year"]
        first, second = _checked(f"{year}-{b}-{a}"), _checked(f"{year}-{a}-{b}")
        both = (first, None) if numeric["mark"] == "." else (first, second)
        if both == (None, None):
            raise ValueError(f"{_named(text)} is not a day of any calendar")
        return both
    one = _checked(found) or _of_instant(found) or _of_number(found) or _checked(found.replace("/", "-"))
    if one is None:
        if _MONTH.fullmatch(found):
            raise ValueError(f"{_named(text)} is a month, not a day: write the day that its bill is of")
        raise ValueError(f"{_named(text)} is not a day (as 2026-11-21 is)")
    return one, one


def _checked(text: str) -> Optional[str]:
    try:
        return parse_day(text)
    except ValueError:
        return None


def _of_instant(text: str) -> Optional[str]:
    """The UTC day of an ISO 8601 instant, None for what is none."""
    from .days import day_of

    instant = _ISO.fullmatch(text)
    local = _checked(instant["day"]) if instant else None
    if not instant or local is None or int(instant["hour"]) > 24 or int(instant["minute"]) > 59:
        return None
    minutes = 60 * int(instant["hour"]) + int(instant["minute"])
    if instant["sign"]:
        ahead = 60 * int(instant["ahead"]) + int(instant["more"])
        minutes -= ahead if instant["sign"] == "+" else -ahead
    number = ordinal(local) + minutes // 1440
    return day_of(number) if 0 < number <= ordinal("9999-12-31") else None


def _of_number(text: str) -> Optional[str]:
    """The day of 20261121, of Unix seconds or milliseconds; None for other numbers."""
    from .days import day_of_unix

    digits = text.removesuffix(".0")
    if not (digits.isascii() and digits.isdigit()):
        return None
    if len(digits) == 8:
        return _checked(f"{digits[:4]}-{digits[4:6]}-{digits[6:]}")
    if len(digits) not in (10, 13):
        return None
    seconds = int(digits) // (1000 if len(digits) == 13 else 1)
    return day_of_unix(seconds - seconds % 86_400)


def has_no_zone(text: str) -> bool:
    """Whether a cell tells a time without telling where."""
    instant = _ISO.fullmatch(text.strip())
    return instant is not None and not instant["zone"]


def amount(text: str, *, shift: int = 0) -> tuple[Nanos, str]:
    """The money of a cell, times 10**`shift`, in both readings, and the currency sign or code in it ('': none).

    Takes what `money.nano` takes; besides signs and codes of currencies, thousands set apart, a decimal comma, and
    brackets or a minus at the end for less than nothing.
    """
    plain = _PLAIN.fullmatch(text)
    if plain and not _may_be_groups(plain["whole"], plain["fraction"] or "", plain["power"]):
        nano = money.nano(text, shift=shift)
        return ((nano, None) if plain["fraction"] else (nano, nano)), ""
    body = text.strip(_BLANKS).replace("\u2212", "-")
    is_negative = body.startswith("(") and body.endswith(")")
    if is_negative:
        body = body[1:-1].strip(_BLANKS)
    core = _CORE.search(body)
    if not core:
        raise ValueError(f"{_named(text)} is not an amount (as 12.50 is)")
    around = f"{body[: core.start()]} {body[core.end() :]}"
    if around.count("-") + around.count("+") + is_negative > 1:
        raise ValueError(f"{_named(text)} has two signs")
    sign = "-" if is_negative or "-" in around else ""
    mark = _currency(around.replace("-", " ").replace("+", " "), text)
    point, comma = _readings(core[0])
    if point is None and comma is None:
        raise ValueError(f"{_named(text)} is not an amount (as 12.50 is)")
    nanos = [None if each is None else money.nano(sign + each, shift=shift) for each in (point, comma)]
    return (nanos[0], nanos[1]), mark


def _currency(around: str, text: str) -> str:
    """The sign or code that stands around a number: a code says more than a sign."""
    words = around.split()
    codes = [word.upper() for word in words if word.upper() in CODES]
    signs = [word for word in words if word in SIGNS]
    if len(codes) + len(signs) < len(words) or len(codes) > 1 or len(signs) > 1:
        raise ValueError(f"{_named(text)} is not an amount (as 12.50 is)")
    if codes and signs and codes[0] not in SIGNS[signs[0]]:
        raise ValueError(f"{_named(text)} names two currencies")
    return (codes or signs or [""])[0]


def currency(mark: str, code: str) -> str:
    """The code that a cell means by `mark` where `code` was said of its column; '' stands for nothing, in and out."""
    if not mark:
        return code
    meant = SIGNS.get(mark, (mark,))
    if code and code not in meant:
        raise ValueError(f"the cell says {mark} where {code} was said")
    if not code and len(meant) > 1 and meant[0] != "USD":
        raise ValueError(f"{mark} may be {' or '.join(meant)}: say which with --currency")
    return code or meant[0]


def _may_be_groups(whole: str, rest: str, power: Optional[str] = None) -> bool:
    """Whether a mark between these two parts may set thousands apart."""
    return len(rest) == 3 and 0 < len(whole) <= 3 and whole[0] != "0" and not power


def _readings(core: str) -> tuple[Optional[str], Optional[str]]:
    """A number as decimal literals: with a decimal point, with a decimal comma; None where it cannot be read so."""
    spaced = any(mark in core for mark in "'\u2019" + _BLANKS)
    cut = max(core.rfind("."), core.rfind(","))
    if cut < 0:
        whole = _ungrouped(core)
        return whole, whole
    head, mark, tail = core[:cut], core[cut], core[cut + 1 :]
    whole, grouped = _ungrouped(head or "0"), _ungrouped(core)
    decimal = f"{whole}.{tail}" if whole is not None and mark not in head and tail.isdigit() else None
    # one mark, three digits behind it: it may set thousands apart as well, unless blanks do that already
    groups = grouped if not spaced and (mark in head or _may_be_groups(head, tail)) else None
    return (decimal, groups) if mark == "." else (groups, decimal)


def _ungrouped(digits: str) -> Optional[str]:
    """The digits without the marks that set thousands apart; None where these stand wrong."""
    if digits.isascii() and digits.isdigit():
        return digits
    return re.sub(r"[^0-9]", "", digits) if _GROUPS.fullmatch(digits) else None


def count(text: str) -> int:
    """A whole number, not negative: 1500, 1500.0, 1,500, 1 500. Not 1.500, which may be one and a half."""
    if len(text) < 19 and text.isascii() and text.isdigit():
        return int(text)
    found = text.strip(_BLANKS)
    whole = found.partition(".")[0] if _WHOLE.fullmatch(found) else None
    if whole is None and not re.fullmatch(r"[0-9]{1,3}\.[0-9]{3}", found):
        whole = _ungrouped(found)
    if whole is None or not whole:
        why = " (a spreadsheet has rounded it)" if re.fullmatch(r"[0-9.,]+[eE]\+?[0-9]+", found) else ""
        raise ValueError(f"{_named(text)} is not a whole number{why}")
    if len(whole) > 19 or int(whole) > MOST:
        raise ValueError(f"{_named(text)} is too large for a count")
    return int(whole)


def words(text: str) -> str:
    """A name or description in one line; what could steer a terminal is refused. A formula stays text."""
    found = " ".join(text.split())
    if len(found) > LONGEST_TEXT:
        raise ValueError(f"a text of {len(found)} characters is too long; {LONGEST_TEXT} is the most")
    if safe(found) != found:
        raise ValueError(f"{_named(text)} holds a control character")
    return found


def _named(text: str) -> str:
    """A cell as a message shows it: escaped, short."""
    shown = safe(text if len(text) <= 40 else text[:40] + "...")
    return f"'{shown}'"
