"""Names of events, areas, accounts and API keys by id, for pages that show all of them.

Names of visitors are not among them: readers of history must not see them.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

TABLES = ["accounts", "areas", "events"]


async def names_of(connection: AsyncConnection[Any], ids: Collection[UUID]) -> dict[UUID, str]:
    """Names by id; ids of things that do not exist now are missing."""
    cursor = await connection.execute(
        """
        SELECT id, name FROM events WHERE id = ANY(%(ids)s)
        UNION ALL
        SELECT id, name FROM areas WHERE id = ANY(%(ids)s)
        UNION ALL
        SELECT id, username FROM accounts WHERE id = ANY(%(ids)s)
        UNION ALL
        SELECT id, name FROM api_keys WHERE id = ANY(%(ids)s)
        """,
        {"ids": list(ids)},
        binary=True,
    )
    return dict(await cursor.fetchall())


async def timezones_of(connection: AsyncConnection[Any], ids: Collection[UUID]) -> dict[UUID, str]:
    """Of the events among them."""
    cursor = await connection.execute(
        "SELECT id, timezone FROM events WHERE id = ANY(%s)", [list(ids)], binary=True
    )
    return dict(await cursor.fetchall())
