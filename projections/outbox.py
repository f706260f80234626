"""The `outbox` table: the messages to visitors, and the outcome of each.

Workers lease rows from it. `due_at` is the time from which a worker may take the row: for a new
row, for the next attempt, or when the present lease expires. Workers settle a row themselves, in
the transaction that appends the outcome to history. The projector applies these outcomes as well,
because a rebuild needs them.

Neither the text nor the email address is in the table: the text is composed when it is needed
(`projections.messages`), the address is read from history (`projections.people`). Two companions
change in the same transactions: `recipients` and `event_versions`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Literal, cast
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.core.aggregate import Aggregate, RecordedEvent
from domain.events import Event
from domain.notifications import ERASED, Failed, Notification, Requeued, Sent
from domain.privacy.keys import InstallationKeys
from domain.visitors import HOLDS_PERSON, Erased, Registered, Visitor
from projections import event_versions, recipients
from projections.fan_out import announcement_of, fan_out
from projections.messages import message_of
from projections.projector.projection import Bulk, BulkTable, Projection, Rows, events_of
from projections.recipients import Change, first_change

CHANNEL = "outbox"
"""The channel of the NOTIFY for rows that were added, or that became due again."""

TABLE = f"""
CREATE TABLE IF NOT EXISTS outbox (
    id              uuid PRIMARY KEY,
    visitor_id      uuid NOT NULL,
    event_id        uuid NOT NULL,
    episode         int NOT NULL,
    kind            text NOT NULL,
    facts           text NOT NULL, -- JSON of projections.message_texts.Facts
    erased          boolean NOT NULL DEFAULT false,
    state           text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'failed')),
    attempts        int NOT NULL DEFAULT 0,
    due_at          timestamptz NOT NULL,
    lease_token     uuid,
    last_error      text,
    position        bigint NOT NULL, -- of the domain event that caused it
    person_position bigint NOT NULL, -- of the domain event that says who the recipient is
    correlation_id  text NOT NULL,
    created_at      timestamptz NOT NULL,
    concluded_at    timestamptz
);
CREATE INDEX IF NOT EXISTS outbox_due ON outbox (due_at) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS outbox_by_time ON outbox (created_at);
CREATE INDEX IF NOT EXISTS outbox_failed ON outbox (created_at) WHERE state = 'failed';
CREATE INDEX IF NOT EXISTS outbox_of_visitor ON outbox (visitor_id);
{recipients.TABLE}
{event_versions.TABLE}
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
    connection: AsyncConnection[Any],
    visitors: Sequence[Visitor],
    at: datetime,
    upto: int | None = None,
) -> None:
    """Mark the recipients as erased at once. The projector applies their erasure again when it
    reaches the event. `upto`: the position of the erasure, if there may be later messages, to the
    same person in another episode.

    Rows that the erasure abandons become failed. A worker that leases one may be sending it at this
    moment: its lease is kept until it is done (`any_leased`). Workers fail the other waiting rows
    when these are due.
    """
    await connection.execute(
        """
        UPDATE outbox
        SET erased = true,
            state = CASE WHEN abandons THEN 'failed' ELSE state END,
            last_error = CASE WHEN abandons THEN %(erased)b ELSE last_error END,
            due_at = CASE WHEN abandons THEN %(at)b ELSE due_at END,
            concluded_at = CASE WHEN abandons THEN %(at)b ELSE concluded_at END
        FROM (
            SELECT id, state = 'waiting' AND id = ANY(%(abandoned)b::uuid[]) AS abandons FROM outbox
            WHERE visitor_id = ANY(%(visitors)b::uuid[])
              AND position <= coalesce(%(upto)b, position)
            ORDER BY id FOR UPDATE
        ) AS theirs
        WHERE outbox.id = theirs.id AND (NOT erased OR abandons)
        """,
        {
            "erased": ERASED,
            "at": at,
            "upto": upto,
            "visitors": [visitor.id for visitor in visitors],
            "abandoned": [id for visitor in visitors for id in visitor.abandoned_by_erasure],
        },
    )


