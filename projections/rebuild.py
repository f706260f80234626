"""Rebuilds a projection's table from the beginning of history, while the present one stays in use.

The new table fills in a schema of its own, by the very code that keeps tables up to date: the
connection's search path makes it work there. At the end the present table is locked for a moment,
the new one takes in what came last, and replaces it.

The outbox stays sound throughout. Nobody delivers from the new table before it is complete. The
lock waits for every worker that is settling a row, so its outcome is in history and is taken in;
one that comes to settle later finds the lease it holds in the new table (`carry_over`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from domain.history import connect, last_position
from domain.personal_data import InstallationKeys
from projections.all import PROJECTIONS_TABLE
from projections.projection import Projection
from projections.tail import PositionMoved, Tail

SCHEMA = "rebuilding"

Progress = Callable[[int, int], None]
"""Told the position reached, and the one to be reached."""


LOCK_TIMEOUT = "3s"
"""Queries on the table queue behind a lock that is waited for: rather try again than that."""

LOCK_TRIES = 10


class CannotRebuild(Exception):
    """Why the table was left as it was."""


async def rebuild_table(
    database_url: str, keys: InstallationKeys, projection: Projection, progress: Progress
) -> int:
    """Replace the projection's table by one that history gives now; the position it includes.

    Raises `CannotRebuild`.
    """
    async with await connect(database_url) as connection:
        await _be_the_only_one(connection)
        home = await _prepare(connection, projection)
        try:
            tail = Tail(connection, keys, announces=False)
            await tail.follow([projection])
            await _catch_up(connection, tail, projection, progress)
            await connection.execute(SQL("ANALYZE {}").format(Identifier(projection.name)))
            for _ in range(LOCK_TRIES):
                with suppress(psycopg.errors.LockNotAvailable, PositionMoved):
                    return await _replace(connection, tail, projection, home, progress)
                await tail.follow([projection])  # what _replace applied was rolled back
                await _catch_up(connection, tail, projection, progress)
            raise CannotRebuild(f"some transaction keeps {projection.name} in use; end it first")
        finally:
            if not connection.closed:
                await _drop(connection)


async def _be_the_only_one(connection: AsyncConnection[Any]) -> None:
    cursor = await connection.execute(
        "SELECT pg_try_advisory_lock(hashtext('projections'), hashtext('rebuild'))"
    )
    if await cursor.fetchone() != (True,):
        raise CannotRebuild("another rebuild is at work; wait for it to end")


async def _prepare(connection: AsyncConnection[Any], projection: Projection) -> str:
    """Create the empty table in the schema of its own, and work there from now on. Gives the
    schema that the present table is in."""
    cursor = await connection.execute("SELECT current_schema()")
    row = await cursor.fetchone()
    home = str(row and row[0])
    await _drop(connection)
    await connection.execute(SQL("CREATE SCHEMA {}").format(Identifier(SCHEMA)))
    await connection.execute(
        SQL("SET search_path TO {}, {}").format(Identifier(SCHEMA), Identifier(home))
    )
    await connection.execute(PROJECTIONS_TABLE)
    await connection.execute(projection.table)
    await connection.execute(
        "INSERT INTO projections (name, schema_version) VALUES (%s, %s)",
        [projection.name, projection.schema_version],
    )
    return home


async def _drop(connection: AsyncConnection[Any]) -> None:
    """What this rebuild, or one that was killed, has left."""
    await connection.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(Identifier(SCHEMA)))


async def _catch_up(
    connection: AsyncConnection[Any], tail: Tail, projection: Projection, progress: Progress
) -> None:
    """Apply all that history holds by now."""
    target = await last_position(connection)
    while tail.positions[projection] < target:
        await tail.step()
        if reason := await _stopped_because(connection):
            raise CannotRebuild(f"{projection.name} cannot be rebuilt: {reason}")
        progress(tail.positions[projection], target)


async def _stopped_because(connection: AsyncConnection[Any]) -> str | None:
    cursor = await connection.execute(
        "SELECT format('event %s: %s', stopped_at, stopped_because) FROM projections"
        " WHERE stopped_at IS NOT NULL"
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def _replace(
    connection: AsyncConnection[Any],
    tail: Tail,
    projection: Projection,
    home: str,
    progress: Progress,
) -> int:
    present = Identifier(home, projection.name)
    async with connection.transaction():
        await connection.execute(SQL("SET LOCAL lock_timeout TO {}").format(LOCK_TIMEOUT))
        await connection.execute(SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(present))
        await _catch_up(connection, tail, projection, progress)
        if projection.carry_over is not None:
            await connection.execute(SQL(projection.carry_over).format(previous=present))
        await connection.execute(SQL("DROP TABLE {}").format(present))
        await connection.execute(
            SQL("ALTER TABLE {} SET SCHEMA {}").format(
                Identifier(SCHEMA, projection.name), Identifier(home)
            )
        )
        await connection.execute(
            SQL(
                """
                WITH moved AS (
                    UPDATE {}
                    SET position = %(position)s, version = greatest(%(position)s, version + 1),
                        schema_version = %(schema_version)s,
                        stopped_at = NULL, stopped_because = NULL, updated_at = clock_timestamp()
                    WHERE name = %(name)s
                    RETURNING name, position, version
                )
                SELECT pg_notify('projections', json_build_object(
                    name, json_build_array(position, version)
                )::text)
                FROM moved
                """
            ).format(Identifier(home, "projections")),
            {
                "position": tail.positions[projection],
                "schema_version": projection.schema_version,
                "name": projection.name,
            },
        )
    return tail.positions[projection]
