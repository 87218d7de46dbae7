"""The log: machines read JSON lines, people plain ones, nobody a secret; whatever happens to it, the run goes on."""

import base64
import contextlib
import io
import json
import logging
import os
import stat
import subprocess
import sys
import threading
import urllib.parse
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_os.core.capture import Capture
from agent_os.core.clock import Clock
from agent_os.core.logger import Log, Redactor, stdlib_bridge

ROOT = Path(__file__).parent.parent
NOW = "2026-11-22T05:00:00.123Z"
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX modes, FIFOs, limits and fork")


class Still(Clock):
    """A clock that stands, and moves by what is slept."""

    def __init__(self):
        self.slept = 0.0

    def now(self):
        return datetime(2026, 11, 22, 5, 0, 0, 123456, tzinfo=timezone.utc)

    def monotonic(self):
        return self.slept

    def sleep(self, seconds):
        self.slept += seconds


@pytest.fixture
def people():
    return io.StringIO()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "agent.log"


@pytest.fixture
def make(path, people):
    """A Log on `path` that tells `people`; each is closed in the end."""
    with contextlib.ExitStack() as stack:

        def made(where=path, *, secrets=(), stderr=people, **options):
            redactor = Redactor()
            for secret in secrets:
                redactor.add(secret)
            log = Log(where and str(where), clock=Still(), redactor=redactor, stderr=stderr, **options)
            stack.callback(log.close)
            return log

        yield made


def records(path):
    return [json.loads(line) for line in path.read_text("ascii").splitlines()]


# The line


def test_a_record_is_one_json_object_with_its_keys_in_order(make, path):
    """time, level, event, message, then the context, then the fields of this record."""
    log = make().bind(run="r1", task="fetch_openai").bind(slot="2026-11-21")
    log.info("page", "page 3 of the cost report", rows=12, more=True)
    assert path.read_bytes() == (
        b'{"time": "2026-11-22T05:00:00.123Z", "level": "info", "event": "page", '
        b'"message": "page 3 of the cost report", "run": "r1", "task": "fetch_openai", "slot": "2026-11-21", '
        b'"rows": 12, "more": true}\n'
    )


def test_one_text_alone_is_what_people_see(make, path, people):
    """`ctx.log.info("3 rows")` is what everybody types first."""
    log = make()
    log.info("3 rows", table="x")
    log.warning("none came")
    assert people.getvalue() == "3 rows\nwarning: none came\n"
    assert [(record["event"], record["message"]) for record in records(path)] == [
        ("3 rows", "3 rows"),
        ("none came", "none came"),
    ]


def test_binding_leaves_the_log_it_came_from_alone(make, path):
    """A context is its own Log's; a field of the same name is nearer and wins."""
    log = make()
    bound = log.bind(task="run_all")
    log.info("a", "")
    bound.info("b", "", task="export")
    bound.info("c", "")
    assert [record.get("task") for record in records(path)] == [None, "export", "run_all"]


