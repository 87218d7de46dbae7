"""Cron schedules, rule by rule. `test_cron_oracle.py` asks cronsim about the same cases and many more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zoneinfo
from datetime import datetime, timedelta, timezone
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent_os.core import crontab
from agent_os.core.cron import Schedule, key_of, moment_of

EXAMPLES = int(os.environ.get("CRON_EXAMPLES", "100"))
seeded = settings(max_examples=EXAMPLES, derandomize=EXAMPLES == 100, deadline=None)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


# --- what five fields say ---------------------------------------------------------------------------------------------

SUNDAY = "2026-11-22 09:00"  # the instant after which each case looks

# id: (schedule, the next instants)
CASES = {
    "a star with a step is a star, so both days must fit": (
        "0 0 */2 * 1",
        ["2026-11-23 00:00", "2026-12-07 00:00", "2026-12-21 00:00"],
    ),
    "likewise a starred weekday": ("0 0 1 * */2", ["2026-12-01 00:00", "2027-04-01 00:00", "2027-05-01 00:00"]),
    "two days given: one is enough": (
        "0 0 13 * 5",
        ["2026-11-27 00:00", "2026-12-04 00:00", "2026-12-11 00:00", "2026-12-13 00:00", "2026-12-18 00:00"],
    ),
    "a list may hold a star": ("0 9 1,* * *", ["2026-11-23 09:00", "2026-11-24 09:00"]),
    "but begins with one only in front": ("0 0 1,* * 1#1", ["2026-11-23 00:00", "2026-11-24 00:00"]),
    "and then both must fit": ("0 0 *,1 * 1#1", ["2026-12-07 00:00", "2027-01-04 00:00"]),
    "30 February or a Monday": ("0 0 30 2 1", ["2027-02-01 00:00", "2027-02-08 00:00"]),
    "5/20 starts at 5": (
        "5/20 8 * * *",
        ["2026-11-23 08:05", "2026-11-23 08:25", "2026-11-23 08:45", "2026-11-24 08:05"],
    ),
    "a range of one stays one": ("5-5/20 8 * * *", ["2026-11-23 08:05", "2026-11-24 08:05"]),
    "a step counts from the start of its range": (
        "0 9-17/3 * * *",
        ["2026-11-22 12:00", "2026-11-22 15:00", "2026-11-23 09:00"],
    ),
    "a step beyond the field leaves the first": ("*/90 * * * *", ["2026-11-22 10:00", "2026-11-22 11:00"]),
    "over midnight as two ranges": (
        "0 22-23,0-1 * * *",
        ["2026-11-22 22:00", "2026-11-22 23:00", "2026-11-23 00:00", "2026-11-23 01:00", "2026-11-23 22:00"],
    ),
    "Sunday is 7": ("0 0 * * 7", ["2026-11-29 00:00", "2026-12-06 00:00"]),
    "Sunday is 0": ("0 0 * * 0", ["2026-11-29 00:00", "2026-12-06 00:00"]),
    "Sunday ends a range": (
        "0 0 * * 5-7",
        ["2026-11-27 00:00", "2026-11-28 00:00", "2026-11-29 00:00", "2026-12-04 00:00"],
    ),
    "Saturday and every second after it": ("0 0 * * 6/1", ["2026-11-28 00:00", "2026-11-29 00:00", "2026-12-05 00:00"]),
    "names in any case": ("0 0 1 jan,JUL *", ["2027-01-01 00:00", "2027-07-01 00:00", "2028-01-01 00:00"]),
    "names make ranges": ("0 0 * Nov-DEC mOn-Tue", ["2026-11-23 00:00", "2026-11-24 00:00", "2026-11-30 00:00"]),
    "the last day": ("0 0 L * *", ["2026-11-30 00:00", "2026-12-31 00:00", "2027-01-31 00:00", "2027-02-28 00:00"]),
    "the last of February": ("0 0 l 2 *", ["2027-02-28 00:00", "2028-02-29 00:00"]),
    "the last day in a list": ("0 0 L,15 * *", ["2026-11-30 00:00", "2026-12-15 00:00", "2026-12-31 00:00"]),
    "the last day or a Friday": ("0 0 L * 5", ["2026-11-27 00:00", "2026-11-30 00:00", "2026-12-04 00:00"]),
    "the last Friday": ("0 0 * * 5L", ["2026-11-27 00:00", "2026-12-25 00:00", "2027-01-29 00:00"]),
    "the last Sunday, as 7": ("0 0 * * 7L", ["2026-11-29 00:00", "2026-12-27 00:00"]),
    "the last Friday by name": ("0 0 * * friL", ["2026-11-27 00:00", "2026-12-25 00:00"]),
    "the second Monday": ("0 0 * * 1#2", ["2026-12-14 00:00", "2027-01-11 00:00", "2027-02-08 00:00"]),
    "the fifth Sunday, where there is one": (
        "0 0 * * sun#5",
        ["2026-11-29 00:00", "2027-01-31 00:00", "2027-05-30 00:00"],
    ),
    "first and third Sunday, as 7": ("0 0 * * 7#1,7#3", ["2026-12-06 00:00", "2026-12-20 00:00", "2027-01-03 00:00"]),
    "the last working day": (
        "0 18 LW * *",
        ["2026-11-30 18:00", "2026-12-31 18:00", "2027-01-29 18:00", "2027-02-26 18:00", "2027-03-31 18:00"],
    ),
    "the last working day in a list": ("0 0 lw,31 1,2 *", ["2027-01-29 00:00", "2027-01-31 00:00", "2027-02-26 00:00"]),
    "the last working day if it is a Friday": ("0 0 LW * */5", ["2027-01-29 00:00", "2027-02-26 00:00"]),
    "the last working day of a leap February": ("0 0 LW 2 1", ["2027-02-01 00:00", "2027-02-08 00:00"]),
    "29 February": ("0 0 29 2 *", ["2028-02-29 00:00", "2032-02-29 00:00"]),
    "29 February on a Monday": ("0 0 * 2 1#5", ["2044-02-29 00:00", "2072-02-29 00:00", "2112-02-29 00:00"]),
    "no 31st in every month": ("0 0 31 * *", ["2026-12-31 00:00", "2027-01-31 00:00", "2027-03-31 00:00"]),
    "the last minute of a year": ("59 23 31 12 *", ["2026-12-31 23:59", "2027-12-31 23:59"]),
    "zeros in front": ("00 06 01 01 *", ["2027-01-01 06:00"]),
    "any white space": ("  0\t12  *  * *\n", ["2026-11-22 12:00", "2026-11-23 12:00"]),
    "every minute": ("* * * * *", ["2026-11-22 09:01", "2026-11-22 09:02"]),
    "daily at a time": ("daily 06:00", ["2026-11-23 06:00", "2026-11-24 06:00"]),
    "daily, without zeros and in any case": ("Daily  6:05", ["2026-11-23 06:05", "2026-11-24 06:05"]),
    "every quarter of an hour": ("every 15m", ["2026-11-22 09:15", "2026-11-22 09:30", "2026-11-22 09:45"]),
    "every two hours": ("EVERY 2H", ["2026-11-22 10:00", "2026-11-22 12:00"]),
    "every day": ("every 1d", ["2026-11-23 00:00", "2026-11-24 00:00"]),
    "every seven days, from a Thursday in 1970 on": ("every 7d", ["2026-11-26 00:00", "2026-12-03 00:00"]),
    "every 90 minutes, over midnight": ("every 90m", ["2026-11-22 10:30", "2026-11-22 12:00"]),
    "every 7 minutes, counted from 1970": ("every 7m", ["2026-11-22 09:05", "2026-11-22 09:12"]),
    "@yearly": ("@yearly", ["2027-01-01 00:00", "2028-01-01 00:00"]),
    "@annually": ("@annually", ["2027-01-01 00:00", "2028-01-01 00:00"]),
    "@monthly": ("@monthly", ["2026-12-01 00:00", "2027-01-01 00:00"]),
    "@weekly": ("@weekly", ["2026-11-29 00:00", "2026-12-06 00:00"]),
    "@daily": ("@daily", ["2026-11-23 00:00", "2026-11-24 00:00"]),
    "@midnight": ("@Midnight", ["2026-11-23 00:00", "2026-11-24 00:00"]),
    "@hourly": (" @HOURLY ", ["2026-11-22 10:00", "2026-11-22 11:00"]),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_a_schedule_comes_when_its_fields_say(text: str, expected: list[str]) -> None:
    """Five fields, a name, a time or an interval; the days by Debian's rule; L, LW and # as an addition."""
    found = Schedule(text).between(utc(SUNDAY), datetime.max.replace(tzinfo=timezone.utc))
    assert [f"{moment:%Y-%m-%d %H:%M}" for moment in islice(found, len(expected))] == expected


