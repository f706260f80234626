"""Names of events that were removed: the `events` table has no row of them, history has."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, cast
from uuid import UUID

from psycopg import AsyncConnection

from domain.events import Created, Renamed
from domain.history.codec import decode


async def names_of_removed(
    connection: AsyncConnection[Any], ids: Collection[UUID]
) -> Mapping[UUID, str]:
    """The last name of each."""
    if not ids:
        return {}
    cursor = await connection.execute(
        """
        SELECT DISTINCT ON (originator_id) originator_id, originator_version, topic, state
        FROM history_events WHERE originator_id = ANY(%b::uuid[]) AND topic = ANY(%b)
        ORDER BY originator_id, originator_version DESC
        """,
        [list(ids), [Created.topic, Renamed.topic]],
        binary=True,
    )
    return {
        row[0]: cast("Created | Renamed", decode(*row).event).name
        for row in await cursor.fetchall()
    }
