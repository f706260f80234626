"""Restoring an event that was deleted, or removed because it took place long ago.

A removal leaves the streams of an event's visitors as they are, so seats, the waiting list and
reminders are as before. docs/decisions/0089-undo-of-a-deletion.md
"""

from __future__ import annotations

from uuid import UUID

import msgspec

from domain.areas import Area
from domain.core.errors import NotFound
from domain.core.unit_of_work import Work
from domain.event_editing import move_between_areas
from domain.events import Event, Restored
from domain.visitors import confirm_by


class RestoreEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Brings a removed event back. Nothing changes if it exists already."""

    event_id: UUID


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
