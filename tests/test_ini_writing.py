"""Entries as sections of agent_os.ini: whatever is written is read back as the same words."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_os.core import config, ini
from agent_os.schedulers.entries import Entry, Found, duration, every, name_from, name_of, plain_words, unique
from agent_os.schedulers.ini_writing import Written, smallest_step
from agent_os.schedulers.taking_over import check
from tests.fakes.environment import bare

pytestmark = pytest.mark.skipif(os.name == "nt", reason="commands of POSIX")


def entry_of(*words, schedule="@daily", zone="UTC", **more):
    """An entry that could be read somewhere."""
    entry = Entry("line 1")
    entry.name, entry.words = "it", words
    entry.schedule(schedule, zone=zone)
    for name, value in more.items():
        setattr(entry, name, value)
    return entry


def written(*entries, taken=()):
    """What is written of these."""
    found = Found()
    found.entries += entries
    return Written(found, taken)


def read_back(text):
    """The tasks of an agent_os.ini with this text, without faults."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "agent_os.ini").write_bytes(text.encode("utf-8"))
        tasks = ini.tasks_of(config.load(home=folder, environ={"HOME": "/home/ann"}))
    assert [fault for task in tasks for fault in task.faults] == []
    return tasks


def meant(task):
    """What a task comes to run: its words and variables, behind what the writer puts in front of odd ones."""
    words, env = list(task.command), dict(task.env)
    if words[0] == "/usr/bin/env":
        words.pop(0)
        while "=" in words[0]:
            name, _, value = words.pop(0).partition("=")
            env[name] = value
    if words[:4] == ["/bin/sh", "-c", 'exec "$@"', "sh"]:
        words = words[4:]
    return tuple(words), env


ODD = st.text(st.sampled_from("ab#;[]=:'\"\\$`%!*~ \t\n\v\x0c\x1c\x85\u2028é&|>/{}()-"), max_size=12)
WORD = st.one_of(
    ODD, st.sampled_from(["#", ";", "a\n#b\n  ;c", "\n", " \n ", "\\\n", "%(x)s", "${x}", "[task:x]", "a = b"])
)
PROGRAMS = ["/usr/bin/x", "x", "//x", "/a/../b", "/a b", "/a ", "~/x", "~", "a=b/c"]
NAME = st.from_regex(r"\A[A-Z_][A-Z0-9_]{0,8}\Z").filter(lambda name: not config.is_secret(name))


@given(
    program=st.one_of(st.sampled_from(PROGRAMS), WORD.filter(bool)),
    words=st.lists(WORD, max_size=4),
    env=st.dictionaries(NAME, st.one_of(ODD, st.sampled_from(["env:X", "", " a", "# b"])), max_size=3),
    schedule=st.sampled_from(["@daily", "*/5 1-3 * * mon", "0 0 L * *", "0 0 */31,15 * 6"]),
    zone=st.sampled_from(["UTC", "Europe/Oslo"]),
    doc=ODD,
)  # fmt: skip
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_words_and_variables_come_back_as_they_were(program, words, env, schedule, zone, doc):
    """Line breaks, comment signs, quotations, blanks at either end: the reader sees what the writer was given."""
    entry = entry_of(program, *words, schedule=schedule, zone=zone, cwd="/srv", env=env, doc=doc)
    result = written(entry)
    assert result.left == []
    (task,) = read_back(result.text())
    first = program if "/" not in program or program.startswith("/") else f"/srv/{program}"
    found_words, found_env = meant(task)
    assert found_words[1:] == tuple(words)
    assert found_words[0] in (program, first)
    assert found_env == env
    assert (task.schedule.text, task.schedule.zone) == (schedule, zone)
    assert task.cwd == "/srv"


@given(script=st.text(st.sampled_from("ab#;'\"\\$%&| \t\n/=[]"), min_size=1, max_size=20).filter(str.strip))
@settings(max_examples=200, deadline=None)
def test_a_script_comes_back_as_it_was(script):
    """For /bin/sh, on one line with `shell = yes` and on several as words."""
    (task,) = read_back(written(entry_of(script=script)).text())
    assert task.command == ("/bin/sh", "-c", script)


