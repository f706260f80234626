"""Names are found as people type them."""

from __future__ import annotations

import pytest

from projections.lists.search_text import searchable

LAST_WITH_CASE = 0x2E00
"""Letters after it have no case, but for a few hundred of rare scripts."""


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("Łukasz", "lukasz"),
        ("Ångström", "angstrom"),
        ("A\N{COMBINING RING ABOVE}ngstro\N{COMBINING DIAERESIS}m", "ångström"),
        ("STRAẞE", "strasse"),
        ("Đorđe Øster", "dorde oster"),
        ("Æsa Œuvre Þór", "aesa oeuvre thor"),
        ("IŞIK İnan", "isik inan"),
        ("Nguyễn Thị", "nguyen thi"),
        ("Ａｄａ", "ada"),  # noqa: RUF001
        ("ﬁn", "fin"),
        ("李\N{IDEOGRAPHIC SPACE}小龙", "李 小龙"),
        ("Ada\N{NO-BREAK SPACE}Byron", "ada byron"),
        ("Ada\N{THIN SPACE}Byron", "ada byron"),
        ("Ada\N{OGHAM SPACE MARK}Byron", "ada byron"),
        ("A\N{ZERO WIDTH SPACE}d\N{SOFT HYPHEN}a", "ada"),
        ("O\N{RIGHT SINGLE QUOTATION MARK}Brien", "o'brien"),
        ("Σίσυφος", "ΣΙΣΥΦΟΣ"),
        ("Ёлка", "елка"),
    ],
)
def test_names_are_the_same_as_they_are_typed_without_accents(name: str, typed: str) -> None:
    assert searchable(name) == searchable(typed)


def test_letters_that_differ_by_more_than_accents_are_not_equal() -> None:
    assert searchable("か") != searchable("が")
    assert searchable("कि") != searchable("की")


def test_ignoring_accents_finds_everything_that_ignoring_case_finds() -> None:
    """It goes character by character, and makes no difference between cases."""
    for number in range(LAST_WITH_CASE):
        character = chr(number)
        folded = searchable(character)
        assert searchable(f"a{character}b") == f"a{folded}b", hex(number)
        cases = {character.lower(), character.upper(), character.casefold(), character.title()}
        assert {searchable(case) for case in cases} == {folded}, hex(number)
