"""Live progress: what a person sees on a terminal, drawn into a small one; and that nobody else sees any of it."""

import contextlib
import io
import os
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_os.core.clock import Clock
from agent_os.core.progress import Progress, render

posix = pytest.mark.skipif(os.name == "nt", reason="a real terminal that a test can hold both ends of")


class Hand(Clock):
    """A clock that is moved by hand."""

    def __init__(self):
        self.time = 1000.0

    def monotonic(self):
        return self.time


class Screen:
    """As much of a terminal as we may use: text, colours, line feeds, up, and erasing. Any other code is an error.

    Lines wrap, and wrap anew when the width changes, as in most terminals; what scrolls off is kept.
    """

    def __init__(self, width=80, height=24):
        self.width, self.height = width, height
        self.rows, self.wraps = [[]], [False]  # cells; whether the line goes on in the next row
        self.x = self.y = self.top = 0

    def feed(self, text):
        for code, character in re.findall(r"(\x1b\[[0-9;]*[A-Za-z])|(.)", text, re.DOTALL):
            if code:
                self.obey(code)
            elif character == "\r":
                self.x = 0
            elif character == "\n":
                self.down()
            else:
                assert character.isprintable(), f"the terminal got {character!r}"
                self.put(character)

    def obey(self, code):
        if code.endswith("A"):
            self.y = max(self.top, self.y - max(int(code[2:-1]), 1))
        elif code == "\x1b[J" and (self.x, self.y) == (0, self.top) and any(self.rows[self.y :]):
            self.y = self.top = len(self.rows)  # tmux: who clears all of the screen finds it in the history
            self.rows.append([])
            self.wraps.append(False)
        elif code in ("\x1b[K", "\x1b[J"):
            assert self.x < self.width, "erasing behind a full row takes its last letter in some terminals"
            del self.rows[self.y][self.x :]
            if not self.rows[self.y]:  # tmux: a row of which something stays goes on where it went on
                self.wraps[self.y] = False
            if code == "\x1b[J":
                del self.rows[self.y + 1 :], self.wraps[self.y + 1 :]
        else:
            assert re.fullmatch(r"\x1b\[(3[0-7]|0)m", code), f"the terminal got {code!r}"

    def down(self):
        self.x, self.y = 0, self.y + 1
        if self.y == len(self.rows):
            self.rows.append([])
            self.wraps.append(False)
        self.top = max(self.top, self.y - self.height + 1)

    def put(self, character):
        if unicodedata.combining(character):
            self.rows[self.y][self.x - 1] += character
            return
        taken = 1 + (unicodedata.east_asian_width(character) in "WF")
        if self.x + taken > self.width:
            self.wraps[self.y] = True
            self.down()
        row = self.rows[self.y]
        row += [" "] * (self.x - len(row))
        row[self.x : self.x + taken] = [character, ""][:taken]
        self.x += taken

    def resize(self, width, height):
        """The cursor stands at the start of a line, as ours does between two drawings, and stays with it."""
        lines, current, line = [], 0, []
        for index, row in enumerate(self.rows):
            current = len(lines) if index == self.y else current
            line += row
            if not self.wraps[index]:
                lines.append(line)
                line = []
        self.__init__(width, height)
        for index, cells in enumerate(lines):
            y = self.y
            for character in "".join(cells):
                self.put(character)
            if index == current:
                row = y
            if index < len(lines) - 1:
                self.down()
        self.x, self.y = 0, row

    def lines(self):
        """All that was ever to be seen, without empty rows at the end."""
        return "\n".join("".join(row).rstrip(" ") for row in self.rows).rstrip("\n").split("\n")

    def seen(self):
        """What is to be seen now."""
        return ["".join(row).rstrip(" ") for row in self.rows[self.top : self.top + self.height]]


class Terminal(io.StringIO):
    """What stderr is when a person watches it; `sent` are the single writes."""

    encoding = "utf-8"

    def __init__(self, width=80, height=24):
        super().__init__()
        self.screen = Screen(width, height)
        self.sent = []

    def isatty(self):
        return True

    def fileno(self):
        return 2

    def write(self, text):
        self.sent.append(text)
        self.screen.feed(text)
        return len(text)

    def resize(self, width, height=24):
        self.screen.resize(width, height)


