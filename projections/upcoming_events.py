"""Events of today, and open ones that have not begun yet and are not cancelled."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.sql import SQL

from domain.core.times import in_timezone
from projections.events import EVENT_COLUMNS, EventRow, row_of

COUNT_LIMIT = 1_000

EXAMINED = 300
"""Events that are looked at for what is to be mended: the next ones."""

LONGEST = SQL("interval '14 days'")

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


async def events_of_today(
    connection: AsyncConnection[Any], now: datetime, *, limit: int = 8
) -> list[EventRow]:
    """Those that are going on, and those of today in their own time zones: of more than `limit` the
    nearest, the first one first. Those that take longer than `LONGEST` are left out."""
    cursor = await connection.execute(
        SQL(
            """
            SELECT {} FROM events e
            WHERE cancelled_at IS NULL AND event_datetime > %(now)s - {longest}
              AND event_datetime < %(now)s + {day}
              AND (event_datetime > %(now)s - {day} OR ends_at > %(now)s)
            ORDER BY abs(extract(epoch FROM event_datetime - %(now)s)), id LIMIT %(most)s
            """
        ).format(EVENT_COLUMNS, longest=LONGEST, day=SQL("interval '24 hours'")),
        {"now": now, "most": 4 * limit},
    )
    near = [row_of(row) for row in await cursor.fetchall()]
    today = [event for event in near if _is_of_today(event, now)][:limit]
    return sorted(today, key=lambda event: (event.event_datetime, event.id))


def _is_of_today(event: EventRow, now: datetime) -> bool:
    begins, _ = in_timezone(event.event_datetime, event.timezone)
    there, _ = in_timezone(now, event.timezone)
    is_going_on = event.ends_at is not None and begins <= now < event.ends_at
    return is_going_on or begins.date() == there.date()


async def events_with_seats_to_mend(
    connection: AsyncConnection[Any], now: datetime, *, limit: int = 5
) -> list[EventRow]:
    """Of the next `EXAMINED` events those with more visitors than seats, and those whose seats are
    given by hand and have a free one that somebody waits for."""
    cursor = await connection.execute(
        SQL(
            """
            SELECT {} FROM (
                SELECT * FROM events WHERE event_datetime >= %(now)s
                ORDER BY event_datetime, id LIMIT %(examined)s
            ) AS e JOIN event_seats s ON s.event_id = e.id
            WHERE e.cancelled_at IS NULL AND (
                s.taken > e.capacity
                OR (s.waiting > 0 AND e.waiting_list = 'manual'
                    AND s.taken < coalesce(e.capacity, s.taken + 1))
            )
            ORDER BY event_datetime, id LIMIT %(limit)s
            """
        ).format(EVENT_COLUMNS),
        {"now": now, "examined": EXAMINED, "limit": limit},
    )
    return [row_of(row) for row in await cursor.fetchall()]


async def count_upcoming(connection: AsyncConnection[Any], now: datetime) -> int:
    """All of them, however many."""
    cursor = await connection.execute(
        SQL("SELECT count(*) FROM events WHERE {}").format(SQL(IS_UPCOMING)), {"now": now}
    )
    counted = await cursor.fetchone()
    return counted[0] if counted else 0


async def upcoming_changes(
    connection: AsyncConnection[Any], now: datetime, *, limit: int, offset: int
) -> list[tuple[UUID, datetime]]:
    """Their ids, each with the time when the event was changed last."""
    cursor = await connection.execute(
        SQL(
            """
            SELECT id, changed_at FROM events WHERE {}
            ORDER BY event_datetime, id LIMIT %(limit)s OFFSET %(offset)s
            """
        ).format(SQL(IS_UPCOMING)),
        {"now": now, "limit": limit, "offset": offset},
        binary=True,
    )
    return [(id, changed_at) for id, changed_at in await cursor.fetchall()]


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
