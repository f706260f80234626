"""The worker as a process: from the outbox through Redis to the notification service."""

from __future__ import annotations

import asyncio
import signal

import msgspec
import pytest
import redis

from domain.events import CleanedUp
from domain.history.store import read_events
from domain.privacy.keys import InstallationKeys
from domain.syncs import Completed
from projections.backlog import count_by_state
from runtime.embedded.services import Services
from runtime.settings import Settings
from tests.support.http_server import Answer
from tests.support.installation import Installation
from tests.support.notification_service import NotificationService
from tests.support.processes import LAST_RESORT, environment, role
from tests.support.provider import Provider, an_item
from tests.support.waiting import until_async
from tests.workers.sessions import sessions_held
from workers.broker import NOTIFICATIONS, PERIODIC, redis_broker
from workers.delivery.deliverer import new_delivery
from workers.tasks import enqueue_once, wake_delivery, wake_workers

pytestmark = pytest.mark.anyio


async def registered(installation: Installation, *emails: str) -> None:
    await installation.register(await installation.event(), *emails)
    await installation.project()


async def all_are_sent(installation: Installation, count: int) -> None:
    async def sent() -> bool:
        return await count_by_state(installation.connection) == {
            "waiting": 0,
            "sent": count,
            "failed": 0,
        }

    await until_async(sent)


def crowd(size: int, name: str = "visitor") -> list[str]:
    return [f"{name}{number}@example.org" for number in range(size)]


async def test_a_worker_delivers_waiting_and_new_notifications(
    installation: Installation,
    service: NotificationService,
    worker_settings: Settings,
    services: Services,
) -> None:
    await registered(installation, *crowd(100, "early"))
    with role(environment(worker_settings, services), "worker"):
        await all_are_sent(installation, 100)
        await registered(installation, *crowd(100, "late"))
        await all_are_sent(installation, 200)
    assert sorted(service.emails) == sorted(crowd(100, "early") + crowd(100, "late"))


async def test_a_worker_ends_by_itself_when_asked_to(
    worker_settings: Settings,
    services: Services,
    installation: Installation,
    service: NotificationService,
) -> None:
    service.usual = Answer(delay=60)
    await registered(installation, "ada@example.org")
    with role(environment(worker_settings, services), "worker") as worker:

        async def is_calling() -> bool:
            return bool(service.received)

        await until_async(is_calling)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(LAST_RESORT) == 0
    (row,) = await installation.rows("outbox")
    assert (row["state"], row["lease_token"]) == ("waiting", None)


async def test_rows_leased_by_a_killed_worker_are_sent_by_another(
    installation: Installation,
    service: NotificationService,
    worker_settings: Settings,
    services: Services,
) -> None:
    service.usual = Answer(delay=60)
    await registered(installation, *crowd(10))
    with role(environment(worker_settings, services), "worker") as worker:

        async def is_calling() -> bool:
            return len(service.received) == 10

        await until_async(is_calling)
        worker.kill()
    service.usual = Answer()
    await installation.connection.execute("UPDATE outbox SET due_at = now()")  # leases run out
    gone_soon = "from workers.delivery import abandoned; abandoned.DEAD_AFTER = 1.0"
    with role(environment(worker_settings, services), "worker", first=gone_soon):
        await all_are_sent(installation, 10)
    assert len({received.id for received in service.received}) == 10


async def test_everything_is_delivered_even_if_redis_loses_all_data(
    installation: Installation,
    service: NotificationService,
    worker_settings: Settings,
    services: Services,
    redis_url: str,
) -> None:
    with role(environment(worker_settings, services), "worker"):
        with redis.Redis.from_url(redis_url) as client:
            for number in range(5):
                await registered(installation, *crowd(20, f"wave{number}-"))
                client.flushall()
        await all_are_sent(installation, 100)
    assert sorted(service.emails) == sorted(
        email for number in range(5) for email in crowd(20, f"wave{number}-")
    )


async def test_a_worker_continues_by_itself_when_the_credentials_are_valid_again(
    installation: Installation,
    service: NotificationService,
    worker_settings: Settings,
    services: Services,
) -> None:
    connection = installation.connection
    service.usual = Answer(status=403)
    await registered(installation, *crowd(10))

    async def paused() -> bool:
        cursor = await connection.execute("SELECT FROM delivery_pause")
        return cursor.rowcount == 1

    with role(environment(worker_settings, services), "worker"):
        await until_async(paused)
        service.usual = Answer()
        await connection.execute("UPDATE delivery_pause SET probe_at = now()")  # time passes
        await all_are_sent(installation, 10)
    assert not await paused()


async def test_a_worker_does_the_tasks_of_the_scheduler(
    installation: Installation,
    settings: Settings,
    services: Services,
    redis_url: str,
    source: Provider,
) -> None:
    broker = redis_broker(redis_url)
    source.items = [an_item(event_datetime="2020-01-01T00:00:00Z")]
    settings = msgspec.structs.replace(settings, events_provider_url=source.url)
    with role(environment(settings, services), "worker"):
        enqueue_once(broker, "sync")
        await until_async(lambda: last_is(installation, Completed))
        await installation.project()
        enqueue_once(broker, "cleanup")
        await until_async(lambda: last_is(installation, CleanedUp))
        sessions_held(services.database_url, "-1 hour")
        enqueue_once(broker, "token_cleanup")
        await until_async(lambda: no_session_is_left(installation))


async def last_is(installation: Installation, kind: type) -> bool:
    events = await read_events(installation.connection, after=0, limit=100)
    return bool(events) and isinstance(events[-1].event, kind)


async def no_session_is_left(installation: Installation) -> bool:
    cursor = await installation.connection.execute("SELECT FROM sessions")
    return cursor.rowcount == 0


async def test_a_flood_of_wake_ups_makes_one_message(redis_url: str) -> None:
    broker = redis_broker(redis_url)
    for _ in range(100):
        wake_workers(broker)
    assert broker.client.llen(f"dramatiq:{NOTIFICATIONS}") == 1


async def test_a_worker_that_already_delivers_is_woken_without_a_message(
    worker_settings: Settings, services: Services, keys: InstallationKeys, redis_url: str
) -> None:
    broker = redis_broker(redis_url)
    async with new_delivery(worker_settings, services.database_url, keys) as delivery:
        under_way = asyncio.create_task(delivery.run())
        await asyncio.sleep(0)
        await wake_delivery(broker, delivery)
        assert broker.client.llen(f"dramatiq:{NOTIFICATIONS}") == 0
        await under_way
        await wake_delivery(broker, delivery)
        assert broker.client.llen(f"dramatiq:{NOTIFICATIONS}") == 1


async def test_a_worker_reads_only_the_given_queues(
    installation: Installation,
    service: NotificationService,
    worker_settings: Settings,
    services: Services,
    redis_url: str,
    source: Provider,
) -> None:
    broker = redis_broker(redis_url)
    settings = msgspec.structs.replace(worker_settings, events_provider_url=source.url)
    await registered(installation, *crowd(10))
    wake_workers(broker)
    with role(environment(settings, services), "worker", "--queues", PERIODIC):
        enqueue_once(broker, "sync")
        await until_async(lambda: last_is(installation, Completed))
    assert service.received == []
    assert broker.client.llen(f"dramatiq:{NOTIFICATIONS}") == 1
    enqueue_once(broker, "sync")
    with role(environment(settings, services), "worker", "--queues", NOTIFICATIONS):
        await all_are_sent(installation, 10)
    assert broker.client.llen(f"dramatiq:{PERIODIC}") == 1
