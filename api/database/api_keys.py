"""Recognizes API keys.

A key is looked up for each request, so one that is revoked works no longer from the moment of the
answer, in every process. Concurrent requests share look-ups (docs/decisions/0063).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from api.database.key_uses import KeyUses
from api.database.query import run_query
from api.database.single_flight import BatchedReads
from api.identity.credentials import Pool
from domain.api_keys import Scope
from domain.key_secrets import KeySecret


class KnownKey(msgspec.Struct, frozen=True, kw_only=True):
    """The API key of a request."""

    id: UUID
    scopes: frozenset[Scope]
    event_ids: frozenset[UUID] | None
    """The events that it is restricted to; None for all events."""

    @property
    def actor(self) -> str:
        """In history."""
        return f"key:{self.id}"


class ApiKeys:
    """The API keys of an installation, on connections to the primary."""

    def __init__(self, pool: Pool, uses: KeyUses) -> None:
        self._pool = pool
        self.uses = uses
        self._look_up = BatchedReads(self._look_up_all)

    async def of(self, secret: KeySecret) -> KnownKey | None:
        """The key with this secret, unless it is revoked or expired. Counts as a use."""
        key = await self._look_up(secret.hash)
        if key is not None:
            self.uses.note(key.id)
        return key

    async def _look_up_all(self, hashes: Sequence[bytes]) -> list[KnownKey | None]:
        async def query(connection: AsyncConnection[Any]) -> list[KnownKey | None]:
            cursor = await connection.execute(
                """
                SELECT s.hash, k.id, k.scopes, k.event_ids
                FROM api_key_secrets s JOIN api_keys k ON k.id = s.key_id
                WHERE s.hash = ANY(%s)
                  AND (s.works_until IS NULL OR s.works_until > now())
                  AND (k.expires_at IS NULL OR k.expires_at > now())
                """,
                [list(set(hashes))],
                binary=True,
            )
            known = {
                hashed: KnownKey(
                    id=id,
                    scopes=frozenset(scopes),
                    event_ids=None if event_ids is None else frozenset(event_ids),
                )
                for hashed, id, scopes, event_ids in await cursor.fetchall()
            }
            return [known.get(hashed) for hashed in hashes]

        return await run_query(self._pool, query)
