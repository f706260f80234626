"""Erased people in the outbox: their messages are marked, and given up if they still wait."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, LiteralString

from psycopg import AsyncConnection

from domain.notifications import ERASED
from domain.visitors import Visitor
from projections.recipient_keys import KEY_OF_VISITOR
from projections.recipients import KEYS, Change

_THEIRS: LiteralString = f"""
visitor_id = ANY(%(visitors)b::uuid[])
AND recipient_key IN ({KEYS} WHERE visitor_id = ANY(%(visitors)b::uuid[]))
AND position <= coalesce(%(upto)b, position)
"""


async def erase_recipients(
    connection: AsyncConnection[Any],
    visitors: Sequence[Visitor],
    at: datetime,
    upto: int | None = None,
) -> None:
    """Mark the recipients as erased at once. The projector applies their erasure again when it
    reaches the event, and removes the keys of their addresses. `upto`: the position of the erasure,
    if there may be later messages, to the same person in another episode.

    Rows that the erasure abandons become failed. A worker that leases one may be sending it at this
    moment: its lease is kept until it is done (`any_leased`). Workers fail the other waiting rows
    when these are due.
    """
    await connection.execute(
        f"""
        UPDATE outbox
        SET erased = true,
            state = CASE WHEN abandons THEN 'failed' ELSE state END,
            last_error = CASE WHEN abandons THEN %(erased)b ELSE last_error END,
            due_at = CASE WHEN abandons THEN %(at)b ELSE due_at END,
            concluded_at = CASE WHEN abandons THEN %(at)b ELSE concluded_at END
        FROM (
            SELECT id, state = 'waiting' AND id = ANY(%(abandoned)b::uuid[]) AS abandons FROM outbox
            WHERE id = ANY(ARRAY(SELECT id FROM outbox WHERE {_THEIRS})) ORDER BY id FOR UPDATE
        ) AS theirs
        WHERE outbox.id = theirs.id AND (NOT erased OR abandons)
        """,  # noqa: S608
        {
            "erased": ERASED,
            "at": at,
            "abandoned": [id for visitor in visitors for id in visitor.abandoned_by_erasure],
            "visitors": [visitor.id for visitor in visitors],
            "upto": upto,
        },
    )


async def any_leased(
    connection: AsyncConnection[Any], visitors: Sequence[Visitor], upto: int
) -> bool:
    """True if a worker leases a row of these visitors, caused at or before the position."""
    cursor = await connection.execute(
        f"SELECT EXISTS (SELECT FROM outbox WHERE {_THEIRS} AND lease_token IS NOT NULL)",  # noqa: S608
        {"visitors": [visitor.id for visitor in visitors], "upto": upto},
    )
    return await cursor.fetchone() == (True,)


async def mark_erased(connection: AsyncConnection[Any], changes: Sequence[Change]) -> int:
    """Mark the earlier rows of those who are erased, and remove the keys of their addresses;
    returns how many changed. The notifications' own events give their outcomes."""
    erasures = [change for change in changes if change.now.address is None]
    if not erasures:
        return 0
    cursor = await connection.execute(
        f"""
        UPDATE outbox SET erased = true, recipient_key = {KEY_OF_VISITOR}
        FROM (
            SELECT id FROM outbox WHERE id = ANY(ARRAY(
                SELECT id FROM outbox JOIN unnest(%b::uuid[], %b::bigint[], %b::bigint[])
                     AS erasure (visitor_id, former_key, position)
                ON outbox.recipient_key = erasure.former_key
                AND outbox.visitor_id = erasure.visitor_id AND outbox.position < erasure.position
            )) ORDER BY id FOR UPDATE
        ) AS theirs
        WHERE outbox.id = theirs.id AND NOT (erased AND recipient_key = {KEY_OF_VISITOR})
        """,  # noqa: S608
        [
            [erasure.now.visitor.id for erasure in erasures],
            [erasure.was.key for erasure in erasures],
            [erasure.recorded.position for erasure in erasures],
        ],
    )
    return cursor.rowcount
