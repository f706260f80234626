"""Fan-out: the messages to all visitors of an event that one domain event of it causes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from psycopg import AsyncConnection

from domain.announcements import ChangeAnnounced, ReminderDue
from domain.core.aggregate import RecordedEvent
from domain.event_cancellation import Cancelled, Reinstated
from domain.events import TimeAndPlace
from domain.visitors import SEATS, VisitorStatus
from projections.message_texts import Facts, Kind


class Announcement(msgspec.Struct, frozen=True):
    kind: Kind
    facts: Mapping[VisitorStatus, Facts]
    """What it says to visitors of each status; visitors of another one do not get it."""
    news: TimeAndPlace | None = None
    """Visitors whose last message gave this time and place do not get it; None for all."""


def announcement_of(recorded: RecordedEvent) -> Announcement | None:
    """The message that all visitors of the event get; None if they get none."""
    match recorded.event:
        case Cancelled(reason=reason):
            return Announcement("event_cancelled", _to_all(reason=reason))
        case Reinstated(lapses_from=confirm_by):
            to_unconfirmed = Facts(confirm_by=confirm_by, unconfirmed=True)
            return Announcement("event_reinstated", {**_to_all(), "unconfirmed": to_unconfirmed})
        case ChangeAnnounced(event_datetime=begins, area_id=area_id, area=area) as change:
            news = TimeAndPlace(begins, area_id) if change.only_if_news else None
            return Announcement("changed", _to_all(area=area), news)
        case ReminderDue():
            with_seat = [status for status, seat in SEATS.items() if seat == "taken"]
            return Announcement("reminder", dict.fromkeys(with_seat, Facts()))
        case _:
            return None


def _to_all(**facts: Any) -> dict[VisitorStatus, Facts]:
    return {
        status: Facts(waited=seat == "waiting", unconfirmed=status == "unconfirmed", **facts)
        for status, seat in SEATS.items()
    }


async def fan_out(
    connection: AsyncConnection[Any], recorded: RecordedEvent, announcement: Announcement
) -> int:
    """Add a row for each recipient at this moment; returns their number. The ids follow from what
    happened and to whom, so no visitor gets a second message for it."""
    news = announcement.news
    cursor = await connection.execute(
        """
        INSERT INTO outbox (id, visitor_id, event_id, episode, kind, facts, recipient_key, position,
                            person_position, correlation_id, created_at, due_at)
        SELECT encode(substr(sha256(convert_to(concat_ws(' ', event_id, %(version)b::bigint,
                   %(kind)b::text, visitor_id, episode), 'UTF8')), 1, 16), 'hex')::uuid,
               visitor_id, event_id, episode, %(kind)b, facts, recipient_key, %(position)b,
               person_position, %(correlation_id)b, %(at)b, %(at)b
        FROM recipients
        JOIN unnest(%(statuses)b::text[], %(facts)b::text[]) AS of_status (status, facts)
            USING (status)
        WHERE event_id = %(event_id)b
          AND person_position < %(position)b -- a bulk load knows later visitors already
          AND NOT (%(for_news)b AND EXISTS (
              SELECT FROM (
                  SELECT o.position FROM outbox o
                  WHERE o.recipient_key = recipients.recipient_key
                    AND o.visitor_id = recipients.visitor_id AND o.episode = recipients.episode
                    AND o.position < %(position)b
                  ORDER BY o.position DESC LIMIT 1
              ) AS last_message
              CROSS JOIN LATERAL (
                  SELECT event_datetime, (plan::json ->> 'area_id')::uuid AS area_id
                  FROM event_versions v
                  WHERE v.event_id = %(event_id)b AND v.position <= last_message.position
                  ORDER BY v.position DESC LIMIT 1
              ) AS told
              WHERE told.event_datetime = %(begins)b::timestamptz
                AND told.area_id IS NOT DISTINCT FROM %(area_id)b::uuid
          ))
        ON CONFLICT (id) DO NOTHING
        """,
        {
            "event_id": recorded.originator_id,
            "version": recorded.originator_version,
            "kind": announcement.kind,
            "statuses": list(announcement.facts),
            "facts": [msgspec.json.encode(facts).decode() for facts in announcement.facts.values()],
            "position": recorded.position,
            "correlation_id": recorded.metadata.correlation_id,
            "at": recorded.metadata.timestamp,
            "for_news": news is not None,
            "begins": news.event_datetime if news else None,
            "area_id": news.area_id if news else None,
        },
    )
    return cursor.rowcount