class Watched:
    """Progress on a terminal whose time and size a test moves."""

    def __init__(self, width=80, height=24, *, environ=None, **options):
        self.clock = Hand()
        self.terminal = Terminal(width, height)
        self.patch = pytest.MonkeyPatch()
        screen = self.terminal.screen
        self.patch.setattr(os, "get_terminal_size", lambda fd: os.terminal_size((screen.width, screen.height)))
        environ = {"TERM": "xterm", "NO_COLOR": "1"} if environ is None else environ
        options.setdefault("is_live", True if os.name == "nt" else None)  # there, only a console will do
        self.progress = Progress(self.terminal, clock=self.clock, environ=environ, **options)

    def close(self):
        self.patch.undo()

    def after(self, seconds):
        """Let so much time pass, and the runner tick; the lines on the screen."""
        self.clock.time += seconds
        self.progress.tick()
        return self.terminal.screen.lines()


@pytest.fixture
def watch():
    """Makes a Watched; its progress begins with as many units as were asked for."""
    with contextlib.ExitStack() as stack:

        def make(width=80, height=24, *, total=1, **options):
            watched = stack.enter_context(contextlib.closing(Watched(width, height, **options)))
            watched.progress.begin(total)
            return watched

        yield make


# What a person sees


def test_each_active_task_has_a_line_and_the_sums_stand_below(watch):
    """Names, what they are at, for how long; the figures of the last line add up to the total."""
    watched = watch(total=40)
    progress = watched.progress
    for number in range(12):
        progress.ended(f"t{number}", "success")
    progress.ended("bad", "failed")
    progress.ended("after_bad", "skipped")
    progress.started("fetch_openai", "window 1 of 3")
    watched.after(20)
    progress.started("report")
    progress.waiting("report", 42, "HTTP 503")
    progress.update("fetch_openai", "window 2 of 3")
    assert watched.after(12)[-3:] == [
        "fetch_openai  running  32 s  window 2 of 3",
        "report        waits 30 s for its next try (HTTP 503)",
        "12 of 40 done, 1 failed, 1 skipped, 1 running, 1 waiting, 24 to do, 32 s",
    ]
    assert watched.after(40)[-2:] == [
        "report        waits 0 s for its next try (HTTP 503)",
        "12 of 40 done, 1 failed, 1 skipped, 1 running, 1 waiting, 24 to do, 1 min 12 s",
    ]


def test_sums_of_nothing_are_left_out(watch):
    """What did not happen is not told; thousands are separated."""
    assert watch(total=1200).after(0.1) == ["0 of 1,200 done, 1,200 to do, 0 s"]


def test_one_unit_of_work_has_no_sums(watch):
    """There is nothing to add up."""
    watched = watch(total=1)
    assert watched.after(0) == [""]
    watched.progress.started("fetch_openai")
    assert watched.after(3) == ["fetch_openai  running  3 s"]


def test_what_ended_scrolls_away_above_the_block(watch):
    """In the order it ended, with its time and what was said of it, while the rest goes on below."""
    watched = watch(total=4)
    progress = watched.progress
    for name in ("fetch_openai", "fetch_anthropic", "report"):
        progress.started(name)
    watched.after(0)
    progress.ended("fetch_anthropic", "success", "3 days stored", 12.345)
    progress.ended("report", "failed", seconds=200)
    assert watched.after(5) == [
        "fetch_anthropic  success  12.3 s  3 days stored",
        "report           failed   3 min 20 s",
        "fetch_openai     running  5 s",
        "1 of 4 done, 1 failed, 1 running, 1 to do, 5 s",
    ]
    progress.ended("fetch_openai", "success", "31 days stored", 5.0)
    progress.ended("export", "skipped", "report failed")
    assert watched.after(1) == [
        "fetch_anthropic  success  12.3 s  3 days stored",
        "report           failed   3 min 20 s",
        "fetch_openai     success  5.0 s  31 days stored",
        "export           skipped  report failed",
        "2 of 4 done, 1 failed, 1 skipped, 6 s",
    ]


