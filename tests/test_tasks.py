"""Tasks from end to end: declared in Python or agent_os.ini, run from the command line, remembered in the database."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from tests.house import PACKAGE, House, is_alive, is_gone, started, wait_for


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> House:
    return House(tmp_path, capsys)


# --- one task ---------------------------------------------------------------------------------------------------------


def test_a_task_in_three_lines_runs_and_is_remembered(house: House) -> None:
    """What it prints and returns is shown; the run and its slot are written down."""
    house.app("""
        @app.task
        def hello(ctx):
            print("a word")
            return "another"
    """)
    answer = house.task("hello")
    assert (answer.code, answer.out) == (0, "a word\nanother\n")
    assert house.rows("SELECT task, status, attempts, error FROM runs") == [("hello", "success", 1, None)]
    assert house.rows("SELECT text FROM outputs") == [("a word\n",)]
    assert house.rows("SELECT status, output_json, owner FROM slots") == [("success", '"another"', "")]


def test_a_task_without_a_time_of_its_own_is_due_whenever_it_is_asked_for(house: House) -> None:
    """Two askings, two slots."""
    house.app("""
        @app.task
        def hello(ctx): note(ctx.slot)
    """)
    house.task("hello")
    house.task("hello")
    assert len(set(house.notes)) == len(house.notes) == 2


def test_a_named_slot_is_done_once(house: House) -> None:
    """--key is an identity: the second time there is nothing to do; --force does it again."""
    house.app("""
        @app.task
        def invoice(ctx): note(ctx.slot)
    """)
    assert [house.task("invoice", "--key", "2026-10").code for _ in range(2)] == [0, 0]
    assert house.notes == ["2026-10"]
    assert house.task("invoice", "--key", "2026-10", "--force").code == 0
    assert house.notes == ["2026-10", "2026-10"]


def test_a_failure_is_a_sentence_and_exit_1(house: House) -> None:
    """The exception's name and words, no traceback; the log has that."""
    house.app("""
        @app.task
        def broken(ctx): return 1 / 0
    """)
    answer = house.task("broken")
    assert answer.code == 1
    assert "ZeroDivisionError: division by zero" in answer.err
    assert "Traceback" not in answer.err
    assert "Traceback" in (house.home / "agent.log").read_text()
    assert house.rows("SELECT status, error FROM runs") == [("failed", "ZeroDivisionError: division by zero")]


@pytest.mark.parametrize(
    ("error", "says"),
    [("KeyboardInterrupt", "KeyboardInterrupt"), ("MemoryError", "the memory that this process may use is used up")],
)
@pytest.mark.parametrize("timeout", ["", '(timeout="20s")'], ids=["thread", "child"])
def test_an_error_without_words_is_told_by_its_name(house: House, error: str, says: str, timeout: str) -> None:
    """The history, the table and the log say the same of it."""
    house.app(f"""
        @app.task{timeout}
        def broken(ctx): raise {error}
    """)
    assert f"error: broken: {says};" in house.task("broken").err
    assert house.rows("SELECT error FROM runs") == [(says,)]


def test_a_task_cannot_close_what_the_program_prints_to(house: House) -> None:
    """It is everybody's: the run that has succeeded is told all the same."""
    house.app("""
        import sys
        @app.task
        def closes(ctx):
            print("first")
            sys.stdout.close()
            print("second")
    """)
    answer = house.task("closes")
    assert (answer.code, answer.out) == (0, "first\nsecond\n")


@pytest.mark.parametrize("leaving", ["raise SystemExit(3)", "raise KeyboardInterrupt", "import sys; sys.exit(0)"])
def test_a_task_cannot_leave_the_program(house: House, leaving: str) -> None:
    """It is the task that failed, not the program that ended."""
    house.app(f"""
        @app.task
        def leaves(ctx): {leaving}
    """)
    assert house.task("leaves").code == 1
    assert house.rows("SELECT status FROM runs") == [("failed",)]


def test_what_a_task_returns_must_be_json(house: House) -> None:
    """The part that is none is named; nothing of it is kept."""
    house.app("""
        @app.task
        def odd(ctx): return {"rows": [1, {2}]}
    """)
    answer = house.task("odd")
    assert answer.code == 1
    assert "rows[1] is of type set" in answer.err


def test_all_faults_of_all_tasks_are_said_at_once_before_anything_runs(house: House) -> None:
    """Names, options, types, cycles, what they come after: one message, exit 3, no database."""
    house.app("""
        @app.task(retries="many", overlap="squash")
        def one(ctx): note("ran")
        @app.task(after="onne", shedule="* * * * *")
        def two(ctx): pass
        @app.task(after="four")
        def three(): pass
        @app.task(after="three")
        def four(*args): pass
    """)
    answer = house.task("one")
    assert answer.code == 3
    for word in (
        "6 faults", "retries is 'many'", "overlap is 'squash'", "onne", "did you mean one?",
        "shedule is no option; did you mean schedule?",
        "takes nothing; write def three(ctx)", "in a circle",
    ):  # fmt: skip
        assert word in answer.err
    assert not house.notes
    assert not (house.home / "agent_os.db").exists()


def test_a_circle_is_refused(house: House) -> None:
    """Tasks that wait for each other would never begin."""
    house.app("""
        @app.task(after="c")
        def a(ctx): pass
        @app.task(after="a")
        def b(ctx): pass
        @app.task(after="b")
        def c(ctx): pass
    """)
    answer = house.task("a")
    assert answer.code == 3
    assert "in a circle" in answer.err


def test_a_task_whose_setting_is_missing_is_disabled(house: House) -> None:
    """Named alone: exit 3 and what to set. Among others: skipped, and what comes after it goes on."""
    house.app("""
        @app.task(needs="SOME_TOKEN")
        def needy(ctx): note("needy")
        @app.task(after=needy)
        def later(ctx): note(f"later {ctx.outputs}")
    """)
    answer = house.task("needy")
    assert answer.code == 3
    assert "SOME_TOKEN" in answer.err
    assert house.outcomes("later")["needy"]["reason"] == "disabled: SOME_TOKEN is not set"
    assert house.notes == ["later {'needy': None}"]


# --- graphs -----------------------------------------------------------------------------------------------------------


def test_what_comes_after_gets_the_outputs_of_what_came_before(house: House) -> None:
    """A chain has one slot key, each task its turn."""
    house.app("""
        @app.task
        def first(ctx): return {"n": 1}
        @app.task
        def second(ctx): return 2
        @app.task(after=[first, second])
        def third(ctx):
            note(f"{ctx.outputs}")
    """)
    assert house.task("third").code == 0
    assert house.notes == ["{'first': {'n': 1}, 'second': 2}"]
    assert len(house.rows("SELECT DISTINCT key FROM slots")) == 1


