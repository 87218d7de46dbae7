"""`billing_summary`, `daily_report`: this month so far, the last one, a forecast of this one, and what is missing."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from textwrap import wrap
from typing import TYPE_CHECKING

from agent_os import shown, table

from .forecast import METHOD, NONE, forecast, month_of
from .spans import counted, days_in, in_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent_os import Context, Result

    Kind = tuple[str, str, str]  # provider, basis, currency

WIDTH = 80
MOST_RUNS = 1000
FETCH = "fetch_"  # + provider: its collector
OLD = "Its figures are those of the last reading."
NONE_YET = "Nothing of it is stored for these months: what it has cost is in no figure here."
EMPTY = "nothing is stored for this month or the last: `--task run_all` collects, `providers` says from where"
ESTIMATES = (
    "estimated = API-equivalent: tokens at list prices. What a provider reports may be the same traffic: the two are"
    " never added."
)


def billing_summary(ctx: Context) -> str:
    """Both months, the forecast of this one, and what has to be known of the figures."""
    first, _ = month_of(ctx.today)
    before, _ = month_of(_yesterday(first))
    results = _stored(ctx)
    if not results:
        return EMPTY
    providers = sorted({each.provider for each in results} | unread(ctx, results))
    parts = [
        month(
            results, providers, since=first, until=ctx.today, title=f"{first[:7]} so far (UTC days; today is not over)"
        ),
        month(results, providers, since=before, until=first, title=before[:7]),
        outlook(results, today=ctx.today),
        "\n".join(notes(results, providers, since=before, until=ctx.today)),
    ]
    return "\n\n".join(filter(None, parts))


def unread(ctx: Context, results: Sequence[Result]) -> set[str]:
    """The providers whose last run has failed, and of which nothing is in the results: unknown, not nothing."""
    newest: dict[str, str] = {}
    for run in ctx.runs(limit=MOST_RUNS):  # the newest first
        if run.task.startswith(FETCH) and run.status in ("success", "failed"):
            newest.setdefault(run.task[len(FETCH) :], run.status)
    return {name for name, status in newest.items() if status == "failed"} - {each.provider for each in results}


def daily_report(ctx: Context) -> str:
    """What failed, then the summary, then what the other tasks that came before have said."""
    known = {each.provider for each in _stored(ctx)}
    failed = []
    for task, why in sorted(ctx.failed.items()):
        provider = task[len(FETCH) :] if task.startswith(FETCH) else ""
        old = f". {OLD if provider in known else NONE_YET}" if provider else ""
        failed.append(paragraph(f"failed: {provider or task}: {why}{old}"))
    said = [
        text for name, text in sorted(ctx.outputs.items()) if isinstance(text, str) and text and name not in ctx.failed
    ]
    return "\n\n".join([f"Daily report of {ctx.today}", *failed, billing_summary(ctx), *said])


def month(results: Sequence[Result], providers: Sequence[str], *, since: str, until: str, title: str) -> str:
    """A row for each provider, basis and currency; days are those that are over. `until` is not over, or not in it."""
    mine = [each for each in results if since[:7] == each.date[:7]]
    groups: dict[Kind, list[Result]] = defaultdict(list)
    for each in mine:
        groups[_kind(each)].append(each)
    over = len(list(days_in(since, until)))
    rows = [
        (
            cut(kind[0], 24), f"{sum(day.date < until for day in days)}/{over}", _tokens(days), _cost(days), kind[2],
            kind[1],
        )
        for kind, days in sorted(groups.items())
    ]  # fmt: skip
    silent = set(providers) - {each.provider for each in mine}
    rows += [(cut(name, 24), f"0/{over}", "unknown", "unknown", "", "") for name in sorted(silent)]
    return f"{title}\n" + table(("provider", "days", "tokens", "cost", "", "basis"), sorted(rows), right={1, 2, 3})


def outlook(results: Sequence[Result], *, today: str) -> str:
    """The forecast of each provider, basis and currency, or that there is none."""
    month_now = today[:7]
    costs: dict[Kind, dict[str, int]] = defaultdict(dict)
    floors: dict[Kind, int] = defaultdict(int)
    for each in results:
        if each.cost_nano is None:
            continue
        if each.date[:7] == month_now:
            floors[_kind(each)] += each.cost_nano
        if each.day_status != "open" and not each.unpriced_tokens:
            costs[_kind(each)][each.date] = each.cost_nano
    rows: list[tuple[str, ...]] = []
    for kind in sorted({*costs, *floors}):
        found = forecast(costs[kind], today=today, floor=floors[kind])
        told = (shown(found.low), shown(found.high), f"{found.left} left") if found else ("no forecast", "", "")
        rows.append((cut(kind[0], 24), *told, kind[2], kind[1]))
    if not rows:
        return ""
    header = ("provider", "from", "to", "days", "", "basis")
    body = table(header, rows, right={1, 2, 3})
    why = [paragraph(NONE)] if any(row[1] == "no forecast" for row in rows) else []
    return "\n".join([f"{month_now} in full, forecast", body, *why, paragraph(METHOD)])


def notes(results: Sequence[Result], providers: Sequence[str], *, since: str, until: str) -> list[str]:
    """What is missing, what may change, what has no price, and what must not be added."""
    missing, unknown, unpriced = [], [], []
    for provider in providers:
        mine = [each for each in results if each.provider == provider]
        known = {each.date for each in mine}
        absent = [day for day in days_in(since, until) if day not in known]
        silent = [each.date for each in mine if each.cost_nano is None and not each.unpriced_tokens]
        tokens = sum(each.unpriced_tokens for each in mine)
        missing += [f"missing: {provider} {in_words(absent)}; `gaps` says why"] if absent else []
        unknown += [f"cost unknown: {provider} {in_words(silent)}"] if silent else []
        unpriced += [f"unpriced: {provider} {tokens:,} tokens; `prices check` says of which models"] if tokens else []
    lines = [*missing, *unknown, *unpriced]
    provisional = {
        provider: sum(each.provider == provider and each.day_status == "provisional" for each in results)
        for provider in providers
    }
    told = ", ".join(f"{provider} {counted(count, 'day')}" for provider, count in provisional.items() if count)
    if told:
        lines.append(f"provisional, may still be restated: {told}")
    if any(each.basis == "estimated" for each in results):
        lines.append(ESTIMATES)
    return [paragraph(line) for line in lines]


def paragraph(text: str) -> str:
    """Text in lines of at most 80 columns."""
    return "\n".join(wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False))


def cut(text: str, width: int) -> str:
    """A name in at most so many characters: what is too long loses its middle."""
    if len(text) <= width:
        return text
    tail = (width - 2) // 2
    return f"{text[: width - 2 - tail]}..{text[len(text) - tail :]}" if width > 4 else text[:width]


def _stored(ctx: Context) -> list[Result]:
    """What is stored of this month and the last."""
    before, _ = month_of(_yesterday(month_of(ctx.today)[0]))
    return [each for each in ctx.results(since=before, until="9999-12-31") if each.date <= ctx.today]


def _kind(result: Result) -> Kind:
    return result.provider, result.basis, result.currency


def _tokens(days: Sequence[Result]) -> str:
    known = [day.tokens for day in days if day.tokens is not None]
    return f"{sum(known):,}" if known else "not told"


def _cost(days: Sequence[Result]) -> str:
    known = [day.cost_nano for day in days if day.cost_nano is not None]
    if any(day.unpriced_tokens for day in days):
        return f"≥ {shown(sum(known))}" if known else "unpriced"
    is_partial = len(known) < len(days)
    return f"{'≥ ' if is_partial else ''}{shown(sum(known))}" if known else "unknown"


def _yesterday(day: str) -> str:
    return (date.fromisoformat(day) - timedelta(days=1)).isoformat()
