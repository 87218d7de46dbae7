"""Pings: what a monitor hears of runs, when it hears it, and what it never hears."""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import subprocess
import time
from contextlib import contextmanager

import pytest
from fakes.pingserver import CHECK, OTHER, PROJECT, SLUG, UUID, PingServer
from homes import AppHome
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_os.core import courier
from agent_os.core.clock import Clock
from agent_os.core.config import Settings
from agent_os.core.logbook import tail_of
from agent_os.core.pings import address, body_of, pings_of, rid_of
from agent_os.core.redactor import Redactor
from agent_os.core.spec import Task

HOUR = 3600.0


@pytest.fixture
def server():
    running = PingServer()
    yield running
    running.close()


@pytest.fixture
def heard(home, server):
    """A line for a task: it waits until its start was heard, so that no end takes the place of that."""
    server.marker = home.folder / "heard"
    return f"[time.sleep(0.01) for _ in range(1000) if not os.path.exists({str(server.marker)!r})]"


@pytest.fixture
def home(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(courier, "WAITS", (0.01, 0.02))
    return AppHome(tmp_path, capsys)


def one_task(home, server, *lines, **options):
    """An app with the task `work`, which has a ping."""
    given = ", ".join(f"{name}={value!r}" for name, value in {"ping": server.url(), **options}.items())
    body = "\n    ".join(lines or ("return 'done'",))
    home.write(f"@app.task({given})\ndef work(ctx):\n    {body}\n")


def env(home, **values):
    """The .env of the home."""
    path = home.folder / ".env"
    path.write_text("".join(f"{name}={value}\n" for name, value in values.items()), encoding="utf-8")
    path.chmod(0o600)


@contextmanager
def signing_in(folder):
    """A server whose certificate nobody knows, as that of a hotel: the address of a check behind it."""
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=hotel.example.com",
         "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], capture_output=True, check=False,
    ) if shutil.which("openssl") else None  # fmt: skip
    if made is None or made.returncode:
        pytest.skip("there is no openssl to make a certificate with")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    portal = PingServer()
    portal.socket = context.wrap_socket(portal.socket, server_side=True)
    try:
        yield portal.url().replace("http:", "https:")
    finally:
        portal.close()


def waiting(home):
    return home.rows("SELECT key, status, attempts FROM outbox WHERE outbox = 'ping' AND status <> 'sent' ORDER BY id")


# what is said


def test_a_run_is_told_when_it_begins_and_when_it_ends(home, server, heard):
    """A start, then a success with what was printed, both with the same run id."""
    one_task(home, server, heard, "print('forty-two')")
    assert home.run("--task", "work").code == 0
    start, end = server.heard
    assert (start.kind, start.body, end.kind, end.body) == ("start", "", "success", "forty-two")
    assert UUID.fullmatch(start.rid)
    assert start.rid == end.rid
    assert server.refused == []
    assert waiting(home) == []


def test_each_run_has_a_run_id_of_its_own(home, server, heard):
    """So that a monitor can tell which start and end belong together."""
    one_task(home, server, heard)
    home.run("--task", "work")
    server.marker.unlink()
    home.run("--task", "work", "--force")
    assert server.kinds() == ["start", "success"] * 2
    assert len({each.rid for each in server.heard}) == 2


def test_a_run_that_fails_is_told_with_its_error_first_and_then_what_it_printed(home, server, heard):
    """The first line of the alarm says why."""
    one_task(home, server, heard, "print('began')", "raise PermanentError('the disk is gone', hint='buy one')")
    assert home.run("--task", "work").code == 1
    assert server.kinds() == ["start", "fail"]
    assert server.heard[-1].body == "the disk is gone; buy one\n\nbegan"


def test_a_run_with_attempts_is_one_run(home, server, heard):
    """Between two attempts nothing is over."""
    one_task(home, server, heard, "if ctx.attempt < 3: raise TransientError('not yet')", retries=2, backoff="0.01s")
    assert home.run("--task", "work").code == 0
    assert server.kinds() == ["start", "success"]


def test_a_command_of_the_ini_pings_where_a_setting_says(home, server):
    """`ping = env:NAME` keeps the address out of the ini."""
    env(home, NIGHTLY=server.url())
    home.ini("[task:backup]\ncommand = sh -c 'sleep 1; echo 12 files'\nping = env:NIGHTLY\n")
    assert home.run("--task", "backup").code == 0
    assert [(each.kind, each.body) for each in server.heard] == [("start", ""), ("success", "12 files")]


def test_a_setting_that_is_not_set_means_no_ping(home, server):
    """A copy of the home on another machine does not speak for this one."""
    home.ini("[task:backup]\ncommand = true\nping = env:NIGHTLY\n")
    assert home.run("--task", "backup").code == 0
    assert server.asked == 0


def test_a_query_of_the_address_stays(home, server, heard):
    """`?create=1` has the service make a check that is not there."""
    server.checks.discard(f"{PROJECT}/{SLUG}")
    one_task(home, server, heard, ping=server.url(f"{PROJECT}/{SLUG}?create=1"))
    assert home.run("--task", "work").code == 0
    assert server.kinds(f"{PROJECT}/{SLUG}") == ["start", "success"]


