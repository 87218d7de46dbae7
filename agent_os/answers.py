"""What the Python API answers, as plain tuples with names. A later version may add fields at their ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Optional

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .core.home import Home
    from .core.plan import Unit


class RunResult(NamedTuple):
    """What came of one run. `status` is "success", "failed" or "skipped".

    `slot` is "" for a collector, which is about many days. `error` says why it failed or was skipped, `hint` what to do
    about it; both are "" where there is nothing to say. `output` is what the task returned (JSON), the printed text of
    a command, None for a collector; `printed` what it printed. `attempts` is 0 and `run_id` may be "" for a run that
    did not begin. `seconds` by the clock on the wall, pauses between attempts included.
    """

    task: str
    slot: str
    run_id: str
    status: str
    error: str
    hint: str
    output: Any
    attempts: int
    seconds: float
    printed: str


class Run(NamedTuple):
    """A run of the past, or one that is under way, as it is written down.

    `status` is "running", "success", "failed" or "skipped". Times are UTC: "2026-11-22T05:00:00.123Z". `error` is ""
    for a run that succeeded; `requests` counts what a collector sent; `provider` is the task where there is none.
    """

    run_id: str
    task: str
    provider: str
    status: str
    started_at: str
    finished_at: Optional[str]
    error: str
    requests: int
    notes: str
    slot: str = ""
    attempts: int = 0


class Gap(NamedTuple):
    """Neighbouring days or slots of a task that are missing for one reason; `since` and `last` are both missing.

    `lost_on` is the day from which on the first of them cannot be had any more, None where that never comes.
    """

    task: str
    provider: str
    since: str
    last: str
    days: int
    reason: str
    slots: int
    lost_on: Optional[str]
    is_lost: bool


class TickResult(NamedTuple):
    """What a tick came to: a `RunResult` for each run, none where nothing was due.

    `waits` has the tasks for which something is due that cannot begin now, and why; `next_at` is the instant (UTC) at
    which something is due next, None for never.
    """

    runs: list[RunResult]
    waits: Mapping[str, str]
    next_at: Optional[str]


class Watched(NamedTuple):
    """Whether a task has succeeded in time. `state` is "ok", "late", "not due yet" or "not set up".

    Of a task that is late, `due_at` is since when a success is owed, and `late_seconds` how long ago that is; both are
    None for others. `last_slot` is the newest that succeeded (of a collector, the newest day that was read), `reason`
    why the newest run did not, or why the task is not set up; "" where there is none. `warnings` say what is odd about
    the last success.
    """

    task: str
    state: str
    due_at: Optional[str]
    late_seconds: Optional[float]
    last_success_at: Optional[str]
    last_slot: str
    reason: str
    warnings: tuple[str, ...]


class Posted(NamedTuple):
    """A message in an outbox. `status` is "waiting", "sent" or "parked" (given up); `error` says what kept it back."""

    id: int
    outbox: str
    key: str
    status: str
    attempts: int
    next_at: str
    error: str
    run_id: str
    created_at: str
    body: Any = None


class TaskInfo(NamedTuple):
    """A task as it is declared. `state` is "ready" or says what keeps it from running; `due` says when, in words.

    `basis` is the kind of money that a collector gives ("reported", "estimated"); "" for other tasks.
    """

    task: str
    state: str
    due: str
    after: tuple[str, ...]
    what: str
    basis: str = ""


def fitting(kind: Any, found: Mapping[str, Any]) -> dict[str, Any]:
    """What a tuple of this kind has a place for."""
    return {name: value for name, value in found.items() if name in kind._fields}


def result_of(unit: Unit, home: Home) -> RunResult:
    """What came of a run, without secrets."""
    hide = home.redactor.text
    return RunResult(
        unit.task.name, unit.key, unit.run_id, unit.status, hide(unit.error), hide(unit.hint), unit.value, unit.attempt,
        round(unit.seconds, 3), hide(unit.output),
    )  # fmt: skip


def watched_of(found: Mapping[str, Any]) -> Watched:
    """What `watch --json` says of a task."""
    texts = {name: found[name] or "" for name in ("last_slot", "reason")}
    return Watched(**{**found, **texts, "warnings": tuple(found["warnings"])})
