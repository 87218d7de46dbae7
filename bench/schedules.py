"""Schedules: instants a second, and what it costs to plan a thousand tasks that missed a year of hourly slots.

    python3 -m bench.schedules [ROUNDS]

The floor of the first table is a bare loop that adds an hour as often; cronsim takes part where it is installed. That
of the second does the same for all tasks. Each work is a process of its own, so its memory is its own too.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from functools import partial
from statistics import median

from agent_os.core.cron import Schedule, key_of
from agent_os.core.due import Known, Order, due_slots
from agent_os.core.spec import Task
from bench.table import Sample, measure

HOUR = timedelta(hours=1)
BEGIN, END = datetime(2025, 11, 22, 9, 30, tzinfo=timezone.utc), datetime(2026, 11, 22, 9, 30, tzinfo=timezone.utc)
SLOTS, TASKS, YEARS = 8760, 1000, 20
FLOOR = "a loop that adds an hour"


def floor(times: int) -> None:
    """As many instants, and nothing but them."""
    for _ in range(times):
        moment = BEGIN
        while moment < END:
            moment += HOUR


def ours(text: str, zone: str | None, times: int) -> None:
    """The same year of hourly slots, again and again."""
    schedule = Schedule(text, zone)
    for _ in range(times):
        found = sum(1 for _ in schedule.between(BEGIN, END))
        if found not in (SLOTS, SLOTS - 1):  # at fixed times the repeated hour comes once, and so does the skipped one
            raise ValueError(f"{text} {zone}: {found} instants")


def theirs(zone: str, times: int) -> None:
    """cronsim."""
    from zoneinfo import ZoneInfo

    from cronsim import CronSim

    for _ in range(times):
        for moment in CronSim("0 * * * *", BEGIN.astimezone(ZoneInfo(zone))):
            if moment >= END:
                break


def planned(text: str, catch_up: str, tasks: int) -> None:
    """What is due of each task, its newest known slot being a year old."""
    options = {"schedule": text, "catch_up": catch_up}
    newest = key_of(Schedule(text).latest(BEGIN))
    for number in range(tasks):
        task = Task(f"t{number}", kind="function", source="bench").declare(options)
        dues = due_slots(task, Known(newest), now=END, order=Order())
        if not dues:
            raise ValueError("nothing is due")


def table_of_instants(rounds: int) -> None:
    """Print how many instants a second each kind of schedule gives."""
    works: dict[str, Callable[[], object]] = {FLOOR: partial(floor, YEARS)}
    for name, text, zone in (
        ("0 * * * *, UTC", "0 * * * *", "UTC"),
        ("0 * * * *, Europe/Oslo", "0 * * * *", "Europe/Oslo"),
        ("0 0-23 * * *, Europe/Oslo (fixed times)", "0 0-23 * * *", "Europe/Oslo"),
        ("0 * * * *, local (TZ=Europe/Oslo)", "0 * * * *", "local"),
        ("every 1h", "every 1h", None),
    ):
        works[name] = partial(ours, text, zone, YEARS)
    if importlib.util.find_spec("cronsim"):
        for zone in ("UTC", "Europe/Oslo"):
            works[f"cronsim, 0 * * * *, {zone}"] = partial(theirs, zone, YEARS)
    samples = measure(works, rounds=rounds, floor=FLOOR, title=f"{YEARS} years of hourly slots")
    _print_rates(samples, SLOTS * YEARS)


def table_of_plans(rounds: int) -> None:
    """Print what it costs to plan a thousand tasks that a year was missed of."""
    works: dict[str, Callable[[], object]] = {FLOOR: partial(floor, TASKS)}
    for text in ("0 * * * *", "every 1h"):
        for catch_up in ("latest", "none", "all"):
            works[f"{text}, catch_up = {catch_up}"] = partial(planned, text, catch_up, TASKS)
    title = f"{TASKS} tasks planned, {SLOTS} hourly slots missed by each"
    _print_rates(measure(works, rounds=rounds, floor=FLOOR, title=title), SLOTS * TASKS)


def _print_rates(samples: Mapping[str, Sequence[Sample]], slots: int) -> None:
    width = max(map(len, samples))
    for name, runs in samples.items():
        print(f"  {name:{width}}  {slots / median(run.cpu for run in runs) / 1e6:6.2f} million slots a second (cpu)")


def main() -> int:
    """Print both tables."""
    os.environ["TZ"] = "Europe/Oslo"
    time.tzset()
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    table_of_instants(rounds)
    table_of_plans(rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