@pytest.mark.parametrize(
    ("url", "kind", "expected"),
    [
        ("https://hc-ping.com/u", "success", "https://hc-ping.com/u"),
        ("https://hc-ping.com/u/", "start", "https://hc-ping.com/u/start"),
        ("https://hc-ping.com/key/slug?create=1", "fail", "https://hc-ping.com/key/slug/fail?create=1"),
    ],
)
def test_the_kind_stands_at_the_end_of_the_path(url, kind, expected):
    """Success has no word of its own."""
    assert address(url, kind, "r") == (expected, [("rid", rid_of("r"))])


def test_the_run_id_is_a_uuid_that_stays_the_same():
    """Whoever sends the end, today or after a crash, finds the same one."""
    assert rid_of("20261122T050000-1a2b3c4d5e6f") == "ba88f367-775f-5d77-8efd-c2f87ec1d983"


@pytest.mark.parametrize(
    ("error", "text", "expected"),
    [
        ("", "", ""),
        ("it broke", "", "it broke"),
        ("", " end \n", "end"),
        ("it broke", "end", "it broke\n\nend"),
        ("", "a" * 20_000 + "z", "a" * 9_999 + "z"),
        ("", "é" * 6_000 + "z", "é" * 4_999 + "z"),
        ("e" * 5_000, "t" * 20_000, "e" * 2_000 + "\n\n" + "t" * 7_998),
    ],
    ids=["nothing", "error", "text", "both", "long", "between two bytes", "both long"],
)
def test_a_body_is_the_error_and_the_end_of_the_text_in_ten_kilobytes(error, text, expected):
    """The error is never cut away by what was printed."""
    assert body_of(error, text) == expected
    assert len(body_of(error, text).encode()) <= 10_000


# invocations


def test_one_address_may_stand_for_whole_invocations(home, server, heard):
    """AGENT_OS_PING hears one start and one end, however many tasks there are."""
    env(home, AGENT_OS_PING=server.url())
    home.write(f"@app.task\ndef first(ctx): {heard}\n@app.task(after='first')\ndef second(ctx): pass\n")
    assert home.run("--task", "second", "--key", "k").code == 0
    assert server.kinds() == ["start", "success"]
    assert server.heard[0].rid == server.heard[1].rid
    assert server.heard[1].body == "first k: success\nsecond k: success"


def test_an_invocation_fails_if_any_run_of_it_did(home, server, heard):
    """And says which, first."""
    env(home, AGENT_OS_PING=server.url())
    home.write(
        f"@app.task\ndef first(ctx): {heard}\n@app.task\ndef bad(ctx): raise PermanentError('no')\n"
        "@app.task(after=['first', 'bad'])\ndef last(ctx): pass\n"
    )
    assert home.run("--task", "last", "--key", "k").code == 1
    assert server.kinds() == ["start", "fail"]
    assert server.heard[1].body.splitlines()[0] == "bad k: failed: no"


def test_a_task_and_the_invocation_may_both_have_an_address(home, server):
    """Each hears its own."""
    env(home, AGENT_OS_PING=server.url(OTHER))
    one_task(home, server, "time.sleep(1)")
    home.run("--task", "work")
    assert (server.kinds(CHECK), server.kinds(OTHER)) == (["start", "success"], ["start", "success"])


def test_an_invocation_with_nothing_to_do_says_so_once_an_hour_at_most(home, server):
    """A monitor of `tick` hears from it, and a tick that has nothing to say asks nobody."""
    env(home, AGENT_OS_PING=server.url())
    home.write("@app.task(schedule='0 6 * * *')\ndef work(ctx): pass\n")
    home.run("--task", "work")
    for _ in range(8):  # two hours
        home.clock.pass_by(HOUR / 4)
        assert home.run("--task", "work").code == 0
    assert [kind for kind in server.kinds() if kind != "start"] == ["success", "success", "success"]
    assert server.heard[-1].body.startswith("work: skipped: nothing to do until 2026-11-23T06:00Z")


def test_nothing_to_do_does_not_make_a_failure_good(home, server):
    """Only a start that does something and succeeds says that all is well again."""
    env(home, AGENT_OS_PING=server.url())
    home.write("@app.task(schedule='0 6 * * *')\ndef work(ctx): pass\n"
               "@app.task\ndef bad(ctx): raise PermanentError('no')\n")  # fmt: skip
    home.run("--task", "work")
    home.run("--task", "bad")
    home.clock.pass_by(2 * HOUR)
    home.run("--task", "work")
    assert [kind for kind in server.kinds() if kind != "start"] == ["success", "fail"]


def test_a_failure_that_nobody_heard_of_is_not_made_good_either(home, server):
    """It is too late to be sent, but nothing to do is no success after it."""
    env(home, AGENT_OS_PING=server.url())
    home.write("@app.task(schedule='0 6 * * *')\ndef work(ctx): raise PermanentError('no')\n"
               "@app.task(schedule='0 6 * * *')\ndef good(ctx): pass\n")  # fmt: skip
    home.run("--task", "good")
    server.heard.clear()
    server.is_offline = True
    home.run("--task", "work")
    server.is_offline = False
    for _ in range(3):
        home.clock.pass_by(2 * HOUR)
        home.run("--task", "good")
    assert server.heard == []
    home.clock.pass_by(24 * HOUR)
    home.run("--task", "good")
    assert server.kinds()[-1] == "success"
    assert waiting(home) == []


