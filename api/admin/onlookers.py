"""Who looks at the dashboard now: all of them see figures that were looked up once for all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress

import psycopg
import structlog
from litestar.response import ServerSentEventMessage
from psycopg_pool import PoolTimeout

from api.reading import Lagging

MOST = 50
"""Streams of one process."""

PERIOD = 2.0
"""Seconds from one look at the figures to the next."""

SHARE = 0.1
"""Of a connection's time, at most, goes into looking; figures that take long come less often."""

STREAM_LIFE = 120.0
"""Seconds, after which the browser asks anew, and is asked anew who it is."""

log = structlog.get_logger()


class Onlookers:
    """Those of one process."""

    def __init__(self) -> None:
        self._count = 0
        self._looking = asyncio.Lock()
        self._shown: str | None = None
        self._good_until = 0.0

    @property
    def full(self) -> bool:
        return self._count >= MOST

    async def stream(
        self, look: Callable[[], Awaitable[str]], ending: asyncio.Event
    ) -> AsyncGenerator[ServerSentEventMessage, None]:
        """What `look` shows, whenever it has changed: as event `figures`, or `away` while it cannot
        be looked at. Ends by itself, with the process, and when nobody listens any more."""
        self._count += 1
        try:
            loop = asyncio.get_running_loop()
            ends, last = loop.time() + STREAM_LIFE, ""
            while loop.time() < ends and not ending.is_set():
                shown = await self._look(look)
                if shown is None:
                    yield ServerSentEventMessage(event="away", data="-")
                elif shown != last:
                    yield ServerSentEventMessage(event="figures", data=shown)
                else:
                    yield ServerSentEventMessage(comment="nothing new", data=None)
                last = shown or ""
                with suppress(TimeoutError):
                    await asyncio.wait_for(ending.wait(), PERIOD)
        finally:
            self._count -= 1

    async def _look(self, look: Callable[[], Awaitable[str]]) -> str | None:
        loop = asyncio.get_running_loop()
        async with self._looking:
            if loop.time() >= self._good_until:
                begun = loop.time()
                try:
                    self._shown = await look()
                except (psycopg.OperationalError, PoolTimeout, Lagging) as error:
                    if self._shown is not None:
                        log.warning("the dashboard's figures are not to be had", reason=str(error))
                    self._shown = None
                took = loop.time() - begun
                self._good_until = loop.time() + max(PERIOD / 2, took / SHARE - took)
            return self._shown
