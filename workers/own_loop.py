"""Runs a coroutine in an event loop and a thread of its own.

For long work: the event loop that delivers must read each answer soon after it arrives.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


async def run_in_own_loop(coroutine: Coroutine[Any, Any, T]) -> T:
    """Returns or raises what the coroutine does. Cancelling this call cancels the coroutine and
    waits until it has ended."""
    begun = Future[asyncio.Task[Any]]()

    async def run() -> T:
        begun.set_result(asyncio.current_task())  # type: ignore[arg-type]  # there is one
        return await coroutine

    ended = asyncio.ensure_future(asyncio.to_thread(asyncio.run, run()))
    try:
        return await asyncio.shield(ended)
    except asyncio.CancelledError:
        task = await asyncio.wrap_future(begun)
        with suppress(RuntimeError):  # its loop is closed: the task has ended
            task.get_loop().call_soon_threadsafe(task.cancel)
        with suppress(BaseException):
            await ended
        raise


def call_on_this_loop(function: Callable[[T], object]) -> Callable[[T], object]:
    """A function for another thread, which calls `function` on the loop that is running now."""
    loop = asyncio.get_running_loop()
    return lambda argument: loop.call_soon_threadsafe(function, argument)
