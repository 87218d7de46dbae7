"""Values that are kept as JSON: checked to the last part, written one way: what is read back is what was kept."""

from __future__ import annotations

from .errors import PermanentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

LARGEST_BYTES = 16 * 2**20  # of one value as text: a step's result is a fact, not a file
_DEEPEST = 100
_LONGEST_PATH = 120
_WORDS = {None: "null", True: "true", False: "false"}
_MOST_BITS = 10_000  # beyond, Python may refuse to write it in decimal
_HINT = (
    "keep text, whole numbers, floats, true, false, null, lists and objects with text keys; write files for the rest"
)


def to_json(value: Any, what: str) -> str:
    """The value as JSON text: ASCII, sorted, no spaces. PermanentError names the part that is none, after `what`."""
    if value is None or value is True or value is False:
        return _WORDS[value]
    import json  # here: most tasks hand nothing on

    for path, reason in _offences(value, "", 0):
        where = path if len(path) <= _LONGEST_PATH else f"{path[: _LONGEST_PATH // 2]}…{path[-_LONGEST_PATH // 2 :]}"
        raise PermanentError(f"{what} cannot be kept: {where or 'it'} is {reason}, which is not JSON", hint=_HINT)
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    if len(text) > LARGEST_BYTES:
        raise PermanentError(
            f"{what} cannot be kept: it is {len(text):,} bytes, more than {LARGEST_BYTES:,}",
            hint="write it to a file and keep the file's name",
        )
    return text


def from_json(text: str) -> Any:
    """The value that `to_json` wrote."""
    import json

    return json.loads(text)


def digest(value: Any, what: str) -> str:
    """SHA-256 of the value as JSON: equal values, equal digests, whatever the order of their members."""
    from hashlib import sha256

    return sha256(to_json(value, what).encode("ascii")).hexdigest()


def _offences(value: Any, path: str, depth: int) -> Iterator[tuple[str, str]]:
    """(where, what it is) of each part that JSON has no word for; tuples pass as lists."""
    if depth > _DEEPEST:
        yield path, f"nested more than {_DEEPEST} deep (or holds itself)"
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _offences(item, f"{path}[{index}]", depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            if isinstance(key, str):
                yield from _offences(item, f"{path}.{key}" if path else key, depth + 1)
            else:
                yield f"{path}[{key!r}]", f"under a key of type {type(key).__name__}"
    else:
        offence = _offence(value)
        if offence:
            yield path, offence


def _offence(value: Any) -> str:
    """What a value without parts is, if JSON has no word for it."""
    if value is None or isinstance(value, (bool, str)):
        return ""
    if isinstance(value, int):
        return f"a number of {value.bit_length():,} bits" if value.bit_length() > _MOST_BITS else ""
    if isinstance(value, float):
        return repr(value) if value - value != 0 else ""
    return f"of type {type(value).__name__}"
