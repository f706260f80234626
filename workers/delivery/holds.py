"""Holds waiting notifications after the database was restored from a backup: they may have been
sent since."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from psycopg import AsyncConnection

from domain.history.decider import Decider
from workers.delivery.leases import LEASE_DURATION, Leased, clock, settle
from workers.delivery.sender import Rejected

BATCH_SIZE = 1_000
"""Rows in one transaction."""


async def release_all_leases(connection: AsyncConnection[Any]) -> None:
    """Release all leases: their workers belonged to the database before the restore."""
    await connection.execute(
        """
        UPDATE outbox SET lease_token = NULL, due_at = least(due_at, now())
        WHERE state = 'waiting' AND lease_token IS NOT NULL
        """
    )


async def hold_all(connection: AsyncConnection[Any], decider: Decider, reason: str) -> int:
    """Make all waiting notifications fail, until they are queued again; returns their number."""
    held = 0
    while rows := await _take(connection):
        await settle(connection, decider, [(row, Rejected(reason)) for row in rows])
        held += len(rows)
    return held


async def _take(connection: AsyncConnection[Any]) -> list[Leased]:
    """Lease waiting rows, due or not."""
    leased_at = clock()
    cursor = await connection.execute(
        """
        UPDATE outbox SET lease_token = %(token)b, due_at = now() + %(lease)b
        WHERE id IN (SELECT id FROM outbox WHERE state = 'waiting' ORDER BY due_at LIMIT %(limit)b)
        RETURNING person_position, id, lease_token, attempts, correlation_id, position, visitor_id
        """,
        {"token": uuid4(), "lease": LEASE_DURATION, "limit": BATCH_SIZE},
        binary=True,
    )
    return [Leased(*(*row, leased_at)) for row in await cursor.fetchall()]
