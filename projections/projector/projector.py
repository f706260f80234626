"""The projector: keeps all projections up to date with history.

Any number of projectors may run. Each projection is led by one of them, which holds an advisory
lock on the connection with which it writes (`domain.history.leadership`). When that connection
ends, the lock is released, and another projector takes over.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import structlog
from psycopg import AsyncConnection

from domain.core.availability import UNAVAILABLE, require_writes
from domain.history import store
from domain.history.leadership import end_silent
from domain.privacy.keys import InstallationKeys
from projections.projector.projection import Projection
from projections.projector.tail import RETRY_STOPPED_AFTER, PositionMoved, Tail
from runtime import metrics, tracing
from runtime.embedded.services import Services
from runtime.installation import installation_keys
from runtime.settings import Settings

log = structlog.get_logger()

ELECTION_INTERVAL = 3.0
"""Seconds between attempts to lead projections that another projector leads."""

POLL_INTERVAL = 1.0
"""Seconds without a notification, after which history is read anyway."""

READ_INTERVAL = 0.01
MAX_READ_INTERVAL = 0.05
REST = 3
"""Seconds between two reads of history, except after a full batch: `REST` times as long as the last
batch took. A single event is applied at once. Under load, a longer interval makes larger batches:
the fixed cost of a batch equals that of many events.
"""

FIRST_BACKOFF, MAX_BACKOFF = 0.2, 5.0
"""Seconds between attempts to reach a lost database: doubled each time, up to the maximum."""


def run(settings: Settings, services: Services, projections: Sequence[Projection]) -> None:
    """Run the projector in this process, until SIGTERM or SIGINT."""
    import uvloop

    metrics.serve(settings)
    keys = installation_keys(settings, services.database_url)
    with tracing.exporting("projector", settings):
        uvloop.run(_until_signalled(Projector(services.database_url, keys, projections)))


async def _until_signalled(runner: Projector) -> None:
    task = asyncio.create_task(runner.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        await task


class Projector:
    """Leads as many of the projections as it can, and applies history to them."""

    def __init__(
        self, database_url: str, keys: InstallationKeys, projections: Sequence[Projection]
    ) -> None:
        self._database_url = database_url
        self._keys = keys
        self._projections = projections
        self._backoff = FIRST_BACKOFF
        self._elect_after: dict[Projection, float] = {}

    async def run(self) -> None:
        """Runs until cancelled, which is safe at any moment."""
        while True:
            try:
                async with await store.connect(self._database_url) as connection:
                    await self._work(connection)
            except UNAVAILABLE as error:
                log.warning("database lost", reason=str(error), retry_in_seconds=self._backoff)
                await asyncio.sleep(self._backoff)
                self._backoff = min(2 * self._backoff, MAX_BACKOFF)

    async def _work(self, connection: AsyncConnection[Any]) -> None:
        # A crash of PostgreSQL may then lose the last commits, rows together with positions: these
        # events are applied again. Later commits of other sessions on these rows are lost, too.
        await connection.execute("SET synchronous_commit TO off")
        await connection.execute("LISTEN history")
        require_writes(connection)
        self._backoff = FIRST_BACKOFF
        while True:
            try:
                await self._lead(connection)
            except PositionMoved:
                log.info("a projection was rebuilt: electing leaders again")
                await connection.execute("SELECT pg_advisory_unlock_all()")

    async def _lead(self, connection: AsyncConnection[Any]) -> None:
        tail = Tail(connection, self._keys)
        loop = asyncio.get_running_loop()
        election_at = loop.time()
        while True:
            if loop.time() >= election_at:
                require_writes(connection)
                await self._elect(connection, tail)
                election_at = loop.time() + ELECTION_INTERVAL
            read_at = loop.time()
            more = await tail.step()
            await self._give_up_leads(connection, tail)
            if not more:
                took = loop.time() - read_at
                interval = min(max(READ_INTERVAL, REST * took), MAX_READ_INTERVAL)
                await asyncio.sleep(interval - took)
                await _wait_for_notification(connection)

    async def _give_up_leads(self, connection: AsyncConnection[Any], tail: Tail) -> None:
        """Give up projections that met an event of a newer release, so that a projector of that
        release can lead them."""
        while tail.too_new:
            projection = tail.too_new.pop()
            del tail.positions[projection]
            self._elect_after[projection] = asyncio.get_running_loop().time() + RETRY_STOPPED_AFTER
            await connection.execute(
                "SELECT pg_advisory_unlock(hashtext('projections'), hashtext(%s))",
                [projection.name],
            )

    async def _elect(self, connection: AsyncConnection[Any], tail: Tail) -> None:
        """Take the lead of each projection without a leader whose table has the schema version of
        this release."""
        now = asyncio.get_running_loop().time()
        others = [
            p
            for p in self._projections
            if p not in tail.positions and self._elect_after.get(p, now) <= now
        ]
        if not others:
            await connection.execute("SELECT")  # a sign of life, even if all projections stopped
            return
        await end_silent(connection, "projections")
        cursor = await connection.execute(
            """
            SELECT name
            FROM (
                SELECT name FROM projections JOIN unnest(%b::text[], %b::int[])
                     AS known (name, schema_version) USING (name, schema_version)
                OFFSET 0 -- keeps the planner from trying locks for other rows
            ) AS candidate
            WHERE pg_try_advisory_lock(hashtext('projections'), hashtext(name))
            """,
            [[p.name for p in others], [p.schema_version for p in others]],
        )
        won = {name for (name,) in await cursor.fetchall()}
        if won:
            await tail.follow(p for p in others if p.name in won)
            log.info("leading projections", names=sorted(won))


async def _wait_for_notification(connection: AsyncConnection[Any]) -> None:
    """Wait for the notification of an append to history, at most `POLL_INTERVAL`."""
    async for _ in connection.notifies(timeout=POLL_INTERVAL, stop_after=1):
        pass
