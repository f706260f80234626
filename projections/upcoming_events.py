"""Open events that have not begun yet, the next ones first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.sql import SQL

from projections.events import EVENT_COLUMNS, EventRow, row_of

COUNT_LIMIT = 10_000


class UpcomingEvents(msgspec.Struct, frozen=True):
    count: int
    """`COUNT_LIMIT` + 1 for any larger number."""
    next: Sequence[EventRow]


async def upcoming_events(
    connection: AsyncConnection[Any], now: datetime, *, limit: int = 5
) -> UpcomingEvents:
    cursor = await connection.execute(
        SQL(
            """
            SELECT {} FROM events e WHERE status = 'open' AND event_datetime >= %s
            ORDER BY event_datetime, id LIMIT %s
            """
        ).format(EVENT_COLUMNS),
        [now, limit],
    )
    rows = [row_of(row) for row in await cursor.fetchall()]
    cursor = await connection.execute(
        """
        SELECT count(*) FROM (
            SELECT FROM events WHERE status = 'open' AND event_datetime >= %s LIMIT %s
        ) AS counted
        """,
        [now, COUNT_LIMIT + 1],
    )
    counted = await cursor.fetchone()
    return UpcomingEvents(counted[0] if counted else 0, rows)
