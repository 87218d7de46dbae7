"""A CSV file as rows of cells, read as it comes: of any size, in the encoding and with the delimiter that it has.

What is no table of text (a workbook, a web page, a binary file) is refused in one sentence. Nothing is decided here of
what a cell means.
"""

from __future__ import annotations

import codecs
import csv
import io
import os
from hashlib import sha256
from typing import NamedTuple

from .errors import AgentOSError, PermanentError, os_failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import BinaryIO, Optional

DELIMITERS = ",;\t|"
LONGEST_LINE = 2**20  # characters; what is longer is no row of figures
LONGEST_NAME = 200
MOST_COLUMNS = 500
_BLOCK = 2**20
_IN_MEMORY = 8 * 2**20  # of standard input; more goes to a temporary file
_SAMPLE_LINES = 50
_SIGNS = (
    (b"PK\x03\x04", "an Excel workbook or another ZIP archive", "open it and save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook", "open it and save the sheet as CSV"),
    (b"%PDF", "a PDF", "type its figures into a CSV file: `import csv --help` shows how"),
    (b"\x1f\x8b", "compressed", "unpack it first: gunzip -c FILE | ... import csv - --provider NAME"),
    (b"\x00\x00\xfe\xff", "UTF-32 text", "save it as UTF-8"),
    (b"\xff\xfe\x00\x00", "UTF-32 text", "save it as UTF-8"),
)
_MARKUP = (
    (b"<", "a web page or XML", "what was saved may be the sign-in page"),
    (b"{", "JSON", ""),
    (b"[", "JSON", ""),
)


class Line(NamedTuple):
    """A row of a sheet, and the number of the line that it begins in."""

    number: int
    cells: list[str]


