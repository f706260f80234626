"""Restoring an event that was deleted, or removed because it took place long ago.

A removal leaves the streams of an event's visitors as they are, so seats, the waiting list and
reminders are as before. docs/decisions/0089-undo-of-a-deletion.md
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from domain.areas import Area
from domain.core.aggregate import DomainEvent, stored_as
from domain.core.errors import NotFound
from domain.core.unit_of_work import Work
from domain.details import Status
from domain.event_editing import move_between_areas
from domain.events import Event, revised
from domain.visitors import confirm_by


class RestoreEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Brings a removed event back. Nothing changes if it exists already."""

    event_id: UUID


@stored_as("Event.Restored", phrase="restored the removed event")
class Restored(DomainEvent[Event], frozen=True, kw_only=True):
    """The event has its fields, its questions and its visitors as before. The fields here are those
    of `Created`, for readers of the feed."""

    name: str
    event_datetime: datetime
    registration_deadline: datetime
    area_id: UUID | None = None
    """None also if its area was deleted in the meantime."""
    status: Status
    from_provider: bool = False
    lapses_from: datetime | None = None
    """As for `Reinstated`: nobody could confirm an address while the event was removed."""
    is_kept: bool = False
    """Whether it took place already: the cleanup leaves it."""

    def apply(self, aggregate: Event) -> Event:
        return revised(
            aggregate,
            details=msgspec.structs.replace(aggregate.details, area_id=self.area_id),
            exists=True,
            cleaned_up=False,
            is_kept=self.is_kept,
            lapses_from=self.lapses_from,
        )


def restore_event(command: RestoreEvent, work: Work) -> Event:
    event = work.get(Event, command.event_id)
    if not event.version:
        raise NotFound("event", command.event_id)
    if event.exists:
        return event
    details = event.details
    area_exists = details.area_id is not None and work.get(Area, details.area_id).exists
    restored = work.record(
        event,
        Restored(
            name=details.name,
            event_datetime=details.event_datetime,
            registration_deadline=details.registration_deadline,
            area_id=details.area_id if area_exists else None,
            status=details.status,
            from_provider=event.said.is_known,
            lapses_from=confirm_by(event, work),
            is_kept=details.event_datetime <= work.now,
        ),
    )
    move_between_areas(restored, None, work)
    return restored
