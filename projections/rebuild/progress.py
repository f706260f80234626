"""What the rebuilds under way hold, and how far they have come, for other sessions to see.

For as long as it runs, a rebuild holds an advisory lock for each projection that it rebuilds, on
one connection, and keeps what it has reached in that connection's application name. So there is
nothing to clear away after one that was killed but its schema, which is named for the first of its
projections: whoever gets that lock may drop it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from psycopg import AsyncConnection

SCHEMA_PREFIX = "rebuilding_"

DROP_LITTER = """
DO $$
DECLARE
    litter text;
BEGIN
    FOR litter IN SELECT nspname FROM pg_namespace WHERE starts_with(nspname, 'rebuilding_') LOOP
        IF pg_try_advisory_xact_lock(
            hashtext('rebuild'), hashtext(substr(litter, length('rebuilding_') + 1))
        ) THEN
            EXECUTE format('DROP SCHEMA %I CASCADE', litter);
        END IF;
    END LOOP;
END $$;
"""
"""What rebuilds that were killed have left, and what the session's own one has built."""


async def lock_for_rebuild(connection: AsyncConnection[Any], names: Sequence[str]) -> list[str]:
    """Hold off other rebuilds of these projections until the connection ends or unlocks. Gives the
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
    """Let the next one begin at once: closing the connection does as well, a little later."""
    await connection.execute("SELECT pg_advisory_unlock_all()")


class RebuildProgress(msgspec.Struct, frozen=True, kw_only=True):
    reached: int
    """Positions of history that are in the new tables."""
    target: int
    """Positions that there were when it looked last."""
    seconds: float
    """Since it began."""

    def __str__(self) -> str:
        share = self.reached / max(self.target, 1)
        rate = self.reached / max(self.seconds, 0.001)
        return f"{share:.0%}, {rate:,.0f} events/s"


async def announce_progress(connection: AsyncConnection[Any], reached: int, target: int) -> None:
    """On the connection that holds the locks."""
    await connection.execute(
        "SELECT set_config('application_name', %s, false)", [f"rebuild {reached}/{target}"]
    )


async def rebuilds_under_way(connection: AsyncConnection[Any]) -> dict[str, RebuildProgress]:
    """Of each projection that is being rebuilt, by name. One is missing for the moment between
    its lock and its first progress."""
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
        name: _progress(told.removeprefix("rebuild "), seconds)
        for name, told, seconds in await cursor.fetchall()
    }


def _progress(told: str, seconds: float) -> RebuildProgress:
    reached, _, target = told.partition("/")
    return RebuildProgress(reached=int(reached), target=int(target), seconds=seconds)
