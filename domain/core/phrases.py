"""Messages for people that can be translated although values are in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self


class Phrase(str):
    """A message in English, made of a pattern and the values of its `%(name)s`. `detail`, which is
    not translated, follows after a colon."""

    __slots__ = ("pattern", "values")
    pattern: str
    values: Mapping[str, object]

    def __new__(cls, pattern: str, /, *, detail: str = "", **values: object) -> Self:
        text = pattern % values if values else pattern
        phrase = super().__new__(cls, f"{text}: {detail}" if detail else text)
        phrase.pattern, phrase.values = pattern, values
        return phrase
