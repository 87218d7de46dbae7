"""UTC days and windows: what is due, and what a day's status is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_os.core.days import (
    Read,
    Window,
    add_days,
    day_of_instant,
    day_of_unix,
    due_days,
    horizon,
    parse_day,
    status_of,
    windows,
    within_reach,
)

TODAY = "2026-11-22"
NOW = "2026-11-22T09:00:00.000Z"


def read_on(day: str) -> Read:
    return Read(day + "T06:00:00.000Z")


def span_of(days_back: int) -> Window:
    return Window(add_days(TODAY, -days_back), add_days(TODAY, 1))


def due(reads: dict[str, Read], *, back: int = 35, force: bool = False, fresh_since: str = NOW) -> list[str]:
    return due_days(span_of(back), reads, now=NOW, fresh_since=fresh_since, force=force)


@pytest.mark.parametrize(
    "text",
    ["", "2026-02-31", "2026-13-01", "20261121", "2026-W47-6", "2026-1-1", "2026-11-21T00:00", "٢٠٢٦-11-21", "x"],
)
def test_a_text_that_is_no_day_is_refused_with_the_right_form(text: str) -> None:
    """Only YYYY-MM-DD of a day that exists is a day, on every Python."""
    with pytest.raises(ValueError, match="2026-11-21"):
        parse_day(text)


def test_a_window_is_half_open() -> None:
    """The start is in it, the end is not."""
    window = Window("2026-02-27", "2026-03-02")
    assert list(window) == ["2026-02-27", "2026-02-28", "2026-03-01"]
    assert len(window) == 3
    assert str(window) == "2026-02-27 to 2026-03-01"
    assert (window.start_unix, window.end_unix) == (1772150400, 1772409600)


def test_a_window_of_no_days_cannot_be_made() -> None:
    """An empty or backward span is a fault of the caller."""
    with pytest.raises(ValueError, match="end after"):
        Window("2026-01-02", "2026-01-02")


@pytest.mark.parametrize(
    ("seconds", "day"),
    [(0, "1970-01-01"), (1793491200, "2026-11-01"), (1793491201, None), (-86400, "1969-12-31"), (10**18, None)],
)
def test_a_bucket_begins_at_utc_midnight_or_nowhere(seconds: int, day: str | None) -> None:
    """Unix seconds name a day only at its first instant."""
    assert day_of_unix(seconds) == day


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-11-01T00:00:00Z", "2026-11-01"),
        ("2026-11-01T00:00:00.000Z", "2026-11-01"),
        ("2026-11-01T00:00:00+00:00", "2026-11-01"),
        ("2026-11-01T02:00:00+02:00", "2026-11-01"),
        ("2026-11-01T00:00:00", None),
        ("2026-11-01T00:00:01Z", None),
        ("2026-11-01", None),
        ("", None),
        ("soon", None),
        ("0001-01-01T00:00:00+05:00", None),
        ("9999-12-31T00:00:00Z", "9999-12-31"),
    ],
)
def test_an_instant_names_a_day_only_at_its_first_moment_in_utc(text: str, day: str | None) -> None:
    """RFC 3339, whatever the offset; a time without an offset is not an instant."""
    assert day_of_instant(text) == day


@pytest.mark.parametrize(
    ("read", "status"),
    [("2026-11-01", "open"), ("2026-11-02", "provisional"), ("2026-12-05", "provisional"), ("2026-12-06", "settled")],
)
def test_a_day_is_settled_once_it_was_read_35_days_later(read: str, status: str) -> None:
    """What was read earlier than that may still be restated, however long ago it was read."""
    assert status_of("2026-11-01", read) == status


def test_the_first_run_is_due_for_every_day() -> None:
    """Nothing read: all 36 days of the span, today included."""
    assert len(due({})) == 36


def test_a_hole_is_due_however_old() -> None:
    """A day that was never read is asked for, between days that were."""
    reads = {day: read_on(TODAY) for day in span_of(35) if day != "2026-11-03"}
    assert "2026-11-03" in due(reads)


def test_every_run_reads_the_last_days_again() -> None:
    """Today and the three days before it, and no others while the weekly reading is not due."""
    reads = {day: read_on(TODAY) for day in span_of(35)}
    assert due(reads) == ["2026-11-19", "2026-11-20", "2026-11-21", "2026-11-22"]


def test_once_a_week_all_that_is_not_settled_is_read_again() -> None:
    """A day last read seven days ago brings the reading of all of them; a settled day stays out of it."""
    reads = {day: read_on("2026-11-15") for day in span_of(60)}
    found = due(reads, back=60)
    assert found[0] == "2026-10-12"  # read when it was 34 days old: never settled
    assert found[-1] == TODAY
    assert "2026-10-11" not in found  # read when it was 35 days old


def test_a_day_that_closed_long_ago_is_read_once_more_and_then_no_more() -> None:
    """Provisional when last read: due, and settled by that reading."""
    old = Window("2026-01-01", "2026-01-03")
    reads = {"2026-01-01": read_on("2026-01-05"), "2026-01-02": read_on("2026-03-01")}
    assert due_days(old, reads, now=NOW, fresh_since=NOW) == ["2026-01-01"]
    reads["2026-01-01"] = read_on(TODAY)
    assert due_days(old, reads, now=NOW, fresh_since=NOW) == []


def test_what_another_process_read_since_we_began_is_not_asked_for_twice() -> None:
    """Two runs at once make one set of requests."""
    reads = {day: Read("2026-11-22T08:59:59.000Z") for day in span_of(35)}
    assert due(reads, fresh_since="2026-11-22T08:59:58.500Z") == []


def test_what_a_wrong_clock_read_counts_for_nothing() -> None:
    """A run of a clock that was two months ahead does not settle days that were not over."""
    reads = {day: Read("2027-01-22T06:00:00.000Z") for day in span_of(35)}
    assert len(due(reads, fresh_since="2026-11-22T08:59:58.500Z")) == 36


def test_force_asks_for_everything() -> None:
    """Whatever is stored, and however fresh."""
    reads = {day: read_on(TODAY) for day in span_of(35)}
    assert len(due(reads, force=True)) == 36


def test_no_day_after_today_is_due() -> None:
    """A span may reach into the future; a request may not."""
    span = Window("2026-11-20", "2026-12-10")
    assert due_days(span, {}, now=NOW, fresh_since=NOW) == ["2026-11-20", "2026-11-21", "2026-11-22"]


def test_days_that_follow_each_other_are_one_window() -> None:
    """A hole splits; 62 days is the most that is stored together."""
    days = ["2026-01-01", "2026-01-02", "2026-01-05"]
    assert windows(days, today=TODAY) == [Window("2026-01-01", "2026-01-03"), Window("2026-01-05", "2026-01-06")]
    long = list(Window("2026-01-01", "2026-05-01"))
    assert [len(window) for window in windows(long, today=TODAY)] == [60, 60]


def test_a_window_is_cut_into_even_parts() -> None:
    """32 days in requests of 31: 16 and 16, so that the open day is never asked for alone."""
    assert [len(part) for part in Window("2026-01-01", "2026-02-02").parts(31)] == [16, 16]
    assert [len(part) for part in Window("2026-01-01", "2026-02-01").parts(31)] == [31]


def test_the_open_day_is_never_asked_for_alone() -> None:
    """A provider refuses a range without one complete day."""
    assert windows([TODAY], today=TODAY) == [Window("2026-11-21", "2026-11-23")]


def test_the_horizon_reaches_back_to_the_first_day_ever_asked_for() -> None:
    """Off for two months: all of it is looked after."""
    assert horizon(today=TODAY, first=None, lookback_days=35) == Window("2026-10-18", "2026-11-23")
    assert horizon(today=TODAY, first="2026-11-20", lookback_days=35) == Window("2026-10-18", "2026-11-23")
    assert horizon(today=TODAY, first="2026-09-01", lookback_days=35) == Window("2026-09-01", "2026-11-23")


def test_a_clock_ten_years_ahead_does_not_ask_for_ten_years() -> None:
    """Days that were asked for in vain stay due however old; days that nobody asked for do so for 400 days."""
    days = ["2026-09-01", "2026-09-02", "2035-10-18", "2035-10-19"]
    assert within_reach(days, today="2036-11-22", asked={"2026-09-02"}) == ["2026-09-02", "2035-10-19"]


@given(st.sets(st.integers(-400, 0)), st.dictionaries(st.integers(-400, 0), st.integers(0, 400)))
def test_windows_cover_exactly_the_due_days(wanted: set[int], read: dict[int, int]) -> None:
    """No due day is lost between planning and asking, and none is asked for twice."""
    days = sorted(add_days(TODAY, number) for number in wanted)
    asked = [day for window in windows(days, today=TODAY) for day in window]
    extra = [add_days(TODAY, -1)] if TODAY in days and add_days(TODAY, -1) not in days else []
    assert sorted(asked) == sorted([*days, *extra])
    assert len(set(asked)) == len(asked)
    reads = {add_days(TODAY, day): read_on(min(add_days(TODAY, day + later), TODAY)) for day, later in read.items()}
    found = due_days(span_of(400), reads, now=NOW, fresh_since=NOW)
    assert set(found) >= {day for day in span_of(400) if day not in reads}
