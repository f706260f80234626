"""The message that a visitor's domain event causes, and what is known of a message when it is sent
or shown.

The outbox holds the kind of a message and its facts, no text. Its text follows from them and from
the event as it was at the position of the message (`projections.event_versions`), so it is the
same whenever it is composed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.core.languages import ENGLISH
from domain.notifications import LEFT, OVERTAKEN, REPLACED
from domain.visitors import (
    SEATS,
    Cancelled,
    Confirmed,
    MessageResent,
    Person,
    Promoted,
    Registered,
    VisitorStatus,
    Waitlisted,
)
from projections.calendar import CalendarEvent, Method
from projections.message_texts import Content, EventFacts, Facts, Kind, content_of
from projections.recipients import Change
from runtime.languages.locale import Locale, locale_of

LATE = timedelta(minutes=1)
"""A message that waits longer, because the service did not answer or no worker ran, is not
sent if a newer one has replaced it: they would arrive in any order."""

REPLACE_EACH_OTHER: tuple[frozenset[Kind], ...] = (
    frozenset({"registered", "waiting", "confirm", "promoted", "cancelled"}),
    frozenset({"event_cancelled", "event_reinstated"}),
    frozenset({"changed"}),
)


class NewMessage(msgspec.Struct, frozen=True):
    id: UUID
    kind: Kind
    facts: Facts = Facts()


def message_of(change: Change) -> NewMessage | None:
    """The message that the visitor gets; None if they get none."""
    match change.recorded.event:
        case Registered(notify=True, notification_id=id, code=code, confirm_by=confirm_by):
            kind: Kind = "confirm" if confirm_by else "registered"
            return NewMessage(id, kind, Facts(code=code, confirm_by=confirm_by))
        case Waitlisted(notify=True, notification_id=id):
            return NewMessage(id, "waiting", Facts(place=change.place))
        case Promoted(notification_id=id, code=code, confirm_by=confirm_by):
            kind = "confirm" if confirm_by else "promoted"
            return NewMessage(id, kind, Facts(code=code, confirm_by=confirm_by))
        case Confirmed(notification_id=UUID() as id, code=code):
            return NewMessage(id, "registered", Facts(code=code))
        case Cancelled(notification_id=UUID() as id, reason=reason):
            was = change.was.visitor.status
            waited, unconfirmed = was == "waiting", was == "unconfirmed"
            facts = Facts(reason=reason, waited=waited, unconfirmed=unconfirmed)
            return NewMessage(id, "cancelled", facts)
        case MessageResent(notification_id=id, code=code):
            return _of_standing(change, id, code)
        case _:
            return None


def _of_standing(change: Change, id: UUID, code: str) -> NewMessage | None:
    visitor = change.now.visitor
    match visitor.status:
        case "registered":
            return NewMessage(id, "registered", Facts(code=code))
        case "unconfirmed":
            return NewMessage(id, "confirm", Facts(code=code, confirm_by=visitor.confirm_by))
        case "waiting":
            return NewMessage(id, "waiting")
        case _:
            return None


_METHODS: Mapping[Kind, Method] = {
    "registered": "REQUEST",
    "promoted": "REQUEST",
    "changed": "REQUEST",
    "event_reinstated": "REQUEST",
    "event_cancelled": "CANCEL",
    "cancelled": "CANCEL",
}


class Message(msgspec.Struct, frozen=True):
    """A message as it is sent or shown."""

    visitor_id: UUID
    episode: int
    kind: Kind
    facts: Facts
    event: EventFacts
    entry: CalendarEvent
    obsolete: str | None
    """Why it must not be sent any more; None when it may be."""
    status: VisitorStatus
    """Of the visitor now; `none` when the registration that the message is about is over."""
    ticket_issue: int
    calendar_host: str
    """The end of the ids in calendars."""
    language: str | None = None
    """That of the event at that time; None where the visitor's decides."""

    @property
    def has_ticket(self) -> bool:
        """Whether the visitor can be let in."""
        return self.status == "registered" and not self.event.cancelled

    @property
    def locale(self) -> Locale:
        return locale_of(self.language or ENGLISH)

    def content(self, link: str | None = None, page: str | None = None) -> Content:
        return content_of(self.kind, self.facts, self.event, link, self.locale, page)

    def text(self, link: str | None = None, page: str | None = None) -> str:
        return self.content(link, page).text

    @property
    def calendar_method(self) -> Method | None:
        """What a calendar program is to do with `entry`: `REQUEST` it for who has a seat, `CANCEL`
        it for who has none any more. None when the visitor's calendar stays as it is."""
        if self.facts.waited or self.facts.unconfirmed or self.facts.confirm_by:
            return None
        method = _METHODS.get(self.kind)
        return "CANCEL" if method and self.event.cancelled else method

    def written_to(self, person: Person | None) -> Message:
        """In the language of the person, unless the event has one."""
        language = self.language or (person.language if person else None)
        return msgspec.structs.replace(self, language=language)

    def without_code(self) -> Message:
        """As people other than the recipient may see it."""
        facts = msgspec.structs.replace(self.facts, code=self.facts.code and "****")
        return msgspec.structs.replace(self, facts=facts)


