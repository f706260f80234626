"""The `recipients` table: the visitors of each event, who get its messages. It belongs to the
outbox (`projections.outbox`), and has a row for each visitor, also after they have left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.core.aggregate import RecordedEvent
from domain.visitors import HOLDS_PERSON, Erased, Visitor, Waitlisted

TABLE = """
CREATE TABLE IF NOT EXISTS recipients (
    event_id        uuid NOT NULL,
    visitor_id      uuid NOT NULL,
    status          text NOT NULL,
    episode         int NOT NULL,
    confirm_by      timestamptz,
    person_position bigint NOT NULL,
    PRIMARY KEY (event_id, visitor_id)
);
CREATE INDEX IF NOT EXISTS recipients_waiting ON recipients (event_id) WHERE status = 'waiting';
CREATE INDEX IF NOT EXISTS recipients_unconfirmed ON recipients (confirm_by)
    WHERE status = 'unconfirmed';
"""

COLUMNS = (
    ("event_id", "uuid"),
    ("visitor_id", "uuid"),
    ("status", "text"),
    ("episode", "int4"),
    ("confirm_by", "timestamptz"),
    ("person_position", "int8"),
)


class Recipient(msgspec.Struct, frozen=True):
    """The parts that messages depend on: the visitor's status, episode and time to confirm."""

    visitor: Visitor
    person_position: int = 0
    """Position in history of the event that says who it is."""

    def after(self, recorded: RecordedEvent) -> Recipient:
        holds_person = isinstance(recorded.event, HOLDS_PERSON)
        return Recipient(
            recorded.event.apply(self.visitor),
            recorded.position if holds_person else self.person_position,
        )

    def row(self) -> tuple[object, ...]:
        """The values of `COLUMNS`."""
        visitor = self.visitor
        return (
            visitor.event_id,
            visitor.id,
            visitor.status,
            visitor.episode,
            visitor.confirm_by,
            self.person_position,
        )


class Change(msgspec.Struct, frozen=True):
    """A domain event of a visitor, and what it changed."""

    recorded: RecordedEvent
    was: Recipient
    now: Recipient
    place: int | None = None
    """In the line that the visitor joined at its end."""


def first_change(recorded: RecordedEvent) -> Change:
    """The change by the first event of a stream."""
    before = Recipient(Visitor(id=recorded.originator_id))
    return Change(recorded, before, before.after(recorded))


async def apply(
    connection: AsyncConnection[Any], domain_events: Sequence[RecordedEvent]
) -> list[Change]:
    """Takes domain events of visitors."""
    if not domain_events:
        return []
    known = await _load(connection, domain_events)
    waiting = await _count_waiting(connection, domain_events)
    changes, changed = list[Change](), dict[UUID, Recipient]()
    for recorded in domain_events:
        id = recorded.originator_id
        was = changed.get(id) or known.get(id) or Recipient(Visitor(id=id))
        changed[id] = now = was.after(recorded)
        event_id, place = now.visitor.event_id, None
        if event_id is not None and event_id in waiting:
            waiting[event_id] += (now.visitor.seat == "waiting") - (was.visitor.seat == "waiting")
            joined = isinstance(recorded.event, Waitlisted) and not recorded.event.moved_from
            place = waiting[event_id] if joined else None
        changes.append(Change(recorded, was, now, place))
    await _store(connection, changed.values())
    return changes


async def _load(
    connection: AsyncConnection[Any], domain_events: Sequence[RecordedEvent]
) -> dict[UUID, Recipient]:
    """The recipients whose stream began before these events."""
    begun = {e.originator_id for e in domain_events if e.originator_version == 1}
    known = [e for e in domain_events if e.originator_id not in begun]
    if not known:
        return {}
    cursor = await connection.execute(
        """
        SELECT event_id, visitor_id, status, episode, confirm_by, person_position
        FROM recipients WHERE (event_id, visitor_id) IN (
            SELECT * FROM unnest(%b::uuid[], %b::uuid[])
            UNION ALL
            SELECT event_id, visitor_id FROM outbox WHERE id = ANY(%b)
        )
        """,
        [
            [getattr(e.event, "event_id", None) for e in known],
            [e.originator_id for e in known],
            [e.event.notification_id for e in known if isinstance(e.event, Erased)],
        ],
        binary=True,
    )
    return {id: _recipient(event_id, id, *rest) for event_id, id, *rest in await cursor.fetchall()}


def _recipient(
    event_id: UUID,
    id: UUID,
    status: Any,
    episode: int,
    confirm_by: datetime | None,
    person_position: int,
) -> Recipient:
    visitor = Visitor(
        id=id, event_id=event_id, status=status, episode=episode, confirm_by=confirm_by
    )
    return Recipient(visitor, person_position)


async def _count_waiting(
    connection: AsyncConnection[Any], domain_events: Sequence[RecordedEvent]
) -> Counter[UUID]:
    """Waiting visitors of each event whose waiting list one of these domain events joins."""
    joined = {e.event.event_id for e in domain_events if isinstance(e.event, Waitlisted)}
    counts = Counter(dict.fromkeys(joined, 0))
    if joined:
        cursor = await connection.execute(
            """
            SELECT event_id, count(*) FROM recipients
            WHERE status = 'waiting' AND event_id = ANY(%b) GROUP BY event_id
            """,
            [list(joined)],
            binary=True,
        )
        counts.update(dict(await cursor.fetchall()))
    return counts


async def _store(connection: AsyncConnection[Any], recipients: Iterable[Recipient]) -> None:
    rows = [recipient.row() for recipient in recipients if recipient.visitor.event_id is not None]
    if not rows:
        return
    await connection.execute(
        """
        INSERT INTO recipients (event_id, visitor_id, status, episode, confirm_by, person_position)
        SELECT * FROM unnest(
            %b::uuid[], %b::uuid[], %b::text[], %b::int[], %b::timestamptz[], %b::bigint[]
        )
        ON CONFLICT (event_id, visitor_id) DO UPDATE SET
            status = EXCLUDED.status, episode = EXCLUDED.episode,
            confirm_by = EXCLUDED.confirm_by, person_position = EXCLUDED.person_position
        """,
        [list(column) for column in zip(*rows, strict=True)],
    )


async def registrations_to_lapse(
    connection: AsyncConnection[Any], now: datetime, limit: int
) -> list[UUID]:
    """Visitors of events to come who did not confirm their address in time, the longest overdue
    first."""
    cursor = await connection.execute(
        """
        SELECT visitor_id FROM recipients r
        WHERE status = 'unconfirmed' AND confirm_by <= %(now)b AND EXISTS (
            SELECT FROM (
                SELECT event_datetime, cancelled_at, removed FROM event_versions v
                WHERE v.event_id = r.event_id ORDER BY position DESC LIMIT 1
            ) AS present
            WHERE event_datetime > %(now)b AND cancelled_at IS NULL AND NOT removed
        )
        ORDER BY confirm_by LIMIT %(limit)b
        """,
        {"now": now, "limit": limit},
        binary=True,
    )
    return [id for (id,) in await cursor.fetchall()]
