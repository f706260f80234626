"""The state of the database for `/health/ready` and `/metrics`.

Probes have connections of their own to the primary, so that a burst of requests does not delay
them.
"""

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
from projections.backlog import count_by_state, read_backlog
from projections.outcomes import State
from projections.status import ProjectionStatus, projection_statuses

Pool = AsyncConnectionPool[AsyncConnection[Any]]

PROBE_TIMEOUT = 2.0
"""Seconds, of one probe."""

REPLICA_TIMEOUT = PROBE_TIMEOUT / 2
"""Seconds, of the replica's part in a probe."""

OVERVIEW_LIFETIME = 1.0
"""Seconds for which an overview is cached."""

COUNT_LIFETIME = 20
"""How long a count of the outbox is cached, as a multiple of the time that it took. Counting a
million rows takes half a second, and clients may read metrics at any rate."""

TABLES = [
    *("history_events", "history_snapshots", "installation_keys", "personal_keys"),
    *("signing_key", "history_seals", "history_seal_nodes", "projections"),
    *("credentials", "sessions", "delivery_pause"),
    *("sync_requests", "rebuild_requests", "event_seats", "event_queue"),
    *("api_keys", "api_key_secrets", "idempotency_keys"),
    *("webhooks", "webhook_cursors", "webhook_parked", "webhook_attempts"),
    *("calendar_host", "service_replies"),
]
"""Created by `migrate`, except read tables and the tables of rooms above."""

_NEEDED_FOR_STANDINGS = {"history_events", "projections"}

log = structlog.get_logger()


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of the outbox."""

    rows: dict[State, int]
    """By state; only `waiting` when counting the others takes too long."""
    oldest_due: float
    """Seconds since the oldest due row became due; 0 when none is due."""


class Now(msgspec.Struct, frozen=True, kw_only=True):
    """What readiness depends on."""

    standings: list[ProjectionStatus]
    only_reads: bool
    """Whether the database refuses writes."""
    missing: list[str]
    """Tables of `TABLES` that do not exist."""


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """What metrics show of the database."""

    last_position: int
    standings: list[ProjectionStatus]
    unsealed: SealLag
    backlog: Backlog | None
    """None when the outbox table is missing."""


class DatabaseWatch:
    """Probes the primary, and the replica if queries go to one."""

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
        async with asyncio.timeout(PROBE_TIMEOUT):
            if self._replica is not None:
                await _answers(self._replica)
            async with self._primary.connection() as connection:
                missing = await _missing(connection)
                found = (
                    []
                    if _NEEDED_FOR_STANDINGS & set(missing)
                    else await projection_statuses(connection)
                )
                return Now(standings=found, only_reads=only_reads(connection), missing=missing)

    async def overview(self) -> Overview | None:
        """At most `OVERVIEW_LIFETIME` old; None when the database does not answer."""
        loop = asyncio.get_running_loop()
        async with self._reading:
            if loop.time() >= self._read_again_at:
                try:
                    self._overview = await self._read()
                except (psycopg.Error, TimeoutError) as error:
                    log.warning("metrics lack the database", reason=str(error) or "no answer")
                    self._overview = None
                self._read_again_at = loop.time() + OVERVIEW_LIFETIME
            return self._overview

    async def _read(self) -> Overview:
        async with asyncio.timeout(PROBE_TIMEOUT), self._primary.connection() as connection:
            found = await projection_statuses(connection)
            end = await last_position(connection)
            unsealed = await seal_lag(connection)
            try:
                count, oldest_due = await read_backlog(connection)
            except psycopg.errors.UndefinedTable:  # `standings` shows it
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
                async with asyncio.timeout(PROBE_TIMEOUT), self._primary.connection() as connection:
                    self._rows = await count_by_state(connection)
            self._count_again_at = loop.time() + COUNT_LIFETIME * (loop.time() - begun)


async def _missing(connection: AsyncConnection[Any]) -> list[str]:
    cursor = await connection.execute(
        "SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(name) IS NULL", [TABLES]
    )
    return [name for (name,) in await cursor.fetchall()]


async def _answers(replica: Pool) -> None:
    """Raises `psycopg.OperationalError`, which names the replica."""
    try:
        async with asyncio.timeout(REPLICA_TIMEOUT), replica.connection() as connection:
            await connection.execute("SELECT")
    except (psycopg.Error, TimeoutError) as error:
        reason = f"the replica (READ_DATABASE_URL): {str(error) or 'no answer'}"
        raise psycopg.OperationalError(reason) from error
