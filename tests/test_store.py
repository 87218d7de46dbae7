"""The store: a window is replaced, what it replaced is kept, and every headline is the sum of its lines."""

from __future__ import annotations

import gzip
import hashlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_os.core.days import Window
from agent_os.core.due import Due
from agent_os.core.errors import FencedError
from agent_os.core.ledger import Change, Ledger, link_of
from agent_os.core.model import Batch, Page, Record, Row
from agent_os.core.opening import open_to_write
from agent_os.core.slots import Claimed, RunRow, Slots
from agent_os.core.store import Store
from tests.fakes.clock import ManualClock

WINDOW = Window("2026-11-01", "2026-11-03")
SEEN = "2026-11-22T09:00:00.000Z"


def cost(day: str, amount: str, *, item: str = "input", currency: str = "usd") -> Record:
    return Row({}, day=day, report="costs").cost(amount, currency, {"line_item": item})


def tokens(day: str, count: int, *, kind: str = "input") -> Record:
    return Row({}, day=day, report="usage/completions").usage(count, "tokens", {"token_type": kind})


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = Store(open_to_write(str(tmp_path / "agent_os.db"), clock=ManualClock()))
    yield found
    found.db.close()


def begin(store: Store, run_id: str = "r1", *, days: tuple[str, ...] = tuple(WINDOW)) -> Claimed:
    """A run that has the slots of these days."""
    slots = Slots(store.db)
    run = RunRow(run_id, task="fetch_openai", plugin_name="openai", invocation_id="i", owner="1.x")
    with store.db.atomic():
        dues = [Due(day, due_at=day + "T00:00:00.000Z", window=Window(day, "2026-12-01")) for day in days]
        slots.enlist("fetch_openai", dues, owner="1.x", lease_until="2026-11-22T10:00:00.000Z")
        return slots.claim(run, days, lease_until="2026-11-22T10:00:00.000Z")


def write(store: Store, batch: Batch, *, run_id: str) -> Change:
    """Store a batch as a run of its own does."""
    known = store.db.one("SELECT 1 FROM runs WHERE id = ?", (run_id,))
    claimed = begin(store, run_id, days=tuple(batch.days)) if not known else None
    with store.db.atomic():
        change = Ledger(store.db).store(batch, run_id=run_id)
        if claimed:
            Slots(store.db).resolve(claimed, batch.days, "success", reason="", read_at=batch.observed_at)
    return change


def keep(store: Store, *records: Record, seen: str = SEEN, run_id: str = "r1", body: bytes = b"{}") -> Change:
    """Store a batch of both days of the window."""
    page = Page("costs", "https://api.example/costs", "req_1", seen, body, [])
    return write(store, batch_of(records, seen=seen, pages=[page]), run_id=run_id)


def batch_of(records, *, seen=SEEN, pages=(), days=tuple(WINDOW), reports=("costs", "usage/completions")) -> Batch:
    return Batch(
        provider="openai",
        task="fetch_openai",
        window=WINDOW,
        days=days,
        reports=set(reports),
        observed_at=seen,
        records=records,
        pages=pages,
        currency="USD",
        notes=[],
    )


def headlines(store: Store) -> list[tuple[object, ...]]:
    return store.db.all("SELECT date, tokens, cost, cost_nano, currency, basis FROM results ORDER BY date")


def test_the_headline_of_a_day_is_the_sum_of_its_lines(store: Store) -> None:
    """Tokens are added over token lines alone; cost is the exact sum, and REAL only for reading."""
    requests = Row({}, day="2026-11-01", report="usage/completions").usage(3, "requests", {})
    keep(store, cost("2026-11-01", "0.1"), cost("2026-11-01", "0.2", item="x"), tokens("2026-11-01", 7), requests)
    assert headlines(store) == [
        ("2026-11-01", 7, 0.3, 300_000_000, "USD", "reported"),
        ("2026-11-02", 0, 0.0, 0, "USD", "reported"),
    ]


def test_a_day_without_charges_has_a_headline_of_zero(store: Store) -> None:
    """The provider answered: that is not the same as missing."""
    keep(store)
    assert [row[:3] for row in headlines(store)] == [("2026-11-01", 0, 0.0), ("2026-11-02", 0, 0.0)]


def test_a_line_the_provider_takes_back_vanishes(store: Store) -> None:
    """A window is replaced, not added to; the old line stays with the time it was superseded."""
    keep(store, cost("2026-11-01", "1"), cost("2026-11-01", "2", item="gone"))
    change = keep(store, cost("2026-11-01", "1"), seen="2026-11-23T09:00:00.000Z", run_id="r2")
    assert headlines(store)[0][3] == 1_000_000_000
    assert store.db.all("SELECT line_item, superseded_at, superseded_by FROM result_lines ORDER BY id") == [
        ("input", None, None),
        ("gone", "2026-11-23T09:00:00.000Z", 2),
    ]
    assert (change.added, change.closed, change.restated_days) == (0, 1, ["2026-11-01"])


