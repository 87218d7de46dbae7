"""What is forgotten after AGENT_OS_RETENTION_DAYS, and above all what never is."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from homes import WAITING, AppHome

from agent_os.core import retention
from agent_os.core.clock import Clock
from agent_os.core.opening import open_to_write
from agent_os.core.retention import forget
from agent_os.sandbox.server import Sandbox


@pytest.fixture
def home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AppHome:
    return AppHome(tmp_path, capsys)


KEPT_DAYS = 400


def grow_old(home: AppHome, *, days: float = KEPT_DAYS + 1) -> None:
    """Let days go by, of which the program sees the last two: so its clock is to be believed."""
    home.pass_days(days - 1)
    home.run("--task", "tick", "--key", f"{home.clock.today()}")
    home.pass_days(1)
    home.run("--task", "tick", "--key", f"{home.clock.today()}")


def count(home: AppHome, table: str, which: str = "1") -> int:
    (number,) = home.sql(f"SELECT count(*) FROM {table} WHERE {which}")[0]
    return int(number)


TICK = "@app.task\ndef tick(ctx): pass\n"
REPORT = TICK + (
    "@app.task(partition='day', retries=1, backoff='0.01s')\n"
    "def report(ctx):\n"
    "    print('some output')\n"
    "    ctx.step('read', lambda: 1)\n"
    "    if ctx.attempt == 1: raise TransientError('not yet')\n"
)


def test_old_runs_go_with_all_that_belongs_to_them(home: AppHome) -> None:
    """Their attempts, their output, and the steps of slots that are done; the slots stay."""
    home.write(REPORT)
    assert home.run("--task", "report").code == 0
    before = [count(home, table) for table in ("attempts", "outputs", "steps")]
    assert before == [1, 1, 1]
    grow_old(home)
    assert count(home, "runs", "task = 'report'") == 0
    assert [count(home, table) for table in ("attempts", "outputs", "steps")] == [0, 0, 0]
    assert home.sql("SELECT key, status FROM slots WHERE task = 'report'") == [("2026-11-21", "success")]
    assert home.sql("PRAGMA foreign_key_check") == []


def test_what_is_younger_stays(home: AppHome) -> None:
    """Counted in days from now: the day before its time, a run is still there."""
    home.write(REPORT)
    home.run("--task", "report")
    grow_old(home, days=KEPT_DAYS - 1)
    assert [count(home, table) for table in ("attempts", "outputs", "steps")] == [1, 1, 1]


def test_the_number_of_days_is_a_setting(home: AppHome) -> None:
    """AGENT_OS_RETENTION_DAYS; one that is no number is said before anything runs."""
    (home.folder / "agent_os.ini").write_text("[agent_os]\nretention_days = 5\n")
    home.write(REPORT)
    home.run("--task", "report")
    grow_old(home, days=6)
    assert count(home, "runs", "task = 'report'") == 0
    (home.folder / "agent_os.ini").write_text("[agent_os]\nretention_days = many\n")
    answer = home.run("--task", "report")
    assert (answer.code, "AGENT_OS_RETENTION_DAYS" in answer.err) == (3, True)


def test_figures_stay_and_so_do_the_runs_they_came_from(home: AppHome) -> None:
    """Results, lines, batches and pages are kept for ever, to the last row."""
    with Sandbox(clock=home.clock, today=home.clock.today()) as sandbox:
        (home.folder / ".env").write_text(
            f"OPENAI_ADMIN_KEY={sandbox.openai_key}\nOPENAI_BASE_URL={sandbox.openai_base_url}\n"
        )
        (home.folder / ".env").chmod(0o600)
        home.write(TICK)
        assert home.run("--task", "fetch_openai").code == 0
        home.run("--task", "fetch_openai")
        home.run("--task", "fetch_anthropic")
    tables = ("results", "result_lines", "batches", "pages", "page_bodies", "slots")
    before = {table: home.sql(f"SELECT * FROM {table} WHERE ? <> 'slots' OR 1", table) for table in tables}
    referred = home.sql("SELECT * FROM runs WHERE id IN (SELECT run_id FROM batches)")
    grow_old(home)
    after = {table: home.sql(f"SELECT * FROM {table} WHERE ? <> 'slots' OR 1", table) for table in tables}
    after["slots"] = [row for row in after["slots"] if row[0] != "tick"]
    assert after == before
    assert home.sql("SELECT * FROM runs WHERE task LIKE 'fetch%'") == referred != []


def test_what_was_done_once_is_not_done_again_however_old(home: AppHome) -> None:
    """A done effect outlives its run: the same key, in a slot that is forced or in a new one, finds it."""
    home.write(
        TICK + "import os\n@app.task\ndef pay(ctx):\n"
        "    def call():\n"
        "        with open(os.path.join(os.path.dirname(__file__), 'calls'), 'a') as file: file.write('x')\n"
        "        return 'paid'\n"
        "    return ctx.effect('invoice 7', call)\n"
    )
    home.run("--task", "pay", "--key", "first")
    grow_old(home)
    assert count(home, "runs", "task = 'pay'") == 0
    for words in (("--key", "first", "--force"), ("--key", "second")):
        assert home.json("--task", "pay", *words)["outcomes"][0]["output"] == "paid"
    assert (home.folder / "calls").read_text() == "x"


def test_a_message_that_was_sent_is_forgotten_and_yet_not_sent_again(home: AppHome) -> None:
    """Its key names it for ever: the effect that sent it is kept."""
    home.write(
        TICK + "import os\n@app.task\ndef tell(ctx): ctx.send('mail', 'bill of november', 'long text')\n"
        "@app.outbox('mail')\ndef mail(ctx, message):\n"
        "    with open(os.path.join(os.path.dirname(__file__), 'calls'), 'a') as file: file.write('x')\n"
    )
    home.run("--task", "tell", "--key", "first")
    grow_old(home)
    assert count(home, "outbox") == 0
    home.run("--task", "tell", "--key", "first", "--force")
    assert home.sql("SELECT status FROM outbox") == [("sent",)]
    assert (home.folder / "calls").read_text() == "x"


def test_what_a_person_has_to_look_at_stays_with_its_run(home: AppHome) -> None:
    """Effects that are not settled, and messages that were given up."""
    home.write(
        TICK + "def call(): raise ValueError('the line went dead')\n"
        "@app.task\ndef pay(ctx):\n    try: ctx.effect('invoice 7', call)\n    except ValueError: pass\n"
        "    ctx.send('mail', 'm', 1)\n"
        "@app.outbox('mail')\ndef mail(ctx, message): raise PermanentError('no such address')\n"
    )
    home.run("--task", "pay")
    grow_old(home)
    assert home.sql("SELECT task, status FROM effects ORDER BY task") == [("pay", "ambiguous")]
    assert home.sql("SELECT status FROM outbox") == [("parked",)]
    assert count(home, "runs", "task = 'pay'") == 1
    assert home.run("effects", "settle", "pay", "invoice 7", "--done").code == 0


def test_steps_of_what_failed_stay(home: AppHome) -> None:
    """The next attempt goes on from them, however late."""
    home.write(TICK + "@app.task\ndef slow(ctx):\n    ctx.step('read', lambda: 1)\n    raise PermanentError('no')\n")
    home.run("--task", "slow")
    grow_old(home)
    assert count(home, "runs", "task = 'slow'") == 0
    assert count(home, "steps", "task = 'slow'") == 1


def test_spendings_and_what_a_task_remembers_stay(home: AppHome) -> None:
    """A limit may ask what was ever spent."""
    home.write(
        TICK + "@app.limit('ever')\ndef ever(ask): return 10 - ask.spent()\n"
        "@app.task(cost=6, cost_limit='ever')\ndef train(ctx): ctx.state['count'] = 1\n"
    )
    home.run("--task", "train", "--key", "first")
    grow_old(home)
    assert (count(home, "spendings"), count(home, "state")) == (1, 1)
    outcome = home.json("--task", "train", "--key", "second", code=0)["outcomes"][0]
    assert "4 left" in outcome["reason"]


def test_a_run_that_is_under_way_stays(home: AppHome) -> None:
    """However long ago it began."""
    home.write(REPORT)
    home.run("--task", "report")
    home.sql("UPDATE runs SET status = 'running'")
    home.pass_days(KEPT_DAYS + 1)
    db = open_to_write(str(home.folder / "agent_os.db"), clock=home.clock)
    forgotten = forget(db, keep_days=KEPT_DAYS)
    db.close()
    assert "runs" not in forgotten
    assert count(home, "runs", "task = 'report'") == 1


def test_it_is_done_once_a_day(home: AppHome) -> None:
    """The first run of a day forgets; a later one of that day leaves alone what is old by then."""
    home.write(REPORT)
    home.run("--task", "report")
    grow_old(home)
    home.run("--task", "report", "--force")
    home.sql("UPDATE runs SET started_at = '2020-01-01T00:00:00.000Z' WHERE task = 'report'")
    home.run("--task", "tick", "--key", "again")
    assert count(home, "runs", "task = 'report'") == 1
    home.pass_days(1)
    home.run("--task", "tick", "--key", "tomorrow")
    assert count(home, "runs", "task = 'report'") == 0


def test_a_clock_that_leaps_ahead_does_not_make_it_forget(home: AppHome) -> None:
    """A run on a day far from the one before it forgets nothing: the clock may be wrong, and is set right later."""
    home.write(REPORT)
    home.run("--task", "report")
    home.pass_days(3650)
    home.run("--task", "tick", "--key", "leap")
    assert count(home, "runs", "task = 'report'") == 1
    home.pass_days(-3650)
    home.run("--task", "tick", "--key", "back")
    home.pass_days(1)
    home.run("--task", "tick", "--key", "and on")
    assert count(home, "runs", "task = 'report'") == 1


def test_a_transaction_takes_a_thousand_rows_at_most(home: AppHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one night only so many transactions: the next days do the rest; no run is left without its attempts."""
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 10)
    monkeypatch.setattr(retention, "MOST_AT_NIGHT", 5)
    home.write(TICK)
    home.run("--task", "tick", "--key", "first")
    for number in range(30):
        home.sql(
            "INSERT INTO runs(id, plugin_name, status, started_at, task, invocation_id) VALUES (?, 'x', 'failed',"
            " '2020-01-01T00:00:00.000Z', 'x', '')", f"run {number:02d}",
        )  # fmt: skip
        home.sql("INSERT INTO attempts VALUES (?, 1, '', '', '', NULL)", f"run {number:02d}")
    home.pass_days(1)
    home.run("--task", "tick", "--key", "second")
    assert (count(home, "attempts"), count(home, "runs", "task = 'x'")) == (0, 10)
    home.pass_days(1)
    home.run("--task", "tick", "--key", "third")
    assert count(home, "runs", "task = 'x'") == 0