# when it is said


def test_the_start_is_heard_while_the_work_goes_on(home, server):
    """So a monitor can tell that a run hangs, and how long it takes."""
    one_task(home, server, "deadline = time.monotonic() + 20", f"folder = {str(home.folder)!r}",
             "while not os.path.exists(folder + '/go') and time.monotonic() < deadline: time.sleep(0.01)",
             "return time.monotonic() < deadline")  # fmt: skip
    running = home.start("--task", "work")
    try:
        deadline = time.monotonic() + 30
        while not server.heard and time.monotonic() < deadline:
            time.sleep(0.01)
        assert server.kinds() == ["start"]
        (home.folder / "go").touch()
        assert running.wait(30) == 0
    finally:
        running.kill()
    assert server.kinds() == ["start", "success"]


def test_a_slow_server_delays_no_task(home, server):
    """Pings have threads of their own, even where only one task runs at a time."""
    server.moods = ["slow"] * 2
    home.write(
        "".join(
            f"@app.task(ping={server.url()!r})\ndef work{number}(ctx): note(str(time.monotonic()))\n"
            for number in range(6)
        )
        + "@app.task(after=['work%d' % n for n in range(6)])\ndef last(ctx): note(str(time.monotonic()))\n"
    )
    assert home.run("--task", "last", "--jobs", "1").code == 0
    times = [float(note) for note in home.notes]
    assert len(times) == 7
    assert times[-1] - times[0] < 1.0
    assert server.disorder() == []


def test_the_end_of_a_run_waits_for_a_silent_server_no_longer_than_it_must(home, server, monkeypatch):
    """What has not left by then waits for the next run."""
    monkeypatch.setattr(courier, "CLOSING_SECONDS", 0.5)
    from agent_os.core import loop

    monkeypatch.setattr(loop, "CLOSING_SECONDS", 0.5)
    server.moods = ["hang"] * 5
    one_task(home, server)
    began = time.monotonic()
    assert home.run("--task", "work").code == 0
    assert time.monotonic() - began < 5
    assert [(key.split()[-1], status) for key, status, _ in waiting(home)] == [("success", "waiting")]


def test_pings_that_cannot_be_sent_change_nothing_about_a_run(home, server):
    """Not its exit code, not what it says on stderr but for a note."""
    server.is_offline = True
    one_task(home, server)
    answer = home.run("--task", "work", "--quiet")
    assert (answer.code, answer.err) == (0, "")
    assert [status for _, status, _ in waiting(home)] == ["waiting"]


def test_a_ping_is_tried_three_times_a_run(home, server):
    """Then it is the next run's."""
    server.is_offline = True
    one_task(home, server)
    home.run("--task", "work")
    assert waiting(home)[0][2] == 3
    assert server.asked <= 6


def test_an_end_that_was_not_sent_is_sent_by_the_next_run_if_it_is_fresh(home, server):
    """Even if that has nothing else to do. The start is of no use by then."""
    server.is_offline = True
    one_task(home, server, schedule="0 6 * * *")
    home.run("--task", "work")
    server.is_offline = False
    home.clock.pass_by(HOUR / 2)
    assert home.run("--task", "work").code == 0
    assert server.kinds() == ["success"]
    assert waiting(home) == []


def test_an_end_that_is_older_than_an_hour_is_dropped_and_the_log_says_so(home, server):
    """A monitor that is told of yesterday now takes it for today."""
    server.is_offline = True
    one_task(home, server, schedule="0 6 * * *")
    home.run("--task", "work")
    server.is_offline = False
    home.clock.pass_by(HOUR + 1)
    answer = home.run("--task", "work")
    assert server.heard == []
    assert waiting(home) == []
    assert "a ping (success) about work could not be sent within an hour; it is dropped" in answer.err


def test_a_failure_is_heard_though_the_next_run_succeeds(home, server):
    """Nobody is spared an alarm because the network was away; both are told, in their order."""
    server.is_offline = True
    one_task(home, server, "if ctx.slot == 'a': raise PermanentError('no')", "if ctx.slot == 'c': time.sleep(0.5)")
    home.run("--task", "work", "--key", "a")
    home.run("--task", "work", "--key", "b")
    assert [key.split()[-1] for key, _, _ in waiting(home)] == ["fail", "success"]
    server.is_offline = False
    home.run("--task", "work", "--key", "c")
    kinds = [kind for kind in server.kinds() if kind != "start"]
    assert (kinds[0], kinds[-1]) == ("fail", "success")
    assert server.kinds()[0] == "fail"


