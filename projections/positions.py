"""How far each projection has come, for those who read its table."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
import psycopg
import structlog
from psycopg import AsyncConnection

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
            self._database_url, autocommit=True, connect_timeout=5
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

    def _set(self, positions: dict[str, int]) -> None:
        self._current |= positions
        self._moved.set()
        self._moved = asyncio.Event()


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where a projection stands."""

    name: str
    position: int
    lag_events: int
    lag_seconds: float | None
    """Age of the first event that is not applied; None when that cannot be read."""
    stopped_at: int | None
    """Position of the event that it cannot apply."""
    stopped_because: str | None
    led: bool
    """Whether some projector leads it."""
    schema_version: int


class _When(msgspec.Struct):
    timestamp: datetime


MOST_COUNTED = 1_000_000
"""Events behind, beyond which it does not matter how many."""


async def standings(connection: AsyncConnection[Any]) -> list[Standing]:
    """Of each projection, in the order of their names."""
    cursor = await connection.execute(
        """
        WITH leads AS (
            SELECT l.objid AS hash
            FROM pg_locks l JOIN pg_database d ON d.oid = l.database
            WHERE d.datname = current_database() AND l.locktype = 'advisory' AND l.granted
              AND l.classid = hashtext('projections')::oid
        )
        SELECT p.name, p.position, behind.events, next.state, p.stopped_at, p.stopped_because,
               hashtext(p.name)::oid IN (SELECT hash FROM leads), p.schema_version
        FROM projections p
        CROSS JOIN LATERAL (
            SELECT count(*) AS events FROM (
                SELECT FROM history_events WHERE notification_id > p.position LIMIT %s
            ) AS next_ones
        ) behind
        LEFT JOIN LATERAL (
            SELECT state FROM history_events WHERE notification_id > p.position
            ORDER BY notification_id LIMIT 1
        ) next ON true
        ORDER BY p.name
        """,
        [MOST_COUNTED],
    )
    now = datetime.now(UTC)
    return [
        Standing(
            name=name,
            position=position,
            lag_events=events,
            lag_seconds=_age(state, now),
            stopped_at=stopped_at,
            stopped_because=stopped_because,
            led=led,
            schema_version=schema_version,
        )
        for (
            name,
            position,
            events,
            state,
            stopped_at,
            stopped_because,
            led,
            schema_version,
        ) in await cursor.fetchall()
    ]


def _age(state: bytes | None, now: datetime) -> float | None:
    if state is None:
        return 0.0
    try:
        recorded = msgspec.json.decode(state, type=_When)
    except msgspec.DecodeError:
        return None
    return max(0.0, (now - recorded.timestamp).total_seconds())
