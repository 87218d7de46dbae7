"""What a task in Python is handed: its slot and window, and the ways to do a thing once although it may be run again.

A `Context` never touches the database: what has to be kept goes through `call` to the one writer of its runner, from a
thread of the same process or through the pipes of a child.
"""

from __future__ import annotations

from _thread import allocate_lock

from .callables import is_to_come, why_unfit
from .days import Moments, Window
from .due import is_day
from .errors import PermanentError, TaskError, TransientError
from .json_value import digest, from_json, to_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Optional, Union

    from .app_values import Result
    from .chronicle import Run as PastRun
    from .config import Settings
    from .home import Home
    from .http_client import HttpClient
    from .line_store import Sum
    from .logger import Log

POLICIES = ("at_most_once", "at_least_once")
LONGEST_KEY = 200
SENDING = "send "  # with a message's key after it, the effect of its outbox
MOST_SPENT = 2**62  # by one run, in the unit of its cost limit: what the database can add up


class Facts:
    """What is known of a run before its task begins; made where it is claimed, and sent as JSON to a child."""

    def __init__(self, **known: Any) -> None:
        self.task: str = known["task"]
        self.key: str = known["key"]
        self.run_id: str = known["run_id"]
        self.attempt: int = known["attempt"]
        self.window: tuple[str, str] = tuple(known["window"])
        self.failed: dict[str, str] = known["failed"]  # task that it comes after -> why that failed
        self.outputs: dict[str, Optional[str]] = known["outputs"]  # task -> what it handed on, as JSON
        self.steps: dict[str, Sequence[str]] = known["steps"]  # name -> (hash of the input, value as JSON)
        self.state: dict[str, str] = known["state"]  # name -> value as JSON