def test_a_run_ends_well_though_nothing_can_be_forgotten(home: AppHome) -> None:
    """Forgetting is a service: what keeps it from being done is in the log."""
    home.write(TICK)
    home.run("--task", "tick", "--key", "first")
    home.pass_days(1)
    home.sql("CREATE TRIGGER stubborn BEFORE UPDATE ON meta WHEN old.name = 'tidied_on'"
             " BEGIN SELECT raise(ABORT, 'not today'); END")  # fmt: skip
    answer = home.run("--task", "tick", "--key", "second")
    assert (answer.code, "not today" in answer.err) == (0, False)
    assert "not today" in (home.folder / "agent.log").read_text()


# --- vacuum -----------------------------------------------------------------------------------------------------------


def filled(home: AppHome) -> None:
    """A home with an old run that has left much output, which is cut to 256 kB."""
    home.write(TICK + "@app.task\ndef chatty(ctx): print('x' * 1_000_000)\n")
    home.run("--task", "chatty", "--key", "first")
    home.pass_days(KEPT_DAYS + 1)
    home.run("--task", "tick", "--key", "today")


def test_vacuum_forgets_at_once_and_gives_the_room_back(home: AppHome) -> None:
    """It says how much room it takes before, and what it gave after."""
    filled(home)
    answer = home.run("vacuum")
    assert answer.code == 0
    assert "takes up to" in answer.err
    assert "removed: 1 output, 1 run" in answer.out
    assert (home.folder / "agent_os.db").stat().st_size < 250_000
    assert count(home, "runs", "task = 'chatty'") == 0
    assert home.run("doctor").code == 0
    assert home.run("--task", "tick", "--key", "after").code == 0


