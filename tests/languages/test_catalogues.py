"""The catalogues of all languages are complete and say the same as the English texts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, get_args

import pytest
from babel.messages.catalog import Catalog, Message

from domain.core.languages import ENGLISH, LANGUAGES, Language
from projections.message_texts import EventFacts, Facts, Kind, content_of
from runtime.languages.locale import NAMES, Locale, locale_of
from runtime.languages.translated import catalogue_of
from tests.languages.messages import messages
from tests.support.messages import FAIR, LINK

TRANSLATED = [language for language in LANGUAGES if language != ENGLISH]

IN_CODE = messages()

PLACEHOLDER = re.compile(r"%\(\w+\)s|\{\w+\}|%%")


def entries(catalogue: Catalog) -> Iterator[Message]:
    """Without the header."""
    return (message for message in catalogue if message.id)


def texts(of: Any) -> Sequence[str]:
    return [of] if isinstance(of, str) else list(of or [""])


def placeholders(text: str) -> Counter[str]:
    return Counter(PLACEHOLDER.findall(text))


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_catalogue_has_just_the_messages_of_the_code(language: Language) -> None:
    stored = {message.id for message in entries(catalogue_of(language))}
    in_code = {message.id for message in entries(IN_CODE)}
    assert len(in_code) > 100
    assert stored == in_code, "run: make messages"


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_message_is_translated_in_each_plural_form(language: Language) -> None:
    catalogue = catalogue_of(language)
    for message in entries(catalogue):
        assert not message.fuzzy, message.id
        forms = texts(message.string)
        assert len(forms) == (catalogue.num_plurals if message.pluralizable else 1), message.id
        assert all(form.strip() for form in forms), message.id


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_translation_loses_or_adds_a_placeholder(language: Language) -> None:
    for message in entries(catalogue_of(language)):
        wanted = placeholders(texts(message.id)[-1])
        assert wanted == placeholders(texts(message.id)[0])
        for form in texts(message.string):
            assert placeholders(form) == wanted, message.id
            assert not re.search(r"%(?!\(\w+\)s|%)", form), message.id


def test_quotation_marks_and_spaces_are_those_of_the_language() -> None:
    for message in entries(catalogue_of("de")):
        for form in texts(message.string):
            assert not re.search("[“”](?!\\W|$)|\"|'", form), form
    for message in entries(catalogue_of("fr")):
        for form in texts(message.string):
            assert not re.search("[^\u00a0]:|[^\u202f][;!?]|'|\"", form), form


def test_every_language_has_a_name_and_a_catalogue() -> None:
    assert list(NAMES) == list(LANGUAGES)
    for language in LANGUAGES:
        locale = locale_of(language)
        assert locale.language == language
        assert locale.gettext("You are registered")
    assert locale_of("tlh").language == ENGLISH


class Strict(Locale):
    """Fails for a message that no catalogue has: one that the extraction did not find."""

    known = frozenset(text for message in entries(IN_CODE) for text in texts(message.id))

    def pattern(self, message: str) -> str:
        assert message in self.known
        return message


@pytest.mark.parametrize("kind", get_args(Kind))
def test_all_texts_of_messages_are_in_the_catalogues(kind: Kind) -> None:
    over = EventFacts(FAIR.name, FAIR.begins, FAIR.timezone, cancelled=True, ends=FAIR.begins)
    for facts in (
        Facts(code="0042", place=3, reason="Rain"),
        Facts(waited=True),
        Facts(confirm_by=FAIR.begins),
        Facts(),
    ):
        for event in (FAIR, over):
            content = content_of(kind, facts, event, LINK, Strict())
            assert content.subject
            assert content.text
