"""Events: what people register for. Created by organizers, or synchronised from the provider."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from domain.core.aggregate import (
    Aggregate,
    DomainEvent,
    Expected,
    new_fields_have_their_defaults,
    stored_as,
)
from domain.core.errors import InvalidFields
from domain.core.times import end_of
from domain.core.values import Text
from domain.following import Details, Field, Said, Status


class SyncOutcome(msgspec.Struct, frozen=True):
    """What an item of the provider led to."""

    result: Literal["new", "updated", "unchanged"]
    kept: tuple[Field, ...] = ()
    """The fields that are not as the provider says, because they were changed here."""


class CreateEvent(msgspec.Struct, frozen=True, kw_only=True):
    name: Text
    event_datetime: datetime
    registration_deadline: datetime | date
    area_id: UUID | None = None
    status: Status = "open"


class ChangeEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Changes the given fields only; `area_id=None` takes the event out of its area."""

    event_id: UUID
    name: Text | UnsetType = UNSET
    event_datetime: datetime | UnsetType = UNSET
    registration_deadline: datetime | date | UnsetType = UNSET
    area_id: UUID | None | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    expected_version: Expected = None


class DeleteEvent(msgspec.Struct, frozen=True, kw_only=True):
    event_id: UUID
    expected_version: Expected = None


class SyncEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One usable item of the provider: what the event is there, whatever it is here."""

    event_id: UUID
    name: Text
    event_datetime: datetime
    registration_deadline: datetime
    area_name: Text | None
    status: Status


class FollowProvider(msgspec.Struct, frozen=True, kw_only=True):
    """Takes one field from the provider again, after it was changed here."""

    event_id: UUID
    field: Field
    expected_version: Expected = None


class CleanUpEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Removes the event if it took place before `before`."""

    event_id: UUID
    before: datetime


class Event(Aggregate, frozen=True, kw_only=True):
    details: Details = Details()
    said: Said = Said()
    """By the provider; of an event that is not from there, how it was created."""
    exists: bool = False
    cleaned_up: bool = False

    @property
    def is_open(self) -> bool:
        return self.details.status == "open"

    def create(self, details: Details) -> Created:
        return Created(**msgspec.structs.asdict(details))

    def change_to(self, details: Details) -> list[DomainEvent[Event]]:
        """The events that lead from what is to `details`; none when nothing differs."""
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
        """Whether a sync may bring a removed event back: only one that was cleaned up as past,
        and that the provider moved to a new date."""
        known = {self.details.event_datetime, self.said.event_datetime}
        return self.cleaned_up and event_datetime not in known


class EventView(msgspec.Struct, frozen=True, kw_only=True):
    """An event as a command leaves it, and the name of its area, None when it has none."""

    event: Event
    area: str | None


def check_times(
    event_datetime: datetime,
    deadline: datetime | date,
    now: datetime,
    was: Details | None = None,
) -> tuple[datetime, datetime]:
    """The times as moments. One that stays as it `was` is never wrong; None for a new event.

    Raises `InvalidFields` naming each wrong one.
    """
    ends = end_of(deadline, event_datetime)
    event_moves = was is None or event_datetime != was.event_datetime
    deadline_moves = was is None or ends != was.registration_deadline
    wrong: dict[str, str] = {}
    if event_moves and event_datetime <= now:
        wrong["event_datetime"] = "must be in the future"
    if deadline_moves and ends <= now:
        wrong["registration_deadline"] = "must be in the future"
    elif deadline_moves and ends > event_datetime:
        wrong["registration_deadline"] = "must not be after the event"
    elif event_moves and not wrong and ends > event_datetime:
        wrong["event_datetime"] = "must not be before the registration deadline"
    if wrong:
        raise InvalidFields(**wrong)
    return event_datetime, ends


@stored_as("Event.Created", version=2)
class Created(DomainEvent[Event], frozen=True, kw_only=True):
    """Also stands in the stream of a removed event that a sync brought back."""

    name: str
    event_datetime: datetime
    registration_deadline: datetime
    area_id: UUID | None = None
    status: Status
    from_provider: bool = False
    provider_area: str | None = None
    """The area's name, as the provider says it."""

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


@stored_as("Event.TakenFromProvider")
class TakenFromProvider(DomainEvent[Event], frozen=True, kw_only=True):
    """The provider says something else than before. What follows it was changed besides."""

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


@stored_as("Event.Renamed")
class Renamed(DomainEvent[Event], frozen=True, kw_only=True):
    name: str

    def apply(self, aggregate: Event) -> Event:
        return _with_details(aggregate, name=self.name)


@stored_as("Event.Rescheduled")
class Rescheduled(DomainEvent[Event], frozen=True, kw_only=True):
    event_datetime: datetime
    registration_deadline: datetime

    def apply(self, aggregate: Event) -> Event:
        return _with_details(
            aggregate,
            event_datetime=self.event_datetime,
            registration_deadline=self.registration_deadline,
        )


@stored_as("Event.Relocated")
class Relocated(DomainEvent[Event], frozen=True, kw_only=True):
    area_id: UUID | None = None

    def apply(self, aggregate: Event) -> Event:
        return _with_details(aggregate, area_id=self.area_id)


@stored_as("Event.Opened")
class Opened(DomainEvent[Event], frozen=True, kw_only=True):
    def apply(self, aggregate: Event) -> Event:
        return _with_details(aggregate, status="open")


@stored_as("Event.Closed")
class Closed(DomainEvent[Event], frozen=True, kw_only=True):
    def apply(self, aggregate: Event) -> Event:
        return _with_details(aggregate, status="closed")


@stored_as("Event.Deleted")
class Deleted(DomainEvent[Event], frozen=True, kw_only=True):
    """By an organizer: a sync never brings it back."""

    def apply(self, aggregate: Event) -> Event:
        return msgspec.structs.replace(aggregate, exists=False)


@stored_as("Event.CleanedUp")
class CleanedUp(DomainEvent[Event], frozen=True, kw_only=True):
    """It took place long enough ago."""

    def apply(self, aggregate: Event) -> Event:
        return msgspec.structs.replace(aggregate, exists=False, cleaned_up=True)
