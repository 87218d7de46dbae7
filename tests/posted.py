"""Days of a provider put into a home as a collector would: what tests of figures need, with any clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Union

from agent_os.core import money
from agent_os.core.clock import Clock
from agent_os.core.days import add_days
from agent_os.core.home import open_home
from agent_os.core.model import Batch, Page, Record, Window
from agent_os.core.posting import post as post_batch

BLANK = {**dict.fromkeys(Record._fields, ""), "quantity": None, "amount_nano": None, "basis": "reported"}


def cost(day: str, amount: str, **more: object) -> Record:
    """A line of so much money, in USD unless another currency is given."""
    what = {"date": day, "kind": "cost", "report": "costs", "amount_nano": money.nano(amount), "currency": "USD"}
    return Record(**{**BLANK, **what, **more})


def usage(day: str, quantity: Union[int, str], **more: object) -> Record:
    """A line of so many tokens."""
    what = {"date": day, "kind": "usage", "report": "costs", "quantity": quantity, "unit": "tokens"}
    return Record(**{**BLANK, **what, **more})


def post(
    folder: Path,
    observed_at: str,
    days: Union[Mapping[str, str], Sequence[Record]],
    *,
    provider: str = "openai",
    body: bytes = b"{}",
    basis: str = "reported",
    span: tuple[str, str] = ("", ""),
) -> int:
    """Store a batch of these lines, or of one line a day; days of `span` without a line are days of nothing."""
    records = [cost(day, amount) for day, amount in days.items()] if isinstance(days, Mapping) else list(days)
    dates = sorted({each.date for each in records})
    window = Window(span[0] or dates[0], span[1] or add_days(dates[-1], 1))
    records = [record._replace(basis=basis) for record in records]
    home = open_home(str(folder), flags={}, clock=Clock(), environ={}, stderr=None)
    try:
        batch = Batch(
            provider=provider, task=f"fetch_{provider}", window=window, days=list(window),
            reports={record.report for record in records} or {"costs"}, observed_at=observed_at, records=records,
            pages=[Page("costs", "https://x.example/costs", "req", observed_at, body, [])] if body else [],
            currency="USD", notes=[], basis=basis,
        )  # fmt: skip
        post_batch(home, batch, task=f"fetch_{provider}")
        ((number,),) = home.store().db.all("SELECT max(id) FROM batches")
        return int(number)
    finally:
        home.close()
