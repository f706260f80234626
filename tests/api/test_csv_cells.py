"""Texts in cells of CSV files."""

from __future__ import annotations

import csv
import unicodedata
from io import StringIO

from hypothesis import example, given
from hypothesis import strategies as st

from api.csv_files.cells import escaped, unescaped

TEXTS = st.text() | st.text(alphabet="'\"=+-@;,|\t\r\n ab\u3000\u200b\ufeff\uff1d\uff20")


@given(TEXTS)
@example("'t Hooft")
@example("''=1")
def test_any_text_is_read_back_as_it_was(text: str) -> None:
    assert unescaped(escaped(text)) == text


@given(TEXTS)
def test_no_cell_begins_as_a_formula_whatever_separates_cells(text: str) -> None:
    written = StringIO()
    csv.writer(written).writerow([escaped(text), "next"])
    for separator in ",;\t":
        for row in csv.reader(StringIO(written.getvalue(), newline=""), delimiter=separator):
            for cell in row:
                assert not is_formula(cell), (separator, cell)


@given(TEXTS)
def test_a_text_that_is_no_formula_stays_as_it_is(text: str) -> None:
    if not any(character in text for character in "=+-@\t\r\n\uff1d\uff20\u2212") and all(
        unicodedata.normalize("NFKC", character) not in "=+-@" for character in text
    ):
        assert escaped(text) == unescaped(text) == text


def is_formula(cell: str) -> bool:
    trimmed = cell.lstrip('" \u3000\u200b\ufeff\xa0')
    return cell.startswith(("\t", "\r", "\n")) or trimmed.startswith(tuple("=+-@\uff1d\uff20"))
