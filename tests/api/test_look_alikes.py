"""Accounts, areas and people that are nearly the same, as a client meets them."""

from __future__ import annotations

import pytest

from api.identity.password_hasher import ARGON2ID
from domain.accounts import PasswordHash, RegisterAccount
from domain.core.values import Username
from tests.api.serving import OPERATOR, PASSWORD, Api

pytestmark = pytest.mark.anyio


async def test_an_invisible_character_in_a_username_is_named(lone_api: Api) -> None:
    body = {"username": "ro\u200bot", "password": PASSWORD}
    answer = await lone_api.http.post("/api/auth/register", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {
            "field": "username",
            "messages": ["must not contain U+200B (ZERO WIDTH SPACE), which cannot be seen"],
        }
    ]


async def test_an_area_that_looks_like_another_is_refused(lone_api: Api) -> None:
    await lone_api.area("Great Hall")
    for name in ("Great\u200b Hall", "\u202eGREAT HALL", "\uff27reat\u00a0\u00a0Hall\ufeff"):
        answer = await lone_api.http.post("/api/events/areas/", json={"name": name})
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/area-name-taken")


async def test_an_old_account_with_an_invisible_character_can_sign_in_as_itself_only(
    lone_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    invisible = Username("ro\u200bot")
    with monkeypatch.context() as before:
        before.setattr(Username, "folded", "ro\u200bot")
        command = RegisterAccount(
            username=invisible,
            password_hash=PasswordHash(ARGON2ID.hash("of another")),
            roles=("auditor",),
        )
        await lone_api.connections.writer.execute(command, OPERATOR)
    await lone_api.account("root")

    async def me(username: str, password: str) -> object:
        body = {"username": username, "password": password}
        answer = await lone_api.http.post("/api/auth/login", json=body)
        if answer.status_code != 200:
            return answer.status_code
        bearer = {"Authorization": f"Bearer {answer.json()['data']['access_token']}"}
        return (await lone_api.http.get("/api/auth/me", headers=bearer)).json()["data"]["roles"]

    assert await me("ro\u200bot", "of another") == ["auditor"]
    assert await me("root", PASSWORD) == []
    assert await me("ro\u200bot", PASSWORD) == 401
    assert await me("root", "of another") == 401
    assert await me("ROOT", PASSWORD) == []


async def test_people_with_nearly_the_same_email_register_and_are_erased_one_by_one(
    lone_api: Api,
) -> None:
    api = lone_api
    event, admin = await api.event(), await api.account("operator", "admin")

    async def erase(email: str) -> int:
        body = {"email": email}
        answer = await api.http.post("/api/visitors/erase", json=body, headers=admin.bearer)
        return int(answer.json()["data"]["registrations"])

    people = ["ada@fass.de", "ada@faß.de", "x²@example.com", "x2@example.com"]
    for email in people:
        assert (await api.register(event, email)).status_code == 201
        assert (await api.register(event, email)).status_code == 409
    assert (await api.register(event, "ADA@xn--fa-hia.DE")).status_code == 409
    assert await erase("ada@xn--fa-hia.de") == 1
    assert await erase("ada@faß.de") == 0
    assert await erase("x2@example.com") == 1
    for email in ("ada@fass.de", "x²@example.com"):
        assert (await api.register(event, email)).status_code == 409
    for email in ("ada@faß.de", "x2@example.com"):
        assert (await api.register(event, email)).status_code == 201
