"""A batch that no collector brought: stored by hand, as a run of its own that took no slot, in one transaction.

Takes no runner's lock: it changes no slot, so it is in nobody's way, and writers wait for each other at the database.
"""

from __future__ import annotations

from .journal import Journal
from .lock import new_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Optional

    from .home import Home
    from .ledger import Change
    from .model import Batch


def post(
    home: Home,
    batch: Batch,
    *,
    task: str,
    notes: Sequence[str] = (),
    state: Optional[Mapping[str, Optional[str]]] = None,
) -> tuple[str, Change]:
    """Replace the days of a batch by its records: the id of the run that stands for it, and what that changed.

    `state` is what `task` remembers from now on, each value as JSON (None: no more). All of it or nothing is kept.
    """
    from .ledger import Ledger
    from .price_store import PriceStore

    db = home.store(write=True).db
    run_id = new_id(home.clock)
    window = batch.window
    told = home.redactor.text("; ".join([*batch.notes, *notes]))
    journal = Journal(db)
    with db.atomic():
        journal.keep_run(run_id, task=task, provider=batch.provider, window=(window.start, window.end), notes=told)
        for origin, price in batch.prices:
            PriceStore(db).keep([price], origin)
        change = Ledger(db).store(batch, run_id=run_id)
        journal.keep_state(task, state or {}, run_id=run_id)
    home.log.debug(
        "batch.posted", f"{batch.provider}: {batch.window} stored by hand", task=task, run=run_id,
        days=len(batch.days), new=len(change.new_days), restated=change.restated_days, added=change.added,
        closed=change.closed,
    )  # fmt: skip
    return run_id, change


def remember(home: Home, state: Mapping[str, Optional[str]], *, task: str, note: str = "") -> str:
    """Have `task` remember values from now on (JSON; None: no more), as a run of its own: the id of that run."""
    db = home.store(write=True).db
    run_id, day = new_id(home.clock), home.clock.today()
    with db.atomic():
        Journal(db).keep_run(run_id, task=task, provider=task, window=(day, day), notes=home.redactor.text(note))
        Journal(db).keep_state(task, state, run_id=run_id)
    return run_id
