"""Connections to the primary, also after a failover."""

from __future__ import annotations

import time
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from domain.core.availability import only_reads

REPLACEMENT_INTERVAL = 1.0
"""Seconds between two replacements of all connections, at least."""


class PrimaryPool(AsyncConnectionPool[AsyncConnection[Any]]):
    """Replaces all its connections when one of them turns out to be read-only: another server may
    be the primary now. Until that one is found, the old connections answer queries."""

    _replaced_at = 0.0

    async def putconn(self, conn: AsyncConnection[Any]) -> None:
        now = time.monotonic()
        if only_reads(conn) and now >= self._replaced_at + REPLACEMENT_INTERVAL:
            self._replaced_at = now
            await self.drain()
        await super().putconn(conn)
