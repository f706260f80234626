"""Cancelling an event, and reinstating it. It differs from deleting: the event can still be read,
and all registered and waiting visitors get a message."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from domain.core.aggregate import DomainEvent, Expected, stored_as
from domain.core.unit_of_work import Work, check_version
from domain.core.values import Reason
from domain.events import Cancellation, Event, existing_event, revised
from domain.visitors import confirm_by


class CancelEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Cancels the event: registration ends, and all registered and waiting visitors get a message.
    Nothing changes if the event is cancelled already."""

    event_id: UUID
    reason: Reason = Reason()
    expected_version: Expected = None


class ReinstateEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Takes a cancellation back: all registrations are valid again."""

    event_id: UUID
    expected_version: Expected = None


@stored_as("Event.Cancelled", phrase="cancelled the event")
class Cancelled(DomainEvent[Event], frozen=True, kw_only=True):
    """The registrations stay as they are, so that reinstating restores all of them."""

    at: datetime
    reason: str = ""

    def apply(self, aggregate: Event) -> Event:
        cancellation = Cancellation(at=self.at, reason=self.reason)
        return revised(aggregate, cancelled=cancellation)


@stored_as("Event.Reinstated", phrase="reinstated the event")
class Reinstated(DomainEvent[Event], frozen=True, kw_only=True):
    lapses_from: datetime | None = None
    """None where no address must be confirmed."""

    def apply(self, aggregate: Event) -> Event:
        return revised(aggregate, cancelled=None, lapses_from=self.lapses_from)


def cancel_event(command: CancelEvent, work: Work) -> Event:
    event = existing_event(command.event_id, work)
    check_version(event, command.expected_version)
    if event.cancelled is None:
        event = work.record(event, Cancelled(at=work.now, reason=command.reason))
    return event


def reinstate_event(command: ReinstateEvent, work: Work) -> Event:
    event = existing_event(command.event_id, work)
    check_version(event, command.expected_version)
    if event.cancelled is not None:
        event = work.record(event, Reinstated(lapses_from=confirm_by(event, work)))
    return event
