"""What somebody looks after: the read tables with their rebuilds, and the seals of history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from psycopg import AsyncConnection

from api.http.requests import Request
from domain.seals.checkpoints import Checkpoint
from domain.seals.lag import SealLag, seal_lag
from domain.seals.seal import newest_checkpoint
from domain.seals.signing import load_public_key
from projections.rebuild.requests import RebuildRequest, requests
from projections.status import Standing, standings

LATE = 60.0
"""Seconds without a seal, after which something is wrong with sealing."""


class Sealing(msgspec.Struct, frozen=True, kw_only=True):
    key: Ed25519PublicKey
    newest: Checkpoint
    """Of an empty history while nothing is sealed."""
    unsealed: SealLag

    @property
    def is_late(self) -> bool:
        age = self.unsealed.seconds
        return self.unsealed.events > 0 and (age is None or age > LATE)


class Upkeep(msgspec.Struct, frozen=True, kw_only=True):
    tables: Sequence[Standing]
    rebuilds: Mapping[str, RebuildRequest]
    """Asked for, or failed; by the table's name."""
    sealing: Sealing


async def upkeep(request: Request) -> Upkeep:
    """Told by the database that history is in: a replica knows nothing of locks."""
    async with request.connections.primary.connection() as connection:
        return Upkeep(
            tables=await standings(connection),
            rebuilds=await requests(connection),
            sealing=await _sealing(connection, request.settings.secret_keys),
        )


async def sealing(request: Request) -> Sealing:
    async with request.connections.primary.connection() as connection:
        return await _sealing(connection, request.settings.secret_keys)


async def _sealing(connection: AsyncConnection[Any], secret_keys: tuple[str, ...]) -> Sealing:
    key = await load_public_key(connection, secret_keys)
    newest = await newest_checkpoint(connection, key)
    return Sealing(key=key, newest=newest, unsealed=await seal_lag(connection))
