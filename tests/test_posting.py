"""A batch that is handed in by hand: a run like any other to whoever looks, and all of it or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes.clock import ManualClock
from homes import AppHome

from agent_os.core.days import Window
from agent_os.core.home import Home, open_home
from agent_os.core.lock import RunnerLock
from agent_os.core.model import Batch, Record, Row
from agent_os.core.posting import post

SEEN = "2026-11-22T09:00:00.000Z"


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AppHome:
    return AppHome(tmp_path, capsys)


@pytest.fixture
def home(house: AppHome):
    opened = open_home(str(house.folder), clock=ManualClock(), stderr=None)
    yield opened
    opened.close()


def batch(*records: Record, notes: tuple[str, ...] = ()) -> Batch:
    return Batch(
        provider="acme", task="import", window=Window("2026-11-01", "2026-11-03"), days=["2026-11-01", "2026-11-02"],
        reports={"import"}, observed_at=SEEN, records=records, pages=(), currency="USD", notes=notes,
    )  # fmt: skip


def cost(day: str, amount: str) -> Record:
    return Row({}, day=day, report="import").cost(amount, "USD", {"line_item": "all of it"})


def test_a_batch_by_hand_is_a_run_in_the_history(house: AppHome, home: Home) -> None:
    """It has succeeded, names its task, provider and window, and its notes stand in `show`."""
    run_id, change = post(home, batch(cost("2026-11-01", "1.25"), notes=("one",)), task="import", notes=("two",))
    assert (change.added, change.closed, change.new_days) == (1, 0, ["2026-11-01", "2026-11-02"])
    assert house.sql("SELECT id, plugin_name, task, status, window_start, window_end, notes, slot_key FROM runs") == [
        (run_id, "acme", "import", "success", "2026-11-01", "2026-11-03", "one; two", "")
    ]
    assert house.sql("SELECT finished_at = started_at, error IS NULL FROM runs") == [(1, 1)]
    [run] = house.json("history", app=False)
    assert (run["task"], run["status"], run["run"]) == ("import", "success", run_id)
    assert "one; two" in house.run("show", run_id, app=False).out
    assert house.sql("SELECT provider, date, cost_nano FROM results ORDER BY date") == [
        ("acme", "2026-11-01", 1_250_000_000), ("acme", "2026-11-02", 0)
    ]  # fmt: skip


def test_a_batch_by_hand_takes_no_slot(house: AppHome, home: Home) -> None:
    """What a collector of the same provider still has to ask for stays due."""
    post(home, batch(cost("2026-11-01", "1.25")), task="import")
    assert house.sql("SELECT * FROM slots") == []


def test_what_a_task_remembers_is_kept_with_the_batch(house: AppHome, home: Home) -> None:
    """State that comes with a batch is there when the batch is; None forgets."""
    post(home, batch(cost("2026-11-01", "1.25")), task="import", state={"x": '{"a": 1}', "y": "2"})
    post(home, batch(cost("2026-11-01", "1.25")), task="import", state={"y": None})
    assert house.sql("SELECT task, name, value_json FROM state") == [("import", "x", '{"a": 1}')]


def test_a_secret_in_a_note_is_blanked(house: AppHome, home: Home) -> None:
    """Notes are shown, so they hold no key."""
    home.redactor.add("sk-very-secret-0123456789")
    post(home, batch(cost("2026-11-01", "1"), notes=("read sk-very-secret-0123456789",)), task="import")
    assert "secret-0123" not in str(house.sql("SELECT notes FROM runs"))


@pytest.mark.parametrize(("moment", "runs"), [("before", 0), ("after", 1)])
def test_a_batch_by_hand_that_is_cut_short_is_there_whole_or_not_at_all(
    house: AppHome, home: Home, moment: str, runs: int
) -> None:
    """Run, lines, headline, batch and state are one transaction."""
    db = home.store(write=True).db

    def die(at: str) -> None:
        if at == moment:
            raise KeyboardInterrupt

    db.on_commit = die
    with pytest.raises(KeyboardInterrupt):
        post(home, batch(cost("2026-11-01", "1.25")), task="import", state={"x": "1"})
    for table, rows in (("runs", 1), ("batches", 1), ("result_lines", 1), ("results", 2), ("state", 1)):
        assert house.sql(f"SELECT count(*) FROM {table}") == [(rows * runs,)], table


def test_a_batch_is_posted_while_a_runner_lives(house: AppHome, home: Home) -> None:
    """It waits for no runner: only for the transaction of a moment."""
    home.store(write=True)
    lock = RunnerLock(home.db_path, clock=home.clock)
    lock.acquire()
    try:
        post(home, batch(cost("2026-11-01", "1.25")), task="import")
    finally:
        lock.release()
    assert house.sql("SELECT count(*) FROM runs") == [(1,)]
