"""The names of visitors: concurrent requests share reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from api.database.query import run_query
from api.database.single_flight import BatchedReads
from api.identity.credentials import Pool
from domain.privacy.keys import InstallationKeys
from projections.people import names_of


class Names:
    """As history has them now, on connections to the primary; None for erased people."""

    def __init__(self, pool: Pool, keys: InstallationKeys) -> None:
        self._pool = pool
        self._keys = keys
        self._read = BatchedReads(self._read_all)

    async def of(self, visitor_id: UUID) -> str | None:
        return await self._read(visitor_id)

    async def on(self, connection: AsyncConnection[Any], visitor_id: UUID) -> str | None:
        """As this connection's transaction sees it."""
        return (await names_of(connection, self._keys, [visitor_id])).get(visitor_id)

    async def _read_all(self, visitor_ids: Sequence[UUID]) -> list[str | None]:
        names = await run_query(
            self._pool, lambda connection: names_of(connection, self._keys, visitor_ids)
        )
        return [names.get(id) for id in visitor_ids]