async def any_leased(
    connection: AsyncConnection[Any], visitors: Sequence[Visitor], upto: int
) -> bool:
    """True if a worker leases a row of these visitors, caused at or before the position."""
    cursor = await connection.execute(
        """
        SELECT EXISTS (
            SELECT FROM outbox
            WHERE visitor_id = ANY(%b::uuid[]) AND position <= %b AND lease_token IS NOT NULL
        )
        """,
        [[visitor.id for visitor in visitors], upto],
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
    # First the table that a rebuild locks first, else both may wait for each other.
    await connection.execute("LOCK TABLE outbox IN ROW EXCLUSIVE MODE")
    await event_versions.apply(connection, _of(Event, domain_events))
    added = settled = 0
    for visits, announced in _before_each_announcement(domain_events):
        added += await _add(connection, await recipients.apply(connection, visits))
        if announced and (announcement := announcement_of(announced)):
            added += await fan_out(connection, announced, announcement)
    for outcomes in _rounds(domain_events):
        settled += await _settle(connection, outcomes)
    erased = await _erase(connection, domain_events)
    if added or any(isinstance(e.event, Requeued) for e in domain_events):
        await connection.execute("NOTIFY outbox")
    return added + settled + erased > 0


def _before_each_announcement(
    domain_events: Sequence[RecordedEvent],
) -> Iterator[tuple[list[RecordedEvent], RecordedEvent | None]]:
    """The domain events of visitors, split at each message to all visitors, so that it goes to
    those who are there at that moment; each part with the domain event that causes the message."""
    visits = list[RecordedEvent]()
    for recorded in domain_events:
        if recorded.event.aggregate_class is Visitor:
            visits.append(recorded)
        elif announcement_of(recorded):
            yield visits, recorded
            visits = []
    yield visits, None


def _of(kind: type[Aggregate], domain_events: Sequence[RecordedEvent]) -> list[RecordedEvent]:
    return [recorded for recorded in domain_events if recorded.event.aggregate_class is kind]


async def _add(connection: AsyncConnection[Any], changes: Sequence[Change]) -> int:
    new = [row for change in changes if (row := _new(change))]
    if not new:
        return 0
    cursor = await connection.execute(
        """
        INSERT INTO outbox (id, visitor_id, event_id, episode, kind, facts, erased, position,
                            person_position, correlation_id, created_at, due_at)
        SELECT new.*, created_at FROM unnest(
            %b::uuid[], %b::uuid[], %b::uuid[], %b::int[], %b::text[], %b::text[], %b::bool[],
            %b::bigint[], %b::bigint[], %b::text[], %b::timestamptz[]
        ) AS new (id, visitor_id, event_id, episode, kind, facts, erased, position,
                  person_position, correlation_id, created_at)
        ON CONFLICT (id) DO NOTHING
        """,
        [list(column) for column in zip(*new, strict=True)],
    )
    return cursor.rowcount


def _new(change: Change) -> tuple[object, ...] | None:
    """The values of a row, in the order of the first `_COLUMNS`; None without a message."""
    message = message_of(change)
    if message is None:
        return None
    recorded, recipient = change.recorded, change.now
    event, metadata = recorded.event, recorded.metadata
    return (
        message.id,
        recipient.visitor.id,
        recipient.visitor.event_id,
        recipient.visitor.episode,
        message.kind,
        msgspec.json.encode(message.facts).decode(),
        isinstance(event, HOLDS_PERSON) and event.person is None,
        recorded.position,
        recipient.person_position,
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
    """Mark the recipients as erased. The notifications' own events give their outcomes."""
    erased = [e for e in domain_events if isinstance(e.event, Erased)]
    if not erased:
        return 0
    cursor = await connection.execute(
        """
        UPDATE outbox SET erased = true
        FROM unnest(%b::uuid[], %b::bigint[]) AS erasure (visitor_id, position)
        WHERE outbox.visitor_id = erasure.visitor_id AND outbox.position < erasure.position
          AND NOT erased
        """,
        [[e.originator_id for e in erased], [e.position for e in erased]],
    )
    return cursor.rowcount


_COLUMNS = (
    ("id", "uuid"),
    ("visitor_id", "uuid"),
    ("event_id", "uuid"),
    ("episode", "int4"),
    ("kind", "text"),
    ("facts", "text"),
    ("erased", "bool"),
    ("position", "int8"),
    ("person_position", "int8"),
    ("correlation_id", "text"),
    ("created_at", "timestamptz"),
    ("due_at", "timestamptz"),
    ("state", "text"),
    ("last_error", "text"),
    ("concluded_at", "timestamptz"),
)

_CONCLUSIONS = {Sent, Failed}


def _rows_of(domain_events: Sequence[RecordedEvent], _keys: InstallationKeys) -> Rows:
    """The recipient and the message of each first registration, with the first outcome of that
    message if it is among these events."""
    firsts, left_over = dict[UUID, RecordedEvent](), list[RecordedEvent]()
    registered = list[Change]()
    for recorded in domain_events:
        kind, is_first = type(recorded.event), recorded.originator_version == 1
        if kind in _CONCLUSIONS and is_first:
            firsts[recorded.originator_id] = recorded
        elif kind is Registered and is_first:
            registered.append(first_change(recorded))
        else:
            left_over.append(recorded)
    rows = list[tuple[object, ...]]()
    for change in registered:
        if (row := _new(change)) is not None:
            first = firsts.pop(cast("UUID", row[0]), None)
            rows.append(row + (_settled(first) if first else _waiting(change.recorded)))
    return Rows(
        {"outbox": rows, "recipients": [change.now.row() for change in registered]},
        [*left_over, *firsts.values()],
    )


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
    companions=("recipients", "event_versions"),
    schema_version=4,
    table=TABLE,
    handles=events_of(Notification, Visitor, Event),
    apply=apply,
    carry_over=CARRY_OVER,
    bulk=Bulk(
        tables=(BulkTable("outbox", _COLUMNS), BulkTable("recipients", recipients.COLUMNS)),
        rows_of=_rows_of,
    ),
)
