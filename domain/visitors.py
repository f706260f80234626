"""Visitors. A visitor is one person at one event, identified by the event and the email.

The id is derived from both (`domain.core.ids`), so concurrent registrations of one person append to
one stream, and only one of them succeeds. Older releases gave some similar emails the same id; the
second person then gets an id that is derived from the exact email.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.core.aggregate import Aggregate, DomainEvent, stored_as
from domain.core.errors import NotFound, Refused
from domain.core.unit_of_work import Work
from domain.core.values import Email, FullName
from domain.events import Event
from domain.history.store import delete_personal_keys
from domain.notifications import Notification


class EventClosed(Refused):
    """The event is closed for registration"""


class DeadlinePassed(Refused):
    """The registration deadline has passed"""

    slug = "registration-deadline-passed"


class DuplicateRegistration(Refused):
    """This email is registered for the event already"""


class RegisterVisitor(msgspec.Struct, frozen=True, kw_only=True):
    event_id: UUID
    full_name: FullName
    email: Email


class EraseVisitor(msgspec.Struct, frozen=True, kw_only=True):
    """Erases the person of one registration, see `domain.erasure`."""

    visitor_id: UUID
    notification_id: UUID | None = None
    """Identifies the registration to erase; None for the present one."""


ErasureOutcome = Literal["nobody", "erased", "erased before notified"]


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Personal data: history stores it encrypted, under a key that an erasure deletes."""

    full_name: str
    email: str


class Visitor(Aggregate, frozen=True, kw_only=True):
    notification_id: UUID | None = None
    """Of the present registration; None without one, or after an erasure."""

    @property
    def registered(self) -> bool:
        return self.notification_id is not None

    def register(
        self, event: Event, person: Person, *, now: datetime, code: str, notification_id: UUID
    ) -> Registered:
        if not event.exists:
            raise NotFound("event", event.id)
        if not event.is_open:
            raise EventClosed
        if now > event.details.registration_deadline:
            raise DeadlinePassed
        if self.registered:
            raise DuplicateRegistration
        return Registered(
            event_id=event.id, code=code, notification_id=notification_id, person=person
        )

    def erase(self) -> list[DomainEvent[Visitor]]:
        """Empty if there is nothing to erase."""
        return [Erased(notification_id=self.notification_id)] if self.notification_id else []


@stored_as(
    "Visitor.Registered", phrase="registered the visitor", personal="person", secret=["code"]
)
class Registered(DomainEvent[Visitor], frozen=True, kw_only=True):
    event_id: UUID
    code: str
    """Four digits, sent to the visitor as proof of the registration."""
    notification_id: UUID
    """Of the message that brings the code; the same however often it is tried."""
    person: Person | None = None
    """None if its key was not loaded or was deleted."""

    def apply(self, aggregate: Visitor) -> Visitor:
        return msgspec.structs.replace(aggregate, notification_id=self.notification_id)


@stored_as("Visitor.Erased", phrase="erased the visitor")
class Erased(DomainEvent[Visitor], frozen=True, kw_only=True):
    """The person is forgotten: the keys to what this stream held of them are deleted with it.

    The registration counts on, anonymously; the same person may register again.
    """

    notification_id: UUID

    def apply(self, aggregate: Visitor) -> Visitor:
        return msgspec.structs.replace(aggregate, notification_id=None)


def register_visitor(command: RegisterVisitor, work: Work) -> UUID:
    event = work.get(Event, command.event_id)
    visitor = _visitor(command.event_id, command.email, work)
    registered = visitor.register(
        event,
        Person(full_name=command.full_name, email=command.email),
        now=work.now,
        code=work.new_code(),
        notification_id=work.new_id(),
    )
    work.record(visitor, registered)
    return visitor.id


def erase_visitor(command: EraseVisitor, work: Work) -> ErasureOutcome:
    visitor = work.get(Visitor, command.visitor_id)
    if visitor.notification_id is None:
        return "nobody"
    if command.notification_id not in {None, visitor.notification_id}:
        return "nobody"
    notification = work.get(Notification, visitor.notification_id)
    abandoned = notification.abandon()
    work.record(notification, *abandoned)
    work.record(visitor, *visitor.erase())
    return "erased before notified" if abandoned else "erased"


async def forget_person(connection: AsyncConnection[Any], _: EraseVisitor, work: Work) -> None:
    """Deletes the keys to what the stream holds of them. The same batch may have registered the
    next person: theirs stay."""
    for recorded in work.recorded:
        if isinstance(recorded.event, Erased):
            await delete_personal_keys(
                connection, recorded.originator_id, before=recorded.originator_version
            )


def _visitor(event_id: UUID, email: Email, work: Work) -> Visitor:
    """This person at the event, or who they will be there."""
    first = work.get(Visitor, work.identity.visitor(event_id, email))
    if not first.version:
        return first
    other_id = work.identity.other_visitor(event_id, email)
    if first.registered and work.person(first) in {other_id, None}:
        return first
    other = work.get(Visitor, other_id)
    return other if first.registered or other.registered else first
