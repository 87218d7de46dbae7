"""One child process: what it printed, how it ended, and that nothing of it stays; with real processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_os.core import capture, process
from agent_os.core.capture import Capture
from agent_os.core.clock import Clock
from agent_os.core.errors import ConfigError, PermanentError
from agent_os.core.groups import has_rest
from agent_os.core.process import Ended, run_process

pytestmark = pytest.mark.skipif(os.name == "nt", reason="sessions, signals and shells of POSIX")
linux = pytest.mark.skipif(sys.platform != "linux", reason="limits and /proc as Linux has them")

PACKAGE = process.__name__.removesuffix(".core.process")
ROOT = str(Path(process.__file__).parents[2 + PACKAGE.count(".")])
PYTHON = [sys.executable, "-I", "-S", "-c"]
ENV = {"PATH": "/usr/bin:/bin"}
KIB = 1024


class LeapingClock(Clock):
    """The machine's clocks, of which one or both go wrong as soon as a file has been written."""

    def __init__(self, path: Path, *, wall: float = 0, monotonic: float = 0) -> None:
        self._path = path
        self._wall = wall
        self._monotonic = monotonic

    def now(self):
        return super().now() + timedelta(seconds=self._wall if is_written(self._path) else 0)

    def monotonic(self):
        return super().monotonic() + (self._monotonic if is_written(self._path) else 0)


def run(words, cwd, **options) -> Ended:
    """`run_process`, with a deadline that saves the tests; text is for the shell."""
    words = ["/bin/sh", "-c", words] if isinstance(words, str) else words
    usual = {"env": ENV, "clock": Clock(), "timeout_seconds": 10, "stop": lambda: False, "grace_seconds": 0.3}
    return run_process(words, cwd=str(cwd), **{**usual, **options})


def python(code: str, cwd, **options) -> Ended:
    return run([*PYTHON, code], cwd, **options)


def refusal(words, cwd, kind=PermanentError, **options) -> str:
    with pytest.raises(kind) as caught:
        run(words, cwd, **options)
    return f"{caught.value.message}; {caught.value.hint}"


def is_alive(pid: int) -> bool:
    """Whether it runs; a zombie does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return state.strip()[:1] not in ("", "Z", "X")


def is_gone(pid: int) -> bool:
    """Whether it is gone, or will be at once."""
    ends_at = time.monotonic() + 2
    while is_alive(pid) and time.monotonic() < ends_at:
        time.sleep(0.01)
    return not is_alive(pid)


def is_written(*paths: Path) -> bool:
    return all(path.exists() and path.read_text() for path in paths)


class Watch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._started_at = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started_at


def open_files() -> list[str]:
    return sorted(os.listdir("/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"))


@pytest.fixture
def begun(tmp_path: Path):
    """For stop(): whether the process of this test has written its file `pid`."""
    return lambda: is_written(tmp_path / "pid")


@pytest.fixture(autouse=True)
def nothing_left():
    """No descriptor and no thread outlives a call, whatever a test makes of it."""
    before = open_files(), threading.active_count()
    yield
    assert (open_files(), threading.active_count()) == before


@pytest.fixture
def pid_of(tmp_path: Path):
    """Reads the pid that a process of this test wrote to a file; whoever still lives when the test ends is ended."""
    seen = []

    def read(name: str = "pid") -> int:
        seen.append(int((tmp_path / name).read_text()))
        return seen[-1]

    yield read
    for pid in seen:
        if is_alive(pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@pytest.fixture
def little_patience(monkeypatch):
    """The second that a process may leave us waiting for is a fifth of one."""
    monkeypatch.setattr(process, "_PATIENCE_SECONDS", 0.2)


# --- what it printed, and how it ended


def test_stdout_and_stderr_are_one_output_in_the_order_of_printing(tmp_path: Path) -> None:
    """As a terminal would have shown it."""
    ended = run("echo one; echo two >&2; echo three", tmp_path)
    assert ended == Ended(0, "one\ntwo\nthree\n", timed_out=False, stopped=False, left_behind=False)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("exit 3", 3),
        ("exit 255", 255),
        ("kill -TERM $$", -15),
        ("kill -KILL $$", -9),
        ("sh -c 'kill -9 $$'; exit $?", 137),
    ],
)
def test_the_code_is_the_exit_code_or_the_signal_below_zero(tmp_path: Path, text: str, code: int) -> None:
    """A signal of its own is no timeout and no stop."""
    ended = run(text, tmp_path)
    assert (ended.code, ended.timed_out, ended.stopped) == (code, False, False)


def test_it_has_the_folder_and_the_variables_it_was_given_and_an_empty_stdin(tmp_path: Path) -> None:
    """Nothing of ours reaches it."""
    code = "import os, sys; print(os.getcwd(), dict(os.environ), repr(sys.stdin.read()))"
    ended = python(code, tmp_path, env={"A": "1", "LC_CTYPE": "C.UTF-8"})
    assert ended.output == f"{os.path.realpath(tmp_path)} {{'A': '1', 'LC_CTYPE': 'C.UTF-8'}} ''\n"


def test_it_leads_a_session_of_its_own(tmp_path: Path) -> None:
    """No terminal can stop it, and its group is its own."""
    assert python("import os; print({os.getpid()} == {os.getsid(0), os.getpgrp()})", tmp_path).output == "True\n"


def test_it_inherits_no_descriptor(tmp_path: Path) -> None:
    """Not even one that was made to be inherited; a lock of ours would live on in it."""
    reader, writer = os.pipe()
    os.set_inheritable(reader, True)
    code = f"import os, stat; os.fstat({reader})"
    try:
        assert "Bad file descriptor" in python(code, tmp_path).output
        assert "Bad file descriptor" in python(code, tmp_path, talk=lambda _: None).output
    finally:
        os.close(reader)
        os.close(writer)


def test_signals_have_their_default_meaning_in_it(tmp_path: Path) -> None:
    """Python ignores SIGPIPE and catches SIGINT; a shell's pipeline needs both as they are."""
    assert run("kill -PIPE $$; echo survived", tmp_path).code == -signal.SIGPIPE
    assert run("kill -INT $$; echo survived", tmp_path).code == -signal.SIGINT


