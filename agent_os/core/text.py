"""Text for people: terminal-safe strings, plain tables, counts and durations. Values in, strings out."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from typing import Optional

# What changes the order in which a terminal or an editor shows the characters around it.
_BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
_SEPARATORS = "\u2028\u2029"
_JOINERS = "\u200b\u200c\u200d\u2060\ufeff"  # take no column
_EMOJI_STYLE = "\ufe0f"
_GAP = 2
_NARROWEST = 8
_READABLE = 24  # columns that a last cell needs beside the others
_MOST_LINES = 4  # of a cell


def safe(s: str) -> str:
    r"""`s` as a terminal may show it: what could steer one becomes visible as \xNN or \uNNNN.

    That is C0 (tab and newline too), DEL, C1, bidi controls, line and paragraph separators, lone surrogates.
    """
    if s.isprintable():
        return s
    return "".join(_escaped(character) if _is_unsafe(character) else character for character in s)


def table(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, right: Collection[int] = (), width: Optional[int] = None
) -> str:
    """Aligned columns, two spaces apart, lines joined by newlines; columns whose index is in `right` are right-aligned.

    Where a line would be wider than `width`, cells go on in further lines: the last one in its column or, where that is
    too narrow to read, below its row. ValueError for a row with more or fewer cells than the header.
    """
    lines = [[safe(cell) for cell in row] for row in (header, *rows)]
    for line in lines:
        if len(line) != len(header):
            raise ValueError(f"a row of {len(line)} cells in a table of {plural(len(header), 'column')}")
    widths = [max(map(columns, cells)) for cells in zip(*lines)]
    if width is not None and sum(widths) + _GAP * (len(widths) - 1) > width:
        return "\n".join(_folded(lines, widths, right, width=width))
    return "\n".join(_row(line, widths, right) for line in lines)


def plural(n: int, word: str) -> str:
    """As in "1 day", "3 days", "1,200 retries", "2 batches"."""
    if abs(n) == 1:
        return f"{n} {word}"
    if word.endswith(("s", "x", "ch", "sh")):
        return f"{thousands(n)} {word}es"
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return f"{thousands(n)} {word[:-1]}ies"
    return f"{thousands(n)} {word}s"


def thousands(n: int) -> str:
    """As in "1,234,567"."""
    return f"{n:,}"


def span(seconds: float) -> str:
    """A duration in its two largest units: "1.2 s", "3 min 20 s", "2 h 5 min", "3 d 4 h"; below zero counts as zero."""
    tenths = round(max(seconds, 0) * 10)
    if tenths < 600:
        return f"{tenths // 10}.{tenths % 10} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"


def size(n: int) -> str:
    """So many bytes, as in "512 bytes", "1.2 MB", "3.4 GB"; a MB is 10^6 of them."""
    if n < 1000:
        return plural(n, "byte")
    for unit in ("kB", "MB", "GB"):
        n_tenths = round(n / 100)
        if n_tenths < 10_000:
            return f"{n_tenths // 10}.{n_tenths % 10} {unit}"
        n = round(n / 1000)
    return f"{thousands(n)} GB"


def columns(s: str) -> int:
    """How many columns of a terminal the safe text `s` takes; where terminals differ, as many as in any of them."""
    return len(s) if s.isascii() else sum(map(_width, s))


def cut(s: str, width: int) -> str:
    """`s` in at most `width` columns; what was cut ends in "..."."""
    if columns(s) <= width:
        return s
    kept = s[: max(width - 3, 0)]
    while kept and columns(kept) > width - 3:
        kept = kept[:-1]
    return f"{kept}..."[: max(width, 0)]


def wrapped(s: str, width: int, *, most: int = 0, further: Optional[int] = None) -> list[str]:
    """The safe text `s` in lines of at most `width` columns, broken at blanks where that can be, else after "_".

    With `most` no more lines than that; what was cut ends in "...". With `further` so many columns from line 2 on.
    """
    found: list[str] = []
    while len(found) != most - 1 and (end := _fitting(s, width)) < len(s):
        at = s.rfind(" ", 1, end + 1)
        at = at if at > 0 else s.rfind("_", 0, end) + 1 or end
        found.append(s[:at].rstrip())
        s = s[at:].lstrip()
        width = width if further is None else further
    return [*found, cut(s, width) if most else s]


def nearest(word: str, choices: Iterable[str]) -> Optional[str]:
    """The choice that `word` was most likely meant to be, whatever its case; None when none is near."""
    from difflib import get_close_matches

    by_lower = {choice.lower(): choice for choice in choices}
    found = get_close_matches(word.lower(), by_lower, n=1)
    return by_lower[found[0]] if found else None


def _is_unsafe(character: str) -> bool:
    code = ord(character)
    return (
        code < 0x20 or 0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000 or character in _BIDI or character in _SEPARATORS
    )


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _width(character: str) -> int:
    from unicodedata import category, east_asian_width

    kind = category(character)
    if character == _EMOJI_STYLE:
        return 1  # some terminals widen what it follows
    if kind in ("Mn", "Me") or character in _JOINERS:
        return 0
    is_new_emoji = kind == "Cn" and ord(character) >= 0x1F000  # to this Python; the terminal may know better
    return 2 if is_new_emoji or east_asian_width(character) in "WF" else 1


def _fitting(s: str, width: int) -> int:
    """How many characters of `s` have room in so many columns, one at least."""
    if s.isascii():
        return max(width, 1)
    taken = 0
    for index, character in enumerate(s):
        taken += _width(character)
        if taken > width:
            return max(index, 1)
    return len(s)


def _row(cells: Sequence[str], widths: Sequence[int], right: Collection[int]) -> str:
    padded = []
    for index, cell in enumerate(cells):
        blank = " " * (widths[index] - columns(cell))
        padded.append(blank + cell if index in right else cell + blank)
    return (" " * _GAP).join(padded).rstrip(" ")


def given_twice(words: Sequence[str], names: Collection[str]) -> str:
    """The first of these options that a command line gives two different values; "" for none."""
    seen: dict[str, str] = {}
    for word, following in zip(words, (*words[1:], "")):
        name, equals, value = word.partition("=")
        if name in names and seen.setdefault(name, value if equals else following) != (value if equals else following):
            return name
    return ""


def _folded(
    lines: Sequence[Sequence[str]], widths: Sequence[int], right: Collection[int], *, width: int
) -> Iterable[str]:
    """The lines of a table that is wider than `width`."""
    *others, last = widths
    room = width - _GAP * len(others)
    below = [""] * len(lines)
    if others and room - sum(others) < min(last, _READABLE):
        below = ["", *(line[-1] for line in lines[1:])]
        lines, room = [line[:-1] for line in lines], room + _GAP
    else:
        others.append(min(last, room - sum(others)))
    narrowed = _narrowed(lines, others, room)
    for line, rest in zip(lines, below):
        cells = [wrapped(cell, narrowed[index], most=_MOST_LINES) for index, cell in enumerate(line)]
        for number in range(max(map(len, cells))):
            yield _row([(*cell, *[""] * _MOST_LINES)[number] for cell in cells], narrowed, right)
        if rest:
            yield from (" " * _GAP + each for each in wrapped(rest, width - _GAP, most=_MOST_LINES))


def _narrowed(lines: Sequence[Sequence[str]], widths: Sequence[int], room: int) -> list[int]:
    """Widths that come to no more than `room`: the widest give way, those first that can be broken well."""
    found = list(widths)
    well = [index for index, cells in enumerate(zip(*lines)) if any(" " in cell or "_" in cell for cell in cells)]
    for chosen in (well, range(len(found))):
        while sum(found) > room and chosen:
            widest = max(chosen, key=lambda index: found[index])
            if found[widest] <= _NARROWEST:
                break
            found[widest] -= 1
    return found
