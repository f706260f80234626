"""What became of the messages of the outbox: the state of each after the domain events of its
notification."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.core.aggregate import RecordedEvent
from domain.notifications import Failed, Requeued, Sent
from projections.projector.projection import rounds

State = Literal["waiting", "sent", "failed"]

_STATE_AFTER: dict[type[object], State] = {Sent: "sent", Failed: "failed", Requeued: "waiting"}


class Outcome(msgspec.Struct, frozen=True):
    id: UUID
    """Of the message."""
    state: State
    at: datetime
    reason: str | None


def outcome_of(recorded: RecordedEvent) -> Outcome:
    event = recorded.event
    return Outcome(
        id=recorded.originator_id,
        state=_STATE_AFTER[type(event)],
        at=recorded.metadata.timestamp,
        reason=event.reason if isinstance(event, Failed) else None,
    )


async def settle(connection: AsyncConnection[Any], domain_events: Sequence[RecordedEvent]) -> int:
    """Set the rows to the state after those of these events that are outcomes; returns how many
    changed. Rows that have this state already, because a worker settled them, are left unchanged,
    with their lease."""
    outcomes = [outcome_of(e) for e in domain_events if type(e.event) in _STATE_AFTER]
    settled = 0
    for each in rounds(outcomes, lambda outcome: outcome.id):
        settled += await _settle(connection, each)
    return settled


async def _settle(connection: AsyncConnection[Any], outcomes: Sequence[Outcome]) -> int:
    cursor = await connection.execute(
        """
        UPDATE outbox
        SET state = outcome.state,
            concluded_at = CASE WHEN outcome.state <> 'waiting' THEN outcome.at END,
            last_error = reason,
            attempts = CASE WHEN outcome.state = 'waiting' THEN 0 ELSE attempts END,
            due_at = outcome.at,
            lease_token = NULL
        FROM jsonb_to_recordset(%s::jsonb)
             AS outcome (id uuid, state text, at timestamptz, reason text)
        WHERE outbox.id = outcome.id AND outbox.state <> outcome.state
        """,
        [msgspec.json.encode(outcomes).decode()],
    )
    return cursor.rowcount