def test_what_has_nothing_to_do_hands_on_its_newest_output(house: House) -> None:
    """A task of another rhythm: whoever comes after it gets what it gave last."""
    house.app("""
        @app.task(partition="day")
        def daily(ctx): return ctx.slot
        @app.task(after=daily)
        def report(ctx): note(ctx.outputs["daily"])
    """)
    house.clock.set("2026-11-20T08:00")
    house.task("daily", "--since", "2026-11-17")
    house.task("report")
    assert house.notes == ["2026-11-19"]


def test_a_failed_task_skips_what_comes_after_it_and_nothing_else(house: House) -> None:
    """Its followers are skipped with the reason and stay due; the rest of the graph is done."""
    house.app("""
        @app.task
        def bad(ctx): raise ValueError("no")
        @app.task
        def good(ctx): note("good")
        @app.task(after=bad)
        def hit(ctx): note("hit")
        @app.task(after=good)
        def spared(ctx): note("spared")
        @app.task(after=[hit, spared])
        def end(ctx): note("end")
    """)
    answer = house.task("end", "--json")
    found = {each["task"]: (each["status"], each["reason"]) for each in answer.json["outcomes"]}
    assert answer.code == 1
    assert house.notes == ["good", "spared"]
    assert found["hit"][0] == found["end"][0] == "skipped"
    assert "bad" in found["hit"][1]
    assert list(house.slots("hit").values()) == list(house.slots("end").values()) == ["due"]


def test_a_task_may_run_although_what_it_comes_after_failed(house: House) -> None:
    """With after_failure="run" it waits for all, runs once, and is told what failed and why; the exit says so too."""
    house.app("""
        @app.task
        def bad(ctx): raise PermanentError("no door")
        @app.task(after=bad)
        def between(ctx): note("never")
        @app.task
        def good(ctx): return 4
        @app.task(after=[good, bad, between], after_failure="run")
        def report(ctx): note(f"{sorted(ctx.failed.items())} {ctx.outputs['good']}")
        @app.task(after=report, after_failure="run", timeout="30s")
        def apart(ctx): note(str(ctx.failed))
    """)
    assert house.task("apart").code == 1
    told = "[('bad', 'no door'), ('between', 'bad, which it comes after, failed')] 4"
    assert house.notes == [told, "{}"]
    assert house.rows("SELECT task, status FROM slots ORDER BY task") == [
        ("apart", "success"), ("bad", "failed"), ("between", "due"), ("good", "success"), ("report", "success"),
    ]  # fmt: skip


def test_run_all_in_after_is_every_collector_that_is_set_up(house: House) -> None:
    """One without a key is in nobody's way, and not even mentioned; an account counts like its provider."""
    house.app("""
        @app.task(after="run_all", after_failure="run")
        def report(ctx): note("reported")
        @app.task(after_failure="run")
        def alone(ctx): pass
    """)
    assert "task alone: after_failure means nothing without after" in house.task("report").err
    house.app("""
        @app.task(after="run_all", after_failure="run")
        def report(ctx): note("reported")
    """)
    assert (house.task("report").code, house.notes) == (0, ["reported"])
    assert set(house.outcomes("report")) == {"report", "fetch_openai", "fetch_anthropic"}
    house.ini("""
        [account:work]
        provider = openrouter
        key = abc
    """)
    listed = house.run("tasks", "--json", "--app", str(house.home / "app_2.py")).json
    after = [each["after"] for each in listed if each["task"] == "report"]
    assert after == ["fetch_anthropic, fetch_openai, fetch_work"]


def test_tasks_shows_when_each_is_due(house: House) -> None:
    """As it was written, in which zone, and what a change of the clocks does where it is not the usual."""
    declared = {
        "a": ("schedule = 0 6 * * *", "0 6 * * * UTC"),
        "b": ("schedule = every 15m", "every 15m"),
        "c": ("schedule = daily 6:00\ntimezone = local", "daily 6:00 local"),
        "d": ("schedule = @daily\ntimezone = Europe/Oslo\ndst = skip", "@daily Europe/Oslo (dst = skip)"),
        "e": ("partition = day", "every day"),
        "f": ("partition = day\nschedule = 30 6 * * *\ndst = wall", "every day 30 6 * * * UTC (dst = wall)"),
        "g": ("", "when asked for"),
    }
    house.ini("\n".join(f"[task:{name}]\ncommand = true\n{lines}" for name, (lines, _) in declared.items()))
    listed = {each["task"]: each["due"] for each in house.run("tasks", "--json").json}
    assert {name: listed[name] for name in declared} == {name: due for name, (_, due) in declared.items()}


def test_the_next_start_goes_on_where_the_last_one_failed(house: House) -> None:
    """The same slot: what was done stays done, what failed and what came after it is done now."""
    graph = """
        @app.task
        def first(ctx): note("first")
        @app.task(after=first)
        def second(ctx):
            note("second")
            {}
        @app.task(after=second)
        def third(ctx): note("third")
    """
    house.app(graph.format("raise OSError('offline')"))
    assert house.task("third").code == 1
    house.app(graph.format("pass"))
    assert house.task("third").code == 0
    assert house.notes == ["first", "second", "second", "third"]
    assert len(house.rows("SELECT DISTINCT key FROM slots")) == 1


def test_jobs_bound_how_many_run_side_by_side(house: House) -> None:
    """Independent tasks overlap up to --jobs, and no further."""
    house.app("""
        running, most = [], []
        def body(ctx):
            running.append(1); most.append(len(running)); time.sleep(0.05); running.pop()
        for n in range(6): app.task(body, name=f"t{n}")
        @app.task(after=[f"t{n}" for n in range(6)])
        def end(ctx): note(str(max(most)))
    """)
    house.task("end", "--jobs", "1")
    house.task("end", "--jobs", "3")
    assert house.notes == ["1", "3"]


def test_a_named_limit_bounds_those_that_name_it(house: House) -> None:
    """Two of four tasks share a limit of one; the others do not wait for them."""
    house.ini("""
        [agent_os]
        limits = gate = 1
    """)
    house.app("""
        running, most = [], []
        @app.task(limits="gate")
        def a(ctx):
            running.append(1); most.append(len(running)); time.sleep(0.1); running.pop()
        @app.task(limits="gate")
        def b(ctx):
            running.append(1); most.append(len(running)); time.sleep(0.1); running.pop()
        @app.task(after=[a, b])
        def end(ctx): note(str(max(most)))
    """)
    assert house.task("end").code == 0
    assert house.notes == ["1"]


