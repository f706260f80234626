"""Visitors. A visitor is one person at one event, identified by the event and the email, from
registering or joining the waiting list to leaving.

    none -> registered | unconfirmed | waiting
    waiting -> registered | unconfirmed          promoted
    unconfirmed -> registered                    the address was confirmed
    any of them -> cancelled | lapsed | erased -> registers again: the next episode

The id is derived from both (`domain.core.ids`), so concurrent registrations of one person append to
one stream, and only one of them succeeds. Older releases gave some similar emails the same id; the
second person then gets an id that is derived from the exact email.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from domain.answers import Answers
from domain.core.aggregate import DomainEvent, new_fields_have_their_defaults, stored_as
from domain.core.durations import LongDuration
from domain.core.errors import NotFound, Refused
from domain.core.languages import ENGLISH
from domain.core.seats import Seat, SeatHolder
from domain.core.unit_of_work import Work
from domain.events import Event


class EventCancelled(Refused):
    """The event is cancelled"""


class EventClosed(Refused):
    """The event is closed for registration"""


class DeadlinePassed(Refused):
    """The registration deadline has passed"""

    slug = "registration-deadline-passed"


class DuplicateRegistration(Refused):
    """This email is registered for the event already"""


class AlreadyWaiting(Refused):
    """This email is on the waiting list of the event already"""


class EventFull(Refused):
    """No seat of the event is free"""

    def __init__(self, *, waiting_list: bool) -> None:
        super().__init__(waiting_list)
        self.members = {"waiting_list": waiting_list}


class NotWaiting(Refused):
    """The visitor is not on the waiting list"""


class NotRegistered(Refused):
    """The visitor is not registered for the event"""


class CancellationClosed(Refused):
    """It is too late to cancel"""


class LinkExpired(Refused):
    """This link belongs to a registration that is over"""

    status = 410


VisitorStatus = Literal[
    "none", "registered", "waiting", "unconfirmed", "cancelled", "lapsed", "erased"
]

SEATS: dict[VisitorStatus, Seat] = {
    "registered": "taken",
    "unconfirmed": "taken",
    "waiting": "waiting",
}


class Person(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Personal data: history stores it encrypted, under a key that an erasure deletes."""

    full_name: str
    email: str
    answers: Answers = {}
    """To the questions of the event."""
    language: str = ENGLISH
    """In which the person gets messages, unless the event has a language. Another release may know
    more languages."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """The visitor entered, as was scanned at the door (`domain.entries`)."""

    nonce: str
    at: datetime
    received_at: datetime
    gate: str | None = None
    offline: bool = False


class Visitor(SeatHolder, frozen=True, kw_only=True):
    status: VisitorStatus = "none"
    episode: int = 0
    """How often the person has registered or joined the waiting list."""
    ticket_issue: int = 0
    """How often the ticket of the episode was issued anew."""
    notification_id: UUID | None = None
    """Id of the first message of the last episode; None without one, or after an erasure."""
    last_notification_id: UUID | None = None
    """Id of the last message of the episode."""
    is_silent: bool = False
    """Whether the first message of the episode is not sent."""
    confirmed: bool = False
    confirm_by: datetime | None = None
    moved_to: UUID | None = None
    """The visitor with the corrected email, after a correction."""
    entries: tuple[Entry, ...] = ()
    """Of the episode, the earliest first."""
    checked_in_at: datetime | None = None
    """The earliest time of the entries."""

    @property
    def seat(self) -> Seat | None:
        return SEATS.get(self.status)

    @property
    def event(self) -> UUID:
        """The event. Raises `NotFound` before the first domain event."""
        if self.event_id is None:
            raise NotFound("visitor", self.id)
        return self.event_id

    @property
    def abandoned_by_erasure(self) -> set[UUID]:
        """The messages that an erasure gives up if they are not sent: the first and the last."""
        ids = {id for id in (self.notification_id, self.last_notification_id) if id}
        return ids - {self.notification_id} if self.is_silent else ids

    @property
    def is_known(self) -> bool:
        """Whether history still has the person's name and email, also after leaving."""
        return self.notification_id is not None

    def begin(self, **changes: Any) -> Visitor:
        """The next episode."""
        return msgspec.structs.replace(
            self,
            episode=self.episode + 1,
            ticket_issue=0,
            last_notification_id=changes["notification_id"],
            moved_to=None,
            entries=(),
            checked_in_at=None,
            **changes,
        )

    def refuse_second(self) -> None:
        if self.status == "waiting":
            raise AlreadyWaiting
        if self.seat:
            raise DuplicateRegistration

    def expect_episode(self, episode: int) -> None:
        if self.episode != episode or not self.seat:
            raise LinkExpired


