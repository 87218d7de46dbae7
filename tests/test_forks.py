"""A task may fork. What it leaves behind can neither hold up the program nor go on as a second runner."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from homes import AppHome

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")


@pytest.fixture
def home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AppHome:
    return AppHome(tmp_path, capsys)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_fork_that_lives_on_keeps_no_later_start_waiting(home: AppHome) -> None:
    """Locks belong to the open file, which a fork has too: the end of its parent gives them back all the same."""
    home.write("""
        import os, time

        @app.task
        def daemonize(ctx):
            if os.fork() == 0:
                time.sleep(30)
                os._exit(0)

        @app.task
        def hello(ctx): pass
    """)
    assert home.start("--task", "daemonize").wait(20) == 0
    began = time.monotonic()
    assert home.start("--task", "hello").wait(60) == 0
    assert time.monotonic() - began < 20


def test_a_fork_that_comes_back_from_a_task_ends(home: AppHome) -> None:
    """There is one runner, whatever `os.fork` returned."""
    home.write("""
        import os, pathlib

        @app.task
        def twice(ctx):
            pid = os.fork()
            if pid:
                pathlib.Path(ctx.settings.home, "child").write_text(str(pid))
    """)
    assert home.start("--task", "twice").wait(20) == 0
    child = int((home.folder / "child").read_text(encoding="ascii"))
    deadline = time.monotonic() + 10
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(child)
    assert home.sql("SELECT status FROM runs") == [("success",)]
