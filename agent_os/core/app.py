"""An app: a named set of tasks, outboxes and limits. All business logic lives in apps, none here."""

from __future__ import annotations

from .archive import PACKAGE
from .callables import doc_of, place_of, why_unfit_for
from .spec import Task, is_name
from .text import nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable, Sequence
    from typing import Any, Optional, TypeVar, overload

    from .app_values import Ask

    Fn = TypeVar("Fn", bound=Callable[..., Any])  # what is decorated stays what it is

OUTBOX_RETRIES = 3  # how often a start waits a moment for messages that are not taken at once


class Verb:
    """A word of the command line that an app brings."""

    __slots__ = ("arguments", "doc", "function", "name")

    def __init__(self, name: str, function: Callable[..., Any], arguments: Any, doc: str) -> None:
        self.name = name
        self.function = function
        self.arguments = arguments
        self.doc = doc


class App:
    """A named set of tasks. `hosts` are where its tasks may connect to, as `api.example.com` or `.example.com`.

    `sections` are words W of sections [W:NAME] in agent_os.ini that are the app's: `home.sections(W)` has them.
    """

    def __init__(self, name: str, *, hosts: Sequence[str] = (), sections: Sequence[str] = ()) -> None:
        self.name = name
        self.hosts = tuple(hosts)
        self.sections = tuple(sections)
        self.loaded_from = ""
        self.tasks: dict[str, Task] = {}
        self.outboxes: dict[str, Task] = {}
        self.limits: dict[str, Callable[[Ask], Any]] = {}
        self.limit_sections: dict[str, Callable[[dict[str, dict[str, str]]], dict[str, Callable[[Ask], Any]]]] = {}
        self.verbs: dict[str, Verb] = {}
        self.faults: list[str] = [] if is_name(name) else [f"{name!r} is no name for an app"]

    if TYPE_CHECKING:

        @overload
        def task(self, function: Fn, *, name: str = ..., **options: Any) -> Fn: ...

        @overload
        def task(self, function: None = None, *, name: str = "", **options: Any) -> Callable[[Fn], Fn]: ...

    def task(self, function: Any = None, *, name: str = "", **options: Any) -> Any:
        """Register a function as a task: `@app.task`, or `@app.task(after=…, schedule="30 6 * * *", …)`.

        Options: after ("run_all" is every collector that is set up), after_failure ("skip", "run"), schedule, timezone,
        dst ("once", "skip", "wall"), partition ("day"), retries, backoff, timeout, catch_up ("all", "latest", "none"),
        overlap ("skip", "queue", "replace"), needs, limits, cost_limit, cost, jitter, period, grace, min_duration,
        min_output, ping. What cannot be meant is said before anything runs, all of it at
        once. The function takes a `Context`; what it returns (JSON) is its output.
        """

        def register(fn: Callable[..., Any]) -> Callable[..., Any]:
            task = self._declare(name or getattr(fn, "__name__", ""), "function", options, made_of=fn)
            task.function = fn
            if isinstance(function, str):
                task.fault(f"write @app.task(name={function!r}); the first argument of app.task is a function")
            self._judge(task, fn, "ctx")
            self._add(task)
            try:  # noqa: SIM105 (nothing else here needs contextlib)
                fn.task_name = task.name  # type: ignore[attr-defined]  # so that `after=` may name the function itself
            except (AttributeError, TypeError):  # a method, what is in C, what is frozen: `after=` has its name
                pass
            return fn

        return register if function is None or isinstance(function, str) else register(function)

    def collect(self, *collectors: Any) -> tuple[str, ...]:
        """The names of the tasks of these collectors, for `after=`. A class that is new is registered with it.

        Takes Collector classes, and names of providers that ship with Agent OS.
        """
        return tuple(self._collect(each) for each in collectors)

    def _collect(self, collector: Any) -> str:
        if isinstance(collector, str):
            return collector if collector.startswith("fetch_") else f"fetch_{collector}"
        name = f"fetch_{getattr(collector, 'name', '')}"
        is_built_in = str(getattr(collector, "__module__", "")).startswith(f"{PACKAGE}.plugins.")
        if not is_built_in and name not in self.tasks:
            task = self._declare(name, "collector", {}, made_of=collector)
            task.collector = collector
            self._add(task)
        return name

    def outbox(self, name: str, *, needs: Any = (), retries: Any = None) -> Callable[[Fn], Fn]:
        """`@app.outbox("discord", needs="DISCORD_WEBHOOK_URL")`: `fn(ctx, message)` sends one `Message`.

        What it returns (JSON) is kept as the receipt. TransientError: tried again later, not before its `retry_after`;
        PermanentError: parked, for a person to look at.
        """

        def register(fn: Fn) -> Fn:
            options = {"needs": needs, "retries": OUTBOX_RETRIES if retries is None else retries, "backoff": 1}
            task = self._declare(name, "outbox", options, made_of=fn)
            task.function = fn
            self._judge(task, fn, "ctx", "message")
            if name in self.outboxes:
                self.faults.append(f"the app {self.name} has two outboxes named {name}")
            self.outboxes[name] = task
            return fn

        return register

    def verb(self, name: str, *, arguments: Optional[Callable[[ArgumentParser], None]] = None) -> Callable[[Fn], Fn]:
        """`@app.verb("summary", arguments=…)`: a word of the command line, wherever the app is loaded.

        `arguments` adds its options to an argparse parser. The function gets an `OpenHome` and what was parsed, prints,
        and returns an exit code (None: 0). Its errors are AgentOSError, as everywhere.
        """

        def register(fn: Fn) -> Fn:
            if name in self.verbs:
                self.faults.append(f"the app {self.name} has two verbs named {name}")
            doc = (fn.__doc__ or "").strip().partition("\n")[0]
            self.verbs[name] = Verb(name, fn, arguments, doc)
            return fn

        return register

    def limit(self, name: str) -> Callable[[Fn], Fn]:
        """`@app.limit("monthly")`: a function that says whether a task with `cost_limit="monthly"` may begin.

        It gets an `Ask` and answers True, False, how much is left (a whole number), or text: no, and why. It is called
        inside the transaction that begins the run, so it must be quick and may only look.
        """

        def register(fn: Fn) -> Fn:
            if name in self.limits:
                self.faults.append(f"the app {self.name} has two limits named {name}")
            unfit = why_unfit_for(fn, "ask")
            if unfit:
                self.faults.append(f"the limit {name} of the app {self.name} {unfit}")
            self.limits[name] = fn
            return fn

        return register

    def limits_from(self, word: str) -> Callable[[Fn], Fn]:
        """`@app.limits_from("limit")`: limits that agent_os.ini names, in sections [limit:NAME].

        The function gets the sections (NAME -> option -> value) and gives NAME -> what `limit` decorates. It is called
        whenever the tasks of a home are put together, so it must be quick; what cannot be meant it says as ConfigError.
        """

        def register(fn: Fn) -> Fn:
            self.sections = (*self.sections, word)
            self.limit_sections[word] = fn
            return fn

        return register

    def _declare(self, name: str, kind: str, options: dict[str, Any], *, made_of: Any) -> Task:
        place = place_of(made_of)
        source = f"app {self.name}" + (f" ({place})" if place else "")
        task = Task(name if isinstance(name, str) else repr(name), kind=kind, source=source)
        task.doc = doc_of(made_of)
        for option in sorted(set(options) - OPTIONS):
            close = nearest(option, OPTIONS)
            task.fault(f"{option[:40]} is no option" + (f"; did you mean {close}?" if close else ""))
        return task.declare(options)

    def _judge(self, task: Task, fn: Any, *given: str) -> None:
        unfit = why_unfit_for(fn, *given)
        if unfit:
            task.fault(unfit)

    def _add(self, task: Task) -> None:
        other = self.tasks.get(task.name)
        if other:
            task.faults += other.faults  # it is told of all the same
            task.fault(f"there are two tasks of this name; the other one is of {other.source}")
        self.tasks[task.name] = task


OPTIONS = {
    "after", "schedule", "timezone", "partition", "retries", "backoff", "timeout", "catch_up", "overlap", "needs",
    "limits", "cost_limit", "cost", "after_failure", "dst", "jitter", "period", "grace", "min_duration", "min_output",
    "ping",
}  # fmt: skip
