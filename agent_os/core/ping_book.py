"""Pings in the database: each is written down with the move that it tells of, in the same transaction, or not at all.

A ping in the table is held by the runner that wrote it (or took it over) until the instant `next_at`; after that any
runner may take it. A start is sent by its own runner or by nobody: once more than one could send something about a run,
nobody could say what arrives last. What is unsent and out of date is removed rather than sent late.
"""

from __future__ import annotations

from datetime import timedelta

from .clock import from_iso, iso
from .pings import KINDS, OUTBOX, WHOLE, Ping, body_of, key_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .db import Database
    from .logger import Log
    from .pings import Pings

MOST_LINES = 6_000  # characters of the lines of runs, if one failed: the first of them, since what failed is first
MOST_LOGGED = 3_000  # characters of the log in the words of a ping; what was printed has the rest
HOLD_SECONDS = 120.0  # for as long a ping is one runner's; shorter than a lease, so that who is buried sends no more
FRESH_SECONDS = 3600.0  # one older than this is not sent any more
# After which an invocation that found nothing to do says that all is well: an hour, and less by what a scheduler that
# starts one every hour may be early. With an hour sharp, one that is a second early would make it two hours.
SILENCE_SECONDS = 3300.0


def all_is_well_at(db: Database, pings: Pings) -> str:
    """When it is time to say that all is well: nothing was said of whole invocations for about an hour, and the last of
    them succeeded. `""` for never: one that failed is only set right by one that does something and succeeds.
    """
    if not pings.whole:
        return ""
    row = db.one(  # from the end of the table, where it is
        "SELECT key, created_at FROM outbox NOT INDEXED WHERE outbox = ? AND key >= ? AND key < ?"
        " ORDER BY id DESC LIMIT 1",
        (OUTBOX, f"{WHOLE} ", f"{WHOLE}!"),
    )
    if row is None:
        return db.now()
    if row[0].endswith(" fail"):
        return ""
    if row[1] > db.now():  # said by a clock that was ahead
        return db.now()
    return iso(from_iso(row[1]) + timedelta(seconds=SILENCE_SECONDS))


def is_silent(db: Database, pings: Pings) -> bool:
    """Whether it is time to say that all is well."""
    at = all_is_well_at(db, pings)
    return bool(at) and at <= db.now()


