"""Faults that a review of the engine found: what a task says, asks for or answers harms nothing but itself."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from tests.house import House

# A signal may strike while Python collects garbage: what is raised there is dropped, and pytest would call it an error.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

SECRET = "abcdef1234567890abcd"


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> House:
    return House(tmp_path, capsys)


def keep_secret(house: House) -> None:
    path = house.home / ".env"
    path.write_text(f"MY_TOKEN={SECRET}\n")
    path.chmod(0o600)


def everything(house: House) -> str:
    """All that the home holds but its settings."""
    return "".join(path.read_bytes().decode("utf-8", "replace") for path in house.home.iterdir() if path.name != ".env")


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_secret_in_an_error_is_neither_kept_nor_shown(house: House, form: tuple[str, ...]) -> None:
    """Neither in what the run tells, nor in any table: not in the error, the hint, or what was printed."""
    keep_secret(house)
    house.app("""
        @app.task
        def t(ctx):
            print("printed", ctx.setting("MY_TOKEN"))
            raise PermanentError("e " + ctx.setting("MY_TOKEN"), hint="h " + ctx.setting("MY_TOKEN"))
    """)
    answer = house.task("t", *form)
    assert "e ***" in answer.out
    assert SECRET not in answer.out + answer.err + everything(house)


def test_a_secret_that_a_failed_attempt_printed_is_not_kept(house: House) -> None:
    """The attempt that succeeds prints nothing, so what the first one printed stays."""
    keep_secret(house)
    house.app("""
        @app.task(retries=1, backoff=0.01)
        def t(ctx):
            if ctx.attempt == 1:
                print("printed", ctx.setting("MY_TOKEN"))
                raise TransientError("not now")
    """)
    assert house.task("t").code == 0
    assert house.rows("SELECT text FROM outputs") == [("printed ***\n",)]
    assert SECRET not in everything(house)


def test_a_secret_is_hidden_before_a_line_is_cut(house: House) -> None:
    """The last line of a failed command is cut at 200 characters: half a secret is one too."""
    keep_secret(house)
    house.ini("""
        [task:c]
        command = sh -c 'printf "%0190d $TOKEN" 0; exit 3'
        env.TOKEN = env:MY_TOKEN
    """)
    answer = house.task("c")
    assert answer.code == 1
    assert SECRET[:6] not in answer.out + answer.err + everything(house)


def test_a_limit_that_raises_a_secret_does_not_have_it_kept(house: House) -> None:
    """What a limit says is a reason of a slot and a run."""
    keep_secret(house)
    house.app(f"""
        @app.limit("money")
        def money(ask): raise ValueError("{SECRET[:10]}" + "{SECRET[10:]}")
        @app.task(cost_limit="money", cost=1)
        def t(ctx): pass
    """)
    assert house.task("t").code == 0
    assert SECRET not in everything(house)


@pytest.mark.parametrize(
    "body",
    [
        "raise ValueError('no text: \\udcff')",
        "raise TransientError('no text', hint='\\udcff')",
        "print('\\udcff'); raise TransientError('\\udcff')",
        "ctx.effect('e', lambda: exec('raise ValueError(chr(0xdcff))'))",
        "ctx.state['\\udcff'] = 1",
    ],
)
def test_what_is_no_text_fails_its_task_alone(house: House, body: str) -> None:
    """Names of files may hold bytes that are no UTF-8, and errors name files."""
    house.app(f"""
        @app.task
        def t(ctx):
            {body}
        @app.task
        def other(ctx): note("other")
        @app.task(after=[t, other])
        def both(ctx): pass
    """)
    answer = house.task("both")
    assert (answer.code, house.notes) == (1, ["other"]), answer.err
    assert house.rows("SELECT status FROM runs WHERE task = 't'") == [("failed",)]


@pytest.mark.parametrize("asked", ["'0.01'", "'soon'", "float('nan')", "float('inf')", "1e300", "-5", "10**400"])
def test_a_wait_that_is_none_is_no_fault_of_ours(house: House, asked: str) -> None:
    """`retry_after` is handed on as a server wrote it; whatever it is, the task fails, and others go on."""
    house.app(f"""
        @app.task(retries=1, backoff=0.01)
        def t(ctx): raise TransientError("later", retry_after={asked})
        @app.task
        def other(ctx): ctx.send("post", "a", 1)
        @app.outbox("post", retries=0)
        def post(ctx, message): raise TransientError("later", retry_after={asked})
        @app.task(after=[t, other])
        def both(ctx): pass
    """)
    assert house.task("both").code == 1
    assert house.rows("SELECT status FROM runs WHERE task IN ('t', 'other') ORDER BY task") == [
        ("success",),
        ("failed",),
    ]
    assert house.rows("SELECT status, attempts FROM outbox") == [("waiting", 1)]


@pytest.mark.parametrize("answer", ["(1,)", "b'much'", "{}", "float('nan')", "object()"])
def test_a_limit_that_answers_nonsense_says_no(house: House, answer: str) -> None:
    """A budget that fails open is none, and one that fails ends no program."""
    house.app(f"""
        @app.limit("money")
        def money(ask): return {answer}
        @app.task(cost_limit="money", cost=1)
        def dear(ctx): note("dear")
    """)
    assert house.task("dear").code == 0
    assert house.notes == []
    assert house.rows("SELECT status FROM slots") == [("due",)]


def test_names_of_limits_are_not_patterns(house: House) -> None:
    """`a_c` and `abc` are two limits: who is at work under one takes no room in the other."""
    house.ini("""
        [agent_os]
        limits = a_c = 1, abc = 1
    """)
    house.app("""
        here = os.path.dirname(os.path.abspath(__file__)) + "/here"
        @app.task(limits="abc")
        def one(ctx):
            deadline = time.monotonic() + 10
            while not os.path.exists(here) and time.monotonic() < deadline: time.sleep(0.01)
            note("one")
        @app.task
        def first(ctx): pass
        @app.task(limits="a_c", after=first)
        def two(ctx):
            note("two")
            open(here, "w").close()
        @app.task(after=[one, two])
        def both(ctx): pass
    """)
    assert house.task("both").code == 0
    assert house.notes == ["two", "one"]


def test_an_outbox_is_emptied_in_one_start(house: House) -> None:
    """However many messages wait: they are fetched by the hundred, but none has to wait for the next start."""
    house.app("""
        @app.task
        def t(ctx):
            for number in range(1100): ctx.send("post", str(number), number)
        @app.outbox("post")
        def post(ctx, message): pass
    """)
    assert house.task("t").code == 0
    assert house.rows("SELECT status, count(*) FROM outbox GROUP BY status") == [("sent", 1100)]


def test_a_limit_is_not_held_by_the_dead(house: House) -> None:
    """A runner that is killed while we wait for the room that it took: nobody may start for days who would tidy up."""
    house.ini("""
        [agent_os]
        limits = one = 1
    """)
    house.app("""
        import sqlite3
        @app.task
        def plant(ctx):
            with sqlite3.connect(os.path.dirname(os.path.abspath(__file__)) + "/agent_os.db", timeout=30) as db:
                db.execute(
                    "INSERT INTO runs(id, plugin_name, status, started_at, task, invocation_id, owner, limits)"
                    " VALUES ('dead', 'x', 'running', '2026-01-01T00:00:00.000Z', 'x', 'i', '9.dead', ',one,')"
                )
            db.close()
        @app.task(after=plant, limits="one")
        def waits(ctx):
            note("had its turn")
    """)
    ended = []
    thread = threading.Thread(target=lambda: ended.append(house.task("waits")), daemon=True)
    thread.start()
    thread.join(20)
    assert [answer.code for answer in ended] == [0]
    assert house.notes == ["had its turn"]
    assert house.rows("SELECT status FROM runs WHERE id = 'dead'") == [("failed",)]


CANCEL_ME = """
    import sqlite3, threading
    here = os.path.dirname(os.path.abspath(__file__))
    @app.task
    def stray(ctx):
        with sqlite3.connect(here + "/agent_os.db", timeout=30) as db:
            db.execute("UPDATE runs SET cancel_at = 'now' WHERE id = ?", (ctx.run_id,))
        db.close()
        deadline = time.monotonic() + 20
        while not os.path.exists(here + "/go") and time.monotonic() < deadline: time.sleep(0.01)
        try:
            ctx.step("late", lambda: 1)
        except Exception as error:
            note(str(error))