def test_a_restated_amount_replaces_the_old_one_and_keeps_it(store: Store) -> None:
    """What was known at a time can be asked for that time."""
    keep(store, cost("2026-11-01", "10"))
    keep(store, cost("2026-11-01", "8"), seen="2026-11-23T09:00:00.000Z", run_id="r2")
    known = "SELECT sum(amount_nano) FROM result_lines WHERE observed_at <= ? AND coalesce(superseded_at, '9') > ?"
    assert store.db.one(known, ("2026-11-22T12", "2026-11-22T12")) == (10_000_000_000,)
    assert store.db.one(known, ("2026-11-24", "2026-11-24")) == (8_000_000_000,)


def test_storing_the_same_again_changes_nothing_but_the_time_it_was_read(store: Store) -> None:
    """No new line, the same row in results; the reading itself is a batch and a slot."""
    records = (cost("2026-11-01", "1"), tokens("2026-11-02", 5))
    keep(store, *records)
    before = store.db.all("SELECT * FROM results"), store.db.all("SELECT * FROM result_lines")
    change = keep(store, *reversed(records), seen="2026-11-22T10:00:00.000Z", run_id="r2")
    assert (store.db.all("SELECT * FROM results"), store.db.all("SELECT * FROM result_lines")) == before
    assert (change.added, change.closed, change.new_days, change.restated_days) == (0, 0, [], [])
    assert {read.at for read in store.reads("fetch_openai", WINDOW).values()} == {"2026-11-22T10:00:00.000Z"}


def test_days_outside_the_window_stay_as_they_are(store: Store) -> None:
    """Replacing touches the answered days only."""
    keep(store, cost("2026-11-01", "1"), cost("2026-11-02", "2"))
    write(store, batch_of([cost("2026-11-02", "3")], days=["2026-11-02"]), run_id="r2")
    assert [row[3] for row in headlines(store)] == [1_000_000_000, 3_000_000_000]


def test_the_lines_of_a_report_that_did_not_answer_stay_and_count(store: Store) -> None:
    """An error is not a zero: what was known of that report is still known."""
    embedded = Row({}, day="2026-11-01", report="usage/embeddings").usage(5, "tokens", {})
    everything = ("costs", "usage/completions", "usage/embeddings")
    first = [cost("2026-11-01", "1"), tokens("2026-11-01", 7), embedded]
    write(store, batch_of(first, reports=everything), run_id="r1")
    change = write(store, batch_of([cost("2026-11-01", "2"), tokens("2026-11-01", 7)]), run_id="r2")
    assert headlines(store)[0][1:4] == (12, 2.0, 2_000_000_000)
    assert (change.added, change.closed) == (1, 1)


def test_another_currency_is_kept_apart(store: Store) -> None:
    """Currencies are never added: the headline is the provider's own, the other stands in the lines."""
    keep(store, cost("2026-11-01", "1"), cost("2026-11-01", "5", item="x", currency="EUR"))
    keep_only_euro = cost("2026-11-02", "4", currency="eur")
    keep(store, cost("2026-11-01", "1"), cost("2026-11-01", "5", item="x", currency="EUR"), keep_only_euro)
    assert [row[3:5] for row in headlines(store)] == [(1_000_000_000, "USD"), (4_000_000_000, "EUR")]
    assert store.sums("openai", WINDOW)[2] == [
        ("reported", "EUR", 9_000_000_000),
        ("reported", "USD", 1_000_000_000),
    ]


def test_growth_of_a_day_that_was_not_over_is_no_restatement(store: Store) -> None:
    """Only a day that was closed when read can be restated."""
    keep(store, cost("2026-11-02", "1"), seen="2026-11-02T09:00:00.000Z")
    change = keep(store, cost("2026-11-02", "2"), seen="2026-11-03T09:00:00.000Z", run_id="r2")
    assert change.restated_days == []
    assert store.db.all("SELECT day_status FROM results ORDER BY date") == [("provisional",), ("provisional",)]


def test_the_provider_s_bytes_are_kept_once(store: Store) -> None:
    """Gzipped, found by their SHA-256, whatever how often they come again."""
    keep(store, body=b'{"data": []}')
    keep(store, body=b'{"data": []}', run_id="r2")
    digest = hashlib.sha256(b'{"data": []}').hexdigest()
    (row,) = store.db.all("SELECT sha256, gzip FROM page_bodies")
    assert (row[0], gzip.decompress(row[1])) == (digest, b'{"data": []}')
    assert store.db.all("SELECT batch_id, url, request_id, sha256 FROM pages") == [
        (1, "https://api.example/costs", "req_1", digest),
        (2, "https://api.example/costs", "req_1", digest),
    ]


