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
        SELECT visitor_id, place FROM (
            SELECT visitor_id, row_number() OVER (PARTITION BY event_id ORDER BY position) AS place
            FROM event_queue WHERE event_id IN (
                SELECT event_id FROM event_queue WHERE visitor_id = ANY(%(visitors)b::uuid[])
            )
        ) AS line
        WHERE visitor_id = ANY(%(visitors)b::uuid[])
        """,
        {"visitors": list(visitors)},
        binary=True,
    )
    return dict(await cursor.fetchall())
