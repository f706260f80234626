"""Calls that are done once: the answer of each is stored under its key, in the transaction of what
it did. Whoever sends the key again gets that answer, from any process, for a day.

`append_to_history` stores the answers of commands, and `store` those of other transactions. No row
says that a call is in progress: who comes second waits for a lock, and finds the answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.core.errors import Refused

SWEEP_SIZE = 1_000
"""Expired answers that are deleted in one transaction."""

Completion = Callable[[AsyncConnection[Any], Any], Awaitable[Any]]
"""Given a command's value, returns what its answer shows besides, read or written on the connection
after the append."""


class Once(msgspec.Struct, frozen=True, kw_only=True):
    """Has a call done once, however often it is sent."""

    key: bytes
    """A hash of the caller and of the key that was sent."""
    fingerprint: bytes
    """A hash of the call: under one key there is only one."""
    answer: Callable[[Any], bytes]
    """Makes the answer that is stored, encrypted, from the value of the command."""
    complete: Completion | None = None
    """In the transaction of the command's events."""


class Stored(msgspec.Struct, frozen=True):
    """The answer to a call that was done before."""

    fingerprint: bytes
    answer: bytes
    position: int


class NewAnswer(msgspec.Struct, frozen=True):
    """An answer that is stored with an append."""

    once: Once
    answer: bytes
    index: int
    """Of the last domain event of the call, in the append."""
    about: UUID | None
    """The visitor whose erasure deletes the answer."""


class IdempotencyKeyReused(Refused):
    """The Idempotency-Key was used before, for another call or with another body"""

    status = 422


async def look_up(
    connection: AsyncConnection[Any], calls: Sequence[Once | None]
) -> dict[int, Stored | IdempotencyKeyReused]:
    """The stored answers of these calls, by their index."""
    keys = [once.key for once in calls if once]
    if not keys:
        return {}
    cursor = await connection.execute(
        """
        SELECT key, fingerprint, answer, position FROM idempotency_keys
        WHERE key = ANY(%b::bytea[]) AND expires_at > now()
        """,
        [keys],
        binary=True,
    )
    stored = {key: Stored(*rest) for key, *rest in await cursor.fetchall()}
    return {
        index: found if found.fingerprint == once.fingerprint else IdempotencyKeyReused()
        for index, once in enumerate(calls)
        if once and (found := stored.get(once.key))
    }


async def lock(connection: AsyncConnection[Any], once: Once) -> None:
    """Wait for other transactions that lock the key, until the end of this one."""
    number = int.from_bytes(once.key[:8], signed=True)
    await connection.execute("SELECT pg_advisory_xact_lock(%b::bigint)", [number])


async def store(connection: AsyncConnection[Any], once: Once, value: Any, position: int) -> None:
    """Store the answer with the connection's transaction."""
    await connection.execute(
        """
        INSERT INTO idempotency_keys AS stored (key, fingerprint, answer, position)
        VALUES (%b, %b, %b, %b::bigint)
        ON CONFLICT (key) DO UPDATE
        SET fingerprint = EXCLUDED.fingerprint, answer = EXCLUDED.answer,
            position = EXCLUDED.position, about = EXCLUDED.about, expires_at = EXCLUDED.expires_at
        """,
        [once.key, once.fingerprint, once.answer(value), position],
    )


async def complete(connection: AsyncConnection[Any], once: Once | None, value: Any) -> None:
    """Replace the answer, which was stored with the append, by the complete one, if it needs to be
    completed."""
    if once and once.complete:
        answer = once.answer(await once.complete(connection, value))
        await connection.execute(
            "UPDATE idempotency_keys SET answer = %b WHERE key = %b", [answer, once.key]
        )


async def forget(connection: AsyncConnection[Any], visitor_ids: Iterable[UUID]) -> None:
    """Delete the answers about these visitors: they may show the names and the emails."""
    await connection.execute(
        "DELETE FROM idempotency_keys WHERE about = ANY(%b::uuid[])", [list(visitor_ids)]
    )


async def delete_expired(connection: AsyncConnection[Any]) -> int:
    """In short transactions, on a connection that commits each statement. Returns the number."""
    deleted = 0
    while True:
        cursor = await connection.execute(
            """
            DELETE FROM idempotency_keys WHERE key IN (
                SELECT key FROM idempotency_keys WHERE expires_at <= now()
                ORDER BY expires_at LIMIT %b FOR UPDATE SKIP LOCKED
            )
            """,
            [SWEEP_SIZE],
        )
        deleted += cursor.rowcount
        if cursor.rowcount < SWEEP_SIZE:
            return deleted
