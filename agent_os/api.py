"""Agent OS from Python: scripts and notebooks run, read and export what the command line does, by the same functions.

Between two calls nothing is open: each call reads the settings, opens the database and closes it again. So it may be
made in any thread, beside other programs, and sees a key that was put into `.env` a moment ago.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any, Optional, Union

from .answers import Gap, Posted, Run, RunResult, TaskInfo, TickResult, Watched, fitting, result_of, watched_of
from .core.errors import UsageError
from .evidence import END_OF_TIME, Evidence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    from .arguments import Arguments
    from .core.app import App
    from .core.app_values import Result
    from .core.home import Home
    from .core.plan import Setup

    Day = Union[str, date, None]  # a UTC day: "2026-11-21" or datetime.date(2026, 11, 21)
    Path = Union[str, os.PathLike[str]]
    Named = Union[str, Callable[..., Any]]  # a task by its name, or the function that is one


def open(home: Path = ".", *, app: Union[App, Path, None] = None, quiet: bool = True) -> OpenHome:  # noqa: A001
    """Open a home: `with agent_os.open("folder", app=app) as home: home.run("report")`.

    `home` is the folder of `.env`, `agent_os.ini`, the database and the log. `app` adds tasks to those that the home
    declares: an `App` of this very script, the path of a .py file or package, or the name of a module. With
    `quiet=False` stderr tells what goes on, as on the command line; otherwise only the log file and the results do.

    Raises ConfigError for a home that is no folder, an app that cannot be loaded, and for tasks that cannot be meant.
    """
    return OpenHome(home, app=app, quiet=quiet)


class OpenHome(Evidence):
    """A home. Every method may raise, besides what it says itself: UsageError for an argument that cannot be meant,
    ConfigError where something is not set up, BusyError, StoreError for a damaged database, ResourceError for a machine
    that refuses. All of them are AgentOSError, with `.message` and `.hint`.

    A task with a timeout runs in a process of its own, which has to find its app: that takes an app in a file or
    module, not one that a notebook or the script itself has made.
    """

    def __init__(
        self,
        home: Path = ".",
        *,
        app: Union[App, Path, None] = None,
        quiet: bool = True,
        as_asked: Optional[Arguments] = None,
    ) -> None:
        self._as_asked = as_asked  # the command line that it is opened for
        self.home = os.path.abspath(os.path.expanduser(os.fspath(home)))
        self._app = _app_of(app)
        self._quiet = quiet
        self._is_closed = False
        with self._opened() as (_, opened):
            for warning in opened.settings.warnings:
                opened.log.warning("config.open_to_others", warning)
            self._setup(opened)

    def __enter__(self) -> OpenHome:  # noqa: PYI034 (typing has no Self before 3.11)
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        self.close()

    def close(self) -> None:
        """From now on every call raises UsageError."""
        self._is_closed = True

    def run(
        self,
        *tasks: Named,
        since: Day = None,
        until: Day = None,
        key: str = "",
        force: bool = False,
        jobs: int = 0,
    ) -> list[RunResult]:
        """Run what is due of these tasks and of what they come after, as `--task` does; what came of each run.

        `since` (included) and `until` (not included) choose UTC days, `key` names the slot of a task without a time of
        its own, `force` does again what is done, `jobs` says how many run side by side (0: as the settings say).

        A task that fails raises nothing: its result says so. Raises UsageError for a name that is no task, ConfigError
        where nothing of it can run (no key), BusyError when a task is running elsewhere; nothing was done then.
        """
        from .commands.run import check_order, order_of, refuse_disabled
        from .core.clock import iso
        from .wiring import runner_of

        with self._opened(since=since, until=until) as (args, home):
            began_at = iso(args.clock.now())
            args.key, args.force = key or None, force
            setup = self._setup(home, jobs=args.whole("jobs", str(jobs) if jobs else None, most=256))
            targets = _targets(tasks, setup)
            order = order_of(args, home)
            check_order(order, targets, setup)
            refuse_disabled(targets, setup, home)
            units = runner_of(home, setup, is_live=self._is_live).run(targets, order, began_at=began_at)
            return [result_of(unit, home) for unit in units]

    def tick(self) -> TickResult:
        """Run whatever is due now, once, as `tick` does; what came of it, and when something is due next.

        From its first tick on a task is looked after: what is missed is made up for by a later one. Any number of
        processes may tick. A task that fails raises nothing: its result says so. Raises ConfigError where nothing is
        set up: no task with a time of its own, no collector with a key or log, no database.
        """
        from .commands.tick import look_again, run_due
        from .core.clock import iso
        from .core.plan import check_clock

        with self._opened() as (args, home):
            now = args.clock.now()
            check_clock(now)
            setup = self._setup(home)
            units, waits, following = run_due(home, setup, began_at=iso(now), is_live=self._is_live)
            if units:
                waits, following = look_again(home, setup)
            runs = [result_of(unit, home) for unit in units if unit.dues or unit.run_id]
            return TickResult(runs, dict(waits), None if following == "never" else following)

    def watch(self, *tasks: Named, grace: Union[str, float, None] = None) -> list[Watched]:
        """Whether each of these tasks (of all that have a time, without any) has succeeded in time, as `watch` says.

        `grace` ("2h", or seconds) stands in place of their own. Only reads. Raises UsageError for a task that owes
        nothing, ConfigError where there is no database yet, or nothing to watch.
        """
        from .commands.watch import grace_of, look_over

        with self._opened() as (_, home):
            names = [_name(task) for task in tasks]
            seconds = grace_of(None if grace is None else str(grace))
            return [watched_of(each) for each in look_over(home, self._setup(home), names, grace=seconds)[0]]

    def results(self, *, since: Day = None, until: Day = None, provider: str = "") -> list[Result]:
        """The headlines of the days in [since, until), oldest first; of all that are stored when neither is given.

        `cost_nano` counts 10^-9 of `currency`, None where it is unknown; amounts of two currencies or bases must not be
        added. Raises ConfigError where there is no database yet.
        """
        from .core.app_values import Result

        with self._opened(since=since, until=until) as (args, home):
            first, end = args.days()
            rows = home.store().results(since=first or "", until=end or END_OF_TIME, provider=provider)
            return [Result(*row) for row in rows]

    def sections(self, word: str) -> dict[str, dict[str, str]]:
        """The sections [word:NAME] of agent_os.ini: NAME -> option -> value. `App(sections=...)` claims the word."""
        with self._opened() as (_, home):
            return home.settings.section_group(word)

    def setting(self, name: str) -> str:
        """A setting, from wherever the home has it; "" when it is not set."""
        with self._opened() as (_, home):
            return home.settings.get(name)

    @property
    def today(self) -> str:
        """The current UTC day."""
        with self._opened() as (args, _):
            return args.clock.today()

    def kept(self, task: str) -> dict[str, Any]:
        """What is remembered under the name of a task, by name."""
        from .core.journal import Journal
        from .core.json_value import from_json

        with self._opened() as (_, home):
            return {name: from_json(text) for name, text in Journal(home.store().db).state(task).items()}

    def keep(self, task: str, values: Mapping[str, Any], *, note: str = "") -> str:
        """Remember these values (JSON; None: forget) under the name of a task, as a run of its own; the run's id."""
        from .core.json_value import to_json
        from .core.posting import remember

        with self._opened() as (_, home):
            state = {name: None if value is None else to_json(value, name) for name, value in values.items()}
            return remember(home, state, task=task, note=note)

    def messages(self, *, unsent: bool = False, limit: int = 100) -> list[Posted]:
        """The newest messages of outboxes first; with `unsent` only those that wait or were parked."""
        from .core.journal import Journal
        from .core.json_value import from_json

        with self._opened() as (_, home):
            rows = Journal(home.store().db).messages(unsent=unsent, most=limit, has_body=True)
            return [Posted._make((*row[:-1], from_json(row[-1]))) for row in rows]

    def resend(self, *ids: int) -> None:
        """Let the next run send messages that wait or were parked. Raises UsageError for others, and BusyError."""
        from .commands.outbox import change

        with self._opened() as (_, home):
            change(home, "resend", ids)

    def runs(self, *, task: Named = "", status: str = "", since: Day = None, limit: int = 20) -> list[Run]:
        """The newest runs first, at most `limit`; those that started on the day `since` or later.

        Raises ConfigError where there is no database yet.
        """
        from .commands.export import one_of
        from .commands.history import past

        with self._opened(since=since) as (args, home):
            one_of("status", status, ("", "running", "success", "failed", "skipped"))
            most = args.whole("limit", str(limit), most=2**31)
            found = past(home.store(), task=_name(task) if task else "", status=status, since=args.days()[0], most=most)
            rows = [
                {**each, "run_id": each["run"], "error": each["error"] or "", "slot": each["slot"] or ""}
                for each in found
            ]
            return [Run(**fitting(Run, each)) for each in rows]

    def gaps(self, *, since: Day = None, until: Day = None, task: Named = "") -> list[Gap]:
        """What is missing, and why: of the days in [since, until), or of those that a run looks after by itself.

        Raises UsageError for a task that has neither days nor a schedule.
        """
        from .commands.gaps import gaps_of
        from .commands.run import order_of

        with self._opened(since=since, until=until) as (args, home):
            name = _name(task) if task else ""
            found = gaps_of(self._setup(home), home, order_of(args, home), of_task=name)
            return [Gap(**fitting(Gap, each)) for each in found]

    def export(
        self,
        path: Path,
        table: str = "results",
        format: str = "csv",  # noqa: A002 (the command line's word)
        *,
        since: Day = None,
        until: Day = None,
    ) -> int:
        """Write the rows of [since, until) to a file, which appears whole or not at all; how many rows it holds.

        `table` is "results", "lines" or "runs", `format` "csv" (RFC 4180, UTF-8, amounts as exact decimals) or "jsonl".
        """
        from .commands.export import one_of
        from .core.columns import TABLES
        from .core.export import FORMATS, write_export
        from .core.files import atomic_write

        with self._opened(since=since, until=until) as (args, home):
            one_of("table", table, TABLES)
            one_of("format", format, FORMATS)
            first, end = args.days()
            database = home.store().db.connection
            with atomic_write(os.path.abspath(os.fspath(path))) as file:
                return write_export(database, table=table, format=format, since=first, until=end, out=file).rows

    def tasks(self) -> list[TaskInfo]:
        """Every task that `run` takes by its name; "run_all", which means every collector, is not among them."""
        from .commands.tasks import state, when

        with self._opened() as (_, home):
            setup = self._setup(home)
            return [
                TaskInfo(
                    task.name,
                    state(task, setup, home),
                    when(task),
                    task.after,
                    task.doc,
                    task.collector.basis if task.collector else "",
                )
                for task in setup.tasks.values()
            ]

    # for all of them

    @property
    def _is_live(self) -> bool:
        return not self._quiet and bool(sys.stderr and sys.stderr.isatty())

    @contextmanager
    def _opened(self, *, since: Day = None, until: Day = None) -> Iterator[tuple[Arguments, Home]]:
        """The home for one call, and the arguments it was given; every error that leaves is one of ours."""
        from .arguments import Arguments
        from .core.home import open_home
        from .main import as_ours

        if self._is_closed:
            raise UsageError("this home was closed", hint="open it again: agent_os.open(...)")
        args = Arguments()
        args.since, args.until = _day("since", since), _day("until", until)
        asked = self._as_asked
        if asked:
            args.clock, args.environ, args.db_path, args.log_file = (
                asked.clock, asked.environ, asked.db_path, asked.log_file,
            )  # fmt: skip
        home = open_home(
            self.home, flags=args.flags(), clock=args.clock, environ=args.environ,
            stderr=None if self._quiet else sys.stderr,
        )  # fmt: skip
        try:
            yield args, home
        except Exception as error:
            ours = as_ours(error, home.db_path)
            if ours is None or ours is error:
                raise
            raise ours from error
        finally:
            home.close()

    def _setup(self, home: Home, *, jobs: int = 0) -> Setup:
        from .wiring import setup_of

        return setup_of(home, app=self._app, jobs=jobs)


