"""What is read from a provider's JSON, what is refused, and what merely came in half."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_os.core.errors import PermanentError, TransientError
from agent_os.core.strict_json import parse


def test_a_tiny_number_and_an_odd_zero_are_numbers():
    """A 128-bit decimal writes zero as 0E-6176; what is too small to matter is exact all the same."""
    assert parse(b"[0E-6176, 1e-61]") == [0, Decimal("1e-61")]


def test_numbers_are_exact():
    """Integers are int, all others Decimal with every digit that was written."""
    value = parse(b'{"tokens": 9007199254740993, "amount": 0.1000, "tiny": 1.5e-7}')
    assert value == {"tokens": 9007199254740993, "amount": Decimal("0.1000"), "tiny": Decimal("1.5E-7")}
    assert str(value["amount"]) == "0.1000"
    assert type(value["tokens"]) is int


def test_text_beyond_ascii_arrives_whole():
    """Escaped pairs and plain UTF-8 mean the same character; an escaped backslash before 'ud800' is just text."""
    body = b'["\\ud83d\\ude00", "\xf0\x9f\x98\x80", "\\\\ud800", "\\\\u0000"]'
    assert parse(body) == ["😀", "😀", "\\ud800", "\\u0000"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(b'{"a": NaN}', "NaN is not a number", id="NaN"),
        pytest.param(b'{"a": Infinity}', "Infinity is not a number", id="Infinity"),
        pytest.param(b'{"a": -Infinity}', "-Infinity is not a number", id="-Infinity"),
        pytest.param(b'{"a": 1e1000000}', "out of all range", id="exponent that takes minutes"),
        pytest.param(b'{"a": 1e999}', "out of all range", id="exponent that floats call inf"),
        pytest.param(b'{"a": -1e26}', "out of all range", id="26 places"),
        pytest.param(b'{"a": 0e1000000}', "out of all range", id="zero with an exponent"),
        pytest.param(b'{"a": 1e99999999999999999999}', "out of all range", id="exponent beyond Decimal"),
        pytest.param(b'{"a": ' + b"9" * 26 + b"}", "more than 25 digits", id="26 digits"),
        pytest.param(b'{"a": ' + b"9" * 5000 + b"}", "more than 25 digits", id="5,000 digits"),
        pytest.param(b'{"a": 0.' + b"1" * 59 + b"}", "more than 60 characters", id="61 characters"),
        pytest.param(b'{"a": 1, "b": 2, "a": 1}', "the name 'a' stands twice", id="duplicate name"),
        pytest.param(b'[{"x": {"\\u00e9": 1, "\xc3\xa9": 2}}]', "stands twice", id="duplicate, written differently"),
        pytest.param(b'{"a": "\\ud800"}', "half a character", id="lone high surrogate"),
        pytest.param(b'{"a": "x\\uDFFFy"}', "half a character", id="lone low surrogate"),
        pytest.param(b'{"a": "\\ude00\\ud83d"}', "half a character", id="pair the wrong way round"),
        pytest.param(b'{"\\ud800": 1}', "half a character", id="surrogate in a name"),
        pytest.param(b'[["a\\u0000b"]]', "NUL", id="escaped NUL"),
        pytest.param(b'["a\x00b"]', "not JSON", id="raw NUL"),
        pytest.param(b'["a\nb"]', "not JSON", id="raw line end in a string"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, "nested too deeply", id="depth of 100,000"),
        pytest.param(b'{"a":' * 100_000, "nested too deeply", id="depth of objects"),
        pytest.param(b"\xef\xbb\xbf{}", "byte order mark", id="BOM"),
        pytest.param('{"a": 1}'.encode("utf-16"), "not UTF-8", id="UTF-16 with BOM"),
        pytest.param('{"a": 1}'.encode("utf-16-le"), "not JSON", id="UTF-16 without BOM"),
        pytest.param(b'{"a": "\xe9"}', "byte 7 is not UTF-8", id="latin-1"),
        pytest.param(b'{"a": "\xed\xa0\x80"}', "not UTF-8", id="surrogate as bytes"),
        pytest.param(b'{"a": 1} x', "not JSON", id="text after the end"),
        pytest.param(b'{"a": 1} t', "not JSON", id="after the end, what looks like a cut literal"),
        pytest.param(b'{"a": 1}{"a": 1}', "not JSON", id="two documents"),
        pytest.param(b"{'a': 1}", "not JSON", id="single quotes"),
        pytest.param(b'{"a": 1,}', "not JSON", id="trailing comma"),
        pytest.param(b'{"a": 12,50}', "not JSON", id="decimal comma"),
        pytest.param(b'{"a": 01}', "not JSON", id="leading zero"),
        pytest.param(b'{"a": +1}', "not JSON", id="plus"),
        pytest.param(b'{"a": tru}', "not JSON", id="wrong literal"),
        pytest.param(b'{"a": "\\x"}', "not JSON", id="wrong escape"),
        pytest.param(b'{"a": "\\u12G4"}', "not JSON", id="wrong hex"),
        pytest.param(b"Bad Gateway", "not JSON", id="plain text"),
        pytest.param(b"\n <!DOCTYPE html><p>Sign in", "an HTML page came instead of JSON", id="HTML"),
    ],
)
def test_what_is_not_acceptable_is_refused_for_good(body, reason):
    """Doubtful data never becomes a figure; the sentence says what was wrong."""
    with pytest.raises(PermanentError, match=reason):
        parse(body)


def test_the_limits_themselves_are_allowed():
    """25 digits, 60 characters and either end of the range are still numbers."""
    body = b"[" + b"9" * 25 + b", -" + b"9" * 25 + b", 0." + b"1" * 58 + b", 1e25, 1e-60, -0.0]"
    assert len(parse(body)) == 6


def test_no_content_is_quoted_in_an_error():
    """A sentence about a bad document does not repeat the document."""
    with pytest.raises(PermanentError) as caught:
        parse(b'{"key": "sk-admin-secret" "x"}')
    assert "sk-admin" not in caught.value.message


def test_a_duplicate_name_is_shown_harmless_and_short():
    """A name is a stranger's text: escaped and cut."""
    with pytest.raises(PermanentError) as caught:
        parse(b'{"\\u001b[31m' + b"x" * 500 + b'": 1, "\\u001b[31m' + b"x" * 500 + b'": 2}')
    assert "\x1b" not in caught.value.message
    assert len(caught.value.message) < 160


