"""The secret of an API key: `evf_`, 256 random bits in base 62, and a checksum.

Secret scanners find it by its prefix and checksum, and a mistyped key is refused without a look-up.
Only its hash is stored.
"""

from __future__ import annotations

import re
import secrets
import string
from hashlib import sha256
from typing import Self
from zlib import crc32

PREFIX = "evf_"

_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_BITS = 256
_RANDOM_LENGTH = 43
_CHECKSUM_LENGTH = 6

PATTERN = rf"{PREFIX}[0-9A-Za-z]{{{_RANDOM_LENGTH + _CHECKSUM_LENGTH}}}"
"""For secret scanners. The last six digits are the CRC-32 of all characters before them."""

_SHAPE = re.compile(PATTERN, re.ASCII)


class KeySecret:
    """Neither logs nor JSON contain it; only `reveal` returns it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    @classmethod
    def new(cls) -> Self:
        unsigned = PREFIX + _base62(secrets.randbits(_RANDOM_BITS), _RANDOM_LENGTH)
        return cls(unsigned + _checksum(unsigned))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """None unless it has the shape of a key and its checksum is right."""
        if not _SHAPE.fullmatch(text):
            return None
        unsigned, checksum = text[:-_CHECKSUM_LENGTH], text[-_CHECKSUM_LENGTH:]
        return cls(text) if _checksum(unsigned) == checksum else None

    def reveal(self) -> str:
        return self._text

    @property
    def hash(self) -> bytes:
        """A fast hash suffices, because a secret cannot be guessed."""
        return sha256(self._text.encode()).digest()

    def __repr__(self) -> str:
        return "<secret of an API key>"


def _checksum(text: str) -> str:
    return _base62(crc32(text.encode()), _CHECKSUM_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = list[str]()
    for _ in range(length):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
