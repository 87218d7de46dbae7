"""What an app may declare, what is no task, step or effect, and what is said of it: at once, and with the place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PACKAGE
from tests.fakes.environment import bare
from tests.house import House


@pytest.fixture
def house(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> House:
    """A home."""
    return House(tmp_path, capsys)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("@app.task\ndef t(ctx): yield 1", "task t: is not a plain function: it has a `yield`"),
        ("@app.task\nasync def t(ctx): pass", "task t: is not a plain function: it is `async`"),
        ("@app.task\nasync def t(ctx): yield", "task t: is not a plain function: it is `async`"),
        ("@app.task\ndef t(): pass", "task t: takes nothing; write def t(ctx)"),
        ("@app.task\ndef t(ctx, day): pass", "task t: takes day too, which nobody gives; write def t(ctx)"),
        ("@app.task\ndef t(ctx, *, day): pass", "task t: takes day too, which nobody gives"),
        ("@app.task\nclass T: pass", "task T: is the class T, no function"),
        ("app.task(int)", "task int: is the class int, no function"),
        (
            "class A:\n    async def __call__(self, ctx): pass\nclass B(A): pass\napp.task(B(), name='t')",
            "task t: is not a plain function: it is `async`",
        ),
        ("app.task(5, name='t')", "task t: is 5, no function"),
        ("app.task(lambda ctx: 1)", "'<lambda>' is no name for a task"),
        ("from functools import partial\napp.task(partial(print))", "a task: '' is no name for a task; give it one"),
        ("@app.task('t')\ndef f(ctx): pass", "task f: write @app.task(name='t')"),
        ("@app.task(name=3)\ndef f(ctx): pass", "'3' is no name for a task"),
        ("@app.outbox('post')\ndef send(ctx): pass", "task post: takes ctx alone; write def send(ctx, message)"),
        ("@app.limit('most')\nasync def ask(ask): pass", "the limit most of the app it is not a plain function"),
        ("@app.limit('most')\ndef asked(): pass", "the limit most of the app it takes nothing; write def asked(ask)"),
        ("@app.task\ndef t(ctx): pass\n@app.task\ndef t(ctx): pass", "two tasks of this name; the other one"),
        ("@app.task(after='t')\ndef t(ctx): pass", "in a circle: t after t"),
        ("@app.task(ping=3)\ndef t(ctx): pass", "ping is 3; give text"),
    ],
)  # fmt: skip
def test_what_is_no_task_is_said_before_anything_runs(source: str, says: str, house: House) -> None:
    """Exit 3, one line, nothing stored."""
    house.app(source)
    answer = house.task("x")
    assert answer.code == 3
    assert says in answer.err
    assert answer.err.count("\n") == 1
    assert not (house.home / "agent_os.db").exists()


@pytest.mark.parametrize(
    "source",
    [
        "@app.task\ndef t(ctx, more=1, *rest, also=2, **others): note('ran')",
        "app.task(lambda ctx: note('ran'), name='t')",
        "from functools import partial\napp.task(partial(lambda text, ctx: note(text), 'ran'), name='t')",
        "class A:\n    def t(self, ctx): note('ran')\napp.task(A().t)",
        "class A:\n    def __call__(self, ctx): note('ran')\napp.task(A(), name='t')",
        "app.task(dict.fromkeys, name='u')\n@app.task()\ndef t(*args): note('ran')",
        "class A:\n    __slots__ = ()\n    def __call__(self, ctx): note('ran')\napp.task(A(), name='t')",
        "import dataclasses\n@dataclasses.dataclass(frozen=True)\nclass A:\n    def __call__(self, ctx): note('ran')\n"
        "app.task(A(), name='t')",
        "class A:\n    def __getattr__(self, name): return A()\n    def __call__(self, ctx): note('ran')\n"
        "app.task(A(), name='t')",
    ],
    ids=["defaults", "lambda", "partial", "method", "object", "any", "slots", "frozen", "permissive"],
)
def test_whatever_can_be_called_with_a_context_may_be_a_task(source: str, house: House) -> None:
    """A name of its own it must have, or be given."""
    house.app(source)
    assert house.task("t").code == 0
    assert house.notes == ["ran"]


def test_a_fault_says_where_the_task_is(house: House) -> None:
    """File and line of its first decorator; both places where there are two of a name; faults of both."""
    house.app("@app.task(retries=-1)\ndef t(ctx): pass\n\n@app.task\ndef t(ctx): pass\n")
    said = house.task("t").err
    assert "app it (app_1.py, line 6): task t: retries is -1" in said
    assert "app it (app_1.py, line 9): task t: there are two tasks of this name" in said
    assert "the other one is of app it (app_1.py, line 6)" in said


def test_every_circle_is_said(house: House) -> None:
    """Not only the first that is found."""
    house.app("\n".join(f"@app.task(after='{b}')\ndef {a}(ctx): pass" for a, b in ("ab", "ba", "cd", "dc", "ee")))
    said = house.task("a").err
    assert said.count("in a circle") == 3
    assert "e after e" in said


def test_what_an_app_prints_while_it_is_loaded_is_talk(house: House) -> None:
    """Standard output is for what was asked for: JSON stays JSON."""
    house.app("print('hello from the import')\n@app.task\ndef t(ctx): return 1\n")
    answer = house.task("t", "--json")
    assert answer.json["outcomes"][0]["output"] == 1
    assert "hello from the import" in answer.err


def test_what_an_app_keeps_of_standard_output_is_standard_output(house: House) -> None:
    """A default argument, a handler of a log: what is written there later is no talk."""
    house.app("""
        import sys
        class Twice:
            def __init__(self, out): self.out = out
            def write(self, text): self.out.write(text)
            def flush(self): self.out.flush()
        twice = Twice(sys.stdout)
        @app.verb("shout")
        def shout(home, args, out=sys.stdout):
            print("said later", file=out)
            kept, sys.stdout = sys.stdout, twice
            print("said last")
            sys.stdout = kept
        print("said now", file=sys.stdout)
    """)
    house.ini(f"[agent_os]\napps = {house.home / 'app_1.py'}\n")
    answer = house.run("shout")
    assert (answer.code, answer.out) == (0, "said later\nsaid last\n")
    assert "said now" in answer.err


def test_an_app_that_replaces_standard_output_hides_no_answer(house: House) -> None:
    """As `sys.stdout = TextIOWrapper(sys.stdout.buffer, encoding="utf-8")` does; standard error stays open, too."""
    app = house.home / "wraps.py"
    app.write_text(
        f"import io, sys\nfrom {PACKAGE} import App\n"
        "sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding='utf-8')\n"
        "app = App('it')\n@app.task\ndef t(ctx):\n    raise OSError('told')\n"
    )
    words = [sys.executable, "-m", PACKAGE, "--task", "t", "--app", str(app), "--home", str(house.home), "--json"]
    done = subprocess.run(words, env=bare(), capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, json.loads(done.stdout)["outcomes"][0]["status"]) == (1, "failed")
    assert "OSError: told" in done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_while_an_app_is_loaded_does_nothing_more(house: House) -> None:
    """What comes back from the fork is ended: the run is its parent's."""
    app = house.home / "forks.py"
    app.write_text(
        f"import os\nfrom {PACKAGE} import App\npid = os.fork()\nif pid:\n    os.waitpid(pid, 0)\n"
        "app = App('it')\n@app.task\ndef t(ctx):\n    return 'ran'\n"
    )
    words = [sys.executable, "-m", PACKAGE, "--task", "t", "--app", str(app), "--home", str(house.home)]
    done = subprocess.run(words, env=bare(), capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (0, "ran\n")


@pytest.mark.parametrize("option", ["--task", "--app", "--key"])
def test_an_option_that_names_one_thing_is_given_once(option: str, house: House) -> None:
    """Of two, one would be left out in silence. The same one twice harms nobody."""
    house.app("@app.task\ndef t(ctx): note('ran')\n")
    words = {"--task": "u", "--app": "other.py", "--key": "b"}
    answer = house.run("--task", "t", "--key", "a", option, words[option], "--app", str(house.home / "app_1.py"))
    assert (answer.code, f"{option} is given twice" in answer.err) == (2, True)
    assert house.task("t", "--task=t").code == 0
    assert house.notes == ["ran"]


def test_a_verb_of_an_app_may_have_such_an_option_more_than_once(house: House) -> None:
    """It is the app's own, and means what the app says."""
    house.app("""
        def options(parser): parser.add_argument("--key", action="append")
        @app.verb("pick", arguments=options)
        def pick(home, args): print(args.key)
    """)
    house.ini(f"[agent_os]\napps = {house.home / 'app_1.py'}\n")
    assert house.run("pick", "--key", "a", "--key", "b").out == "['a', 'b']\n"


@pytest.mark.parametrize("option", ["--key", "--from-step"])
def test_an_empty_name_is_not_taken_for_none(option: str, house: House) -> None:
    """`--key "$DAY"` where DAY is not set would run whatever is due."""
    house.app("@app.task\ndef t(ctx): note('ran')\n")
    assert house.task("t", option, "").code == 2
    assert house.notes == []
