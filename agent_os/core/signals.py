"""Signals that ask the program to stop, from the first word of a command to its last."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found, unused-ignore]  # `signal` without its enums: every start loads it
import os
from _thread import get_ident

from .errors import Stopped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any, Optional

NAMES = ("SIGTERM", "SIGHUP", "SIGINT")
_asked: dict[int, int] = {}  # thread -> the signal that asked it to stop
_watched: list[bool] = []  # not empty: whoever has started us sees to our end


def stop_if_asked() -> None:
    """Raise `Stopped` once more where it was raised already: Python drops what is raised while it cleans up."""
    number = _asked.get(get_ident())
    if number is not None:
        raise Stopped(number)


def leave_it_to_parent() -> None:
    """Whoever has started us ends us if our end takes too long, and says why. So a second signal is no impatience: it
    is what a supervisor has sent to all processes at once, and our parent to us.
    """
    _watched.append(True)


def is_left_to_parent() -> bool:
    """Whether somebody else says that a signal has ended us."""
    return bool(_watched)


class StopSignals:
    """`with StopSignals():` the first signal raises `Stopped` in the main thread, the second ends the process at once.

    What was ignored when we were started stays ignored (nohup, background tasks of scripts). In any thread but the
    main one nothing is changed.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._seen = False
        self._is_over = False

    def __enter__(self) -> StopSignals:  # noqa: PYI034 (typing has no Self before 3.11)
        for name in NAMES:
            number = getattr(_signal, name, None)
            if number is None or _signal.getsignal(number) == _signal.SIG_IGN:
                continue
            try:
                self._before[number] = _signal.signal(number, self._stop)
            except ValueError:
                break
        return self

    def __exit__(self, *_: object) -> None:
        _asked.pop(get_ident(), None)
        _watched.clear()
        for number, before in self._before.items():
            _signal.signal(number, _signal.SIG_DFL if before is None else before)

    def over(self) -> None:
        """The work has ended, one way or the other: from now on a signal only matters when a second one follows."""
        self._is_over = True

    def _stop(self, number: int, _: Optional[FrameType]) -> None:
        if self._seen and _watched:
            return
        if self._seen:
            os._exit(128 + number)
        self._seen = True
        if not self._is_over:
            _asked[get_ident()] = number
            raise Stopped(number)
