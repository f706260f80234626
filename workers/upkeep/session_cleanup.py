"""Cleaning up after those who signed in: sessions that have run out are removed.

A login removes those of its own account; what is left are the sessions of accounts that do not
come back. Authentication refuses them anyway.
"""

from __future__ import annotations

from typing import cast
from uuid import UUID

from domain.history.store import connect

BATCH = 1_000
"""Sessions looked at in one commit."""


async def clean_up_tokens(database_url: str) -> int:
    """Remove the sessions that have run out, and with each its refresh token; answers how many.

    They are walked through by id: an index by time would make each refresh dearer.
    """
    removed, last = 0, UUID(int=0)
    async with await connect(database_url) as connection:
        while True:
            cursor = await connection.execute(
                """
                WITH stretch AS MATERIALIZED (
                    SELECT id FROM sessions WHERE id > %(last)s ORDER BY id LIMIT %(batch)s
                ), removed AS (
                    DELETE FROM sessions USING stretch
                    WHERE sessions.id = stretch.id AND sessions.expires_at <= now()
                    RETURNING sessions.id
                )
                SELECT (SELECT count(*) FROM removed),
                       (SELECT id FROM stretch ORDER BY id DESC LIMIT 1)
                """,
                {"last": last, "batch": BATCH},
            )
            gone, end = cast("tuple[int, UUID | None]", await cursor.fetchone())
            removed += gone
            if end is None:
                return removed
            last = end
