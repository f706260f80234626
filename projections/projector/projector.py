"""The projector: keeps every projection up to date with history, as it grows.

Any number of projectors may run. Each projection is led by one of them, which holds a lock on the
connection that it writes with (`domain.history.leadership`). When that connection ends, so does the
lock, and another projector takes over.
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
from projections.projector.tail import RETRY_STOPPED, PositionMoved, Tail
from runtime import metrics, tracing
from runtime.embedded.services import Services
from runtime.installation import installation_keys
from runtime.settings import Settings

log = structlog.get_logger()

ELECTION = 3.0
"""Seconds between tries to lead what somebody else leads."""

POLL = 1.0
"""Seconds after which history is looked at although nothing was announced."""

PACE = 0.01
BUSY_PACE = 0.02
BUSY = 40
"""Seconds from one look at history to the next, but for batches that were full; the second when the
last look found so many events. A lone event is applied at once, and under load each round takes
what gathered: a round costs as much as many events."""

FIRST_BACKOFF, LAST_BACKOFF = 0.2, 5.0
"""Seconds before a lost database is looked for again, doubling from one to the other."""


def run(settings: Settings, services: Services, projections: Sequence[Projection]) -> None:
    """The projector's process, until SIGTERM or SIGINT."""
    import uvloop

    metrics.serve(settings)
    keys = installation_keys(settings, services.database_url)
    with tracing.sent("projector", settings):
        uvloop.run(_until_signalled(Runner(services.database_url, keys, projections)))


async def _until_signalled(runner: Runner) -> None:
    task = asyncio.create_task(runner.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        await task


class Runner:
    """Leads as many of the projections as it can, and applies history to them."""

    def __init__(
        self, database_url: str, keys: InstallationKeys, projections: Sequence[Projection]
    ) -> None:
        self._database_url = database_url
        self._keys = keys
        self._projections = projections
        self._backoff = FIRST_BACKOFF
        self._aside_until: dict[Projection, float] = {}

    async def run(self) -> None:
        """Until cancelled, which is safe at any moment."""
        while True:
            try:
                async with await store.connect(self._database_url) as connection:
                    await self._work(connection)
            except UNAVAILABLE as error:
                log.warning("database lost", reason=str(error), retry_in_seconds=self._backoff)
                await asyncio.sleep(self._backoff)
                self._backoff = min(2 * self._backoff, LAST_BACKOFF)

    async def _work(self, connection: AsyncConnection[Any]) -> None:
        # A crash of PostgreSQL may then lose the last commits, rows and positions together: they
        # are applied again. Commits of others on these rows can only survive if ours do.
        await connection.execute("SET synchronous_commit TO off")
        await connection.execute("LISTEN history")
        require_writes(connection)
        self._backoff = FIRST_BACKOFF
        while True:
            try:
                await self._lead(connection)
            except PositionMoved:
                log.info("a projection was rebuilt: taking the lead anew")
                await connection.execute("SELECT pg_advisory_unlock_all()")

    async def _lead(self, connection: AsyncConnection[Any]) -> None:
        tail = Tail(connection, self._keys)
        loop = asyncio.get_running_loop()
        election_at = loop.time()
        while True:
            if loop.time() >= election_at:
                require_writes(connection)
                await self._elect(connection, tail)
                election_at = loop.time() + ELECTION
            looked = loop.time()
            more = await tail.step()
            await self._stand_aside(connection, tail)
            if not more:
                pace = BUSY_PACE if tail.taken >= BUSY else PACE
                await asyncio.sleep(looked + pace - loop.time())
                await _announcement(connection)

    async def _stand_aside(self, connection: AsyncConnection[Any], tail: Tail) -> None:
        """Let a projector of the release lead that wrote what this one does not know, if there
        is one."""
        while tail.beyond_us:
            projection = tail.beyond_us.pop()
            del tail.positions[projection]
            self._aside_until[projection] = asyncio.get_running_loop().time() + RETRY_STOPPED
            await connection.execute(
                "SELECT pg_advisory_unlock(hashtext('projections'), hashtext(%s))",
                [projection.name],
            )

    async def _elect(self, connection: AsyncConnection[Any], tail: Tail) -> None:
        """Take the lead of each projection that nobody leads and whose table is of our shape."""
        now = asyncio.get_running_loop().time()
        others = [
            p
            for p in self._projections
            if p not in tail.positions and self._aside_until.get(p, now) <= now
        ]
        if not others:
            await connection.execute("SELECT")  # a sign of life, though every projection be stopped
            return
        await end_silent(connection, "projections")
        cursor = await connection.execute(
            """
            SELECT name
            FROM (
                SELECT name FROM projections JOIN unnest(%b::text[], %b::int[])
                     AS ours (name, schema_version) USING (name, schema_version)
                OFFSET 0 -- locks are tried on these rows only
            ) AS candidate
            WHERE pg_try_advisory_lock(hashtext('projections'), hashtext(name))
            """,
            [[p.name for p in others], [p.schema_version for p in others]],
        )
        won = {name for (name,) in await cursor.fetchall()}
        if won:
            await tail.follow(p for p in others if p.name in won)
            log.info("leading projections", names=sorted(won))


async def _announcement(connection: AsyncConnection[Any]) -> None:
    """Wait until an append to history is announced, or for as long as one may be missed."""
    async for _ in connection.notifies(timeout=POLL, stop_after=1):
        pass
