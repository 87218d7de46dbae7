"""Budgets and alerts of the billing tracker, from figures that are stored to messages that are there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alerting import Bills, bills_in, cost, month

NOVEMBER = "ALERT_THRESHOLD/2026-11-01/actual/100"


@pytest.fixture
def bills(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Bills]:
    with bills_in(tmp_path, capsys, monkeypatch) as made:
        yield made


# --- once -------------------------------------------------------------------------------------------------------------


def test_the_threshold_of_the_env_file_is_said_once_a_month(bills: Bills) -> None:
    """Below it nothing, at it one message, above it no more; the next month begins anew."""
    bills.bill(month("60", "39.99"))
    assert bills.check().out.strip().endswith("nothing to tell")
    bills.bill({"2026-11-03": "0.01"})
    bills.check()
    assert bills.channels.alerts() == [NOVEMBER]
    bills.bill({"2026-11-04": "500"})
    bills.check()
    bills.check()
    assert bills.channels.alerts() == [NOVEMBER]
    bills.move_to("2026-12-02T09:00:00")
    bills.bill({"2026-12-01": "100"})
    bills.check()
    assert bills.channels.alerts() == [NOVEMBER, "ALERT_THRESHOLD/2026-12-01/actual/100"]


def test_a_message_holds_its_evidence(bills: Bills) -> None:
    """Amount, budget, percent, causes, as of, missing days, basis, run, how to see it again, and its id."""
    bills.bills([cost("2026-11-01", "70.15", project="web", model="m-1"), cost("2026-11-01", "34.05", project="batch")])
    bills.bill({"2026-11-20": "0"}, provider="acme")
    bills.check()
    shown = bills.embed()
    assert shown["title"] == "Budget ALERT_THRESHOLD: 100 % of 100.00 USD a month"
    assert shown["description"] == "104.20 USD were spent in the month from 2026-11-01."
    ((run,),) = bills.rows("SELECT id FROM runs WHERE task = 'check_budgets'")
    assert shown["fields"] == {
        "spent": "104.20 USD (reported)",
        "budget": "104 % of 100.00 USD a month, everything",
        "cause 1": "70.15 USD: acme / web / m-1 / tokens",
        "cause 2": "34.05 USD: acme / batch / tokens",
        "cause 3": "0.00 USD: acme / tokens",
        "data as of": "2026-11-22T09:00:00.000Z",
        "days missing": "19: 2026-11-02 (acme), 2026-11-03 (acme), 2026-11-04 (acme), 2026-11-05 (acme),"
        " 2026-11-06 (acme) and 14 more",
        "run": run,
        "again": "`billing_tracker.pyz summary --by project --since 2026-11-01 --until 2026-12-01 --as-of 2026-11-22`",
    }
    assert shown["footer"] == {"text": f"alert {NOVEMBER}"}


def budget(bills: Bills, text: str, name: str = "team") -> None:
    bills.env(ALERT_THRESHOLD=None)
    bills.ini(f"[budget:{name}]\n{text}\n")


def test_a_jump_over_several_levels_is_one_message_with_the_highest(bills: Bills) -> None:
    """The lower levels close with it, whatever comes next."""
    budget(bills, "amount = 50.00 USD\nlevels = 50, 80, 100, 150")
    bills.bill({"2026-11-01": "1"})
    bills.check()
    bills.bill({"2026-11-02": "41"})
    bills.check()
    assert bills.channels.alerts() == ["team/2026-11-01/actual/80"]
    bills.bill({"2026-11-03": "100"})
    bills.check()
    bills.check()
    assert bills.channels.alerts() == ["team/2026-11-01/actual/80", "team/2026-11-01/actual/150"]


def test_first_enabling_says_where_the_current_period_stands_and_nothing_of_the_past(bills: Bills) -> None:
    """October was far over: silence. November is over 80 %: one message, not one for 50 % as well."""
    budget(bills, "amount = 50 USD")
    bills.bill({"2026-10-05": "900", "2026-11-01": "45"})
    bills.check()
    assert bills.channels.alerts() == ["team/2026-11-01/actual/80"]


def test_a_period_that_is_over_is_still_judged_when_its_last_days_come_late(bills: Bills) -> None:
    """The bill of the 30th comes on the 2nd: the alert is about November."""
    bills.bill({"2026-11-01": "99"})
    bills.check()
    bills.move_to("2026-12-02T09:00:00")
    bills.bill({"2026-11-30": "5"})
    bills.check()
    assert bills.channels.alerts() == [NOVEMBER]


def test_days_that_were_spent_switched_off_are_judged_when_it_is_on_again(bills: Bills) -> None:
    """A budget by day says each day that was over, though nobody looked for a week."""
    budget(bills, "amount = 10 USD\nperiod = day\nlevels = 100")
    bills.bill({"2026-11-22": "1"})
    bills.check()
    bills.pass_days(8)
    bills.bill({"2026-11-24": "11", "2026-11-26": "12", "2026-11-27": "9"})
    bills.check()
    assert bills.channels.alerts() == ["team/2026-11-24/actual/100", "team/2026-11-26/actual/100"]


def test_a_raised_amount_arms_the_levels_that_are_not_true_any_more(bills: Bills) -> None:
    """50 % of 200 is still true and was said; 80 % is not, and will be said again."""
    budget(bills, "amount = 100 USD")
    bills.bill({"2026-11-01": "120"})
    bills.check()
    budget(bills, "amount = 200 USD")
    bills.check()
    assert bills.channels.alerts() == ["team/2026-11-01/actual/100"]
    bills.bill({"2026-11-02": "45"})
    bills.check()
    bills.check()
    assert bills.channels.alerts() == ["team/2026-11-01/actual/100", "team/2026-11-01/actual/80/r2"]


def test_a_lowered_amount_says_the_highest_level_that_is_new(bills: Bills) -> None:
    """What is true now and was not said is said, once."""
    budget(bills, "amount = 100 USD")
    bills.bill({"2026-11-01": "55"})
    bills.check()
    budget(bills, "amount = 50 USD")
    bills.check()
    bills.check()
    assert bills.channels.alerts() == ["team/2026-11-01/actual/50", "team/2026-11-01/actual/100/r2"]


def test_a_budget_counts_its_scope_its_currency_and_its_basis(bills: Bills) -> None:
    """Other providers, projects, models, currencies and estimates are none of its business; imports are."""
    bills.env(ALERT_THRESHOLD=None)
    bills.ini(
        "[budget:web]\namount = 10 USD\nlevels = 100\nproject = web\n"
        "[budget:model]\namount = 10 USD\nlevels = 100\nmodel = m-1\n"
        "[budget:euro]\namount = 10 EUR\nlevels = 100\n"
        "[budget:logs]\namount = 10 USD\nlevels = 100\nbasis = estimated\n"
        "[budget:other]\namount = 10 USD\nlevels = 100\nprovider = other\n"
        "[budget:all]\namount = 33 USD\nlevels = 100\n"
    )
    bills.bills([cost("2026-11-01", "6", project="web", model="m-1"), cost("2026-11-01", "6", project="web")])
    bills.bill({"2026-11-01": "50"}, provider="claude_code", basis="estimated")
    bills.bills([cost("2026-11-01", "9", code="EUR")], provider="eu")
    bills.bill({"2026-11-02": "20"}, provider="sheet", basis="imported")
    bills.check()
    assert set(bills.channels.alerts()) == {"web/2026-11-01/actual/100", "logs/2026-11-01/actual/100"}
    bills.bill({"2026-11-03": "1"}, provider="sheet", basis="imported")
    bills.check()
    assert bills.channels.alerts()[-1] == "all/2026-11-01/actual/100"
    assert bills.embed()["fields"]["spent"] == "33.00 USD (reported and imported)"


def test_a_day_that_is_reported_and_imported_counts_once(bills: Bills) -> None:
    """The reported figure is the day's; bases are never added."""
    bills.bills([cost("2026-11-01", "60"), cost("2026-11-01", "60", basis="imported")])
    bills.bill({"2026-11-02": "39"}, basis="imported")
    bills.check()
    assert bills.channels.alerts() == []


