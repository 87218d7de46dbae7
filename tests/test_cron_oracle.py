"""cronsim, which means to do what Debian's cron does, as the judge of our schedules: our own cases, and any others."""

from __future__ import annotations

import importlib.metadata
import os
import random
from datetime import datetime, timedelta, timezone
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
    "the last with a step": "cronsim forgets the step",
    "the last working day with a step": "here too",
    "seconds": "cronsim takes a sixth field in front",
}
# Where clocks are changed by half an hour, or at a minute past midnight, cronsim skips and repeats hours for a schedule
# by elapsed time, and may never come back; where midnight is skipped, it forgets the first hour of such a day. A walk
# along the wall judges these.
AWRY = {"Australia/Lord_Howe", "America/St_Johns"}
INTERVALS = [name for name, (text, _) in CASES.items() if text.lower().startswith("every")]  # cronsim has none
CASES_DRAWN = int(os.environ.get("CRON_CASES", "1500"))
SEED = int(os.environ.get("CRON_SEED", "2026"))


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


@pytest.mark.parametrize("name", [name for name in CASES if name not in INTERVALS])
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


# --- cases by the hundred thousand: CRON_CASES=100000 CRON_SEED=1 pytest -s -k hundred tests/test_cron_oracle.py ------

# Wherever people live, and all the odd rules there ever were: half hours, whole days, midnight, two hours, Ramadan.
ZONES = """
UTC Europe/Oslo Europe/London Europe/Dublin Europe/Lisbon Europe/Moscow America/New_York America/Chicago
America/Los_Angeles America/Sao_Paulo America/Santiago America/Havana America/St_Johns America/Caracas America/Nuuk
America/Asuncion Africa/Cairo Africa/Casablanca Africa/Windhoek Asia/Tokyo Asia/Kolkata Asia/Kathmandu Asia/Tehran
Asia/Gaza Asia/Beirut Asia/Amman Asia/Pyongyang Asia/Famagusta Australia/Sydney Australia/Lord_Howe Pacific/Auckland
Pacific/Chatham Pacific/Apia Pacific/Kiritimati Pacific/Easter Antarctica/Troll Antarctica/Casey Atlantic/Azores
""".split()  # noqa: SIM905 - a page of quotes and commas is no easier to read


def changes_of(zone: str) -> list[tuple[datetime, timedelta]]:
    """When the clocks of a zone are changed from 2000 to 2037, to the minute, and by how much."""
    shown, found = ZoneInfo(zone), []
    since, offset = utc("2000-01-01 00:00"), utc("2000-01-01 00:00").astimezone(shown).utcoffset()
    while since < utc("2038-01-01 00:00"):
        until = since + timedelta(days=1)
        if until.astimezone(shown).utcoffset() != offset:
            moment = since
            while moment.astimezone(shown).utcoffset() == offset:
                moment += timedelta(minutes=1)
            found.append((moment, moment.astimezone(shown).utcoffset() - offset))
            offset = until.astimezone(shown).utcoffset()
        since = until
    return found


def is_awry(change: tuple[datetime, timedelta], zone: str) -> bool:
    """Whether cronsim loses its way there by elapsed time: no whole hours, no full hour, or midnight skipped."""
    moment, by = change
    shown = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    midnight = shown.replace(hour=0, minute=0)
    return bool(by % timedelta(hours=1)) or bool(shown.minute) or shown - by <= midnight < shown


def walked(text: str, zone: str, after: datetime, until: datetime) -> list[datetime]:
    """By elapsed time: the minutes at which the wall shows a time that cronsim, in UTC, has among the schedule's."""
    day = timedelta(days=1)
    walls = {wall for wall in judged(text, "UTC", after - day, 20_000) if wall <= until + day}
    first = after.replace(second=0, microsecond=0) + timedelta(minutes=1)
    minutes = (first + count * timedelta(minutes=1) for count in range((until - first) // timedelta(minutes=1) + 1))
    shown = ((minute, minute.astimezone(ZoneInfo(zone)).replace(tzinfo=timezone.utc, fold=0)) for minute in minutes)
    return [minute for minute, wall in shown if wall in walls]


def drawn_field(rng: random.Random, low: int, high: int) -> str:
    """A field of any form that all fields take."""

    def item() -> str:
        first, last = sorted(rng.sample(range(low, high + 1), 2))
        step = rng.randint(1, 40)
        return rng.choice([str(first), f"{first}-{last}", f"{first}/{step}", f"{first}-{last}/{step}", "*"])

    form = rng.random()
    if form < 0.35:
        return "*"
    if form < 0.7:
        return str(rng.randint(low, high))
    if form < 0.8:
        return f"*/{rng.randint(1, high + 1)}"
    return ",".join(item() for _ in range(rng.randint(1, 4)))


def drawn_text(rng: random.Random) -> str:
    """A schedule: often at night, when clocks are changed, on any day."""
    minute = drawn_field(rng, 0, 59)
    hour = rng.choice([drawn_field(rng, 0, 23), str(rng.randint(0, 3)), "1-3", "0,1,2,3", "*/2"])
    day = rng.choice(["*", "*", drawn_field(rng, 1, 31), "L", "LW", "LW,1", "L,15"])
    month = rng.choice(["*", "*", drawn_field(rng, 1, 12), "3", "10", "MAR-apr"])
    weekday = rng.choice(["*", "*", drawn_field(rng, 0, 7), "7L", "0L", "SUN#2", "7#5", "6#1,5L", "mon-FRI"])
    return f"{minute} {hour} {day} {month} {weekday}"


def test_a_hundred_thousand_schedules_come_when_cronsim_says() -> None:
    """Any expression, zone and instant, half of them within two days of a change of the clocks; no disagreement."""
    rng = random.Random(SEED)
    changes = {zone: changes_of(zone) for zone in ZONES}
    disagree, compared, near, by_walk = [], 0, 0, 0
    while compared < CASES_DRAWN:
        zone, text = rng.choice(ZONES), drawn_text(rng)
        after = utc("2001-01-01 00:00") + timedelta(seconds=rng.randrange(36 * 365 * 86_400))
        if changes[zone] and rng.random() < 0.6:
            after = rng.choice(changes[zone])[0] + timedelta(seconds=rng.randint(-48 * 3600, 24 * 3600))
        schedule = made(text, zone)
        found = ours(schedule, after, 3) if schedule else []
        end = (found[-1] if found else after) + timedelta(days=1)
        passed = [change for change in changes[zone] if after - timedelta(days=1) < change[0] < end]
        by_elapsed_time = any(part.startswith("*") for part in text.split()[:2])
        if found and by_elapsed_time and any(is_awry(change, zone) for change in passed):
            if end - after > timedelta(days=4):
                continue
            expected, by_walk = walked(text, zone, after, found[-1]), by_walk + 1
        else:
            expected = judged(text, zone, after, 3)
        compared += 1
        near += any(abs(after - change[0]) < timedelta(days=2) for change in passed)
        if found != expected:
            disagree.append((text, zone, after.isoformat(), found))
    print(f"{compared} cases, {near} near a change of the clocks, {by_walk} judged by a walk, seed {SEED}")  # noqa: T201 - for `pytest -s`
    assert (disagree[:5], len(disagree)) == ([], 0), f"seed {SEED}"


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
    return bool(is_range_of_one) or part[-2:] in ("nL", "NL", "iL") or part.startswith(("L/", "Lw/"))


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
