"""Requests for rebuilds: a request is kept in PostgreSQL until it is completed or has failed.

The scheduler wakes the workers, and one of them rebuilds one table after the other. If that worker
is killed, another one continues, because the request is still there.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from psycopg import AsyncConnection, Connection

from domain.history.batch import Origin
from domain.history.leadership import take_lead

WAKE_UP_INTERVAL = timedelta(seconds=30)
"""Time after which a worker is woken again for a request that is still open."""

_UNDER_WAY = """
    EXISTS (
        SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
        WHERE d.datname = current_database() AND l.locktype = 'advisory' AND l.granted
          AND l.classid = hashtext('rebuild')::oid AND l.objid = hashtext({name})::oid
    )
"""
"""Whether a session holds the lock of `projections.rebuild.progress.lock_for_rebuild`."""


class RebuildRequest(msgspec.Struct, frozen=True, kw_only=True):
    projection: str
    origin: Origin
    asked_at: datetime
    failed_at: datetime | None
    """Kept with the reason until the next request for this projection; None while it is open."""
    failed_because: str | None


async def request_rebuild(
    connection: AsyncConnection[Any], projection: str, origin: Origin
) -> bool:
    """Request a rebuild. False when one is requested already or running."""
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


async def rebuild_requests(connection: AsyncConnection[Any]) -> dict[str, RebuildRequest]:
    """Open and failed requests, by the name of the projection."""
    cursor = await connection.execute(
        """
        SELECT projection, actor, correlation_id, asked_at, failed_at, failed_because
        FROM rebuild_requests
        """
    )
    return {row[0]: _request(*row) for row in await cursor.fetchall()}


async def lock(connection: AsyncConnection[Any]) -> bool:
    """Try to become the one worker that runs requested rebuilds, until the connection ends."""
    return await take_lead(connection, "asked rebuilds")


async def next_request(connection: AsyncConnection[Any]) -> RebuildRequest | None:
    """The oldest open request that can begin now. The caller must hold the lock."""
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
    """Remove the request, or record why it failed."""
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


def wake_up_due(connection: Connection[Any]) -> bool:
    """True if a worker should be woken for a request; records the wake-up."""
    cursor = connection.execute(
        """
        UPDATE rebuild_requests SET handed_over_at = now()
        WHERE failed_at IS NULL AND (handed_over_at IS NULL OR handed_over_at <= now() - %s)
        """,
        [WAKE_UP_INTERVAL],
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
