"""The `.env` file: python-dotenv's grammar, by hand, since every run reads it. No message ever holds a value.

Two differences, on purpose: nothing is interpolated in single quotes, and `${X}` that is set nowhere and has no default
is an error instead of nothing.
"""

from __future__ import annotations

import os

from . import files
from .errors import ConfigError, ResourceError, os_failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Optional

_LARGEST = 1_000_000
_SINGLE = {"\\": "\\", "'": "'"}
_DOUBLE = {**_SINGLE, '"': '"', "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class Parsed:
    """What a text held.

    `pairs` in order (None: a key without `=`; of a key given twice the last counts), and `bad_lines`: the numbers, from
    1, of the lines where something began that is no assignment. The other lines hold all the same.
    """

    __slots__ = ("bad_lines", "pairs")

    def __init__(self, pairs: list[tuple[str, Optional[str]]], bad_lines: list[int]) -> None:
        self.pairs = pairs
        self.bad_lines = bad_lines


def parse(text: str, environ: Mapping[str, str]) -> Parsed:
    """The assignments in `text`; CR and CRLF end a line as LF does.

    `${X}` and `${X:-default}` look into `environ` first, then at the keys above: the real environment wins, as it does
    over the whole file. ConfigError, with line and key, where X is in neither and has no default.
    """
    parsed = Parsed([], [])
    known: dict[str, Optional[str]] = {}
    for line, statement in _statements(text.replace("\r\n", "\n").replace("\r", "\n")):
        if statement is None:
            parsed.bad_lines.append(line)
            continue
        key, value, is_literal = statement
        if value is not None and not is_literal and "${" in value:
            value = _interpolated(value, environ, known)
            if value is None:
                raise ConfigError(
                    f"line {line}: {key} refers to a variable (${{...}}) that is not set",
                    hint="set it above, or give a default (${NAME:-default}), or use single quotes",
                )
        known[key] = value
        parsed.pairs.append((key, value))
    return parsed


def read(path: str, environ: Mapping[str, str]) -> Parsed:
    """`parse` of the file at `path`; no file, no pairs. ConfigError for one that is not plain, not UTF-8, or huge."""
    try:
        if not files.check_plain(path, "the settings file"):
            return Parsed([], [])
        content = _content(path)
    except ResourceError as error:  # not a matter of the machine: whoever set this up can put it right
        raise ConfigError(error.message, hint=f"it must be readable by the user who runs this: ls -l {path}") from error
    text = _decoded(content, path)
    try:
        return parse(text, environ)
    except ConfigError as error:
        raise ConfigError(f"{path}, {error.message}", hint=error.hint) from error


def _content(path: str) -> bytes:
    with os.fdopen(files.open_private(path, os.O_RDONLY), "rb") as file:
        try:
            content = file.read(_LARGEST + 1)
        except OSError as error:
            raise os_failure(f"reading {path}", error) from error
    if len(content) > _LARGEST:
        raise ConfigError(f"{path} is larger than a megabyte", hint="check that it is the file with your settings")
    return content


def _decoded(content: bytes, path: str) -> str:
    if b"\0" in content or content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ConfigError(f"{path} is not plain text in UTF-8 (perhaps UTF-16)", hint="save as UTF-8")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        # Without its cause: that one quotes bytes of a value.
        raise ConfigError(f"{path}, line {before.count(10) + 1}: not UTF-8", hint="save as UTF-8") from None


class _Bad(Exception):  # noqa: N818 - not an error: a signal between the functions below
    """No assignment; what follows `at` on its line is skipped."""

    def __init__(self, at: int) -> None:
        super().__init__(at)
        self.at = at


def _statements(text: str) -> Iterator[tuple[int, Optional[tuple[str, Optional[str], bool]]]]:
    """(line, (key, value, is literal)) for each assignment, (line, None) for what is none."""
    at = 1 if text.startswith("\ufeff") else 0
    line, counted = 1, 0
    while True:
        while text[at : at + 1].isspace():
            at += 1
        if at >= len(text):
            return
        line, counted = line + text.count("\n", counted, at), at
        try:
            key, value, is_literal, at = _statement(text, at)
        except _Bad as bad:
            at = _newline(text, bad.at)
            yield line, None
        else:
            if key is not None:
                yield line, (key, value, is_literal)


def _statement(text: str, at: int) -> tuple[Optional[str], Optional[str], bool, int]:
    """(key, value, is literal, where the line ends); the key of a comment is None."""
    if text.startswith("export", at) and _blank(text, at + 6) > at + 6:
        at = _blank(text, at + 6)
    key, at = _key(text, at)
    at = _blank(text, at)
    value, is_literal = None, True
    if text.startswith("=", at):
        value, is_literal, at = _value(text, at + 1)
    at = _blank(text, at)
    if text.startswith("#", at):
        at = _newline(text, at)
    if at < len(text) and text[at] != "\n":
        raise _Bad(at)
    return key, value, is_literal, at


def _key(text: str, at: int) -> tuple[Optional[str], int]:
    if text.startswith("#", at):
        return None, at
    if text.startswith("'", at):
        end = text.find("'", at + 1)
        if end <= at + 1:
            raise _Bad(at)
        return text[at + 1 : end], end + 1
    end = at
    while end < len(text) and text[end] not in "=#" and not text[end].isspace():
        end += 1
    if end == at:
        raise _Bad(at)
    return text[at:end], end


def _value(text: str, at: int) -> tuple[str, bool, int]:
    """(value, is literal, where it ends) of what follows the `=`; only single quotes make a value literal."""
    start = _blank(text, at)
    first = text[start : start + 1]
    if first in ("'", '"'):
        value, end = _quoted(text, start, _SINGLE if first == "'" else _DOUBLE)
        return value, first == "'", end
    if first == "#" and start > at:  # `A= # note` is empty, `A=#1` is not
        return "", False, start
    end = _newline(text, start)
    value = text[start:end]
    mark = value.find("#", 1)
    while mark > 0 and not value[mark - 1].isspace():
        mark = value.find("#", mark + 1)
    return (value[:mark] if mark > 0 else value).rstrip(), False, end


def _quoted(text: str, start: int, escapes: Mapping[str, str]) -> tuple[str, int]:
    """(value, where it ends): up to the same quote again; a backslash takes the next character with it."""
    parts: list[str] = []
    at = start + 1
    close = text.find(text[start], at)
    while close >= 0:
        backslash = text.find("\\", at, close)
        if backslash < 0:
            return "".join((*parts, text[at:close])), close + 1
        pair = text[backslash : backslash + 2]
        parts += (text[at:backslash], escapes.get(pair[1], pair))
        at = backslash + 2
        if close < at:
            close = text.find(text[start], at)
    raise _Bad(start)


def _interpolated(value: str, environ: Mapping[str, str], known: Mapping[str, Optional[str]]) -> Optional[str]:
    """`value` with its references replaced, or None where one is set nowhere and has no default."""
    parts: list[str] = []
    at = 0
    while True:
        start = value.find("${", at)
        end = value.find("}", start)
        if start < 0 or end < 0:
            return "".join((*parts, value[at:]))
        parts.append(value[at:start])
        name, mark, default = value[start + 2 : end].partition(":")
        at = end + 1
        if mark and not default.startswith("-"):  # no reference of ours: `${a:b}` stays; one may begin inside
            parts.append("${")
            at = start + 2
        elif name in environ:
            parts.append(environ[name])
        elif name in known:
            parts.append(known[name] or "")
        elif mark:
            parts.append(default[1:])
        else:
            return None


def _blank(text: str, at: int) -> int:
    """Where the white space that begins at `at` ends, on the same line."""
    while text[at : at + 1].isspace() and text[at] != "\n":
        at += 1
    return at


def _newline(text: str, at: int) -> int:
    """Where the line ends."""
    end = text.find("\n", at)
    return end if end >= 0 else len(text)
