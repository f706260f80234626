"""Value types that are always valid: they need no further checks.

Each class parses input and raises `Invalid`, whose message is for the client.
"""

from __future__ import annotations

import re
from typing import ClassVar, Self

from domain.core.characters import (
    BLANK,
    CONTROL,
    INVISIBLE,
    REORDERING,
    fold,
    fold_case,
    named,
    wrong_in_new,
)
from domain.core.phrases import Phrase


class Invalid(ValueError):
    """A value is invalid; the message for the client says why. Its arguments are those of
    `Phrase`."""

    def __init__(self, message: str, /, *, detail: str = "", **values: object) -> None:
        is_ready = isinstance(message, Phrase)
        self.message = message if is_ready else Phrase(message, detail=detail, **values)
        super().__init__(str(self.message))


def too_long(text: str, most: int) -> Invalid:
    return Invalid(
        "must have at most %(most)s characters, has %(length)s", most=most, length=len(text)
    )


class Line(str):
    """One line of text: trimmed, `min_length` to `max_length` long, without control characters,
    and not all of it invisible."""

    __slots__ = ()
    min_length: ClassVar[int] = 1
    max_length: ClassVar[int] = 255
    refused: ClassVar[re.Pattern[str]] = CONTROL
    """Characters that it must not have."""
    is_new: ClassVar[bool] = False
    """Whether it is given from now on, and must have no character that `wrong_in_new` names."""

    @classmethod
    def parse(cls, raw: object) -> Self:
        if not isinstance(raw, str):
            raise Invalid("must be a text")
        text = raw.strip()
        if not text.isprintable() or (not text.isascii() and INVISIBLE.search(text)):
            text = cls._parse_unusual(text)
        if not text:
            raise Invalid("must not be empty")
        if len(text) < cls.min_length:
            raise Invalid("must have at least %(least)s characters", least=cls.min_length)
        if len(text) > cls.max_length:
            raise too_long(text, cls.max_length)
        if cls.is_new and not text.isascii() and (wrong := wrong_in_new(text)):
            raise Invalid(wrong)
        return cls(text)

    @classmethod
    def _parse_unusual(cls, text: str) -> str:
        """The text; empty when nothing of it can be seen."""
        if CONTROL.search(text):
            raise Invalid("must not contain control characters")
        if not INVISIBLE.sub("", text).strip():
            return ""
        if found := cls.refused.search(text):
            raise Invalid(
                "must not contain %(character)s, which cannot be seen", character=named(found[0])
            )
        return text

    @property
    def folded(self) -> str:
        """The same for all names that look alike: what their uniqueness rests on."""
        return fold(self).strip()


class StoredText(Line):
    """A name as there may be one already, here or at the provider. What joins letters or emoji
    stays in it; what changes the direction of the text around it is taken away."""

    __slots__ = ()
    refused = BLANK

    @classmethod
    def _parse_unusual(cls, text: str) -> str:
        return super()._parse_unusual(REORDERING.sub("", text).strip())


class Text(StoredText):
    """A name that is given from now on: each of its characters is one everywhere."""

    __slots__ = ()
    is_new = True


class FullName(Text):
    """A person's name."""

    __slots__ = ()
    max_length = 128


class Username(Line):
    """The name that an account signs in with: there is nothing in it that cannot be seen."""

    __slots__ = ()
    min_length = 2
    max_length = 50
    refused = INVISIBLE
    is_new = True


class Description(str):
    """Plain text of several lines, 0 to 10,000 characters; no control characters besides line ends
    and tabs."""

    __slots__ = ()
    max_length: ClassVar[int] = 10_000
    refused: ClassVar[re.Pattern[str]] = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

    @classmethod
    def parse(cls, raw: object) -> Self:
        if not isinstance(raw, str):
            raise Invalid("must be a text")
        text = raw.replace("\r\n", "\n").strip()
        if len(text) > cls.max_length:
            raise too_long(text, cls.max_length)
        if cls.refused.search(text):
            raise Invalid("must not contain control characters")
        return cls(text)


class Reason(Description):
    """A reason for people, 0 to 1,000 characters."""

    __slots__ = ()
    max_length = 1_000


class Capacity(int):
    """A number of seats, 0 to 1,000,000."""

    __slots__ = ()
    most: ClassVar[int] = 1_000_000

    @classmethod
    def parse(cls, raw: object) -> Self:
        if not isinstance(raw, int) or isinstance(raw, bool) or not 0 <= raw <= cls.most:
            raise Invalid("must be a whole number from 0 to %(most)s", most=cls.most)
        return cls(raw)


class Days(int):
    """A number of days, 0 to 36,500: a hundred years."""

    __slots__ = ()
    most: ClassVar[int] = 36_500

    @classmethod
    def parse(cls, raw: object) -> Self:
        if not isinstance(raw, int) or isinstance(raw, bool) or not 0 <= raw <= cls.most:
            raise Invalid("must be a whole number of days, from 0 to %(most)s", most=cls.most)
        return cls(raw)


class Position(int):
    """A position in history; 0 is before its first event."""

    __slots__ = ()
    most: ClassVar[int] = 2**63 - 1

    @classmethod
    def parse(cls, raw: object) -> Self:
        if not isinstance(raw, int) or isinstance(raw, bool) or not 0 <= raw <= cls.most:
            raise Invalid("must be a position in history: a whole number of at least 0")
        return cls(raw)


def wrong_name(name: str, was: str) -> dict[str, str]:
    """What is wrong with a changed name, by field: nothing when it stays as it was."""
    wrong = None if name == was else wrong_in_new(name)
    return {"name": wrong} if wrong else {}


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
            raise Invalid("must have at most %(most)s characters", most=cls.max_length)
        if _PLAIN_ADDRESS.fullmatch(address):
            return cls(address)
        return cls(cls._parse_unusual(address))

    @property
    def person(self) -> str:
        """The same for all spellings of one address. Of a domain's A-label the parsed form has the
        one Unicode spelling there is (IDNA 2008), so two domains are the same when these are."""
        if self.isascii():
            return self.lower()
        local, at, domain = self.rpartition("@")
        return fold_case(local) + at + domain

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
            raise Invalid("must be an email address", detail=str(error)) from None
        if "." not in checked.ascii_domain:
            raise Invalid("must be an email address", detail="the part after the @ needs a dot")
        return checked.normalized.lower()


_PLAIN_ADDRESS = re.compile(
    r"(?=[^@]{1,64}@.{1,63}$)"
    r"[a-z0-9_+]+(?:[.-][a-z0-9_+]+)*@"
    r"(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+[a-z]{2,24}"
)
"""Addresses that need no library to be seen as right: it takes 60 µs, this takes one."""
