"""The `feed_blocks` table: in which blocks of history an event, or a type of item, has items of the
feed. A filtered feed reads only these blocks.

It is an index only: items are always read from history, and what is beyond the position of this
projection is searched for in history directly. So nothing is missing or late when it lags behind.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from psycopg import AsyncConnection

from domain.core.aggregate import RecordedEvent
from domain.core.availability import TABLES_MISSING
from domain.feed.blocks import BLOCK, Found
from domain.feed.lookups import whom_they_concern
from domain.feed.sources import SOURCES
from domain.privacy.keys import InstallationKeys
from domain.tickets import TicketReissued
from projections.projector.projection import Projection

TABLE = """
CREATE TABLE IF NOT EXISTS feed_blocks (
    subject text COLLATE "C" NOT NULL, -- the id of an event, or a type of item
    block   bigint NOT NULL, -- a hundredth of the position
    PRIMARY KEY (subject, block)
);
"""

BLOCKS_AT_ONCE = 40


async def find_blocks(
    connection: AsyncConnection[Any], subjects: Collection[str], *, after: int
) -> Found:
    """The next `BLOCKS_AT_ONCE`, see `domain.feed.blocks.FindBlocks`."""
    try:
        cursor = await connection.execute(
            """
            SELECT position, ARRAY(
                SELECT DISTINCT block
                FROM unnest(%(subjects)b::text[]) AS wanted (subject) CROSS JOIN LATERAL (
                    SELECT block FROM feed_blocks
                    WHERE feed_blocks.subject = wanted.subject COLLATE "C" AND block >= %(first)b
                    ORDER BY block LIMIT %(limit)b
                ) AS next
                ORDER BY block LIMIT %(limit)b
            )
            FROM projections WHERE name = %(name)b AND schema_version = %(schema_version)b
            """,
            {
                "subjects": list(subjects),
                "first": (after + 1) // BLOCK,
                "limit": BLOCKS_AT_ONCE,
                "name": FEED_BLOCKS.name,
                "schema_version": FEED_BLOCKS.schema_version,
            },
            binary=True,
        )
        row = await cursor.fetchone()
    except TABLES_MISSING:  # until the table is rebuilt
        row = None
    if row is None:
        return Found([], 0)
    position, blocks = row
    is_full = len(blocks) == BLOCKS_AT_ONCE
    return Found(blocks, min(position, blocks[-1] * BLOCK + BLOCK - 1) if is_full else position)


async def apply(
    connection: AsyncConnection[Any],
    domain_events: Sequence[RecordedEvent],
    _keys: InstallationKeys,
) -> bool:
    concerned = await whom_they_concern(connection, domain_events)
    found = {
        (subject, e.position // BLOCK)
        for e, (event_id, _) in zip(domain_events, concerned, strict=True)
        for subject in (_type_of(e), event_id and str(event_id))
        if subject
    }
    cursor = await connection.execute(
        """
        INSERT INTO feed_blocks (subject, block) SELECT * FROM unnest(%b::text[], %b::bigint[])
        ON CONFLICT DO NOTHING
        """,
        [[subject for subject, _ in found], [block for _, block in found]],
        binary=True,
    )
    return cursor.rowcount > 0


def _type_of(recorded: RecordedEvent) -> str | None:
    data = SOURCES.get(type(recorded.event))
    return data.type if data else None


FEED_BLOCKS = Projection(
    name="feed_blocks",
    schema_version=1,
    table=TABLE,
    handles=frozenset({*SOURCES, TicketReissued}),  # the door's list has it
    apply=apply,
)
