"""Collectors at work side by side: a thread each, one request at a time each; results come out in the caller."""

from __future__ import annotations

import threading
from queue import Empty, Queue
from typing import TYPE_CHECKING, Optional, Union

from .errors import AgentOSError, ConfigError, KeyRefusedError, ResourceError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .collector import Collector
    from .days import Window
    from .model import Batch

    # The collector's name; the window; its batch, what went wrong with it, or None when the collector is done.
    Handed = tuple[str, Window, Union[Batch, BaseException, None]]

_RAISE = "raise the limit of processes or memory (ulimit -u, ulimit -v) and start again"
HEARD_EVERY_SECONDS = 0.5  # how long a signal may go unheard where waiting for a thread cannot be interrupted
JOIN_SECONDS = 2.0


class Crew:
    """Starts the threads; iterating yields what they hand over, until all are done. Few batches are held at a time."""

    def __init__(self, orders: Sequence[tuple[Collector, Sequence[Window]]], *, open_day: str) -> None:
        self._open_day = open_day
        self._collectors = [collector for collector, _ in orders]
        self._handed: Queue[Handed] = Queue(maxsize=2)
        self._stopped = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=order, name=order[0].name, daemon=True) for order in orders
        ]

    def __iter__(self) -> Iterator[Handed]:
        try:
            for thread in self._threads:
                thread.start()
        except RuntimeError as error:
            raise ResourceError(f"no thread can be started: {error}", hint=_RAISE) from error
        left = len(self._threads)
        while left:
            handed = self._next()
            if handed:
                left -= handed[2] is None
                yield handed

    def stop(self) -> None:
        """End what is under way: connections are shut down, threads are waited for, briefly."""
        self._stopped.set()
        for collector in self._collectors:
            collector.abort()
        while self._next(wait=False):
            pass
        for thread in self._threads:
            if thread.ident:
                thread.join(JOIN_SECONDS)

    def _next(self, *, wait: bool = True) -> Optional[Handed]:
        try:
            return self._handed.get(wait, HEARD_EVERY_SECONDS)
        except Empty:
            return None

    def _hand(self, handed: Handed) -> None:
        if not self._stopped.is_set():
            self._handed.put(handed)

    def _work(self, collector: Collector, windows: Sequence[Window]) -> None:
        """The life of one thread; whatever happens, it says at last that it is done."""
        try:
            self._collect(collector, windows)
            collector.close()
        finally:
            self._hand((collector.name, windows[-1], None))

    def _collect(self, collector: Collector, windows: Sequence[Window]) -> None:
        """Every window in turn, until one shows that the others would fare no better."""
        for window in windows:
            if self._stopped.is_set():
                break
            try:
                self._hand((collector.name, window, collector.collect(window, open_day=self._open_day)))
            except (KeyRefusedError, ConfigError, ResourceError, TransientError) as error:
                self._hand((collector.name, window, error))
                break
            except AgentOSError as error:
                self._hand((collector.name, window, error))
            except BaseException as error:  # noqa: BLE001 (the run boundary: a fault of one provider is its own)
                self._hand((collector.name, window, error))
                break
