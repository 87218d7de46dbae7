"""What a run tells at its end: a table of what came of each collector, a line for each other run, or JSON."""

from __future__ import annotations

import sys

from . import emit, emit_foreign, emit_json, emit_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ..arguments import Arguments
    from ..core.collector import Collector
    from ..core.plan import Unit

MOST_LINES = 30  # of runs that are told one by one


def report(args: Arguments, units: Sequence[Unit]) -> None:
    """The end of a run, for people or for programs."""
    if args.json:
        emit_json({"outcomes": [as_json(unit) for unit in units]})
    elif not args.quiet:
        show(units)


def as_json(unit: Unit) -> dict[str, Any]:
    """What came of one run; money as exact decimal text, apart by basis and currency."""
    from ..core.money import decimal_text

    common = {
        "task": unit.task.name,
        "status": unit.status,
        "run": unit.run_id or None,
        "slot": unit.key or None,
        "seconds": round(unit.seconds, 3),
        "attempts": unit.attempt,
        "reason": unit.error if unit.status == "skipped" else None,
        "error": unit.error if unit.status == "failed" else None,
        "hint": unit.hint or None,
    }
    if unit.collector is None:
        return {**common, "output": unit.value, "notes": unit.notes}
    return {
        "provider": unit.provider,
        **common,
        "since": unit.span.start if unit.span else None,
        "until": unit.span.end if unit.span else None,
        "days_new": len(unit.new_days),
        "days_restated": len(unit.restated_days),
        "restated": unit.restated_days,
        "days_missing": unit.missing_days,
        "tokens": unit.tokens,
        "unpriced_tokens": unit.unpriced,
        "basis": unit.collector.basis,
        "money": [{"basis": basis, "currency": code, "amount": decimal_text(nano)} for basis, code, nano in unit.money],
        "requests": unit.requests,
        "notes": unit.notes,
    }


def show(units: Sequence[Unit]) -> None:
    """What a person wants to know of a run."""
    collectors = [unit for unit in units if unit.collector]
    others = [unit for unit in units if not unit.collector and (unit.is_target or unit.dues)]
    shown = [unit for unit in others if unit.is_target and unit.status == "success"]
    if len(shown) == len(others) == 1:
        if collectors:
            show_collectors(collectors)
        show_value(shown[0])
        show_notes(others)
        return
    if collectors:
        show_collectors(collectors)
    if others:
        show_runs(others)
    if len(shown) == 1:
        show_value(shown[0])
    show_notes(others)


def show_notes(units: Sequence[Unit]) -> None:
    """What is odd about runs that succeeded."""
    for unit in units[:MOST_LINES]:
        for note in unit.notes:
            emit(f"{unit.label}: {note}")


def show_value(unit: Unit) -> None:
    """What a task has to say: what it printed, and the text that it returns."""
    if unit.output:
        emit_foreign(unit.output.rstrip("\n"))
    is_text = isinstance(unit.value, str) and bool(unit.value)
    if is_text and unit.task.kind == "function":
        emit_foreign(unit.value)
    if not unit.output and not is_text and sys.stderr:
        from ..core.text import span

        emit(f"{unit.label}: {unit.status} in {span(unit.seconds)}")


def show_runs(units: Sequence[Unit]) -> None:
    """A line a run; of very many, those that did not succeed, and a count."""
    from ..core.text import plural, span

    told = units if len(units) <= MOST_LINES else [unit for unit in units if unit.status != "success"][:MOST_LINES]
    rows = [
        (unit.task.name, unit.key, unit.status, span(unit.seconds) if unit.attempt else "", unit.error) for unit in told
    ]
    if rows:
        emit_table(("task", "slot", "result", "time", "what was said"), rows)
    if len(told) < len(units):
        counts = {status: sum(unit.status == status for unit in units) for status in ("success", "failed", "skipped")}
        emit(f"{plural(len(units), 'run')}: " + ", ".join(f"{n} {status}" for status, n in counts.items() if n))


def show_collectors(units: Sequence[Unit]) -> None:
    """A line a provider; those that are not set up are named in one line, if any other is there."""
    from ..core.text import span, thousands

    absent = [unit for unit in units if unit.disabled]
    units = [unit for unit in units if not unit.disabled] or units

    header = ("provider", "result", "days new", "restated", "missing", "tokens", "cost", "time")
    rows: list[tuple[str, ...]] = []
    for unit in sorted(units, key=lambda unit: unit.provider):
        if unit.span is None:
            rows.append((unit.provider, "disabled", "", "", "", "", "", ""))
            continue
        days = [str(len(unit.new_days)), str(len(unit.restated_days)), str(unit.missing_days)]
        figures = [thousands(unit.tokens or 0), money_text(unit.money, unit.unpriced)]
        took = "no request" if unit.status == "skipped" else span(unit.seconds)
        rows.append((unit.provider, unit.status, *days, *figures, took))
    emit_table(header, rows, right={2, 3, 4, 5, 6})
    spans = sorted({str(unit.span) for unit in units if unit.span})
    if len(spans) == 1:
        emit(f"{spans[0]}, UTC days; the last days may still change.")
    for unit in units:
        if unit.status == "skipped":
            emit(f"{unit.provider}: {unit.error}")
    if absent and units[0] not in absent:
        emit(f"not set up: {', '.join(sorted(unit.provider for unit in absent))} (`providers` tells how)")
    for line in remarks(units):
        emit(line)


def remarks(units: Sequence[Unit]) -> list[str]:
    """What has to be known of the figures: what was passed over, what estimates are, and where there is more."""
    ordered = sorted(units, key=lambda unit: unit.provider)
    lines = [f"{unit.provider}: {note}" for unit in ordered for note in unit.notes]
    lines += beside([unit.collector for unit in units if unit.span and unit.collector])
    if any(unit.new_days and unit.collector and unit.collector.is_local for unit in units):
        lines.append("`results` has every day; `results --by model,project` adds up by model and project.")
    return lines


def money_text(money: Sequence[tuple[str, str, int]], unpriced: int = 0) -> str:
    """Amounts side by side, never added: "123.45 USD reported"; "-" when there is none.

    An estimate that lacks prices is a lower bound: "≥ 1.20 USD estimated, 3,000 tokens unpriced".
    """
    from ..core.money import at_least
    from ..core.text import thousands

    told = [f"{at_least(nano, unpriced if basis == 'estimated' else 0)} {code} {basis}" for basis, code, nano in money]
    return ", ".join([*told, f"{thousands(unpriced)} tokens unpriced"] if unpriced else told) or "-"


def beside(collectors: Sequence[Collector]) -> list[str]:
    """What has to be known of estimates that stand beside figures that a provider reports."""
    reported: dict[str, list[str]] = {}
    for each in collectors:
        if each.basis == "reported":
            reported.setdefault(each.vendor, []).append(each.name)
    estimates = sorted((each for each in collectors if each.basis == "estimated"), key=lambda each: str(each.name))
    lines = [
        f"{each.name} and {' or '.join(sorted(reported[each.vendor]))} may see the same traffic: they stand side by"
        " side, never added."
        for each in estimates
        if each.vendor in reported
    ]
    if estimates:
        lines.insert(0, "estimated = API-equivalent: tokens at list prices; a subscription is not billed by them.")
    return lines
