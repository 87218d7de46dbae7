"""When to try again and how long to wait: attempts and a time budget, doubling waits, the other side's wish respected.

Pure but for the calls it is given: time, sleep, chance and the reason to stop are handed in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timezone
from typing import TYPE_CHECKING, NamedTuple, Optional, TypeVar

from .errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from typing import Callable

    from .clock import Clock

T = TypeVar("T")

CATCHES_UP = "nothing of this was stored; the next run catches up"
_NEVER_AGAIN = {400, 401, 402, 403, 404, 422}
_WORTH_IT = {408, 409, 429}
_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_SLICE_SECONDS = 0.25  # how soon a wait notices that it should stop


class UnreachableError(TransientError):
    """No connection came about. Worth a few quick tries and no patience: the machine is probably offline."""


class Wait(NamedTuple):
    """A pause before the next try: which attempt failed, how (its error), and for how many seconds to wait."""

    attempt: int
    error: TransientError
    seconds: float


@dataclass(frozen=True)
class Retry:
    """How patient to be. The budget counts everything since the first try began, not only the waits."""

    attempts: int = 5
    budget_seconds: float = 120.0
    base_seconds: float = 0.5
    cap_seconds: float = 8.0
    longest_asked_seconds: float = 120.0
    offline_seconds: float = 20.0

    def call(
        self,
        fn: Callable[[], T],
        *,
        clock: Clock,
        random: Callable[[], float],
        on_wait: Optional[Callable[[Wait], None]] = None,
        stop: Optional[Callable[[], bool]] = None,
    ) -> T:
        """The value of `fn()`, called again after a TransientError while that is worth it; other errors pass at once.

        `random` gives 0 <= x < 1. `on_wait` hears of each pause. Once `stop()` is true no further try begins and a
        pause ends within a quarter of a second. Raises TransientError, the last one with what was spent on it.
        """
        began = clock.monotonic()
        attempt = 0
        while True:
            attempt += 1
            try:
                return fn()
            except TransientError as error:
                if stop is not None and stop():
                    raise _ended(error, "stopped") from error
                spent = clock.monotonic() - began
                wait = Wait(attempt, error, self._seconds(attempt, error, random))
                reason = self._reason_to_give_up(wait, spent)
                if reason:
                    raise _ended(error, reason) from error
            if on_wait is not None:
                on_wait(wait)
            pause(wait, clock, stop)

    def _seconds(self, attempt: int, error: TransientError, random: Callable[[], float]) -> float:
        """Never less than what was asked for; else a doubling wait, up to a quarter shorter by chance."""
        if error.retry_after:
            return error.retry_after + self.base_seconds * random()
        doubled: float = self.base_seconds * 2.0 ** min(attempt - 1, 30)
        return min(doubled, self.cap_seconds) * (1 - 0.25 * random())

    def _reason_to_give_up(self, wait: Wait, spent: float) -> str:
        """Why no further try is made, or ''. `spent` seconds are gone since the first try began."""
        if wait.attempt >= self.attempts:
            return f"gave up after {wait.attempt} attempts in {spent:.0f} s" if wait.attempt > 1 else "not tried again"
        asked = wait.error.retry_after or 0.0
        if asked > self.longest_asked_seconds:
            longest = f"more than the {self.longest_asked_seconds:.0f} s that are waited at most"
            return f"gave up: a wait of {asked:.0f} s was asked for, {longest}"
        budget = self.budget_seconds
        if isinstance(wait.error, UnreachableError):
            budget = min(budget, self.offline_seconds)
        if spent + wait.seconds > budget:
            tries = "1 attempt" if wait.attempt == 1 else f"{wait.attempt} attempts"
            next_one = f"the next one in {wait.seconds:.0f} s would not fit into the {budget:.0f} s allowed"
            return f"gave up after {tries} in {spent:.0f} s: {next_one}"
        return ""


def _ended(error: TransientError, reason: str) -> TransientError:
    """The same error, told to its end: what happened last, and why it was left at that."""
    message = f"{error.message}; {reason}"
    hint = error.hint or CATCHES_UP
    return type(error)(
        message,
        hint=hint,
        status=error.status,
        retry_after=error.retry_after,
        may_have_happened=error.may_have_happened,
    )


def pause(wait: Wait, clock: Clock, stop: Optional[Callable[[], bool]]) -> None:
    """Sleep the wait out in slices, so that a stop need not wait for its end. Raises TransientError when stopped."""
    if stop is None:
        clock.sleep(wait.seconds)
        return
    until = clock.monotonic() + wait.seconds
    while (left := until - clock.monotonic()) > 0:
        if stop():
            raise _ended(wait.error, "stopped while waiting to try again") from wait.error
        clock.sleep(min(left, _SLICE_SECONDS))


def should_retry(status: int, headers: Mapping[str, str]) -> bool:
    """Is a request that was answered with this status worth sending again? Header names in lower case."""
    if status in _NEVER_AGAIN:
        return False
    wish = headers.get("x-should-retry", "").strip().lower()
    if wish in ("true", "false"):
        return wish == "true"
    return status in _WORTH_IT or status >= 500


def asked_wait(headers: Mapping[str, str], now: datetime) -> Optional[float]:
    """The seconds a response asks to wait: `retry-after-ms`, else `retry-after` in seconds or as an HTTP date.

    None when it asks for nothing, for a moment gone by, or in a way that cannot be read.
    """
    milliseconds = headers.get("retry-after-ms", "").strip()
    if _SECONDS.fullmatch(milliseconds):
        return float(milliseconds) / 1000
    text = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    return _seconds_until(text, now) if text else None


def _seconds_until(text: str, now: datetime) -> Optional[float]:
    """Seconds from `now` to an HTTP date; None when it is past or no date."""
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(text)
        # An HTTP date is UTC whatever it says; the two obsolete forms say nothing.
        aware = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
        seconds = (aware - now).total_seconds()
    except (TypeError, ValueError, OverflowError, IndexError):  # which one depends on the Python and on the garbage
        return None
    return seconds if seconds >= 0 else None
