"""Connections to the database that history is in, wherever that is after a failover."""

from __future__ import annotations

import time
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from domain.core.availability import only_reads

REPLACED_EVERY = 1.0
"""Seconds from one replacement of all connections to the next."""


class PrimaryPool(AsyncConnectionPool[AsyncConnection[Any]]):
    """When one of its connections leads to a server that only reads, all are replaced: another
    server may be the primary by now. Until one is found, those that there are answer queries."""

    _replaced_at = 0.0

    async def putconn(self, conn: AsyncConnection[Any]) -> None:
        now = time.monotonic()
        if only_reads(conn) and now >= self._replaced_at + REPLACED_EVERY:
            self._replaced_at = now
            await self.drain()
        await super().putconn(conn)
