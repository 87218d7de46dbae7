"""Sums of lines put together by group, basis and currency, and what each came to over time. Pure, whole numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Optional

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent_os import Sum

BASES = ("reported", "imported", "estimated")


class Group:
    """What lines of one group, basis and currency come to. `currency` is "" where there are tokens without money.

    `nano` is None where no money was told; `cells` are its money, or else its tokens, by what they were added up in.
    """

    __slots__ = ("basis", "by", "cells", "currency", "lines", "nano", "tokens", "unpriced", "used")

    def __init__(self, by: tuple[str, ...], basis: str, currency: str) -> None:
        self.by = by
        self.basis = basis
        self.currency = currency
        self.nano: Optional[int] = None
        self.tokens = 0
        self.unpriced = 0
        self.lines = 0
        self.cells: dict[str, int] = {}
        self.used: dict[str, int] = {}  # tokens by cell

    def add(self, each: Sum, cell: str) -> None:
        """Count a sum in."""
        if each.nano is not None:
            self.nano = (self.nano or 0) + each.nano
            self.cells[cell] = self.cells.get(cell, 0) + each.nano
        if each.tokens:
            self.used[cell] = self.used.get(cell, 0) + each.tokens
        self.tokens += each.tokens
        self.unpriced += each.unpriced_tokens
        self.lines += each.lines

    def absorb(self, other: Group) -> None:
        """Count another group in, of the same basis, that has tokens and no money."""
        self.tokens += other.tokens
        self.unpriced += other.unpriced
        self.lines += other.lines

    def course(self) -> dict[str, int]:
        """Money by cell; tokens where there is no money."""
        return self.used if self.nano is None else self.cells


class Total(NamedTuple):
    """What all groups of one basis and currency come to."""

    basis: str
    currency: str
    nano: Optional[int]
    tokens: int
    unpriced: int
    lines: int


def grouped(sums: Iterable[Sum]) -> list[Group]:
    """The groups of sums whose first `by` is the cell; tokens stand beside the money of their basis, if it has one."""
    found: dict[tuple[tuple[str, ...], str], dict[str, Group]] = {}
    for each in sums:
        cell, by = each.by[0], each.by[1:]
        currencies = found.setdefault((by, each.basis), {})
        group = currencies.get(each.currency)
        if group is None:
            group = currencies[each.currency] = Group(by, each.basis, each.currency)
        group.add(each, cell)
    return [group for currencies in found.values() for group in _folded(currencies)]


def totals_of(groups: Iterable[Group]) -> list[Total]:
    """A total for each basis and currency, the best basis first."""
    found: dict[str, dict[str, Group]] = {}
    for each in groups:
        total = found.setdefault(each.basis, {}).setdefault(each.currency, Group((), each.basis, each.currency))
        total.absorb(each)
        total.nano = total.nano if each.nano is None else (total.nano or 0) + each.nano
    return [
        Total(each.basis, each.currency, each.nano, each.tokens, each.unpriced, each.lines)
        for basis in sorted(found, key=_rank)
        for each in sorted(_folded(found[basis]), key=lambda each: each.currency)
    ]


def ordered(groups: Iterable[Group], *, is_time: tuple[bool, ...]) -> list[Group]:
    """By time as it goes by; else the most money first, then the most tokens, then by name."""

    def key(group: Group) -> tuple[object, ...]:
        times = tuple(name for name, is_one in zip(group.by, is_time) if is_one)
        return times, group.nano is None, -(group.nano or 0), -group.tokens, group.by

    return sorted(groups, key=key)


def _folded(currencies: dict[str, Group]) -> list[Group]:
    """Tokens without money put beside the money, where that is of one currency."""
    plain = currencies.get("")
    rest = [group for currency, group in currencies.items() if currency]
    if plain is None or len(rest) != 1:
        return list(currencies.values())
    rest[0].absorb(plain)
    return rest


def _rank(basis: str) -> int:
    return BASES.index(basis) if basis in BASES else len(BASES)
