"""A summary as text: at most as wide as the terminal, 80 columns where there is none, in what it can show. Pure but for
asking what that is.
"""

from __future__ import annotations

import os
from datetime import date, timedelta
from textwrap import wrap
from typing import TYPE_CHECKING, NamedTuple, Optional
from unicodedata import east_asian_width

from agent_os import shown, table

from .chart import BLOCKS, LETTERS, cells_in, drawn
from .spans import counted, in_words
from .summary import share_of

if TYPE_CHECKING:
    from typing import TextIO

    from .groups import Group, Total
    from .summary import Summary

WIDTH = 80
NARROWEST = 60
COURSES = (16, 12, 8, 0)  # how wide a course may be, where there is room; 0: there is none for it
SHORTEST_NAME = 10
NOT_TOLD = "(not told)"


class Paper(NamedTuple):
    """What is written on: how wide it is, whether it shows more than ASCII, and whether it has colours."""

    width: int = WIDTH
    is_unicode: bool = True
    has_colour: bool = False

    @classmethod
    def of(cls, stream: Optional[TextIO], *, no_color: str, term: str) -> Paper:
        """That of a stream."""
        try:
            (BLOCKS + "≥…").encode(getattr(stream, "encoding", None) or "ascii")
            is_unicode = True
        except (UnicodeError, LookupError):
            is_unicode = False
        try:
            width = os.get_terminal_size(stream.fileno()).columns if stream and stream.isatty() else 0
        except (OSError, ValueError):
            width = 0
        is_terminal = bool(stream and stream.isatty())
        has_colour = is_terminal and not no_color and term != "dumb"
        return cls(max(width, NARROWEST) if width else WIDTH, is_unicode, has_colour)

    def bold(self, line: str) -> str:
        """A line that stands out, where there are colours."""
        return f"\x1b[1m{line}\x1b[0m" if self.has_colour else line

    def faint(self, line: str) -> str:
        """A line that stands back, where there are colours."""
        return f"\x1b[2m{line}\x1b[0m" if self.has_colour else line

    def cut(self, name: str, width: int) -> str:
        """A name in at most so many columns: what is too long loses its middle."""
        name = "".join(letter if letter.isprintable() else "?" for letter in name)
        if columns(name) <= width:
            return name
        mark = "…" if self.is_unicode else ".."
        room = max(width - len(mark), 2)
        head, tail = name, name
        while columns(head) > room - room // 2:
            head = head[:-1]
        while columns(tail) > room // 2:
            tail = tail[1:]
        return f"{head}{mark}{tail}"

    def money(self, nano: Optional[int], unpriced: int, *, is_estimate: bool) -> str:
        """For people: never 0 for what is not known."""
        if nano is None:
            return "unpriced" if unpriced else "unknown" if is_estimate else "not told"
        sign = "≥" if self.is_unicode else ">="
        return f"{sign} {shown(nano)}" if unpriced else shown(nano)


