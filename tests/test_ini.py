"""agent_os.ini: what is read, what is refused and with which words, and what its tasks, limits and variables mean."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent_os.core import config, ini, ini_file
from agent_os.core.config import Settings
from agent_os.core.errors import ConfigError
from agent_os.core.spec import Task

POSIX = pytest.mark.skipif(os.name == "nt", reason="POSIX's own")


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Settings]:
    """The settings of a home with this text in its agent_os.ini."""

    def made(text: str = "", *, dotenv: str = "", **environ: str) -> Settings:
        for name, content in (("agent_os.ini", text), (".env", dotenv)):
            (tmp_path / name).write_text(content, encoding="utf-8")
            (tmp_path / name).chmod(0o600)
        return config.load(home=str(tmp_path), environ=environ)

    return made


def task_of(load: Callable[..., Settings], text: str, **environ: str) -> Task:
    """The one task of a file whose section [task:it] holds these lines."""
    (task,) = ini.tasks_of(load(f"[task:it]\n{text}\n", **environ))
    return task


# --- the file ---------------------------------------------------------------------------------------------------------

READ = [
    pytest.param("", {}, id="nothing"),
    pytest.param("\ufeff[task:a]\ncommand = x", {"task:a": {"command": "x"}}, id="byte-order-mark"),
    pytest.param("[task:a]\r\ncommand = x\r\n", {"task:a": {"command": "x"}}, id="CRLF"),
    pytest.param("[task:a]\n", {"task:a": {}}, id="empty-section"),
    pytest.param("[task:a]  ; why", {"task:a": {}}, id="comment-after-a-section"),
    pytest.param("[task:a] # [b]", {"task:a": {}}, id="bracket-in-that-comment"),
    pytest.param("; a\n# b\n  ; c\n[task:a]", {"task:a": {}}, id="comments"),
    pytest.param("[task:a]\ncommand = x ; y", {"task:a": {"command": "x ; y"}}, id="no-comment-after-a-value"),
    pytest.param("[task:a]\ncommand: x", {"task:a": {"command": "x"}}, id="colon"),
    pytest.param("[task:a]\ncommand = a=b:c", {"task:a": {"command": "a=b:c"}}, id="delimiters-in-a-value"),
    pytest.param("[task:a]\ncommand = %(x)s ${y} %", {"task:a": {"command": "%(x)s ${y} %"}}, id="no-interpolation"),
    pytest.param("[task:a]\ncommand =\n  x\n\n  y\n", {"task:a": {"command": "\nx\n\ny"}}, id="several-lines"),
    pytest.param(
        "[task:a]\ncommand = x\n; no\n# no\n  y", {"task:a": {"command": "x\ny"}}, id="comments-between-lines"
    ),
    pytest.param(
        "[task:a]\ncommand =\n  case 1 in\n  1) b\n  ;;\n  2) c ;;\n  esac\n;; a comment",
        {"task:a": {"command": "\ncase 1 in\n1) b\n;;\n2) c ;;\nesac"}},
        id="the-end-of-a-case-is-no-comment",
    ),
    pytest.param("[task:a]\nRetries = 1", {"task:a": {"retries": "1"}}, id="options-in-any-case"),
    pytest.param("[task:a]\nENV.Path = 1", {"task:a": {"env.Path": "1"}}, id="variables-keep-their-case"),
    pytest.param("[task:a]\nenv.A = 1\nenv.a = 2", {"task:a": {"env.A": "1", "env.a": "2"}}, id="and-differ-by-it"),
    pytest.param("[task:a]\nenv.A.B = 1", {"task:a": {"env.A.B": "1"}}, id="dots-in-a-variable"),
    pytest.param("[task:Å.b-c]\n", {"task:Å.b-c": {}}, id="any-letter"),
]


@pytest.mark.parametrize(("text", "sections"), READ)
def test_the_file_means_the_same_on_every_python(text, sections, tmp_path):
    """Sections, options and values as written; configparser's own rules differ between versions."""
    path = tmp_path / "agent_os.ini"
    path.write_bytes(text.encode("utf-8"))
    assert ini_file.read(str(path)) == sections


