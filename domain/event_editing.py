"""Creating, changing and removing events."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from domain.areas import Area, EventAdded, EventRemoved, existing_area
from domain.core.aggregate import Expected
from domain.core.durations import Duration, LongDuration
from domain.core.errors import NotFound
from domain.core.languages import Language
from domain.core.times import Timezone
from domain.core.unit_of_work import Work, check_version
from domain.core.values import Capacity, Days, Description, StoredText, Text, wrong_name
from domain.details import (
    Availability,
    Details,
    Status,
    WaitingList,
    availability_of,
    check_details,
)
from domain.events import CleanedUp, Deleted, Event, existing_event

Reminders = tuple[Duration, ...]


class CreateEvent(msgspec.Struct, frozen=True, kw_only=True):
    name: Text
    event_datetime: datetime
    registration_deadline: datetime | date
    area_id: UUID | None = None
    status: Status = "open"
    description: Description = Description()
    ends_at: datetime | date | None = None
    timezone: Timezone = Timezone("UTC")
    capacity: Capacity | None = None
    waiting_list: WaitingList = "off"
    cancel_until: datetime | date | None = None
    reminders: Reminders = ()
    confirm_within: LongDuration | None = None
    retention_days: Days | None = None
    language: Language | None = None


class ChangeEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Changes only the given fields; `area_id=None` takes the event out of its area."""

    event_id: UUID
    name: StoredText | UnsetType = UNSET
    event_datetime: datetime | UnsetType = UNSET
    registration_deadline: datetime | date | UnsetType = UNSET
    area_id: UUID | None | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    ends_at: datetime | date | None | UnsetType = UNSET
    timezone: Timezone | UnsetType = UNSET
    capacity: Capacity | None | UnsetType = UNSET
    waiting_list: WaitingList | UnsetType = UNSET
    cancel_until: datetime | date | None | UnsetType = UNSET
    reminders: Reminders | UnsetType = UNSET
    confirm_within: LongDuration | None | UnsetType = UNSET
    retention_days: Days | None | UnsetType = UNSET
    language: Language | None | UnsetType = UNSET
    expected_version: Expected = None


class DeleteEvent(msgspec.Struct, frozen=True, kw_only=True):
    event_id: UUID
    expected_version: Expected = None


class CleanUpEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Removes the event if it took place before `before`, unless somebody restored it since."""

    event_id: UUID
    before: datetime


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """An event after a command, the name of its area, None without an area, and whether a newcomer
    gets a seat."""

    event: Event
    area: str | None
    availability: Availability


def create_event(command: CreateEvent, work: Work) -> Event:
    details = check_details(
        msgspec.structs.asdict(command), work.now, wrong=_unknown_area(command.area_id, work)
    )
    return settle(Event(id=work.new_id()), details, work)


def change_event(command: ChangeEvent, work: Work) -> Event:
    event = existing_event(command.event_id, work)
    check_version(event, command.expected_version)
    was = event.details
    changes: dict[str, Any] = {
        field: value
        for field in Details.__struct_fields__
        if (value := getattr(command, field)) is not UNSET
    }
    area_id = changes.get("area_id", was.area_id)
    details = check_details(
        changes,
        work.now,
        was,
        wrong={
            **wrong_name(changes.get("name", was.name), was.name),
            **(_unknown_area(area_id, work) if area_id != was.area_id else {}),
        },
    )
    return settle(event, details, work)


def delete_event(command: DeleteEvent, work: Work) -> None:
    event = existing_event(command.event_id, work)
    check_version(event, command.expected_version)
    _remove(event, Deleted(), work)


def clean_up_event(command: CleanUpEvent, work: Work) -> bool:
    event = work.get(Event, command.event_id)
    if not event.exists or event.is_kept or event.details.event_datetime >= command.before:
        return False
    _remove(event, CleanedUp(), work)
    return True


def settle(event: Event, details: Details, work: Work) -> Event:
    """Record the domain events that lead to `details`, creating the event if needed, and update the
    counts of its areas."""
    was = event.details.area_id if event.exists else None
    if event.exists:
        settled = work.record(event, *event.change_to(details))
    else:
        created = work.record(event, event.create(details))
        settled = work.record(created, *created.change_to(details))
    move_between_areas(settled, was, work)
    return settled


def move_between_areas(event: Event, was: UUID | None, work: Work) -> None:
    """Update the event counts of the former area and the present one."""
    if event.details.area_id != was:
        _leave_area(event, was, work)
        if event.details.area_id is not None:
            area = work.get(Area, event.details.area_id)
            work.record(area, EventAdded(event_id=event.id))


def view_of(event: Event, work: Work) -> EventView:
    area_id = event.details.area_id
    return EventView(
        event=event,
        area=work.get(Area, area_id).name if area_id else None,
        availability=_availability(event, work),
    )


def _availability(event: Event, work: Work) -> Availability:
    if event.has_room_for_all:
        return "open"
    seats = work.counters(event.id)
    return availability_of(event.details, seats.taken, seats.waiting)


def _remove(event: Event, removal: Deleted | CleanedUp, work: Work) -> None:
    work.record(event, removal)
    _leave_area(event, event.details.area_id, work)


def _leave_area(event: Event, area_id: UUID | None, work: Work) -> None:
    if area_id is not None:
        area = work.get(Area, area_id)
        work.record(area, EventRemoved(event_id=event.id))


def _unknown_area(id: UUID | None, work: Work) -> dict[str, str]:
    """Error messages by field; empty if the id names an area or is None."""
    if id is not None:
        try:
            existing_area(id, work)
        except NotFound as error:
            return {"area_id": str(error)}
    return {}
