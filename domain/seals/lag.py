"""How far sealing is behind history."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import msgspec
from psycopg import AsyncConnection

MOST_COUNTED = 1_000_000
"""Events not sealed, beyond which it does not matter how many."""


class SealLag(msgspec.Struct, frozen=True, kw_only=True):
    events: int
    seconds: float | None
    """Age of the first event that is not sealed, 0 when all are; None when it cannot be read."""


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
        [MOST_COUNTED],
        binary=True,
    )
    events, first = cast("tuple[int, bytes | None]", await cursor.fetchone())
    return SealLag(events=events, seconds=_age(first) if events else 0.0)


class _When(msgspec.Struct):
    timestamp: datetime


def _age(state: bytes | None) -> float | None:
    try:
        recorded = msgspec.json.decode(state or b"", type=_When)
    except msgspec.DecodeError:
        return None
    return max(0.0, (datetime.now(UTC) - recorded.timestamp).total_seconds())
