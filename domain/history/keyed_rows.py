"""Stored domain events, read together with the keys of their personal data.

For readers of many events: one query instead of two, and each event is made only once.
"""

from __future__ import annotations

from uuid import UUID

from psycopg.sql import SQL

from domain.core.aggregate import EVENT_TYPES

KeyedRow = tuple[UUID, int, str, bytes, int, bytes | None]
"""The arguments of `codec.decode`, without the keys of the installation. The wrapped key is None
without personal data, and after an erasure."""

KEYED_ROW = SQL("""
    originator_id, originator_version, topic, state, notification_id,
    CASE WHEN topic = ANY(%(personal)b) THEN (
        SELECT wrapped FROM personal_keys k
        WHERE k.originator_id = e.originator_id AND k.originator_version = e.originator_version
    ) END
""")
"""Columns of history_events as `e`. The parameter `personal` has the topics whose keys are read."""


def personal_topics() -> list[str]:
    """All topics of events with personal data."""
    return [topic for topic, kind in EVENT_TYPES.items() if kind.personal_field]
