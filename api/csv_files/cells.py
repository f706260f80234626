"""Text in cells of CSV files: no spreadsheet takes it for a formula, and the import restores it.

A text that would begin as a formula gets an apostrophe in front of it. Spaces, quotes and invisible
characters do not count as its beginning, because spreadsheets may drop them. A spreadsheet that
expects another separator splits a cell at it, so what follows a separator is a beginning too.
"""

from __future__ import annotations

import re

_BEGINNING = r"(?:^|(?<=[,;\t\r\n]))"

_SKIPPED = r"""["' \xa0\xad\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]*"""
"""Apostrophes are among them, so that a text which looks escaped is escaped once more."""

_OPERATORS = "=+\\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b\u2212"
"""Also the wide and the small forms, and the minus sign."""

_FORMULA = rf"(?={_SKIPPED}[{_OPERATORS}\t\r\n])"

_TO_ESCAPE = re.compile(f"{_BEGINNING}{_FORMULA}")
_ESCAPED = re.compile(f"{_BEGINNING}'{_FORMULA}")


_SEPARATES = re.compile(r"[,;\t\r\n]")


def escaped(text: str) -> str:
    if text[:1].isalnum() and not _SEPARATES.search(text):
        return text  # as most are
    return _TO_ESCAPE.sub("'", text)


def unescaped(text: str) -> str:
    """The text that `escaped` was given. Other texts stay as they are, such as `'t Hooft`."""
    return _ESCAPED.sub("", text)
