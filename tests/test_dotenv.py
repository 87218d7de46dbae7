"""The `.env` grammar, case by case. `test_dotenv_oracle.py` asks python-dotenv about the same cases and many more."""

import os
import time

import pytest

from agent_os.core.dotenv import parse, read
from agent_os.core.errors import ConfigError

ENVIRON = {"HOME_OF": "/srv", "EMPTY": "", "BOTH": "environment"}

# (text, pairs, lines that are no assignment)
CASES = [
    pytest.param("", [], [], id="nothing"),
    pytest.param("A=1", [("A", "1")], [], id="no-newline-at-the-end"),
    pytest.param("A=1\nB=2\n", [("A", "1"), ("B", "2")], [], id="LF"),
    pytest.param("A=1\r\nB=2\r\n", [("A", "1"), ("B", "2")], [], id="CRLF"),
    pytest.param("A=1\rB=2\r", [("A", "1"), ("B", "2")], [], id="CR"),
    pytest.param("\n\n  A=1\n\t\nB=2", [("A", "1"), ("B", "2")], [], id="blank-lines-and-indents"),
    pytest.param("\ufeffA=1", [("A", "1")], [], id="byte-order-mark"),
    pytest.param("\ufeff\ufeffA=1", [("\ufeffA", "1")], [], id="only-one-byte-order-mark"),
    pytest.param("A = 1", [("A", "1")], [], id="spaces-around-equals"),
    pytest.param("A\u00a0=\u30001", [("A", "1")], [], id="unicode-spaces-around-equals"),
    pytest.param("A=1 2  ", [("A", "1 2")], [], id="inner-space-stays-outer-goes"),
    pytest.param("A=", [("A", "")], [], id="empty"),
    pytest.param("A=\nB=1", [("A", ""), ("B", "1")], [], id="empty-then-another"),
    pytest.param("A", [("A", None)], [], id="no-equals"),
    pytest.param("A\nB=1", [("A", None), ("B", "1")], [], id="no-equals-then-another"),
    pytest.param("A # why", [("A", None)], [], id="no-equals-and-a-comment"),
    pytest.param("A==", [("A", "=")], [], id="equals-in-the-value"),
    pytest.param("A=1\nA=2", [("A", "1"), ("A", "2")], [], id="twice-in-order"),
    pytest.param("# A=1\n  # B=2", [], [], id="comments"),
    pytest.param("A=1 # why", [("A", "1")], [], id="comment-after-a-value"),
    pytest.param("A=1\u2003# why", [("A", "1")], [], id="comment-after-an-unicode-space"),
    pytest.param("A=1#2", [("A", "1#2")], [], id="hash-inside-a-value"),
    pytest.param("A=1#2 # why # how", [("A", "1#2")], [], id="first-hash-after-a-space"),
    pytest.param("A=#1", [("A", "#1")], [], id="hash-first"),
    pytest.param("A= # why", [("A", "")], [], id="only-a-comment"),
    pytest.param("A= #1 #2", [("A", "")], [], id="only-a-comment-with-hashes"),
    pytest.param("A= ", [("A", "")], [], id="only-a-space"),
    pytest.param("export A=1", [("A", "1")], [], id="export"),
    pytest.param("export\tA = 1", [("A", "1")], [], id="export-and-a-tab"),
    pytest.param("export=1", [("export", "1")], [], id="a-key-named-export"),
    pytest.param("export", [("export", None)], [], id="export-alone"),
    pytest.param("exported=1", [("exported", "1")], [], id="a-key-that-begins-with-export"),
    pytest.param("export =1", [], [1], id="export-of-nothing"),
    pytest.param("export # why", [], [], id="export-of-a-comment"),
    pytest.param("export \nA=1", [("A", "1")], [1], id="export-and-a-newline"),
    pytest.param("'A b'=1", [("A b", "1")], [], id="quoted-key"),
    pytest.param("'A'\t= 1", [("A", "1")], [], id="quoted-key-and-a-tab"),
    pytest.param("''=1", [], [1], id="empty-quoted-key"),
    pytest.param("'A=1", [], [1], id="unclosed-key"),
    pytest.param('"A"=1', [('"A"', "1")], [], id="double-quotes-are-part-of-a-key"),
    pytest.param("a.b-c=1", [("a.b-c", "1")], [], id="dots-and-dashes-in-a-key"),
    pytest.param("Ø=å", [("Ø", "å")], [], id="letters-of-people"),
    pytest.param("=1\nA=2", [("A", "2")], [1], id="no-key"),
    pytest.param("A b=1\nC=2", [("C", "2")], [1], id="space-in-a-key"),
    pytest.param("A='1'", [("A", "1")], [], id="single-quotes"),
    pytest.param("A= '1' # why", [("A", "1")], [], id="single-quotes-and-a-comment"),
    pytest.param("A='1'# why", [("A", "1")], [], id="comment-right-after-the-quote"),
    pytest.param("A=' # '", [("A", " # ")], [], id="hash-in-quotes"),
    pytest.param(r"A='\\ \' \n'", [("A", r"\ ' \n")], [], id="single-quotes-know-two-escapes"),
    pytest.param(r"""A='a\'b"c'""", [("A", "a'b\"c")], [], id="other-quote-inside"),
    pytest.param('A="1"', [("A", "1")], [], id="double-quotes"),
    pytest.param(r'A="\n\t\r\a\b\f\v\\\"\'"', [("A", "\n\t\r\a\b\f\v\\\"'")], [], id="double-quotes-know-ten"),
    pytest.param(r'A="\d\u0041\x41\101"', [("A", r"\d\u0041\x41\101")], [], id="no-other-escapes"),
    pytest.param('A="1\n2"\nB=3', [("A", "1\n2"), ("B", "3")], [], id="double-quotes-over-lines"),
    pytest.param("A='1\r\n2'\r\nB=3", [("A", "1\n2"), ("B", "3")], [], id="single-quotes-over-CRLF-lines"),
    pytest.param('A="1\\\n2"', [("A", "1\\\n2")], [], id="no-line-continuation"),
    pytest.param("A=\"\"\nB=''", [("A", ""), ("B", "")], [], id="empty-quotes"),
    pytest.param(r'A="\\"', [("A", "\\")], [], id="escaped-backslash-before-the-quote"),
    pytest.param('A="1" 2\nB=3', [("B", "3")], [1], id="text-after-the-quote"),
    pytest.param('A="1\n2" 3\nB=4', [("B", "4")], [1], id="text-after-a-quote-over-lines"),
    pytest.param('A="1\nB=2', [("B", "2")], [1], id="unclosed-quote"),
    pytest.param("A='1\\'\nB=2", [("B", "2")], [1], id="unclosed-by-an-escape"),
    pytest.param('A="1\\', [], [1], id="a-backslash-at-the-end-of-a-quote"),
    pytest.param("A=1\\\nB=2", [("A", "1\\"), ("B", "2")], [], id="a-backslash-at-the-end-of-a-line"),
    pytest.param("A=a'b'c\"d", [("A", "a'b'c\"d")], [], id="quotes-inside-an-unquoted-value"),
    pytest.param("A=`1`", [("A", "`1`")], [], id="backticks-are-text"),
    pytest.param("A=1\n\n!\n\n=2\nB", [("A", "1"), ("!", None), ("B", None)], [5], id="a-bad-line-is-counted-right"),
    pytest.param("A: 1", [], [1], id="yaml"),
    pytest.param("[section]\nA=1", [("[section]", None), ("A", "1")], [], id="ini"),
    pytest.param("A=\x0b1\x0c", [("A", "1")], [], id="vertical-tab-and-form-feed"),
    pytest.param("A=1\u2028B=2", [("A", "1\u2028B=2")], [], id="a-line-separator-ends-no-line"),
    pytest.param("A=$HOME_OF", [("A", "$HOME_OF")], [], id="a-dollar-alone"),
    pytest.param("A=${HOME_OF}/x", [("A", "/srv/x")], [], id="from-the-environment"),
    pytest.param('A="${HOME_OF}"', [("A", "/srv")], [], id="in-double-quotes"),
    pytest.param("B=1\nA=${B}${B}", [("B", "1"), ("A", "11")], [], id="from-above"),
    pytest.param("B=1\nB=2\nA=${B}", [("B", "1"), ("B", "2"), ("A", "2")], [], id="the-last-above"),
    pytest.param("BOTH=file\nA=${BOTH}", [("BOTH", "file"), ("A", "environment")], [], id="the-environment-wins"),
    pytest.param("B\nA=${B}", [("B", None), ("A", "")], [], id="a-key-without-value-is-nothing"),
    pytest.param("A=${NO:-d}", [("A", "d")], [], id="default"),
    pytest.param("A=${NO:-}", [("A", "")], [], id="empty-default"),
    pytest.param("A=${NO:-a:-b}", [("A", "a:-b")], [], id="default-with-its-own-mark"),
    pytest.param("A=${EMPTY:-d}", [("A", "")], [], id="empty-is-set"),
    pytest.param("A=${NO:-${HOME_OF}}", [("A", "${HOME_OF}")], [], id="no-reference-in-a-default"),
    pytest.param("A=${NO:x}", [("A", "${NO:x}")], [], id="other-forms-are-text"),
    pytest.param("A=${NO:${HOME_OF}}", [("A", "${NO:/srv}")], [], id="a-reference-inside-another-form"),
    pytest.param("A=${HOME_OF", [("A", "${HOME_OF")], [], id="unclosed-reference"),
    pytest.param("A=1\nB=${A}2\nC=${B}3", [("A", "1"), ("B", "12"), ("C", "123")], [], id="a-chain"),
    pytest.param(r'B="${A:-\\}"', [("B", "\\")], [], id="escapes-first-then-references"),
    pytest.param("A=$${HOME_OF}", [("A", "$/srv")], [], id="two-dollars"),
]

