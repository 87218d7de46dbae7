"""Our schedules in the words of others: OnCalendar lines and plain cron fields. systemd and cronsim judge them."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
from datetime import datetime, timedelta, timezone
from itertools import islice

import pytest

from agent_os.core.cron import Schedule
from agent_os.schedulers.five_fields import AIRFLOW, CRON, KUBERNETES, fields_of
from agent_os.schedulers.oncalendar import lines_of

EXAMPLES = int(os.environ.get("CRON_CASES", "60"))
SEED = int(os.environ.get("CRON_SEED", "2026"))
HAS_SYSTEMD = shutil.which("systemd-analyze") is not None

# id: (schedule, zone, the lines)
LINES = {
    "every minute": ("* * * * *", "UTC", ["*-*-* *:*:00 UTC"]),
    "a time of day": ("daily 06:05", "Europe/Oslo", ["*-*-* 06:05:00 Europe/Oslo"]),
    "the machine's own zone": ("30 6 * * *", "local", ["*-*-* 06:30:00"]),
    "steps are lists": ("*/20 */6 * * *", "UTC", ["*-*-* 00,06,12,18:00,20,40:00 UTC"]),
    "neighbours are a range": ("0 9-17 * * *", "UTC", ["*-*-* 09..17:00:00 UTC"]),
    "working days": ("0 6 * * 1-5", "UTC", ["Mon..Fri *-*-* 06:00:00 UTC"]),
    "over the end of the week": ("0 6 * * sat,sun,mon", "UTC", ["Mon,Sat,Sun *-*-* 06:00:00 UTC"]),
    "a month": ("0 6 1 jan-mar,7 *", "UTC", ["*-01..03,07-01 06:00:00 UTC"]),
    "two days given: one is enough, so two lines": (
        *("0 0 13 * 5", "UTC"),
        ["*-*-13 00:00:00 UTC", "Fri *-*-* 00:00:00 UTC"],
    ),
    "a star with a step: both must fit, so one line": ("0 0 */10 * 1", "UTC", ["Mon *-*-01,11,21,31 00:00:00 UTC"]),
    "every day, whatever else": ("0 0 1-31 * 1", "UTC", ["*-*-* 00:00:00 UTC"]),
    "the last day": ("0 0 L * *", "UTC", ["*-*~01 00:00:00 UTC"]),
    "the last day and others": ("0 0 L,1 * *", "UTC", ["*-*-01 00:00:00 UTC", "*-*~01 00:00:00 UTC"]),
    "the last working day": (
        *("0 0 LW * *", "UTC"),
        ["Mon..Thu *-*~01 00:00:00 UTC", "Fri *-*~03/1 00:00:00 UTC"],
    ),
    "the last working day if it is a Friday": ("0 0 LW * */5", "UTC", ["Fri *-*~03/1 00:00:00 UTC"]),
    "the second Monday": ("0 0 * * 1#2", "UTC", ["Mon *-*-08..14 00:00:00 UTC"]),
    "the fifth Sunday": ("0 0 * * 0#5", "UTC", ["Sun *-*-29..31 00:00:00 UTC"]),
    "the second Monday, if its date is odd": ("0 0 */2 * 1#2", "UTC", ["Mon *-*-09,11,13 00:00:00 UTC"]),
    "the last Friday": ("0 0 * * 5L", "UTC", ["Fri *-*~07/1 00:00:00 UTC"]),
    "every quarter of an hour": ("every 15m", None, ["*-*-* *:00,15,30,45:00 UTC"]),
    "every day": ("every 1d", None, ["*-*-* 00:00:00 UTC"]),
    "every 90 minutes": (
        *("every 90m", None),
        ["*-*-* 00,03,06,09,12,15,18,21:00:00 UTC", "*-*-* 01,04,07,10,13,16,19,22:30:00 UTC"],
    ),
}
NOT_LINES = {
    "every 7m": "which comes at other times on every day: take an interval that a day holds a whole number of times",
    "every 2d": "which comes at other times on every day",
    "0 0 */2 * 5L": "which counts days from both ends of the month at once: give a day of the month or a day of the",
}


@pytest.mark.parametrize(("text", "zone", "lines"), LINES.values(), ids=LINES)
def test_a_schedule_is_said_to_systemd(text: str, zone: str | None, lines: list[str]) -> None:
    """In as many lines as it takes."""
    assert lines_of(Schedule(text, zone)) == lines


@pytest.mark.parametrize(("text", "sentence"), NOT_LINES.items(), ids=NOT_LINES)
def test_what_systemd_cannot_say_is_refused(text: str, sentence: str) -> None:
    """With what to write instead."""
    with pytest.raises(ValueError, match=re.escape(f"systemd cannot say {text!r}, {sentence}")):
        lines_of(Schedule(text))


def asked(lines: list[str], after: datetime, count: int) -> list[datetime]:
    """The next instants of all lines together, by systemd."""
    call = ["systemd-analyze", "calendar", f"--iterations={count}", f"--base-time={after:%Y-%m-%d %H:%M:%S} UTC"]
    env = {**os.environ, "TZ": "UTC", "LC_ALL": "C"}
    done = subprocess.run([*call, *lines], capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    found = re.findall(r"(?:Next elapse|Iter\. #\d+|Iteration #\d+): \w+ (\S+ \S+) UTC", done.stdout)
    return sorted({datetime.fromisoformat(each).replace(tzinfo=timezone.utc) for each in found})[:count]


def ours(schedule: Schedule, after: datetime, count: int) -> list[datetime]:
    return list(islice(schedule.between(after, after + timedelta(days=15_000)), count))


@pytest.mark.skipif(not HAS_SYSTEMD, reason="systemd-analyze is not installed")
@pytest.mark.parametrize(("text", "zone", "lines"), LINES.values(), ids=LINES)
def test_systemd_has_the_instants_of_our_table(text: str, zone: str | None, lines: list[str]) -> None:
    """Line by line put together."""
    after = datetime(2026, 11, 22, 9, tzinfo=timezone.utc)
    expected = ours(Schedule(text, "UTC" if zone == "local" else zone), after, 6)
    assert asked([line + (" UTC" if zone == "local" else "") for line in lines], after, 6) == expected


def drawn(rng: random.Random, texts: dict[str, list[str]]) -> str:
    return " ".join(rng.choice(forms) for forms in texts.values())


FORMS = {
    "minute": ["0", "30", "*/20", "5-7", "*", "59,1", "3/25"],
    "hour": ["6", "0", "*/5", "22-23,0-1", "*", "7,9,11", "20/2"],
    "day": ["*", "*", "1", "13,31", "*/7", "L", "LW", "L,15", "LW,L", "29-31", "1-31"],
    "month": ["*", "*", "2", "jan-mar,11", "*/4"],
    "weekday": ["*", "*", "1-5", "0", "7", "*/3", "6,0", "5L", "1#2", "0#5,3", "mon#1,2L", "0-6"],
}


@pytest.mark.skipif(not HAS_SYSTEMD, reason="systemd-analyze is not installed")
def test_any_schedule_that_is_said_comes_when_systemd_says() -> None:
    """Away from changes of the clocks, where it goes its own way."""
    rng, said, refused = random.Random(SEED), 0, 0
    while said < EXAMPLES:
        zone, text = rng.choice(["UTC", "Europe/Oslo", "Asia/Kolkata"]), drawn(rng, FORMS)
        after = datetime(2026, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=rng.randrange(3 * 365 * 86_400))
        try:
            schedule = Schedule(text, zone)
        except ValueError:
            continue
        try:
            lines = lines_of(schedule)
        except ValueError:
            refused += 1
            continue
        expected = ours(schedule, after, 4)
        if zone == "Europe/Oslo" and any(each.month in (3, 10) and each.day > 23 for each in (after, *expected)):
            continue
        said += 1
        assert asked(lines, after, 4) == expected, f"{text} {zone} after {after}, seed {SEED}: {lines}"
    assert refused < said


# id: (schedule, cron, Kubernetes, Airflow); None: refused
FIELDS = {
    "plain": ("30 6 * * 1-5", *["30 6 * * 1-5"] * 3),
    "names are numbers": ("0 0 1 jan,JUL mon", *["0 0 1 1,7 1"] * 3),
    "Sunday is 0": ("0 0 * * 7", *["0 0 * * 0"] * 3),
    "a name for all": ("@weekly", *["0 0 * * 0"] * 3),
    "a time of day": ("daily 6:05", *["5 6 * * *"] * 3),
    "steps": ("*/15 */2 * * *", *["*/15 */2 * * *"] * 3),
    "5/20 is a list": ("5/20 * * * *", *["5,25,45 * * * *"] * 3),
    "an interval": ("every 15m", *["*/15 * * * *"] * 3),
    "an hour": ("every 60m", *["0 * * * *"] * 3),
    "hours": ("every 2h", *["0 */2 * * *"] * 3),
    "a day": ("every 24h", *["0 0 * * *"] * 3),
    "an interval that divides nothing": ("every 90m", None, None, None),
    "one of two days": ("0 0 13 * 5", *["0 0 13 * 5"] * 3),
    "every day or a Monday": ("0 0 1-31 * 1", *["0 0 * * *"] * 3),
    "both days": ("0 0 */10 * 1", "0 0 */10 * 1", None, None),
    "the last day": ("0 0 L,2 * *", None, None, "0 0 2,L * *"),
    "the last working day": ("0 0 LW * *", None, None, None),
    "the last Friday": ("0 0 * * 5L", None, None, "0 0 * * L5"),
    "the second Monday": ("0 0 * * 1#2", None, None, "0 0 * * 1#2"),
    "the second Monday or a date": ("0 0 1 * 1#2", None, None, None),
}


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("dialect", [CRON, KUBERNETES, AIRFLOW], ids=lambda each: each.name)
def test_a_schedule_is_said_in_the_cron_of_others(name: str, dialect) -> None:
    """Where it means the same there, and refused where it would not."""
    text, *expected = FIELDS[name]
    fields = expected[(CRON, KUBERNETES, AIRFLOW).index(dialect)]
    if fields is not None:
        assert fields_of(Schedule(text), dialect) == fields
        return
    with pytest.raises(ValueError, match=re.escape(f"{dialect.name} cannot say {text!r} (")):
        fields_of(Schedule(text), dialect)


def test_the_fields_for_cron_and_kubernetes_have_the_same_instants() -> None:
    """As we read them ourselves; `test_cron_oracle` has cronsim read what we read."""
    rng, after = random.Random(SEED), datetime(2026, 11, 22, 9, tzinfo=timezone.utc)
    said = 0
    while said < 200:
        text = drawn(rng, FORMS)
        for dialect in (CRON, KUBERNETES):
            try:
                schedule, fields = Schedule(text), fields_of(Schedule(text), dialect)
            except ValueError:
                continue
            said += 1
            assert ours(Schedule(fields), after, 5) == ours(schedule, after, 5), f"{text} as {fields}"