def test_a_further_try_runs_on_with_the_time_of_the_first(watch):
    """What counts is how long the task takes, waiting included."""
    watched = watch()
    watched.progress.started("report")
    watched.progress.waiting("report", 4, "")
    assert watched.after(3) == ["report  waits 1 s for its next try"]
    watched.progress.started("report", "try 2 of 3")
    assert watched.after(2) == ["report  running  5 s  try 2 of 3"]


@pytest.mark.parametrize(("height", "shown"), [(24, 11), (13, 10), (6, 3), (4, 1), (3, 0)])
def test_the_block_fits_the_terminal_and_says_how_many_it_leaves_out(watch, height, shown):
    """At most twelve lines of tasks, and never more than the terminal has room for: the rest is a number."""
    watched = watch(height=height, total=30)
    for number in range(25):
        watched.progress.started(f"t{number}")
    assert watched.after(0) == [
        *[f"t{number}   running  0 s" for number in range(min(shown, 10))],
        *[f"t{number}  running  0 s" for number in range(10, shown)],
        f"... and {25 - shown} more",
        "0 of 30 done, 25 running, 5 to do, 0 s",
    ]
    assert len(watched.terminal.screen.seen()) <= height  # with the row of the cursor: nothing scrolled off
    assert watched.terminal.screen.top == 0


def test_a_terminal_of_two_rows_shows_the_sums_and_one_of_one_row_nothing(watch):
    """The cursor needs a row, too."""
    for height, expected in ((2, ["0 of 3 done, 2 running, 1 to do, 0 s"]), (1, [""])):
        watched = watch(height=height, total=3)
        watched.progress.started("fetch_openai")
        watched.progress.started("report")
        assert watched.after(0) == expected


def test_most_lines_is_what_it_says(watch):
    """As many tasks as are asked for are shown, if they are all."""
    watched = watch(most_lines=3)
    for number in range(3):
        watched.progress.started(f"t{number}")
    assert watched.after(0) == ["t0  running  0 s", "t1  running  0 s", "t2  running  0 s"]
    watched.progress.started("t3")
    assert watched.after(1) == ["t0  running  1 s", "t1  running  1 s", "... and 2 more"]


# Lines


def test_no_line_reaches_the_last_column(watch):
    """Long details and sums are cut, wide characters counted: a line that wrapped would move all the others."""
    watched = watch(width=44, total=1000)
    progress = watched.progress
    for name in ("fetch_openai", "日本日本日本日本日本日本", "cafe\u0301"):
        progress.started(name, "window 2 of 3")
    progress.update("cafe\u0301", "e\u0301" * 5)
    progress.ended("report", "failed", "could not reach api.example.com", 3.0)
    progress.ended("export", "skipped")
    progress.waiting("fetch_openai", 8, "HTTP 503")
    assert watched.after(0) == [
        "report                  failed   3.0 s  ...",
        "export                  skipped",
        "fetch_openai            waits 8 s for it...",
        "日本日本日本日本日...   running  0 s  wi...",
        "cafe\u0301                    running  0 s  e\u0301e\u0301e\u0301e\u0301e\u0301",
        "0 of 1,000 done, 1 failed, 1 skipped, 2 ...",
    ]


@pytest.mark.parametrize("width", [1, 2, 3, 4, 7])
def test_a_terminal_too_narrow_for_anything_is_not_an_error(watch, width):
    """Something is cut to nothing, and that is all."""
    watched = watch(width=width, height=4, total=3, environ={"TERM": "xterm"})
    for name in ("日本", "a", "b"):
        watched.progress.ended(name, "failed")
        watched.progress.started(name, "detail")
    watched.after(0)
    assert all(len(row) < width for row in watched.terminal.screen.rows)


