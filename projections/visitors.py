"""The `visitors` table: people at events, and the status of each. Rows stay when the visitor leaves
or the event is removed.

It holds no names: these are read from history (`projections.people`). Visitors are searched by keys
that reveal no words (`projections.lists.word_keys`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.core.aggregate import RecordedEvent
from domain.history.store import read_stream
from domain.privacy.keys import InstallationKeys
from domain.visitors import HOLDS_PERSON, Erased, Visitor, VisitorStatus
from projections.lists.word_keys import SearchKeys, word_keys
from projections.people import WithPerson, with_people
from projections.places_in_line import places_in_line
from projections.projector.projection import Bulk, BulkTable, Projection, Rows, events_of

INDEXED_KEYS = "words[1:indexed]"
"""The keys that are in the index. The other keys are compared in the rows that the index finds."""

TABLE = f"""
CREATE TABLE IF NOT EXISTS visitors (
    id            uuid PRIMARY KEY,
    event_id      uuid NOT NULL,
    status        text NOT NULL,
    episode       int NOT NULL,
    ticket_issue  int NOT NULL,
    registered_at timestamptz NOT NULL,
    confirm_by    timestamptz,
    checked_in_at timestamptz,
    version       bigint NOT NULL,
    position      bigint NOT NULL,
    indexed       smallint NOT NULL,
    words         int[] NOT NULL
);
ALTER TABLE visitors ALTER words SET STATISTICS 0; -- statistics on hashes are useless
CREATE INDEX IF NOT EXISTS visitors_by_time ON visitors (registered_at);
CREATE INDEX IF NOT EXISTS visitors_by_event ON visitors (event_id, registered_at);
-- Most are registered: to find the others, and to leave a registration as cheap as it was.
CREATE INDEX IF NOT EXISTS visitors_not_registered ON visitors (event_id, registered_at)
    WHERE status <> 'registered';
CREATE INDEX IF NOT EXISTS visitors_by_status ON visitors (status, registered_at)
    WHERE status <> 'registered';
-- To count those who entered. It costs a registration nothing.
CREATE INDEX IF NOT EXISTS visitors_entered ON visitors (event_id)
    WHERE checked_in_at IS NOT NULL;
-- A short list of pending entries costs little more in total than a long one, and merging it into
-- the index blocks the projector for a shorter time.
CREATE INDEX IF NOT EXISTS visitors_words ON visitors USING gin (({INDEXED_KEYS}))
    WITH (gin_pending_list_limit = 256);
