"""Fan-out: the messages to all visitors of an event that one domain event of it causes."""

from __future__ import annotations

from typing import Any

import msgspec
from psycopg import AsyncConnection

from domain.announcements import ChangeAnnounced, ReminderDue
from domain.core.aggregate import RecordedEvent
from domain.core.seats import Seat
from domain.event_cancellation import Cancelled, Reinstated
from domain.visitors import SEATS
from projections.message_texts import Facts, Kind

EVERYBODY: frozenset[Seat] = frozenset({"taken", "waiting"})


class Announcement(msgspec.Struct, frozen=True):
    kind: Kind
    facts: Facts = Facts()
    to: frozenset[Seat] = EVERYBODY


def announcement_of(recorded: RecordedEvent) -> Announcement | None:
    """The message that all visitors of the event get; None if they get none."""
    match recorded.event:
        case Cancelled(reason=reason):
            return Announcement("event_cancelled", Facts(reason=reason))
        case Reinstated():
            return Announcement("event_reinstated")
        case ChangeAnnounced(area=area):
            return Announcement("changed", Facts(area=area))
        case ReminderDue():
            return Announcement("reminder", to=frozenset({"taken"}))
        case _:
            return None


async def fan_out(
    connection: AsyncConnection[Any], recorded: RecordedEvent, announcement: Announcement
) -> int:
    """Add a row for each recipient at this moment; returns their number. The ids follow from what
    happened and to whom, so no visitor gets a second message for it."""
    cursor = await connection.execute(
        """
        INSERT INTO outbox (id, visitor_id, event_id, episode, kind, facts, recipient_key, position,
                            person_position, correlation_id, created_at, due_at)
        SELECT encode(substr(sha256(convert_to(concat_ws(' ', event_id, %(version)b::bigint,
                   %(kind)b::text, visitor_id, episode), 'UTF8')), 1, 16), 'hex')::uuid,
               visitor_id, event_id, episode, %(kind)b, %(facts)b, recipient_key, %(position)b,
               person_position, %(correlation_id)b, %(at)b, %(at)b
        FROM recipients
        WHERE event_id = %(event_id)b AND status = ANY(%(statuses)b::text[])
          AND person_position < %(position)b -- a bulk load knows later visitors already
        ON CONFLICT (id) DO NOTHING
        """,
        {
            "event_id": recorded.originator_id,
            "version": recorded.originator_version,
            "kind": announcement.kind,
            "facts": msgspec.json.encode(announcement.facts).decode(),
            "position": recorded.position,
            "correlation_id": recorded.metadata.correlation_id,
            "at": recorded.metadata.timestamp,
            "statuses": [s for s, seat in SEATS.items() if seat in announcement.to],
        },
    )
    return cursor.rowcount