def test_odd_words_reach_the_program(tmp_path):
    """What is put in front of them is not seen by it."""
    program = tmp_path / "show it "
    program.write_text(f"#!{sys.executable}\nimport os, sys\nprint(repr(sys.argv[1:]), repr(os.environ['X']))\n")
    program.chmod(0o755)
    odd = ["a\n  b\n", "'\"", " # "]
    value = " x\ny "
    (task,) = read_back(written(entry_of(str(program), *odd, env={"X": value})).text())
    done = subprocess.run(task.command, capture_output=True, text=True, env=bare(), check=True)
    assert done.stdout == f"{odd!r} {value!r}\n"


UNWRITABLE = [
    pytest.param({"words": ("x", "a\rb")}, "carriage return", id="carriage-return"),
    pytest.param({"env": {"X": "\r"}}, "carriage return", id="in-a-variable"),
    pytest.param({"words": ("x", "\udc80")}, "UTF-8", id="bytes"),
    pytest.param({"cwd": " /x"}, "folder", id="folder"),
    pytest.param({"words": ()}, "no command", id="nothing-to-run"),
    pytest.param({"words": ("",)}, "no command", id="an-empty-program"),
    pytest.param({"schedules": []}, "no time", id="never"),
]


@pytest.mark.parametrize(("more", "why"), UNWRITABLE)
def test_what_the_ini_cannot_hold_is_not_written(more, why):
    """It is said instead."""
    entry = entry_of("x")
    for name, value in more.items():
        setattr(entry, name, value)
    result = written(entry)
    assert result.sections == []
    assert why in result.reasons()[0]
    assert result.text() == f"# not taken over: {result.reasons()[0]}\n"


def test_a_secret_is_named_and_not_written():
    """It is looked up in the settings; a second value under one name gets a name of its own."""
    entries = [entry_of("x"), entry_of("y"), entry_of("z")]
    for entry, value in zip(entries, ("hush-1", "hush-1", "hush-2")):
        entry.set_env("NAS_TOKEN", value)
    result = written(*entries)
    assert "hush" not in result.text()
    assert [section.options["env.NAS_TOKEN"] for section in result.sections] == [
        "env:NAS_TOKEN",
        "env:NAS_TOKEN",
        "env:IT_3_NAS_TOKEN",
    ]
    assert "# to do: put NAS_TOKEN=... into .env; its value is not shown here" in result.text()


def test_several_schedules_are_several_tasks():
    """A task has one schedule; names that are taken are left to whoever has them."""
    entry = entry_of("x")
    entry.schedule("@hourly", zone="UTC")
    tasks = read_back(written(entry, taken={"it", "it_3"}).text())
    assert [(task.name, task.schedule.text) for task in tasks] == [("it_2", "@daily"), ("it_4", "@hourly")]


def test_a_comment_cannot_become_anything_else():
    """A remark with a line break stays one line, and steers no terminal."""
    entry = entry_of("x", remarks=["a\n[task:b]\x1b[2J"], doc="c\n[task:d]")
    assert [task.name for task in read_back(written(entry).text())] == ["it"]
    assert "\x1b" not in written(entry).text()


def test_every_takes_no_time_zone():
    """An interval counts elapsed time."""
    entry = entry_of("x")
    entry.schedules, entry.zone = [every(900)], "local"
    assert written(entry).sections[0].options == {"schedule": "every 15m", "command": "x", "cwd": "~"}


def test_sections_are_checked_before_they_are_added(tmp_path):
    """By the reader that will read them, as part of the file that they will be in."""
    from agent_os.core.errors import ConfigError

    section = written(entry_of("x")).sections[0]
    home = config.load(home=str(tmp_path), environ={})
    check([section], home, b"[agent_os]\njobs = 2\n" + section.text().encode())
    with pytest.raises(ConfigError, match="is there already"):
        check([section], home, 2 * section.text().encode())
    with pytest.raises(ConfigError, match="schedule"):
        check([section], home, section.text().replace("@daily", "@dayly").encode())


# --- small parts ------------------------------------------------------------------------------------------------------

