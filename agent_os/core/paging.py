"""What makes answers fit to be stored: pages told by their guards, rows put under their days, events added up, a check.

Pure. A guard refuses what cannot be meant; nothing is mended.
"""

from __future__ import annotations

from .days import day_at
from .errors import PermanentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from typing import Any, Optional

    from .days import Window
    from .http_answer import Reply
    from .model import Record

    Json = Any

MOST_PAGES = 1000  # of one report and window; a provider that needs more is turning in circles


class MovedError(PermanentError):
    """What a report holds changed while its pages were read, so that a row may stand on two of them or on none."""


class naming:  # noqa: N801 (reads as a word of the statement it is used in)
    """`with naming("openai: costs for …"):` a refusal inside says what it was about."""

    def __init__(self, subject: str) -> None:
        self._subject = subject

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: Optional[BaseException], trace: object) -> None:
        if isinstance(error, PermanentError):
            error.message = f"{self._subject}: {error.message}"
            error.args = (error.message,)


def member(reply: Reply, name: str) -> Json:
    """What stands under a name in an answer. Raises PermanentError where there is nothing of that name."""
    if not isinstance(reply.data, dict) or name not in reply.data:
        raise PermanentError(f"the answer has no `{name}`", hint="is the base URL right?")
    return reply.data[name]


def next_page(reply: Reply, tokens: Collection[str]) -> Optional[str]:
    """The token of the page that follows, None when this is the last. Raises PermanentError when it cannot be meant."""
    more = member(reply, "has_more")
    if more is False:
        return None
    token = reply.data.get("next_page")
    if more is not True or not isinstance(token, str) or not token:
        raise PermanentError("more pages are said to follow, but the answer does not name the next one")
    if token in tokens:
        raise PermanentError("the answer names a page that was read already")
    return token


def rows_by_day(rows: Json, field: str, *, window: Window, is_wider: bool = False) -> list[tuple[str, Sequence[Json]]]:
    """Rows that carry their day themselves, as buckets of the days of the window, empty ones included.

    `field` names the member with the day: see `day_at`. A row without one, or of a day outside, is refused; where the
    answer `is_wider` than the question, rows of other days are left out.
    """
    if not isinstance(rows, list):
        raise PermanentError("the answer holds no list of rows")
    found: dict[str, list[Json]] = {day: [] for day in window}
    for row in rows:
        day = day_at(row.get(field)) if isinstance(row, dict) else None
        if day is None:
            raise PermanentError(f"the answer holds a row without a day in `{field}`")
        if day in found:
            found[day].append(row)
        elif not is_wider:
            raise PermanentError(f"the answer holds a row of {day}, which is outside {window}")
    return list(found.items())


class Tally:
    """Counts the rows of numbered pages against the total that each of them names."""

    def __init__(self) -> None:
        self.rows = 0
        self._total: Optional[int] = None

    def add(self, count: int, *, total: object, more: object) -> bool:
        """One more page; whether another one follows. MovedError when the pages do not belong together."""
        if not isinstance(total, int) or isinstance(total, bool) or not isinstance(more, bool):
            raise PermanentError("the answer does not say how many rows there are, or whether more pages follow")
        if self._total not in (None, total):
            raise _moved(f"it held {self._total} rows at first and {total} now")
        self._total = total
        self.rows += count
        if more and not count:
            raise PermanentError("more pages are said to follow one without rows")
        if not more and self.rows != total:
            raise _moved(f"{total} rows were announced and {self.rows} came")
        return more


def _moved(how: str) -> MovedError:
    return MovedError(f"the report changed while it was read: {how}", hint="nothing of it was stored; run it again")


class Totals:
    """Records of single events, added up as they come: those that agree in all but their figures are one line."""

    def __init__(self) -> None:
        self._lines: dict[tuple[object, ...], Record] = {}

    def add(self, records: Iterable[Record]) -> None:
        """Take more records in."""
        for record in records:
            identity = record.identity
            known = self._lines.get(identity)
            self._lines[identity] = record if known is None else _sum(known, record)

    def records(self) -> list[Record]:
        """The lines, in the order in which the first of each came."""
        return list(self._lines.values())


def _sum(one: Record, other: Record) -> Record:
    amount = None if one.amount_nano is None else one.amount_nano + (other.amount_nano or 0)
    return one._replace(quantity=_added(one.quantity, other.quantity), amount_nano=amount)


def _added(one: Any, other: Any) -> Any:
    """Whole numbers, or decimal text, exactly; None for what neither has."""
    if one is None or other is None:
        return other if one is None else one
    if isinstance(one, int) and isinstance(other, int):
        return one + other
    from decimal import Context, Decimal

    total = Context(prec=120).add(Decimal(one), Decimal(other))
    return int(total) if total == total.to_integral_value() else format(total.normalize(Context(prec=120)), "f")


def check(provider: str, records: Iterable[Record]) -> None:
    """Refuse records that cannot all be true: the same line twice, or sums that a ledger cannot hold."""
    seen: set[tuple[object, ...]] = set()
    sums: dict[tuple[str, str], int] = {}
    for record in records:
        identity = record.identity
        if identity in seen:
            what = ", ".join(part for part in record[4:13] if part) or "without a name"
            raise PermanentError(f"{provider}: {record.report} for {record.date}: the same line stands twice: {what}")
        seen.add(identity)
        amount = record.amount_nano if record.kind == "cost" else record.quantity
        if isinstance(amount, int):
            key = (record.kind + record.unit, record.currency)
            sums[key] = sums.get(key, 0) + abs(amount)
    if any(total >= 2**63 for total in sums.values()):
        raise PermanentError(f"{provider}: the figures of this window add up to more than can be true")
