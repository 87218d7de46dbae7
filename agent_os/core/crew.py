"""The threads that do the work of runs, and the queue in which they hand over: what they ask for, what they came to."""

from __future__ import annotations

import threading
from _collections import deque  # type: ignore[import-not-found, unused-ignore]  # the package is for others
from _queue import Empty, SimpleQueue  # the classes of `queue`, without the rest of it

from . import bodies
from .errors import ResourceError, TransientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Optional

    from .bodies import End, Work
    from .clock import Clock
    from .plan import Unit

    Answer = SimpleQueue[Any]
    # The unit; (operation, arguments) or what came of it; where the answer goes, None for an end.
    Event = tuple[Unit, Any, Optional[Answer]]

LAST_WORDS = ("conclude", "message")  # what has happened outside is still written down while everything ends
_RAISE = "raise the limit of processes or memory (ulimit -u, ulimit -v) and start again"


class Crew:
    """At most so many threads, started when there is work for them."""

    def __init__(self, *, most: int, clock: Clock) -> None:
        self._most = most
        self._clock = clock
        self._events: deque[Event] = deque()
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._todo: SimpleQueue[Optional[tuple[Unit, Work]]] = SimpleQueue()
        self._unanswered: dict[Answer, str] = {}  # and the operation
        self._threads = 0
        self._busy = 0
        self._strays = 0  # threads whose run was cancelled while they could not be ended
        self._is_stopping = False
        self._is_closed = False

    # in the thread that writes

    def take(self, unit: Unit, work: Work) -> None:
        """Have a thread do it. ResourceError where no thread can be started."""
        self._busy += 1
        if self._threads < min(self._busy, self._most) + self._strays:
            thread = threading.Thread(target=self._serve, name=f"worker-{self._threads + 1}", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                raise ResourceError(f"no thread can be started: {error}", hint=_RAISE) from error
            self._threads += 1
        self._todo.put((unit, work))

    def handed_over(self) -> list[Event]:
        """What has been handed over and is not settled yet. A signal that strikes here or later loses nothing of it."""
        try:
            while True:
                self._bell.get(block=False)
        except Empty:
            return [self._events[number] for number in range(len(self._events))]

    def has_news(self) -> bool:
        """Whether anything that was handed over is not settled yet."""
        return bool(self._events)

    def settle(self, events: Sequence[Event]) -> None:
        """These, the first of what was handed over, are dealt with."""
        for event in events:
            self._events.popleft()
            self._busy -= event[2] is None

    def wait(self, seconds: float) -> None:
        """Until something is handed over, at most so long."""
        try:
            self._bell.get(timeout=seconds)
        except Empty:
            return

    def hand_over(self, event: Event) -> None:
        """Say something in a thread's place."""
        self._busy += event[2] is None
        self._put(event)

    def _put(self, event: Event) -> None:
        """Any thread. The event is there before the bell rings, and stays until it is settled."""
        self._events.append(event)
        self._bell.put(None)

    def answer(self, answer: Answer, value: Any) -> None:
        """Tell a thread what it has asked for; an exception is raised there."""
        self._unanswered.pop(answer, None)
        answer.put(value)

    def add_stray(self) -> None:
        """A thread goes on with what nobody waits for any more: another one may take its place."""
        self._strays += 1

    def forget_stray(self) -> None:
        """A stray has come back."""
        self._strays = max(0, self._strays - 1)

    def stop(self) -> None:
        """No thread begins anything any more; those that wait for an answer are told so, but for last words."""
        self._is_stopping = True
        self._turn_away(LAST_WORDS)

    def dismiss(self) -> None:
        """Send idle threads home. Nobody answers any more: a thread that goes on with something must not wait."""
        self._is_stopping = self._is_closed = True
        self._turn_away()
        for _ in range(self._threads):
            self._todo.put(None)

    def _turn_away(self, but: Sequence[str] = ()) -> None:
        for answer, operation in list(self._unanswered.items()):
            if operation not in but:
                self.answer(answer, TransientError("stopped"))

    # in a worker thread

    def call(self, unit: Unit, operation: str, given: Mapping[str, Any]) -> Any:
        """Have the writer do something, and wait until it is committed."""
        answer: Answer = SimpleQueue()
        self._unanswered[answer] = operation
        if self._is_closed or (self._is_stopping and operation not in LAST_WORDS):
            raise TransientError(f"{unit.label} was stopped")
        self._put((unit, (operation, given), answer))
        value = answer.get()
        if isinstance(value, BaseException):
            raise value
        return value

    def _serve(self) -> None:
        """The life of a worker thread."""
        while True:
            given = self._todo.get()
            if given is None:
                return
            unit, work = given
            end: Any
            began = self._clock.monotonic()
            try:
                end = TransientError(f"{unit.label} was stopped") if self._is_stopping else _body(work)
            except BaseException as error:  # noqa: BLE001 (the run boundary: a fault of one task is its own)
                end = error
            work.took = self._clock.monotonic() - began
            self._put((unit, end, None))
            del given, unit, work, end


def _body(work: Work) -> End:
    """Do what the task says."""
    kind = work.task.kind
    if kind == "collector":
        return bodies.collect(work)
    if kind == "outbox":
        return bodies.deliver(work)
    if kind == "command":
        return bodies.run_command(work)
    if work.has_process:
        from .child import run_in_child

        return run_in_child(work)
    return bodies.run_function(work)
