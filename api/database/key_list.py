"""Reads API keys for the pages and commands that manage them."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.sql import SQL

from domain.api_keys import Scope

DOOR_SCOPES: tuple[Scope, ...] = ("check_in", "personal")


class KeyRow(msgspec.Struct, frozen=True):
    id: UUID
    name: str
    scopes: list[Scope]
    event_ids: list[UUID] | None
    expires_at: datetime | None
    created_at: datetime
    created_by: str
    """An actor, as in history."""
    rolled_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    version: int
    """Version of the aggregate."""

    def is_of_door(self, event_id: UUID) -> bool:
        """Whether it can do nothing but check in at this event."""
        return (
            self.event_ids == [event_id]
            and "check_in" in self.scopes
            and {*self.scopes} <= {*DOOR_SCOPES}
        )


_COLUMNS = SQL(
    "id, name, scopes, event_ids, expires_at, created_at, created_by, rolled_at, revoked_at,"
    " last_used_at, version"
)


async def list_keys(
    connection: AsyncConnection[Any], *, limit: int, offset: int = 0
) -> tuple[list[KeyRow], int]:
    """Keys that are not revoked, newest first, expired ones included; and their number."""
    cursor = await connection.execute(
        SQL("""
        WITH page AS (
            SELECT * FROM api_keys WHERE revoked_at IS NULL
            ORDER BY created_at DESC, id LIMIT %(limit)s OFFSET %(offset)s
        )
        SELECT t.total, {}
        FROM (SELECT count(*) AS total FROM api_keys WHERE revoked_at IS NULL) t
        LEFT JOIN page ON true
        ORDER BY created_at DESC, id
        """).format(_COLUMNS),
        {"limit": limit, "offset": offset},
    )
    found = await cursor.fetchall()
    return [KeyRow(*row[1:]) for row in found if row[1] is not None], found[0][0]


async def find_key(connection: AsyncConnection[Any], id: UUID) -> KeyRow | None:
    """Also a revoked one."""
    cursor = await connection.execute(
        SQL("SELECT {} FROM api_keys WHERE id = %s").format(_COLUMNS), [id]
    )
    row = await cursor.fetchone()
    return KeyRow(*row) if row else None


async def list_door_keys(connection: AsyncConnection[Any], event_id: UUID) -> list[KeyRow]:
    """Those that `KeyRow.is_of_door` is true of and that are not revoked, the newest first."""
    cursor = await connection.execute(
        SQL("""
        SELECT {} FROM api_keys
        WHERE event_ids = ARRAY[%(event_id)s]::uuid[] AND revoked_at IS NULL
          AND 'check_in' = ANY(scopes) AND scopes <@ %(door_scopes)s
        ORDER BY created_at DESC, id
        """).format(_COLUMNS),
        {"event_id": event_id, "door_scopes": list(DOOR_SCOPES)},
    )
    return [KeyRow(*row) for row in await cursor.fetchall()]
