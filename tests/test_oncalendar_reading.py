"""OnCalendar= of systemd as our schedules; the oracle is systemd-analyze itself."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
from datetime import datetime, timezone

import pytest

from agent_os.core.cron import Schedule
from agent_os.schedulers.oncalendar_reading import meaning_of, seconds_of

MEANT = [
    pytest.param("Sat *-*-1,15 00:00", "0 0 */31,15 * 6", id="weekday-and-date-when-the-1st-is-among-the-days"),
    pytest.param("Sat *-*-1 00:00", "0 0 */31 * 6", id="weekday-and-the-1st-alone"),
    pytest.param("Sun *-*-3,9", "0 0 3,9 * */7", id="Sunday-and-date"),
    pytest.param("Sun,Tue,Wed *-*-3,9", "0 0 3,9 * */7,2,3", id="days-with-Sunday-and-date"),
    pytest.param("Sun *-*-08..14 03:10", "10 3 * * 0#2", id="the-second-Sunday"),
    pytest.param("Mon,Thu *-*-1..7,15..21", "0 0 * * 1#1,4#1,1#3,4#3", id="whole-weeks"),
    pytest.param("Mon *-*-29..31", "0 0 * * 1#5", id="the-fifth-Monday"),
    pytest.param("Mon *-*~07/1", "0 0 * * 1L", id="the-last-Monday"),
    pytest.param("*-*~1", "0 0 L * *", id="the-last-day"),
    pytest.param("Sun *-02~01", "0 0 L 2 */7", id="the-last-day-if-a-Sunday"),
    pytest.param("Mon..Sun 6:00", "0 6 * * *", id="every-weekday-is-any-day"),
    pytest.param("Mon, 6:00", "0 6 * * 1", id="comma-at-the-end"),
    pytest.param("mon-FRI,Sunday 6:0", "0 6 * * 0-5", id="old-dash-and-any-case"),
    pytest.param("Sat,Sun 12:00", "0 12 * * 0,6", id="list"),
    pytest.param("*:0/15", "*/15 * * * *", id="steps"),
    pytest.param("*:5/15", "5-50/15 * * * *", id="steps-from-five"),
    pytest.param("1..7/2:00", "0 1-7/2 * * *", id="steps-in-a-range"),
    pytest.param("10-15", "0 0 15 10 *", id="a-date-alone"),
    pytest.param("*-*-* *:*:00", "* * * * *", id="every-minute"),
    pytest.param("2..4-1 06:00", "0 6 1 2-4 *", id="months"),
    pytest.param("  hourly ", "0 * * * *", id="hourly"),
    pytest.param("Weekly", "0 0 * * 1", id="weekly"),
    pytest.param("quarterly", "0 0 1 */3 *", id="quarterly"),
    pytest.param("semi-annually", "0 0 1 1,7 *", id="twice-a-year"),
]


@pytest.mark.parametrize(("text", "schedule"), MEANT)
def test_an_expression_becomes_five_fields(text, schedule):
    """Weekday and date must both fit in systemd; a field that begins with * says so to cron."""
    meant = meaning_of(text)
    assert (meant.schedule, meant.zone, meant.remark) == (schedule, "", "")


@pytest.mark.parametrize(
    ("text", "zone"),
    [("daily UTC", "UTC"), ("Mon Europe/Oslo", "Europe/Oslo"), ("*-*-* 6:00 America/St_Johns", "America/St_Johns")],
)  # fmt: skip
def test_a_time_zone_may_stand_at_the_end(text, zone):
    """It becomes the task's."""
    assert meaning_of(text).zone == zone


def test_a_second_is_left_out_and_said():
    """We know whole minutes."""
    meant = meaning_of("06:00:30")
    assert (meant.schedule, meant.remark) == ("0 6 * * *", "it comes at the full minute, not 30 seconds later")


REFUSED = [
    pytest.param("Fri *-*-13", "must also be a certain weekday", id="Friday-the-13th"),
    pytest.param("*-*~3", "counted from the end", id="the-third-last-day"),
    pytest.param("Mon *-*~1", "counted from the end", id="the-last-day-if-a-Monday"),
    pytest.param("*:*:0/10", "more than once a minute", id="seconds"),
    pytest.param("*:*:*", "more than once a minute", id="every-second"),
    pytest.param("2026-*-*", "knows no year", id="a-year"),
    pytest.param("2026..2028-01-01", "knows no year", id="years"),
    pytest.param("@1700000000", "comes once", id="an-instant"),
    pytest.param("", "empty", id="nothing"),
    pytest.param("Sat..Mon", "goes down", id="weekdays-go-down"),
    pytest.param("Moonday", "no weekday", id="no-weekday"),
    pytest.param("24:00", "not within", id="hour"),
    pytest.param("*-*-0", "not within", id="day"),
    pytest.param("1/0:0", "not within", id="no-step"),
    pytest.param("6", "no time", id="a-number"),
    pytest.param("6:00 7:00", "where nothing should", id="two-times"),
    pytest.param("*/2:00", "no whole number", id="star-step"),
    pytest.param("6:00:61", "no second", id="second"),
]


