"""`tick`: run whatever is due now, once; nothing where nothing is. What cron, launchd, systemd or a person calls."""

from __future__ import annotations

import os
import sys

from .. import exits
from ..core import archive, config, idle, signals
from ..core.clock import iso, minute
from ..core.errors import BusyError, ConfigError
from . import emit, emit_json, work_done

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime
    from typing import Any

    from ..core.home import Home
    from ..core.plan import Setup, Unit
    from ..core.ticking import Look, Watcher

MOST_LOOKS = 5  # where others are faster every time: they do what is due


def add_arguments(parser: ArgumentParser) -> None:
    """--watch, --scheduled, --app."""
    from argparse import SUPPRESS

    from ..arguments import TICK, add_options

    add_options(parser, TICK)
    parser.add_argument("--watched", action="store_true", help=SUPPRESS)  # started by --watch


def execute(args: Any) -> int:
    """Look, and run what is due."""
    if args.watch:
        from .tick_watch import watch

        return watch(args)
    if args.watched:
        signals.leave_it_to_parent()
    environ = config.environment(args.environ)
    mark = ""
    if archive.is_single_file() and not args.json:
        mark = idle.mark_of(args.argv, environ, program=archive.location(), zone_seconds=args.clock.zone_seconds())
        folder = config.find_home(args.home, environ)
        following = idle.next_at(folder, mark=mark, now=iso(args.clock.now()))
        if following:
            idle.looked(folder)
            say_idle(args, {}, following)
            return exits.OK
    return look_and_run(args, mark)


def look_and_run(args: Any, mark: str) -> int:
    """The same where no note says that nothing is due; `mark` is what a new one would be good for."""
    began_at = iso(args.clock.now())
    home = args.open()
    from ..core.plan import check_clock
    from ..wiring import setup_of
    from .tick_again import Lookout

    check_clock(args.clock.now())
    if args.scheduled:
        refuse_no_database(home)
        keep_log_small(home)
    setup = setup_of(home, app=args.app)
    is_live = not (args.quiet or args.json) and bool(sys.stderr and sys.stderr.isatty())
    with Lookout(args, home) as lookout:
        units, waits, following = run_due(home, setup, mark=mark, began_at=began_at, is_live=is_live, beat=lookout.beat)
        if not units:
            tell_idle(args, waits, following)
            return exits.OK
        from .run import code_of

        with work_done():
            tell_done(args, home, setup, units)
        return lookout.wait(code_of(units))


def run_due(  # noqa: PLR0913 (what whoever calls it knows, by name)
    home: Home,
    setup: Setup,
    *,
    mark: str = "",
    began_at: str,
    is_live: bool = False,
    beat: Callable[[], None] = lambda: None,
) -> tuple[list[Unit], Mapping[str, str], str]:
    """Look, and run what is due: what came of it; or, where nothing was, what waits and when something is due next
    ("never"). `beat` is called now and then while runs go on. For the Python API, too.
    """
    from ..core import mail
    from .tick_look import look_of, watcher_of

    refuse_nothing(home, setup)
    for _ in range(MOST_LOOKS):
        state = idle.state_of(home.settings.home, home.db_path)  # before the look: what changes later is seen
        watcher = watcher_of(home, setup)
        look = look_of(home, watcher)
        if not look.targets and not mail.is_any_due(home.store().db, setup):
            break
        idle.write(home.settings.home, mark="", state="\n", span=("", ""), following="")
        try:
            units = run(home, setup, look=look, watcher=watcher, began_at=began_at, is_live=is_live, beat=beat)
            return (units, {}, "") if units else ([], *look_again(home, setup))
        except BusyError:  # someone else has begun it since
            home.log.debug("tick.busy", "another run was faster; looking again")
    following = following_of(home, setup, watcher)
    apps = {task.app for task in setup.tasks.values()} - {"", *archive.bundled_apps()}
    is_sure = look.is_quiet and not apps  # an app's code may be edited, which nothing here would see
    times = (following, mail.next_at(home.store().db, setup))
    leave_note(home, mark=mark if is_sure else "", state=state, now=watcher.now, times=times)
    return [], look.waits, following


def look_again(home: Home, setup: Setup) -> tuple[Mapping[str, str], str]:
    """What waits after runs, and when something is due next."""
    from .tick_look import watcher_of

    watcher = watcher_of(home, setup)
    return watcher.look().waits, following_of(home, setup, watcher)


