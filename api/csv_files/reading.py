"""Reads CSV files as spreadsheets write them, into records with the line where each begins."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from io import StringIO

import msgspec

from api.csv_files.cells import unescaped
from domain.core.errors import InvalidFields, ProblemError

SEPARATORS = ",;\t"
"""Spreadsheets write the one that is usual in their country."""

_DECLARED = re.compile(rf"sep=([{SEPARATORS}])[ \t]*(?:\r\n|\r|\n|$)", re.IGNORECASE)
"""The first line of files for Excel that name their separator."""

MAX_RECORDS = 10_000

MAX_NAMED = 20
"""Wrong columns that one response names, at most."""

MAX_NAME_LENGTH = 100
"""Characters of a column's name that a response shows, at most."""

_OTHER_ENCODINGS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}

_IN_WORDS = {
    "unexpected end of data": "a quoted cell begins here, and does not end",
    "expected after": "a quoted cell has more text after its last quote",
    "field larger": f"a cell has more than {csv.field_size_limit():,} characters",
}
"""Part of an error of the `csv` module -> the same for people."""


class MalformedFile(ProblemError):
    """The body is not a CSV file in UTF-8"""

    status = 400
    slug = "malformed-body"

    def __init__(self, line: int, wrong: str) -> None:
        super().__init__(line, wrong)
        self.messages = {f"line {line}": wrong}


class Record(msgspec.Struct, frozen=True):
    line: int
    """Number of its first line in the file, from 1."""
    cells: Mapping[str, str]
    """By column: the required ones, and those that begin as the others that are wanted. Cells that
    are missing are empty."""
    has_surplus: bool = False
    """Whether it has more cells than there are columns."""


def records_of(
    data: bytes, *, required: Collection[str], ignored: Collection[str], others: str
) -> list[Record]:
    """The records that are not empty. `others` is how the names of other columns begin. Raises
    MalformedFile, and InvalidFields when the columns are wrong or the records too many."""
    lines = _rows(_text_of(data), [*required, *ignored])
    _, header = next(lines, (1, []))
    columns = [name.strip().casefold() for name in header]
    while columns and not columns[-1]:
        columns.pop()
    _require_columns(columns, required, ignored, others)
    wanted = [*required, *(name for name in columns if name.startswith(others))]
    found = list[Record]()
    for line, row in lines:
        if len(found) == MAX_RECORDS:
            raise InvalidFields(file=f"must have at most {MAX_RECORDS:,} lines of visitors")
        cells = dict(zip(columns, row, strict=False))
        texts = {name: unescaped(cells.get(name, "")) for name in wanted}
        found.append(Record(line, texts, any(row[len(columns) :])))
    return found


def _text_of(data: bytes) -> str:
    """Raises MalformedFile."""
    if encoding := _OTHER_ENCODINGS.get(data[:2]):
        raise MalformedFile(1, f"the file is in {encoding}: save it as CSV in UTF-8")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = len(re.findall(rb"\r\n|\r|\n", data[: error.start])) + 1
        raise MalformedFile(
            line, "a character is not in UTF-8: save the file as CSV in UTF-8"
        ) from None


def _rows(text: str, known: Collection[str]) -> Iterator[tuple[int, list[str]]]:
    """The rows that have text, each with its first line. Raises MalformedFile."""
    declared = _DECLARED.match(text)
    separator = declared[1] if declared else _separator_of(text, known)
    rows = csv.reader(StringIO(text, newline=""), delimiter=separator, strict=True)
    if declared:
        next(rows)
    while True:
        line = rows.line_num + 1
        try:
            row = next(rows, None)
        except csv.Error as error:
            said = str(error)
            wrong = next((words for part, words in _IN_WORDS.items() if part in said), said)
            raise MalformedFile(line, wrong) from None
        if row is None:
            return
        if any(cell.strip() for cell in row):
            yield line, row


def _separator_of(text: str, known: Collection[str]) -> str:
    """The one with which the first line has the most known names."""
    line = next((line for line in text.splitlines() if line.strip()), "")

    def count(separator: str) -> int:
        return sum(name.strip(' "').casefold() in known for name in line.split(separator))

    return max(SEPARATORS, key=count)


def _require_columns(
    columns: Sequence[str], required: Collection[str], ignored: Collection[str], others: str
) -> None:
    """Raises InvalidFields."""
    known = [*required, *ignored]
    wrong = {name: "is missing" for name in required if name not in columns}
    for name, times in Counter(columns).items():
        if name not in known and not name.startswith(others):
            wrong[name[:MAX_NAME_LENGTH]] = f"is not a column: use {' and '.join(required)}"
        elif times > 1:
            wrong[name] = "is there more than once"
    if wrong:
        raise InvalidFields(**dict(list(wrong.items())[:MAX_NAMED]))
