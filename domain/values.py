"""Values that are right by construction: who holds one need not check it again.

Each class parses what came from outside and raises `Invalid`, whose text is meant for the sender.
"""

from __future__ import annotations

import re
import unicodedata
from typing import ClassVar, Self


class Invalid(ValueError):
    """What is wrong with a value, in words for whoever sent it."""


class Text(str):
    """One line of text: trimmed, no control characters, `min_length` to `max_length` long."""

    __slots__ = ()
    min_length: ClassVar[int] = 1
    max_length: ClassVar[int] = 255

    @classmethod
    def parse(cls, raw: object) -> Self:
        if not isinstance(raw, str):
            raise Invalid("must be a text")
        text = raw.strip()
        if not text:
            raise Invalid("must not be empty")
        if len(text) < cls.min_length:
            raise Invalid(f"must have at least {cls.min_length} characters")
        if len(text) > cls.max_length:
            raise Invalid(f"must have at most {cls.max_length} characters, has {len(text)}")
        if not text.isprintable():
            kinds = {unicodedata.category(character) for character in text}
            if kinds & _NOT_TEXT:
                raise Invalid("must not contain control characters")
            if kinds <= _INVISIBLE:
                raise Invalid("must not be empty")
        return cls(text)

    @property
    def folded(self) -> str:
        """The same for all spellings that differ in case only: what uniqueness and search use."""
        return fold(self)


_NOT_TEXT = frozenset({"Cc", "Cs", "Zl", "Zp"})
_INVISIBLE = frozenset({"Cf", "Zs"})


def fold(text: str) -> str:
    """Case, width and composition taken away, so that equal-looking texts compare equal."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


class FullName(Text):
    """A person's name."""

    __slots__ = ()
    max_length = 128


class Username(Text):
    """The name that an account signs in with."""

    __slots__ = ()
    min_length = 2
    max_length = 50


class Email(str):
    """An email address in its normal form: no surrounding space, lower case."""

    __slots__ = ()
    max_length: ClassVar[int] = 254

    @classmethod
    def parse(cls, raw: object) -> Self:
        if not isinstance(raw, str):
            raise Invalid("must be a text")
        address = raw.strip().lower()
        if len(address) > cls.max_length:
            raise Invalid(f"must have at most {cls.max_length} characters")
        if _PLAIN_ADDRESS.fullmatch(address):
            return cls(address)
        return cls(cls._parse_unusual(address))

    @staticmethod
    def _parse_unusual(address: str) -> str:
        import email_validator  # only for these: it takes 20 ms to load

        # Whether visitor@load.test is an address hangs on its form alone.
        email_validator.SPECIAL_USE_DOMAIN_NAMES.clear()
        try:
            checked = email_validator.validate_email(
                address, check_deliverability=False, globally_deliverable=False, strict=True
            )
        except email_validator.EmailNotValidError as error:
            raise Invalid(f"must be an email address: {error}") from None
        if "." not in checked.ascii_domain:
            raise Invalid("must be an email address: the part after the @ needs a dot")
        return checked.normalized.lower()


_PLAIN_ADDRESS = re.compile(
    r"(?=[^@]{1,64}@.{1,63}$)"
    r"[a-z0-9_+]+(?:[.-][a-z0-9_+]+)*@"
    r"(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+[a-z]{2,24}"
)
"""Addresses that need no library to be seen as right: it takes 60 µs, this takes one."""
