"""Delivery while the database is read-only for longer than a lease."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress

import pytest

from domain.core.availability import UNAVAILABLE
from runtime.settings import Settings
from tests.support.http_server import Answer
from tests.support.installation import Installation
from tests.support.notification_service import NotificationService
from tests.support.read_only import read_only
from tests.support.waiting import until_async
from tests.workers.outboxes import crowd, make_due, registered
from workers.delivery import deliverer as delivering
from workers.delivery import leases
from workers.delivery.deliverer import Delivery, new_delivery

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("short_leases")]

SOME = 60


async def test_notifications_sent_meanwhile_are_recorded_later_and_not_sent_again(
    installation: Installation,
    service: NotificationService,
    worker_settings: Settings,
    delivery: Delivery,
) -> None:
    await registered(installation, *crowd(SOME))
    service.usual = Answer(delay=0.3)
    async with new_delivery(
        worker_settings, installation.database_url, installation.keys
    ) as another:
        running = [asyncio.create_task(_keep_running(one)) for one in (delivery, another)]
        await until_async(lambda: _holds(service.received))
        with read_only(installation.database_url):
            await until_async(lambda: _leases_ran_out(installation))
        service.usual = Answer()
        await until_async(lambda: _all_sent(installation))
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    assert Counter(service.emails) == Counter(crowd(SOME))


async def test_expired_leases_are_taken_over_only_after_an_interval(
    installation: Installation,
    service: NotificationService,
    worker_settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await registered(installation, "ada@example.org")
    assert len(await leases.lease(installation.connection, installation.keys, 1)) == 1
    await make_due(installation)

    async def run() -> None:
        async with new_delivery(
            worker_settings, installation.database_url, installation.keys
        ) as delivery:
            await delivery.run()

    await run()
    assert service.received == []
    monkeypatch.setattr(delivering, "TAKEOVER_DELAY", 0.0)
    await run()
    assert service.emails == ["ada@example.org"]


async def _keep_running(delivery: Delivery) -> None:
    while True:
        with suppress(*UNAVAILABLE):
            await delivery.run()
        await asyncio.sleep(0.1)


async def _holds(what: object) -> bool:
    return bool(what)


async def _leases_ran_out(installation: Installation) -> bool:
    cursor = await installation.connection.execute(
        """
        SELECT bool_and(due_at < now() - interval '1 second') FROM outbox
        WHERE lease_token IS NOT NULL
        """
    )
    return await cursor.fetchone() == (True,)


async def _all_sent(installation: Installation) -> bool:
    return {row["state"] for row in await installation.rows("outbox")} == {"sent"}
