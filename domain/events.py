"""Events that visitors register for, created by organizers or synchronised from the provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from domain.areas import Area, EventAdded, EventRemoved, existing_area
from domain.core.aggregate import (
    Aggregate,
    DomainEvent,
    Expected,
    new_fields_have_their_defaults,
    stored_as,
)
from domain.core.errors import InvalidFields, NotFound
from domain.core.times import end_of
from domain.core.unit_of_work import Work, check_version
from domain.core.values import StoredText, Text, wrong_name
from domain.following import Details, Said, Status


class CreateEvent(msgspec.Struct, frozen=True, kw_only=True):
    name: Text
    event_datetime: datetime
    registration_deadline: datetime | date
    area_id: UUID | None = None
    status: Status = "open"


class ChangeEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Changes only the given fields; `area_id=None` takes the event out of its area."""

    event_id: UUID
    name: StoredText | UnsetType = UNSET
    event_datetime: datetime | UnsetType = UNSET
    registration_deadline: datetime | date | UnsetType = UNSET
    area_id: UUID | None | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    expected_version: Expected = None


class DeleteEvent(msgspec.Struct, frozen=True, kw_only=True):
    event_id: UUID
    expected_version: Expected = None


class CleanUpEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Removes the event if it took place before `before`."""

    event_id: UUID
    before: datetime


class Event(Aggregate, frozen=True, kw_only=True):
    details: Details = Details()
    said: Said = Said()
    """The provider's last values; the initial values of an event that is not from the provider."""
    exists: bool = False
    cleaned_up: bool = False

    @property
    def is_open(self) -> bool:
        return self.details.status == "open"

    def create(self, details: Details) -> Created:
        return Created(**msgspec.structs.asdict(details))

    def change_to(self, details: Details) -> list[DomainEvent[Event]]:
        """The domain events that lead to `details`; empty if nothing differs."""
        was, events = self.details, list[DomainEvent[Event]]()
        if details.name != was.name:
            events.append(Renamed(name=details.name))
        if (details.event_datetime, details.registration_deadline) != (
            was.event_datetime,
            was.registration_deadline,
        ):
            events.append(
                Rescheduled(
                    event_datetime=details.event_datetime,
                    registration_deadline=details.registration_deadline,
                )
            )
        if details.area_id != was.area_id:
            events.append(Relocated(area_id=details.area_id))
        if details.status != was.status:
            events.append(Opened() if details.status == "open" else Closed())
        return events

    def may_return(self, event_datetime: datetime) -> bool:
        """Whether a sync may restore a removed event: only if it was cleaned up as past and the
        provider moved it to a new date."""
        known = {self.details.event_datetime, self.said.event_datetime}
        return self.cleaned_up and event_datetime not in known


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """An event after a command, and the name of its area, None without an area."""

    event: Event
    area: str | None


def check_times(
    event_datetime: datetime,
    deadline: datetime | date,
    now: datetime,
    was: Details | None = None,
    *,
    wrong: Mapping[str, str] | None = None,
) -> tuple[datetime, datetime]:
    """The times as moments. A time that is the same as in `was` is always valid; `was` is None for
    a new event.

    Raises `InvalidFields` with each invalid time, and with the messages in `wrong` about other
    fields.
    """
    ends = end_of(deadline, event_datetime)
    event_moves = was is None or event_datetime != was.event_datetime
    deadline_moves = was is None or ends != was.registration_deadline
    messages = dict[str, str]()
    if event_moves and event_datetime <= now:
        messages["event_datetime"] = "must be in the future"
    if deadline_moves and ends <= now:
        messages["registration_deadline"] = "must be in the future"
    elif deadline_moves and ends > event_datetime:
        messages["registration_deadline"] = "must not be after the event"
    elif event_moves and not messages and ends > event_datetime:
        messages["event_datetime"] = "must not be before the registration deadline"
    if wrong or messages:
        raise InvalidFields(**(wrong or {}), **messages)
    return event_datetime, ends


@stored_as("Event.Created", phrase="created the event", version=2)
class Created(DomainEvent[Event], frozen=True, kw_only=True):
    """Also recorded when a sync restores a removed event."""

    name: str
    event_datetime: datetime
    registration_deadline: datetime
    area_id: UUID | None = None
    status: Status
    from_provider: bool = False
    provider_area: str | None = None
    """The area's name in the provider's item."""

    def apply(self, aggregate: Event) -> Event:
        details = Details(
            name=self.name,
            event_datetime=self.event_datetime,
            registration_deadline=self.registration_deadline,
            area_id=self.area_id,
            status=self.status,
        )
        said = Said(
            **msgspec.structs.asdict(details),
            area_name=self.provider_area,
            is_known=self.from_provider,
        )
        return msgspec.structs.replace(
            aggregate, details=details, said=said, exists=True, cleaned_up=False
        )

    @classmethod
    def upcasters(cls) -> tuple[Callable[[dict[str, Any]], dict[str, Any]], ...]:
        return (new_fields_have_their_defaults,)


