"""How many seats of an event are taken and free, and how many visitors wait.

The counters are written with each append (`event_seats`), so they are exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self, cast
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.events import CapacityChanged, Created
from domain.history.codec import decode
from projections.events import EventRow


class Seats(msgspec.Struct, frozen=True, kw_only=True):
    capacity: int | None
    taken: int
    free: int | None
    """None without a capacity."""
    waiting: int
    over_by: int

    @classmethod
    def of(cls, capacity: int | None, taken: int, waiting: int) -> Self:
        return cls(
            capacity=capacity,
            taken=taken,
            free=None if capacity is None else max(0, capacity - taken),
            waiting=waiting,
            over_by=0 if capacity is None else max(0, taken - capacity),
        )


async def read_seats(connection: AsyncConnection[Any], event_id: UUID) -> Seats:
    """Exact: the capacity is that of history at the moment of the counters. The read table could
    still have the one before."""
    cursor = await connection.execute(
        """
        SELECT capacity.version, capacity.topic, capacity.state,
               coalesce(s.taken, 0), coalesce(s.waiting, 0)
        FROM (SELECT %(id)b::uuid AS id) AS event
        LEFT JOIN LATERAL (
            SELECT originator_version AS version, topic, state FROM history_events
            WHERE originator_id = event.id AND topic = ANY(%(topics)b)
            ORDER BY originator_version DESC LIMIT 1
        ) AS capacity ON true
        LEFT JOIN event_seats s ON s.event_id = event.id
        """,
        {"id": event_id, "topics": [Created.topic, CapacityChanged.topic]},
        binary=True,
    )
    version, topic, state, taken, waiting = cast("tuple[Any, ...]", await cursor.fetchone())
    last = decode(event_id, version, topic, state).event if version else None
    capacity = last.capacity if isinstance(last, CapacityChanged) else None
    return Seats.of(capacity, taken, waiting)


async def seats_of(
    connection: AsyncConnection[Any], events: Iterable[EventRow]
) -> Mapping[UUID, Seats]:
    """By the event's id."""
    capacities = {event.id: event.capacity for event in events}
    cursor = await connection.execute(
        "SELECT event_id, taken, waiting FROM event_seats WHERE event_id = ANY(%b::uuid[])",
        [list(capacities)],
        binary=True,
    )
    counters = {id: (taken, waiting) for id, taken, waiting in await cursor.fetchall()}
    return {
        id: Seats.of(capacity, *counters.get(id, (0, 0))) for id, capacity in capacities.items()
    }
