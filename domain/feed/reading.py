"""Reads pages of the feed from history.

Appends commit in the order of positions (`domain.history.store.LOCK_HISTORY`), so nothing can
appear later before a position that was read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import aclosing
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.audit.entry import DECODE_ERRORS, open_readable
from domain.core.aggregate import RecordedEvent
from domain.core.errors import TryAgain
from domain.feed.blocks import FindBlocks
from domain.feed.item import FeedItem
from domain.feed.making import items_of
from domain.feed.positions import end_of_history
from domain.feed.sources import ignored_topics
from domain.feed.stretches import position_of, stretches
from domain.feed.wanted import Wanted
from domain.history.codec import decode
from domain.history.keyed_rows import KeyedRow
from domain.privacy.encryption import CannotOpen
from domain.privacy.keys import InstallationKeys

MAX_STRETCHES = 50
"""Parts of history that are searched for one page of a filtered feed. After them the page ends,
perhaps without items, and the reader goes on after its position."""


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
    more: bool
    """Whether there may be another page now."""


async def read_feed(
    connection: AsyncConnection[Any],
    keys: InstallationKeys,
    *,
    after: int,
    limit: int,
    personal: bool = False,
    types: Collection[str] = (),
    of_events: Collection[UUID] | None = None,
    find_blocks: FindBlocks | None = None,
) -> FeedPage:
    """The next items after the position: of these types (all if empty), about these events (all if
    None). Without `personal`, names and emails are None. `find_blocks` makes filters fast.

    The page ends before an event that this release cannot read. Raises `FeedStopped` if that is the
    next one, `NotInHistory`.
    """
    end = await end_of_history(connection, after)
    wanted = Wanted(frozenset(types), None if of_events is None else frozenset(of_events))
    position, items, searched = after, list[FeedItem](), 0
    ignored = ignored_topics(types)
    parts = stretches(
        connection, after, end, wanted, limit, find_blocks, ignored, with_keys=personal
    )
    async with aclosing(parts):
        async for rows, reached in parts:
            recorded = await _recorded(connection, keys, rows, personal=personal)
            items += filter(wanted.includes, await items_of(connection, recorded))
            if len(items) >= limit:
                return FeedPage(items[:limit], items[limit - 1].position, more=True)
            if len(recorded) < len(rows):
                position = recorded[-1].position if recorded else position
                if position == after:
                    raise FeedStopped(position_of(rows[0]))
                break
            position, searched = reached, searched + 1
            if searched == MAX_STRETCHES:
                break
    return FeedPage(items, position, more=position < end)


async def _recorded(
    connection: AsyncConnection[Any],
    keys: InstallationKeys,
    rows: Sequence[KeyedRow],
    *,
    personal: bool,
) -> list[RecordedEvent]:
    """The domain events up to the first one that cannot be read."""
    try:
        return [decode(*row, keys) for row in rows]
    except (*DECODE_ERRORS, CannotOpen):
        readable = list(_readable(rows))
        return await open_readable(connection, readable, keys) if personal else readable


def _readable(rows: Sequence[KeyedRow]) -> Iterator[RecordedEvent]:
    for row in rows:
        try:
            yield decode(*row[:5])
        except DECODE_ERRORS:
            return
