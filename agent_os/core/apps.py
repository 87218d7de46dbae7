"""Apps are found here, only those that were named; all tasks are brought together and judged before anything runs."""

from __future__ import annotations

import os

from . import app_code, archive
from .errors import ConfigError
from .spec import Task, faults_of
from .text import plural

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from types import ModuleType
    from typing import Any, Optional, Protocol

    from .app import App
    from .collector import Collector
    from .config import Settings

    class Declared(Protocol):
        """What an app is to the registry."""

        loaded_from: str

        @property
        def tasks(self) -> Mapping[str, Task]:
            """Its tasks by name."""

        @property
        def outboxes(self) -> Mapping[str, Task]:
            """Its outboxes by name; they have slots and runs as tasks have."""


RESERVED = ("run_all", "export")  # tasks of the kernel itself
GROUP = "agent_os.apps"  # of entry points


def apps_of(settings: Settings, named: str) -> list[App]:
    """The apps built into this file, those of AGENT_OS_APPS, and the one that `--app` named; each once."""
    wanted = [(name, "") for name in archive.bundled_apps()]
    listed = settings.get("AGENT_OS_APPS").replace("\n", ",").split(",")
    wanted += [(name.strip(), settings.home) for name in listed if name.strip()]
    wanted += [(named, "")] if named else []
    found: list[App] = []
    faults: list[ConfigError] = []
    for name, base in wanted:
        try:
            app = load(name, base=base)
        except ConfigError as error:
            faults.append(error)
        else:
            found += [app] if app not in found else []
    if len(faults) > 1:
        told = "; ".join(f"{number}. {fault.message}" for number, fault in enumerate(faults, start=1))
        raise ConfigError(f"{len(faults)} apps cannot be loaded: {told}", hint="correct them; nothing was run")
    if faults:
        raise faults[0]
    return found


def load(name: str, *, base: str) -> App:
    """The app that is meant: a .py file or a package's folder by its path, a module by its name, or an entry point.

    A relative path is meant from `base` ("" for the current directory). A name without a slash is a folder there only
    when it is nothing else. Raises ConfigError, one sentence, for what cannot be found, trusted, imported or used.
    """
    if "\0" in name:
        raise ConfigError("the name of an app holds a NUL character", hint="correct it")
    again, attribute = name, ""
    if name.endswith(".py") or "/" in name or "\\" in name:
        again = _absolute(name, base)
        found: Optional[ModuleType] = app_code.from_file(again)
    else:
        found = app_code.imported(name)
        if found is None:
            found, attribute = _entry_point(name)
        if found is None:
            again = _absolute(name, base)
            found = app_code.from_file(again) if os.path.isfile(os.path.join(again, "__init__.py")) else None
    if found is None:
        raise ConfigError(
            f"there is no app {name[:80]!r}: no such module, no entry point of {GROUP}, and no package {again}",
            hint="name a module that this Python can import, or a path with a slash, as ./my_app.py",
        )
    app = _app_in(found, name, attribute)
    app.loaded_from = app.loaded_from or again
    return app


def registry(
    apps: Iterable[Declared], ini_tasks: Iterable[Task], collectors: Iterable[type[Collector]]
) -> dict[str, Task]:
    """All tasks and outboxes by name. Never raises: a task whose name is taken carries that as a fault, for `check`."""
    found = {task.name: task for task in map(_collecting, collectors)}
    for app in apps:
        for declared in (*app.tasks.values(), *app.outboxes.values()):
            task = declared.copy()
            task.app = app.loaded_from
            _enter(found, task)
    enter(found, (declared.copy() for declared in ini_tasks))
    return found


def enter(found: dict[str, Task], tasks: Iterable[Task]) -> None:
    """Add more tasks. One whose name is taken carries that as a fault."""
    for task in tasks:
        _enter(found, task)


def check(
    tasks: Mapping[str, Task], *, faults: Sequence[str], limits: Collection[str], cost_limits: Collection[str]
) -> None:
    """Raise one ConfigError that says everything that is wrong: `faults` of apps, and what is wrong with the tasks."""
    found = [*faults, *faults_of(tasks, limits=limits, cost_limits=cost_limits)]
    if not found:
        return
    listed = "; ".join(f"{number}. {fault}" for number, fault in enumerate(found, start=1))
    raise ConfigError(
        f"{plural(len(found), 'fault')} in the tasks: {listed if len(found) > 1 else found[0]}",
        hint=f"correct {'them' if len(found) > 1 else 'it'}; nothing was run",
    )


def _collecting(kind: type[Collector]) -> Task:
    """The task of a provider that comes with the kernel."""
    task = Task(f"fetch_{kind.name}", kind="collector", source=kind.__module__)
    task.collector = kind
    task.doc = (kind.__doc__ or "").strip().partition("\n")[0]
    return task


def _enter(found: dict[str, Task], task: Task) -> None:
    """Add a task. One whose name is taken stands for both, with the fault."""
    other = found.get(task.name)
    if task.name in RESERVED:
        task.fault("the name belongs to a task of the kernel; choose another")
    elif other is not None:
        task.fault(f"the name is taken by {'an outbox' if other.kind == 'outbox' else 'a task'} of {other.source}")
    found[task.name] = task


def _absolute(name: str, base: str) -> str:
    try:
        return os.path.realpath(os.path.join(base, os.path.expanduser(name)))
    except OSError as error:
        raise ConfigError(f"looking for the app {name}: {error.strerror}", hint="give an absolute path") from error


def _entry_point(name: str) -> tuple[Optional[ModuleType], str]:
    """The module of the entry point of this name, and what it names in there."""
    from importlib.metadata import distributions

    for point in (point for each in distributions() for point in each.entry_points):
        if point.group == GROUP and point.name == name:
            module, _, attribute = point.value.partition("[")[0].replace(" ", "").partition(":")
            found = app_code.imported(module)
            if found is None:
                raise ConfigError(f"the entry point {name} names {module}, which is no module", hint="install it again")
            return found, attribute
    return None, ""


def _app_in(module: ModuleType, name: str, attribute: str) -> App:
    """What the entry point names, else `app`, else the only App that the module holds. Raises ConfigError."""
    from .app import App

    held: Any = module
    for part in (attribute or "app").split("."):
        held = getattr(held, part, None)
    if isinstance(held, App):
        return held
    apps = list({id(each): each for each in vars(module).values() if isinstance(each, App)}.values())
    if attribute or not apps:
        raise ConfigError(f"{name} has no `{attribute or 'app'}`", hint='an app says: app = App("its_name")')
    if len(apps) > 1:
        names = ", ".join(app.name for app in apps)
        raise ConfigError(f"{name} holds several apps ({names})", hint="give the name `app` to the one that is meant")
    return apps[0]
