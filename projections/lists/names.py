"""What things are called, by their ids, for pages that show many kinds of them.

Visitors are not among them: who reads history reads no names of theirs.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

TABLES = ["accounts", "areas", "events"]


async def names_of(connection: AsyncConnection[Any], ids: Collection[UUID]) -> dict[UUID, str]:
    """Of those events, areas and accounts that there are now."""
    cursor = await connection.execute(
        """
        SELECT id, name FROM events WHERE id = ANY(%(ids)s)
        UNION ALL
        SELECT id, name FROM areas WHERE id = ANY(%(ids)s)
        UNION ALL
        SELECT id, username FROM accounts WHERE id = ANY(%(ids)s)
        """,
        {"ids": list(ids)},
        binary=True,
    )
    return dict(await cursor.fetchall())
