"""Waiting for a condition, with a deadline; tests never just sleep."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

DEADLINE = 60.0
"""Seconds; generous, because only a failing test waits this long: a busy machine may take twenty
times as long as an idle one, to start a process above all."""

PAUSE = 0.01


def until(condition: Callable[[], object], *, within: float = DEADLINE) -> None:
    """Return once the condition holds. Raises TimeoutError."""
    ends = time.monotonic() + within
    while not condition():
        if time.monotonic() > ends:
            raise TimeoutError(f"not within {within} s: {condition}")
        time.sleep(PAUSE)


async def until_async(
    condition: Callable[[], Awaitable[object]], *, within: float = DEADLINE
) -> None:
    """Return once the awaited condition holds. Raises TimeoutError."""
    async with asyncio.timeout(within):
        while not await condition():  # noqa: ASYNC110  any condition, not only our own events
            await asyncio.sleep(PAUSE)