MINUTES = "it takes 0-59, *, lists (1,2), ranges (1-5) and steps (*/5)"
HOURS = "it takes 0-23, *, lists (1,2), ranges (1-5) and steps (*/5)"
DAYS = "it takes 1-31, L (the last), LW (the last working day), *, lists (1,2), ranges (1-5) and steps (*/5)"
MONTHS = "it takes 1-12, jan-dec, *, lists (1,2), ranges (1-5) and steps (*/5)"
WEEKDAYS = "it takes 0-7, sun-sat, 1#2 (second Monday), 5L (last Friday), *, lists (1,2), ranges (1-5) and steps (*/5)"
TIMES_OF_DAY = "it takes a time from 00:00 to 23:59 (daily 06:00)"
INTERVALS = "it takes whole minutes, hours or days (every 15m, every 2h, every 1d), 366d at most"
NAMES = "minute, hour, day of the month, month, day of the week"
ALIASES = "the names are @yearly @annually @monthly @weekly @daily @midnight @hourly"

# id: (schedule, the sentence)
REFUSED = {
    "nothing": ("", f"the schedule '' has not five fields but 0; they are {NAMES}"),
    "four fields": ("0 0 * *", f"the schedule '0 0 * *' has not five fields but 4; they are {NAMES}"),
    "seconds": ("0 0 6 * * *", f"the schedule '0 0 6 * * *' has not five fields but 6; they are {NAMES}"),
    "@reboot": (
        "@reboot",
        "the schedule '@reboot' is no time; a task is due by the clock: write @daily or five fields",
    ),
    "a name that is none": ("@nightly", f"the schedule '@nightly' is not known; {ALIASES}"),
    "a name and a command": ("@daily rm", f"the schedule '@daily rm' is not known; {ALIASES}"),
    "30 February": ("0 0 30 2 *", "the schedule '0 0 30 2 *' never comes: no such day is in any year"),
    "31 April and June": ("0 0 31 4,6 *", "the schedule '0 0 31 4,6 *' never comes: no such day is in any year"),
    "a last Monday on the 21st": (
        "0 0 */20 * 1L",
        "the schedule '0 0 */20 * 1L' never comes: no such day is in any year",
    ),
    "minute 60": ("60 * * * *", f"the minute of a schedule cannot be '60': {MINUTES}"),
    "hour 24": ("0 24 * * *", f"the hour of a schedule cannot be '24': {HOURS}"),
    "day 0": ("0 0 0 * *", f"the day of the month of a schedule cannot be '0': {DAYS}"),
    "day 32": ("0 0 1-32 * *", f"the day of the month of a schedule cannot be '1-32': {DAYS}"),
    "month 13": ("0 0 1 13 *", f"the month of a schedule cannot be '13': {MONTHS}"),
    "weekday 8": ("0 0 * * 8", f"the day of the week of a schedule cannot be '8': {WEEKDAYS}"),
    "a name in the wrong field": ("mon * * * *", f"the minute of a schedule cannot be 'mon': {MINUTES}"),
    "a whole name": ("0 0 * * monday", f"the day of the week of a schedule cannot be 'monday': {WEEKDAYS}"),
    "one wrong in a list": ("0 0 * 1,may,13 *", f"the month of a schedule cannot be '13': {MONTHS}"),
    "an empty place in a list": ("1,,2 * * * *", f"the minute of a schedule cannot be '': {MINUTES}"),
    "an open range": ("1- * * * *", f"the minute of a schedule cannot be '1-': {MINUTES}"),
    "a negative": ("-1 * * * *", f"the minute of a schedule cannot be '-1': {MINUTES}"),
    "a sign": ("+1 * * * *", f"the minute of a schedule cannot be '+1': {MINUTES}"),
    "two ranges in one": ("1-2-3 * * * *", f"the minute of a schedule cannot be '1-2-3': {MINUTES}"),
    "a star in a range": ("*-5 * * * *", f"the minute of a schedule cannot be '*-5': {MINUTES}"),
    "two stars": ("** * * * *", f"the minute of a schedule cannot be '**': {MINUTES}"),
    "digits of another script": ("\u0665 * * * *", f"the minute of a schedule cannot be '\u0665': {MINUTES}"),
    "more digits than a number has": (
        "9" * 5000 + " * * * *",
        f"the minute of a schedule cannot be '{'9' * 40}': {MINUTES}",
    ),
    "a step of 0": ("*/0 * * * *", f"the minute of a schedule cannot be '*/0': a step is 1 or more; {MINUTES}"),
    "no step": ("*/ * * * *", f"the minute of a schedule cannot be '*/': a step is 1 or more; {MINUTES}"),
    "two steps": ("*/2/3 * * * *", f"the minute of a schedule cannot be '*/2/3': a step is 1 or more; {MINUTES}"),
    "over midnight": (
        "0 22-3 * * *",
        f"the hour of a schedule cannot be '22-3': a range goes up, write 22-23,0-3; {HOURS}",
    ),
    "over the weekend": (
        "0 0 * * fri-mon",
        "the day of the week of a schedule cannot be 'fri-mon': a range goes up, write fri-7,0-mon; " + WEEKDAYS,
    ),
    "? for any": (
        "0 0 ? * 1",
        f"the day of the month of a schedule cannot be '?': write * where any will do; {DAYS}",
    ),
    "the nearest working day": (
        "0 0 15W * *",
        "the day of the month of a schedule cannot be '15W': the working day nearest to a date is not known here, only"
        f" LW; {DAYS}",
    ),
    "the last working day with a step": (
        "0 0 LW/2 * *",
        "the day of the month of a schedule cannot be 'LW/2': the working day nearest to a date is not known here, only"
        f" LW; {DAYS}",
    ),
    "the last working hour": ("0 LW * * *", f"the hour of a schedule cannot be 'LW': {HOURS}"),
    "daily at no time": ("daily", f"the time of the schedule 'daily' cannot be '': {TIMES_OF_DAY}"),
    "daily at an hour": ("daily 6", f"the time of the schedule 'daily 6' cannot be '6': {TIMES_OF_DAY}"),
    "daily at 24:00": ("daily 24:00", f"the time of the schedule 'daily 24:00' cannot be '24:00': {TIMES_OF_DAY}"),
    "daily at 6:5": ("daily 6:5", f"the time of the schedule 'daily 6:5' cannot be '6:5': {TIMES_OF_DAY}"),
    "daily at two times": (
        "daily 06:00 18:00",
        f"the time of the schedule 'daily 06:00 18:00' cannot be '06:0018:00': {TIMES_OF_DAY}",
    ),
    "daily in one word": ("daily06:00", f"the time of the schedule 'daily06:00' cannot be '': {TIMES_OF_DAY}"),
    "every no time": ("every", f"the interval of the schedule 'every' cannot be '': {INTERVALS}"),
    "every 0 minutes": ("every 0m", f"the interval of the schedule 'every 0m' cannot be '0m': {INTERVALS}"),
    "every 30 seconds": ("every 30s", f"the interval of the schedule 'every 30s' cannot be '30s': {INTERVALS}"),
    "every number": ("every 15", f"the interval of the schedule 'every 15' cannot be '15': {INTERVALS}"),
    "every hour and a half, as a fraction": (
        "every 1.5h",
        f"the interval of the schedule 'every 1.5h' cannot be '1.5h': {INTERVALS}",
    ),
    "every few minutes, in two words": (
        "every 15 minutes",
        f"the interval of the schedule 'every 15 minutes' cannot be '15minutes': {INTERVALS}",
    ),
    "every 367 days": ("every 367d", f"the interval of the schedule 'every 367d' cannot be '367d': {INTERVALS}"),
    "days before the last": ("0 0 L-3 * *", f"the day of the month of a schedule cannot be 'L-3': {DAYS}"),
    "the last with a step": ("0 0 L/2 * *", f"the day of the month of a schedule cannot be 'L/2': {DAYS}"),
    "the last hour": ("0 L * * *", f"the hour of a schedule cannot be 'L': {HOURS}"),
    "the last of no weekday": ("0 0 * * L", f"the day of the week of a schedule cannot be 'L': {WEEKDAYS}"),
    "the last of several": ("0 0 * * 1-5L", f"the day of the week of a schedule cannot be '1-5L': {WEEKDAYS}"),
    "the sixth Monday": (
        "0 0 * * 1#6",
        f"the day of the week of a schedule cannot be '1#6': # counts from 1 to 5; {WEEKDAYS}",
    ),
    "the zeroth Monday": (
        "0 0 * * 1#0",
        f"the day of the week of a schedule cannot be '1#0': # counts from 1 to 5; {WEEKDAYS}",
    ),
    "the second of no weekday": ("0 0 * * #2", f"the day of the week of a schedule cannot be '#2': {WEEKDAYS}"),
    "the second 15th": ("0 0 15#2 * *", f"the day of the month of a schedule cannot be '15#2': {DAYS}"),
}


