"""What an item says that its domain event does not: read in earlier events of history."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple, cast
from uuid import UUID

from msgspec import UNSET
from psycopg import AsyncConnection

from domain import areas
from domain.core.aggregate import RecordedEvent
from domain.events import Created, Event
from domain.history.codec import decode
from domain.visitors import Registered, Visitor, Waitlisted


class Concerned(NamedTuple):
    event_id: UUID | None
    visitor_id: UUID | None


async def is_event(connection: AsyncConnection[Any], id: UUID) -> bool:
    """Whether this is the id of an event, removed or not."""
    cursor = await connection.execute(
        "SELECT FROM history_events WHERE originator_id = %b AND topic = %b LIMIT 1",
        [id, Created.topic],
    )
    return await cursor.fetchone() is not None


async def whom_they_concern(
    connection: AsyncConnection[Any], recorded: Sequence[RecordedEvent]
) -> list[Concerned]:
    """For each domain event. The event of a visitor is looked up where the domain event does not
    name it."""
    named = [_named(e) for e in recorded]
    lacking = {visitor for event, visitor in named if visitor and not event}
    if not lacking:
        return named
    found = await _events_of(connection, lacking)
    return [
        Concerned(event or (visitor and found.get(visitor)), visitor) for event, visitor in named
    ]


def _named(recorded: RecordedEvent) -> Concerned:
    event, id = recorded.event, recorded.originator_id
    return Concerned(
        id if event.aggregate_class is Event else getattr(event, "event_id", None),
        id if event.aggregate_class is Visitor else getattr(event, "visitor_id", None),
    )


async def _events_of(
    connection: AsyncConnection[Any], visitor_ids: Collection[UUID]
) -> Mapping[UUID, UUID]:
    """The first domain event of a visitor names the event."""
    cursor = await connection.execute(
        """
        SELECT originator_id, originator_version, topic, state FROM history_events
        WHERE originator_id = ANY(%b::uuid[]) AND originator_version = 1
        """,
        [list(visitor_ids)],
        binary=True,
    )
    first = [decode(*row) for row in await cursor.fetchall()]
    return {e.originator_id: cast("Registered | Waitlisted", e.event).event_id for e in first}


async def area_names(
    connection: AsyncConnection[Any], recorded: Sequence[RecordedEvent]
) -> Mapping[int, str | None]:
    """The names of the areas that these domain events name by id, as they were then; by the
    position of the domain event. None where one says that there is no area."""
    area_ids = {
        e.position: area_id
        for e in recorded
        if (area_id := getattr(e.event, "area_id", UNSET)) is not UNSET
    }
    wanted = {position: area_id for position, area_id in area_ids.items() if area_id}
    if not wanted:
        return dict.fromkeys(area_ids)
    cursor = await connection.execute(
        """
        SELECT wanted.position, named.*
        FROM unnest(%b::bigint[], %b::uuid[]) AS wanted (position, area_id) CROSS JOIN LATERAL (
            SELECT originator_id, originator_version, topic, state FROM history_events
            WHERE originator_id = wanted.area_id AND topic = ANY(%b)
              AND notification_id < wanted.position
            ORDER BY originator_version DESC LIMIT 1
        ) AS named
        """,
        [list(wanted), list(wanted.values()), [areas.Created.topic, areas.Renamed.topic]],
        binary=True,
    )
    return dict.fromkeys(area_ids) | {
        position: cast("areas.Created | areas.Renamed", decode(*row).event).name
        for position, *row in await cursor.fetchall()
    }
