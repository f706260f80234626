"""Durations in words, as organizers type and read them."""

from __future__ import annotations

import pytest

from api.admin.durations import from_words, in_words
from domain.core.durations import Duration


@pytest.mark.parametrize(
    ("words", "duration"),
    [
        ("1 day", "P1D"),
        ("2 hours", "PT2H"),
        ("1 day 12 hours", "P1DT12H"),
        ("1 minute", "PT1M"),
        ("60 days", "P60D"),
    ],
)
def test_a_duration_is_read_as_it_was_shown(words: str, duration: str) -> None:
    assert in_words(duration) == words
    assert Duration.parse(from_words(words)) == duration


@pytest.mark.parametrize(
    ("words", "duration"),
    [
        ("2 weeks", "P14D"),
        ("1d", "P1D"),
        ("36h", "P1DT12H"),
        ("1 Day and 90 min", "P1DT1H30M"),
        ("P1D", "P1D"),
        ("pt2h", "PT2H"),
    ],
)
def test_other_spellings_are_understood(words: str, duration: str) -> None:
    assert Duration.parse(from_words(words)) == duration


@pytest.mark.parametrize("text", ["", "soon", "1", "1 day later", "1 moon", "-1 day", "1.5 hours"])
def test_text_that_is_not_a_duration_is_passed_on_unchanged(text: str) -> None:
    assert from_words(text) == text
