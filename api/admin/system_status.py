"""System status for operators: read tables with their rebuilds, and the seals of history."""

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
from projections.rebuild.requests import RebuildRequest, rebuild_requests
from projections.status import ProjectionStatus, projection_statuses

MAX_SEAL_LAG = 60.0
"""Seconds without a new seal, after which sealing counts as failing."""


class Sealing(msgspec.Struct, frozen=True, kw_only=True):
    key: Ed25519PublicKey
    newest: Checkpoint
    """Also for an empty history, in which nothing is sealed."""
    unsealed: SealLag

    @property
    def is_late(self) -> bool:
        age = self.unsealed.seconds
        return self.unsealed.events > 0 and (age is None or age > MAX_SEAL_LAG)


class SystemStatus(msgspec.Struct, frozen=True, kw_only=True):
    tables: Sequence[ProjectionStatus]
    rebuilds: Mapping[str, RebuildRequest]
    """Requested or failed rebuilds, by table name."""
    sealing: Sealing


async def system_status(request: Request) -> SystemStatus:
    """Read from the primary: a replica does not show advisory locks."""
    async with request.connections.primary.connection() as connection:
        return SystemStatus(
            tables=await projection_statuses(connection),
            rebuilds=await rebuild_requests(connection),
            sealing=await _sealing(connection, request.settings.secret_keys),
        )


async def sealing(request: Request) -> Sealing:
    async with request.connections.primary.connection() as connection:
        return await _sealing(connection, request.settings.secret_keys)


async def _sealing(connection: AsyncConnection[Any], secret_keys: tuple[str, ...]) -> Sealing:
    key = await load_public_key(connection, secret_keys)
    newest = await newest_checkpoint(connection, key)
    return Sealing(key=key, newest=newest, unsealed=await seal_lag(connection))
