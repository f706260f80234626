"""The relay: wakes the workers when rows of the outbox are due.

It listens to PostgreSQL, and it reads the outbox whenever a row becomes due, so a wake-up that
Redis loses only costs time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import NoReturn

import redis
import structlog

from domain.core.availability import UNAVAILABLE, require_writes
from domain.history.store import connect
from projections.outbox import CHANNEL
from workers.delivery import leases
from workers.delivery.abandoned import AbandonedLeases

SWEEP_INTERVAL = 2.0
"""Seconds between two reads of the outbox without a notification; also the time after which a
wake-up without effect is repeated."""

MIN_WAKE_UP_INTERVAL = 0.1
"""Seconds between two wake-ups: a worker that was woken reads the outbox by itself."""

_TRANSIENT: tuple[type[Exception], ...] = (*UNAVAILABLE, redis.RedisError)

log = structlog.get_logger()


async def relay(
    database_url: str,
    wake: Callable[[], Awaitable[object]],
    on_database_lost: Callable[[], object],
) -> NoReturn:
    """Call `wake` while rows are due, and `on_database_lost` while the database is unavailable,
    until cancelled."""
    failure = None
    while True:
        try:
            async with await connect(database_url) as connection:
                await connection.execute(f"LISTEN {CHANNEL}")
                abandoned = AbandonedLeases()
                while True:
                    await abandoned.free(connection)
                    due_in = await leases.next_due_in(connection)
                    require_writes(connection)
                    if due_in is not None and due_in <= 0:
                        await wake()
                        await asyncio.sleep(MIN_WAKE_UP_INTERVAL)
                    if failure:
                        log.info("the relay works again")
                        failure = None
                    async for _ in connection.notifies(timeout=_pause(due_in), stop_after=1):
                        pass
        except _TRANSIENT as error:
            if failure is None:
                log.warning("the relay is interrupted; it will try again", error=str(error))
            failure = error
            if isinstance(error, UNAVAILABLE):
                on_database_lost()
            await asyncio.sleep(SWEEP_INTERVAL)


def _pause(due_in: float | None) -> float:
    """Seconds to wait for a notification."""
    return SWEEP_INTERVAL if due_in is None or due_in <= 0 else min(due_in, SWEEP_INTERVAL)
