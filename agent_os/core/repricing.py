"""What estimates would come to with the prices of today: the lines as they would be, and what is different. Pure."""

from __future__ import annotations

from typing import NamedTuple, Optional

from .prices import COST_TYPE, estimate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .model import Record
    from .prices import PriceBook


class Difference(NamedTuple):
    """Lines of one kind that would change in the same way. `tokens` are calls where `kind` is one of calls."""

    provider: str
    account: str
    model: str
    kind: str
    old_price: str
    new_price: str
    old_currency: str
    new_currency: str
    days: int
    tokens: int
    old_nano: Optional[int]
    new_nano: Optional[int]


class _Pair(NamedTuple):
    """A line of usage, and its cost where it is priced."""

    usage: Record
    cost: Optional[Record]


def repriced(
    records: Iterable[Record], book: PriceBook, *, provider: str
) -> tuple[list[Record], list[Difference], set[str]]:
    """(the lines with today's prices, what is different, the days it is different on).

    A line whose model today's book does not know keeps its price: to forget one is no reason to take it back.
    """
    others, old = _paired(records)
    new = [_anew(pair, book) for pair in old]
    changed = [(before, after) for before, after in zip(old, new) if before != after]
    lines = [line for pair in new for line in pair if line is not None]
    return others + lines, _differences(changed, provider), {before.usage.date for before, _ in changed}


def _paired(records: Iterable[Record]) -> tuple[list[Record], list[_Pair]]:
    """Estimated usage with the cost that was derived from it, and all other lines."""
    others: list[Record] = []
    usage: list[Record] = []
    costs: dict[tuple[object, ...], Record] = {}
    for record in records:
        if record.kind == "usage" and record.basis == "estimated":
            usage.append(record)
        elif record.kind == "cost" and record.basis == "estimated" and record.cost_type == COST_TYPE and record.price:
            costs[_key(record)] = record
        else:
            others.append(record)
    pairs = [_Pair(each, costs.pop(_key(each), None) if each.price else None) for each in usage]
    return [*others, *costs.values()], pairs


def _key(record: Record) -> tuple[object, ...]:
    """What a line of usage and its cost have in common."""
    return (record.date, *record[2:8], *record[9:13])


def _anew(pair: _Pair, book: PriceBook) -> _Pair:
    found = list(estimate([pair.usage], book, used={}))
    return _Pair(found[0], found[1]) if len(found) == 2 else pair


def _differences(changed: Sequence[tuple[_Pair, _Pair]], provider: str) -> list[Difference]:
    groups: dict[tuple[str, ...], list[tuple[_Pair, _Pair]]] = {}
    for before, after in changed:
        usage = before.usage
        prices = (usage.price, after.usage.price)
        currencies = tuple(pair.cost.currency if pair.cost else "" for pair in (before, after))
        key = (usage.account, usage.model, usage.token_type or usage.cost_type, *prices, *currencies)
        groups.setdefault(key, []).append((before, after))
    return [
        Difference(
            provider, account=key[0], model=key[1], kind=key[2], old_price=key[3], new_price=key[4],
            old_currency=key[5], new_currency=key[6],
            days=len({before.usage.date for before, _ in pairs}),
            tokens=sum(int(before.usage.quantity or 0) for before, _ in pairs),
            old_nano=_sum(before for before, _ in pairs),
            new_nano=_sum(after for _, after in pairs),
        )
        for key, pairs in sorted(groups.items())
    ]  # fmt: skip


def _sum(pairs: Iterator[_Pair]) -> Optional[int]:
    """What lines of one price come to; None where they have none."""
    costs = [pair.cost for pair in pairs]
    return sum(cost.amount_nano or 0 for cost in costs if cost) if all(costs) else None
