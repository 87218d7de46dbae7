"""kill -9 at every commit and at any instant: the next run recovers, nothing is lost, nothing is doubled.

The scenario and the eyes are those of `selftest --crash`, which ships in the file.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from agent_os.core import context, journal, slots
from agent_os.core.clock import Clock
from agent_os.core.desk import Desk
from agent_os.main import main
from agent_os.selftest import checks, rounds, scenario
from agent_os.selftest.rounds import Rounds
from agent_os.selftest.verdict import Seen
from tests.house import House

ROOT = Path(__file__).resolve().parent.parent
LEAST_POINTS = 62  # halves of commits in a run of the scenario


@pytest.fixture
def crashes(tmp_path: Path) -> Rounds:
    return Rounds(str(tmp_path), clock=Clock(), environ=dict(os.environ))


# --- crashes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", range(3, LEAST_POINTS, 8))
def test_a_run_that_is_killed_at_a_commit_is_recovered(crashes: Rounds, point: int) -> None:
    """Before or after it: each task succeeds once, steps are kept, effects called as declared, books settled."""
    seen = crashes.kill(at=point)
    assert seen is not None
    verdict = crashes.recover(seen)
    assert (verdict.faults, verdict.lost, verdict.doubled) == ([], 0, 0)


@pytest.mark.slow
def test_a_run_may_be_killed_at_every_commit(crashes: Rounds) -> None:
    """The first half of the first commit, when there is no database yet, to the second half of the last.

    SQLite's own log has the count: none is left out, and each is there as soon as its second half has come.
    """
    kept, point = [], 0
    while True:
        seen = crashes.kill(at=point + 1)
        if seen is None:
            break
        point += 1
        assert commits(Path(crashes.home, "agent_os.db-wal")) == point // 2
        verdict = crashes.recover(seen)
        assert verdict.faults == [], f"killed at half {point}"
        kept.append(verdict.kept)
    assert point >= LEAST_POINTS
    assert kept == sorted(kept)
    assert {0, len(scenario.STEPS)} <= set(kept)


def commits(wal: Path) -> int:
    """How many transactions the write-ahead log holds: frames that say how large the database is after them."""
    data = wal.read_bytes() if wal.exists() else b""
    page, salt = int.from_bytes(data[8:12], "big"), data[16:24]
    frames = [data[at : at + 24] for at in range(32, len(data), 24 + page)]
    return sum(1 for frame in frames if frame[8:16] == salt and any(frame[4:8]))


# One process: killed at the n-th half of a commit, as above, but with any app.
KILLED = """
import os, sys
from agent_os.core.db import Database
from agent_os.main import main
left = int(sys.argv[1])
def count(_):
    global left
    left -= 1
    left or os.kill(os.getpid(), 9)
