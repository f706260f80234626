"""Which workers are dead, though their leases have not expired.

By the clock alone, a suspended worker looks like a dead one. But the session of a suspended worker
in PostgreSQL is still there, and holds an advisory lock that identifies the worker; when a worker
or its host dies, the session ends. So leases can be long, for suspended workers, and what dead
workers have leased waits only for seconds.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from time import monotonic
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection


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


class MissingWorkers:
    """Remembers since when workers have had no session."""

    def __init__(self) -> None:
        self._since: dict[int, float] = {}

    def __bool__(self) -> bool:
        return bool(self._since)

    async def dead(
        self, connection: AsyncConnection[Any], tokens: Collection[UUID], after: float
    ) -> list[UUID]:
        """Those of the tokens whose workers have had no session for so many seconds."""
        now = monotonic()
        live = await _live_workers(connection) if tokens else set[int]()
        missing = {worker for token in tokens if (worker := _worker_of(token)) not in live}
        self._since = {worker: self._since.get(worker, now) for worker in missing}
        dead = {worker for worker, since in self._since.items() if since <= now - after}
        return [token for token in tokens if _worker_of(token) in dead]


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