NAMES = [
    pytest.param("/home/ann/bin/backup.sh --x", "backup", id="script"),
    pytest.param("cd /srv/app && ./manage.py clearsessions", "manage", id="after-cd"),
    pytest.param("A=1 B='x y' nice -n 19 ionice -c3 /opt/x/rotate.pl", "rotate", id="wrappers"),
    pytest.param("[ -x /usr/bin/probe ] && /usr/bin/probe", "probe", id="after-a-test"),
    pytest.param("flock -n /tmp/l timeout 5m python3 -m reports.daily --a", "reports.daily", id="module"),
    pytest.param("/bin/bash -c 'cd /x; /opt/y.sh'", "y", id="in-a-shell"),
    pytest.param("python3.11 -u '/srv/my job.py'", "my_job", id="interpreter"),
    pytest.param("> /tmp/x sort /etc/passwd", "sort", id="redirection-first"),
    pytest.param("echo hi; date", "task", id="nothing-telling"),
    pytest.param("7z a x", "task_7z", id="digit-first"),
    pytest.param("Ünïcode/é", "task", id="no-letter-left"),
    pytest.param("'it", "it", id="quotation-without-an-end"),
    pytest.param("", "task", id="nothing"),
    pytest.param("/x/" + "n" * 90, "n" * 58, id="long"),
]


@pytest.mark.parametrize(("text", "name"), NAMES)
def test_a_task_is_called_after_what_it_runs(text, name):
    """Not after what stands in front of it."""
    assert name_of(text) == name


@given(st.text(max_size=80))
def test_any_text_gives_a_name(text):
    """One that a task may have, also with a number after it."""
    from agent_os.core.spec import is_name

    assert is_name(name_from(text))
    assert is_name(unique(name_from(text), {name_from(text)}))
    assert is_name(name_of(text))


PLAIN = [
    pytest.param("/usr/bin/x --a=b c,d", ("/usr/bin/x", "--a=b", "c,d"), id="plain"),
    pytest.param("tar czf '/b/a b' \"x y\"", ("tar", "czf", "/b/a b", "x y"), id="quotations"),
    pytest.param("x 'a;b|c$d*'", ("x", "a;b|c$d*"), id="signs-in-quotation"),
    pytest.param('x "$a"', (), id="variable"),
    pytest.param("x $a", (), id="variable-bare"),
    pytest.param("x > y", (), id="redirection"),
    pytest.param("x; y", (), id="two"),
    pytest.param("x *.c", (), id="pattern"),
    pytest.param("x ~/y", (), id="tilde"),
    pytest.param("x # y", (), id="comment"),
    pytest.param("x a\\ b", (), id="backslash"),
    pytest.param("A=1 x", (), id="assignment"),
    pytest.param("cd /x", (), id="of-the-shell"),
    pytest.param("./x", (), id="relative"),
    pytest.param("x 'y", (), id="quotation-without-an-end"),
    pytest.param("x {a,b}", (), id="braces"),
    pytest.param("", (), id="nothing"),
]


@pytest.mark.parametrize(("text", "words"), PLAIN)
def test_a_command_without_signs_of_a_shell_needs_none(text, words):
    """Everything else is left to one."""
    assert plain_words(text) == words


@given(st.text(st.sampled_from("ab/=-_.:'\"\\$ ~#*{}%!,@+"), max_size=15))
@settings(max_examples=200, deadline=None)
def test_plain_words_are_what_a_shell_makes_of_them(text):
    """The oracle is /bin/sh."""
    words = plain_words(text)
    if words:
        done = subprocess.run(
            ["/bin/sh", "-c", f"printf '%s\\0' {text}"], capture_output=True, check=True, cwd="/", env={}
        )
        assert done.stdout == b"".join(word.encode() + b"\0" for word in words)


def test_durations_are_written_as_tasks_take_them():
    """And read back to the same seconds."""
    from agent_os.core.spec import seconds_of

    for seconds in (1, 90, 300, 3600, 5400, 86_400, 0.5, 12_345):
        assert seconds_of(duration(seconds)) == seconds
    assert [every(s) for s in (60, 900, 7200, 86_400, 129_600)] == [
        "every 1m",
        "every 15m",
        "every 2h",
        "every 1d",
        "every 36h",
    ]
    assert [every(s) for s in (0, 30, 90, 61)] == ["", "", "", ""]


def test_how_often_tick_has_to_look():
    """So that each minute of these schedules is met."""
    assert smallest_step([]) == 0
    assert smallest_step(["@hourly", "@daily"]) == 60
    assert smallest_step(["0 6 * * *", "30 * * * *"]) == 30
    assert smallest_step(["*/20 * * * *", "every 15m"]) == 5
    assert smallest_step(["17 * * * *"]) == 1
