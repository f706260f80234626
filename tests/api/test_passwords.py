"""Passwords that are typed on different keyboards."""

from __future__ import annotations

import unicodedata

import psycopg
import pytest

from api.identity.password_hasher import ARGON2ID, Hashing
from api.identity.passwords import Password
from domain.core.values import Invalid
from tests.api.serving import Api

pytestmark = pytest.mark.anyio

COMPOSED = "Crème brûlée à l'Ångström"
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)
OTHER_SPACES = DECOMPOSED.replace(" ", "\u00a0")
SPELLINGS = [COMPOSED, DECOMPOSED, OTHER_SPACES, COMPOSED.replace(" ", "\u3000")]


async def login(api: Api, password: str, username: str = "ada") -> int:
    body = {"username": username, "password": password}
    return (await api.http.post("/api/auth/login", json=body)).status_code


@pytest.mark.parametrize("password", SPELLINGS)
async def test_a_password_is_equal_in_every_unicode_composition(
    guarded_api: Api, password: str
) -> None:
    body = {"username": "ada", "password": password}
    answer = await guarded_api.http.post("/api/auth/register", json=body)
    assert answer.status_code == 201
    for spelling in SPELLINGS:
        assert await login(guarded_api, spelling) == 200
    for other in (COMPOSED.upper(), COMPOSED.replace("è", "e"), f" {COMPOSED}"):
        assert await login(guarded_api, other) == 401


async def test_a_hash_of_a_password_that_was_not_normalized_is_accepted_and_renewed(
    guarded_api: Api, database_url: str
) -> None:
    await guarded_api.account("ada")
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE credentials SET password_hash = %s", [ARGON2ID.hash(DECOMPOSED)])
    assert await login(guarded_api, COMPOSED) == 401
    assert await login(guarded_api, DECOMPOSED) == 200
    assert await login(guarded_api, COMPOSED) == 200


async def test_a_password_is_checked_as_often_for_an_unknown_username(
    guarded_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await guarded_api.account("ada")
    checked = list[str]()
    verify = Hashing.verify

    async def counted(self: Hashing, password: str, stored: str | None) -> bool:
        checked.append(password)
        return await verify(self, password, stored)

    monkeypatch.setattr(Hashing, "verify", counted)
    for password, often in [(COMPOSED, 1), (DECOMPOSED, 2), ("only ASCII", 1)]:
        for username in ("ada", "nobody"):
            checked.clear()
            assert await login(guarded_api, password, username) == 401
            assert len(checked) == often


def test_the_length_of_a_password_is_that_of_its_composed_form() -> None:
    assert Password.parse("e\u0301" * 128) == "é" * 128
    with pytest.raises(Invalid):
        Password.parse("e\u0301" * 7)


@pytest.mark.parametrize("character", ["\0", "\t", "\n", "\x7f", "\x85", "\u2028"])
async def test_a_new_password_has_no_control_characters(guarded_api: Api, character: str) -> None:
    for password in (character * 8, f"correct{character}horse"):
        body = {"username": "ada", "password": password}
        answer = await guarded_api.http.post("/api/auth/register", json=body)
        assert answer.status_code == 422
        (error,) = answer.json()["errors"]
        assert error == {
            "field": "password",
            "messages": ["must not contain control characters"],
        }


async def test_an_earlier_password_with_control_characters_is_accepted(
    guarded_api: Api, database_url: str
) -> None:
    await guarded_api.account("ada")
    former = "with\ta tab"
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE credentials SET password_hash = %s", [ARGON2ID.hash(former)])
    assert await login(guarded_api, former) == 200
