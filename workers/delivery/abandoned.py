"""Frees the leases of dead workers, long before they expire."""

from __future__ import annotations

import math
from time import monotonic
from typing import Any
from uuid import UUID

import structlog
from psycopg import AsyncConnection

from workers.delivery.leases import LEASE_DURATION
from workers.delivery.liveness import MissingWorkers

DEAD_AFTER = 15.0
"""Seconds without a session, after which a worker is dead: before, it may connect again."""

CHECK_INTERVAL = 2.0
"""Seconds between two checks."""

MIN_LEASE_AGE = 10.0
"""Seconds. Newer leases are never freed."""

log = structlog.get_logger()


class AbandonedLeases:
    """Of rows of the outbox."""

    def __init__(self) -> None:
        self._missing = MissingWorkers()
        self._checked_at = -math.inf

    async def free(self, connection: AsyncConnection[Any]) -> None:
        """Make the rows due that dead workers have leased. Checks once in `CHECK_INTERVAL`."""
        now = monotonic()
        if now < self._checked_at + CHECK_INTERVAL:
            return
        self._checked_at = now
        tokens = await _tokens_of_age(connection)
        freed = await self._missing.dead(connection, tokens, DEAD_AFTER)
        if freed:
            cursor = await connection.execute(
                """
                UPDATE outbox SET lease_token = NULL, due_at = now()
                WHERE state = 'waiting' AND due_at > now() AND lease_token = ANY(%b::uuid[])
                """,
                [freed],
            )
            log.warning("a worker died: its leased rows are due again", rows=cursor.rowcount)


async def _tokens_of_age(connection: AsyncConnection[Any]) -> list[UUID]:
    cursor = await connection.execute(
        """
        SELECT DISTINCT lease_token FROM outbox
        WHERE state = 'waiting' AND lease_token IS NOT NULL
          AND due_at > now() AND due_at < now() + make_interval(secs => %b)
        """,
        [LEASE_DURATION.total_seconds() - MIN_LEASE_AGE],
    )
    return [token for (token,) in await cursor.fetchall()]
