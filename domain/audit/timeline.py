"""Events with the state before and after them: the newest of one aggregate, or given ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.sql import SQL

from domain.audit.entry import COLUMNS, LoggedEvent, log_entry
from domain.audit.replay import Unreadable, after, fields_of
from domain.core.aggregate import Aggregate

MAX_REPLAYED = 200
"""Events. A longer stream is not replayed: its steps have no `before` and `after`."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    event: LoggedEvent
    before: dict[str, Any] | None = None
    """None before the first event, and when it is unknown."""
    after: dict[str, Any] | None = None


async def timeline(connection: AsyncConnection[Any], id: UUID, *, limit: int) -> list[Step]:
    """The newest `limit` steps, newest first."""
    cursor = await connection.execute(
        SQL("""
            SELECT {} FROM history_events e
            WHERE e.originator_id = %b
            ORDER BY e.originator_version DESC
            LIMIT %b
        """).format(COLUMNS),
        [id, MAX_REPLAYED],
        binary=True,
    )
    rows = await cursor.fetchall()
    is_whole = bool(rows) and rows[-1][2] == 1
    states = _states(rows[::-1]) if is_whole else []
    return [_step(log_entry(*row), states) for row in rows[:limit]]


async def steps_of(
    connection: AsyncConnection[Any], events: Sequence[LoggedEvent], replayed: Iterable[UUID]
) -> list[Step]:
    """The events, newest first, with the states of the aggregates that are to be replayed."""
    last = {event.aggregate_id: event.aggregate_version for event in reversed(events)}
    ids = [id for id in set(replayed) if last[id] <= MAX_REPLAYED]
    cursor = await connection.execute(
        """
        SELECT e.notification_id, e.originator_id, e.originator_version, e.topic, e.state
        FROM unnest(%b::uuid[], %b::bigint[]) AS wanted (id, last)
        JOIN history_events e ON e.originator_id = id AND e.originator_version <= last
        ORDER BY e.originator_id, e.originator_version
        """,
        [ids, [last[id] for id in ids]],
        binary=True,
    )
    rows = groupby(await cursor.fetchall(), key=itemgetter(1)) if ids else ()
    states = {id: _states(list(of_one)) for id, of_one in rows}
    return [_step(event, states.get(event.aggregate_id, [])) for event in events]


def _step(event: LoggedEvent, states: Sequence[dict[str, Any]]) -> Step:
    """`states` are those of the aggregate after each of its events, from the first on."""
    version = event.aggregate_version
    known = version <= len(states)
    return Step(
        event=event,
        before=states[version - 2] if known and version > 1 else None,
        after=states[version - 1] if known else None,
    )


def _states(rows: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """The states after each event, up to the first unreadable one."""
    states: list[dict[str, Any]] = []
    aggregate: Aggregate | None = None
    with suppress(Unreadable):
        for row in rows:
            aggregate = after(aggregate, row[:5])
            states.append(fields_of(aggregate))
    return states
