"""What a provider's file is made from: a `Collector` fetches pages (I/O) and normalizes them into records (pure).

The kernel does the rest once for all: paging and its guards, keys, retries, checks, storing.
"""

from __future__ import annotations

from .days import add_days
from .errors import AgentOSError, ConfigError, KeyRefusedError, PermanentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import Any, Optional

    from .config import Settings
    from .days import Window
    from .http_client import HttpClient, Reply
    from .model import Batch, Page, Record

MOST_PAGES = 1000  # of one report and window; a provider that needs more is turning in circles
_REFUSED = (401, 403)
_LACKING = (403, 404)


class Collector:
    """A provider as a task. Subclasses say who they are in class attributes, and how in `fetch` and `normalize`."""

    name = ""  # in every table, lower case
    needs: tuple[str, ...] = ()  # settings that hold the key; the first that is set is used
    key_help = ""  # which key it must be, where it is made, and with which rights
    base_url = ("", "")  # the setting that moves it, and where it is otherwise
    hosts: tuple[str, ...] = ()  # where the key may be sent
    bucket_fields = ("", "")  # the members of a daily bucket that hold its start and its end
    currency = "USD"  # what the provider bills in; a day without charges is zero of it
    most_days = 31  # that one request may span
    history_days: Optional[int] = None  # how far back the provider answers; None: as far as is known, for ever
    vendor = ""  # whose models it is about; what others say of the same vendor may be the same traffic
    basis = "reported"  # what kind of money it gives
    is_expected = False  # whether every run says that it is not set up; else only whoever asks is told
    is_local = False  # whether it reads what is on this machine: without a key, without a request

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
        return "" if self.key_name else f"disabled: {' or '.join(reversed(self.needs))} is not set"

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

    def first_answered(self, today: str) -> Optional[str]:
        """The earliest day that the provider still answers for; None where it forgets nothing."""
        return None if self.history_days is None else add_days(today, -self.history_days)

    def lost_on(self, day: str) -> str:
        """The day from which on the provider no longer answers for `day`; `""` where it forgets nothing."""
        return "" if self.history_days is None else add_days(day, self.history_days + 1)

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
                reply = self._get(path, page_query)
            except PermanentError as error:
                if optional and error.status in _LACKING and not seen:
                    self._absent.add(report)
                    self.notes.append(f"{report} is not available to this key (HTTP {error.status})")
                    return
                raise
            with _naming(f"{self.name}: {report} for {window}"):
                buckets = buckets_of(_member(reply, "data"), window, fields=self.bucket_fields)
                twice = [day for day, _ in buckets if day in seen]
                if twice:
                    raise PermanentError(f"the answer holds {twice[0]} on two pages")
                seen.update(day for day, _ in buckets)
                token = _next_page(reply, tokens)
            yield Page(report, reply.url, reply.request_id, reply.seen_at, reply.body, buckets)
            if token is None:
                missing = [day for day in window if day not in seen]
                self._refuse_missing(f"{self.name}: {report} for {window}", missing)
                return
            tokens.add(token)
            page_query = [*query, ("page", token)]
        raise PermanentError(f"{self.name}: {report} for {window} has more than {MOST_PAGES} pages; it was given up")

    def collect(self, window: Window, *, open_day: str) -> Batch:
        """Fetch and normalize a window, all of it, and check it as a whole. Nothing is stored here.

        `open_day` is the one day that may be left out of the answers: it was not over when the asking began.
        """
        from .model import Batch

        self.notes, self._absent, self._open_day = [], set(), open_day
        pages: list[Page] = []
        records: list[Record] = []
        answered: dict[str, set[str]] = {}
        for page in self.fetch(window):
            answered.setdefault(page.report, set()).update(day for day, _ in page.buckets)
            with _naming(self.name):
                records.extend(self.normalize(page))
            pages.append(page._replace(buckets=()))  # the bytes are kept, what was parsed from them is not
        for report in self._absent:  # also one that answered a part of the window before it was refused
            answered.pop(report, None)
        if not answered:
            raise PermanentError(f"{self.name} answered nothing for {window}")
        days = [day for day in window if all(day in known for known in answered.values())]
        held = set(days)
        records = [record for record in records if record.date in held and record.report in answered]
        check(self.name, records)
        foreign = sorted({record.currency for record in records if record.currency} - {self.currency})
        if foreign:
            self.notes.append(f"amounts in {', '.join(foreign)} are kept apart from {self.currency}")
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

    def _refuse_missing(self, subject: str, missing: Sequence[str]) -> None:
        """A day that is over must be answered, if only with nothing."""
        over = [day for day in missing if day != self._open_day]
        if over:
            raise PermanentError(
                f"{subject}: the answer leaves out {over[0]}" + (f" and {len(over) - 1} more days" if over[1:] else ""),
                hint="a missing day is not taken for a day without charges; the next run asks again",
            )

    def _get(self, path: str, query: Sequence[tuple[str, str]]) -> Reply:
        """One request; a refused key becomes a sentence about keys."""
        if self._http is None:
            self._http = self._connect(self)
        setting, default = self.base_url
        base = (self._settings.get(setting) or default).rstrip("/")
        try:
            reply = self._last = self._http.get(base + path, query=query, headers=self.headers())
        except AgentOSError as error:
            error.hint = error.hint.replace("the base URL setting", setting)
            if not isinstance(error, PermanentError) or error.status not in _REFUSED:
                raise
            raise KeyRefusedError(
                f"{self.name} refused the key in {self.key_name} ({error.message})",
                hint=f"it needs {self.key_help}",
                status=error.status,
            ) from error
        return reply


class _naming:  # noqa: N801 (reads as a word of the statement it is used in)
    """`with _naming("openai: costs for …"):` a refusal inside says what it was about."""

    def __init__(self, subject: str) -> None:
        self._subject = subject

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: Optional[BaseException], trace: object) -> None:
        if isinstance(error, PermanentError):
            error.message = f"{self._subject}: {error.message}"
            error.args = (error.message,)


def _member(reply: Reply, name: str) -> object:
    if not isinstance(reply.data, dict) or name not in reply.data:
        raise PermanentError(f"the answer has no `{name}`", hint="is the base URL right?")
    return reply.data[name]


def _next_page(reply: Reply, tokens: Iterable[str]) -> Optional[str]:
    """The token of the page that follows, None when this is the last. Raises PermanentError when it cannot be meant."""
    more = _member(reply, "has_more")
    if more is False:
        return None
    token = reply.data.get("next_page")
    if more is not True or not isinstance(token, str) or not token:
        raise PermanentError("more pages are said to follow, but the answer does not name the next one")
    if token in tokens:
        raise PermanentError("the answer names a page that was read already")
    return token


def check(provider: str, records: Iterable[Record]) -> None:
    """Refuse records that cannot all be true: the same line twice, or sums that a ledger cannot hold."""
    seen: set[tuple[object, ...]] = set()
    sums: dict[tuple[str, str], int] = {}
    for record in records:
        identity = record.identity
        if identity in seen:
            what = ", ".join(part for part in record[4:13] if part) or "without a name"
            raise PermanentError(f"{provider}: {record.report} for {record.date}: the same line stands twice: {what}")
        seen.add(identity)
        amount = record.amount_nano if record.kind == "cost" else record.quantity
        if isinstance(amount, int):
            key = (record.kind + record.unit, record.currency)
            sums[key] = sums.get(key, 0) + abs(amount)
    if any(total >= 2**63 for total in sums.values()):
        raise PermanentError(f"{provider}: the figures of this window add up to more than can be true")
