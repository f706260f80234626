"""A seal: a signed checkpoint, with the events since the checkpoint before it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, islice, pairwise
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from psycopg import AsyncConnection
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from domain.seals.checkpoints import Checkpoint, before_all
from domain.seals.leaves import Leaf
from domain.seals.merkle import HASH_BYTES
from domain.seals.signing import key_id


class Seal(msgspec.Struct, frozen=True):
    start: int
    """Number of events sealed before."""
    checkpoint: Checkpoint
    leaves: list[Leaf]


async def newest_checkpoint(connection: AsyncConnection[Any], key: Ed25519PublicKey) -> Checkpoint:
    """The checkpoint over the most events; that of an empty history when nothing is sealed."""
    cursor = await connection.execute(
        """
        SELECT tree_size, root_hash, last_position, sealed_at, previous, signature
        FROM history_seals ORDER BY start DESC LIMIT 1
        """,
        binary=True,
    )
    row = await cursor.fetchone()
    return _checkpoint(key, *row) if row else before_all(key)


async def seals_from(
    connection: AsyncConnection[Any], key: Ed25519PublicKey, start: int, *, leaves: int
) -> list[Seal]:
    """The seals of about this number of leaves, from leaf `start` on, or from the next existing
    seal."""
    cursor = await connection.execute(
        """
        SELECT start, positions, leaf_hashes,
               tree_size, root_hash, last_position, sealed_at, previous, signature
        FROM history_seals
        WHERE start >= %(start)s
          AND start < %(leaves)s + (
              SELECT start FROM history_seals WHERE start >= %(start)s ORDER BY start LIMIT 1
          )
        ORDER BY start
        """,
        {"start": start, "leaves": leaves},
        binary=True,
    )
    return [
        Seal(start, _checkpoint(key, *checkpoint), _leaves(positions, hashes))
        for start, positions, hashes, *checkpoint in await cursor.fetchall()
    ]


async def seal_with(connection: AsyncConnection[Any], key: Ed25519PublicKey, position: int) -> Seal:
    """The seal of the position. Raises LookupError."""
    cursor = await connection.execute(
        "SELECT start FROM history_seals WHERE last_position >= %s ORDER BY last_position LIMIT 1",
        [position],
    )
    row = await cursor.fetchone()
    if row is None:
        raise LookupError(f"no seal has position {position}")
    (seal,) = await seals_from(connection, key, row[0], leaves=1)
    return seal


async def insert_seal(connection: AsyncConnection[Any], seal: Seal) -> None:
    """Raises `psycopg.errors.UniqueViolation` when another sealer has sealed these leaves."""
    checkpoint = seal.checkpoint
    await connection.execute(
        """
        INSERT INTO history_seals (
            start, positions, leaf_hashes,
            tree_size, root_hash, last_position, sealed_at, previous, signature
        ) VALUES (%b, %s, %b, %b, %b, %b, %b, %b, %b)
        """,
        [
            seal.start,
            _multirange([position for position, _ in seal.leaves]),
            b"".join(leaf for _, leaf in seal.leaves),
            checkpoint.tree_size,
            checkpoint.root_hash,
            checkpoint.last_position,
            checkpoint.sealed_at,
            checkpoint.previous,
            checkpoint.signature,
        ],
    )


def _checkpoint(key: Ed25519PublicKey, *row: Any) -> Checkpoint:
    tree_size, root_hash, last_position, sealed_at, previous, signature = row
    return Checkpoint(
        tree_size=tree_size,
        root_hash=root_hash,
        last_position=last_position,
        sealed_at=sealed_at,
        previous=previous,
        key_id=key_id(key),
        signature=signature,
    )


def _multirange(positions: Sequence[int]) -> Multirange[int]:
    """Consecutive positions are one range; nearly all positions are consecutive."""
    ends = [before for before, after in pairwise(positions) if after != before + 1]
    starts = [after for before, after in pairwise(positions) if after != before + 1]
    return Multirange(
        Range(first, last + 1)
        for first, last in zip([positions[0], *starts], [*ends, positions[-1]], strict=True)
    )


def _leaves(positions: Multirange[int], hashes: bytes) -> list[Leaf]:
    """The leaves; empty unless there are as many positions as hashes."""
    count = len(hashes) // HASH_BYTES
    spans = (range(span.lower or 0, span.upper or 0) for span in positions)
    each = list(islice(chain.from_iterable(spans), count + 1))
    if len(each) * HASH_BYTES != len(hashes):
        return []
    starts = range(0, len(hashes), HASH_BYTES)
    return list(zip(each, (hashes[start : start + HASH_BYTES] for start in starts), strict=True))