def _app_of(app: Union[App, Path, None]) -> Union[App, str]:
    """An App as it is; else what names one, "" for none. A path that is no text is never taken for a module."""
    from .core.app import App

    if isinstance(app, App):
        if not app.loaded_from:
            app.loaded_from = _module_of(app)
        return app
    if app is None or isinstance(app, str):
        return app or ""
    try:
        return os.path.abspath(os.fspath(app))
    except TypeError as error:
        raise UsageError(
            f"app is {type(app).__module__}.{type(app).__name__}", hint="give an App, a path, or the name of a module"
        ) from error


def _module_of(app: App) -> str:
    """The name of the module that holds an app, for the processes of its tasks; "" for a script's or a notebook's."""
    for task in app.tasks.values():
        name = getattr(task.function, "__module__", None) or ""
        if name != "__main__" and getattr(sys.modules.get(name), "app", None) is app:
            return name
    return ""


def _targets(tasks: tuple[Named, ...], setup: Setup) -> list[str]:
    """The names of all tasks that are meant, each once."""
    from .wiring import targets_of

    names = [_name(task) for task in tasks]
    if not names:
        raise UsageError("no task was named", hint='run("run_all") collects; tasks() lists what there is')
    if "export" in names:
        raise UsageError("export is not run", hint="export(path) writes the file")
    return list(dict.fromkeys(target for name in names for target in targets_of(name, setup)))


def _name(task: Named) -> str:
    name = task if isinstance(task, str) else getattr(task, "task_name", "")
    if not name or not isinstance(name, str):
        raise UsageError(f"{task!r:.60} is no task", hint="give the name of a task, or a function under @app.task")
    return name


def _day(what: str, day: Day) -> Optional[str]:
    if day is None or isinstance(day, str):
        return day
    if isinstance(day, date):
        return day.isoformat()  # of an instant (datetime is a date) it is no day, and refused as such
    raise UsageError(f"{what} is {day!r:.60}", hint='give a UTC day, as "2026-11-21" or datetime.date(2026, 11, 21)')
