"""`--task NAME`: run a task and tell what came of it."""

from __future__ import annotations

from .. import __version__, exits
from ..core.clock import iso
from ..core.errors import ConfigError, UsageError
from . import emit, emit_json, emit_table, work_done

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ..arguments import Arguments
    from ..core.app import Task
    from ..core.collector import Collector
    from ..core.home import Home
    from ..core.http_client import HttpClient
    from ..core.runner import Order, Outcome

EXPORT_ONLY = ("table", "format", "out")


def execute(args: Arguments) -> int:
    """Run the task that was named."""
    began_at = iso(args.clock.now())
    if args.task == "export":
        from .export import execute as export

        return export(args)
    home = args.open()
    tasks = app_tasks(home, args.app)
    if args.task in tasks:
        refuse(args, ("since", "until", "force", "json", *EXPORT_ONLY))
        return run_app_task(tasks[args.task], home)
    collectors = chosen(args.task, home, others=list(tasks))
    refuse(args, EXPORT_ONLY)
    order = order_of(args, home)
    if all(collector.disabled for collector in collectors):
        raise nothing_set_up(collectors, home)
    home.log.info("files", home.where())
    from ..core.runner import Runner

    runner = Runner(home.store(write=True), clock=args.clock, log=home.log)
    outcomes = runner.run(collectors, order, began_at=began_at)
    for outcome in outcomes:
        home.log.debug("run.finished", f"{outcome.task}: {outcome.status}", run=outcome.run_id, reason=outcome.error)
    report(args, outcomes)
    return code_of(outcomes)


def refuse(args: Arguments, options: Sequence[str]) -> None:
    """Raise UsageError for an option that means nothing to the task."""
    for name in options:
        if getattr(args, name) not in (None, False):
            raise UsageError(f"--{name} means nothing to the task {args.task}", hint="leave it out")


def run_app_task(task: Task, home: Home) -> int:
    """Run a task of an app; what it logs with the standard `logging` goes to the log of this home."""
    import logging

    from ..core.app import Context
    from ..core.logger import stdlib_bridge

    bridge = stdlib_bridge(home.log)
    logging.getLogger().addHandler(bridge)
    try:
        emit(task(Context(home)))
    finally:
        logging.getLogger().removeHandler(bridge)
    return exits.OK


def app_tasks(home: Home, named: str) -> dict[str, Task]:
    """The tasks of the apps that are built into this file, that the settings list, and of the one that was named."""
    from ..core.apps import RESERVED, apps_of

    found: dict[str, Task] = {}
    for app in apps_of(home.settings, named):
        for name, task in app.tasks.items():
            if name in found or name in RESERVED or name.startswith("fetch_"):
                raise ConfigError(f"the app {app.name} has a task {name}, a name that is taken", hint="rename its task")
            found[name] = task
    return found


def chosen(task: str, home: Home, *, others: Sequence[str] = ()) -> list[Collector]:
    """The collectors that a task runs. Raises UsageError for a name that no task has."""
    from ..plugins import load

    collectors = [kind(home.settings, lambda collector: connect(collector, home)) for kind in load()]
    if task == "run_all":
        return collectors
    found = [collector for collector in collectors if collector.task == task]
    if not found:
        from ..core.text import nearest

        names = [*(collector.task for collector in collectors), "run_all", "export", *others]
        close = nearest(task, names)
        raise UsageError(
            f"there is no task {task[:60]!r}",
            hint=f"did you mean {close}?" if close else f"the tasks are {', '.join(names)}",
        )
    return found


def connect(collector: Collector, home: Home) -> HttpClient:
    """The HTTP client of one collector: its own connection, its own hosts."""
    from ..core.http_client import HttpClient
    from ..core.retry import Retry

    extra = [host.strip() for host in home.settings.get("AGENT_OS_ALLOWED_HOSTS").split(",") if host.strip()]
    return HttpClient(
        agent=f"agent-os/{__version__} (local-first workflow engine)",
        clock=home.clock,
        retry=Retry(budget_seconds=180.0),  # an asked wait of two minutes fits in
        log=home.log.bind(task=collector.task),
        redactor=home.redactor,
        allowed_hosts=[*collector.hosts, *extra],
        environ=home.settings.environment(),
    )


