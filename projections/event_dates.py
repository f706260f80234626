"""How many events there are in each year, month or day, for the list of organizers. Counting reads
an index entry of each of them, so each filter is counted once in a state of the table."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from datetime import UTC, datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.sql import SQL

from projections.event_list import REGISTRABLE
from projections.event_search import Filter, parameters_of, statement_of
from projections.lists.count_cache import CountCache
from projections.lists.dates import DateCount


async def count_by_date(
    connection: AsyncConnection[Any],
    counts: CountCache[Sequence[DateCount]],
    wanted: Filter,
    *,
    now: datetime,
) -> Sequence[DateCount]:
    """Matching events in each year, or in each part (month, day) of the filter's span. `counts` has
    those of earlier calls."""
    state = await _state(connection, now)
    known = counts.get(wanted, state)
    if known is None:
        known = await _counted(connection, wanted, now)
        counts.store(wanted, state, known)
    return known


async def _state(connection: AsyncConnection[Any], now: datetime) -> Hashable:
    """What the counts depend on: the version of the events, and when next one of them begins, ends
    or takes no more registrations."""
    cursor = await connection.execute(_STATE, {"now": now}, binary=True)
    return await cursor.fetchone()


_STATE = (
    SQL(
        """
        SELECT (SELECT version FROM projections WHERE name = 'events'), least(
            (SELECT min(event_datetime) FROM events WHERE event_datetime >= %(now)s),
            (SELECT min(ends_at) FROM events
             WHERE event_datetime BETWEEN %(now)s - interval '14 days' AND %(now)s
               AND ends_at > %(now)s),
            (SELECT min(ends_at) FROM events -- those that take longer have an index
             WHERE ends_at - event_datetime > interval '14 days' AND ends_at > %(now)s),
            (SELECT min(registration_deadline) FROM events WHERE {})
        )
        """
    )
    .format(SQL(REGISTRABLE))
    .as_bytes()
)


async def _counted(
    connection: AsyncConnection[Any], wanted: Filter, now: datetime
) -> Sequence[DateCount]:
    cursor = await connection.execute(
        statement_of(
            """
            SELECT date_trunc(%(unit)s, event_datetime) AS begin, count(*) -- sessions are UTC
            FROM events WHERE {conditions}
            GROUP BY begin ORDER BY begin
            """,
            wanted,
        ),
        {**parameters_of(wanted, now), "unit": wanted.span.parts if wanted.span else "year"},
    )
    return [DateCount(begin.astimezone(UTC), count) for begin, count in await cursor.fetchall()]
