"""A look at something that costs more than a look at its result, shared by all who want one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """Everybody gets what was seen by a look that began after they asked, however many they are:
    who asks during one look waits for the next.

        versions = Shared(look)
        now = await versions()
    """

    def __init__(self, look: Callable[[], Awaitable[T]]) -> None:
        self._look = look
        self._one_at_a_time = asyncio.Lock()
        self._next: asyncio.Task[T] | None = None

    async def __call__(self) -> T:
        """Raises what the look raises."""
        if self._next is None:
            self._next = asyncio.create_task(self._look_in_turn(), name="shared look")
        return await asyncio.shield(self._next)  # who goes away takes it from nobody

    async def _look_in_turn(self) -> T:
        async with self._one_at_a_time:
            self._next = None
            return await self._look()
