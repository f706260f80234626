"""Requests for a synchronisation: at most one is pending, until a worker starts it.

The request is a row in PostgreSQL, which is durable and visible to every process; a second request
adds nothing. The scheduler sends it to the workers, and the worker that takes it synchronises on
behalf of the requester.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from psycopg import AsyncConnection, Connection

from domain.history.batch import Origin
from domain.history.leadership import take_lead

EXPIRES_AFTER = timedelta(minutes=10)
"""A request that no worker took by then is ignored."""

REPEAT_AFTER = timedelta(seconds=10)
"""A request that no worker took by then is sent to the workers again."""


class SyncRequest(msgspec.Struct, frozen=True, kw_only=True):
    full: bool
    origin: Origin
    asked_at: datetime


class SyncState(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a run is in progress, and the pending request."""

    running: bool
    request: SyncRequest | None


async def lock(connection: AsyncConnection[Any]) -> bool:
    """Try to take the lock for one synchronisation at a time. The connection keeps it until it ends
    or unlocks."""
    return await take_lead(connection, "sync")


async def unlock(connection: AsyncConnection[Any]) -> None:
    """Release the lock at once; closing the connection does the same a little later."""
    await connection.execute("SELECT pg_advisory_unlock(hashtext('sync'))")


_RUNNING = """
    EXISTS (
        SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
        WHERE d.datname = current_database() AND l.locktype = 'advisory' AND l.granted
          AND l.objsubid = 1 AND (l.classid::bigint << 32 | l.objid::bigint) = hashtext('sync')
    )
"""


async def request_sync(connection: AsyncConnection[Any], origin: Origin, *, full: bool) -> bool:
    """Request a synchronisation. False if one is already requested or running."""
    cursor = await connection.execute(
        f"""
        INSERT INTO sync_requests AS present (full_sync, actor, correlation_id)
        SELECT %(full)s, %(actor)s, %(correlation_id)s WHERE NOT {_RUNNING}
        ON CONFLICT (only_one) DO UPDATE
        SET full_sync = EXCLUDED.full_sync, actor = EXCLUDED.actor,
            correlation_id = EXCLUDED.correlation_id, asked_at = now(), handed_over_at = NULL
        WHERE present.asked_at <= now() - %(ttl)s
        """,  # noqa: S608
        {**msgspec.structs.asdict(origin), "full": full, "ttl": EXPIRES_AFTER},
    )
    return cursor.rowcount > 0


async def state(connection: AsyncConnection[Any]) -> SyncState:
    """The state, read from the primary: a replica does not show advisory locks."""
    cursor = await connection.execute(
        f"""
        SELECT {_RUNNING}, full_sync, actor, correlation_id, asked_at
        FROM (SELECT) AS always LEFT JOIN sync_requests ON asked_at > now() - %s
        """,  # noqa: S608
        [EXPIRES_AFTER],
    )
    row = await cursor.fetchone()
    if row is None:
        raise AssertionError("unreachable")
    running, *request = row
    return SyncState(running=running, request=_request(*request) if request[-1] else None)


async def take_up(connection: AsyncConnection[Any]) -> SyncRequest | None:
    """Remove and return the pending request. The caller must hold the lock."""
    cursor = await connection.execute(
        """
        DELETE FROM sync_requests
        RETURNING full_sync, actor, correlation_id, asked_at, asked_at > now() - %s
        """,
        [EXPIRES_AFTER],
    )
    row = await cursor.fetchone()
    return _request(*row[:-1]) if row and row[-1] else None


def wake_up_due(connection: Connection[Any]) -> bool:
    """True if a worker should be sent the request now; records that it was."""
    cursor = connection.execute(
        """
        UPDATE sync_requests SET handed_over_at = now()
        WHERE asked_at > now() - %(ttl)s
          AND (handed_over_at IS NULL OR handed_over_at <= now() - %(interval)s)
        """,
        {"ttl": EXPIRES_AFTER, "interval": REPEAT_AFTER},
    )
    return cursor.rowcount > 0


def _request(full: bool, actor: str, correlation_id: str, asked_at: datetime) -> SyncRequest:
    origin = Origin(actor=actor, correlation_id=correlation_id)
    return SyncRequest(full=full, origin=origin, asked_at=asked_at)
