"""What health and metrics tell of the database: asked of the primary, on connections of their own,
so that no burst of requests keeps a probe waiting."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import msgspec
import psycopg
import structlog
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from domain.core.availability import only_reads
from domain.history.store import last_position
from domain.seals.lag import SealLag, seal_lag
from projections.outbox import State, count_by_state, waiting
from projections.status import Standing, standings

Pool = AsyncConnectionPool[AsyncConnection[Any]]

PATIENCE = 2.0
"""Seconds that an answer may take."""

REPLICA_PATIENCE = PATIENCE / 2
"""Seconds of them that the replica may take."""

KEPT = 1.0
"""Seconds for which an overview is not read again."""

COUNT_KEPT = 20
"""Times as long as it took to count all rows of the outbox, for which they are not counted again:
that takes half a second for a million of them, and anybody may ask for metrics, at any rate."""

TABLES = [
    *("history_events", "history_snapshots", "installation_keys", "personal_keys"),
    *("signing_key", "history_seals", "history_seal_nodes", "projections"),
    *("credentials", "sessions", "delivery_pause", "schedule_runs"),
    *("sync_requests", "rebuild_requests"),
]
"""What `events-face migrate` creates beside the projections."""

_NEEDED_FOR_STANDINGS = {"history_events", "projections"}

log = structlog.get_logger()


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """What the outbox holds."""

    rows: dict[State, int]
    """By state; only those that wait when the others take too long to count."""
    oldest_due: float
    """Seconds for which the row that has been due the longest has been; 0 when none is."""


class Now(msgspec.Struct, frozen=True, kw_only=True):
    """What decides whether it is ready."""

    standings: list[Standing]
    only_reads: bool
    """Whether it takes no writes."""
    missing: list[str]
    """Tables that are no projections' and that there should be."""


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """The database at some moment."""

    last_position: int
    standings: list[Standing]
    unsealed: SealLag
    backlog: Backlog | None
    """None when the table is missing."""


class DatabaseWatch:
    """Looks at the primary; and where queries go to a replica, whether that answers."""

    def __init__(self, primary: Pool, replica: Pool | None) -> None:
        self._primary = primary
        self._replica = replica
        self._reading = asyncio.Lock()
        self._overview: Overview | None = None
        self._read_again_at = 0.0
        self._rows: dict[State, int] = {}
        self._count_again_at = 0.0

    async def now(self) -> Now:
        """Raises `psycopg.Error`, TimeoutError."""
        async with asyncio.timeout(PATIENCE):
            if self._replica is not None:
                await _answers(self._replica)
            async with self._primary.connection() as connection:
                missing = await _missing(connection)
                found = [] if _NEEDED_FOR_STANDINGS & set(missing) else await standings(connection)
                return Now(standings=found, only_reads=only_reads(connection), missing=missing)

    async def overview(self) -> Overview | None:
        """As it was a moment ago; None when the database does not answer."""
        loop = asyncio.get_running_loop()
        async with self._reading:
            if loop.time() >= self._read_again_at:
                try:
                    self._overview = await self._read()
                except (psycopg.Error, TimeoutError) as error:
                    log.warning("metrics lack the database", reason=str(error) or "no answer")
                    self._overview = None
                self._read_again_at = loop.time() + KEPT
            return self._overview

    async def _read(self) -> Overview:
        async with asyncio.timeout(PATIENCE), self._primary.connection() as connection:
            found = await standings(connection)
            end = await last_position(connection)
            unsealed = await seal_lag(connection)
            try:
                count, oldest_due = await waiting(connection)
            except psycopg.errors.UndefinedTable:  # which the standings tell
                return Overview(last_position=end, standings=found, unsealed=unsealed, backlog=None)
        await self._count()
        backlog = Backlog(rows={**self._rows, "waiting": count}, oldest_due=oldest_due)
        return Overview(last_position=end, standings=found, unsealed=unsealed, backlog=backlog)

    async def _count(self) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        if begun >= self._count_again_at:
            self._rows = {}
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE), self._primary.connection() as connection:
                    self._rows = await count_by_state(connection)
            self._count_again_at = loop.time() + COUNT_KEPT * (loop.time() - begun)


async def _missing(connection: AsyncConnection[Any]) -> list[str]:
    cursor = await connection.execute(
        "SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NULL", [TABLES]
    )
    return [name for (name,) in await cursor.fetchall()]


async def _answers(replica: Pool) -> None:
    """Raises `psycopg.OperationalError`, which says that it is the replica that does not."""
    try:
        async with asyncio.timeout(REPLICA_PATIENCE), replica.connection() as connection:
            await connection.execute("SELECT")
    except (psycopg.Error, TimeoutError) as error:
        reason = f"the replica (READ_DATABASE_URL): {str(error) or 'no answer'}"
        raise psycopg.OperationalError(reason) from error
