"""What a provider's file is made from: a `Collector` fetches pages (I/O) and normalizes them into records (pure).

The kernel does the rest once for all: paging and its guards (`paging`), keys, retries, checks, storing.
"""

from __future__ import annotations

from .days import add_days
from .errors import AgentOSError, ConfigError, KeyRefusedError, PermanentError
from .paging import MOST_PAGES, MovedError, Tally, Totals, check, member, naming, next_page, rows_by_day

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any, Optional

    from .config import Settings
    from .days import Window
    from .http_client import HttpClient, Reply
    from .model import Batch, Page, Record
    from .store import Store

_LACKING = (403, 404)


class Collector:
    """A provider as a task. Subclasses say who they are in class attributes, and how in `fetch` and `normalize`."""

    name = ""  # in every table, lower case
    gives = ""  # what is reported, and by what: "money and tokens by model and key"
    fresh = ""  # when a day is there: "within the hour", "a day after it is over"
    needs: tuple[str, ...] = ()  # settings that hold the key; the first that is set is used; none: no key is needed
    key_help = ""  # which key it must be, where it is made, and with which rights
    settings: tuple[str, ...] = ()  # what else may be set: names, no secrets; read with `setting`
    section = ""  # of agent_os.ini, of an account: what stands there goes before the settings
    path = ""  # of an account whose log is on this machine: the folder that it reads
    base_url = ("", "")  # the setting that moves it, and where it is otherwise
    hosts: tuple[str, ...] = ()  # where the key may be sent
    bucket_fields = ("", "")  # the members of a daily bucket that hold its start and its end
    currency = "USD"  # what the provider bills in; a day without charges is zero of it
    most_days = 31  # that one request may span
    history_days: Optional[int] = None  # how far back the provider answers; None: as far as is known, for ever
    vendor = ""  # whose models it is about; what others say of the same vendor may be the same traffic
    basis = "reported"  # what kind of money it gives
    is_expected = False  # whether every run says that it is not set up; else only whoever asks is told
    tells_open_day = True  # whether it answers for a day that is not over, of which nothing is missing otherwise
    is_local = False  # whether it reads what is on this machine: without a key, without a request
    pause_seconds = 0.0  # between two requests, where so many a minute are taken
    refused: tuple[int, ...] = (401, 403)  # statuses that say: not with this key
    sums_events = False  # its rows are single events: those that agree in all but their figures are one line

    def __init__(self, settings: Settings, connect: Callable[[Collector], HttpClient]) -> None:
        self.notes: list[str] = []
        self._absent: set[str] = set()  # reports that the organization turned out not to have
        self._open_day = ""
        self._last: Optional[Reply] = None
        self._settings = settings
        self._connect = connect  # called for the first request: a run with nothing due loads no network code
        self._http: Optional[HttpClient] = None

    @property
    def task(self) -> str:
        """The name of the task that runs this collector."""
        return f"fetch_{self.name}"

    @property
    def key_name(self) -> str:
        """The setting that the key is taken from; `""` when none is set."""
        return next((name for name in self.needs if self._settings.get(name)), "")

    @property
    def disabled(self) -> str:
        """Why this collector cannot run; `""` when it can."""
        is_set = self.key_name or not self.needs
        return "" if is_set else f"disabled: {' or '.join(reversed(self.needs))} is not set"

    @property
    def found(self) -> str:
        """What it works with, where it can run."""
        return f"key from {self.key_name}"

    @property
    def key(self) -> str:
        """The key, fit for a header. Raises ConfigError (without the value) when it is not."""
        value = self._settings.get(self.key_name)
        if not value or not all("!" <= letter <= "~" for letter in value):
            raise ConfigError(
                f"{self.key_name} holds characters that no key has (a quote, a space or a line break?)",
                hint=f"copy the key again; it comes from {self._settings.find(self.key_name)[1]}",
            )
        return value

    def setting(self, name: str) -> str:
        """The value of one of `settings`, from the section of the account where it stands there; `""` when not set."""
        own = self._settings.get(f"[{self.section}] {name.lower()}") if self.section else ""
        return own or self._settings.get(name)

    def first_answered(self, today: str) -> Optional[str]:
        """The earliest day that the provider still answers for; None where it forgets nothing."""
        return None if self.history_days is None else add_days(today, -self.history_days)

    def lost_on(self, day: str) -> str:
        """The day from which on the provider no longer answers for `day`; `""` where it forgets nothing."""
        return "" if self.history_days is None else add_days(day, self.history_days + 1)

    def known(self, store: Store, span: Window, *, today: str) -> set[str]:
        """The days of the span of which nothing is missing: they were read, told of by a log, or are not over yet."""
        days = {*store.reads(self.task, span), *(store.told(self.name, span) if self.is_local else ())}
        return days if self.tells_open_day else {*days, today}

    @property
    def requests(self) -> int:
        """How many requests were sent so far, repeated ones too."""
        return self._http.requests if self._http else 0

    def evidence(self) -> dict[str, str]:
        """What to keep for whoever has to find out why an answer was refused: which one it was, and how it began."""
        last = self._last
        if last is None:
            return {}
        body = last.body[:2000].decode("utf-8", "backslashreplace")
        return {"url": last.url, "request_id": last.request_id, "body": body}

    def abort(self) -> None:
        """End, from another thread, whatever request is under way."""
        if self._http:
            self._http.abort()

    def close(self) -> None:
        """Close the connection that was kept open between requests."""
        if self._http:
            self._http.close()

    def prepare(self, ask: Callable[..., Any], *, say: Callable[[str], None], today: str) -> None:
        """Called before the first window of a run: `ask` does an operation of the run's writer, `say` shows a word."""

    def further(self, asked: Sequence[Window], *, today: str) -> Iterable[Window]:  # noqa: ARG002 (others do)
        """Windows that have to be asked for too, known only when those that were planned have been."""
        return ()

    # what a provider's file says

    def headers(self) -> Mapping[str, str]:
        """The headers that every request carries: the key, the version of the interface."""
        raise NotImplementedError

    def fetch(self, window: Window) -> Iterator[Page]:
        """Ask for everything about the window and yield each answer as it comes."""
        raise NotImplementedError

    def normalize(self, page: Page) -> Iterator[Record]:
        """The records in a page. Pure; the unit of money is settled here."""
        raise NotImplementedError

    # what the kernel does for it

    def daily_pages(
        self,
        window: Window,
        reports: Mapping[str, Sequence[str]],
        *,
        path: str,
        required: Sequence[str],
        span: Callable[[Window], list[tuple[str, str]]],
    ) -> Iterator[Page]:
        """The pages of reports in daily buckets: each report with what it is grouped by, in parts of `most_days`.

        A report that is not `required` may be one that the organization does not have.
        """
        width = [("bucket_width", "1d"), ("limit", str(self.most_days))]
        for part in window.parts(self.most_days):
            for report, groups in reports.items():
                query = [*span(part), *width, *(("group_by[]", name) for name in groups)]
                yield from self.pages(report, path + report, query, window=part, optional=report not in required)

    def pages(
        self, report: str, path: str, query: Sequence[tuple[str, str]], *, window: Window, optional: bool = False
    ) -> Iterator[Page]:
        """All pages of one report for one window of at most `most_days`, every parameter the same on each.

        Raises PermanentError when a guard breaks: a page without a successor though more is said to follow, a page
        token seen before, a day twice, a closed day missing. A report that is `optional` and that the organization
        does not have is noted instead.
        """
        from .model import Page, buckets_of

        if report in self._absent:
            return
        tokens: set[str] = set()
        seen: set[str] = set()
        page_query = list(query)
        for _ in range(MOST_PAGES):
            try:
                reply = self._request(path, page_query)
            except PermanentError as error:
                if optional and error.status in _LACKING and not seen:
                    self._absent.add(report)
                    self.notes.append(f"{report} is not available to this key (HTTP {error.status})")
                    return
                raise
            with naming(f"{self.name}: {report} for {window}"):
                buckets = buckets_of(member(reply, "data"), window, fields=self.bucket_fields)
                twice = [day for day, _ in buckets if day in seen]
                if twice:
                    raise PermanentError(f"the answer holds {twice[0]} on two pages")
                seen.update(day for day, _ in buckets)
                token = next_page(reply, tokens)
            yield Page(report, reply.url, reply.request_id, reply.seen_at, reply.body, buckets)
            if token is None:
                missing = [day for day in window if day not in seen]
                self._refuse_missing(f"{self.name}: {report} for {window}", missing)
                return
            tokens.add(token)
            page_query = [*query, ("page", token)]
        raise PermanentError(f"{self.name}: {report} for {window} has more than {MOST_PAGES} pages; it was given up")

    def row_pages(  # noqa: PLR0913 (what is asked and how it is read, all but two by name)
        self,
        report: str,
        path: str,
        query: Sequence[tuple[str, str]] = (),
        *,
        body: Optional[Mapping[str, Any]] = None,
        window: Window,
        rows: str,
        day: str,
        is_wider: bool = False,
        tally: Optional[Callable[[Any], tuple[object, object]]] = None,
    ) -> Iterator[Page]:
        """The pages of a report whose rows carry their day: about the days of `window`, those without a row included.

        `rows` and `day` name the member that holds the rows and, in each, its day. With a `body` the question is a POST
        that changes nothing. An answer that `is_wider` than the question is no fault. `tally` reads, from the answer,
        how many rows there are on all pages and whether another page follows (`page` in the body counts them); without
        it there is one page. Nothing is yielded before all pages have come and agree.
        """
        from .model import Page

        subject = f"{self.name}: {report} for {window}"
        pages: list[Page] = []
        counted = Tally()
        for number in range(1, MOST_PAGES + 1):
            asked = body if body is None or tally is None else {**body, "page": number}
            reply = self._request(path, query, body=asked)
            told = reply.url if asked is None else f"{reply.url} {dict(asked)}"
            first = self.first_answered(reply.seen_at[:10]) or ""  # midnight may have passed since the plan was made
            try:
                with naming(subject):
                    found = member(reply, rows)
                    buckets = rows_by_day(found, day, window=window, is_wider=is_wider)
                    total, more = (len(found), False) if tally is None else tally(reply.data)
                    follows = counted.add(len(found), total=total, more=more)
            except MovedError as error:
                if window.start != self._open_day:
                    raise
                self.notes.append(f"{error.message}; {window} is left for the next run")
                return
            kept = [bucket for bucket in buckets if bucket[0] >= first]
            pages.append(Page(report, told, reply.request_id, reply.seen_at, reply.body, kept))
            if not follows:
                yield from pages
                return
        raise PermanentError(f"{subject} has more than {MOST_PAGES} pages; it was given up")

    def split(self, window: Window) -> tuple[list[Window], list[Window]]:
        """The days of a window that are over, and the open one, which providers treat apart; none or one each."""
        from .days import Window

        over, rest = min(self._open_day, window.end), max(self._open_day, window.start)
        return (
            [Window(window.start, over)] if window.start < over else [],
            [Window(rest, window.end)] if rest < window.end else [],
        )

    def collect(self, window: Window, *, open_day: str) -> Batch:
        """Fetch and normalize a window, all of it, and check it as a whole. Nothing is stored here.

        `open_day` is the one day that may be left out of the answers: it was not over when the asking began.
        """
        from .model import Batch

        self.notes, self._absent, self._open_day = [], set(), open_day
        pages: list[Page] = []
        records: list[Record] = []
        totals = Totals()
        answered: dict[str, set[str]] = {}
        for page in self.fetch(window):
            answered.setdefault(page.report, set()).update(day for day, _ in page.buckets)
            with naming(self.name):
                if self.sums_events:
                    totals.add(self.normalize(page))
                else:
                    records.extend(self.normalize(page))
            pages.append(page._replace(buckets=()))  # the bytes are kept, what was parsed from them is not
        for report in self._absent:  # also one that answered a part of the window before it was refused
            answered.pop(report, None)
        if not answered:
            raise PermanentError(f"{self.name} answered nothing for {window}")
        days = [day for day in window if all(day in known for known in answered.values())]
        held, records = set(days), records + totals.records()
        records = [record for record in records if record.date in held and record.report in answered]
        check(self.name, records)
        self._note_foreign(records)
        return Batch(
            provider=self.name,
            task=self.task,
            window=window,
            days=days,
            reports=set(answered),
            observed_at=min(page.seen_at for page in pages),
            records=records,
            pages=pages,
            currency=self.currency,
            notes=list(self.notes),
        )

    def _note_foreign(self, records: Iterable[Record]) -> None:
        """Say which currencies there are that a headline does not show."""
        foreign = sorted({record.currency for record in records if record.currency} - {self.currency})
        if foreign:
            self.notes.append(f"amounts in {', '.join(foreign)} are kept apart from {self.currency}")

    def _refuse_missing(self, subject: str, missing: Sequence[str]) -> None:
        """A day that is over must be answered, if only with nothing."""
        over = [day for day in missing if day != self._open_day]
        if over:
            raise PermanentError(
                f"{subject}: the answer leaves out {over[0]}" + (f" and {len(over) - 1} more days" if over[1:] else ""),
                hint="a missing day is not taken for a day without charges; the next run asks again",
            )

    def _request(
        self, path: str, query: Sequence[tuple[str, str]] = (), *, body: Optional[Mapping[str, Any]] = None
    ) -> Reply:
        """One request: a GET, or with a body a POST that only asks. A refused key becomes a sentence about keys."""
        if self._http is None:
            self._http = self._connect(self)
        elif self.pause_seconds:
            self._http.rest(self.pause_seconds)
        setting, default = self.base_url
        url = (self._settings.get(setting) or default).rstrip("/") + path
        try:
            if body is None:
                reply = self._last = self._http.get(url, query=query, headers=self.headers())
            else:
                reply = self._last = self._http.ask(url, json=dict(body), headers=self.headers())
        except AgentOSError as error:
            error.hint = error.hint.replace("the base URL setting", setting)
            if not isinstance(error, PermanentError) or error.status not in self.refused:
                raise
            raise KeyRefusedError(
                f"{self.name} refused the key in {self.key_name} ({error.message})",
                hint=f"it needs {self.key_help}",
                status=error.status,
            ) from error
        return reply
