"""What becomes of notifications that wait when the database was brought back to an earlier moment:
they may have been sent since."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from psycopg import AsyncConnection

from domain.history.decider import Decider
from workers.delivery.leases import LEASE, Leased, clock, settle
from workers.delivery.notification_service import Refused

PORTION = 1_000
"""Rows that are given up at once."""


async def let_go_of_leases(connection: AsyncConnection[Any]) -> None:
    """Whoever had them leased was another database's worker."""
    await connection.execute(
        """
        UPDATE outbox SET lease_token = NULL, due_at = least(due_at, now())
        WHERE state = 'waiting' AND lease_token IS NOT NULL
        """
    )


async def hold_all(connection: AsyncConnection[Any], decider: Decider, reason: str) -> int:
    """Have all that wait fail, until somebody queues them again; how many that were."""
    held = 0
    while rows := await _take(connection):
        await settle(connection, decider, [(row, Refused(reason)) for row in rows])
        held += len(rows)
    return held


async def _take(connection: AsyncConnection[Any]) -> list[Leased]:
    """Lease some, whether they are due or not."""
    leased_at = clock()
    cursor = await connection.execute(
        """
        UPDATE outbox SET lease_token = %(token)b, due_at = now() + %(lease)b
        WHERE id IN (SELECT id FROM outbox WHERE state = 'waiting' ORDER BY due_at LIMIT %(limit)b)
        RETURNING position, id, lease_token, message, attempts, correlation_id
        """,
        {"token": uuid4(), "lease": LEASE, "limit": PORTION},
        binary=True,
    )
    return [Leased(*(*row, leased_at)) for row in await cursor.fetchall()]