def test_a_dry_run_of_vacuum_changes_nothing(home: AppHome) -> None:
    """And foretells what would go."""
    filled(home)
    before = home.files()
    told = home.json("vacuum", "--dry-run")
    assert (told["dry_run"], told["removed"]) == (True, {"outputs": 1, "runs": 1})
    assert "would be removed: 1 output, 1 run" in home.run("vacuum", "--dry-run").out
    assert home.files() == before
    done = home.json("vacuum")
    assert done["removed"] == told["removed"]
    assert done["bytes_after"] + 200_000 < done["bytes_before"]


def test_vacuum_is_refused_while_a_runner_is_at_work(home: AppHome) -> None:
    """Exit 4, and nothing was changed."""
    home.clock = Clock()
    home.write(WAITING.format(overlap="skip"))
    process = home.start("--task", "slow")
    try:
        home.wait_for("begun")
        home.sql("UPDATE runs SET finished_at = NULL")
        before = home.files()
        answer = home.run("vacuum")
        assert (answer.code, "process " in answer.err) == (4, True)
        assert home.files()["agent_os.db"] == before["agent_os.db"]
        assert home.run("vacuum", "--dry-run").code == 0
    finally:
        process.kill()
        process.wait()
    assert home.run("vacuum").code == 0


def test_vacuum_is_refused_where_the_disk_is_too_full(home: AppHome, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is forgotten: exit 7."""
    filled(home)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 100_000))
    answer = home.run("vacuum")
    assert (answer.code, "100.0 kB" in answer.err) == (7, True)
    assert count(home, "runs", "task = 'chatty'") == 1


def test_vacuum_keeps_every_row_that_is_not_forgotten(home: AppHome) -> None:
    """The file is written anew with the same content, and is known again."""
    home.write(REPORT)
    home.run("--task", "report")
    tables = [name for (name,) in home.sql("SELECT name FROM sqlite_master WHERE type = 'table'") if name != "meta"]
    before = {table: home.sql(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables}
    assert home.run("vacuum").code == 0
    assert {table: home.sql(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables} == before
    connection = sqlite3.connect(home.folder / "agent_os.db")
    assert connection.execute("PRAGMA application_id").fetchone() == (0x41674F53,)
    connection.close()