def test_what_is_ignored_here_is_ignored_in_it(tmp_path: Path) -> None:
    """As nohup and background jobs of scripts want it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert run("kill -INT $$; echo survived", tmp_path).output == "survived\n"
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_child_of_somebody_else_is_not_waited_for(tmp_path: Path) -> None:
    """Its exit code belongs to whoever started it."""
    other = subprocess.Popen(["/bin/sh", "-c", "exit 7"])
    run("sleep 0.2", tmp_path)
    assert other.wait() == 7


def test_where_exit_codes_are_hidden_nothing_is_started(tmp_path: Path) -> None:
    """With SIGCHLD ignored a failure would be taken for a success."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        sentence = refusal("touch started; exit 3", tmp_path, ConfigError)
    finally:
        signal.signal(signal.SIGCHLD, before)
    assert sentence == "SIGCHLD is ignored here, which hides all exit codes; start this program otherwise"
    assert not (tmp_path / "started").exists()


# --- ended on time

LAST_WORDS = """import signal, sys, time
def end(*_):
    print('{}')
    sys.exit(4)
signal.signal(signal.SIGTERM, end)"""


def test_at_the_deadline_its_grandchildren_end_too(tmp_path: Path, pid_of) -> None:
    """The whole group gets SIGTERM."""
    clock = LeapingClock(tmp_path / "pid", wall=3600)
    ended = run("echo begun; sleep 60 & echo $! > pid; wait", tmp_path, clock=clock)
    assert ended == Ended(-15, "begun\n", timed_out=True, stopped=False, left_behind=False)
    assert is_gone(pid_of())


def test_who_ends_on_sigterm_is_not_waited_for_any_longer(tmp_path: Path) -> None:
    """The grace is for those who need it."""
    watch = Watch()
    assert run("exec sleep 60", tmp_path, timeout_seconds=0.2, grace_seconds=30).code == -15
    assert 0.2 <= watch.seconds < 20


def test_who_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    """Not before, and not much later."""
    watch = Watch()
    ended = run("trap '' TERM; while :; do sleep 0.1; done", tmp_path, timeout_seconds=0.2, grace_seconds=0.4)
    assert (ended.code, ended.timed_out) == (-9, True)
    assert 0.6 <= watch.seconds < 20


def test_a_grandchild_that_ignores_sigterm_is_killed_though_its_leader_is_gone(tmp_path: Path, pid_of, begun) -> None:
    """The leader ends at once; the rest of its group has until the grace is over."""
    text = "sh -c 'trap \"\" TERM; echo $$ > pid; while :; do sleep 0.1; done' & wait"
    ended = run(text, tmp_path, stop=begun)
    assert (ended.code, ended.stopped, ended.left_behind) == (-15, True, False)
    assert is_gone(pid_of())


def test_a_grandchild_whose_output_goes_elsewhere_is_killed_as_well(tmp_path: Path, pid_of, begun) -> None:
    """The group decides, not who holds our pipe."""
    text = "sh -c 'trap \"\" TERM; echo $$ > pid; while :; do sleep 0.1; done' >/dev/null 2>&1 & wait"
    run(text, tmp_path, stop=begun)
    assert is_gone(pid_of())


def test_a_grandchild_has_the_grace_to_end_in_order(tmp_path: Path, begun) -> None:
    """A shell ends at once on SIGTERM, the program it runs may have to put something away first."""
    code = f"{LAST_WORDS.format('saved')}\nopen('pid', 'w').write('0')\ntime.sleep(60)"
    (tmp_path / "code.py").write_text(code.replace("print(", "time.sleep(0.2); open('saved', 'w').write("))
    text = f"{sys.executable} -I -S code.py >/dev/null 2>&1 & wait"
    run(text, tmp_path, stop=begun, grace_seconds=3)
    assert (tmp_path / "saved").read_text() == "saved"