def test_records_that_belong_together_are_written_in_one_piece(make, path):
    """At the end of the block; one of another thread takes with it what came before."""
    log = make()
    log.debug("e", "before")
    with log.together():
        log.debug("e", "first")
        assert [record["message"] for record in records(path)] == ["before"]
        other = threading.Thread(target=log.debug, args=("e", "another's"))
        other.start()
        other.join()
        assert [record["message"] for record in records(path)] == ["before", "first", "another's"]
        log.debug("e", "last")
    assert [record["message"] for record in records(path)] == ["before", "first", "another's", "last"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_what_waits_to_be_written_is_not_written_by_a_fork_as_well(make, path):
    """Each record is there once."""
    log = make()
    with log.together():
        log.debug("e", "the parent's")
        child = os.fork()
        if not child:
            log.debug("e", "the child's")
            log.close()
            os._exit(0)
        os.waitpid(child, 0)
    assert [record["message"] for record in records(path)] == ["the child's", "the parent's"]


def test_a_field_cannot_take_the_place_of_the_four(make, path):
    """`message=` and the like are kept beside, so that no key stands twice."""
    make().bind(time="t").error("e", "m", message="other", event="x", level=3)
    assert list(records(path)[0].items()) == [
        ("time", NOW),
        ("level", "error"),
        ("event", "e"),
        ("message", "m"),
        ("time_", "t"),
        ("message_", "other"),
        ("event_", "x"),
        ("level_", 3),
    ]


class Unshowable:
    def __str__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        pytest.param(Decimal("12.50"), "12.50", id="decimal"),
        pytest.param(ValueError("no such day"), "no such day", id="exception"),
        pytest.param(b"\x00", "b'\\x00'", id="bytes"),
        pytest.param(float("nan"), "nan", id="NaN"),
        pytest.param(float("inf"), "inf", id="infinity"),
        pytest.param({1: (2, None)}, {"1": [2, None]}, id="nested"),
        pytest.param({"a": {"b"}}, {"a": "{'b'}"}, id="set"),
        pytest.param(logging.INFO, 20, id="int"),
        pytest.param(1e-7, 1e-7, id="float"),
        pytest.param(Unshowable(), "<Unshowable>", id="unshowable"),
        pytest.param({Unshowable(): 1}, {"<Unshowable>": 1}, id="unshowable-key"),
        pytest.param('\ud800é\u202e\n"\\', '\ud800é\u202e\n"\\', id="odd-text"),
    ],
)
def test_what_json_does_not_know_goes_in_as_its_text(make, path, value, stored):
    """No value of a field raises."""
    make().info("e", "m", value=value)
    assert records(path)[0]["value"] == stored
    assert path.read_bytes().isascii()


def test_a_huge_integer_and_a_value_that_holds_itself_are_logged(make, path):
    """Python may refuse to write the one in decimal and would never end with the other."""
    endless = []
    endless.append(endless)
    make().info("e", "m", huge=10**5000, endless=endless)
    record = records(path)[0]
    assert isinstance(record["huge"], str)
    assert "[...]" in json.dumps(record["endless"])


values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=10,
)


@given(st.text(), values, st.text())
def test_a_line_is_what_json_dumps_would_write(message, value, name):
    """The short way for plain text is no other way: byte for byte the standard library's."""
    log = Log(None, clock=Still(), redactor=Redactor(), stderr=None)
    fields = {f"x{name}": value}
    if "sk-" in f"{message}{fields}" or "/webhooks/" in f"{message}{fields}":
        return
    expected = {"time": NOW, "level": "info", "event": "e", "message": message, **fields}
    assert log.line("info", "e", message, fields) == json.dumps(expected)


