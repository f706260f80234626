"""How far each projection has come, for those who read its table."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

import msgspec
import psycopg
import structlog
from psycopg import AsyncConnection

from domain.core.availability import require_writes
from domain.history.store import PATIENCE, SESSION

log = structlog.get_logger()

REREAD = 5.0
"""Seconds without an announcement after which the table is read: the connection may be dead."""

RECONNECT = 0.5
"""Seconds."""

_decode_moves = msgspec.json.Decoder(dict[str, tuple[int, int]]).decode


class Positions:
    """Keeps up with the projections of one database.

        async with Positions(database_url) as positions:
            if await positions.wait_for(["events"], 4711, timeout=5): ...

    A database that cannot be reached is looked for until it can.
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
        """The position that the projection's table includes, as far as is known; 0 at first."""
        return self._current.get(name, 0)

    async def wait_for(self, names: Iterable[str], position: int, *, timeout: float) -> bool:  # noqa: ASYNC109
        """Whether the tables include the position before `timeout` seconds are over."""
        awaited = list(names)
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while any(self.of(name) < position for name in awaited):
                    await self._moved.wait()
                return True
        return False

    async def _run(self) -> None:
        while True:
            try:
                await self._follow()
            except (psycopg.Error, msgspec.DecodeError) as error:
                log.warning("positions are not known", reason=str(error))
                await asyncio.sleep(RECONNECT)

    async def _follow(self) -> None:
        async with await AsyncConnection.connect(
            self._database_url, autocommit=True, options=SESSION, **PATIENCE
        ) as connection:
            await connection.execute("LISTEN projections")
            while True:
                cursor = await connection.execute("SELECT name, position FROM projections")
                self._set(dict(await cursor.fetchall()))
                quiet = False
                while not quiet:
                    quiet = True
                    async for announced in connection.notifies(timeout=REREAD, stop_after=1):
                        quiet = False
                        moves = _decode_moves(announced.payload)
                        self._set({name: position for name, (position, _) in moves.items()})
                require_writes(connection)

    def _set(self, positions: dict[str, int]) -> None:
        self._current |= positions
        self._moved.set()
        self._moved = asyncio.Event()
