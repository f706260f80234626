"""API keys: made, listed, rolled and revoked by admins, and known by their secret alone."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zlib import crc32

import pytest
from httpx import AsyncClient

from domain.key_secrets import KeySecret
from runtime.embedded.services import Services
from runtime.ports import free_port
from runtime.settings import Settings
from tests.api.keyed import Keyed, bearer
from tests.api.serving import api_process, problem
from tests.support.waiting import DEADLINE, until_async

pytestmark = pytest.mark.anyio

AREAS = "/api/events/areas/"
"""Needs the scope events:read."""


async def test_a_key_is_shown_once_and_listed_without_its_secret(keyed: Keyed) -> None:
    event = await keyed.event()
    created = await keyed.created(
        "visitors:read", "events:read", event_ids=[event], expires_at="2099-01-01T00:00:00Z"
    )
    assert created.status_code == 201
    assert created.headers["Cache-Control"] == "no-store"
    made = created.json()["data"]
    secret = made.pop("key")
    assert KeySecret.parse(secret)
    assert made == {
        "id": made["id"],
        "name": "Ticket shop",
        "scopes": ["events:read", "visitors:read"],
        "event_ids": [event],
        "expires_at": "2099-01-01T00:00:00Z",
    }
    one = await keyed.http.get(created.headers["Location"], headers=keyed.admin)
    listed = await keyed.http.get("/api/keys/", headers=keyed.admin)
    assert listed.json()["data"] == [one.json()["data"]]
    assert made.items() <= one.json()["data"].items()
    assert "evf_" not in one.text + listed.text
    for answer in (one, listed):
        known = {"If-None-Match": answer.headers["ETag"]}
        again = await keyed.http.get(answer.url, headers=keyed.admin | known)
        assert again.status_code == 304


async def test_the_secret_is_nowhere_in_the_database(keyed: Keyed) -> None:
    secret = (await keyed.created("events:read")).json()["data"]["key"]
    async with keyed.api.connections.primary.connection() as connection:
        for table in ("history_events", "api_keys", "api_key_secrets"):
            rows = await (await connection.execute(f"SELECT t::text FROM {table} t")).fetchall()  # noqa: S608
            assert rows
            assert not any(secret[4:20] in row for (row,) in rows)


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"name": ""}, "name", "must not be empty"),
    ({"name": 256 * "x"}, "name", "must have at most 255 characters, has 256"),
    ({"scopes": []}, "scopes", "must have at least 1 of the scopes"),
    ({"scopes": "feed"}, "scopes", "must be a list of scopes"),
    ({"scopes": ["all"]}, "scopes", '"events:read", "events:write"'),
    ({"event_ids": []}, "event_ids", "must have at least 1 of the events"),
    ({"event_ids": ["x"]}, "event_ids", "must be a UUID"),
    ({"event_ids": [str(uuid4())]}, "event_ids", "there is no event with the id"),
    (
        {"event_ids": [str(uuid4()) for _ in range(101)]},
        "event_ids",
        "must have at most 100 events",
    ),
    ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at", "must be in the future"),
    ({"expires_at": "9999-01-01T00:00:00Z"}, "expires_at", "must be within a hundred years"),
    ({"expires_at": "soon"}, "expires_at", "must be a time such as"),
    ({"secret": "x"}, "secret", "is not a field of this call"),
]


async def test_a_bad_field_is_refused_by_its_name(keyed: Keyed) -> None:
    for fields, field, message in WRONG:
        answer = await keyed.created(**({"scopes": ["feed"]} | fields))
        assert problem(answer) == (422, "validation"), fields
        (found,) = answer.json()["errors"]
        assert found["field"] == field
        assert message in found["messages"][0]
    assert await keyed.key_ids() == []


async def test_the_events_of_a_key_are_events(keyed: Keyed) -> None:
    visitor = await keyed.visitor(await keyed.event())
    assert problem(await keyed.created("feed", event_ids=[visitor]))[0] == 422


async def test_a_revoked_key_works_no_longer_in_any_process(
    keyed: Keyed, two_apis: list[AsyncClient]
) -> None:
    created = (await keyed.created("events:read")).json()["data"]
    key = bearer(created["key"])
    for http in two_apis:
        assert (await http.get(AREAS, headers=key)).status_code == 200
    revoke = f"/api/keys/{created['id']}"
    revoked = await two_apis[0].delete(revoke, headers=keyed.admin)
    assert revoked.status_code == 204
    for http in (*two_apis, keyed.http):
        answers = await asyncio.gather(*(http.get(AREAS, headers=key) for _ in range(8)))
        assert {problem(answer) for answer in answers} == {(401, "token-invalid")}
    assert await keyed.key_ids() == []
    for call in (keyed.http.get, keyed.http.delete):
        assert problem(await call(revoke, headers=keyed.admin)) == (404, "not-found")
    rolled = await keyed.http.post(f"{revoke}/roll", headers=keyed.admin)
    assert problem(rolled) == (404, "not-found")


async def test_a_rolled_key_works_with_both_secrets_until_the_grace_ends(keyed: Keyed) -> None:
    created = (await keyed.created("events:read")).json()["data"]
    roll = f"/api/keys/{created['id']}/roll"

    async def rolled(**body: int) -> dict[str, str]:
        answer = await keyed.http.post(roll, json=body, headers=keyed.admin)
        assert answer.status_code == 200
        assert answer.json()["data"]["id"] == created["id"]
        return bearer(answer.json()["data"]["key"])

    async def works(key: dict[str, str]) -> bool:
        return (await keyed.http.get(AREAS, headers=key)).status_code == 200

    first = bearer(created["key"])
    second = await rolled(grace_seconds=3600)
    assert [await works(key) for key in (first, second)] == [True, True]
    third = await rolled(grace_seconds=1)
    assert await works(second)

    async def only_the_third_works() -> bool:
        return [await works(key) for key in (first, second, third)] == [False, False, True]

    await until_async(only_the_third_works)
    fourth = await rolled()
    assert [await works(key) for key in (third, fourth)] == [False, True]
    for grace in (-1, 604_801, "1", True):
        answer = await keyed.http.post(roll, json={"grace_seconds": grace}, headers=keyed.admin)
        assert problem(answer) == (422, "validation")
    assert await works(fourth)


async def test_an_expired_key_works_no_longer_and_cannot_be_rolled(keyed: Keyed) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1)
    created = (await keyed.created("events:read", expires_at=soon.isoformat())).json()["data"]

    async def is_refused() -> bool:
        answer = await keyed.http.get(AREAS, headers=bearer(created["key"]))
        return answer.status_code == 401

    await until_async(is_refused)
    rolled = await keyed.http.post(f"/api/keys/{created['id']}/roll", headers=keyed.admin)
    assert problem(rolled) == (409, "key-expired")
    assert len(await keyed.key_ids()) == 1


async def test_what_is_no_key_is_refused_as_an_invalid_token(keyed: Keyed) -> None:
    right = (await keyed.created("events:read")).json()["data"]["key"]
    flipped = right[:20] + ("a" if right[20] != "a" else "b") + right[21:]
    unknown = KeySecret.new().reveal()
    for wrong in (flipped, right[:-1], right + "x", "evf_", "evf_\u00e9", unknown, right.lower()):
        headers = {b"Authorization": f"Bearer {wrong}".encode()}
        for path in (AREAS, "/api/events/"):
            answer = await keyed.http.get(path, headers=headers)
            assert problem(answer) == (401, "token-invalid")
            assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    for scheme in ("bearer", "BEARER"):
        answer = await keyed.http.get(AREAS, headers={"Authorization": f"{scheme}  {right}"})
        assert answer.status_code == 200


def test_secret_scanners_can_check_a_key() -> None:
    """As docs/api-keys.md describes it."""
    key = KeySecret.new()
    text = key.reveal()
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    checksum = 0
    for digit in text[-6:]:
        checksum = checksum * 62 + digits.index(digit)
    assert checksum == crc32(text[:-6].encode())
    assert text not in f"{key!r} {key}"
    assert len({KeySecret.new().reveal() for _ in range(100)}) == 100


async def test_the_last_use_is_listed_after_it_is_written(keyed: Keyed) -> None:
    key = await keyed.key("events:read")

    async def last_use() -> str | None:
        listed = await keyed.http.get("/api/keys/", headers=keyed.admin)
        (found,) = listed.json()["data"]
        last: str | None = found["last_used_at"]
        return last

    await keyed.http.get(AREAS, headers=key)
    assert await last_use() is None
    await keyed.api.connections.api_keys.uses.write()
    first = await last_use()
    assert first is not None
    await keyed.http.get(AREAS, headers=key)
    await keyed.api.connections.api_keys.uses.write()
    assert str(await last_use()) > first


async def test_a_process_that_stops_writes_the_last_use(
    keyed: Keyed, settings: Settings, services: Services
) -> None:
    key = await keyed.key("events:read")
    port = free_port()
    with api_process(settings, services, port) as process:
        async with AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
            assert (await http.get(AREAS, headers=key)).status_code == 200
        process.terminate()
        await asyncio.to_thread(process.wait, DEADLINE)
    (listed,) = (await keyed.http.get("/api/keys/", headers=keyed.admin)).json()["data"]
    assert listed["last_used_at"] is not None


async def test_history_has_the_key_as_the_actor(keyed: Keyed) -> None:
    created = (await keyed.created("events:write")).json()["data"]
    await keyed.http.post(AREAS, json={"name": "Hall"}, headers=bearer(created["key"]))
    actor = f"key:{created['id']}"
    found = await keyed.http.get("/api/audit/events", params={"actor": actor}, headers=keyed.admin)
    assert [event["type"] for event in found.json()["data"]] == [
        "AreaName.Claimed",
        "Area.Created",
    ]
