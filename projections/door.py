"""The door's list: the visitors of an event in the order of their last changes, so that a scanner
that has read up to a position goes on after it.

The order is that of history, and the rows are those of `visitors`: each visitor is listed where the
row's version is. The position of that table is read before its rows, and no page goes beyond it: so
each row includes all changes up to the position that the reader goes on after, and a later change
is at a later position.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.feed.positions import end_of_history
from domain.feed.sources import NO_ITEMS, SOURCES
from domain.feed.stretches import stretches
from domain.feed.wanted import Wanted
from domain.privacy.keys import InstallationKeys
from domain.visitors import Visitor
from projections.feed_blocks import find_blocks
from projections.people import with_people
from projections.visitors import VISITORS, VisitorRow, rows_with_ids

MAX_STRETCHES = 50
"""Parts of history that are searched for one page; after them it ends, perhaps without rows."""

_IGNORED = [kind.topic for kind in (*SOURCES, *NO_ITEMS) if kind.aggregate_class is not Visitor]


class DoorPage(msgspec.Struct, frozen=True):
    rows: list[VisitorRow]
    position: int
    """What the next page is after."""
    more: bool
    """Whether there may be another page now."""


async def read_door(
    connection: AsyncConnection[Any],
    keys: InstallationKeys,
    event_id: UUID,
    *,
    after: int,
    limit: int,
    personal: bool,
) -> DoorPage:
    """The visitors of the event who changed after the position, at most `limit`. Without
    `personal`, they have no names. Raises `NotInHistory`."""
    end = min(await end_of_history(connection, after), await _position(connection))
    if end <= after:
        return DoorPage([], after, more=False)
    page, position, searched = list[VisitorRow](), after, 0
    wanted = Wanted(of_events=frozenset([event_id]))
    parts = stretches(connection, after, end, wanted, limit, find_blocks, _IGNORED, with_keys=False)
    async with aclosing(parts):
        async for rows, reached in parts:
            last = {id: (at, version) for id, version, _, _, at, _ in rows if at <= end}
            for at, row in await _at_their_last_change(connection, event_id, last):
                if len(page) == limit:
                    break
                page.append(row)
                position = at
            else:
                position, searched = min(reached, end), searched + 1
                if position < end and searched < MAX_STRETCHES:
                    continue
            break
    shown = await with_people(connection, keys, page) if personal else page
    return DoorPage(shown, position, more=position < end)


async def _at_their_last_change(
    connection: AsyncConnection[Any], event_id: UUID, changes: Mapping[UUID, tuple[int, int]]
) -> list[tuple[int, VisitorRow]]:
    """The visitors whose rows have the versions of these changes (position and version by id), in
    order. The others come again at a later position."""
    rows = await rows_with_ids(connection, changes, event_id)
    found = ((*changes[row.id], row) for row in rows)
    return sorted(
        ((at, row) for at, version, row in found if row.version == version),
        key=lambda change: change[0],
    )


async def count_entered(connection: AsyncConnection[Any], event_id: UUID) -> int:
    """How many visitors of the event are checked in."""
    cursor = await connection.execute(
        "SELECT count(*) FROM visitors WHERE event_id = %s AND checked_in_at IS NOT NULL",
        [event_id],
    )
    (count,) = await cursor.fetchone() or (0,)
    return int(count)


async def _position(connection: AsyncConnection[Any]) -> int:
    cursor = await connection.execute(
        "SELECT position FROM projections WHERE name = %s", [VISITORS.name]
    )
    row = await cursor.fetchone()
    return row[0] if row else 0
