"""The public list of events, in pages ordered by start time and id."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any, LiteralString
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.sql import SQL, Literal

from domain.details import Status
from projections.events import EVENT_COLUMNS, EventRow, row_of
from projections.lists.count_cache import CountCache
from projections.lists.cursor import Cursor, Page, Period, Versions
from projections.lists.search_text import searchable
from projections.lists.trigrams import matching, trigrams

REGISTRABLE: LiteralString = (
    "status = 'open' AND cancelled_at IS NULL AND availability <> 'full'"
    " AND registration_deadline >= %(now)s"
)

_NEXT_DEADLINE = SQL("(SELECT min(registration_deadline) FROM events WHERE {})").format(
    SQL(REGISTRABLE)
)

MAX_STATEMENTS = 1_000
"""Statements that are kept, of all combinations of filters, limits and orders."""


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Conditions on events; None and "" match all."""

    name_fragment: str = ""
    """Is contained in the name, ignoring case and accents; no character in it is a wildcard."""
    begins_from: datetime | None = None
    begins_before: datetime | None = None
    area_id: UUID | None = None
    status: Status | None = "open"
    ids: frozenset[UUID] | None = None
    registrable: bool = False
    """Only events that take registrations or waiting visitors."""


async def list_events(
    connection: AsyncConnection[Any],
    counts: CountCache[int],
    wanted: EventFilter = EventFilter(),  # noqa: B008  it is immutable
    *,
    now: datetime,
    descending: bool = True,
    limit: int = 10,
    offset: int = 0,
    cursor: str | None = None,
) -> Page[EventRow]:
    """`offset` counts from the cursor if one is given. `counts` caches the totals of earlier pages
    and receives that of this one. Raises `BadCursor`.

    Which events are registrable changes at `now` only when a deadline passes, so the next deadline
    of all such events says when the page may be another.
    """
    folded = searchable(wanted.name_fragment)
    start = Cursor.parse(cursor) if cursor is not None else None
    parameters = _parameters(wanted, folded, now) | {
        "start_time": start and start.time,
        "start_id": start and start.id,
        "offset": offset,
    }

    async def fetch(*, counted: bool) -> list[tuple[Any, ...]]:
        statement = _statement(
            *_conditions(wanted, folded),
            materialized=bool(folded),
            clocked=wanted.registrable,
            resumed=start is not None,
            descending=descending,
            counted=counted,
            limit=limit + 1,
            skipping=offset > 0,
        )
        return await (await connection.execute(statement, parameters, binary=True)).fetchall()

    query = msgspec.structs.replace(wanted, name_fragment=folded)
    counted = query not in counts
    found = await fetch(counted=counted)
    if not counted and counts.get(query, _state(found)) is None:  # events have changed since
        counted, found = True, await fetch(counted=True)
    events_version, areas_version, deadline, total = found[0][:4]
    if counted:
        counts.store(query, _state(found), total)
    else:
        total = counts.get(query, _state(found))
    rows = [row_of(row[4:]) for row in found if row[4] is not None]
    more, rows = len(rows) > limit, rows[:limit]
    return Page(
        rows=rows,
        total=total,
        version=f"e{events_version}.a{areas_version}",
        valid=Period(now, deadline) if wanted.registrable else None,
        next_cursor=str(Cursor(rows[-1].event_datetime, rows[-1].id)) if more and rows else None,
    )


async def first_events(
    connection: AsyncConnection[Any], wanted: EventFilter, *, now: datetime, limit: int
) -> Page[EventRow]:
    """The events that begin first. The others are not counted: the total is that of the page."""
    folded = searchable(wanted.name_fragment)
    statement = _statement(
        *_conditions(wanted, folded),
        materialized=bool(folded),
        clocked=wanted.registrable,
        resumed=False,
        descending=False,
        counted=False,
        limit=limit,
        skipping=False,
    )
    cursor = await connection.execute(statement, _parameters(wanted, folded, now), binary=True)
    found = await cursor.fetchall()
    events_version, areas_version, deadline = found[0][:3]
    rows = [row_of(row[4:]) for row in found if row[4] is not None]
    return Page(
        rows=rows,
        total=len(rows),
        version=f"e{events_version}.a{areas_version}",
        valid=Period(now, deadline) if wanted.registrable else None,
    )


def list_version(now: Versions) -> str:
    """The version that a page of `list_events` has at these versions of the projections."""
    return f"e{now['events']}.a{now['areas']}"


def _parameters(wanted: EventFilter, folded: str, now: datetime) -> dict[str, object]:
    return {
        **msgspec.structs.asdict(wanted),
        "ids": None if wanted.ids is None else list(wanted.ids),
        "folded": folded,
        "trigrams": trigrams(folded),
        "now": now,
    }


def _state(found: list[tuple[Any, ...]]) -> Hashable:
    """What the total depends on: the version of the events, and the next deadline."""
    return found[0][0], found[0][2]


def _conditions(wanted: EventFilter, folded: str) -> Iterator[LiteralString]:
    if wanted.status == "open":
        yield "status = 'open'"  # as in the index
    elif wanted.status:
        yield "status = %(status)s"
    if wanted.begins_from:
        yield "event_datetime >= %(begins_from)s"
    if wanted.begins_before:
        yield "event_datetime < %(begins_before)s"
    if wanted.area_id:
        yield "area_id = %(area_id)s"
    if wanted.ids is not None:
        yield "id = ANY(%(ids)s)"
    if wanted.registrable:
        yield REGISTRABLE
    if folded:
        yield matching(folded)


@lru_cache(MAX_STATEMENTS)
def _statement(
    *conditions: LiteralString,
    materialized: bool,
    clocked: bool,
    resumed: bool,
    descending: bool,
    counted: bool,
    limit: int,
    skipping: bool,
) -> bytes:
    """Selects the versions, the next deadline (null unless `clocked`), the total (null unless
    `counted`) and the rows in one snapshot. There is always at least one row; on an empty page its
    event is null.

    With a name, MATERIALIZED makes the trigram index find all matches once, for the page and for
    the count. Without one, the index on the start time gives the first rows directly.

    The limit is not a parameter: PostgreSQL can then use one generic plan.
    """
    statement = SQL(
        """
        WITH found AS {materialized} (
            SELECT id, event_datetime FROM events WHERE {conditions}
        ), page AS (
            SELECT id FROM found {start}
            ORDER BY event_datetime {order}, id {order}
            LIMIT {limit} {skipped}
        )
        SELECT v.events, v.areas, v.deadline, v.total, {columns}
        FROM (
            SELECT (SELECT version FROM projections WHERE name = 'events') AS events,
                   (SELECT version FROM projections WHERE name = 'areas') AS areas,
                   {deadline} AS deadline,
                   {total} AS total
        ) v
        LEFT JOIN (page JOIN events e USING (id)) ON true
        ORDER BY e.event_datetime {order}, e.id {order}
        """
    ).format(
        columns=EVENT_COLUMNS,
        deadline=_NEXT_DEADLINE if clocked else SQL("NULL::timestamptz"),
        total=SQL("(SELECT count(*) FROM found)" if counted else "NULL::bigint"),
        materialized=SQL("MATERIALIZED" if materialized else "NOT MATERIALIZED"),
        conditions=SQL(" AND ").join(map(SQL, conditions or ["true"])),
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