@linux
def test_zombies_that_nobody_waits_for_do_not_prolong_the_grace(tmp_path: Path, pid_of, begun) -> None:
    """As where PID 1 is a program that never heard of its duty."""
    code = (
        "import os, time\n"
        "if not os.fork(): time.sleep(60)\n"
        "os.setsid()\n"  # out of the group, and idle: its child in the group stays a zombie
        "open('pid', 'w').write(str(os.getpid()))\n"
        "time.sleep(60)"
    )
    (tmp_path / "code.py").write_text(code)
    watch = Watch()
    text = f"{sys.executable} -I -S code.py >/dev/null 2>&1 & wait"
    ended = run(text, tmp_path, stop=begun, grace_seconds=30)
    assert ended == Ended(-15, "", timed_out=False, stopped=True, left_behind=False)
    assert watch.seconds < 20
    assert is_alive(pid_of())


def test_what_it_prints_while_it_ends_is_kept(tmp_path: Path, begun) -> None:
    """The last words of a program are what explains it."""
    code = f"{LAST_WORDS.format('put away')}\nprint('begun', flush=True)\nopen('pid', 'w').write('0')\ntime.sleep(60)"
    ended = python(code, tmp_path, stop=begun, grace_seconds=3)
    assert ended == Ended(4, "begun\nput away\n", timed_out=False, stopped=True, left_behind=False)


@pytest.mark.parametrize("leap", [{"wall": 3600}, {"monotonic": 3600}], ids=["wall", "monotonic"])
def test_whichever_clock_says_so_first_ends_it(tmp_path: Path, leap: dict[str, float]) -> None:
    """The monotonic clock stands still while a laptop sleeps; the other can be set back."""
    watch = Watch()
    clock = LeapingClock(tmp_path / "pid", **leap)
    ended = run("echo > pid; exec sleep 60", tmp_path, clock=clock, timeout_seconds=1800)
    assert (ended.code, ended.timed_out) == (-15, True)
    assert watch.seconds < 20


def test_a_wall_clock_set_back_does_not_prolong_it(tmp_path: Path) -> None:
    """The monotonic clock still ends it."""
    clock = LeapingClock(tmp_path / "pid", wall=-3600)
    assert run("echo > pid; sleep 60", tmp_path, clock=clock, timeout_seconds=0.4).timed_out


def test_without_a_timeout_only_its_end_and_stop_count(tmp_path: Path) -> None:
    """None is no deadline, whatever the clocks do."""
    clock = LeapingClock(tmp_path / "pid", wall=1e8, monotonic=1e8)
    ended = run("echo > pid; sleep 0.3; echo hi", tmp_path, clock=clock, timeout_seconds=None)
    assert (ended.code, ended.output, ended.timed_out) == (0, "hi\n", False)


def test_stop_ends_it_midway(tmp_path: Path, pid_of, begun) -> None:
    """That is no timeout."""
    watch = Watch()
    ended = run("sleep 60 & echo $! > pid; wait", tmp_path, stop=begun)
    assert ended == Ended(-15, "", timed_out=False, stopped=True, left_behind=False)
    assert is_gone(pid_of())
    assert watch.seconds < 20


def test_stop_is_asked_every_fifth_of_a_second_at_little_cost(tmp_path: Path) -> None:
    """Also of a program that says nothing for long; waiting is not working."""
    asked, used = [], time.thread_time()
    run("sleep 0.8", tmp_path, stop=lambda: asked.append(time.monotonic()))
    used = time.thread_time() - used
    assert max(later - earlier for earlier, later in zip(asked, asked[1:])) < 0.7
    assert len(asked) < 20
    assert used < 0.1


def test_stop_is_heard_while_it_prints_without_end(tmp_path: Path) -> None:
    """Output is no excuse."""
    watch = Watch()
    assert run("yes", tmp_path, stop=lambda: watch.seconds > 0.3).stopped
    assert watch.seconds < 8


def test_an_error_of_stop_ends_it_and_is_passed_on(tmp_path: Path, pid_of) -> None:
    """Whatever goes wrong on our side, the group does not live on."""

    def stop() -> bool:
        if is_written(tmp_path / "pid"):
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        run("sleep 60 & echo $! > pid; wait", tmp_path, stop=stop)
    assert is_gone(pid_of())


@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
@pytest.mark.usefixtures("little_patience")
def test_who_cannot_be_ended_is_not_waited_for(tmp_path: Path, pid_of, monkeypatch) -> None:
    """Another user's (sudo), or stuck in the kernel: it counts as killed, and as left behind."""

    def killpg(*_: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "killpg", killpg)
    watch = Watch()
    ended = run("echo $$ > pid; exec sleep 60", tmp_path, timeout_seconds=0.2, grace_seconds=0.1)
    assert ended == Ended(-9, "", timed_out=True, stopped=False, left_behind=True)
    assert watch.seconds < 20
    assert is_alive(pid_of())


def test_a_group_whose_number_has_a_process_again_is_a_strangers() -> None:
    """Where the number was given away the old group is gone, and nobody may be ended in its name."""
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        try:
            os.killpg(stranger.pid, 0)
            assert not has_rest(stranger.pid)
        finally:
            stranger.kill()


