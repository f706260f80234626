"""Frees the leases of dead workers, long before they expire.

By the clock alone, a suspended worker looks like a dead one. But the session of a suspended worker
in PostgreSQL is still there, and holds an advisory lock that identifies the worker; when a worker
or its host dies, the session ends. So leases can be long, for suspended workers, and rows of dead
workers wait only for seconds.
"""

from __future__ import annotations

import math
import secrets
from time import monotonic
from typing import Any
from uuid import UUID

import structlog
from psycopg import AsyncConnection

from workers.delivery.leases import LEASE_DURATION

DEAD_AFTER = 15.0
"""Seconds without a session, after which a worker is dead: before, it may connect again."""

CHECK_INTERVAL = 2.0
"""Seconds between two checks."""

MIN_LEASE_AGE = 10.0
"""Seconds. Newer leases are never freed."""

log = structlog.get_logger()


def new_worker_id() -> int:
    """An id for a worker; it is also the key of its advisory lock."""
    return secrets.randbits(63)


def new_token(worker_id: int) -> UUID:
    """The token of one lease; it contains the id of the worker."""
    return UUID(int=worker_id << 64 | secrets.randbits(64))


def _worker_of(token: UUID) -> int:
    return token.int >> 64


async def hold_liveness_lock(connection: AsyncConnection[Any], worker_id: int) -> None:
    """Show that the worker lives, as long as the session lasts. The lock is shared, because a lost
    session of the same worker may not have ended yet."""
    await connection.execute("SELECT pg_advisory_lock_shared(%b)", [worker_id])


class AbandonedLeases:
    """Remembers since when workers have had no session."""

    def __init__(self) -> None:
        self._missing_since: dict[int, float] = {}
        self._checked_at = -math.inf

    async def free(self, connection: AsyncConnection[Any]) -> None:
        """Make the rows due that dead workers have leased. Checks once in `CHECK_INTERVAL`."""
        now = monotonic()
        if now < self._checked_at + CHECK_INTERVAL:
            return
        self._checked_at = now
        tokens = await _tokens_of_age(connection)
        live = await _live_workers(connection) if tokens else set[int]()
        missing = {worker for token in tokens if (worker := _worker_of(token)) not in live}
        self._missing_since = {worker: self._missing_since.get(worker, now) for worker in missing}
        dead = {w for w, since in self._missing_since.items() if since <= now - DEAD_AFTER}
        freed = [token for token in tokens if _worker_of(token) in dead]
        if freed:
            cursor = await connection.execute(
                """
                UPDATE outbox SET lease_token = NULL, due_at = now()
                WHERE state = 'waiting' AND due_at > now() AND lease_token = ANY(%b::uuid[])
                """,
                [freed],
            )
            log.warning("a worker died: its leased rows are due again", rows=cursor.rowcount)


async def _tokens_of_age(connection: AsyncConnection[Any]) -> list[UUID]:
    cursor = await connection.execute(
        """
        SELECT DISTINCT lease_token FROM outbox
        WHERE state = 'waiting' AND lease_token IS NOT NULL
          AND due_at > now() AND due_at < now() + make_interval(secs => %b)
        """,
        [LEASE_DURATION.total_seconds() - MIN_LEASE_AGE],
    )
    return [token for (token,) in await cursor.fetchall()]


async def _live_workers(connection: AsyncConnection[Any]) -> set[int]:
    cursor = await connection.execute(
        """
        SELECT l.classid::int8 << 32 | l.objid::int8
        FROM pg_locks l JOIN pg_database d ON d.oid = l.database
        WHERE d.datname = current_database() AND l.locktype = 'advisory' AND l.granted
          AND l.objsubid = 1
        """
    )
    return {key for (key,) in await cursor.fetchall()}