@pytest.mark.parametrize("put", ["name", "detail", "why", "above", "ended"])
def test_nothing_that_is_shown_can_steer_the_terminal(watch, put):
    """Escape sequences and line ends in names, details and messages are shown, never sent."""
    evil = "a\x1b[2J\r\nb"
    watched = watch(total=2)
    progress = watched.progress
    progress.started(evil if put == "name" else "task", evil if put == "detail" else "")
    if put == "why":
        progress.waiting("task", 3, evil)
    if put == "above":
        progress.above(evil)
    if put == "ended":
        progress.ended("task", "failed", evil)
    lines = watched.after(0)
    assert len(lines) == 2 + (put == "above")
    assert "a\\x1b[2J\\x0d\\x0ab" in "".join(lines)


def test_a_terminal_that_lacks_letters_gets_them_escaped_and_counted(watch):
    """What the encoding cannot say is longer on the screen; it is cut by what it is there."""
    watched = watch(width=30)
    watched.terminal.encoding = "ascii"
    watched.progress.started("report", "日本日本日本")
    assert watched.after(0) == ["report  running  0 s  \\u65..."]


COLOURED = {
    "success": "\x1b[32msuccess\x1b[0m",
    "failed": "\x1b[31mfailed\x1b[0m",
    "skipped": "\x1b[33mskipped\x1b[0m",
    "waits": "\x1b[33mwaits\x1b[0m",
}


def everything(watched):
    """What is sent when one of each status is shown."""
    for status in ("success", "failed", "skipped"):
        watched.progress.ended("failed_success", status, "failed waits")
    watched.progress.waiting("report", 3, "skipped")
    watched.progress.started("fetch")
    watched.after(1)
    watched.progress.close()
    return "".join(watched.terminal.sent)


def test_the_status_has_a_colour_and_nothing_else_has(watch):
    """Green, red, yellow, on the one word."""
    sent = everything(watch(environ={"TERM": "xterm"}))
    assert re.findall(r"\x1b\[\d+m\w+\x1b\[0m", sent) == list(COLOURED.values())
    assert sent.count("m", 0) - re.sub(r"\x1b\[\d+m", "", sent).count("m") == 8


@pytest.mark.parametrize("width", range(5, 25))
def test_a_status_that_is_cut_has_no_colour(watch, width):
    """The line is as wide as without, and no code is cut in two."""
    plain, coloured = watch(width=width), watch(width=width, environ={"TERM": "xterm"})
    for watched in (plain, coloured):
        watched.progress.ended("fetch_openai", "success", "3 days", 3.0)
        watched.after(0)
    assert coloured.terminal.screen.lines() == plain.terminal.screen.lines()


@pytest.mark.parametrize(
    ("environ", "is_live"),
    [
        pytest.param({"TERM": "xterm", "NO_COLOR": "1"}, None, id="NO_COLOR"),
        pytest.param({"TERM": "xterm"}, True, id="no-terminal"),
    ],
)
def test_no_colour_where_it_is_not_wanted(watch, environ, is_live, monkeypatch):
    """NO_COLOR is obeyed; and whoever asks for live lines in what is no terminal gets them plain."""
    if is_live:
        monkeypatch.setattr(Terminal, "isatty", lambda _: False)
    sent = everything(watch(environ=environ, is_live=is_live))
    assert "waits 2 s" in sent
    assert not re.search(r"\x1b\[\d+m", sent)


def test_an_empty_no_color_is_none(watch):
    """As no-color.org has it."""
    assert COLOURED["failed"] in everything(watch(environ={"TERM": "xterm", "NO_COLOR": ""}))


# Drawing


def test_a_drawing_is_one_write_and_only_what_changed(watch):
    """The line of the task that moved is written again, the others are passed over."""
    watched = watch(total=3)
    for name in ("one", "two", "three"):
        watched.progress.started(name)
    watched.after(0)
    watched.progress.update("two", "half")
    watched.after(0.2)
    assert watched.terminal.sent[1:] == ["\x1b[4A\r\ntwo    running  0 s  half\x1b[K\n\n\n\x1b[J"]


def test_it_is_drawn_at_most_ten_times_a_second(watch):
    """However often the runner ticks and a task reports; and the last report is not forgotten."""
    watched = watch()
    watched.progress.started("report")
    watched.after(0)
    for step in range(1, 9):
        watched.progress.update("report", f"row {step}")
        watched.after(0.0625)
    assert [re.search(r"row \d", sent).group() for sent in watched.terminal.sent[1:]] == [
        f"row {step}" for step in (2, 4, 6, 8)
    ]


