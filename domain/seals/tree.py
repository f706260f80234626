"""The stored tree: computes the root of any part of it from a few rows.

Leaves are stored in the seals. Of the nodes above, every eighth level is stored, and the others are
computed, so that at most 255 hashes of a level are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

from domain.seals.merkle import HASH_BYTES, Frontier, Row, peaks, root_of

LEVELS = 8


async def insert_nodes(connection: AsyncConnection[Any], rows: Sequence[Row]) -> None:
    """Store the nodes of every eighth level among these."""
    kept = [
        (row.level, number, node)
        for row in rows
        if row.level and row.level % LEVELS == 0
        for number, node in enumerate(row.hashes, row.first)
    ]
    if kept:
        await connection.execute(
            """
            INSERT INTO history_seal_nodes (level, number, hash)
            SELECT * FROM unnest(%b::smallint[], %b::bigint[], %b::bytea[])
            """,
            [list(column) for column in zip(*kept, strict=True)],
        )


async def stored_frontier(connection: AsyncConnection[Any], size: int) -> Frontier:
    """The frontier of the tree of this size, to add leaves to it."""
    hashes = [await _root(connection, level, number) for level, number in peaks(0, size)]
    return Frontier.of(size, hashes)


async def part_root(connection: AsyncConnection[Any], start: int, end: int) -> bytes:
    """The root of the leaves from `start` to before `end`, which must be a part of the tree."""
    return root_of([await _root(connection, *peak) for peak in peaks(start, end)])


async def _root(connection: AsyncConnection[Any], level: int, number: int) -> bytes:
    """The root of a perfect subtree. Raises LookupError when nodes below it are missing."""
    stored = level - level % LEVELS
    first, count = number << (level - stored), 1 << (level - stored)
    if stored:
        hashes = await _nodes(connection, stored, first, count)
    else:
        hashes = await _leaf_hashes(connection, first, count)
    if len(hashes) != count:
        raise LookupError(f"hashes of level {stored} are missing from {first} on")
    frontier = Frontier()
    frontier.extend(hashes)
    return frontier.root


async def _nodes(
    connection: AsyncConnection[Any], level: int, first: int, count: int
) -> list[bytes]:
    cursor = await connection.execute(
        """
        SELECT hash FROM history_seal_nodes
        WHERE level = %s AND number >= %s AND number < %s
        ORDER BY number
        """,
        [level, first, first + count],
        binary=True,
    )
    return [node for (node,) in await cursor.fetchall()]


async def _leaf_hashes(connection: AsyncConnection[Any], first: int, count: int) -> list[bytes]:
    cursor = await connection.execute(
        """
        SELECT start, leaf_hashes FROM history_seals
        WHERE start >= (
            SELECT start FROM history_seals WHERE start <= %(first)s ORDER BY start DESC LIMIT 1
        ) AND start < %(first)s + %(count)s
        ORDER BY start
        """,
        {"first": first, "count": count},
        binary=True,
    )
    rows = await cursor.fetchall()
    if not rows:
        return []
    hashes = b"".join(hashes for _, hashes in rows)
    skipped = (first - rows[0][0]) * HASH_BYTES
    wanted = hashes[skipped : skipped + count * HASH_BYTES]
    return [wanted[i : i + HASH_BYTES] for i in range(0, len(wanted), HASH_BYTES)]
