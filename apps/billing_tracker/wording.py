"""What an alert says: a title, one sentence, and the evidence. Pure. Channels only lay it out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent_os import shown

from .periods import Period, add_days

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .budgets import Budget
    from .evaluation import Verdict
    from .silences import Word
    from .spending import Spending
    from .spikes import Spike

MOST_DAYS = 5  # missing days that are named


def message(  # noqa: PLR0913 (the parts of a message)
    key: str, kind: str, title: str, text: str, *, facts: list[tuple[str, str]], command: str, run: str, edits: str = ""
) -> dict[str, Any]:
    """What is put into outboxes: JSON. `edits` is the id of the message that it takes the place of."""
    return {
        "id": key, "kind": kind, "title": title, "text": text, "edits": edits, "command": command,
        "facts": [list(each) for each in (*facts, ("run", run))],
    }  # fmt: skip


def about_budget(  # noqa: PLR0913 (what a message is about)
    key: str,
    budget: Budget,
    period: Period,
    verdict: Verdict,
    *,
    spending: Spending,
    today: str,
    run: str,
    unread: Sequence[str] = (),
) -> dict[str, Any]:
    """A level that is reached or expected to be, or a figure that was restated."""
    code, spent = budget.currency, shown(verdict.nano)
    amount = f"{shown(budget.nano)} {code} a {budget.period}"
    title = f"Budget {budget.name}: {verdict.level} % of {amount}"
    facts = [("spent", f"{spent} {code} ({spending.bases(budget, period)})")]
    edits = ""
    if verdict.kind == "restated":
        edits = key.partition("/restated/")[0]
        text = f"Restated: was {shown(verdict.was)} {code}, now {spent} {code}."
        title += ", restated"
    elif verdict.forecast:
        low, high, expected = (
            shown(each) for each in (verdict.forecast.low, verdict.forecast.high, verdict.forecast.nano)
        )
        title = f"Budget {budget.name}: {verdict.level} % of {amount} expected"
        text = f"The {budget.period} from {period.start} is expected to come to {expected} {code}."
        facts.append(("forecast", f"{low} to {high} {code}, from settled days"))
    else:
        text = f"{spent} {code} were spent in the {budget.period} from {period.start}."
    facts.append(("budget", f"{budget.percent(verdict.nano)} % of {amount}, {budget.scope}"))
    for number, (name, nano) in enumerate(spending.causes(budget, period), start=1):
        facts.append((f"cause {number}", f"{shown(nano)} {code}: {name or 'not told'}"))
    facts.append(("data as of", spending.as_of(period) or "never"))
    missing = _missing(spending.missing(budget, period, today=today))
    if unread:
        missing = f"all of {', '.join(unread)}, which could not be read; of the others: {missing}"
    facts.append(("days missing", missing))
    command = f"summary --by project --since {period.start} --until {period.end} --as-of {today}"
    command += f" --provider {budget.provider}" if budget.provider else ""
    return message(key, verdict.kind, title, text, facts=facts, command=command, run=run, edits=edits)


def about_spike(  # noqa: PLR0913 (what a message is about)
    key: str, day: str, spike: Spike, *, provider: str, currency: str, run: str
) -> dict[str, Any]:
    """A day that stands out."""
    word = "high" if spike.nano > spike.median else "low"
    facts = [
        ("amount", f"{shown(spike.nano)} {currency}"),
        ("median", f"{shown(spike.median)} {currency}, MAD {shown(spike.mad)}, scale {shown(spike.scale)}"),
        ("rule", spike.told),
    ]
    text = f"{provider} cost {shown(spike.nano)} {currency} on {day}; the median before is {shown(spike.median)}."
    command = f"summary --by day --since {add_days(day, -30)} --until {add_days(day, 1)}"
    return message(key, "spike", f"{provider}: {day} is unusually {word}", text, facts=facts, command=command, run=run)


def about_collector(word: Word, *, run: str) -> dict[str, Any]:
    """A collector that fails, is silent or brings zero; still does; or is well again."""
    kind, reason = word.trouble
    state = {"failed": "failed", "silent": "is silent", "zero": "brings zero"}[kind]
    title = {"began": f"Collector {word.task} {state}", "again": f"Collector {word.task} still {state}"}.get(
        word.what, f"Collector {word.task} is well again"
    )
    text = f"It was: {reason}" if word.what == "over" else reason
    facts = [("means", "costs may be missing; no alert about money follows from it")] if word.what != "over" else []
    command = f"gaps --task {word.task}"
    return message(word.id, "collector", title, text, facts=facts, command=command, run=run)


def _missing(days: Mapping[str, list[str]]) -> str:
    if not days:
        return "none"
    told = [f"{day} ({', '.join(providers)})" for day, providers in sorted(days.items())[:MOST_DAYS]]
    more = f" and {len(days) - MOST_DAYS} more" if len(days) > MOST_DAYS else ""
    return f"{len(days)}: {', '.join(told)}{more}"


def as_text(body: Mapping[str, Any]) -> str:
    """The whole message as lines, for channels without layout."""
    facts = [f"{name}: {value}" for name, value in body["facts"]]
    return "\n".join([body["text"], "", *facts, f"again: billing_tracker.pyz {body['command']}", f"alert {body['id']}"])
