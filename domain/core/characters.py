"""Characters that a reader does not see, and what two texts have in common that look alike.

The invisible ones are Unicode's default ignorable code points (DerivedCoreProperties.txt, the same
since Unicode 13), and a few more that show nothing.
"""

from __future__ import annotations

import re
import unicodedata

from domain.core.phrases import Phrase

_REORDERING = "\u202a-\u202e\u2066-\u2069"
"""They order the text after them from right to left or from left to right."""

_JOINING = "\u200c\u200d\ufe00-\ufe0f\U000e0020-\U000e007f"
"""Between letters of Persian, Hindi and other languages, and within emoji."""

_NOTHING = (
    "\u00ad\u034f\u061c\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u2060-\u2065\u206a-\u206f\ufeff"
    "\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e001f"
    "\U000e0080-\U000e0fff"
)

_BLANK = "\u115f\u1160\u2800\u3164\uffa0\ufffc\U00013441\U00013442\U00016fe4\U0001d159"
"""They are letters and symbols, and look like a space or like nothing."""

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""And the ends of lines, and halves of characters."""

REORDERING = re.compile(f"[{_REORDERING}]")
BLANK = re.compile(f"[{_BLANK}]")
INVISIBLE = re.compile(f"[{_REORDERING}{_JOINING}{_NOTHING}{_BLANK}]")

_PRIVATE = "\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd"
"""For private use: they mean something else everywhere."""

_NO_CHARACTERS = "\ufdd0-\ufdef" + "".join(
    f"{chr(plane << 16 | 0xFFFE)}{chr(plane << 16 | 0xFFFF)}" for plane in range(17)
)
"""Noncharacters. Unassigned code points are accepted: a later version of Unicode may assign them,
and each Python knows one version."""

PRIVATE = re.compile(f"[{_PRIVATE}]")
NOT_FOR_NAMES = re.compile(f"[{_PRIVATE}{_NO_CHARACTERS}]")

_SPACES = re.compile(r"\s{2,}|[^\S ]")


def fold(text: str) -> str:
    """The same for all texts that look alike: case, width, composition and what cannot be seen are
    taken away, and several spaces are one. What the uniqueness of names rests on.

    Compatibility caseless matching (Unicode, definition D146) without ignorable characters.
    """
    if text.isascii():
        return _SPACES.sub(" ", text.lower())
    text = unicodedata.normalize("NFD", INVISIBLE.sub("", text))
    for _ in range(2):
        text = unicodedata.normalize("NFKC", text.casefold())
    return _SPACES.sub(" ", text)


def fold_case(text: str) -> str:
    """Case and composition taken away, and nothing else: `ß` is not `ss`, and `²` not `2`.

    Unicode's simple case folding, which replaces a character by one character.
    """
    if text.isascii():
        return text.lower()
    composed = unicodedata.normalize("NFC", text)
    return unicodedata.normalize("NFC", "".join(map(_folded_alone, composed)))


def _folded_alone(character: str) -> str:
    for folded in (character.casefold(), character.lower()):
        if len(folded) == 1:
            return folded
    return character


def wrong_in_new(name: str) -> Phrase | None:
    """The error message for a new name, None if it is valid. Refuses code points that show nothing
    or have no common meaning, and a combining mark without its letter. Existing names, and names
    from the provider, may have them."""
    if not name.isprintable() and (found := NOT_FOR_NAMES.search(name)):
        if PRIVATE.match(found[0]):
            return Phrase(
                "must not contain %(character)s, which is for private use",
                character=named(found[0]),
            )
        return Phrase(
            "must not contain %(character)s, which is no character", character=named(found[0])
        )
    first = INVISIBLE.sub("", name).lstrip()[:1]
    if first and unicodedata.category(first).startswith("M"):
        return Phrase(
            "must not begin with %(character)s, which belongs to a letter before it",
            character=named(first),
        )
    return None


def named(character: str) -> str:
    """For who cannot see it: `U+200B (ZERO WIDTH SPACE)`."""
    name = unicodedata.name(character, "")
    return f"U+{ord(character):04X}" + (f" ({name})" if name else "")
