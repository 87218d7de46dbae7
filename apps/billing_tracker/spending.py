"""What was spent, on which days, for what, and what is not known: what alerts are judged by. Pure.

One day of one provider has money of one basis: reported, else imported. Nothing is added across currencies or bases.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .periods import add_days
from .spans import days_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent_os import Result, Sum

    from .budgets import Budget
    from .periods import Period

BY = ("day", "provider", "project", "model", "line")
MOST_CAUSES = 3
LOOK_BACK = 35  # days before a period in which a provider that has any is expected to go on


class Cost(NamedTuple):
    """Money of one day for one thing."""

    day: str
    provider: str
    project: str
    model: str
    line: str
    basis: str
    currency: str
    nano: int


class Spending:
    """The costs and headlines of a span of days."""

    def __init__(self, sums: Iterable[Sum], results: Iterable[Result]) -> None:
        """`sums` are those by BY."""
        self._costs = [
            Cost._make((*each.by, each.basis, each.currency, each.nano)) for each in sums if each.nano is not None
        ]
        self._results = list(results)
        self._reported = {(each.day, each.provider) for each in self._costs if each.basis == "reported"}

    def costs(self, budget: Budget, period: Period) -> list[Cost]:
        """The costs that a budget is about."""
        return [
            each
            for each in self._costs
            if period.start <= each.day < period.end
            and each.currency == budget.currency
            and self._counts(each, budget.basis)
            and all(wanted in ("", given) for wanted, given in self._scope(budget, each))
        ]

    def _counts(self, cost: Cost, basis: str) -> bool:
        if basis == "reported" and cost.basis == "imported":
            return (cost.day, cost.provider) not in self._reported
        return cost.basis == basis

    def _scope(self, budget: Budget, cost: Cost) -> tuple[tuple[str, str], ...]:
        return (budget.provider, cost.provider), (budget.project, cost.project), (budget.model, cost.model)

    def days(self, budget: Budget, period: Period) -> dict[str, int]:
        """Day -> what it cost; a day on which nothing of it is known is absent."""
        found: dict[str, int] = {}
        for each in self.costs(budget, period):
            found[each.day] = found.get(each.day, 0) + each.nano
        return found

    def bases(self, budget: Budget, period: Period) -> str:
        """The kinds of money that were counted, in words."""
        return " and ".join(sorted({each.basis for each in self.costs(budget, period)}, reverse=True)) or budget.basis

    def causes(self, budget: Budget, period: Period) -> list[tuple[str, int]]:
        """What cost most: (provider, project, model and line, as far as known, nano)."""
        found: dict[str, int] = {}
        for each in self.costs(budget, period):
            name = " / ".join(dict.fromkeys(filter(None, (each.provider, each.project, each.model, each.line))))
            found[name] = found.get(name, 0) + each.nano
        return sorted(found.items(), key=lambda each: (-each[1], each[0]))[:MOST_CAUSES]

    def missing(self, budget: Budget, period: Period, *, today: str) -> dict[str, list[str]]:
        """Day -> the providers in scope whose figure for it is not known: days that are over, from each one's first."""
        wanted = ("estimated",) if budget.basis == "estimated" else ("reported", "imported")
        since = add_days(period.start, -LOOK_BACK)
        mine = [each for each in self._results if since <= each.date and budget.provider in ("", each.provider)]
        known = {(each.date, each.provider) for each in mine if each.cost_nano is not None}
        first: dict[str, str] = {}
        for each in mine:
            if each.basis in wanted and each.cost_nano is not None:
                first[each.provider] = min(each.date, first.get(each.provider, each.date))
        found: dict[str, list[str]] = {}
        for provider, begin in sorted(first.items()):
            start = max(begin, period.start)
            for day in days_in(start, max(start, min(period.end, today))):
                if (day, provider) not in known:
                    found.setdefault(day, []).append(provider)
        return found

    def as_of(self, period: Period) -> str:
        """When anything of the period was last changed; "" where nothing is known of it."""
        return max((each.updated_at for each in self._results if period.start <= each.date < period.end), default="")

    def providers(self) -> dict[str, list[Result]]:
        """The headlines of each provider, by day."""
        found: dict[str, list[Result]] = {}
        for each in sorted(self._results, key=lambda each: each.date):
            found.setdefault(each.provider, []).append(each)
        return found

    def daily(self) -> dict[tuple[str, str], dict[str, int]]:
        """(provider, currency) -> day -> what it cost: reported or imported money."""
        found: dict[tuple[str, str], dict[str, int]] = {}
        for each in self._costs:
            if each.basis != "estimated" and self._counts(each, "reported"):
                days = found.setdefault((each.provider, each.currency), {})
                days[each.day] = days.get(each.day, 0) + each.nano
        return found