Database.on_commit = staticmethod(count)
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is of POSIX")
def test_tasks_in_processes_of_their_own_are_recovered_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A child that asks for each step and effect, and a command after it: their runner is killed at every commit."""
    point, code = 0, -9
    while code == -9:
        point += 1
        folder = tmp_path / str(point)
        folder.mkdir()
        house = House(folder, capsys)
        house.app("""
            from pathlib import Path
            def done(what): return what in Path(__file__).with_name("notes").read_text().split()
            @app.task(timeout="1m")
            def careful(ctx):
                ctx.step("read", lambda: note("read"))
                ctx.effect("pay", lambda: note("pay"))
                ctx.effect("order", lambda: note("order"), reconcile=lambda: done("order") or None)
                ctx.state["runs"] = ctx.state.get("runs", 0) + 1
        """)
        house.ini(f"""
            [task:shell]
            command = sh -c "echo shell >>{folder}/notes"
            after = careful
        """)
        words = ["--task", "shell", "--key", "a", "--app", str(house._app), "--home", str(folder), "--quiet"]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        code = subprocess.run([sys.executable, "-c", KILLED, str(point), *words], env=env, check=False).returncode
        is_read = "pay" in house.notes  # which comes after it
        assert house.task("shell", "--key", "a").code == 0
        assert house.rows("SELECT task, status FROM slots ORDER BY 1") == [("careful", "success"), ("shell", "success")]
        assert house.rows("SELECT count(*), value_json FROM state") == [(1, "1")]
        assert house.rows("SELECT task FROM runs WHERE status = 'running'") == []
        assert (house.notes.count("order"), house.notes.count("pay") <= 1) == (1, True), f"killed at half {point}"
        assert house.notes.count("read") == 1 or not is_read
    assert (code, point > 20) == (0, True)


@pytest.mark.slow
def test_a_run_may_be_killed_at_any_instant(crashes: Rounds) -> None:
    """Not only where commits are: while starting, while waiting for a retry, while closing."""
    seed = int.from_bytes(os.urandom(4), "big")
    print(f"seed {seed}")  # noqa: T201 (shown when it fails)
    chance = Random(seed)
    killed = 0
    for _ in range(40):
        seen = crashes.kill(at=0, after_seconds=0.6 * chance.random())
        if seen is not None:
            killed += 1
            assert crashes.recover(seen).faults == []
    assert killed > 2  # the others were over before


# --- what would be seen -----------------------------------------------------------------------------------------------


def steps_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal.Journal, "steps", lambda *_: {})


def effects_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal.Journal, "effect", lambda *_: None)


def effects_are_repeated_when_in_doubt(monkeypatch: pytest.MonkeyPatch) -> None:
    cause = context.Context._cause
    monkeypatch.setattr(
        context.Context, "effect", lambda self, key, call, *, reconcile=None, policy="": cause(self, key, call, policy)
    )


def messages_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Desk, "outboxes_due", lambda _: set())


def messages_are_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal.Journal, "effect", lambda *_: None)


def state_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal.Journal, "keep_state", lambda *_, **__: None)


def reservations_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal.Journal, "settle", lambda *_: None)


def runs_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt = slots.Slots.interrupt

    def without_runs(self, owner, **how):
        left = self._db.all("SELECT id FROM runs WHERE status = 'running'")
        interrupt(self, owner, **how)
        self._db.many("UPDATE runs SET status = 'running', owner = '' WHERE id = ?", left)
        return []

    monkeypatch.setattr(slots.Slots, "interrupt", without_runs)


def began(seen: Seen) -> bool:
    return scenario.AT_MOST_ONCE in seen.outside


def first(crashes: Rounds, moment) -> Seen:
    """What the first crash has left after which the moment has come; it comes once and is never over."""
    early, late = 0, 64
    while late - early > 1:
        point = (early + late) // 2
        seen = crashes.kill(at=point)
        early, late = (early, point) if seen is None or moment(seen) else (point, late)
    seen = crashes.kill(at=late)
    assert seen is not None
    assert moment(seen)
    return seen


@pytest.mark.parametrize(
    ("fault", "moment", "said"),
    [
        (steps_are_forgotten, lambda seen: "read" in seen.done, "read, which was committed before the crash, was done"),
        (effects_are_forgotten, lambda seen: "order" in seen.done, "order: 2 times, not 1"),
        (effects_are_repeated_when_in_doubt, began, "pay: 2 times"),
        (messages_are_forgotten, lambda seen: "selftest_third" in seen.succeeded, "letters sent: 0 times, not 1"),
        (messages_are_sent_again, lambda seen: scenario.LETTER in seen.done, f"{scenario.LETTER}, which was committed"),
        (state_is_forgotten, began, "selftest_third counted: 0 times, not 1"),
        (reservations_are_left, began, "a cost is not settled: selftest_budget"),
        (runs_are_left, began, "a run is still running"),
    ],
    ids=lambda value: getattr(value, "__name__", "").strip("<>"),
)
def test_a_recovery_that_breaks_a_promise_shows(
    crashes: Rounds, monkeypatch: pytest.MonkeyPatch, fault, moment, said: str
) -> None:
    """Eyes that see nothing prove nothing: the first crash at such a moment is recovered by a broken program."""
    seen = first(crashes, moment)
    fault(monkeypatch)
    assert [each for each in crashes.recover(seen).faults if each.startswith(said)]


# --- the verb ---------------------------------------------------------------------------------------------------------


def test_the_quick_test_looks_at_the_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each thing; nothing is left behind."""
    assert main(["selftest", "--home", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "ok      the program's file", "ok      the clock", "ok      the disk", "ok      locks", "ok      tasks",
        "ok      the same again",
    ]  # fmt: skip
    assert os.listdir(tmp_path) == []


def test_crashes_are_told_in_one_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """How many, what became of them, and that nothing was lost or doubled."""
    assert main(["selftest", "--crash", "3", "--home", str(tmp_path)]) == 0
    header, row = capsys.readouterr().out.splitlines()
    names = "kills", "recovered", "effects called at most once", "steps kept", "lost", "doubled", "seconds"
    assert header == "  ".join(names)
    assert row.split()[:-1] == ["3", "3", "3", "0", "0", "0"]
    assert os.listdir(tmp_path) == []


def test_crashes_by_chance_are_the_same_for_one_seed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And --keep leaves the last home behind."""
    assert main(["selftest", "--crash", "4", "--seed", "7", "--json", "--keep", "--home", str(tmp_path)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["kills"], told["recovered"], told["lost"], told["doubled"], told["faults"]) == (4, 4, 0, 0, [])
    (folder,) = tmp_path.iterdir()
    assert [each.name for each in folder.iterdir() if (each / "agent_os.db").exists()]


def test_a_process_that_ends_by_itself_is_no_crash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it said is passed on. Where it only lacked room, that is all; else the files stay."""
    for code, said, left in ((7, "error: no space to write a.db", 0), (70, "error: what is this", 1)):
        child = [sys.executable, "-c", f"import sys; sys.stdin.read(); print({said!r}); sys.exit({code})"]
        monkeypatch.setattr(rounds, "self_command", lambda child=child: child)
        assert main(["selftest", "--crash", "2", "--home", str(tmp_path)]) == (7 if code == 7 else 6)
        err = capsys.readouterr().err
        assert said.partition(": ")[2] in err
        assert err.startswith("error: no space" if code == 7 else "error: the process that was to be killed ended by")
        assert len([each for each in tmp_path.iterdir() if each.is_dir()]) == left


def test_whoever_stops_it_is_told_what_was_seen_by_then(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long test that is stopped has tested something."""
    recover = Rounds.recover

    def stopped(self: Rounds, seen: Seen):
        if self.home.endswith("-3"):
            os.kill(os.getpid(), signal.SIGTERM)
        return recover(self, seen)

    monkeypatch.setattr(Rounds, "recover", stopped)
    assert main(["selftest", "--crash", "9", "--home", str(tmp_path)]) == 143
    told = capsys.readouterr().out.splitlines()
    assert told[1].split()[:3] == ["2", "2", "2"]
    assert [each for each in tmp_path.iterdir() if each.is_dir()] == []


@pytest.mark.parametrize("crash", [(), ("--crash", "2")])
def test_a_promise_that_does_not_hold_is_exit_6(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, crash: tuple[str, ...]
) -> None:
    """One sentence that says which, and the files stay for whoever looks into it."""
    state_is_forgotten(monkeypatch)
    assert main(["selftest", *crash, "--home", str(tmp_path)]) == 6
    err = capsys.readouterr().err
    (folder,) = [each for each in tmp_path.iterdir() if each.is_dir()]
    assert err.startswith("error: the self-test failed: ")
    assert "selftest_first counted: 0 times, not 1" in err
    assert err.endswith(f"; {folder} has the files; report it\n")


def test_locks_that_do_not_hold_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on some network disks: whoever asks gets the lock."""
    monkeypatch.setattr(checks.files, "lock_fd", lambda *_, **__: True)
    check = checks._locks(str(tmp_path), dict(os.environ))
    assert (check.is_good, check.found) == (False, "two processes hold the same one")


@pytest.mark.slow
def test_it_works_from_the_built_file(tmp_path: Path) -> None:
    """Children too are started from it, isolated, in whatever folder."""
    built = tmp_path / "agent_os.pyz"
    build = [sys.executable, str(ROOT / "build.py"), "--out", str(built), "--without-shiv", "--pythons", sys.executable]
    subprocess.run(build, check=True, capture_output=True)
    home = tmp_path / "a home"
    home.mkdir()
    for words in (("selftest",), ("selftest", "--crash", "5")):
        done = subprocess.run(
            [sys.executable, "-I", str(built), *words, "--home", str(home)], cwd="/", env={}, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1].split()[:2] == ["5", "5"]
