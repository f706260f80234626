"""In which language a page is: that of the event, the one that the address names (`?lang=de`), or
the one that the browser asks for. No cookie remembers it: the links of a page keep what its address
names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
from litestar import Request as AnyRequest

from api.html.forms import Form
from api.http.accept_language import accepted_language
from domain.core.languages import LANGUAGES, Language
from runtime.languages.locale import IN_ENGLISH, NAMES, Locale, locale_of


class Switch(msgspec.Struct, frozen=True):
    """A link to the same page in another language."""

    language: Language
    name: str
    address: str


class Reader(msgspec.Struct, frozen=True):
    """Who reads a page."""

    locale: Locale
    chosen: Language | None = None
    """The language that the address names."""
    is_fixed: bool = False
    """Whether the page has one language for all readers."""

    @property
    def language(self) -> Language:
        return self.locale.language

    @property
    def headers(self) -> dict[str, str]:
        return {"Content-Language": self.language, "Vary": "Accept-Language"}

    def link(self, path: str, **query: str) -> str:
        """The address of one of these pages, in the language that this page's address names."""
        given = {**query, "lang": self.chosen} if self.chosen else query
        return f"{path}?{urlencode(given)}" if given else path

    def switches(self, query: Mapping[str, str]) -> list[Switch]:
        """To the same page, which has this query, in the other languages."""
        kept = urlencode(query) + "&" if query else ""
        return [
            Switch(language, NAMES[language], f"?{kept}lang={language}")
            for language in LANGUAGES
            if language != self.language and not self.is_fixed
        ]


FOR_DEVELOPERS = Reader(IN_ENGLISH, is_fixed=True)
"""Reads English, as the documentation of the API is."""


def reader_of(request: AnyRequest[Any, Any, Any], language: Language | None = None) -> Reader:
    """`language` is that of the event; None where the reader decides."""
    chosen = chosen_language(request)
    preferred = language or chosen or accepted_language(request.headers.get("Accept-Language"))
    return Reader(locale_of(preferred), chosen, is_fixed=language is not None)


def chosen_language(request: AnyRequest[Any, Any, Any]) -> Language | None:
    """The one that the address names."""
    given = request.query_params.get("lang")
    return next((language for language in LANGUAGES if language == given), None)


def in_language(form: Form, locale: Locale) -> Form:
    """The form with its errors in the language."""
    errors = {field: _said(field, error, locale) for field, error in form.errors.items()}
    return Form(form.values, errors)


def _said(field: str, error: str, locale: Locale) -> str:
    """What is wrong with the whole form ends with a full stop, which no message of the domain
    has."""
    return locale.sentence(error) if field else locale.sentence(error.removesuffix(".")) + "."
