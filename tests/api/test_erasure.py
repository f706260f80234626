"""One person forgotten, wherever they registered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import AsyncConnection
from psycopg.errors import DeadlockDetected
from psycopg.sql import SQL, Identifier

from api.database import erasures
from domain import person_search
from domain.history import streams
from domain.history.store import delete_personal_keys, last_position, read_events
from domain.notifications import Failed
from domain.privacy.keys import InstallationKeys
from domain.seals.seal import newest_checkpoint
from domain.seals.signing import load_key
from domain.seals.verifying import verify
from domain.visitors import Cancelled, Erased, Registered
from events_face.commands import erase as erasure_cli
from projections import visitors
from projections.erased_recipients import any_leased
from projections.outbox import OUTBOX
from projections.rebuild.rebuild import rebuild_tables
from projections.visitor_search import search
from projections.visitors import VISITORS
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.settings import Settings
from tests.api.forgetting import (
    EMAIL,
    NOTHING,
    OTHER,
    PERSON,
    TRACES,
    an_admin,
    caught_up,
    echoing,
    erase,
    register,
    rows,
    tables_with_key,
)
from tests.api.serving import Api, projector_on
from tests.support.database_contents import tables_with
from tests.support.http_server import Answer as ServiceAnswer
from tests.support.notification_service import NotificationService
from tests.support.sealed_history import seal_all
from tests.support.waiting import until_async
from workers.delivery.deliverer import Delivery

pytestmark = pytest.mark.anyio


async def test_after_an_erasure_nothing_of_the_person_is_in_any_table(
    api: Api,
    services: Services,
    keys: InstallationKeys,
    connection: AsyncConnection[Any],
    service: NotificationService,
    delivery: Delivery,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(streams, "LONG_STREAM", 1)  # snapshots of all that is loaded
    admin = await an_admin(api)
    taken, refused, tried, waiting, removed = [await api.event() for _ in range(5)]
    for event, serviced in [
        (taken, ServiceAnswer()),
        (refused, echoing(422)),
        (tried, echoing(503)),
    ]:
        await register(api, event)
        await until_async(lambda: caught_up(connection))
        service.answer_next(serviced)
        await delivery.drain()
    for event in (waiting, removed):
        await register(api, event)
        await register(api, event, OTHER)
    assert (await api.http.delete(f"/api/events/{removed}")).status_code == 204
    await until_async(lambda: caught_up(connection))
    for table in ("visitors", "outbox", "history_events"):
        await connection.execute(SQL("ANALYZE {}").format(Identifier(table)))
    assert await tables_with_key(connection, keys, EMAIL) == {"outbox", "recipients"}
    answer = await erase(api, admin)
    assert answer.json()["data"] == {"registrations": 5, "personal_keys": 5, "notifications": 3}
    assert tables_with(services.database_url, TRACES) == set()
    await until_async(lambda: caught_up(connection))
    assert tables_with(services.database_url, TRACES) == set()
    assert await tables_with_key(connection, keys, EMAIL) == set()
    assert await tables_with_key(connection, keys, OTHER["email"]) == {"outbox", "recipients"}
    assert not any(trace.lower() in caplog.text.lower() for trace in TRACES)

    kept = await rows(connection, "visitors"), await rows(connection, "outbox")
    assert [len(table) for table in kept] == [7, 7]
    await rebuild_tables(services.database_url, keys, [VISITORS, OUTBOX])
    assert (await rows(connection, "visitors"), await rows(connection, "outbox")) == kept
    sent = len(service.received)
    await delivery.drain()
    assert {received.email for received in service.received[sent:]} <= {OTHER["email"]}

    again = await register(api, taken)
    await until_async(lambda: caught_up(connection))
    await delivery.drain()
    assert service.emails[-1] == EMAIL
    assert len({received.id for received in service.received if received.email == EMAIL}) == 4
    (row,) = [r for r in await rows(connection, "visitors") if str(r["event_id"]) == taken]
    assert row["id"] == again.json()["data"]["id"]
    found = await search(connection, keys, text=EMAIL)
    assert [str(visitor.id) for visitor in found.rows] == [row["id"]]
    answer = await erase(api, admin)
    assert answer.json()["data"] == {"registrations": 1, "personal_keys": 1, "notifications": 0}
    assert tables_with(services.database_url, TRACES) == set()


async def test_an_erasure_is_answered_though_it_and_a_worker_lock_each_other_out(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = await an_admin(api)
    await register(api, await api.event())
    looked = 0

    async def look_after_a_deadlock(*arguments: Any) -> bool:
        nonlocal looked
        looked += 1
        if looked == 1:
            raise DeadlockDetected
        return await any_leased(*arguments)

    monkeypatch.setattr(erasures, "any_leased", look_after_a_deadlock)
    answer = await erase(api, admin)
    assert answer.json()["data"]["registrations"] == 1
    assert looked == 2


async def test_history_is_as_it_was_sealed_after_an_erasure(
    api: Api, connection: AsyncConnection[Any], settings: Settings, database_url: str
) -> None:
    admin, event = await an_admin(api), await api.event()
    await register(api, event)
    with psycopg.connect(database_url) as own:
        signing_key = load_key(own, settings.secret_keys)
    await seal_all(connection, signing_key)
    pinned = await newest_checkpoint(connection, signing_key.public_key())

    await erase(api, admin)
    await seal_all(connection, signing_key)
    verdict = await verify(connection, signing_key.public_key(), [pinned])
    assert (verdict.genuine, verdict.unsealed.events) == (True, 0)
    assert verdict.events > pinned.tree_size


async def test_an_erasure_is_complete_before_anything_is_projected(
    lone_api: Api, services: Services, keys: InstallationKeys, connection: AsyncConnection[Any]
) -> None:
    admin = await an_admin(lone_api)
    kept, removed = await lone_api.event(), await lone_api.event()
    for event in (kept, removed):
        await register(lone_api, event)
    await lone_api.http.delete(f"/api/events/{removed}")
    answer = await erase(lone_api, admin)
    assert answer.json()["data"] == {"registrations": 2, "personal_keys": 2, "notifications": 2}
    assert answer.headers["Event-Position"] == str(await last_position(connection))
    async with projector_on(services, keys):
        await until_async(lambda: caught_up(connection))
    assert tables_with(services.database_url, TRACES) == set()
    assert {row["state"] for row in await rows(connection, "outbox")} == {"failed"}


async def test_an_erasure_records_who_did_it_and_nothing_about_the_erased_person(
    lone_api: Api, connection: AsyncConnection[Any]
) -> None:
    admin = await an_admin(lone_api)
    await register(lone_api, await lone_api.event())
    before = await last_position(connection)
    answer = await erase(lone_api, admin)
    recorded_events = await read_events(connection, after=before, limit=10)
    assert [type(each.event) for each in recorded_events] == [Failed, Cancelled, Erased]
    for recorded in recorded_events:
        assert recorded.metadata.actor == admin.id
        assert recorded.metadata.correlation_id == answer.headers["X-Request-ID"]


async def test_erasing_an_unknown_person_is_no_error_and_records_nothing(
    lone_api: Api, connection: AsyncConnection[Any]
) -> None:
    admin = await an_admin(lone_api)
    await register(lone_api, await lone_api.event(), OTHER)
    before = await last_position(connection)
    answer = await erase(lone_api, admin)
    assert answer.json()["data"] == NOTHING
    assert answer.headers["Event-Position"] == str(before)
    assert await last_position(connection) == before


async def test_an_invalid_email_is_refused_by_field(lone_api: Api) -> None:
    admin = await an_admin(lone_api)
    answer = await lone_api.http.post(
        "/api/visitors/erase", json={"email": "ada"}, headers=admin.bearer
    )
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["email"]


async def test_many_registrations_are_erased_in_batches_in_one_transaction(
    lone_api: Api, connection: AsyncConnection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(person_search, "BATCH_SIZE", 2)
    admin = await an_admin(lone_api)
    for _ in range(5):
        await register(lone_api, await lone_api.event())
    before = await last_position(connection)

    deleted = 0

    async def fails_in_the_end(on: AsyncConnection[Any], before: Mapping[UUID, int]) -> None:
        nonlocal deleted
        await delete_personal_keys(on, before)
        deleted += 1
        if deleted == 5:
            raise psycopg.OperationalError("the database went away")

    with monkeypatch.context() as broken:
        broken.setattr("domain.departures.delete_personal_keys", fails_in_the_end)
        answer = await lone_api.http.post(
            "/api/visitors/erase", json={"email": EMAIL}, headers=admin.bearer
        )
        assert answer.status_code == 503
    assert await last_position(connection) == before
    answer = await erase(lone_api, admin)
    assert answer.json()["data"] == {"registrations": 5, "personal_keys": 5, "notifications": 5}


async def test_a_registration_that_came_while_the_erasure_looked_is_erased_with_it(
    lone_api: Api, connection: AsyncConnection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = await an_admin(lone_api)
    await register(lone_api, await lone_api.event())
    known_before = await lone_api.event()
    looked = visitors.clear_search_keys

    async def register_meanwhile(on: AsyncConnection[Any], ids: Sequence[UUID]) -> None:
        await looked(on, ids)
        if len(ids) == 1:
            monkeypatch.setattr(visitors, "clear_search_keys", looked)
            await register(lone_api, known_before)
            await register(lone_api, await lone_api.event())

    monkeypatch.setattr(visitors, "clear_search_keys", register_meanwhile)
    answer = await erase(lone_api, admin)
    assert answer.json()["data"] == {"registrations": 3, "personal_keys": 3, "notifications": 3}


async def test_registering_and_erasing_at_the_same_time_never_ends_half_way(
    api: Api, services: Services, connection: AsyncConnection[Any], delivery: Delivery
) -> None:
    admin = await an_admin(api)
    events = [await api.event() for _ in range(4)]

    async def register_again_and_again(event: str) -> None:
        for _ in range(25):
            answer = await api.http.post(f"/api/events/{event}/register", json=PERSON)
            assert answer.status_code in {201, 409}, answer.text

    async def deliver() -> None:
        while not registering.done():
            await delivery.drain()

    async def erase_again_and_again() -> None:
        while not registering.done():
            await erase(api, admin)

    registering = asyncio.gather(*map(register_again_and_again, events))
    await asyncio.gather(registering, deliver(), erase_again_and_again(), erase_again_and_again())

    standing = await _standing(connection)
    cursor = await connection.execute("SELECT originator_id FROM personal_keys")
    assert sorted(id for (id,) in await cursor.fetchall()) == sorted(standing)
    await until_async(lambda: caught_up(connection))
    found = {UUID(r["id"]) for r in await rows(connection, "visitors") if r["words"]}
    assert found == standing
    await erase(api, admin)
    await until_async(lambda: caught_up(connection))
    assert tables_with(services.database_url, TRACES) == set()


async def _standing(connection: AsyncConnection[Any]) -> set[UUID]:
    """Visitors whose last event is a registration."""
    standing = set[UUID]()
    for recorded in await read_events(connection, after=0, limit=100_000):
        if isinstance(recorded.event, Registered):
            standing.add(recorded.originator_id)
        elif isinstance(recorded.event, Erased):
            standing.remove(recorded.originator_id)
    return standing


async def test_an_operator_erases_on_the_command_line(
    lone_api: Api, settings: Settings, services: Services, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        await register(lone_api, await lone_api.event())
    for output in (
        "erased permanently: 2 registrations (2 keys deleted, 2 notifications cancelled)\n",
        "no visitor has this email; nothing was changed\n",
    ):
        await asyncio.to_thread(erasure_cli.erase, settings, services, EMAIL.upper())
        assert capsys.readouterr().out == output
    with pytest.raises(CommandFailed, match="the email must be an email address"):
        await asyncio.to_thread(erasure_cli.erase, settings, services, "ada")
