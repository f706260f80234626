"""Makes items of stored domain events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET
from psycopg import AsyncConnection

from domain.audit.entry import open_readable
from domain.core.aggregate import RecordedEvent
from domain.feed.event_data import EventChangedData, EventCreatedData
from domain.feed.item import FeedItem, ItemData
from domain.feed.lookups import area_names, whom_they_concern
from domain.feed.sources import SOURCES
from domain.privacy.keys import InstallationKeys


async def items_of(
    connection: AsyncConnection[Any],
    keys: InstallationKeys,
    recorded: Sequence[RecordedEvent],
    *,
    personal: bool,
) -> list[FeedItem]:
    """The items of these domain events, all of `SOURCES`, without those that are none."""
    if personal:
        recorded = await open_readable(connection, list(recorded), keys)
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
            data=_located(data, names.get(e.position)),
        )
        for e, whom in zip(recorded, concerned, strict=True)
        if (data := SOURCES[type(e.event)].of(e.event)) is not None
    ]


def _located(data: ItemData, area_name: str | None) -> ItemData:
    """The data with the name of the area that it names by id."""
    if isinstance(data, EventCreatedData | EventChangedData) and data.area_id is not UNSET:
        return msgspec.structs.replace(data, area_name=area_name)
    return data
