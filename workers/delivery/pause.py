"""The pause of all deliveries while the service refuses the credentials.

It is kept in PostgreSQL, so that all workers respect it. While it lasts, one row at a time is sent
as a probe, at growing intervals; the first probe that is accepted ends the pause.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import structlog
from psycopg import AsyncConnection

FIRST_PROBE_INTERVAL = timedelta(seconds=5)
MAX_PROBE_INTERVAL = timedelta(seconds=60)

log = structlog.get_logger()


async def rows_allowed(connection: AsyncConnection[Any], wanted: int) -> int:
    """How many rows may be leased now: all `wanted` rows, or during a pause one if a probe is due,
    otherwise none.

    A probe is taken only when a row is due to probe with.
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
        {"longest": MAX_PROBE_INTERVAL, "wanted": wanted},
    )
    row = await cursor.fetchone()
    return row[0] if row else 0


async def probe_at_once(connection: AsyncConnection[Any]) -> None:
    """Make a probe due now: the credentials may have been changed before a delivery starts."""
    await connection.execute("UPDATE delivery_pause SET probe_at = now()")


async def begin(connection: AsyncConnection[Any], reason: str) -> None:
    """Begin a pause, unless there is one."""
    cursor = await connection.execute(
        """
        INSERT INTO delivery_pause (reason, probe_at, probe_every)
        VALUES (%(reason)s, now() + %(first)s, %(first)s)
        ON CONFLICT DO NOTHING
        """,
        {"reason": reason, "first": FIRST_PROBE_INTERVAL},
    )
    if cursor.rowcount:
        log.error("sending is paused: the service refuses the credentials", reason=reason)


async def end(connection: AsyncConnection[Any]) -> None:
    """End the pause, if there is one."""
    cursor = await connection.execute("DELETE FROM delivery_pause")
    if cursor.rowcount:
        log.info("sending continues: the service accepts the credentials")


async def reason(connection: AsyncConnection[Any]) -> str | None:
    """The reason for the pause; None without one."""
    cursor = await connection.execute("SELECT reason FROM delivery_pause")
    row = await cursor.fetchone()
    return row[0] if row else None
