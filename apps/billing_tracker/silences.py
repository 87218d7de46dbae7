"""Collectors that fail, fall silent, or bring zero: worth a message of their own, and never one about cost. Pure.

One message when it begins, one reminder in 24 hours at most, one when it is over.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from .periods import add_days

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent_os import Result

REMIND_AFTER = timedelta(hours=24)
SILENT_AFTER = 2  # days: the newest day of a provider is older
BUSY_DAYS = 7  # days with cost before a zero that make it one to tell
RECENT_DAYS = 30  # a provider that has been gone for longer is not missed


class Trouble(NamedTuple):
    """What is wrong with a collector."""

    kind: str  # failed, silent, zero
    reason: str


class Word(NamedTuple):
    """What there is to say of a collector: it `began`, it still is (`again`), it is `over`."""

    task: str
    what: str
    trouble: Trouble
    id: str


def trouble_of(
    failure: str, days: Sequence[Result], *, provider: str, today: str, skipped: str = ""
) -> Optional[Trouble]:
    """What is wrong, from why the newest run failed ("": it did not) or was skipped, and the provider's headlines."""
    if failure:
        return Trouble("failed", failure)
    own = [day for day in days if day.basis != "imported" and day.date <= today]
    if not own:
        return None
    newest, oldest = own[-1].date, add_days(today, -RECENT_DAYS)
    if oldest <= newest < add_days(today, -SILENT_AFTER):
        why = f" ({skipped})" if skipped else ""
        return Trouble("silent", f"nothing of {provider} is known after {newest}{why}")
    settled = [day for day in own if day.date <= add_days(today, -SILENT_AFTER) and day.basis == "reported"]
    before, latest = settled[-1 - BUSY_DAYS : -1], settled[-1:]
    is_busy = len(before) == BUSY_DAYS and all(day.cost_nano for day in before)
    if latest and latest[0].cost_nano == 0 and is_busy:
        return Trouble("zero", f"{provider} reports 0 for {latest[0].date}, after {BUSY_DAYS} days with cost")
    return None


def told_of(
    troubles: Mapping[str, Optional[Trouble]], state: Mapping[str, Mapping[str, Any]], *, now: str, is_first: bool
) -> tuple[list[Word], dict[str, Optional[dict[str, Any]]]]:
    """What there is to say of each collector, and what has changed of what is kept of it (None: nothing any more).

    Where nothing was ever evaluated (`is_first`), what is silent or zero is the past: it is kept, and not told.
    """
    words: list[Word] = []
    changes: dict[str, Optional[dict[str, Any]]] = {}
    for task, trouble in sorted(troubles.items()):
        kept = state.get(task)
        if trouble is None:
            if kept:
                changes[task] = None
                if kept["told_at"]:
                    words.append(_word(task, "over", Trouble(kept["kind"], kept["reason"]), kept, "recovered"))
            continue
        if kept is None or kept["kind"] != trouble.kind:
            is_quiet = is_first and trouble.kind != "failed"
            fresh = {"kind": trouble.kind, "since": now, "told_at": "" if is_quiet else now, "count": 0}
            changes[task] = {**fresh, "reason": trouble.reason}
            if not is_quiet:
                words.append(_word(task, "began", trouble, fresh, "began"))
        elif kept["told_at"] and _instant(now) - _instant(kept["told_at"]) >= REMIND_AFTER:
            count = kept["count"] + 1
            changes[task] = {**kept, "told_at": now, "count": count, "reason": trouble.reason}
            words.append(_word(task, "again", trouble, kept, f"reminder/{count}"))
    return words, changes


def _word(task: str, what: str, trouble: Trouble, kept: Mapping[str, Any], end: str) -> Word:
    return Word(task, what, trouble, f"collector/{task}/{trouble.kind}/{kept['since']}/{end}")


def _instant(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%f%z")
