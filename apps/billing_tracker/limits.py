"""Spending limits that agent_os.ini declares: [limit:NAME] stops tasks with `cost_limit = NAME` before they run.

A run reserves its `cost` (10^-9 of the currency) when it begins, and settles it when it is over; both under one lock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from agent_os import shown

from .budgets import PERIODS, Budget, amount_of, is_name, meant, refuse
from .periods import period_of
from .spending import BY, Spending

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent_os import Ask

OPTIONS = ("max", "scope")


class Limit(NamedTuple):
    """What may be spent in a period, by the tasks under it and, with a scope, by whoever else spends there."""

    name: str
    nano: int
    currency: str
    period: str
    provider: str
    project: str

    def ask(self, ask: Ask) -> Optional[str]:
        """None where there is room, else why not. What a task says it spent comes back in the provider's report, so
        of the two the larger counts.
        """
        period = period_of(self.period, ask.today)
        spent = ask.spent(since=period.start)
        if self.provider:
            budget = Budget(self.name, self.nano, self.currency, provider=self.provider, project=self.project)
            sums = ask.sums(*BY, since=period.start, until=period.end, provider=self.provider)
            spent = max(spent, sum(Spending(sums, ()).days(budget, period).values()))
        used = spent + ask.reserved
        if used + ask.wanted <= self.nano and used < self.nano:
            return None
        return (
            f"{shown(self.nano)} {self.currency} a {self.period}, {shown(spent)} spent and {shown(ask.reserved)}"
            f" reserved since {period.start}; {shown(ask.wanted)} wanted; there is room again on {period.end}"
        )


def limits_of(sections: Mapping[str, Mapping[str, str]]) -> dict[str, Callable[[Ask], Any]]:
    """NAME -> what is asked before a run begins. Raises one ConfigError that says all that is wrong."""
    faults: list[str] = []
    found = {}
    for name, options in sections.items():
        limit = _limit(name, options, faults)
        if limit:
            found[name] = _asking(limit)
    refuse(faults, "limits", done="run")
    return found


def _asking(limit: Limit) -> Callable[[Ask], Any]:
    def ask(ask: Ask) -> Any:
        refusal = limit.ask(ask)
        return True if refusal is None else refusal

    return ask


def _limit(name: str, options: Mapping[str, str], faults: list[str]) -> Optional[Limit]:
    """One section; None, and what is wrong with it."""
    before = len(faults)
    where = f"[limit:{name[:64]}]"
    if not is_name(name):
        faults.append(f"{where} has a name that cannot be used: letters, digits, _, - and . (a letter first)")
    faults += [f"{where} {each[:40]} is no option{meant(each, OPTIONS)}" for each in options if each not in OPTIONS]
    text, per, period = (part.strip() for part in options.get("max", "").partition(" per "))
    amount = amount_of(text, lambda what: faults.append(f"{where} {what}"), what="max") if text else None
    if not text:
        faults.append(f"{where} has no max; write max = 5.00 USD per day")
    elif period not in PERIODS:
        told = f"per {period[:20]!r}{meant(period, PERIODS)}" if per else "without a period"
        faults.append(f"{where} max is {told}; write max = 5.00 USD per day")
    provider, _, project = (part.strip() for part in options.get("scope", "").partition("/"))
    if project and not provider:
        faults.append(f"{where} scope has no provider; write scope = openai/my-project")
    if len(faults) > before or amount is None:
        return None
    return Limit(name, *amount, period, provider, project)
