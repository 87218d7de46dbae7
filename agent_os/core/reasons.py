"""Why a run did not succeed, in words: from whatever was raised."""

from __future__ import annotations

from .errors import AgentOSError, Stopped, TransientError, out_of_memory

LONGEST_WAIT_SECONDS = 30 * 86_400.0


class Cancelled(Exception):  # noqa: N818 (what happened, not an error)
    """Somebody asked for the end of this run."""

    def __init__(self) -> None:
        super().__init__("cancelled: its end was asked for")


class TryLater(TransientError):  # noqa: N818 (what was asked for, not an error)
    """Not now: no fault of anyone's. When the attempts of its run are used up, its slot stays due."""


def slot_status_of(error: BaseException) -> str:
    """What becomes of the slot of a run that ended so: what was cancelled is not due again by itself."""
    return "skipped" if isinstance(error, Cancelled) else "due" if isinstance(error, TryLater) else "failed"


def why(error: BaseException) -> str:
    """What went wrong."""
    if isinstance(error, Stopped):
        return f"stopped by signal {error.signal_number}"
    if isinstance(error, (AgentOSError, Cancelled)) or hasattr(error, "trace"):
        return str(error)
    if isinstance(error, MemoryError):
        return str(out_of_memory())
    return ": ".join(filter(None, (type(error).__name__, str(error))))


def hint_of(error: BaseException) -> str:
    """What to do about it."""
    if isinstance(error, AgentOSError):
        return error.hint
    return "`retry` does it again" if isinstance(error, Cancelled) else "the log has the traceback"


def trace_of(error: BaseException) -> str:
    """Where a fault came from; an error of ours says all there is to say."""
    if isinstance(error, (AgentOSError, Cancelled)):
        return ""
    if hasattr(error, "trace"):  # told by another process
        return str(error.trace)
    from traceback import format_exception

    return "".join(format_exception(type(error), error, error.__traceback__))


def asked_wait(error: BaseException) -> float:
    """The seconds that an error asks to be left alone; 0 where it asks for none, or for what is no span of time.

    `retry_after` is given by apps, often as a server wrote it: text, or far too much.
    """
    asked = error.retry_after if isinstance(error, TransientError) else None
    try:
        seconds = float(asked or 0.0)
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return min(seconds, LONGEST_WAIT_SECONDS) if seconds > 0 else 0.0
