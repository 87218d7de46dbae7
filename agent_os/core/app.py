"""An app: a named set of tasks that reads what the kernel knows. All business logic lives in apps, none here."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Optional

from .errors import ConfigError

if TYPE_CHECKING:
    from .home import Home


class Result(NamedTuple):
    """The headline of one provider's day. `cost_nano`: 10^-9 of `currency`; None and unknown are the same thing."""

    date: str
    provider: str
    tokens: Optional[int]
    cost_nano: Optional[int]
    currency: str
    basis: str
    day_status: str
    updated_at: str


class Context:
    """What a task of an app may see and use."""

    def __init__(self, home: Home) -> None:
        self._home = home

    @property
    def today(self) -> str:
        """The current UTC day."""
        return self._home.clock.today()

    def setting(self, name: str) -> str:
        """A setting's value, `""` when it is not set."""
        return self._home.settings.get(name)

    def results(self, *, since: str, until: str) -> list[Result]:
        """The headlines of a span of days (`until` is not in it), oldest first. ConfigError where nothing is stored."""
        return [Result(*row) for row in self._home.store().results(since=since, until=until)]


Task = Callable[[Context], str]


class App:
    """A named set of tasks. A task is a function that takes a `Context` and returns the text to show."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tasks: dict[str, Task] = {}
        self.loaded_from = ""  # what loads it again in another process: an absolute path or the name of a module

    def task(self, function: Task) -> Task:
        """Register a function as a task under its own name. Raises ConfigError for a name that is taken."""
        name = function.__name__
        if name in self.tasks:
            raise ConfigError(f"the app {self.name} has two tasks named {name}", hint="rename one of them")
        self.tasks[name] = function
        return function


def load_app(module_name: str) -> App:
    """Import an app by the name of its package. Raises ConfigError when there is none."""
    from importlib import import_module

    try:
        found = vars(import_module(module_name)).get("app")
    except ImportError as error:
        raise ConfigError(
            f"the app {module_name} cannot be imported: {error}", hint="check its name and PYTHONPATH"
        ) from error
    if not isinstance(found, App):
        raise ConfigError(f"{module_name} has no `app`", hint='an app says: app = App("its_name")')
    return found
