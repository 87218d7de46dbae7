"""Budgets as they are declared: ALERT_THRESHOLD, and the sections [budget:NAME] of agent_os.ini. Pure.

A budget is about one currency and one basis. Whatever cannot be meant is said at once, of all budgets.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple, Optional

from agent_os import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    Sections = Mapping[str, Mapping[str, str]]

THRESHOLD = "ALERT_THRESHOLD"
UNIT = 10**9
PERIODS = ("month", "week", "day", "year")
KINDS = ("actual", "forecast")
BASES = ("reported", "estimated")
LEVELS = (50, 80, 100)
MOST_PERCENT = 1000
LARGEST = 10**9  # units of a currency
OPTIONS = ("amount", "period", "levels", "kind", "basis", "provider", "project", "model", "channels")
LONGEST_NAME = 64
# ISO 4217: what money is in.
_CODES = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF
CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD
HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD
MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN
PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY
TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
"""
CURRENCIES = frozenset(_CODES.split())


class Budget(NamedTuple):
    """What may be spent in a period. `nano`: 10^-9 of `currency`. An empty scope means all; no channels: all set."""

    name: str
    nano: int
    currency: str
    period: str = "month"
    levels: tuple[int, ...] = LEVELS
    kinds: tuple[str, ...] = ("actual",)
    basis: str = "reported"  # then imported money counts where a day has none that is reported
    provider: str = ""
    project: str = ""
    model: str = ""
    channels: tuple[str, ...] = ()

    @property
    def scope(self) -> str:
        """What it is about, in words."""
        told = [f"{word} {value}" for word in ("provider", "project", "model") if (value := getattr(self, word))]
        return ", ".join(told) or "everything"

    def reached(self, nano: int) -> tuple[int, ...]:
        """The levels that an amount has reached."""
        return tuple(level for level in self.levels if nano * 100 >= self.nano * level)

    def percent(self, nano: int) -> int:
        """How much of it an amount is, whole percents, rounded down."""
        return nano * 100 // self.nano


def budgets_of(threshold: str, sections: Sections, *, channels: Collection[str]) -> list[Budget]:
    """All budgets. `channels` are those that are set up. Raises one ConfigError that says all that is wrong."""
    faults: list[str] = []
    found = []
    if threshold:
        amount = amount_of(threshold, faults.append, what=THRESHOLD)
        if amount:
            found.append(Budget(THRESHOLD, *amount, levels=(100,)))
    for name, options in sections.items():
        budget = _budget(name, options, channels, faults)
        found += [budget] if budget else []
    refuse(faults, "budgets")
    return found


def refuse(faults: Collection[str], what: str, *, done: str = "sent") -> None:
    """Raise one ConfigError that says them all, where there are any."""
    if not faults:
        return
    listed = list(faults)
    told = listed[0] if len(listed) == 1 else "; ".join(f"{number}. {each}" for number, each in enumerate(listed, 1))
    count = "a fault" if len(listed) == 1 else f"{len(listed)} faults"
    raise ConfigError(f"{count} in the {what}: {told}", hint=f"correct the settings; nothing was {done}")


def amount_of(text: str, fault: Callable[[str], None], *, what: str) -> Optional[tuple[int, str]]:
    """(nano, currency) of "50.00 USD", "$50" or "50" (USD); None, and a fault, for what is no amount of money."""
    number, _, code = text.strip().partition(" ")
    if number.startswith("$"):
        number, code = number[1:], code or "USD"
    code = (code.strip() or "USD").upper()
    if code not in CURRENCIES:
        fault(f"{what} is in {code[:20]!r}, which is no currency{meant(code, CURRENCIES)}")
        return None
    nano = _nano(number)
    if nano is None or nano <= 0:
        fault(f"{what} is {text[:40]!r}; give an amount of more than nothing, as 50.00 USD")
        return None
    return nano, code


def _nano(text: str) -> Optional[int]:
    if not (text.isascii() and text.replace(".", "", 1).isdigit()) or len(text) > 24:
        return None
    try:
        scaled = Decimal(text) * UNIT
    except InvalidOperation:
        return None
    return int(scaled) if scaled == int(scaled) and scaled <= LARGEST * UNIT else None


def meant(word: str, known: Collection[str]) -> str:
    """The nearest right name, as the end of a sentence; else nothing."""
    close = get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def _budget(name: str, options: Mapping[str, str], channels: Collection[str], faults: list[str]) -> Optional[Budget]:
    """One section; None, and what is wrong with it."""
    before = len(faults)
    where = f"[budget:{name[:LONGEST_NAME]}]"

    def fault(what: str) -> None:
        faults.append(f"{where} {what}")

    if name == THRESHOLD:
        fault("is the name of the one in .env; choose another")
    elif not is_name(name):
        fault("has a name that cannot be used: letters, digits, _, - and . (a letter first)")
    for option in options:
        if option not in OPTIONS:
            fault(f"{option[:40]} is no option{meant(option, OPTIONS)}")
    text = options.get("amount", "").strip()
    amount = amount_of(text, lambda what: faults.append(f"{where} {what}"), what="amount") if text else None
    if not text:
        fault("has no amount; write amount = 50.00 USD")
    period = _choice(options, "period", PERIODS, fault)
    basis = _choice(options, "basis", BASES, fault)
    kinds = tuple(_word("kind", word, KINDS, fault) for word in words(options.get("kind", "actual")))
    if "forecast" in kinds and period == "day":
        fault("kind is forecast, and a day has none; take a longer period")
    wanted = tuple(_word("channels", word, channels, fault) for word in words(options.get("channels", "")))
    levels = _levels(options.get("levels", ""), fault)
    if len(faults) > before or amount is None:
        return None
    provider, project, model = (options.get(word, "").strip() for word in ("provider", "project", "model"))
    nano, code = amount
    return Budget(name, nano, code, period, levels, kinds, basis, provider, project, model, wanted)


def is_name(name: str) -> bool:
    """Whether it may name a budget or a limit."""
    is_plain = name.isascii() and name[:1].isalpha() and len(name) <= LONGEST_NAME
    return is_plain and all(letter.isalnum() or letter in "_-." for letter in name)


def words(text: str) -> list[str]:
    """The words between commas or line ends, each once."""
    return list(dict.fromkeys(word.strip() for word in text.replace("\n", ",").split(",") if word.strip()))


def _choice(options: Mapping[str, str], option: str, known: tuple[str, ...], fault: Callable[[str], None]) -> str:
    return _word(option, options.get(option, "").strip() or known[0], known, fault)


def _word(option: str, word: str, known: Collection[str], fault: Callable[[str], None]) -> str:
    if word not in known:
        listed = f"it is one of {', '.join(known)}" if known else "none is set up"
        fault(f"{option} is {word[:40]!r}{meant(word, known) or f'; {listed}'}")
    return word


def _levels(text: str, fault: Callable[[str], None]) -> tuple[int, ...]:
    """Percents, ascending."""
    found = set()
    for word in words(text):
        digits = word.rstrip("%").strip()
        if digits.isascii() and digits.isdigit() and len(digits) <= 4 and 1 <= int(digits) <= MOST_PERCENT:
            found.add(int(digits))
        else:
            fault(f"levels has {word[:40]!r}; give whole percents from 1 to {MOST_PERCENT}")
    return tuple(sorted(found)) or LEVELS
