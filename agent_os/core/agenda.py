"""Which units may begin: those whose predecessors are over, and those whose next attempt has come. Holds no thread."""

from __future__ import annotations

from _collections import deque  # type: ignore[import-not-found, unused-ignore]  # the package is for others
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
        # Ready units in their order, apart by the limits that they name: what has no room hides nobody else.
        self._ready: dict[tuple[str, ...], deque[tuple[int, Unit]]] = {}
        self._retries: list[tuple[float, int, Unit]] = []

    def __bool__(self) -> bool:
        return bool(self._retries or any(self._ready.values()))

    def add(self, units: Iterable[Unit]) -> None:
        """Take units in; what they come after is among them, or over. Those of one task go one after the other."""
        added = list(units)
        last: dict[str, Unit] = {}
        for unit in added:
            before_it = [*unit.after, *filter(None, [last.get(unit.task.name)])]
            last[unit.task.name] = unit
            self._waits_for[unit] = len(before_it)
            for before in before_it:
                self._followers.setdefault(before, []).append(unit)
        free = {unit for unit in added if not self._waits_for[unit]}
        for unit in added:
            if unit.is_over:
                self.release(unit)
            elif unit in free:
                self._line_up(unit)

    def release(self, unit: Unit) -> None:
        """A unit is over: one less for its followers to wait for."""
        for follower in self._followers.pop(unit, ()):
            self._waits_for[follower] -= 1
            if not self._waits_for[follower] and not follower.is_over:
                self._line_up(follower)

    def _line_up(self, unit: Unit) -> None:
        if unit.begins_at:  # it is ready, but for its jitter
            begins_at, unit.begins_at = unit.begins_at, 0.0
            self.come_back(unit, begins_at)
            return
        self._ready.setdefault(unit.task.limits, deque()).append((next(self._numbers), unit))

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
        """Of the units that may begin, the first of each kind of limits, in their order."""
        while self._retries and self._retries[0][0] <= now:
            from heapq import heappop

            self._line_up(heappop(self._retries)[2])
        return [unit for _, unit in sorted((line[0] for line in self._ready.values() if line), key=_number)]

    def take(self, now: float, *, most: int, has_room: Callable[[Unit], bool]) -> list[Unit]:
        """At most so many ready units for which there is room, in their order; they are no longer on the agenda."""
        taken: list[Unit] = []
        full: set[tuple[str, ...]] = set()
        while len(taken) < most:
            unit = next((each for each in self.ready(now) if each.task.limits not in full), None)
            if unit is None:
                break
            if has_room(unit):
                taken.append(self._ready[unit.task.limits].popleft()[1])
            else:
                full.add(unit.task.limits)
        return taken


def _number(entry: tuple[int, Unit]) -> int:
    return entry[0]


def blocked_by(unit: Unit) -> str:
    """Why a unit cannot be done, from what it comes after; being disabled, or having nothing to do, blocks nobody."""
    failed = unit.failed_before() if unit.task.after_failure == "skip" else ()
    for before in failed:
        return f"{before.label}, which it comes after, {'failed' if before.status == 'failed' else 'was skipped'}"
    return ""