# --- forecasts --------------------------------------------------------------------------------------------------------


def test_a_forecast_begins_on_the_third_settled_day_and_is_a_range(bills: Bills) -> None:
    """4 a day makes 120 in November; the two newest days are not believed."""
    budget(bills, "amount = 100 USD\nlevels = 100\nkind = actual, forecast")
    bills.move_to("2026-11-04T09:00:00")
    bills.bill(month("3", "4", "5", "900"))
    bills.bill(month("3", "4", "50"))
    bills.bill({"2026-11-04": "0"})
    bills.check()
    assert bills.channels.alerts() == []
    bills.bill({"2026-11-03": "5"})
    bills.move_to("2026-11-05T09:00:00")
    bills.bill({"2026-11-04": "0"})
    bills.check()
    bills.check()
    assert bills.channels.alerts() == ["team/2026-11-01/forecast/100"]
    shown = bills.embed()
    assert shown["title"] == "Budget team: 100 % of 100.00 USD a month expected"
    assert shown["description"] == "The month from 2026-11-01 is expected to come to 120.00 USD."
    assert shown["fields"]["forecast"] == "93.00 to 147.00 USD, from settled days"


def test_nothing_is_forecast_from_incomplete_days(bills: Bills) -> None:
    """One settled day is missing: no forecast, however much the others cost."""
    budget(bills, "amount = 100 USD\nlevels = 100\nkind = actual, forecast")
    bills.move_to("2026-11-08T09:00:00")
    bills.bill(month("10", "10", "10"))
    bills.bill(month("10", "10", first=5))
    bills.check()
    assert bills.channels.alerts() == []
    bills.bill({"2026-11-04": "10"})
    bills.check()
    assert bills.channels.alerts() == ["team/2026-11-01/forecast/100"]


