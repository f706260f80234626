"""How many messages wait in the outbox, and the request to send them now."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection

from domain.notifications import GIVEN_UP
from projections.outcomes import State


async def count_by_state(connection: AsyncConnection[Any]) -> dict[State, int]:
    cursor = await connection.execute("SELECT state, count(*) FROM outbox GROUP BY state")
    counts: dict[State, int] = {"waiting": 0, "sent": 0, "failed": 0}
    return counts | dict(await cursor.fetchall())


async def read_backlog(connection: AsyncConnection[Any]) -> tuple[int, float]:
    """The number of waiting rows, and for how many seconds the oldest due row has been due (0
    without one). Its cost does not grow with the rows that are sent or failed."""
    cursor = await connection.execute(
        """
        SELECT count(*),
               coalesce(extract(epoch FROM
                   now() - min(due_at) FILTER (WHERE due_at <= now())
               ), 0)::float8
        FROM outbox WHERE state = 'waiting'
        """
    )
    row = await cursor.fetchone()
    return row or (0, 0.0)


async def count_refused(connection: AsyncConnection[Any]) -> int:
    """The messages that the service refused. Its cost does not grow with the rows that are waiting
    or sent."""
    cursor = await connection.execute(
        """
        SELECT count(*) FROM outbox
        WHERE state = 'failed' AND coalesce(last_error, '') <> ALL (%b::text[])
        """,
        [list(GIVEN_UP)],
    )
    row = await cursor.fetchone()
    return row[0] if row else 0


async def release_held(connection: AsyncConnection[Any]) -> None:
    """Make the rows due that are held because of their address."""
    await connection.execute(
        """
        UPDATE outbox SET due_at = created_at
        WHERE state = 'waiting' AND held_until > now() AND due_at = held_until
        """
    )


async def send_now(connection: AsyncConnection[Any]) -> int:
    """Make all rows due that wait for a later attempt, also if the notification service asked for
    a longer wait; not those that are held. Returns their number."""
    cursor = await connection.execute(
        """
        UPDATE outbox SET due_at = now()
        WHERE id IN (
            SELECT id FROM outbox
            WHERE state = 'waiting' AND due_at > now() AND lease_token IS NULL
              AND coalesce(held_until, created_at) <= now()
            FOR UPDATE SKIP LOCKED
        )
        """
    )
    await connection.execute("NOTIFY outbox")
    return cursor.rowcount
