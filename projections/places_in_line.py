"""Places in the line of an event, from the domain's table `event_queue`: exact whenever they are
read, and stored nowhere, since each departure moves everybody behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection


async def places_in_line(
    connection: AsyncConnection[Any], visitors: Sequence[UUID]
) -> Mapping[UUID, int]:
    """The place of each waiting visitor among these, from 1."""
    if not visitors:
        return {}
    cursor = await connection.execute(
        """
        WITH asked AS (
            SELECT event_id, visitor_id, position FROM event_queue
            WHERE visitor_id = ANY(%(visitors)b::uuid[])
        ), stretch AS (
            SELECT event_id, min(position) AS first, max(position) AS last
            FROM asked GROUP BY event_id
        )
        SELECT visitor_id, before + place -- counted, not numbered: an index is enough
        FROM stretch, LATERAL (
            SELECT count(*) AS before FROM event_queue q
            WHERE q.event_id = stretch.event_id AND q.position < stretch.first
        ) AS ahead, LATERAL (
            SELECT q.visitor_id, row_number() OVER (ORDER BY q.position) AS place
            FROM event_queue q
            WHERE q.event_id = stretch.event_id
            AND q.position BETWEEN stretch.first AND stretch.last
        ) AS line
        WHERE visitor_id IN (SELECT visitor_id FROM asked)
        """,
        {"visitors": list(visitors)},
        binary=True,
    )
    return dict(await cursor.fetchall())
