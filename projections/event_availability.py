"""The column `availability` of `events`: whether a newcomer gets a seat, or may wait for one.

It follows from the counters of seats (`event_seats`), which are always at least as new as the
domain events that the projector applies. So each batch compares the events whose seats it changes,
and a row is written only when its availability flips.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from domain.core.aggregate import RecordedEvent
from domain.details import Details, availability_of
from domain.events import Event
from domain.visitors import Cancelled, Erased, Lapsed, Promoted, Registered, Waitlisted
from projections.projector.projection import EventClass

CHANGES_SEATS: frozenset[EventClass] = frozenset(
    {Registered, Waitlisted, Promoted, Lapsed, Cancelled, Erased}
)


async def update_availability(
    connection: AsyncConnection[Any], domain_events: Sequence[RecordedEvent]
) -> bool:
    """Updates the events that these domain events are about; True if any availability changed."""
    ids, erased = set[UUID](), set[UUID]()
    for recorded in domain_events:
        if isinstance(recorded.event, Erased):
            erased.add(recorded.originator_id)
        elif recorded.event.aggregate_class is Event:
            ids.add(recorded.originator_id)
        else:
            ids.add(recorded.event.event_id)  # type: ignore[attr-defined]  # one of CHANGES_SEATS
    if erased:
        ids |= await _events_of(connection, erased)
    return await _update(connection, ids)


async def update_all(connection: AsyncConnection[Any]) -> None:
    """For a table that was filled without the events of `CHANGES_SEATS`."""
    cursor = await connection.execute(
        """
        SELECT id FROM events WHERE capacity IS NOT NULL
        UNION SELECT event_id FROM event_seats WHERE waiting > 0
        """
    )
    await _update(connection, [id for (id,) in await cursor.fetchall()])


async def _update(connection: AsyncConnection[Any], ids: Collection[UUID]) -> bool:
    cursor = await connection.execute(
        """
        SELECT e.id, e.availability, e.capacity, e.waiting_list,
               coalesce(s.taken, 0), coalesce(s.waiting, 0)
        FROM events e LEFT JOIN event_seats s ON s.event_id = e.id
        WHERE e.id = ANY(%b::uuid[])
          AND (e.capacity IS NOT NULL OR s.waiting > 0 OR e.availability <> 'open')
        """,
        [list(ids)],
        binary=True,
    )
    flipped = {
        id: now
        for id, was, capacity, waiting_list, taken, waiting in await cursor.fetchall()
        if was
        != (
            now := availability_of(
                Details(capacity=capacity, waiting_list=waiting_list), taken, waiting
            )
        )
    }
    if flipped:
        await connection.execute(
            """
            UPDATE events SET availability = flipped.now
            FROM unnest(%b::uuid[], %b::text[]) AS flipped (id, now)
            WHERE events.id = flipped.id
            """,
            [list(flipped), list(flipped.values())],
        )
    return bool(flipped)


async def _events_of(connection: AsyncConnection[Any], visitors: Collection[UUID]) -> set[UUID]:
    """From history: an erasure does not say of which event it is."""
    cursor = await connection.execute(
        """
        SELECT DISTINCT (convert_from(state, 'UTF8')::jsonb #>> '{data,event_id}')::uuid
        FROM history_events WHERE originator_id = ANY(%b::uuid[]) AND originator_version = 1
        """,
        [list(visitors)],
        binary=True,
    )
    return {event_id for (event_id,) in await cursor.fetchall()}