def test_each_batch_is_chained_to_the_one_before(store: Store) -> None:
    """The chain can be computed again from the tables by anyone, with SHA-256 and JSON."""
    keep(store, cost("2026-11-01", "1"), tokens("2026-11-01", 5))
    keep(store, cost("2026-11-01", "2"), tokens("2026-11-01", 5), run_id="r2")
    chain = ""
    for number, run_id, provider, start, end, seen, pages, link in store.db.all(
        "SELECT id, run_id, provider, window_start, window_end, observed_at, pages_sha256, chain FROM batches"
    ):
        lines = store.db.all(
            "SELECT date, kind, report, account, project, model, api_key, line_item, cost_type, token_type, tier,"
            " context, region, quantity, unit, amount_nano, currency, basis FROM result_lines"
            " WHERE batch_id = ? ORDER BY id",
            (number,),
        )
        closed = [
            row[0] for row in store.db.all("SELECT id FROM result_lines WHERE superseded_by = ? ORDER BY id", (number,))
        ]
        asked = store.db.all(
            "SELECT report, url, request_id, seen_at, sha256 FROM pages WHERE batch_id = ? ORDER BY seq", (number,)
        )
        assert pages == hashlib.sha256(json.dumps(asked, separators=(",", ":")).encode("ascii")).hexdigest()
        parts = [[run_id, provider, start, end, seen, pages], [list(line) for line in lines], closed]
        text = "\n".join([chain, *(json.dumps(part, separators=(",", ":")) for part in parts), ""])
        chain = hashlib.sha256(text.encode("ascii")).hexdigest()
        assert chain == link


