"""python-dotenv as the judge of our `.env` grammar: our own cases, and generated text."""

import importlib.metadata
import io
import logging
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_dotenv import CASES, DIFFERENT, ENVIRON

from agent_os.core.dotenv import parse
from agent_os.core.errors import ConfigError

# 1.2.4 changed `A= # c` and `\\` before a closing quote; it needs Python 3.10.
dotenv = pytest.importorskip("dotenv", reason="python-dotenv is not installed")
if tuple(map(int, importlib.metadata.version("python-dotenv").split(".")[:3])) < (1, 2, 4):
    pytest.skip("the judge is python-dotenv 1.2.4 or newer, which needs Python 3.10", allow_module_level=True)

from dotenv.main import resolve_variables  # noqa: E402 - after the question whether it is there
from dotenv.parser import parse_stream  # noqa: E402
from dotenv.variables import Variable, parse_variables  # noqa: E402

EXAMPLES = int(os.environ.get("DOTENV_EXAMPLES", "400"))
seeded = settings(max_examples=EXAMPLES, derandomize=EXAMPLES == 400, deadline=None)


@pytest.fixture(autouse=True, scope="module")
def environment():
    """python-dotenv looks into the real environment: it is ours for as long as we ask."""
    before = dict(os.environ)
    logging.getLogger("dotenv.main").disabled = True
    os.environ.clear()
    os.environ.update(ENVIRON)
    yield
    os.environ.clear()
    os.environ.update(before)


def bindings(text):
    """python-dotenv's reading of a file that holds `text` (a file's CR and CRLF are LF to it)."""
    return list(parse_stream(io.StringIO(text, newline=None)))


def judged(text):
    """(pairs interpolated as load_dotenv does, how many lines are bad)."""
    found = bindings(text)
    pairs = [(binding.key, binding.value) for binding in found if binding.key is not None]
    resolved = []
    for index, (key, value) in enumerate(pairs):
        resolved.append((key, resolve_variables(pairs[: index + 1], override=False)[key]))
        assert value is not None or resolved[-1][1] is None
    return resolved, sum(binding.error for binding in found)


def has_undefined(text):
    """Whether a value refers to what neither the environment nor a key above sets, without a default."""
    known = set(ENVIRON)
    for binding in bindings(text):
        for atom in parse_variables(binding.value or ""):
            if isinstance(atom, Variable) and atom.default is None and atom.name not in known:
                return True
        if binding.key is not None:
            known.add(binding.key)
    return False


@pytest.mark.parametrize(("text", "pairs", "bad_lines"), CASES)
def test_python_dotenv_reads_our_cases_as_we_say(text, pairs, bad_lines):
    """The expected values of our table are python-dotenv's."""
    assert judged(text) == (pairs, len(bad_lines))


@pytest.mark.parametrize(("text", "ours", "theirs"), DIFFERENT)
def test_the_differences_are_the_ones_written_down(text, ours, theirs):
    """If python-dotenv changes its mind, so may we."""
    assert judged(text)[0] == theirs


PIECES = [
    *(
        "A",
        "B",
        "key",
        "export ",
        "export",
        "=",
        "= ",
        " = ",
        "'",
        '"',
        "\\",
        "\\n",
        "\\'",
        '\\"',
        "\\\\",
        "#",
        " #",
        "# ",
    ),
    *(
        "\n",
        "\r",
        "\r\n",
        "\t",
        " ",
        "\x0b",
        "\x0c",
        "\x1c",
        "\x85",
        "\u00a0",
        "\u2028",
        "\u3000",
        "\ufeff",
        "ø",
        "1",
        "-",
    ),
    *("${", "}", "$", ":", ":-", "${A}", "${B:-d}", "${HOME_OF}", "${BOTH}", "${NO:-}", "${NO}", "A=1\n", "B='x y'\n"),
    *('A="', '"\n', "'\n", "a", "n", "\x00", "\ud800", "{", "`", ".", "\\\n"),
]
texts = st.one_of(st.lists(st.sampled_from(PIECES), max_size=30).map("".join), st.text(max_size=40))


@seeded
@given(texts.filter(lambda text: "${" not in text))
def test_any_text_is_read_alike(text):
    """The same pairs in the same order, and as many bad lines."""
    parsed = parse(text, ENVIRON)
    assert (parsed.pairs, len(parsed.bad_lines)) == judged(text)


@seeded
@given(texts.map(lambda text: text.replace("'", "")))
def test_any_reference_is_resolved_alike(text):
    """Outside single quotes: the same values, or our error exactly where python-dotenv would have put nothing."""
    try:
        parsed = parse(text, ENVIRON)
    except ConfigError:
        assert has_undefined(text)
    else:
        assert not has_undefined(text)
        assert (parsed.pairs, len(parsed.bad_lines)) == judged(text)