class PingBook:
    """The pings of one runner, for the invocation that it works on. All but `take` is called inside `db.atomic()`."""

    def __init__(  # noqa: PLR0913 (all but the first two by name)
        self,
        db: Database,
        pings: Pings,
        *,
        invocation: str,
        log: Log,
        log_path: str = "",
        hide: Callable[[str], str],
    ) -> None:
        self.db = db
        self.pings = pings
        self._invocation = invocation
        self._log = log
        self._log_path = log_path
        self._hide = hide
        self._posted: list[Ping] = []
        self._voided: set[str] = set()
        self.is_open = False  # whether the start of the invocation is written down, and its end is not

    @property
    def has_posted(self) -> bool:
        """Whether anything is written down that nobody has taken yet."""
        return bool(self._posted)

    # what there is to tell

    def began(self, task: str, run_id: str, *, kind: str) -> None:
        """A run begins; with the first one, so does the invocation."""
        if kind != "outbox" and not self.is_open and self.pings.whole:
            self.is_open = True
            self._post(WHOLE, self._invocation, "start")
        self._post(task, run_id, "start")

    def ended(self, task: str, run_id: str, *, is_success: bool) -> None:
        """A run has ended."""
        self._post(task, run_id, "success" if is_success else "fail")

    def over(self, *, is_success: bool) -> None:
        """All runs of the invocation have ended."""
        if self.is_open:
            self.is_open = False
            self._post(WHOLE, self._invocation, "success" if is_success else "fail")

    def cut_short(self, run_ids: Sequence[str]) -> None:
        """Runs were interrupted: of this runner, or of one that is gone. So were their invocations."""
        invocations = set()
        for run_id in run_ids:
            row = self.db.one("SELECT task, invocation_id FROM runs WHERE id = ?", (run_id,))
            if row:
                self._post(row[0], run_id, "fail")
                invocations.add(row[1])
        for invocation in sorted(invocations - {""}):
            if invocation == self._invocation:
                self.over(is_success=False)
            elif not self._is_known(invocation, "success") and not self._is_known(invocation, "fail"):
                self._post(WHOLE, invocation, "fail")

    def alive(self) -> None:
        """Say that all is well, though there was nothing to do, if it is time to."""
        if is_silent(self.db, self.pings):
            self._post(WHOLE, self._invocation, "success")

    def _post(self, task: str, run_id: str, kind: str) -> None:
        """Write a ping down, in the place of those about its task that are unsent. A start stands for no end, and no
        success for a failure that may still be sent: that is heard first.
        """
        if not self.pings.of(task):
            return
        unsent = self.db.all(
            "SELECT key, status FROM outbox INDEXED BY outbox_unsent WHERE outbox = ?"
            " AND status IN ('waiting', 'parked') AND key >= ? AND key < ?",
            (OUTBOX, f"{task} ", f"{task}!"),
        )
        for key, status in unsent:
            before = key.rpartition(" ")[2]
            is_kept = before != "start" if kind == "start" else (before, kind, status) == ("fail", "success", "waiting")
            if not is_kept:
                self._remove(key)
                self._voided.add(key)
        now = self.db.now()
        ping = Ping(task, run_id, kind, until=self._until())
        made = self.db.run(
            "INSERT INTO outbox(outbox, key, payload_json, status, next_at, run_id, created_at, changed_at)"
            " VALUES (?, ?, ?, 'waiting', ?, ?, ?, ?) ON CONFLICT(outbox, key) DO NOTHING",
            (OUTBOX, ping.key, _payload(ping), ping.until, run_id, now, now),
        )
        if made.rowcount:
            self._posted = [each for each in self._posted if each.key not in self._voided]
            self._posted.append(ping)

    # on their way

    def take_over(self) -> None:
        """Have what other runners have left: ends that are fresh. The rest is removed, and the log says so."""
        now = self.db.now()
        rows = self.db.all(
            "SELECT key, run_id, created_at FROM outbox INDEXED BY outbox_unsent WHERE outbox = ?"
            " AND status IN ('waiting', 'parked') AND status = 'waiting'"
            " AND (next_at <= ? OR changed_at > ?) ORDER BY id",
            (OUTBOX, now, now),
        )
        taken = []
        for key, run_id, created_at in rows:
            task, _, kind = key.split(" ") if key.count(" ") == 2 else ("", "", "")
            if kind not in KINDS:
                self._park(key, "it is no ping; the outbox of this name is that of pings now")
            elif kind == "start" or not self.pings.of(task):
                self._remove(key)
            elif not 0 <= _age(now, created_at) <= FRESH_SECONDS:
                if (task, kind) == (WHOLE, "fail"):  # kept: until one succeeds nobody may say that all is well
                    self._park(key, "it could not be sent within an hour")
                else:
                    self._remove(key)
                what = f"a ping ({kind}) about {_named(task)} could not be sent within an hour; it is dropped"
                self._log.info("ping.dropped", what)
            else:
                ping = Ping(task, run_id, kind, until=self._until())
                self.db.run(
                    "UPDATE outbox SET next_at = ?, changed_at = ? WHERE outbox = ? AND key = ?",
                    (ping.until, now, OUTBOX, key),
                )
                taken.append(ping)
        self._posted = taken + self._posted

    def take(self) -> tuple[list[Ping], set[str]]:
        """What was written down and is committed by now, without its words; and the keys of what was replaced."""
        posted, voided = self._posted, self._voided
        self._posted, self._voided = [], set()
        return posted, voided

    def conclude(self, ping: Ping, status: str, error: str, tries: int) -> None:
        """What came of a ping: sent, parked, or waiting for the next run. A start that is not sent is forgotten."""
        if ping.kind == "start" and status == "waiting":
            self._remove(ping.key)
            return
        now = self.db.now()
        self.db.run(
            "UPDATE outbox SET status = ?, attempts = attempts + ?, next_at = ?, error = ?, changed_at = ?"
            " WHERE outbox = ? AND key = ?",
            (status, tries, now, self._hide(error), now, OUTBOX, ping.key),
        )

    def words(self, ping: Ping) -> str:
        """The words of the end of a run, or of an invocation; a start has none."""
        if ping.kind == "start":
            return ""
        if ping.task == WHOLE:
            return self._words_of_all(ping)
        row = self.db.one(
            "SELECT coalesce(r.error, ''), r.hint, r.notes, coalesce(o.text, '') FROM runs r"
            " LEFT JOIN outputs o ON o.run_id = r.id WHERE r.id = ?",
            (ping.run_id,),
        )
        error, hint, notes, output = map(self._hide, row or ("", "", "", ""))  # before anything is cut
        if ping.kind == "success":
            return body_of(notes, output)
        told = "\n\n".join(filter(None, (self._logged(ping.run_id, ping.task), notes, output)))
        return body_of("; ".join(filter(None, (error, hint))), told)

    def _logged(self, run_id: str, task: str) -> str:
        """The end of what the log says of a run that failed: tries that went before, requests, what the task logged."""
        if not self._log_path:
            return ""
        from .logbook import tail_of

        return self._hide(tail_of(self._log_path, run_id, task))[-MOST_LOGGED:]  # hidden before it is cut

    def _words_of_all(self, ping: Ping) -> str:
        """A line a run; what failed first, and at the end what the log says of the first that did. Ids begin with the
        time to the second: none is before its invocation's.
        """
        rows = self.db.all(
            "SELECT task, slot_key, status, coalesce(error, ''), id FROM runs WHERE id >= ? AND invocation_id = ?"
            " ORDER BY +rowid",  # the plus: by the index of ids, and not through all runs in their order
            (ping.run_id.partition("-")[0], ping.run_id),
        )
        failed = [row for row in rows if row[2] == "failed"]
        others = [row for row in rows if row[2] != "failed"]
        lines = [
            self._hide(": ".join(filter(None, (f"{task} {key}".strip(), status, error))))
            for task, key, status, error, _ in (*failed, *others)
        ]
        if not lines:
            return "nothing was due"
        if not failed:
            return body_of("", "\n".join(lines))
        logged = self._logged(failed[0][4], failed[0][0])
        return body_of(lines[0], "\n\n".join(filter(None, ("\n".join(lines[1:])[:MOST_LINES], logged))))

    def _is_known(self, invocation: str, kind: str) -> bool:
        sql = "SELECT 1 FROM outbox WHERE outbox = ? AND key = ?"
        return self.db.one(sql, (OUTBOX, key_of(WHOLE, invocation, kind))) is not None

    def _remove(self, key: str) -> None:
        self.db.run("DELETE FROM outbox WHERE outbox = ? AND key = ? AND status <> 'sent'", (OUTBOX, key))

    def _park(self, key: str, why: str) -> None:
        self.db.run(
            "UPDATE outbox SET status = 'parked', error = ?, changed_at = ? WHERE outbox = ? AND key = ?",
            (why, self.db.now(), OUTBOX, key),
        )

    def _until(self) -> str:
        return iso(from_iso(self.db.now()) + timedelta(seconds=HOLD_SECONDS))


def _payload(ping: Ping) -> str:
    """What is kept of it: never where it goes, and its words are those of the run."""
    from .json_value import to_json

    return to_json({"task": ping.task, "run": ping.run_id, "kind": ping.kind}, "a ping")


def _named(task: str) -> str:
    return "the whole invocation" if task == WHOLE else task


def _age(now: str, then: str) -> float:
    return (from_iso(now) - from_iso(then)).total_seconds()
