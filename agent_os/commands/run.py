"""`--task NAME`: run a task, and what it comes after, and tell what came of it."""

from __future__ import annotations

import os
import sys

from .. import exits
from ..core.clock import iso
from ..core.errors import ConfigError, UsageError
from . import work_done

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from ..arguments import Arguments
    from ..core.collector import Collector
    from ..core.due import Order
    from ..core.home import Home
    from ..core.plan import Setup, Unit
    from ..core.spec import Task

EXPORT_ONLY = ("table", "format", "out")
RUN_ONLY = ("key", "from_step", "jobs", "exit_skipped")
FREE_CODES = range(64, 126)  # for --exit-skipped: ours are below, a shell's own and those of signals above; and 70


def execute(args: Arguments) -> int:
    """Run the task that was named."""
    began_at = iso(args.clock.now())
    if args.task == "export":
        from .export import execute as export

        refuse(args, RUN_ONLY)
        return export(args)
    from ..wiring import setup_of, targets_of

    home = args.open()
    setup = setup_of(home, app=args.app, jobs=args.whole("jobs", args.jobs, most=256))
    targets = targets_of(args.task, setup)
    refuse(args, EXPORT_ONLY)
    skipped_code = code_where_skipped(args)
    order = order_of(args, home)
    check_order(order, targets, setup)
    order = of_slot(order, targets, setup, now=home.clock.now())
    return run(args, home, setup, targets=targets, order=order, began_at=began_at, skipped_code=skipped_code)


def run(  # noqa: PLR0913 (what a run is, all by name)
    args: Arguments,
    home: Home,
    setup: Setup,
    *,
    targets: Sequence[str],
    order: Order,
    began_at: str,
    skipped_code: int = exits.OK,
) -> int:
    """Run targets and report; whatever starts a run ends here."""
    if not skipped_code:
        refuse_disabled(targets, setup, home)
    from ..wiring import runner_of

    home.log.info("files", home.where())
    is_live = not (args.quiet or args.hushed or args.json) and bool(sys.stderr and sys.stderr.isatty())
    units = runner_of(home, setup, is_live=is_live).run(targets, order, began_at=began_at)
    with work_done():
        from .report import report

        report(args, units)
    is_idle = all(unit.status == "skipped" for unit in units if unit.is_target)
    return code_of(units) or (skipped_code if is_idle else exits.OK)


def code_where_skipped(args: Arguments) -> int:
    """--exit-skipped: what tells an engine that calls us that there was nothing to run. Raises UsageError."""
    value = args.exit_skipped
    if value is None:
        return exits.OK
    if value.isascii() and value.isdigit() and len(value) < 4 and int(value) in FREE_CODES and int(value) != exits.BUG:
        return int(value)
    raise UsageError(
        f"--exit-skipped is {value[:40]!r}",
        hint=f"give a code from {FREE_CODES[0]} to {FREE_CODES[-1]}, not {exits.BUG}; Airflow takes 99 for skipped",
    )


def refuse(args: Arguments, options: Sequence[str]) -> None:
    """Raise UsageError for an option that means nothing to the task."""
    for name in options:
        if getattr(args, name) not in (None, False, ""):
            option = name.replace("_", "-")
            raise UsageError(f"--{option} means nothing to the task {args.task}", hint="leave it out")


def check_order(order: Order, targets: Sequence[str], setup: Setup) -> None:
    """Raise UsageError for a choice of slots that no target can make sense of."""
    tasks = [setup.tasks[name] for name in targets]
    if order.key and not order.is_open:
        raise UsageError("--key and --since or --until exclude each other", hint="a key is one slot; give one of them")
    if not order.is_open and all(task.is_adhoc and task.kind != "collector" for task in tasks):
        raise UsageError(
            f"--since and --until mean nothing to the task {targets[0]}", hint="it has neither days nor a schedule"
        )
    if order.from_step and any(task.kind != "function" for task in tasks):
        raise UsageError("--from-step is for tasks in Python", hint="leave it out")


def of_slot(order: Order, targets: Sequence[str], setup: Setup, *, now: datetime) -> Order:
    """The same order, where --key names a slot of tasks with days or a schedule. Raises UsageError for what is none."""
    from ..core.due import Order, latest_key

    timed = [setup.tasks[name] for name in targets if setup.tasks[name].kind == "collector"]
    timed += [task for task in map(setup.tasks.__getitem__, targets) if not task.is_adhoc]
    if not order.key or not timed:
        return order
    for task in timed:
        is_instant = bool(task.schedule and not task.partition)
        form = "an instant of its schedule, such as 2026-11-22T05:00Z" if is_instant else "a UTC day, as 2026-11-21"
        if not is_slot(task, order.key):
            raise UsageError(
                f"--key {order.key[:40]!r} is no slot of {task.name}", hint=f"its slots are named by {form}"
            )
        latest = latest_key(task, now) if not task.is_adhoc else iso(now)[:10]
        if order.key > latest:
            raise UsageError(f"the slot {order.key} of {task.name} is not due yet", hint=f"the latest is {latest}")
    keys = {task.name: [order.key] for task in timed}
    return Order(keys=keys, force=order.force, lookback_days=order.lookback_days, from_step=order.from_step)


