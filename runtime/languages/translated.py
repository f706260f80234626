"""A language other than English: its texts from a gettext catalogue (`catalogues/`), its dates and
numbers from Unicode's CLDR. Only this module loads Babel."""

from __future__ import annotations

from datetime import datetime
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path

import babel
from babel.dates import format_date
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

from domain.core.languages import Language
from domain.core.phrases import Phrase
from runtime.languages.locale import Locale

CATALOGUES = Path(__file__).parent / "catalogues"


def catalogue_of(language: Language) -> Catalog:
    """As translators write it."""
    with (CATALOGUES / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


class Translated(Locale):
    """A message that the catalogue lacks is in English."""

    def __init__(self, language: Language) -> None:
        self.language = language
        compiled = BytesIO()
        write_mo(compiled, catalogue_of(language))
        compiled.seek(0)
        self._texts = GNUTranslations(compiled)
        self._formats = babel.Locale.parse(language)
        skeletons = self._formats.datetime_skeletons
        self._short_day = skeletons["yMMMMEd"].pattern
        self._day_of_year = skeletons["MMMMEd"].pattern.replace("E", "EEEE")
        self._month = skeletons["yMMMM"].pattern

    def pattern(self, message: str) -> str:
        return self._texts.gettext(message)

    def plural_pattern(self, one: str, many: str, number: int) -> str:
        return self._texts.ngettext(one, many, number)

    def sentence(self, message: str) -> str:
        if not isinstance(message, Phrase):
            return self._texts.gettext(message)
        text = self._texts.gettext(message.pattern)
        return text % message.values if message.values else text

    def number(self, number: int) -> str:
        return format_decimal(number, locale=self._formats)

    def day(self, moment: datetime) -> str:
        return self._date(moment, "full")

    def short_day(self, moment: datetime) -> str:
        return self._date(moment, self._short_day)

    def weekday(self, moment: datetime) -> str:
        return self._date(moment, "EEEE")

    def day_of_year(self, moment: datetime) -> str:
        return self._date(moment, self._day_of_year)

    def month(self, moment: datetime) -> str:
        return self._date(moment, self._month)

    def short_month(self, moment: datetime) -> str:
        return self._date(moment, "LLL")

    def _date(self, moment: datetime, pattern: str) -> str:
        return format_date(moment, pattern, locale=self._formats)
