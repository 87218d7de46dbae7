"""Pings: what a monitor hears of runs, when it hears it, and what it never hears."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import time
from datetime import timedelta

import pytest
from fakes.pingserver import CHECK, OTHER, PROJECT, SLUG, UUID, PingServer
from homes import AppHome

from agent_os.core.clock import Clock


@pytest.fixture
def server():
    running = PingServer()
    yield running
    running.close()


@pytest.fixture
def home(tmp_path, capsys):
    return AppHome(tmp_path, capsys)


def one_task(home, server, body="return 'done'", **options):
    given = ", ".join(f"{name}={value!r}" for name, value in {"ping": server.url(), **options}.items())
    home.write(f"@app.task({given})\ndef work(ctx):\n    {body}\n")


def test_a_run_is_told_when_it_begins_and_when_it_ends(home, server):
    """A start, then a success with what was printed, both with the same run id."""
    one_task(home, server, "print('forty-two')")
    assert home.run("--task", "work").code == 0
    start, end = server.heard
    assert (start.kind, start.body, end.kind, end.body) == ("start", "", "success", "forty-two")
    assert UUID.fullmatch(start.rid)
    assert start.rid == end.rid
    assert server.refused == []
    assert home.rows("SELECT outbox, status FROM outbox") == [("ping", "sent")] * 2