def test_an_end_takes_the_place_of_what_is_unsent_of_its_task(home, server):
    """The newest word is the one that counts, and no pile builds up while the network is away."""
    server.is_offline = True
    one_task(home, server)
    for key in "abc":
        home.run("--task", "work", "--key", key)
    assert len(waiting(home)) == 1
    server.is_offline = False
    home.run("--task", "work", "--key", "d")
    assert server.kinds()[-1] == "success"
    assert server.kinds().count("success") <= 2
    assert server.kinds().count("start") <= 1
    assert waiting(home) == []


@pytest.mark.parametrize("status", ["404", "410"])
def test_a_check_that_is_gone_parks_its_pings(home, server, status):
    """For a person to look at; the next ones take their place, so there is one, not a thousand."""
    server.moods = [status] * 6
    one_task(home, server)
    for key in "abc":
        assert home.run("--task", "work", "--key", key).code == 0
    assert [(key.split()[-1], state, tries) for key, state, tries in waiting(home)] == [("success", "parked", 1)]
    assert f"answered {status}" in home.run("outbox").out


def test_a_yes_that_means_no_is_no_yes(home, server):
    """The hosted service says 200 to a check that it does not know, and `not found` only in the body."""
    server.hosted = True
    one_task(home, server, ping=server.url("5bf66975-d4c7-4bf5-bcc8-000000000000"))
    assert home.run("--task", "work").code == 0
    assert [state for _, state, _ in waiting(home)] == ["parked"]
    assert "there is no such check" in home.run("outbox").out


@pytest.mark.parametrize("hosted", [True, False])
def test_a_server_that_wants_a_rest_gets_one(home, server, hosted):
    """Too many pings are not answered by more."""
    server.hosted = hosted
    server.moods = ["429"] * 8
    one_task(home, server)
    began = time.monotonic()
    assert home.run("--task", "work").code == 0
    assert [state for _, state, _ in waiting(home)] == ["waiting"]
    assert server.asked <= (6 if hosted else 2)
    assert time.monotonic() - began < 5


def test_a_check_hears_no_more_than_it_takes_in_a_minute(home, server):
    """Of very many runs of one task the last is told, and a few before it."""
    one_task(home, server, "time.sleep(0.1)", partition="day")
    words = ("--task", "work", "--since", "2026-11-01", "--until", "2026-11-13", "--jobs", "1")
    assert home.run(*words).code == 0
    assert len(server.heard) <= 5
    assert server.heard[-1].kind == "success"
    assert waiting(home) == []


def test_a_start_that_could_not_be_sent_before_its_end_is_known_is_dropped(home, server, monkeypatch):
    """It would only make the end come later."""
    monkeypatch.setattr(courier, "WAITS", (0.5, 0.5))
    server.moods = ["500"]
    one_task(
        home, server, f"[time.sleep(0.01) for _ in range(1000) if not os.path.exists({str(home.folder)!r} + '/h')]"
    )
    server.at_mood = home.folder / "h"
    assert home.run("--task", "work").code == 0
    assert server.kinds() == ["success"]


def test_a_start_is_never_sent_by_another_runner(home, server):
    """Only the one that began the run knows that it has not ended."""
    one_task(home, server, schedule="0 6 * * *")
    home.run("--task", "work")
    server.heard.clear()
    at = "2026-11-22T08:59:00.000Z"
    home.sql(
        "INSERT INTO outbox(outbox, key, payload_json, status, next_at, run_id, created_at, changed_at)"
        " VALUES ('ping', 'work r1 start', '{}', 'waiting', ?, 'r1', ?, ?)", at, at, at,
    )  # fmt: skip
    assert home.run("--task", "work").code == 0
    assert server.heard == []
    assert waiting(home) == []


# runs that are cut short


def killed(home, *, by):
    """A run of `work` that is ended in the middle."""
    running = home.start("--task", "work")
    try:
        home.wait_for("begun")
        running.send_signal(by)
        running.wait(30)
    finally:
        running.kill()
    home.clock = Clock()


HANGS = ("if not os.path.exists({0!r} + '/begun'):", "    open({0!r} + '/begun', 'w').close()", "    time.sleep(60)")


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
def test_a_run_that_was_killed_is_told_by_the_next_start(home, server):
    """Nobody was there to say it; then it is done again."""
    one_task(home, server, *(line.format(str(home.folder)) for line in HANGS))
    killed(home, by=signal.SIGKILL)
    assert server.kinds() in ([], ["start"])
    server.heard.clear()
    assert home.run("--task", "work").code == 0
    assert server.kinds()[0] == "fail"
    assert server.kinds()[-1] == "success"
    assert server.heard[0].body.startswith("interrupted: the program ended before the run did")
    assert server.disorder() == []


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
def test_an_invocation_that_was_killed_is_told_by_the_next_start(home, server):
    """Its start is not left without an end."""
    env(home, AGENT_OS_PING=server.url())
    home.write("@app.task\ndef work(ctx):\n    " + "\n    ".join(each.format(str(home.folder)) for each in HANGS))
    killed(home, by=signal.SIGKILL)
    server.heard.clear()
    assert home.run("--task", "work").code == 0
    assert server.kinds()[0] == "fail"
    assert server.kinds()[-1] == "success"
    assert server.heard[0].rid != server.heard[-1].rid


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_run_that_was_stopped_tells_it_itself(home, server):
    """SIGTERM leaves time for a word."""
    one_task(home, server, *(line.format(str(home.folder)) for line in HANGS))
    killed(home, by=signal.SIGTERM)
    assert server.kinds()[-1] == "fail"
    assert server.heard[-1].body.startswith("interrupted: ")


