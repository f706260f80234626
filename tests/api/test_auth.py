"""Accounts and their sessions: begun, carried on, and ended for good."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import jwt
import psutil
import psycopg
import pytest
from argon2 import PasswordHasher

from api.identity import password_hasher, passwords
from api.identity.passwords import Password, Passwords, PasswordsWaiting
from api.identity.tokens import Tokens
from domain.accounts import DisableAccount
from runtime.settings import Settings
from tests.api.serving import OPERATOR, PASSWORD, Account, Api, Serving

pytestmark = pytest.mark.anyio

ADA = {"username": "ada", "password": PASSWORD}


async def login(api: Api, **changes: str) -> httpx.Response:
    return await api.http.post("/api/auth/login", json=ADA | changes)


async def test_registration_can_be_left_to_admins(serving: Serving) -> None:
    async with serving(account_registration="closed") as api:
        refused = await api.http.post("/api/auth/register", json=ADA)
        assert (refused.status_code, refused.json()["type"]) == (
            403,
            "/problems/account-registration-closed",
        )
        assert (await login(api)).status_code == 401
        page = await api.http.get("/admin/sign-in")
        assert "If you have registered an account yourself" not in page.text


async def refresh(api: Api, token: str) -> httpx.Response:
    return await api.http.post("/api/auth/refresh", json={"refresh": token})


async def me(api: Api, token: str) -> httpx.Response:
    return await api.http.get("/api/auth/me", headers={"Authorization": f"Bearer {token}"})


async def logged_in(api: Api) -> tuple[str, str]:
    """An access and a refresh token."""
    answer = await login(api)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["access_token"], answer.json()["data"]["refresh_token"]


async def test_a_session_from_its_beginning_to_its_end(guarded_api: Api) -> None:
    api = guarded_api
    registered = await api.http.post("/api/auth/register/", json=ADA)
    assert registered.status_code == 201
    assert registered.json()["data"].keys() == {"id", "username"}
    assert registered.json()["meta"].keys() == {"message", "access_token", "refresh_token"}
    assert registered.headers["Event-Position"] == "1"
    access, first = await logged_in(api)
    answer = await me(api, access)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json()["data"] == registered.json()["data"] | {"roles": []}
    refreshed = await refresh(api, first)
    assert refreshed.status_code == 200
    second = refreshed.json()["data"]
    assert second["refresh_token"] != first
    bearer = {"Authorization": f"Bearer {second['access_token']}"}
    body = {"refresh": second["refresh_token"]}
    ended = await api.http.post("/api/auth/logout", json=body, headers=bearer)
    assert (ended.status_code, ended.json()["meta"]) == (200, {"message": "Successful logout"})
    for token in (access, second["access_token"]):
        assert (await me(api, token)).status_code == 401
    assert (await refresh(api, second["refresh_token"])).status_code == 401
    other_session = registered.json()["meta"]["access_token"]
    assert (await me(api, other_session)).status_code == 200


async def test_a_username_belongs_to_one_account_only(guarded_api: Api) -> None:
    await guarded_api.account("Ada")
    answer = await guarded_api.http.post("/api/auth/register", json=ADA | {"username": " ADA "})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/username-taken")


async def test_of_many_concurrent_accounts_with_one_username_one_is_created(
    guarded_api: Api,
) -> None:
    wanted = (guarded_api.http.post("/api/auth/register", json=ADA) for _ in range(8))
    statuses = sorted(answer.status_code for answer in await asyncio.gather(*wanted))
    assert statuses == [201] + [409] * 7
    assert (await login(guarded_api)).status_code == 200


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"username": "a"}, ["username"]),
        ({"username": "a" * 51}, ["username"]),
        ({"password": "1234567"}, ["password"]),
        ({"password": "1" * 129}, ["password"]),
        ({"username": 1, "password": None}, ["username", "password"]),
    ],
)
async def test_all_errors_of_a_new_account_are_reported_at_once(
    guarded_api: Api, changes: dict[str, Any], fields: list[str]
) -> None:
    answer = await guarded_api.http.post("/api/auth/register", json=ADA | changes)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == fields
    assert "1234567" not in answer.text


async def test_a_wrong_name_a_wrong_password_and_a_disabled_account_are_answered_alike(
    guarded_api: Api,
) -> None:
    api = guarded_api
    await api.account("ada")
    await _disable(api, await api.account("bob"))
    answers = [
        await login(api, password="wrong"),
        await login(api, username="nobody"),
        await login(api, username="bob"),
        await login(api, username="x", password="y"),
    ]
    assert {answer.status_code for answer in answers} == {401}
    bodies = [answer.json() | {"request_id": None} for answer in answers]
    assert bodies == [bodies[0]] * 4
    assert bodies[0]["type"] == "/problems/invalid-credentials"
    assert answers[0].headers["WWW-Authenticate"] == 'Bearer realm="Events-Face"'


async def test_a_spent_refresh_token_ends_the_whole_session(guarded_api: Api) -> None:
    await guarded_api.account("ada")
    access, first = await logged_in(guarded_api)
    second = (await refresh(guarded_api, first)).json()["data"]
    assert (await refresh(guarded_api, first)).status_code == 401
    assert (await refresh(guarded_api, second["refresh_token"])).status_code == 401
    for token in (access, second["access_token"]):
        assert (await me(guarded_api, token)).status_code == 401


async def test_of_many_who_refresh_with_one_token_at_most_one_gets_tokens(guarded_api: Api) -> None:
    await guarded_api.account("ada")
    for _ in range(5):
        _, token = await logged_in(guarded_api)
        answers = await asyncio.gather(*(refresh(guarded_api, token) for _ in range(8)))
        assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7


async def test_a_session_that_ends_in_one_process_has_ended_in_all(
    guarded_api: Api, serving: Serving
) -> None:
    async with serving() as other:
        ada = await guarded_api.account("ada")
        assert (await me(other, ada.access_token)).status_code == 200
        body = {"refresh": ada.refresh_token}
        await guarded_api.http.post("/api/auth/logout", json=body, headers=ada.bearer)
        assert (await me(other, ada.access_token)).status_code == 401
        assert (await refresh(other, ada.refresh_token)).status_code == 401


async def test_disabling_ends_all_sessions_and_prevents_new_ones(guarded_api: Api) -> None:
    ada = await guarded_api.account("ada")
    access, token = await logged_in(guarded_api)
    for _ in range(2):
        await _disable(guarded_api, ada)
    assert (await me(guarded_api, access)).status_code == 401
    assert (await refresh(guarded_api, token)).status_code == 401
    assert (await refresh(guarded_api, ada.refresh_token)).status_code == 401
    assert (await login(guarded_api)).status_code == 401


async def test_a_changed_password_ends_all_sessions(guarded_api: Api) -> None:
    api = guarded_api
    ada = await api.account("ada")
    access, token = await logged_in(api)

    async def change(current: str) -> httpx.Response:
        body = {"current": current, "password": "staple of the lot"}
        return await api.http.post("/api/auth/password", json=body, headers=ada.bearer)

    assert (await change("wrong")).json()["type"] == "/problems/invalid-credentials"
    assert (await me(api, access)).status_code == 200
    assert (await change(PASSWORD)).status_code == 204
    for ended in (access, ada.access_token):
        assert (await me(api, ended)).status_code == 401
    assert (await refresh(api, token)).status_code == 401
    assert (await login(api)).status_code == 401
    assert (await login(api, password="staple of the lot")).status_code == 200


async def test_an_account_cannot_end_sessions_of_another(guarded_api: Api) -> None:
    ada, bob = await guarded_api.account("ada"), await guarded_api.account("bob")
    body = {"refresh": bob.refresh_token}
    answer = await guarded_api.http.post("/api/auth/logout", json=body, headers=ada.bearer)
    assert answer.status_code == 401
    assert (await me(guarded_api, bob.access_token)).status_code == 200


Forgery = Callable[[dict[str, Any], bytes], str]


def _changed(**changes: Any) -> Forgery:
    return lambda claims, key: jwt.encode(claims | changes, key, "HS256")


FORGERIES: dict[str, Forgery] = {
    "expired": _changed(exp=datetime.now(UTC) - timedelta(seconds=1)),
    "for another audience": _changed(aud="elsewhere"),
    "of another session": _changed(sid=str(UUID(int=7))),
    "for another account": _changed(sub=str(UUID(int=7))),
    "a refresh token": _changed(typ="refresh"),
    "with another kind of end": _changed(exp="soon"),
    "without an end": lambda claims, key: jwt.encode(
        {name: claims[name] for name in claims if name != "exp"}, key, "HS256"
    ),
    "not signed": lambda claims, _: jwt.encode(claims, "", "none"),
    "signed by another": lambda claims, _: jwt.encode(claims, b"another" * 5, "HS256"),
    "signed otherwise": lambda claims, key: jwt.encode(claims, key * 2, "HS512"),
    "edited": lambda claims, key: _edited(jwt.encode(claims, key, "HS256")),
    "nonsense": lambda *_: "nonsense",
    "nothing": lambda *_: "",
    "deep": lambda *_: "W1tb" * 500 + ".e30.e30",
    "not ASCII": lambda *_: "é.é.é",
}


def _edited(token: str) -> str:
    """The same signature, under the claim to be an admin."""
    header, _, signature = token.split(".")
    claims = jwt.decode(token, options={"verify_signature": False})
    payload = jwt.encode(claims | {"roles": ["admin"]}, b"x" * 32, "HS256").split(".")[1]
    return f"{header}.{payload}.{signature}"


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
async def test_a_token_with_any_wrong_part_is_refused(
    guarded_api: Api, settings: Settings, forge: Forgery
) -> None:
    ada = await guarded_api.account("ada")
    (key,) = Tokens(settings.secret_keys)._keys
    claims = jwt.decode(ada.access_token, key, ["HS256"], audience="events-face")
    assert (await me(guarded_api, jwt.encode(claims, key, "HS256"))).status_code == 200
    bearer = {b"Authorization": f"Bearer {forge(claims, key)}".strip().encode()}
    answer = await guarded_api.http.get("/api/auth/me", headers=bearer)
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/token-invalid")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_an_access_token_and_a_refresh_token_cannot_replace_each_other(
    guarded_api: Api,
) -> None:
    ada = await guarded_api.account("ada")
    assert (await me(guarded_api, ada.refresh_token)).status_code == 401
    assert (await refresh(guarded_api, ada.access_token)).status_code == 401
    assert (await me(guarded_api, ada.access_token)).status_code == 200


async def test_a_session_that_is_not_refreshed_in_time_ends(
    guarded_api: Api, database_url: str
) -> None:
    ada = await guarded_api.account("ada")
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE sessions SET expires_at = now() - interval '1 second'")
    assert (await me(guarded_api, ada.access_token)).status_code == 401
    assert (await refresh(guarded_api, ada.refresh_token)).status_code == 401
    await logged_in(guarded_api)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM sessions").fetchone() == (1,)


async def test_tokens_outlive_a_change_of_keys_until_their_key_is_gone(
    guarded_api: Api, settings: Settings, serving: Serving
) -> None:
    ada = await guarded_api.account("ada")
    new = "a-new-key-" * 4
    for secret_keys, status in {(new, *settings.secret_keys): 200, (new,): 401}.items():
        async with serving(secret_keys=secret_keys) as api:
            assert (await me(api, ada.access_token)).status_code == status
            access, _ = await logged_in(api)
            assert (await me(guarded_api, access)).status_code == 401
            assert (await me(api, access)).status_code == 200


async def test_a_hash_of_older_parameters_is_renewed_at_a_login(
    guarded_api: Api, database_url: str
) -> None:
    await guarded_api.account("ada")
    older = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE credentials SET password_hash = %s", [older])
    answers = await asyncio.gather(*(login(guarded_api) for _ in range(4)))
    assert [answer.status_code for answer in answers] == [200] * 4
    with psycopg.connect(database_url) as connection:
        (stored,) = connection.execute("SELECT password_hash FROM credentials").fetchone() or ("",)
    assert not password_hasher.ARGON2ID.check_needs_rehash(stored)
    assert (await login(guarded_api)).status_code == 200


async def test_no_secret_is_in_the_database(guarded_api: Api, database_url: str) -> None:
    ada = await guarded_api.account("ada")
    with psycopg.connect(database_url) as connection:
        rows = [
            str(row)
            for table in ("credentials", "sessions", "history_events")
            for row in connection.execute(f"SELECT {table}::text FROM {table}")  # noqa: S608
        ]
        history = connection.execute("SELECT state FROM history_events").fetchall()
    stored = "".join(rows) + str(history)
    assert "$argon2id$" in stored
    assert b"argon2id" not in b"".join(state for (state,) in history)
    for secret in (PASSWORD, ada.access_token, ada.refresh_token):
        assert secret not in stored


async def test_password_checks_beyond_the_limit_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(passwords, "MAX_WAITING", 3)
    async with Passwords() as some:
        hashing = [some.hash(Password(PASSWORD)) for _ in range(5)]
        outcomes = await asyncio.gather(*hashing, return_exceptions=True)
        assert [isinstance(o, PasswordsWaiting) for o in outcomes] == [False] * 3 + [True] * 2
        assert await some.verify(Password(PASSWORD), str(outcomes[0]))
        assert not await some.verify(Password(PASSWORD), None)


async def test_the_process_that_hashes_passwords_may_be_killed() -> None:
    others = psutil.Process().children()
    async with Passwords() as some:
        stored = await some.hash(Password(PASSWORD))
        (hashing,) = set(psutil.Process().children()) - set(others)
        hashing.kill()
        assert await some.verify(Password(PASSWORD), stored)
    assert psutil.Process().children() == others


async def _disable(api: Api, account: Account) -> None:
    command = DisableAccount(account_id=UUID(account.id))
    await api.connections.writer.execute(command, OPERATOR)
