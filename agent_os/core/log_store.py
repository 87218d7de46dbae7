"""What is known of the logs of local tools, as rows: how far each file was read, what each answer came to.

`keep` is called inside `db.atomic()`: the answers of some lines and how far they were read are committed together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .log_events import Copies, Counts, Event, Group, keys_of, message_of
from .log_tree import FileState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any, Optional

    from .days import Window
    from .db import Database

_GROUP = ", ".join(Group._fields)
_COUNTS = ", ".join(Counts._fields)
_EVENT = f"id, at, is_side, group_id, {_COUNTS}"


class LogStore:
    """The logs of one source, in an open database."""

    def __init__(self, db: Database, source: str) -> None:
        self._db = db
        self._source = source
        self._ids: dict[Group, int] = {}
        self._groups: dict[int, Group] = {}

    def files(self) -> dict[bytes, FileState]:
        """How far each file was read, by its key."""
        rows = self._db.all(
            "SELECT path, device, inode, size, mtime_ns, offset, tail, carry FROM log_files WHERE source = ?",
            (self._source,),
        )
        return {row[0]: FileState(*row[1:]) for row in rows}

    def keep(self, events: Sequence[Event], files: Mapping[bytes, FileState], *, last_wins: bool) -> None:
        """Take in copies of answers, and how far the files were read that they are from."""
        known = self._known({message_of(event.key) for event in events})
        copies = Copies(last_wins=last_wins)
        for event in known.values():
            copies.add(event)
        for event in events:
            copies.add(event)
        now = {event.key: event for event in copies.events()}
        gone = [key for key in known if key not in now]
        fresh = sorted((event for key, event in now.items() if known.get(key) != event), key=_key)
        sums: dict[int, list[int]] = {}
        for key in (*gone, *(event.key for event in fresh if event.key in known)):
            self._count(sums, known[key], -1)
        for event in fresh:
            self._count(sums, event, 1)
        self._db.many("DELETE FROM log_events WHERE id = ?", [(key,) for key in gone])
        marks = ", ".join("?" * (4 + len(Counts._fields)))
        self._db.many(
            f"INSERT OR REPLACE INTO log_events({_EVENT}) VALUES ({marks})",  # noqa: S608 (a constant)
            ((event.key, event.at, event.is_side, self._id(event.group), *event.counts) for event in fresh),
        )
        added = ", ".join(f"{name} = {name} + ?" for name in ("requests", *Counts._fields))
        self._db.many(
            f"UPDATE log_groups SET {added}, is_changed = 1 WHERE id = ?",  # noqa: S608 (constants)
            ((*figures, number) for number, figures in sums.items() if any(figures)),
        )
        self._db.many(
            "INSERT OR REPLACE INTO log_files(source, path, device, inode, size, mtime_ns, offset, tail, carry)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            ((self._source, path, *state) for path, state in files.items()),
        )

    def first_day(self) -> Optional[str]:
        """The first day that any answer was on."""
        row = self._db.one("SELECT min(date) FROM log_groups WHERE source = ? AND requests > 0", (self._source,))
        return row[0] if row else None

    def changed_days(self) -> list[str]:
        """The days whose sums have changed since they were stored as results."""
        rows = self._db.all(
            "SELECT DISTINCT date FROM log_groups WHERE source = ? AND is_changed ORDER BY date", (self._source,)
        )
        return [day for (day,) in rows]

    def settle(self, days: Iterable[str]) -> None:
        """The sums of these days have been stored as results."""
        self._db.many(
            "UPDATE log_groups SET is_changed = 0 WHERE source = ? AND date = ? AND is_changed",
            ((self._source, day) for day in days),
        )

    def sums(self, window: Window) -> list[tuple[Any, ...]]:
        """What the answers of some days add up to: the columns of Group, the number of answers, those of Counts."""
        return self._db.all(
            f"SELECT {_GROUP}, requests, {_COUNTS} FROM log_groups"  # noqa: S608 (constants)
            f" WHERE source = ? AND date >= ? AND date < ? AND requests > 0 ORDER BY {_GROUP}",
            (self._source, window.start, window.end),
        )

    def _known(self, messages: Iterable[int]) -> dict[int, Event]:
        """What is stored of these messages, by key."""
        self._db.run("CREATE TEMP TABLE IF NOT EXISTS log_asked(low INTEGER PRIMARY KEY, high INTEGER)")
        self._db.run("DELETE FROM temp.log_asked")
        self._db.many("INSERT INTO temp.log_asked VALUES (?, ?)", map(keys_of, sorted(messages)))
        rows = self._db.all(
            f"SELECT {_EVENT} FROM temp.log_asked CROSS JOIN log_events"  # noqa: S608 (a constant)
            " ON log_events.id BETWEEN low AND high"
        )
        return {row[0]: Event(row[0], row[1], bool(row[2]), self._group(row[3]), Counts(*row[4:])) for row in rows}

    def _count(self, sums: dict[int, list[int]], event: Event, sign: int) -> None:
        figures = sums.setdefault(self._id(event.group), [0] * (1 + len(Counts._fields)))
        figures[0] += sign
        for place, count in enumerate(event.counts, 1):
            figures[place] += sign * count

    def _group(self, number: int) -> Group:
        found = self._groups.get(number)
        if found is None:
            row = self._db.one(f"SELECT {_GROUP} FROM log_groups WHERE id = ?", (number,))  # noqa: S608 (a constant)
            found = self._groups[number] = Group(*row) if row else Group(*[""] * len(Group._fields))
            self._ids[found] = number
        return found

    def _id(self, group: Group) -> int:
        number = self._ids.get(group)
        if number is None:
            where = " AND ".join(f"{name} = ?" for name in Group._fields)
            row = self._db.one(
                f"SELECT id FROM log_groups WHERE source = ? AND {where}",  # noqa: S608 (constants)
                (self._source, *group),
            )
            if row is None:
                marks = ", ".join("?" * (1 + len(Group._fields)))
                insert = f"INSERT INTO log_groups(source, {_GROUP}) VALUES ({marks})"  # noqa: S608 (constants)
                row = (self._db.run(insert, (self._source, *group)).lastrowid,)
            number = self._ids[group] = int(row[0])
            self._groups[number] = group
        return number


def _key(event: Event) -> int:
    return event.key
