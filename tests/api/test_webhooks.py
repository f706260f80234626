"""Webhooks in the API: created, changed, rolled and deleted by organizers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from domain.endpoints import get_endpoint
from domain.feed.item import ITEM_TYPES
from domain.history.store import last_position, read_events
from domain.webhook_secrets import open_secret
from tests.api.serving import problem
from tests.api.webhook_calls import URL, WEBHOOKS, Organizer

pytestmark = pytest.mark.anyio


async def test_a_new_webhook_shows_its_secret_this_once(organizer: Organizer) -> None:
    event_id = await organizer.event()
    fields = {"url": URL, "types": ["event.closed"], "event_id": event_id, "personal": True}
    answer = await organizer.call("POST", "/", json=fields)
    created = answer.json()["data"]
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{WEBHOOKS}/{created['id']}"
    assert answer.headers["cache-control"] == "no-store"
    secret = created.pop("secret")
    assert created == fields | {"id": created["id"], "enabled": True}

    read = await organizer.call("GET", f"/{created['id']}")
    shown = read.json()["data"]
    assert shown.pop("created_at")
    more = {"created_by": str(organizer.account.id), "disabled_because": None}
    assert shown == created | more
    assert (await organizer.call("GET")).json()["data"] == [read.json()["data"]]
    assert secret not in read.text

    connections = organizer.api.connections
    async with connections.primary.connection() as connection:
        row = await get_endpoint(connection, UUID(created["id"]))
        assert row is not None
        assert open_secret(connections.keys, row.secret) == secret
        history = await read_events(connection, after=0, limit=100)
    assert secret not in str(history)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"url": "https://user:pw@example.com/"}, "url"),
        ({"url": "http://127.0.0.1/"}, "url"),
        ({"url": "http://[::ffff:10.0.0.1]/"}, "url"),
        ({"url": "http://169.254.169.254/latest"}, "url"),
        ({"url": "http://localhost:5432/"}, "url"),
        ({"types": ["event.closed", "no.type"]}, "types"),
        ({"types": "event.closed"}, "types"),
        ({"types": [None]}, "types"),
        ({"event_id": "7"}, "event_id"),
        ({"event_id": str(UUID(int=7))}, "event_id"),
        ({"personal": "yes"}, "personal"),
        ({"secret": "mine"}, "secret"),
    ],
)
async def test_a_bad_field_is_named(
    organizer: Organizer, fields: dict[str, Any], field: str
) -> None:
    answer = await organizer.call("POST", json={"url": URL} | fields)
    assert problem(answer) == (422, "validation")
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_an_unknown_type_is_refused_with_the_allowed_ones(organizer: Organizer) -> None:
    answer = await organizer.call("POST", json={"url": URL, "types": ["no.type"]})
    (message,) = answer.json()["errors"][0]["messages"]
    assert all(f'"{type}"' in message for type in ITEM_TYPES)


async def test_a_change_needs_the_version_that_if_match_names(organizer: Organizer) -> None:
    id = (await organizer.webhook())["id"]
    etag = (await organizer.call("GET", f"/{id}")).headers["etag"]
    changed = await organizer.call(
        "PATCH", f"/{id}", json={"types": ["event.opened"]}, headers={"If-Match": etag}
    )
    assert changed.status_code == 200
    assert changed.json()["data"]["types"] == ["event.opened"]
    again = await organizer.call(
        "PATCH", f"/{id}", json={"enabled": False}, headers={"If-Match": etag}
    )
    assert problem(again) == (412, "changed-meanwhile")
    off = await organizer.call("PATCH", f"/{id}", json={"enabled": False})
    assert off.json()["data"]["enabled"] is False
    on = await organizer.call("PATCH", f"/{id}", json={"enabled": True})
    assert on.json()["data"]["enabled"] is True


async def test_a_rolled_secret_replaces_the_one_before(organizer: Organizer) -> None:
    webhook = await organizer.webhook()
    rolled = await organizer.call("POST", f"/{webhook['id']}/roll")
    assert rolled.status_code == 200
    assert rolled.json()["data"] == webhook | {"secret": rolled.json()["data"]["secret"]}
    assert rolled.json()["data"]["secret"] != webhook["secret"]
    connections = organizer.api.connections
    async with connections.primary.connection() as connection:
        row = await get_endpoint(connection, UUID(webhook["id"]))
    assert row is not None
    assert row.former_secret is not None
    assert open_secret(connections.keys, row.former_secret) == webhook["secret"]


async def test_a_deleted_webhook_is_not_found(organizer: Organizer) -> None:
    id = (await organizer.webhook())["id"]
    assert (await organizer.call("DELETE", f"/{id}")).status_code == 204
    for method, path in [
        ("GET", ""),
        ("DELETE", ""),
        ("GET", "/attempts"),
        ("POST", "/test"),
        ("POST", "/roll"),
    ]:
        answer = await organizer.call(method, f"/{id}{path}")
        assert problem(answer) == (404, "not-found")


async def test_items_are_resent_only_from_a_position_of_history(organizer: Organizer) -> None:
    id = (await organizer.webhook())["id"]
    async with organizer.api.connections.primary.connection() as connection:
        end = await last_position(connection)
    answer = await organizer.call("POST", f"/{id}/resend", json={"after": end})
    assert answer.status_code == 202
    for after in (end + 1, -1, True, "1", 2**63):
        answer = await organizer.call("POST", f"/{id}/resend", json={"after": after})
        assert problem(answer) == (422, "validation")


async def test_the_hundred_and_first_webhook_is_refused(organizer: Organizer) -> None:
    async with organizer.api.connections.primary.connection() as connection:
        await connection.execute(
            """
            INSERT INTO webhooks (id, version, url, types, personal, enabled, secret, made_by,
                                  created_at, created_position)
            SELECT gen_random_uuid(), 1, 'https://example.com/', '{}', false, true, '', '',
                   now(), n
            FROM generate_series(1, 100) AS n
            """
        )
    answer = await organizer.call("POST", json={"url": URL})
    assert problem(answer) == (409, "too-many-webhooks")
    page = await organizer.call("GET", params={"limit": 7, "offset": 98})
    assert len(page.json()["data"]) == 2
    assert page.json()["pagination"]["total"] == 100
