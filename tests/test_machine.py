"""The moves of a slot, each from every state: what docs/TASKS.md says, written out."""

from __future__ import annotations

from functools import partial

import pytest

from agent_os.core import machine
from agent_os.core.errors import FencedError
from agent_os.core.machine import Slot

NOW, SOON, LATER = "2026-11-22T09:00:00.000Z", "2026-11-22T09:02:00.000Z", "2026-11-22T09:05:00.000Z"
REFUSED = None


def slot(status: str, owner: str = "", *, epoch: int = 4, tries: int = 2, lease: str = SOON) -> Slot:
    return Slot(status, epoch=epoch, owner=owner, lease_until=lease if owner else "", attempts=tries)


LISTED = slot("due", "me", lease=LATER)
MOVES = [
    # a runner puts a slot on its list: whatever it was, unless somebody has it
    ("enlist", REFUSED, slot("due", "other")),
    ("enlist", REFUSED, slot("running", "other")),
    ("enlist", REFUSED, slot("running", "me")),
    ("enlist", slot("due", "me", epoch=0, tries=0, lease=LATER), None),
    ("enlist", LISTED, slot("due")),
    ("enlist", LISTED, slot("due", "me")),
    ("enlist", LISTED, slot("success")),
    ("enlist", LISTED, slot("failed")),
    ("enlist", LISTED, slot("skipped")),
    # it begins a run: only of what is due, and on its own list
    ("claim", slot("running", "me", epoch=5, tries=3, lease=LATER), slot("due", "me")),
    ("claim", REFUSED, slot("due")),
    ("claim", REFUSED, slot("due", "other")),
    ("claim", REFUSED, slot("running", "me")),
    ("claim", REFUSED, slot("running", "other")),
    ("claim", REFUSED, slot("success")),
    ("claim", REFUSED, slot("failed")),
    ("claim", REFUSED, slot("skipped")),
    # the run with epoch 4 writes
    *(
        (move, after, before)
        for move, done in (
            ("check", slot("running", "me")), ("attempt", slot("running", "me", tries=3)), ("finish", slot("failed"))
        )
        for after, before in (
            (done, slot("running", "me")), (REFUSED, slot("running", "me", epoch=5)), (REFUSED, None),
            (REFUSED, slot("running", "me", epoch=3)), (REFUSED, slot("due", "me")), (REFUSED, slot("due")),
            (REFUSED, slot("success")), (REFUSED, slot("failed")), (REFUSED, slot("skipped")),
        )
    ),
    # a runner takes a slot off its list that never ran: no other one is touched
    ("release", slot("due"), slot("due", "me")),
    ("leave out", slot("skipped"), slot("due", "me")),
    *(
        ("release", same, same)
        for same in (slot("running", "me"), slot("due", "other"), slot("running", "other"), slot("due"), slot("failed"))
    ),
    # its runner is gone: what it had tried counts, what it still writes does not
    ("interrupt", slot("due", epoch=5), slot("running", "other")),
    ("interrupt", slot("due", epoch=5), slot("due", "other")),
    *(("interrupt", same, same) for same in (slot("due"), slot("success"), slot("failed"), slot("skipped"))),
]  # fmt: skip
MOVE = {
    "enlist": partial(machine.enlist, owner="me", lease_until=LATER),
    "claim": partial(machine.claim, owner="me", lease_until=LATER),
    "check": partial(machine.check, epoch=4),
    "attempt": partial(machine.attempt, epoch=4),
    "finish": partial(machine.finish, epoch=4, status="failed"),
    "release": partial(machine.release, owner="me"),
    "leave out": partial(machine.release, owner="me", status="skipped"),
    "interrupt": machine.interrupt,
}


@pytest.mark.parametrize(("move", "after", "before"), MOVES, ids=str)
def test_a_move_leads_where_the_table_says_or_is_refused(move: str, after, before) -> None:
    """From each state there is one way for each move; all others are refused, and change nothing."""
    if after is REFUSED:
        with pytest.raises(FencedError):
            MOVE[move](before)
    else:
        assert MOVE[move](before) == after


@pytest.mark.parametrize(
    ("verdict", "lease", "is_free", "seen"),
    [
        ("gone", LATER, True, None),  # the kernel knows better than any lease
        ("alive", "", False, None),  # it has no slots, only the end of a run to write
        ("alive", NOW, False, None),  # to the last moment
        ("alive", LATER, False, None),
        ("late", "2026-11-22T08:59:59.999Z", False, None),
        ("late", "2026-11-22T08:59:59.999Z", False, "2026-11-22T08:00:00.000Z"),  # renewed since, and over again
        ("gone", "2026-11-22T08:59:59.999Z", False, "2026-11-22T08:59:59.999Z"),
        ("late", "2026-11-22T09:05:00.001Z", False, None),  # of a clock that was ahead
        ("gone", "2026-11-22T09:05:00.001Z", False, "2026-11-22T09:05:00.001Z"),
    ],
)
def test_a_runner_is_judged_by_its_lock_and_then_by_its_lease(
    verdict: str, lease: str, is_free: bool, seen: str
) -> None:
    """Patience is with one lease: the same one, over for the second time, is enough."""
    found = machine.judge(lease, lock_is_free=is_free, now=NOW, farthest=LATER, seen=seen)
    assert found == verdict
