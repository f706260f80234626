"""The `outbox` table: the message that each registration causes, and what became of it.

The workers lease rows from it: `due_at` is when one may take the row, be it new, to be tried
again, or under a lease that runs out then. They settle a row themselves, in the transaction that
appends the outcome to history; what history says is applied here all the same, for a rebuild.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.aggregate import RecordedEvent
from domain.notifications import Failed, Notification, Requeued, Sent
from domain.visitors import Registered
from projections.projection import Projection, events_of

CHANNEL = "outbox"
"""PostgreSQL tells the listeners of this channel that rows came in, or are to be tried again."""

TABLE = """
CREATE TABLE IF NOT EXISTS outbox (
    id             uuid PRIMARY KEY,
    visitor_id     uuid NOT NULL,
    event_id       uuid NOT NULL,
    email          text,
    message        text NOT NULL,
    state          text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'failed')),
    attempts       int NOT NULL DEFAULT 0,
    due_at         timestamptz NOT NULL,
    lease_token    uuid,
    last_error     text,
    position       bigint NOT NULL,
    correlation_id text NOT NULL,
    created_at     timestamptz NOT NULL,
    concluded_at   timestamptz
);
CREATE INDEX IF NOT EXISTS outbox_due ON outbox (due_at) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS outbox_by_time ON outbox (created_at);
CREATE INDEX IF NOT EXISTS outbox_failed ON outbox (created_at) WHERE state = 'failed';
"""

State = Literal["waiting", "sent", "failed"]


async def count_by_state(connection: AsyncConnection[Any]) -> dict[State, int]:
    cursor = await connection.execute("SELECT state, count(*) FROM outbox GROUP BY state")
    counts: dict[State, int] = {"waiting": 0, "sent": 0, "failed": 0}
    return counts | dict(await cursor.fetchall())


async def apply(connection: AsyncConnection[Any], events: Sequence[RecordedEvent]) -> bool:
    added = await _add(connection, events)
    outcomes = {e.originator_id: e for e in events if isinstance(e.event, Sent | Failed | Requeued)}
    settled = await _settle(connection, list(outcomes.values())) if outcomes else 0
    if added or any(isinstance(e.event, Requeued) for e in outcomes.values()):
        await connection.execute("NOTIFY outbox")
    return added + settled > 0


async def _add(connection: AsyncConnection[Any], events: Sequence[RecordedEvent]) -> int:
    registered = [(e, e.event) for e in events if isinstance(e.event, Registered)]
    if not registered:
        return 0
    cursor = await connection.execute(
        """
        INSERT INTO outbox (id, visitor_id, event_id, email, message, position, correlation_id,
                            created_at, due_at)
        SELECT id, visitor_id, event_id, email, 'Your confirmation code is ' || code, position,
               correlation_id, created_at, created_at
        FROM unnest(
            %b::uuid[], %b::uuid[], %b::uuid[], %b::text[], %b::text[], %b::bigint[], %b::text[],
            %b::timestamptz[]
        ) AS registered (
            id, visitor_id, event_id, email, code, position, correlation_id, created_at
        )
        ON CONFLICT (id) DO NOTHING
        """,
        [
            [event.notification_id for _, event in registered],
            [recorded.originator_id for recorded, _ in registered],
            [event.event_id for _, event in registered],
            [event.person and event.person.email for _, event in registered],
            [event.code for _, event in registered],
            [recorded.position for recorded, _ in registered],
            [recorded.metadata.correlation_id for recorded, _ in registered],
            [recorded.metadata.timestamp for recorded, _ in registered],
        ],
    )
    return cursor.rowcount


class _Outcome(msgspec.Struct, frozen=True):
    id: UUID
    state: State
    at: datetime
    reason: str | None


async def _settle(connection: AsyncConnection[Any], events: Sequence[RecordedEvent]) -> int:
    """Bring rows to the last thing that history says of them; those that the workers have
    brought there are left alone, whatever lease they may be under."""
    cursor = await connection.execute(
        """
        UPDATE outbox
        SET state = outcome.state,
            concluded_at = CASE WHEN outcome.state <> 'waiting' THEN outcome.at END,
            last_error = CASE WHEN outcome.state = 'waiting' THEN last_error ELSE reason END,
            attempts = CASE WHEN outcome.state = 'waiting' THEN 0 ELSE attempts END,
            due_at = CASE WHEN outcome.state = 'waiting' THEN outcome.at ELSE due_at END,
            lease_token = NULL
        FROM jsonb_to_recordset(%s::jsonb)
             AS outcome (id uuid, state text, at timestamptz, reason text)
        WHERE outbox.id = outcome.id AND outbox.state <> outcome.state
        """,
        [msgspec.json.encode([_outcome(e) for e in events]).decode()],
    )
    return cursor.rowcount


def _outcome(recorded: RecordedEvent) -> _Outcome:
    event = recorded.event
    state: State = (
        "sent" if isinstance(event, Sent) else "failed" if isinstance(event, Failed) else "waiting"
    )
    reason = event.reason if isinstance(event, Failed) else None
    return _Outcome(recorded.originator_id, state, recorded.metadata.timestamp, reason)


CARRY_OVER = """
UPDATE outbox
SET attempts = previous.attempts, due_at = previous.due_at,
    lease_token = previous.lease_token, last_error = previous.last_error
FROM {previous} AS previous
WHERE outbox.id = previous.id AND outbox.state = 'waiting' AND previous.state = 'waiting'
"""
"""Tries and leases are no history: a worker that is sending while the table is rebuilt must find
its lease in the new one, or the message would be sent twice."""

OUTBOX = Projection(
    name="outbox",
    schema_version=2,
    table=TABLE,
    handles=events_of(Notification) | {Registered},
    apply=apply,
    carry_over=CARRY_OVER,
)
