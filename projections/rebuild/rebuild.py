"""Rebuilds the tables of projections from the beginning of history, while the live tables stay in
use.

New tables are filled in a schema of their own (`projections.rebuild.staging`): large ones in bulk,
the others by the code that keeps tables up to date. At the end, each live table is locked for a
moment; the new table receives the newest events and replaces it.

The outbox stays correct throughout. Workers do not deliver from the new table before it is
complete. The lock waits for every worker that is settling a row, so that its outcome is in history
and is applied; a worker that settles later finds its lease in the new table (`carry_over`).

Any session can read the progress of a rebuild (`projections.rebuild.progress`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import aclosing, suppress
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from domain.core.aggregate import RecordedEvent
from domain.history.codec import decode
from domain.history.segments import Unreadable
from domain.history.store import connect, last_position, open_all
from domain.privacy.keys import InstallationKeys
from projections.projector.projection import Projection
from projections.projector.tail import BATCH_SIZE, Tail
from projections.rebuild import bulk_load, staging
from projections.rebuild.progress import (
    DROP_ABANDONED,
    announce_progress,
    lock_for_rebuild,
    unlock_for_rebuild,
)
from projections.rebuild.staging import StagingSchema

Progress = Callable[[int, int], None]
"""Called with the position reached and the target position."""

MIN_BULK_POSITIONS = 20_000
"""Positions. A shorter history is applied faster than the processes of a bulk load start."""

LOCK_TIMEOUT = "3s"
"""While it waits for a lock on a table, all queries on that table wait behind it: so it gives up
and tries again."""

LOCK_TRIES = 10


class CannotRebuild(Exception):
    """The rebuild failed; the live tables are unchanged. Its message is the reason."""


async def rebuild_tables(
    database_url: str,
    keys: InstallationKeys,
    projections: Sequence[Projection],
    progress: Progress = lambda *_: None,
) -> int:
    """Rebuild the tables of these projections, in one pass over history. Returns a position that
    all of them include.

    Raises `CannotRebuild`; when cancelled, the live tables are unchanged.
    """
    async with await connect(database_url) as connection:
        try:
            if busy := await lock_for_rebuild(connection, [p.name for p in projections]):
                raise CannotRebuild(
                    f"another rebuild of {', '.join(busy)} is running; wait until it ends"
                )
            schema = await staging.prepare(connection, projections)
            await _fill(connection, database_url, keys, schema, projections, progress)
            return min([await _replace(connection, keys, schema, p, progress) for p in projections])
        except (Unreadable, bulk_load.ProcessLost, psycopg.DataError) as error:
            names = ", ".join(projection.name for projection in projections)
            because = str(error).partition("\n")[0]  # later lines of the message may show a row
            raise CannotRebuild(f"{names} cannot be rebuilt: {because}") from error
        finally:
            if not connection.closed:
                await connection.execute(DROP_ABANDONED)
                await unlock_for_rebuild(connection)


async def _fill(
    connection: AsyncConnection[Any],
    database_url: str,
    keys: InstallationKeys,
    schema: StagingSchema,
    projections: Sequence[Projection],
    progress: Progress,
) -> None:
    """Fill the staging tables up to about the present end of history."""
    target = await last_position(connection)
    in_bulk = [p for p in projections if p.bulk is not None and target > MIN_BULK_POSITIONS]
    followed = [p for p in projections if p not in in_bulk]
    if followed:
        tail = await _tail(connection, keys, followed)
        await _catch_up(connection, tail, progress if not in_bulk else _ignore_progress)
        for table in (table for projection in followed for table in projection.tables):
            await connection.execute(SQL("ANALYZE {}").format(Identifier(table)))
    if in_bulk:
        await _load(connection, database_url, keys, schema, in_bulk, target, progress)


def _ignore_progress(reached: int, target: int) -> None:
    """Progress of the small tables, when others are loaded in bulk."""


async def _load(
    connection: AsyncConnection[Any],
    database_url: str,
    keys: InstallationKeys,
    schema: StagingSchema,
    projections: Sequence[Projection],
    target: int,
    progress: Progress,
) -> None:
    filled = [table for projection in projections for table in projection.tables]
    indexes = {table: await staging.drop_indexes(connection, table) for table in filled}
    loading = bulk_load.load(database_url, keys, schema, projections, indexes, target)
    async with aclosing(loading) as positions_done:
        async for reached in positions_done:
            progress(reached, target)
            await announce_progress(connection, reached, target)
    await connection.execute("CREATE INDEX ON left_over (projection, position)")
    for projection in projections:
        await _apply_left_over(connection, keys, projection)
        if projection.bulk is not None and projection.bulk.complete is not None:
            await connection.execute(projection.bulk.complete)
    await connection.execute(
        "UPDATE projections SET position = %s WHERE name = ANY(%s)",
        [target, [projection.name for projection in projections]],
    )


async def _apply_left_over(
    connection: AsyncConnection[Any], keys: InstallationKeys, projection: Projection
) -> None:
    after = 0
    while events := await _left_over(connection, projection, after):
        async with connection.transaction():
            opened = await open_all(connection, events, keys)
            await projection.apply(connection, opened, keys)
        after = events[-1].position


async def _left_over(
    connection: AsyncConnection[Any], projection: Projection, after: int
) -> list[RecordedEvent]:
    cursor = await connection.execute(
        """
        SELECT originator_id, originator_version, topic, state, notification_id
        FROM left_over JOIN history_events ON notification_id = position
        WHERE projection = %(projection)s AND position > %(after)s
          AND notification_id > %(after)s -- or each batch would read all of history before it
        ORDER BY position
        LIMIT %(limit)s
        """,
        {"projection": projection.name, "after": after, "limit": BATCH_SIZE},
        binary=True,
    )
    return [decode(*row) for row in await cursor.fetchall()]


async def _tail(
    connection: AsyncConnection[Any], keys: InstallationKeys, projections: Sequence[Projection]
) -> Tail:
    skipped = bulk_load.topics_skipped(projections)
    tail = Tail(connection, keys, announces=False, skipped=skipped)
    await tail.follow(projections)
    return tail


async def _catch_up(connection: AsyncConnection[Any], tail: Tail, progress: Progress) -> None:
    """Apply all events up to the present end of history."""
    target = await last_position(connection)
    while (reached := min(tail.positions.values())) < target:
        progress(reached, target)
        await announce_progress(connection, reached, target)
        await tail.step()
        if reason := await _stopped_because(connection):
            raise CannotRebuild(reason)
    progress(target, target)


async def _stopped_because(connection: AsyncConnection[Any]) -> str | None:
    cursor = await connection.execute(
        """
        SELECT format('%s cannot be rebuilt: event %s: %s', name, stopped_at, stopped_because)
        FROM projections WHERE stopped_at IS NOT NULL
        """
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def _replace(
    connection: AsyncConnection[Any],
    keys: InstallationKeys,
    schema: StagingSchema,
    projection: Projection,
    progress: Progress,
) -> int:
    """Apply the newest events to the staging tables, and replace the live tables by them."""
    for _ in range(LOCK_TRIES):
        tail = await _tail(connection, keys, [projection])
        await _catch_up(connection, tail, progress)
        with suppress(psycopg.errors.LockNotAvailable):
            async with connection.transaction():
                await connection.execute(SQL("SET LOCAL lock_timeout TO {}").format(LOCK_TIMEOUT))
                live_tables = await staging.lock_live_tables(connection, schema, projection)
                await _catch_up(connection, tail, progress)
                if projection.after_rebuild is not None:
                    await projection.after_rebuild(connection)
                position = tail.positions[projection]
                await staging.swap_in(connection, schema, projection, position, live_tables)
                return position
    raise CannotRebuild(f"a transaction keeps {projection.name} locked; end it first")
