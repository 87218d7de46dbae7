"""What a statement is about: its totals by basis and currency, its days, what is missing, what is not covered."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import agent_os
from agent_os import AgentOSError, ConfigError, UsageError

from .period import day_after

if TYPE_CHECKING:
    from agent_os import KnownDay, OpenHome, Sum

    from .period import Period

    Total = tuple[str, str, str]  # provider, currency, basis: within one of them money may be added

FILED = ("reported", "imported")  # what a statement adds up; estimates stand in a file of their own
NEVER_STORED = "nothing is stored: it was never asked for, or never answered"
NOT_OVER = "it is not over"
TOO_EARLY = "it was last read before it was over"
UNSETTLED = "the provider may still restate it"


class Lack(NamedTuple):
    """A day that is missing, open or provisional, and why; `is_filed`: whether the total lacks it."""

    date: str
    provider: str
    status: str
    reason: str
    is_filed: bool


class Source(NamedTuple):
    """A provider that the statement looks at; `is_filed`: its money is in the total, not in the estimates alone."""

    name: str
    is_filed: bool


class Facts:
    """Everything but the lines. `as_of` is a UTC day or an instant."""

    def __init__(self, home: OpenHome, period: Period, *, as_of: str, provider: str = "") -> None:
        self.period = period
        self.as_of = as_of
        self.provider = provider
        self.asked = ""  # the options that it takes to make it again
        self.version = agent_os.__version__
        self.span = {"since": period.since, "until": period.until, "provider": provider, "as_of": as_of}
        self.head = home.chain_head(as_of)
        self.sums = home.sums("month", "provider", "project", **self.span)
        days = home.days(**self.span)
        self.day_status = {(day.provider, day.date): day.status for day in days}
        tasks = [task for task in home.tasks() if task.basis]
        ready = {task.task[6:]: task.basis for task in tasks if task.state.startswith("ready")}
        self.sources = self._sources(days, ready)
        known = [*ready, *(source.name for source in self.sources)]
        self.disabled = sorted(task.task[6:] for task in tasks if task.task[6:] not in known)
        self.lacks = self._lacks(days)

    def _sources(self, days: list[KnownDay], ready: dict[str, str]) -> list[Source]:
        """Those that are set up, and those that have anything in the period."""
        found = {name: basis in FILED for name, basis in ready.items()}
        for name, basis in [(day.provider, day.basis) for day in days] + [
            (sum_.by[1], sum_.basis) for sum_ in self.sums
        ]:
            found[name] = found.get(name, False) or basis in FILED
        if self.provider and self.provider not in found:
            raise UsageError(
                f"there is no provider {self.provider[:40]!r} in {self.period.name}",
                hint=f"there is {', '.join(sorted(found)) or 'none'}; `providers` lists all",
            )
        return [Source(name, found[name]) for name in sorted(found) if name == (self.provider or name)]

    def _lacks(self, days: list[KnownDay]) -> list[Lack]:
        reasons = {(day.provider, day.date): day.reason for day in days}
        last = self.as_of[:10]
        found = []
        for date in self.period.days():
            for source in self.sources:
                status = self.day_status.get((source.name, date), "missing")
                if status == "settled":
                    continue
                reason = {"open": TOO_EARLY, "provisional": UNSETTLED}.get(status)
                if date >= last and status in ("missing", "open"):
                    status, reason = "open", NOT_OVER
                told = reason or reasons.get((source.name, date)) or NEVER_STORED
                found.append(Lack(date, source.name, status, told, source.is_filed))
        return found

    @property
    def totals(self) -> dict[Total, int]:
        """The money of the statement, in 10^-9 units."""
        return self._added(FILED)

    @property
    def estimates(self) -> dict[Total, int]:
        """What tokens would have cost at list prices: in no total."""
        return self._added(("estimated",))

    def _added(self, bases: tuple[str, ...]) -> dict[Total, int]:
        found: dict[Total, int] = {}
        for each in self.sums:
            if each.basis in bases and each.nano is not None:
                key = (each.by[1], each.currency, each.basis)
                found[key] = found.get(key, 0) + each.nano
        return dict(sorted(found.items()))

    @property
    def unpriced(self) -> dict[str, int]:
        """Provider -> tokens of estimates that no price is known for."""
        found: dict[str, int] = {}
        for each in self.sums:
            if each.unpriced_tokens:
                found[each.by[1]] = found.get(each.by[1], 0) + each.unpriced_tokens
        return found

    @property
    def stamp(self) -> str:
        """What has to be said in every file of the total; "" for nothing."""
        return _stamp([lack for lack in self.lacks if lack.is_filed])

    @property
    def estimates_stamp(self) -> str:
        """The same for the estimates."""
        lacks = [lack for lack in self.lacks if not lack.is_filed]
        return " ".join(filter(None, [_stamp(lacks), "UNPRICED" if self.unpriced else ""]))

    @property
    def stamps(self) -> str:
        """That of the total, and behind it that of the estimates, where there are any."""
        has_estimates = bool(self.estimates or self.unpriced)
        behind = f"(estimates alone: {self.estimates_stamp})" if has_estimates and self.estimates_stamp else ""
        return " ".join(filter(None, [self.stamp, behind]))

    def filed_sums(self) -> list[Sum]:
        """By month, provider and project: what the total is made of."""
        return [each for each in self.sums if each.basis in FILED and each.nano is not None]

    def refuse(self, *, allow_incomplete: bool, allow_unpriced: bool) -> None:
        """Raise what keeps this from being a statement."""
        if not self.sources:
            raise ConfigError(
                f"nothing is known of {self.period.name}: no provider is set up, and nothing is stored",
                hint="`providers` tells how to set one up, `--task run_all` collects",
            )
        wrong, hints = [], []
        lacks = [lack for lack in self.lacks if lack.is_filed]
        if lacks and not allow_incomplete:
            wrong.append(f"{_told(lacks)}")
            days = [lack.date for lack in lacks if lack.status == "missing"]
            if days:
                hints.append(f"`--task run_all --since {days[0]}` asks for what is missing, `gaps` says why it is")
            else:
                hints.append("run_all reads the days again until they are settled, 35 days after they were over")
            hints.append("--allow-incomplete makes one that says so in every file")
        if self.unpriced and not allow_unpriced:
            told = [f"{count:,} tokens of {name}" for name, count in sorted(self.unpriced.items())]
            wrong.append(f"{' and '.join(told)} have no price")
            hints.append("`prices import FILE` and `reprice` price them, --allow-unpriced leaves them out and says so")
        if wrong:
            raise AgentOSError(f"{self.period.name} cannot be stated: {'; '.join(wrong)}", hint="; ".join(hints))


def _stamp(lacks: list[Lack]) -> str:
    is_incomplete = any(lack.status != "provisional" for lack in lacks)
    is_provisional = any(lack.status == "provisional" for lack in lacks)
    return " ".join(word for word, holds in (("INCOMPLETE", is_incomplete), ("PROVISIONAL", is_provisional)) if holds)


def _told(lacks: list[Lack]) -> str:
    """As in: "openai has 2 days missing (2026-10-03 to 2026-10-07), 4 provisional"."""
    groups: dict[str, dict[str, list[str]]] = {}
    for lack in lacks:
        groups.setdefault(lack.provider, {}).setdefault(lack.status, []).append(lack.date)
    told = []
    for provider, states in sorted(groups.items()):
        parts = []
        for status in ("missing", "open", "provisional"):
            days = states.get(status)
            if days:
                span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
                if day_after(days[0], len(days) - 1) != days[-1]:
                    span = f"between {days[0]} and {days[-1]}"
                parts.append(f"{len(days)} {status} day{'s' * (len(days) > 1)} ({span})")
        told.append(f"{provider} has {', '.join(parts)}")
    return "; ".join(told)
