"""A coroutine on an event loop of its own, in a thread of its own.

For what may take long: the loop that delivers must see each answer soon after it came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


async def run_aside(coroutine: Coroutine[Any, Any, T]) -> T:
    """What it returns or raises. Cancelling this cancels it, and waits until it has ended."""
    begun = Future[asyncio.Task[Any]]()

    async def run() -> T:
        begun.set_result(asyncio.current_task())  # type: ignore[arg-type]  # there is one
        return await coroutine

    ended = asyncio.ensure_future(asyncio.to_thread(asyncio.run, run()))
    try:
        return await asyncio.shield(ended)
    except asyncio.CancelledError:
        task = await asyncio.wrap_future(begun)
        with suppress(RuntimeError):  # its loop is closed: it has ended by itself
            task.get_loop().call_soon_threadsafe(task.cancel)
        with suppress(BaseException):
            await ended
        raise


def called_back(function: Callable[[T], object]) -> Callable[[T], object]:
    """The same for who runs aside: it is called on the loop that is running now."""
    loop = asyncio.get_running_loop()
    return lambda argument: loop.call_soon_threadsafe(function, argument)