def test_what_is_spent_already_is_not_forecast(bills: Bills) -> None:
    """90 of 100 are spent: 80 % is no news; that 100 % is to come is."""
    budget(bills, "amount = 100 USD\nlevels = 80\nkind = actual, forecast")
    bills.move_to("2026-11-06T09:00:00")
    bills.bill(month("30", "30", "30", "0", "0"))
    bills.check()
    assert bills.channels.alerts() == ["team/2026-11-01/actual/80"]
    budget(bills, "amount = 100 USD\nlevels = 50, 80, 100\nkind = actual, forecast")
    bills.check()
    bills.check()
    assert bills.channels.alerts() == ["team/2026-11-01/actual/80", "team/2026-11-01/forecast/100"]


# --- restatements -----------------------------------------------------------------------------------------------------


def test_a_restated_figure_edits_the_message_that_told_it(bills: Bills) -> None:
    """Was 104.20, now 96.80: the same message in the channel, and no second one."""
    bills.bill(month("100", "4.20"))
    bills.check()
    bills.bill({"2026-11-02": "-3.20"})
    bills.check()
    bills.check()
    assert list(bills.channels.messages) == ["1180000000000001000"]
    assert [each.method for each in bills.channels.taken] == ["POST", "PATCH"]
    shown = bills.embed()
    assert shown["title"] == "Budget ALERT_THRESHOLD: 100 % of 100.00 USD a month, restated"
    assert shown["description"] == "Restated: was 104.20 USD, now 96.80 USD."
    assert shown["footer"]["text"] == f"alert {NOVEMBER}/restated/1"


def test_a_figure_that_grows_or_has_holes_is_not_restated(bills: Bills) -> None:
    """More is no restatement; and where a day went missing nobody knows what it came to."""
    bills.bill(month("100", "4.20"))
    bills.check()
    bills.bill(month("100", "9"))
    bills.check()
    bills.change("DELETE FROM results WHERE date = '2026-11-02'")
    bills.change("UPDATE result_lines SET superseded_at = '2026-11-22T08:00:00.000Z' WHERE date = '2026-11-02'")
    bills.check()
    assert [each.method for each in bills.channels.taken] == ["POST"]


