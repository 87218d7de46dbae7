"""Summaries of the billing tracker: what they add up to, what they never add, and how they look."""

from __future__ import annotations

import io
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Optional

import pytest
from fakes.clock import ManualClock

from agent_os.core.days import Window
from agent_os.core.home import open_home
from agent_os.core.model import Batch, Record
from agent_os.core.posting import post
from agent_os.main import main
from apps.billing_tracker.chart import cells_in, drawn
from apps.billing_tracker.forecast import Forecast, forecast
from apps.billing_tracker.paper import Paper, columns
from apps.billing_tracker.spans import in_words
from tests.world import Answer, World

APP = str(Path(__file__).resolve().parent.parent / "apps" / "billing_tracker")
TODAY = "2026-11-22"
WORDS = ("day", "week", "month", "year", "provider", "project", "model", "line", "key", "account", "cost_type",
         "token_type", "tier")  # fmt: skip
BLANK: dict[str, Any] = {**dict.fromkeys(Record._fields, ""), "quantity": None, "amount_nano": None, "report": "costs"}
USD = 10**9


class Bills:
    """A home on 2026-11-22, filled by hand, and the program with the billing tracker."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self._capsys = capsys

    def post(
        self, provider: str, days: list[str], *records: Record, seen: str = TODAY, basis: str = "reported"
    ) -> None:
        """What a provider said of some days on the day `seen`."""
        home = open_home(str(self.folder), clock=self.clock, stderr=None)
        end = (date.fromisoformat(max(days)) + timedelta(days=1)).isoformat()
        batch = Batch(
            provider=provider, task=f"fetch_{provider}", window=Window(min(days), end), days=days, reports={"costs"},
            observed_at=f"{seen}T09:00:00.000Z", records=records, pages=(), currency="USD", notes=(), basis=basis,
        )  # fmt: skip
        post(home, batch, task="import")
        home.close()

    def run(self, *words: str) -> Answer:
        self._capsys.readouterr()
        code = main([*words, "--app", APP, "--home", str(self.folder)], clock=self.clock)
        return Answer(code, *self._capsys.readouterr())

    def summary(self, *words: str) -> Any:
        """What `summary --json` says."""
        answer = self.run("summary", "--json", *words)
        assert answer.code == 0, answer.err
        return json.loads(answer.out)


@pytest.fixture
def bills(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Bills:
    return Bills(tmp_path, capsys)


@pytest.fixture
def world(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    from agent_os.sandbox.server import Sandbox

    with Sandbox() as sandbox:
        yield World(tmp_path, sandbox, capsys)


def cost(day: str, nano: int, currency: str = "USD", **where: str) -> Record:
    return Record(**{**BLANK, "basis": "reported", **where, "date": day, "kind": "cost", "amount_nano": nano,
                     "currency": currency})  # fmt: skip


def usage(day: str, tokens: int, **where: str) -> Record:
    return Record(**{**BLANK, "basis": "reported", **where, "date": day, "kind": "usage", "quantity": tokens,
                     "unit": "tokens"})  # fmt: skip


def days(first: str, last: str) -> list[str]:
    return list(Window(first, (date.fromisoformat(last) + timedelta(days=1)).isoformat()))


def fill(bills: Bills) -> None:
    """Two providers that report, one of them with a hole; estimates of which some have no price; an import in euros."""
    november = [day for day in days("2026-11-01", TODAY) if day not in ("2026-11-07", "2026-11-09", "2026-11-10")]
    bills.post("acme", days("2026-10-01", "2026-10-31"), cost("2026-10-05", 31 * USD + 1, line_item="all"))
    bills.post("acme", november, *(cost(day, 2 * USD, line_item="all") for day in november[:-1]),
               usage("2026-11-02", 1000, model="m-1", project="p-1"))  # fmt: skip
    where = {"basis": "estimated", "model": "known", "price": "p1", "account": "anthropic"}
    bills.post(
        "claude_code", days("2026-11-01", TODAY), usage("2026-11-03", 500, **where),
        cost("2026-11-03", 1_500_000, cost_type="api_equivalent", **where),
        usage("2026-11-04", 77, basis="estimated", model="new", account="anthropic"), basis="estimated",
    )  # fmt: skip
    bills.post("mid", ["2026-10-03"], cost("2026-10-03", 30 * USD, "EUR", basis="imported"), basis="imported")


# --- what it adds up to -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [*((word,) for word in WORDS), ("month", "model"), ("project", "key"), ("week", "line")])
def test_the_groups_of_every_kind_add_up_to_the_total_exactly(world: World, by: tuple[str, ...]) -> None:
    """What a provider does not tell by a dimension stands there as not told: nothing is dropped, nothing counted twice.

    OpenAI's costs have no model, Anthropic's tokens no line.
    """
    world.collect("--since", world.day(10))
    words = [word for each in by for word in ("--by", each)]
    found = json.loads(world.run("summary", "--json", "--app", APP, "--since", world.day(10), *words).out)
    truth = [world.sandbox.ledger.truth(name, day) for name in ("openai", "anthropic") for day in world.days(10)]
    (total,) = found["totals"]
    assert (total["basis"], total["currency"]) == ("reported", "USD")
    assert nano(total["amount"]) == sum(each[1] for each in truth) > 0
    assert total["tokens"] == sum(each[0] for each in truth) > 0
    assert sum(nano(group["amount"]) for group in found["groups"]) == sum(each[1] for each in truth)
    assert sum(group["tokens"] or 0 for group in found["groups"]) == sum(each[0] for each in truth)


def nano(amount: Optional[str]) -> int:
    whole, _, fraction = (amount or "0").partition(".")
    return int(whole) * USD + int(fraction.ljust(9, "0") or 0) * (-1 if whole.startswith("-") else 1)


def test_amounts_stand_apart_by_basis_and_currency(bills: Bills) -> None:
    """Three kinds of money are three totals, exact to the last digit; tokens without a price are in none of them."""
    fill(bills)
    found = bills.summary()
    assert [(each["basis"], each["currency"], each["amount"], each["tokens"], each["unpriced_tokens"])
            for each in found["totals"]] == [
        ("reported", "USD", "67.000000001", 1000, 0),
        ("imported", "EUR", "30.00", None, 0),
        ("estimated", "USD", "0.0015", 577, 77),
    ]  # fmt: skip
    assert [
        (*each["by"].values(), each["amount"], each["share"], each["days_missing"]) for each in found["groups"]
    ] == [
        ("2026-10", "acme", "31.000000001", "46.3", 0),
        ("2026-10", "mid", "30.00", "100.0", 30),
        ("2026-11", "acme", "36.00", "53.7", 3),
        ("2026-11", "claude_code", "0.0015", "100.0", 0),
    ]


def test_what_is_not_told_is_null_and_has_its_money(bills: Bills) -> None:
    """By model, the money that has none stands under null; tokens that have one stand there without money."""
    fill(bills)
    found = bills.summary("--by", "model", "--provider", "acme")
    assert [(each["by"]["model"], each["amount"], each["currency"], each["tokens"]) for each in found["groups"]] == [
        (None, "67.000000001", "USD", None), ("m-1", None, None, 1000)
    ]  # fmt: skip
    text = bills.run("summary", "--by", "model", "--provider", "acme").out
    assert [line.split()[:2] for line in text.splitlines() if line.startswith("(not told) ")] == [["(not", "told)"]]
    assert "67.00" in next(line for line in text.splitlines() if line.startswith("(not told) "))


def test_days_that_are_missing_are_named_and_today_is_not_one(bills: Bills) -> None:
    """A day that was read and had nothing is not missing, nor is one that is not over; neither is a missing day 0."""
    fill(bills)
    found = bills.summary("--since", "2026-11-01")
    assert found["missing"] == [
        {"provider": "acme", "since": "2026-11-07", "last": "2026-11-07"},
        {"provider": "acme", "since": "2026-11-09", "last": "2026-11-10"},
        {"provider": "mid", "since": "2026-11-01", "last": "2026-11-21"},
    ]
    assert bills.summary("--since", "2026-11-01", "--until", "9999-12-31") == found
    assert "2026-11-07" not in [each["by"]["day"] for each in bills.summary("--by", "day")["groups"]]


def test_as_of_a_day_the_same_bytes_come_whatever_was_learned_since(bills: Bills) -> None:
    """A day that was restated, and days that came later, are not in what was known before; nor is the present day."""
    bills.post("acme", ["2026-11-01", "2026-11-02"], cost("2026-11-01", 5 * USD), seen="2026-11-02")
    first = {form: bills.run("summary", "--as-of", "2026-11-02", *form).out for form in ((), ("--json",))}
    bills.post("acme", days("2026-11-01", "2026-11-20"), cost("2026-11-01", 4 * USD), cost("2026-11-12", 9 * USD))
    bills.clock.pass_by(40 * 86_400)
    assert {form: bills.run("summary", "--as-of", "2026-11-02", *form).out for form in ((), ("--json",))} == first
    assert [each["amount"] for each in bills.summary("--as-of", "2026-11-02")["totals"]] == ["5.00"]
    assert bills.summary("--as-of", "2026-11-02")["days_provisional"] == {"acme": 1}
    assert [each["amount"] for each in bills.summary("--as-of", "2026-11-30")["totals"]] == ["13.00"]


def test_a_provider_that_had_nothing_is_told_from_one_that_said_nothing(bills: Bills) -> None:
    """Every day known and empty: that is said, and no day is missing."""
    bills.post("acme", days("2026-10-01", TODAY))
    found = bills.summary()
    assert (found["groups"], found["totals"], found["missing"], found["empty"]) == ([], [], [], ["acme"])
    assert "acme: nothing was used on the days that are known" in bills.run("summary").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--by", "colour"), "nothing is added up by 'colour'"),
        (("--by", "day", "--by", "model", "--by", "key"), "--by day --by model --by key"),
        (("--by", "day", "--by", "day"), "--by day --by day"),
        (("--as-of", "2026-11-23"), "--as-of 2026-11-23 lies in the future"),
        (("--as-of", "soon"), "--as-of is 'soon', which is no day"),
        (("--since", "2026-13-01"), "--since is '2026-13-01', which is no day"),
        (("--since", "2026-11-23"), "there is no day from --since 2026-11-23"),
        (("--until", "0001-01-01"), "no provider has anything from 0001-01-01"),
        (("--as-of", "0001-01-01"), "no provider has anything from 0001-01-01"),
        (("--since", "2026-11-05", "--until", "2026-11-05"), "there is no day from --since 2026-11-05"),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) else "",
)
def test_what_cannot_be_meant_is_a_sentence(bills: Bills, words: tuple[str, ...], said: str) -> None:
    """Exit 2, one line, nothing on standard output."""
    fill(bills)
    answer = bills.run("summary", *words)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert len(answer.err.splitlines()) == 1


def test_without_a_database_it_says_so(bills: Bills) -> None:
    """Exit 3, and nothing is made."""
    assert bills.run("summary").code == 3
    assert not (bills.folder / "agent_os.db").exists()


# --- how it looks -----------------------------------------------------------------------------------------------------

TABLE = """\
2026-10-01 to 2026-11-22, UTC days