def test_seconds_are_drawn_once_a_second_for_all_tasks_together(watch):
    """Tasks that started at different moments do not flicker one after the other."""
    watched = watch(total=9)
    for number in range(4):
        watched.progress.started(f"t{number}")
        watched.clock.time += 0.23
    watched.after(0)
    before = len(watched.terminal.sent)
    for _ in range(40):
        watched.after(0.125)
    assert len(watched.terminal.sent) - before == 5


def test_the_cursor_is_never_hidden_and_rests_below_the_block(watch):
    """So whatever ends us, the prompt comes where it belongs; the terminal in these tests takes no other code."""
    watched = watch(total=3)
    watched.progress.started("report")
    watched.after(0)
    screen = watched.terminal.screen
    assert (screen.x, screen.y) == (0, 2)


def test_a_message_appears_above_the_block_at_once(watch):
    """It does not wait for a tick, and what ended before stands before it."""
    watched = watch(total=3)
    watched.progress.started("report")
    watched.progress.started("fetch")
    watched.after(0)
    watched.progress.ended("fetch", "success")
    watched.progress.above("warning: the key is about to expire\n")
    watched.progress.above("x" * 80)
    watched.progress.above("y" * 90)
    assert watched.terminal.screen.lines() == [
        "fetch   success",
        "warning: the key is about to expire",
        "x" * 80,
        "y" * 80,
        "y" * 10,
        "report  running  0 s",
        "1 of 3 done, 1 running, 1 to do, 0 s",
    ]
    assert len(watched.terminal.sent) == 4


def test_what_fits_a_row_goes_above_the_block_without_blanking_it(watch):
    """Each row is written over, and what is left behind it erased: nothing flickers."""
    watched = watch(total=3)
    watched.progress.started("report")
    watched.after(0)
    watched.progress.above("a message")
    assert watched.terminal.sent[1:] == [
        "\x1b[2A\ra message\x1b[K\nreport  running  0 s\x1b[K\n0 of 3 done, 1 running, 2 to do, 0 s\x1b[K\n\x1b[J"
    ]


def test_the_end_leaves_what_ended_and_nothing_of_what_ran(watch):
    """The lines of what ended, the cursor below them; then whoever reports has the terminal."""
    watched = watch(total=3)
    watched.progress.started("report")
    watched.after(0)
    watched.progress.ended("fetch", "success", "", 2.0)
    watched.progress.close()
    watched.progress.close()
    watched.progress.started("late")
    watched.progress.ended("late", "failed")
    watched.progress.above("3 tasks, 1 done")
    assert watched.after(9) == ["fetch   success  2.0 s", "3 tasks, 1 done"]
    assert "\x1b" not in watched.terminal.sent[-1]


# Windows of another size, and everything at once

NAMES = st.sampled_from("abcd")
STEPS = {
    "started": st.tuples(NAMES, st.sampled_from(["", "z" * 70, "日本" * 20])),
    "waiting": st.tuples(NAMES, st.just(7), st.sampled_from(["", "HTTP 503"])),
    "ended": st.tuples(NAMES, st.sampled_from(["success", "failed"])),
    "above": st.tuples(st.sampled_from(["m", "m" * 40, "m" * 95, "日" * 41])),
    "after": st.tuples(st.sampled_from([0.05, 0.1, 1.0])),
}
RESIZE = {"resize": st.tuples(st.integers(12, 90), st.just(500))}  # so high that nothing scrolls out of reach


def some(steps):
    return st.lists(st.one_of(*[args.map(lambda a, name=name: (name, *a)) for name, args in steps.items()]))


