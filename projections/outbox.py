"""The `outbox` table: the notification of each registration, and its outcome.

Workers lease rows from it. `due_at` is the time from which a worker may take the row: for a new
row, for the next attempt, or when the present lease expires. Workers settle a row themselves, in
the transaction that appends the outcome to history. The projector applies these outcomes as well,
because a rebuild needs them.

The email address is not in the table: it is read from history (`projections.people`) when needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.core.aggregate import RecordedEvent
from domain.notifications import ERASED, Failed, Notification, Requeued, Sent
from domain.privacy.keys import InstallationKeys
from domain.visitors import Erased, Registered, Visitor
from projections.projector.projection import Bulk, Projection, Rows, events_of

CHANNEL = "outbox"
"""The channel of the NOTIFY for rows that were added, or that became due again."""

TABLE = """
CREATE TABLE IF NOT EXISTS outbox (
    id             uuid PRIMARY KEY,
    visitor_id     uuid NOT NULL,
    event_id       uuid NOT NULL,
    erased         boolean NOT NULL DEFAULT false,
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

MAX_SEND_DELAY = 5.0
"""Seconds. A worker starts to send a row within this time after leasing it, or releases it."""


async def count_by_state(connection: AsyncConnection[Any]) -> dict[State, int]:
    cursor = await connection.execute("SELECT state, count(*) FROM outbox GROUP BY state")
    counts: dict[State, int] = {"waiting": 0, "sent": 0, "failed": 0}
    return counts | dict(await cursor.fetchall())


async def read_backlog(connection: AsyncConnection[Any]) -> tuple[int, float]:
    """The number of waiting rows, and for how many seconds the oldest due row has been due (0
    without one). Its cost does not grow with the rows that are sent or failed."""
    cursor = await connection.execute(
        """
        SELECT count(*),
               coalesce(extract(epoch FROM
                   now() - min(due_at) FILTER (WHERE due_at <= now())
               ), 0)::float8
        FROM outbox WHERE state = 'waiting'
        """
    )
    row = await cursor.fetchone()
    return row or (0, 0.0)


async def count_failed(connection: AsyncConnection[Any]) -> int:
    """Its cost does not grow with the rows that are waiting or sent."""
    cursor = await connection.execute("SELECT count(*) FROM outbox WHERE state = 'failed'")
    row = await cursor.fetchone()
    return row[0] if row else 0


async def erase_recipients(
    connection: AsyncConnection[Any], ids: Sequence[UUID], at: datetime
) -> None:
    """Mark the recipients as erased at once. The projector applies their erasure again when it
    reaches the event.

    Waiting rows become failed. A worker that leases such a row may be sending it at this moment:
    its lease is kept until it is done (`any_leased`).
    """
    await connection.execute(
        """
        UPDATE outbox
        SET erased = true,
            state = CASE state WHEN 'waiting' THEN 'failed' ELSE state END,
            last_error = CASE state WHEN 'waiting' THEN %(erased)b ELSE last_error END,
            due_at = CASE state WHEN 'waiting' THEN %(at)b ELSE due_at END,
            concluded_at = CASE state WHEN 'waiting' THEN %(at)b ELSE concluded_at END
        WHERE id = ANY(%(ids)b::uuid[]) AND (NOT erased OR state = 'waiting')
        """,
        {"erased": ERASED, "at": at, "ids": sorted(ids)},
    )


async def any_leased(connection: AsyncConnection[Any], ids: Sequence[UUID]) -> bool:
    """True if a worker leases any of these rows."""
    cursor = await connection.execute(
        "SELECT EXISTS (SELECT FROM outbox WHERE id = ANY(%b::uuid[]) AND lease_token IS NOT NULL)",
        [ids],
    )
    return await cursor.fetchone() == (True,)


async def send_now(connection: AsyncConnection[Any]) -> int:
    """Make all rows due that wait for a later attempt, also if the notification service asked for
    a longer wait. Returns their number."""
    cursor = await connection.execute(
        """
        UPDATE outbox SET due_at = now()
        WHERE id IN (
            SELECT id FROM outbox
            WHERE state = 'waiting' AND due_at > now() AND lease_token IS NULL
            FOR UPDATE SKIP LOCKED
        )
        """
    )
    await connection.execute("NOTIFY outbox")
    return cursor.rowcount


async def apply(
    connection: AsyncConnection[Any],
    domain_events: Sequence[RecordedEvent],
    _keys: InstallationKeys,
) -> bool:
    added = await _add(connection, domain_events)
    settled = 0
    for outcomes in _rounds(domain_events):
        settled += await _settle(connection, outcomes)
    erased = await _erase(connection, domain_events)
    if added or any(isinstance(e.event, Requeued) for e in domain_events):
        await connection.execute("NOTIFY outbox")
    return added + settled + erased > 0


async def _add(connection: AsyncConnection[Any], domain_events: Sequence[RecordedEvent]) -> int:
    new = [_new(e, e.event) for e in domain_events if isinstance(e.event, Registered)]
    if not new:
        return 0
    cursor = await connection.execute(
        """
        INSERT INTO outbox (id, visitor_id, event_id, erased, message, position, correlation_id,
                            created_at, due_at)
        SELECT new.*, created_at FROM unnest(
            %b::uuid[], %b::uuid[], %b::uuid[], %b::bool[], %b::text[], %b::bigint[], %b::text[],
            %b::timestamptz[]
        ) AS new (id, visitor_id, event_id, erased, message, position, correlation_id, created_at)
        ON CONFLICT (id) DO NOTHING
        """,
        [list(column) for column in zip(*new, strict=True)],
    )
    return cursor.rowcount


def _new(recorded: RecordedEvent, event: Registered) -> tuple[object, ...]:
    """The values of a row, in the order of the first `_COLUMNS`."""
    metadata = recorded.metadata
    return (
        event.notification_id,
        recorded.originator_id,
        event.event_id,
        event.person is None,
        f"Your confirmation code is {event.code}",
        recorded.position,
        metadata.correlation_id,
        metadata.timestamp,
    )


def _rounds(domain_events: Sequence[RecordedEvent]) -> Iterator[list[RecordedEvent]]:
    """The outcomes, split so that each round has at most one for each notification."""
    remaining = [e for e in domain_events if isinstance(e.event, Sent | Failed | Requeued)]
    while remaining:
        firsts: dict[UUID, RecordedEvent] = {}
        later = [e for e in remaining if firsts.setdefault(e.originator_id, e) is not e]
        yield list(firsts.values())
        remaining = later


class _Outcome(msgspec.Struct, frozen=True):
    id: UUID
    state: State
    at: datetime
    reason: str | None


async def _settle(connection: AsyncConnection[Any], domain_events: Sequence[RecordedEvent]) -> int:
    """Set the rows to the state after these events. Rows that have this state already, because a
    worker settled them, are left unchanged, with their lease."""
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
        [msgspec.json.encode([_outcome(e) for e in domain_events]).decode()],
    )
    return cursor.rowcount


