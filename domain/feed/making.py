"""Makes items of stored domain events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace
from psycopg import AsyncConnection

from domain.core.aggregate import RecordedEvent
from domain.feed.item import FeedItem
from domain.feed.lookups import area_names, whom_they_concern
from domain.feed.sources import SOURCES


async def items_of(
    connection: AsyncConnection[Any], recorded: Sequence[RecordedEvent]
) -> list[FeedItem]:
    """The items of these domain events, all of `SOURCES`, without those that are none."""
    names = await area_names(connection, recorded)
    concerned = await whom_they_concern(connection, recorded)
    return [
        FeedItem(
            position=e.position,
            type=data.type,
            version=data.version,
            occurred_at=e.metadata.timestamp,
            event_id=whom.event_id,
            visitor_id=whom.visitor_id,
            data=replace(data, area_name=names[e.position]) if e.position in names else data,
        )
        for e, whom in zip(recorded, concerned, strict=True)
        if (data := SOURCES[type(e.event)].of(e.event)) is not None
    ]
