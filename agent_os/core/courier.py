"""Sends pings while the work goes on, in threads of its own: it takes no thread from the work, and none waits for it.

All pings about one task go one after the other through one lane, so that a monitor never hears of an end before its
start. What cannot be sent is left to the next run; it changes nothing about how anything else ends.
"""

from __future__ import annotations

from .clock import from_iso
from .errors import AgentOSError, TaskError, TransientError
from .pings import HOSTS, OUTBOX, WHOLE, address, check_taken

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Optional

    from .home import Home
    from .http_client import HttpClient
    from .ping_book import PingBook
    from .pings import Ping
    from .plan import Unit

    Outcome = tuple[Ping, str, str, int]  # what became of it: sent, parked, waiting; why; how many tries

LANES = 4
MOST_TRIES = 3  # of one ping within one run
WAITS = (1.0, 4.0)  # seconds before the second and the third
LONGEST_WAIT = 20.0  # that a server may ask for; who wants more is asked again by the next run
TRY_SECONDS = 10.0  # for one try, from the first byte to the last
CLOSING_SECONDS = 10.0  # that the end of a run waits for what is still on its way
LOOK_SECONDS = 0.2  # between two looks, while it waits
BURST, BURST_SECONDS = 4, 60.0  # pings about one check, which takes five a minute; the last one is for the end


class Courier:
    """The pings of one runner on their way. Used by the thread that writes; does nothing where nobody is to be told."""

    def __init__(self, book: Optional[PingBook], home: Home) -> None:
        self._book = book
        self._home = home
        self._clock = home.clock
        self._lanes: list[Lane] = []
        self._lane_of: dict[str, Lane] = {}
        self._held: dict[str, Ping] = {}  # by key: handed to a lane, and not back yet
        self._later: list[Ping] = []  # those that have to wait, since a check takes so many a minute
        self._sent_at: dict[str, list[float]] = {}
        self._done: Any = None  # a queue of outcomes
        self._back: list[Outcome] = []  # what came out of it already
        self._has_looked = False
        self._is_closing = False

    def has_news(self) -> bool:
        """Whether anything is to be written down: what became of a ping."""
        return bool(self._back) or (self._done is not None and not self._done.empty())

    def keep(self, over: Optional[Sequence[Unit]]) -> None:
        """Inside the transaction: write down what became of pings. `over`: all units, once their work has ended."""
        if self._book is None:
            return
        if not self._has_looked:
            self._has_looked = True
            self._book.take_over()
        if over is not None:
            failed = any(unit.status == "failed" for unit in over if unit.task.kind != "outbox")
            self._book.over(is_success=not failed)
        while self.has_news():
            ping, status, error, tries = self._back.pop(0) if self._back else self._done.get()
            self._held.pop(ping.key, None)
            self._book.conclude(ping, status, error, tries)
            if status != "sent" and not ping.is_void:
                what = "" if ping.task == WHOLE else f" of {ping.task}"
                self._home.log.info("ping.unsent", f"the ping ({ping.kind}){what} was not sent ({status}): {error}")

    def send(self) -> None:
        """After the commit: hand what was written down to the lanes."""
        if self._book is None or not (self._book.has_posted or self._later):
            return
        posted, voided = self._book.take()
        for key in voided & set(self._held):
            self._held[key].is_void = True
        waiting = [ping for ping in self._later if ping.key not in voided] + posted
        self._later = [ping for ping in waiting if not self._hand_over(ping)]

    def finish(self, seconds: float) -> None:
        """The work has ended: wait a moment for what is still on its way, and leave the rest to the next run.

        Whatever goes wrong here goes wrong for pings alone.
        """
        if self._book is None:
            return
        self._is_closing = True
        try:
            self._close(self._book, self._clock.monotonic() + seconds)
        except AgentOSError as error:
            self._home.log.debug("ping.failed", f"pings could not be written down: {error.message}")
        finally:
            for lane in self._lanes:
                lane.dismiss()

    def _close(self, book: PingBook, deadline: float) -> None:
        with book.db.atomic():
            self.keep(None)
            book.over(is_success=False)  # only where it has not ended in order
            if not self._held and not book.has_posted:
                book.alive()
        self.send()
        while self._held and self._clock.monotonic() < deadline:
            self._wait(LOOK_SECONDS)
        for lane in self._lanes:
            lane.stop()
        if self._held:
            self._wait(LOOK_SECONDS)
        if self._held or self.has_news():
            with book.db.atomic():
                self.keep(None)
                for ping in self._held.values():
                    book.conclude(ping, "waiting", "the run was over before it was taken", 1)

    def _wait(self, seconds: float) -> None:
        """Until a ping has come back, at most so long. What it came to is written down later."""
        from _queue import Empty  # as in `crew`

        try:
            outcome = self._done.get(timeout=seconds)
        except Empty:
            return
        self._held.pop(outcome[0].key, None)
        self._back.append(outcome)

    def _hand_over(self, ping: Ping) -> bool:
        """Give a ping to the lane of its task; False where its check has had enough for the moment."""
        now = self._clock.monotonic()
        sent = self._sent_at[ping.task] = [at for at in self._sent_at.get(ping.task, ()) if now - at < BURST_SECONDS]
        if len(sent) >= BURST and not self._is_closing:
            return False
        sent.append(now)
        ping.text = self._book.words(ping) if self._book else ""
        lane = self._lane_of.get(ping.task) or self._lane(ping.task)
        self._held[ping.key] = ping
        lane.take(ping)
        return True

    def _lane(self, task: str) -> Lane:
        from _queue import SimpleQueue

        self._done = self._done or SimpleQueue()
        if len(self._lanes) < LANES:
            self._lanes.append(Lane(self._home, self._book.pings.of if self._book else str, self._done.put))
        lane = self._lane_of[task] = self._lanes[len(self._lane_of) % len(self._lanes)]
        return lane


