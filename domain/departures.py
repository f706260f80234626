"""Confirming and ending registrations: by the visitor, by an organizer, or when a time is over."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.core.aggregate import Expected
from domain.core.unit_of_work import Work, check_version
from domain.core.values import Reason
from domain.events import Event, existing_event
from domain.history.idempotency import forget
from domain.history.store import delete_personal_keys
from domain.notifications import Notification
from domain.visitors import (
    CancellationClosed,
    Confirmed,
    Erased,
    Lapsed,
    MessageResent,
    NotRegistered,
    Visitor,
    existing_visitor,
    record_cancellation,
)


class CancelVisitor(msgspec.Struct, frozen=True, kw_only=True):
    """An organizer cancels a registration, or takes somebody off the waiting list."""

    visitor_id: UUID
    reason: Reason = Reason()
    notify: bool = True
    expected_version: Expected = None


class LeaveEvent(msgspec.Struct, frozen=True, kw_only=True):
    """The visitor cancels."""

    visitor_id: UUID
    episode: int


class ConfirmVisitor(msgspec.Struct, frozen=True, kw_only=True):
    """The visitor confirms the address."""

    visitor_id: UUID
    episode: int


class LapseVisitor(msgspec.Struct, frozen=True, kw_only=True):
    """Ends a registration whose address was not confirmed in time."""

    visitor_id: UUID


class ResendMessage(msgspec.Struct, frozen=True, kw_only=True):
    """Sends the message for the visitor's present status again."""

    visitor_id: UUID
    expected_version: Expected = None


class EraseVisitor(msgspec.Struct, frozen=True, kw_only=True):
    """Erases the person of one registration, see `domain.erasure`."""

    visitor_id: UUID
    notification_id: UUID | None = None
    """Identifies the registration to erase; None for the present one."""


ErasureOutcome = Literal["not registered", "erased", "erased before notified"]


def cancel_visitor(command: CancelVisitor, work: Work) -> Visitor:
    """Nothing changes when the registration is over already."""
    visitor = existing_visitor(command.visitor_id, work)
    check_version(visitor, command.expected_version)
    if not visitor.seat:
        return visitor
    return record_cancellation(
        visitor, "organizer", work, reason=command.reason, notify=command.notify
    )


def leave_event(command: LeaveEvent, work: Work) -> Visitor:
    visitor = existing_visitor(command.visitor_id, work)
    visitor.expect_episode(command.episode)
    if work.now > may_leave_until(work.get(Event, visitor.event)):
        raise CancellationClosed
    return record_cancellation(visitor, "visitor", work)


def may_leave_until(event: Event) -> datetime:
    """Until when visitors may cancel."""
    begins = event.details.event_datetime
    return min(event.details.cancel_until or begins, begins)


def confirm_visitor(command: ConfirmVisitor, work: Work) -> Visitor:
    visitor = existing_visitor(command.visitor_id, work)
    visitor.expect_episode(command.episode)
    if visitor.confirmed:
        return visitor
    confirmed = Confirmed(event_id=visitor.event)
    if visitor.status == "unconfirmed":
        confirmed = msgspec.structs.replace(
            confirmed, code=work.new_code(), notification_id=work.new_id()
        )
    return work.record(visitor, confirmed)


def lapse_visitor(command: LapseVisitor, work: Work) -> bool:
    """No seat of an event that is cancelled or over is taken away."""
    visitor = existing_visitor(command.visitor_id, work)
    is_late = visitor.confirm_by is not None and work.now >= visitor.confirm_by
    if visitor.status != "unconfirmed" or not is_late:
        return False
    event = work.get(Event, visitor.event)
    if not event.takes_place_after(work.now):
        return False
    if event.lapses_from is not None and work.now < event.lapses_from:
        return False
    work.record(visitor, Lapsed(event_id=visitor.event))
    return True


def resend_message(command: ResendMessage, work: Work) -> Visitor:
    visitor = existing_visitor(command.visitor_id, work)
    check_version(visitor, command.expected_version)
    existing_event(visitor.event, work)
    if not visitor.seat:
        raise NotRegistered
    return work.record(
        visitor,
        MessageResent(event_id=visitor.event, code=work.new_code(), notification_id=work.new_id()),
    )


def erase_visitor(command: EraseVisitor, work: Work) -> ErasureOutcome:
    """If the event is still to come, the seat is passed on."""
    visitor = work.get(Visitor, command.visitor_id)
    if not visitor.is_known or command.notification_id not in {None, visitor.notification_id}:
        return "not registered"
    return record_erasure(visitor, work)


def record_erasure(visitor: Visitor, work: Work) -> ErasureOutcome:
    """Of a visitor who is known."""
    registered_with = visitor.notification_id
    if registered_with is None:
        raise ValueError("the visitor is not known")
    abandoned = False
    for id in visitor.abandoned_by_erasure:
        notification = work.get(Notification, id)
        abandoned |= work.record(notification, *notification.abandon()) is not notification
    event = work.get(Event, visitor.event)
    if visitor.seat and event.takes_place_after(work.now):
        visitor = record_cancellation(visitor, "erasure", work, notify=False)
    work.record(visitor, Erased(notification_id=registered_with))
    return "erased before notified" if abandoned else "erased"


async def forget_people(connection: AsyncConnection[Any], _: object, work: Work) -> None:
    """Deletes the keys of the erased people's data in their streams, and the answers that were
    stored to be sent again. If the same batch has registered the next person in a stream, their
    keys stay."""
    erased = {
        recorded.originator_id: recorded.originator_version
        for recorded in work.recorded
        if isinstance(recorded.event, Erased)
    }
    if erased:
        await delete_personal_keys(connection, erased)
        await forget(connection, erased)
