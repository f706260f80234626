"""The parts of history that may have items for a reader, in order."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.sql import SQL

from domain.events import Event
from domain.feed.blocks import BLOCK, FindBlocks
from domain.feed.sources import NO_ITEMS, SOURCES
from domain.feed.wanted import Wanted
from domain.history.keyed_rows import KEYED_ROW, KeyedRow, personal_topics

AT_ONCE = 2_000
"""Domain events that are read at once for a filtered feed."""


class Stretch(NamedTuple):
    rows: Sequence[KeyedRow]
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
    *,
    with_keys: bool,
) -> AsyncGenerator[Stretch, None]:
    """Up to the end, without the `ignored` topics. Each has at most `limit` rows if everything is
    wanted. `with_keys`: with the keys of personal data."""
    query = {
        "ignored": list(ignored),
        "personal": personal_topics() if with_keys else [],
        **_may_concern(wanted.of_events),
    }
    if find_blocks is not None and not wanted.is_all:
        while (found := await find_blocks(connection, wanted.subjects, after=after)).up_to > after:
            rows = await _rows(connection, found.ranges(after), BLOCK, query)
            after = found.up_to
            yield Stretch(rows, after)
    while after < end:
        if wanted.is_all:
            rows = await _rows(connection, [(after, end)], limit, query)
            after = end if len(rows) < limit else position_of(rows[-1])
        else:
            until = await _position_after(connection, after, AT_ONCE) or end
            rows = await _rows(connection, [(after, until)], AT_ONCE, query)
            after = until
        yield Stretch(rows, after)


async def _rows(
    connection: AsyncConnection[Any],
    ranges: Sequence[tuple[int, int]],
    limit: int,
    query: Mapping[str, object],
) -> list[KeyedRow]:
    """In order; at most `limit` of each range, which is after one position, up to another."""
    cursor = await connection.execute(
        SQL(
            """
            SELECT row.*
            FROM unnest(%(afters)b::bigint[], %(untils)b::bigint[]) AS range (after, until)
            CROSS JOIN LATERAL (
                SELECT {} FROM history_events e
                WHERE notification_id > after AND notification_id <= until
                  AND topic <> ALL(%(ignored)b) AND strpos(topic, ':') = 0
                  AND (state LIKE ANY(%(texts)b::bytea[]) OR topic <> ALL(%(name_the_event)b)
                       OR originator_id = ANY(%(event_ids)b::uuid[]))
                ORDER BY notification_id
                LIMIT %(limit)b
            ) AS row
            ORDER BY notification_id
            """
        ).format(KEYED_ROW),
        {
            **query,
            "afters": [after for after, _ in ranges],
            "untils": [until for _, until in ranges],
            "limit": limit,
        },
        binary=True,
    )
    return await cursor.fetchall()


position_of: Callable[[KeyedRow], int] = itemgetter(4)
"""Of a row."""


_NAME_THE_EVENT = [
    kind.topic
    for kind in (*SOURCES, *NO_ITEMS)
    if kind.aggregate_class is Event or "event_id" in kind.__struct_fields__
]
"""Topics whose domain events have the id of the event: in the stream's id, or as text in the
state."""

MAX_TEXTS = 10
"""Ids that are searched for in a state, at most; decoding it is as fast as more of them."""


def _may_concern(of_events: Collection[UUID] | None) -> dict[str, object]:
    """The query's parameters for the rows that must be decoded to know if they are about one of
    these events."""
    everything = of_events is None or len(of_events) > MAX_TEXTS
    ids = [] if everything else list(of_events or ())
    return {
        "texts": [b"%"] if everything else [b"%%%b%%" % str(id).encode() for id in ids],
        "name_the_event": _NAME_THE_EVENT,
        "event_ids": ids,
    }


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
