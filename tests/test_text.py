"""Text for people: nothing a name holds may steer a terminal or a spreadsheet, and columns line up."""

import sys
from os import terminal_size

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_os.commands import emit_table, emit_text
from agent_os.core.text import columns, cut, nearest, plural, safe, span, table, thousands, wrapped

UNSAFE = [
    *range(0x20),
    *range(0x7F, 0xA0),
    *(0x061C, 0x200E, 0x200F, 0x2028, 0x2029),
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
]


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        pytest.param("plain", "plain", id="plain"),
        pytest.param("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m", id="escape-sequence"),
        pytest.param("a\tb\nc\rd", "a\\x09b\\x0ac\\x0dd", id="tab-and-newlines"),
        pytest.param("\x9b31m", "\\x9b31m", id="C1-escape"),
        pytest.param("\x7f\x00", "\\x7f\\x00", id="DEL-and-NUL"),
        pytest.param("abc\u202etxt.exe", "abc\\u202etxt.exe", id="right-to-left-override"),
        pytest.param("a\u2028b\u2029c", "a\\u2028b\\u2029c", id="line-and-paragraph-separator"),
        pytest.param("\ud800x\udcff", "\\ud800x\\udcff", id="lone-surrogates"),
        pytest.param("æøå 日本 ✓ 👍", "æøå 日本 ✓ 👍", id="letters-of-people-stay"),
        pytest.param("a\u00a0b\u200db", "a\u00a0b\u200db", id="joiners-and-hard-spaces-stay"),
    ],
)
def test_a_name_cannot_steer_the_terminal(raw, shown):
    """Controls are shown, never sent."""
    assert safe(raw) == shown


def test_every_control_is_escaped_and_nothing_else():
    """Over all of Unicode: the listed characters and the surrogates change, the others stay."""
    changed = [code for code in range(sys.maxunicode + 1) if safe(chr(code)) != chr(code)]
    assert changed == sorted([*UNSAFE, *range(0xD800, 0xE000)])


@given(st.text())
def test_safe_text_stays_safe(raw):
    """Done twice is done once."""
    assert safe(safe(raw)) == safe(raw)


def test_columns_line_up():
    """Two spaces between columns, numbers to the right, no blanks at the end of a line."""
    rows = [["openai", "31", "ok"], ["anthropic", "1,204", ""]]
    assert table(["provider", "days", "note"], rows, right=[1]) == (
        "provider    days  note\n"
        "openai        31  ok\n"
        "anthropic  1,204"
    )  # fmt: skip


def test_wide_characters_count_two_columns_and_marks_none():
    """East Asian letters take two columns of a terminal, a combining accent none."""
    rows = [["日本", "1"], ["cafe\u0301", "2"], ["abcdef", "3"]]
    assert table(["name", "n"], rows) == "name    n\n日本    1\ncafe\u0301    2\nabcdef  3"


def test_the_last_cell_goes_on_in_its_column_or_below_its_row():
    """Where there are fewer than 24 columns left for it, below; a line is never wider than asked for."""
    rows = [["r1", "could not reach api.example.com"], ["r2", "ok"]]
    assert table(["run", "error"], rows, width=30) == (
        "run  error\n"
        "r1   could not reach\n"
        "     api.example.com\n"
        "r2   ok"
    )  # fmt: skip
    assert table(["run", "error"], rows, width=20) == (
        "run\n"
        "r1\n"
        "  could not reach\n"
        "  api.example.com\n"
        "r2\n"
        "  ok"
    )  # fmt: skip
    assert table(["run", "error"], [["r1", "日本日本日本日本日本"]], width=12) == "run\nr1\n  日本日本日\n  本日本日本"


def test_a_cell_that_is_very_long_is_cut():
    """After four lines, and ends in three dots."""
    (_, _, *below) = table(["run", "error"], [["r1", "words " * 100]], width=20).split("\n")
    assert below == ["  words words words", "  words words words", "  words words words", "  words words wor..."]


def test_the_widest_columns_give_way_and_names_are_broken_after_underscores():
    """Instants and ids stay whole as long as there is anything else to break."""
    rows = [["2026-11-21T05:00Z", "extract_all_of_it_daily", "one, two and three", ""]]
    assert table(["started", "task", "after", "why"], rows, width=46) == (
        "started            task          after\n"
        "2026-11-21T05:00Z  extract_all_  one, two and\n"
        "                   of_it_daily   three"
    )  # fmt: skip


def test_further_lines_may_have_another_width():
    """Those that are to be indented; no blank comes into a word that is broken twice."""
    assert wrapped("a/long/path/of/it", 8, further=4) == ["a/long/p", "ath/", "of/i", "t"]
    assert wrapped("one two three", 7, further=5) == ["one two", "three"]


def test_a_sentence_is_broken_without_a_blank_in_its_words(monkeypatch, capsys):
    """A path that takes three lines can be put together again; wide characters count two."""
    monkeypatch.setattr("agent_os.commands.terminal_width", lambda: 30)
    emit_text("/a/path/that/takes/more/than/two/lines/of/this/terminal/and/has/no/blank/in/it", indent=4)
    assert "".join(map(str.strip, capsys.readouterr().out.split("\n"))) == (
        "/a/path/that/takes/more/than/two/lines/of/this/terminal/and/has/no/blank/in/it"
    )
    emit_text("日本" * 10)
    assert capsys.readouterr().out == "日本日本日本日本日本日本日本日\n  本日本日本\n"