# what nobody is told


def test_the_address_of_a_ping_is_nowhere(home, server):
    """Not in the log, the database, an error or what any verb shows: who has it can keep the alarm quiet."""
    env(home, NIGHTLY=server.url(), AGENT_OS_PING=server.url(OTHER))
    home.ini("[task:backup]\ncommand = sh -c 'cat .env; env'\nping = env:NIGHTLY\n"
             f"[task:other]\ncommand = echo {PROJECT} {OTHER}\nping = {server.url(f'{PROJECT}/{SLUG}')}\n")  # fmt: skip
    server.moods = ["404", "500", "500", "500"]
    said = ""
    for words in (("--task", "backup"), ("--task", "other"), ("config",), ("config", "--json"), ("history", "--json"),
                  ("outbox", "--all", "--json"), ("tasks", "--json"), ("doctor",)):  # fmt: skip
        answer = home.run(*words)
        said += answer.out + answer.err
    said += "".join(
        path.read_bytes().decode("latin-1")
        for path in home.folder.iterdir()
        if path.name not in (".env", "agent_os.ini")
    )
    assert server.asked > 4
    for secret in (CHECK, OTHER, PROJECT):
        assert secret not in said
        assert all(secret not in each.body for each in server.heard)


BAD = {
    "plain http": ("http://hc-ping.com/x", "without TLS only this machine itself is asked"),
    "another host": ("https://hc.example.com/ping/x", "hc.example.com is no host that is pinged"),
    "no check": ("https://hc-ping.com/", "the address names no check"),
    "a kind at the end": ("https://hc-ping.com/x-secret-x/fail", "leave out /fail"),
    "a password": ("https://u:p@hc-ping.com/x-secret-x", "user name or password"),
    "no address": ("x-secret-x", "does not begin with https://"),
    "a blank": ("https://hc-ping.com/x-secret-x y", "a blank"),
    "no name": ("env:", "names no setting"),
}


@pytest.mark.parametrize("name", BAD)
def test_an_address_that_cannot_be_meant_is_said_before_anything_runs(home, name):
    """In one sentence, without the address."""
    url, expected = BAD[name]
    home.ini(f"[task:backup]\ncommand = true\nping = {url}\n")
    answer = home.run("--task", "backup")
    assert answer.code == 3
    assert expected in answer.err
    assert "x-secret-x" not in answer.err
    assert not (home.folder / "agent_os.db").exists()


def test_the_setting_is_judged_as_a_task_s_address_is(home):
    """One sentence, exit 3."""
    env(home, AGENT_OS_PING="https://hc.example.com/x-secret-x")
    home.ini("[task:backup]\ncommand = true\n")
    answer = home.run("--task", "backup")
    assert answer.code == 3
    assert "AGENT_OS_PING (from " in answer.err
    assert "x-secret-x" not in answer.err


def test_a_host_of_ones_own_is_allowed_by_a_setting():
    """That is how a self-hosted server is pinged."""
    task = Task("backup", kind="command", source="here").declare({"ping": "https://hc.example.com/ping/x"})
    values = {"AGENT_OS_ALLOWED_HOSTS": "hc.example.com"}
    pings = pings_of({"backup": task}, Settings("/", (("flag", values),), warnings=[]), Redactor())
    assert task.faults == []
    assert pings.of("backup") == "https://hc.example.com/ping/x"


@pytest.mark.parametrize("source", ["@app.outbox('ping')\ndef send(ctx, message): pass\n",
                                    "@app.task\ndef ping(ctx): pass\n"])  # fmt: skip
def test_the_name_of_the_outbox_is_taken_where_there_are_pings(home, server, source):
    """In one sentence; where there are none, the name is free as it was before."""
    home.write(f"{source}@app.task\ndef work(ctx): pass\n")
    assert home.run("--task", "work").code == 0
    env(home, AGENT_OS_PING=server.url())
    answer = home.run("--task", "work")
    assert answer.code == 3
    assert "the name belongs to the outbox of pings; choose another" in answer.err


def test_what_waited_in_an_outbox_of_this_name_before_is_no_ping(home, server):
    """It is parked for a person to look at, and stops nothing."""
    one_task(home, server)
    home.run("--task", "work")
    at = "2026-11-22T08:59:00.000Z"
    for key in ("hello", "a b start of it"):
        home.sql(
            "INSERT INTO outbox(outbox, key, payload_json, status, next_at, run_id, created_at, changed_at)"
            " VALUES ('ping', ?, '{}', 'waiting', ?, 'r1', ?, ?)", key, at, at, at,
        )  # fmt: skip
    assert home.run("--task", "work", "--force").code == 0
    assert [state for _, state, _ in waiting(home)] == ["parked", "parked"]