REFUSED = [
    pytest.param(b"[task:a]\nenv.K = \xe9-secret", ["UTF-8"], id="latin-1"),
    pytest.param("[task:a]\n".encode("utf-16"), ["UTF-8"], id="UTF-16"),
    pytest.param("[task:a]\n".encode("utf-16-le"), ["NUL", "UTF-8"], id="UTF-16-without-a-mark"),
    pytest.param(b"#" * 1_000_001, ["larger than a megabyte"], id="huge"),
    pytest.param(b"key = secret\n[agent_os]", ["line 1", "above the first section", "[agent_os]"], id="no-section"),
    pytest.param(b"[agent_os]\nx = 1\n\nsecret\n", ["line 4", "neither"], id="no-value"),
    pytest.param(b"[agent_os]\n= secret\n", ["line 2", "neither"], id="no-name"),
    pytest.param(b"[agent_os]\n[]\n", ["line 2", "neither"], id="a-section-without-a-name"),
    pytest.param(b"[task:a]\n[task:a]", ["line 2", "[task:a] is there already"], id="a-section-twice"),
    pytest.param(b"[task:a]\nDoc=1\ndoc = secret", ["line 3", "[task:a] has doc already"], id="an-option-twice"),
    pytest.param(b"[task:a]\nenv.A = 1\nEnv.A = secret", ["line 3", "env.A already"], id="a-variable-twice"),
    pytest.param(b"[taks:backup]\n", ["[taks:backup]", "did you mean [task:backup]?"], id="misspelled"),
    pytest.param(b"[Task:a]\n", ["did you mean [task:a]?"], id="capital"),
    pytest.param(b"[task backup]\n", ["did you mean [task:backup]?"], id="space-for-colon"),
    pytest.param(b"[task.backup]\n", ["did you mean [task:backup]?"], id="dot-for-colon"),
    pytest.param(b"[tasks]\n", ["did you mean [task:NAME]?"], id="no-name-of-a-task"),
    pytest.param(b"[agent-os]\n", ["did you mean [agent_os]?"], id="hyphen"),
    pytest.param(b"[AGENT_OS]\n", ["did you mean [agent_os]?"], id="capitals"),
    pytest.param(b"[zzz]\n", ["[zzz]", "settings stand in [agent_os]", "a task in [task:NAME]"], id="unlike-anything"),
    pytest.param(b"[a]\n[taks:b]\n[c]", ["[a], [taks:b], [c]", "did you mean [task:b]?"], id="all-of-them-at-once"),
]


@pytest.mark.parametrize(("content", "says"), REFUSED)
def test_what_cannot_be_read_is_a_sentence_without_values(content, says, tmp_path):
    """Where it is, what is wrong and what was probably meant; a value may be a key."""
    path = tmp_path / "agent_os.ini"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        config.load(home=str(tmp_path), environ={})
    text = f"{caught.value.message}; {caught.value.hint}"
    assert text.startswith(str(path))
    assert [part for part in says if part not in text] == []
    assert "secret" not in text
    assert "\n" not in text
    assert caught.value.__cause__ is None  # a traceback would quote it


