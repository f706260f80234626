"""Live figures: all open dashboards of a process share one query."""

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

MAX_STREAMS = 50
"""Open streams of one process, at most."""

QUERY_INTERVAL = 2.0
"""Seconds between two queries of the figures, at least."""

MAX_QUERY_SHARE = 0.1
"""Of a connection's time that goes into queries: slow figures are queried less often."""

STREAM_LIFETIME = 120.0
"""Seconds; then the browser connects again, and its session is checked again."""

Kind = frozenset[Permission]
"""A kind of reader, by permissions."""

Shown = Mapping[Kind, str]
"""Queries and renders the figures for a kind of reader."""

_TROUBLE: tuple[type[Exception], ...] = (*UNAVAILABLE, Lagging)

log = structlog.get_logger()


class LiveFigures:
    """The open streams of one process."""

    def __init__(self) -> None:
        self._count = 0
        self._looking = asyncio.Lock()
        self._shown: Shown | None = None
        self._looked_at = 0.0
        self._good_until = 0.0

    @property
    def full(self) -> bool:
        return self._count >= MAX_STREAMS

    async def stream(
        self,
        kind: Kind,
        look: Callable[[], Awaitable[Shown]],
        ending: asyncio.Event,
        *,
        after: float,
    ) -> AsyncGenerator[ServerSentEventMessage, None]:
        """The figures for this kind of reader whenever they change, as event `figures`, or `away`
        while the query fails; nothing older than `after`, the time of the reader's page. Ends after
        `STREAM_LIFETIME`, with the process, or when the client disconnects."""
        self._count += 1
        try:
            loop = asyncio.get_running_loop()
            ends, last = loop.time() + STREAM_LIFETIME, ""
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
                    await asyncio.wait_for(ending.wait(), QUERY_INTERVAL)
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
                        log.warning("the dashboard's figures cannot be read", reason=str(error))
                    self._shown = None
                took = loop.time() - begun
                pause = max(QUERY_INTERVAL / 2, took / MAX_QUERY_SHARE - took)
                self._good_until = loop.time() + pause
            return self._shown