def test_doctor_tells_of_a_ping_whose_setting_is_not_set(home):
    """Nothing else would, until the monitor raises the alarm."""
    home.ini("[task:backup]\ncommand = true\nping = env:NIGHTLY\n")
    assert "backup pings nobody: NIGHTLY is not set" in home.run("doctor", app=False).out


def test_a_home_without_pings_has_no_trace_of_them(home):
    """No row, no thread, no request."""
    home.write("@app.task\ndef work(ctx): pass\n")
    assert home.run("--task", "work").code == 0
    assert home.rows("SELECT count(*) FROM outbox") == [(0,)]


# what the log says of what failed


def test_a_run_that_fails_is_told_with_what_its_task_logged(home, server, heard):
    """Between the error and what was printed: the tries before, and what the task logged; no other run's."""
    env(home, BOX_TOKEN="sesame-opens")
    one_task(home, server, heard, "ctx.log.info('box', f'opened box {ctx.attempt}')",
             "ctx.log.debug('box', 'with sesame-opens')", "print('printed')",
             "raise TransientError('no box')", retries=1, backoff="0.01s")  # fmt: skip
    assert home.run("--task", "work").code == 1
    error, logged, printed = server.heard[-1].body.split("\n\n")
    assert (error, printed) == ("no box", "printed")
    assert [line.partition(" ")[2].partition("; trying")[0] for line in logged.split("\n")] == [
        "info: opened box 1", "debug: with ***", "info: work: no box", "info: opened box 2", "debug: with ***",
    ]  # fmt: skip
    assert home.run("--task", "work", "--force").code == 1
    assert server.heard[-1].body.count("opened box 1") == 1


def test_without_a_log_the_error_and_what_was_printed_are_all(home, server, heard):
    """An empty AGENT_OS_LOG_FILE means none."""
    env(home, AGENT_OS_LOG_FILE="")
    one_task(home, server, heard, "ctx.log.info('box', 'opened')", "print('printed')", "raise PermanentError('no')")
    assert home.run("--task", "work").code == 1
    assert server.heard[-1].body == "no\n\nprinted"


def test_of_a_collector_that_fails_the_log_of_its_requests_is_told(home, server):
    """It prints nothing; what it asked and what came back is in the log, without the id of a run."""
    closed = "http://127.0.0.1:9"
    env(home, AGENT_OS_PING=server.url(), OPENAI_API_KEY="sk-admin-aaaaaaaaaaaaaaaa", OPENAI_BASE_URL=closed)
    assert home.run("--task", "fetch_openai", "--since", "2026-11-20", "--until", "2026-11-21", app=False).code == 1
    first, _, logged = server.heard[-1].body.partition("\n\n")
    assert first.startswith("fetch_openai: failed: ")
    assert "debug: 127.0.0.1:9/organization/costs" in logged


def test_of_very_many_runs_those_that_failed_are_named_first(home, server):
    """A message of ten kilobytes has no room for all; the log of the first that failed stands at the end."""
    env(home, AGENT_OS_PING=server.url())
    home.write("def make(number):\n    @app.task(name=f'work{number:03}')\n    def work(ctx):\n"
               "        if number > 396:\n            ctx.log.info('x', f'box {number}')\n"
               "            raise PermanentError('no')\n"
               "for number in range(400): make(number)\n"
               "@app.task(after=[f'work{number:03}' for number in range(400)])\ndef last(ctx): pass\n")  # fmt: skip
    assert home.run("--task", "last").code == 1
    lines = server.heard[-1].body.split("\n")
    assert [line.split(" ")[0] for line in lines if "failed" in line] == ["work397", "work398", "work399"]
    assert lines[-1].endswith("info: box 397")


def test_the_tail_of_a_log_that_is_none_is_empty(tmp_path):
    """No file, no file of ours, torn lines: nothing is said, and nothing raised."""
    run = "20261122T090000-aaaaaaaaaaaa"
    assert tail_of(str(tmp_path / "none"), run, "work") == ""
    assert tail_of(str(tmp_path), run, "work") == ""
    path = tmp_path / "agent.log"
    path.write_bytes(
        b"\n".join(torn.replace(b"R", run.encode()) for torn in (b'"run": "R', b'{"run": "R"', b'["R"]', b"\xffR"))
    )
    assert tail_of(str(path), run, "work") == ""
    records = [
        {"time": "2026-11-22T09:00:01.000Z", "level": "info", "message": "a", "run": run},
        {"time": "2026-11-22T08:59:59.000Z", "level": "info", "message": "before", "task": "work"},
        {"time": "2026-11-22T09:00:02.000Z", "level": "info", "message": "b", "task": "work"},
        {"time": "2026-11-22T09:00:02.000Z", "level": "info", "message": "c", "task": "other"},
        {"time": "2026-11-22T09:00:03.000Z", "level": "info", "message": "d", "task": "work", "run": "another"},
    ]
    path.write_text("\n".join(["x" * 100_000, *map(json.dumps, records)]), encoding="utf-8")
    assert tail_of(str(path), run, "work") == "09:00:01 info: a\n09:00:02 info: b"


