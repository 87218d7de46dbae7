"""Tokens at list prices, what was reported, what was invoiced: the gaps between the three, each with its name. Pure.

The text of a line item says here what a gap is called, and which line of usage is set against it. It never makes money:
the three sums are made without it, and what it does not explain is called unexplained.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple, Optional

from .exact import exact

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agent_os import Estimate, Line

    from .invoices import Invoice

UNEXPLAINED = "unexplained"
KINDS = {
    "uncached_input_tokens": "input",
    "output_tokens": "output",
    "cache_read_input_tokens": "cache_read",
    "cache_creation.ephemeral_5m_input_tokens": "cache_write_5m",
    "cache_creation.ephemeral_1h_input_tokens": "cache_write_1h",
    "input": "input",
    "input_tokens": "input",
    "cached input": "cache_read",
    "cached_input_tokens": "cache_read",
    "cache writes": "cache_write",
    "output": "output",
}
_ITEM = re.compile(r"(?:(?P<tier>\w+) \| )?(?P<model>[^,|]+?)(?: audio| image)?, (?P<kind>[a-z_ ]+?)(?:, .*)?")
_SERVICES = (("web search", "web search"), ("code execution", "code execution"), ("code interpreter", "code execution"))


class Key(NamedTuple):
    """What tokens and their charge have in common."""

    date: str
    project: str
    model: str
    tier: str
    kind: str


class Item(NamedTuple):
    """A gap, or a part of one, by its name. `nano` is None where nobody knows how much it is."""

    name: str
    nano: Optional[int]
    what: str


class Gap(NamedTuple):
    """Two of the three, what is between them, and what of that has a name."""

    of: str
    nano: int
    items: list[Item]

    @property
    def unexplained(self) -> int:
        """What is left when all that has a name and an amount is taken away."""
        return self.nano - sum(item.nano or 0 for item in self.items)


class _Group:
    """Tokens of one key: what they would cost, and what was charged."""

    def __init__(self) -> None:
        self.priced = self.charged = self.tokens = self.charges = 0
        self.unpriced: dict[str, int] = defaultdict(int)  # by tier

    @property
    def gap(self) -> int:
        return self.charged - self.priced


class Account:
    """A month of one provider in one currency. Lines are counted in one at a time."""

    def __init__(self, provider: str, month: str, currency: str, basis: str) -> None:
        self.provider, self.month, self.currency, self.basis = provider, month, currency, basis
        self.priced = self.reported = 0
        self.has_usage = self.has_costs = False
        self.open_day = ""
        self.provisional: list[str] = []
        self.missing: list[str] = []
        self.invoices: list[Invoice] = []
        self._groups: dict[Key, _Group] = defaultdict(_Group)
        self._others: dict[str, int] = defaultdict(int)
        self._tiers: set[str] = set()  # that charges name
        self._tells_tiers = False
        self._searches = 0

    def charge(self, line: Line) -> None:
        """A line of money."""
        nano = line.amount_nano or 0
        self.reported += nano
        self.has_costs = True
        key = key_of(line) if nano >= 0 else None
        if key is None:
            self._others[name_of(line)] += nano
            return
        self._tiers.add(key.tier)
        self._tells_tiers = self._tells_tiers or bool(line.tier or key.tier)
        self._groups[key].charged += nano
        self._groups[key].charges += 1

    def use(self, estimate: Estimate) -> None:
        """A line of usage."""
        line = estimate.line
        if line.unit == "calls" and "web_search" in line.cost_type + line.report:
            self._searches += int(line.quantity or 0)
        if line.unit != "tokens" or not isinstance(line.quantity, int):
            return
        self.has_usage = True
        group = self._groups[Key(line.date, line.project, line.model, tier_of(line.tier), line.token_type)]
        group.tokens += line.quantity
        if estimate.nano is None or estimate.currency != self.currency:
            group.unpriced[tier_of(line.tier)] += line.quantity
        else:
            group.priced += estimate.nano
            self.priced += estimate.nano

    @property
    def invoiced(self) -> Optional[int]:
        """What the invoices come to; None where there is none."""
        return sum(each.nano for each in self.invoices) if self.invoices else None

    def gaps(self) -> list[Gap]:
        """The gaps between those of the three that there are."""
        found = []
        if self.has_usage:
            found.append(Gap("reported - token-priced", self.reported - self.priced, self._from_tokens()))
        if self.invoiced is not None:
            found.append(Gap("invoice - reported", self.invoiced - self.reported, self._from_reported()))
        return found

    def _from_tokens(self) -> list[Item]:
        """What was charged for something else than tokens, and tokens that have no charge or no price."""
        found = [Item(name, nano, self._told(name)) for name, nano in sorted(self._others.items())]
        names: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
        for key, group in sorted(self._matched().items()):
            name = self._name(key, group)
            if name:
                for place, number in enumerate((group.gap, group.tokens, sum(group.unpriced.values()))):
                    names[name][place] += number
        for name, (nano, tokens, unpriced) in sorted(names.items()):
            what = f"{unpriced:,} tokens have no price" if unpriced else f"{tokens:,} tokens"
            found.append(Item(name, nano, what))
        return [*found, *self._days(is_reported=True)]

    def _matched(self) -> dict[Key, _Group]:
        """The groups; without tiers where no charge tells one, since then it is for all of them."""
        if self._tells_tiers:
            return self._groups
        found: dict[Key, _Group] = defaultdict(_Group)
        for key, group in self._groups.items():
            one = found[key._replace(tier="")]
            for name in ("priced", "charged", "tokens", "charges"):
                setattr(one, name, getattr(one, name) + getattr(group, name))
            for tier, count in group.unpriced.items():
                one.unpriced[tier] += count
        return found

    def _name(self, key: Key, group: _Group) -> str:
        """What explains the gap of a group, if anything does; the first that does."""
        if not group.gap and not group.unpriced:
            return ""
        if key.tier == "priority" and not group.charges and "priority" not in self._tiers:
            return "priority tier, which is in no cost report"
        if key.date == self.open_day:
            return "the open day, which is not over"
        if group.unpriced:
            return f"{'/'.join(sorted(tier or 'standard' for tier in group.unpriced))} tier without a price"
        if group.charges and not group.charged:
            return "free tokens: lines of 0"
        return ""

    def _told(self, name: str) -> str:
        return f"{self._searches:,} calls" if name == "web search" and self._searches else "not tokens"

    def _from_reported(self) -> list[Item]:
        """What the invoices themselves tell of tax and credits, and tokens that no report has money for."""
        tax, credited = (sum(getattr(each, name) for each in self.invoices) for name in ("tax", "credits"))
        found = [Item("tax", tax, "as the invoice says")] if tax else []
        found += [Item("credits", -credited, "as the invoice says")] if credited else []
        hidden = sum(
            group.tokens for key, group in self._matched().items()
            if key.tier == "priority" and "priority" not in self._tiers
        )  # fmt: skip
        if hidden:
            found.append(Item("priority tier, which is in no cost report", None, f"{hidden:,} tokens"))
        return [*found, *self._days(is_reported=False)]

    def _days(self, *, is_reported: bool) -> list[Item]:
        """Days whose money is not known, or not for good. How much that is, nobody knows."""
        found = [Item("missing days", None, listed(self.missing))] if self.missing else []
        if self.provisional:
            found.append(Item("provisional days", None, f"{listed(self.provisional)} may still change"))
        if self.open_day and not is_reported:
            found.append(Item("the open day, which is not over", None, self.open_day))
        return found


def key_of(cost: Line) -> Optional[Key]:
    """What a charge for tokens is of; None for one of something else, and for one that does not tell."""
    if cost.model and cost.token_type:
        kind = KINDS.get(cost.token_type, cost.token_type)
        return Key(cost.date, cost.project, cost.model, tier_of(cost.tier), kind)
    told = _ITEM.fullmatch(cost.line_item)
    kind = KINDS.get(told["kind"], "") if told else ""
    return Key(cost.date, cost.project, told["model"], tier_of(told["tier"] or ""), kind) if told and kind else None


def tier_of(tier: str) -> str:
    """A tier, "" for the standard one, however it is called."""
    return " ".join(word for word in tier.split() if word not in ("standard", "default"))


def name_of(cost: Line) -> str:
    """What a charge for something else than tokens is called."""
    told = f"{cost.cost_type} {cost.line_item}".replace("_", " ").lower()
    if (cost.amount_nano or 0) < 0:
        return "credits in the report"
    return next((name for word, name in _SERVICES if word in told), cost.line_item or cost.cost_type or "not told")


def listed(days: Sequence[str]) -> str:
    """Some days, and how many they are."""
    some = ", ".join(days[:3])
    return some if len(days) <= 3 else f"{some}, ... ({len(days)} days)"


def lines_of(account: Account, tolerance: int) -> Iterable[str]:
    """An account in words."""
    unit = account.currency
    yield f"{account.provider} {account.month}, {unit}"
    if account.has_usage:
        yield f"  token-priced  {exact(account.priced)}"
    yield f"  {account.basis:<13} {exact(account.reported) if account.has_costs else 'nothing'}"
    for each in account.invoices:
        file = f"  ({each.file}, sha256 {each.sha256[:16]})" if each.file else ""
        yield f"  invoice       {exact(each.nano)}{file}"
    if not account.has_usage:
        yield "  no usage is known that could be priced"
    if not account.invoices:
        yield f"  no invoice: invoice add {account.provider} {account.month} AMOUNT"
    for gap in account.gaps():
        yield f"  {gap.of.replace('reported', account.basis)} = {exact(gap.nano, signed=True)}"
        for item in gap.items:
            amount = "unknown" if item.nano is None else exact(item.nano, signed=True)
            yield f"    {amount:>16}  {item.name}: {item.what}"
        rest = gap.unexplained
        judged = "within the tolerance" if abs(rest) <= tolerance else "more than the tolerance"
        yield f"    {exact(rest, signed=True):>16}  {UNEXPLAINED}, {judged} of {exact(tolerance)}"
