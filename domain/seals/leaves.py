"""The leaves of the tree: each stored event, encoded unambiguously."""

from __future__ import annotations

from struct import Struct
from typing import Annotated, Any, TypeAlias
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.seals.merkle import leaf_hash

Leaf: TypeAlias = tuple[int, bytes]
"""An event's position, and its hash in the tree."""

Integer = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]

FORMAT = 1

_HEAD = Struct(">Bq16sqII")
"""Format, position, aggregate's id and version, lengths of topic and state, which follow."""

_NULL = 0xFFFFFFFF
"""The length of a null value. Events are never stored with nulls, but an attacker may set them."""


class StoredEvent(msgspec.Struct, frozen=True):
    """A stored row of history, not decoded. Its fields are in the JSON of a proof."""

    position: Integer
    originator_id: UUID
    originator_version: Integer
    topic: str | None
    state: bytes | None

    def leaf(self) -> Leaf:
        topic = None if self.topic is None else self.topic.encode()
        head = _HEAD.pack(
            FORMAT,
            self.position,
            self.originator_id.bytes,
            self.originator_version,
            _NULL if topic is None else len(topic),
            _NULL if self.state is None else len(self.state),
        )
        return self.position, leaf_hash(head + (topic or b"") + (self.state or b""))


async def read_stored(
    connection: AsyncConnection[Any], *, after: int, until: int | None = None, limit: int
) -> list[StoredEvent]:
    """The next events in the order of history, up to the position `until`."""
    cursor = await connection.execute(
        """
        SELECT notification_id, originator_id, originator_version, topic, state
        FROM history_events
        WHERE notification_id > %(after)s
          AND notification_id <= coalesce(%(until)s::bigint, 9223372036854775807)
        ORDER BY notification_id
        LIMIT %(limit)s
        """,
        {"after": after, "until": until, "limit": limit},
        binary=True,
    )
    return [StoredEvent(*row) for row in await cursor.fetchall()]
