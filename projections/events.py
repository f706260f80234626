"""The `events` table: every event that exists, and the public list of open events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any, LiteralString
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.sql import SQL, Literal

from domain.core.aggregate import RecordedEvent
from domain.details import Details, Status
from domain.events import Event
from domain.privacy.keys import InstallationKeys
from projections.lists.count_cache import CountCache
from projections.lists.cursor import Cursor, Page, Versions
from projections.lists.search_text import searchable
from projections.lists.trigrams import trigrams
from projections.projector.projection import Projection, events_of, fold_into

TABLE = """
CREATE TABLE IF NOT EXISTS events (
    id                    uuid PRIMARY KEY,
    name                  text NOT NULL,
    name_folded           text NOT NULL,
    trigrams              text[] NOT NULL,
    area_id               uuid,
    status                text NOT NULL,
    event_datetime        timestamptz NOT NULL,
    registration_deadline timestamptz NOT NULL,
    version               bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS events_open ON events (event_datetime, id) WHERE status = 'open';
CREATE INDEX IF NOT EXISTS events_by_datetime ON events (event_datetime, id);
CREATE INDEX IF NOT EXISTS events_trigrams ON events USING gin (trigrams);
"""


class EventRow(msgspec.Struct, frozen=True):
    id: UUID
    name: str
    area: str | None
    """Name of the area."""
    area_id: UUID | None
    status: Status
    event_datetime: datetime
    registration_deadline: datetime
    version: int
    """Version of the aggregate: a later command may expect it."""


async def get_event(connection: AsyncConnection[Any], id: UUID) -> EventRow | None:
    cursor = await connection.execute(
        """
        SELECT e.id, e.name, a.name, e.area_id, e.status,
               e.event_datetime, e.registration_deadline, e.version
        FROM events e LEFT JOIN areas a ON a.id = e.area_id
        WHERE e.id = %s
        """,
        [id],
        binary=True,
    )
    row = await cursor.fetchone()
    return EventRow(*row) if row else None


async def list_open(
    connection: AsyncConnection[Any],
    counts: CountCache,
    *,
    name_fragment: str = "",
    descending: bool = True,
    limit: int = 10,
    offset: int = 0,
    cursor: str | None = None,
) -> Page[EventRow]:
    """A page of the open events, ordered by start time and id.

    Only events whose name contains `name_fragment`, ignoring case and accents; no character in it
    is a wildcard. `offset` counts from the cursor if one is given. `counts` caches the totals of
    earlier pages and receives that of this one. Raises `BadCursor`.
    """
    folded = searchable(name_fragment)
    start = Cursor.parse(cursor) if cursor is not None else None
    parameters = {
        "folded": folded,
        "trigrams": trigrams(folded),
        "start_time": start and start.time,
        "start_id": start and start.id,
        "offset": offset,
    }

    async def fetch(*, counted: bool) -> list[tuple[Any, ...]]:
        statement = _list_statement(
            matching(folded),
            resumed=start is not None,
            descending=descending,
            counted=counted,
            limit=limit + 1,
            skipping=offset > 0,
        )
        return await (await connection.execute(statement, parameters, binary=True)).fetchall()

    counted = folded not in counts
    found = await fetch(counted=counted)
    if not counted and counts.get(folded, found[0][0]) is None:  # events have changed since
        counted, found = True, await fetch(counted=True)
    events_version, areas_version, total = found[0][:3]
    if counted:
        counts.store(folded, events_version, total)
    else:
        total = counts.get(folded, events_version)
    rows = [EventRow(*row[3:]) for row in found if row[3] is not None]
    more, rows = len(rows) > limit, rows[:limit]
    return Page(
        rows=rows,
        total=total,
        version=f"e{events_version}.a{areas_version}",
        next_cursor=str(Cursor(rows[-1].event_datetime, rows[-1].id)) if more and rows else None,
    )


def list_version(now: Versions) -> str:
    """The version that a page of `list_open` has at these versions of the projections."""
    return f"e{now['events']}.a{now['areas']}"


def matching(folded: str) -> LiteralString:
    """The SQL condition for names that contain this text. It uses the index from three characters
    on."""
    if not folded:
        return ""
    contained: LiteralString = "AND position(%(folded)s in name_folded) > 0"
    return f"AND trigrams @> %(trigrams)s::text[] {contained}" if trigrams(folded) else contained


@cache
def _list_statement(
    matching: LiteralString,
    *,
    resumed: bool,
    descending: bool,
    counted: bool,
    limit: int,
    skipping: bool,
) -> bytes:
    """Selects the versions, the total (null unless `counted`) and the rows in one snapshot. There
    is always at least one row; on an empty page its event is null.

    With a name, MATERIALIZED makes the trigram index find all matches once, for the page and for
    the count. Without one, the index on the start time gives the first rows directly.

    The limit is not a parameter: PostgreSQL can then use one generic plan.
    """
    statement = SQL(
        """
        WITH found AS {materialized} (
            SELECT id, event_datetime FROM events WHERE status = 'open' {matching}
        ), page AS (
            SELECT id FROM found {start}
            ORDER BY event_datetime {order}, id {order}
            LIMIT {limit} {skipped}
        )
        SELECT v.events, v.areas, v.total, e.id, e.name, a.name, e.area_id, e.status,
               e.event_datetime, e.registration_deadline, e.version
        FROM (
            SELECT (SELECT version FROM projections WHERE name = 'events') AS events,
                   (SELECT version FROM projections WHERE name = 'areas') AS areas,
                   {total} AS total
        ) v
        LEFT JOIN (page JOIN events e USING (id) LEFT JOIN areas a ON a.id = e.area_id) ON true
        ORDER BY e.event_datetime {order}, e.id {order}
        """
    ).format(
        total=SQL("(SELECT count(*) FROM found)" if counted else "NULL::bigint"),
        materialized=SQL("MATERIALIZED" if matching else "NOT MATERIALIZED"),
        matching=SQL(matching),
        start=SQL(
            ("WHERE (event_datetime, id) < " if descending else "WHERE (event_datetime, id) > ")
            + "(%(start_time)s, %(start_id)s)"
            if resumed
            else ""
        ),
        order=SQL("DESC" if descending else "ASC"),
        limit=Literal(limit),
        skipped=SQL("OFFSET %(offset)s" if skipping else ""),
    )
    return statement.as_bytes()


class _StoredRow(msgspec.Struct, frozen=True):
    id: UUID
    name: str
    name_folded: str
    trigrams: list[str]
    area_id: UUID | None
    status: Status
    event_datetime: datetime
    registration_deadline: datetime
    version: int


async def apply(
    connection: AsyncConnection[Any],
    domain_events: Sequence[RecordedEvent],
    _keys: InstallationKeys,
) -> bool:
    known = await _load(connection, {e.originator_id for e in domain_events})
    fold_into(known, Event, domain_events)
    await connection.execute(
        "DELETE FROM events WHERE id = ANY(%s)",
        [[event.id for event in known.values() if not event.exists]],
    )
    await connection.execute(
        """
        INSERT INTO events SELECT * FROM jsonb_populate_recordset(NULL::events, %s::jsonb)
        ON CONFLICT (id) DO UPDATE SET
            name = EXCLUDED.name, name_folded = EXCLUDED.name_folded,
            trigrams = EXCLUDED.trigrams, area_id = EXCLUDED.area_id, status = EXCLUDED.status,
            event_datetime = EXCLUDED.event_datetime,
            registration_deadline = EXCLUDED.registration_deadline, version = EXCLUDED.version
        """,
        [msgspec.json.encode([_stored(e) for e in known.values() if e.exists]).decode()],
    )
    return True


async def _load(connection: AsyncConnection[Any], ids: set[UUID]) -> dict[UUID, Event]:
    cursor = await connection.execute(
        """
        SELECT id, version, name, event_datetime, registration_deadline, area_id, status
        FROM events WHERE id = ANY(%s)
        """,
        [list(ids)],
        binary=True,
    )
    return {
        id: Event(id=id, version=version, exists=True, details=_details(*details))
        for id, version, *details in await cursor.fetchall()
    }


def _details(
    name: str, starts: datetime, ends: datetime, area_id: UUID | None, status: Status
) -> Details:
    return Details(
        name=name,
        event_datetime=starts,
        registration_deadline=ends,
        area_id=area_id,
        status=status,
    )


def _stored(event: Event) -> _StoredRow:
    details, folded = event.details, searchable(event.details.name)
    return _StoredRow(
        id=event.id,
        name=details.name,
        name_folded=folded,
        trigrams=trigrams(folded),
        area_id=details.area_id,
        status=details.status,
        event_datetime=details.event_datetime,
        registration_deadline=details.registration_deadline,
        version=event.version,
    )


EVENTS = Projection(
    name="events", schema_version=3, table=TABLE, handles=events_of(Event), apply=apply
)
