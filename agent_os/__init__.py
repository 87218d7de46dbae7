"""Agent OS: a local-first workflow engine in one file, with collectors that know what AI providers really charged.

The public API. Names are imported when they are first used: a start that collects nothing loads nothing for it.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .core.app import App, Ask, Message, Result
    from .core.collector import Collector
    from .core.context import Context
    from .core.days import Moments, Window
    from .core.errors import (
        AgentOSError,
        BusyError,
        ConfigError,
        FencedError,
        PermanentError,
        ResourceError,
        StoreError,
        TaskError,
        TransientError,
        UsageError,
    )
    from .core.model import Page, Record, Row
    from .core.money import shown
    from .core.text import table

__version__ = "0.1.0"
__all__ = [
    "AgentOSError",
    "App",
    "Ask",
    "BusyError",
    "Collector",
    "ConfigError",
    "Context",
    "FencedError",
    "Message",
    "Moments",
    "Page",
    "PermanentError",
    "Record",
    "ResourceError",
    "Result",
    "Row",
    "StoreError",
    "TaskError",
    "TransientError",
    "UsageError",
    "Window",
    "__version__",
    "shown",
    "table",
]

_ROOMS = {
    "App": "app",
    "Ask": "app",
    "Collector": "collector",
    "Context": "context",
    "Message": "app",
    "Moments": "days",
    "Page": "model",
    "Record": "model",
    "Result": "app",
    "Row": "model",
    "Window": "days",
    "shown": "money",
    "table": "text",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    room = __import__(f"{__name__}.core.{_ROOMS.get(name, 'errors')}", fromlist=[name])
    globals()[name] = getattr(room, name)
    return globals()[name]
