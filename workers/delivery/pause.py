"""The pause of all deliveries while the notification service refuses our credentials.

It stands in PostgreSQL, so that every worker keeps it. While it lasts one row at a time is tried,
at growing intervals; the first that is taken ends it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import structlog
from psycopg import AsyncConnection

FIRST_PROBE = timedelta(seconds=5)
LONGEST_PROBE = timedelta(seconds=60)

log = structlog.get_logger()


async def rows_allowed(connection: AsyncConnection[Any], wanted: int) -> int:
    """How many rows may be leased now: while paused one for whoever is next to probe, else none.

    A probe is only taken when there is a row to probe with.
    """
    cursor = await connection.execute(
        """
        WITH probe AS (
            UPDATE delivery_pause SET
                probe_at = now() + least(probe_every * 2, %(longest)s),
                probe_every = least(probe_every * 2, %(longest)s)
            WHERE probe_at <= now()
              AND EXISTS (SELECT FROM outbox WHERE state = 'waiting' AND due_at <= now())
            RETURNING true
        )
        SELECT CASE
            WHEN EXISTS (SELECT FROM probe) THEN 1
            WHEN EXISTS (SELECT FROM delivery_pause) THEN 0
            ELSE %(wanted)s::integer
        END
        """,
        {"longest": LONGEST_PROBE, "wanted": wanted},
    )
    row = await cursor.fetchone()
    return row[0] if row else 0


async def probe_at_once(connection: AsyncConnection[Any]) -> None:
    """Let the next lease be a probe: whoever starts a delivery may have changed the credentials."""
    await connection.execute("UPDATE delivery_pause SET probe_at = now()")


async def begin(connection: AsyncConnection[Any], reason: str) -> None:
    """Pause, unless it is so already."""
    cursor = await connection.execute(
        """
        INSERT INTO delivery_pause (reason, probe_at, probe_every)
        VALUES (%(reason)s, now() + %(first)s, %(first)s)
        ON CONFLICT DO NOTHING
        """,
        {"reason": reason, "first": FIRST_PROBE},
    )
    if cursor.rowcount:
        log.error("sending is paused: the notification service refuses us", reason=reason)


async def end(connection: AsyncConnection[Any]) -> None:
    """Go on, if there was a pause."""
    cursor = await connection.execute("DELETE FROM delivery_pause")
    if cursor.rowcount:
        log.info("sending goes on: the notification service takes our credentials")


async def reason(connection: AsyncConnection[Any]) -> str | None:
    """Why nothing is sent; None when there is no pause."""
    cursor = await connection.execute("SELECT reason FROM delivery_pause")
    row = await cursor.fetchone()
    return row[0] if row else None