@stored_as(
    "Visitor.Registered",
    phrase="registered the visitor",
    version=4,
    written_as=1,  # a release that ignores the newer fields counts the seat just so
    personal="person",
    secret=["code"],
)
class Registered(DomainEvent[Visitor], frozen=True, kw_only=True):
    event_id: UUID
    code: str
    """Four digits, sent to the visitor as proof of the registration."""
    notification_id: UUID
    """Of the message that brings the code; the same however often it is tried."""
    person: Person | None = None
    """None if its key was not loaded or was deleted."""
    confirm_by: datetime | None = None
    """Until when the address must be confirmed; None if it need not be."""
    moved_from: UUID | None = None
    """The visitor with the former email, whose seat this visitor takes over."""
    notify: bool = True
    """Whether the message is sent."""

    def apply(self, aggregate: Visitor) -> Visitor:
        return aggregate.begin(
            event_id=self.event_id,
            status="unconfirmed" if self.confirm_by else "registered",
            notification_id=self.notification_id,
            is_silent=not self.notify,
            confirmed=False,
            confirm_by=self.confirm_by,
            takes_place_of=None,
        )

    @classmethod
    def upcasters(cls) -> tuple[Callable[[dict[str, Any]], dict[str, Any]], ...]:
        return (new_fields_have_their_defaults,) * 3


@stored_as(
    "Visitor.Waitlisted",
    phrase="put the visitor on the waiting list",
    version=3,
    written_as=1,
    personal="person",
)
class Waitlisted(DomainEvent[Visitor], frozen=True, kw_only=True):
    event_id: UUID
    notification_id: UUID
    person: Person | None = None
    moved_from: UUID | None = None
    """The visitor with the former email, whose place in line this visitor takes over."""
    notify: bool = True

    def apply(self, aggregate: Visitor) -> Visitor:
        return aggregate.begin(
            event_id=self.event_id,
            status="waiting",
            notification_id=self.notification_id,
            is_silent=not self.notify,
            confirmed=False,
            confirm_by=None,
            joined=aggregate.version + 1,
            takes_place_of=self.moved_from,
        )

    @classmethod
    def upcasters(cls) -> tuple[Callable[[dict[str, Any]], dict[str, Any]], ...]:
        return (new_fields_have_their_defaults,) * 2


@stored_as("Visitor.Promoted", phrase="gave the waiting visitor a seat", secret=["code"])
class Promoted(DomainEvent[Visitor], frozen=True, kw_only=True):
    event_id: UUID
    code: str
    notification_id: UUID
    confirm_by: datetime | None = None

    def apply(self, aggregate: Visitor) -> Visitor:
        return msgspec.structs.replace(
            aggregate,
            status="unconfirmed" if self.confirm_by else "registered",
            last_notification_id=self.notification_id,
            confirm_by=self.confirm_by,
        )


@stored_as("Visitor.Confirmed", phrase="confirmed the address", secret=["code"])
class Confirmed(DomainEvent[Visitor], frozen=True, kw_only=True):
    event_id: UUID
    code: str | None = None
    """None for a waiting visitor, who gets no message."""
    notification_id: UUID | None = None

    def apply(self, aggregate: Visitor) -> Visitor:
        return msgspec.structs.replace(
            aggregate,
            status="registered" if aggregate.status == "unconfirmed" else aggregate.status,
            last_notification_id=self.notification_id or aggregate.last_notification_id,
            confirmed=True,
            confirm_by=None,
        )


