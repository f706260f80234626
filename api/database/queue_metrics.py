"""How many commands wait for the writer, told by the clock: they are the more while the database
hangs, and no batch ends that could tell."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from prometheus_client import Gauge

from domain.history.group_commit import Writer
from runtime.metrics import REGISTRY

EVERY = 1.0
"""Seconds."""

QUEUE = Gauge(
    "events_face_command_queue",
    "Commands that wait for a batch to take them.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)


@asynccontextmanager
async def queue_told(writer: Writer) -> AsyncIterator[None]:
    """For the length of the block."""

    async def tell() -> None:
        while True:
            QUEUE.set(writer.waiting)
            await asyncio.sleep(EVERY)

    telling = asyncio.create_task(tell(), name="queue told")
    try:
        yield
    finally:
        telling.cancel()
        with suppress(asyncio.CancelledError):
            await telling
        QUEUE.set(0)
