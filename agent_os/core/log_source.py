"""What the file of a local log is made from: a collector that reads what tools wrote on this machine, without a key.

The kernel does the rest: which files have grown, each answer once, sums by day, the estimate. What is kept of a line
is in `log_events`; what is handed on as a page is the sums of a window and nothing else.
"""

from __future__ import annotations

import os

from .collector import Collector
from .days import add_days, windows
from .errors import PermanentError
from .paging import check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import Any, Optional

    from .days import Window
    from .log_events import Answer
    from .log_reading import Reading
    from .model import Batch, Json, Page, Record
    from .price_book import LateBook
    from .prices import Price

REPORT = "log"
_XDG = {"~/.local/share/": "XDG_DATA_HOME", "~/.config/": "XDG_CONFIG_HOME"}  # what moves such folders
_DIMENSIONS = ("account", "project", "model", "tier", "context", "region")
_KINDS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "cache_write")


class LogCollector(Collector):
    """A local log as a source. Subclasses say where it lies, and in `answer` what its lines mean."""

    is_local = True
    basis = "estimated"
    folders: tuple[str, ...] = ()  # of the tool, as ~/.claude; each is looked for
    parts: tuple[str, ...] = ("",)  # of such a folder, in which the log lies
    folder_setting = ""  # names other folders in their place, separated by commas
    path = ""  # of an account: where its log lies
    markers: tuple[bytes, ...] = ()  # a line that holds none of them tells nothing; without any, every line is read
    last_wins = False  # of two copies of an answer: the one that was read last, not the heavier one

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._ask: Optional[Callable[..., Any]] = None
        self._book: Optional[LateBook] = None

    @property
    def roots(self) -> list[tuple[str, str]]:
        """The folders of the tool, each with a part of it in which there are logs."""
        places = [(folder, part) for folder in self._named() for part in self.parts]
        return [(folder, part) for folder, part in places if self._holds_log(folder, part)]

    def _holds_log(self, folder: str, part: str) -> bool:
        """Whether there is any file of the log: a tool that was installed and never used has folders, too."""
        from .log_tree import Faults, files_below

        found = files_below(folder, part, self.belongs, Faults(), enters=self.enters)
        return next(found, None) is not None

    def _named(self) -> list[str]:
        """The folders that the tool may have: those that were set, else where it keeps what is its by itself."""
        if self.path:
            return [self.path]
        home = self._settings.user_folder()
        named = self._settings.get(self.folder_setting) if self.folder_setting else ""
        folders = [part.strip() for part in named.split(",") if part.strip()] if named else list(self.folders)
        whole = [self._whole(each, home) for each in folders]
        return list(dict.fromkeys(os.path.abspath(os.path.join(home, each)) for each in whole))

    def _whole(self, folder: str, home: str) -> str:
        for start, setting in _XDG.items():
            moved = self._settings.get(setting) if folder.startswith(start) else ""
            if os.path.isabs(moved):  # the convention: a relative one is none
                return os.path.join(moved, folder[len(start) :])
        return os.path.join(home, folder[2:]) if folder.startswith("~/") else folder

    @property
    def disabled(self) -> str:
        if self.roots:
            return ""
        is_named = not self.path and self.folder_setting and self._settings.get(self.folder_setting)
        named = f", where {self.folder_setting} says that it is" if is_named else ""
        places = self._places([(each, self.parts[0]) for each in self._named()], " or ")
        return f"disabled: there is no log at {places}{named}"

    @property
    def found(self) -> str:
        return f"log at {self._places(self.roots, ', ')}"

    def _places(self, places: Sequence[tuple[str, str]], between: str) -> str:
        home = self._settings.user_folder()
        return between.join(shortened(os.path.join(folder, part).rstrip(os.sep), home) for folder, part in places)

    # what its file says

    def matches(self, path: str) -> bool:
        """Whether a file is one of the log; `path` is meant from the folder, with /."""
        raise NotImplementedError

    def belongs(self, path: str) -> bool:
        """Whether a file shows that there is a log. For a log that is more than files, to be extended."""
        return self.matches(path)

    def enters(self, path: str) -> bool:  # noqa: ARG002 (for those that override it)
        """Whether a folder can hold files of the log; it is not looked into otherwise."""
        return True

    def is_document(self, path: str) -> bool:  # noqa: ARG002 (for those that override it)
        """Whether a file is one JSON document, and not one a line."""
        return False

    def messages(self, data: Json) -> Iterable[Json]:
        """What one line, or one document, tells of; each is handed to `answer`."""
        return (data,)

    def answer(self, message: Json, carry: dict[str, Any], *, path: str) -> Optional[Answer]:
        """The answer that a message tells of, if it does. ValueError where its figures cannot be.

        `carry` is what is remembered of the file from line to line: JSON, {} at its start, and stored: no text, ids as
        `hashed`, the name of a project as "project" (which is not stored where such names are switched off).
        """
        raise NotImplementedError

    def reader(self) -> Callable[..., Optional[Answer]]:
        """`answer`, or, for a log of millions of lines, a function that does the same and has looked up its names."""
        return self.answer

    def kept_days(self) -> int:
        """For how many days back the tool still has all its files; 0: for ever. Before, a silent day is no zero."""
        return self.history_days or 0

    def gather(self, found: Reading) -> None:
        """Read whatever was added since the last time. For a log that is more than files, to be extended."""
        found.read_files()

    # what the kernel does for it

    def prepare(self, ask: Callable[..., Any], *, say: Callable[[str], None], today: str) -> None:
        from .log_reading import Reading

        self._ask = ask
        has_projects = self._settings.is_yes("AGENT_OS_PROJECT_NAMES")
        found = Reading(self, ask, say=say, today=today, has_projects=has_projects)
        self.gather(found)
        found.flush()
        self.notes = found.faults.sentences()

    def further(self, asked: Sequence[Window], *, today: str) -> Iterator[Window]:
        known = {day for window in asked for day in window}
        yield from windows([day for day in self._asked("changed_log_days") if day not in known], today=today)

    def fetch(self, window: Window) -> Iterator[Page]:
        from json import dumps

        from .log_events import Counts, Group
        from .model import Page

        seen_at, rows = self._asked("log_sums", window=window)
        days: dict[str, list[dict[str, Any]]] = {day: [] for day in window}
        for row in rows:
            days[row[0]].append(dict(zip((*Group._fields, "requests", *Counts._fields), row)))
        body = dumps({"source": self.name, "days": days}, separators=(",", ":")).encode("ascii")
        yield Page(REPORT, f"local:{self.name}", "", seen_at, body, list(days.items()))

    def normalize(self, page: Page) -> Iterator[Record]:
        for row in page.rows():
            where = {name: row.text(name) for name in _DIMENSIONS}
            for kind in _KINDS:
                if count := row.count(kind):
                    yield row.usage(count, "tokens", {**where, "token_type": kind})._replace(basis=self.basis)
            if searches := row.count("web_search"):
                yield row.usage(searches, "calls", {**where, "cost_type": "web_search"})._replace(basis=self.basis)
            yield row.usage(row.count("requests"), "requests", where)._replace(basis=self.basis)

    def collect(self, window: Window, *, open_day: str) -> Batch:
        from .model import Batch

        pages = list(self.fetch(window))
        records, prices = self._priced([each for page in pages for each in self.normalize(page)], window)
        told = {record.date for record in records}.union(self._asked("changed_log_days"))  # also one that lost its last
        days = [day for day in window if day in told or self._first(open_day) <= day <= open_day]
        check(self.name, records)
        self._note_foreign(records)
        return Batch(
            provider=self.name, task=self.task, window=window, days=days, reports={REPORT}, basis=self.basis,
            observed_at=pages[0].seen_at, records=records, pages=[page._replace(buckets=()) for page in pages],
            currency=self.currency, notes=list(self.notes), prices=prices,
            silent=[day for day in window if day not in days and day <= open_day],
        )  # fmt: skip

    def _priced(self, records: Sequence[Record], window: Window) -> tuple[list[Record], list[tuple[str, Price]]]:
        """The records with what they would have cost, and the prices that were not used for this window before."""
        from .price_book import LateBook
        from .prices import estimate

        if self._book is None:
            self._book = LateBook(self._settings, lambda: self._asked("imported_prices"))
        used = self._asked("used_prices", window=window)
        found = list(estimate(records, self._book, used=used))
        fresh = {record.price for record in found if record.price} - {price.id for price in used.values()}
        return found, self._book.of(fresh)

    def _first(self, today: str) -> str:
        """The first day of which the log can say that nothing was done: it has to go back that far, and be kept."""
        first: str = self._asked("first_log_day") or "9999"
        kept = self.kept_days()
        return max(first, add_days(today, -kept)) if kept else first

    def _asked(self, question: str, **given: Any) -> Any:
        if self._ask is None:
            raise PermanentError(f"{self.name} was asked for a window before its log was read")
        return self._ask(question, **given)


def shortened(path: str, home: str) -> str:
    """A path for people: ~ for the home directory."""
    return "~" + path[len(home) :] if home and path.startswith(home + os.sep) else path
