"""Which units may begin: those whose predecessors are over, and those whose next attempt has come. Holds no thread."""

from __future__ import annotations

from itertools import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .plan import Unit


class Agenda:
    """Units that are not over: waiting for others, ready, or waiting for their next attempt."""

    def __init__(self) -> None:
        self._numbers = count()
        self._waits_for: dict[Unit, int] = {}
        self._followers: dict[Unit, list[Unit]] = {}
        self._ready: list[Unit] = []
        self._retries: list[tuple[float, int, Unit]] = []

    def __bool__(self) -> bool:
        return bool(self._ready or self._retries)

    def add(self, units: Iterable[Unit]) -> None:
        """Take units in; what they come after is among them, or over."""
        added = list(units)
        for unit in added:
            self._waits_for[unit] = len(unit.after)
            for before in unit.after:
                self._followers.setdefault(before, []).append(unit)
        self._ready += [unit for unit in added if not unit.after and not unit.is_over]
        for unit in added:
            if unit.is_over:
                self.release(unit)

    def release(self, unit: Unit) -> None:
        """A unit is over: one less for its followers to wait for."""
        for follower in self._followers.pop(unit, ()):
            self._waits_for[follower] -= 1
            if not self._waits_for[follower] and not follower.is_over:
                self._ready.append(follower)

    def come_back(self, unit: Unit, at: float) -> None:
        """Have a unit be ready again at this instant of the monotonic clock."""
        from heapq import heappush  # here, and below: few runs are tried again

        heappush(self._retries, (at, next(self._numbers), unit))

    def waiting(self) -> list[Unit]:
        """The units that wait for their next attempt."""
        return [unit for _, _, unit in self._retries]

    def drop(self, unit: Unit) -> None:
        """Forget a unit that waits for its next attempt."""
        from heapq import heapify

        self._retries = [each for each in self._retries if each[2] is not unit]
        heapify(self._retries)

    def seconds_left(self, now: float, *, most: float) -> float:
        """Until the first of them is ready again, at most so many."""
        return max(0.001, min(most, self._retries[0][0] - now)) if self._retries else most

    def ready(self, now: float) -> list[Unit]:
        """The units that may begin, in their order."""
        while self._retries and self._retries[0][0] <= now:
            from heapq import heappop

            self._ready.append(heappop(self._retries)[2])
        return self._ready

    def take(self, now: float, *, most: int, has_room: Callable[[Unit], bool]) -> list[Unit]:
        """At most so many ready units for which there is room; they are no longer on the agenda."""
        taken: list[Unit] = []
        left: list[Unit] = []
        ready = self.ready(now)
        for position, unit in enumerate(ready):
            if len(taken) >= most:
                left += ready[position:]
                break
            (taken if has_room(unit) else left).append(unit)
        self._ready = left
        return taken
