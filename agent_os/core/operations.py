"""What a run may ask its runner's writer for while it is under way: each a change inside the transaction at hand."""

from __future__ import annotations

from datetime import timedelta

from .clock import iso
from .context import MOST_SPENT
from .errors import AgentOSError, PermanentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional, Protocol

    from .db import Database
    from .journal import Journal
    from .log_store import LogStore
    from .log_tree import FileState
    from .logger import Log
    from .plan import Unit
    from .price_store import Group, PriceStore
    from .prices import Price
    from .slots import Claimed, Slots

    class Desk(Protocol):
        """The writer, as far as operations need it."""

        db: Database
        slots: Slots
        journal: Journal
        log: Log

        def hide(self, text: str) -> str:
            """The text without secrets."""

        def refuse_secrets(self, unit: Unit, *texts: Optional[str]) -> None:
            """Raise PermanentError for a text that holds one."""


OPERATIONS = (
    *("step", "effect", "intend", "conclude", "spend", "messages", "message", "store", "refuse"),
    *("log_files", "keep_log", "log_sums", "first_log_day", "changed_log_days", "imported_prices", "used_prices"),
)
MESSAGES_AT_ONCE = 500
SILENT = "no log reaches back to this day"


class Operations:
    """The operations of one run, whose claim has been checked in this transaction."""

    def __init__(self, desk: Desk, claimed: Claimed) -> None:
        self._desk = desk
        self._claimed = claimed
        self._journal = desk.journal

    def step(self, unit: Unit, *, name: str, input_hash: str, output_json: str) -> None:
        """Keep the value of a step."""
        self._desk.refuse_secrets(unit, output_json)
        self._journal.keep_step(
            unit.task.name, unit.key, name, input_hash=input_hash, output_json=output_json, run_id=unit.run_id
        )

    def effect(self, unit: Unit, *, key: str) -> Optional[tuple[str, Optional[str]]]:
        """What is known of an effect: (status, outcome as JSON), or None."""
        return self._journal.effect(unit.task.name, key)

    def intend(self, unit: Unit, *, key: str, policy: str) -> None:
        """Write down that an effect is about to be caused."""
        self._journal.intend(unit.task.name, key, policy=policy, run_id=unit.run_id)

    def conclude(self, unit: Unit, *, key: str, status: str, outcome: Optional[str] = None, error: str = "") -> None:
        """Write down what came of an effect."""
        told = outcome and self._desk.hide(outcome)  # it has happened: what it gave is kept, but for secrets
        self._journal.conclude(unit.task.name, key, status, outcome=told, error=self._desk.hide(error))

    def spend(self, unit: Unit, *, amount: int) -> None:
        """Add to what a run has spent; from now on that counts, however it ends."""
        if unit.task.cost_limit:
            spent = (unit.spent or 0) + amount
            if spent > MOST_SPENT:
                raise PermanentError(
                    f"task {unit.task.name} spends {spent!r} in all, which is no amount",
                    hint=f"a run may spend {MOST_SPENT}; count in a larger unit",
                )
            unit.spent = spent
            self._journal.reserve_more(unit.run_id, spent)

    def messages(self, unit: Unit) -> list[tuple[int, str, str, int]]:
        """What waits in the outbox of this task, and whose time has come."""
        return self._journal.waiting_messages(unit.task.name, most=MESSAGES_AT_ONCE)

    def message(
        self,
        _: Unit,
        *,
        number: int,
        status: str,
        wait: Optional[float] = None,
        error: str = "",
        receipt_json: Optional[str] = None,
    ) -> None:
        """Write down what came of sending a message."""
        next_at = iso(self._desk.db.clock.now() + timedelta(seconds=wait)) if wait is not None else ""
        self._journal.conclude_message(
            number, status=status, next_at=next_at, error=self._desk.hide(error), receipt_json=receipt_json
        )

    def store(self, unit: Unit, *, batch: Any) -> None:
        """Replace the days of a batch by its records, and resolve their slots."""
        from .ledger import Ledger

        self._desk.slots.leave_days(self._claimed, batch.silent, "skipped", reason=SILENT, read_at=batch.observed_at)
        unit.notes += [note for note in batch.notes if note not in unit.notes]
        if not batch.days:
            return
        change = Ledger(self._desk.db).store(batch, run_id=unit.run_id)
        self._desk.slots.resolve(self._claimed, batch.days, "success", reason="", read_at=batch.observed_at)
        for origin, price in batch.prices:
            self._prices().keep([price], origin)
        if unit.collector and unit.collector.is_local:
            self._log(unit).settle(batch.days)
        unit.new_days += change.new_days
        unit.restated_days += change.restated_days
        self._desk.log.info(
            "window.stored", f"{unit.provider}: {batch.window} stored", task=unit.task.name, run=unit.run_id,
            days=len(batch.days), new=len(change.new_days), restated=change.restated_days, added=change.added,
            closed=change.closed, pages=len(batch.pages),
        )  # fmt: skip

    def refuse(self, unit: Unit, *, window: Any, error: BaseException) -> None:
        """A window that failed: what was stored of it before stays and counts; its days are due again."""
        reason = error.message if isinstance(error, AgentOSError) else f"{type(error).__name__}: {error}"
        evidence = unit.collector.evidence() if unit.collector else {}
        self._desk.log.debug(
            "window.failed", f"{unit.provider}: {window} failed", task=unit.task.name, run=unit.run_id,
            window=str(window), kind=type(error).__name__, error=reason, **evidence,
        )  # fmt: skip
        self._desk.slots.leave_days(self._claimed, list(window), "failed", reason=self._desk.hide(reason))

    # local logs

    def _log(self, unit: Unit) -> LogStore:
        from .log_store import LogStore

        return LogStore(self._desk.db, unit.provider)

    def log_files(self, unit: Unit) -> dict[bytes, FileState]:
        """How far each file of the log was read."""
        return self._log(unit).files()

    def keep_log(self, unit: Unit, *, events: Any, files: Any, last_wins: bool) -> None:
        """Keep answers that were read, and how far."""
        self._log(unit).keep(events, files, last_wins=last_wins)

    def log_sums(self, unit: Unit, *, window: Any) -> tuple[str, list[tuple[Any, ...]]]:
        """The instant, and what the answers of some days add up to now."""
        return self._desk.db.now(), self._log(unit).sums(window)

    def first_log_day(self, unit: Unit) -> Optional[str]:
        """The first day that any answer of the log was on."""
        return self._log(unit).first_day()

    def changed_log_days(self, unit: Unit) -> list[str]:
        """The days whose sums have changed and are not stored yet."""
        return self._log(unit).changed_days()

    def _prices(self) -> PriceStore:
        from .price_store import PriceStore

        return PriceStore(self._desk.db)

    def imported_prices(self, _: Unit) -> list[Price]:
        """The prices that were imported, newest first."""
        return self._prices().imported()

    def used_prices(self, unit: Unit, *, window: Any) -> dict[Group, Price]:
        """What the lines of a window were priced with: (date, account, model, tier, context, region) -> price."""
        return self._prices().used(unit.provider, window)
