"""Asking for a rebuild: what is asked for stands in PostgreSQL until it is done, or has failed.

The scheduler hands it to the workers, and one of them rebuilds, one table after the other. Were
that one killed, another goes on: what was asked for still is.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from psycopg import AsyncConnection, Connection

from domain.history.batch import Origin
from domain.history.leadership import take_lead

TABLE = """
CREATE TABLE IF NOT EXISTS rebuild_requests (
    projection     text PRIMARY KEY,
    actor          text        NOT NULL,
    correlation_id text        NOT NULL,
    asked_at       timestamptz NOT NULL DEFAULT now(),
    handed_over_at timestamptz,
    failed_at      timestamptz,
    failed_because text
);
"""

REPEATED = timedelta(seconds=30)
"""After which a request that still stands is handed over again."""

_UNDER_WAY = """
    EXISTS (
        SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
        WHERE d.datname = current_database() AND l.locktype = 'advisory' AND l.granted
          AND l.classid = hashtext('rebuild')::oid AND l.objid = hashtext({name})::oid
    )
"""
"""Whether somebody holds the lock of `rebuild_progress.lock_for_rebuild`."""


class RebuildRequest(msgspec.Struct, frozen=True, kw_only=True):
    projection: str
    origin: Origin
    asked_at: datetime
    failed_at: datetime | None
    """When it came to nothing; the reason is known until the next one is asked for."""
    failed_because: str | None


async def ask(connection: AsyncConnection[Any], projection: str, origin: Origin) -> bool:
    """Whether it is asked for now: not while it is already, or while one is under way."""
    cursor = await connection.execute(
        f"""
        INSERT INTO rebuild_requests AS present (projection, actor, correlation_id)
        SELECT %(projection)s, %(actor)s, %(correlation_id)s
        WHERE NOT {_UNDER_WAY.format(name="%(projection)s")}
        ON CONFLICT (projection) DO UPDATE
        SET actor = EXCLUDED.actor, correlation_id = EXCLUDED.correlation_id, asked_at = now(),
            handed_over_at = NULL, failed_at = NULL, failed_because = NULL
        WHERE present.failed_at IS NOT NULL
        """,  # noqa: S608
        {**msgspec.structs.asdict(origin), "projection": projection},
    )
    return cursor.rowcount > 0


async def requests(connection: AsyncConnection[Any]) -> dict[str, RebuildRequest]:
    """Those that stand and those that failed, by the projection's name."""
    cursor = await connection.execute(
        """
        SELECT projection, actor, correlation_id, asked_at, failed_at, failed_because
        FROM rebuild_requests
        """
    )
    return {row[0]: _request(*row) for row in await cursor.fetchall()}


async def lock(connection: AsyncConnection[Any]) -> bool:
    """Whether this connection is now the one that does what is asked for, as long as it lasts."""
    return await take_lead(connection, "asked rebuilds")


async def next_request(connection: AsyncConnection[Any]) -> RebuildRequest | None:
    """The oldest that stands and can begin. For who has the lock."""
    cursor = await connection.execute(
        f"""
        SELECT projection, actor, correlation_id, asked_at, failed_at, failed_because
        FROM rebuild_requests
        WHERE failed_at IS NULL AND NOT {_UNDER_WAY.format(name="projection")}
        ORDER BY asked_at LIMIT 1
        """  # noqa: S608
    )
    row = await cursor.fetchone()
    return _request(*row) if row else None


async def conclude(
    connection: AsyncConnection[Any], request: RebuildRequest, failed_because: str | None
) -> None:
    """It is done, or has failed."""
    if failed_because is None:
        await connection.execute(
            "DELETE FROM rebuild_requests WHERE projection = %s", [request.projection]
        )
    else:
        await connection.execute(
            """
            UPDATE rebuild_requests SET failed_at = now(), failed_because = %s
            WHERE projection = %s
            """,
            [failed_because, request.projection],
        )


def are_to_be_handed_over(connection: Connection[Any]) -> bool:
    """Whether a worker is to be told of any now; it is noted that one was."""
    cursor = connection.execute(
        """
        UPDATE rebuild_requests SET handed_over_at = now()
        WHERE failed_at IS NULL AND (handed_over_at IS NULL OR handed_over_at <= now() - %s)
        """,
        [REPEATED],
    )
    return cursor.rowcount > 0


def _request(
    projection: str,
    actor: str,
    correlation_id: str,
    asked_at: datetime,
    failed_at: datetime | None,
    failed_because: str | None,
) -> RebuildRequest:
    return RebuildRequest(
        projection=projection,
        origin=Origin(actor=actor, correlation_id=correlation_id),
        asked_at=asked_at,
        failed_at=failed_at,
        failed_because=failed_because,
    )
