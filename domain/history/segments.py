"""Reads history in segments, each in one query and independent of the others, for rebuilds.

Much faster than following history, and several processes can read in parallel. Synchronous code,
for processes that do nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
from psycopg import Connection

from domain.core.aggregate import EVENT_TYPES, RecordedEvent
from domain.history.codec import UnknownEvent, decode, open_personal
from domain.history.store import load_keys
from domain.privacy.encryption import CannotOpen
from domain.privacy.keys import InstallationKeys, UnknownGeneration, binding_of, unwrap


class Unreadable(Exception):
    """An event cannot be decoded, or its personal data cannot be decrypted"""


def read_segment(
    connection: Connection[Any],
    keys: InstallationKeys,
    *,
    after: int,
    upto: int,
    skipped: Sequence[str],
) -> list[RecordedEvent]:
    """The events after the position `after` up to `upto`, with decrypted personal data unless its
    key was deleted; without events of `skipped` topics.

    Raises `Unreadable`.
    """
    rows = _rows(connection, after, upto, skipped)
    try:
        return [_event(keys, *row) for row in rows]
    except Unreadable as error:
        if not isinstance(error.__cause__, UnknownGeneration):
            raise
    # The data key was rotated since the keys were loaded.
    keys.data |= load_keys(connection, keys.secret_keys).data
    return [_event(keys, *row) for row in _rows(connection, after, upto, skipped)]


def _rows(
    connection: Connection[Any], after: int, upto: int, skipped: Sequence[str]
) -> list[tuple[UUID, int, str, bytes, int, bytes | None]]:
    cursor = connection.cursor(binary=True)
    cursor.execute(
        """
        SELECT originator_id, originator_version, topic, state, notification_id,
               CASE WHEN topic = ANY(%(personal)b) THEN (
                   SELECT wrapped FROM personal_keys k
                   WHERE k.originator_id = e.originator_id
                     AND k.originator_version = e.originator_version
               ) END
        FROM history_events e
        WHERE notification_id > %(after)b AND notification_id <= %(upto)b
          AND topic = ANY(%(skipped)b) IS NOT TRUE -- also true if the topic is null
        ORDER BY notification_id
        """,
        {
            "after": after,
            "upto": upto,
            "skipped": list(skipped),
            "personal": [topic for topic, kind in EVENT_TYPES.items() if kind.personal_field],
        },
    )
    return cursor.fetchall()


def _event(
    keys: InstallationKeys,
    id: UUID,
    version: int,
    topic: str,
    state: bytes,
    position: int,
    wrapped: bytes | None,
) -> RecordedEvent:
    try:
        recorded = decode(id, version, topic, state, position)
        if wrapped is None:
            return recorded
        return open_personal(recorded, unwrap(keys, wrapped, binding_of(id, version)))
    except (UnknownEvent, msgspec.MsgspecError, CannotOpen, TypeError) as error:
        raise Unreadable(f"event {position}: {type(error).__name__}: {error}") from error
