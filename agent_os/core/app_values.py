"""What apps are handed: stored headlines, messages to send, what a cost limit is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .chronicle import Run
    from .home import Home
    from .line_store import Sum


class Result(NamedTuple):
    """The headline of one provider's day. `cost_nano`: 10^-9 of `currency`; None and unknown are the same thing.

    `unpriced_tokens`: those of an estimate that no price is known for; then the cost is at least `cost_nano`.
    """

    date: str
    provider: str
    tokens: Optional[int]
    cost_nano: Optional[int]
    currency: str
    basis: str
    day_status: str
    updated_at: str
    unpriced_tokens: int = 0


def results_of(home: Home, *, since: str, until: str) -> list[Result]:
    """The headlines of a span of days, oldest first, read in a connection of their own: in any thread."""
    with home.reading() as store:
        return [Result(*row) for row in store.results(since=since, until=until)]


def sums_of(home: Home, by: Sequence[str], *, since: str, until: str, provider: str) -> list[Sum]:
    """What the lines of a span of days come to, read as `results_of` reads."""
    from .line_store import LineStore

    with home.reading() as store:
        return LineStore(store.db).sums(by, since=since, until=until, provider=provider)


def runs_of(home: Home, *, task: str, since: str, most: int) -> list[Run]:
    """The newest runs first, read as `results_of` reads."""
    from .chronicle import Chronicle

    with home.reading() as store:
        return Chronicle(store.db).runs(task=task, since=since, most=most)


class Message(NamedTuple):
    """What waits in an outbox. `key` names it for ever: hand it on as idempotency key where one is taken."""

    key: str
    body: Any
    attempt: int


class Ask(NamedTuple):
    """What a cost limit is asked before a run begins. Amounts are whole numbers of the limit's own unit."""

    task: str
    slot: str
    wanted: int  # what this run would reserve
    reserved: int  # what runs that are not over have reserved
    spent: Callable[..., int]  # spent(since="2026-11-01"): what ended runs have spent since a day, or ever
    results: Callable[..., list[Result]]  # results(since=…, until=…): the headlines that are stored
    sums: Callable[..., list[Sum]]  # sums("day", "project", since=…, until=…): what the lines come to
    today: str  # the UTC day