def following_of(home: Home, setup: Setup, watcher: Watcher) -> str:
    """When something is due next; "never" where nothing has a time."""
    from ..core.ticking import next_of
    from .tick_look import collect_of, disabled_of

    planned = next_of(setup, disabled_of(home, setup), now=watcher.now, collect=collect_of(home))
    return min(filter(None, (planned, watcher.again_at)), default="never")


def tell_done(args: Any, home: Home, setup: Setup, units: Iterable[Unit]) -> None:
    """What came of each run; where something was only sent, what is due next."""
    from .report import report

    done = [unit for unit in units if unit.dues or unit.run_id]
    if args.json:
        tell_program(done, *look_again(home, setup))
    elif done:
        report(args, done)
    else:
        say_idle(args, *look_again(home, setup))


def tell_idle(args: Any, waits: Mapping[str, str], following: str) -> None:
    """That nothing was due."""
    if args.json:
        tell_program((), waits, following)
    else:
        say_idle(args, waits, following)


def tell_program(done: Iterable[Unit], waits: Mapping[str, str], following: str) -> None:
    """--json: what came of each run, what waits, and when something is due next."""
    from .report import as_json

    next_at = None if following == "never" else following
    emit_json({"outcomes": [as_json(unit) for unit in done], "waits": waits, "next_at": next_at})


def leave_note(home: Home, *, mark: str, state: str, now: datetime, times: tuple[str, str]) -> None:
    """Note that nothing is due from `now` until the first of `times` (when something is due next, and when something is
    to be sent), or until an hour is over.
    """
    from datetime import timedelta

    hour = iso(now + timedelta(seconds=idle.LONGEST_SECONDS))
    until = min(time for time in (hour, *times) if time and time != "never")
    idle.write(home.settings.home, mark=mark, state=state, span=(iso(now), until), following=times[0])


def refuse_no_database(home: Home) -> None:
    """Raise ConfigError where an installed schedule finds no database: it would begin an empty one in a wrong place."""
    home.refuse_no_path()
    if not os.path.exists(home.db_path) and not os.path.exists(home.db_path + ".id"):
        raise ConfigError(
            f"the schedule found no database at {home.db_path}",
            hint="if the folder was moved, run `schedule install` there; if it is new, run `tick` once by hand",
        )


def refuse_nothing(home: Home, setup: Setup) -> None:
    """Raise ConfigError where there is neither a database nor anything to look after: this may be the wrong folder."""
    from ..core.ticking import has_time
    from .tick_look import disabled_of

    off = disabled_of(home, setup)
    if not os.path.exists(home.db_path) and not any(
        has_time(task) and task.name not in off for task in setup.tasks.values()
    ):
        raise ConfigError(
            f"nothing is set up in {home.settings.home}: no task with a schedule, no provider with a key, no log",
            hint="is it the right folder (--home)? [task:NAME] in agent_os.ini or a key in .env make a beginning",
        )


def keep_log_small(home: Home) -> None:
    """What schedulers have written of our output goes into a file that nobody else would shorten."""
    from ..core import files
    from ..core.errors import AgentOSError
    from .schedule_trigger import LOG

    try:
        files.bounded(os.path.join(home.settings.home, LOG))
    except AgentOSError as error:
        home.log.debug("tick.log", error.message)


def run(  # noqa: PLR0913 (what a tick knows, by name)
    home: Home,
    setup: Setup,
    *,
    look: Look,
    watcher: Watcher,
    began_at: str,
    is_live: bool,
    beat: Callable[[], None],
) -> list[Unit]:
    """Run what is due. BusyError where another run has begun it in between."""
    from ..core.due import Order
    from ..wiring import runner_of
    from .run import lookback_days
    from .tick_look import writable

    order = Order(enabled_at=look.enabled_at, is_idle=watcher.is_idle, lookback_days=lookback_days(home))
    writable(home, watcher)
    return runner_of(home, setup, is_live=is_live).run(look.targets, order, began_at=began_at, beat=beat)


def say_idle(args: Any, waits: Mapping[str, str], following: str) -> None:
    """Nothing is due: say what waits, and when something is due next; an installed schedule says nothing."""
    if args.quiet or args.scheduled or args.watched:
        return
    for task, reason in waits.items():
        emit(f"{task} waits: {reason}")
    nothing = "nothing is due, and no task has a time of its own"
    emit(nothing if following == "never" else f"nothing is due; next: {minute(following)}")
