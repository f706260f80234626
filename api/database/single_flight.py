"""Single flight: concurrent callers of one expensive read share its result."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

T = TypeVar("T")
I = TypeVar("I")  # noqa: E741


class BatchedReads(Generic[I, T]):
    """Each caller gets what was read for its item, by a read that began after the call. Calls
    during one read share the next one, which reads for all their items at once.

        names = BatchedReads(read_names)
        name = await names(visitor_id)
    """

    def __init__(self, read: Callable[[Sequence[I]], Awaitable[Sequence[T]]]) -> None:
        self._read = read
        self._waiting: list[tuple[I, asyncio.Future[T]]] = []
        self._reading: asyncio.Task[None] | None = None

    async def __call__(self, item: I) -> T:
        """Raises what the read raises."""
        found: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, found))
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_in_turn(), name="batched reads")
        return await found

    async def _read_in_turn(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                await self._read_for(batch)
        finally:
            self._reading = None

    async def _read_for(self, batch: Sequence[tuple[I, asyncio.Future[T]]]) -> None:
        try:
            results = await self._read([item for item, _ in batch])
        except Exception as error:  # noqa: BLE001  passed to each caller
            for _, found in batch:
                if not found.done():  # its caller was cancelled
                    found.set_exception(error)
        else:
            for (_, found), result in zip(batch, results, strict=True):
                if not found.done():
                    found.set_result(result)


class SingleFlight(Generic[T]):
    """Batched reads of one thing.

    versions = SingleFlight(read_versions)
    now = await versions()
    """

    def __init__(self, read: Callable[[], Awaitable[T]]) -> None:
        async def read_for_all(callers: Sequence[None]) -> list[T]:
            return [await read()] * len(callers)

        self._reads = BatchedReads(read_for_all)

    async def __call__(self) -> T:
        """Raises what the read raises."""
        return await self._reads(None)


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
