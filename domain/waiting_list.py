"""The waiting list: a waiting visitor gets a seat in the transaction that frees it, in the order of
joining."""

from __future__ import annotations

from uuid import UUID

import msgspec

from domain.core.aggregate import DomainEvent, Expected
from domain.core.errors import NotFound
from domain.core.seats import Outdated
from domain.core.unit_of_work import Work, check_version
from domain.event_cancellation import Reinstated
from domain.events import CapacityChanged, Event, Opened, Rescheduled, Restored, WaitingListChanged
from domain.visitors import (
    Cancelled,
    EventCancelled,
    EventFull,
    Lapsed,
    NotWaiting,
    Promoted,
    Visitor,
    confirm_by,
    existing_visitor,
)

MOST_AT_ONCE = 100
"""Promotions in one transaction. `PromoteWaiting` promotes the others."""

FREES_SEATS: set[type[DomainEvent[Event]] | type[DomainEvent[Visitor]]] = {
    Cancelled,
    Lapsed,
    CapacityChanged,
    WaitingListChanged,
    Opened,
    Reinstated,
    Rescheduled,
    Restored,
}
"""After these there may be both a free seat and a visitor who waits for it."""


class PromoteWaiting(msgspec.Struct, frozen=True, kw_only=True):
    """Gives the free seats of an event to waiting visitors; returns how many got one."""

    event_id: UUID


class PromoteVisitor(msgspec.Struct, frozen=True, kw_only=True):
    """An organizer gives a seat to a waiting visitor, at any place in line."""

    visitor_id: UUID
    over_capacity: bool = False
    expected_version: Expected = None


def pass_on_free_seats(work: Work) -> None:
    """A policy: promotes waiting visitors after any command that may have freed a seat."""
    freed = dict[UUID, None]()
    for recorded in work.recorded:
        if type(recorded.event) in FREES_SEATS:
            freed[getattr(recorded.event, "event_id", recorded.originator_id)] = None
    for event_id in freed:
        _promote(work.get(Event, event_id), work)


def promote_waiting(command: PromoteWaiting, work: Work) -> int:
    return _promote(work.get(Event, command.event_id), work)


def promote_visitor(command: PromoteVisitor, work: Work) -> Visitor:
    visitor = existing_visitor(command.visitor_id, work)
    check_version(visitor, command.expected_version)
    if visitor.status != "waiting" or visitor.event_id is None:
        raise NotWaiting
    event = work.get(Event, visitor.event_id)
    if not event.exists:
        raise NotFound("event", event.id)
    if event.cancelled is not None:
        raise EventCancelled
    if not (command.over_capacity or work.has_free_seat(event.id, event.details.capacity)):
        raise EventFull(waiting_list=event.details.waiting_list != "off")
    return _give_seat(visitor, event, work)


def _promote(event: Event, work: Work) -> int:
    """How many got a seat: none while the event is closed, cancelled, removed or has begun."""
    is_automatic = event.details.waiting_list == "automatic"
    if not (is_automatic and event.is_open and event.takes_place_after(work.now)):
        return 0
    for promoted in range(MOST_AT_ONCE):
        first = work.next_in_line(event.id, event.details.capacity)
        if first is None:
            return promoted
        visitor = work.get(Visitor, first)
        if visitor.status != "waiting":
            raise Outdated
        _give_seat(visitor, event, work)
    return MOST_AT_ONCE


def _give_seat(visitor: Visitor, event: Event, work: Work) -> Visitor:
    return work.record(
        visitor,
        Promoted(
            event_id=event.id,
            code=work.new_code(),
            notification_id=work.new_id(),
            confirm_by=None if visitor.confirmed else confirm_by(event, work),
        ),
    )