def test_a_message_that_somebody_deleted_is_followed_by_another(bills: Bills) -> None:
    """There is nothing to edit: it is sent as one of its own."""
    bills.bill(month("104.20"))
    bills.check()
    bills.channels.messages.clear()
    bills.bill(month("96.80"))
    bills.check()
    assert bills.channels.alerts() == [f"{NOVEMBER}/restated/1"]


# --- days that stand out ----------------------------------------------------------------------------------------------


def spike_home(bills: Bills, amount: str) -> None:
    bills.env(ALERT_THRESHOLD=None)
    bills.bill(month(*["10", "11", "9", "10", "10", "11", "9", "10", "10", "10", "11", "9"]))
    bills.move_to("2026-11-14T09:00:00")
    bills.check()
    bills.bill({"2026-11-13": amount})
    bills.move_to("2026-11-15T09:00:00")
    bills.check()
    bills.check()


@pytest.mark.parametrize(("amount", "is_told"), [("12.23", True), ("12.22", False), ("7.77", True), ("0", False)])
def test_a_day_stands_out_by_median_and_deviation(bills: Bills, amount: str, is_told: bool) -> None:
    """Median 10, MAD 0.50: more than 3 x 0.7413 away, either way. Zero is a matter of the collector."""
    spike_home(bills, amount)
    assert bills.posted() == (["spike/acme/2026-11-13/USD"] if is_told else [])


def test_a_spike_prints_its_constants(bills: Bills) -> None:
    """So that a person can do it again."""
    spike_home(bills, "30")
    shown = bills.embed()
    assert shown["title"] == "acme: 2026-11-13 is unusually high"
    assert shown["fields"]["median"] == "10.00 USD, MAD 0.50, scale 0.74"
    assert shown["fields"]["rule"] == (
        "|x - median| > 3 x max(1.4826 MAD, 5 % of median, 0.50) and >= 10 % of median,"
        " over the 12 observed days before"
    )


# --- collectors -------------------------------------------------------------------------------------------------------


def failed(bills: Bills, task: str, error: str | None, at: str) -> None:
    status = "failed" if error else "success"
    bills.change(
        "INSERT INTO runs(id, plugin_name, status, started_at, finished_at, error, task, invocation_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, '')",
        f"{at}-{task}", task[6:], status, at, at, error, task,
    )  # fmt: skip


def test_a_message_names_the_provider_of_which_nothing_was_ever_read(bills: Bills) -> None:
    """Its collector has failed since the first run: whatever it has cost is not in the amount."""
    bills.bill(month("101", *["0"] * 20))
    failed(bills, "fetch_other", "HTTP 401", "2026-11-22T09:00:00.000Z")
    bills.check()
    (told,) = [bills.embed(place)["fields"] for place in (0, 1) if "budget" in bills.embed(place)["fields"]]
    assert told["days missing"] == "all of other, which could not be read; of the others: none"


def test_a_failed_collector_is_told_once_reminded_daily_and_told_when_well(bills: Bills) -> None:
    """And nothing about money follows from it."""
    bills.bill(month(*["1"] * 21))
    bills.check()
    failed(bills, "fetch_acme", "HTTP 401", "2026-11-22T09:00:00.000Z")
    bills.check()
    bills.check()
    begun = "collector/fetch_acme/failed/2026-11-22T09:00:00.000Z"
    assert bills.posted() == [f"{begun}/began"]
    assert bills.embed()["description"] == "HTTP 401"
    bills.clock.pass_by(24 * 3600 - 1)
    bills.check()
    assert bills.posted() == [f"{begun}/began"]
    bills.clock.pass_by(1)
    bills.check()
    bills.check()
    assert bills.posted() == [f"{begun}/began", f"{begun}/reminder/1"]
    failed(bills, "fetch_acme", None, "2026-11-23T09:10:00.000Z")
    bills.check()
    bills.check()
    assert bills.posted() == [f"{begun}/began", f"{begun}/reminder/1", f"{begun}/recovered"]


