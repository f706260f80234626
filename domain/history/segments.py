"""Reads history in segments, each in one query and independent of the others, for rebuilds.

Much faster than following history, and several processes can read in parallel. Synchronous code,
for processes that do nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from psycopg import Connection
from psycopg.sql import SQL

from domain.core.aggregate import RecordedEvent
from domain.history.codec import UnknownEvent, decode
from domain.history.keyed_rows import KEYED_ROW, KeyedRow, personal_topics
from domain.history.store import load_keys
from domain.privacy.encryption import CannotOpen
from domain.privacy.keys import InstallationKeys, UnknownGeneration


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
        return [_event(keys, row) for row in rows]
    except Unreadable as error:
        if not isinstance(error.__cause__, UnknownGeneration):
            raise
    # The data key was rotated since the keys were loaded.
    keys.data |= load_keys(connection, keys.secret_keys).data
    return [_event(keys, row) for row in _rows(connection, after, upto, skipped)]


def _rows(
    connection: Connection[Any], after: int, upto: int, skipped: Sequence[str]
) -> list[KeyedRow]:
    cursor = connection.cursor(binary=True)
    cursor.execute(
        SQL(
            """
            SELECT {} FROM history_events e
            WHERE notification_id > %(after)b AND notification_id <= %(upto)b
              AND topic = ANY(%(skipped)b) IS NOT TRUE -- also true if the topic is null
            ORDER BY notification_id
            """
        ).format(KEYED_ROW),
        {
            "after": after,
            "upto": upto,
            "skipped": list(skipped),
            "personal": personal_topics(),
        },
    )
    return cursor.fetchall()


def _event(keys: InstallationKeys, row: KeyedRow) -> RecordedEvent:
    try:
        return decode(*row, keys)
    except (UnknownEvent, msgspec.MsgspecError, CannotOpen, TypeError) as error:
        _, _, _, _, position, _ = row
        raise Unreadable(f"event {position}: {type(error).__name__}: {error}") from error
