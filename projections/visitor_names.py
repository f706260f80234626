"""Visitors by their ids and those of messages to them, for pages that show ids of all kinds."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from domain.privacy.keys import InstallationKeys
from projections.people import with_people
from projections.visitors import COLUMNS, VisitorRow, made


async def visitors_among(
    connection: AsyncConnection[Any], keys: InstallationKeys, ids: Collection[UUID]
) -> list[VisitorRow]:
    """Without places in line."""
    if not ids:
        return []
    cursor = await connection.execute(
        f"SELECT registered_at, id, {COLUMNS} FROM visitors WHERE id = ANY(%s)",  # noqa: S608
        [list(ids)],
        binary=True,
    )
    return await with_people(connection, keys, [made(*row) for row in await cursor.fetchall()])


async def recipients_among(
    connection: AsyncConnection[Any], ids: Collection[UUID]
) -> dict[UUID, UUID]:
    """The visitor of each message among them."""
    cursor = await connection.execute(
        "SELECT id, visitor_id FROM outbox WHERE id = ANY(%s)", [list(ids)], binary=True
    )
    return dict(await cursor.fetchall())
