"""Removes expired sessions.

A login removes the expired sessions of its own account; this removes those of accounts that do not
log in again. Authentication refuses them in any case.
"""

from __future__ import annotations

from typing import cast
from uuid import UUID

from domain.history.store import connect

BATCH_SIZE = 1_000
"""Sessions checked in one transaction."""


async def remove_expired_sessions(database_url: str) -> int:
    """Remove expired sessions, each with its refresh token; returns their number.

    Sessions are read in the order of their ids: an index on the time would make every token refresh
    slower.
    """
    removed, last = 0, UUID(int=0)
    async with await connect(database_url) as connection:
        while True:
            cursor = await connection.execute(
                """
                WITH batch AS MATERIALIZED (
                    SELECT id FROM sessions WHERE id > %(last)s ORDER BY id LIMIT %(batch)s
                ), removed AS (
                    DELETE FROM sessions USING batch
                    WHERE sessions.id = batch.id AND sessions.expires_at <= now()
                    RETURNING sessions.id
                )
                SELECT (SELECT count(*) FROM removed),
                       (SELECT id FROM batch ORDER BY id DESC LIMIT 1)
                """,
                {"last": last, "batch": BATCH_SIZE},
            )
            gone, end = cast("tuple[int, UUID | None]", await cursor.fetchone())
            removed += gone
            if end is None:
                return removed
            last = end