async def messages_by_id(
    connection: AsyncConnection[Any], ids: Collection[UUID]
) -> dict[UUID, Message]:
    """The messages of these rows of the outbox."""
    cursor = await connection.execute(
        """
        SELECT o.id, o.visitor_id, o.episode, o.kind, o.facts,
               past.name, past.event_datetime, past.timezone, past.cancelled_at IS NOT NULL,
               o.event_id, past.ends_at, past.sequence, o.created_at, (
                   SELECT a.name FROM area_names a
                   WHERE a.area_id = (past.plan::jsonb ->> 'area_id')::uuid
                     AND a.position <= o.position
                   ORDER BY a.position DESC LIMIT 1
               ),
               CASE WHEN r.episode = o.episode THEN r.status ELSE 'none' END,
               coalesce(r.ticket_issue, 0), (SELECT host FROM calendar_host),
               past.language,
               present.event_datetime = past.event_datetime
                   AND present.cancelled_at IS NULL AND NOT present.removed,
               CASE WHEN o.created_at < now() - %(late)b THEN ARRAY(
                   SELECT newer.kind FROM outbox newer
                   WHERE newer.recipient_key = o.recipient_key
                     AND newer.visitor_id = o.visitor_id AND newer.position > o.position
                     AND newer.state <> 'failed'
               ) ELSE '{}' END
        FROM outbox o
        LEFT JOIN recipients r ON r.visitor_id = o.visitor_id
        CROSS JOIN LATERAL (
            SELECT * FROM event_versions v
            WHERE v.event_id = o.event_id AND v.position <= o.position
            ORDER BY v.position DESC LIMIT 1
        ) AS past
        CROSS JOIN LATERAL (
            SELECT * FROM event_versions v WHERE v.event_id = o.event_id
            ORDER BY v.position DESC LIMIT 1
        ) AS present
        WHERE o.id = ANY(%(ids)b::uuid[])
        """,
        {"ids": list(ids), "late": LATE},
        binary=True,
    )
    return {id: _message(*rest) for id, *rest in await cursor.fetchall()}


def _message(
    visitor_id: UUID,
    episode: int,
    kind: Kind,
    facts: str,
    name: str,
    begins: datetime,
    timezone: str,
    cancelled: bool,
    event_id: UUID,
    ends: datetime | None,
    sequence: int,
    created_at: datetime,
    area: str | None,
    status: VisitorStatus,
    ticket_issue: int,
    calendar_host: str,
    language: str | None,
    is_as_announced: bool,
    newer: Sequence[Kind],
) -> Message:
    obsolete = None
    if kind != "cancelled" and status not in SEATS:
        obsolete = LEFT
    elif kind == "reminder" and not is_as_announced:
        obsolete = OVERTAKEN
    elif any(kind in kinds and not kinds.isdisjoint(newer) for kinds in REPLACE_EACH_OTHER):
        obsolete = REPLACED
    return Message(
        visitor_id,
        episode,
        kind,
        msgspec.json.decode(facts, type=Facts),
        EventFacts(name, begins, timezone, cancelled, ends, area),
        CalendarEvent(
            id=event_id,
            name=name,
            begins=begins,
            ends=ends,
            sequence=sequence,
            changed_at=created_at,
            cancelled=cancelled,
            location=area,
        ),
        obsolete,
        status,
        ticket_issue,
        calendar_host,
        language,
    )