class Lane:
    """A thread that sends one ping after the other."""

    def __init__(self, home: Home, address_of: Callable[[str], str], done: Callable[[Outcome], None]) -> None:
        from _queue import SimpleQueue
        from threading import Event

        self._home = home
        self._address_of = address_of
        self._done = done
        self._todo: SimpleQueue[Optional[Ping]] = SimpleQueue()
        self._stop = Event()
        self._http: Optional[HttpClient] = None
        self._is_begun = False

    def take(self, ping: Ping) -> None:
        """Send it when its turn comes. Where no thread can be started, it waits for the next run."""
        if not self._is_begun:
            from threading import Thread

            try:
                Thread(target=self._serve, name="ping", daemon=True).start()
            except RuntimeError as error:
                self._done((ping, "waiting", f"no thread can be started: {error}", 0))
                return
            self._is_begun = True
        self._todo.put(ping)

    def stop(self) -> None:
        """Try nothing again, and end what is under way."""
        self._stop.set()
        if self._http:
            self._http.abort()

    def dismiss(self) -> None:
        """There will be no more."""
        self.stop()
        self._todo.put(None)

    def _serve(self) -> None:
        while True:
            ping = self._todo.get()
            if ping is None:
                return
            try:
                outcome = self.deliver(ping)
            except Exception as error:  # noqa: BLE001 (a boundary: a fault here costs one ping and nothing else)
                outcome = (ping, "parked", f"{type(error).__name__}: {error}", 1)
            self._done(outcome)

    def deliver(self, ping: Ping) -> Outcome:
        """Send a ping, three times at most; what became of it."""
        error = ""
        for number in range(1, MOST_TRIES + 1):
            if ping.is_void:
                return ping, "waiting", "a newer one has taken its place", number - 1
            if self._stop.is_set() or not self._is_ours(ping):
                return ping, "waiting", error or "the run was over before it could be sent", number - 1
            try:
                self._post(ping)
            except TransientError as failure:
                error = failure.message
                wait = failure.retry_after or WAITS[min(number, len(WAITS)) - 1]
                if number == MOST_TRIES or wait > LONGEST_WAIT:
                    return ping, "waiting", error, number
                self._stop.wait(wait)
            except AgentOSError as failure:
                is_answered = isinstance(failure, TaskError) and failure.status  # else a sign-in page may be in between
                return ping, "parked" if is_answered else "waiting", failure.message, number
            else:
                return ping, "sent", "", number
        return ping, "waiting", error, MOST_TRIES

    def _is_ours(self, ping: Ping) -> bool:
        """Whether no other runner may send it yet, even if this try takes as long as it can."""
        left = (from_iso(ping.until) - self._home.clock.now()).total_seconds()
        return left > TRY_SECONDS

    def _post(self, ping: Ping) -> None:
        if self._http is None:
            self._http = self._home.connect(HOSTS, log=self._home.log.bind(task=OUTBOX), deadline=TRY_SECONDS)
        url, query = address(self._address_of(ping.task), ping.kind, ping.run_id)
        reply = self._http.post(
            url, query=query, data=ping.text.encode("utf-8", "backslashreplace"),
            content_type="text/plain; charset=utf-8",
        )  # fmt: skip
        check_taken(reply.status, reply.body)