# --- retries ----------------------------------------------------------------------------------------------------------


def test_retries_are_attempts_of_one_run(house: House) -> None:
    """Each failed attempt is kept with its error; the run is one, and succeeds."""
    house.app("""
        @app.task(retries=2, backoff="0.05s")
        def shaky(ctx):
            note(str(ctx.attempt))
            if ctx.attempt < 3: raise RuntimeError(f"no {ctx.attempt}")
    """)
    assert house.task("shaky").code == 0
    assert house.notes == ["1", "2", "3"]
    assert house.rows("SELECT status, attempts FROM runs") == [("success", 3)]
    assert house.rows("SELECT number, error FROM attempts") == [(1, "RuntimeError: no 1"), (2, "RuntimeError: no 2")]


def test_what_is_permanent_is_not_tried_again(house: House) -> None:
    """PermanentError is the task's own word that it is no use."""
    house.app("""
        @app.task(retries=5, backoff="0.05s")
        def never(ctx):
            note("tried")
            raise PermanentError("the account is closed", hint="open it")
    """)
    answer = house.task("never")
    assert house.notes == ["tried"]
    assert "the account is closed; open it" in answer.err


def test_a_wait_that_was_asked_for_is_kept(house: House) -> None:
    """`retry_after` of a TransientError is the least that is waited."""
    house.app("""
        @app.task(retries=1, backoff="0.01s")
        def limited(ctx):
            note(str(time.monotonic()))
            if ctx.attempt == 1: raise TransientError("busy", retry_after=0.4)
    """)
    assert house.task("limited").code == 0
    first, second = map(float, house.notes)
    assert second - first >= 0.4


def test_a_run_that_waits_for_its_retry_holds_neither_a_thread_nor_a_limit(house: House) -> None:
    """With one thread and a limit of one, the other task is done during the wait."""
    house.ini("[agent_os]\nlimits = gate = 1\n")
    house.app("""
        @app.task(retries=1, backoff="0.6s", limits="gate")
        def first(ctx):
            note(f"first {ctx.attempt}")
            if ctx.attempt == 1: raise TransientError("later")
        @app.task(limits="gate")
        def second(ctx): note("second")
        @app.task(after=[first, second])
        def end(ctx): pass
    """)
    assert house.task("end", "--jobs", "1").code == 0
    assert house.notes == ["first 1", "second", "first 2"]


# --- days and schedules -----------------------------------------------------------------------------------------------


def test_days_that_were_missed_are_done_oldest_first(house: House) -> None:
    """At first yesterday; three days later the three days in between, each once."""
    house.app("""
        @app.task(partition="day")
        def daily(ctx): note(f"{ctx.slot} {ctx.window.start} {ctx.window.end}")
    """)
    house.clock.set("2026-11-20T08:00")
    house.task("daily")
    house.task("daily")
    house.clock.set("2026-11-23T08:00")
    house.task("daily", "--jobs", "1")
    assert house.notes == [
        "2026-11-19 2026-11-19 2026-11-20",
        "2026-11-20 2026-11-20 2026-11-21",
        "2026-11-21 2026-11-21 2026-11-22",
        "2026-11-22 2026-11-22 2026-11-23",
    ]


def test_a_schedule_is_done_once_and_its_newest_slot_stands_for_those_missed(house: House) -> None:
    """A second tick has nothing to do and says until when; missed slots are written down as skipped."""
    house.app("""
        @app.task(schedule="0 6 * * *")
        def report(ctx): note(f"{ctx.slot} {ctx.window.start}")
    """)
    house.clock.set("2026-11-20T06:01")
    house.task("report")
    answer = house.task("report")
    assert (answer.code, "nothing to do until 2026-11-21T06:00Z" in answer.out) == (0, True)
    house.clock.set("2026-11-23T09:00")
    house.task("report")
    assert house.notes == ["2026-11-20T06:00Z 2026-11-19T06:00Z", "2026-11-23T06:00Z 2026-11-22T06:00Z"]
    assert house.slots("report") == {
        "2026-11-20T06:00Z": "success",
        "2026-11-21T06:00Z": "skipped",
        "2026-11-22T06:00Z": "skipped",
        "2026-11-23T06:00Z": "success",
    }


def test_force_does_the_newest_slot_again(house: House) -> None:
    """And only that."""
    house.app("""
        @app.task(schedule="0 6 * * *")
        def report(ctx): note(ctx.slot)
    """)
    house.clock.set("2026-11-20T06:01")
    house.task("report")
    house.task("report", "--force")
    assert house.notes == ["2026-11-20T06:00Z"] * 2


def test_a_clock_ten_years_ahead_does_not_start_thousands_of_runs(house: House) -> None:
    """At most 400 are caught up; and when the clock is right again, its days are due as ever."""
    house.app("""
        @app.task(partition="day")
        def daily(ctx): note(ctx.slot)
    """)
    house.clock.set("2026-11-20T08:00")
    house.task("daily")
    house.clock.set("2036-11-20T08:00")
    assert "at most 400" in house.task("daily").err
    assert len(house.notes) == 401
    house.clock.set("2026-11-22T08:00")
    house.task("daily", "--jobs", "1")
    assert house.notes[401:] == ["2026-11-20", "2026-11-21"]


def test_since_and_until_choose_days(house: House) -> None:
    """Until is not included; what has succeeded is left alone, unless forced."""
    house.app("""
        @app.task(partition="day")
        def daily(ctx): note(ctx.slot)
    """)
    house.clock.set("2026-11-20T08:00")
    words = ("--since", "2026-11-10", "--until", "2026-11-12", "--jobs", "1")
    house.task("daily", *words)
    house.task("daily", *words)
    house.task("daily", *words, "--force")
    assert house.notes == ["2026-11-10", "2026-11-11"] * 2


def test_days_of_one_task_wait_for_the_same_day_of_the_other(house: House) -> None:
    """A day that fails skips its own follower alone."""
    house.app("""
        @app.task(partition="day")
        def load(ctx):
            if ctx.slot == "2026-11-18": raise ValueError("no")
            return ctx.slot
        @app.task(partition="day", after=load)
        def use(ctx): note(ctx.outputs["load"])
    """)
    house.clock.set("2026-11-20T08:00")
    assert house.task("use", "--since", "2026-11-17").code == 1
    assert sorted(house.notes) == ["2026-11-17", "2026-11-19"]
    assert house.slots("use") == {"2026-11-17": "success", "2026-11-18": "due", "2026-11-19": "success"}