reported, USD
month    provider  course            tokens    USD   share  missing
2026-10  acme      ▁▁█▁▁▁▁▁▁▁▁▁▁▁▁▁       -  31.00  46.3 %
2026-11  acme      ████ █████▅        1,000  36.00  53.7 %        3
total                                 1,000  67.00

imported, EUR
month    provider  course            tokens    EUR    share  missing
2026-10  mid        █                     -  30.00  100.0 %       30
total                                     -  30.00

estimated, USD
month    provider     course       tokens       USD    share
2026-11  claude_code  ▁█▁▁▁▁▁▁▁▁▁     577  ≥ 0.0015  100.0 %
total                                 577  ≥ 0.0015

missing: acme 2026-11-07, 2026-11-09 to 2026-11-10 (3 days); `gaps` says why
missing: claude_code 2026-10-01 to 2026-10-31 (31 days); `gaps` says why
missing: mid 2026-10-01 to 2026-10-02, 2026-10-04 to 2026-11-21 (51 days);
  `gaps` says why
77 tokens unpriced: the money is a lower bound; `prices check` says of which
  models
provisional, may still be restated: acme 31 days, claude_code 21 days
estimated = API-equivalent: tokens at list prices; a subscription is not billed
  by them.
"""


def test_the_table_is_this(bills: Bills) -> None:
    """Known days without anything are low, unknown ones blank; each kind of money has its own table and total."""
    fill(bills)
    assert bills.run("summary").out == TABLE


@pytest.mark.parametrize(
    "by", [("model",), ("project", "key"), ("line", "project"), ("day", "model"), ("week", "line")]
)
def test_everything_fits_80_columns_however_long_its_names(bills: Bills, by: tuple[str, ...]) -> None:
    """What is too long loses its middle: both ends tell names apart."""
    name = "a-name-of-" + "x" * 150
    bills.post("acme", ["2026-11-02"], *(
        cost("2026-11-02", 123_456_789 * USD + number, model=f"{name}{number}", project=f"{name}é{number}",
             line_item=f"項目{name}{number}", api_key=f"{name}{number}") for number in range(3)
    ), usage("2026-11-02", 10**12))  # fmt: skip
    text = bills.run("summary", *(word for each in by for word in ("--by", each))).out
    assert max(columns(line) for line in text.splitlines()) <= 80
    assert "…" in text
    assert "370,370,367.00" in text


class Screen(io.TextIOWrapper):
    """A stream with an encoding that is a terminal, or is none."""

    def __init__(self, encoding: str, *, is_terminal: bool) -> None:
        super().__init__(io.BytesIO(), encoding=encoding)
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


@pytest.mark.parametrize(
    ("screen", "no_color", "term", "is_unicode", "has_colour"),
    [
        (Screen("utf-8", is_terminal=True), "", "xterm", True, True),
        (Screen("utf-8", is_terminal=True), "1", "xterm", True, False),
        (Screen("utf-8", is_terminal=True), "", "dumb", True, False),
        (Screen("utf-8", is_terminal=False), "", "xterm", True, False),
        (Screen("ascii", is_terminal=True), "", "xterm", False, True),
        (Screen("latin-1", is_terminal=False), "", "", False, False),
        (None, "", "", False, False),
    ],
)
def test_colour_and_blocks_are_for_who_can_show_them(screen, no_color, term, is_unicode, has_colour) -> None:
    """Colour is for terminals without NO_COLOR; where blocks cannot be written, letters stand for them."""
    paper = Paper.of(screen, no_color=no_color, term=term)
    assert (paper.width, paper.is_unicode, paper.has_colour) == (80, is_unicode, has_colour)


def test_a_pipe_that_takes_ascii_gets_ascii(bills: Bills, monkeypatch: pytest.MonkeyPatch) -> None:
    """Courses, cut names and the sign of a lower bound."""
    fill(bills)
    screen = Screen("ascii", is_terminal=False)
    monkeypatch.setattr("sys.stdout", screen)
    main(["summary", "--by", "provider", "--app", APP, "--home", str(bills.folder)], clock=bills.clock)
    screen.flush()
    text = screen.buffer.getvalue().decode("ascii")
    assert ">= 0.0015" in text
    assert "\\u" not in text
    assert "acme      _#" in text


def test_a_course_is_one_character_for_so_many_neighbours() -> None:
    """A blank is what nobody told; 0 is the lowest level; the largest is the highest."""
    cells = cells_in("day", "2026-11-01", "2026-11-09")
    assert drawn({cells[0]: 0, cells[1]: 4, cells[3]: 8}, cells=cells, width=8, levels="12345678") == "15 8    "
    assert drawn({cells[0]: 1, cells[1]: 1, cells[2]: 4}, cells=cells, width=4, levels="12345678") == "38  "
    assert drawn({cells[0]: 4, cells[2]: 4}, cells=cells, width=4, levels="12345678") == "88  "
    assert (
        drawn({cells[0]: 2, cells[2]: 4, cells[3]: 4}, cells=cells, width=4, levels="12345678", is_whole=False)
        == "38  "
    )
    assert drawn({cells[0]: -5}, cells=cells[:1], width=4, levels="12345678") == "1"
    assert cells_in("week", "2026-11-01", "2026-11-10") == ["2026-10-26", "2026-11-02", "2026-11-09"]
    assert cells_in("month", "2026-12-31", "2027-02-02") == ["2026-12", "2027-01", "2027-02"]
    assert cells_in("year", "2026-12-31", "2027-02-02") == ["2026", "2027"]


def test_days_are_said_in_few_words() -> None:
    """Neighbours as a range, the count at the end, at most six ranges."""
    assert in_words(["2026-11-07"]) == "2026-11-07 (1 day)"
    assert in_words(["2026-10-31", "2026-11-01", "2026-11-03"]) == "2026-10-31 to 2026-11-01, 2026-11-03 (3 days)"
    assert in_words(days("2026-11-01", "2026-11-20")[::2]).endswith("2026-11-11, ... (10 days)")


# --- the forecast -----------------------------------------------------------------------------------------------------


def known(first: str, *amounts: int) -> dict[str, int]:
    start = date.fromisoformat(first)
    return {(start + timedelta(number)).isoformat(): amount for number, amount in enumerate(amounts)}


@pytest.mark.parametrize(
    ("costs", "today", "floor", "expected"),
    [
        # 8 days known (D-2 and older), 22 left; quartiles of 1..8 are 2 and 7, the mean 4.5
        (known("2026-11-01", 1, 2, 3, 4, 5, 6, 7, 8, 900, 900), "2026-11-10", 36, (36 + 44, 36 + 154, 36 + 99, 8, 22)),
        # one outlier: the mean is above the upper quartile, and takes its place
        (known("2026-11-01", 1, 1, 1, 1, 1, 1, 1, 993), "2026-11-10", 0, (1000 + 22, 1000 + 2750, 1000 + 2750, 8, 22)),
        # a gap is a day that is left, never a zero
        ({**known("2026-11-01", 4, 4), **known("2026-11-05", 4, 4)}, "2026-11-10", 0, (120, 120, 120, 4, 26)),
        # of the days before, the last 28 count
        (known("2026-09-01", *[9] * 30, *[2] * 31, 2), "2026-11-03", 0, (60, 60, 60, 1, 29)),
        # what has come to more already is not taken back
        (known("2026-11-01", 1, 1, 1), "2026-11-05", 500, (500, 500, 500, 3, 27)),
        # rounded once, to a unit
        (known("2026-11-01", 0, 0, 1), "2026-11-05", 0, (1, 28, 10, 3, 27)),
        (known("2026-11-01", 1, 1, 1), "2026-11-02", 0, None),
        (known("2026-10-29", 1, 1, 1), "2026-11-03", 0, None),
        (known("2026-11-01", 1, 1), "2026-11-20", 0, None),
        (known("2026-11-29", 1, 1, 1), "2026-12-04", 0, (31, 31, 31, 1, 30)),
        ({}, "2026-11-20", 0, None),
    ],
    ids=["range", "outlier", "gap", "28 days", "floor", "rounding", "day 2", "none of this month", "two days",
         "from last month on", "nothing"],
)  # fmt: skip
def test_a_forecast_is_a_range_of_settled_days(costs, today, floor, expected) -> None:
    """Days that are younger than D-2 are not drawn from; without enough of them there is none."""
    assert forecast(costs, today=today, floor=floor) == (Forecast(*expected) if expected else None)


# --- the tasks --------------------------------------------------------------------------------------------------------


def test_the_months_are_these(bills: Bills) -> None:
    """Days known of those that are over, unknown where nothing is; a forecast as a range, or that there is none."""
    fill(bills)
    answer = bills.run("--task", "billing_summary")
    assert answer.code == 0
    assert max(columns(line) for line in answer.out.splitlines()) <= 80
    rows = [line.split() for line in answer.out.splitlines()]
    for row in (
        ["acme", "18/21", "1,000", "36.00", "USD", "reported"],
        ["claude_code", "21/21", "577", "≥", "0.0015", "USD", "estimated"],
        ["mid", "0/21", "unknown", "unknown"],
        ["acme", "31/31", "0", "31.00", "USD", "reported"],
        ["claude_code", "0/31", "unknown", "unknown"],
        ["mid", "1/31", "not", "told", "30.00", "EUR", "imported"],
        ["acme", "36.00", "60.00", "13", "left", "USD", "reported"],
        ["mid", "no", "forecast", "EUR", "imported"],
        ["missing:", "acme", "2026-11-07,", "2026-11-09", "to", "2026-11-10", "(3", "days);", "`gaps`", "says", "why"],
    ):
        assert row in rows, answer.out


def test_an_empty_home_is_told_what_to_do(bills: Bills) -> None:
    """No table of nothing."""
    answer = bills.run("--task", "billing_summary")
    assert (answer.code, answer.out) == (
        0, "nothing is stored for this month or the last: `--task run_all` collects, `providers` says from where\n"
    )  # fmt: skip


def test_the_daily_report_comes_although_a_collector_failed(world: World) -> None:
    """It collects from everywhere, names what failed and why, and shows the rest; the exit says that not all is well.

    The next one, with a key that is right, has everything.
    """
    world.keys["ANTHROPIC_ADMIN_KEY"] = "sk-ant-admin01-wrong"
    world.write_env()
    answer = world.run("--task", "daily_report", "--app", APP)
    assert answer.code == 1
    assert f"Daily report of {world.today}" in answer.out
    assert "failed: anthropic: " in answer.out
    assert [line.split()[0] for line in answer.out.splitlines() if line.endswith("USD  reported")].count("openai") == 3
    assert world.stored("openai") == world.truth("openai", world.days())
    world.keys["ANTHROPIC_ADMIN_KEY"] = world.sandbox.anthropic_key
    world.write_env()
    second = world.run("--task", "daily_report", "--app", APP)
    assert (second.code, "failed" in second.out) == (0, False)
    assert "anthropic" in second.out


def test_a_provider_that_could_never_be_read_is_missing_not_absent(world: World) -> None:
    """Its first run failed: its days are named and its cost is unknown, in the report and in every later summary."""
    world.keys["ANTHROPIC_ADMIN_KEY"] = "sk-ant-admin01-wrong"
    world.write_env()
    report = world.run("--task", "daily_report", "--app", APP).out
    assert "those of the last reading" not in report
    assert "what it has cost is in no figure here" in " ".join(report.split())
    for text in (report, world.run("--task", "billing_summary", "--app", APP).out):
        rows = [line.split() for line in text.splitlines() if line.startswith("anthropic")]
        assert [row[2:] for row in rows if row[1].startswith("0/")] == [["unknown", "unknown"]] * 2, text
        assert "missing: anthropic " in text


def test_the_daily_report_needs_no_provider_in_particular(world: World) -> None:
    """Whoever has one key has a report; what is not set up fails nothing."""
    del world.keys["ANTHROPIC_ADMIN_KEY"]
    world.write_env()
    answer = world.run("--task", "daily_report", "--app", APP)
    assert (answer.code, "failed" in answer.out) == (0, False)
