"""What a run does, by the kind of its task: in a worker thread, without the database. What is to be kept is called for.

Each body takes a `Work` and returns an `End`, or raises: TaskError says whether trying again is worth it.
"""

from __future__ import annotations

import os
from itertools import chain

from .context import SENDING, Context, Facts
from .errors import (
    AgentOSError,
    ConfigError,
    KeyRefusedError,
    PermanentError,
    ResourceError,
    TransientError,
)
from .json_value import from_json, to_json
from .reasons import TryLater, asked_wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any, Optional

    from .app_values import Message
    from .collector import Collector
    from .days import Window
    from .home import Home
    from .keeper import Keeper
    from .spec import Task

TRY_LATER = 75  # a command's way to say: not now (EX_TEMPFAIL of sysexits.h)
OUTPUT_BYTES = 64 * 1024  # of what a command printed that is handed on to what comes after it
MOST_TRIES = 20  # of a message before it is parked
PATIENCE_SECONDS = 60.0  # for the time of a message, within one start
_RETRY_SECONDS = 2.0


class Work:
    """One attempt: the task, what is known of its run, and the ways out of the thread."""

    def __init__(
        self,
        task: Task,
        facts: Facts,
        *,
        home: Home,
        hosts: Sequence[str] = (),
    ) -> None:
        self.task = task
        self.facts = facts
        self.home = home
        self.hosts = hosts
        self.call: Callable[..., Any] = _nobody  # set by whoever hands the work on
        self.stopped: Callable[[], bool] = lambda: False
        self.say: Callable[[str], None] = lambda _: None  # where it has got to, for whoever watches
        self.collector: Optional[Collector] = None
        self.windows: Sequence[Window] = ()
        self.open_day = ""
        self.keeper: Optional[Keeper] = None  # of a command
        self.took = 0.0  # seconds that its body has taken

    @property
    def has_process(self) -> bool:
        """Whether it is done in a process of its own, which can be ended."""
        return self.task.kind == "command" or self.task.timeout_seconds is not None

    def context(self) -> Context:
        """What a Python task is handed."""
        return Context(self.facts, self.call, home=self.home, stopped=self.stopped, hosts=self.hosts)


class End:
    """What a body came to: its value (`json`: the same as text, None for a collector's), what has to be committed with
    it, and what it printed. PermanentError for a value that is no JSON.
    """

    def __init__(
        self, value: Any = None, *, task: str = "", output: str = "", remembered: Optional[Mapping[str, Any]] = None
    ) -> None:
        self.value = value
        self.json = to_json(value, f"what task {task} returns") if task else None
        self.output = output
        self.remembered: Mapping[str, Any] = remembered or {}


class Printed(Exception):  # noqa: N818 (it carries an error; it is none)
    """An error, and what had been printed before it."""

    def __init__(self, error: BaseException, output: str) -> None:
        super().__init__(str(error))
        self.error = error
        self.output = output


def _nobody(operation: str, **_: Any) -> Any:
    raise PermanentError(f"nobody is there to {operation}")


def run_function(work: Work) -> End:
    """Call the function of a task in this thread; what it prints is kept."""
    from .printing import captured

    ctx, hide, pid = work.context(), work.home.redactor.text, os.getpid()
    with captured() as printed:
        try:
            value = work.task.function(ctx) if work.task.function else None
            return End(value, task=work.task.name, output=hide(printed.text()), remembered=ctx.remembered())
        except BaseException as error:
            raise Printed(error, hide(printed.text())) from error
        finally:
            if os.getpid() != pid:
                os.kill(os.getpid(), 9)  # a fork that came back from the task: the run is its parent's
            ctx.close()


def run_command(work: Work) -> End:
    """Run a command in a process group of its own; what it prints is kept, and handed on."""
    from .ini import env_of
    from .process import run_process

    task, facts = work.task, work.facts
    start, end = (f"{edge}T00:00Z" if len(edge) == 10 else edge for edge in facts.window)
    env = {
        **env_of(task, work.home.settings), **({} if "PWD" in task.env else {"PWD": task.cwd}),
        "AGENT_OS_TASK": task.name, "AGENT_OS_SLOT": facts.key, "AGENT_OS_RUN": facts.run_id,
        "AGENT_OS_ATTEMPT": str(facts.attempt), "AGENT_OS_HOME": work.home.settings.home,
        "AGENT_OS_WINDOW_START": start, "AGENT_OS_WINDOW_END": end,
    }  # fmt: skip
    ended = run_process(
        task.command, env=env, cwd=task.cwd, clock=work.home.clock, timeout_seconds=task.timeout_seconds,
        stop=work.stopped, keeper=work.keeper,
    )  # fmt: skip
    output = work.home.redactor.text(ended.output)
    if ended.left_behind:
        work.home.log.warning("run.left_behind", f"{task.name} left a process behind that holds its output")
    error = failure_of(task, ended._replace(output=output))  # cut where a secret stands, it would be one no more
    if error:
        raise Printed(error, output)
    return End(output[-OUTPUT_BYTES:].rstrip("\n"), task=task.name, output=output)


