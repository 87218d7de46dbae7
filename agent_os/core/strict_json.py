"""JSON as money needs it: exact numbers, one meaning a document, and a cut text told apart from a wrong one."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any

from .errors import PermanentError, TransientError

Json = Any  # what JSON is: None, bool, int, Decimal, str, list, dict

_LONGEST_INTEGER = 25
_LONGEST_NUMBER = 60
_LARGEST_EXPONENT = 25
# An escape that may stand for NUL or for half a character; rare enough to look closer only when one is there.
_SUSPECT_ESCAPE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
# What a document cut inside a number or a literal leaves unread.
_CUT_TOKEN = re.compile(r"(?:-|\.|(?:\.[0-9]+)?[eE][+-]?|t|tr|tru|f|fa|fal|fals|n|nu|nul)?\s*")
_CUT_ESCAPE = re.compile(r"\\?u?[0-9a-fA-F]{0,4}(?:\\u?[0-9a-fA-F]{0,3})?")


class _RefusedError(ValueError):
    """Raised inside the scanner; its text completes "the answer is not acceptable JSON: ..."."""


def parse(body: bytes) -> Json:
    """The value of a JSON document: integers as int, all other numbers as Decimal, exact to the last digit.

    Raises PermanentError for what is not JSON or not safe to read (NaN, a name that stands twice, half a character, a
    number beyond reason), TransientError when the text is right as far as it goes and simply ends too early.
    """
    text = _decode(body)
    try:
        value = _DECODER.decode(text)
        if _SUSPECT_ESCAPE.search(body):
            _check_strings(value)
    except json.JSONDecodeError as error:
        raise _explain(error, text) from error
    except _RefusedError as error:
        raise PermanentError(f"the answer is not acceptable JSON: {error}") from error
    except RecursionError as error:
        raise PermanentError("the answer is not acceptable JSON: it is nested too deeply") from error
    return value


def _decode(body: bytes) -> str:
    if body.startswith(b"\xef\xbb\xbf"):
        raise PermanentError("the answer is not JSON: it begins with a byte order mark")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            raise TransientError(f"the answer ends too early, after {len(body)} bytes, inside a character") from error
        raise PermanentError(f"the answer is not JSON: byte {error.start} is not UTF-8") from error


def _explain(error: json.JSONDecodeError, text: str) -> Exception:
    """The error for a text the scanner gave up on: cut, another format, or wrong."""
    start = text.lstrip()[:1]
    if start == "<":
        return PermanentError("an HTML page came instead of JSON", hint="is a proxy or a sign-in page in between?")
    if not start:
        return TransientError("the answer ends too early: it is empty")
    if _is_cut(error, text):
        return TransientError(f"the answer ends too early, after {len(text)} characters")
    return PermanentError(f"the answer is not JSON: {error.msg} at character {error.pos}")


def _is_cut(error: json.JSONDecodeError, text: str) -> bool:
    """Did the scanner stop because nothing more came? Then some continuation would have been right."""
    if error.msg.startswith("Extra data"):
        return False
    if error.msg.startswith("Unterminated string"):
        return True
    if "escape" in error.msg:
        return _CUT_ESCAPE.fullmatch(text, error.pos) is not None
    return _CUT_TOKEN.fullmatch(text, error.pos) is not None


def _read_object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]  # add() is the "no" of the search
        raise _RefusedError(f"the name {ascii(twice)[:60]} stands twice in one object")
    return members


def _read_integer(literal: str) -> int:
    if len(literal.lstrip("-")) > _LONGEST_INTEGER:
        raise _RefusedError(f"a number has more than {_LONGEST_INTEGER} digits")
    return int(literal)


def _read_decimal(literal: str) -> Decimal:
    """Exact. Its size is bounded here, since turning 1e1000000 into an int takes minutes."""
    if len(literal) > _LONGEST_NUMBER:
        raise _RefusedError(f"a number is written with more than {_LONGEST_NUMBER} characters")
    try:
        number = Decimal(literal)
    except InvalidOperation as error:
        raise _RefusedError("a number is out of all range") from error
    if number.adjusted() > _LARGEST_EXPONENT:  # a tiny one is harmless: 0E-6176 is how a 128-bit decimal writes zero
        raise _RefusedError("a number is out of all range")
    return number


def _refuse_constant(name: str) -> Json:
    raise _RefusedError(f"{name} is not a number")


def _check_strings(value: Json) -> None:
    """Refuse NUL and half characters, in names as in values. Not recursive: the depth is the document's."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            _check_string(item)
        elif isinstance(item, dict):
            waiting.extend(item)
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)


def _check_string(text: str) -> None:
    if "\0" in text:
        raise _RefusedError("a string has a NUL character in it")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise _RefusedError("a string has half a character in it (a lone surrogate)") from error


# One decoder for all: building it anew costs more than a small document does. The scanner stays the one written in C.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_read_object,
    parse_float=_read_decimal,
    parse_int=_read_integer,
    parse_constant=_refuse_constant,
)