@pytest.mark.parametrize(("text", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_meant_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    """It names the field, what is wrong in it, and what it takes."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        Schedule(text)
    assert str(caught.value) == sentence


def test_a_schedule_keeps_what_it_was_made_from() -> None:
    """With single spaces, and otherwise as given."""
    schedule = Schedule("  0\t6 * *  MON\n", " Europe/Oslo ")
    assert (schedule.text, schedule.zone) == ("0 6 * * MON", "Europe/Oslo")
    assert repr(schedule) == "Schedule('0 6 * * MON', 'Europe/Oslo')"
    assert repr(Schedule("@daily", "Europe/Oslo", dst="wall")) == "Schedule('@daily', 'Europe/Oslo', dst='wall')"
    assert (Schedule("@daily").zone, Schedule("@daily").dst) == ("UTC", "once")


# id: (zone, dst, what is refused)
BESIDE_EVERY = {
    "a zone": ("Europe/Oslo", None, "timezone"),
    "UTC too": ("UTC", None, "timezone"),
    "a policy": (None, "once", "dst"),
    "both": ("local", "wall", "timezone and dst"),
}


@pytest.mark.parametrize(("zone", "dst", "named"), BESIDE_EVERY.values(), ids=BESIDE_EVERY)
def test_an_interval_has_no_wall(zone: str | None, dst: str | None, named: str) -> None:
    """Elapsed time is the same in all zones, so whoever names one beside it means something else."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        Schedule("every 15m", zone, dst=dst)
    assert str(caught.value) == (
        f"{named} cannot be given with 'every 15m', which counts elapsed time: leave that out,"
        " or write daily 06:00 or five cron fields"
    )


def test_others_may_read_what_the_fields_say() -> None:
    """Whoever says the same in another language needs the parts, not the text."""
    calendar = Schedule("*/20 6,18 L,LW,2 jan-mar 7,1#2,5L").calendar
    assert calendar is not None
    assert (calendar.minutes, calendar.hours, calendar.months) == ([0, 20, 40], [6, 18], [1, 2, 3])
    assert calendar.days == {2, crontab.LAST_DAY, crontab.LAST_WORKING_DAY}
    assert calendar.weekdays == {0, 2 * crontab.NTH + 1, crontab.LAST + 5}
    assert (calendar.is_both, Schedule("0 0 1 * *").calendar.is_both) == (False, True)
    assert (Schedule("every 2h").calendar, Schedule("every 2h").every) == (None, timedelta(hours=2))
    assert (Schedule("@daily").is_fixed, Schedule("5 * * * *").is_fixed, Schedule("*/5 1 * * *").is_fixed) == (
        *(True, False, False),
    )


# --- instants ---------------------------------------------------------------------------------------------------------


def test_next_is_after_and_latest_at_or_before() -> None:
    """An instant is its own latest, and never its own next."""
    schedule, six = Schedule("0 6 * * *"), utc("2026-11-22 06:00")
    assert schedule.next(six) == utc("2026-11-23 06:00")
    assert schedule.latest(six) == six
    assert schedule.next(utc("2026-11-22 05:59:59.999999")) == six
    assert schedule.latest(utc("2026-11-22 05:59:59.999999")) == utc("2026-11-21 06:00")
    assert schedule.latest(utc("2026-11-22 06:00:00.000001")) == six
    assert schedule.next(utc("2026-11-22 06:00:00.000001")) == utc("2026-11-23 06:00")


@pytest.mark.parametrize("text", ["0 6 * * *", "every 6h"])
def test_previous_is_strictly_before(text: str) -> None:
    """An instant is not its own previous, whatever the fraction of a second."""
    schedule, six = Schedule(text), utc("2026-11-22 06:00")
    assert schedule.previous(utc("2026-11-22 06:00:00.000001")) == six
    assert schedule.previous(six) == schedule.latest(six - timedelta(microseconds=1)) < six


def test_an_interval_counts_from_1970_and_before() -> None:
    """So two machines that never met have the same instants."""
    schedule = Schedule("every 7d")
    assert schedule.latest(utc("1970-01-01 00:00")) == utc("1970-01-01 00:00")
    assert schedule.previous(utc("1970-01-01 00:00")) == utc("1969-12-25 00:00")
    assert list(schedule.between(utc("1969-12-20 00:00"), utc("1970-01-08 00:00"))) == [
        *(utc("1969-12-25 00:00"), utc("1970-01-01 00:00"), utc("1970-01-08 00:00")),
    ]


def test_between_leaves_out_the_start_and_holds_the_end() -> None:
    """So spans that follow each other hold every instant once."""
    found = Schedule("0 6 * * *").between(utc("2026-11-20 06:00"), utc("2026-11-22 06:00"))
    assert list(found) == [utc("2026-11-21 06:00"), utc("2026-11-22 06:00")]
    assert list(Schedule("0 6 * * *").between(utc("2026-11-22 06:00"), utc("2026-11-20 06:00"))) == []


def test_instants_are_utc_and_an_instant_of_any_zone_is_taken() -> None:
    """06:00 in Oslo is 05:00 UTC in winter."""
    oslo = zoneinfo.ZoneInfo("Europe/Oslo")
    schedule, now = Schedule("0 6 * * *", "Europe/Oslo"), datetime(2026, 11, 22, 6, 30, tzinfo=oslo)
    moments = [schedule.next(now), schedule.latest(now), *schedule.between(now - DAY, now)]
    assert moments == [utc("2026-11-23 05:00"), utc("2026-11-22 05:00"), utc("2026-11-22 05:00")]
    assert {moment.tzinfo for moment in moments} == {timezone.utc}


def test_a_time_without_a_zone_is_refused() -> None:
    """It would be read in the zone of the machine."""
    schedule, naive, aware = Schedule("0 6 * * *"), datetime(2026, 11, 22), utc("2026-11-22")  # noqa: DTZ001
    for call in (schedule.next, schedule.latest, key_of):
        with pytest.raises(ValueError, match="2026-11-22T00:00:00 is no instant: it has no time zone"):
            call(naive)
    for pair in ((naive, aware), (aware, naive)):
        with pytest.raises(ValueError, match="no time zone"):
            schedule.between(*pair)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Oslo"])
@pytest.mark.parametrize(
    ("text", "before", "after"), [("0 0 29 2 *", 2024, 2028), ("* * 29 2 1", 2026, 2027), ("0 0 * 2 1#5", 2016, 2044)]
)
def test_what_comes_seldom_is_found_both_ways(text: str, before: int, after: int, zone: str) -> None:
    """Year by year, not minute by minute."""
    schedule = Schedule(text, zone)
    assert schedule.latest(utc(SUNDAY)).astimezone(zoneinfo.ZoneInfo(zone)).year == before
    assert schedule.next(utc(SUNDAY)).astimezone(zoneinfo.ZoneInfo(zone)).year == after


def test_the_hundredth_year_has_no_leap_day_and_the_four_hundredth_has() -> None:
    """Around 2100 a 29 February is eight years away; 2000 had one."""
    schedule = Schedule("0 0 29 2 *")
    assert schedule.next(utc("2096-02-29 00:00")) == utc("2104-02-29 00:00")
    assert schedule.latest(utc("2104-02-28 00:00")) == utc("2096-02-29 00:00")
    assert schedule.next(utc("1996-02-29 00:00")) == utc("2000-02-29 00:00")
    assert Schedule("0 1 * 2 1#5", "Europe/Oslo").next(utc("2072-02-29 00:00")) == utc("2112-02-29 00:00")


def test_the_calendar_ends() -> None:
    """After the year 9999 and before the year 1 there is no instant."""
    schedule = Schedule("0 6 * * *")
    with pytest.raises(OverflowError, match=r"Schedule\('0 6 \* \* \*', 'UTC'\) has no instant in the 50 years after"):
        schedule.next(utc("9999-12-31 06:00"))
    with pytest.raises(OverflowError, match="has no instant up to 0001-01-01"):
        schedule.latest(utc("0001-01-01 05:59"))
    assert schedule.latest(utc("0001-01-01 06:00")) == utc("0001-01-01 06:00")
    for text in ("0 6 * * *", "every 7d"):
        with pytest.raises(OverflowError, match="has no instant before 0001-01-01"):
            Schedule(text).previous(utc("0001-01-01 00:00"))
        with pytest.raises(OverflowError, match="has no instant in the 50 years after 9999-12-31"):
            Schedule(text).next(utc("9999-12-31 06:00"))
    assert list(schedule.between(utc("9999-12-30 06:00"), datetime.max.replace(tzinfo=timezone.utc))) == [
        utc("9999-12-31 06:00")
    ]


# --- when the clocks are changed --------------------------------------------------------------------------------------

# id: (schedule, zone, from, until, the instants as the wall shows them)
CLOCK_CHANGES = {
    "a skipped time comes after the gap": (
        *("30 2 * * *", "Europe/Oslo", "2026-03-28 00:00", "2026-03-30 12:00"),
        ["28 02:30+0100", "29 03:00+0200", "30 02:30+0200"],
    ),
    "skipped times come as one": (
        *("0,15,30 2 * * *", "Europe/Oslo", "2026-03-29 00:00", "2026-03-30 00:15"),
        ["29 03:00+0200", "30 02:00+0200", "30 02:15+0200"],
    ),
    "and as one with the time after the gap": (
        *("0 1,2,3 * * *", "Europe/Oslo", "2026-03-28 23:00", "2026-03-29 12:00"),
        ["29 01:00+0100", "29 03:00+0200"],
    ),
    "a repeated time comes once": (
        *("30 2 * * *", "Europe/Oslo", "2026-10-24 00:00", "2026-10-26 12:00"),
        ["24 02:30+0200", "25 02:30+0200", "26 02:30+0100"],
    ),
    "a list of all hours is fixed": (
        *("0 0-23 * * *", "Europe/Oslo", "2026-10-24 23:30", "2026-10-25 02:30"),
        ["25 02:00+0200", "25 03:00+0100"],
    ),
    "a star in the hour runs on through the repeated hour": (
        *("30 * * * *", "Europe/Oslo", "2026-10-24 23:00", "2026-10-25 03:00"),
        ["25 01:30+0200", "25 02:30+0200", "25 02:30+0100", "25 03:30+0100"],
    ),
    "a star in the minute does so too": (
        *("*/30 2 * * *", "Europe/Oslo", "2026-10-24 12:00", "2026-10-25 12:00"),
        ["25 02:00+0200", "25 02:30+0200", "25 02:00+0100", "25 02:30+0100"],
    ),
    "and has nothing in the skipped hour": (
        *("*/30 1-3 * * *", "Europe/Oslo", "2026-03-28 12:00", "2026-03-29 12:00"),
        ["29 01:00+0100", "29 01:30+0100", "29 03:00+0200", "29 03:30+0200"],
    ),
    "nor after it": ("*/30 2 * * *", "Europe/Oslo", "2026-03-29 00:00", "2026-03-29 12:00", []),
    "a day after the repeated hour is far away": (
        *("*/30 2 25 10 *", "Europe/Oslo", "2026-10-25 00:15", "2027-10-25 00:00"),
        ["25 02:30+0200", "25 02:00+0100", "25 02:30+0100", "25 02:00+0200"],
    ),
    "half an hour skipped": (
        *("0,15,45 2 * * *", "Australia/Lord_Howe", "2026-10-03 12:00", "2026-10-04 12:00"),
        ["04 02:30+1100", "04 02:45+1100"],
    ),
    "half an hour skipped, by elapsed time": (
        *("*/15 1-2 * * *", "Australia/Lord_Howe", "2026-10-03 15:00", "2026-10-04 12:00"),
        ["04 01:45+1030", "04 02:30+1100", "04 02:45+1100"],
    ),
    "half an hour repeated": (
        *("0,45 1,2 * * *", "Australia/Lord_Howe", "2026-04-04 12:00", "2026-04-05 12:00"),
        ["05 01:00+1100", "05 01:45+1100", "05 02:00+1030", "05 02:45+1030"],
    ),
    "half an hour repeated, by elapsed time": (
        *("*/15 1 * * *", "Australia/Lord_Howe", "2026-04-04 12:00", "2026-04-05 12:00"),
        ["05 01:00+1100", "05 01:15+1100", "05 01:30+1100", "05 01:45+1100", "05 01:30+1030", "05 01:45+1030"],
    ),
    "a whole day skipped": (
        *("0 6,18 * * *", "Pacific/Apia", "2011-12-29 18:00", "2011-12-31 12:00"),
        ["29 18:00-1000", "31 00:00+1400", "31 06:00+1400", "31 18:00+1400"],
    ),
    "a whole day skipped, by elapsed time": (
        *("0 */12 * * *", "Pacific/Apia", "2011-12-29 09:00", "2011-12-31 00:00"),
        ["29 00:00-1000", "29 12:00-1000", "31 00:00+1400", "31 12:00+1400"],
    ),
    "the weekday that was skipped": (
        *("0 6 * * 5", "Pacific/Apia", "2011-12-26 00:00", "2012-01-07 00:00"),
        ["31 00:00+1400", "06 06:00+1400"],
    ),
    "a day repeated": (
        *("0 12 * * *", "Pacific/Kwajalein", "1969-09-28 12:00", "1969-10-02 12:00"),
        ["29 12:00+1100", "30 12:00+1100", "01 12:00-1200"],
    ),
    "midnight skipped": (
        *("@daily", "Africa/Cairo", "2026-04-22 00:00", "2026-04-25 00:00"),
        ["23 00:00+0200", "24 01:00+0300", "25 00:00+0300"],
    ),
    "midnight repeated": (
        *("@daily", "America/Havana", "2026-10-31 00:00", "2026-11-02 12:00"),
        ["31 00:00-0400", "01 00:00-0400", "02 00:00-0500"],
    ),
    "the repeated hour reaches over midnight": (
        *("*/30 23,0 * * *", "America/St_Johns", "2010-11-07 00:30", "2010-11-07 05:00"),
        ["06 23:00-0230", "06 23:30-0230", "07 00:00-0230", "06 23:30-0330", "07 00:00-0330", "07 00:30-0330"],
    ),
}


@pytest.mark.parametrize(("text", "zone", "start", "end", "expected"), CLOCK_CHANGES.values(), ids=CLOCK_CHANGES)
def test_a_change_of_the_clocks_loses_nothing_and_doubles_nothing(
    text: str, zone: str, start: str, end: str, expected: list[str]
) -> None:
    """Fixed times keep to the wall, once each; all others to elapsed time. Forwards and backwards alike."""
    schedule, shown = Schedule(text, zone), zoneinfo.ZoneInfo(zone)
    found = list(schedule.between(utc(start), utc(end)))
    assert [f"{moment.astimezone(shown):%d %H:%M%z}" for moment in found] == expected
    for earlier, later in zip(found, found[1:]):
        assert schedule.next(earlier) == later
        assert schedule.latest(later - MINUTE) == earlier
    assert len({key_of(moment) for moment in found}) == len(expected)


# id: (schedule, zone, dst, from, until, the instants as the wall shows them)
POLICIES = {
    "skip: a skipped time does not come": (
        *("30 2 * * *", "Europe/Oslo", "skip", "2026-03-28 00:00", "2026-03-30 12:00"),
        ["28 02:30+0100", "30 02:30+0200"],
    ),
    "skip: what stands after the gap does": (
        *("0,30 1,2,3 * * *", "Europe/Oslo", "skip", "2026-03-28 23:00", "2026-03-29 12:00"),
        ["29 01:00+0100", "29 01:30+0100", "29 03:00+0200", "29 03:30+0200"],
    ),
    "skip: a repeated time comes once": (
        *("30 2 * * *", "Europe/Oslo", "skip", "2026-10-24 00:00", "2026-10-26 12:00"),
        ["24 02:30+0200", "25 02:30+0200", "26 02:30+0100"],
    ),
    "skip: half an hour": (
        *("0,15,45 2 * * *", "Australia/Lord_Howe", "skip", "2026-10-03 12:00", "2026-10-04 12:00"),
        ["04 02:45+1100"],
    ),
    "skip: a whole day": (
        *("0 6,18 * * *", "Pacific/Apia", "skip", "2011-12-29 18:00", "2011-12-31 12:00"),
        ["29 18:00-1000", "31 06:00+1400", "31 18:00+1400"],
    ),
    "skip: midnight": (
        *("@daily", "Africa/Cairo", "skip", "2026-04-22 00:00", "2026-04-25 00:00"),
        ["23 00:00+0200", "25 00:00+0300"],
    ),
    "skip: by elapsed time nothing is different": (
        *("*/30 2 * * *", "Europe/Oslo", "skip", "2026-10-24 12:00", "2026-10-25 12:00"),
        ["25 02:00+0200", "25 02:30+0200", "25 02:00+0100", "25 02:30+0100"],
    ),
    "wall: a skipped time does not come": (
        *("30 2 * * *", "Europe/Oslo", "wall", "2026-03-28 00:00", "2026-03-30 12:00"),
        ["28 02:30+0100", "30 02:30+0200"],
    ),
    "wall: a repeated time comes twice": (
        *("30 2 * * *", "Europe/Oslo", "wall", "2026-10-24 00:00", "2026-10-26 12:00"),
        ["24 02:30+0200", "25 02:30+0200", "25 02:30+0100", "26 02:30+0100"],
    ),
    "wall: the end of the repeated hour comes once": (
        *("0 2,3 * * *", "Europe/Oslo", "wall", "2026-10-24 12:00", "2026-10-25 12:00"),
        ["25 02:00+0200", "25 02:00+0100", "25 03:00+0100"],
    ),
    "wall: midnight repeated": (
        *("@daily", "America/Havana", "wall", "2026-10-31 12:00", "2026-11-02 12:00"),
        ["01 00:00-0400", "01 00:00-0500", "02 00:00-0500"],
    ),
    "wall: a day repeated": (
        *("0 12 * * *", "Pacific/Kwajalein", "wall", "1969-09-28 12:00", "1969-10-02 12:00"),
        ["29 12:00+1100", "30 12:00+1100", "30 12:00-1200", "01 12:00-1200"],
    ),
    "wall: by elapsed time nothing is different": (
        *("30 * * * *", "Europe/Oslo", "wall", "2026-10-24 23:00", "2026-10-25 03:00"),
        ["25 01:30+0200", "25 02:30+0200", "25 02:30+0100", "25 03:30+0100"],
    ),
}


@pytest.mark.parametrize(("text", "zone", "dst", "start", "end", "expected"), POLICIES.values(), ids=POLICIES)
def test_a_task_may_choose_what_a_change_of_the_clocks_does(
    text: str, zone: str, dst: str, start: str, end: str, expected: list[str]
) -> None:
    """`skip` leaves out what the wall leaves out; `wall` comes whenever the wall shows the time."""
    schedule, shown = Schedule(text, zone, dst=dst), zoneinfo.ZoneInfo(zone)
    found = list(schedule.between(utc(start), utc(end)))
    assert [f"{moment.astimezone(shown):%d %H:%M%z}" for moment in found] == expected
    for earlier, later in zip(found, found[1:]):
        assert schedule.next(earlier) == later
        assert schedule.previous(later) == earlier


@pytest.mark.parametrize("dst", ["skip", "wall"])
def test_a_time_that_is_skipped_whenever_it_would_come_is_refused(dst: str) -> None:
    """As Debian's cron reads it, it would come right after the gap, year by year."""
    with pytest.raises(ValueError, match=r"'30 2 \* 3 7L' never comes: in Europe/Oslo the clocks skip its hour"):
        Schedule("30 2 * 3 7L", "Europe/Oslo", dst=dst)
    assert Schedule("30 2 * 3 7L", "Europe/Oslo").next(utc(SUNDAY)) == utc("2027-03-28 01:00")


def test_what_came_in_the_first_of_two_hours_is_the_latest_in_the_second() -> None:
    """At 02:10 for the second time, the 02:30 of the first time was the latest, and tomorrow's is next."""
    schedule, again = Schedule("30 2 * * *", "Europe/Oslo"), utc("2026-10-25 01:10")
    assert schedule.latest(again) == utc("2026-10-25 00:30")
    assert schedule.next(again) == utc("2026-10-26 01:30")


def test_what_follows_the_repeated_hour_is_not_taken_for_a_part_of_it() -> None:
    """At 02:10 for the second time, 03:00 and 03:05 are still to come."""
    schedule, again = Schedule("0,5 2,3 * * *", "Europe/Oslo"), utc("2026-10-25 01:10")
    assert list(schedule.between(again, again + DAY / 12)) == [utc("2026-10-25 02:00"), utc("2026-10-25 02:05")]


def test_the_last_minute_before_a_change_is_no_special_case() -> None:
    """Asked at any second around the change, the skipped time is next until it came, and latest from then on."""
    schedule, gap_end = Schedule("30 2 * * *", "Europe/Oslo"), utc("2026-03-29 01:00")
    assert schedule.next(utc("2026-03-29 00:59:59.999999")) == gap_end
    assert schedule.latest(utc("2026-03-29 00:59:59.999999")) == utc("2026-03-28 01:30")
    assert schedule.latest(gap_end) == gap_end
    assert schedule.next(gap_end) == utc("2026-03-30 00:30")


def test_a_schedule_whose_only_hour_is_always_skipped_is_refused() -> None:
    """Any minute from 02:00 to 02:59 on the last Sunday of March: in Oslo there is none."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        Schedule("* 2 * 3 7L", "Europe/Oslo")
    assert str(caught.value) == "the schedule '* 2 * 3 7L' never comes: in Europe/Oslo the clocks skip its hour"
    assert Schedule("* 2 * 3 7L", "UTC").next(utc(SUNDAY)) == utc("2027-03-28 02:00")


def test_a_schedule_may_be_skipped_for_years() -> None:
    """02:00 to 02:59 on 28 March: the clocks are put forward in 2021 and 2027, and on other days between."""
    schedule = Schedule("* 2 28 3 *", "Europe/Oslo")
    assert schedule.latest(utc("2021-12-31 00:00")) == utc("2020-03-28 01:59")
    assert schedule.next(utc("2026-12-31 00:00")) == utc("2028-03-28 00:00")


# --- zones ------------------------------------------------------------------------------------------------------------

ZONES_REFUSED = {
    "misspelled": ("Europe/Olso", "the time zone 'Europe/Olso' is not known; write Europe/Oslo"),
    "nothing near": ("Q", "the time zone 'Q' is not known; write a name such as Europe/Oslo, or UTC"),
    "nothing": ("", "the time zone '' is not known; write a name such as Europe/Oslo, or UTC"),
    "a folder of zones": ("Europe", "the time zone 'Europe' is not known; write Europe/"),
    "a way out": ("../zoneinfo/UTC", "the time zone '../zoneinfo/UTC' is not known; write "),
    "a path": ("/etc/passwd", "the time zone '/etc/passwd' is not known; write "),
    "no file": ("Europe/Oslo\0", "the time zone 'Europe/Oslo\\x00' is not known; write Europe/Oslo"),
    "no text": ("\ud800", "the time zone '\\ud800' is not known; write "),
}


@pytest.mark.parametrize(("zone", "sentence"), ZONES_REFUSED.values(), ids=ZONES_REFUSED)
def test_a_zone_that_is_none_is_refused_with_the_nearest(zone: str, sentence: str) -> None:
    """Whatever the standard library makes of it."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        Schedule("0 6 * * *", zone)
    assert str(caught.value).startswith(sentence)


@pytest.fixture
def zones(monkeypatch):
    """Sets what the machine knows of time zones: nothing of the system's, and a package tzdata or none."""

    def set_to(package: str | None) -> None:
        zoneinfo.reset_tzpath(to=[])
        zoneinfo.ZoneInfo.clear_cache()
        if package is None:
            monkeypatch.setitem(sys.modules, "tzdata", None)
        else:
            monkeypatch.syspath_prepend(package)

    yield set_to
    for name in [name for name in sys.modules if name.partition(".")[0] == "tzdata"]:
        monkeypatch.delitem(sys.modules, name)
    zoneinfo.reset_tzpath()
    zoneinfo.ZoneInfo.clear_cache()


def test_a_machine_without_zones_says_what_to_install_and_knows_utc(zones) -> None:
    """As Windows and small images are."""
    zones(None)
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        Schedule("0 6 * * *", "Europe/Oslo")
    sentence = "this machine has no time zones, so not 'Europe/Oslo'; install the package tzdata, or use UTC or local"
    assert str(caught.value) == sentence
    for zone in ("UTC", "Etc/UTC", None):
        assert Schedule("0 6 * * *", zone).next(utc(SUNDAY)) == utc("2026-11-23 06:00")


def test_a_folder_of_the_package_tzdata_is_no_zone(zones, tmp_path) -> None:
    """Some Pythons open it as a file."""
    folder = tmp_path / "tzdata" / "zoneinfo" / "Europe"
    folder.mkdir(parents=True)
    for package in (folder, folder.parent, folder.parent.parent):
        (package / "__init__.py").touch()
    (tmp_path / "tzdata" / "zones").write_text("Europe/Oslo\n")
    zones(str(tmp_path))
    with pytest.raises(ValueError, match="the time zone 'Europe' is not known; write Europe/Oslo"):
        Schedule("0 6 * * *", "Europe")


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="Windows takes no zone from the environment")
def test_the_zone_of_the_machine_plays_no_part(monkeypatch) -> None:
    """Who travels with it does not move what is due."""
    try:
        for zone in ("Asia/Tokyo", "America/New_York"):
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            assert Schedule("0 6 * * *").next(utc(SUNDAY)) == utc("2026-11-23 06:00")
            assert Schedule("0 6 * * *", "Europe/Oslo").latest(utc(SUNDAY)) == utc("2026-11-22 05:00")
            assert moment_of("2026-11-22T05:00Z") == utc("2026-11-22 05:00")
    finally:
        monkeypatch.undo()
        time.tzset()


# Compares the machine's own zone with zoneinfo: the wall of every instant near its changes, and four schedules.
LOCALLY = """
import json, os, sys, time, zoneinfo
from datetime import datetime, timedelta, timezone
from {package}.core.cron import Schedule
from {package}.core.local_zone import LocalZone
name, texts = os.environ["TZ"], json.loads(sys.argv[1])
time.tzset()
ours, theirs, count = LocalZone(), zoneinfo.ZoneInfo(name), 0
moment = datetime(2007, 1, 1, tzinfo=timezone.utc)
while moment.year < 2031:
    day = moment + timedelta(days=1)
    if moment.astimezone(theirs).utcoffset() != day.astimezone(theirs).utcoffset():
        for minutes in range(-1440, 4320, 10):
            near = moment + timedelta(minutes=minutes)
            mine, other = near.astimezone(ours), near.astimezone(theirs)
            assert (mine.replace(tzinfo=None), mine.fold) == (other.replace(tzinfo=None), other.fold), near
            assert mine.utcoffset() == other.utcoffset() and mine.astimezone(timezone.utc) == near, near
            wall = datetime(near.year, near.month, near.day, near.hour, near.minute)
            for fold in (0, 1):
                assert wall.replace(tzinfo=ours, fold=fold).utcoffset() == wall.replace(
                    tzinfo=theirs, fold=fold).utcoffset(), wall
        count += 1
    moment = day
for text in texts:
    for dst in ("once", "skip", "wall"):
        local, named = Schedule(text, "Local", dst=dst), Schedule(text, name, dst=dst)
        span = (datetime(2026, 1, 1, tzinfo=timezone.utc), datetime(2027, 1, 1, tzinfo=timezone.utc))
        assert list(local.between(*span)) == list(named.between(*span)), (text, dst)
        assert local.latest(span[1]) == named.latest(span[1])
print(count)
"""


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="Windows takes no zone from the environment")
@pytest.mark.parametrize(
    ("zone", "changes"), [("Europe/Oslo", 48), ("Australia/Lord_Howe", 48), ("America/St_Johns", 48), ("Asia/Tokyo", 0)]
)
def test_local_is_what_the_machine_is_set_to(program: list[str], zone: str, changes: int) -> None:
    """The C library knows the same wall as the zone data, repeated hours and skipped ones too."""
    texts = ["30 2 * * *", "0,30 1,2,3 * * *", "*/20 * * * *", "0 6 L * 7#2"]
    code = LOCALLY.format(package=program[-1])
    call = [sys.executable, "-c", code, json.dumps(texts)]
    done = subprocess.run(call, capture_output=True, text=True, check=False, env={**os.environ, "TZ": zone})
    assert (done.stderr, done.stdout) == ("", f"{changes}\n")


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="Windows takes no zone from the environment")
def test_local_and_utc_need_no_zone_data(program: list[str]) -> None:
    """A rule in TZ is all that a slim image has; where the years end, the nearest with an answer stands."""
    code = (
        f"import sys, zoneinfo; from {program[-1]}.core.cron import Schedule; from datetime import *\n"
        "zoneinfo.reset_tzpath(to=[]); sys.modules['tzdata'] = None\n"
        "utc = lambda *parts: datetime(*parts, tzinfo=timezone.utc)\n"
        "for zone in ('UTC', 'local'):\n"
        "    schedule = Schedule('30 2 * * *', zone)\n"
        "    print(*(f'{each:%m-%dT%H:%M}' for each in schedule.between(utc(2026, 3, 27, 12), utc(2026, 3, 30, 12))),\n"
        "        schedule.latest(utc(9998, 12, 31)).year, schedule.next(utc(2, 1, 3)).year)\n"
        "try: Schedule('@daily', 'Europe/Oslo')\n"
        "except ValueError as error: print(error)\n"
    )
    env = {**os.environ, "TZ": "CET-1CEST,M3.5.0,M10.5.0/3"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=env)
    assert (done.stderr, done.stdout.splitlines()) == (
        "",
        [
            "03-28T02:30 03-29T02:30 03-30T02:30 9998 2",
            "03-28T01:30 03-29T01:00 03-30T00:30 9998 2",
            "this machine has no time zones, so not 'Europe/Oslo'; install the package tzdata, or use UTC or local",
        ],
    )