def failure_of(task: Task, ended: Any) -> Optional[AgentOSError]:
    """What the end of a process says, if not that all went well."""
    if ended.stopped:
        return TransientError("it was stopped")
    if ended.timed_out:
        return TransientError(
            f"it was ended after {task.timeout_seconds:g} s, its timeout",
            hint="`show` has what it printed; raise `timeout` if it needs longer",
        )
    if ended.code == TRY_LATER:
        return TryLater("it asks to be tried later (exit code 75)" + _last_line(ended.output))
    if ended.code:
        how = f"exit code {ended.code}" if ended.code > 0 else f"signal {-ended.code}"
        return TransientError(f"it ended with {how}" + _last_line(ended.output), hint="`show` has its output")
    return None


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return f": {lines[-1][:200]}" if lines else ""


def collect(work: Work) -> End:
    """Have a collector ask for every window in turn, until one shows that the others would fare no better."""
    collector = work.collector
    if collector is None:
        raise PermanentError(f"{work.task.name} has no collector")
    failure: Optional[BaseException] = None
    try:
        collector.prepare(work.call, say=work.say, today=work.open_day)
        further = collector.further(work.windows, today=work.open_day)
        for number, window in enumerate(chain(work.windows, further), 1):
            if work.stopped():
                raise TransientError("it was stopped")
            if len(work.windows) > 1:
                work.say(f"window {number} of {max(number, len(work.windows))}")
            try:
                work.call("store", batch=collector.collect(window, open_day=work.open_day))
            except BaseException as error:  # noqa: BLE001 (a failing window does not harm the others)
                failure = error
                work.call("refuse", window=window, error=error)
                goes_on = isinstance(error, AgentOSError) and not isinstance(
                    error, (KeyRefusedError, ConfigError, ResourceError, TransientError)
                )
                if not goes_on:
                    break
    finally:
        collector.close()
    if failure is not None:
        raise failure
    return End()


def deliver(work: Work) -> End:
    """Send what waits in an outbox, oldest first. A message that is not taken waits for its time, or is parked.

    A short wait is waited for, as another attempt of this run; longer ones are for the next start.
    """
    from .app_values import Message

    ctx = work.context()
    counts = {"sent": 0, "parked": 0, "waiting": 0}
    waits: list[float] = []
    try:
        for number, key, payload, tries in _messages(work):
            message = Message(key, from_json(payload), tries + 1)
            try:
                receipt = ctx.effect(SENDING + key, _sending(work, ctx, message), policy="at_least_once")
                work.call("message", number=number, status="sent", receipt_json=to_json(receipt, f"receipt of {key}"))
                counts["sent"] += 1
            except (Exception, SystemExit) as error:  # noqa: BLE001 (whatever one does, the others have their turn)
                wait = _wait_of(error, tries + 1)
                status = "parked" if wait is None else "waiting"
                counts[status] += 1
                waits += [] if wait is None else [wait]
                reason = error.message if isinstance(error, AgentOSError) else f"{type(error).__name__}: {error}"
                work.call("message", number=number, status=status, wait=wait, error=reason)
                ctx.log.warning("message.unsent", f"{work.task.name}: {key} was not sent ({status}): {reason}")
    finally:
        ctx.close()
    if waits and min(waits) <= PATIENCE_SECONDS and work.facts.attempt <= work.task.retries:
        raise TransientError("messages wait for their time", retry_after=min(waits))
    told = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    return End(told, task=work.task.name, remembered=ctx.remembered())


def _messages(work: Work) -> Iterator[tuple[int, str, str, int]]:
    """Each message whose time has come, once; until there is none, whoever has posted it meanwhile."""
    seen: set[int] = set()
    while fresh := [each for each in work.call("messages") if each[0] not in seen]:
        for each in fresh:
            if work.stopped():
                return
            seen.add(each[0])
            yield each


def _sending(work: Work, ctx: Context, message: Message) -> Callable[[], Any]:
    def send() -> Any:
        receipt = work.task.function(ctx, message) if work.task.function else None
        try:
            to_json(receipt, f"what {work.task.name} returns for {message.key}")
        except PermanentError as error:  # it was sent all the same
            ctx.log.warning("message.receipt", f"{error.message}; the message was sent, and no receipt is kept")
            return None
        return receipt

    return send


def _wait_of(error: BaseException, tries: int) -> Optional[float]:
    """For how long a message waits that was not taken; None: it is parked."""
    if not isinstance(error, TransientError) or tries >= MOST_TRIES:
        return None
    doubled: float = _RETRY_SECONDS * 2.0 ** min(tries - 1, 20)
    return asked_wait(error) or min(doubled, 6 * 3600.0)
