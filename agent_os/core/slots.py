"""Slots and runs in the database: what `machine` decides of one slot, done to its row. All changes of a runner go here.

Every method that changes something is called inside `db.atomic()`, and checks before it writes: what raises
FencedError has changed nothing, so that other changes of the same transaction stand.
"""

from __future__ import annotations

from . import machine
from .due import Known, shape_of
from .errors import FencedError
from .machine import Slot
from .schedules import Schedules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Optional

    from .db import Database
    from .due import Due, Order
    from .spec import Task

INTERRUPTED = "interrupted: the program ended before the run did"


class Claimed:
    """A run that has its slots: one, or for a collector a slot for each day. `epochs` are what its writes state."""

    __slots__ = ("epochs", "run_id", "task")

    def __init__(self, run_id: str, task: str, epochs: Mapping[str, int]) -> None:
        self.run_id = run_id
        self.task = task
        self.epochs = dict(epochs)


class RunRow:
    """A run as it is first written down."""

    __slots__ = ("invocation_id", "limits", "owner", "plugin_name", "run_id", "slot_key", "task", "window")

    def __init__(  # noqa: PLR0913 (the columns of a row, all by name)
        self,
        run_id: str,
        *,
        task: str,
        plugin_name: str,
        invocation_id: str,
        owner: str,
        slot_key: str = "",
        window: tuple[Optional[str], Optional[str]] = (None, None),
        limits: Sequence[str] = (),
    ) -> None:
        self.run_id = run_id
        self.task = task
        self.plugin_name = plugin_name
        self.invocation_id = invocation_id
        self.owner = owner
        self.slot_key = slot_key
        self.window = window
        self.limits = limits


