"""Open events that have not begun yet and are not cancelled, the next ones first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.sql import SQL

from projections.events import EVENT_COLUMNS, EventRow, row_of

COUNT_LIMIT = 10_000

IS_UPCOMING: LiteralString = (
    "status = 'open' AND cancelled_at IS NULL AND event_datetime >= %(now)s"
)


class UpcomingEvents(msgspec.Struct, frozen=True):
    count: int
    """`COUNT_LIMIT` + 1 for any larger number."""
    next: Sequence[EventRow]


async def upcoming_events(
    connection: AsyncConnection[Any], now: datetime, *, limit: int = 5
) -> UpcomingEvents:
    cursor = await connection.execute(
        SQL("SELECT {} FROM events e WHERE {} ORDER BY event_datetime, id LIMIT %(limit)s").format(
            EVENT_COLUMNS, SQL(IS_UPCOMING)
        ),
        {"now": now, "limit": limit},
    )
    rows = [row_of(row) for row in await cursor.fetchall()]
    cursor = await connection.execute(
        SQL("SELECT count(*) FROM (SELECT FROM events WHERE {} LIMIT %(most)s) AS counted").format(
            SQL(IS_UPCOMING)
        ),
        {"now": now, "most": COUNT_LIMIT + 1},
    )
    counted = await cursor.fetchone()
    return UpcomingEvents(counted[0] if counted else 0, rows)


async def count_upcoming(connection: AsyncConnection[Any], now: datetime) -> int:
    """All of them, however many."""
    cursor = await connection.execute(
        SQL("SELECT count(*) FROM events WHERE {}").format(SQL(IS_UPCOMING)), {"now": now}
    )
    counted = await cursor.fetchone()
    return counted[0] if counted else 0


async def upcoming_ids(
    connection: AsyncConnection[Any], now: datetime, *, limit: int, offset: int
) -> list[UUID]:
    cursor = await connection.execute(
        SQL(
            """
            SELECT id FROM events WHERE {}
            ORDER BY event_datetime, id LIMIT %(limit)s OFFSET %(offset)s
            """
        ).format(SQL(IS_UPCOMING)),
        {"now": now, "limit": limit, "offset": offset},
        binary=True,
    )
    return [id for (id,) in await cursor.fetchall()]


async def events_with_seats_to_pass_on(
    connection: AsyncConnection[Any], now: datetime
) -> list[UUID]:
    """Ids of events that have a free seat, for which somebody waits and may get it."""
    cursor = await connection.execute(
        """
        SELECT e.id FROM event_seats s JOIN events e ON e.id = s.event_id
        WHERE s.waiting > 0 AND (e.capacity IS NULL OR s.taken < e.capacity)
          AND e.waiting_list = 'automatic' AND e.status = 'open' AND e.cancelled_at IS NULL
          AND e.event_datetime > %b
        """,
        [now],
        binary=True,
    )
    return [id for (id,) in await cursor.fetchall()]