def test_a_failure_behind_a_sign_in_page_is_told_later(home, server, tmp_path_factory):
    """A certificate that cannot be trusted is no answer of the monitor: the ping waits for the next run."""
    with signing_in(tmp_path_factory.mktemp("tls")) as url:
        env(home, NIGHTLY=url)
        home.ini("[task:backup]\ncommand = false\nping = env:NIGHTLY\n")
        assert home.run("--task", "backup", app=False).code == 1
    assert [(key.split()[-1], status) for key, status, _ in waiting(home)] == [("fail", "waiting")]
    env(home, NIGHTLY=server.url())
    home.ini("[task:backup]\ncommand = true\nping = env:NIGHTLY\n")
    home.run("--task", "backup", app=False)
    assert [kind for kind in server.kinds() if kind != "start"] == ["fail", "success"]


def test_a_token_in_the_query_of_an_address_is_hidden_too(home):
    """A server of one's own may want one; `create=1` is none."""
    redactor = Redactor()
    task = Task("backup", kind="command", source="here").declare(
        {"ping": "https://hc-ping.com/abcdefgh?create=1&token=sesame-opens"}
    )
    pings_of({"backup": task}, Settings("/", (), warnings=[]), redactor)
    assert redactor.text("asked with sesame-opens, create=1") == "asked with ***, create=1"


# with a long past


@pytest.mark.parametrize("word", ["tick", "run", "fail"])
def test_pings_of_years_cost_a_run_nothing(home, server, word):
    """What is sent is looked at by nobody: each question about messages and runs has an index, and needs no more rows
    than are unsent, or than the invocation has.
    """
    from agent_os.core.home import open_home
    from agent_os.core.mail import is_any_due, next_at
    from agent_os.core.ping_book import PingBook
    from agent_os.core.pings import WHOLE, Pings
    from agent_os.core.plan import Setup
    from agent_os.core.survey import Survey

    opened = open_home(str(home.folder), flags={}, clock=Clock(), environ={}, stderr=None)
    db, pings, asked = opened.store(write=True).db, Pings({"a": server.url()}, server.url(OTHER)), []
    db.connection.set_trace_callback(asked.append)
    if word == "tick":
        is_any_due(db, Setup({}, collectors={}, pings=pings))
        next_at(db, Setup({}, collectors={}, pings=pings))
        Survey(db).unsent()
    else:
        book = PingBook(db, pings, invocation="20261122T090000-aa", log=opened.log, hide=str)
        with db.atomic():
            book.take_over()
            book.began("a", "20261122T090000-bb", kind="command")
            book.ended("a", "20261122T090000-bb", is_success=word == "run")
            book.over(is_success=word == "run")
        for ping in book.take()[0]:
            assert ping.task in ("a", WHOLE)
            book.words(ping)
    db.connection.set_trace_callback(None)
    plans = {
        text: row[3] for text in asked if text.startswith("SELECT") for row in db.all(f"EXPLAIN QUERY PLAN {text}")
    }
    opened.close()
    for text, plan in plans.items():
        if "NOT INDEXED" in text:  # the newest ping of whole invocations: it is found at the end of the table
            continue
        assert "SCAN" not in plan or "outbox_unsent" in plan, (text, plan)
        assert "outbox_1" not in plan or "key =" in text, (text, plan)
    assert len(plans) >= 3


# in any order


STEPS = st.lists(
    st.sampled_from(["begin", "succeed", "fail", "die", "finish", "rest", "offline", "online", "500", "404", "429"]),
    min_size=3,
    max_size=25,
)