class Sheet:
    """`with Sheet(path) as sheet:` its `header`, then its `rows()`, as often as wanted. `-` is standard input."""

    def __init__(self, path: str, *, stdin: Optional[BinaryIO] = None) -> None:
        self.name = "standard input" if path == "-" else os.path.basename(path)
        self.encoding = ""
        self.delimiter = ""
        self.sha256 = ""
        self.header: list[str] = []
        self._path = path
        self._stdin = stdin
        self._file: Optional[BinaryIO] = None
        self._header_at = 0

    def __enter__(self) -> Sheet:  # noqa: PYI034 (Self is of Python 3.11)
        try:
            self._file = self._opened()
            self._look()
            self.delimiter = self.delimiter or self._guess_delimiter()
            first = next(self._rows(), None)
        except BaseException as error:
            self.__exit__(None, None, None)
            if isinstance(error, OSError) and not isinstance(error, AgentOSError):
                raise os_failure(f"reading {self._path}", error) from error
            raise
        if first is None:
            self.__exit__(None, None, None)
            raise self._wrong(
                "is empty", hint="it needs a line of names, as date,amount,currency, and its figures below"
            )
        self._header_at, self.header = first.number, [" ".join(cell.split()) for cell in first.cells]
        if max(map(len, self.header)) > LONGEST_NAME or len(self.header) > MOST_COLUMNS:
            self.__exit__(None, None, None)
            raise self._wrong("has no line of names at its top", hint="it needs one, as date,amount,currency")
        return self

    def __exit__(
        self, kind: Optional[type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def rows(self) -> Iterator[Line]:
        """Every row below the header that is not blank."""
        for line in self._rows():
            if line.number != self._header_at:
                yield line

    def _wrong(self, what: str, *, hint: str = "") -> PermanentError:
        return PermanentError(f"{self.name} {what}", hint=hint)

    def _opened(self) -> BinaryIO:
        """The file; what cannot be read twice (standard input, a pipe) is copied aside first."""
        if self._path != "-":
            file = open(self._path, "rb")  # noqa: SIM115 (closed by `__exit__`)
            if file.seekable():
                return file
        elif self._stdin is None:
            raise PermanentError("there is no standard input to read", hint="name a file")
        else:
            file = self._stdin  # type: ignore[assignment]
        import shutil
        import tempfile

        copy = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 (closed by `__exit__`)
        shutil.copyfileobj(file, copy, _BLOCK)
        if self._path != "-":
            file.close()
        return copy  # type: ignore[return-value]  # until 3.11 it is one in all but name

    def _look(self) -> None:
        """Read the file once: its encoding, its hash, and that it is text."""
        file, digest = self._binary(), sha256()
        file.seek(0)
        head = file.read(_BLOCK)
        self._refuse_other_kinds(head)
        encodings = ["utf-16"] if head[:2] in (b"\xff\xfe", b"\xfe\xff") else ["utf-8-sig", "cp1252"]
        decoders = {name: codecs.getincrementaldecoder(name)() for name in encodings}
        block = head
        while True:
            digest.update(block)
            if encodings != ["utf-16"] and b"\0" in block:
                raise self._wrong("is a binary file: it holds zero bytes", hint="save it as CSV, in UTF-8")
            for name, decoder in list(decoders.items()):
                try:
                    if "\0" in decoder.decode(block, final=not block):
                        raise self._wrong("is a binary file: it holds zero characters", hint="save it as CSV, in UTF-8")
                except UnicodeDecodeError:
                    del decoders[name]
            if not decoders:
                raise self._wrong("is neither UTF-8 nor UTF-16 nor Windows-1252 text", hint="save it as UTF-8")
            if not block:
                break
            block = file.read(_BLOCK)
        self.encoding, self.sha256 = next(iter(decoders)), digest.hexdigest()

    def _refuse_other_kinds(self, head: bytes) -> None:
        for sign, kind, hint in _SIGNS:
            if head.startswith(sign):
                raise self._wrong(f"is {kind}, not CSV", hint=hint)
        for sign, kind, hint in _MARKUP:
            if head[:100].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(sign):
                raise self._wrong(f"is {kind}, not CSV", hint=hint or "export it as CSV")

    def _binary(self) -> BinaryIO:
        if self._file is None:
            raise self._wrong("is closed")
        return self._file

    def _lines(self) -> Iterator[str]:
        """The lines as text, their ends kept, none of them longer than a line may be."""
        file = self._binary()
        file.seek(0)
        text = io.TextIOWrapper(_Kept(file), encoding=self.encoding, newline="")
        number = 0
        while True:
            line = text.readline(LONGEST_LINE)
            number += 1
            if not line:
                return
            if len(line) == LONGEST_LINE and line[-1] not in "\r\n":
                raise self._wrong(f"has a line of more than {LONGEST_LINE:,} characters, line {number}: it is no table")
            yield line

    def _guess_delimiter(self) -> str:
        """The one that cuts the first lines into most columns, the same number in each; else the header alone."""
        sample = [line for _, line in zip(range(_SAMPLE_LINES), self._lines())]
        if sample and sample[0].lower().startswith("sep=") and sample[0][4:5] in DELIMITERS:
            return sample[0][4]
        found = (0, 0, ",")
        for place, mark in enumerate(DELIMITERS):
            try:
                widths = [len(cells) for cells in csv.reader(sample, delimiter=mark) if cells]
            except csv.Error:
                continue
            if widths and widths[0] > 1:
                whole = widths[:-1] if len(sample) == _SAMPLE_LINES else widths  # the last row may be cut short
                is_even = len(set(whole)) == 1
                found = max(found, (widths[0] + is_even * LONGEST_LINE, -place, mark))
        return found[2]

    def _rows(self) -> Iterator[Line]:
        reader = csv.reader(self._lines(), delimiter=self.delimiter, strict=True)
        begins = 1
        try:
            for cells in reader:
                is_note = begins == 1 and len(cells) <= 2 and cells and cells[0].lower().startswith("sep=")
                if any(cell and not cell.isspace() for cell in cells) and not is_note:
                    yield Line(begins, cells)
                begins = reader.line_num + 1
        except csv.Error as error:
            where = f"line {begins}" + (f" to {reader.line_num}" if reader.line_num > begins else "")
            raise self._wrong(
                f"cannot be read as CSV at {where}: {error}", hint="look for a quotation mark that is not closed"
            ) from error


class _Kept(io.BufferedIOBase):
    """A file that stays open when the text over it is gone."""

    name = "sheet"

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def read(self, size: Optional[int] = -1) -> bytes:
        return self._file.read(-1 if size is None else size)

    def read1(self, size: int = -1) -> bytes:
        return self._file.read(size)
