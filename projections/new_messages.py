"""Adds messages to the outbox, but for one address few at a time.

Anybody can give the address of a stranger in an open form, at as many events as there are. Of the
kinds of messages that this causes, an address gets at most `MOST_IN_PERIOD` in a `PERIOD`; further
ones are held. Until when follows from the times in history, so a rebuild holds the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, LiteralString

import msgspec
from psycopg import AsyncConnection

from projections.messages import message_of
from projections.projector.projection import rounds
from projections.recipients import Change

MOST_IN_PERIOD = 5
PERIOD = timedelta(hours=1)

LIMITED: LiteralString = "('registered', 'waiting', 'confirm')"
"""The kinds of messages that count, and may be held. The others follow from what organizers do, or
come once to who has a seat."""

COLUMNS = (
    ("id", "uuid"),
    ("visitor_id", "uuid"),
    ("event_id", "uuid"),
    ("episode", "int4"),
    ("kind", "text"),
    ("facts", "text"),
    ("recipient_key", "int8"),
    ("erased", "bool"),
    ("position", "int8"),
    ("person_position", "int8"),
    ("correlation_id", "text"),
    ("created_at", "timestamptz"),
)

_KEY = [name for name, _ in COLUMNS].index("recipient_key")

Row = tuple[Any, ...]


def row_of(change: Change) -> Row | None:
    """The values of `COLUMNS`; None when the change causes no message."""
    message = message_of(change)
    if message is None:
        return None
    recorded, recipient = change.recorded, change.now
    visitor, metadata = recipient.visitor, recorded.metadata
    return (
        message.id,
        visitor.id,
        visitor.event_id,
        visitor.episode,
        message.kind,
        msgspec.json.encode(message.facts).decode(),
        recipient.key,
        recipient.address is None,
        recorded.position,
        recipient.person_position,
        metadata.correlation_id,
        metadata.timestamp,
    )


async def add(connection: AsyncConnection[Any], changes: Sequence[Change]) -> int:
    """Add the messages that these changes cause; returns their number."""
    new = [row for change in changes if (row := row_of(change)) is not None]
    for rows in rounds(new, lambda row: row[_KEY]):
        await _insert(connection, rows)
    return len(new)


async def _insert(connection: AsyncConnection[Any], rows: Sequence[Row]) -> None:
    """Insert rows with different keys."""
    await connection.execute(
        f"""
        INSERT INTO outbox (id, visitor_id, event_id, episode, kind, facts, recipient_key, erased,
                            position, person_position, correlation_id, created_at, held_until,
                            due_at)
        SELECT new.*, held.until, coalesce(held.until, created_at) FROM unnest(
            %b::uuid[], %b::uuid[], %b::uuid[], %b::int[], %b::text[], %b::text[], %b::bigint[],
            %b::bool[], %b::bigint[], %b::bigint[], %b::text[], %b::timestamptz[]
        ) AS new (id, visitor_id, event_id, episode, kind, facts, recipient_key, erased, position,
                  person_position, correlation_id, created_at)
        LEFT JOIN LATERAL (
            SELECT coalesce(held_until, created_at) + interval '{PERIOD}' AS until FROM outbox
            WHERE recipient_key = new.recipient_key AND position < new.position
              AND kind IN {LIMITED}
            ORDER BY position DESC OFFSET {MOST_IN_PERIOD - 1} LIMIT 1
        ) AS held ON new.kind IN {LIMITED} AND held.until > new.created_at
        """,  # noqa: S608
        [list(column) for column in zip(*rows, strict=True)],
    )


HOLD_ALL = f"""
WITH RECURSIVE frequent AS (
    SELECT recipient_key FROM outbox GROUP BY recipient_key HAVING count(*) > {MOST_IN_PERIOD}
), numbered AS (
    SELECT id, created_at, recipient_key,
           row_number() OVER (PARTITION BY recipient_key ORDER BY position) AS number
    FROM outbox JOIN frequent USING (recipient_key) WHERE kind IN {LIMITED}
), planned AS (
    SELECT *, created_at AS at FROM numbered WHERE number <= {MOST_IN_PERIOD}
    UNION ALL
    SELECT later.*, greatest(later.created_at, planned.at + interval '{PERIOD}')
    FROM planned JOIN numbered AS later
         ON later.recipient_key = planned.recipient_key
         AND later.number = planned.number + {MOST_IN_PERIOD}
)
UPDATE outbox
SET held_until = held.until,
    due_at = CASE WHEN state = 'waiting' AND due_at = coalesce(held_until, created_at)
                  THEN coalesce(held.until, created_at) ELSE due_at END
FROM (SELECT id, CASE WHEN at > created_at THEN at END AS until FROM planned) AS held
WHERE outbox.id = held.id AND outbox.held_until IS DISTINCT FROM held.until
"""  # noqa: S608
"""As if all messages had been added one after the other."""
