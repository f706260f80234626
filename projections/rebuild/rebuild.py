"""Rebuilds projections' tables from the beginning of history, while the present ones stay in use.

The new tables are filled in a schema of their own (`projections.rebuild.staging`): large ones in
bulk, the others by the same code that keeps tables up to date. At the end each present table is
locked for a moment, the new one takes in the newest events, and replaces it.

The outbox stays sound throughout. Nobody delivers from the new table before it is complete. The
lock waits for every worker that is settling a row, so its outcome is in history and is taken in;
one that comes to settle later finds the lease it holds in the new table (`carry_over`).

How far a rebuild has come, any session can ask (`projections.rebuild.progress`).
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
from projections.projector.tail import BATCH, Tail
from projections.rebuild import bulk_load, staging
from projections.rebuild.progress import (
    DROP_LITTER,
    announce_progress,
    lock_for_rebuild,
    unlock_for_rebuild,
)
from projections.rebuild.staging import Place

Progress = Callable[[int, int], None]
"""Told the position reached, and the one to be reached."""

SMALL = 20_000
"""Positions of a history that is followed sooner than processes are started."""

LOCK_TIMEOUT = "3s"
"""Queries on the table queue behind a lock that is waited for: rather try again than that."""

LOCK_TRIES = 10


class CannotRebuild(Exception):
    """Why the tables were left as they were."""


async def rebuild_tables(
    database_url: str,
    keys: InstallationKeys,
    projections: Sequence[Projection],
    progress: Progress = lambda *_: None,
) -> int:
    """Replace the projections' tables by what history gives now, all in one pass over it. Gives a
    position that they all include.

    Raises `CannotRebuild`; when cancelled, the tables in use are as they were.
    """
    async with await connect(database_url) as connection:
        try:
            if busy := await lock_for_rebuild(connection, [p.name for p in projections]):
                raise CannotRebuild(f"another rebuild of {', '.join(busy)} is at work; wait for it")
            place = await staging.prepare(connection, projections)
            await _fill(connection, database_url, keys, place, projections, progress)
            return min([await _replace(connection, keys, place, p, progress) for p in projections])
        except (Unreadable, bulk_load.ProcessLost, psycopg.DataError) as error:
            names = ", ".join(projection.name for projection in projections)
            because = str(error).partition("\n")[0]  # the rest of the message may show a row
            raise CannotRebuild(f"{names} cannot be rebuilt: {because}") from error
        finally:
            if not connection.closed:
                await connection.execute(DROP_LITTER)
                await unlock_for_rebuild(connection)


async def _fill(
    connection: AsyncConnection[Any],
    database_url: str,
    keys: InstallationKeys,
    place: Place,
    projections: Sequence[Projection],
    progress: Progress,
) -> None:
    """Bring the new tables to about where history is now."""
    target = await last_position(connection)
    in_bulk = [p for p in projections if p.bulk is not None and target > SMALL]
    followed = [p for p in projections if p not in in_bulk]
    if followed:
        tail = await _tail(connection, keys, followed)
        await _catch_up(connection, tail, progress if not in_bulk else _untold)
        for projection in followed:
            await connection.execute(SQL("ANALYZE {}").format(Identifier(projection.name)))
    if in_bulk:
        await _load(connection, database_url, keys, place, in_bulk, target, progress)


def _untold(reached: int, target: int) -> None:
    """For what takes a moment beside the rest."""


async def _load(
    connection: AsyncConnection[Any],
    database_url: str,
    keys: InstallationKeys,
    place: Place,
    projections: Sequence[Projection],
    target: int,
    progress: Progress,
) -> None:
    indexes = {p.name: await staging.take_off_indexes(connection, p.name) for p in projections}
    loading = bulk_load.load(database_url, keys, place, projections, indexes, target)
    async with aclosing(loading) as positions_done:
        async for reached in positions_done:
            progress(reached, target)
            await announce_progress(connection, reached, target)
    await connection.execute("CREATE INDEX ON left_over (projection, position)")
    for projection in projections:
        await _apply_left_over(connection, keys, projection)
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
        WHERE projection = %s AND position > %s
        ORDER BY position
        LIMIT %s
        """,
        [projection.name, after, BATCH],
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
    """Apply all that history holds by now."""
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
    place: Place,
    projection: Projection,
    progress: Progress,
) -> int:
    """Have the new table take in what came last, and take the place of the one in use."""
    for _ in range(LOCK_TRIES):
        tail = await _tail(connection, keys, [projection])
        await _catch_up(connection, tail, progress)
        with suppress(psycopg.errors.LockNotAvailable):
            async with connection.transaction():
                await connection.execute(SQL("SET LOCAL lock_timeout TO {}").format(LOCK_TIMEOUT))
                present = await staging.lock_present(connection, place, projection)
                await _catch_up(connection, tail, progress)
                position = tail.positions[projection]
                await staging.take_its_place(
                    connection, place, projection, position, present=present
                )
                return position
    raise CannotRebuild(f"some transaction keeps {projection.name} in use; end it first")
