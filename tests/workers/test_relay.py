"""The relay: workers are woken when rows are due, and only then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import redis

from tests.support.installation import Installation
from tests.support.waiting import until_async
from tests.workers.outboxes import rows_by_email
from workers.delivery import wake_ups as relaying
from workers.delivery.wake_ups import relay

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("frequent_sweeps")]


@asynccontextmanager
async def relayed(
    installation: Installation, wake: Callable[[], Awaitable[None]]
) -> AsyncIterator[None]:
    task = asyncio.create_task(relay(installation.database_url, wake, lambda: None))
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def registered(installation: Installation, *emails: str) -> None:
    await installation.register(await installation.event(), *emails)
    await installation.project()


class Wakes:
    """Counts them, and fails the given number of times."""

    def __init__(self) -> None:
        self.count = 0
        self.failures = 0

    async def __call__(self) -> None:
        if self.failures:
            self.failures -= 1
            raise redis.ConnectionError("no Redis")
        self.count += 1

    async def any(self) -> bool:
        return self.count > 0


async def test_a_new_row_wakes_the_workers(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relaying, "SWEEP_INTERVAL", 600.0)
    wakes = Wakes()
    async with relayed(installation, wakes):
        await until_async(lambda: listening(installation))
        await registered(installation, "ada@example.org")
        await until_async(wakes.any)


async def test_a_row_that_falls_due_later_wakes_them_then(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    await registered(installation, "ada@example.org")
    connection = installation.connection
    await connection.execute("UPDATE outbox SET due_at = now() + interval '1 second'")
    wakes = Wakes()
    async with relayed(installation, wakes):
        await until_async(wakes.any)
    cursor = await connection.execute("SELECT due_at <= now() FROM outbox")
    assert await cursor.fetchone() == (True,)


async def test_without_due_rows_no_worker_is_woken(installation: Installation) -> None:
    await registered(installation, "sent@example.org", "held@example.org")
    connection = installation.connection
    rows = await rows_by_email(installation)
    for email, change in {
        "sent@example.org": "state = 'sent'",
        "held@example.org": "due_at = 'infinity'",
    }.items():
        await connection.execute(
            f"UPDATE outbox SET {change} WHERE id = %s",  # noqa: S608
            [rows[email]["id"]],
        )
    wakes = Wakes()
    async with relayed(installation, wakes):
        await until_async(lambda: listening(installation))
        await connection.execute("NOTIFY outbox")
        await connection.execute("UPDATE outbox SET state = 'failed'")
    assert wakes.count == 0


async def test_it_continues_after_an_outage_of_redis_or_the_database(
    installation: Installation,
) -> None:
    await registered(installation, "ada@example.org")
    wakes = Wakes()
    wakes.failures = 3
    async with relayed(installation, wakes):
        await until_async(wakes.any)
        assert wakes.failures == 0
        await installation.connection.execute(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()
            """
        )
        wakes.count = 0
        await until_async(wakes.any)


async def listening(installation: Installation) -> bool:
    cursor = await installation.connection.execute(
        """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'idle'
          AND query LIKE '%min(due_at)%'
        """
    )
    return await cursor.fetchone() == (1,)
