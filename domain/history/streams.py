"""Loads aggregates from history: many streams with one SELECT.

Loaded aggregates are cached, and brought up to date with the events since. A decision on a cached
aggregate that was not brought up to date must be checked by the append. After reading a long
stream, a snapshot is stored, from which the next reader starts.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.pq import TransactionStatus

from domain.core.aggregate import EVENT_TYPES, Aggregate
from domain.history.codec import decode, to_json

LONG_STREAM = 100
"""Events. After reading this many events of one stream, a snapshot is stored."""

CACHED_AGGREGATES = 20_000

Loaded = dict[UUID, Aggregate | None]
"""Aggregates by id; None for a stream without events."""


class Streams:
    """A cache of aggregates, each at the version to which its stream was read."""

    def __init__(self) -> None:
        self._cache: OrderedDict[UUID, Aggregate] = OrderedDict()

    async def load(self, connection: AsyncConnection[Any], ids: Iterable[UUID]) -> Loaded:
        """The aggregates, up to date with history."""
        loaded = self.known(ids)
        cursor = await connection.execute(
            """
            WITH known AS (
                SELECT id, version FROM unnest(%b::uuid[], %b::bigint[]) AS known (id, version)
            ), snapshot AS MATERIALIZED (
                SELECT known.id, last.*
                FROM known CROSS JOIN LATERAL (
                    SELECT s.originator_version AS version, s.topic, s.state
                    FROM history_snapshots s
                    WHERE s.originator_id = known.id AND s.originator_version > known.version
                      AND s.topic = ANY(%b)
                    ORDER BY s.originator_version DESC LIMIT 1
                ) AS last
            )
            SELECT id, version, topic, state FROM snapshot
            UNION ALL
            SELECT known.id, next.*
            FROM known LEFT JOIN snapshot USING (id) CROSS JOIN LATERAL (
                SELECT e.originator_version, e.topic, e.state
                FROM history_events e
                WHERE e.originator_id = known.id
                  AND e.originator_version > coalesce(snapshot.version, known.version)
                OFFSET 0 -- forces an index look-up for each stream
            ) AS next
            ORDER BY version
            """,
            [
                list(loaded),
                [aggregate.version if aggregate else 0 for aggregate in loaded.values()],
                list(_SNAPSHOT_KINDS),
            ],
            binary=True,
        )
        rows = await cursor.fetchall()
        for id, version, topic, state in rows:
            loaded[id] = _advanced(loaded[id], id, version, topic, state)
        if len(rows) >= LONG_STREAM and is_committing(connection):
            lengths = Counter(id for id, *_ in rows)
            long = [a for a in loaded.values() if a and lengths[a.id] >= LONG_STREAM]
            await _take_snapshots(connection, long)
        if is_committing(connection):
            self._keep(loaded)
        return loaded

    def known(self, ids: Iterable[UUID]) -> Loaded:
        """The cached aggregates, possibly out of date; None for those that are not cached."""
        return {id: self._cache.get(id) for id in ids}

    def advance(self, connection: AsyncConnection[Any], changed: Iterable[Aggregate]) -> None:
        """Update cached aggregates after an append; remove them if the append may still be rolled
        back."""
        newest = {aggregate.id: aggregate for aggregate in changed if aggregate.id in self._cache}
        if is_committing(connection):
            self._keep(newest)
        else:
            for id in newest:
                del self._cache[id]

    def _keep(self, loaded: Mapping[UUID, Aggregate | None]) -> None:
        for id, aggregate in loaded.items():
            if aggregate is not None:
                self._cache[id] = aggregate
                self._cache.move_to_end(id)
        while len(self._cache) > CACHED_AGGREGATES:
            self._cache.popitem(last=False)


def is_committing(connection: AsyncConnection[Any]) -> bool:
    """Whether each statement commits by itself, so that all data read or appended is committed."""
    return connection.info.transaction_status is TransactionStatus.IDLE


def _advanced(
    aggregate: Aggregate | None, id: UUID, version: int, topic: str, state: bytes
) -> Aggregate:
    """The aggregate after a stored event, or the aggregate of a snapshot."""
    if kind := _SNAPSHOT_KINDS.get(topic):
        return msgspec.json.decode(state, type=kind)
    return decode(id, version, topic, state).mutate(aggregate)


async def _take_snapshots(
    connection: AsyncConnection[Any], aggregates: Sequence[Aggregate]
) -> None:
    await connection.execute(
        """
        INSERT INTO history_snapshots (originator_id, originator_version, topic, state)
        SELECT * FROM unnest(%b::uuid[], %b::bigint[], %b::text[], %b::bytea[])
        ON CONFLICT DO NOTHING
        """,
        [
            [aggregate.id for aggregate in aggregates],
            [aggregate.version for aggregate in aggregates],
            [_SNAPSHOT_TOPICS[type(aggregate)] for aggregate in aggregates],
            [to_json(aggregate) for aggregate in aggregates],
        ],
    )


def _snapshot_topic(kind: type[Aggregate]) -> str:
    """Depends on the fields of the aggregate, so that snapshots with other fields are ignored."""
    shape = msgspec.json.encode(msgspec.json.schema(kind), order="deterministic")
    return f"{kind.__name__}.snapshot.{blake2b(shape, digest_size=4).hexdigest()}"


_SNAPSHOT_TOPICS = {
    kind: _snapshot_topic(kind) for kind in {e.aggregate_class for e in EVENT_TYPES.values()}
}
_SNAPSHOT_KINDS = {topic: kind for kind, topic in _SNAPSHOT_TOPICS.items()}
