"""Which other runners live, and the end of those that do not: their runs are closed, their slots due again."""

from __future__ import annotations

from datetime import timedelta

from . import lock, machine
from .clock import iso

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from .home import Home
    from .slots import Slots


class Other:
    """Another runner that has slots or runs. `state`: alive, gone, or late, which may turn out to be either."""

    __slots__ = ("lease_until", "owner", "state", "tasks")

    def __init__(self, owner: str, state: str, lease_until: str, tasks: set[str]) -> None:
        self.owner = owner
        self.state = state
        self.lease_until = lease_until
        self.tasks = tasks


class Living:
    """The other runners of a home, as the runner `owner` sees them."""

    def __init__(self, home: Home, slots: Slots, *, owner: str) -> None:
        self._home = home
        self._slots = slots
        self._owner = owner
        self.on_interrupt: Callable[[list[str]], None] = lambda _: None  # hears of the runs that are closed

    def others(self, seen: Mapping[str, str]) -> list[Other]:
        """Every other runner that has anything. `seen`: leases that were over a moment of patience ago, by runner."""
        now = self._home.clock.now()
        farthest = iso(now + timedelta(seconds=2 * machine.LEASE_SECONDS))
        found = []
        for owner, (lease_until, tasks) in sorted(self._slots.owners().items()):
            if owner != self._owner:
                is_over = lock.number_of(owner) == lock.number_of(self._owner) or lock.is_gone(
                    self._home.db_path, owner
                )
                state = machine.judge(
                    lease_until, lock_is_free=is_over, now=iso(now), farthest=farthest, seen=seen.get(owner)
                )
                found.append(Other(owner, state, lease_until, tasks))
        return found

    def bury(self, seen: Mapping[str, str], tasks: Collection[str]) -> tuple[dict[str, str], dict[str, str]]:
        """Close what runners that are gone have left. Of the others: (the leases that are over, by runner; which of
        these tasks they have, and who).

        In the transaction that takes slots: who is judged once, and buried or left, has not died or come back since.
        """
        late: dict[str, str] = {}
        busy: dict[str, str] = {}
        for other in self.others(seen):
            if other.state == "gone":
                runs = self._slots.interrupt(other.owner)
                self.on_interrupt(runs)
                for run_id in runs:
                    text = "an earlier run was interrupted; what it had to do is due again"
                    self._home.log.warning("run.interrupted", text, run=run_id)
                continue
            if other.state == "late":
                late[other.owner] = other.lease_until
            busy.update(dict.fromkeys(other.tasks & set(tasks), other.owner))
        return late, busy

    def look(self, seen: Mapping[str, str]) -> tuple[bool, dict[str, str]]:
        """Whether any other runner is gone, and the leases that are over: a look, which costs no transaction."""
        others = self.others(seen)
        late = {other.owner: other.lease_until for other in others if other.state == "late"}
        return any(other.state == "gone" for other in others), late

    def busy(self, tasks: Collection[str]) -> dict[str, str]:
        """Tasks of these that another runner has, and who; nothing as soon as any runner does not seem to live."""
        found: dict[str, str] = {}
        for other in self.others({}):
            if other.state != "alive":
                return {}
            found.update(dict.fromkeys(other.tasks & set(tasks), other.owner))
        return found

    def held(self, tasks: Collection[str]) -> dict[str, str]:
        """Tasks of these that a runner has that is not known to be gone, and who: for those who only look.

        One that was killed is gone, though what it had started is still being ended: whoever begins now waits for that.
        """
        return {
            task: other.owner
            for other in self.others({})
            if other.state != "gone" and not lock.is_orphaned(self._home.db_path, other.owner)
            for task in other.tasks & set(tasks)
        }
