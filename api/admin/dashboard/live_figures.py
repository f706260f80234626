"""Who looks at the dashboard now: all of them see figures that were looked up once for all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import suppress

import structlog
from litestar.response import ServerSentEventMessage

from api.http.access import Permission
from api.http.reads import Lagging
from domain.core.availability import UNAVAILABLE

MOST = 50
"""Streams of one process."""

PERIOD = 2.0
"""Seconds from one look at the figures to the next."""

SHARE = 0.1
"""Of a connection's time, at most, goes into looking; figures that take long come less often."""

STREAM_LIFE = 120.0
"""Seconds, after which the browser asks anew, and is asked anew who it is."""

Kind = frozenset[Permission]
"""Of reader: what they may do."""

Shown = Mapping[Kind, str]
"""What is shown to each kind."""

_TROUBLE: tuple[type[Exception], ...] = (*UNAVAILABLE, Lagging)

log = structlog.get_logger()


class Onlookers:
    """Those of one process."""

    def __init__(self) -> None:
        self._count = 0
        self._looking = asyncio.Lock()
        self._shown: Shown | None = None
        self._looked_at = 0.0
        self._good_until = 0.0

    @property
    def full(self) -> bool:
        return self._count >= MOST

    async def stream(
        self,
        kind: Kind,
        look: Callable[[], Awaitable[Shown]],
        ending: asyncio.Event,
        *,
        after: float,
    ) -> AsyncGenerator[ServerSentEventMessage, None]:
        """What `look` shows this kind of reader, whenever it has changed: as event `figures`, or
        `away` while it cannot be looked at; nothing from before `after`, the time of the reader's
        page. Ends by itself, with the process, and when nobody listens any more."""
        self._count += 1
        try:
            loop = asyncio.get_running_loop()
            ends, last = loop.time() + STREAM_LIFE, ""
            while loop.time() < ends and not ending.is_set():
                found = await self._look(look)
                if found is None:
                    last = ""
                    yield ServerSentEventMessage(event="away", data="-")
                elif found[kind] != last and self._looked_at >= after:
                    last = found[kind]
                    yield ServerSentEventMessage(event="figures", data=last)
                else:
                    yield ServerSentEventMessage(comment="nothing new", data=None)
                with suppress(TimeoutError):
                    await asyncio.wait_for(ending.wait(), PERIOD)
        finally:
            self._count -= 1

    async def _look(self, look: Callable[[], Awaitable[Shown]]) -> Shown | None:
        loop = asyncio.get_running_loop()
        async with self._looking:
            if loop.time() >= self._good_until:
                begun, self._looked_at = loop.time(), time.time()
                try:
                    self._shown = await look()
                except _TROUBLE as error:
                    if self._shown is not None:
                        log.warning("the dashboard's figures are not to be had", reason=str(error))
                    self._shown = None
                took = loop.time() - begun
                self._good_until = loop.time() + max(PERIOD / 2, took / SHARE - took)
            return self._shown