def test_plain_records_import_nothing_heavy(tmp_path):
    """A run that only logs plain lines does not pay for json, re, logging or threading."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "from agent_os.core import clock, files, dotenv, logger, money, text\n"
        "redactor = logger.Redactor(); redactor.add('a-secret/key'); money.nano('12.5'); money.shown(5)\n"
        f"log = logger.Log({str(tmp_path / 'agent.log')!r},"
        " clock=clock.Clock(), redactor=redactor, stderr=sys.stderr)\n"
        "log.bind(run='r1').info('e', 'm', n=1, seconds=0.5, days=['2026-11-21'], missing=None)\n"
        "dotenv.parse('A=${B:-x}', {})\n"
        "heavy = 'typing dataclasses re json logging argparse enum pathlib tempfile subprocess shutil urllib '\n"
        "heavy += 'http ssl threading collections decimal hashlib contextlib base64 binascii unicodedata difflib'\n"
        "print(*sorted(set(heavy.split()) & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("\n", "m\n")


# Secrets

KEY = "sk-admin-Zm9v/Yg+Q=="
HOOK = "https://discord.com/api/webhooks/112233/t0ken_t0ken"
SECRET = 'pa"ss\\w ørd/1'


@pytest.mark.parametrize(
    "spelling",
    [
        pytest.param(SECRET, id="as-it-is"),
        pytest.param(urllib.parse.quote(SECRET), id="quote"),
        pytest.param(urllib.parse.quote(SECRET, safe=""), id="quote-all"),
        pytest.param(urllib.parse.quote_plus(SECRET), id="quote-plus"),
        pytest.param(urllib.parse.quote(SECRET).lower(), id="quote-in-lower-case"),
        pytest.param(json.dumps(SECRET)[1:-1].replace("\\u00f8", "ø"), id="json"),
        pytest.param(ascii(SECRET)[1:-1], id="python"),
        pytest.param(base64.b64encode(SECRET.encode()).decode().rstrip("=")[:-1], id="base64"),
        pytest.param(base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("=")[:-1], id="base64-for-urls"),
    ],
)
def test_a_secret_is_hidden_in_every_spelling(spelling):
    """What travels URL-encoded, in JSON or in base64 is the secret still."""
    redactor = Redactor()
    redactor.add(f" {SECRET}\n")
    assert redactor.text(f"<{spelling}>").startswith("<***")
    assert spelling not in redactor.text(f"<{spelling}>")


secrets = st.text(st.characters(min_codepoint=33, max_codepoint=0x17F), min_size=6, max_size=40).filter(
    lambda s: s == s.strip()
)


@given(secrets, st.binary(max_size=7), st.binary(max_size=7))
def test_a_secret_is_hidden_anywhere_in_base64(secret, before, after):
    """Basic authentication is base64 of `user:secret`: at each of the three offsets the digits of the secret vanish."""
    redactor = Redactor()
    redactor.add(secret)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        whole = encode(before + secret.encode() + after).decode()
        first, last = -(-len(before) * 8 // 6), (len(before) + len(secret.encode())) * 8 // 6
        assert "***" in redactor.text(whole)
        assert whole[first:last] not in redactor.text(whole)


@given(st.lists(secrets, min_size=1, max_size=3), st.lists(st.text(max_size=5), min_size=4, max_size=4))
def test_no_known_secret_is_left_in_a_text(known, between):
    """Wherever it stands, next to whatever, in any of the spellings of a URL."""
    redactor = Redactor()
    for secret in known:
        redactor.add(secret)
    text = between[0]
    for secret, after in zip(known, between[1:]):
        text += secret + after + urllib.parse.quote(secret, safe="") + after + urllib.parse.quote_plus(secret)
    for piece in redactor.text(text).split("***"):
        for secret in known:
            assert secret not in piece
            assert urllib.parse.quote(secret, safe="") not in piece


def test_no_part_of_a_secret_stands_beside_what_was_left_out():
    """Of a long output the middle is not kept: a secret that was cut in two there is hidden on both sides."""
    redactor = Redactor()
    redactor.add(SECRET)
    for cut in range(4, len(SECRET) - 3):
        before, after = SECRET[:cut], SECRET[cut:]
        kept = f"a{before}\n[... 9 bytes left out ...]\n{after}b"
        assert redactor.text(kept) == "a***\n[... 9 bytes left out ...]\n***b"
    assert redactor.text(f"{SECRET[:9]}\n[... and so on\n{SECRET[9:]}") == f"{SECRET[:9]}\n[... and so on\n{SECRET[9:]}"


def test_what_a_program_prints_has_no_part_of_a_secret_beside_its_gap():
    """The line that stands for the gap is known to who hides secrets."""
    redactor, capture = Redactor(), Capture()
    redactor.add(KEY)
    capture.add(b"a" * (64 * 1024 - 9) + KEY.encode() + b"b" * 99_999 + KEY.encode() + b"c" * (192 * 1024 - 9))
    assert redactor.text(capture.text()) == (
        "a" * (64 * 1024 - 9) + "***\n[... 100,021 bytes left out ...]\n***" + "c" * (192 * 1024 - 9)
    )


def test_overlapping_secrets_leave_no_end_behind():
    """Where two cover one another in part, the whole stretch goes; a longer one goes as one."""
    redactor = Redactor()
    for secret in ("abcdefgh", "efghijkl", "abcdefghijkl-long"):
        redactor.add(secret)
    assert redactor.text("x abcdefghijkl y") == "x *** y"
    assert redactor.text("x abcdefghijkl-long y") == "x *** y"
    assert redactor.text("abcdefghefghijkl") == "******"


def test_a_short_value_is_no_secret():
    """Five characters or fewer would blank ordinary words."""
    redactor = Redactor()
    for secret in ("", "  ", "admin", "admin\n"):
        redactor.add(secret)
    assert redactor.text("the admin of the day") == "the admin of the day"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("Incorrect API key provided: sk-proj-ab****yz9.", "Incorrect API key provided: sk-***"),
        ("key=sk-ant-admin01-aB3_x-y,", "key=sk-***,"),
        ('{"key": "sk-abcd"}', '{"key": "sk-***"}'),
        ("sk-a\u2022\u2022\u2022z", "sk-***"),
        ("sk-abc", "sk-abc"),
        ("run the task-list of disk-full", "run the task-list of disk-full"),
        ("sk-***", "sk-***"),
        (
            "POST https://discord.com/api/webhooks/1122/aB-c_9 failed",
            "POST https://discord.com/api/webhooks/*** failed",
        ),
        (
            '"https://canary.discord.com/api/v10/webhooks/1/x?wait=true"',
            '"https://canary.discord.com/api/v10/webhooks/***"',
        ),
        ("/webhooks/ is where", "/webhooks/ is where"),
    ],
)
def test_what_looks_like_a_key_is_hidden_unknown_as_it_is(raw, shown):
    """Vendors echo parts of a key in their errors; a webhook's URL is a credential."""
    assert Redactor().text(raw) == shown
    assert Redactor().text(shown) == shown


