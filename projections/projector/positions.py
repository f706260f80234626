"""The position of each projection, for readers of its table."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

import msgspec
import psycopg
import structlog
from psycopg import AsyncConnection

from domain.core.availability import require_writes
from domain.history.store import CONNECTION_TIMEOUTS, SESSION

log = structlog.get_logger()

REREAD_INTERVAL = 5.0
"""Seconds without a notification, after which the table is read: the connection may be dead."""

RECONNECT_DELAY = 0.5
"""Seconds between attempts to reach the database."""

_decode_moves = msgspec.json.Decoder(dict[str, tuple[int, int]]).decode


class Positions:
    """Follows the positions of all projections of one database.

        async with Positions(database_url) as positions:
            if await positions.wait_for(["events"], 4711, timeout=5): ...

    When the database cannot be reached, it tries again until it can.
    """

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url
        self._moved = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._current: dict[str, int] = {}

    async def __aenter__(self) -> Positions:
        self._task = asyncio.create_task(self._run(), name="positions")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    def of(self, name: str) -> int:
        """The last known position of the projection: its table includes history up to there. 0
        before the first read."""
        return self._current.get(name, 0)

    def include(self, names: Iterable[str], position: int) -> bool:
        """Whether all tables are known to include the position."""
        return all(self.of(name) >= position for name in names)

    async def wait_for(self, names: Iterable[str], position: int, *, timeout: float) -> bool:  # noqa: ASYNC109
        """Wait until all tables include the position; False after `timeout` seconds."""
        awaited = list(names)
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not self.include(awaited, position):
                    await self._moved.wait()
                return True
        return False

    async def _run(self) -> None:
        while True:
            try:
                await self._follow()
            except (psycopg.Error, msgspec.DecodeError) as error:
                log.warning("cannot read positions of projections", reason=str(error))
                await asyncio.sleep(RECONNECT_DELAY)

    async def _follow(self) -> None:
        async with await AsyncConnection.connect(
            self._database_url, autocommit=True, options=SESSION, **CONNECTION_TIMEOUTS
        ) as connection:
            await connection.execute("LISTEN projections")
            while True:
                cursor = await connection.execute("SELECT name, position FROM projections")
                self._set(dict(await cursor.fetchall()))
                quiet = False
                while not quiet:
                    quiet = True
                    async for notification in connection.notifies(
                        timeout=REREAD_INTERVAL, stop_after=1
                    ):
                        quiet = False
                        moves = _decode_moves(notification.payload)
                        self._set({name: position for name, (position, _) in moves.items()})
                require_writes(connection)

    def _set(self, positions: dict[str, int]) -> None:
        self._current |= positions
        self._moved.set()
        self._moved = asyncio.Event()
