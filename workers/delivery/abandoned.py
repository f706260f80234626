"""Leases of workers that are gone: freed long before they run out.

A worker that stands still looks like one that is gone, to whoever only looks at the clock. But its
session in PostgreSQL is there, and holds a lock by which its leases are known; of one that died,
or whose host did, the session ends. So leases last long, for workers that stand still, and the rows
of dead ones wait for seconds.
"""

from __future__ import annotations

import math
import secrets
from time import monotonic
from typing import Any
from uuid import UUID

import structlog
from psycopg import AsyncConnection

from workers.delivery.leases import LEASE

GONE_FOR = 15.0
"""Seconds without a session after which a worker is gone: it may be about to connect again."""

LOOK_EVERY = 2.0
"""Seconds."""

BEGUN = 10.0
"""Seconds that a lease is left alone for, in any case."""

log = structlog.get_logger()


def new_holder() -> int:
    """A name for a worker, which is a key of an advisory lock too."""
    return secrets.randbits(63)


def new_token(holder: int) -> UUID:
    """For the rows of one lease."""
    return UUID(int=holder << 64 | secrets.randbits(64))


def _holder_of(token: UUID) -> int:
    return token.int >> 64


async def show_life(connection: AsyncConnection[Any], holder: int) -> None:
    """As long as the connection's session lasts. Shared with a session that was lost and has not
    ended yet."""
    await connection.execute("SELECT pg_advisory_lock_shared(%b)", [holder])


class Abandoned:
    """Remembers which holders were gone at the last looks."""

    def __init__(self) -> None:
        self._gone_since: dict[int, float] = {}
        self._looked_at = -math.inf

    async def free(self, connection: AsyncConnection[Any]) -> None:
        """Make due what holders have leased who are gone. Looks once in `LOOK_EVERY`."""
        now = monotonic()
        if now < self._looked_at + LOOK_EVERY:
            return
        self._looked_at = now
        tokens = await _old_tokens(connection)
        living = await _living(connection) if tokens else set[int]()
        gone = {holder for token in tokens if (holder := _holder_of(token)) not in living}
        self._gone_since = {holder: self._gone_since.get(holder, now) for holder in gone}
        for_good = {holder for holder, since in self._gone_since.items() if since <= now - GONE_FOR}
        freed = [token for token in tokens if _holder_of(token) in for_good]
        if freed:
            cursor = await connection.execute(
                """
                UPDATE outbox SET lease_token = NULL, due_at = now()
                WHERE state = 'waiting' AND due_at > now() AND lease_token = ANY(%b::uuid[])
                """,
                [freed],
            )
            log.warning("a worker is gone: what it had leased is due", rows=cursor.rowcount)


async def _old_tokens(connection: AsyncConnection[Any]) -> list[UUID]:
    cursor = await connection.execute(
        """
        SELECT DISTINCT lease_token FROM outbox
        WHERE state = 'waiting' AND lease_token IS NOT NULL
          AND due_at > now() AND due_at < now() + make_interval(secs => %b)
        """,
        [LEASE.total_seconds() - BEGUN],
    )
    return [token for (token,) in await cursor.fetchall()]


async def _living(connection: AsyncConnection[Any]) -> set[int]:
    cursor = await connection.execute(
        """
        SELECT l.classid::int8 << 32 | l.objid::int8
        FROM pg_locks l JOIN pg_database d ON d.oid = l.database
        WHERE d.datname = current_database() AND l.locktype = 'advisory' AND l.granted
          AND l.objsubid = 1
        """
    )
    return {key for (key,) in await cursor.fetchall()}
