"""`events-face keys`, as an operator uses it."""

from __future__ import annotations

from uuid import uuid4

import msgspec
import pytest
from httpx import AsyncClient

from runtime.embedded.services import Services
from runtime.settings import Settings
from tests.api.keyed import bearer
from tests.api.serving import Api
from tests.support.processes import Finished, environment, events_face

pytestmark = pytest.mark.anyio


async def _answers(http: AsyncClient, key: str) -> int:
    return (await http.get("/api/events/areas/", headers=bearer(key))).status_code


async def test_an_operator_creates_lists_rolls_and_revokes_keys(
    lone_api: Api, settings: Settings, services: Services
) -> None:
    def keys(*words: str) -> Finished:
        return events_face(environment(settings, services), "keys", *words)

    created = keys("create", "Ticket shop", "--scope", "feed", "events:read", "--scope", "personal")
    assert created.code == 0, created.err
    key = created.out.strip()
    assert await _answers(lone_api.http, key) == 200
    (listed,) = msgspec.json.decode(keys("list", "--json").out)
    assert f"id {listed['id']}" in created.err
    assert key not in created.err
    assert (listed["name"], listed["scopes"], listed["created_by"]) == (
        "Ticket shop",
        ["events:read", "personal", "feed"],
        "system:cli",
    )
    assert listed["id"] in keys("list").out
    rolled = msgspec.json.decode(keys("roll", listed["id"], "--grace", "600", "--json").out)
    assert [await _answers(lone_api.http, each) for each in (key, rolled["key"])] == [200, 200]
    assert keys("revoke", listed["id"]) == Finished(0, "revoked Ticket shop\n", "")
    assert [await _answers(lone_api.http, each) for each in (key, rolled["key"])] == [401, 401]
    again = keys("revoke", listed["id"])
    assert (again.code, again.err.count("\n")) == (1, 1)
    assert "There is no API key" in again.err


async def test_what_is_wrong_is_named_by_its_option(
    lone_api: Api, settings: Settings, services: Services
) -> None:
    def create(*words: str) -> tuple[int, str]:
        finished = events_face(environment(settings, services), "keys", "create", *words)
        assert finished.out == ""
        return finished.code, finished.err

    code, err = create("Shop", "--scope", "everything", "--expires", "soon", "--event", "x")
    assert code == 2
    assert all(f"--{option} must be" in err for option in ("scope", "expires", "event"))
    code, err = create("Shop", "--scope", "feed", "--event", str(uuid4()))
    assert code == 1
    assert "--event there is no event" in err
    code, _ = create("Shop")
    assert code == 2
