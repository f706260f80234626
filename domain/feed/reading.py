"""Reads pages of the feed from history.

Appends commit in the order of positions (`domain.history.store.LOCK_HISTORY`), so nothing can
appear later before a position that was read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, cast
from uuid import UUID

import msgspec
from msgspec import UNSET
from psycopg import AsyncConnection

from domain.audit.entry import DECODE_ERRORS, open_readable
from domain.core.aggregate import RecordedEvent
from domain.core.errors import ProblemError, TryAgain
from domain.events import Event
from domain.feed.event_data import EventChangedData, EventCreatedData
from domain.feed.item import FeedItem, ItemData
from domain.feed.lookups import area_names, event_ids
from domain.feed.sources import SOURCES, ignored_topics
from domain.history.codec import decode
from domain.privacy.keys import InstallationKeys
from domain.visitors import Visitor

READ_AHEAD = 2_000
"""Domain events in one read of a filtered feed."""

LARGE_GAP = 1_000_000
"""Positions that no refused append leaves out: only a restored backup does."""


class NotInHistory(ProblemError):
    """History does not have this position. Was a backup restored? What was read after the
    `position` of this problem did not happen here"""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.members = {"position": position}


class FeedStopped(TryAgain):
    """This process cannot read the next event of history: did a newer release write it?"""

    slug = "feed-stopped"

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.members = {"position": position}


class FeedPage(msgspec.Struct, frozen=True):
    items: list[FeedItem]
    position: int
    """Where the next page continues: the last position that was looked at."""


async def read_feed(
    connection: AsyncConnection[Any],
    keys: InstallationKeys,
    *,
    after: int,
    limit: int,
    personal: bool = False,
    types: Collection[str] = (),
    of_events: Collection[UUID] | None = None,
) -> FeedPage:
    """The next items after the position: of these types (all if empty), about these events (all if
    None). Without `personal`, names and emails are None.

    The page ends before an event that this release cannot read. Raises `FeedStopped` if that is the
    next one, `NotInHistory`.
    """
    end = await _end(connection, after)
    ignored, position, items = ignored_topics(types), after, list[FeedItem]()
    while position < end and len(items) < limit:
        wanted = limit - len(items) if of_events is None else READ_AHEAD
        rows = await _read(connection, position, end, ignored, wanted)
        readable = list(_readable(rows))
        for item in await _items(connection, keys, readable, personal):
            if of_events is None or item.event_id in of_events:
                items.append(item)
                if len(items) == limit:
                    return FeedPage(items, item.position)
        if len(readable) < len(rows):
            position = rows[len(readable)][-1] - 1
            if position <= after:
                raise FeedStopped(position + 1)
            return FeedPage(items, position)
        position = end if len(rows) < wanted else rows[-1][-1]
    return FeedPage(items, position)


async def _end(connection: AsyncConnection[Any], after: int) -> int:
    """The last position of history. Raises `NotInHistory` for a position beyond it, or in the gap
    that a restored backup leaves (`domain.history.store.skip_positions`)."""
    cursor = await connection.execute(
        """
        SELECT coalesce((SELECT max(notification_id) FROM history_events), 0),
               coalesce((SELECT max(notification_id) FROM history_events
                         WHERE notification_id <= %(after)b), 0),
               (SELECT min(notification_id) FROM history_events WHERE notification_id > %(after)b)
        """,
        {"after": after},
        binary=True,
    )
    row = cast("tuple[int, int, int | None]", await cursor.fetchone())
    end, before, following = row
    if after > before and (following is None or following - before > LARGE_GAP):
        raise NotInHistory(before)
    return end


_Row = tuple[UUID, int, str, bytes, int]
"""The arguments of `domain.history.codec.decode`; the last one is the position."""


async def _read(
    connection: AsyncConnection[Any], after: int, end: int, ignored: Sequence[str], limit: int
) -> list[_Row]:
    """Domain events up to the end, without those of ignored topics and other applications. Unknown
    topics are included."""
    cursor = await connection.execute(
        """
        SELECT originator_id, originator_version, topic, state, notification_id
        FROM history_events
        WHERE notification_id > %b AND notification_id <= %b
          AND topic <> ALL(%b) AND strpos(topic, ':') = 0
        ORDER BY notification_id
        LIMIT %b
        """,
        [after, end, list(ignored), limit],
        binary=True,
    )
    return await cursor.fetchall()


def _readable(rows: Sequence[_Row]) -> Iterator[RecordedEvent]:
    """The domain events up to the first one that cannot be read."""
    for row in rows:
        try:
            yield decode(*row)
        except DECODE_ERRORS:
            return


async def _items(
    connection: AsyncConnection[Any],
    keys: InstallationKeys,
    recorded: list[RecordedEvent],
    personal: bool,
) -> list[FeedItem]:
    if personal:
        recorded = await open_readable(connection, recorded, keys)
    names = await area_names(connection, recorded)
    visitors = {e.position: id for e in recorded if (id := _visitor_id(e))}
    events = {e.position: id for e in recorded if (id := _event_id(e))}
    lacking = {position: id for position, id in visitors.items() if position not in events}
    found = await event_ids(connection, set(lacking.values()))
    events |= {position: found[id] for position, id in lacking.items() if id in found}
    return [
        FeedItem(
            position=e.position,
            type=data.type,
            version=data.version,
            occurred_at=e.metadata.timestamp,
            event_id=events.get(e.position),
            visitor_id=visitors.get(e.position),
            data=_located(data, names.get(e.position)),
        )
        for e in recorded
        if (data := SOURCES[type(e.event)].of(e.event)) is not None
    ]


def _event_id(recorded: RecordedEvent) -> UUID | None:
    if recorded.event.aggregate_class is Event:
        return recorded.originator_id
    id: UUID | None = getattr(recorded.event, "event_id", None)
    return id


def _visitor_id(recorded: RecordedEvent) -> UUID | None:
    if recorded.event.aggregate_class is Visitor:
        return recorded.originator_id
    id: UUID | None = getattr(recorded.event, "visitor_id", None)
    return id


def _located(data: ItemData, area_name: str | None) -> ItemData:
    """The data with the name of the area that it names by id."""
    if isinstance(data, EventCreatedData | EventChangedData) and data.area_id is not UNSET:
        return msgspec.structs.replace(data, area_name=area_name)
    return data
