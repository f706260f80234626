"""Single flight: concurrent callers of one expensive read share its result."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """Each caller gets the result of a read that began after the call. Calls during one read share
    the next one.

        versions = SingleFlight(read_versions)
        now = await versions()
    """

    def __init__(self, read: Callable[[], Awaitable[T]]) -> None:
        self._read = read
        self._one_at_a_time = asyncio.Lock()
        self._next: asyncio.Task[T] | None = None

    async def __call__(self) -> T:
        """Raises what the read raises."""
        if self._next is None:
            self._next = asyncio.create_task(self._read_in_turn(), name="single flight")
        return await asyncio.shield(
            self._next
        )  # a cancelled caller must not cancel it for the others

    async def _read_in_turn(self) -> T:
        async with self._one_at_a_time:
            self._next = None
            return await self._read()


class SharedReads(Generic[T]):
    """Calls with the same key share the read that is in progress, if there is one: its result may
    be older than the call."""

    def __init__(self) -> None:
        self._reads: dict[Hashable, asyncio.Task[T]] = {}

    async def __call__(self, key: Hashable, read: Callable[[], Awaitable[T]]) -> T:
        """Raises what the read raises."""
        task = self._reads.get(key)
        if task is None:
            task = self._reads[key] = asyncio.create_task(_result(read), name="shared read")
            task.add_done_callback(lambda _: self._reads.pop(key))
        return await asyncio.shield(task)


async def _result(read: Callable[[], Awaitable[T]]) -> T:
    return await read()
