"""Aggregates replayed from stored events, in processes that serve others at the same time.

The commands `audit show` and `audit diff` use the library (`events_face.commands.audit_state`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.audit.entry import DECODE_ERRORS
from domain.core.aggregate import Aggregate
from domain.history.codec import decode

ROWS_PER_QUERY = 500


class Unreadable(Exception):
    """The aggregate cannot be replayed: this release cannot read an event of its stream."""

    def __init__(self, position: int, reason: Exception) -> None:
        super().__init__(f"the event at {position}: {reason}")


Row = tuple[int, UUID, int, str, bytes]
"""Position, aggregate id, version, topic, state."""


async def replayed(connection: AsyncConnection[Any], id: UUID, version: int) -> Aggregate:
    """The aggregate at this version. Raises `Unreadable`."""
    aggregate: Aggregate | None = None
    async for row in _rows(connection, id, version):
        aggregate = after(aggregate, row)
    if aggregate is None:
        raise LookupError(id)
    return aggregate


def after(aggregate: Aggregate | None, row: Row) -> Aggregate:
    """The aggregate after one more event of its stream. Raises `Unreadable`."""
    position, id, version, topic, state = row
    try:
        return decode(id, version, topic, state).mutate(aggregate)
    except DECODE_ERRORS as error:
        raise Unreadable(position, error) from error


def fields_of(aggregate: Aggregate) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(aggregate)
    return {name: value for name, value in fields.items() if name not in {"id", "version"}}


async def _rows(
    connection: AsyncConnection[Any], id: UUID, up_to_version: int
) -> AsyncIterator[Row]:
    version = 0
    while True:
        cursor = await connection.execute(
            """
            SELECT notification_id, originator_id, originator_version, topic, state
            FROM history_events
            WHERE originator_id = %b AND originator_version > %b AND originator_version <= %b
            ORDER BY originator_version
            LIMIT %b
            """,
            [id, version, up_to_version, ROWS_PER_QUERY],
            binary=True,
        )
        rows = await cursor.fetchall()
        for row in rows:
            yield row
        if len(rows) < ROWS_PER_QUERY:
            return
        version = rows[-1][2]