def columns(text: str) -> int:
    """How many columns of a terminal it takes, at most."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def page(found: Summary, paper: Paper) -> str:
    """All of it: a table for each basis and currency, then what has to be known of the figures."""
    as_of = f", as known on {found.as_of}" if found.as_of else ""
    last = (date.fromisoformat(found.until) - timedelta(days=1)).isoformat()
    parts = [f"{found.since} to {last}, UTC days{as_of}"]
    parts += [part for total in found.totals for part in ("", section(found, total, paper))]
    if not found.totals:
        parts += ["nothing was used or charged on the days that are known"]
    lines = notes(found, paper)
    return "\n".join([*parts, *([""] if lines else []), *lines])


def section(found: Summary, total: Total, paper: Paper) -> str:
    """The table of one basis and currency, tokens without money among those of the only currency of their basis."""
    others = [each for each in found.totals if each.basis == total.basis]
    groups = [
        group
        for group in found.groups
        if group.basis == total.basis
        and (group.currency == total.currency or (not group.currency and len(others) == 1))
    ]
    for width in COURSES:
        text = _table(found, groups, total, paper, course=width)
        if max(map(columns, text.split("\n"))) <= paper.width:
            break
    header, *rows, last = text.split("\n")
    title = f"{total.basis}, {total.currency or 'tokens without money'}"
    return "\n".join([paper.bold(title), paper.faint(header), *rows, paper.bold(last)])


def _table(found: Summary, groups: list[Group], total: Total, paper: Paper, *, course: int) -> str:
    """A row a group and one for the total; names take what room is left."""
    missing = [found.missing_in(group) for group in groups]
    has_missing = any(missing)
    is_estimate = total.basis == "estimated"
    rows = [
        (
            _tokens(group.tokens), paper.money(group.nano, group.unpriced, is_estimate=is_estimate),
            _percent(share_of(group, found.totals)), *([str(len(days or ()) or "")] if has_missing else []),
        )
        for group, days in zip(groups, missing)
    ]  # fmt: skip
    rows.append((
        _tokens(total.tokens), paper.money(total.nano, total.unpriced, is_estimate=is_estimate), "",
        *([""] if has_missing else []),
    ))  # fmt: skip
    header = ("tokens", total.currency or "cost", "share", *(["missing"] if has_missing else []))
    used = sum(2 + max(map(len, column)) for column in zip(header, *rows)) + (course + 2 if course else 0)
    names = _names(found, groups, paper, room=paper.width - used)
    courses = _courses(found, groups, paper, width=course)
    blank = ["" for _ in found.by[1:]]
    lines = [
        (*name, *([drawing] if course else []), *row)
        for name, drawing, row in zip([*names, ["total", *blank]], [*courses, ""], rows)
    ]
    start = len(found.by) + bool(course)
    right = set(range(start, start + len(header)))
    return table((*found.by, *(["course"] if course else []), *header), lines, right=right)


def _names(found: Summary, groups: list[Group], paper: Paper, *, room: int) -> list[list[str]]:
    """The names of the groups, cut so that all columns of them fit into the room."""
    told = [[value or NOT_TOLD for value in group.by] for group in groups]
    room -= 2 * (len(found.by) - 1)
    widths = [max(map(columns, [word, *column])) for word, *column in zip(found.by, *told)]
    while sum(widths) > room and max(widths) > SHORTEST_NAME:
        widths[widths.index(max(widths))] -= 1
    return [[paper.cut(value, width) for value, width in zip(values, widths)] for values in told]


def _courses(found: Summary, groups: list[Group], paper: Paper, *, width: int) -> list[str]:
    """What each group came to over its days; one that has a single cell is measured by the largest of them."""
    if not width:
        return ["" for _ in groups]
    levels = BLOCKS if paper.is_unicode else LETTERS
    cells = [cells_in(found.unit, *found.span_in(group)) for group in groups]
    most = max(
        (max(found.course_of(group).values(), default=0) for group, own in zip(groups, cells) if len(own) < 2),
        default=0,
    )
    return [
        drawn(
            found.course_of(group),
            cells=own,
            width=width,
            levels=levels,
            most=most if len(own) < 2 else 0,
            is_whole=found.is_whole,
        )
        for group, own in zip(groups, cells)
    ]


def notes(found: Summary, paper: Paper) -> list[str]:
    """What is missing, may change, has no price or was not told, and what must not be added."""
    lines = [f"missing: {name} {in_words(days)}; `gaps` says why" for name, days in found.missing.items()]
    lines += [f"{name}: nothing was used on the days that are known" for name in found.empty]
    unpriced = sum(total.unpriced for total in found.totals)
    if unpriced:
        lines.append(f"{unpriced:,} tokens unpriced: the money is a lower bound; `prices check` says of which models")
    if found.provisional:
        told = ", ".join(f"{name} {counted(count, 'day')}" for name, count in found.provisional.items())
        lines.append(f"provisional, may still be restated: {told}")
    if "day" in found.by:
        lines.append("A day that is neither shown nor missing is one on which nothing was used or charged.")
    if any(not value for group in found.groups for value in group.by):
        lines.append(f"{NOT_TOLD}: the provider does not say it of this money, or of these tokens.")
    lines += found.footnotes
    return [line for note in lines for line in wrap(note, paper.width, subsequent_indent="  ", break_on_hyphens=False)]


def _tokens(count: int) -> str:
    return f"{count:,}" if count else "-"


def _percent(share: Optional[str]) -> str:
    return f"{share} %" if share else ""