class Context:
    """What a task may see and use. Made by the kernel, one for each attempt."""

    def __init__(
        self,
        facts: Facts,
        call: Callable[..., Any],
        *,
        home: Home,
        stopped: Callable[[], bool] = lambda: False,
        hosts: Sequence[str] = (),
    ) -> None:
        self.task = facts.task
        self.slot = facts.key
        self.run_id = facts.run_id
        self.attempt = facts.attempt
        self.outputs = {name: from_json(text) if text else None for name, text in facts.outputs.items()}
        self.failed = dict(facts.failed)  # what it comes after and has failed, and why: with after_failure="run"
        self.state: dict[str, Any] = {name: from_json(text) for name, text in facts.state.items()}
        self.log: Log = home.log.bind(task=facts.task, run=facts.run_id, slot=facts.key)
        self._facts = facts
        self._call = call
        self._home = home
        self._stopped = stopped
        self._has_heard = False  # that it is to end
        self._hosts = hosts
        self._http: Optional[HttpClient] = None
        self._steps = dict(facts.steps)
        self._turn = allocate_lock()
        self._begun: set[tuple[str, str]] = set()  # steps of this attempt, and effects that are under way in it
        self._messages: list[tuple[str, str, str]] = []

    # what the run is about

    @property
    def window(self) -> Union[Window, Moments]:
        """The half-open UTC span that the run is about: `.start` and `.end`, days or instants."""
        start, end = self._facts.window
        return Window(start, end) if is_day(start) else Moments(start, end)

    @property
    def today(self) -> str:
        """The current UTC day."""
        return self._home.clock.today()

    @property
    def now(self) -> str:
        """The current instant, UTC, as it is stored: `2026-11-22T05:00:00.123Z`."""
        from .clock import iso

        return iso(self._home.clock.now())

    @property
    def stopped(self) -> bool:
        """Whether the run has been asked to end; a long loop should look, and leave: its slot is due again."""
        self._has_heard = self._has_heard or self._stopped()
        return self._has_heard

    @property
    def settings(self) -> Settings:
        """The settings of this home; `ctx.settings.get("NAME")` is `""` when it is not set."""
        return self._home.settings

    def setting(self, name: str) -> str:
        """A setting's value, `""` when it is not set."""
        return self._home.settings.get(name)

    @property
    def http(self) -> HttpClient:
        """A client for https, for the hosts that the app named and those in AGENT_OS_ALLOWED_HOSTS."""
        if self._http is None:
            self._http = self._home.connect(self._hosts, log=self.log)
        return self._http

    def results(self, *, since: str, until: str) -> list[Result]:
        """The headlines of a span of days (`until` is not in it), oldest first. ConfigError where nothing is stored."""
        from .app_values import results_of

        return results_of(self._home, since=since, until=until)

    def sums(self, *by: str, since: str, until: str, provider: str = "") -> list[Sum]:
        """What the lines of a span of days come to, as `OpenHome.sums` has it; apart by basis and currency."""
        from .app_values import sums_of

        return sums_of(self._home, by, since=since, until=until, provider=provider)

    def runs(self, *, task: str = "", since: str = "", limit: int = 100) -> list[PastRun]:
        """The newest runs first, of all tasks or of one; those that began on the day `since` or later."""
        from .app_values import runs_of

        return runs_of(self._home, task=task, since=since, most=limit)

    # what is done once

    def step(self, name: str, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """The value of `fn(*args, **kwargs)`, which is JSON: called once for this slot and these arguments.

        It is kept when it returns. A later attempt, or the next run of this slot, reads it instead. Other arguments
        mean that it is called anew. Raises PermanentError for a value or an argument that is no JSON.
        """
        self._name("step", name)
        self._function(f"step {name!r}", fn)
        if not self._begin("step", name):
            raise PermanentError(
                f"task {self.task} has two steps named {name!r} in one run", hint="give each its own name"
            )
        given = [[_plain(each) for each in args], {key: _plain(each) for key, each in sorted(kwargs.items())}]
        input_hash = digest(given, f"step {name!r} of task {self.task}: what it is called with")
        known = self._steps.get(name)
        if known and known[0] == input_hash:
            return from_json(known[1])
        text = to_json(fn(*args, **kwargs), f"the value of step {name!r} of task {self.task}")
        self._call("step", name=name, input_hash=input_hash, output_json=text)
        self._steps[name] = (input_hash, text)
        return from_json(text)

    def effect(
        self,
        key: str,
        call: Callable[[], Any],
        *,
        reconcile: Optional[Callable[[], Any]] = None,
        policy: str = "at_most_once",
    ) -> Any:
        """Cause something in the outside world, named `key` for ever; its outcome (JSON) is kept and given back.

        What was done is never done again. Where a crash leaves it open whether it was, `reconcile()` says what came of
        it, or None when nothing did; without it, `at_most_once` does not call again and gives None (`doctor` lists
        it), and `at_least_once` does. A `call` that raises TransientError or PermanentError says that nothing has
        happened (unless its `may_have_happened` is set); any other error leaves it open.
        """
        self._name("effect", key)
        if policy not in POLICIES:
            raise PermanentError(
                f"effect {key!r} has the policy {policy!r}", hint=f"it is one of {', '.join(POLICIES)}"
            )
        self._function(f"effect {key!r}", call)
        if reconcile is not None:
            self._function(f"`reconcile` of effect {key!r}", reconcile)
        if not self._begin("effect", key):
            raise PermanentError(
                f"effect {key!r} of task {self.task} is under way already, in this very run",
                hint="it was caused from within itself, or by two threads; give each its own key",
            )
        try:
            return self._effect(key, call, reconcile, policy)
        finally:
            self._begun.discard(("effect", key))

    def _effect(self, key: str, call: Callable[[], Any], reconcile: Optional[Callable[[], Any]], policy: str) -> Any:
        """What is known of it decides whether it is caused."""
        status, outcome = self._call("effect", key=key) or ("", None)
        if status == "done":
            return from_json(outcome) if outcome else None
        if status in ("intent", "ambiguous"):
            if reconcile is not None:
                value = self._made(f"`reconcile` of effect {key!r}", reconcile())
                if value is not None and value is not False:
                    return self._conclude(key, value)
            elif policy == "at_most_once":
                if status == "intent":  # else it is known better why nobody knows
                    cause = "the program ended while it was under way"
                    self._call("conclude", key=key, status="ambiguous", error=cause)
                self.log.warning(
                    "effect.ambiguous",
                    f"effect {key!r} of task {self.task} may have happened already: not called again;"
                    " `doctor` says how to settle it",
                )
                return None
        return self._cause(key, call, policy)

    def _cause(self, key: str, call: Callable[[], Any], policy: str) -> Any:
        """Intent, call, outcome."""
        self._call("intend", key=key, policy=policy)
        try:
            value = self._made(f"effect {key!r}", call())
        except (Exception, SystemExit) as error:
            is_known = isinstance(error, TaskError) and not error.may_have_happened
            status = "failed" if is_known or policy == "at_least_once" else "ambiguous"
            self._call("conclude", key=key, status=status, error=f"{type(error).__name__}: {error}")
            raise
        return self._conclude(key, value)

    def _conclude(self, key: str, value: Any) -> Any:
        try:
            text = to_json(value, f"the outcome of effect {key!r} of task {self.task}")
        except PermanentError:
            self._call("conclude", key=key, status="done")  # it did happen, whatever it gave back
            raise
        self._call("conclude", key=key, status="done", outcome=text)
        return from_json(text)

    def send(self, outbox: str, key: str, message: Any) -> None:
        """Put a message (JSON) into an outbox, in the transaction in which this run succeeds; sent after that.

        `key` names the message for ever: the same one twice is one message.
        """
        self._name("message", key, most=LONGEST_KEY - len(SENDING))
        self._messages.append((outbox, key, to_json(message, f"message {key!r} of task {self.task}")))

    def receipt(self, key: str) -> Any:
        """In an outbox: what sending the message `key` gave; None while it is not sent, or where it gave nothing."""
        status, outcome = self._call("effect", key=SENDING + key) or ("", None)
        return from_json(outcome) if status == "done" and outcome else None

    def spend(self, amount: int) -> None:
        """Say what has been spent under the task's cost limit, in its unit: all amounts of all attempts are added up.

        Kept at once. A run that succeeds has spent what it said, or what was reserved where it said nothing; one that
        does not has spent whichever is more.
        """
        if isinstance(amount, bool) or not isinstance(amount, int) or not 0 <= amount <= MOST_SPENT:
            raise PermanentError(f"task {self.task} spends {amount!r}, which is no amount", hint="give a whole number")
        self._call("spend", amount=amount)

    # for the kernel

    def remembered(self) -> dict[str, Any]:
        """What has to be committed with the end of a run. TransientError for one that left because it was asked to."""
        if self._has_heard:
            raise TransientError("it was stopped")
        if not isinstance(self.state, dict):
            raise PermanentError(
                f"the state of task {self.task} is of type {type(self.state).__name__}",
                hint="change what is in ctx.state; it stays a dict",
            )
        changes: dict[str, Optional[str]] = dict.fromkeys(set(self._facts.state) - set(self.state))
        for name, value in self.state.items():
            if not isinstance(name, str):
                raise PermanentError(
                    f"state {str(name)[:60]!r} of task {self.task} cannot be kept: its name is of type"
                    f" {type(name).__name__}",
                    hint="names are text, as they are when they are read back: ctx.state[str(name)]",
                )
            if any("\ud800" <= character <= "\udfff" for character in name):
                raise PermanentError(
                    f"state {name!r} of task {self.task} cannot be kept: its name is no text",
                    hint='write names of files as `os.fsencode(name).decode("utf-8", "backslashreplace")`',
                )
            text = to_json(value, f"state {name!r} of task {self.task}")
            if self._facts.state.get(name) != text:
                changes[name] = text
        return {"state": changes, "messages": self._messages}

    def close(self) -> None:
        """Close what the task has opened."""
        if self._http is not None:
            self._http.close()

    def _begin(self, what: str, name: str) -> bool:
        """Whether it is the only one of this name."""
        with self._turn:
            is_first = (what, name) not in self._begun
            self._begun.add((what, name))
            return is_first

    def _function(self, what: str, fn: object) -> None:
        reason = why_unfit(fn)
        if reason:
            raise PermanentError(
                f"{what} of task {self.task}: what it is to call {reason}",
                hint="give the function itself, and its arguments after it, or a lambda: nothing was called",
            )

    def _made(self, what: str, value: Any) -> Any:
        """What a call gave back, unless that is a call that nobody has made yet."""
        if is_to_come(value):
            kind = type(value).__name__
            if hasattr(value, "close"):
                value.close()
            raise PermanentError(
                f"{what} of task {self.task} gave back a {kind}, which nobody has run: nothing has happened",
                hint="have it done before it returns: asyncio.run(...), list(...)",
            )
        return value

    def _name(self, what: str, name: object, *, most: int = LONGEST_KEY) -> None:
        if not isinstance(name, str) or not 0 < len(name) <= most or not name.isprintable():
            raise PermanentError(
                f"task {self.task}: {str(name)[:60]!r} cannot name a {what}",
                hint=f"use 1 to {most} printable characters",
            )


def _plain(value: Any) -> Any:
    """An argument as JSON; windows, and the context itself, have their words."""
    if isinstance(value, (Window, Moments)):
        return ["window", value.start, value.end]
    if isinstance(value, Context):
        return ["slot", value.task, value.slot]
    return value