@pytest.mark.parametrize(("text", "why"), REFUSED)
def test_what_cannot_be_said_is_refused_with_the_reason(text, why):
    """Nothing is bent into something else."""
    with pytest.raises(ValueError, match=f"^OnCalendar={re.escape(text)}: ") as caught:
        meaning_of(text)
    assert why in str(caught.value)


def _number(draw, low, high):
    first, last = sorted((draw.randint(low, high), draw.randint(low, high)))
    kind = draw.randrange(6)
    if kind < 2:
        return f"{first:02}"
    if kind == 2:
        return f"{first}..{last}"
    if kind == 3:
        return f"{low}/{draw.randint(2, (high - low) // 2)}"
    if kind == 4:
        return f"{first},{last}"
    return f"{first}..{last}/{draw.randint(1, 5)}" if last > first else str(first)


def _expression(draw):
    """An expression as people write them, and some that they would not."""
    days = ("Mon", "tue", "Wed", "Thursday", "Fri", "Sat", "Sun")
    first, last = sorted((draw.randrange(7), draw.randrange(7)))
    weekday = draw.choice(["", "", days[first], f"{days[first]},{days[last]}", f"{days[first]}..{days[last]}"])
    day = draw.choice(["*", "*", _number(draw, 1, 31), "1..7", "08..14", "22..28", "1", "29..31"])
    date = f"*-{draw.choice(['*', '*', '*', _number(draw, 1, 12)])}-{day}"
    date = draw.choice(["", date, date, date, "*-*~1" if not weekday else "*-*~07/1"])
    hour, minute = draw.choice(["*", _number(draw, 0, 23)]), draw.choice([_number(draw, 0, 59), "0", "30", "0/15"])
    return " ".join(filter(None, (weekday, date, f"{hour}:{minute}")))


def _from_systemd(text):
    """The next five instants, as systemd has them; None for what it refuses."""
    words = ["systemd-analyze", "calendar", "--iterations=5", "--base-time=2026-02-07 11:17:31 UTC", text]
    done = subprocess.run(
        words, capture_output=True, text=True, env={"PATH": os.environ["PATH"], "TZ": "UTC"}, check=False
    )
    if done.returncode:
        return None
    found = re.findall(r"(?:Next elapse|Iter\. #\d+): \w{3} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC", done.stdout)
    return [datetime.fromisoformat(each).replace(tzinfo=timezone.utc) for each in found]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_names_the_same_instants():
    """300 expressions: what we translate comes exactly when systemd says, or we refuse it."""
    draw = random.Random(20261126)
    translated = 0
    for _ in range(300):
        text = _expression(draw)
        expected = _from_systemd(text)
        try:
            schedule = Schedule(meaning_of(text).schedule)
        except ValueError:
            continue
        translated += 1
        moment, found = datetime(2026, 2, 7, 11, 17, 31, tzinfo=timezone.utc), []
        while len(found) < 5:
            moment = schedule.next(moment)
            found.append(moment)
        assert found == expected, (text, schedule.text)
    assert translated > 200


SPANS = [
    pytest.param("90", 90, id="seconds-without-a-unit"),
    pytest.param("1h 30min", 5400, id="two-parts"),
    pytest.param("1h30m", 5400, id="without-a-blank"),
    pytest.param("1.5h", 5400, id="a-fraction"),
    pytest.param("2 h", 7200, id="a-blank-before-the-unit"),
    pytest.param("5min 20", 320, id="seconds-at-the-end"),
    pytest.param("2w", 1_209_600, id="weeks"),
    pytest.param("1M", 2_629_800, id="months"),
    pytest.param("infinity", float("inf"), id="without-end"),
]


@pytest.mark.parametrize(("text", "seconds"), SPANS)
def test_a_time_span_is_systemds(text, seconds):
    """Units and all."""
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "1 x", "h", "1..2h", "-5"])
def test_no_time_span_is_refused(text):
    """One sentence."""
    with pytest.raises(ValueError, match="is no time span"):
        seconds_of(text)
