"""The moves of a slot: pure. A state goes in, the next one comes out, or a reason why the move is not allowed.

`slots` applies this to rows of the database; docs/TASKS.md has the table. Times are instants as text: they sort.
"""

from __future__ import annotations

from .errors import FencedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

RESOLVED = ("success", "failed", "skipped")
LEASE_SECONDS = 150.0  # longer than a writer waits for another (60 s), so that waiting costs nobody his slots
RENEW_SECONDS = 50.0
TAKEN_OVER = "this run has lost its slot: it was silent for longer than its lease, and another runner has taken over"
PATIENCE_SECONDS = 6.0  # for the renewal of a lease that is over while the lock is still held


class Slot:
    """What is known of one slot. `epoch` counts claims and interrupts; 0: nobody ever had it."""

    __slots__ = ("attempts", "epoch", "lease_until", "owner", "status")

    def __init__(
        self, status: str = "due", *, epoch: int = 0, owner: str = "", lease_until: str = "", attempts: int = 0
    ) -> None:
        self.status = status
        self.epoch = epoch
        self.owner = owner
        self.lease_until = lease_until
        self.attempts = attempts

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Slot) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        return f"Slot{self._values()}"

    def _values(self) -> tuple[str, int, str, str, int]:
        return self.status, self.epoch, self.owner, self.lease_until, self.attempts


def enlist(slot: Optional[Slot], *, owner: str, lease_until: str) -> Slot:
    """Put a slot on a runner's list, whatever it was before. FencedError when another runner has it."""
    before = slot or Slot()
    if before.owner not in ("", owner):
        raise FencedError(f"the slot belongs to runner {before.owner}")
    if before.status == "running":
        raise FencedError("the slot is running already")
    return Slot("due", epoch=before.epoch, owner=owner, lease_until=lease_until, attempts=before.attempts)


def claim(slot: Slot, *, owner: str, lease_until: str) -> Slot:
    """Begin a run. FencedError unless the slot is due and on this runner's list."""
    if slot.status != "due" or slot.owner != owner:
        raise FencedError(f"the slot is {slot.status} and belongs to {slot.owner or 'nobody'}")
    return Slot("running", epoch=slot.epoch + 1, owner=owner, lease_until=lease_until, attempts=slot.attempts + 1)


def check(slot: Optional[Slot], *, epoch: int) -> Slot:
    """The slot, if a run with this epoch may still write. FencedError when it was taken over."""
    if slot is None or slot.status != "running" or slot.epoch != epoch:
        raise FencedError(
            TAKEN_OVER,
            hint="nothing was changed; `history` shows the run that counts",
        )
    return slot


def attempt(slot: Optional[Slot], *, epoch: int) -> Slot:
    """One more try within the run."""
    held = check(slot, epoch=epoch)
    return Slot("running", epoch=epoch, owner=held.owner, lease_until=held.lease_until, attempts=held.attempts + 1)


def finish(slot: Optional[Slot], *, epoch: int, status: str) -> Slot:
    """End the run; `due` gives the slot back undone. FencedError when it was taken over."""
    held = check(slot, epoch=epoch)
    return Slot(status, epoch=epoch, attempts=held.attempts)


def release(slot: Slot, *, owner: str, status: str = "due") -> Slot:
    """Take a slot that never ran off the list. One that is not on it stays as it is."""
    if slot.owner != owner or slot.status != "due":
        return slot
    return Slot(status, epoch=slot.epoch, attempts=slot.attempts)


def interrupt(slot: Slot) -> Slot:
    """Its runner is gone: due again, and whatever the run still writes is refused. A slot nobody has stays as it is."""
    if not slot.owner:
        return slot
    return Slot("due", epoch=slot.epoch + 1, attempts=slot.attempts)


def judge(lease_until: str, *, lock_is_free: bool, now: str, farthest: str, seen: Optional[str]) -> str:
    """Whether a runner is `alive`, `gone`, or `late`: then it has PATIENCE_SECONDS to get a new lease.

    `seen` is the lease that was over when it was looked at before. A runner without a lease has no slots any more, only
    the end of a run to write. `farthest` is where no lease of now reaches: one that does is of a clock that was ahead.
    """
    if lock_is_free:
        return "gone"
    if not lease_until or now <= lease_until <= farthest:
        return "alive"
    return "gone" if lease_until == seen else "late"
