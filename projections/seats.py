"""How many seats of an event are taken and free, and how many visitors wait.

The counters are written with each append (`event_seats`), so they are exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

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


async def read_seats(connection: AsyncConnection[Any], event: EventRow) -> Seats:
    return (await seats_of(connection, [event]))[event.id]


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