# --- commands ---------------------------------------------------------------------------------------------------------


def test_a_command_in_three_lines_of_the_ini(house: House) -> None:
    """No shell: the words are the program's; what it prints is kept and shown."""
    house.ini("""
        [task:say]
        command = echo '$HOME' and *
    """)
    answer = house.task("say")
    assert (answer.code, answer.out) == (0, "$HOME and *\n")
    assert house.rows("SELECT text FROM outputs") == [("$HOME and *\n",)]


def test_a_command_gets_its_slot_and_what_it_declares_and_no_secret(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AGENT_OS_SLOT and the window's ends; env.X; the keys of the environment stay here."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789abcdef")
    monkeypatch.setenv("MY_TOKEN", "token-0123456789")
    house.ini("""
        [task:show]
        command = echo "$AGENT_OS_SLOT|$AGENT_OS_WINDOW_START|$AGENT_OS_WINDOW_END|$COLOUR|$GIVEN|$OPENAI_API_KEY"
        shell = yes
        partition = day
        env.COLOUR = blue
        env.GIVEN = env:MY_TOKEN
    """)
    house.clock.set("2026-11-20T08:00")
    house.task("show")
    day, after = "2026-11-19", "2026-11-20"
    assert house.rows("SELECT text FROM outputs") == [(f"{day}|{day}T00:00Z|{after}T00:00Z|blue|***|\n",)]


def test_a_command_that_fails_says_how_and_its_last_words(house: House) -> None:
    """The exit code, the last line; the rest is kept."""
    house.ini("""
        [task:fails]
        command = echo one; echo two; exit 3
        shell = yes
    """)
    answer = house.task("fails")
    assert answer.code == 1
    assert "exit code 3: two" in answer.err
    assert house.rows("SELECT text FROM outputs") == [("one\ntwo\n",)]


def test_exit_75_asks_to_be_tried_later(house: House) -> None:
    """It uses retries up, and then leaves the slot to the next start."""
    house.ini(f"""
        [task:later]
        command = test -e {house.home}/ready || exit 75
        shell = yes
        retries = 1
        backoff = 0.05s
    """)
    answer = house.task("later")
    assert (answer.code, "tried later" in answer.err) == (1, True)
    assert house.rows("SELECT status, attempts FROM runs") == [("failed", 2)]
    (house.home / "ready").touch()
    assert house.task("later").code == 0
    assert len(house.slots("later")) == 1


def test_a_timeout_ends_the_whole_group(house: House) -> None:
    """The command and what it started; the run fails, and its output so far is kept."""
    house.ini(f"""
        [task:hangs]
        command = (sleep 60; touch {house.home}/survived) & echo begun; sleep 60
        shell = yes
        timeout = 0.4s
    """)
    began = time.monotonic()
    answer = house.task("hangs")
    assert answer.code == 1
    assert time.monotonic() - began < 10
    assert "ended after 0.4 s, its timeout" in answer.err
    assert house.rows("SELECT text FROM outputs") == [("begun\n",)]


def test_a_python_task_with_a_timeout_is_ended_too(house: House) -> None:
    """It runs in a process of its own; steps it has done are kept."""
    house.app("""
        @app.task(timeout="1.5s")
        def hangs(ctx):
            ctx.step("first", lambda: 1)
            print("begun", flush=True)
            time.sleep(60)
    """)
    began = time.monotonic()
    assert house.task("hangs").code == 1
    assert time.monotonic() - began < 15
    assert house.rows("SELECT name, output_json FROM steps") == [("first", "1")]
    assert house.rows("SELECT text FROM outputs") == [("begun\n",)]


def test_a_task_in_a_child_is_a_task_like_any_other(house: House) -> None:
    """Outputs, steps, state, errors and their hints travel both ways."""
    house.app("""
        @app.task
        def before(ctx): return 20
        @app.task(timeout="30s", after=before)
        def child(ctx):
            ctx.state["times"] = ctx.state.get("times", 0) + 1
            return ctx.outputs["before"] + ctx.step("two", lambda: 2)
        @app.task(timeout="30s")
        def refuses(ctx): raise PermanentError("no", hint="never")
        @app.task(timeout="30s")
        def faulty(ctx): return 1 / 0
    """)
    house.task("child")
    assert house.outcomes("child")["child"]["output"] == 22
    assert house.rows("SELECT value_json, version FROM state") == [("2", 2)]
    assert "no; never" in house.task("refuses").err
    assert "ZeroDivisionError: division by zero" in house.task("faulty").err


# --- steps, state, effects --------------------------------------------------------------------------------------------


def test_a_step_that_is_done_is_read_by_the_next_attempt(house: House) -> None:
    """And by the next run of the same slot; renamed and inserted steps harm nobody."""
    house.app("""
        @app.task
        def work(ctx):
            ctx.step("a", lambda: note("a"))
            ctx.step("b", lambda: note("b"))
            raise OSError("offline")
    """)
    house.task("work")
    house.app("""
        @app.task
        def work(ctx):
            ctx.step("new", lambda: note("new"))
            ctx.step("b", lambda: note("b"))
            ctx.step("a", lambda: note("a"))
    """)
    assert house.task("work").code == 0
    assert house.notes == ["a", "b", "new"]


def test_a_step_with_other_arguments_is_done_anew(house: House) -> None:
    """Its input is part of it."""
    source = """
        @app.task
        def work(ctx):
            ctx.step("double", lambda n: note(f"double {{n}}"), {})
            raise OSError("offline")
    """
    for number in (1, 1, 2):
        house.app(source.format(number))
        house.task("work")
    assert house.notes == ["double 1", "double 2"]


def test_a_step_gives_the_same_value_the_first_time_and_later(house: House) -> None:
    """A tuple becomes a list at once, not only when it is read back."""
    house.app("""
        @app.task(retries=1, backoff="0.01s")
        def work(ctx):
            note(repr(ctx.step("pair", lambda: (1, 2))))
            if ctx.attempt == 1: raise OSError
    """)
    house.task("work")
    assert house.notes == ["[1, 2]", "[1, 2]"]


def test_a_steps_value_that_is_no_json_is_refused_with_its_place(house: House) -> None:
    """The path to the part."""
    house.app("""
        @app.task
        def work(ctx): ctx.step("load", lambda: {"rows": [{"when": time}]})
    """)
    assert "step 'load' of task work cannot be kept: rows[0].when is of type module" in house.task("work").err


def test_two_steps_of_one_name_in_a_run_are_refused(house: House) -> None:
    """The second would be given the first one's value."""
    house.app("""
        @app.task
        def work(ctx):
            for n in range(2): ctx.step("same", lambda: n)
    """)
    assert "two steps named 'same'" in house.task("work").err


def test_from_step_reads_what_is_before_it_and_does_the_rest_again(house: House) -> None:
    """On a slot that succeeded, too; a step that there is not is named with those that there are."""
    house.app("""
        @app.task
        def work(ctx):
            for name in "abc": ctx.step(name, lambda: note(name))
    """)
    house.task("work")
    assert house.task("work", "--from-step", "b").code == 0
    assert house.notes == ["a", "b", "c", "b", "c"]
    answer = house.task("work", "--from-step", "z")
    assert (answer.code, "its steps are a, b, c" in answer.err) == (2, True)


def test_state_is_committed_with_the_run_that_changed_it(house: House) -> None:
    """A run that fails leaves it as it was; a value that was removed is forgotten."""
    house.app("""
        @app.task
        def count(ctx):
            ctx.state["n"] = ctx.state.get("n", 0) + 1
            ctx.state.pop("gone", None)
            if ctx.state["n"] == 1: ctx.state["gone"] = True
            if ctx.state["n"] == 3 and not ctx.setting("GO"): raise ValueError
    """)
    for _ in range(3):
        house.task("count")
    assert house.rows("SELECT name, value_json, version FROM state") == [("n", "2", 2)]


def test_an_effect_that_is_done_is_not_done_again(house: House) -> None:
    """Its outcome is given back, in whatever run."""
    house.app("""
        @app.task
        def pay(ctx):
            def transfer():
                note("paid")
                return {"receipt": 7}
            return ctx.effect("invoice-12", transfer)
    """)
    assert [house.outcomes("pay")["pay"]["output"] for _ in range(2)] == [{"receipt": 7}] * 2
    assert house.notes == ["paid"]


def test_an_effect_that_may_have_happened_is_not_repeated(house: House) -> None:
    """At most once: after a crash between intent and outcome it is ambiguous until somebody settles it."""
    house.app("""
        @app.task
        def pay(ctx): ctx.effect("invoice-12", lambda: note("paid"))
    """)
    house.task("pay")
    interrupted(house, "invoice-12")
    assert house.task("pay").code == 0
    assert house.notes == ["paid"]
    assert house.rows("SELECT status FROM effects") == [("ambiguous",)]


def test_at_least_once_repeats_what_may_have_happened(house: House) -> None:
    """That is what was declared."""
    house.app("""
        @app.task
        def tell(ctx): ctx.effect("hello", lambda: note("told"), policy="at_least_once")
    """)
    house.task("tell")
    interrupted(house, "hello")
    house.task("tell")
    assert house.notes == ["told", "told"]
    assert house.rows("SELECT status FROM effects") == [("done",)]


@pytest.mark.parametrize(
    ("answer", "calls"),
    [("'receipt 7'", ["paid"]), ("0", ["paid"]), ("None", ["paid", "paid"]), ("False", ["paid", "paid"])],
)
def test_reconcile_says_what_came_of_it(house: House, answer: str, calls: list[str]) -> None:
    """What it gives is the outcome; None and False mean that nothing happened."""
    house.app(f"""
        @app.task
        def pay(ctx): return ctx.effect("invoice-12", lambda: note("paid"), reconcile=lambda: {answer})
    """)
    house.task("pay")
    interrupted(house, "invoice-12")
    assert house.task("pay").code == 0
    assert house.notes == calls
    assert house.rows("SELECT status FROM effects") == [("done",)]


def test_a_wait_that_is_too_long_is_left_to_the_next_start(house: House) -> None:
    """Whoever asks for more than an hour is not waited for: the run fails, and its slot is due again."""
    house.app("""
        @app.task(retries=1, backoff="0.01s")
        def ask(ctx):
            note(f"attempt {ctx.attempt}")
            raise TransientError("come back later", retry_after=3601)
    """)
    assert house.task("ask").code == 1
    assert house.notes == ["attempt 1"]
    assert house.rows("SELECT status FROM slots") == [("failed",)]


def test_what_may_be_repeated_leaves_no_doubt_when_it_fails(house: House) -> None:
    """At least once: whatever went wrong, it is called again, and nobody has to settle it."""
    house.app("""
        @app.task
        def tell(ctx): ctx.effect("hello", lambda: 1 / 0, policy="at_least_once")
        @app.task
        def pay(ctx): ctx.effect("invoice", lambda: 1 / 0)
    """)
    assert (house.task("tell").code, house.task("pay").code) == (1, 1)
    assert house.rows("SELECT key, status FROM effects") == [("hello", "failed"), ("invoice", "ambiguous")]


def test_a_message_that_nobody_takes_is_parked_after_so_many_tries(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last one is the twentieth; here, the second."""
    monkeypatch.setattr("agent_os.core.bodies.MOST_TRIES", 2)
    house.app("""
        @app.task
        def work(ctx): ctx.send("letters", "one", "hello")
        @app.outbox("letters")
        def letters(ctx, message):
            note(f"try {message.attempt}")
            raise TransientError("nobody is at home", retry_after=0.01)
    """)
    house.task("work")
    assert house.notes == ["try 1", "try 2"]
    assert house.rows("SELECT status, attempts FROM outbox") == [("parked", 2)]


def test_a_run_that_fails_has_spent_what_it_had_set_aside(house: House) -> None:
    """Nobody knows better; and it reserves nothing any more."""
    house.app("""
        @app.limit("budget")
        def budget(ask): return 10
        @app.task(cost_limit="budget", cost=7)
        def work(ctx): raise PermanentError("no")
    """)
    assert house.task("work").code == 1
    assert house.rows("SELECT amount, is_settled FROM spendings") == [(7, 1)]


def test_the_next_slot_of_a_task_sees_what_the_one_before_it_remembered(house: House) -> None:
    """Also in the run in which the task remembers something for the first time."""
    house.app("""
        @app.task(partition="day")
        def days(ctx):
            ctx.state["days"] = [*ctx.state.get("days", []), ctx.slot]
    """)
    house.clock.set("2026-11-25T09:00")
    house.task("days", "--since", "2026-11-22", "--until", "2026-11-25")
    assert house.rows("SELECT value_json, version FROM state") == [('["2026-11-22","2026-11-23","2026-11-24"]', 3)]


def test_a_day_that_failed_before_its_task_was_disabled_blocks_what_comes_after_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is disabled blocks nobody; a day of which it is known that it is missing does."""
    house.app("""
        @app.task(partition="day", needs="ADDRESS")
        def fetch(ctx): raise PermanentError("no")
        @app.task(partition="day", after=fetch)
        def report(ctx): note(ctx.slot)
    """)
    monkeypatch.setenv("ADDRESS", "here")
    assert house.task("report").code == 1
    monkeypatch.delenv("ADDRESS")
    house.task("report")
    assert house.notes == []
    assert house.rows("SELECT reason FROM slots WHERE task = 'report'")[0][0].startswith("fetch has not succeeded for ")


def test_what_waits_for_its_next_attempt_can_be_cancelled(house: House) -> None:
    """It ends, and is not begun again when that time has come."""
    house.app("""
        import sqlite3
        @app.task(retries=1, backoff="2s")
        def work(ctx):
            note(f"attempt {ctx.attempt}")
            raise TransientError("not now")
        @app.task
        def beside(ctx):
            db = sqlite3.connect(os.path.join(ctx.settings.home, "agent_os.db"), timeout=20)
            until = time.monotonic() + 20
            while not db.execute("SELECT 1 FROM runs WHERE retry_at IS NOT NULL").fetchall():
                if time.monotonic() > until: raise PermanentError("it does not wait")
                time.sleep(0.02)
            with db: db.execute("UPDATE runs SET cancel_at = '2026' WHERE task = 'work'")
            db.close()
            time.sleep(3)
        @app.task(after=[work, beside])
        def both(ctx): pass
    """)
    assert house.task("both").code == 1
    assert house.notes == ["attempt 1"]
    assert house.rows("SELECT status, substr(error, 1, 9) FROM runs WHERE task = 'work'") == [("failed", "cancelled")]


def test_what_has_no_room_in_a_limit_hides_nobody_else(house: House) -> None:
    """What names another limit, or none, is begun although it stands behind."""
    house.ini("""
        [agent_os]
        limits = api = 1
    """)
    house.app("""
        from pathlib import Path
        def wait_for(name):
            until = time.monotonic() + 10
            while name not in Path(__file__).with_name("notes").read_text().split():
                if time.monotonic() > until: raise PermanentError("it waits in vain")
                time.sleep(0.02)
        @app.task(limits="api")
        def first(ctx):
            note("first")
            wait_for("third")
        @app.task(limits="api")
        def second(ctx): note("second")
        @app.task
        def third(ctx): note("third")
        @app.task(after=[first, second, third])
        def every(ctx): pass
    """)
    assert house.task("every").code == 0
    assert sorted(house.notes) == ["first", "second", "third"]


def test_an_effect_that_says_it_did_not_happen_is_called_again(house: House) -> None:
    """TransientError is the caller's word for it; any other error leaves it open."""
    house.app("""
        @app.task(retries=1, backoff="0.01s")
        def tell(ctx):
            def send():
                note("try")
                if ctx.attempt == 1: raise TransientError("refused")
            ctx.effect("clear", send)
        @app.task(retries=1, backoff="0.01s")
        def pay(ctx):
            def send():
                note("pay")
                raise TimeoutError
            ctx.effect("unclear", send)
    """)
    assert house.task("tell").code == 0
    assert house.task("pay").code == 0
    assert house.notes == ["try", "try", "pay"]
    assert house.rows("SELECT key, status FROM effects ORDER BY 1") == [("clear", "done"), ("unclear", "ambiguous")]


def interrupted(house: House, key: str) -> None:
    """As if the program had died between the call of an effect and the note of its outcome."""
    import sqlite3

    connection = sqlite3.connect(house.home / "agent_os.db")
    with connection:
        connection.execute("UPDATE effects SET status = 'intent', outcome = NULL WHERE key = ?", (key,))
    connection.close()


# --- outboxes ---------------------------------------------------------------------------------------------------------


def test_a_message_is_sent_after_the_run_that_caused_it(house: House) -> None:
    """Once, however often its key is used; the receipt is kept."""
    house.app("""
        @app.outbox("mail")
        def mail(ctx, message):
            note(f"{message.key}: {message.body['text']}")
            return {"id": 1}
        @app.task
        def alert(ctx): ctx.send("mail", "over-budget", {"text": "too much"})
    """)
    for _ in range(2):
        assert house.task("alert").code == 0
    assert house.notes == ["over-budget: too much"]
    assert house.rows("SELECT key, status, attempts, receipt_json FROM outbox") == [
        ("over-budget", "sent", 1, '{"id":1}')
    ]


def test_a_run_that_fails_sends_nothing(house: House) -> None:
    """Its messages are part of its end."""
    house.app("""
        @app.outbox("mail")
        def mail(ctx, message): note(message.key)
        @app.task
        def alert(ctx):
            ctx.send("mail", "k", 1)
            raise ValueError
    """)
    house.task("alert")
    assert house.notes == []
    assert house.rows("SELECT count(*) FROM outbox") == [(0,)]


def test_a_message_that_is_refused_for_good_is_parked_and_changes_no_result(house: House) -> None:
    """Visible, and not the task's fault: exit 0."""
    house.app("""
        @app.outbox("mail")
        def mail(ctx, message):
            note("tried")
            raise PermanentError("no such mailbox")
        @app.task
        def alert(ctx): ctx.send("mail", "k", 1)
    """)
    answer = house.task("alert")
    assert (answer.code, "parked" in answer.err) == (0, True)
    house.task("alert")
    assert house.notes == ["tried"]
    assert house.rows("SELECT status, error FROM outbox") == [("parked", "no such mailbox")]


def test_retry_after_is_obeyed_by_an_outbox(house: House) -> None:
    """A short wait is waited for; the message is sent by the same start."""
    house.app("""
        @app.outbox("mail", retries=1)
        def mail(ctx, message):
            note(str(time.monotonic()))
            if message.attempt == 1: raise TransientError("slow down", retry_after=0.4)
        @app.task
        def alert(ctx): ctx.send("mail", "k", 1)
    """)
    assert house.task("alert").code == 0
    first, second = map(float, house.notes)
    assert second - first >= 0.4
    assert house.rows("SELECT status, attempts FROM outbox") == [("sent", 2)]


def test_an_outbox_knows_what_sending_another_message_gave(house: House) -> None:
    """So it can edit what it has sent; None of one that was not sent, and of one that nobody knows."""
    house.app("""
        @app.outbox("mail")
        def send(ctx, message):
            note(f"{message.key} {ctx.receipt(message.body)}")
            if message.key == "second":
                raise PermanentError("no")
            return {"id": message.key}
        @app.task
        def report(ctx):
            for key, other in (("first", "none"), ("second", "first"), ("third", "second"), ("fourth", "third")):
                ctx.send("mail", key, other)
    """)
    house.task("report")
    assert house.notes == ["first None", "second {'id': 'first'}", "third None", "fourth {'id': 'third'}"]


def test_an_unknown_outbox_fails_the_run_and_leaves_nothing(house: House) -> None:
    """Not even its state."""
    house.app("""
        @app.task
        def alert(ctx):
            ctx.state["n"] = 1
            ctx.send("male", "k", 1)
    """)
    answer = house.task("alert")
    assert answer.code == 1
    assert "the outbox male, which no app has" in answer.err
    assert house.rows("SELECT count(*) FROM state") == [(0,)]


def test_an_outbox_and_a_task_of_one_name_are_refused(house: House) -> None:
    """Both have slots and runs under their name."""
    house.app("""
        @app.outbox("mail")
        def send(ctx, message): pass
        @app.task
        def mail(ctx): pass
    """)
    answer = house.task("mail")
    assert answer.code == 3
    assert "the name is taken by a task" in answer.err


# --- secrets ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "keeping",
    ["return {'key': ctx.setting('MY_TOKEN')}", "ctx.state['k'] = ctx.setting('MY_TOKEN')",
     "ctx.step('k', ctx.setting, 'MY_TOKEN')"],
)  # fmt: skip
def test_a_secret_is_never_kept(house: House, keeping: str) -> None:
    """Neither as output, nor as state, nor as the value of a step: the run fails with a sentence."""
    (house.home / ".env").write_text("MY_TOKEN=token-0123456789\n")
    (house.home / ".env").chmod(0o600)
    house.app(f"""
        @app.task
        def leaky(ctx):
            print(ctx.setting("MY_TOKEN"))
            {keeping}
    """)
    answer = house.task("leaky")
    assert (answer.code, "holds a secret" in answer.err) == (1, True)
    stored = b"".join(path.read_bytes() for path in house.home.glob("agent*"))
    assert b"token-0123456789" not in stored
    assert "token-0123456789" not in answer.out + answer.err


# --- cost limits ------------------------------------------------------------------------------------------------------


def test_a_cost_limit_is_reserved_then_settled_and_parks_what_it_has_no_room_for(house: House) -> None:
    """What was spent counts, not what was reserved; a refusal leaves the slot due, with the reason."""
    house.app("""
        @app.limit("budget")
        def budget(ask): return 100 - ask.spent()
        @app.task(cost_limit="budget", cost=60)
        def work(ctx):
            note("worked")
            ctx.spend(30)
    """)
    for _ in range(3):
        assert house.task("work").code == 0
    assert house.notes == ["worked", "worked"]
    assert house.rows("SELECT amount, is_settled FROM spendings") == [(30, 1), (30, 1)]
    assert house.rows("SELECT status, reason FROM slots WHERE status = 'due'") == [
        ("due", "the limit budget has 40 left, 0 of it reserved; 60 is wanted")
    ]


@pytest.mark.parametrize(("answer", "ran"), [("True", True), ("False", False), ("'not on Sundays'", False)])
def test_a_limit_may_just_say_yes_or_no(house: House, answer: str, ran: bool) -> None:
    """Or no, and why."""
    house.app(f"""
        @app.limit("gate")
        def gate(ask): return {answer}
        @app.task(cost_limit="gate")
        def work(ctx): note("worked")
    """)
    house.task("work")
    assert bool(house.notes) is ran


def test_a_limit_that_cannot_be_asked_is_a_no(house: House) -> None:
    """A budget that fails open is none."""
    house.app("""
        @app.limit("gate")
        def gate(ask): return 1 / 0
        @app.task(cost_limit="gate")
        def work(ctx): note("worked")
    """)
    assert "could not be asked" in house.task("work").err
    assert house.notes == []


LIMITS = """
        @app.limits_from("limit")
        def limits(sections):
            def limit(options): return lambda ask: int(options["most"]) - ask.spent()
            return {name: limit(options) for name, options in sections.items()}
        @app.task(cost_limit="ai", cost=1)
        def work(ctx): note("worked")
"""


def test_limits_may_be_named_in_the_ini(house: House) -> None:
    """The section is the app's; a home without it has none, and a task that names it cannot be meant there."""
    house.app(LIMITS)
    assert "uses the cost limit ai, which no app has" in house.task("work").err
    house.ini("[limit:ai]\nmost = 2\n")
    for _ in range(3):
        assert house.task("work").code == 0
    assert house.notes == ["worked", "worked"]


def test_a_limit_of_the_ini_is_none_of_the_code(house: House) -> None:
    """One name, two meanings: refused."""
    house.app(LIMITS + "        @app.limit('ai')\n        def ai(ask): return True\n")
    house.ini("[limit:ai]\nmost = 2\n")
    answer = house.task("work")
    assert answer.code == 3
    assert "the app it has a limit ai already; rename [limit:ai]" in answer.err


def test_a_limit_is_asked_with_the_day_and_the_sums(house: House) -> None:
    """What lines come to can be looked at under the same lock."""
    house.app("""
        @app.limit("ai")
        def ai(ask):
            note(f"{ask.today} {ask.sums('day', since='2026-01-01', until='2027-01-01')}")
            return True
        @app.task(cost_limit="ai")
        def work(ctx):
            note(f"{ctx.now[:10]} {ctx.sums('day', since='2026-01-01', until='2027-01-01')} {ctx.runs()[0].task}")
    """)
    house.clock.set("2026-11-22T05:00")
    house.task("work")
    assert house.notes == ["2026-11-22 []", "2026-11-22 [] work"]


# --- overlap ----------------------------------------------------------------------------------------------------------


def in_background(house: House, name: str) -> threading.Thread:
    """The same task, begun in another thread of this process, and at work."""
    from agent_os.main import main

    words = ["--task", name, "--app", str(house._app), "--home", str(house.home), "--quiet"]
    thread = threading.Thread(target=main, args=(words,))
    thread.start()
    deadline = time.monotonic() + 10
    while "begun" not in house.notes and time.monotonic() < deadline:
        time.sleep(0.01)
    return thread


OVERLAPPING = """
    @app.task(overlap="{}")
    def long(ctx):
        note("begun")
        for _ in range({}):
            if ctx.stopped: raise RuntimeError("asked to stop")
            time.sleep(0.01)
        note("ended")
"""


def test_skip_is_busy_at_once(house: House) -> None:
    """Exit 4, the holder named, nothing done."""
    house.app(OVERLAPPING.format("skip", 60))
    other = in_background(house, "long")
    answer = house.task("long")
    other.join()
    assert answer.code == 4
    assert "long is already running (process" in answer.err
    assert house.notes == ["begun", "ended"]


def test_queue_waits_for_its_turn(house: House) -> None:
    """Both are done, one after the other."""
    house.app(OVERLAPPING.format("queue", 60))
    other = in_background(house, "long")
    assert house.task("long").code == 0
    other.join()
    assert house.notes == ["begun", "ended", "begun", "ended"]


def test_replace_ends_the_other_one(house: House) -> None:
    """The one that was running is cancelled; its slot is not due again by itself."""
    house.app(OVERLAPPING.format("replace", 150))
    other = in_background(house, "long")
    assert house.task("long").code == 0
    other.join()
    assert house.notes == ["begun", "begun", "ended"]
    assert house.rows("SELECT status, substr(error, 1, 9) FROM runs ORDER BY started_at") == [
        ("failed", "cancelled"),
        ("success", None),
    ]
    assert sorted(house.slots("long").values()) == ["skipped", "success"]


def test_a_command_is_told_the_folder_that_it_runs_in(house: House) -> None:
    """PWD is its own, not that of whoever started the program: make and others believe it."""
    (house.home / "sub").mkdir()
    house.ini("""
        [task:where]
        command = env
        cwd = sub
    """)
    assert f"PWD={house.home}/sub\n" in house.task("where").out


def test_a_clock_that_went_back_is_noted(house: House) -> None:
    """The history is no longer in the order in which things happened; what begins is done all the same."""
    house.ini("""
        [task:any]
        command = true
    """)
    for moment in ("2026-11-22T09:10", "2026-11-22T08:00", "2026-11-22T09:20"):
        house.clock.set(moment)
        assert house.task("any").code == 0
    log = [json.loads(line) for line in (house.home / "agent.log").read_text().splitlines()]
    assert [each["message"] for each in log if each["event"] == "clock_went_back"] == [
        "the clock says 2026-11-22T08:00Z, and a run has ended at 2026-11-22T09:10Z: it was ahead then, or is slow now"
    ]


@pytest.mark.parametrize("leaving", ["return", "raise RuntimeError('asked to stop')"])
def test_what_leaves_because_it_is_asked_to_is_due_again(house: House, leaving: str) -> None:
    """`if ctx.stopped: return` is no success: half a piece of work would count as done, and never be done."""
    house.app(f"""
        @app.task
        def long(ctx):
            note("begun")
            while not ctx.stopped: time.sleep(0.01)
            note("left")
            {leaving}
    """)
    process = started(house, "--task", "long", "--app", str(house._app))
    wait_for(house, "begun")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert house.notes == ["begun", "left"]
    assert house.rows("SELECT status, error FROM runs") == [("failed", "interrupted: stopped by signal 15")]
    assert list(house.slots("long").values()) == ["due"]


# --- being stopped ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_signal_ends_everything_in_order(house: House, number: int, code: int) -> None:
    """Children are ended, output so far is kept, the run is closed, its slots are due; exit 128 + n."""
    house.ini(f"""
        [task:long]
        command = echo working; echo $$ >> {house.home}/notes; echo begun >> {house.home}/notes; sleep 60
        shell = yes
        [task:end]
        command = true
        after = long
    """)
    process = started(house, "--task", "end")
    wait_for(house, "begun")
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert "Traceback" not in err
    assert house.rows("SELECT status, error FROM runs") == [("failed", f"interrupted: stopped by signal {int(number)}")]
    assert house.rows("SELECT text FROM outputs") == [("working\n",)]
    assert house.rows("SELECT DISTINCT status, owner FROM slots") == [("due", "")]
    with pytest.raises(ProcessLookupError):
        os.kill(int(house.notes[0]), 0)


def test_what_a_killed_run_had_done_is_not_done_again(house: House) -> None:
    """kill -9: the next start closes the run as interrupted, reads its steps, and goes on."""
    house.app("""
        @app.task(timeout="60s")
        def work(ctx):
            ctx.step("first", lambda: note("first"))
            note("begun")
            if ctx.setting("GO") != "yes": time.sleep(60)
            note("ended")
    """)
    process = started(house, "--task", "work", "--app", str(house._app))
    wait_for(house, "begun")
    process.kill()
    process.communicate()
    (house.home / ".env").write_text("GO=yes\n")
    (house.home / ".env").chmod(0o600)
    answer = house.task("work")
    assert answer.code == 0
    assert "an earlier run was interrupted" in answer.err
    assert house.notes == ["first", "begun", "begun", "ended"]
    assert house.rows("SELECT status FROM runs ORDER BY started_at") == [("failed",), ("success",)]
    assert list(house.slots("work").values()) == ["success"]


def test_the_child_of_a_killed_runner_ends_with_it(house: House) -> None:
    """It notices that nobody listens any more: no two of one task at work."""
    house.app("""
        @app.task(timeout="60s")
        def work(ctx):
            note(f"{os.getpid()}")
            note("begun")
            time.sleep(60)
    """)
    process = started(house, "--task", "work", "--app", str(house._app))
    wait_for(house, "begun")
    process.kill()
    process.communicate()
    assert is_gone(int(house.notes[0]))


def test_a_runner_that_was_taken_over_ends_what_it_has_under_way(house: House) -> None:
    """It was stopped for longer than its lease; when it goes on, it notices, ends its command, and changes nothing."""
    house.ini(f"""
        [task:long]
        command = echo $$ >> {house.home}/notes; echo begun >> {house.home}/notes; sleep 60
        shell = yes
    """)
    impatient = f"from {PACKAGE}.core import machine; machine.RENEW_SECONDS = 0.3"
    process = started(house, "--task", "long", before=impatient)
    wait_for(house, "begun")
    process.send_signal(signal.SIGSTOP)
    connection = sqlite3.connect(house.home / "agent_os.db")
    with connection:  # as the next start does it once the lease is over
        connection.execute("UPDATE slots SET status = 'due', owner = '', epoch = epoch + 1")
        connection.execute("UPDATE runs SET status = 'failed', error = 'interrupted'")
    connection.close()
    process.send_signal(signal.SIGCONT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "another runner has taken over" in err
    assert house.rows("SELECT status, epoch FROM slots") == [("due", 2)]
    assert not is_alive(int(house.notes[0]))