def is_slot(task: Task, key: str) -> bool:
    """Whether a task with days or a schedule, or a collector, has a slot of this key, past or to come."""
    from ..core.cron import moment_of
    from ..core.due import is_day, is_key

    if task.partition or not task.schedule:
        return is_day(key)
    return is_key(task, key) and task.schedule.latest(moment_of(key)) == moment_of(key)


def order_of(args: Arguments, home: Home) -> Order:
    """Which slots are meant. Raises UsageError for days that are none or cannot be asked for."""
    from ..core.days import FIRST_DAY
    from ..core.due import Order

    since, until = args.days()
    today = args.clock.today()
    if since is not None and since > today:
        raise UsageError(f"--since {since} lies in the future", hint=f"today is {today}, in UTC")
    early = next((day for day in (since, until) if day is not None and day < FIRST_DAY), None)
    if early:
        raise UsageError(f"no provider has anything from {early}", hint=f"the earliest day is {FIRST_DAY}")
    key = args.key or ""
    if len(key) > 200 or not key.isprintable() or args.key == "":
        raise UsageError(f"--key {key[:40]!r} cannot name a slot", hint="use 1 to 200 printable characters")
    return Order(
        since=since, until=until, force=args.force, lookback_days=lookback_days(home), key=key,
        from_step=from_step_of(args),
    )  # fmt: skip


def from_step_of(args: Arguments) -> str:
    """The step that is meant; "" where --from-step was not given. Raises UsageError for a variable that was not set."""
    from ..core.errors import UsageError

    if args.from_step == "":
        raise UsageError("--from-step is empty", hint="name a step; `show RUN` lists them")
    return args.from_step or ""


def lookback_days(home: Home) -> int:
    """How far back a collector looks that was never run."""
    return home.settings.whole("AGENT_OS_LOOKBACK_DAYS", least=1, most=3660)


def refuse_disabled(targets: Sequence[str], setup: Setup, home: Home) -> None:
    """Raise ConfigError where nothing that was asked for can run: no key, or a setting that a task needs is missing."""
    reasons = []
    for name in targets:
        task = setup.tasks[name]
        collector = setup.collectors.get(name)
        reason = setup.disabled(task, home.settings)
        if not reason:
            return
        wanted = _missing(collector) if collector else next(need for need in task.needs if not home.settings.get(need))
        reasons.append((collector.name if collector else name, reason, wanted))
    is_about_all = len(targets) > 1 and set(targets) <= set(setup.collectors)
    if _was_read(setup.collectors if is_about_all else targets, setup, home):
        return  # a log that is empty now: there is nothing new, and nothing wrong
    if is_about_all:
        raise ConfigError(
            "nothing to collect from: neither OPENAI_API_KEY nor ANTHROPIC_API_KEY is set, and no log was found",
            hint=f"put OPENAI_ADMIN_KEY=... or ANTHROPIC_ADMIN_KEY=... into {home.settings.home}/.env (chmod 600);"
            " `providers` lists every source and how to set it up; `demo` shows what comes of it, without a key",
        )
    what = "nothing to collect from" if set(targets) <= set(setup.collectors) else "nothing to run"
    told = "; ".join(f"{name} is {reason}" for name, reason, _ in reasons)
    demo = ", or try `demo`, which needs no key" if set(targets) <= set(setup.collectors) else ""
    needed = reasons[0][2]
    todo = f"put {needed}=... into {home.settings.home}/.env (chmod 600)" if needed else "`providers` tells how"
    raise ConfigError(f"{what}: {told}", hint=f"{todo}{demo}")


def _missing(collector: Collector) -> str:
    """The setting that a collector is first in need of; `""` where it is no setting."""
    wanted = collector.needs if not collector.key_name else collector.settings
    return wanted[0] if wanted else ""


def _was_read(names: Iterable[str], setup: Setup, home: Home) -> bool:
    """Whether any of these is a log of this machine that was read into this home before."""
    logs = [name for name in names if name in setup.collectors and setup.collectors[name].is_local]
    if not logs or not os.path.exists(home.db_path):
        return False
    with home.reading() as store:
        return any(store.first_day(name) for name in logs)


def code_of(units: Sequence[Unit]) -> int:
    """0 when nothing failed; 3 when no provider that has a key took it; else the worst of what went wrong.

    What an outbox could not send is not the fault of the tasks: it waits, and changes no code.
    """
    from ..core.errors import KeyRefusedError

    judged = [unit for unit in units if unit.task.kind != "outbox"]
    failed = [unit for unit in judged if unit.status == "failed"]
    tried = [unit for unit in judged if not unit.disabled]
    if failed and all(isinstance(unit.cause, (KeyRefusedError, ConfigError)) for unit in tried):
        return exits.CONFIG
    codes = [exits.of(unit.cause) if unit.cause else exits.FAILED for unit in failed]
    return exits.worst([code if code in (exits.DATA, exits.ENV) else exits.FAILED for code in codes])