def test_no_secret_reaches_file_or_people(make, path, people):
    """In message, event, context, fields, keys, lists, exceptions, and things that only show it as text."""
    log = make(secrets=[KEY, HOOK, SECRET], verbose=True).bind(url=f"x?key={urllib.parse.quote_plus(KEY)}")
    for tell in (log.debug, log.info, log.warning, log.error):
        tell(
            f"event {KEY}",
            f"to {HOOK} with {SECRET}",
            error=ValueError(f"Invalid header value b'Bearer {KEY}\\n'"),
            raw=SECRET.encode("latin-1").decode("latin-1"),
            deep=[{f"k {KEY}": (f"v {HOOK}", {KEY})}],
            basic=base64.b64encode(f"user:{KEY}".encode()),
        )
    for text in (path.read_text(), people.getvalue()):
        assert text.count("***") >= 4
        for secret in (KEY, "Zm9v", HOOK, "t0ken", SECRET, json.dumps(SECRET)[1:-1], "%2BQ", "c2stYWRtaW4"):
            assert secret not in text


# People


def test_people_get_plain_lines(make, people):
    """Warnings and errors say what they are; debug is for the file."""
    log = make()
    log.debug("e", "detail")
    log.info("e", "3 days stored", days=3)
    log.warning("e", "2 days are missing")
    log.error("e", "openai: not reachable")
    assert people.getvalue() == "3 days stored\nwarning: 2 days are missing\nerror: openai: not reachable\n"


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({"quiet": True}, "warning: w\nerror: e\n"),
        ({"verbose": True}, "d\ni\nwarning: w\nerror: e\n"),
        ({"quiet": True, "verbose": True}, "warning: w\nerror: e\n"),
    ],
    ids=["quiet", "verbose", "both"],
)
def test_quiet_and_verbose_are_for_people_alone(make, path, people, options, shown):
    """The file holds every record either way."""
    log = make(**options)
    for level in "debug", "info", "warning", "error":
        getattr(log.bind(), level)("e", level[0])
    assert people.getvalue() == shown
    assert [record["level"] for record in records(path)] == ["debug", "info", "warning", "error"]


