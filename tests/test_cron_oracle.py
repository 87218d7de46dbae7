"""cronsim, which means to do what Debian's cron does, as the judge of our schedules: our own cases, and any others."""

from __future__ import annotations

import importlib.metadata
from datetime import datetime, timezone
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_cron import CASES, CLOCK_CHANGES, REFUSED, SUNDAY, TEXTS, instants, made, seeded, utc

from agent_os.core.cron import Schedule
from agent_os.core.crontab import fields_of

cronsim = pytest.importorskip("cronsim", reason="cronsim is not installed")
if tuple(map(int, importlib.metadata.version("cronsim").split(".")[:2])) < (2, 8):
    pytest.skip("the judge is cronsim 2.8 or newer, which needs Python 3.11", allow_module_level=True)

# id: (schedule, what differs); whoever writes one of these to a real crontab gets our answer or an error.
DIFFERENT = {
    "a range of one stays one": "cronsim takes 5-5/20 for 5/20, Debian's cron does not",
    "the last Friday by name": "cronsim knows fri#1 but not friL",
    "the last working day": "cronsim knows LW",
    "the last with a step": "cronsim forgets the step",
    "seconds": "cronsim takes a sixth field in front",
}
# Where clocks are changed by half an hour, or at a minute past midnight, cronsim skips and repeats hours for a schedule
# by elapsed time, and may never come back. The walk along the wall in test_cron.py judges these.
AWRY = {"Australia/Lord_Howe", "America/St_Johns"}


def judged(text: str, zone: str, after: datetime, count: int) -> list[datetime]:
    """The next instants by cronsim; none when it refuses the schedule, or has nothing in 50 years.

    In a repeated hour it does not know which time round it is, so what is over is left out.
    """
    try:
        found = cronsim.CronSim(text, after if zone == "UTC" else after.astimezone(ZoneInfo(zone)))
    except (cronsim.CronSimError, ValueError):  # ValueError: a number of thousands of digits
        return []
    later = (moment.astimezone(timezone.utc) for moment in found)
    return list(islice((moment for moment in later if moment > after), count))


def ours(schedule: Schedule, after: datetime, count: int) -> list[datetime]:
    return list(islice(schedule.between(after, datetime.max.replace(tzinfo=timezone.utc)), count))


def in_fields(text: str) -> str:
    """A schedule as cronsim takes it: without names for all five fields."""
    return " ".join(fields_of(text.strip()))


@pytest.mark.parametrize("name", CASES)
def test_cronsim_reads_our_cases_as_we_say(name: str) -> None:
    """The expected instants of our table are cronsim's, but for the differences written down."""
    text, expected = CASES[name]
    found = judged(in_fields(text), "UTC", utc(SUNDAY), len(expected))
    assert ([f"{moment:%Y-%m-%d %H:%M}" for moment in found] == expected) is (name not in DIFFERENT)


@pytest.mark.parametrize("name", REFUSED)
def test_cronsim_refuses_what_we_refuse(name: str) -> None:
    """Or never comes to an end of looking for it."""
    assert bool(judged(REFUSED[name][0], "UTC", utc(SUNDAY), 1)) is (name in DIFFERENT)


@pytest.mark.parametrize("name", CLOCK_CHANGES)
def test_cronsim_changes_its_clocks_as_we_say(name: str) -> None:
    """The instants of our table around changes of the clocks are all cronsim's."""
    text, zone, start, end, expected = CLOCK_CHANGES[name]
    found = [moment for moment in judged(in_fields(text), zone, utc(start), len(expected) + 1) if moment <= utc(end)]
    assert [f"{moment.astimezone(ZoneInfo(zone)):%d %H:%M%z}" for moment in found] == expected


@seeded
@given(TEXTS, instants())
def test_any_schedule_comes_when_cronsim_says(text: str, zone_and_moment: tuple[str, datetime]) -> None:
    """In any zone, at any instant, around changes of the clocks above all."""
    zone, moment = zone_and_moment
    if zone in AWRY and any(part.startswith("*") for part in text.split()[:2]):
        zone = "UTC"
    schedule = made(text, zone)
    assert (ours(schedule, moment, 5) if schedule else []) == judged(text, zone, moment, 5)


PIECES = [
    "0",
    "1",
    "5",
    "7",
    "8",
    "12",
    "29",
    "31",
    "59",
    "60",
    "*",
    "-",
    ",",
    "/",
    "#",
    "L",
    "mon",
    "JAN",
    "fri",
    "?",
    "w",
]


def is_different(part: str) -> bool:
    """Whether an item of a list is one of the differences written down."""
    first, dash, last = part.partition("/")[0].partition("-")
    is_range_of_one = dash and "/" in part and (first.lower() == last.lower() or {first, last} <= {"0", "00"})
    return bool(is_range_of_one) or part[-2:] in ("nL", "NL", "iL") or part.startswith("L/") or "w" in part


@seeded
@given(st.integers(0, 4), st.lists(st.sampled_from(PIECES), min_size=1, max_size=7).map("".join))
def test_any_field_is_read_or_refused_as_by_cronsim(position: int, field: str) -> None:
    """Whatever stands in one of the five."""
    if any(is_different(part) for part in field.split(",")):
        return
    text = " ".join(field if number == position else "*" for number in range(5))
    try:
        found = ours(Schedule(text), utc(SUNDAY), 4)
    except ValueError:
        found = []
    assert found == judged(text, "UTC", utc(SUNDAY), 4)
