"""What makes answers fit to be stored: rows under their days, pages against their total, events added up."""

from __future__ import annotations

from decimal import Decimal

import pytest

from agent_os.core.days import Window, day_at
from agent_os.core.errors import PermanentError
from agent_os.core.model import Record, Row
from agent_os.core.paging import MovedError, Tally, Totals, rows_by_day

SPAN = Window("2026-11-20", "2026-11-23")


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("2026-11-21", "2026-11-21"),
        ("2026-11-21 00:00:00", "2026-11-21"),
        ("2026-11-21T00:00:00Z", "2026-11-21"),
        ("2026-11-21T00:00:00.000Z", "2026-11-21"),
        ("1795219200000", "2026-11-21"),
        ("1795305599999", "2026-11-21"),
        (1795305600000, "2026-11-22"),
    ],
)
def test_a_row_names_its_day_in_one_of_three_ways(value: object, day: str) -> None:
    """As text, as the instant at which it begins, as any millisecond of it."""
    assert day_at(value) == day


@pytest.mark.parametrize(
    "value",
    [
        None, True, "", "x", "2026-11-31", "2026-11-21T09:00:00Z", "21.11.2026", "20261121", 20261121, 1795219200,
        "1795219200", -1, 1.5, Decimal(1795219200000), "1" * 30, [], "2026-11-21ZZ",
    ],
)  # fmt: skip
def test_what_names_no_day_is_none(value: object) -> None:
    """An hour of a day, seconds since 1970 and other things that providers do not send here."""
    assert day_at(value) is None


def test_rows_stand_under_their_days_and_a_day_without_rows_is_one_too() -> None:
    """Each in the order in which it came."""
    rows = [{"d": "2026-11-21", "n": 1}, {"d": "2026-11-20", "n": 2}, {"d": "2026-11-21", "n": 3}]
    assert rows_by_day(rows, "d", window=SPAN) == [
        ("2026-11-20", [{"d": "2026-11-20", "n": 2}]),
        ("2026-11-21", [{"d": "2026-11-21", "n": 1}, {"d": "2026-11-21", "n": 3}]),
        ("2026-11-22", []),
    ]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (None, "no list of rows"),
        ({}, "no list of rows"),
        ([{}], "without a day in `d`"),
        ([None], "without a day in `d`"),
        ([{"d": "yesterday"}], "without a day in `d`"),
        ([{"d": "2026-11-23"}], "a row of 2026-11-23, which is outside 2026-11-20 to 2026-11-22"),
        ([{"d": "2026-11-19"}], "outside"),
    ],
)
def test_a_row_that_cannot_be_meant_is_refused(rows: object, told: str) -> None:
    """Not put under another day, not left out."""
    with pytest.raises(PermanentError, match=told):
        rows_by_day(rows, "d", window=SPAN)


def test_an_answer_may_be_wider_than_the_question() -> None:
    """Then rows of other days are none of it; one without a day is refused all the same."""
    rows = [{"d": "2026-11-19"}, {"d": "2026-11-21"}, {"d": "2026-11-23"}]
    found = rows_by_day(rows, "d", window=SPAN, is_wider=True)
    assert [(day, len(held)) for day, held in found] == [("2026-11-20", 0), ("2026-11-21", 1), ("2026-11-22", 0)]
    with pytest.raises(PermanentError, match="without a day"):
        rows_by_day([{"d": ""}], "d", window=SPAN, is_wider=True)


def test_pages_must_hold_what_they_announce() -> None:
    """The same total on each, and in the end so many rows."""
    tally = Tally()
    assert tally.add(100, total=150, more=True) is True
    assert tally.add(50, total=150, more=False) is False
    assert Tally().add(0, total=0, more=False) is False


@pytest.mark.parametrize(
    ("pages", "told"),
    [
        (
            [(2, 4, True), (2, 5, True)],
            "4 rows at first and 5 now",
        ),  # one came: one of the first page stands here again
        ([(2, 5, True), (2, 5, False)], "5 rows were announced and 4 came"),
        ([(2, 3, True), (2, 3, False)], "3 rows were announced and 4 came"),
    ],
)
def test_pages_that_moved_are_no_whole(pages: list[tuple[int, int, bool]], told: str) -> None:
    """A row may stand on two of them, or on none."""
    tally = Tally()
    *before, (count, total, more) = pages
    for page in before:
        tally.add(page[0], total=page[1], more=page[2])
    with pytest.raises(MovedError, match=told):
        tally.add(count, total=total, more=more)


@pytest.mark.parametrize(
    ("count", "total", "more"), [(1, None, False), (1, "1", False), (1, True, False), (1, 1, None), (0, 5, True)]
)
def test_pages_that_do_not_say_where_they_end_are_refused(count: int, total: object, more: object) -> None:
    """Else a loop would end too early, or never."""
    with pytest.raises(PermanentError):
        Tally().add(count, total=total, more=more)


def row(day: str = "2026-11-21") -> Row:
    return Row({}, day=day, report="events")


def test_events_become_lines() -> None:
    """Those that agree in all but their figures are added, exactly; all others stay apart."""
    totals = Totals()
    where = {"model": "m", "api_key": "ada"}
    totals.add([row().cost("0.1", "USD", where, quantity=1), row().usage(5, "tokens", where)])
    totals.add([row().cost("0.2", "USD", where, quantity="0.5"), row().usage(7, "tokens", where)])
    totals.add([row("2026-11-22").usage(1, "tokens", where), row().usage(1, "requests", where)])
    totals.add([row().cost("1", "EUR", where), row().usage("0.1", "cents", where), row().usage("0.9", "cents", where)])

    def shown(record: Record) -> tuple[object, ...]:
        return record.date, record.kind, record.quantity, record.unit, record.amount_nano, record.currency

    assert [shown(record) for record in totals.records()] == [
        ("2026-11-21", "cost", "1.5", "", 300_000_000, "USD"),
        ("2026-11-21", "usage", 12, "tokens", None, ""),
        ("2026-11-22", "usage", 1, "tokens", None, ""),
        ("2026-11-21", "usage", 1, "requests", None, ""),
        ("2026-11-21", "cost", None, "", 1_000_000_000, "EUR"),
        ("2026-11-21", "usage", 1, "cents", None, ""),
    ]
