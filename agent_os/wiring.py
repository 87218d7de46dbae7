"""Puts together what a runner needs: the tasks of plugins, apps and the ini, all checked before anything runs."""

from __future__ import annotations

from .core.plan import Setup
from .core.runner import Runner
from .core.spec import RUN_ALL
from .plugins import load

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Optional, Union

    from .core.app import App
    from .core.collector import Collector
    from .core.config import Settings
    from .core.home import Home
    from .core.pings import Pings
    from .core.progress import Progress
    from .core.spec import Task


def setup_of(home: Home, *, app: Union[App, str] = "", jobs: int = 0) -> Setup:
    """Every task of a home, of the apps it names and of `app`, an App or the name of one.

    Raises ConfigError that says all that is wrong.
    """
    from .core.apps import apps_of, check, enter, registry
    from .core.config import ACCOUNT

    settings = home.settings
    apps = apps_of(settings, app if isinstance(app, str) else "")
    if not isinstance(app, str) and app not in apps:
        apps.append(app)
    _refuse_unclaimed(settings, apps)
    limits, written = _declared(settings)
    found = registry(apps, written, load())
    accounts = []
    if any(section.startswith(ACCOUNT) for section in settings.sections):
        from .core.accounts import accounts_of

        accounts = accounts_of(settings, found)
        enter(found, accounts)
    pings = _pings_of(found, home)
    cost_limits = {name: limit for each in apps for name, limit in _limits(each, settings).items()}
    if apps or written or accounts:
        faults = [fault for each in apps for fault in each.faults]
        check(found, faults=faults, limits=limits, cost_limits=cost_limits)
    outboxes = {name: task for name, task in found.items() if task.kind == "outbox"}
    tasks = {name: task for name, task in found.items() if task.kind != "outbox"}
    for task in tasks.values():
        if task.kind == "collector" and task.collector.name in limits:
            task.limits = (task.collector.name,)  # a limit named like a provider is about its collector
    collectors = {name: _collector(task, home) for name, task in tasks.items() if task.kind == "collector"}
    _resolve_run_all(tasks, collectors)
    return Setup(
        tasks,
        collectors=collectors,
        cost_limits=cost_limits,
        limits=limits,
        outboxes=outboxes,
        hosts={name: each.hosts for each in apps for name in (*each.tasks, *each.outboxes)},
        pings=pings,
        jobs=jobs or settings.whole("AGENT_OS_JOBS", least=1, most=256),
        retention_days=settings.whole("AGENT_OS_RETENTION_DAYS", least=1, most=36_600),
    )


def _resolve_run_all(tasks: Mapping[str, Task], collectors: Mapping[str, Collector]) -> None:
    """What comes after `run_all` comes after every collector that is set up."""
    for task in tasks.values():
        if RUN_ALL in task.after:
            own = [name for name in task.after if name != RUN_ALL]
            task.after = (*_all(collectors), *own)


def _declared(settings: Settings) -> tuple[dict[str, int], list[Task]]:
    """The limits and the tasks that agent_os.ini and the settings declare."""
    if not (settings.sections or settings.get("AGENT_OS_LIMITS")):
        return {}, []
    from .core.ini import limits_of, tasks_of

    return limits_of(settings), tasks_of(settings)


def _pings_of(found: Mapping[str, Task], home: Home) -> Optional[Pings]:
    """Who is told how runs begin and end; None: nobody. What is wrong with it is a fault of its task."""
    if not (home.settings.get("AGENT_OS_PING") or any(task.ping for task in found.values())):
        return None
    from .core.pings import pings_of, refuse_name

    pings = pings_of(found, home.settings, home.redactor)
    if pings:
        refuse_name(found)
    return pings


def _limits(app: App, settings: Settings) -> dict[str, Any]:
    """The cost limits of an app: those of its code, and those that agent_os.ini names. Raises ConfigError."""
    from .core.errors import ConfigError

    found = dict(app.limits)
    for word, limits_of in app.limit_sections.items():
        sections = settings.section_group(word)
        for name, limit in (limits_of(sections) if sections else {}).items():
            if name in found:
                raise ConfigError(f"the app {app.name} has a limit {name} already", hint=f"rename [{word}:{name}]")
            found[name] = limit
    return found


def _refuse_unclaimed(settings: Settings, apps: Sequence[App]) -> None:
    """Raise ConfigError for sections of agent_os.ini that are neither ours nor of an app that is loaded."""
    if settings.sections:
        import os

        from .core.ini_file import NAME, PREFIXES, refuse

        claimed = tuple(f"{word}:" for word in (*PREFIXES, *(word for app in apps for word in app.sections)))
        refuse(os.path.join(settings.home, NAME), [name for name in settings.sections if not name.startswith(claimed)])


def runner_of(home: Home, setup: Setup, *, is_live: bool = False) -> Runner:
    """A runner for these tasks; `is_live` shows on a terminal what is going on."""

    def progress() -> Progress:
        import sys

        from .core.progress import Progress

        shown = Progress(sys.stderr if is_live else None, clock=home.clock, environ=home.settings.environment())
        home.log.tell_above(shown.above if is_live else None)
        return shown

    return Runner(home, setup, progress=progress)


def targets_of(name: str, setup: Setup) -> list[str]:
    """The tasks that a name means: itself, or for `run_all` every collector that is set up, and those that should be.

    Raises UsageError for an unknown one.
    """
    if name == RUN_ALL:
        return _all(setup.collectors)
    if name in setup.tasks:
        return [name]
    from .core.errors import UsageError
    from .core.text import nearest

    if name == "export":
        raise UsageError("export has no slots: it writes what is stored", hint="run it: --task export")
    names = [*setup.tasks, RUN_ALL, "export"]
    close = nearest(name, names)
    shown = ", ".join(names[:20]) + (" …; `tasks` lists them all" if len(names) > 20 else "")
    raise UsageError(
        f"there is no task {name[:60]!r}", hint=f"did you mean {close}?" if close else f"the tasks are {shown}"
    )


def _all(collectors: Mapping[str, Collector]) -> list[str]:
    """The tasks of every collector that is set up, and of those that should be."""
    return sorted(task for task, each in collectors.items() if each.is_expected or not each.disabled)


def _collector(task: Task, home: Home) -> Collector:
    def connect(collector: Collector):  # type: ignore[no-untyped-def]  # noqa: ANN202 (an HttpClient)
        return home.connect(collector.hosts, log=home.log.bind(task=collector.task))

    kind: type[Collector] = task.collector
    return kind(home.settings, connect)