def test_an_error_of_any_length_fits(bills: Bills) -> None:
    """A provider may answer with a page: 4,096 characters of it are shown."""
    bills.bill(month(*["1"] * 21))
    failed(bills, "fetch_acme", "💶" * 9000, "2026-11-22T09:00:00.000Z")
    bills.check()
    assert set(bills.statuses().values()) == {"sent"}
    assert bills.embed()["description"].endswith("💶…")


def test_a_silent_collector_is_told_and_one_that_was_silent_before_is_not(bills: Bills) -> None:
    """Three days without a figure; what had stopped before alerts were set up is the past."""
    bills.bill(month("1", "1"), provider="old")
    bills.bill(month(*["1"] * 22))
    bills.check()
    assert bills.posted() == []
    failed(bills, "fetch_acme", None, "2026-11-22T09:10:00.000Z")
    bills.pass_days(3)
    bills.check()
    assert bills.posted() == ["collector/fetch_acme/silent/2026-11-25T09:00:00.000Z/began"]
    assert bills.embed()["description"] == "nothing of acme is known after 2026-11-22"


def test_a_zero_after_days_with_cost_is_the_collectors(bills: Bills) -> None:
    """An empty page looks like a day without use: the collector is told of, not the cost."""
    failed_at = "2026-11-20T09:00:00.000Z"
    bills.bill(month(*["5"] * 19))
    failed(bills, "fetch_acme", None, failed_at)
    bills.check()
    bills.bill({"2026-11-20": "0", "2026-11-21": "0"})
    bills.check()
    bills.check()
    assert bills.posted() == ["collector/fetch_acme/zero/2026-11-22T09:00:00.000Z/began"]


# --- what cannot be meant ---------------------------------------------------------------------------------------------


def test_no_section_takes_the_name_of_the_threshold(bills: Bills) -> None:
    """What was said is kept by name: one of them would silence the other."""
    budget(bills, "amount = 50", name="ALERT_THRESHOLD")
    assert "[budget:ALERT_THRESHOLD] is the name of the one in .env; choose another" in bills.check(3).err