def test_the_link_of_a_batch_does_not_depend_on_how_many_lines_are_hashed_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One line or two thousand at a time: the same bytes."""
    lines = [tuple(cost("2026-11-01", str(number), item=f"é{number}")) for number in range(5)]
    whole = link_of("", ["r"], added=lines, closed=[1])
    monkeypatch.setattr("agent_os.core.ledger._HASHED_AT_ONCE", 1)
    assert link_of("", ["r"], added=lines, closed=[1]) == whole


def test_a_batch_is_stored_whole_or_not_at_all(store: Store) -> None:
    """A row that the database refuses takes the whole window with it."""
    keep(store, cost("2026-11-01", "1"))
    broken = cost("2026-11-01", "2")._replace(basis="guessed")
    with pytest.raises(Exception, match="CHECK"):
        keep(store, cost("2026-11-02", "9"), broken, run_id="r2")
    assert headlines(store)[0][3] == 1_000_000_000
    assert store.db.one("SELECT count(*) FROM batches") == (1,)


def test_days_asked_for_in_vain_keep_what_was_stored(store: Store) -> None:
    """A failure is noted with its reason; a day that was read before still counts as read."""
    keep(store, cost("2026-11-01", "1"))
    claimed = begin(store, "r2", days=("2026-11-01", "2026-11-09"))
    with store.db.atomic():
        Slots(store.db).leave_days(claimed, ["2026-11-01", "2026-11-09"], "failed", reason="offline")
    assert store.db.all("SELECT key, status, attempts, reason FROM slots ORDER BY key") == [
        ("2026-11-01", "success", 2, "offline"),
        ("2026-11-02", "success", 1, ""),
        ("2026-11-09", "failed", 1, "offline"),
    ]
    assert store.first_day("fetch_openai") == "2026-11-01"
    assert set(store.reads("fetch_openai", Window("2026-11-01", "2026-11-10"))) == {"2026-11-01", "2026-11-02"}


def test_what_a_runner_that_is_gone_has_left_is_due_again(store: Store) -> None:
    """Nothing is ever running for ever: its runs are closed as interrupted, its slots due, with a new epoch."""
    begin(store)
    with store.db.atomic():
        assert Slots(store.db).interrupt("1.x") == ["r1"]
    assert store.db.all("SELECT id, status, substr(error, 1, 11) FROM runs") == [("r1", "failed", "interrupted")]
    assert store.db.all("SELECT status, epoch, owner FROM slots") == [("due", 2, ""), ("due", 2, "")]


WRITES = {
    "check": lambda slots, claimed: slots.check(claimed),
    "a failed attempt": lambda slots, claimed: slots.await_retry(
        claimed, number=1, began_at=SEEN, error="offline", retry_at=SEEN, output="printed"
    ),
    "another attempt": lambda slots, claimed: slots.attempt(claimed, number=2),
    "days": lambda slots, claimed: slots.resolve(claimed, list(WINDOW), "success", reason=""),
    "days in vain": lambda slots, claimed: slots.leave_days(claimed, list(WINDOW), "failed", reason="offline"),
    "success": lambda slots, claimed: slots.finish(claimed, status="success", output_json="1", output="printed"),
    "failure": lambda slots, claimed: slots.finish(claimed, status="failed", error="offline", slot_status="skipped"),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("is_claimed_again", [False, True])
def test_a_run_that_lost_its_slot_changes_nothing(store: Store, write, is_claimed_again: bool) -> None:
    """Each write states the epoch of its claim; its runner was taken for gone, and another may have claimed since."""
    claimed = begin(store)
    with store.db.atomic():
        Slots(store.db).interrupt("1.x")
    if is_claimed_again:
        begin(store, "r2")
    before = everything(store)
    with store.db.atomic(), pytest.raises(FencedError, match="lost its slot"):
        write(Slots(store.db), claimed)
    assert everything(store) == before


def everything(store: Store) -> list[object]:
    """All that a run may change, but for the count of commits."""
    return [store.db.all(f"SELECT * FROM {table}") for table in ("slots", "runs", "attempts", "outputs")]


@pytest.mark.parametrize("write", ["check", "days", "success", "failure"])
def test_a_run_that_lost_one_of_its_days_changes_none_of_them(store: Store, write: str) -> None:
    """All or none, whichever of them comes first."""
    claimed = begin(store)
    with store.db.atomic():
        store.db.run("UPDATE slots SET epoch = epoch + 1 WHERE key = '2026-11-02'")
    before = everything(store)
    with store.db.atomic(), pytest.raises(FencedError):
        WRITES[write](Slots(store.db), claimed)
    assert everything(store) == before


def test_a_run_that_has_resolved_all_its_days_may_write_until_it_is_over(store: Store) -> None:
    """Without slots it is the run itself that says so."""
    slots, claimed = Slots(store.db), begin(store)
    with store.db.atomic():
        slots.resolve(claimed, list(WINDOW), "success", reason="")
        slots.check(claimed)
        slots.interrupt("1.x")
    with pytest.raises(FencedError, match="is over"):
        slots.check(claimed)


def test_only_what_was_running_was_interrupted(store: Store) -> None:
    """A slot that waited for its turn, or that another runner has, has no such reason, and keeps what it had."""
    slots = Slots(store.db)
    begin(store, days=("2026-11-01",))
    with store.db.atomic():
        for day, owner in (("2026-11-02", "1.x"), ("2026-11-03", "2.y")):
            due = Due(day, due_at=SEEN, window=WINDOW)
            slots.enlist("fetch_openai", [due], owner=owner, lease_until=SEEN)
            store.db.run("UPDATE slots SET reason = 'as it was' WHERE key = ?", (day,))
        slots.release("fetch_openai", ["2026-11-01", "2026-11-03", "2026-11-04"], owner="1.x", reason="no room")
        slots.interrupt("1.x")
    assert store.db.all("SELECT key, status, owner, reason FROM slots ORDER BY key") == [
        ("2026-11-01", "due", "", "interrupted: the program ended before the run did"),
        ("2026-11-02", "due", "", ""),
        ("2026-11-03", "due", "2.y", "as it was"),
    ]


def test_what_was_spent_by_a_run_that_was_cut_short_is_what_it_had_set_aside(store: Store) -> None:
    """Nobody knows better; and it is settled, so that it reserves nothing any more."""
    begin(store)
    with store.db.atomic():
        store.db.run("INSERT INTO spendings VALUES ('r1', 'euros', 5, 0, ?)", (SEEN,))
        Slots(store.db).interrupt("1.x")
    assert store.db.all("SELECT amount, is_settled FROM spendings") == [(5, 1)]


def test_only_a_runner_at_work_takes_room_in_a_limit(store: Store) -> None:
    """One that waits for its next attempt takes none, until that begins."""
    slots, claimed = Slots(store.db), begin(store)
    store.db.connection.execute("UPDATE runs SET limits = ',api,'")
    assert slots.in_use("api") == 1
    with store.db.atomic():
        slots.await_retry(claimed, number=1, began_at=SEEN, error="offline", retry_at=SEEN, output="")
    assert slots.in_use("api") == 0
    with store.db.atomic():
        slots.attempt(claimed, number=2)
    assert slots.in_use("api") == 1


def test_a_closed_run_stays_as_it_is(store: Store) -> None:
    """The first ending counts."""
    claimed = begin(store)
    with store.db.atomic():
        Slots(store.db).finish(claimed, status="success")
    with store.db.atomic():
        Slots(store.db).finish(claimed, status="failed")
    assert store.db.one("SELECT status FROM runs") == ("success",)


def test_only_the_four_statuses_exist(store: Store) -> None:
    """The database itself refuses a fifth."""
    begin(store)
    with pytest.raises(sqlite3.IntegrityError):
        store.db.connection.execute("UPDATE runs SET status = 'interrupted'")
