"""Rows of a sheet as records of basis `imported`: each cell checked, equal rows added up, both readings kept until the
whole column was seen. Holds sums by day and dimensions, never the rows. Pure.
"""

from __future__ import annotations

from typing import NamedTuple

from . import cells
from .cells import MOST
from .days import FIRST_DAY
from .errors import PermanentError
from .headings import COUNTS, DIMENSIONS, MEANINGS
from .model import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any, Callable, Optional, TypeVar

    from .cells import Days
    from .headings import Headings
    from .sheet import Line

    Pair = TypeVar("Pair", cells.Days, cells.Nanos)
    Where = tuple[str, ...]

MOST_SHOWN = 10  # bad rows that are named; the rest is counted
TELL_EVERY = 500_000  # rows
_MOST_CACHED = 50_000
_KIND = {"tokens": "", "input_all": "input"}  # of a count of tokens, where it is not the meaning's own name
_OTHER = {"requests": ("requests", ""), "web_searches": ("calls", "web_search")}  # unit and cost_type
# What providers call a kind of token in a column of such names, in our words.
TOKEN_TYPES = {
    "input_no_cache": "input", "input_cache_read": "cache_read", "input_cache_write_5m": "cache_write_5m",
    "input_cache_write_1h": "cache_write_1h", "input_cache_write": "cache_write", "uncached_input_tokens": "input",
    "input_tokens": "input", "output_tokens": "output", "cache_read_input_tokens": "cache_read",
    "cache_creation_input_tokens": "cache_write", "prompt": "input", "completion": "output",
}  # fmt: skip
_BLANK: dict[str, Any] = {**dict.fromkeys(Record._fields, ""), "quantity": None, "amount_nano": None}


class Bad(NamedTuple):
    """A row that cannot be meant: its line, the column, and what is wrong."""

    line: int
    column: str
    message: str


class BadCellError(Exception):
    """A cell that cannot be meant."""

    def __init__(self, column: str, message: str) -> None:
        super().__init__(message)
        self.column = column
        self.message = message


class Side:
    """Which of the two readings of a column counts: cells that can be read in one way only decide for all others."""

    def __init__(self, names: tuple[str, str], *, chosen: Optional[int] = None) -> None:
        self._names = names
        self._is_given = chosen is not None
        self._chosen = chosen
        self._since = 0
        self.open_at = 0  # the first line that can be read in both ways
        self.open_text = ""

    def see(self, pair: Pair, line: int, text: str) -> None:
        """Take note of a cell. ValueError for one that the column's other cells contradict."""
        if pair[0] == pair[1]:
            return
        if pair[0] is not None and pair[1] is not None:
            self.open_at, self.open_text = self.open_at or line, self.open_text or text
            return
        side = 0 if pair[1] is None else 1
        if self._chosen is None:
            self._chosen, self._since = side, line
        elif self._chosen != side:
            other = self._names[1 - side]
            why = f"was asked for {other}" if self._is_given else f"has {other} in line {self._since}"
            raise ValueError(f"{text.strip()!r} is written with {self._names[side]}, and the column {why}")

    def chosen(self) -> Optional[int]:
        """0 or 1; None when no cell has decided."""
        return self._chosen


class Figures(NamedTuple):
    """What a sheet comes to: its days, its records by day, how many rows were read, and those that were bad."""

    days: list[str]
    records: list[Record]
    rows: int
    bad: list[Bad]
    bad_rows: int
    notes: list[str]


