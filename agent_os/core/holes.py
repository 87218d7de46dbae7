"""What is missing of a task, and why: pure. Its slots, what it declares and the time go in; holes come out.

A slot that was never due is no hole: none before the first that a run ever saw
(or a tick looked out for), none whose time has not come.
"""

from __future__ import annotations

from .due import MOST_CAUGHT_UP, Known, Order, is_key, keys_in, keys_since, latest_key, new_keys
from .text import plural

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from datetime import datetime

    from .collector import Collector
    from .days import Window
    from .spec import Task
    from .survey import SlotRow

    Seen = tuple[str, str, str]  # key, why it is missing ("" when it is not), the day on which it is lost for good

NEXT_RUN = "not run yet (off or asleep); the next run does it"
LEFT_OUT = "not run (off or asleep); the next run leaves it out (catch_up = {})"
NEVER_DUE = "never due by itself; --since asks for it"
TOO_MANY = f"more than {MOST_CAUGHT_UP} were missed at once; --since asks for it"
DROPPED = f"never due (another schedule?), or one of more than {MOST_CAUGHT_UP} missed at once; --since asks for it"
OUT_OF_REACH = "further back than a run goes by itself; --task run_all --since asks for it"
NEVER_ASKED = "not asked for yet (off, asleep or never run); the next run does"


class Hole:
    """Slots of a task that are missing for one reason, from `since` to `last`, both of them missing."""

    __slots__ = ("days", "last", "lost_on", "reason", "since", "slots")

    def __init__(self, key: str, reason: str, lost_on: str) -> None:
        self.since = key
        self.last = key
        self.reason = reason
        self.lost_on = lost_on  # the day from which on the first of them cannot be had any more; "" for never
        self.slots = 1
        self.days = 1

    def add(self, key: str) -> None:
        """One more slot, later than the others."""
        self.days += key[:10] != self.last[:10]
        self.slots += 1
        self.last = key


def folded(seen: Iterable[Seen]) -> list[Hole]:
    """Neighbours that are missing for the same reason as one hole each."""
    found: list[Hole] = []
    is_apart = True
    for key, reason, lost_on in seen:
        if reason:
            if found and found[-1].reason == reason and (not is_apart or reason == DROPPED):
                found[-1].add(key)
            else:
                found.append(Hole(key, reason, lost_on))
        is_apart = not reason
    return found


def holes_of(  # noqa: PLR0913 (what is known, all by name)
    task: Task,
    rows: Mapping[str, SlotRow],
    *,
    order: Order,
    now: datetime,
    disabled: str,
    is_alive: Callable[[str], bool],
    enabled_at: str = "",
) -> list[Hole]:
    """The holes of a task with days or a schedule. Left out on purpose: only within the look-back, or the order.

    `enabled_at`: since when `tick` looks after it. Until its first slot is seen, that is where what is due begins.
    """
    mine = {key: row for key, row in rows.items() if is_key(task, key)}
    latest = latest_key(task, now)
    of_a_tick = Order(enabled_at={task.name: enabled_at})
    new = new_keys(task, Known(), latest=latest, order=of_a_tick) if enabled_at and not mine else []
    if not mine and not new:
        return []
    first, newest = min(mine or new), max((key for key in mine if key <= latest), default="")
    span = order.span(today=now.date().isoformat(), first=None)
    since = first[:10] if order.is_open else max(span.start, first[:10])
    keys = keys_in(task, Order(since=since, until=order.until), latest)
    fresh = set(new or keys_since(task, newest, latest))

    def reason(key: str) -> str:
        row = mine.get(key)
        if row is not None:
            is_old_news = row.status == "skipped" and order.is_open and key < span.start
            return "" if is_old_news else why(row, is_alive)
        if key > newest:
            return disabled or (_upcoming(task, key, latest) if key in fresh else TOO_MANY)
        return NEVER_DUE if task.partition else DROPPED

    known = (key for key in mine if since <= key[:10] < span.end and key <= latest)  # of an earlier schedule too
    return folded((key, reason(key), "") for key in sorted({*keys, *known}) if key >= first)


def _upcoming(task: Task, key: str, latest: str) -> str:
    """What the next run does with a slot that no run has seen."""
    if task.catch_up == "all" or key == latest:
        return NEXT_RUN
    return LEFT_OUT.format(task.catch_up)


def holes_of_collector(  # noqa: PLR0913 (what is known, all by name)
    collector: Collector,
    rows: Mapping[str, SlotRow],
    *,
    reads: Collection[str],
    span: Window,
    today: str,
    reach: str,
    is_alive: Callable[[str], bool],
) -> list[Hole]:
    """The days of a provider that were never read; a run by itself goes back to `reach`, the provider perhaps less."""

    def reason(day: str) -> str:
        lost_on = collector.lost_on(day)
        if lost_on and lost_on <= today:
            return f"outside the provider's history, which goes back {plural(collector.history_days or 0, 'day')}"
        told = why(rows[day], is_alive) if day in rows and rows[day].status != "success" else ""
        if told and told != NEXT_RUN:
            return told
        return collector.disabled or (OUT_OF_REACH if day < reach and day not in rows else NEVER_ASKED)

    return folded((day, "" if day in reads else reason(day), collector.lost_on(day)) for day in span)


def why(row: SlotRow, is_alive: Callable[[str], bool]) -> str:
    """Why a slot that a run has seen is missing, in words; `""` for one that is done."""
    status, reason, owner = row
    if status == "success":
        return ""
    if status in ("failed", "skipped"):
        return f"{status}: {reason}" if reason else status
    if owner and is_alive(owner):
        return reason or ("under way" if status == "running" else "on the list of a run that is under way")
    if status == "running" or reason.startswith("interrupted"):
        return f"{reason if reason.startswith('interrupted') else 'interrupted'}; the next run does it"
    if reason.startswith("the limit "):
        return f"parked by a limit: {reason}"
    before, found, _ = reason.partition(", which it comes after, ")
    if found:  # without its slot, which is this one's: what follows a hole is one hole
        reason = reason.replace(before, before.partition(" ")[0], 1)
    return f"waiting: {reason}" if reason else NEXT_RUN
