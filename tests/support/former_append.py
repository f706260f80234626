"""Appends as releases make them that know no seats."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from psycopg import Connection

from domain.core.aggregate import DomainEvent, Metadata, RecordedEvent
from domain.history.codec import encode
from domain.visitors import Registered
from tests.support.installation import MORNING

Stream = tuple[UUID, int, DomainEvent[Any]]
"""An event, the id of its stream and its version there."""


def append_as_before(database: Connection[Any], *events: Stream) -> list[int]:
    """Through the function that the releases before have called."""
    recorded = [
        RecordedEvent(
            originator_id=id,
            originator_version=version,
            event=event,
            metadata=Metadata(timestamp=MORNING, actor="anonymous", correlation_id="before"),
        )
        for id, version, event in events
    ]
    row = database.execute(
        "SELECT append_to_history(%s::uuid[], %s::bigint[], %s, %s, %s, %s, %s::bytea[])",
        [
            [],
            [],
            [e.originator_id for e in recorded],
            [e.originator_version for e in recorded],
            [e.event.topic for e in recorded],
            [encode(e, None) for e in recorded],
            [None] * len(recorded),
        ],
    ).fetchone()
    assert row is not None
    positions: list[int] = row[0]
    return positions


def registered(fair: UUID) -> Registered:
    return Registered(event_id=fair, code="0042", notification_id=uuid4())
