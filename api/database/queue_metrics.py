"""The length of the command queue, measured once a second: while the database hangs the queue
grows, and no batch ends that could report it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from prometheus_client import Gauge

from domain.history.group_commit import Writer
from runtime.metrics import REGISTRY

MEASURING_INTERVAL = 1.0
"""Seconds."""

QUEUE = Gauge(
    "events_face_command_queue",
    "Commands that wait for a batch.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)


@asynccontextmanager
async def queue_measured(writer: Writer) -> AsyncIterator[None]:
    """Measure the queue while the block runs."""

    async def measure() -> None:
        while True:
            QUEUE.set(writer.waiting)
            await asyncio.sleep(MEASURING_INTERVAL)

    measuring = asyncio.create_task(measure(), name="command queue metrics")
    try:
        yield
    finally:
        measuring.cancel()
        with suppress(asyncio.CancelledError):
            await measuring
        QUEUE.set(0)
