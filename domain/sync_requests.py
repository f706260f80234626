"""Asking for a synchronisation: at most one is asked for at a time, until a worker takes it up.

What is asked for stands in PostgreSQL: Redis may forget it, everybody sees it, and who asks a
second time adds nothing. The scheduler hands it to the workers, and the one that takes it up
synchronises on behalf of who asked.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from psycopg import AsyncConnection, Connection

from domain.history.batch import Origin
from domain.history.leadership import take_lead

TABLE = """
CREATE TABLE IF NOT EXISTS sync_requests (
    only_one       boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    full_sync      boolean     NOT NULL,
    actor          text        NOT NULL,
    correlation_id text        NOT NULL,
    asked_at       timestamptz NOT NULL DEFAULT now(),
    handed_over_at timestamptz
);
"""

STANDS = timedelta(minutes=10)
"""After which a request that nobody took up counts for nothing: who asked has given up by then."""

REPEATED = timedelta(seconds=10)
"""After which a request that was not taken up is handed over again."""


class SyncRequest(msgspec.Struct, frozen=True, kw_only=True):
    full: bool
    origin: Origin
    asked_at: datetime


class SyncState(msgspec.Struct, frozen=True, kw_only=True):
    """What is under way, and what comes next."""

    running: bool
    request: SyncRequest | None


async def lock(connection: AsyncConnection[Any]) -> bool:
    """Whether this connection is now the one that synchronises, until it ends or unlocks."""
    return await take_lead(connection, "sync")


async def unlock(connection: AsyncConnection[Any]) -> None:
    """Let the next one begin at once: closing the connection does as well, a little later."""
    await connection.execute("SELECT pg_advisory_unlock(hashtext('sync'))")


_RUNNING = """
    EXISTS (
        SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
        WHERE d.datname = current_database() AND l.locktype = 'advisory' AND l.granted
          AND l.objsubid = 1 AND (l.classid::bigint << 32 | l.objid::bigint) = hashtext('sync')
    )
"""


async def ask(connection: AsyncConnection[Any], origin: Origin, *, full: bool) -> bool:
    """Whether it is asked for now: not while another one is, or while one is under way."""
    cursor = await connection.execute(
        f"""
        INSERT INTO sync_requests AS present (full_sync, actor, correlation_id)
        SELECT %(full)s, %(actor)s, %(correlation_id)s WHERE NOT {_RUNNING}
        ON CONFLICT (only_one) DO UPDATE
        SET full_sync = EXCLUDED.full_sync, actor = EXCLUDED.actor,
            correlation_id = EXCLUDED.correlation_id, asked_at = now(), handed_over_at = NULL
        WHERE present.asked_at <= now() - %(stands)s
        """,  # noqa: S608
        {**msgspec.structs.asdict(origin), "full": full, "stands": STANDS},
    )
    return cursor.rowcount > 0


async def state(connection: AsyncConnection[Any]) -> SyncState:
    """Told by the database that history is in; a replica knows nothing of locks."""
    cursor = await connection.execute(
        f"""
        SELECT {_RUNNING}, full_sync, actor, correlation_id, asked_at
        FROM (SELECT) AS always LEFT JOIN sync_requests ON asked_at > now() - %s
        """,  # noqa: S608
        [STANDS],
    )
    row = await cursor.fetchone()
    if row is None:
        raise AssertionError("unreachable")
    running, *request = row
    return SyncState(running=running, request=_request(*request) if request[-1] else None)


async def take_up(connection: AsyncConnection[Any]) -> SyncRequest | None:
    """What is asked for, which is so no longer. For who has the lock."""
    cursor = await connection.execute(
        """
        DELETE FROM sync_requests
        RETURNING full_sync, actor, correlation_id, asked_at, asked_at > now() - %s
        """,
        [STANDS],
    )
    row = await cursor.fetchone()
    return _request(*row[:-1]) if row and row[-1] else None


def is_to_be_handed_over(connection: Connection[Any]) -> bool:
    """Whether a worker is to be told of it now; it is noted that one was."""
    cursor = connection.execute(
        """
        UPDATE sync_requests SET handed_over_at = now()
        WHERE asked_at > now() - %(stands)s
          AND (handed_over_at IS NULL OR handed_over_at <= now() - %(repeated)s)
        """,
        {"stands": STANDS, "repeated": REPEATED},
    )
    return cursor.rowcount > 0


def _request(full: bool, actor: str, correlation_id: str, asked_at: datetime) -> SyncRequest:
    origin = Origin(actor=actor, correlation_id=correlation_id)
    return SyncRequest(full=full, origin=origin, asked_at=asked_at)