def test_utc_needs_no_zones(program: list[str]) -> None:
    """What most schedules are in does not pay for the others."""
    code = (
        f"import sys; from {program[-1]}.core.cron import Schedule; from datetime import datetime, timezone\n"
        "Schedule('0 6 * * *').latest(datetime(2026, 11, 22, tzinfo=timezone.utc))\n"
        "print(sorted({'zoneinfo', 're', 'collections', 'typing', 'enum', 'calendar'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# --- keys -------------------------------------------------------------------------------------------------------------


def test_a_key_is_the_utc_minute() -> None:
    """Whatever zone the instant is written in."""
    assert key_of(utc("2026-11-22 05:00")) == "2026-11-22T05:00Z"
    assert key_of(datetime(2026, 11, 22, 6, 0, tzinfo=zoneinfo.ZoneInfo("Europe/Oslo"))) == "2026-11-22T05:00Z"
    assert key_of(utc("0001-01-01 00:00")) == "0001-01-01T00:00Z"
    assert moment_of("2026-11-22T05:00Z") == utc("2026-11-22 05:00")
    assert moment_of("2026-11-22T05:00Z").tzinfo is timezone.utc


@pytest.mark.parametrize("text", ["2026-11-22 05:00:01", "2026-11-22 05:00:00.000001"])
def test_between_two_minutes_there_is_no_key(text: str) -> None:
    """Cut to the minute, two moments would be one slot."""
    with pytest.raises(ValueError, match="is no scheduled instant: those are whole minutes"):
        key_of(utc(text))


@pytest.mark.parametrize(
    "key",
    [
        *("", "Z", "2026-11-22", "2026-11-22T05:00", "2026-11-22 05:00Z", "2026-11-22T05:00z", "2026-11-22T05:00ZZ"),
        *(
            "2026-11-22T05:00:00Z",
            "2026-11-22T05:00+00:00Z",
            "2026-11-22T05:00+00:00",
            "2026-W47-7T05:00Z",
            "20261122T0500Z",
        ),
        *("2026-02-30T05:00Z", "2026-11-22T24:00Z", "2026-11-22T05:60Z", " 2026-11-22T05:00Z", "2026-11-22T05:00Z\n"),
        *("٢٠٢٦-11-22T05:00Z", "nightly", "\ud800", "2026-11-22T05Z"),
    ],
)
def test_only_what_key_of_writes_is_a_key(key: str) -> None:
    """On every Python, however much its parser takes."""
    with pytest.raises(ValueError, match="is no key of a scheduled instant; write it as 2026-11-22T05:00Z"):
        moment_of(key)


@given(st.datetimes(timezones=st.just(timezone.utc)).map(lambda moment: moment.replace(second=0, microsecond=0)))
def test_a_key_and_its_instant_are_one(moment: datetime) -> None:
    """There and back, and keys sort as instants do."""
    assert moment_of(key_of(moment)) == moment
    assert (key_of(moment) < "2026-11-22T05:00Z") == (moment < utc("2026-11-22 05:00"))


# --- any schedule, any zone, any instant ------------------------------------------------------------------------------

CHANGES = [
    *(("UTC", "2026-03-01 00:00"), ("Europe/Oslo", "2026-03-29 01:00"), ("Europe/Oslo", "2026-10-25 01:00")),
    *(("America/New_York", "2026-03-08 07:00"), ("America/New_York", "2026-11-01 06:00")),
    *(("Australia/Lord_Howe", "2026-10-03 15:30"), ("Australia/Lord_Howe", "2026-04-04 15:00")),
    *(("Pacific/Apia", "2011-12-30 10:00"), ("Pacific/Apia", "2012-03-31 14:00"), ("Pacific/Apia", "2012-09-29 14:00")),
    *(
        ("Africa/Cairo", "2026-04-23 22:00"),
        ("Africa/Cairo", "2026-10-29 21:00"),
        ("America/Havana", "2026-11-01 05:00"),
    ),
    *(("America/St_Johns", "2010-11-07 02:31"), ("America/St_Johns", "2011-03-13 03:31")),
    *(("Pacific/Kwajalein", "1969-09-30 13:00"), ("Europe/Oslo", "2061-10-30 01:00")),
]


def fields(low: int, high: int) -> st.SearchStrategy[str]:
    """A field of any form that all fields take."""
    number = st.integers(low, high)
    spans = st.sets(number, min_size=2, max_size=2).map(lambda two: f"{min(two)}-{max(two)}")
    stepped = st.tuples(st.one_of(number, spans), st.integers(1, 40)).map(lambda two: f"{two[0]}/{two[1]}")
    items = st.one_of(number.map(str), spans, stepped, st.just("*"))
    steps = st.integers(1, high + 1).map("*/{}".format)
    return st.one_of(st.just("*"), number.map(str), steps, st.lists(items, min_size=1, max_size=4).map(",".join))


ANY_DAY = st.one_of(st.just("*"), fields(1, 31), st.sampled_from(["L", "LW", "LW,15"]))
ANY_WEEKDAY = st.one_of(st.just("*"), fields(0, 7), st.sampled_from(["5L", "0L", "1#2", "7#5", "sun#1,3"]))
TEXTS = st.tuples(fields(0, 59), fields(0, 23), ANY_DAY, fields(1, 12), ANY_WEEKDAY).map(" ".join)


POLICY = st.sampled_from(["once", "skip", "wall"])


def made(text: str, zone: str, dst: str = "once"):
    """The schedule, or None when it would never come."""
    try:
        return Schedule(text, zone, dst=dst)
    except ValueError as error:
        if "never comes" not in str(error):
            raise
        return None


@st.composite
def instants(draw) -> tuple[str, datetime]:
    """A zone, and an instant near to a change of its clocks or anywhere."""
    zone, text = draw(st.sampled_from(CHANGES))
    near = st.integers(-130 * 60, 130 * 60)
    return zone, utc(text) + timedelta(seconds=draw(st.one_of(near, near, st.integers(-(10**9), 10**9))))


@seeded
@given(TEXTS, instants(), POLICY)
def test_next_and_latest_agree(text: str, zone_and_moment: tuple[str, datetime], dst: str) -> None:
    """Nothing lies between the latest and the next, and each leads to the other."""
    zone, moment = zone_and_moment
    schedule = made(text, zone, dst)
    if schedule is None:
        return
    after, before = schedule.next(moment), schedule.latest(moment)
    assert before <= moment < after
    assert schedule.next(before) == after
    assert schedule.latest(after) == after
    assert schedule.latest(after - timedelta(microseconds=1)) == before
    assert schedule.previous(after) == before
    assert (after.second, after.microsecond, before.second, before.microsecond) == (0, 0, 0, 0)


@seeded
@given(TEXTS, instants(), POLICY)
def test_between_is_next_upon_next(text: str, zone_and_moment: tuple[str, datetime], dst: str) -> None:
    """The same instants in the same order, and none beyond the end."""
    zone, moment = zone_and_moment
    schedule = made(text, zone, dst)
    if schedule is None:
        return
    expected = [schedule.next(moment)]
    while len(expected) < 12:
        expected.append(schedule.next(expected[-1]))
    assert list(schedule.between(moment, expected[-1])) == expected
    assert list(schedule.between(moment, expected[-1] - MINUTE)) == expected[:-1]


TIMES = st.lists(st.integers(0, 59), min_size=1, max_size=3), st.lists(st.integers(0, 23), min_size=1, max_size=12)


@seeded
@given(
    *TIMES,
    st.sampled_from(["fixed", "any minute", "any hour"]),
    POLICY,
    instants(),
    st.integers(1, 2000),
)
def test_the_instants_are_what_a_walk_along_the_wall_meets(
    minutes: list[int], hours: list[int], kind: str, dst: str, zone_and_moment: tuple[str, datetime], length: int
) -> None:
    """Minute by minute with an eye on the clock: by elapsed time what it shows, at fixed times what it passes first."""
    zone, start = zone_and_moment
    minutes, hours = (range(60) if kind == "any minute" else minutes), (range(24) if kind == "any hour" else hours)
    texts = [
        "*" if values == range(limit) else ",".join(map(str, values)) for values, limit in ((minutes, 60), (hours, 24))
    ]
    wall = zoneinfo.ZoneInfo(zone)
    minute = (start - 2 * DAY).replace(second=0, microsecond=0)
    reached = minute.astimezone(wall).replace(tzinfo=None)
    expected = []
    while minute <= start + length * MINUTE:
        shown = minute.astimezone(wall).replace(tzinfo=None)
        passed = [shown]
        if kind == "fixed" and dst != "wall":
            passed = [reached + count * MINUTE for count in range(1, (shown - reached) // MINUTE + 1)]
            if dst == "skip":
                passed = passed[-1:]
            reached = max(reached, shown)
        if minute > start and any(one.minute in minutes and one.hour in hours for one in passed):
            expected.append(minute)
        minute += MINUTE
    found = Schedule(" ".join([*texts, "* * *"]), zone, dst=dst).between(start, start + length * MINUTE)
    assert list(found) == expected