def test_people_see_no_control_characters(make, people):
    """A project's name cannot clear the screen or fake a second line."""
    make().info("e", "project \x1b[2J\nerror: fake\u202e")
    assert people.getvalue() == "project \\x1b[2J\\x0aerror: fake\\u202e\n"


class Broken(io.StringIO):
    def write(self, _):
        raise BrokenPipeError


@pytest.mark.parametrize("kind", ["none", "closed", "broken"])
def test_people_who_cannot_be_reached_stop_nothing(make, path, kind):
    """stderr may be closed or its reader gone; the record is in the file."""
    stderr = {"none": None, "closed": io.StringIO(), "broken": Broken()}[kind]
    if kind == "closed":
        stderr.close()
    make(stderr=stderr).error("e", "m")
    assert len(records(path)) == 1


def test_an_ascii_terminal_gets_escapes(make):
    """LANG=C on an old system: letters it cannot show are spelled out."""
    raw = io.BytesIO()
    make(stderr=io.TextIOWrapper(raw, encoding="ascii")).info("e", "lagret på nytt ✓")
    assert raw.getvalue() == b"lagret p\\xe5 nytt \\u2713\n"


# The file


def test_nothing_is_opened_before_the_first_record(make, path):
    """A run that logs nothing leaves nothing."""
    log = make().bind(run="r1")
    assert not path.exists()
    log.info("e", "m")
    assert path.exists()


def test_without_a_path_there_is_no_file(make, people, tmp_path):
    """People are told all the same."""
    make(None).info("e", "m")
    assert people.getvalue() == "m\n"
    assert list(tmp_path.iterdir()) == []


@posix
def test_the_log_is_private(make, path):
    """Names of projects and people stand in it."""
    make().info("e", "m")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_records_are_appended(make, path):
    """To what earlier runs wrote, and after a close too."""
    path.write_text('{"event": "old"}\n')
    log = make()
    log.info("b", "m")
    log.close()
    log.info("c", "m")
    assert [record["event"] for record in records(path)] == ["old", "b", "c"]


def odd_path(folder, kind):
    path = folder / "agent.log"
    if kind == "folder":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to(folder / "elsewhere")
    elif kind == "no-folder":
        path = folder / "no" / "agent.log"
    elif kind == "through-a-file":
        (folder / "file").write_bytes(b"")
        path = folder / "file" / "agent.log"
    elif kind == "device":
        path = Path("/dev/full")
    return path


@posix
@pytest.mark.parametrize("kind", ["folder", "fifo", "link", "no-folder", "through-a-file", "device"])
def test_a_log_that_cannot_be_written_is_said_once_and_the_run_goes_on(make, tmp_path, people, kind):
    """One note, no exception, no waiting for a FIFO's reader, nothing written elsewhere."""
    path = odd_path(tmp_path, kind)
    log = make(path, quiet=True)
    for _ in range(3):
        log.bind(run="r1").info("e", "m")
    said = people.getvalue()
    assert said.startswith("warning: the log is not written: ")
    assert str(path) in said
    assert said.count("\n") == 1
    assert not (tmp_path / "elsewhere").exists()


def test_a_log_that_can_be_written_again_is(make, tmp_path, people):
    """Once the folder is there the records are, too."""
    log = make(tmp_path / "later" / "agent.log", quiet=True)
    log.info("lost", "m")
    (tmp_path / "later").mkdir()
    log.info("kept", "m")
    assert [record["event"] for record in records(tmp_path / "later" / "agent.log")] == ["kept"]
    assert people.getvalue().count("\n") == 1


CHILD = f"""
import sys; sys.path.insert(0, {str(ROOT)!r})
from agent_os.core import logger
from agent_os.core.clock import Clock
def log(path, **options):
    return logger.Log(path, clock=Clock(), redactor=logger.Redactor(), stderr=sys.stderr, quiet=True, **options)
"""