"""


def test_a_thread_that_was_left_to_itself_does_not_wait_for_ever(house: House) -> None:
    """Its run was cancelled and the runner has ended: whoever asks for something then is told so."""
    house.app(CANCEL_ME)
    assert house.task("stray").code == 1
    (house.home / "go").touch()
    deadline = time.monotonic() + 10
    while not house.notes and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [note[-11:] for note in house.notes] == ["was stopped"]


def test_after_a_signal_nothing_begins_any_more(house: House) -> None:
    """Short runs are claimed ahead: those that had not begun when the signal came do not begin after it."""
    house.app("""
        import signal
        @app.task(partition="day")
        def days(ctx):
            note(ctx.slot)
            if ctx.slot == "2026-05-10":
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(1)
    """)
    house.clock.set("2026-11-22T09:00")
    assert house.task("days", "--since", "2026-05-01", "--until", "2026-07-01", "--jobs", "1").code == 143
    assert house.notes[-1] == "2026-05-10"
    assert set(house.slots("days").values()) == {"success", "due"}


def test_the_outcome_of_an_effect_is_kept_though_a_signal_came_meanwhile(house: House) -> None:
    """The runner waits a moment for what is under way: what has happened by then is known to have."""
    house.app("""
        import signal
        def pay():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.5)
            return 7
        @app.task
        def t(ctx): ctx.effect("pay", pay)
    """)
    assert house.task("t").code == 143
    assert house.rows("SELECT status, outcome FROM effects") == [("done", "7")]


@pytest.mark.parametrize("error", ["PermanentError(ValueError('x'))", "TransientError(5, hint=b'x')"])
def test_an_error_of_ours_may_be_given_anything(house: House, error: str) -> None:
    """Apps hand on what they have caught: `raise PermanentError(error)`. It is told as its text."""
    house.app(f"""
        @app.task
        def t(ctx): raise {error}
        @app.task
        def other(ctx): ctx.send("post", "a", 1)
        @app.outbox("post", retries=0)
        def post(ctx, message): raise {error}
        @app.task(after=[t, other])
        def both(ctx): pass
    """)
    assert house.task("both").code == 1
    told = "x" if error.startswith("Permanent") else "5"
    assert house.rows("SELECT error FROM runs WHERE task = 't'") == [(told,)]
    assert house.rows("SELECT error FROM outbox") == [(told,)]


def test_a_message_with_an_odd_receipt_was_sent(house: House) -> None:
    """A sender may return the answer of its HTTP client, which is no JSON: that is not kept, but nothing is parked."""
    house.app("""
        @app.task
        def t(ctx): ctx.send("post", "a", 1)
        @app.outbox("post")
        def post(ctx, message): return object()
    """)
    assert house.task("t").code == 0
    assert house.rows("SELECT status, receipt_json FROM outbox") == [("sent", "null")]


def test_a_signal_that_python_drops_is_heard_all_the_same(house: House) -> None:
    """What is raised while something is being destroyed goes nowhere; the next turn asks again."""
    house.app("""
        from agent_os.core import signals
        @app.task(partition="day")
        def days(ctx):
            note(ctx.slot)
            import threading
            signals._asked[threading.main_thread().ident] = 15
            time.sleep(0.2)
    """)
    house.clock.set("2026-11-22T09:00")
    assert house.task("days", "--since", "2026-11-01", "--jobs", "1").code == 143
    assert len(house.notes) < 5