# --- what it leaves in the background


def test_a_background_process_that_holds_its_output_is_noted_and_left_alone(tmp_path: Path, pid_of) -> None:
    """One second after the exit, reading ends."""
    watch = Watch()
    ended = run("sleep 60 & echo $! > pid; echo hi; exit 3", tmp_path)
    assert ended == Ended(3, "hi\n", timed_out=False, stopped=False, left_behind=True)
    assert 0.9 < watch.seconds < 20
    assert is_alive(pid_of())


@pytest.mark.usefixtures("little_patience")
def test_one_that_prints_on_and_on_does_not_hold_us_either(tmp_path: Path, pid_of) -> None:
    """The second is one by the clock, not one of silence."""
    watch = Watch()
    ended = run("yes & echo $! > pid; sleep 0.1", tmp_path)
    assert (ended.code, ended.left_behind) == (0, True)
    assert watch.seconds < 8
    assert is_gone(pid_of())  # of SIGPIPE: nobody reads any more


def test_one_that_holds_nothing_is_left_alone_without_a_word(tmp_path: Path, pid_of, monkeypatch) -> None:
    """It is the program's own business, and nobody waits for it."""
    monkeypatch.setattr(process, "_PATIENCE_SECONDS", 9.0)
    watch = Watch()
    ended = run("sleep 60 >/dev/null 2>&1 & echo $! > pid; echo hi", tmp_path)
    assert ended == Ended(0, "hi\n", timed_out=False, stopped=False, left_behind=False)
    assert watch.seconds < 8
    assert is_alive(pid_of())


def test_what_a_background_process_prints_within_the_second_is_taken(tmp_path: Path) -> None:
    """`make &` and a quick exit: the output is whole."""
    ended = run("(sleep 0.2; echo later) & echo hi", tmp_path)
    assert ended == Ended(0, "hi\nlater\n", timed_out=False, stopped=False, left_behind=False)


def test_a_program_that_closes_its_output_is_waited_for(tmp_path: Path) -> None:
    """The end of the output is not the end of the program."""
    assert run("exec >&- 2>&-; sleep 0.1; exit 5", tmp_path) == Ended(
        5, "", timed_out=False, stopped=False, left_behind=False
    )


# --- bounded


def test_output_without_end_takes_no_more_memory(tmp_path: Path) -> None:
    """Its first 64 and last 192 KiB are kept to the byte, the rest is counted."""
    code = "import os\nos.write(1, b'head ')\nfor _ in range(4096): os.write(1, b'x' * 65536)\nos.write(1, b' tail')"
    tracemalloc.start()
    try:
        ended = python(code, tmp_path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    head, tail = "head " + "x" * (64 * KIB - 5), "x" * (192 * KIB - 5) + " tail"
    assert ended.output == f"{head}\n[... 268,173,322 bytes left out ...]\n{tail}"
    assert peak < 2 * KIB * KIB


def test_what_just_fits_is_whole() -> None:
    """A gap that is none is not shown."""
    capture = Capture()
    capture.add(b"a" * 64 * KIB + b"b" * 192 * KIB)
    assert capture.text() == "a" * 64 * KIB + "b" * 192 * KIB
    capture.add(b"c")
    assert capture.text() == "a" * 64 * KIB + "\n[... 1 byte left out ...]\n" + "b" * (192 * KIB - 1) + "c"


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (b"caf\xc3\xa9 \xff\xfe \x80", "café \\xff\\xfe \\x80"),
        (b"a\0b", "a\\x00b"),
        (b"\xf0\x9f\x98", "\\xf0\\x9f\\x98"),
        (b"\xed\xa0\x80", "\\xed\\xa0\\x80"),
        (b"", ""),
    ],
    ids=["no-utf-8", "nul", "cut-by-itself", "surrogate", "nothing"],
)
def test_bytes_that_are_no_text_are_shown_as_escapes(tmp_path: Path, output: bytes, text: str) -> None:
    """Whatever came, the text can be stored and shown."""
    assert python(f"import os; os.write(1, {output!r})", tmp_path).output == text