@given(st.one_of(st.tuples(st.just(6), some(STEPS)), st.tuples(st.just(500), some({**STEPS, **RESIZE}))))
def test_a_screen_drawn_step_by_step_is_one_drawn_at_once(drawn):
    """Whatever happened in between, however wide the window was then: no line is left over, lost or torn."""
    height, steps = drawn
    stays = []
    with contextlib.closing(Watched(40, height, environ={"TERM": "xterm"})) as watched:
        watched.progress.begin(9)
        for name, *args in [*steps, ("after", 0.125)]:
            owner = {"after": watched, "resize": watched.terminal}.get(name, watched.progress)
            getattr(owner, name)(*args)
            stays += {"above": args[:1], "ended": ["  ".join(map(str, args))]}.get(name, [])
    screen = watched.terminal.screen
    at_once = Screen(screen.width, 500)
    block = render(watched.progress._state, screen.width, height, watched.clock.time)
    at_once.feed("".join(f"{line}\n" for line in [*stays, *block]))
    assert screen.lines() == at_once.lines()


def test_a_window_made_narrower_keeps_no_rest_of_the_wide_lines(watch):
    """The terminal has wrapped them: the block begins further up than it has lines."""
    watched = watch(width=60, total=3)
    watched.progress.above("a message")
    watched.progress.started("fetch_openai", "window 2 of 3, 2026-11-01 and on")
    watched.progress.started("日本日本日本日本日本", "window 1 of 3")
    watched.after(0)
    watched.terminal.resize(21, 24)
    assert watched.after(1) == ["a message", "fetch_o...  runni...", "日本日...   runni...", "0 of 3 done, 2 ru..."]
    watched.terminal.resize(60, 24)
    assert watched.after(1) == [
        "a message",
        "fetch_openai          running  2 s  window 2 of 3, 2026-...",
        "日本日本日本日本日本  running  2 s  window 1 of 3",
        "0 of 3 done, 2 running, 1 to do, 2 s",
    ]


@pytest.mark.parametrize(
    ("detail", "width", "lines"),
    [
        pytest.param("x" * 20, 20, ["a  running  0 s ...", "b  running  0 s"], id="once"),
        pytest.param("xxx", 20, ["a  running  0 s ...", "b  running  0 s"], id="not-when-it-just-fits"),
        pytest.param("x" * 40, 12, ["a  runni...", "b  runni..."], id="thrice"),
        pytest.param("日" * 9 + "x", 18, ["a  running  0 ...", "b  running  0 s"], id="wide-letters-stay-whole"),
    ],
)
def test_each_way_to_wrap_is_counted(watch, detail, width, lines):
    """A line too few would leave a rest, one too many take the message; what did not change is there again."""
    watched = watch(width=40, environ={"TERM": "xterm"})
    watched.progress.above("a message")
    watched.progress.started("a", detail)
    watched.progress.started("b")
    watched.after(0)
    watched.terminal.resize(width, 24)
    assert watched.after(0.125) == ["a message", *lines]


def test_a_window_made_lower_shows_the_block_once(watch):
    """What scrolled out of reach is out of sight, too."""
    watched = watch(height=24, total=12)
    for number in range(10, 20):
        watched.progress.started(f"t{number}")
    watched.after(0)
    watched.terminal.resize(80, 6)
    watched.after(0.1)
    assert watched.terminal.screen.seen() == [
        "t10  running  0 s",
        "t11  running  0 s",
        "t12  running  0 s",
        "... and 7 more",
        "0 of 12 done, 10 running, 2 to do, 0 s",
        "",
    ]


@pytest.mark.parametrize("last", ["", "a message" * 11])
def test_a_block_that_fills_the_terminal_goes_without_a_trace(watch, last):
    """It begins in the first row; erased from there in one go, tmux would keep it in its history."""
    watched = watch(height=5, total=9)
    for name in "abcd":
        watched.progress.started(name)
    watched.after(0)
    if last:
        watched.progress.above(last)
    watched.progress.close()
    assert "".join(watched.terminal.screen.lines()) == last


