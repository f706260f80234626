"""What names are searched by: letters alone, without case, accents, width or invisible characters.

It goes character by character, so a part of a name stays a part: whatever is found when only case
is ignored is found so too. Uniqueness needs another one, which keeps more apart.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_ON_A_KEYBOARD = {
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
"""What Unicode takes apart no further, as it is typed on a keyboard that does not have it."""

_KEPT_MARKS = {7, 8, 9}
"""Combining classes of marks that make another letter, in the scripts of India and Japan."""

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
    """What is left of a character that was decomposed and folded; "" for what is only an accent or
    cannot be seen."""
    if character.isspace():
        return " "
    if unicodedata.category(character) == "Cf" or _INVISIBLE.match(character):
        return ""
    if unicodedata.combining(character) not in {0, *_KEPT_MARKS}:
        return ""
    if letter := _ON_A_KEYBOARD.get(character):
        return letter
    if found := _WITH_STROKE.match(unicodedata.name(character, "")):
        return unicodedata.lookup(found[1])
    return character