def order_of(args: Arguments, home: Home) -> Order:
    """Which days are meant. Raises UsageError for days that are none or cannot be asked for."""
    from ..core.days import FIRST_DAY
    from ..core.runner import Order

    since, until = args.days()
    today = args.clock.today()
    if since is not None and since > today:
        raise UsageError(f"--since {since} lies in the future", hint=f"today is {today}, in UTC")
    early = next((day for day in (since, until) if day is not None and day < FIRST_DAY), None)
    if early:
        raise UsageError(f"no provider has anything from {early}", hint=f"the earliest day is {FIRST_DAY}")
    lookback = home.settings.whole("AGENT_OS_LOOKBACK_DAYS", least=1, most=3660)
    return Order(since=since, until=until, force=args.force, lookback_days=lookback)


def nothing_set_up(collectors: Sequence[Collector], home: Home) -> ConfigError:
    """The sentence for a home without a single usable key."""
    reasons = "; ".join(f"{collector.name} is {collector.disabled}" for collector in collectors)
    line = f"{collectors[0].needs[0]}=..."
    return ConfigError(
        f"nothing to collect from: {reasons}",
        hint=f"put {line} into {home.settings.home}/.env (chmod 600), or try `demo`, which needs no key",
    )


def code_of(outcomes: Sequence[Outcome]) -> int:
    """0 when nothing failed; 3 when no provider that has a key took it; else the worst of what went wrong."""
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    tried = [outcome for outcome in outcomes if not outcome.disabled]
    if failed and all(outcome.key_refused for outcome in tried):
        return exits.CONFIG
    codes = [exits.of(outcome.cause) if outcome.cause else exits.FAILED for outcome in failed]
    return exits.worst([exits.FAILED if code == exits.CONFIG else code for code in codes])


def report(args: Arguments, outcomes: Sequence[Outcome]) -> None:
    """The table at the end of a run, or its JSON. A reader that left does not undo the run."""
    with work_done():
        if args.json:
            emit_json({"outcomes": [as_json(outcome) for outcome in outcomes]})
        elif not args.quiet:
            show(outcomes)


def as_json(outcome: Outcome) -> dict[str, Any]:
    """An outcome as JSON; money as exact decimal text, apart by basis and currency."""
    from ..core.money import decimal_text

    return {
        "provider": outcome.provider,
        "task": outcome.task,
        "status": outcome.status,
        "run": outcome.run_id,
        "since": outcome.span.start if outcome.span else None,
        "until": outcome.span.end if outcome.span else None,
        "days_new": len(outcome.new_days),
        "days_restated": len(outcome.restated_days),
        "restated": outcome.restated_days,
        "days_missing": outcome.missing_days,
        "tokens": outcome.tokens,
        "money": [
            {"basis": basis, "currency": code, "amount": decimal_text(nano)} for basis, code, nano in outcome.money
        ],
        "requests": outcome.requests,
        "seconds": round(outcome.seconds, 3),
        "reason": outcome.error if outcome.status == "skipped" else None,
        "error": outcome.error if outcome.status == "failed" else None,
        "hint": outcome.hint or None,
        "notes": outcome.notes,
    }


def show(outcomes: Sequence[Outcome]) -> None:
    """What a person wants to know of a run, a line a provider."""
    from ..core.text import span, thousands

    header = ("provider", "result", "days new", "restated", "missing", "tokens", "cost", "time")
    rows: list[tuple[str, ...]] = []
    for outcome in outcomes:
        if outcome.span is None:
            rows.append((outcome.provider, "disabled", "", "", "", "", "", ""))
            continue
        days = [str(len(outcome.new_days)), str(len(outcome.restated_days)), str(outcome.missing_days)]
        figures = [thousands(outcome.tokens or 0), money_text(outcome.money)]
        took = "no request" if outcome.status == "skipped" else span(outcome.seconds)
        rows.append((outcome.provider, outcome.status, *days, *figures, took))
    emit_table(header, rows, right={2, 3, 4, 5, 6})
    spans = sorted({str(outcome.span) for outcome in outcomes if outcome.span})
    if len(spans) == 1:
        emit(f"{spans[0]}, UTC days; the last days may still change.")
    for outcome in outcomes:
        if outcome.status == "skipped":
            emit(f"{outcome.provider}: {outcome.error}")


def money_text(money: Sequence[tuple[str, str, int]]) -> str:
    """Amounts side by side, never added: "123.45 USD reported"; "-" when there is none."""
    from ..core.money import shown

    return ", ".join(f"{shown(nano)} {code} {basis}" for basis, code, nano in money) or "-"
