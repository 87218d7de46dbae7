"""[limit:NAME]: tasks that spend are stopped before they run, whoever else runs at the same time."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from alerting import APP, Bills, bills_in, cost

from tests.conftest import PACKAGE
from tests.fakes.environment import bare

OWN_PROCESS = pytest.mark.skipif(PACKAGE != "agent_os", reason="the app imports agent_os by that name")
DOLLAR = 10**9


@pytest.fixture
def bills(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Bills]:
    with bills_in(tmp_path, capsys, monkeypatch) as made:
        yield made


def app(bills: Bills, source: str) -> None:
    """An app of the user's beside the billing tracker, which the home names."""
    bills.app(source)
    bills.env(AGENT_OS_APPS=str(APP))


def spending(bills: Bills, limit: str = "max = 5.00 USD per day") -> None:
    app(
        bills,
        f"@app.task(cost_limit='ai', cost=2 * {DOLLAR})\ndef ask(ctx):\n    note('asked')\n    ctx.spend({DOLLAR})\n",
    )
    bills.ini(f"[limit:ai]\n{limit}\n")


def test_a_task_is_stopped_before_it_would_go_over_the_limit(bills: Bills) -> None:
    """2 reserved, 1 spent each time: the fourth begins at 3 + 2 = 5, the fifth not; the next day it is due again."""
    spending(bills)
    for key in "abcd":
        assert bills.run("--task", "ask", "--key", key).code == 0
    answer = bills.run("--task", "ask", "--key", "e")
    assert "skipped" in answer.out
    told = "the limit ai says no: 5.00 USD a day, 4.00 spent and 0.00 reserved since 2026-11-22; 2.00 wanted;"
    assert told in answer.out + answer.err
    assert "there is room again on 2026-11-23" in answer.out + answer.err
    assert bills.notes == ["asked"] * 4
    bills.pass_days(1)
    assert bills.run("--task", "ask", "--key", "e").code == 0
    assert bills.notes == ["asked"] * 5


def test_a_limit_with_a_scope_counts_what_the_provider_reports(bills: Bills) -> None:
    """Of what the tasks say they spent and what is reported the larger counts: it is the same money."""
    spending(bills, "max = 5.00 USD per month\nscope = acme/web")
    bills.bills([cost("2026-11-03", "2.50", project="web"), cost("2026-11-03", "90", project="other")])
    assert bills.run("--task", "ask", "--key", "a").code == 0
    assert bills.run("--task", "ask", "--key", "b").code == 0
    bills.bills([cost("2026-11-04", "0.60", project="web")])
    answer = bills.run("--task", "ask", "--key", "c")
    assert "5.00 USD a month, 3.10 spent" in answer.out + answer.err


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("scope = acme", "[limit:ai] has no max; write max = 5.00 USD per day"),
        ("max = 5.00 USD", "[limit:ai] max is without a period"),
        ("max = 5.00 USD per dya", "[limit:ai] max is per 'dya'; did you mean day?"),
        ("max = 0 USD per day", "[limit:ai] max is '0 USD'; give an amount of more than nothing"),
        ("max = 5 XXX per day", "[limit:ai] max is in 'XXX', which is no currency"),
        ("max = 5 per day\nscop = x", "[limit:ai] scop is no option; did you mean scope?"),
        ("max = 5 per day\nscope = /web", "[limit:ai] scope has no provider"),
    ],
)
def test_a_limit_that_cannot_be_meant_is_refused_before_anything_runs(bills: Bills, section: str, told: str) -> None:
    """Exit 3, one sentence: a limit that does not hold is worse than none."""
    spending(bills, section)
    answer = bills.run("--task", "ask")
    assert answer.code == 3
    assert told in answer.err
    assert "nothing was run" in answer.err
    assert bills.notes == []


def test_a_task_under_a_limit_that_nobody_declares_is_refused(bills: Bills) -> None:
    """It would never be asked."""
    spending(bills)
    bills.ini("[limit:other]\nmax = 5 per day\n")
    answer = bills.run("--task", "ask")
    assert answer.code == 3
    assert "uses the cost limit ai, which no app has" in answer.err


@OWN_PROCESS
def test_32_processes_at_once_do_not_go_over_the_limit(bills: Bills) -> None:
    """Reservation and run begin in one transaction: 10 of 32 runs of 1 USD begin, whoever races."""
    app(bills, f"@app.task(cost_limit='ai', cost={DOLLAR}, overlap='queue')\ndef ask(ctx): note('asked')\n")
    bills.ini("[limit:ai]\nmax = 10 USD per year\n")
    assert bills.run("tasks").code == 0
    code = textwrap.dedent(
        """
        import sys
        from agent_os import App, open
        with open(sys.argv[1], app=sys.argv[2]) as home:
            home.run("ask", key=sys.argv[3])
        """
    )
    words = [sys.executable, "-c", code, str(bills.folder), str(bills._app)]
    racing = [
        subprocess.Popen([*words, f"k{number}"], env=bare(), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        for number in range(32)
    ]
    for process in racing:
        process.wait()
    ((spent,),) = bills.rows("SELECT sum(amount) FROM spendings")
    assert spent == 10 * DOLLAR
    assert bills.notes == ["asked"] * 10
