"""The `event_versions` table: what messages say of an event, as it was from a position of history
on. It belongs to the outbox (`projections.outbox`), and has a row for each change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from domain.core.aggregate import RecordedEvent
from domain.details import Details
from domain.events import Cancellation, Event

TABLE = """
CREATE TABLE IF NOT EXISTS event_versions (
    event_id       uuid NOT NULL,
    position       bigint NOT NULL,
    name           text NOT NULL,
    event_datetime timestamptz NOT NULL,
    timezone       text NOT NULL,
    cancelled_at   timestamptz,
    removed        boolean NOT NULL,
    PRIMARY KEY (event_id, position)
);
"""


async def apply(connection: AsyncConnection[Any], domain_events: Sequence[RecordedEvent]) -> None:
    """Takes domain events of events."""
    if not domain_events:
        return
    known = await _newest(connection, {e.originator_id for e in domain_events})
    new = list[tuple[object, ...]]()
    for recorded in domain_events:
        id = recorded.originator_id
        was = known.get(id) or Event(id=id)
        known[id] = event = recorded.event.apply(was)
        if _values(event) != _values(was):
            new.append((id, recorded.position, *_values(event)))
    if new:
        await connection.execute(
            """
            INSERT INTO event_versions SELECT * FROM unnest(
                %b::uuid[], %b::bigint[], %b::text[], %b::timestamptz[], %b::text[],
                %b::timestamptz[], %b::bool[]
            )
            """,
            [list(column) for column in zip(*new, strict=True)],
        )


async def _newest(connection: AsyncConnection[Any], ids: set[UUID]) -> dict[UUID, Event]:
    cursor = await connection.execute(
        """
        SELECT DISTINCT ON (event_id)
               event_id, name, event_datetime, timezone, cancelled_at, removed
        FROM event_versions WHERE event_id = ANY(%b)
        ORDER BY event_id, position DESC
        """,
        [list(ids)],
        binary=True,
    )
    return {
        id: Event(
            id=id,
            details=Details(name=name, event_datetime=begins, timezone=timezone),
            cancelled=Cancellation(at=cancelled_at) if cancelled_at else None,
            exists=not removed,
        )
        for id, name, begins, timezone, cancelled_at, removed in await cursor.fetchall()
    }


def _values(event: Event) -> tuple[object, ...]:
    """Those of a row, after its key."""
    details = event.details
    return (
        details.name,
        details.event_datetime,
        details.timezone,
        event.cancelled.at if event.cancelled else None,
        not event.exists,
    )