@given(st.text(st.sampled_from("[]tasken:gio_=;#. \n\tX\x85é"), max_size=60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_read_or_refused(tmp_path, text):
    """There is no third way: whatever stands in the file, the answer is sections or one ConfigError."""
    path = tmp_path / "agent_os.ini"
    path.write_bytes(text.encode("utf-8"))
    try:
        sections = ini_file.read(str(path))
    except ConfigError:
        return
    assert all(name == "agent_os" or name.startswith("task:") for name in sections)


@POSIX
@pytest.mark.parametrize("kind", ["link", "folder", "fifo"])
def test_only_a_plain_file_is_read(kind, tmp_path):
    """A FIFO would be waited for, a link may lead anywhere."""
    path = tmp_path / "agent_os.ini"
    make = {"link": lambda: path.symlink_to("/dev/null"), "folder": path.mkdir, "fifo": lambda: os.mkfifo(path)}
    make[kind]()
    with pytest.raises(ConfigError, match=r"agent_os\.ini is a"):
        config.load(home=str(tmp_path), environ={})


def test_a_home_without_the_file_does_not_load_a_parser(tmp_path):
    """Every start reads the settings; configparser would be the heaviest part of it."""
    code = (
        "import sys; from agent_os.core import config, ini; found = config.load(home=sys.argv[1], environ={})\n"
        "print(ini.tasks_of(found), ini.limits_of(found), 'configparser' in sys.modules)"
    )
    environ = {**os.environ, "PYTHONPATH": str(Path(config.__file__).parent.parent.parent)}
    words = [sys.executable, "-c", code.replace("agent_os", config.__name__.rpartition(".core")[0]), str(tmp_path)]
    if config.__name__.startswith("acme"):
        environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    done = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[] {} False\n", "")


# --- settings ---------------------------------------------------------------------------------------------------------

NAMES = [
    pytest.param("jobs = 3", "AGENT_OS_JOBS", "3", id="short"),
    pytest.param("JOBS = 3", "AGENT_OS_JOBS", "3", id="capitals"),
    pytest.param("agent_os_jobs = 3", "AGENT_OS_JOBS", "3", id="in-full"),
    pytest.param("Retention_Days: 30", "AGENT_OS_RETENTION_DAYS", "30", id="mixed"),
    pytest.param("apps =\n  a.py\n  b", "AGENT_OS_APPS", "a.py\nb", id="lines"),
    pytest.param("openai_api_key = k", "OPENAI_API_KEY", "k", id="key"),
    pytest.param("openai_base_url = u", "OPENAI_BASE_URL", "u", id="address"),
]


@pytest.mark.parametrize(("line", "name", "value"), NAMES)
def test_a_setting_may_be_written_without_its_prefix(line, name, value, load, tmp_path):
    """And in any letters; where it came from is known."""
    assert load(f"[agent_os]\n{line}").find(name) == (value, str(tmp_path / "agent_os.ini"))


def test_the_environment_wins_over_the_file(load):
    """Flag, environment, .env, agent_os.ini, default."""
    found = load("[agent_os]\njobs = 3\nlookback_days = 3\nlog_file = x", dotenv="AGENT_OS_LOOKBACK_DAYS=4")
    assert [found.get(f"AGENT_OS_{name}") for name in ("JOBS", "LOOKBACK_DAYS")] == ["3", "4"]
    assert load("[agent_os]\njobs = 3", AGENT_OS_JOBS="5").get("AGENT_OS_JOBS") == "5"


def test_what_is_not_set_has_its_default(load):
    """Eight tasks side by side, 400 days of history, no apps, no limits."""
    names = ("JOBS", "RETENTION_DAYS", "APPS", "LIMITS")
    assert [load().get(f"AGENT_OS_{name}") for name in names] == ["8", "400", "", ""]


UNKNOWN = [
    pytest.param("job = 3", ["sets job, which is no setting", "did you mean jobs?"], id="misspelled"),
    pytest.param("agent_os_dbpath = 3", ["sets agent_os_dbpath", "did you mean db_path?"], id="with-the-prefix"),
    pytest.param("zzz = 3", ["sets zzz", "`config` lists the settings"], id="unlike-anything"),
    pytest.param("command = x", ["sets command", "`config`"], id="of-another-section"),
    pytest.param("job = 1\nzzz = 2", ["sets job, zzz, which are no settings", "jobs?"], id="all-of-them-at-once"),
]


@pytest.mark.parametrize(("lines", "says"), UNKNOWN)
def test_an_unknown_setting_is_an_error_with_the_nearest_right_name(lines, says, load):
    """A setting that is passed over looks as if it held."""
    with pytest.raises(ConfigError) as caught:
        load(f"[agent_os]\n{lines}")
    text = f"{caught.value.message}; {caught.value.hint}"
    assert [part for part in says if part not in text] == []


# --- limits -----------------------------------------------------------------------------------------------------------

LIMITS = [
    pytest.param("", {}, id="none"),
    pytest.param("openai = 1", {"openai": 1}, id="one"),
    pytest.param("openai=1,gpu=2", {"openai": 1, "gpu": 2}, id="commas"),
    pytest.param("\n  openai = 1\n  gpu = 1000,\n", {"openai": 1, "gpu": 1000}, id="lines"),
    pytest.param("a = 0001", {"a": 1}, id="zeros-ahead"),
    pytest.param(",,\n a.b-c_d = 7 ,", {"a.b-c_d": 7}, id="nothing-between-commas"),
]


@pytest.mark.parametrize(("text", "limits"), LIMITS)
def test_limits_are_names_with_numbers(text, limits, load):
    """One a line, or separated by commas; the environment writes them likewise."""
    assert ini.limits_of(load("[agent_os]\nlimits = " + text.replace("\n", "\n  "))) == limits
    assert ini.limits_of(load(AGENT_OS_LIMITS=text)) == limits


NO_LIMITS = [
    pytest.param("a", ["a has no number"], id="no-number"),
    pytest.param("a =", ["a is ''"], id="empty-number"),
    pytest.param("a = 0", ["a is '0'"], id="zero"),
    pytest.param("a = 1001", ["a is '1001'", "1 to 1000"], id="too-many"),
    pytest.param("a = 0000100000", ["a is '0000100000'"], id="too-many-digits"),
    pytest.param("a = " + "9" * 5000, ["a is '999"], id="more-digits-than-Python-reads"),
    pytest.param("a = -1", ["a is '-1'"], id="negative"),
    pytest.param("a = 1.5", ["a is '1.5'"], id="fraction"),
    pytest.param("a = ٣", ["a is '٣'"], id="other-digits"),
    pytest.param("a = 1 = 2", ["a is '1 = 2'"], id="two-numbers"),
    pytest.param("= 1", ["'' is no name"], id="no-name"),
    pytest.param("a b = 1", ["'a b' is no name"], id="bad-name"),
    pytest.param("a = 1, a = 1", ["a is set twice"], id="twice"),
    pytest.param("a = x\nb\n!=1", ["a is 'x'; b has no number; '!' is no name"], id="all-of-them-at-once"),
]


@pytest.mark.parametrize(("text", "says"), NO_LIMITS)
def test_limits_that_cannot_be_meant_are_an_error(text, says, load):
    """All of them in one sentence that says where they were set."""
    with pytest.raises(ConfigError) as caught:
        ini.limits_of(load(AGENT_OS_LIMITS=text))
    message = f"{caught.value.message}; {caught.value.hint}"
    assert message.startswith("AGENT_OS_LIMITS (from environment): ")
    assert [part for part in says if part not in message] == []


# --- tasks ------------------------------------------------------------------------------------------------------------


def test_a_section_is_a_task(load, tmp_path):
    """Every option has its place, in the order of the file; the command runs in the home."""
    first, second = ini.tasks_of(
        load("""
[agent_os]
limits = disk = 1
[task:dump]
command = pg_dump -f "my file" db
[task:backup]
command = rsync a b
doc = Copies what counts.
After = dump, fetch_openai
partition = day
retries = 3
backoff = 30s
timeout = 2h
catch_up = latest
overlap = queue
needs = MY_KEY
limits = disk
cost_limit = monthly
cost = 5
env.LANG = C
""")
    )
    assert (first.name, first.kind, first.command) == ("dump", "command", ("pg_dump", "-f", "my file", "db"))
    assert (first.cwd, first.env, first.doc, first.retries, first.is_adhoc) == (str(tmp_path), {}, "", 0, True)
    assert second.source == f"{tmp_path / 'agent_os.ini'} [task:backup]"
    assert second.faults == first.faults == []
    wanted = {
        "doc": "Copies what counts.", "after": ("dump", "fetch_openai"), "partition": "day", "retries": 3,
        "backoff_seconds": 30.0, "timeout_seconds": 7200.0, "catch_up": "latest", "overlap": "queue",
        "needs": ("MY_KEY",), "limits": ("disk",), "cost_limit": "monthly", "cost": 5, "env": {"LANG": "C"},
    }  # fmt: skip
    assert {name: getattr(second, name) for name in wanted} == wanted


def test_a_task_may_have_a_schedule(load):
    """In the zone that is named."""
    task = task_of(load, "command = x\nschedule = 30 6 * * *\ntimezone = Europe/Oslo")
    assert task.faults == []
    assert task.schedule is not None
    assert not task.is_adhoc


WORDS = [
    pytest.param("a", ["a"], id="one"),
    pytest.param("a  b\tc", ["a", "b", "c"], id="blanks"),
    pytest.param("a\nb", ["a", "b"], id="lines"),
    pytest.param("a \\\nb", ["a", "b"], id="a-line-that-goes-on"),
    pytest.param("a ''", ["a", ""], id="empty-word"),
    pytest.param("a 'b  c' \"d 'e'\"", ["a", "b  c", "d 'e'"], id="quotes"),
    pytest.param("a b\\ c", ["a", "b c"], id="backslash"),
    pytest.param("a x='b c'd", ["a", "x=b cd"], id="quotes-inside-a-word"),
    pytest.param("a $B *.c ~ | > && d; # f", ["a", "$B", "*.c", "~", "|", ">", "&&", "d;", "#", "f"], id="no-shell"),
]


@pytest.mark.parametrize(("text", "words"), WORDS)
def test_a_command_is_split_into_words_as_a_shell_would(text, words):
    """Quotes and backslashes mean what they mean there, and nothing else means anything."""
    assert ini.command_words(text, windows=False) == words


WINDOWS_WORDS = [
    pytest.param(r"C:\bin\x.exe C:\a", [r"C:\bin\x.exe", r"C:\a"], id="backslashes"),
    pytest.param(r'"C:\my bin\x.exe" "a b"', [r"C:\my bin\x.exe", "a b"], id="quotes-go"),
    pytest.param("a 'b c' \"\"", ["a", "b c", ""], id="single-and-empty"),
    pytest.param('a "', None, id="not-closed"),
]


@pytest.mark.parametrize(("text", "words"), WINDOWS_WORDS)
def test_on_windows_a_backslash_is_part_of_a_path(text, words):
    """Quotes around a word go, and nothing else is changed."""
    if words is None:
        with pytest.raises(ValueError, match="closing"):
            ini.command_words(text, windows=True)
    else:
        assert ini.command_words(text, windows=True) == words


@POSIX
@pytest.mark.parametrize("yes", ["yes", "YES", "true", "on", "1"])
def test_with_shell_the_text_goes_to_the_shell_as_it_is(yes, load):
    """All lines of it; no quote is looked at here."""
    task = task_of(load, f"shell = {yes}\ncommand =\n  it's=1\n  echo $it | tr a b")
    assert task.command == ("/bin/sh", "-c", "it's=1\necho $it | tr a b")
    assert task.faults == []


@pytest.mark.parametrize("no", ["no", "No", "false", "off", "0"])
def test_shell_may_be_denied(no, load):
    """As configparser has it."""
    assert task_of(load, f"shell = {no}\ncommand = a 'b c'").command == ("a", "b c")


def test_on_windows_the_shell_is_told_everything_in_one_line():
    """cmd.exe /c stops at the first line break."""
    assert ini.shell_words("cd x\n\n  dir", comspec="C:\\cmd.exe") == ["C:\\cmd.exe", "/c", "cd x & dir"]


@POSIX
def test_a_command_of_many_lines_does_all_of_them(load):
    """A `case` with `;;` on lines of their own, comments and empty lines between: what arrives is what was written."""
    task = task_of(
        load,
        """
shell = yes
command =
    for each in 1 2; do

      case $each in
        # a comment
        1)
          echo one
          ;;
        *)
          echo "other; $each"
          ;;
      esac
    done
""",
    )
    done = subprocess.run(task.command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("one\nother; 2\n", "")


@POSIX
@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("backup", "backup"),
        ("./backup.sh", "{home}/backup.sh"),
        ("bin/backup", "{home}/bin/backup"),
        ("../x/backup", "{above}/x/backup"),
        ("/usr/bin/env", "/usr/bin/env"),
        ("~/bin/backup", "{user}/bin/backup"),
        ("'my bin/x'", "{home}/my bin/x"),
    ],
)
def test_a_program_that_is_a_path_is_meant_from_the_home(given, meant, load, tmp_path):
    """Wherever the program was started; a bare name is looked up in PATH, and what follows is left alone."""
    places = {"home": tmp_path, "above": tmp_path.parent, "user": os.path.expanduser("~")}
    task = task_of(load, f"command = {given} ./a\ncwd = elsewhere")
    assert task.command == (meant.format(**places), "./a")


@POSIX
@pytest.mark.parametrize(
    ("given", "meant"),
    [("", "{home}"), (".", "{home}"), ("a/b", "{home}/a/b"), ("/x", "/x"), ("~/x", "{user}/x"), ("~", "{user}")],
)
def test_the_folder_of_a_command_is_meant_from_the_home(given, meant, load, tmp_path):
    """It is the home when nothing is said."""
    task = task_of(load, f"command = x\ncwd = {given}")
    assert task.cwd == meant.format(home=tmp_path, user=os.path.expanduser("~"))


FAULTS = [
    pytest.param("", ["it has no command"], id="no-command"),
    pytest.param("command =", ["command is empty"], id="empty-command"),
    pytest.param("command =\nshell = yes", ["command is empty"], id="empty-command-for-the-shell"),
    pytest.param("command = it's", ["command ends inside a quotation"], id="quote-not-closed"),
    pytest.param("command = a \\", ["in a backslash"], id="backslash-at-the-end"),
    pytest.param("command = '' a", ["empty word"], id="no-program"),
    pytest.param("command = x\nshell = maybe", ["shell is 'maybe'; it is yes or no"], id="shell-neither"),
    pytest.param("command = x\nshell =", ["shell is ''"], id="shell-empty"),
    pytest.param("command = x\nretires = 3", ["retires is no option; did you mean retries?"], id="misspelled"),
    pytest.param("command = x\nzzz = 3", ["zzz is no option"], id="unlike-anything"),
    pytest.param("command = x\nenv = A=1", ["env is no option"], id="env-without-a-name"),
    pytest.param("command = x\nenv. = secret", ["env. is not the name of a variable"], id="env-empty-name"),
    pytest.param("command = x\nenv.A-B = secret", ["env.A-B is not the name"], id="env-hyphen"),
    pytest.param("command = x\nenv.1A = secret", ["env.1A is not"], id="env-digit-first"),
    pytest.param("command = x\nenv.É = secret", ["env.É is not"], id="env-other-letters"),
    pytest.param("command = x\nenv.A = env:", ["env.A begins with env:", "env:NAME"], id="env-refers-to-nothing"),
    pytest.param("command = x\nenv.A = env:sk-secret", ["env.A begins with env:"], id="env-refers-to-no-name"),
    pytest.param("command = x\nretries = many", ["retries is 'many'"], id="no-number"),
    pytest.param("command = x\nretries = " + "9" * 5000, ["retries is '999"], id="more-digits-than-Python-reads"),
    pytest.param("command = x\ntimeout = soon", ["timeout is 'soon'"], id="no-duration"),
    pytest.param("command = x\noverlap = skpi", ["overlap is 'skpi'; did you mean skip?"], id="no-choice"),
    pytest.param("command = x\nschedule =", ["schedule"], id="empty-schedule"),
    pytest.param("command = x\nschedule = 0 6 * * *\ntimezone = Mars", ["Mars"], id="no-zone"),
    pytest.param(
        "command = x\ngrace = 2h", ["grace means nothing without schedule, partition or period"], id="grace-alone"
    ),
    pytest.param("command = x\ncost = 3", ["cost means nothing without cost_limit"], id="cost-alone"),
    pytest.param("command = x\ntimezone = UTC", ["timezone means nothing"], id="timezone-alone"),
    pytest.param(
        "command = x\nschedule = every 15m\ntimezone = UTC\ndst = once",
        ["timezone and dst cannot be given with 'every 15m', which counts elapsed time"],
        id="every-with-a-wall",
    ),
    pytest.param("command = x\npartition = hour", ["partition is 'hour'; it can only be day"], id="partition"),
    pytest.param(
        "command = x\nschedule = @daily\ndst = twice", ["dst is 'twice'; it is one of once, skip, wall"], id="dst"
    ),
    pytest.param("shell = 2\nfoo = 1\nenv.! = 1\nretries = x", ["foo", "env.!", "no command", "retries"], id="all"),
]


@pytest.mark.parametrize(("lines", "says"), FAULTS)
def test_what_a_task_cannot_mean_is_kept_as_its_faults(lines, says, load, tmp_path):
    """Nothing is raised, nothing else of the task is lost, and no value of a variable is shown."""
    task = task_of(load, lines)
    text = "\n".join(task.faults)
    assert [part for part in says if part not in text] == []
    assert all(fault.startswith(f"{tmp_path / 'agent_os.ini'} [task:it]: ") for fault in task.faults)
    assert "secret" not in text
    assert task.name == "it"


@pytest.mark.parametrize("name", ["", " a", "a b", "1a", "é", "a" * 65])
def test_a_name_that_is_none_is_a_fault(name, load):
    """Names are asked for in shells and kept in tables."""
    (task,) = ini.tasks_of(load(f"[task:{name}]\ncommand = x"))
    assert ["is no name for a task" in fault for fault in task.faults] == [True]


OPTIONS = st.sampled_from([*(name for name in ini.OPTIONS if name != "schedule"), "env.A", "env.", "foo", "env"])


@given(st.dictionaries(OPTIONS, st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)))
def test_a_section_never_raises(options):
    """Whatever the values are; a task with neither a fault nor a command does not exist."""
    home = os.path.abspath(os.sep)
    (task,) = ini.tasks_of(Settings(home, [("environment", {})], sections={"task:a": options}))
    assert bool(task.command) or bool(task.faults)


