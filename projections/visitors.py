"""The `visitors` table: who registered for what. Rows stay when their event is removed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.aggregate import RecordedEvent
from domain.visitors import Registered, Visitor
from projections.projection import Bulk, Projection, Rows, events_of

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
ALTER TABLE visitors -- no samples as statistics, which would outlive an erasure
    ALTER full_name SET STATISTICS 0,
    ALTER email SET STATISTICS 0;
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
    """Of the last registration, where there were several, with erasures in between."""
    position: int
    """Its event's."""


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


async def blank(connection: AsyncConnection[Any], ids: Iterable[UUID]) -> None:
    """Take the people out of these rows, at once: their erasure is applied again in its turn."""
    await connection.execute(
        "UPDATE visitors SET full_name = NULL, email = NULL WHERE id = ANY(%b::uuid[])",
        [sorted(ids)],
    )


async def apply(connection: AsyncConnection[Any], events: Sequence[RecordedEvent]) -> bool:
    registered = dict[UUID, VisitorRow]()
    erased = set[UUID]()
    for recorded in events:
        id = recorded.originator_id
        if isinstance(recorded.event, Registered):
            registered[id] = _row(recorded, recorded.event)
        elif id in registered:
            registered[id] = msgspec.structs.replace(registered[id], full_name=None, email=None)
        else:
            erased.add(id)
    await blank(connection, erased)
    await connection.execute(
        """
        INSERT INTO visitors (id, event_id, full_name, email, registered_at, position)
        SELECT * FROM unnest(
            %b::uuid[], %b::uuid[], %b::text[], %b::text[], %b::timestamptz[], %b::bigint[]
        )
        ON CONFLICT (id) DO UPDATE SET -- registered again, after an erasure
            full_name = EXCLUDED.full_name, email = EXCLUDED.email,
            registered_at = EXCLUDED.registered_at, position = EXCLUDED.position
        """,
        [
            [row.id for row in registered.values()],
            [row.event_id for row in registered.values()],
            [row.full_name for row in registered.values()],
            [row.email for row in registered.values()],
            [row.registered_at for row in registered.values()],
            [row.position for row in registered.values()],
        ],
    )
    return True


def _rows_of(events: Sequence[RecordedEvent]) -> Rows:
    """The first event of a visitor begins a row, whatever follows changes it."""
    rows, left_over = list[tuple[object, ...]](), list[RecordedEvent]()
    for recorded in events:
        if isinstance(recorded.event, Registered) and recorded.originator_version == 1:
            rows.append(msgspec.structs.astuple(_row(recorded, recorded.event)))
        else:
            left_over.append(recorded)
    return Rows(rows, left_over)


def _row(recorded: RecordedEvent, event: Registered) -> VisitorRow:
    person = event.person
    return VisitorRow(
        recorded.originator_id,
        event.event_id,
        person.full_name if person else None,
        person.email if person else None,
        recorded.metadata.timestamp,
        recorded.position,
    )


BULK = Bulk(
    columns=(
        ("id", "uuid"),
        ("event_id", "uuid"),
        ("full_name", "text"),
        ("email", "text"),
        ("registered_at", "timestamptz"),
        ("position", "int8"),
    ),
    rows_of=_rows_of,
)

VISITORS = Projection(
    name="visitors",
    schema_version=3,
    table=TABLE,
    handles=events_of(Visitor),
    apply=apply,
    bulk=BULK,
)
