"""The cursor of each webhook: who sends for it now, and how far its items are taken.

One worker at a time has the lease of a webhook. A call starts only while it will end before the
lease does, so a worker that takes over never sends what the former one is still sending.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import class_row

from projections.webhook_deliveries import TEST_POSITION, Attempt
from workers.webhooks.endpoint_calls import ANSWER_TIMEOUT

LEASE_DURATION = timedelta(seconds=30)

MAX_LEASE_AGE = LEASE_DURATION.total_seconds() - ANSWER_TIMEOUT
"""Seconds after which a call starts no longer."""

GIVEN_UP_AFTER = timedelta(days=5)
"""A webhook that takes nothing for so long is disabled."""


class LeaseLost(Exception):
    """Another worker sends now, or the cursor was moved."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook as all workers see it."""

    id: UUID
    version: int
    enabled: bool
    is_free: bool
    """Whether no worker has the lease."""
    lease_token: UUID | None
    """Of the last lease, unless it was given back, or the cursor was moved since."""
    is_behind: bool
    """Whether history has events after the cursor."""
    is_failing: bool
    """Whether every try since some time has failed."""
    due_in: float | None
    """Seconds until the next item that waits is tried again; None without one."""


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    webhook_id: UUID
    lease_token: UUID
    position: int
    previous: int | None
    taken_ahead: list[int]


class Parked(msgspec.Struct, frozen=True, kw_only=True):
    """An item that waits for another try."""

    position: int
    stream: UUID
    previous: int | None
    tries: int
    wait: float | None = None
    """Seconds; None: until the items before it in its stream are taken."""


class Settlement(msgspec.Struct, kw_only=True):
    """What became of items since the last settlement."""

    position: int
    previous: int | None
    taken_ahead: Sequence[int]
    attempts: Sequence[Attempt]
    parked: Sequence[Parked]
    concluded: Sequence[int]
    """Positions that are parked no longer."""
    streams: Collection[UUID]
    """Of what is parked and concluded."""


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    free_streams: set[UUID]
    """Of the streams in the settlement, those of which nothing is parked any more."""
    given_up: bool
    """Whether every try has failed for `GIVEN_UP_AFTER`."""


async def standings(connection: AsyncConnection[Any]) -> list[Standing]:
    async with connection.cursor(row_factory=class_row(Standing)) as cursor:
        await cursor.execute(
            """
            SELECT w.id, w.version, w.enabled,
                   coalesce(c.leased_until <= now(), true) AS is_free, c.lease_token,
                   coalesce(c.position, w.created_position)
                       < (SELECT max(notification_id) FROM history_events) AS is_behind,
                   c.failing_since IS NOT NULL AS is_failing,
                   (SELECT extract(epoch FROM p.due_at - now())::float8 FROM webhook_parked p
                    WHERE p.webhook_id = w.id AND p.due_at IS NOT NULL
                      AND (w.enabled OR p.position = %s)
                    ORDER BY p.due_at LIMIT 1) AS due_in
            FROM webhooks w LEFT JOIN webhook_cursors c ON c.webhook_id = w.id
            """,
            [TEST_POSITION],
        )
        return await cursor.fetchall()


async def forget_failures(connection: AsyncConnection[Any], webhook_ids: Collection[UUID]) -> None:
    """The next failure is the first one."""
    await connection.execute(
        "UPDATE webhook_cursors SET failing_since = NULL WHERE webhook_id = ANY(%s::uuid[])",
        [list(webhook_ids)],
    )


async def acquire(connection: AsyncConnection[Any], webhook_id: UUID, token: UUID) -> Lease | None:
    """None if another worker was faster. A new webhook begins where it was created."""
    async with connection.cursor(row_factory=class_row(Lease)) as cursor:
        await cursor.execute(
            """
            INSERT INTO webhook_cursors AS present (webhook_id, position, lease_token, leased_until)
            SELECT id, created_position, %(token)s, now() + %(lease)s
            FROM webhooks WHERE id = %(id)s
            ON CONFLICT (webhook_id) DO UPDATE
            SET lease_token = EXCLUDED.lease_token, leased_until = EXCLUDED.leased_until
            WHERE present.leased_until <= now()
            RETURNING webhook_id, lease_token, position, previous, taken_ahead
            """,
            {"id": webhook_id, "token": token, "lease": LEASE_DURATION},
        )
        return await cursor.fetchone()


async def renew(connection: AsyncConnection[Any], tokens: Collection[UUID]) -> set[UUID]:
    """The tokens of the leases that are still held, and are now for the whole duration."""
    cursor = await connection.execute(
        """
        UPDATE webhook_cursors SET leased_until = now() + %s WHERE lease_token = ANY(%s::uuid[])
        RETURNING lease_token
        """,
        [LEASE_DURATION, list(tokens)],
    )
    return {token for (token,) in await cursor.fetchall()}


async def free(connection: AsyncConnection[Any], tokens: Collection[UUID]) -> int:
    """End these leases; returns how many."""
    cursor = await connection.execute(
        """
        UPDATE webhook_cursors SET lease_token = NULL, leased_until = '-infinity'
        WHERE lease_token = ANY(%s::uuid[])
        """,
        [list(tokens)],
    )
    return cursor.rowcount


async def release(connection: AsyncConnection[Any], lease: Lease) -> None:
    """All workers look whether there is more to send."""
    await free(connection, [lease.lease_token])
    await connection.execute("NOTIFY webhooks")


