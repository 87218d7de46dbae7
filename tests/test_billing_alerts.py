"""Budgets and alerts of the billing tracker, from figures that are stored to messages that are there."""

from __future__ import annotations

from pathlib import Path

import pytest
from alerting import Bills, cost
from fakes.channels import Channels, MailServer

NOVEMBER = "ALERT_THRESHOLD/2026-11-01/actual/100"


@pytest.fixture
def channels():
    server = Channels()
    yield server
    server.close()


@pytest.fixture
def mail():
    server = MailServer()
    yield server
    server.close()


@pytest.fixture
def bills(tmp_path: Path, capsys: pytest.CaptureFixture[str], channels: Channels, mail: MailServer, monkeypatch) -> Bills:
    monkeypatch.setattr("agent_os.core.bodies.PATIENCE_SECONDS", 0.0)  # short waits too are for the next start
    return Bills(tmp_path, capsys, channels, mail)


def month(*amounts: str, first: int = 1) -> dict[str, str]:
    return {f"2026-11-{first + number:02}": amount for number, amount in enumerate(amounts)}


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
        "again": "`agent_os.pyz summary --by project --since 2026-11-01 --until 2026-12-01 --as-of 2026-11-22`",
    }
    assert shown["footer"] == {"text": f"alert {NOVEMBER}"}