class Slots:
    """The slots of an open database, and the runs that work on them."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._made: set[tuple[str, str]] = set()  # here, by `enlist`: nobody has had them before

    # questions

    def known(self, task: Task, order: Order, *, latest: str, span: Optional[tuple[str, str]] = None) -> Known:
        """What `due` has to know of the slots of a task. `span`: keys from … up to, whatever their status."""
        newest = Schedules(self._db).newest(task.name, shape=shape_of(task), latest=latest)
        rows = self._db.all(
            "SELECT key, status, attempts, due_at FROM slots INDEXED BY slots_unresolved"
            " WHERE task = ? AND status IN ('due', 'running', 'failed')",
            (task.name,),
        )
        if task.is_adhoc and not order.key:
            span = (latest, ":")  # the instants that are taken, from this one on
        if span:
            rows += self._db.all(
                "SELECT key, status, attempts, due_at FROM slots WHERE task = ? AND key >= ? AND key < ?",
                (task.name, *span),
            )
        slots = {key: (status, attempts, due_at) for key, status, attempts, due_at in rows}
        slots.update(self.of(task.name, {order.key, *order.keys_of(task.name), latest} - {""}).slots)
        return Known(newest, slots)

    def of(self, task: str, keys: Iterable[str]) -> Known:
        """What is known of exactly these slots."""
        found = {}
        for key in keys:
            row = self._db.one("SELECT status, attempts, due_at FROM slots WHERE task = ? AND key = ?", (task, key))
            if row:
                found[key] = row
        return Known(slots=found)

    def owners(self) -> dict[str, tuple[str, set[str]]]:
        """Every runner that has slots: when its lease ends, and the tasks it works on."""
        found: dict[str, tuple[str, set[str]]] = {}
        for owner, task, lease in self._db.all(
            "SELECT owner, task, max(lease_until) FROM slots WHERE owner <> '' GROUP BY owner, task"
        ):
            until, tasks = found.get(owner, ("", set()))
            tasks.add(task)
            found[owner] = (max(until, lease), tasks)
        for owner, task in self._db.all("SELECT DISTINCT owner, task FROM runs WHERE status = 'running'"):
            found.setdefault(owner, ("", set()))[1].add(task)
        return found

    def cut_short(self, tasks: Iterable[str]) -> set[str]:
        """Tasks of these that have a slot which is due and has been begun, and which nobody has."""
        asked = (
            "SELECT 1 FROM slots INDEXED BY slots_unresolved WHERE task = ? AND status IN ('due', 'running', 'failed')"
            " AND status = 'due' AND owner = ''"
        )
        return {task for task in tasks if self._db.one(asked, (task,))}

    def output(self, task: str, key: str) -> Optional[str]:
        """What this slot has handed on when it succeeded, else the newest that did, as JSON text; None for neither."""
        row = self._db.one(
            "SELECT output_json FROM slots WHERE task = ? AND key = ? AND status = 'success'", (task, key)
        ) or self._db.one(
            "SELECT output_json FROM slots WHERE task = ? AND status = 'success' ORDER BY key DESC LIMIT 1", (task,)
        )
        return row[0] if row else None

    def cancelled(self, owner: str) -> list[str]:
        """The runs of this runner whose end somebody has asked for."""
        rows = self._db.all(
            "SELECT id FROM runs WHERE status = 'running' AND owner = ? AND cancel_at IS NOT NULL", (owner,)
        )
        return [run_id for (run_id,) in rows]

    def in_use(self, limit: str) -> int:
        """How many runs, of any runner, take room in a limit now: those that wait for a retry take none."""
        row = self._db.one(
            "SELECT count(*) FROM runs WHERE status = 'running' AND retry_at IS NULL AND instr(limits, ?)",
            (f",{limit},",),
        )
        return int(row[0]) if row else 0

    # a runner begins and ends

    def interrupt(self, owner: str, *, reason: str = INTERRUPTED) -> list[str]:
        """Close what a runner that is gone has left: its runs fail, its slots are due again. The ids of the runs."""
        now = self._db.now()
        runs = [
            run_id for (run_id,) in self._db.all(
                "SELECT id FROM runs WHERE status = 'running' AND owner = ?", (owner,)
            )
        ]  # fmt: skip
        self._db.many(
            "UPDATE runs SET status = 'failed', error = ?, finished_at = ?, retry_at = NULL WHERE id = ?",
            [(reason, now, run_id) for run_id in runs],
        )
        self._db.many(  # nobody knows what was spent: what was set aside counts
            "UPDATE spendings SET is_settled = 1, changed_at = ? WHERE run_id = ?", [(now, run_id) for run_id in runs]
        )
        for task, key in self._owned(owner):
            before = self._row(task, key)
            if before:
                was_running = before.status == "running"
                self._write(task, key, machine.interrupt(before), reason=reason if was_running else "", now=now)
        return runs

    def enlist(self, task: str, dues: Iterable[Due], *, owner: str, lease_until: str) -> None:
        """Put slots on a runner's list. FencedError for one that another runner has."""
        now = self._db.now()
        for due in dues:
            made = self._db.run(
                "INSERT INTO slots(task, key, status, due_at, epoch, owner, lease_until, changed_at)"
                " VALUES (?, ?, 'due', ?, 0, ?, ?, ?) ON CONFLICT(task, key) DO NOTHING",
                (task, due.key, due.due_at, owner, lease_until, now),
            )
            if made.rowcount:
                self._made.add((task, due.key))
            else:
                after = machine.enlist(self._row(task, due.key), owner=owner, lease_until=lease_until)
                self._write(task, due.key, after, reason="", now=now)

    def notice(self, task: str, dues: Iterable[Due]) -> None:
        """Write down slots that nobody has: due, to wait for another run, or left out for the reason that they carry.
        One that is known stays as it is.
        """
        now = self._db.now()
        self._db.many(
            "INSERT INTO slots(task, key, status, due_at, reason, changed_at) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT(task, key) DO NOTHING",
            [(task, due.key, "skipped" if due.skip else "due", due.due_at, due.skip, now) for due in dues],
        )

    def leave_out(self, task: str, due: Due, *, owner: str, lease_until: str) -> None:
        """Resolve a slot as skipped, for the reason that it carries. FencedError for one that another runner has."""
        now = self._db.now()
        made = self._db.run(
            "INSERT INTO slots(task, key, status, due_at, reason, changed_at) VALUES (?, ?, 'skipped', ?, ?, ?)"
            " ON CONFLICT(task, key) DO NOTHING",
            (task, due.key, due.due_at, due.skip, now),
        )
        if not made.rowcount:
            mine = machine.enlist(self._row(task, due.key), owner=owner, lease_until=lease_until)
            after = machine.release(mine, owner=owner, status="skipped")
            self._write(task, due.key, after, reason=due.skip, now=now)

    def release(self, task: str, keys: Iterable[str], *, owner: str, reason: str) -> None:
        """Take slots that never ran off the list; they stay due, for this reason."""
        now = self._db.now()
        for key in keys:
            before = self._row(task, key)
            after = before and machine.release(before, owner=owner)
            if after and after is not before:
                self._write(task, key, after, reason=reason, now=now)

    def renew(self, owner: str, *, lease_until: str) -> int:
        """Prolong the lease of everything that a runner has; how many slots that are."""
        changed = self._db.run("UPDATE slots SET lease_until = ? WHERE owner = ? AND owner <> ''", (lease_until, owner))
        return changed.rowcount

    # a run begins and ends

    def claim(self, run: RunRow, keys: Sequence[str], *, lease_until: str) -> Claimed:
        """Write a run down and give it its slots. FencedError unless all of them are due and on its runner's list."""
        if len(keys) == 1 and (run.task, keys[0]) in self._made and self._claim_new(run, keys[0], lease_until):
            return Claimed(run.run_id, run.task, {keys[0]: 1})
        slots = [(key, self._row(run.task, key)) for key in keys]
        after = {key: machine.claim(slot or Slot(), owner=run.owner, lease_until=lease_until) for key, slot in slots}
        now = self._db.now()
        self._insert(run, status="running", now=now)
        for key, slot in after.items():
            self._db.run(
                "UPDATE slots SET status = 'running', epoch = ?, attempts = ?, run_id = ?, lease_until = ?,"
                " reason = '', changed_at = ? WHERE task = ? AND key = ?",
                (slot.epoch, slot.attempts, run.run_id, lease_until, now, run.task, key),
            )
        return Claimed(run.run_id, run.task, {key: slot.epoch for key, slot in after.items()})

    def _claim_new(self, run: RunRow, key: str, lease_until: str) -> bool:
        """Claim a slot in one statement that nobody has had; False, and nothing has changed, if that is not so."""
        self._made.discard((run.task, key))
        now = self._db.now()
        changed = self._db.run(
            "UPDATE slots SET status = 'running', epoch = 1, attempts = 1, run_id = ?, lease_until = ?, reason = '',"
            " changed_at = ?"
            " WHERE task = ? AND key = ? AND status = 'due' AND owner = ? AND epoch = 0 AND attempts = 0",
            (run.run_id, lease_until, now, run.task, key, run.owner),
        )
        if not changed.rowcount:
            return False
        self._insert(run, status="running", now=now)
        return True

    def note_skipped(self, run: RunRow, reason: str) -> None:
        """Write down a run that was not made, and why."""
        self._insert(run, status="skipped", now=self._db.now(), error=reason)

    def check(self, claimed: Claimed) -> None:
        """FencedError unless the run still has all the slots that it has not resolved, and is not over."""
        for key, epoch in claimed.epochs.items():
            machine.check(self._row(claimed.task, key), epoch=epoch)
        if not claimed.epochs and not self._db.one(
            "SELECT 1 FROM runs WHERE id = ? AND status = 'running'", (claimed.run_id,)
        ):
            raise FencedError("this run is over: nothing more is kept of it", hint="`history` shows how it ended")

    def await_retry(  # noqa: PLR0913 (the columns of a row, all by name)
        self, claimed: Claimed, *, number: int, began_at: str, error: str, retry_at: str, output: str
    ) -> None:
        """An attempt failed and another will follow: keep its error, and give its room in limits to others."""
        self.check(claimed)
        self._db.run(
            "INSERT OR REPLACE INTO attempts VALUES (?, ?, ?, ?, ?, ?)",
            (claimed.run_id, number, began_at, self._db.now(), error, retry_at),
        )
        self._db.run("UPDATE runs SET retry_at = ? WHERE id = ?", (retry_at, claimed.run_id))
        self.keep_output(claimed.run_id, output)
        self._reason(claimed, f"waiting for its next attempt: {error}")

    def attempt(self, claimed: Claimed, *, number: int) -> None:
        """The next attempt begins."""
        now = self._db.now()
        for key, epoch in claimed.epochs.items():
            self._write(claimed.task, key, machine.attempt(self._row(claimed.task, key), epoch=epoch), now=now)
        self._db.run("UPDATE runs SET retry_at = NULL, attempts = ? WHERE id = ?", (number, claimed.run_id))

    def resolve(  # noqa: PLR0913 (the columns of a row)
        self,
        claimed: Claimed,
        keys: Iterable[str],
        status: str,
        *,
        reason: str,
        read_at: Optional[str] = None,
        output_json: Optional[str] = None,
    ) -> None:
        """Resolve some slots of a run, which may go on with the others (days of a collector)."""
        now = self._db.now()
        ended = [(key, claimed.epochs[key]) for key in keys if key in claimed.epochs]
        for key, epoch in ended if len(ended) > 1 else ():  # of several, none is changed unless all can be
            machine.check(self._row(claimed.task, key), epoch=epoch)
        for key, epoch in ended:
            changed = self._db.run(
                "UPDATE slots SET status = ?, owner = '', lease_until = '', reason = ?, changed_at = ?,"
                " read_at = coalesce(?, read_at), output_json = coalesce(?, output_json)"
                " WHERE task = ? AND key = ? AND status = 'running' AND epoch = ?",
                (status, reason, now, read_at, output_json, claimed.task, key, epoch),
            )
            if not changed.rowcount:
                machine.check(self._row(claimed.task, key), epoch=epoch)  # says why
            del claimed.epochs[key]

    def finish(  # noqa: PLR0913 (the end of a run, all by name)
        self,
        claimed: Claimed,
        *,
        status: str,
        error: str = "",
        hint: str = "",
        slot_status: str = "",
        output_json: Optional[str] = None,
        requests: int = 0,
        notes: str = "",
        output: str = "",
    ) -> None:
        """End a run, and resolve what it still holds: as `slot_status`, where that differs from its own status.

        Its slots come first: FencedError, before anything is written, for a run that has lost one of them.
        """
        self.resolve(claimed, list(claimed.epochs), slot_status or status, reason=error, output_json=output_json)
        self._db.run(
            "UPDATE runs SET status = ?, error = ?, hint = ?, requests = ?, notes = ?, finished_at = ?,"
            " retry_at = NULL WHERE id = ? AND status = 'running'",
            (status, error or None, hint, requests, notes, self._db.now(), claimed.run_id),
        )
        self.keep_output(claimed.run_id, output)

    def keep_output(self, run_id: str, output: str) -> None:
        """Keep what a run has printed; its last attempt counts."""
        if output:
            self._db.run("INSERT OR REPLACE INTO outputs VALUES (?, ?)", (run_id, output))

    def leave_days(
        self, claimed: Claimed, days: Iterable[str], status: str, *, reason: str, read_at: Optional[str] = None
    ) -> None:
        """Days that were asked for in vain; one that was read before stays read, and what was stored of it counts."""
        for day in days:
            row = self._db.one("SELECT read_at FROM slots WHERE task = ? AND key = ?", (claimed.task, day))
            self.resolve(claimed, (day,), "success" if row and row[0] else status, reason=reason, read_at=read_at)

    def may_cancel(self, task: str, owner: str) -> bool:
        """Whether a runner has a run of a task whose end nobody has asked for yet."""
        asked = "SELECT 1 FROM runs WHERE status = 'running' AND cancel_at IS NULL AND task = ? AND owner = ?"
        return self._db.one(asked, (task, owner)) is not None

    def ask_to_cancel(self, *, run_id: str = "", task: str = "", owner: str = "") -> None:
        """Ask the runner of a run, or of all runs of a task that it has, to end them."""
        self._db.run(
            "UPDATE runs SET cancel_at = ? WHERE status = 'running' AND cancel_at IS NULL"
            " AND (id = ? OR (task = ? AND owner = ?))",
            (self._db.now(), run_id, task, owner),
        )

    # rows

    def _owned(self, owner: str) -> list[tuple[str, str]]:
        return self._db.all("SELECT task, key FROM slots WHERE owner = ? AND owner <> ''", (owner,))

    def _row(self, task: str, key: str) -> Optional[Slot]:
        row = self._db.one(
            "SELECT status, epoch, owner, lease_until, attempts FROM slots WHERE task = ? AND key = ?", (task, key)
        )
        if row is None:
            return None
        return Slot(row[0], epoch=row[1], owner=row[2], lease_until=row[3], attempts=row[4])

    def _write(self, task: str, key: str, slot: Slot, *, now: str, reason: Optional[str] = None) -> None:
        self._db.run(
            "UPDATE slots SET status = ?, epoch = ?, owner = ?, lease_until = ?, attempts = ?, changed_at = ?,"
            " reason = coalesce(?, reason) WHERE task = ? AND key = ?",
            (slot.status, slot.epoch, slot.owner, slot.lease_until, slot.attempts, now, reason, task, key),
        )

    def _reason(self, claimed: Claimed, reason: str) -> None:
        for key in claimed.epochs:
            self._db.run("UPDATE slots SET reason = ? WHERE task = ? AND key = ?", (reason, claimed.task, key))

    def _insert(self, run: RunRow, *, status: str, now: str, error: Optional[str] = None) -> None:
        limits = f",{','.join(run.limits)}," if run.limits else ""
        self._db.run(
            "INSERT INTO runs(id, plugin_name, status, started_at, finished_at, error, task, invocation_id,"
            " window_start, window_end, slot_key, owner, limits) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                run.run_id, run.plugin_name, status, now, now if status == "skipped" else None, error, run.task,
                run.invocation_id, *run.window, run.slot_key, run.owner, limits,
            ),
        )  # fmt: skip
