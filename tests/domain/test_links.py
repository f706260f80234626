"""Tokens of the links in messages."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.core.ids import new_id
from domain.links import TOKEN_LENGTH, manage_token, read_manage_token
from domain.privacy.keys import InstallationKeys

KEYS = InstallationKeys.generate()


@given(st.uuids(), st.integers(0, 2**24 - 1))
def test_a_token_names_the_visitor_and_the_episode(visitor_id: UUID, episode: int) -> None:
    token = manage_token(KEYS, visitor_id, episode)
    assert read_manage_token(KEYS, token) == (visitor_id, episode)
    assert len(token) == TOKEN_LENGTH
    assert token.isalnum()
    assert token == token.lower()


def test_a_token_is_read_in_upper_case_too() -> None:
    id = new_id()
    assert read_manage_token(KEYS, manage_token(KEYS, id, 1).upper()) == (id, 1)


def test_the_tokens_of_two_episodes_differ() -> None:
    id = new_id()
    assert manage_token(KEYS, id, 1) != manage_token(KEYS, id, 2)


def test_a_token_of_another_installation_is_not_read() -> None:
    assert read_manage_token(InstallationKeys.generate(), manage_token(KEYS, new_id(), 1)) is None


@pytest.mark.parametrize("at", range(TOKEN_LENGTH))
def test_a_changed_character_makes_a_token_false(at: int) -> None:
    token = manage_token(KEYS, uuid4(), 7)
    other = "a" if token[at] != "a" else "b"
    assert read_manage_token(KEYS, token[:at] + other + token[at + 1 :]) is None


@given(st.text(max_size=100) | st.text(min_size=TOKEN_LENGTH, max_size=TOKEN_LENGTH))
def test_other_text_is_no_token(text: str) -> None:
    assert read_manage_token(KEYS, text) is None
