"""A statement for people: summary.txt and statement.html, the same words and tables. Pure."""

from __future__ import annotations

import re
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from agent_os import decimal_text, table

from .period import day_after

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .statement_facts import Facts, Lack, Total

NOT_COVERED = (
    "What a provider's own report leaves out: at Anthropic, Priority Tier.",
    "Subscriptions and seats (ChatGPT, Claude, Copilot plans), unless they were imported.",
    "Taxes, credits, discounts, grants and prepaid balances: the reports tell what was used, not what was paid.",
    "Sources that are not set up here: {disabled}.",
)
_TOTAL = re.compile(r"total +(reported|imported) +([A-Z]{3}) +(-?[0-9]+\.[0-9]+) +(.+)")

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --page: #fff; --mark: #9a3412;
  --band: #fff4e5; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9aa5b1; --line: #353c45; --page: #0f1318;
  --mark: #ffb86b; --band: #33230f; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 70rem; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p, li { max-width: 44rem; overflow-wrap: anywhere; }
p { margin: .25rem 0; } ul { margin: .25rem 0; padding-left: 1.2rem; }
.soft { color: var(--soft); }
.stamp { margin: 1rem 0; padding: .6rem .8rem; border: 2px solid var(--mark); background: var(--band);
  color: var(--mark); font-weight: 700; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .9rem .3rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { font-weight: 600; color: var(--soft); font-size: .85rem; }
td.n, th.n { text-align: right; white-space: nowrap; }
td.t { white-space: nowrap; }
td.w { overflow-wrap: break-word; min-width: 12rem; }
code { font: .85rem ui-monospace, monospace; overflow-wrap: anywhere; }
@media screen and (max-width: 640px) { thead { display: none; } table, tbody, tr { display: block; }
  tr { border-bottom: 1px solid var(--line); padding: .4rem 0; }
  td, td.n { display: grid; grid-template-columns: 7rem 1fr; border: 0; padding: .1rem 0; text-align: left; }
  td.t, td.n, td.w { white-space: normal; overflow-wrap: anywhere; min-width: 0; }
  td::before { content: attr(data-name); color: var(--soft); font-size: .85rem; } }
@media print { :root { --ink: #000; --soft: #333; --line: #999; --page: #fff; --mark: #000; --band: #fff; }
  body { max-width: none; padding: 0; font-size: 10pt; } .wide { overflow: visible; } tr { break-inside: avoid; }
  h2 { break-after: avoid; } thead { display: table-header-group; } }
""".strip()


class Part(NamedTuple):
    """A piece of the text: words, and a table whose columns in `right` hold figures."""

    heading: str
    words: Sequence[str] = ()
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    right: frozenset[int] = frozenset()
    is_list: bool = False


def parts_of(facts: Facts, lines: dict[Total, int]) -> list[Part]:
    """All that is said, in order. `lines` counts the rows behind each total."""
    return [
        *_totals(facts, lines),
        _by_project(facts),
        *_estimates(facts),
        _lacks(facts),
        Part("What is not covered", [text.format(disabled=_named(facts)) for text in NOT_COVERED], is_list=True),
        _origin(facts),
    ]


def _named(facts: Facts) -> str:
    return ", ".join(facts.disabled) or "none"


def _totals(facts: Facts, lines: dict[Total, int]) -> list[Part]:
    rows = [
        ("total", basis, currency, decimal_text(nano), provider, f"{lines.get((provider, currency, basis), 0):,}")
        for (provider, currency, basis), nano in facts.totals.items()
    ]
    words = ["Exact amounts. Totals of two currencies, or of two bases, are never added together."]
    both = {provider for provider, _, basis in facts.totals if basis == "imported"}
    both &= {provider for provider, _, basis in facts.totals if basis == "reported"}
    if both:
        words.append(f"Imported figures of {', '.join(sorted(both))} may be the same money as what is reported.")
    if not rows:
        words.append("There is no line of cost in this period.")
    header = ("money", "basis", "currency", "amount", "provider", "lines")
    return [Part("Totals", words, header, rows, frozenset({3, 5}))]


def _by_project(facts: Facts) -> Part:
    rows = [(*each.by[:2], each.by[2] or "-", each.basis, each.currency, decimal_text(each.nano or 0))
            for each in facts.filed_sums()]  # fmt: skip
    header = ("month", "provider", "project", "basis", "currency", "amount")
    return Part("By month, provider and project", [], header, rows, frozenset({5}))


def _estimates(facts: Facts) -> list[Part]:
    if not facts.estimates and not facts.unpriced:
        return []
    unpriced = dict(facts.unpriced)
    rows = []
    for (provider, currency, _), nano in facts.estimates.items():
        count = unpriced.pop(provider, 0)
        rows.append((provider, currency, ("≥ " if count else "") + decimal_text(nano), f"{count:,}" if count else ""))
    rows += [(provider, "", "unpriced", f"{count:,}") for provider, count in sorted(unpriced.items())]
    words = ["What tokens would have cost at list prices. It is in no total, and nobody was billed for it as such."]
    return [Part("Estimates", words, ("provider", "currency", "amount", "tokens unpriced"), rows, frozenset({2, 3}))]


def _lacks(facts: Facts) -> Part:
    """Days in spans; each day is in missing.csv."""
    spans: list[list[Lack]] = []
    for lack in sorted(facts.lacks, key=lambda each: (each.provider, each.date)):
        last = spans[-1][-1] if spans else None
        is_next = last is not None and lack.date == day_after(last.date)
        if last and is_next and (last.provider, last.status, last.reason) == (lack.provider, lack.status, lack.reason):
            spans[-1].append(lack)
        else:
            spans.append([lack])
    rows = [
        (days[0].provider, days[0].status, _span(days), str(len(days)), days[0].reason + _aside(days[0]))
        for days in spans
    ]
    if not rows:
        return Part("Days that are missing or not final", ["None: every day is there, and settled."])
    return Part(
        "Days that are missing or not final", [], ("provider", "day is", "when", "days", "why"), rows, frozenset({3})
    )


def _span(days: Sequence[Lack]) -> str:
    return days[0].date if len(days) == 1 else f"{days[0].date} to {days[-1].date}"


def _aside(lack: Lack) -> str:
    return "" if lack.is_filed else " (estimates alone)"


def _origin(facts: Facts) -> Part:
    again = f"statement {facts.period.name} --as-of {facts.as_of}"
    again += f" --provider {facts.provider}" if facts.provider else ""
    again += f" {facts.asked}" if facts.asked else ""
    return Part("How it was made, and how to check it", [
        f"Made by Agent OS {facts.version} from what was known as of {facts.as_of} (UTC).",
        f"Chain head: {facts.head or 'none'}",
        f"`{again}` makes the same bytes again; `verify` proves the ledger up to the chain head.",
        "manifest.json has the SHA-256 of every file; sources.csv the pages that each row's batch_id came with.",
        "`bean-check beancount.beancount` and `hledger -f hledger.journal check` prove the sum once more.",
        "cents_for_display_only is rounded by largest remainder: cents of a provider add up to its rounded total.",
    ], is_list=True)  # fmt: skip


def title(facts: Facts) -> str:
    """The heading of all of it."""
    return f"What AI cost in {facts.period.name}" + (f": {facts.provider}" if facts.provider else "")


def text_of(facts: Facts, parts: Iterable[Part]) -> str:
    """summary.txt."""
    blocks = [f"{title(facts)}\nUTC days {facts.period.since} to {facts.period.days()[-1]}, as of {facts.as_of}"]
    blocks += [facts.stamps] if facts.stamps else []
    for part in parts:
        words = [f"- {word}" if part.is_list else word for word in part.words]
        rows = [table(part.header, part.rows, right=part.right)] if part.rows else []
        blocks.append("\n".join([part.heading, "-" * len(part.heading), *words, *rows]))
    return "\n\n".join(blocks) + "\n"


def printed_totals(text: str) -> dict[Total, int]:
    """The totals that a summary.txt shows, read back."""
    found: dict[Total, int] = {}
    for line in text.splitlines():
        match = _TOTAL.fullmatch(line)
        if match:
            provider = match[4].rpartition("  ")[0].strip()
            found[provider, match[2], match[1]] = int(Decimal(match[3]).scaleb(9))
    return found


def html_of(facts: Facts, parts: Iterable[Part]) -> str:
    """statement.html: one file, no script, nothing from elsewhere."""
    name = escape(title(facts))
    last = facts.period.days()[-1]
    stamp = f'<p class="stamp">{escape(facts.stamps)}</p>\n' if facts.stamps else ""
    body = "\n".join(_html(part) for part in parts)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{name}</title>\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<style>\n{STYLE}\n</style>\n</head>\n<body>\n<h1>{name}</h1>\n"
        f'<p class="soft">UTC days {facts.period.since} to {last}, as of {escape(facts.as_of)}</p>\n'
        f"{stamp}{body}\n</body>\n</html>\n"
    )


def _html(part: Part) -> str:
    words = [re.sub("`([^`]*)`", r"<code>\1</code>", escape(word)) for word in part.words]
    listed = [f"<li>{word}</li>" for word in words]
    told = f"<ul>\n{chr(10).join(listed)}\n</ul>\n" if part.is_list else "".join(f"<p>{word}</p>\n" for word in words)
    rows = ""
    if part.rows:
        head = "".join(f"<th{_right(place, part)}>{escape(name)}</th>" for place, name in enumerate(part.header))
        lines = ["<tr>" + "".join(_cells(row, part)) + "</tr>\n" for row in part.rows]
        inner = f"<thead><tr>{head}</tr></thead>\n<tbody>\n{''.join(lines)}</tbody>"
        rows = f'<div class="wide"><table>\n{inner}\n</table></div>\n'
    return f"<section>\n<h2>{escape(part.heading)}</h2>\n{told}{rows}</section>"


def _right(place: int, part: Part) -> str:
    return ' class="n"' if place in part.right else ""


def _cells(row: Sequence[str], part: Part) -> Iterator[str]:
    """The cells of a row, each with the name of its column, which a narrow screen shows before it."""
    for place, (name, text) in enumerate(zip(part.header, row)):
        kind = "n" if place in part.right else "w" if len(text) > 30 else "t"
        yield f'<td class="{kind}" data-name="{escape(name)}">{escape(text)}</td>'