@stored_as("Event.TakenFromProvider", phrase="took what the provider says")
class TakenFromProvider(DomainEvent[Event], frozen=True, kw_only=True):
    """The provider's values have changed. Separate events record the changes of the fields that
    follow the provider."""

    name: str
    event_datetime: datetime
    registration_deadline: datetime
    area_name: str | None = None
    area_id: UUID | None = None
    """The area that the name led to; None when it led to none yet."""
    status: Status

    @classmethod
    def of(cls, said: Said) -> TakenFromProvider:
        fields = msgspec.structs.asdict(said)
        del fields["is_known"]
        return cls(**fields)

    def apply(self, aggregate: Event) -> Event:
        return msgspec.structs.replace(aggregate, said=Said(**msgspec.structs.asdict(self)))


def _with_details(event: Event, **changes: Any) -> Event:
    return msgspec.structs.replace(event, details=msgspec.structs.replace(event.details, **changes))


@stored_as("Event.Renamed", phrase="renamed the event")
class Renamed(DomainEvent[Event], frozen=True, kw_only=True):
    name: str

    def apply(self, aggregate: Event) -> Event:
        return _with_details(aggregate, name=self.name)


@stored_as("Event.Rescheduled", phrase="changed the times")
class Rescheduled(DomainEvent[Event], frozen=True, kw_only=True):
    event_datetime: datetime
    registration_deadline: datetime

    def apply(self, aggregate: Event) -> Event:
        return _with_details(
            aggregate,
            event_datetime=self.event_datetime,
            registration_deadline=self.registration_deadline,
        )


@stored_as("Event.Relocated", phrase="moved the event to another area")
class Relocated(DomainEvent[Event], frozen=True, kw_only=True):
    area_id: UUID | None = None

    def apply(self, aggregate: Event) -> Event:
        return _with_details(aggregate, area_id=self.area_id)


@stored_as("Event.Opened", phrase="opened registration")
class Opened(DomainEvent[Event], frozen=True, kw_only=True):
    def apply(self, aggregate: Event) -> Event:
        return _with_details(aggregate, status="open")


@stored_as("Event.Closed", phrase="closed registration")
class Closed(DomainEvent[Event], frozen=True, kw_only=True):
    def apply(self, aggregate: Event) -> Event:
        return _with_details(aggregate, status="closed")


@stored_as("Event.Deleted", phrase="deleted the event")
class Deleted(DomainEvent[Event], frozen=True, kw_only=True):
    """By an organizer: a sync never brings it back."""

    def apply(self, aggregate: Event) -> Event:
        return msgspec.structs.replace(aggregate, exists=False)


@stored_as("Event.CleanedUp", phrase="removed the past event")
class CleanedUp(DomainEvent[Event], frozen=True, kw_only=True):
    """Removed because it took place long ago."""

    def apply(self, aggregate: Event) -> Event:
        return msgspec.structs.replace(aggregate, exists=False, cleaned_up=True)


def create_event(command: CreateEvent, work: Work) -> EventView:
    starts, ends = check_times(
        command.event_datetime,
        command.registration_deadline,
        work.now,
        wrong=_unknown_area(command.area_id, work),
    )
    event = Event(id=work.new_id())
    details = Details(
        name=command.name,
        event_datetime=starts,
        registration_deadline=ends,
        area_id=command.area_id,
        status=command.status,
    )
    return view_of(settle(event, details, work), work)


def change_event(command: ChangeEvent, work: Work) -> EventView:
    event = existing_event(command.event_id, work)
    check_version(event, command.expected_version)
    was = event.details
    changes: dict[str, Any] = {
        field: value
        for field in Details.__struct_fields__
        if (value := getattr(command, field)) is not UNSET
    }
    area_id = changes.get("area_id", was.area_id)
    changes["event_datetime"], changes["registration_deadline"] = check_times(
        changes.get("event_datetime", was.event_datetime),
        changes.get("registration_deadline", was.registration_deadline),
        work.now,
        was,
        wrong={
            **wrong_name(changes.get("name", was.name), was.name),
            **(_unknown_area(area_id, work) if area_id != was.area_id else {}),
        },
    )
    details = msgspec.structs.replace(was, **changes)
    return view_of(settle(event, details, work), work)


def delete_event(command: DeleteEvent, work: Work) -> None:
    event = existing_event(command.event_id, work)
    check_version(event, command.expected_version)
    _remove(event, Deleted(), work)


def clean_up_event(command: CleanUpEvent, work: Work) -> bool:
    event = work.get(Event, command.event_id)
    if not event.exists or event.details.event_datetime >= command.before:
        return False
    _remove(event, CleanedUp(), work)
    return True


def existing_event(id: UUID, work: Work) -> Event:
    event = work.get(Event, id)
    if not event.exists:
        raise NotFound("event", id)
    return event


def settle(event: Event, details: Details, work: Work) -> Event:
    """Record the domain events that lead to `details`, creating the event if needed, and update the
    counts of its areas."""
    was = event.details.area_id if event.exists else None
    if event.exists:
        settled = work.record(event, *event.change_to(details))
    else:
        settled = work.record(event, event.create(details))
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
    return EventView(event=event, area=work.get(Area, area_id).name if area_id else None)


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
