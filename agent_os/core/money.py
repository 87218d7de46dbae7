"""Money as exact integers of 10^-9 of the currency unit, and back to text. No float passes through here.

A currency stands beside every amount; nothing here adds, so nothing here can add two of them.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from decimal import Decimal
    from typing import Optional, Union

UNIT = 10**9
_CENT = UNIT // 100
_LARGEST = 2**63 - 1
_MOST_DIGITS = 40
_MOST_ADJUSTED = 12
# Longer than any literal within the limits needs to be, and short enough that int() of its parts costs nothing.
_LONGEST_TEXT = 100


def nano(value: Union[Decimal, int, str], *, shift: int = 0) -> int:
    """`value` times 10**shift in units of 10^-9, exact, else rounded half-even once; cents come with `shift=-2`.

    Takes an int, a Decimal or text of the form `-?digits[.digits][e[+-]digits]` in ASCII. ValueError, with a sentence
    that names the value, for anything else (bool, float, NaN, "12,50"), for more than 40 significant digits, for 10^13
    or more before the shift, and for what a signed 64-bit integer of 10^-9 cannot hold. A zero is 0 with any exponent.
    """
    scanned = _scanned(_literal(value))
    if scanned is None:
        raise ValueError(f"{_named(value)} is not an amount (as 12.50 is)")
    negative, digits, exponent = scanned
    if digits == 0:
        return 0
    count = len(str(digits))
    if count > _MOST_DIGITS:
        raise ValueError(f"{_named(value)} has {count} significant digits; an amount has at most {_MOST_DIGITS}")
    if exponent + count - 1 > _MOST_ADJUSTED:
        raise ValueError(f"{_named(value)} is too large for an amount")
    units = _scaled(digits, exponent + shift + 9)
    if units > _LARGEST:
        raise ValueError(f"{_named(value)} is too large for an amount")
    return -units if negative else units


def decimal_text(nano: int) -> str:
    """The shortest exact decimal with at least two decimals: "12.50", "0.0123005", "-0.06"."""
    whole, rest = divmod(abs(nano), UNIT)
    fraction = f"{rest:09d}".rstrip("0").ljust(2, "0")
    return f"{'-' if nano < 0 else ''}{whole}.{fraction}"


def shown(nano: int) -> str:
    """For people: "1,234.56", rounded half-even to cents; below a cent two significant digits ("0.0042").

    So an amount that is not zero is never shown as 0.00.
    """
    amount = abs(nano)
    step = _CENT if amount >= _CENT else 10 ** max(len(str(amount)) - 2, 0)
    rounded = half_even(amount, step) * step
    whole, fraction = decimal_text(rounded).split(".")
    return f"{'-' if nano < 0 else ''}{int(whole):,}.{fraction}"


def at_least(nano: Optional[int], unpriced: int) -> str:
    """An estimate for people: "12.50"; "≥ 12.50" where some tokens have no price; "unpriced" where none has one."""
    if unpriced and not nano:
        return "unpriced"
    if nano is None:
        return "unknown"
    return f"≥ {shown(nano)}" if unpriced else shown(nano)


def currency(code: object) -> str:
    """`code` in upper case where it has the shape of an ISO 4217 code (three ASCII letters), else ValueError."""
    if isinstance(code, str) and len(code) == 3 and code.isascii() and code.isalpha():
        return code.upper()
    raise ValueError(f"{_named(code)} is not a currency code of three letters")


def half_even(amount: int, step: int) -> int:
    """How many whole steps, half a step going to the even number."""
    count, rest = divmod(amount, step)
    return count + (2 * rest > step or (2 * rest == step and count % 2 == 1))


def _literal(value: object) -> str:
    """The value as decimal text, "" where it has none. Never by int(): of Decimal("1e1000000") that takes minutes."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        if value.bit_length() > 64:  # and never str() of a huge integer
            raise ValueError(f"an integer of {value.bit_length()} bits is too large for an amount")
        return int.__repr__(value)
    from decimal import Decimal

    return str(value) if isinstance(value, Decimal) else ""


def _scanned(text: str) -> Optional[tuple[bool, int, int]]:
    """(is negative, digits, exponent) where the text is one of ours: the value is digits * 10**exponent."""
    if len(text) > _LONGEST_TEXT or not text.isascii():
        return None
    negative = text.startswith("-")
    mantissa, mark, power = text[negative:].replace("E", "e").partition("e")
    whole, point, fraction = mantissa.partition(".")
    power_digits = power[1:] if power[:1] in ("+", "-") else power
    for part, is_there in ((whole, "always"), (fraction, point), (power_digits, mark)):
        if is_there and not part.isdigit():
            return None
    return negative, int(whole + fraction), int(power or "0") - len(fraction)


def _scaled(digits: int, power: int) -> int:
    """The integer nearest to digits * 10**power, half to even. The caller has bounded `power` above."""
    if power >= 0:
        factor: int = 10**power
        return digits * factor
    if -power > _MOST_DIGITS + 1:  # less than a hundredth of the last place; 10**6176 is not worth computing
        return 0
    return half_even(digits, 10**-power)


def _named(value: object) -> str:
    """The value as a message may show it: escaped, short."""
    if isinstance(value, str):
        return ascii(value if len(value) <= _MOST_DIGITS else value[:_MOST_DIGITS] + "...")
    if value is None or isinstance(value, (bool, float)) or type(value).__name__ == "Decimal":
        return _named(str(value))[1:-1]
    return (
        str(value) if isinstance(value, int) and value.bit_length() <= 64 else f"a value of type {type(value).__name__}"
    )