@pytest.mark.parametrize("ahead", [0, 1, 2, 3])
@pytest.mark.parametrize("behind", [0, 1, 2, 3])
def test_no_character_is_cut_in_two(ahead: int, behind: int) -> None:
    """One at an edge of the gap belongs to the gap."""
    capture = Capture()
    faces = "😀".encode()
    kept = 64 * KIB - (4 + ahead)  # so many bytes before the last that are kept
    for piece in (b"a" * kept, faces * 3, b"b" * 99, faces, b"c" * (192 * KIB - behind)):
        capture.add(piece)
    before = "a" * kept + "😀" * ((4 + ahead) // 4)
    after = ("😀" if behind == 4 else "") + "c" * (192 * KIB - behind)
    gap = kept + 12 + 99 + 4 + 192 * KIB - behind - len(before.encode()) - len(after.encode())
    assert capture.text() == f"{before}\n[... {gap} bytes left out ...]\n{after}"


@given(st.lists(st.binary(max_size=40)))
def test_the_pieces_in_which_output_comes_make_no_difference(pieces) -> None:
    """And nothing is lost or counted twice, whatever the bytes are."""
    whole, cut, total = Capture(), Capture(), b"".join(pieces)
    sizes = capture._HEAD_BYTES, capture._TAIL_BYTES
    capture._HEAD_BYTES, capture._TAIL_BYTES = 8, 12
    try:
        whole.add(total)
        for piece in pieces:
            cut.add(piece)
    finally:
        capture._HEAD_BYTES, capture._TAIL_BYTES = sizes
    text = whole.text()
    assert cut.text() == text
    assert "\0" not in text
    text.encode()
    if len(total) <= 20:
        assert text == total.decode("utf-8", "backslashreplace").replace("\0", "\\x00")


# --- what cannot be started


def script(folder: Path, text: str, mode: int = 0o755) -> str:
    path = folder / "tool"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


ABSENT = "there is no such program; check its name and PATH, and the first line (#!) of a script"


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    """By name, by path, and where only the interpreter of a script is missing."""
    assert refusal(["no-such-tool", "x"], tmp_path) == f'cannot start "no-such-tool": {ABSENT}'
    assert refusal(["/no/such"], tmp_path) == f'cannot start "/no/such": {ABSENT}'
    assert refusal(["/dev/null/x"], tmp_path) == f'cannot start "/dev/null/x": {ABSENT}'
    path = script(tmp_path, "#!/no/such/interpreter\n")
    assert refusal([path], tmp_path) == f'cannot start "{path}": {ABSENT}'
    assert refusal(["echo"], tmp_path, env={"PATH": str(tmp_path)}) == f'cannot start "echo": {ABSENT}'


def test_a_name_that_is_no_text_is_shown_escaped(tmp_path: Path) -> None:
    """And a whole script in place of a name is not repeated in full."""
    assert refusal(["no\udcff\x1b[1m"], tmp_path) == f'cannot start "no\\udcff\\x1b[1m": {ABSENT}'
    assert refusal(["x" * 9999], tmp_path) == f'cannot start "{"x" * 200}": {ABSENT}'


def test_a_program_that_is_not_executable_is_named(tmp_path: Path) -> None:
    """A script without its x, a folder, and a script that says nothing of who runs it."""
    denied = "it is not executable; make it so (chmod +x), or name the program that runs it"
    path = script(tmp_path, "#!/bin/sh\n", 0o644)
    assert refusal([path], tmp_path) == f'cannot start "{path}": {denied}'
    assert refusal(["./tool"], tmp_path) == f'cannot start "./tool": {denied}'
    assert refusal([str(tmp_path)], tmp_path) == f'cannot start "{tmp_path}": {denied}'
    path = script(tmp_path, "echo hi\n")
    assert refusal([path], tmp_path) == (
        f'cannot start "{path}": this system cannot run what is in it; begin a script with a line such as #!/bin/sh'
    )


def test_a_folder_it_cannot_run_in_is_named(tmp_path: Path) -> None:
    """And not the program, which is there."""
    message, hint = f'cannot start "/bin/sh": its folder {tmp_path}', "check the path, or create it"
    assert refusal("true", tmp_path / "no") == f"{message}/no is not there; {hint}"
    path = script(tmp_path, "")
    assert refusal("true", path) == f"{message}/tool is no folder; {hint}"


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may enter every folder")
def test_a_folder_that_may_not_be_entered_is_named(tmp_path: Path) -> None:
    """Its rights are the reason, not the program's."""
    (tmp_path / "shut").mkdir(mode=0)
    assert "/shut may not be entered; " in refusal("true", tmp_path / "shut")


def test_words_that_no_system_takes_are_refused(tmp_path: Path) -> None:
    """NUL, and more than fits."""
    assert refusal(["echo", "a\0b"], tmp_path) == (
        'cannot start "echo": embedded null byte; check its words and its variables'
    )
    assert refusal(["echo", "x" * 5_000_000], tmp_path) == (
        'cannot start "echo": its words and variables are too long; hand over in a file what is long'
    )


# --- a program of ours, that talks

ASK = "import sys\ndef ask(line):\n print(line, flush=True)\n return sys.stdin.readline().rstrip('\\n')\n"


def test_lines_go_back_and_forth(tmp_path: Path) -> None:
    """First what it is told at the start, then an answer for each line that has one; its stderr is the output."""
    heard = []

    def talk(line: bytes):
        heard.append(line)
        return None if line == b"note" else line.upper()

    code = f"{ASK}got = [sys.stdin.readline(), ask('one')]\nprint('note')\nprint(got, ask('two'), file=sys.stderr)"
    ended = python(code, tmp_path, talk=talk, first_input=b"hello\n")
    assert ended == Ended(0, "['hello\\n', 'ONE'] TWO\n", timed_out=False, stopped=False, left_behind=False)
    assert heard == [b"one", b"note", b"two"]


def test_a_long_line_is_one_line_both_ways(tmp_path: Path) -> None:
    """Longer than any pipe holds, and while stderr is written as well."""
    heard = []

    def talk(line: bytes) -> bytes:
        heard.append(line)
        return line * 3

    code = f"{ASK}sys.stderr.write('e' * 300000)\nprint(len(ask('x' * 1_000_000)), file=sys.stderr)"
    ended = python(code, tmp_path, talk=talk)
    assert ended.output.endswith("e3000000\n")
    assert heard == [b"x" * 1_000_000]


def test_every_whole_line_is_heard_and_no_other(tmp_path: Path) -> None:
    """A child that dies in the middle of a line has not said it."""
    heard = []
    code = "import os, signal; os.write(1, b'one\\n\\ntw'); os.write(1, b'o\\nthr'); os.kill(os.getpid(), 9)"
    ended = python(code, tmp_path, talk=heard.append)
    assert (ended.code, heard) == (-9, [b"one", b"", b"two"])


@pytest.mark.usefixtures("little_patience")
def test_what_it_said_last_is_heard_however_slow_the_listener(tmp_path: Path) -> None:
    """A result is not lost because answering took longer than we wait for who is gone."""
    heard = []

    def talk(line: bytes) -> None:
        time.sleep(0.3 if len(heard) in (0, 850) else 0)  # more is left than a pipe holds; it has ended
        heard.append(line)

    ended = python("for n in range(900): print('.' * 90, n)", tmp_path, talk=talk)
    assert (ended.code, ended.left_behind, len(heard), heard[-1][-4:]) == (0, False, 900, b" 899")


@pytest.mark.usefixtures("little_patience")
def test_what_it_said_last_is_not_heard_for_ever(tmp_path: Path) -> None:
    """Deadline and stop hold for the listener too, when the child has long ended."""
    watch, heard = Watch(), []

    def talk(line: bytes) -> None:
        time.sleep(0.02)
        heard.append(line)

    ended = run("seq 1000", tmp_path, talk=talk, timeout_seconds=0.4)
    assert (ended.code, ended.timed_out, ended.stopped) == (0, True, False)
    watch = Watch()
    ended = run("seq 1000", tmp_path, talk=talk, stop=lambda: watch.seconds > 0.4)
    assert (ended.code, ended.timed_out, ended.stopped) == (0, False, True)
    assert watch.seconds < 8
    assert 2 < len(heard) < 500


def test_it_talks_on_while_it_is_being_ended(tmp_path: Path) -> None:
    """What it has done by then counts."""
    heard = []
    code = f"{LAST_WORDS.format('result')}\nprint('begun', flush=True)\ntime.sleep(60)"
    ended = python(code, tmp_path, talk=heard.append, stop=lambda: bool(heard), grace_seconds=3)
    assert (ended.code, ended.stopped, heard) == (4, True, [b"begun", b"result"])


def test_a_child_that_closes_its_stdin_is_told_nothing(tmp_path: Path) -> None:
    """That is no error of ours."""
    code = (
        "import os, time; os.close(0); print('a', flush=True); time.sleep(0.1); print('b', flush=True); time.sleep(0.1)"
    )
    ended = python(code, tmp_path, talk=lambda line: line * 200_000, first_input=b"x" * 200_000)
    assert ended == Ended(0, "", timed_out=False, stopped=False, left_behind=False)


def test_a_child_that_never_reads_holds_nobody(tmp_path: Path) -> None:
    """Answers wait for it, we do not: it ends by itself, or at its deadline."""
    code = "import time\nfor _ in range(20): print('x', flush=True)\ntime.sleep({})"
    ended = python(code.format(0.1), tmp_path, talk=lambda _: b"y" * 100_000, first_input=b"z" * 10_000)
    assert (ended.code, ended.timed_out) == (0, False)
    ended = python(code.format(60), tmp_path, talk=lambda _: b"y" * 100_000, timeout_seconds=0.3)
    assert (ended.code, ended.timed_out) == (-15, True)


LONG_LINES = "yes " + "y" * 999


@pytest.mark.usefixtures("little_patience")
def test_lines_wait_in_the_pipe_while_others_are_answered(tmp_path: Path) -> None:
    """Who says more than is answered is kept waiting, and takes no memory here."""
    tracemalloc.start()
    try:
        ended = run(LONG_LINES, tmp_path, talk=lambda _: None, timeout_seconds=0.5)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (ended.code, ended.timed_out) == (-15, True)
    assert peak < 3 * KIB * KIB


@pytest.mark.usefixtures("little_patience")
@pytest.mark.parametrize("lasts", [60, 0], ids=["while-it-runs", "when-it-has-ended"])
def test_answers_that_nobody_reads_do_not_pile_up(tmp_path: Path, monkeypatch, lasts: int) -> None:
    """Who does not read is not listened to any more, and who has ended is told nothing."""
    monkeypatch.setattr(process, "_LINE_BYTES", 100_000)
    code = f"import os, time; os.write(1, (b'y' * 999 + b'\\n') * 60); time.sleep({lasts})"
    tracemalloc.start()
    try:
        ended = python(code, tmp_path, talk=lambda _: b"y" * 50_000, timeout_seconds=0.3)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert ended.timed_out is bool(lasts)
    assert peak < KIB * KIB


def test_if_talk_raises_the_group_is_ended_and_the_error_passed_on(tmp_path: Path, pid_of) -> None:
    """Nothing goes on unheard; also what ignores SIGTERM."""

    def talk(line: bytes) -> None:
        raise LookupError(line)

    watch = Watch()
    text = "trap '' TERM; sleep 60 & echo $! > pid; echo one; echo two; while :; do sleep 0.1; done"
    with pytest.raises(LookupError, match="one"):
        run(text, tmp_path, talk=talk)
    assert is_gone(pid_of())
    assert 0.3 < watch.seconds < 20


def test_a_line_without_end_is_an_error(tmp_path: Path, monkeypatch) -> None:
    """Memory is bounded here as well; the group is ended in order, however much it still has to say."""
    monkeypatch.setattr(process, "_LINE_BYTES", 100_000)
    text = "trap 'printf more; sleep 0.2; echo saved > saved; exit' TERM; cat /dev/zero & wait"
    assert refusal(text, tmp_path, talk=lambda _: None, grace_seconds=1) == (
        '"/bin/sh" sent a line of more than 64 MiB; hand it over in a file'
    )
    assert (tmp_path / "saved").exists()


@pytest.mark.usefixtures("little_patience")
def test_a_background_process_that_floods_the_conversation_takes_no_memory(tmp_path: Path, pid_of) -> None:
    """What a child had said before it ended is heard; what others say then ends where that must have."""
    heard = []
    tracemalloc.start()
    try:
        text = f"echo result; {LONG_LINES} & echo $! > pid; sleep 0.05"
        ended = run(text, tmp_path, talk=lambda line: heard.append(line[:9]))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (ended.code, ended.left_behind, heard[0]) == (0, True, b"result")
    assert peak < 6 * KIB * KIB
    assert is_gone(pid_of())


def test_it_learns_of_our_death_by_the_end_of_its_stdin(tmp_path: Path, pid_of) -> None:
    """Though others of our children live on, which did not get that pipe."""
    child = f"{ASK}open('pid', 'w').write(str(__import__('os').getpid()))\nsys.stdin.read()\nopen('eof', 'w').close()"
    parent = start(
        "import threading\n"
        f"threading.Thread(target=run, args=(['/bin/sh', '-c', 'echo $$ > other; exec sleep 60'],)).start()\n"
        f"run({[*PYTHON, child]!r}, talk=lambda line: None)",
        tmp_path,
    )
    wait_for(tmp_path / "pid", tmp_path / "other")
    parent.kill()
    parent.communicate()
    assert is_gone(pid_of())
    assert (tmp_path / "eof").exists()
    assert is_alive(pid_of("other"))


# --- whatever the machine is like


def start(code: str, cwd: Path, *, shell: str = 'exec "$@"') -> subprocess.Popen[bytes]:
    """A Python of its own that has `run` as here, in a folder, started by a line of shell."""
    head = (
        "import os, sys\n"
        f"sys.path.insert(0, {ROOT!r})\n"
        f"from {PACKAGE}.core.process import run_process\n"
        f"from {PACKAGE}.core.clock import Clock\n"
        f"def run(words, cwd={str(cwd)!r}, talk=None):\n"
        f"    return run_process(words, env={ENV!r}, cwd=cwd, clock=Clock(), timeout_seconds=10,\n"
        "                       stop=lambda: False, grace_seconds=0.3, talk=talk)\n"
    )
    words = ["/bin/sh", "-c", shell, "sh", sys.executable, "-S", "-c", head + code]
    return subprocess.Popen(words, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def wait_for(*paths: Path) -> None:
    ends_at = time.monotonic() + 5
    while not is_written(*paths) and time.monotonic() < ends_at:
        time.sleep(0.01)


def printed(code: str, cwd: Path, *, shell: str = 'exec "$@"') -> str:
    return start(code, cwd, shell=shell).communicate(timeout=10)[0].decode()


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&-", "<&- >&- 2>&-", ">&- 2>&-"])
@pytest.mark.parametrize("talk", ["None", "bytes.upper"], ids=["captured", "talks"])
def test_closed_streams_of_ours_do_not_confuse_its_own(tmp_path: Path, closed: str, talk: str) -> None:
    """The pipes then get the numbers 0, 1 and 2 here."""
    child = f"{ASK}print(repr(sys.stdin.read() if {talk} is None else ask('one')), file=sys.stderr)"
    code = f"open('result', 'w').write(repr(tuple(run({[*PYTHON, child]!r}, talk={talk}))))"
    printed(code, tmp_path, shell=f'exec "$@" {closed}')
    said = "'ONE'" if talk != "None" else "''"
    assert (tmp_path / "result").read_text() == repr((0, f"{said}\n", False, False, False))


@linux
def test_an_ascii_locale_takes_nothing_from_words_variables_and_folders(tmp_path: Path) -> None:
    """They come from files of ours in UTF-8; Python itself would refuse each of them there."""
    (tmp_path / "één").mkdir()
    code = (
        f"cwd = {str(tmp_path)!r} + '/\\xe9\\xe9n'\n"
        "words = ['sh', '-c', 'printf \"%s %s %s\" \"$1\" \"$N\" \"${PWD##*/}\"', 'sh', 'h\\xe9']\n"
        "ended = run_process(words, env={'N': '\\u2713', 'PATH': os.environ['PATH']}, cwd=cwd, clock=Clock(),\n"
        "                    timeout_seconds=10, stop=lambda: False)\n"
        "print(ascii(ended.output), sys.getfilesystemencoding())\n"
        "try: run(['sh'], cwd=cwd + '2')\n"
        "except Exception as error: print(ascii(str(error)))"
    )
    said = printed(code, tmp_path, shell='LC_ALL=C PYTHONCOERCECLOCALE=0 PYTHONUTF8=0 exec "$@"')
    assert said.split("\n")[0] == "'h\\xe9 \\u2713 \\xe9\\xe9n' ascii"
    assert "its folder" in said
    assert "is not there" in said


def test_a_deleted_folder_of_ours_does_not_matter_and_one_of_its_own_is_named(tmp_path: Path) -> None:
    """Paths are whole, so ours is not asked for."""
    gone = tmp_path / "gone"
    gone.mkdir()
    code = (
        f"os.chdir({str(gone)!r}); os.rmdir({str(gone)!r})\n"
        "print(run(['pwd'], cwd='/').output)\n"
        f"try: run(['pwd'], cwd={str(gone)!r})\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    assert printed(code, tmp_path) == f'/\n\nPermanentError cannot start "pwd": its folder {gone} is not there\n'


@linux
@pytest.mark.parametrize("talk", ["None", "bytes.upper"], ids=["captured", "talks"])
def test_too_few_descriptors_are_named_and_none_is_lost(tmp_path: Path, talk: str) -> None:
    """Wherever they run out on the way; with enough of them it works."""
    code = (
        "import resource\n"
        "Clock().now()  # what is imported late is not to be what fails\n"
        "def count(): return len(os.listdir('/proc/self/fd'))\n"
        "before, seen = count(), []\n"
        "for limit in range(3, 24):\n"
        "    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, 64))\n"
        f"    try: seen.append(run(['true'], talk={talk}).code)\n"
        "    except Exception as error: seen.append(f'{type(error).__name__}: {error}')\n"
        "    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
        "    if count() != before: print('lost one at', limit, seen[-1])\n"
        "print(*sorted(set(map(str, seen))), sep='\\n')"
    )
    assert printed(code, tmp_path) == '0\nResourceError: starting "true": Too many open files\n'


@linux
def test_too_many_processes_are_named(tmp_path: Path) -> None:
    """The sentence is about the limit, not about the path. (Root has no such limit: it becomes somebody else.)"""
    code = (
        "import resource\n"
        "Clock().now()  # somebody else may not read what is imported late\n"
        "resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))\n"
        "os.geteuid() or os.setuid(12345)\n"
        "try: print(run(['true'], cwd='/'))\n"
        "except Exception as error: print(type(error).__name__, error, error.hint)"
    )
    assert printed(code, tmp_path) == (
        'ResourceError starting "true": Resource temporarily unavailable'
        " raise the limit (ulimit -a shows them) and start again\n"
    )


def test_twenty_runs_leave_no_descriptor_and_no_thread(tmp_path: Path) -> None:
    """Of every kind: whole, talking, late, refused."""
    files, threads = open_files(), threading.active_count()
    for _ in range(5):
        run("echo hi", tmp_path)
        run("echo hi", tmp_path, talk=bytes.upper, first_input=b"x")
        run("sleep 60", tmp_path, timeout_seconds=0.01)
        refusal(["no-such-tool"], tmp_path)
        refusal(["no-such-tool"], tmp_path, talk=bytes.upper)
        assert (open_files(), threading.active_count()) == (files, threads)


def test_eight_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Each has its own output, code, end and conversation."""

    def one(number: int) -> object:
        if number % 4 == 3:
            ended = run("sleep 60", tmp_path, timeout_seconds=0.3)
            return ended.code, ended.timed_out
        if number % 4 == 2:
            ended = run("echo a; read x; echo $x >&2", tmp_path, talk=lambda line: line + b"%d" % number)
            return ended.code, ended.output
        ended = run(f"head -c 3000000 /dev/zero | tr '\\0' {number}; exit {number}", tmp_path)
        return ended.code, set(ended.output[:60000]), len(ended.output)

    length = 256 * KIB + len("\n[... 2,737,856 bytes left out ...]\n")
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(one, range(8))) == [
            (0, {"0"}, length), (1, {"1"}, length), (0, "a2\n"), (-15, True),
            (4, {"4"}, length), (5, {"5"}, length), (0, "a6\n"), (-15, True),
        ]  # fmt: skip
