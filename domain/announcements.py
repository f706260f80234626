"""Notices that the system sends by itself to all visitors of an event: that its time or place has
changed, and that it begins soon. The scheduler finds what is due; these handlers decide again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from domain.areas import Area
from domain.core.aggregate import DomainEvent, new_fields_have_their_defaults, stored_as
from domain.core.unit_of_work import Work
from domain.events import Event, Reminder, TimeAndPlace


class AnnounceChange(msgspec.Struct, frozen=True, kw_only=True):
    """Announces the time and place of an event to its visitors, unless the last message gave the
    same; returns whether it did. Nothing happens if the event has changed again since."""

    event_id: UUID
    now: TimeAndPlace


class RemindOf(msgspec.Struct, frozen=True, kw_only=True):
    """Reminds visitors of an event; returns whether it did. It sends no reminder of an event that
    was moved or cancelled, no second one, none when the time of the next one has come, and none
    when more than half of the time between the reminder and the event is over."""

    event_id: UUID
    reminder: Reminder


@stored_as(
    "Event.ChangeAnnounced",
    phrase="announced the new time and place",
    version=2,
    written_as=1,  # a release that ignores the newer field tells everybody
)
class ChangeAnnounced(DomainEvent[Event], frozen=True, kw_only=True):
    event_datetime: datetime
    area_id: UUID | None = None
    area: str | None = None
    """The area's name."""
    only_if_news: bool = False
    """Whether visitors whose last message gave this time and place are left out. Announcements from
    before this rule went to everybody."""

    def apply(self, aggregate: Event) -> Event:
        announced = TimeAndPlace(self.event_datetime, self.area_id)
        return msgspec.structs.replace(aggregate, announced=announced)

    @classmethod
    def upcasters(cls) -> tuple[Callable[[dict[str, Any]], dict[str, Any]], ...]:
        return (new_fields_have_their_defaults,)


@stored_as("Event.ReminderDue", phrase="reminded the visitors of the event")
class ReminderDue(DomainEvent[Event], frozen=True, kw_only=True):
    offset: str
    event_datetime: datetime

    def apply(self, aggregate: Event) -> Event:
        reminder = Reminder(self.offset, self.event_datetime)
        return msgspec.structs.replace(aggregate, reminded=(*aggregate.reminded, reminder))


def announce_change(command: AnnounceChange, work: Work) -> bool:
    event, now = work.get(Event, command.event_id), command.now
    if now != event.time_and_place or now == event.announced:
        return False
    if not event.takes_place_after(work.now):
        return False
    work.record(
        event,
        ChangeAnnounced(
            event_datetime=now.event_datetime,
            area_id=now.area_id,
            area=work.get(Area, now.area_id).name if now.area_id else None,
            only_if_news=True,
        ),
    )
    return True


def remind_of(command: RemindOf, work: Work) -> bool:
    event, reminder = work.get(Event, command.event_id), command.reminder
    if reminder != event.reminder_due(work.now) or not event.takes_place_after(work.now):
        return False
    work.record(event, ReminderDue(offset=reminder.offset, event_datetime=reminder.event_datetime))
    return True
