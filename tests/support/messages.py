"""Messages to visitors, made by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from domain.visitors import VisitorStatus
from projections.calendar import CalendarEvent
from projections.message_texts import EventFacts, Facts, Kind
from projections.messages import Message
from workers.delivery.sender import Outgoing

FAIR = EventFacts("Spring Fair", datetime(2030, 5, 4, 16, tzinfo=UTC), "Europe/Berlin")

LINK = "https://events.example.com/r/token"


def outgoing(
    email: str = "ada@example.org",
    kind: Kind = "registered",
    facts: Facts = Facts(code="0042"),  # noqa: B008 - frozen
    *,
    event: EventFacts = FAIR,
    link: str | None = LINK,
    ticket: str | None = None,
    id: UUID = UUID(int=7),  # noqa: B008 - immutable
) -> Outgoing:
    message = Message(
        visitor_id=UUID(int=1),
        episode=1,
        kind=kind,
        facts=facts,
        event=event,
        entry=CalendarEvent(
            id=UUID(int=2),
            name=event.name,
            begins=event.begins,
            ends=event.ends,
            sequence=3,
            changed_at=datetime(2030, 4, 1, 12, tzinfo=UTC),
            cancelled=event.cancelled,
            location=event.area,
        ),
        obsolete=None,
        status=_status(kind, facts),
        ticket_issue=0,
        calendar_host="events.example.com",
    )
    return Outgoing(id, email, message, link, ticket)


def _status(kind: Kind, facts: Facts) -> VisitorStatus:
    if kind == "cancelled":
        return "cancelled"
    if kind == "waiting" or facts.waited:
        return "waiting"
    return "unconfirmed" if kind == "confirm" or facts.confirm_by else "registered"
