"""The relay: turns what the outbox holds into wake-ups for the workers.

It listens to PostgreSQL, and it looks at the outbox whenever a row falls due, so a wake-up that
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
from workers.delivery.abandoned import Abandoned

SWEEP_EVERY = 2.0
"""Seconds; also the time until a wake-up that came to nothing is repeated."""

CALM = 0.1
"""Seconds after a wake-up in which there is no other: whoever was woken looks for itself."""

_TROUBLE: tuple[type[Exception], ...] = (*UNAVAILABLE, redis.RedisError)

log = structlog.get_logger()


async def relay(
    database_url: str, wake: Callable[[], Awaitable[object]], lost: Callable[[], object]
) -> NoReturn:
    """Call `wake` while rows are due, until cancelled; and `lost` while the database is
    unavailable."""
    trouble = None
    while True:
        try:
            async with await connect(database_url) as connection:
                await connection.execute(f"LISTEN {CHANNEL}")
                abandoned = Abandoned()
                while True:
                    await abandoned.free(connection)
                    due_in = await leases.next_due_in(connection)
                    require_writes(connection)
                    if due_in is not None and due_in <= 0:
                        await wake()
                        await asyncio.sleep(CALM)
                    if trouble:
                        log.info("the relay works again")
                        trouble = None
                    async for _ in connection.notifies(timeout=_pause(due_in), stop_after=1):
                        pass
        except _TROUBLE as error:
            if trouble is None:
                log.warning("the relay waits until it can work again", error=str(error))
            trouble = error
            if isinstance(error, UNAVAILABLE):
                lost()
            await asyncio.sleep(SWEEP_EVERY)


def _pause(due_in: float | None) -> float:
    """Seconds to wait for a notification."""
    return SWEEP_EVERY if due_in is None or due_in <= 0 else min(due_in, SWEEP_EVERY)