ALL_FORMS = (
    b'{"data": [{"amount": -12.5e-3, "n": 120, "on": true, "off": false, "none": null, "E": 1E+5},'
    b' {"s": "a\\n\\u00e9\\ud83d\\ude00 \xc3\xa9 \xf0\x9f\x98\x80", "e": [], "o": {}}],\r\n "last": ""}'
)


@pytest.mark.parametrize("length", range(len(ALL_FORMS)))
def test_every_beginning_of_a_document_only_ends_too_early(length):
    """Cut anywhere, the text is not wrong: asking again may bring the rest."""
    with pytest.raises(TransientError, match="ends too early"):
        parse(ALL_FORMS[:length])


def test_the_whole_document_is_read():
    assert parse(ALL_FORMS)["data"][1]["s"] == "a\né😀 é 😀"


texts = st.text(st.characters(min_codepoint=1, blacklist_categories=["Cs"]))
documents = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**24), 10**24) | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=12,
)


@given(documents, st.booleans())
def test_what_json_writes_is_read_back(value, escaped):
    """For every document without floats: the same value as went in, escaped or as UTF-8."""
    assert parse(json.dumps(value, ensure_ascii=escaped).encode("utf-8")) == value


@given(st.lists(documents, min_size=1), st.data())
def test_cut_is_told_from_wrong_for_any_document(value, data):
    """Any proper beginning of any list is an early end, never a final refusal."""
    body = json.dumps(value).encode("utf-8")
    length = data.draw(st.integers(0, len(body) - 1))
    with pytest.raises(TransientError):
        parse(body[:length])