class Reader:
    """Reads the rows of one sheet; `report` names what is stored."""

    def __init__(self, header: Sequence[str], headings: Headings, *, today: str, report: str) -> None:
        self._header = header
        self._headings = headings
        self._today = today
        self._report = report
        self._dates = Side(("the day first", "the month first"), chosen={"dmy": 0, "mdy": 1}.get(headings.order))
        self._decimals = Side(("a decimal point", "a decimal comma"))
        self._money = "amount" if "amount" in {*headings.columns, *headings.constants} else "cents"
        self._shift = -2 if self._money == "cents" else 0
        self._dimensions = [(name, headings.at(name)) for name in DIMENSIONS]
        self._counts = [(name, headings.columns[name]) for name in COUNTS if name in headings.columns]
        self._each = {  # so many in every row
            name: self._checked(name, headings.constants[name], cells.count)
            for name in _OTHER
            if name in headings.constants
        }
        self._days: dict[Days, tuple[int, str]] = {}
        self._cost: dict[tuple[Days, Where, str], list[int]] = {}
        self._usage: dict[tuple[Days, Where, str], int] = {}
        self._seen_days: dict[str, Days] = {}
        self._seen_where: dict[tuple[str, ...], Where] = {}
        self._codes: dict[tuple[str, str], str] = {}
        self._is_utc_taken = False
        self.rows = 0
        self.bad: list[Bad] = []
        self.bad_rows = 0

    def read(self, lines: Iterable[Line], *, tell: Optional[Callable[[int], None]] = None) -> Figures:
        """All rows. PermanentError where the days, or the money, of the whole column can be read in two ways."""
        for line in lines:
            self.rows += 1
            try:
                self._row(line)
            except BadCellError as error:
                self._note(Bad(line.number, error.column, error.message))
            if tell and not self.rows % TELL_EVERY:
                tell(self.rows)
        return self._figures()

    def _note(self, bad: Bad) -> None:
        self.bad_rows += 1
        if len(self.bad) < MOST_SHOWN:
            self.bad.append(bad)

    # one row

    def _row(self, line: Line) -> None:
        texts, width = line.cells, len(self._header)
        if len(texts) < width or any(texts[width:]):
            raise BadCellError("", f"{len(texts)} cells under {width} names")
        days = self._day(texts)
        where = self._where(texts)
        money = self._amount(texts)
        counts = self._counted(texts)
        if money is None and not counts and any(where):
            raise BadCellError("", "there is no figure in this row")
        self._decide(days, money, line)
        if days not in self._days:
            self._days[days] = (line.number, self._text("date", texts))
        if money is not None:
            nanos, code = money
            sums = self._cost.setdefault((days, where, code), [0, 0])
            sums[0] += nanos[0] or 0
            sums[1] += nanos[1] or 0
        for name, count in counts.items():
            key = (days, where, name)
            if count:
                self._usage[key] = self._usage.get(key, 0) + count
        for name, count in self._each.items() if money is not None or counts else ():
            key = (days, where, name)
            self._usage[key] = self._usage.get(key, 0) + count

    def _decide(self, days: Days, money: Optional[tuple[cells.Nanos, str]], line: Line) -> None:
        """Let a good row decide how the columns of days and money are read."""
        if days[0] != days[1]:
            text = self._text("date", line.cells)
            self._checked("date", text, lambda _: self._dates.see(days, line.number, text))
        if money is not None and money[0][0] != money[0][1]:
            nanos, amount = money[0], self._text(self._money, line.cells)
            self._checked(self._money, amount, lambda _: self._decimals.see(nanos, line.number, amount))

    def _text(self, meaning: str, texts: Sequence[str]) -> str:
        at = self._headings.at(meaning)
        return self._headings.constants.get(meaning, "") if at is None else texts[at]

    def _checked(self, meaning: str, text: str, read: Callable[[str], Any]) -> Any:
        """A cell as a value; BadCellError, with the name of its column, for what is none."""
        try:
            return read(text)
        except ValueError as error:
            raise BadCellError(self._name(meaning), str(error)) from error

    def _day(self, texts: Sequence[str]) -> Days:
        text = self._text("date", texts)
        days = self._seen_days.get(text)
        if days is None:
            days = self._checked("date", text, self._possible_day)
            if len(self._seen_days) > _MOST_CACHED:
                self._seen_days.clear()
            self._seen_days[text] = days
            self._is_utc_taken = self._is_utc_taken or cells.has_no_zone(text)
        return days

    def _possible_day(self, text: str) -> Days:
        days = cells.day(text)
        if days[0] == days[1] or None in days:
            self._check_day(next(filter(None, days)))
        return days

    def _check_day(self, day: str) -> None:
        if day > self._today:
            raise ValueError(f"{day} is in the future: today is {self._today} (UTC)")
        if day < FIRST_DAY:
            raise ValueError(f"{day} is before {FIRST_DAY}: nothing was charged then")

    def _where(self, texts: Sequence[str]) -> Where:
        """The dimensions of a row, in the order of DIMENSIONS."""
        constants = self._headings.constants
        raw = tuple([constants.get(name, "") if at is None else texts[at] for name, at in self._dimensions])
        found = self._seen_where.get(raw)
        if found is None:
            found = tuple(self._checked(name, text, cells.words) for (name, _), text in zip(self._dimensions, raw))
            kind = DIMENSIONS.index("token_type")
            found = (*found[:kind], TOKEN_TYPES.get(found[kind], found[kind]), *found[kind + 1 :])
            if len(self._seen_where) > _MOST_CACHED:
                self._seen_where.clear()
            self._seen_where[raw] = found
        return found

    def _amount(self, texts: Sequence[str]) -> Optional[tuple[cells.Nanos, str]]:
        """The money of a row and its currency; None when the cell is empty."""
        text = self._text(self._money, texts)
        if not text or text.isspace():
            return None
        nanos, mark = self._checked(self._money, text, self._nanos)
        said = self._text("currency", texts)
        code = self._codes.get((said, mark))
        if code is None:
            stated = self._checked("currency", said, _code)
            code = self._checked(self._money, text, lambda _: cells.currency(mark, stated))
            self._codes[said, mark] = code
        if not code:
            raise BadCellError(self._name("currency"), "nothing says which currency this is")
        return nanos, code

    def _nanos(self, text: str) -> tuple[cells.Nanos, str]:
        return cells.amount(text, shift=self._shift)

    def _name(self, meaning: str) -> str:
        """The name of the column of a meaning, else the meaning itself."""
        at = self._headings.at(meaning)
        return meaning if at is None else self._header[at] or f"#{at + 1}"

    def _counted(self, texts: Sequence[str]) -> dict[str, int]:
        """What a row counts, each kind of token apart from the others."""
        found: dict[str, int] = {}
        for name, at in self._counts:
            text = texts[at]
            if text and not text.isspace():
                found[name] = self._checked(name, text, cells.count)
        if "input_all" in found:
            within = sum(count for name, count in found.items() if name.startswith("cache_"))
            rest = found["input_all"] - within
            if rest < 0 and not self._headings.may_exceed:
                raise BadCellError(
                    self._name("input_all"), f"{found['input_all']} is less than its cached part, {within}"
                )
            found["input_all"] = max(rest, 0)
        return found

    # the whole

    def _figures(self) -> Figures:
        day_at, nano_at = self._choose_order(), self._choose_decimals()
        names = {}
        for days, (line, text) in self._days.items():
            day = days[day_at]
            try:
                self._check_day(day or "")
            except ValueError as error:
                raise PermanentError(f"line {line}: {text.strip()!r}: {error}", hint="see --dates") from error
            names[days] = day or ""
        costs: dict[tuple[str, Where, str], int] = {}
        for (days, where, code), sums in self._cost.items():
            cost_key = (names[days], where, code)
            costs[cost_key] = costs.get(cost_key, 0) + sums[nano_at]
        usages: dict[tuple[str, Where, str], int] = {}
        for (days, where, name), count in self._usage.items():
            usage_key = (names[days], where, name)
            usages[usage_key] = usages.get(usage_key, 0) + count
        records = [self._cost_record(*key, nano) for key, nano in costs.items()]
        records += _merged(self._usage_record(*key, count) for key, count in usages.items())
        return Figures(
            sorted(set(names.values())), sorted(records, key=str), self.rows, self.bad, self.bad_rows, self._notes()
        )

    def _notes(self) -> list[str]:
        return ["times without a zone were taken as UTC"] if self._is_utc_taken else []

    def _choose_order(self) -> int:
        chosen = self._dates.chosen()
        if chosen is None and self._dates.open_at:
            raise PermanentError(
                f"line {self._dates.open_at}: the day {self._dates.open_text.strip()!r} can be read in two ways, and no"
                " row decides it",
                hint="say --dates dmy (day first) or --dates mdy (month first)",
            )
        return chosen or 0

    def _choose_decimals(self) -> int:
        """0 for a decimal point. Where no cell decides, 1.234 is what it is everywhere; 1,234 nobody can know."""
        chosen = self._decimals.chosen()
        if chosen is None and "," in self._decimals.open_text:
            text, place = self._decimals.open_text.strip(), f"line {self._decimals.open_at}"
            raise PermanentError(
                f"{place}, column {self._name(self._money)!r}: {text!r} may be a thousand or a fraction, and no row"
                " decides it",
                hint="write one amount with its cents (1,234.00 or 1.234,00)",
            )
        return chosen or 0

    def _cost_record(self, day: str, where: Where, code: str, nano: int) -> Record:
        if abs(nano) > MOST:
            raise PermanentError(f"the money of {day} adds up to more than a ledger can hold", hint="check the column")
        return self._record(day, where, kind="cost", amount_nano=nano, currency=code)

    def _usage_record(self, day: str, where: Where, name: str, count: int) -> Record:
        if count > MOST:
            raise PermanentError(f"the {MEANINGS[name]} of {day} add up to more than a ledger can hold")
        found = self._record(day, where, kind="usage", quantity=count, unit="tokens")
        if name in _OTHER:
            unit, cost_type = _OTHER[name]
            return found._replace(unit=unit, cost_type=cost_type, token_type="")
        token_type = found.token_type if name == "tokens" else _KIND.get(name, name)
        return found._replace(token_type=token_type, cost_type="")

    def _record(self, day: str, where: Where, **figures: Any) -> Record:
        head = {"date": day, "report": self._report, "basis": "imported"}
        return Record(**{**_BLANK, **dict(zip(DIMENSIONS, where)), **head, **figures})


def _code(text: str) -> str:
    """A cell of a column of currencies, as a code; '' for an empty one."""
    from . import money

    found = text.strip()
    if found in cells.SIGNS:
        return cells.currency(found, "")
    return money.currency(found) if found else ""


def _merged(records: Iterable[Record]) -> list[Record]:
    """Usage of one identity once: a kind of token that lost a dimension may be that of another row."""
    found: dict[tuple[object, ...], Record] = {}
    for record in records:
        before = found.get(record.identity)
        count = (record.quantity or 0) + ((before.quantity or 0) if before else 0)  # type: ignore[operator]
        found[record.identity] = record._replace(quantity=count)
    return list(found.values())
