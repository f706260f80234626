"""How far webhooks were sent: what the API and the command line show, and what they request."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row

CHANNEL = "webhooks"
"""The channel of the NOTIFY after a request."""

TEST_POSITION = 0
"""Of a test, which is no event of history."""

UNKNOWN_ITEM = -1
"""As `previous` of a cursor: it was moved, and the item before it must be looked up."""

LISTED = 10_000
"""Attempts of a webhook that can be seen, the newest: there may be a hundred million in a week."""


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    position: int
    type: str
    at: datetime
    status: int | None
    """Of the answer; None without one."""
    answer_ms: int
    error: str | None
    """None when the item was taken."""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a webhook was sent."""

    position: int
    """All items up to here are taken, given up, or wait for another try."""
    waiting: int
    """Items that wait for another try, or behind such an item."""
    failing_since: datetime | None
    """Every try since then has failed."""


async def progress_of(connection: AsyncConnection[Any], webhook_id: UUID) -> Progress | None:
    """None before the first item was sent."""
    async with connection.cursor(row_factory=class_row(Progress)) as cursor:
        await cursor.execute(
            """
            SELECT position, failing_since,
                   (SELECT count(*) FROM webhook_parked p
                    WHERE p.webhook_id = c.webhook_id AND p.position <> %s) AS waiting
            FROM webhook_cursors c WHERE webhook_id = %s
            """,
            [TEST_POSITION, webhook_id],
        )
        return await cursor.fetchone()


async def count_attempts(connection: AsyncConnection[Any], webhook_id: UUID) -> int:
    """`LISTED` at most."""
    cursor = await connection.execute(
        """
        SELECT count(*) FROM (
            SELECT FROM webhook_attempts WHERE webhook_id = %s ORDER BY id DESC LIMIT %s
        ) AS newest
        """,
        [webhook_id, LISTED],
    )
    row = await cursor.fetchone()
    return row[0] if row else 0


async def list_attempts(
    connection: AsyncConnection[Any], webhook_id: UUID, *, limit: int, offset: int = 0
) -> list[Attempt]:
    """The newest first, of the newest `LISTED`."""
    async with connection.cursor(row_factory=class_row(Attempt)) as cursor:
        await cursor.execute(
            """
            SELECT position, type, at, status, answer_ms, error FROM webhook_attempts
            WHERE webhook_id = %s ORDER BY id DESC LIMIT %s OFFSET %s
            """,
            [webhook_id, max(0, min(limit, LISTED - offset)), min(offset, LISTED)],
        )
        return await cursor.fetchall()


async def request_test(connection: AsyncConnection[Any], webhook_id: UUID) -> None:
    """Have a worker send a test at once; one at a time."""
    await connection.execute(
        """
        INSERT INTO webhook_parked (webhook_id, position, stream, tries, due_at)
        VALUES (%s, %s, %s, 0, now())
        ON CONFLICT (webhook_id, position) DO UPDATE SET due_at = now()
        """,
        [webhook_id, TEST_POSITION, webhook_id],
    )
    await connection.execute("NOTIFY webhooks")


async def resend(connection: AsyncConnection[Any], webhook_id: UUID, after: int) -> None:
    """Have the items after this position sent again. The worker that sends now loses its lease."""
    async with connection.transaction():
        await connection.execute(
            """
            INSERT INTO webhook_cursors AS present (webhook_id, position, previous)
            SELECT id, least(created_position, %(after)s), %(unknown)s
            FROM webhooks WHERE id = %(id)s
            ON CONFLICT (webhook_id) DO UPDATE
            SET position = least(present.position, %(after)s), previous = %(unknown)s,
                taken_ahead = '{}', lease_token = NULL, leased_until = '-infinity'
            WHERE present.position > %(after)s OR present.taken_ahead <> '{}'
            """,
            {"id": webhook_id, "after": after, "unknown": UNKNOWN_ITEM},
        )
        await connection.execute(
            "DELETE FROM webhook_parked WHERE webhook_id = %s AND position > %s",
            [webhook_id, after],
        )
        await connection.execute("NOTIFY webhooks")
