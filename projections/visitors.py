"""The `visitors` table: who registered for what. Rows stay when their event is removed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.aggregate import RecordedEvent
from domain.visitors import Registered
from projections.projection import Projection

PUNCTUATION = "-.,'\N{RIGHT SINGLE QUOTATION MARK}()"
"""What else than a space parts the words of a name."""

WORDS = f"""
array_to_tsvector(array_remove(string_to_array(
    translate(lower(full_name), '{PUNCTUATION.replace("'", "''")}', '{" " * len(PUNCTUATION)}')
    || ' ' || lower(email), ' '
), ''))
"""
"""What a visitor is found by: the words of the name, and the email as one. PostgreSQL's own parser
would take addresses apart in ways of its own."""

TABLE = f"""
CREATE TABLE IF NOT EXISTS visitors (
    id            uuid PRIMARY KEY,
    event_id      uuid NOT NULL,
    full_name     text,
    email         text,
    registered_at timestamptz NOT NULL,
    position      bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS visitors_by_time ON visitors (registered_at);
CREATE INDEX IF NOT EXISTS visitors_by_event ON visitors (event_id, registered_at);
-- A short list of pending entries costs little more than a long one, and never stops the projector
-- for as long. No samples as statistics, which would outlive an erasure.
CREATE INDEX IF NOT EXISTS visitors_words ON visitors USING gin (({WORDS}))
    WITH (gin_pending_list_limit = 256);
ALTER INDEX visitors_words ALTER COLUMN 1 SET STATISTICS 0;
"""


class VisitorRow(msgspec.Struct, frozen=True):
    id: UUID
    event_id: UUID
    full_name: str | None
    """None, as the email, when the person was erased."""
    email: str | None
    registered_at: datetime
    position: int


async def get_visitor(connection: AsyncConnection[Any], id: UUID) -> VisitorRow | None:
    cursor = await connection.execute(
        """
        SELECT id, event_id, full_name, email, registered_at, position
        FROM visitors WHERE id = %s
        """,
        [id],
        binary=True,
    )
    row = await cursor.fetchone()
    return VisitorRow(*row) if row else None


async def count(connection: AsyncConnection[Any]) -> int:
    cursor = await connection.execute("SELECT count(*) FROM visitors")
    row = await cursor.fetchone()
    return row[0] if row else 0


async def apply(connection: AsyncConnection[Any], events: Sequence[RecordedEvent]) -> bool:
    registered = [e.event for e in events if isinstance(e.event, Registered)]
    people = [event.person for event in registered]
    cursor = await connection.execute(
        """
        INSERT INTO visitors (id, event_id, full_name, email, registered_at, position)
        SELECT * FROM unnest(
            %b::uuid[], %b::uuid[], %b::text[], %b::text[], %b::timestamptz[], %b::bigint[]
        )
        ON CONFLICT (id) DO NOTHING
        """,
        [
            [e.originator_id for e in events],
            [event.event_id for event in registered],
            [person and person.full_name for person in people],
            [person and person.email for person in people],
            [e.metadata.timestamp for e in events],
            [e.position for e in events],
        ],
    )
    return cursor.rowcount > 0


VISITORS = Projection(
    name="visitors", schema_version=2, table=TABLE, handles=frozenset({Registered}), apply=apply
)
