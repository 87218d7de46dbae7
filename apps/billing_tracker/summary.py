"""`summary`: what lines come to by up to two of their dimensions, apart by basis and currency, each with its course."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from agent_os import UsageError, decimal_text

from .chart import TIMES, cell_of, span_of, unit_of
from .groups import Group, Total, grouped, ordered, totals_of
from .spans import day_of, missing_of, ranges

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from agent_os import OpenHome

WORDS = "day, week, month, year, provider, project, model, line, key, account, cost_type, token_type or tier"
DEFAULT = ["month", "provider"]
MOST = 2
FIRST_DAY = "2015-01-01"  # before it nobody was charged for tokens


class Summary(NamedTuple):
    """All that is shown. `until` is not in it; `missing` are days that are over, by provider."""

    by: list[str]
    since: str
    until: str
    as_of: str
    unit: str
    groups: list[Group]
    totals: list[Total]
    missing: dict[str, list[str]]
    bases: dict[str, list[str]]  # basis -> the providers that ever had a day of it
    empty: list[str]
    provisional: dict[str, int]
    footnotes: list[str]
    known: dict[tuple[str, str], set[str]]  # provider, basis -> cells in which it is known what there was

    @property
    def is_whole(self) -> bool:
        """Whether groups are about all that some providers told: then a known day without lines is a zero."""
        return all(word in TIMES or word == "provider" for word in self.by)

    def course_of(self, group: Group) -> dict[str, int]:
        """What a group came to in each cell; 0 only where a provider is known to have had nothing."""
        named = dict(zip(self.by, group.by))
        mine = [
            cells
            for (provider, basis), cells in self.known.items()
            if basis == group.basis and named.get("provider", provider) == provider
        ]
        return {**({cell: 0 for cells in mine for cell in cells} if self.is_whole else {}), **group.course()}

    def missing_in(self, group: Group) -> Optional[list[str]]:
        """The days of a group that are missing, of its provider or of all of its basis; None where nobody can say."""
        named = dict(zip(self.by, group.by))
        if "provider" not in named and not self.is_whole:
            return None
        first, end = self.span_in(group)
        names = [named["provider"]] if "provider" in named else self.bases.get(group.basis, ())
        return [day for name in names for day in self.missing.get(name, ()) if first <= day < end]

    def span_in(self, group: Group) -> tuple[str, str]:
        """The days [first, end) that a group is about."""
        first, end = self.since, self.until
        for word, value in zip(self.by, group.by):
            if word in TIMES:
                start, stop = span_of(word, value)
                first, end = max(first, start), min(end, stop)
        return first, max(first, end)


def add_arguments(parser: ArgumentParser) -> None:
    """--by, --since, --until, --provider, --as-of."""
    parser.add_argument(
        "--by", metavar="WHAT", action="append", help=f"{WORDS}; may be given twice (default: month and provider)"
    )
    parser.add_argument("--since", metavar="DAY", help="first UTC day, included (default: the first of last month)")
    parser.add_argument("--until", metavar="DAY", help="the UTC day to stop before; it is not included")
    parser.add_argument("--provider", metavar="NAME", default="", help="only this provider")
    parser.add_argument("--as-of", metavar="DAY", default="", help="what was known at the end of this UTC day")


def execute(home: OpenHome, args: Namespace) -> None:
    """Print the summary that was asked for."""
    found = summary_of(
        home, by=args.by or DEFAULT, since=args.since or "", until=args.until or "", provider=args.provider,
        as_of=args.as_of,
    )  # fmt: skip
    if args.json:
        print(json.dumps(as_json(found), indent=2))
        return
    from .paper import Paper, page

    paper = Paper.of(sys.stdout, no_color=home.setting("NO_COLOR"), term=home.setting("TERM"))
    print(page(found, paper))


def summary_of(  # noqa: PLR0913 (what was asked for, all by name)
    home: OpenHome, *, by: list[str], since: str = "", until: str = "", provider: str = "", as_of: str = ""
) -> Summary:
    """The summary of some days. Raises UsageError for what cannot be meant, ConfigError where nothing is stored."""
    if len(by) > MOST or len(set(by)) < len(by):
        raise UsageError(f"--by {' --by '.join(by)[:80]}", hint=f"give one or two different of {WORDS}")
    today = as_of[:10] or home.today
    if day_of("--as-of", today).isoformat() > home.today:
        raise UsageError(f"--as-of {today} lies in the future", hint=f"today is {home.today}, in UTC")
    first, end = _span(since, until, today)
    unit = unit_of(by, (day_of("--until", end) - day_of("--since", first)).days)
    span: dict[str, Any] = {"provider": provider, "as_of": as_of or None}
    groups = grouped(home.sums(unit, *by, since=first, until=end, **span))
    over = min(end, today)
    # Days that were asked for in vain: what is known of them now says nothing about what was known then.
    known = [each for each in home.days(**span) if each.status != "missing" or not as_of]
    within = [each for each in known if first <= each.date < end and each.status != "missing"]
    providers = sorted({each.provider for each in within})
    provisional: dict[str, int] = {}
    cells: dict[tuple[str, str], set[str]] = {}
    for each in within:
        cells.setdefault((each.provider, each.basis), set()).add(cell_of(unit, each.date))
        if each.status == "provisional":
            provisional[each.provider] = provisional.get(each.provider, 0) + 1
    told = {group.by[by.index("provider")] for group in groups} if "provider" in by else set(providers)
    owners = sorted({(each.basis, each.provider) for each in known if each.basis})
    return Summary(
        by=by, since=first, until=end, as_of=as_of, unit=unit,
        groups=ordered(groups, is_time=tuple(word in TIMES for word in by)), totals=totals_of(groups),
        missing=missing_of(known, since=first, until=max(first, over)),
        bases={basis: [name for mine, name in owners if mine == basis] for basis, _ in owners},
        empty=[name for name in providers if name not in told],
        provisional=dict(sorted(provisional.items())),
        footnotes=home.footnotes(providers),
        known=cells,
    )  # fmt: skip


def _span(since: str, until: str, today: str) -> tuple[str, str]:
    """The days that are meant: of this month and the last where none are named; none after today."""
    for what, named in (("--since", since), ("--until", until), ("--as-of", today)):
        if named and day_of(what, named).isoformat() < FIRST_DAY:
            raise UsageError(f"no provider has anything from {named}", hint=f"the earliest day is {FIRST_DAY}")
    tomorrow = (day_of("--as-of", today) + timedelta(days=1)).isoformat()
    end = min(until or tomorrow, tomorrow)
    last = day_of("--until", end) - timedelta(days=1)
    first = since or (last.replace(day=1) - timedelta(days=1)).replace(day=1).isoformat()
    if day_of("--since", first) > last:
        raise UsageError(f"there is no day from --since {first} to before {end}", hint="--until is not included")
    return first, end


def as_json(found: Summary) -> dict[str, Any]:
    """Exact decimal text; null for what is not known or not told."""
    groups = [
        {
            "by": {word: value or None for word, value in zip(found.by, group.by)},
            **_figures(group),
            "share": share_of(group, found.totals),
            "days_missing": None if (days := found.missing_in(group)) is None else len(days),
        }
        for group in found.groups
    ]
    return {
        "since": found.since, "until": found.until, "as_of": found.as_of or None, "by": found.by,
        "groups": groups,
        "totals": [_figures(total) for total in found.totals],
        "missing": [
            {"provider": name, "since": first, "last": last}
            for name, days in found.missing.items()
            for first, last in ranges(days)
        ],
        "days_provisional": found.provisional,
        "empty": found.empty,
        "notes": found.footnotes,
    }  # fmt: skip


def share_of(group: Group, totals: list[Total]) -> Optional[str]:
    """Its percentage of the money of its basis and currency, with one decimal; None where there is none."""
    (whole,) = [each.nano for each in totals if (each.basis, each.currency) == (group.basis, group.currency)] or [None]
    if group.nano is None or not whole:
        return None
    tenths = (2000 * group.nano + whole) // (2 * whole)
    return f"{'-' if tenths < 0 else ''}{abs(tenths) // 10}.{abs(tenths) % 10}"


def _figures(each: Any) -> dict[str, Any]:
    return {
        "basis": each.basis, "currency": each.currency or None,
        "amount": None if each.nano is None else decimal_text(each.nano),
        "tokens": each.tokens or None, "unpriced_tokens": each.unpriced, "lines": each.lines,
    }  # fmt: skip