def test_a_signal_in_the_middle_of_a_drawing_leaves_no_mess(watch, monkeypatch):
    """It raises where we write; the end then knows what stands on the screen, and prints nothing twice."""
    watched = watch(total=2)
    watched.progress.started("report")
    watched.progress.ended("fetch", "success")
    with monkeypatch.context() as patch:
        patch.setattr(Terminal, "flush", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            watched.after(0)
    watched.progress.close()
    assert watched.terminal.screen.lines() == ["fetch   success"]


@posix
def test_a_real_terminal_is_found_and_measured():
    """Through a pseudo-terminal: its size, and its size after the window changed."""
    import fcntl
    import pty
    import struct
    import termios

    master, slave = pty.openpty()
    screen, clock = Screen(40, 10), Hand()
    with open(slave, "w", encoding="utf-8") as stream:
        progress = Progress(stream, clock=clock, environ={"TERM": "xterm", "NO_COLOR": "1"})
        progress.begin(1)
        progress.started("report", "日本" * 20)
        for width, line in (
            (0, f"report  running  1 s  {'日本' * 13}日..."),  # one that does not know is taken for a usual one
            (40, "report  running  2 s  日本日本日本日..."),
            (30, "report  running  3 s  日本..."),
        ):
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 10, width, 0, 0))
            screen.resize(width or 80, 10)
            clock.time += 1
            progress.tick()
            sent = b""
            while not sent.endswith(b"\x1b[J"):  # the kernel may hand it on in pieces
                sent += os.read(master, 9999)
            screen.feed(sent.decode())
            assert screen.lines() == [line]
    os.close(master)


# Where nobody watches


def silent(stream, environ, **options):
    """Everything that can be told, told to `stream`."""
    clock = Hand()
    progress = Progress(stream, clock=clock, environ=environ, **options)
    progress.begin(3)
    progress.started("report")
    progress.waiting("report", 3, "HTTP 503")
    progress.tick()
    progress.ended("report", "failed", "HTTP 503", 3.0)
    clock.time += 1
    progress.tick()
    progress.above("warning: \x1b[2J\n")
    progress.close()


class Editor(Terminal):
    """Says that it is a terminal, and is a window of an editor: IDLE's."""

    def fileno(self):
        raise io.UnsupportedOperation


@pytest.mark.parametrize(
    ("stream", "environ", "options"),
    [
        pytest.param(io.StringIO, {"TERM": "xterm"}, {}, id="pipe"),
        pytest.param(Terminal, {"TERM": "dumb"}, {}, id="dumb"),
        pytest.param(Terminal, {"TERM": ""}, {}, id="TERM-empty"),
        pytest.param(Terminal, {}, {}, id="TERM-unset", marks=posix),
        pytest.param(Editor, {"TERM": "xterm"}, {}, id="editor"),
        pytest.param(Terminal, {"TERM": "xterm"}, {"is_live": False}, id="not-wanted"),
    ],
)
def test_where_nobody_watches_only_messages_are_printed(stream, environ, options):
    """cron would mail the rest: one plain line for each message, and no code that steers."""
    made = stream()
    silent(made, environ, **options)
    sent = "".join(made.sent) if isinstance(made, Terminal) else made.getvalue()
    assert sent == "warning: \\x1b[2J\n"


class Broken(Terminal):
    """The window was closed."""

    tries = 0

    def write(self, text):
        self.tries += 1
        raise OSError(5, "Input/output error")


@pytest.mark.parametrize("is_live", [None, True, False])
@pytest.mark.parametrize("kind", ["none", "closed", "broken"])
def test_a_stream_that_is_gone_is_nobodys_error(kind, is_live):
    """The run goes on, whether the stream never was, is closed, or breaks."""
    with open(os.devnull, "w") as closed:
        pass
    stream = {"none": None, "closed": closed, "broken": Broken()}[kind]
    silent(stream, {"TERM": "xterm"}, is_live=is_live)


@posix
def test_a_window_that_is_gone_is_not_drawn_on_again():
    """One failure is enough to know; only messages are still tried."""
    stream, clock = Broken(), Hand()
    progress = Progress(stream, clock=clock, environ={"TERM": "xterm"})
    for number in range(5):
        progress.started(f"t{number}")
        progress.ended(f"t{number}", "success")
        clock.time += 1
        progress.tick()
    assert stream.tries == 1
    progress.above("a message")
    assert stream.tries == 2
