"""Cents that add up: whole hundredths of a currency unit, for display only; amounts are exact elsewhere. Pure."""

from __future__ import annotations

from array import array

CENT = 10_000_000  # in 10^-9 of the currency unit


class Cents:
    """Rounds the amounts of one group by largest remainder, so that their cents sum to the rounded total.

    First every amount is shown to `see`, then each again, in the same order, to `of`. Of equal remainders the first
    are rounded up.
    """

    def __init__(self) -> None:
        self._remainders = array("q")
        self._total = 0
        self._threshold = CENT
        self._ties = 0

    def see(self, nano: int) -> None:
        """Count one amount in."""
        self._remainders.append(nano % CENT)
        self._total += nano

    def settle(self) -> None:
        """All were seen."""
        floors = (self._total - sum(self._remainders)) // CENT
        up = half_even(self._total) - floors  # so many are rounded up
        if up:
            ordered = sorted(self._remainders, reverse=True)
            self._threshold = ordered[up - 1]
            self._ties = up - sum(1 for each in ordered[:up] if each > self._threshold)
        self._remainders = array("q")

    def of(self, nano: int) -> int:
        """The cents of the next amount."""
        whole, rest = divmod(nano, CENT)
        if rest > self._threshold:
            return whole + 1
        if rest == self._threshold and self._ties:
            self._ties -= 1
            return whole + 1
        return whole


def half_even(nano: int) -> int:
    """The cents of one amount, half a cent to the even number."""
    whole, rest = divmod(nano, CENT)
    return whole + (2 * rest > CENT or (2 * rest == CENT and whole % 2 == 1))
