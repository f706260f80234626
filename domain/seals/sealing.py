"""Sealing: adds new events to the tree, and signs its new root.

It runs after the events are committed, so appends do not wait for it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg import AsyncConnection, DataError
from psycopg.errors import UniqueViolation

from domain.seals.checkpoints import Checkpoint, is_signed_by, signed
from domain.seals.leaves import read_stored
from domain.seals.merkle import Frontier
from domain.seals.seal import Seal, insert_seal, newest_checkpoint
from domain.seals.tree import insert_nodes, stored_frontier

MAX_SEAL_SIZE = 4096
"""Events in one seal."""


class Overtaken(Exception):
    """Another sealer has sealed these events."""


class SealsDamaged(Exception):
    """The seals do not match their signatures; no further events are sealed."""


class Sealer:
    """Continues from a checkpoint. Of several sealers of one database only one succeeds; the others
    raise `Overtaken`."""

    def __init__(
        self,
        connection: AsyncConnection[Any],
        key: Ed25519PrivateKey,
        newest: Checkpoint,
        frontier: Frontier,
    ) -> None:
        self._connection = connection
        self._key = key
        self._newest = newest
        self._frontier = frontier

    @classmethod
    async def resume(cls, connection: AsyncConnection[Any], key: Ed25519PrivateKey) -> Sealer:
        """Continue from the newest checkpoint. Raises `SealsDamaged`."""
        public_key = key.public_key()
        try:
            newest = await newest_checkpoint(connection, public_key)
        except DataError:  # for example an infinite timestamp
            raise SealsDamaged("the newest checkpoint cannot be read") from None
        if newest.tree_size and not is_signed_by(newest, public_key):
            raise SealsDamaged("the newest checkpoint is not signed by this installation")
        try:
            frontier = await stored_frontier(connection, newest.tree_size)
        except LookupError as error:
            raise SealsDamaged(str(error)) from None
        if frontier.root != newest.root_hash:
            raise SealsDamaged("the stored hashes do not lead to the root of the newest checkpoint")
        return cls(connection, key, newest, frontier)

    async def seal(self, now: datetime | None = None) -> int:
        """Seal the next events; returns their number. Raises `Overtaken`."""
        last_position = self._newest.last_position
        events = await read_stored(self._connection, after=last_position, limit=MAX_SEAL_SIZE)
        if not events:
            return 0
        leaves = [event.leaf() for event in events]
        frontier = self._frontier.copy()
        nodes = frontier.extend(leaf for _, leaf in leaves)
        checkpoint = signed(
            Checkpoint(
                tree_size=frontier.size,
                root_hash=frontier.root,
                last_position=leaves[-1][0],
                sealed_at=now or datetime.now(UTC),
                previous=self._newest.digest(),
                key_id=self._newest.key_id,
            ),
            self._key,
        )
        try:
            async with self._connection.transaction():
                seal = Seal(self._frontier.size, checkpoint, leaves)
                await insert_seal(self._connection, seal)
                await insert_nodes(self._connection, nodes)
        except UniqueViolation:
            raise Overtaken from None
        self._newest, self._frontier = checkpoint, frontier
        return len(events)
