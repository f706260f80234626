"""Folds text for searching: without case, accents, width and invisible characters.

It works character by character, so a part of a name is also a part of the folded name. Uniqueness
of names uses a stricter folding, which keeps more names apart.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_KEYBOARD_LETTERS = {
    "æ": "ae",
    "œ": "oe",
    "þ": "th",
    "ð": "d",
    "ŋ": "n",
    "\N{LATIN SMALL LETTER DOTLESS I}": "i",
    "ȷ": "j",
    "ĸ": "k",
    "ƿ": "w",
    "\N{MODIFIER LETTER APOSTROPHE}": "'",
    "\N{MODIFIER LETTER TURNED COMMA}": "'",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT SINGLE QUOTATION MARK}": "'",
}
"""Characters that Unicode does not decompose, and what people type on keyboards without them."""

_KEPT_MARKS = {7, 8, 9}
"""Combining classes of marks that make a different letter, in scripts of India and Japan."""

_INVISIBLE = re.compile(
    "[\N{VARIATION SELECTOR-1}-\N{VARIATION SELECTOR-16}\N{COMBINING GRAPHEME JOINER}]"
)

_WITH_STROKE = re.compile(r"(LATIN SMALL LETTER [A-Z]) WITH ")


def searchable(text: str) -> str:
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(map(_plain, folded))


@lru_cache(maxsize=10_000)
def _plain(character: str) -> str:
    """The letter of a decomposed and folded character; "" for accents and invisible characters."""
    if character.isspace():
        return " "
    if unicodedata.category(character) == "Cf" or _INVISIBLE.match(character):
        return ""
    if unicodedata.combining(character) not in {0, *_KEPT_MARKS}:
        return ""
    if letter := _KEYBOARD_LETTERS.get(character):
        return letter
    if found := _WITH_STROKE.match(unicodedata.name(character, "")):
        return unicodedata.lookup(found[1])
    return character
