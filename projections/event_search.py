"""Searches events for organizers: open and closed ones, by area, by date, in any order."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, LiteralString
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.sql import SQL, Composable, Composed

from projections.event_list import REGISTRABLE
from projections.events import EVENT_COLUMNS, EventRow, row_of
from projections.lists.dates import Span
from projections.lists.search_text import searchable
from projections.lists.trigrams import matching, trigrams

Order = Literal["newest", "oldest", "name", "-name"]

ORDERS: dict[Order, LiteralString] = {
    "newest": "event_datetime DESC, id DESC",
    "oldest": "event_datetime, id",
    "name": "sort_name, id",
    "-name": "sort_name DESC, id DESC",
}


Time = Literal["upcoming", "past"]
"""What has not ended yet is upcoming."""

TIMES: dict[Time, LiteralString] = {
    "upcoming": """
        (event_datetime >= %(now)s OR ends_at > %(now)s)
        AND event_datetime >= least(%(now)s - interval '14 days', ( -- where the index is entered
            SELECT min(event_datetime) FROM events
            WHERE ends_at - event_datetime > interval '14 days' AND ends_at > %(now)s
        ))
    """,
    "past": "event_datetime < %(now)s AND (ends_at IS NULL OR ends_at <= %(now)s)",
}

State = Literal["registrable", "full", "open", "closed", "cancelled"]
"""The state of an event for organizers: a cancelled event is neither open nor closed."""

STATES: dict[State, LiteralString] = {
    "registrable": REGISTRABLE,
    "full": "availability <> 'open' AND cancelled_at IS NULL",
    "open": "status = 'open' AND cancelled_at IS NULL",
    "closed": "status = 'closed' AND cancelled_at IS NULL",
    "cancelled": "cancelled_at IS NOT NULL",
}


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Conditions on events; None and "" match all."""

    name_fragment: str = ""
    status: State | None = None
    time: Time | None = None
    area_ids: frozenset[UUID] | None = None
    span: Span | None = None


async def search(
    connection: AsyncConnection[Any],
    wanted: Filter,
    *,
    order: Order = "newest",
    limit: int = 50,
    offset: int = 0,
) -> list[EventRow]:
    cursor = await connection.execute(
        statement_of(
            """
            SELECT {columns} FROM events e
            WHERE id = ANY(ARRAY(
                SELECT id FROM events WHERE {conditions}
                ORDER BY {order} LIMIT %(limit)s OFFSET %(offset)s
            ))
            ORDER BY {order}
            """,
            wanted,
            order=SQL(ORDERS[order]),
            columns=EVENT_COLUMNS,
        ),
        {**parameters_of(wanted, datetime.now(UTC)), "limit": limit, "offset": offset},
        binary=True,
        prepare=False,  # the best plan depends on the values: how many names have the text
    )
    return [row_of(row) for row in await cursor.fetchall()]


async def events_of_ids(connection: AsyncConnection[Any], ids: Collection[UUID]) -> list[EventRow]:
    """Those that exist, by when they begin."""
    cursor = await connection.execute(
        SQL("SELECT {} FROM events e WHERE id = ANY(%s) ORDER BY event_datetime, id").format(
            EVENT_COLUMNS
        ),
        [list(ids)],
        binary=True,
    )
    return [row_of(row) for row in await cursor.fetchall()]


async def ids_of_events_before(
    connection: AsyncConnection[Any], before: datetime
) -> Sequence[UUID]:
    """Those that took place before then, the oldest first."""
    cursor = await connection.execute(
        "SELECT id FROM events WHERE event_datetime < %s ORDER BY event_datetime", [before]
    )
    return [id for (id,) in await cursor.fetchall()]


def statement_of(text: LiteralString, wanted: Filter, **parts: Composable) -> Composed:
    """The statement, with the conditions on events where it has `{conditions}`."""
    conditions: list[LiteralString] = ["true"]
    if wanted.status:
        conditions.append(STATES[wanted.status])
    if wanted.time:
        conditions.append(TIMES[wanted.time])
    if wanted.area_ids is not None:
        conditions.append("area_id = ANY(%(area_ids)s)")
    if wanted.span:
        conditions.append("event_datetime >= %(begin)s AND event_datetime < %(end)s")
    if folded := searchable(wanted.name_fragment):
        conditions.append(matching(folded))
    return SQL(text).format(conditions=SQL(" AND ").join(map(SQL, conditions)), **parts)


def parameters_of(wanted: Filter, now: datetime) -> dict[str, Any]:
    """Those of the conditions."""
    folded = searchable(wanted.name_fragment)
    return {
        "folded": folded,
        "trigrams": trigrams(folded),
        "now": now,
        "area_ids": None if wanted.area_ids is None else list(wanted.area_ids),
        "begin": wanted.span and wanted.span.begin,
        "end": wanted.span and wanted.span.end,
    }