# Where we differ, on purpose: (text, ours, python-dotenv's).
DIFFERENT = [
    pytest.param("A='${HOME_OF}'", [("A", "${HOME_OF}")], [("A", "/srv")], id="single-quotes"),
    pytest.param("A='pa${ss}word'", [("A", "pa${ss}word")], [("A", "paword")], id="a-password"),
]


@pytest.mark.parametrize(("text", "pairs", "bad_lines"), CASES)
def test_a_settings_text_means_what_python_dotenv_reads(text, pairs, bad_lines):
    """Pairs in order, interpolated; the lines that are no assignment by number, the others unharmed."""
    parsed = parse(text, ENVIRON)
    assert parsed.pairs == pairs
    assert parsed.bad_lines == bad_lines


@pytest.mark.parametrize(("text", "pairs", "theirs"), DIFFERENT)
def test_nothing_is_interpolated_in_single_quotes(text, pairs, theirs):
    """A password with `${` in it can be written down."""
    assert parse(text, ENVIRON).pairs == pairs


@pytest.mark.parametrize(
    "text",
    ["A=1\n\nKEY=s3cr${NAME}et", 'A=1\n\nKEY="s3cr${NAME}et"', "A=1\n\nKEY=s3cr${NAME}et\nNAME=1", "\n\nKEY=s3cr${}et"],
    ids=["unquoted", "quoted", "set-only-below", "no-name"],
)
def test_an_undefined_reference_is_an_error_that_names_line_and_key(text):
    """Half a key would be sent otherwise. The name in the braces may be a piece of a password: it is not shown."""
    with pytest.raises(ConfigError) as caught:
        parse(text, ENVIRON)
    assert caught.value.message == "line 3: KEY refers to a variable (${...}) that is not set"
    assert "NAME" not in caught.value.message
    assert "s3cr" not in caught.value.message
    assert "single quotes" in caught.value.hint