class Fleet:
    """Runners of one home, one after the other, which begin and end runs and may die in between."""

    def __init__(self, home, server):
        self.home, self.server = home, server
        self.number = 0
        self.desk = self.courier = None
        self.running = []

    def start(self):
        from agent_os.core.courier import Courier
        from agent_os.core.ping_book import PingBook
        from agent_os.core.pings import WHOLE, Pings

        if self.desk is None:
            self.number += 1
            db = self.home.store(write=True).db
            pings = Pings({"a": self.server.url(CHECK), "b": self.server.url(OTHER)}, "")
            self.desk = PingBook(db, pings, invocation=f"i{self.number}", log=self.home.log, hide=str)
            self.courier = Courier(self.desk, self.home)
            with db.atomic():
                left = [row[0] for row in db.all("SELECT id FROM runs WHERE status = 'running'")]
                db.run("UPDATE runs SET status = 'failed', error = 'interrupted' WHERE status = 'running'")
                self.desk.cut_short(left)
            assert WHOLE not in left
        return self.desk

    def do(self, step):
        db = self.home.store(write=True).db
        if step in ("offline", "online"):
            self.server.is_offline = step == "offline"
        elif step.isdigit():
            self.server.moods.append(step)
        elif step == "rest":
            time.sleep(0.02)
        elif step == "die" and self.courier:  # nothing of it is written down any more
            for lane in self.courier._lanes:
                lane.dismiss()
            time.sleep(0.05)
            self.desk = self.courier = None
            self.running = []
        elif step == "finish" and self.courier and not self.running:
            self.courier.finish(2)
            self.desk = self.courier = None
        elif step == "begin" or (step in ("succeed", "fail") and self.running):
            desk = self.start()
            with db.atomic():
                if step == "begin":
                    self.number += 1
                    task, run_id = "ab"[self.number % 2], f"2026-{self.number:04}"
                    db.run(
                        "INSERT INTO runs(id, plugin_name, task, invocation_id, status, started_at)"
                        " VALUES (?, ?, ?, 'i', 'running', ?)",
                        (run_id, task, task, db.now()),
                    )
                    desk.began(task, run_id, kind="command")
                    self.running.append((task, run_id))
                else:
                    task, run_id = self.running.pop()
                    db.run("UPDATE runs SET status = 'success' WHERE id = ?", (run_id,))
                    desk.ended(task, run_id, is_success=step == "succeed")
                self.courier.keep(None)
            self.courier.send()


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS)
def test_no_monitor_ever_hears_of_a_start_after_the_end(tmp_path_factory, steps):
    """Whatever dies, hangs up or is refused in between; and it hears of no run that there was not."""
    from agent_os.core.home import open_home

    courier_waits, courier.WAITS = courier.WAITS, (0.005, 0.01)
    server = PingServer()
    home = open_home(str(tmp_path_factory.mktemp("fleet")), flags={}, clock=Clock(), environ={}, stderr=None)
    try:
        fleet = Fleet(home, server)
        for step in steps:
            fleet.do(step)
        server.is_offline, server.moods = False, []
        fleet.start()
        for task, run_id in fleet.running:
            with home.store(write=True).db.atomic():
                fleet.desk.ended(task, run_id, is_success=True)
        fleet.courier.finish(5)
        known = {rid_of(run_id) for (run_id,) in home.store().db.all("SELECT id FROM runs")}
    finally:
        home.close()
        server.close()
        courier.WAITS = courier_waits
    assert server.disorder() == []
    assert {each.rid for each in server.heard} <= known
    assert [path for status, path in server.refused if status == 400] == []


# tick


def test_a_tick_with_nothing_due_says_so_once_an_hour_at_most(home, server):
    """Four ticks an hour are not four requests; and the monitor may wait for an hour and a quarter."""
    env(home, AGENT_OS_PING=server.url())
    home.ini("[task:backup]\ncommand = true\nschedule = 0 6 * * *\n[agent_os]\n")
    for _ in range(9):
        answer = home.run("tick", app=False)
        assert (answer.code, answer.out) == (0, "nothing is due; next: 2026-11-23T06:00Z\n")
        home.clock.pass_by(HOUR / 4)
    assert server.kinds() == ["success"] * 3
    assert server.heard[0].body == "nothing was due"


def test_a_tick_with_nothing_due_sends_what_was_left(home, server):
    """The network came back before there was anything to do."""
    home.ini(f"[task:backup]\ncommand = true\nping = {server.url()}\nschedule = 0 6 * * *\n")
    server.is_offline = True
    assert home.run("--task", "backup", app=False).code == 0
    server.is_offline = False
    assert home.run("tick", app=False).code == 0
    assert [kind for kind in server.kinds() if kind != "start"] == ["success"]
    asked = server.asked
    home.clock.pass_by(HOUR / 4)
    assert home.run("tick", app=False).code == 0
    assert server.asked == asked


def noted_until(home):
    """Until when the note counts that nothing is due."""
    return (home.folder / "agent_os.db.idle").read_text(encoding="utf-8").split("\n")[1]


def test_a_note_that_nothing_is_due_does_not_outlast_the_next_word_that_all_is_well(home, server):
    """Else the ticks of the next hour would end before they ask, and the word come up to an hour late."""
    env(home, AGENT_OS_PING=server.url())
    home.ini("[task:backup]\ncommand = true\nschedule = 0 6 * * *\n")
    assert home.run("tick", app=False).code == 0  # at 09:00, and says so
    home.clock.pass_by(HOUR / 4)
    assert home.run("tick", app=False).code == 0
    assert noted_until(home) == "2026-11-22T09:55:00.000Z"
    home.clock.pass_by(HOUR * 2 / 3)
    assert home.run("tick", app=False).code == 0
    assert server.kinds() == ["success"] * 2


def test_a_failure_leaves_nothing_to_say_so_the_note_holds_its_hour(home, server):
    """No word is due by itself any more."""
    env(home, AGENT_OS_PING=server.url())
    home.ini("[task:backup]\ncommand = false\nschedule = 0 6 * * *\n")
    assert home.run("--task", "backup", app=False).code == 1
    home.clock.pass_by(2 * HOUR)
    assert home.run("tick", app=False).code == 0
    assert noted_until(home) == "2026-11-22T12:00:00.000Z"


def test_a_tick_every_hour_that_is_a_second_early_says_so_every_hour(home, server):
    """A monitor that waits for an hour and its grace hears no silence of two."""
    env(home, AGENT_OS_PING=server.url())
    home.ini("[task:backup]\ncommand = true\nschedule = 0 6 * * *\n")
    for number in range(4):
        assert home.run("tick", app=False).code == 0
        assert server.kinds() == ["success"] * (number + 1)
        home.clock.pass_by(HOUR - 1)
