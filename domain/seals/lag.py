"""The lag of sealing behind history."""

from __future__ import annotations

from typing import Any, cast

import msgspec
from psycopg import AsyncConnection

from domain.history.codec import age_of

LAG_COUNT_LIMIT = 1_000_000
"""Unsealed events are counted up to this number."""


class SealLag(msgspec.Struct, frozen=True, kw_only=True):
    events: int
    seconds: float | None
    """Age of the first unsealed event, 0 without one; None when that event cannot be read."""


async def seal_lag(connection: AsyncConnection[Any]) -> SealLag:
    cursor = await connection.execute(
        """
        WITH sealed AS (
            SELECT coalesce(max(last_position), 0) AS position FROM history_seals
        ), unsealed AS (
            SELECT state FROM history_events
            WHERE notification_id > (SELECT position FROM sealed)
            ORDER BY notification_id LIMIT %s
        )
        SELECT count(*), (SELECT state FROM unsealed LIMIT 1) FROM unsealed
        """,
        [LAG_COUNT_LIMIT],
        binary=True,
    )
    events, first = cast("tuple[int, bytes | None]", await cursor.fetchone())
    return SealLag(events=events, seconds=age_of(first) if events else 0.0)
