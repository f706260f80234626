"""Visitors by their ids and those of messages to them, for pages that show ids of all kinds."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.privacy.keys import InstallationKeys
from projections.message_texts import Kind
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


class SentMessage(msgspec.Struct, frozen=True):
    """A message: what was sent, or is to be sent, to whom."""

    visitor_id: UUID
    event_id: UUID
    kind: Kind


async def messages_among(
    connection: AsyncConnection[Any], ids: Collection[UUID]
) -> dict[UUID, SentMessage]:
    cursor = await connection.execute(
        "SELECT id, visitor_id, event_id, kind FROM outbox WHERE id = ANY(%s)",
        [list(ids)],
        binary=True,
    )
    return {id: SentMessage(*row) for id, *row in await cursor.fetchall()}
