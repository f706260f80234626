"""The visitors of one event, for organizers: those with a status or a name, newest first, and those
who wait, first in line first."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.sql import SQL

from domain.privacy.keys import InstallationKeys
from domain.visitors import VisitorStatus
from projections.lists import keyset
from projections.lists.cursor import Cursor
from projections.lists.keyset import PageStart, Search
from projections.people import with_people
from projections.visitor_search import HAS_STATUS, search_for
from projections.visitors import COLUMNS, VisitorRow, made, with_people_and_places


class VisitorsPage(msgspec.Struct, frozen=True, kw_only=True):
    rows: list[VisitorRow]
    total: int
    """Number of rows on all pages."""
    next_cursor: str | None = None


async def list_visitors(
    connection: AsyncConnection[Any],
    keys: InstallationKeys,
    event_id: UUID,
    *,
    status: VisitorStatus | None = None,
    text: str = "",
    limit: int = 10,
    offset: int = 0,
    cursor: str | None = None,
) -> VisitorsPage:
    """A name or email matches as in `projections.visitor_search`. `offset` counts from the cursor
    if one is given. Raises `BadCursor`."""
    start = PageStart(Cursor.parse(cursor)) if cursor is not None else PageStart()
    asked = search_for(keys, text, event_id, status, COLUMNS)
    if asked is None:
        return VisitorsPage(rows=[], total=0)
    found = await keyset.find(connection, *asked, made, start=start, limit=limit, offset=offset)
    return VisitorsPage(
        rows=await with_people_and_places(connection, keys, found.rows),
        total=await _count(connection, *asked),
        next_cursor=str(found.older) if found.older else None,
    )


class Place(NamedTuple):
    """Of a row among the visitors of an event, in the order in which they came."""

    registered_at: datetime
    position: int


BEGINNING = Place(datetime.min.replace(tzinfo=UTC), 0)


async def next_visitors(
    connection: AsyncConnection[Any],
    event_id: UUID,
    *,
    status: VisitorStatus | None = None,
    after: Place = BEGINNING,
    limit: int,
) -> list[VisitorRow]:
    """The visitors behind a place, without people and places in line; those who came first come
    first. Visitors of the same time were appended together, in the order of their positions."""
    statement = SQL(
        """
        SELECT registered_at, id, {} FROM visitors
        WHERE event_id = %(event_id)s AND {} AND (registered_at, position) > (%(at)s, %(position)s)
        ORDER BY registered_at, position LIMIT %(limit)s
        """
    ).format(SQL(COLUMNS), SQL(HAS_STATUS[status] if status else "true"))
    values = {
        "event_id": event_id,
        "at": after.registered_at,
        "position": after.position,
        "limit": limit,
    }
    cursor = await connection.execute(statement, values, binary=True)
    return [made(*row) for row in await cursor.fetchall()]


async def _count(
    connection: AsyncConnection[Any], search: Search, parameters: dict[str, object]
) -> int:
    conditions = [*search.conditions, *([search.rare] if search.rare else [])]
    statement = SQL("SELECT count(*) FROM visitors WHERE {}").format(
        SQL(" AND ").join(map(SQL, conditions))
    )
    row = await (await connection.execute(statement, parameters)).fetchone()
    return row[0] if row else 0


async def count_by_status(
    connection: AsyncConnection[Any], event_id: UUID
) -> dict[VisitorStatus, int]:
    """Visitors of each status that a visitor of the event has."""
    cursor = await connection.execute(
        "SELECT status, count(*) FROM visitors WHERE event_id = %s GROUP BY status", [event_id]
    )
    return dict(await cursor.fetchall())


async def count_entered(connection: AsyncConnection[Any], event_id: UUID) -> int:
    """Visitors who are checked in, also those who have left since."""
    cursor = await connection.execute(
        "SELECT count(*) FROM visitors WHERE event_id = %s AND checked_in_at IS NOT NULL",
        [event_id],
    )
    row = await cursor.fetchone()
    return row[0] if row else 0


async def count_entered_at(
    connection: AsyncConnection[Any], event_ids: Collection[UUID]
) -> Mapping[UUID, int]:
    """As `count_entered`, by event."""
    cursor = await connection.execute(
        """
        SELECT event_id, count(*) FROM visitors
        WHERE event_id = ANY(%s) AND checked_in_at IS NOT NULL
        GROUP BY event_id
        """,
        [list(event_ids)],
        binary=True,
    )
    return dict(await cursor.fetchall())


async def list_waiting(
    connection: AsyncConnection[Any],
    keys: InstallationKeys,
    event_id: UUID,
    *,
    limit: int = 10,
    offset: int = 0,
) -> VisitorsPage:
    """The line, from the domain's table. Visitors who joined so recently that the projector has not
    reached them are missing."""
    cursor = await connection.execute(
        f"""
        SELECT place, registered_at, id, {COLUMNS}
        FROM (
            SELECT visitor_id, row_number() OVER (ORDER BY position) AS place
            FROM event_queue WHERE event_id = %(event_id)s
            ORDER BY position LIMIT %(limit)s OFFSET %(offset)s
        ) AS line JOIN visitors ON id = visitor_id AND status = 'waiting'
        ORDER BY place
        """,  # noqa: S608
        {"event_id": event_id, "limit": limit, "offset": offset},
        binary=True,
    )
    rows = [
        msgspec.structs.replace(made(*values), queue_position=place)
        for place, *values in await cursor.fetchall()
    ]
    counted = await connection.execute(
        "SELECT count(*) FROM event_queue WHERE event_id = %s", [event_id]
    )
    total = await counted.fetchone()
    return VisitorsPage(
        rows=await with_people(connection, keys, rows), total=total[0] if total else 0
    )