def _outcome(recorded: RecordedEvent) -> _Outcome:
    state = _STATE_AFTER[type(recorded.event)]
    return _Outcome(recorded.originator_id, state, recorded.metadata.timestamp, _reason(recorded))


def _reason(recorded: RecordedEvent) -> str | None:
    return recorded.event.reason if isinstance(recorded.event, Failed) else None


_STATE_AFTER: dict[type[object], State] = {Sent: "sent", Failed: "failed", Requeued: "waiting"}


async def _erase(connection: AsyncConnection[Any], domain_events: Sequence[RecordedEvent]) -> int:
    """Mark the recipients as erased. The notification's own events give its outcome."""
    ids = [e.event.notification_id for e in domain_events if isinstance(e.event, Erased)]
    if not ids:
        return 0
    cursor = await connection.execute("UPDATE outbox SET erased = true WHERE id = ANY(%b)", [ids])
    return cursor.rowcount


_COLUMNS = (
    ("id", "uuid"),
    ("visitor_id", "uuid"),
    ("event_id", "uuid"),
    ("erased", "bool"),
    ("message", "text"),
    ("position", "int8"),
    ("correlation_id", "text"),
    ("created_at", "timestamptz"),
    ("due_at", "timestamptz"),
    ("state", "text"),
    ("last_error", "text"),
    ("concluded_at", "timestamptz"),
)

_CONCLUSIONS = {Sent, Failed}


def _rows_of(domain_events: Sequence[RecordedEvent], _keys: InstallationKeys) -> Rows:
    """A row for each registration, with the first outcome of its notification if that is among
    these events."""
    firsts, left_over = dict[UUID, RecordedEvent](), list[RecordedEvent]()
    for recorded in domain_events:
        kind = type(recorded.event)
        if kind in _CONCLUSIONS and recorded.originator_version == 1:
            firsts[recorded.originator_id] = recorded
        elif kind is not Registered:
            left_over.append(recorded)
    rows = list[tuple[object, ...]]()
    for recorded in domain_events:
        if isinstance(event := recorded.event, Registered):
            first = firsts.pop(event.notification_id, None)
            rows.append(_new(recorded, event) + (_settled(first) if first else _waiting(recorded)))
    return Rows(rows, [*left_over, *firsts.values()])


def _settled(outcome: RecordedEvent) -> tuple[object, ...]:
    """The values of the last `_COLUMNS`."""
    at = outcome.metadata.timestamp
    return at, _STATE_AFTER[type(outcome.event)], _reason(outcome), at


def _waiting(registered: RecordedEvent) -> tuple[object, ...]:
    return registered.metadata.timestamp, "waiting", None, None


CARRY_OVER = """
UPDATE outbox
SET attempts = previous.attempts, due_at = previous.due_at,
    lease_token = previous.lease_token, last_error = previous.last_error
FROM {previous} AS previous
WHERE outbox.id = previous.id AND outbox.state = 'waiting' AND previous.state = 'waiting';
UPDATE outbox
SET lease_token = previous.lease_token
FROM {previous} AS previous
WHERE outbox.id = previous.id AND outbox.state = 'failed' AND previous.state = 'failed'
  AND previous.lease_token IS NOT NULL
"""
"""Attempts and leases are not in history. A worker that sends during a rebuild must find its lease
in the new table, or the message would be sent twice. An erasure that waits for the lease needs it
there, too."""

OUTBOX = Projection(
    name="outbox",
    schema_version=3,
    table=TABLE,
    handles=events_of(Notification, Visitor),
    apply=apply,
    carry_over=CARRY_OVER,
    bulk=Bulk(columns=_COLUMNS, rows_of=_rows_of),
)
