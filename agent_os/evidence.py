"""The part of an open home that tells where its lines come from: days, batches and pages, the newest link."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager
    from datetime import date
    from typing import Optional, Union

    from .arguments import Arguments
    from .core.batch_store import KnownDay, StoredBatch
    from .core.estimates import Estimate
    from .core.home import Home
    from .core.line_store import Line, Sum
    from .core.plan import Setup

    Day = Union[str, date, None]

END_OF_TIME = "9999-12-31"


class Evidence:
    """What `OpenHome` answers about origins. `as_of` is, in all of them, a UTC day or an instant as it is stored."""

    if TYPE_CHECKING:

        def _opened(
            self, *, since: Day = None, until: Day = None
        ) -> AbstractContextManager[tuple[Arguments, Home]]: ...

        def _setup(self, home: Home, *, jobs: int = 0) -> Setup: ...

    def batches(
        self, *, since: Day = None, until: Day = None, provider: str = "", as_of: Optional[str] = None
    ) -> Iterator[StoredBatch]:
        """Those that brought the lines of the days in [since, until), oldest first: run, pages and their SHA-256.

        Raises ConfigError where there is no database yet.
        """
        from .core.batch_store import BatchStore

        with self._opened(since=since, until=until) as (args, home):
            first, end = args.days()
            span = {"since": first or "", "until": end or END_OF_TIME, "provider": provider}
            yield from BatchStore(home.store().db).batches(**span, as_of=instant_of(as_of))

    def days(
        self, *, since: Day = None, until: Day = None, provider: str = "", as_of: Optional[str] = None
    ) -> list[KnownDay]:
        """The days in [since, until) that are stored, and what is known of each; those that were asked for in vain.

        A day of which nobody ever asked is absent. Raises ConfigError where there is no database yet.
        """
        from .core.batch_store import BatchStore

        with self._opened(since=since, until=until) as (args, home):
            first, end = args.days()
            span = {"since": first or "", "until": end or END_OF_TIME, "provider": provider}
            return BatchStore(home.store().db).days(**span, as_of=instant_of(as_of))

    def footnotes(self, providers: Iterable[str]) -> list[str]:
        """What has to be said where figures of these providers stand side by side: estimates, and the same traffic."""
        from .commands.report import beside

        with self._opened() as (_, home):
            return beside([each for each in self._setup(home).collectors.values() if each.name in set(providers)])

    def chain_head(self, as_of: Optional[str] = None) -> str:
        """The link of the newest batch: all that was stored before it follows from it. "" where there is none."""
        from .core.batch_store import BatchStore

        with self._opened() as (_, home):
            return BatchStore(home.store().db).head(instant_of(as_of))

    def lines(
        self,
        *,
        since: Day = None,
        until: Day = None,
        provider: str = "",
        as_of: Optional[str] = None,
        kind: str = "",
    ) -> Iterator[Line]:
        """The lines behind the headlines, by day and provider, read while they are taken: a million needs no memory.

        `as_of` asks for what was known at the end of a UTC day ("2026-10-05"), or at an instant as it is stored; `kind`
        for "cost" or "usage" alone. Lines of two bases or currencies must not be added. Raises ConfigError where there
        is no database yet.
        """
        from .core.line_store import LineStore

        with self._opened(since=since, until=until) as (args, home):
            first, end = args.days()
            store = LineStore(home.store().db)
            span = {"since": first or "", "until": end or END_OF_TIME, "provider": provider}
            yield from store.lines(**span, as_of=instant_of(as_of), kind=kind)

    def sums(
        self,
        *by: str,
        since: Day = None,
        until: Day = None,
        provider: str = "",
        as_of: Optional[str] = None,
    ) -> list[Sum]:
        """What the lines come to, by "day", "week", "month", "provider", "project", "model", "line", "key", ...

        Apart by basis and currency, as a `Sum` says. Raises UsageError for what lines cannot be added up by.
        """
        from .core.line_store import LineStore

        with self._opened(since=since, until=until) as (args, home):
            first, end = args.days()
            store = LineStore(home.store().db)
            span = {"since": first or "", "until": end or END_OF_TIME, "provider": provider}
            return store.sums(by, **span, as_of=instant_of(as_of))

    def estimates(self, *, since: Day = None, until: Day = None, provider: str = "") -> Iterator[Estimate]:
        """Each line of usage with what it would cost by the price book, whoever has reported it."""
        from .core.estimates import estimates_of

        with self._opened(since=since, until=until) as (args, home):
            first, end = args.days()
            span = {"since": first or "", "until": end or END_OF_TIME, "provider": provider}
            yield from estimates_of(home, self._setup(home).collectors.values(), **span)


def instant_of(as_of: Optional[str]) -> str:
    """The instant that is asked about: the last of a day. Raises UsageError for what is neither a day nor one."""
    from .core.clock import from_iso
    from .core.days import parse_day
    from .core.errors import UsageError

    if not as_of:
        return ""
    try:
        if len(as_of) == 10:
            return f"{parse_day(as_of)}T23:59:59.999Z"
        from_iso(as_of)
    except ValueError as error:
        raise UsageError(f"{as_of[:40]!r} is neither a day nor an instant", hint="write it as 2026-10-05") from error
    return as_of
