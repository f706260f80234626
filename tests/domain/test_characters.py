"""Names that look alike, and invisible characters."""

from __future__ import annotations

import re
import sys
import unicodedata
from typing import Any
from uuid import UUID

import msgspec
import pytest

from domain import areas, event_editing, events
from domain.answers import AnswerLine, AnswerText
from domain.areas import AreaNameTaken, CreateArea, RenameArea
from domain.check_ins import Gate, Nonce
from domain.core.characters import fold, fold_case
from domain.core.errors import InvalidFields
from domain.core.times import Timezone
from domain.core.values import (
    Description,
    Email,
    FullName,
    Invalid,
    Line,
    Reason,
    StoredText,
    Text,
    Username,
)
from domain.questions import Option, QuestionId
from domain.webhooks import WebhookUrl
from tests.domain.scenario import IN_A_MONTH, Scenario
from workers.provider.items import UsableItem, read_item

IGNORABLE = (
    "\u00ad\u034f\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u2060\u2061\u206f\ufe0f\ufeff"
    "\U000e0041\U000e0100"
)
DIRECTIONS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
BLANK = "\u115f\u1160\u2800\u3164\uffa0\ufffc"
INVISIBLE = IGNORABLE + DIRECTIONS + BLANK

UNUSED = ("Cs", "Cn", "Co")
"""Halves of characters; what Unicode has not assigned, and leaves to others: none of these has a
case, a width or parts."""

ALL = [c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c) not in UNUSED]


@pytest.mark.parametrize("character", INVISIBLE, ids=lambda c: f"U+{ord(c):04X}")
@pytest.mark.parametrize("name", ["ro{}ot", "root{}", "{}root"])
def test_a_username_has_no_invisible_characters(name: str, character: str) -> None:
    with pytest.raises(Invalid, match=rf"must not contain U\+{ord(character):04X} \("):
        Username.parse(name.format(character))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *((kind, "Great {}Hall") for kind in (Line, StoredText, Text, FullName, Username, Option)),
        *((kind, "Great {}Hall") for kind in (AnswerLine, AnswerText, Description, Reason, Gate)),
        (Email, "ada{}@example.org"),
        (Nonce, "a-random{}-nonce"),
        (QuestionId, "diet{}"),
        (Timezone, "Europe/{}Berlin"),
        (WebhookUrl, "https://example.org/{}hook"),
    ],
)
@pytest.mark.parametrize("character", ["\0", "\x1b", "\x7f", "\x9f"])
def test_no_text_that_is_kept_has_control_characters(kind: Any, text: str, character: str) -> None:
    assert kind.parse(text.format("")) == kind.parse(text.format("")).strip()
    with pytest.raises(Invalid):
        kind.parse(text.format(character))


@pytest.mark.parametrize("kind", [Line, Text, FullName, Username])
@pytest.mark.parametrize("character", INVISIBLE + "\u00a0\u2003\u3000\u1680")
def test_a_name_of_invisible_characters_counts_as_empty(kind: type[Line], character: str) -> None:
    for name in (character * 3, f" {character} {character}"):
        with pytest.raises(Invalid, match="must not be empty"):
            kind.parse(name)


@pytest.mark.parametrize("character", IGNORABLE + DIRECTIONS)
@pytest.mark.parametrize("name", ["Ha{}ll", "Hall{}", "{}Hall", "Hall {}"])
def test_an_area_name_with_added_invisible_characters_is_taken(name: str, character: str) -> None:
    scenario = Scenario()
    scenario.when(CreateArea(name=Text("hall")))
    with pytest.raises(AreaNameTaken):
        scenario.when(CreateArea(name=Text.parse(name.format(character))))


@pytest.mark.parametrize("character", BLANK)
def test_characters_that_look_like_a_space_are_refused(character: str) -> None:
    with pytest.raises(Invalid, match=rf"must not contain U\+{ord(character):04X} \("):
        Text.parse(f"Great{character}Hall")


@pytest.mark.parametrize(
    "name",
    [
        "می‌خواهم",
        "शर्‍मा",
        "👩‍🚀 Ada",
        "❤️ Fair",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "葛\U000e0100城",
    ],
)
def test_characters_that_join_letters_or_emoji_stay_in_a_name(name: str) -> None:
    assert FullName.parse(name) == name
    assert Text.parse(name) == name


LENIENT: list[type[Line]] = [Line, StoredText]
NEW: list[type[Line]] = [Text, FullName, Username]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("ro\ue000ot", "must not contain U+E000, which is for private use"),
        ("root\uf8ff", "must not contain U+F8FF, which is for private use"),
        ("\U000f0000root", "must not contain U+F0000, which is for private use"),
        ("root\U0010fffd", "must not contain U+10FFFD, which is for private use"),
        ("ro\ufdd0ot", "must not contain U+FDD0, which is no character"),
        ("ro\uffffot", "must not contain U+FFFF, which is no character"),
        ("ro\U0001fffeot", "must not contain U+1FFFE, which is no character"),
        ("ro\U0002ffffot", "must not contain U+2FFFF, which is no character"),
        ("ro\U0010ffffot", "must not contain U+10FFFF, which is no character"),
        ("\u0301\u0301", "must not begin with U+0301 (COMBINING ACUTE ACCENT)"),
        ("\u0301root", "must not begin with U+0301 (COMBINING ACUTE ACCENT)"),
        ("\u20ddroot", "must not begin with U+20DD (COMBINING ENCLOSING CIRCLE)"),
        ("\u093fक", "must not begin with U+093F (DEVANAGARI VOWEL SIGN I)"),
        ("\u0e31ก", "must not begin with U+0E31 (THAI CHARACTER MAI HAN-AKAT)"),
        ("\u3099か", "must not begin with U+3099 (COMBINING KATAKANA-HIRAGANA VOICED SOUND MARK)"),
    ],
)
def test_a_new_name_has_no_invisible_and_no_private_use_characters(name: str, reason: str) -> None:
    for kind in NEW:
        with pytest.raises(Invalid, match=re.escape(reason)):
            kind.parse(f" {name} ")
    for taken in LENIENT:
        assert taken.parse(name) == name