async def settle(connection: AsyncConnection[Any], lease: Lease, done: Settlement) -> Settled:
    """Record the settlement, and renew the lease. Raises `LeaseLost`."""
    async with connection.transaction():
        given_up = await _move(connection, lease, done)
        if done.attempts:
            await _insert_attempts(connection, lease.webhook_id, done.attempts)
        if not done.streams:
            return Settled(free_streams=set(), given_up=given_up)
        await _park(connection, lease.webhook_id, done)
        left = await _streams_left(connection, lease.webhook_id, done.streams)
    return Settled(free_streams=set(done.streams) - left, given_up=given_up)


async def _move(connection: AsyncConnection[Any], lease: Lease, done: Settlement) -> bool:
    cursor = await connection.execute(
        """
        UPDATE webhook_cursors
        SET position = %(position)s, previous = %(previous)s, taken_ahead = %(taken_ahead)s,
            leased_until = now() + %(lease)s,
            failing_since = CASE WHEN %(taken)s THEN NULL
                                 WHEN %(failed)s THEN coalesce(failing_since, now())
                                 ELSE failing_since END
        WHERE webhook_id = %(id)s AND lease_token = %(token)s
        RETURNING %(failed)s AND coalesce(failing_since <= now() - %(given_up_after)s, false)
        """,
        {
            "id": lease.webhook_id,
            "token": lease.lease_token,
            "position": done.position,
            "previous": done.previous,
            "taken_ahead": list(done.taken_ahead),
            "lease": LEASE_DURATION,
            "taken": any(attempt.error is None for attempt in done.attempts),
            "failed": any(attempt.error is not None for attempt in done.attempts),
            "given_up_after": GIVEN_UP_AFTER,
        },
    )
    row = await cursor.fetchone()
    if row is None:
        raise LeaseLost
    given_up: bool = row[0]
    return given_up


async def _insert_attempts(
    connection: AsyncConnection[Any], webhook_id: UUID, attempts: Sequence[Attempt]
) -> None:
    await connection.execute(
        """
        INSERT INTO webhook_attempts (webhook_id, position, type, at, status, answer_ms, error)
        SELECT %b, * FROM unnest(
            %b::bigint[], %b::text[], %b::timestamptz[], %b::int[], %b::int[], %b::text[]
        )
        """,
        [
            webhook_id,
            [a.position for a in attempts],
            [a.type for a in attempts],
            [a.at for a in attempts],
            [a.status for a in attempts],
            [a.answer_ms for a in attempts],
            [a.error for a in attempts],
        ],
    )


async def _park(connection: AsyncConnection[Any], webhook_id: UUID, done: Settlement) -> None:
    await connection.execute(
        "DELETE FROM webhook_parked WHERE webhook_id = %b AND position = ANY(%b::bigint[])",
        [webhook_id, list(done.concluded)],
    )
    await connection.execute(
        """
        INSERT INTO webhook_parked (webhook_id, position, stream, previous, tries, due_at)
        SELECT %b, position, stream, previous, tries, now() + make_interval(secs => wait)
        FROM unnest(%b::bigint[], %b::uuid[], %b::bigint[], %b::int[], %b::float8[])
             AS new (position, stream, previous, tries, wait)
        ON CONFLICT (webhook_id, position) DO UPDATE
        SET tries = EXCLUDED.tries, due_at = EXCLUDED.due_at
        """,
        [
            webhook_id,
            [p.position for p in done.parked],
            [p.stream for p in done.parked],
            [p.previous for p in done.parked],
            [p.tries for p in done.parked],
            [p.wait for p in done.parked],
        ],
    )
    # The first item of a stream is the one that is tried again.
    await connection.execute(
        """
        UPDATE webhook_parked AS p SET due_at = now()
        FROM unnest(%b::uuid[]) AS s (stream)
        WHERE p.webhook_id = %b AND p.stream = s.stream AND p.due_at IS NULL
          AND p.position = (
              SELECT min(position) FROM webhook_parked f
              WHERE f.webhook_id = p.webhook_id AND f.stream = p.stream
          )
        """,
        [list(done.streams), webhook_id],
    )


async def _streams_left(
    connection: AsyncConnection[Any], webhook_id: UUID, streams: Collection[UUID]
) -> set[UUID]:
    cursor = await connection.execute(
        """
        SELECT DISTINCT stream FROM webhook_parked
        WHERE webhook_id = %b AND stream = ANY(%b::uuid[])
        """,
        [webhook_id, list(streams)],
    )
    return {stream for (stream,) in await cursor.fetchall()}


async def parked_streams(connection: AsyncConnection[Any], webhook_id: UUID) -> set[UUID]:
    cursor = await connection.execute(
        "SELECT DISTINCT stream FROM webhook_parked WHERE webhook_id = %s", [webhook_id]
    )
    return {stream for (stream,) in await cursor.fetchall()}


async def due(
    connection: AsyncConnection[Any], webhook_id: UUID, *, only_tests: bool, limit: int
) -> list[Parked]:
    """Items whose next try is due, those that are due longest first."""
    async with connection.cursor(row_factory=class_row(Parked)) as cursor:
        await cursor.execute(
            """
            SELECT position, stream, previous, tries FROM webhook_parked
            WHERE webhook_id = %s AND due_at <= now() AND (position = %s OR NOT %s)
            ORDER BY due_at, position LIMIT %s
            """,
            [webhook_id, TEST_POSITION, only_tests, limit],
        )
        return await cursor.fetchall()


async def next_due_in(connection: AsyncConnection[Any], webhook_id: UUID) -> float | None:
    """Seconds until the next try of a parked item; None without one."""
    cursor = await connection.execute(
        """
        SELECT extract(epoch FROM due_at - now())::float8 FROM webhook_parked
        WHERE webhook_id = %s AND due_at > now() ORDER BY due_at LIMIT 1
        """,
        [webhook_id],
    )
    row = await cursor.fetchone()
    return row[0] if row else None
