"""Removes attempts that are old, and all rows of webhooks that were deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from psycopg import AsyncConnection

ATTEMPTS_ARE_KEPT = timedelta(days=7)

CLEANUP_BATCH = 5_000
"""Rows deleted in one transaction."""


async def remove_old_rows(connection: AsyncConnection[Any]) -> int:
    """Attempts older than `ATTEMPTS_ARE_KEPT`, and all of deleted webhooks; their number."""
    removed = 0
    while True:
        cursor = await connection.execute(
            """
            DELETE FROM webhook_attempts WHERE id IN (
                SELECT id FROM (
                    SELECT id, at FROM webhook_attempts ORDER BY id LIMIT %s
                ) AS oldest
                WHERE at < now() - %s
            )
            """,
            [CLEANUP_BATCH, ATTEMPTS_ARE_KEPT],
        )
        removed += cursor.rowcount
        if cursor.rowcount < CLEANUP_BATCH:
            break
    return removed + await _remove_of_deleted_webhooks(connection)


async def _remove_of_deleted_webhooks(connection: AsyncConnection[Any]) -> int:
    cursor = await connection.execute(
        """
        SELECT webhook_id FROM webhook_cursors c
        WHERE NOT EXISTS (SELECT FROM webhooks w WHERE w.id = c.webhook_id)
        """
    )
    deleted, removed = [id for (id,) in await cursor.fetchall()], 0
    for id in deleted:
        for statement in (
            """
            DELETE FROM webhook_attempts WHERE id IN (
                SELECT id FROM webhook_attempts WHERE webhook_id = %s LIMIT 5000
            )
            """,
            """
            DELETE FROM webhook_parked WHERE (webhook_id, position) IN (
                SELECT webhook_id, position FROM webhook_parked WHERE webhook_id = %s LIMIT 5000
            )
            """,
            "DELETE FROM webhook_cursors WHERE webhook_id = %s",
        ):
            while (await connection.execute(statement, [id])).rowcount == CLEANUP_BATCH:
                removed += CLEANUP_BATCH
    return removed
