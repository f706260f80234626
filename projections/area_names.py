"""The `area_names` table: the names of areas, each from a position of history on. It belongs to the
outbox (`projections.outbox`): messages say where an event was when they were caused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

from domain.areas import Created, Renamed
from domain.core.aggregate import RecordedEvent
from projections.projector.projection import EventClass

TABLE = """
CREATE TABLE IF NOT EXISTS area_names (
    area_id  uuid NOT NULL,
    position bigint NOT NULL,
    name     text NOT NULL,
    PRIMARY KEY (area_id, position)
);
"""

NAMES_AREA: frozenset[EventClass] = frozenset({Created, Renamed})


async def apply(connection: AsyncConnection[Any], domain_events: Sequence[RecordedEvent]) -> None:
    named = [
        (recorded.originator_id, recorded.position, recorded.event.name)
        for recorded in domain_events
        if isinstance(recorded.event, Created | Renamed)
    ]
    if named:
        await connection.execute(
            "INSERT INTO area_names SELECT * FROM unnest(%b::uuid[], %b::bigint[], %b::text[])",
            [list(column) for column in zip(*named, strict=True)],
        )