# --- the environment of a command -------------------------------------------------------------------------------------

KEY = "sk-0123456789abcdef"


def test_a_command_gets_the_environment_without_secrets(load):
    """Not by their names, and not by their values under other names, inside longer ones too."""
    found = load(
        dotenv=f"OPENAI_API_KEY={KEY}",
        PATH="/bin", LANG="C", A_TOKEN="x", my_password="x", DISCORD_WEBHOOK_URL="x", COPY=f" {KEY} ",
        URL=f"https://u:{KEY}@host/", AGENT_OS_HOME="/h",
    )  # fmt: skip
    assert ini.env_of(Task("a", kind="command", source="here"), found) == {
        "PATH": "/bin",
        "LANG": "C",
        "AGENT_OS_HOME": "/h",
    }


def test_a_short_secret_takes_nothing_with_it(load):
    """A password that is a word would take PATH along; one of one letter, everything."""
    found = load(DB_PASSWORD="martin", PIN_SECRET="1", HOME="/home/martin", USER="martin", LOGNAME=" martin ", CI="1")
    assert ini.env_of(Task("a", kind="command", source="here"), found) == {"HOME": "/home/martin", "CI": "1"}


def test_a_command_gets_what_it_declares(load):
    """A value as it stands; `env:NAME` as the setting of that name, looked up when it runs, secret or not."""
    lines = "command = x\nenv.LANG = C\nenv.TOKEN = env:MY_KEY\nenv.E =\nenv.Q = env: OTHER\nenv.HOST_KEY = own-secret"
    task = task_of(load, lines)
    assert task.faults == []
    assert task.env == {"LANG": "C", "TOKEN": "env:MY_KEY", "E": "", "Q": "env: OTHER", "HOST_KEY": "own-secret"}
    found = load(f"[task:it]\n{lines}", dotenv="MY_KEY=from-dotenv", LANG="de", OTHER="from-environ")
    assert ini.env_of(task, found) == {
        "LANG": "C", "TOKEN": "from-dotenv", "E": "", "Q": "from-environ", "HOST_KEY": "own-secret",
        "OTHER": "from-environ",
    }  # fmt: skip


@pytest.mark.parametrize("dotenv", ["", "MY_KEY=", "MY_KEY='  '"], ids=["unset", "empty", "blank"])
def test_a_variable_that_names_what_is_not_set_is_an_error(dotenv, load):
    """When it runs, with the line that is missing."""
    task = task_of(load, "command = x\nenv.TOKEN = env:MY_KEY")
    with pytest.raises(ConfigError, match=r"^env\.TOKEN names MY_KEY, which is not set$") as caught:
        ini.env_of(task, load(dotenv=dotenv))
    assert "MY_KEY=..." in caught.value.hint


def test_a_secret_in_a_section_is_known_as_one(load):
    """So that no log, no error and no other command gets it; a reference is none."""
    found = load("[task:a]\nenv.A_KEY = in-the-open\nenv.B_KEY = env:C_KEY\nenv.LANG = C\nc_token = misplaced")
    assert sorted(found.secrets()) == ["in-the-open", "misplaced"]
