"""Nothing is sent to a person once an erasure was answered, whatever workers and projectors do."""

from __future__ import annotations

import asyncio
import math
import time
from typing import Any

import pytest
from psycopg import AsyncConnection

from api.database import erasures
from domain.application import APPLICATION
from domain.history.decider import Decider
from domain.privacy.keys import InstallationKeys
from domain.visitors import Visitor
from projections import outbox as rows_of_outbox
from projections.erased_recipients import any_leased
from projections.outbox import OUTBOX
from projections.rebuild.rebuild import rebuild_tables
from runtime.embedded.services import Services
from tests.api.forgetting import EMAIL, TRACES, an_admin, caught_up, erase, register, rows
from tests.api.serving import Api
from tests.support.database_contents import tables_with
from tests.support.http_server import Answer as ServiceAnswer
from tests.support.notification_service import NotificationService
from tests.support.waiting import until_async
from workers.delivery import leases
from workers.delivery.deliverer import Delivery
from workers.delivery.leases import Released
from workers.delivery.notification_service import MAX_CALLS
from workers.delivery.sender import Answer as Outcome
from workers.delivery.sender import Rejected, TryLater

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "outcome", [TryLater(f"HTTP 503: {EMAIL}"), Rejected(f"HTTP 422: {EMAIL}")]
)
async def test_a_worker_that_is_sending_restores_no_personal_data(
    api: Api,
    services: Services,
    keys: InstallationKeys,
    connection: AsyncConnection[Any],
    outcome: Outcome,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rows_of_outbox, "MAX_SEND_DELAY", -erasures.MARGIN)  # it does not wait
    admin = await an_admin(api)
    await register(api, await api.event())
    await until_async(lambda: caught_up(connection))
    leased = await leases.lease(connection, keys, 10)
    assert [row.email for row in leased] == [EMAIL]
    await erase(api, admin)
    await leases.settle(connection, Decider(keys, APPLICATION), [(leased[0], outcome)])
    await until_async(lambda: caught_up(connection))
    assert tables_with(services.database_url, TRACES) == set()
    assert await leases.lease(connection, keys, 10) == []


async def test_once_an_erasure_is_answered_nothing_is_sent_to_the_person(
    api: Api,
    connection: AsyncConnection[Any],
    service: NotificationService,
    delivery: Delivery,
) -> None:
    """A worker has rows in hand for a while before it sends them."""
    admin, event = await an_admin(api), await api.event()
    people = [{"full_name": "Ada", "email": f"ada{n}@ockham-park.uk"} for n in range(200)]
    for start in range(0, 200, 50):
        await asyncio.gather(*(register(api, event, one) for one in people[start : start + 50]))
    await until_async(lambda: caught_up(connection))
    service.usual = ServiceAnswer(delay=0.5)
    delivering = asyncio.create_task(delivery.run())
    await until_async(lambda: asyncio.sleep(0, len(service.received) >= MAX_CALLS))
    in_hand = [one["email"] for one in people if one["email"] not in service.emails]
    erased_at = dict[str, float]()

    async def erase_one(email: str) -> None:
        await erase(api, admin, email)
        erased_at[email] = time.monotonic()

    await asyncio.gather(*map(erase_one, in_hand[:20]))
    await delivering
    late = [r.email for r in service.received if r.at > erased_at.get(r.email, math.inf)]
    assert late == []
    rows_left = [r for r in await rows(connection, "outbox") if r["lease_token"]]
    assert rows_left == []


async def test_an_erasure_waits_for_a_suspended_worker_until_it_may_not_send_any_more(
    api: Api,
    keys: InstallationKeys,
    connection: AsyncConnection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rows_of_outbox, "MAX_SEND_DELAY", 0.5)
    monkeypatch.setattr(leases, "MAX_SEND_DELAY", 0.5)
    monkeypatch.setattr(erasures, "MARGIN", 0.0)
    admin = await an_admin(api)
    await register(api, await api.event())
    await until_async(lambda: caught_up(connection))
    (leased,) = await leases.lease(connection, keys, 10)
    assert leased.may_start()
    await erase(api, admin)
    assert not leased.may_start()


async def test_a_message_projected_after_an_erasure_is_not_sent(
    api: Api,
    connection: AsyncConnection[Any],
    service: NotificationService,
    delivery: Delivery,
) -> None:
    """It may have read of the person before."""
    admin = await an_admin(api)
    await register(api, await api.event())
    await until_async(lambda: caught_up(connection))
    await erase(api, admin)
    await until_async(lambda: caught_up(connection))
    await connection.execute("UPDATE outbox SET erased = false, state = 'waiting', due_at = now()")
    assert (await delivery.drain()).failed == 1
    assert service.received == []


async def test_an_erasure_also_waits_for_leases_from_before_a_rebuild(
    api: Api,
    services: Services,
    keys: InstallationKeys,
    connection: AsyncConnection[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rows_of_outbox, "MAX_SEND_DELAY", -erasures.MARGIN)
    admin = await an_admin(api)
    await register(api, await api.event())
    await until_async(lambda: caught_up(connection))
    (leased,) = await leases.lease(connection, keys, 10)
    await erase(api, admin)
    await until_async(lambda: caught_up(connection))
    await rebuild_tables(services.database_url, keys, [OUTBOX])
    assert leased.message is not None
    visitors, position = [Visitor(id=leased.message.visitor_id)], leased.causation_id
    assert await any_leased(connection, visitors, position)
    await leases.settle(connection, Decider(keys, APPLICATION), [(leased, Released())])
    assert not await any_leased(connection, visitors, position)