@pytest.mark.parametrize(
    ("env", "ini", "told"),
    [
        ({"ALERT_THRESHOLD": "lots"}, "", ["ALERT_THRESHOLD is 'lots'; give an amount of more than nothing"]),
        ({"ALERT_THRESHOLD": "0"}, "", ["ALERT_THRESHOLD is '0'"]),
        ({"ALERT_THRESHOLD": "-5"}, "", ["ALERT_THRESHOLD is '-5'"]),
        ({"ALERT_THRESHOLD": "1e3"}, "", ["ALERT_THRESHOLD is '1e3'"]),
        ({}, "period = month", ["[budget:a] has no amount; write amount = 50.00 USD"]),
        ({}, "amount = 5 USB", ["[budget:a] amount is in 'USB', which is no currency; did you mean"]),
        ({}, "amount = 5\nlevels = 50, all", ["[budget:a] levels has 'all'; give whole percents from 1 to 1000"]),
        ({}, "amount = 5\nlevels = 0", ["levels has '0'"]),
        ({}, "amount = 5\nkind = forcast", ["[budget:a] kind is 'forcast'; did you mean forecast?"]),
        ({}, "amount = 5\nperiod = day\nkind = forecast", ["a day has none"]),
        ({}, "amuont = 5", ["amuont is no option; did you mean amount?", "has no amount", "2 faults in the budgets"]),
        ({}, "amount = 5\nchannels = slack", ["[budget:a] channels is 'slack'; it is one of discord"]),
        ({"DISCORD_WEBHOOK_URL": "hello"}, "", ["DISCORD_WEBHOOK_URL is no address"]),
        ({"DISCORD_WEBHOOK_URL": "https://discord.com/secret-page"}, "", ["there is no /webhooks/ in it"]),
        ({"SLACK_WEBHOOK_URL": "http://hooks.slack.com/secret-1"}, "", ["does not begin with https://"]),
        (
            {"ALERT_WEBHOOK_URL": "https://example.com/secret-1"}, "",
            ["is at example.com, which has to be allowed: AGENT_OS_ALLOWED_HOSTS=example.com"],
        ),
        ({"SMTP_HOST": "mail"}, "", ["email needs SMTP_FROM, which is not set; 2. email needs SMTP_TO"]),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_one_sentence_and_nothing_is_sent(
    bills: Bills, env: dict[str, str], ini: str, told: list[str]
) -> None:
    """All faults at once, exit 3; no state, no message, no secret of an address."""
    bills.env(**{"ALERT_THRESHOLD": None, **env})
    if ini:
        bills.ini(f"[budget:a]\n{ini}\n")
    bills.bill({"2026-11-01": "1000"})
    answer = bills.check(code=3)
    for words in told:
        assert words in answer.err
    assert "secret" not in answer.err
    assert bills.state() == {}
    assert bills.posted() == []
    assert bills.channels.asked == 0


def test_without_a_channel_the_alert_is_printed_and_says_so(bills: Bills) -> None:
    """Nobody is told, and whoever reads the output knows."""
    bills.env(DISCORD_WEBHOOK_URL=None, ALERT_THRESHOLD="1")
    bills.bill({"2026-11-01": "1000"})
    assert "no channel is set up, so nobody was told" in bills.check().out


# --- the verb ---------------------------------------------------------------------------------------------------------


def test_the_list_says_what_was_told_and_what_is_armed(bills: Bills) -> None:
    """A line a budget, a line an alert with what became of it."""
    budget(bills, "amount = 50 USD")
    bills.bill({"2026-11-01": "30"})
    assert "team    month 2026-11-01  30.00  50.00  USD       20        actual 50 80 100 %" in bills.verb("list").out
    bills.channels.moods = ["429"]
    bills.check()
    out = bills.verb().out
    assert "channels: discord" in out
    assert "team    month 2026-11-01  30.00  50.00  USD       20  actual 50 %  actual 80 100 %" in out
    assert "team/2026-11-01/actual/50  discord waiting (127.0.0.1" in out


def test_what_is_not_known_is_not_shown_as_zero(bills: Bills) -> None:
    """A budget of which nothing is stored."""
    bills.bill({"2026-10-01": "30"})
    assert "month 2026-11-01  unknown  100.00  USD" in bills.verb("list").out


def test_a_test_message_is_sent_at_once_and_says_what_came_back(bills: Bills) -> None:
    """0 where it was taken; 1 and the server's word where it was not."""
    bills.bill({"2026-11-01": "1"})
    assert bills.verb("test", "discord").out == "discord: sent\n"
    assert bills.embed()["title"] == "A test"
    bills.channels.moods = ["404"]
    out = bills.verb("test", "discord", code=1).out
    assert out.startswith("discord: parked: 127.0.0.1")
    assert "404: no, 404" in out
    assert "is not set up" in bills.verb("test", "slack", code=3).err
    assert "did you mean discord?" in bills.verb("test", "discrod", code=2).err


def test_a_parked_alert_is_resent_and_a_sent_one_sent_again(bills: Bills) -> None:
    """The parked one is that very message; the copy has an id of its own."""
    bills.bill({"2026-11-01": "100"})
    bills.channels.moods = ["403"]
    bills.check()
    assert bills.statuses() == {NOVEMBER: "parked"}
    assert bills.verb("resend", NOVEMBER).out == "discord: sent\n"
    assert bills.channels.alerts() == [NOVEMBER]
    assert bills.verb("resend", NOVEMBER).out == "discord: sent\n"
    assert bills.channels.alerts() == [NOVEMBER, f"{NOVEMBER}/again/1"]
    assert "there is no alert 'nothing'" in bills.verb("resend", "nothing", code=2).err
