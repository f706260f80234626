"""Single flight: concurrent callers of one expensive read share its result."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
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
