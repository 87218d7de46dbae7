"""The truth behind the sandbox: what each provider's organisation did and was charged, day by day, and its changes.

Pure data: a day follows from the seed and its date alone, so any day of any year can be asked for.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import partial
from typing import Callable, Optional

from . import invent_anthropic, invent_cursor, invent_github, invent_openai, invent_openrouter
from .day import CostLine, Day, Traffic, day_of, midnight

# What makes two pieces of cost one line of the report: the finest grouping that is always allowed.
LINE_KEYS = {
    "openai": ("project_id", "line_item"),
    "anthropic": ("workspace_id", "description"),
    "openrouter": ("endpoint_id", "model"),
    "cursor": ("event", "kind"),
    "github": ("item", "sku"),
}
_MODULES = {
    "openai": invent_openai,
    "anthropic": invent_anthropic,
    "openrouter": invent_openrouter,
    "cursor": invent_cursor,
    "github": invent_github,
}

_Change = Callable[[Day], Day]


class Ledger:
    """Every day of all providers up to today, and the changes that were made to some of them."""

    def __init__(self, seed: int, today: str) -> None:
        self.seed = seed
        self.today = today
        self._changes: dict[tuple[str, str], list[_Change]] = {}
        self._days: dict[tuple[str, str], Day] = {}
        self._lock = threading.Lock()
        self._grown = 0

    def day(self, provider: str, day: str) -> Day:
        """What the provider reports for that UTC day now. Days after today are empty."""
        if day > self.today:
            return Day()
        with self._lock:
            if (provider, day) not in self._days:
                result = _MODULES[provider].invent(self.seed, day)
                for change in self._changes.get((provider, day), ()):
                    result = change(result)
                self._days[provider, day] = result
            return self._days[provider, day]

    def traffic(self, provider: str, report: str, span: tuple[int, int]) -> list[Traffic]:
        """What one report shows of a span `(start, seconds)` in Unix time that lies within one UTC day."""
        start, seconds = span
        day = day_of(start)
        first = start - midnight(day)
        bursts = self.day(provider, day).traffic
        return [b for b in bursts if b.report == report and first <= b.minute * 60 < first + seconds]

    def truth(self, provider: str, day: str) -> tuple[int, int]:
        """The day's `(tokens, cost in 10⁻⁹ USD)`, each cost line rounded half-even for itself."""
        known = self.day(provider, day)
        return known.tokens(), known.nano(LINE_KEYS[provider])

    def set_today(self, day: str) -> None:
        """Move the present; days that were in the future appear."""
        self.today = day

    def grow_today(self) -> None:
        """An hour later: today has more traffic and more cost at every provider, even where it was empty."""
        self._grown += 1
        for provider, module in _MODULES.items():
            more = module.more(self.seed, self.today, self._grown)
            self._change(provider, self.today, partial(Day.and_also, other=more))

    def restate(self, provider: str, day: str, *, factor: str = "1", amount: Optional[str] = None) -> None:
        """Tokens and cost become `factor` (decimal text) times theirs; then the largest line costs `amount` USD."""
        self._change(provider, day, lambda known: known.scaled(factor))
        if amount is not None:
            price = amount
            self._change_largest(provider, day, lambda pieces: [replace(pieces[0], amount=price)])

    def drop_line(self, provider: str, day: str) -> str:
        """The provider takes the day's largest cost line back; returns the line's name. ValueError: there is none."""
        name = self._largest_name(provider, day)
        self._change_largest(provider, day, lambda _: [])
        return name

    def rename_line(self, provider: str, day: str) -> tuple[str, str]:
        """The day's largest cost line keeps its amount under another name; returns `(old, new)`. ValueError: none."""
        old = self._largest_name(provider, day)
        name = {LINE_KEYS[provider][1]: f"{old} (renamed)"}
        self._change_largest(
            provider, day, lambda pieces: [replace(line, dimensions={**line.dimensions, **name}) for line in pieces]
        )
        return old, f"{old} (renamed)"

    def empty(self, provider: str, day: str) -> None:
        """The day turns out to have had nothing at all."""
        self._change(provider, day, lambda _: Day())

    def _largest_name(self, provider: str, day: str) -> str:
        keys = LINE_KEYS[provider]
        return str(self.day(provider, day).largest(keys)[0].dimensions[keys[1]])

    def _change_largest(self, provider: str, day: str, change: Callable[[list[CostLine]], list[CostLine]]) -> None:
        keys = LINE_KEYS[provider]
        self.day(provider, day).largest(keys)  # refuses now what could not be replayed later
        self._change(provider, day, lambda known: known.with_largest(keys, change))

    def _change(self, provider: str, day: str, change: _Change) -> None:
        with self._lock:
            self._changes.setdefault((provider, day), []).append(change)
            self._days.pop((provider, day), None)
