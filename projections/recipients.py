"""The `recipients` table: the visitors of each event, who get its messages. It belongs to the
outbox (`projections.outbox`), and has a row for each visitor, also after they have left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.core.aggregate import RecordedEvent
from domain.privacy.keys import InstallationKeys
from domain.visitors import HOLDS_PERSON, Erased, Visitor, VisitorStatus, Waitlisted
from projections.projector.projection import BulkTable
from projections.recipient_keys import KEY_OF_VISITOR, key_of_address, key_of_visitor

TABLE = """
CREATE TABLE IF NOT EXISTS recipients (
    visitor_id      uuid PRIMARY KEY,
    event_id        uuid NOT NULL,
    status          text NOT NULL,
    episode         int NOT NULL,
    ticket_issue    int NOT NULL,
    confirm_by      timestamptz,
    recipient_key   bigint NOT NULL, -- projections.recipient_keys
    person_position bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS recipients_of_event ON recipients (event_id);
CREATE INDEX IF NOT EXISTS recipients_waiting ON recipients (event_id) WHERE status = 'waiting';
CREATE INDEX IF NOT EXISTS recipients_unconfirmed ON recipients (confirm_by)
    WHERE status = 'unconfirmed';
"""

KEYS: LiteralString = f"SELECT unnest(ARRAY[recipient_key, {KEY_OF_VISITOR}]) FROM recipients"  # noqa: S608
"""The beginning of a query for the keys in rows of the outbox, before an erasure and after it. An
index finds the rows by them."""

COPIED = BulkTable(
    "recipients",
    (
        ("visitor_id", "uuid"),
        ("event_id", "uuid"),
        ("status", "text"),
        ("episode", "int4"),
        ("ticket_issue", "int4"),
        ("confirm_by", "timestamptz"),
        ("recipient_key", "int8"),
        ("person_position", "int8"),
    ),
)


class Recipient(msgspec.Struct, frozen=True):
    """The parts that messages depend on: the status, episode, ticket and time to confirm."""

    visitor: Visitor
    address: int | None = None
    """Its key (`projections.recipient_keys`); None after an erasure."""
    person_position: int = 0
    """Position in history of the event that says who it is."""

    @property
    def key(self) -> int:
        return key_of_visitor(self.visitor.id) if self.address is None else self.address

    def after(self, recorded: RecordedEvent, keys: InstallationKeys) -> Recipient:
        event = recorded.event
        visitor = event.apply(self.visitor)
        if isinstance(event, HOLDS_PERSON):
            address = key_of_address(keys, event.person) if event.person else None
            return Recipient(visitor, address, recorded.position)
        address = None if isinstance(event, Erased) else self.address
        return Recipient(visitor, address, self.person_position)

    def change(self, recorded: RecordedEvent, keys: InstallationKeys) -> Change:
        return Change(recorded, self, self.after(recorded, keys))

    def row(self) -> tuple[object, ...]:
        """The values of the columns of `COPIED`."""
        visitor = self.visitor
        return (
            visitor.id,
            visitor.event_id,
            visitor.status,
            visitor.episode,
            visitor.ticket_issue,
            visitor.confirm_by,
            self.key,
            self.person_position,
        )


class Change(msgspec.Struct, frozen=True):
    """A domain event of a visitor, and what it changed."""

    recorded: RecordedEvent
    was: Recipient
    now: Recipient
    place: int | None = None
    """In the line that the visitor joined at its end."""


def first_change(recorded: RecordedEvent, keys: InstallationKeys) -> Change:
    """The change by the first event of a stream."""
    return Recipient(Visitor(id=recorded.originator_id)).change(recorded, keys)


async def apply(
    connection: AsyncConnection[Any],
    domain_events: Sequence[RecordedEvent],
    keys: InstallationKeys,
) -> list[Change]:
    """Takes domain events of visitors."""
    known = await _load(connection, domain_events)
    waiting = await _count_waiting(connection, domain_events)
    new, changes = dict[UUID, Recipient](), list[Change]()
    for recorded in domain_events:
        id = recorded.originator_id
        if recorded.originator_version == 1:
            change = first_change(recorded, keys)
            new[id] = change.now
        else:
            recipients = new if id in new else known
            change = recipients[id].change(recorded, keys)
            recipients[id] = change.now
        changes.append(_with_place(change, waiting) if waiting else change)
    if new:
        await COPIED.copy(connection, [recipient.row() for recipient in new.values()])
    await _update(connection, known.values())
    return changes


def _with_place(change: Change, waiting: Counter[UUID]) -> Change:
    """`waiting`: how many waited before, by event; it counts the change."""
    was, now = change.was.visitor, change.now.visitor
    event_id, event = now.event, change.recorded.event
    if event_id not in waiting:
        return change
    waiting[event_id] += (now.seat == "waiting") - (was.seat == "waiting")
    joined = isinstance(event, Waitlisted) and not event.moved_from
    return msgspec.structs.replace(change, place=waiting[event_id]) if joined else change


async def _load(
    connection: AsyncConnection[Any], domain_events: Sequence[RecordedEvent]
) -> dict[UUID, Recipient]:
    """The recipients whose stream began before these events."""
    begun = {e.originator_id for e in domain_events if e.originator_version > 1}
    if not begun:
        return {}
    cursor = await connection.execute(
        """
        SELECT visitor_id, event_id, status, episode, ticket_issue, confirm_by, recipient_key,
               person_position
        FROM recipients WHERE visitor_id = ANY(%b)
        """,
        [list(begun)],
        binary=True,
    )
    return {row[0]: _recipient(*row) for row in await cursor.fetchall()}


def _recipient(
    id: UUID,
    event_id: UUID,
    status: VisitorStatus,
    episode: int,
    ticket_issue: int,
    confirm_by: datetime | None,
    key: int,
    person_position: int,
) -> Recipient:
    visitor = Visitor(
        id=id,
        event_id=event_id,
        status=status,
        episode=episode,
        ticket_issue=ticket_issue,
        confirm_by=confirm_by,
    )
    return Recipient(visitor, None if key == key_of_visitor(id) else key, person_position)


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


async def _update(connection: AsyncConnection[Any], recipients: Collection[Recipient]) -> None:
    if not recipients:
        return
    await connection.execute(
        """
        UPDATE recipients SET
            status = now.status, episode = now.episode, ticket_issue = now.ticket_issue,
            confirm_by = now.confirm_by,
            recipient_key = now.recipient_key, person_position = now.person_position
        FROM unnest(
            %b::uuid[], %b::uuid[], %b::text[], %b::int[], %b::int[], %b::timestamptz[],
            %b::bigint[], %b::bigint[]
        ) AS now (visitor_id, event_id, status, episode, ticket_issue, confirm_by, recipient_key,
                  person_position)
        WHERE recipients.visitor_id = now.visitor_id
        """,
        [list(column) for column in zip(*(r.row() for r in recipients), strict=True)],
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
                SELECT event_datetime, cancelled_at, removed,
                       (plan::json ->> 'lapses_from')::timestamptz AS lapses_from
                FROM event_versions v
                WHERE v.event_id = r.event_id ORDER BY position DESC LIMIT 1
            ) AS present
            WHERE event_datetime > %(now)b AND cancelled_at IS NULL AND NOT removed
              AND (lapses_from IS NULL OR lapses_from <= %(now)b)
        )
        ORDER BY confirm_by LIMIT %(limit)b
        """,
        {"now": now, "limit": limit},
        binary=True,
    )
    return [id for (id,) in await cursor.fetchall()]
