"""Signals that ask the program to stop, while it works."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any, Optional

from .errors import Stopped

if TYPE_CHECKING:
    from types import FrameType

NAMES = ("SIGTERM", "SIGHUP", "SIGINT")


class StopSignals:
    """`with StopSignals():` the first signal raises `Stopped` in the main thread, the second ends the process at once.

    What was ignored when we were started stays ignored (nohup, background tasks of scripts). In any thread but the
    main one nothing is changed.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._seen = False

    def __enter__(self) -> None:
        for name in NAMES:
            number = getattr(signal, name, None)
            if number is None or signal.getsignal(number) is signal.SIG_IGN:
                continue
            try:
                self._before[number] = signal.signal(number, self._stop)
            except ValueError:
                return

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _stop(self, number: int, _: Optional[FrameType]) -> None:
        if self._seen:
            os._exit(128 + number)
        self._seen = True
        raise Stopped(number)
