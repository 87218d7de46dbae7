"""The billing tracker: what each provider has cost this month and the last. Uses the public API of `agent_os` alone."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta

from agent_os import App, Context, Result, shown, table

from .channels import HOSTS
from .registration import register

app = App("billing_tracker", hosts=HOSTS, sections=("budget",))
register(app)


@app.task
def billing_summary(ctx: Context) -> str:
    """Cost and tokens by provider: this month so far, and last month."""
    first = date.fromisoformat(ctx.today).replace(day=1)
    before = (first - timedelta(days=1)).replace(day=1)
    results = ctx.results(since=before.isoformat(), until="9999-12-31")
    if not results:
        return "nothing is stored for this month or the last; run --task run_all first"
    text = table(("month", "provider", "days", "tokens", "cost", "", "basis"), months(results), right={2, 3, 4})
    if any(result.basis == "estimated" for result in results):
        text += "\nestimated = API-equivalent: tokens at list prices. What a provider reports may be the same traffic."
    return text


def months(results: list[Result]) -> list[tuple[str, ...]]:
    """A row for each month, provider, currency and basis; amounts of different kinds are never added together."""
    groups: dict[tuple[str, ...], list[Result]] = defaultdict(list)
    for result in results:
        groups[result.date[:7], result.provider, result.currency, result.basis].append(result)
    rows: list[tuple[str, ...]] = []
    for (month, provider, currency, basis), days in sorted(groups.items(), reverse=True):
        known = [day.cost_nano for day in days if day.cost_nano is not None]
        unpriced = sum(day.unpriced_tokens for day in days)
        missing = sum(day.cost_nano is None and not day.unpriced_tokens for day in days)
        told = f"≥ {shown(sum(known))}, {unpriced:,} tokens unpriced" if unpriced else shown(sum(known))
        tokens = f"{sum(day.tokens or 0 for day in days):,}"
        cost = f"{told} + {missing} days unknown" if missing else told
        rows.append((month, provider, str(len(days)), tokens, cost, currency, basis))
    return rows
