"""Locks and progress of running rebuilds, visible to all sessions.

While it runs, a rebuild holds an advisory lock for each of its projections, on one connection, and
publishes its progress as the application name of that connection. A killed rebuild leaves nothing
behind except its schema, which is named after the first of its projections: a session that gets the
lock of that projection may drop the schema.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from psycopg import AsyncConnection

SCHEMA_PREFIX = "rebuilding_"

DROP_ABANDONED = """
DO $$
DECLARE
    abandoned text;
BEGIN
    FOR abandoned IN SELECT nspname FROM pg_namespace WHERE starts_with(nspname, 'rebuilding_') LOOP
        IF pg_try_advisory_xact_lock(
            hashtext('rebuild'), hashtext(substr(abandoned, length('rebuilding_') + 1))
        ) THEN
            EXECUTE format('DROP SCHEMA %I CASCADE', abandoned);
        END IF;
    END LOOP;
END $$;
"""
"""Drops the schemas of killed rebuilds, and that of the session's own rebuild."""


async def lock_for_rebuild(connection: AsyncConnection[Any], names: Sequence[str]) -> list[str]:
    """Prevent other rebuilds of these projections until the connection ends or unlocks. Returns the
    names of those that are being rebuilt already."""
    cursor = await connection.execute(
        """
        SELECT name FROM unnest(%s::text[]) AS wanted (name)
        WHERE NOT pg_try_advisory_lock(hashtext('rebuild'), hashtext(name))
        """,
        [list(names)],
    )
    return [name for (name,) in await cursor.fetchall()]


async def unlock_for_rebuild(connection: AsyncConnection[Any]) -> None:
    """Let the next rebuild begin at once. Closing the connection does the same, a little later."""
    await connection.execute("SELECT pg_advisory_unlock_all()")


class RebuildProgress(msgspec.Struct, frozen=True, kw_only=True):
    reached: int
    """The new tables include history up to this position."""
    target: int
    """The last position of history when it was read last."""
    seconds: float
    """Seconds since the rebuild began."""

    def __str__(self) -> str:
        share = self.reached / max(self.target, 1)
        rate = self.reached / max(self.seconds, 0.001)
        return f"{share:.0%}, {rate:,.0f} events/s"


async def announce_progress(connection: AsyncConnection[Any], reached: int, target: int) -> None:
    """Publish the progress. The connection must be the one that holds the locks."""
    await connection.execute(
        "SELECT set_config('application_name', %s, false)", [f"rebuild {reached}/{target}"]
    )


async def rebuilds_under_way(connection: AsyncConnection[Any]) -> dict[str, RebuildProgress]:
    """The progress of running rebuilds, by the name of the projection. A rebuild is missing here
    between its lock and its first progress."""
    cursor = await connection.execute(
        """
        SELECT p.name, a.application_name,
               extract(epoch FROM clock_timestamp() - a.backend_start)::float8
        FROM projections p
        JOIN pg_locks l ON l.locktype = 'advisory' AND l.granted
             AND l.classid = hashtext('rebuild')::oid AND l.objid = hashtext(p.name)::oid
        JOIN pg_stat_activity a ON a.pid = l.pid AND a.datname = current_database()
        WHERE starts_with(a.application_name, 'rebuild ')
        """
    )
    return {
        name: _progress(published.removeprefix("rebuild "), seconds)
        for name, published, seconds in await cursor.fetchall()
    }


def _progress(published: str, seconds: float) -> RebuildProgress:
    reached, _, target = published.partition("/")
    return RebuildProgress(reached=int(reached), target=int(target), seconds=seconds)
