"""The parts of history that may have items for a reader, in order."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection

from domain.events import Event
from domain.feed.blocks import BLOCK, FindBlocks
from domain.feed.sources import NO_ITEMS, SOURCES
from domain.feed.wanted import Wanted

AT_ONCE = 2_000
"""Domain events that are read at once for a filtered feed."""

Row = tuple[UUID, int, str, bytes, int]
"""A stored domain event: the arguments of `domain.history.codec.decode`. The last one is the
position."""


class Stretch(NamedTuple):
    rows: Sequence[Row]
    """Without those of ignored topics and of other applications. Unknown topics are there."""
    reached: int
    """The position up to which history was looked at."""


async def stretches(
    connection: AsyncConnection[Any],
    after: int,
    end: int,
    wanted: Wanted,
    limit: int,
    find_blocks: FindBlocks | None,
    ignored: Sequence[str],
) -> AsyncGenerator[Stretch, None]:
    """Up to the end, without the `ignored` topics. Each has at most `limit` rows if everything is
    wanted."""
    may_concern = _may_concern(wanted.of_events)
    if find_blocks is not None and not wanted.is_all:
        while (found := await find_blocks(connection, wanted.subjects, after=after)).up_to > after:
            rows = await _rows(connection, found.ranges(after), ignored, BLOCK)
            after = found.up_to
            yield Stretch([row for row in rows if may_concern(row)], after)
    while after < end:
        if wanted.is_all:
            rows = await _rows(connection, [(after, end)], ignored, limit)
            after = end if len(rows) < limit else rows[-1][-1]
        else:
            until = await _position_after(connection, after, AT_ONCE) or end
            found_rows = await _rows(connection, [(after, until)], ignored, AT_ONCE)
            rows = [row for row in found_rows if may_concern(row)]
            after = until
        yield Stretch(rows, after)


async def _rows(
    connection: AsyncConnection[Any],
    ranges: Sequence[tuple[int, int]],
    ignored: Sequence[str],
    limit: int,
) -> list[Row]:
    """In order; at most `limit` of each range, which is after one position, up to another."""
    cursor = await connection.execute(
        """
        SELECT e.*
        FROM unnest(%b::bigint[], %b::bigint[]) AS range (after, until) CROSS JOIN LATERAL (
            SELECT originator_id, originator_version, topic, state, notification_id
            FROM history_events
            WHERE notification_id > after AND notification_id <= until
              AND topic <> ALL(%b) AND strpos(topic, ':') = 0
            ORDER BY notification_id
            LIMIT %b
        ) AS e
        """,
        [[after for after, _ in ranges], [until for _, until in ranges], list(ignored), limit],
        binary=True,
    )
    return sorted(await cursor.fetchall(), key=lambda row: row[-1])


_NAME_THE_EVENT = {
    kind.topic
    for kind in (*SOURCES, *NO_ITEMS)
    if kind.aggregate_class is Event or "event_id" in kind.__struct_fields__
}
"""Topics whose domain events have the id of the event: in the stream's id, or as text in the
state."""

MAX_TEXTS = 10
"""Ids that are searched for in a state, at most; decoding it is as fast as more of them."""


def _may_concern(of_events: Collection[UUID] | None) -> Callable[[Row], bool]:
    """Whether the row must be decoded to know if it is about one of these events."""
    if of_events is None or len(of_events) > MAX_TEXTS:
        return lambda _: True
    texts = [str(id).encode() for id in of_events]

    def may_concern(row: Row) -> bool:
        id, _, topic, state, _ = row
        return (
            topic not in _NAME_THE_EVENT or id in of_events or any(text in state for text in texts)
        )

    return may_concern


async def _position_after(connection: AsyncConnection[Any], after: int, count: int) -> int | None:
    """The position of the `count`th domain event after this one; None if history ends before."""
    cursor = await connection.execute(
        """
        SELECT notification_id FROM history_events WHERE notification_id > %b
        ORDER BY notification_id LIMIT 1 OFFSET %b
        """,
        [after, count - 1],
        binary=True,
    )
    row = await cursor.fetchone()
    return row and row[0]