def test_a_missing_file_holds_nothing(tmp_path):
    """No `.env` is no mistake."""
    parsed = read(str(tmp_path / ".env"), {})
    assert (parsed.pairs, parsed.bad_lines) == ([], [])


def test_a_file_is_read_as_utf8_with_or_without_a_mark(tmp_path):
    """An editor on Windows puts a mark and CRLF."""
    path = tmp_path / ".env"
    path.write_bytes("\ufeffA=å\r\nB=${A}\r\n=\r\n".encode())
    parsed = read(str(path), {})
    assert parsed.pairs == [("A", "å"), ("B", "å")]
    assert parsed.bad_lines == [3]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf16_is_named_and_the_way_out_told(tmp_path, encoding):
    """Notepad once saved so."""
    path = tmp_path / ".env"
    path.write_bytes("OPENAI_API_KEY=sk-secret".encode(encoding))
    with pytest.raises(ConfigError) as caught:
        read(str(path), {})
    assert caught.value.message == f"{path} is not plain text in UTF-8 (perhaps UTF-16)"
    assert caught.value.hint == "save as UTF-8"


def test_a_NUL_is_refused(tmp_path):  # noqa: N802 - its name
    """No setting holds one; a damaged file does."""
    (tmp_path / ".env").write_bytes(b"A=1\0\n")
    with pytest.raises(ConfigError, match="is not plain text in UTF-8"):
        read(str(tmp_path / ".env"), {})