def test_a_mark_after_invisible_characters_counts_as_the_beginning_of_a_name() -> None:
    with pytest.raises(Invalid, match="must not begin with U"):
        Text.parse("\u200d \u0301e")


@pytest.mark.parametrize(
    "name",
    [
        "e\u0301va",
        "ro\u0378ot \U000c0000",  # unassigned so far
        "कि",
        "กำ",
        "ᠮᠣᠩᠭᠣᠯ",
        "נָתָן",
        "𠮷野",
        "\U00031350\U0002ebf0",
        "\U0001fa77 \U0001fae9 \U0001f9ff",
        "O’Brien–Smith",  # noqa: RUF001
        "½ ㎏ №",
        "Ⅷ Ⅷ",
    ],
)
def test_a_new_name_is_in_any_script_and_with_emoji_of_any_year(name: str) -> None:
    for kind in NEW:
        assert kind.parse(name) == name


def test_of_all_characters_a_new_name_has_those_that_are_or_will_be_assigned() -> None:
    def taken(kind: type[Line], name: str) -> bool:
        try:
            return bool(kind.parse(name))
        except Invalid:
            return False

    for character in ALL:
        code, category = ord(character), unicodedata.category(character)
        is_of_emoji = 0x1F000 <= code < 0x1FB00 or 0x1FC00 <= code < 0x1FFFE
        is_reserved = is_of_emoji or 0x20000 <= code < 0x3FFFE
        is_none = code & 0xFFFE == 0xFFFE or category == "Co"
        expected = not is_none and (category != "Cn" or is_reserved)
        name = f"a{character}b"
        for shown in (Text, FullName):
            assert taken(shown, name) == (expected and taken(StoredText, name)), hex(code)
        assert not taken(Username, name) or expected, hex(code)


def test_an_old_name_stays_until_it_is_changed() -> None:
    hall, event = UUID(int=1), UUID(int=2)
    old, other = StoredText("logo \uf8ff"), StoredText("other \uf8ff")
    created = events.Created(
        name=old, status="open", event_datetime=IN_A_MONTH, registration_deadline=IN_A_MONTH
    )
    scenario = Scenario()
    scenario.given(hall, areas.Created(name=old))
    scenario.given(event, created)
    scenario.when(RenameArea(area_id=hall, name=old))
    scenario.when(event_editing.ChangeEvent(event_id=event, name=old, status="closed"))
    for command in (
        RenameArea(area_id=hall, name=other),
        event_editing.ChangeEvent(event_id=event, name=other),
    ):
        with pytest.raises(InvalidFields) as refused:
            scenario.when(command)
        expected = {"name": "must not contain U+F8FF, which is for private use"}
        assert refused.value.messages == expected


def test_a_name_from_the_provider_is_stored_unchanged() -> None:
    item = (
        b'{"id": "00000000-0000-4000-8000-000000000001", "event_datetime": "2030-06-01T00:00:00Z",'
        b'"status": "open", "name": "logo \\uf8ff", "area": "\\u0301\\u0378"}'
    )
    read = read_item(msgspec.Raw(item), 1)
    assert isinstance(read, UsableItem)
    scenario = Scenario()
    made = scenario.when(read.command)
    assert [event.name for event in made if isinstance(event, events.Created)] == ["logo \uf8ff"]
    assert [event.name for event in made if isinstance(event, areas.Created)] == ["\u0301\u0378"]


def test_characters_that_change_the_direction_of_text_are_removed() -> None:
    assert FullName.parse("\u202bדוד\u202c") == "דוד"  # noqa: RUF001
    assert Text.parse("gpj.\u202egood\u2069") == "gpj.good"
    assert Text.parse("דוד\u200e (1)") == "דוד\u200e (1)"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("\u1fbc\u0342", "\u1fb7"),
        ("Straße", "STRASSE"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("\uff32\uff4f\uff4f\uff54", "root"),
        ("ﬁne ²", "FINE 2"),
        ("Ångström", "A\u030angstro\u0308m"),
        ("Great  Hall", "great hall"),
        ("Great\u00a0Hall", "great\u3000hall"),
        ("한\u3164", "\u1112\u1161\u11ab"),
    ],
)
def test_names_that_look_alike_fold_alike(one: str, other: str) -> None:
    assert fold(one) == fold(other)


def test_folding_is_the_same_for_every_case_and_composition_of_a_character() -> None:
    for character in ALL:
        folded = fold(character)
        assert fold(folded) == folded
        for form in (character.upper(), character.title(), unicodedata.normalize("NFD", character)):
            assert fold(form) == folded or character == "ı"  # the Turkish letter is one of its own  # noqa: RUF001


def test_folding_case_makes_one_of_each_character_and_its_other_cases_alone() -> None:
    for character in ALL:
        folded = fold_case(character)
        assert fold_case(folded) == folded
        for form in (character.upper(), character.lower()):
            if len(form) == 1 and character != "ı":  # noqa: RUF001
                assert fold_case(form) == folded
    for one, other in [("ß", "ss"), ("²", "2"), ("ﬁ", "fi"), ("\uff41", "a"), ("ı", "i")]:  # noqa: RUF001
        assert fold_case(one) != fold_case(other)
    assert fold_case("ẞ") == fold_case("ß")
