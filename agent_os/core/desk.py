"""The runner's writer: every change that a run makes, as one operation inside the transaction of the moment.

Knows slots, journal and ledger, and which runner it writes for. What it raises as FencedError, PermanentError or
Refusal was raised before anything was written.
"""

from __future__ import annotations

from datetime import timedelta

from . import machine, mail
from .clock import iso
from .due import Order, due_slots, latest_key
from .errors import FencedError, PermanentError, TaskError, UsageError
from .journal import Journal
from .living import Living
from .lock import new_id
from .operations import OPERATIONS, Operations
from .plan import Unit
from .slots import Claimed, RunRow, Slots

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from typing import Any, Optional

    from .app_values import Ask
    from .bodies import End, Work
    from .home import Home
    from .line_store import Sum
    from .lock import RunnerLock
    from .ping_book import PingBook
    from .plan import Plan, Setup


class Refusal(TaskError):  # noqa: N818 (an answer more than an error)
    """A limit leaves no room for a run: its slot is parked, due again at the next start."""


class Desk:
    """Writes for one runner; `owner` is its name."""

    def __init__(self, home: Home, setup: Setup, *, lock: RunnerLock) -> None:
        self._home = home
        self._clock = home.clock
        self._setup = setup
        self._store = home.store(write=True)
        self.db = self._store.db
        self.slots = Slots(self.db)
        self.journal = Journal(self.db)
        self.owner = lock.owner
        self._lock = lock
        self.log = home.log
        self.living = Living(home, self.slots, owner=lock.owner)
        self._invocation = new_id(home.clock)
        self._claims: dict[Unit, Claimed] = {}
        self._began: dict[Unit, str] = {}
        self._renew_at = ""
        self._leased_at = ""
        self._lease_until = ""
        self._with_state: Optional[set[str]] = None  # tasks that remember anything; None: to be asked
        self.pings: Optional[PingBook] = None  # None: nobody is told how runs begin and end
        if setup.pings:
            from .ping_book import PingBook

            self.pings = PingBook(
                self.db, setup.pings, invocation=self._invocation, log=home.log,
                log_path=home.settings.path("AGENT_OS_LOG_FILE"), hide=self.hide,
            )  # fmt: skip
            self.living.on_interrupt = self.pings.cut_short

    # runners

    def may_cancel(self, task: str, owner: str) -> bool:
        """Whether a runner has a run of a task whose end nobody has asked for yet."""
        return self.slots.may_cancel(task, owner)

    def ask_to_cancel(self, task: str, owner: str) -> None:
        """Ask a runner to end its runs of a task."""
        self.slots.ask_to_cancel(task=task, owner=owner)

    def is_renewal_due(self) -> bool:
        """Whether the lease of this runner has to be prolonged. By the wall clock: a machine that slept is late.

        Also where it reaches further than a lease can: the clock was ahead, and others do not believe it.
        """
        now = self._clock.now()
        return not iso(now) < self._renew_at <= iso(now + timedelta(seconds=machine.RENEW_SECONDS))

    def renew(self) -> None:
        """Prolong the lease of everything this runner has. FencedError when that was taken over while it was silent:
        then what it has under way must end, too.
        """
        held = self.slots.renew(self.owner, lease_until=self._lease())
        if not held and any(claimed.epochs for claimed in self._claims.values()):
            raise FencedError(machine.TAKEN_OVER, hint="what was under way has been ended; `history` shows what counts")

    def _lease(self) -> str:
        """Until when what is had now is had; in one transaction, which is one instant, always the same."""
        if self._leased_at != self.db.now():
            now = self._clock.now()
            self._leased_at = self.db.now()
            self._renew_at = iso(now + timedelta(seconds=machine.RENEW_SECONDS))
            self._lease_until = iso(now + timedelta(seconds=machine.LEASE_SECONDS))
        return self._lease_until

    def cancelled(self) -> list[str]:
        """The runs of this runner whose end somebody has asked for."""
        return self.slots.cancelled(self.owner)

    def give_up(self, reason: str, *, units: Iterable[Unit]) -> None:
        """The runner ends: close its runs, with what they had printed, and leave its slots due."""
        runs = self.slots.interrupt(self.owner, reason=reason)
        if self.pings:
            self.pings.cut_short(runs)
        for unit in units:
            if unit.output and not unit.is_over:
                self.slots.keep_output(unit.run_id, self.hide(unit.output))

    # units

    def enlist(self, plan: Plan, order: Order, targets: Collection[str]) -> None:
        """Have all slots of a plan, resolve those that are left out, and write down what will not be run."""
        lease = self._lease()
        self._with_state = None
        for task, dues in plan.enlisted():
            self.slots.enlist(task.name, dues, owner=self.owner, lease_until=lease)
        for task, due in plan.left_out:
            self.slots.leave_out(task.name, due, owner=self.owner, lease_until=lease)
        for task, due in plan.overtaken:
            self.slots.notice(task.name, (due,))
        for unit in plan.units:
            if unit.status and ((unit.is_target and not order.is_tick) or unit.disabled):
                self._note_skipped(unit)
            elif unit.task.name in targets and (order.force or order.from_step) and unit.key:
                self._forget_steps(unit, order)

    def _forget_steps(self, unit: Unit, order: Order) -> None:
        if not self.journal.forget_steps(unit.task.name, unit.key, since=order.from_step):
            known = sorted(self.journal.steps(unit.task.name, unit.key))
            raise UsageError(
                f"{unit.label} has no step {order.from_step!r}",
                hint=f"its steps are {', '.join(known)}" if known else "it has no steps yet",
            )

    def enlist_outboxes(self, names: Collection[str]) -> list[Unit]:
        """The units that empty these outboxes; none for one that another runner empties, or that is disabled."""
        _, busy = self.living.bury({}, names)
        self._with_state = None
        units = []
        for name in sorted(set(names) - set(busy)):
            task = self._setup.outboxes[name]
            if self._setup.disabled(task, self._home.settings):
                continue
            now, order = self._clock.now(), Order()
            known = self.slots.known(task, order, latest=latest_key(task, now))
            due = due_slots(task, known, now=now, order=order)[0]  # a delivery that was cut short, else a new one
            self.slots.enlist(name, (due,), owner=self.owner, lease_until=self._lease())
            units.append(Unit(task, key=due.key, dues=(due,)))
        return units

    def has_room(self, unit: Unit, used: dict[str, int]) -> bool:
        """Whether all limits that a unit names have room; `used` counts what is chosen together with it."""
        names = [name for name in unit.task.limits if name in self._setup.limits]
        for name in names:
            if name not in used:
                used[name] = self.slots.in_use(name)
            if used[name] >= self._setup.limits[name]:
                return False
        for name in names:
            used[name] += 1
        return True

    def claim(self, unit: Unit) -> Work:
        """Begin a run. Refusal when a limit has no room, FencedError when the slot is not ours."""
        self._check_cost(unit)
        unit.run_id = unit.run_id or new_id(self._clock)
        run = self._row(unit)
        claimed = self.slots.claim(run, [due.key for due in unit.dues], lease_until=self._lease())
        if unit.task.cost_limit:
            self.journal.reserve(unit.run_id, unit.task.cost_limit, unit.task.cost)
        if self.pings:
            self.pings.began(unit.task.name, unit.run_id, kind=unit.task.kind)
        self._claims[unit] = claimed
        unit.attempt = 1
        return self._work(unit)

    def has(self, unit: Unit) -> bool:
        """Whether the run of a unit was begun and is not over."""
        return unit in self._claims

    def next_attempt(self, unit: Unit) -> Work:
        """Begin another attempt of a run."""
        self.slots.attempt(self._claims[unit], number=unit.attempt + 1)
        unit.attempt += 1
        return self._work(unit)

    def _check_cost(self, unit: Unit) -> None:
        """Ask the cost limit of a task. Refusal when it says no, or cannot be asked."""
        name = unit.task.cost_limit
        if not name:
            return
        ask = self._ask(unit, name)
        reserved = ask.reserved
        try:
            answer = self._setup.cost_limits[name](ask)
        except (Exception, SystemExit) as error:  # code that is not ours: whatever it raises is no yes
            raise Refusal(f"the limit {name} could not be asked: {type(error).__name__}: {error}") from error
        if answer is True:
            return
        if isinstance(answer, (bool, str)):
            raise Refusal(f"the limit {name} says no" + (f": {answer}" if answer else ""))
        try:
            has_room = bool(unit.task.cost + reserved <= answer)
        except Exception as error:  # of whatever kind it is, it is no amount
            what = "nothing" if answer is None else type(answer).__name__
            raise Refusal(f"the limit {name} could not be asked: it answered with {what}") from error
        if not has_room:
            raise Refusal(f"the limit {name} has {answer} left, {reserved} of it reserved; {unit.task.cost} is wanted")

    def _ask(self, unit: Unit, name: str) -> Ask:
        """What a cost limit is asked for a unit."""
        from .app_values import Ask, Result
        from .line_store import LineStore

        def spent(*, since: str = "") -> int:
            return self.journal.spent(name, is_settled=True, since=since)

        def results(*, since: str, until: str) -> list[Result]:
            return [Result(*row) for row in self._store.results(since=since, until=until)]

        def sums(*by: str, since: str, until: str, provider: str = "") -> list[Sum]:
            return LineStore(self.db).sums(by, since=since, until=until, provider=provider)

        reserved = self.journal.spent(name, is_settled=False)
        return Ask(unit.task.name, unit.key, unit.task.cost, reserved, spent, results, sums, self._clock.today())

    def _work(self, unit: Unit) -> Work:
        from .bodies import Work
        from .context import Facts

        task, key = unit.task, unit.key
        self._began[unit] = self.db.now()
        outputs = {before.task.name: self._output(before, key) for before in unit.after if not before.collector}
        start, end = unit.window
        facts = Facts(
            task=task.name, key=key, run_id=unit.run_id, attempt=unit.attempt, window=(start or "", end or ""),
            outputs=outputs, steps=self._steps(unit), state=self._state(task.name) if task.function else {},
            failed={before.task.name: self.hide(before.error) for before in unit.failed_before()},
        )  # fmt: skip
        work = Work(task, facts, home=self._home, hosts=self._setup.hosts.get(task.name, ()))
        work.collector, work.windows = unit.collector, unit.windows
        work.open_day = self._began[unit][:10]
        work.keeper = self._lock.keeper if task.kind == "command" else None
        return work

    def _steps(self, unit: Unit) -> dict[str, tuple[str, str]]:
        """The steps of a slot that are done: none of one that nobody has had before."""
        is_first = unit.attempt == 1 and set(self._claims[unit].epochs.values()) == {1}
        if is_first or not unit.task.function:
            return {}
        return self.journal.steps(unit.task.name, unit.key)

    def _state(self, task: str) -> dict[str, str]:
        """What a task remembers. Only this runner changes that, as long as it has a slot of the task."""
        if self._with_state is None:
            self._with_state = self.journal.tasks_with_state()
        return self.journal.state(task) if task in self._with_state else {}

    def skip(self, unit: Unit, reason: str) -> None:
        """Write down that a unit was not run; its slots stay due."""
        self.slots.release(unit.task.name, [due.key for due in unit.dues], owner=self.owner, reason=reason)
        unit.error = reason
        self._note_skipped(unit)

    def _note_skipped(self, unit: Unit) -> None:
        """Write a run that was not made; of what is disabled only once, until something else becomes of it."""
        last = self.journal.last_run(unit.task.name) if unit.disabled else None
        if last and last[:2] == ("skipped", unit.error):
            return
        unit.run_id = new_id(self._clock)
        self.slots.note_skipped(self._row(unit), unit.error)

    def _row(self, unit: Unit) -> RunRow:
        return RunRow(
            unit.run_id, task=unit.task.name, plugin_name=unit.provider, invocation_id=self._invocation,
            owner=self.owner, slot_key=unit.key, window=unit.window, limits=unit.task.limits,
        )  # fmt: skip

    # the end of an attempt

    def await_retry(self, unit: Unit, error: str, wait: float) -> None:
        """An attempt failed; another follows after `wait` seconds."""
        self.slots.await_retry(
            self._claims[unit], number=unit.attempt, began_at=self._began[unit], error=self.hide(error),
            retry_at=iso(self._clock.now() + timedelta(seconds=wait)), output=self.hide(unit.output),
        )  # fmt: skip

    def succeed(self, unit: Unit, end: End) -> None:
        """A run is done: slot, output, state, messages, spendings, all at once."""
        claimed = self._claims[unit]
        remembered = end.remembered
        messages = remembered.get("messages") or ()
        if messages or len(claimed.epochs) != 1:  # else `finish`, whose first statement asks the same, will do
            self.slots.check(claimed)
        self._check_outboxes(unit, messages)
        state = remembered.get("state") or {}
        self.refuse_secrets(unit, end.json, *state.values(), *(payload for _, _, payload in messages))
        if unit.collector:  # a day that was not over and not answered is due again
            self.slots.resolve(claimed, list(claimed.epochs), "due", reason="")
        if unit.task.min_output or unit.task.min_duration_seconds:
            from .lateness import odd

            unit.notes += odd(unit.task, self._began[unit], self.db.now(), printed=unit.output, handed_on=end.json)
        self.slots.finish(
            claimed, status="success", output_json=end.json, requests=unit.requests, notes="; ".join(unit.notes),
            output=unit.output,
        )  # fmt: skip
        unit.output_json = end.json
        if state and self._with_state is not None:
            self._with_state.add(unit.task.name)
        self.journal.keep_state(unit.task.name, state, run_id=unit.run_id)
        self.journal.post(messages, run_id=unit.run_id)
        if unit.task.cost_limit:
            self.journal.settle(unit.run_id, unit.spent)
        self._tell_end(unit, is_success=True)
        del self._claims[unit]

    def _output(self, before: Unit, key: str) -> Optional[str]:
        """What a unit has handed on, else what its task did last."""
        if before.key and before.status == "success":
            return before.output_json
        return None if before.disabled else self.slots.output(before.task.name, before.key or key)

    def refuse_secrets(self, unit: Unit, *texts: Optional[str]) -> None:
        """What is kept to be read again cannot be blanked, so it may not hold a secret in the first place."""
        if any(text and self._home.redactor.knows(text) for text in texts):
            raise PermanentError(
                f"{unit.label} wants to keep a value that holds a secret of this home's settings",
                hint="leave it out, and read it with ctx.setting() where it is needed",
            )

    def _check_outboxes(self, unit: Unit, messages: Collection[Any]) -> None:
        for outbox, _, _ in messages:
            if outbox not in self._setup.outboxes:
                raise PermanentError(
                    f"task {unit.task.name} sends to the outbox {outbox}, which no app has",
                    hint=f"there are {', '.join(sorted(self._setup.outboxes)) or 'none'}",
                )

    def fail(self, unit: Unit, *, error: str, hint: str, slot_status: str) -> None:
        """A run has failed for good; what becomes of its slot. Days that nobody got to are due again."""
        claimed = self._claims[unit]
        self.slots.check(claimed)
        if unit.task.cost_limit:
            self.journal.settle(unit.run_id, None)
        if unit.collector:
            self.slots.resolve(claimed, list(claimed.epochs), "due", reason="")
        self.slots.finish(
            claimed, status="failed", error=self.hide(error), hint=self.hide(hint),
            slot_status=slot_status, requests=unit.requests, notes="; ".join(unit.notes),
            output=self.hide(unit.output),
        )  # fmt: skip
        self._tell_end(unit, is_success=False)
        del self._claims[unit]

    def _tell_end(self, unit: Unit, *, is_success: bool) -> None:
        if self.pings:
            self.pings.ended(unit.task.name, unit.run_id, is_success=is_success)

    def hide(self, text: str) -> str:
        """What a task said, as it may be kept and shown: without secrets, and without what is no text (surrogates)."""
        return self._home.redactor.text(text).encode("utf-8", "backslashreplace").decode("utf-8")

    def do(self, unit: Unit, operation: str, given: Mapping[str, Any]) -> Any:
        """Do one of the OPERATIONS, if the run is not over and still has its slots."""
        if not self.has(unit):
            raise FencedError(f"the run of {unit.label} is over: it was cancelled", hint="nothing was changed")
        self.slots.check(self._claims[unit])
        if operation not in OPERATIONS:
            raise PermanentError(f"there is no operation {operation}")
        return getattr(Operations(self, self._claims[unit]), operation)(unit, **given)

    def outboxes_due(self) -> set[str]:
        """The outboxes in which a message waits whose time has come, and those whose last delivery was cut short."""
        return mail.outboxes_due(self.db, self._setup)

    def has_to_send(self) -> bool:
        """Whether there is anything to send: what waits, or was written down by this runner just now."""
        return bool(self.pings and self.pings.has_posted) or mail.is_any_due(self.db, self._setup)