@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_what_is_not_utf8_is_named_by_line_alone(tmp_path, newline):
    """File and line, no byte of the value, not even in the cause."""
    path = tmp_path / ".env"
    path.write_bytes(newline.join([b"A=1", b"", b"PASSWORD=p\xe9ss"]))
    with pytest.raises(ConfigError) as caught:
        read(str(path), {})
    assert caught.value.message == f"{path}, line 3: not UTF-8"
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_an_undefined_reference_in_a_file_is_named_with_the_file(tmp_path):
    """The sentence begins with the path."""
    path = tmp_path / ".env"
    path.write_text("A=${NO}")
    with pytest.raises(ConfigError) as caught:
        read(str(path), {})
    assert caught.value.message == f"{path}, line 1: A refers to a variable (${{...}}) that is not set"


@pytest.mark.skipif(os.name == "nt", reason="POSIX FIFOs and links")
def test_a_file_that_is_not_plain_is_refused_without_waiting(tmp_path):
    """A FIFO would hang the run, a link may be another's."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "real").write_text("A=1")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with pytest.raises(ConfigError, match=r"the settings file .*fifo is a FIFO"):
        read(str(tmp_path / "fifo"), {})
    with pytest.raises(ConfigError, match=r"the settings file .*link is a symbolic link"):
        read(str(tmp_path / "link"), {})


def test_a_huge_file_is_refused(tmp_path):
    """Something else was put there by mistake."""
    (tmp_path / ".env").write_bytes(b"A=1\n" * 250_001)
    with pytest.raises(ConfigError, match="larger than a megabyte"):
        read(str(tmp_path / ".env"), {})


@pytest.mark.parametrize(
    "text",
    ["=\n" * 100_000, "A='\\\n" * 50_000, 'A="' + "\\n" * 100_000 + '"', "A=" + "#" * 200_000, "A= #" + " #" * 100_000],
    ids=["bad-lines", "unclosed", "escapes", "hashes", "spaced-hashes"],
)
def test_an_odd_file_is_read_in_no_time(text):
    """The time grows with the file, not with its square."""
    begun = time.perf_counter()
    parse(text, {})
    assert time.perf_counter() - begun < 2
