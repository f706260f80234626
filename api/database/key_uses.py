"""When each API key was last used: noted in memory, and written once a minute and at the end of the
process, so that a call writes nothing. What a killed process had noted is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from uuid import UUID

import structlog

from api.identity.credentials import Pool
from domain.core.availability import UNAVAILABLE

WRITING_INTERVAL = 60.0
"""Seconds."""

log = structlog.get_logger()


class KeyUses:
    """The uses of keys that are not written yet."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._last: dict[UUID, datetime] = {}

    def note(self, key_id: UUID) -> None:
        self._last[key_id] = datetime.now(UTC)

    async def write(self) -> None:
        """Keeps them for the next time if the database is away."""
        if not self._last:
            return
        noted, self._last = self._last, {}
        try:
            async with self._pool.connection() as connection:
                # In the order of ids: two processes that write never wait for each other in a ring.
                await connection.execute(
                    """
                    WITH locked AS (
                        SELECT id FROM api_keys WHERE id = ANY(%(ids)s)
                        ORDER BY id FOR NO KEY UPDATE
                    )
                    UPDATE api_keys k SET last_used_at = greatest(k.last_used_at, noted.at)
                    FROM locked JOIN unnest(%(ids)s, %(times)s) AS noted (id, at) USING (id)
                    WHERE k.id = locked.id
                    """,
                    {"ids": list(noted), "times": list(noted.values())},
                )
        except UNAVAILABLE as error:
            self._last = noted | self._last
            log.warning("the last uses of API keys could not be written", reason=str(error))


@asynccontextmanager
async def uses_written(pool: Pool) -> AsyncIterator[KeyUses]:
    """Write them while the block runs, and at its end."""
    uses = KeyUses(pool)

    async def write() -> None:
        while True:
            await asyncio.sleep(WRITING_INTERVAL)
            await uses.write()

    writing = asyncio.create_task(write(), name="last uses of API keys")
    try:
        yield uses
    finally:
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
        await uses.write()