@stored_as("Visitor.Lapsed", phrase="ended the unconfirmed registration")
class Lapsed(DomainEvent[Visitor], frozen=True, kw_only=True):
    event_id: UUID

    def apply(self, aggregate: Visitor) -> Visitor:
        return msgspec.structs.replace(aggregate, status="lapsed", confirm_by=None)


CancelledBy = Literal["visitor", "organizer", "correction", "erasure"]


@stored_as("Visitor.Cancelled", phrase="cancelled the registration")
class Cancelled(DomainEvent[Visitor], frozen=True, kw_only=True):
    event_id: UUID
    by: CancelledBy
    reason: str = ""
    notification_id: UUID | None = None
    """Id of the message about it; None if none is sent."""
    moved_to: UUID | None = None
    """The visitor with the corrected email."""

    def apply(self, aggregate: Visitor) -> Visitor:
        """Who was let in has been let in, unless that was the visitor with the corrected email."""
        moves = self.moved_to is not None
        return msgspec.structs.replace(
            aggregate,
            status="cancelled",
            last_notification_id=self.notification_id or aggregate.last_notification_id,
            confirm_by=None,
            moved_to=self.moved_to,
            entries=() if moves else aggregate.entries,
            checked_in_at=None if moves else aggregate.checked_in_at,
        )


@stored_as(
    "Visitor.Corrected",
    phrase="corrected the name or the answers",
    version=3,
    written_as=1,
    personal="person",
)
class Corrected(DomainEvent[Visitor], frozen=True, kw_only=True):
    event_id: UUID
    person: Person | None = None

    @classmethod
    def upcasters(cls) -> tuple[Callable[[dict[str, Any]], dict[str, Any]], ...]:
        return (new_fields_have_their_defaults,) * 2


HOLDS_PERSON = (Registered, Waitlisted, Corrected)
"""The domain events that say who the visitor is; each has an `event_id` and a `person`."""


@stored_as("Visitor.MessageResent", phrase="sent the last message again", secret=["code"])
class MessageResent(DomainEvent[Visitor], frozen=True, kw_only=True):
    event_id: UUID
    code: str
    notification_id: UUID

    def apply(self, aggregate: Visitor) -> Visitor:
        return msgspec.structs.replace(aggregate, last_notification_id=self.notification_id)


@stored_as("Visitor.Erased", phrase="erased the visitor")
class Erased(DomainEvent[Visitor], frozen=True, kw_only=True):
    """The person is forgotten: the keys to what this stream held of them are deleted with it.

    A past registration counts on, anonymously; the same person may register again.
    """

    notification_id: UUID

    def apply(self, aggregate: Visitor) -> Visitor:
        return msgspec.structs.replace(
            aggregate, status="erased", notification_id=None, last_notification_id=None
        )


def existing_visitor(id: UUID, work: Work) -> Visitor:
    visitor = work.get(Visitor, id)
    if visitor.event_id is None:
        raise NotFound("visitor", id)
    return visitor


def confirm_by(event: Event, work: Work) -> datetime | None:
    """Until when a visitor who gets a seat now must confirm the address; None if they need not."""
    within = event.details.confirm_within
    return work.now + LongDuration(within).length if within else None


def record_cancellation(
    visitor: Visitor,
    by: CancelledBy,
    work: Work,
    *,
    reason: str = "",
    moved_to: UUID | None = None,
    notify: bool = True,
) -> Visitor:
    cancelled = Cancelled(
        event_id=visitor.event,
        by=by,
        reason=reason,
        notification_id=work.new_id() if notify else None,
        moved_to=moved_to,
    )
    return work.record(visitor, cancelled)