ALTER INDEX visitors_words ALTER COLUMN 1 SET STATISTICS 0;
"""

NO_KEYS = SearchKeys((), ())


COLUMNS: LiteralString = (
    "position, event_id, status, episode, ticket_issue, confirm_by, checked_in_at, version"
)
"""Those of `made`, after the time and the id."""


class VisitorRow(WithPerson, frozen=True):
    id: UUID
    event_id: UUID
    status: VisitorStatus
    episode: int
    ticket_issue: int
    """How often the ticket of the episode was issued anew."""
    registered_at: datetime
    """When the person registered or joined the waiting list, in the last episode."""
    confirm_by: datetime | None
    """Until when the address must be confirmed."""
    checked_in_at: datetime | None
    version: int
    """Version of the aggregate: a later command may expect it."""
    queue_position: int | None = None
    """Place in line, from 1; None unless the visitor waits."""


def made(
    registered_at: datetime,
    id: UUID,
    position: int,
    event_id: UUID,
    status: VisitorStatus,
    episode: int,
    ticket_issue: int,
    confirm_by: datetime | None,
    checked_in_at: datetime | None,
    version: int,
) -> VisitorRow:
    return VisitorRow(
        position,
        id,
        event_id,
        status,
        episode,
        ticket_issue,
        registered_at,
        confirm_by,
        checked_in_at,
        version,
    )


async def get_visitor(
    connection: AsyncConnection[Any], keys: InstallationKeys, id: UUID
) -> VisitorRow | None:
    cursor = await connection.execute(
        f"SELECT registered_at, id, {COLUMNS} FROM visitors WHERE id = %s",  # noqa: S608
        [id],
        binary=True,
    )
    found = [made(*row) for row in await cursor.fetchall()]
    return next(iter(await with_people_and_places(connection, keys, found)), None)


async def rows_with_ids(
    connection: AsyncConnection[Any], ids: Iterable[UUID], event_id: UUID
) -> list[VisitorRow]:
    """Those of the event, without people and places."""
    cursor = await connection.execute(
        f"SELECT registered_at, id, {COLUMNS} FROM visitors WHERE id = ANY(%s) AND event_id = %s",  # noqa: S608
        [list(ids), event_id],
        binary=True,
    )
    return [made(*row) for row in await cursor.fetchall()]


async def visitor_in_history(
    connection: AsyncConnection[Any], keys: InstallationKeys, id: UUID
) -> VisitorRow | None:
    """The row as `get_visitor` reads it once the projector has caught up."""
    row: _Row | None = None
    for recorded in await read_stream(connection, id):
        if recorded.event.aggregate_class is not Visitor:
            return None
        row = _after(row, recorded, keys)
    if row is None:
        return None
    visitor = row.visitor
    found = made(
        row.registered_at,
        id,
        row.position,
        visitor.event,
        visitor.status,
        visitor.episode,
        visitor.ticket_issue,
        visitor.confirm_by,
        visitor.checked_in_at,
        visitor.version,
    )
    (found,) = await with_people_and_places(connection, keys, [found])
    return found


async def with_people_and_places(
    connection: AsyncConnection[Any], keys: InstallationKeys, rows: Sequence[VisitorRow]
) -> list[VisitorRow]:
    """The same rows, with the people and their places in line."""
    named = await with_people(connection, keys, rows)
    waiting = [row.id for row in rows if row.status == "waiting"]
    if not waiting:
        return named
    places = await places_in_line(connection, waiting)
    return [msgspec.structs.replace(row, queue_position=places.get(row.id)) for row in named]


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


class _Row(msgspec.Struct, frozen=True):
    visitor: Visitor
    registered_at: datetime
    position: int
    search_keys: SearchKeys | None = None
    """None: the stored ones are kept."""

    def values(self) -> tuple[object, ...]:
        """Of the columns in `BULK`."""
        visitor, keys = self.visitor, self.search_keys or NO_KEYS
        return (
            visitor.id,
            visitor.event_id,
            visitor.status,
            visitor.episode,
            visitor.ticket_issue,
            self.registered_at,
            visitor.confirm_by,
            visitor.checked_in_at,
            visitor.version,
            self.position,
            len(keys.indexed),
            [*keys.indexed, *keys.others],
        )


async def apply(
    connection: AsyncConnection[Any], domain_events: Sequence[RecordedEvent], keys: InstallationKeys
) -> bool:
    rows = await _load(connection, domain_events)
    for recorded in domain_events:
        rows[recorded.originator_id] = _after(rows.get(recorded.originator_id), recorded, keys)
    await _write(connection, [row for row in rows.values() if row.search_keys is not None])
    await _update(connection, [row.visitor for row in rows.values() if row.search_keys is None])
    return True


def _after(row: _Row | None, recorded: RecordedEvent, keys: InstallationKeys) -> _Row:
    event, at = recorded.event, recorded.metadata.timestamp
    was = row.visitor if row else Visitor(id=recorded.originator_id)
    visitor = was.after(event)
    if isinstance(event, HOLDS_PERSON):
        search_keys = word_keys(keys).of_person(event.person) if event.person else NO_KEYS
        goes_on = visitor.episode == was.episode
        since = row.registered_at if row and goes_on else at
        return _Row(visitor, since, recorded.position, search_keys)
    if row is None:
        raise LookupError(f"visitor {was.id} is not in the table")
    if isinstance(event, Erased):
        return msgspec.structs.replace(row, visitor=visitor, search_keys=NO_KEYS)
    return msgspec.structs.replace(row, visitor=visitor)


async def _load(
    connection: AsyncConnection[Any], domain_events: Sequence[RecordedEvent]
) -> dict[UUID, _Row]:
    """The rows of visitors that began before these events."""
    begun = {e.originator_id for e in domain_events if e.originator_version == 1}
    known = {e.originator_id for e in domain_events} - begun
    if not known:
        return {}
    cursor = await connection.execute(
        """
        SELECT registered_at, position, id, event_id, status, episode, ticket_issue, confirm_by,
               checked_in_at, version
        FROM visitors WHERE id = ANY(%b)
        """,
        [list(known)],
        binary=True,
    )
    return {
        visitor[0]: _Row(_visitor(*visitor), registered_at, position)
        for registered_at, position, *visitor in await cursor.fetchall()
    }


def _visitor(
    id: UUID,
    event_id: UUID,
    status: VisitorStatus,
    episode: int,
    ticket_issue: int,
    confirm_by: datetime | None,
    checked_in_at: datetime | None,
    version: int,
) -> Visitor:
    """With the fields that are in the table."""
    return Visitor(
        id=id,
        event_id=event_id,
        status=status,
        episode=episode,
        ticket_issue=ticket_issue,
        confirm_by=confirm_by,
        checked_in_at=checked_in_at,
        version=version,
    )


async def _write(connection: AsyncConnection[Any], rows: Sequence[_Row]) -> None:
    """Insert rows, or replace them with their search keys."""
    if not rows:
        return
    *columns, words = zip(*(row.values() for row in rows), strict=True)
    await connection.execute(
        """
        INSERT INTO visitors (id, event_id, status, episode, ticket_issue, registered_at,
                              confirm_by, checked_in_at, version, position, indexed, words)
        SELECT id, event_id, status, episode, ticket_issue, registered_at, confirm_by,
               checked_in_at, version, position, indexed, words::int[]
        FROM unnest(
            %b::uuid[], %b::uuid[], %b::text[], %b::int[], %b::int[], %b::timestamptz[],
            %b::timestamptz[], %b::timestamptz[], %b::bigint[], %b::bigint[], %b::smallint[],
            %b::text[]
        ) AS new (id, event_id, status, episode, ticket_issue, registered_at, confirm_by,
                  checked_in_at, version, position, indexed, words)
        ON CONFLICT (id) DO UPDATE SET
            status = EXCLUDED.status, episode = EXCLUDED.episode,
            ticket_issue = EXCLUDED.ticket_issue, registered_at = EXCLUDED.registered_at,
            confirm_by = EXCLUDED.confirm_by, checked_in_at = EXCLUDED.checked_in_at,
            version = EXCLUDED.version, position = EXCLUDED.position,
            indexed = EXCLUDED.indexed, words = EXCLUDED.words
        """,
        [*map(list, columns), [f"{{{','.join(map(str, each))}}}" for each in words]],
    )


async def _update(connection: AsyncConnection[Any], visitors: Sequence[Visitor]) -> None:
    """What changes while the person and the episode stay the same."""
    if not visitors:
        return
    await connection.execute(
        """
        UPDATE visitors SET status = new.status, ticket_issue = new.ticket_issue,
            confirm_by = new.confirm_by, checked_in_at = new.checked_in_at, version = new.version
        FROM unnest(%b::uuid[], %b::text[], %b::int[], %b::timestamptz[], %b::timestamptz[],
                    %b::bigint[])
             AS new (id, status, ticket_issue, confirm_by, checked_in_at, version)
        WHERE visitors.id = new.id
        """,
        [
            [visitor.id for visitor in visitors],
            [visitor.status for visitor in visitors],
            [visitor.ticket_issue for visitor in visitors],
            [visitor.confirm_by for visitor in visitors],
            [visitor.checked_in_at for visitor in visitors],
            [visitor.version for visitor in visitors],
        ],
    )


def _rows_of(domain_events: Sequence[RecordedEvent], keys: InstallationKeys) -> Rows:
    """A row for each visitor whose first event is among these."""
    rows, left_over = dict[UUID, _Row](), list[RecordedEvent]()
    for recorded in domain_events:
        id = recorded.originator_id
        if recorded.originator_version == 1 or id in rows:
            rows[id] = _after(rows.get(id), recorded, keys)
        else:
            left_over.append(recorded)
    return Rows({"visitors": [row.values() for row in rows.values()]}, left_over)


BULK = Bulk(
    tables=(
        BulkTable(
            "visitors",
            (
                ("id", "uuid"),
                ("event_id", "uuid"),
                ("status", "text"),
                ("episode", "int4"),
                ("ticket_issue", "int4"),
                ("registered_at", "timestamptz"),
                ("confirm_by", "timestamptz"),
                ("checked_in_at", "timestamptz"),
                ("version", "int8"),
                ("position", "int8"),
                ("indexed", "int2"),
                ("words", "int4[]"),
            ),
        ),
    ),
    rows_of=_rows_of,
)

VISITORS = Projection(
    name="visitors",
    schema_version=8,
    table=TABLE,
    handles=events_of(Visitor),
    apply=apply,
    bulk=BULK,
)
