"""The odd corners of steps, effects, messages, state and budgets: what could be done twice, lost, or kept wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house import House


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> House:
    """A home."""
    return House(tmp_path, capsys)


# --- steps and effects ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["3", "note('called')", "asynchronous", "generated", "note, reconcile=5"])
def test_what_cannot_be_called_is_refused_before_the_intent(how: str, house: House) -> None:
    """Else an effect that never happened would be called done, or ambiguous."""
    house.app(f"""
        async def asynchronous(): note("ran")
        def generated(): yield note("ran")
        @app.task
        def t(ctx): ctx.effect("e", {how})
    """)
    answer = house.task("t", "--key", "k")
    assert (answer.code, "what it is to call" in answer.err) == (1, True)
    assert house.rows("SELECT * FROM effects") == []


def test_a_step_is_given_a_function(house: House) -> None:
    """And says so where it is given what the function gave."""
    house.app("@app.task\ndef t(ctx): ctx.step('s', 5)\n")
    assert "step 's' of task t: what it is to call is 5, no function" in house.task("t").err


def test_a_steps_function_may_have_any_arguments(house: House) -> None:
    """`name` and `fn` too."""
    house.app("@app.task\ndef t(ctx): return ctx.step('s', lambda name, fn, self: name + fn + self, "
              "name='a', fn='b', self='c')\n")  # fmt: skip
    assert house.outcomes("t")["t"]["output"] == "abc"


@pytest.mark.parametrize("made", ["waiting()", "yielding()"])
def test_an_effect_that_gives_back_a_call_to_come_has_not_happened(made: str, house: House) -> None:
    """`lambda: post(...)` of an async `post`: nothing was run, so the next attempt calls it again."""
    house.app(f"""
        async def waiting(): note("ran")
        def yielding(): yield note("ran")
        @app.task
        def t(ctx): ctx.effect("e", lambda: {made})
    """)
    answer = house.task("t", "--key", "k")
    assert (answer.code, "nothing has happened" in answer.err) == (1, True)
    assert house.rows("SELECT status FROM effects") == [("failed",)]


@pytest.mark.parametrize("policy", ["at_most_once", "at_least_once"])
def test_an_answer_that_has_any_attribute_is_an_answer(policy: str, house: House) -> None:
    """Of a dict that gives `answer.whatever`, too: an effect called failed would be caused again."""
    house.app(f"""
        class Answer(dict):
            def __getattr__(self, name): return Answer()
        def call():
            note("called")
            return Answer(id=7)
        @app.task
        def t(ctx): return ctx.effect("e", call, policy={policy!r})
    """)
    assert [house.task("t", "--key", "k", "--force").code for _ in range(2)] == [0, 0]
    assert house.notes == ["called"]


def test_a_step_may_be_a_class_or_what_has_any_attribute(house: House) -> None:
    """`int`, `dict`, a method of another machine: what they give is judged, not what they are."""
    house.app("""
        from xmlrpc.client import ServerProxy
        there = ServerProxy("http://127.0.0.1:1/")
        @app.task
        def t(ctx):
            try: ctx.step("far", there.add, 1, 2)
            except OSError: note("called")
            return [ctx.step("whole", int, "3"), ctx.step("pairs", dict, a=1)]
    """)
    assert house.outcomes("t")["t"]["output"] == [3, {"a": 1}]
    assert house.notes == ["called"]


def test_why_nobody_knows_is_kept(house: House) -> None:
    """A call that raised left it open; the next attempt does not say that the program ended."""
    house.app("""
        def call(): raise OSError("the line is dead")
        @app.task
        def t(ctx): ctx.effect("e", call)
    """)
    assert [house.task("t", "--key", "k").code for _ in range(2)] == [1, 0]
    assert house.rows("SELECT status, error FROM effects") == [("ambiguous", "OSError: the line is dead")]


@pytest.mark.parametrize("policy", ["at_most_once", "at_least_once"])
def test_an_effect_within_itself_is_refused(policy: str, house: House) -> None:
    """The inner one would see the outer one's intent, and take it for that of a run that died."""
    house.app(f"""
        @app.task
        def t(ctx):
            def cause(): return ctx.effect("e", lambda: note("called"), policy={policy!r})
            ctx.effect("e", cause, policy={policy!r})
    """)
    assert "under way already" in house.task("t", "--key", "k").err
    assert house.notes == []
    assert house.rows("SELECT status FROM effects") == [("failed",)]


def test_two_threads_cause_an_effect_once(house: House) -> None:
    """The second is refused while the first is at it; after that it is given the outcome."""
    house.app("""
        from concurrent.futures import ThreadPoolExecutor
        from threading import Event
        is_refused = Event()
        def call():
            note("called")
            is_refused.wait(20)
            return 7
        @app.task
        def t(ctx):
            def cause(_):
                try: return ctx.effect("e", call, policy="at_least_once")
                except PermanentError:
                    is_refused.set()
                    return "refused"
            with ThreadPoolExecutor(2) as pool: first = list(pool.map(cause, range(2)))
            return sorted(map(str, first)) + [cause(0)]
    """)
    assert house.outcomes("t")["t"]["output"] == ["7", "refused", 7]
    assert house.notes == ["called"]


