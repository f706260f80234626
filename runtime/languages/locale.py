"""Texts, dates and numbers in one language. Those in English need no catalogue and no library."""

from __future__ import annotations

from datetime import datetime
from functools import cache

from domain.core.languages import ENGLISH, LANGUAGES, Language

NAMES: dict[Language, str] = {"en": "English", "de": "Deutsch", "fr": "Français"}
"""As their speakers call them."""


class Locale:
    """English. `%(name)s` in a message stands for the value of that name, `%%` for a percent sign.
    Moments are in the time zone in which they are shown."""

    language: Language = ENGLISH

    def gettext(self, message: str, /, **values: object) -> str:
        return self.pattern(message) % values

    def ngettext(self, one: str, many: str, number: int, /, **values: object) -> str:
        """The message for this number; `many` is for all numbers but 1."""
        return self.plural_pattern(one, many, number) % values

    def pattern(self, message: str) -> str:
        """The message without its values."""
        return message

    def plural_pattern(self, one: str, many: str, number: int) -> str:
        return one if number == 1 else many

    def sentence(self, message: str) -> str:
        """A message of the domain, such as the reason why something is refused."""
        return message

    def number(self, number: int) -> str:
        return f"{number:,}"

    def day(self, moment: datetime) -> str:
        """`Sunday, 17 May 2099`"""
        return f"{moment:%A, %-d %B %Y}"

    def short_day(self, moment: datetime) -> str:
        """`Sun, 17 May 2099`"""
        return f"{moment:%a, %-d %B %Y}"

    def weekday(self, moment: datetime) -> str:
        return f"{moment:%A}"

    def day_of_year(self, moment: datetime) -> str:
        """`Sunday, 17 May`"""
        return f"{moment:%A, %-d %B}"

    def month(self, moment: datetime) -> str:
        """`May 2099`"""
        return f"{moment:%B %Y}"

    def short_month(self, moment: datetime) -> str:
        """`Sep`"""
        return f"{moment:%b}"

    def time(self, moment: datetime) -> str:
        return f"{moment:%H:%M}"

    def moment(self, moment: datetime, zone: str) -> str:
        """`Sunday, 17 May 2099, 11:00 (Europe/Berlin)`"""
        return f"{self.day(moment)}, {self.time(moment)} ({zone})"


IN_ENGLISH = Locale()


@cache
def locale_of(language: str) -> Locale:
    """English for a language that this release does not know. Another is loaded when it is first
    needed."""
    for known in LANGUAGES:
        if known == language != ENGLISH:
            from runtime.languages.translated import Translated

            return Translated(known)
    return IN_ENGLISH