def test_a_mark_stays_with_its_letter():
    """It takes no column, so the line has room for it."""
    assert wrapped("ae\u0301io", 2) == ["ae\u0301", "io"]


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("", 5, [""]),
        ("one two", 7, ["one two"]),
        ("one two", 6, ["one", "two"]),
        ("unbreakable", 4, ["unbr", "eaka", "ble"]),
        ("a_name_of_it", 7, ["a_name_", "of_it"]),
        ("日本日本", 5, ["日本", "日本"]),
        ("日本", 1, ["日", "本"]),
    ],
)
def test_text_is_broken_where_it_reads_best(text, width, lines):
    """At blanks, else after underscores, else anywhere; nothing of it is lost."""
    assert wrapped(text, width) == lines


def test_cells_are_made_safe():
    """A project named with an escape sequence or a newline stays one harmless cell."""
    assert table(["name"], [["a\x1b[2J\nb"]]) == "name\na\\x1b[2J\\x0ab"


def test_a_table_without_rows_is_its_header():
    """Nothing to show is said by the header alone."""
    assert table(["run", "error"], []) == "run  error"


def test_a_ragged_row_is_refused():
    """A cell too few would shift the others unseen."""
    with pytest.raises(ValueError, match="a row of 1 cells in a table of 2 columns"):
        table(["run", "error"], [["r1"]])


names = st.text(st.characters(min_codepoint=0, max_codepoint=0x3000), max_size=30)


@given(st.lists(st.tuples(names, names), max_size=5), st.integers(45, 80))
def test_no_line_is_wider_than_asked(rows, width):
    """Whatever the cells hold."""
    from unicodedata import category, east_asian_width

    for line in table(["a", "b"], rows, width=width).split("\n"):
        assert sum(0 if category(c) in ("Mn", "Me", "Cf") else 1 + (east_asian_width(c) in "WF") for c in line) <= width


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        pytest.param("abc", 3, id="ascii"),
        pytest.param("æøå", 3, id="letters"),
        pytest.param("日本", 4, id="wide"),
        pytest.param("cafe\u0301", 4, id="accent"),
        pytest.param("a\u200bb\u200dc\ufeff", 3, id="joiners"),
        pytest.param("\u00ad", 1, id="soft-hyphen-is-shown"),
        pytest.param("❤\ufe0f", 2, id="emoji-style-may-widen"),
        pytest.param("👍", 2, id="emoji"),
        pytest.param("\U0001faff", 2, id="emoji-of-a-later-unicode"),
    ],
)
def test_columns_are_never_counted_too_few(shown, expected):
    """A line that is wider than we think wraps; where terminals differ the widest counts."""
    assert columns(shown) == expected


@pytest.mark.parametrize(
    ("width", "expected"),
    [(13, "日本日本日本x"), (12, "日本日本..."), (4, "..."), (3, "..."), (2, ".."), (0, ""), (-1, "")],
)
def test_a_cut_text_fits_however_narrow(width, expected):
    """The dots take room, too, and a wide letter is left out whole."""
    assert cut("日本日本日本x", width) == expected


@pytest.mark.parametrize(
    ("n", "word", "expected"),
    [
        (1, "day", "1 day"),
        (0, "day", "0 days"),
        (3, "day", "3 days"),
        (1200, "retry", "1,200 retries"),
        (2, "batch", "2 batches"),
        (2, "process", "2 processes"),
        (1, "batch", "1 batch"),
        (-1, "day", "-1 day"),
    ],
)
def test_a_count_and_its_word_agree(n, word, expected):
    """One day, three days."""
    assert plural(n, word) == expected


def test_thousands_are_separated_by_commas():
    """As in every other figure that we show."""
    assert [thousands(n) for n in (0, 999, 1000, -1234567)] == ["0", "999", "1,000", "-1,234,567"]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0.0 s"),
        (1.23, "1.2 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 0 s"),
        (200, "3 min 20 s"),
        (3599.7, "1 h 0 min"),
        (7500, "2 h 5 min"),
        (90000, "1 d 1 h"),
        (-3, "0.0 s"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds, expected):
    """Rounding never shows sixty of anything."""
    assert span(seconds) == expected


def test_a_mistyped_word_finds_its_neighbour():
    """`fetch_opneai` was meant to be `fetch_openai`; nonsense was meant to be nothing."""
    choices = ["fetch_openai", "fetch_anthropic", "run_all", "export"]
    assert nearest("fetch_opneai", choices) == "fetch_openai"
    assert nearest("EXPORT", choices) == "export"
    assert nearest("xyzzy", choices) is None
    assert nearest("", []) is None


def test_a_terminal_that_was_never_told_its_width_cuts_nothing(monkeypatch, capfd):
    """Some (of `docker run -t`, of editors) say that they have 0 columns."""
    monkeypatch.setattr("os.get_terminal_size", lambda _: terminal_size((0, 0)))
    emit_table(["a", "what was said"], [["1", "all of it"]])
    assert capfd.readouterr().out == "a  what was said\n1  all of it\n"
