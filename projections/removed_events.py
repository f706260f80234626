"""What was removed: no read table has a row of it, history has."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, cast
from uuid import UUID

from psycopg import AsyncConnection

from domain import areas
from domain.core.aggregate import RecordedEvent
from domain.events import CleanedUp, Created, Deleted, Event, Renamed
from domain.history.codec import decode


async def names_of_removed(
    connection: AsyncConnection[Any], ids: Collection[UUID]
) -> Mapping[UUID, str]:
    """The last name of each event and area."""
    if not ids:
        return {}
    cursor = await connection.execute(
        """
        SELECT DISTINCT ON (originator_id) originator_id, originator_version, topic, state
        FROM history_events WHERE originator_id = ANY(%b::uuid[]) AND topic = ANY(%b)
        ORDER BY originator_id, originator_version DESC
        """,
        [list(ids), [kind.topic for kind in _NAMING]],
        binary=True,
    )
    return {
        row[0]: cast("Created | Renamed", decode(*row).event).name
        for row in await cursor.fetchall()
    }


_NAMING = (Created, Renamed, areas.Created, areas.Renamed)
"""The domain events with a name."""


async def removed_before(
    connection: AsyncConnection[Any], versions: Mapping[UUID, int]
) -> Mapping[UUID, Event]:
    """Each event as it was before this version of it."""
    if not versions:
        return {}
    cursor = await connection.execute(
        """
        SELECT originator_id, originator_version, topic, state
        FROM history_events
        JOIN unnest(%b::uuid[], %b::bigint[]) AS removed (id, version)
            ON originator_id = id AND originator_version < version
        ORDER BY originator_id, originator_version
        """,
        [list(versions), list(versions.values())],
        binary=True,
    )
    events = {id: Event(id=id) for id in versions}
    for row in await cursor.fetchall():
        events[row[0]] = decode(*row).event.apply(events[row[0]])
    return events


async def last_removal(connection: AsyncConnection[Any], id: UUID) -> RecordedEvent | None:
    """None for an event that was never removed."""
    cursor = await connection.execute(
        """
        SELECT originator_id, originator_version, topic, state, notification_id
        FROM history_events WHERE originator_id = %b AND topic = ANY(%b)
        ORDER BY originator_version DESC LIMIT 1
        """,
        [id, [Deleted.topic, CleanedUp.topic]],
        binary=True,
    )
    row = await cursor.fetchone()
    return decode(*row) if row else None


async def was_removed(connection: AsyncConnection[Any], id: UUID) -> bool:
    cursor = await connection.execute(
        "SELECT 1 FROM history_events WHERE originator_id = %b AND topic = ANY(%b)",
        [id, [Deleted.topic, CleanedUp.topic]],
        binary=True,
    )
    return await cursor.fetchone() is not None
