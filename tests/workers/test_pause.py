"""While the service refuses the credentials, sending is paused and probed; nothing is lost."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from domain.history.store import connect
from domain.notifications import Failed, Sent
from runtime.settings import Settings
from tests.support.http_server import Answer
from tests.support.installation import Installation
from tests.support.notification_service import NotificationService
from tests.workers.outboxes import crowd, history_of, registered
from workers.delivery import leases as outbox
from workers.delivery import notification_service as calling
from workers.delivery import pause
from workers.delivery.deliverer import Delivery, DrainResult, new_delivery

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("status", [401, 403])
async def test_bad_credentials_pause_everything_and_lose_nothing(
    installation: Installation, service: NotificationService, delivery: Delivery, status: int
) -> None:
    await registered(installation, *crowd(300))
    service.usual = Answer(status=status)
    drained = await delivery.drain()
    assert drained == DrainResult(sent=0, failed=0, waiting=300, paused=f"HTTP {status}")
    assert len(service.received) <= calling.MAX_CALLS
    assert {row["attempts"] for row in await installation.rows("outbox")} == {0}
    assert await history_of(installation, Sent, Failed) == []

    asked = len(service.received)
    assert not await delivery.run(seconds=60)
    assert len(service.received) == asked


async def test_a_pause_is_probed_with_one_notification_and_ends_when_one_is_accepted(
    installation: Installation,
    service: NotificationService,
    worker_settings: Settings,
    delivery: Delivery,
) -> None:
    await registered(installation, *crowd(100))
    service.usual = Answer(status=401)
    await delivery.drain()
    asked = len(service.received)

    # A new delivery probes at once: the credentials may have been corrected.
    async with new_delivery(
        worker_settings, installation.database_url, installation.keys
    ) as another:
        assert (await another.drain()).paused == "HTTP 401"
    assert len(service.received) == asked + 1

    service.usual = Answer()
    async with new_delivery(
        worker_settings, installation.database_url, installation.keys
    ) as another:
        assert await another.drain() == DrainResult(sent=100, failed=0, waiting=0, paused=None)


async def test_while_paused_only_one_worker_leases_one_row_as_a_probe(
    installation: Installation,
) -> None:
    await registered(installation, *crowd(10))
    connection = installation.connection
    await pause.begin(connection, "HTTP 401")
    assert await outbox.lease(connection, installation.keys, 10) == []

    await connection.execute("UPDATE delivery_pause SET probe_at = now()")
    async with await connect(installation.database_url) as another:
        leases = await asyncio.gather(
            outbox.lease(connection, installation.keys, 10),
            outbox.lease(another, installation.keys, 10),
        )
    assert sorted(len(lease) for lease in leases) == [0, 1]
    cursor = await connection.execute(
        "SELECT probe_every, probe_at > now() + interval '5 seconds' FROM delivery_pause"
    )
    assert await cursor.fetchone() == (timedelta(seconds=10), True)

    await pause.end(connection)
    assert len(await outbox.lease(connection, installation.keys, 10)) == 9


async def test_the_intervals_between_probes_grow_to_a_minute(installation: Installation) -> None:
    await registered(installation, *crowd(10))
    connection = installation.connection
    await pause.begin(connection, "HTTP 401")
    for _ in range(8):
        await connection.execute("UPDATE delivery_pause SET probe_at = now()")
        assert await pause.rows_allowed(connection, 10) == 1
    cursor = await connection.execute("SELECT probe_every FROM delivery_pause")
    assert await cursor.fetchone() == (timedelta(seconds=60),)
