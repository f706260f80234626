"""Names that look alike, and invisible characters."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from domain.areas import AreaNameTaken, CreateArea
from domain.core.characters import fold, fold_case
from domain.core.values import FullName, Invalid, Line, Text, Username
from tests.domain.scenario import Scenario

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
def test_a_username_has_nothing_that_cannot_be_seen(name: str, character: str) -> None:
    with pytest.raises(Invalid, match=rf"must not contain U\+{ord(character):04X} \("):
        Username.parse(name.format(character))


@pytest.mark.parametrize("kind", [Line, Text, FullName, Username])
@pytest.mark.parametrize("character", INVISIBLE + "\u00a0\u2003\u3000\u1680")
def test_a_name_of_nothing_that_can_be_seen_is_empty(kind: type[Line], character: str) -> None:
    for name in (character * 3, f" {character} {character}"):
        with pytest.raises(Invalid, match="must not be empty"):
            kind.parse(name)


@pytest.mark.parametrize("character", IGNORABLE + DIRECTIONS)
@pytest.mark.parametrize("name", ["Ha{}ll", "Hall{}", "{}Hall", "Hall {}"])
def test_an_area_name_is_taken_whatever_else_is_in_it_unseen(name: str, character: str) -> None:
    scenario = Scenario()
    scenario.when(CreateArea(name=Text("hall")))
    with pytest.raises(AreaNameTaken):
        scenario.when(CreateArea(name=Text.parse(name.format(character))))


@pytest.mark.parametrize("character", BLANK)
def test_what_looks_like_a_space_is_refused_where_a_space_belongs(character: str) -> None:
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
def test_what_joins_letters_or_emoji_stays_in_a_name(name: str) -> None:
    assert FullName.parse(name) == name
    assert Text.parse(name) == name


def test_what_turns_the_text_around_a_name_is_taken_away() -> None:
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