@posix
def test_a_full_disk_leaves_whole_lines_and_one_note(path):
    """With a real limit that cuts a line in the middle: what is there can be read, the run ends well."""
    code = CHILD + (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        f"log = log({str(path)!r})\n"
        "for n in range(20): log.info('e', 'm', n=n)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert [record["n"] for record in records(path)] == list(range(len(records(path))))
    assert 5 <= len(records(path)) <= 15
    assert done.stderr.startswith("warning: the log is not written: ")
    assert done.stderr.count("\n") == 1


def test_a_full_log_moves_on_and_three_old_ones_stay(make, path, people):
    """agent.log, .1, .2, .3: none larger than the limit, the newest lines kept, in order."""
    log = make(max_bytes=1000, quiet=True)
    for n in range(100):
        log.info("e", "m", n=n)
    files = [path.with_name(f"agent.log{suffix}") for suffix in (".3", ".2", ".1", "")]
    assert sorted(path.parent.iterdir()) == sorted(files)
    assert all(500 < file.stat().st_size <= 1000 or file == path for file in files)
    kept = [record["n"] for file in files for record in records(file)]
    assert kept == list(range(kept[0], 100))
    assert people.getvalue() == ""


def test_a_line_longer_than_the_limit_is_kept_whole(make, path):
    """It gets a file of its own."""
    log = make(max_bytes=500, quiet=True)
    for message in ("a", "b" * 2000, "c"):
        log.info("e", message)
    assert len(records(path)) == len(records(path.with_name("agent.log.2"))) == 1
    assert records(path.with_name("agent.log.1"))[0]["message"] == "b" * 2000


def test_a_log_that_was_moved_away_begins_anew(make, path):
    """logrotate, or a hand: the next record is at the path again."""
    log = make()
    log.info("a", "m")
    path.replace(path.with_name("moved"))
    log.info("b", "m")
    assert [record["event"] for record in records(path)] == ["b"]


def test_where_files_cannot_be_moved_the_log_stays_bounded(make, path, people):
    """A folder in the way of agent.log.1: one file takes the room of all four, then begins anew."""
    (path.parent / "agent.log.1" / "x").mkdir(parents=True)
    log = make(max_bytes=1000, quiet=True)
    sizes = set()
    for n in range(200):
        log.info("e", "m", n=n)
        sizes.add(path.stat().st_size)
    assert 3000 < max(sizes) < 4500
    assert records(path)[-1]["n"] == 199
    assert people.getvalue() == ""


@pytest.mark.parametrize(("max_bytes", "lines"), [(2000, 60), (5_000_000, 150)], ids=["rotating", "one-file"])
def test_four_processes_lose_and_tear_no_line(path, max_bytes, lines):
    """Each appends whole lines under the file's kernel lock, and follows when another has rotated it.

    So many old files are kept here that every line must be in one of them, some 20 rotations later.
    """
    code = CHILD + (
        "logger.OLD_FILES = 1000\n"
        f"log = log({str(path)!r}, max_bytes={max_bytes})\n"
        "sys.stdin.read()\n"
        f"for n in range({lines}): log.info('e', 'm' * (n % 50), process=sys.argv[1], n=n)\n"
    )
    command = [sys.executable, "-c", code]
    running = [
        subprocess.Popen([*command, str(number)], stdin=subprocess.PIPE, stderr=subprocess.PIPE) for number in range(4)
    ]
    for process in running:
        process.stdin.close()
    said = b""
    for process in running:
        with process:
            said += process.stderr.read()
        assert process.returncode == 0
    found = [record for file in path.parent.iterdir() for record in records(file)]
    assert said == b""
    assert len(list(path.parent.iterdir())) > 10 or max_bytes > 2000
    assert sorted((record["process"], record["n"]) for record in found) == [
        (str(number), n) for number in range(4) for n in range(lines)
    ]


def test_threads_share_a_log(make, path):
    """Each line whole, none lost, through bound logs too."""
    log = make(quiet=True, max_bytes=5_000_000)

    def work(number):
        mine = log.bind(thread=number)
        for n in range(50):
            mine.info("e", "m" * n, n=n)

    threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted((record["thread"], record["n"]) for record in records(path)) == [
        (number, n) for number in range(4) for n in range(50)
    ]


@posix
def test_a_forked_child_logs_too(path):
    """Even one that was forked while another thread was logging: it opens the file for itself."""
    code = CHILD + (
        "import os, threading\n"
        f"log = log({str(path)!r})\n"
        "log.info('before', 'm')\n"
        "held, forked = threading.Event(), threading.Event()\n"
        "def other():\n"
        "    with log._file._threads: held.set(); forked.wait()\n"
        "thread = threading.Thread(target=other); thread.start(); held.wait()\n"
        "child = os.fork()\n"
        "if child: forked.set(); thread.join()\n"
        "log.info('parent' if child else 'child', 'm')\n"
        "if not child: os._exit(0)\n"
        "raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=20)
    assert {record["event"] for record in records(path)} == {"before", "parent", "child"}


@posix
def test_a_process_that_was_stopped_with_the_lock_stops_nobody(make, path):
    """After a second of trying the line is appended without the lock."""
    import fcntl

    log = make()
    log.info("a", "m")
    with path.open("ab") as stopped:
        fcntl.flock(stopped, fcntl.LOCK_EX)
        log.info("b", "m")
    log.info("c", "m")
    assert [record["event"] for record in records(path)] == ["a", "b", "c"]
    assert 1 <= log._clock.slept < 1.1


def test_a_signal_in_the_middle_leaves_no_lock_behind(make, path, monkeypatch):
    """What the signal raises goes its way; another opening of the file can lock it at once."""
    log = make()
    monkeypatch.setattr(os, "write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        log.info("a", "m")
    monkeypatch.undo()
    other = make()
    other.info("b", "m")
    assert other._clock.slept == 0


# The standard library's logging


@pytest.fixture
def library(make):
    """A logger of the standard library whose records land in our log."""
    bridge = stdlib_bridge(make(secrets=[KEY]))
    logger = logging.Logger("acme.reports")  # noqa: LOG001 - no trace in the process
    logger.addHandler(bridge)
    return logger


def test_records_of_the_standard_library_land_in_the_log(library, path, people):
    """The logger's name is the event; people see what its level is worth."""
    library.debug("d")
    library.info("stored %d rows", 3)
    library.warning("w")
    library.critical("c")
    assert [(r["level"], r["event"], r["message"]) for r in records(path)] == [
        ("debug", "acme.reports", "d"),
        ("info", "acme.reports", "stored 3 rows"),
        ("warning", "acme.reports", "w"),
        ("error", "acme.reports", "c"),
    ]
    assert people.getvalue() == "stored 3 rows\nwarning: w\nerror: c\n"


def test_exceptions_are_included_and_redacted(library, path):
    """The traceback is one field of one line."""
    try:
        int(f"Bearer {KEY}")
    except ValueError:
        library.exception("failed with %s", KEY)
    (record,) = records(path)
    assert record["message"] == "failed with ***"
    assert record["exception"].startswith("Traceback (most recent call last):\n")
    assert record["exception"].endswith("ValueError: invalid literal for int() with base 10: 'Bearer ***'")


def test_arguments_that_do_not_fit_raise_nothing(library, path, capsys):
    """No "--- Logging error ---": the message is logged as it was written."""
    library.info("stored %d rows", "three")
    assert records(path)[0]["message"] == "stored %d rows"
    assert capsys.readouterr().err == ""


def test_the_formatter_writes_the_same_line(library, path):
    """Whoever sends records elsewhere can have our lines there."""
    (bridge,) = library.handlers
    record = library.makeRecord("acme", logging.INFO, "f", 1, "m", (), None)
    bridge.handle(record)
    assert bridge.formatter.format(record) + "\n" == path.read_text()
