"""Agent OS: a local-first workflow engine in one file, with collectors that know what AI providers really charged.

The public API. Names are imported when they are first used: a start that collects nothing loads nothing for it.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .answers import Gap, Posted, Run, RunResult, TaskInfo, TickResult, Watched
    from .api import OpenHome, open  # noqa: A004 (as gzip.open and codecs.open)
    from .core.app import App
    from .core.app_values import Ask, Message, Result
    from .core.batch_store import KnownDay, StoredBatch, StoredPage
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
    from .core.estimates import Estimate
    from .core.export import inert
    from .core.line_store import Line, Sum
    from .core.log_events import Answer, Counts, count_of, day_and_second, folder_of, hashed, moment_of, text_of
    from .core.log_source import LogCollector
    from .core.model import Page, Record, Row
    from .core.money import decimal_text, shown
    from .core.text import table

__version__ = "0.1.0"
__all__ = [
    "AgentOSError",
    "Answer",
    "App",
    "Ask",
    "BusyError",
    "Collector",
    "ConfigError",
    "Context",
    "Counts",
    "Estimate",
    "FencedError",
    "Gap",
    "KnownDay",
    "Line",
    "LogCollector",
    "Message",
    "Moments",
    "OpenHome",
    "Page",
    "PermanentError",
    "Posted",
    "Record",
    "ResourceError",
    "Result",
    "Row",
    "Run",
    "RunResult",
    "StoreError",
    "StoredBatch",
    "StoredPage",
    "Sum",
    "TaskError",
    "TaskInfo",
    "TickResult",
    "TransientError",
    "UsageError",
    "Watched",
    "Window",
    "__version__",
    "count_of",
    "day_and_second",
    "decimal_text",
    "folder_of",
    "hashed",
    "inert",
    "moment_of",
    "open",
    "shown",
    "table",
    "text_of",
]

_ROOMS = {
    "Answer": "core.log_events",
    "App": "core.app",
    "Ask": "core.app_values",
    "Collector": "core.collector",
    "Context": "core.context",
    "Counts": "core.log_events",
    "Estimate": "core.estimates",
    "Gap": "answers",
    "KnownDay": "core.batch_store",
    "Line": "core.line_store",
    "LogCollector": "core.log_source",
    "Message": "core.app_values",
    "Moments": "core.days",
    "OpenHome": "api",
    "Page": "core.model",
    "Posted": "answers",
    "Record": "core.model",
    "Result": "core.app_values",
    "Row": "core.model",
    "Run": "answers",
    "RunResult": "answers",
    "StoredBatch": "core.batch_store",
    "StoredPage": "core.batch_store",
    "Sum": "core.line_store",
    "TaskInfo": "answers",
    "TickResult": "answers",
    "Watched": "answers",
    "Window": "core.days",
    "count_of": "core.log_events",
    "day_and_second": "core.log_events",
    "decimal_text": "core.money",
    "folder_of": "core.log_events",
    "hashed": "core.log_events",
    "inert": "core.export",
    "moment_of": "core.log_events",
    "open": "api",
    "shown": "core.money",
    "table": "core.text",
    "text_of": "core.log_events",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    room = __import__(f"{__name__}.{_ROOMS.get(name, 'core.errors')}", fromlist=[name])
    globals()[name] = getattr(room, name)
    return globals()[name]
