"""All that is known of one person, for admins; history records who asked."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from psycopg import AsyncConnection

from domain.audit.disclosures import PersonExported
from domain.history.store import read_events
from runtime.embedded.services import Services
from runtime.settings import Settings
from tests.api.forgetting import EMAIL, OTHER, PERSON, an_admin, caught_up, erase, register
from tests.api.serving import Account, Api
from tests.support.processes import environment, events_face
from tests.support.waiting import until_async
from workers.delivery.deliverer import Delivery

pytestmark = pytest.mark.anyio

MEAL = {"id": "meal", "type": "text", "label": "What do you eat?"}


async def exported(api: Api, admin: Account, email: str = EMAIL) -> dict[str, Any]:
    answer = await api.http.get(
        "/api/visitors/export", params={"email": email}, headers=admin.bearer
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    data: dict[str, Any] = answer.json()["data"]
    return data


async def test_an_export_has_all_that_is_known_of_the_person_and_nothing_of_others(
    api: Api, connection: AsyncConnection[Any], delivery: Delivery
) -> None:
    admin = await an_admin(api)
    kept, removed = await api.event(), await api.event()
    asked = await api.http.put(f"/api/events/{kept}/questions", json={"questions": [MEAL]})
    assert asked.status_code == 200
    webhook = await api.http.post(
        "/api/webhooks/",
        json={"url": "https://crm.example/", "types": [], "personal": True},
        headers=admin.bearer,
    )
    assert webhook.status_code == 201
    soup = await register(api, kept, PERSON | {"answers": {"meal": "Soup"}})
    visitor = soup.json()["data"]["id"]
    await register(api, kept, OTHER | {"answers": {"meal": "Bread"}})
    await register(api, removed)
    await until_async(lambda: caught_up(connection))
    await delivery.drain()
    entered = await api.http.post(
        f"/api/events/{kept}/check-ins",
        json={"visitor_id": visitor, "nonce": "scan-of-ada", "gate": "North"},
        headers=admin.bearer,
    )
    assert entered.status_code == 201
    left = await api.http.post(
        f"/api/visitors/{visitor}/cancel", json={"reason": "Ill"}, headers=admin.bearer
    )
    assert left.status_code == 200
    again = PERSON | {"full_name": "Augusta King", "answers": {"meal": "Nothing"}}
    await register(api, kept, again)
    assert (await api.http.delete(f"/api/events/{removed}")).status_code == 204
    await until_async(lambda: caught_up(connection))
    found = await exported(api, admin)

    assert found["email"] == EMAIL
    at = {each["event"]["id"]: each for each in found["registrations"]}
    assert at.keys() == {kept, removed}
    assert at[removed]["event"]["removed"]
    assert at[kept]["event"]["questions"][0]["label"] == MEAL["label"]
    first, second = at[kept]["episodes"]
    assert first["person"]["answers"] == {"meal": "Soup"}
    assert (first["ended"], first["reason"]) == ("cancelled by organizer", "Ill")
    assert second["person"]["full_name"] == "Augusta King"
    assert second["ended_at"] is None
    (entry,) = at[kept]["check_ins"]
    assert (entry["gate"], entry["outcome"]) == ("North", "entered")
    messages = at[kept]["messages"]
    assert [message["kind"] for message in messages] == ["registered", "cancelled", "registered"]
    assert messages[0]["state"] == "sent"
    assert "Ill" in messages[1]["text"]
    assert "****" in messages[0]["text"]
    types = [entry["type"] for entry in found["history"]]
    assert types.count("Visitor.Registered") == 3
    assert {"Visitor.CheckedIn", "Visitor.Cancelled", "Notification.Sent"} <= set(types)
    assert [each["url"] for each in found["webhooks"]] == ["https://crm.example/"]
    whole = json.dumps(found)
    for word in ("Babbage", "dorset-street", "Bread", '"code"'):
        assert word not in whole


async def test_an_export_is_recorded_without_the_email(
    api: Api, connection: AsyncConnection[Any]
) -> None:
    admin = await an_admin(api)
    registered = await register(api, await api.event())
    await until_async(lambda: caught_up(connection))
    await exported(api, admin)
    last = (await read_events(connection, after=0, limit=1_000))[-1]
    assert isinstance(last.event, PersonExported)
    assert [str(id) for id in last.event.visitor_ids] == [registered.json()["data"]["id"]]
    assert last.metadata.actor == admin.id


async def test_nothing_is_known_of_an_unknown_or_erased_person(
    api: Api, connection: AsyncConnection[Any]
) -> None:
    admin = await an_admin(api)
    await register(api, await api.event())
    await until_async(lambda: caught_up(connection))
    await erase(api, admin)
    for email in (EMAIL, "nobody@example.org"):
        found = await exported(api, admin, email)
        assert (found["registrations"], found["history"], found["webhooks"]) == ([], [], [])
        assert any("Accounts" in reason for reason in found["not_included"])


@pytest.mark.parametrize("email", ["", "ada", "ada@\0.example"])
async def test_an_invalid_email_is_named(lone_api: Api, email: str) -> None:
    admin = await an_admin(lone_api)
    answer = await lone_api.http.get(
        "/api/visitors/export", params={"email": email}, headers=admin.bearer
    )
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["email"]


async def test_an_operator_exports_a_person_as_json(
    api: Api, connection: AsyncConnection[Any], settings: Settings, services: Services
) -> None:
    await register(api, await api.event())
    await until_async(lambda: caught_up(connection))
    surroundings = environment(settings, services)
    ran = await asyncio.to_thread(events_face, surroundings, "export-person", EMAIL.upper())
    assert ran.code == 0, ran.err
    found = json.loads(ran.out)
    assert found["registrations"][0]["episodes"][0]["person"]["full_name"] == "Augusta Lovelace"
    last = (await read_events(connection, after=0, limit=1_000))[-1]
    assert (type(last.event), last.metadata.actor) == (PersonExported, "system:cli")
    wrong = events_face(surroundings, "export-person", "ada")
    assert (wrong.code, wrong.out) == (1, "")
    assert "the email must be" in wrong.err
