"""The `visitors` table: the registrations of people for events. Rows stay when their event is
removed.

It holds no names: these are read from history (`projections.people`). Visitors are searched by keys
that reveal no words (`projections.lists.word_keys`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.core.aggregate import RecordedEvent
from domain.privacy.keys import InstallationKeys
from domain.visitors import Erased, Registered, Visitor
from projections.lists.word_keys import SearchKeys, word_keys
from projections.people import WithPerson, with_people
from projections.projector.projection import Bulk, Projection, Rows, events_of

INDEXED_KEYS = "words[1:indexed]"
"""The keys that are in the index. The other keys are compared in the rows that the index finds."""

TABLE = f"""
CREATE TABLE IF NOT EXISTS visitors (
    id            uuid PRIMARY KEY,
    event_id      uuid NOT NULL,
    registered_at timestamptz NOT NULL,
    position      bigint NOT NULL,
    indexed       smallint NOT NULL,
    words         int[] NOT NULL
);
ALTER TABLE visitors ALTER words SET STATISTICS 0; -- statistics on hashes are useless
CREATE INDEX IF NOT EXISTS visitors_by_time ON visitors (registered_at);
CREATE INDEX IF NOT EXISTS visitors_by_event ON visitors (event_id, registered_at);
-- A short list of pending entries costs little more in total than a long one, and merging it into
-- the index blocks the projector for a shorter time.
CREATE INDEX IF NOT EXISTS visitors_words ON visitors USING gin (({INDEXED_KEYS}))
    WITH (gin_pending_list_limit = 256);
ALTER INDEX visitors_words ALTER COLUMN 1 SET STATISTICS 0;
"""

NO_KEYS = SearchKeys((), ())


class VisitorRow(WithPerson, frozen=True):
    id: UUID
    event_id: UUID
    registered_at: datetime
    """Time of the last registration: a person may register again after an erasure."""


async def get_visitor(
    connection: AsyncConnection[Any], keys: InstallationKeys, id: UUID
) -> VisitorRow | None:
    cursor = await connection.execute(
        "SELECT position, id, event_id, registered_at FROM visitors WHERE id = %s",
        [id],
        binary=True,
    )
    found = [VisitorRow(*row) for row in await cursor.fetchall()]
    return next(iter(await with_people(connection, keys, found)), None)


async def count(connection: AsyncConnection[Any]) -> int:
    cursor = await connection.execute("SELECT count(*) FROM visitors")
    row = await cursor.fetchone()
    return row[0] if row else 0


async def clear_search_keys(connection: AsyncConnection[Any], ids: Iterable[UUID]) -> None:
    """Make these people unfindable at once. The projector applies their erasure again when it
    reaches the event."""
    await connection.execute(
        "UPDATE visitors SET indexed = 0, words = '{}' WHERE id = ANY(%b::uuid[])",
        [sorted(ids)],
    )


async def apply(
    connection: AsyncConnection[Any], domain_events: Sequence[RecordedEvent], keys: InstallationKeys
) -> bool:
    registered, erased = dict[UUID, _StoredRow](), set[UUID]()
    for recorded in domain_events:
        id = recorded.originator_id
        if isinstance(recorded.event, Registered):
            registered[id] = _row(recorded, recorded.event, keys)
            erased.discard(id)
        elif isinstance(recorded.event, Erased):
            erased.add(id)
    rows = registered.values()
    await connection.execute(
        """
        INSERT INTO visitors (id, event_id, registered_at, position, indexed, words)
        SELECT id, event_id, registered_at, position, indexed, words::int[] FROM unnest(
            %b::uuid[], %b::uuid[], %b::timestamptz[], %b::bigint[], %b::smallint[], %b::text[]
        ) AS new (id, event_id, registered_at, position, indexed, words)
        ON CONFLICT (id) DO UPDATE SET -- registered again, after an erasure
            registered_at = EXCLUDED.registered_at, position = EXCLUDED.position,
            indexed = EXCLUDED.indexed, words = EXCLUDED.words
        """,
        [
            [row.id for row in rows],
            [row.event_id for row in rows],
            [row.registered_at for row in rows],
            [row.position for row in rows],
            [row.indexed for row in rows],
            [f"{{{','.join(map(str, row.words))}}}" for row in rows],
        ],
    )
    await clear_search_keys(connection, erased)
    return True


def _rows_of(domain_events: Sequence[RecordedEvent], keys: InstallationKeys) -> Rows:
    """The first event of a visitor creates a row; all later ones change it."""
    rows, left_over = list[tuple[object, ...]](), list[RecordedEvent]()
    for recorded in domain_events:
        if isinstance(recorded.event, Registered) and recorded.originator_version == 1:
            rows.append(msgspec.structs.astuple(_row(recorded, recorded.event, keys)))
        else:
            left_over.append(recorded)
    return Rows(rows, left_over)


class _StoredRow(msgspec.Struct, frozen=True):
    id: UUID
    event_id: UUID
    registered_at: datetime
    position: int
    indexed: int
    words: list[int]


def _row(recorded: RecordedEvent, event: Registered, keys: InstallationKeys) -> _StoredRow:
    search_keys = word_keys(keys).of_person(event.person) if event.person else NO_KEYS
    return _StoredRow(
        recorded.originator_id,
        event.event_id,
        recorded.metadata.timestamp,
        recorded.position,
        len(search_keys.indexed),
        [*search_keys.indexed, *search_keys.others],
    )


BULK = Bulk(
    columns=(
        ("id", "uuid"),
        ("event_id", "uuid"),
        ("registered_at", "timestamptz"),
        ("position", "int8"),
        ("indexed", "int2"),
        ("words", "int4[]"),
    ),
    rows_of=_rows_of,
)

VISITORS = Projection(
    name="visitors",
    schema_version=4,
    table=TABLE,
    handles=events_of(Visitor),
    apply=apply,
    bulk=BULK,
)
