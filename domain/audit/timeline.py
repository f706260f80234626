"""The newest events of one aggregate, each with the state before and after it."""

from __future__ import annotations

from contextlib import suppress
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
    steps = []
    for row in rows[:limit]:
        version = row[2]
        known = version <= len(states)
        steps.append(
            Step(
                event=log_entry(*row),
                before=states[version - 2] if known and version > 1 else None,
                after=states[version - 1] if known else None,
            )
        )
    return steps


def _states(rows: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """The states after each event, up to the first unreadable one."""
    states: list[dict[str, Any]] = []
    aggregate: Aggregate | None = None
    with suppress(Unreadable):
        for row in rows:
            aggregate = after(aggregate, row[:5])
            states.append(fields_of(aggregate))
    return states
