"""Blocks of history, so that a filtered feed need not read all of it: an index says in which blocks
an event, or a type of item, has items."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol

import msgspec
from psycopg import AsyncConnection

BLOCK = 100
"""Positions."""


class Found(msgspec.Struct, frozen=True):
    blocks: Sequence[int]
    """In order; block 0 has the positions below `BLOCK`."""
    up_to: int
    """A position: up to here there are no items in other blocks. 0 if the index says nothing."""

    def ranges(self, after: int) -> list[tuple[int, int]]:
        """After which position, and up to which, to read each block."""
        return [
            (max(after, block * BLOCK - 1), min(block * BLOCK + BLOCK - 1, self.up_to))
            for block in self.blocks
        ]


class FindBlocks(Protocol):
    async def __call__(
        self, connection: AsyncConnection[Any], subjects: Collection[str], *, after: int
    ) -> Found:
        """The next blocks with items about any of these subjects, which are ids of events or types
        of items, after a position."""
