"""kill -9 of a runner while a command of its is at work: the command ends too, and is not begun again beside itself."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from agent_os.core.clock import Clock
from agent_os.core.lock import RunnerLock, is_orphaned
from agent_os.core.lock import is_gone as is_runner_gone
from agent_os.core.process import run_process
from tests.house import PACKAGE, House, is_alive, is_gone, started, wait_for

pytestmark = pytest.mark.skipif(os.name != "posix", reason="there is no keeper")
SLOW_TO_END = "trap 'sleep 0.5; echo over; exit' TERM; echo begun; while [ ! -e again ]; do sleep 0.1; done; echo done"
HASTY = f"from {PACKAGE}.core import keeper; keeper.GRACE_SECONDS = 0.3"


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> House:
    return House(tmp_path, capsys)


def command(house: House, text: str) -> None:
    """A task `long` that notes the number of its process, then does this; slow enough to be known by then.

    Its stderr is no pipe: whoever writes into one that nobody reads any more ends by that.
    """
    house.ini(
        f"[task:long]\nshell = yes\ncommand = exec >> {house.home}/notes 2> /dev/null; echo $$; sleep 0.3; {text}\n"
    )


def kill(house: House, *words: str, note: str = "begun", before: str = "") -> None:
    """Start a run of `long`, and kill it once that is noted."""
    process = started(house, *(words or ("--task", "long")), before=before)
    wait_for(house, note)
    process.kill()
    process.communicate()


def test_a_command_ends_with_its_killed_runner(house: House) -> None:
    """It and whatever it has started in its group, within moments."""
    command(house, "sleep 60 & echo $!; echo begun; sleep 60")
    kill(house)
    assert is_gone(int(house.notes[0]))
    assert is_gone(int(house.notes[1]))


def test_what_ignores_sigterm_is_killed(house: House) -> None:
    """After the time that it is given."""
    command(house, "trap '' TERM; echo begun; while :; do sleep 0.1; done")
    kill(house, before=HASTY)
    assert is_gone(int(house.notes[0]))


def test_the_time_that_it_is_given_is_given_where_programs_lie_elsewhere(house: House) -> None:
    """There is no /usr/bin/sleep on every system: those on PATH are taken, too."""
    command(house, SLOW_TO_END)
    kill(house, before="from agent_os.core import keeper; keeper._PLACES = '/nowhere'")
    assert is_gone(int(house.notes[0]))
    assert house.notes[1:] == ["begun", "over"]


def test_a_command_is_not_begun_again_beside_itself(house: House) -> None:
    """The next start, at once, waits until what the killed one had started has come to its end."""
    command(house, SLOW_TO_END)
    kill(house, "--task", "long", "--key", "a")
    (house.home / "again").touch()
    answer = house.task("long", "--key", "a")
    assert answer.code == 0
    first, second = house.notes[0], house.notes[3]
    assert house.notes == [first, "begun", "over", second, "begun", "done"]
    assert house.rows("SELECT status FROM runs ORDER BY started_at") == [("failed",), ("success",)]


def test_a_tick_waits_for_it_too(house: House) -> None:
    """Until the next one it would be long."""
    command(house, SLOW_TO_END)
    with open(house.home / "agent_os.ini", "a", encoding="utf-8") as file:
        file.write("schedule = @hourly\n")
    kill(house)
    (house.home / "again").touch()
    assert house.run("tick").code == 0
    assert [note for note in house.notes if not note.isdigit()] == ["begun", "over", "begun", "done"]


def test_what_a_command_has_left_behind_is_left_alone(house: House) -> None:
    """It ended by itself and left something in the background on purpose: a later end of its runner is no matter."""
    house.ini(f"""
        [task:first]
        command = sleep 60 >/dev/null 2>&1 & echo $! >> {house.home}/notes
        shell = yes
        [task:long]
        command = sleep 0.3; echo begun >> {house.home}/notes; sleep 60
        shell = yes
        after = first
    """)
    kill(house)
    left = int(house.notes[0])
    try:
        time.sleep(0.3)
        assert is_alive(left)
    finally:
        os.kill(left, signal.SIGKILL)


def test_a_killed_runner_without_a_command_is_gone_at_once(house: House) -> None:
    """There is nothing to be ended, and so nobody who has its lock."""
    house.app("@app.task\ndef work(ctx):\n    note('begun'); time.sleep(60)\n")
    kill(house, "--task", "work", "--app", str(house._app))
    ((owner,),) = house.rows("SELECT owner FROM runs")
    assert is_runner_gone(str(house.home / "agent_os.db"), owner)


def test_the_lock_says_that_its_holder_was_killed(house: House) -> None:
    """Not by a process number: by a line of whoever has it now."""
    command(house, "trap 'sleep 0.7' TERM; echo begun; while :; do sleep 0.1; done")
    kill(house, before=HASTY)
    ((owner,),) = house.rows("SELECT owner FROM runs")
    path = str(house.home / "agent_os.db")
    deadline = time.monotonic() + 5
    while not is_orphaned(path, owner) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert is_orphaned(path, owner)
    assert is_gone(int(house.notes[0]))
    deadline = time.monotonic() + 5
    while not is_runner_gone(path, owner) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert is_runner_gone(path, owner)


def test_a_keeper_leaves_nothing(tmp_path: Path) -> None:
    """After a run that ended by itself: no process, no descriptor, no lock."""
    before = sorted(os.listdir("/dev/fd"))
    lock = RunnerLock(str(tmp_path / "agent_os.db"), clock=Clock())
    lock.acquire()
    for _ in range(3):
        run_process(
            ["true"], env={"PATH": "/usr/bin:/bin"}, cwd=str(tmp_path), clock=Clock(), timeout_seconds=10,
            stop=lambda: False, keeper=lock.keeper,
        )  # fmt: skip
    lock.release()
    assert sorted(os.listdir("/dev/fd")) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    assert is_runner_gone(str(tmp_path / "agent_os.db"), lock.owner)


def test_a_fork_of_a_task_holds_up_no_end(tmp_path: Path) -> None:
    """What forks has all that is open, the pipe to the keeper too: that one does not wait for it when a run ends."""
    lock = RunnerLock(str(tmp_path / "agent_os.db"), clock=Clock())
    lock.acquire()
    lock.keeper.start()
    assert lock.keeper._shell
    shell = lock.keeper._shell.pid
    fork_has = os.dup(lock.keeper._pipe)
    try:
        lock.release()
        assert not is_alive(shell)
    finally:
        os.close(fork_has)
