"""`If-Match` and `If-None-Match`, as RFC 9110 (8.8.3, 13.1) has them."""

from __future__ import annotations

import pytest

from api.http.etags import matches, of_gzip, versions_in

TAG = '"7-0af3"'


@pytest.mark.parametrize(
    "lines",
    [
        [TAG],
        [f"W/{TAG}"],
        ["*"],
        [" * "],
        [f'"other" , {TAG}'],
        [f'"other",{TAG},"last"'],
        ['"other"', TAG],
        [f' ,, "other",, {TAG} ,'],
        [f'"a,b", W/"", {TAG}'],
        [f'"\xfc", {TAG}'],
    ],
)
def test_a_tag_in_the_list_matches_weak_or_not(lines: list[str]) -> None:
    assert matches(lines, TAG)


def test_the_tag_of_a_compressed_body_has_the_same_version_and_matches_itself_only() -> None:
    assert versions_in([of_gzip(TAG)]) == frozenset([7])
    assert matches([of_gzip(TAG)], of_gzip(TAG))
    assert not matches([of_gzip(TAG)], TAG)
    assert not matches([TAG], of_gzip(TAG))


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [""],
        ['"other"'],
        ['"7"'],
        ["7-0af3"],
        [f"w/{TAG}"],
        [f"W {TAG}"],
        [f"W/ {TAG}"],
        [f'"other", w/{TAG}, {TAG}'],
        [f"{TAG}, *"],
        ["*", TAG],
        ["*, *"],
        [f"*{TAG}"],
        [f"{TAG}x"],
        [f'{TAG}, "open'],
        ['"7-0af3'],
        ['"a b", ' + TAG],
        [f'"a"{TAG}'],
        [f'"a" {TAG}'],
        ["'7-0af3'"],
    ],
)
def test_text_that_is_not_a_list_of_tags_matches_none(lines: list[str]) -> None:
    assert not matches(lines, TAG)
    assert versions_in(lines) == (frozenset({7}) if lines == ['"7"'] else frozenset())


@pytest.mark.parametrize(
    ("lines", "versions"),
    [
        (["*"], None),
        ([TAG], {7}),
        (['"7"'], {7}),
        ([f'{TAG}, "12-ff"', '"3"'], {3, 7, 12}),
        ([f"W/{TAG}"], set()),
        ([f'W/{TAG}, "8"'], {8}),
        (['"other", "8-FF", "8-", "-8", "1234567890123456789"'], set()),
        (['"\u0667"'], set()),
    ],
)
def test_a_change_is_made_to_a_version_that_a_strong_tag_names(
    lines: list[str], versions: set[int] | None
) -> None:
    assert versions_in(lines) == (None if versions is None else frozenset(versions))