def test_the_path_of_a_part_that_is_no_json_fits_a_line(house: House) -> None:
    """Of a list that holds itself it would be three hundred characters."""
    house.app("@app.task\ndef t(ctx):\n    x = []; x.append(x)\n    return x\n")
    said = house.task("t").err
    assert "nested more than 100 deep" in said
    assert len(said.splitlines()[0]) < 500


# --- messages ---------------------------------------------------------------------------------------------------------


def test_a_sender_that_leaves_the_program_parks_its_message_alone(house: House) -> None:
    """`sys.exit()` deep in a library is a fault like any other: the messages behind it are sent."""
    house.app("""
        @app.outbox("box")
        def send(ctx, message):
            if message.key == "bad": raise SystemExit(3)
            note(message.key)
        @app.task
        def t(ctx):
            for key in ("bad", "good"): ctx.send("box", key, 1)
    """)
    assert house.task("t").code == 0
    assert house.notes == ["good"]
    assert house.rows("SELECT key, status, attempts FROM outbox ORDER BY id") == [
        ("bad", "parked", 1), ("good", "sent", 1),
    ]  # fmt: skip
    assert house.rows("SELECT key, status FROM effects ORDER BY key") == [("send bad", "failed"), ("send good", "done")]


def test_doctor_tells_of_an_outbox_that_cannot_send(house: House) -> None:
    """Its messages wait for a setting, not for the next run."""
    house.app("""
        @app.outbox("box", needs="BOX_TOKEN")
        def send(ctx, message): note("sent")
        @app.task
        def t(ctx): ctx.send("box", "a", 1)
    """)
    house.ini(f"[agent_os]\napps = {house.home / 'app_1.py'}\n")
    assert house.task("t").code == 0
    said = house.run("doctor").out
    assert "the outbox box sends nothing, which is disabled: BOX_TOKEN is not set" in said
    assert "1 message not sent yet" in said


# --- state ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("ctx.state[1] = 'x'", "state '1' of task t cannot be kept: its name is of type int"),
        ("ctx.state = [1]", "the state of task t is of type list"),
    ],
)
def test_state_that_would_not_be_read_back_is_refused(change: str, says: str, house: House) -> None:
    """A number would come back as text, and a second value stand beside it."""
    house.app(f"@app.task\ndef t(ctx):\n    {change}\n")
    answer = house.task("t")
    assert (answer.code, says in answer.err) == (1, True)
    assert house.rows("SELECT * FROM state") == []


# --- budgets ----------------------------------------------------------------------------------------------------------

BUDGET = """
@app.limit("budget")
def budget(ask): return 100 - ask.spent()
"""


@pytest.mark.parametrize(("said", "counts"), [(5, 10), (70, 70)])
@pytest.mark.parametrize("timeout", ["", ", timeout='30s'"], ids=["thread", "child"])
def test_what_a_run_that_fails_has_spent_counts(said: int, counts: int, timeout: str, house: House) -> None:
    """What it said, or what was reserved, whichever is more: a budget that a failure frees is none."""
    house.app(
        BUDGET + f"@app.task(cost_limit='budget', cost=10{timeout})\ndef t(ctx):\n    ctx.spend({said})\n    1 / 0\n"
    )
    assert house.task("t").code == 1
    assert house.rows("SELECT amount, is_settled FROM spendings") == [(counts, 1)]


def test_what_every_attempt_has_spent_is_added_up(house: House) -> None:
    """Not only what the last one says."""
    house.app(BUDGET + "@app.task(cost_limit='budget', cost=10, retries=2, backoff=0.01)\ndef t(ctx):\n"
              "    ctx.spend(3)\n    ctx.spend(4)\n    if ctx.attempt < 3: raise OSError\n")  # fmt: skip
    assert house.task("t").code == 0
    assert house.rows("SELECT amount, is_settled FROM spendings") == [(21, 1)]


def test_what_has_been_spent_is_kept_at_once(house: House) -> None:
    """While the run goes on it is no room for others; and a kill does not make it less."""
    house.app(f"""
        import sqlite3
        @app.limit("budget")
        def budget(ask): return 100 - ask.spent()
        @app.task(cost_limit="budget", cost=10)
        def t(ctx):
            ctx.spend(70)
            db = sqlite3.connect({str(house.home / "agent_os.db")!r})
            note(str(db.execute("SELECT amount, is_settled FROM spendings").fetchall()))
            db.close()
    """)
    assert house.task("t").code == 0
    assert house.notes == ["[(70, 0)]"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("return None", "could not be asked: it answered with nothing"),
        ("return ''", "says no\n"),
        ("from decimal import Decimal; return Decimal('nan')", "could not be asked: it answered with Decimal"),
        ("raise SystemExit(9)", "could not be asked: SystemExit: 9"),
        ("return float('nan')", "has nan left"),
    ],
)
def test_whatever_a_limit_does_instead_of_answering_is_a_no(body: str, says: str, house: House) -> None:
    """And never the end of the program."""
    house.app(
        f"@app.limit('gate')\ndef gate(ask): {body}\n@app.task(cost_limit='gate', cost=1)\ndef t(ctx): note('ran')\n"
    )
    answer = house.task("t")
    assert (answer.code, says in answer.err) == (0, True)
    assert house.notes == []
    assert [status for (status,) in house.rows("SELECT status FROM slots WHERE task = 't'")] == ["due"]
