"""Events that visitors register for, created by organizers or synchronised from the provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from domain.core.aggregate import (
    Aggregate,
    DomainEvent,
    new_fields_have_their_defaults,
    stored_as,
)
from domain.core.durations import Duration
from domain.core.errors import NotFound
from domain.core.unit_of_work import Work
from domain.details import (
    Details,
    Status,
    WaitingList,
)
from domain.following import Said
from domain.questions import Question


class Cancellation(msgspec.Struct, frozen=True, kw_only=True):
    at: datetime
    reason: str = ""


class TimeAndPlace(msgspec.Struct, frozen=True):
    """When one of these changes, visitors get a message."""

    event_datetime: datetime
    area_id: UUID | None = None


class Reminder(msgspec.Struct, frozen=True):
    """A reminder of an event that begins at this time."""

    offset: str
    """ISO 8601 duration before it begins."""
    event_datetime: datetime

    @property
    def due_at(self) -> datetime:
        return self.event_datetime - Duration(self.offset).length

    def is_due(self, now: datetime) -> bool:
        """It is due from its time on, for half of the time until the event begins."""
        return self.due_at <= now <= self.due_at + Duration(self.offset).length / 2


class Event(Aggregate, frozen=True, kw_only=True):
    details: Details = Details()
    said: Said = Said()
    """The provider's last values; the initial values of an event that is not from the provider."""
    exists: bool = False
    cleaned_up: bool = False
    is_kept: bool = False
    """Whether it was restored after it had taken place: the cleanup leaves it."""
    cancelled: Cancellation | None = None
    announced: TimeAndPlace | None = None
    """As in the last message about it; before the first one, as when the event was created."""
    reminded: tuple[Reminder, ...] = ()
    lapses_from: datetime | None = None
    """No registration lapses before: visitors who could not know that the event takes place after
    all have the whole time to confirm once more."""
    sequence: int = 0
    """Number of its revisions: changes of time and place, cancellations, removals, and what takes
    these back. Calendar programs take over an entry whose number is higher than before."""
    questions: tuple[Question, ...] = ()
    had_waiting_list: bool = False
    """Whether it has or ever had one: if not, no visitor waits, and the line need not be read."""

    @property
    def has_room_for_all(self) -> bool:
        """Whether everybody gets a seat, however many are taken."""
        return self.details.capacity is None and not self.had_waiting_list

    @property
    def time_and_place(self) -> TimeAndPlace:
        return TimeAndPlace(self.details.event_datetime, self.details.area_id)

    @property
    def planned_reminders(self) -> list[Reminder]:
        """The earliest first."""
        begins = self.details.event_datetime
        return [Reminder(offset, begins) for offset in self.details.reminders]

    @property
    def open_reminders(self) -> list[Reminder]:
        """Reminders that were not sent yet, the earliest first."""
        return [reminder for reminder in self.planned_reminders if reminder not in self.reminded]

    def reminder_due(self, now: datetime) -> Reminder | None:
        """The reminder to send now. If the times of several have come it is the last one, so that
        visitors do not get two at once."""
        come = [reminder for reminder in self.planned_reminders if reminder.due_at <= now]
        last = come[-1] if come else None
        return last if last and last not in self.reminded and last.is_due(now) else None

    @property
    def is_open(self) -> bool:
        return self.details.status == "open"

    def takes_place_after(self, now: datetime) -> bool:
        """Whether it is still to come, and neither removed nor cancelled."""
        is_on = self.exists and self.cancelled is None
        return is_on and now < self.details.event_datetime

    def create(self, details: Details) -> Created:
        """`Created` with the fields that it has; `change_to` adds domain events for the others."""
        given = {field: getattr(details, field) for field in _OF_CREATION}
        return Created(**given)

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
        for field, changed in CHANGES_OF_ONE_FIELD.items():
            if (value := getattr(details, field)) != getattr(was, field):
                events.append(changed(**{field: value}))
        return events

    def may_return(self, event_datetime: datetime) -> bool:
        """Whether a sync may restore a removed event: only if it was cleaned up as past and the
        provider moved it to a new date."""
        known = {self.details.event_datetime, self.said.event_datetime}
        return self.cleaned_up and event_datetime not in known


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
            name=self.name,
            event_datetime=self.event_datetime,
            registration_deadline=self.registration_deadline,
            area_id=self.area_id,
            status=self.status,
            area_name=self.provider_area,
            is_known=self.from_provider,
        )
        return msgspec.structs.replace(
            aggregate,
            details=details,
            said=said,
            exists=True,
            cleaned_up=False,
            cancelled=None,
            announced=TimeAndPlace(self.event_datetime, self.area_id),
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


def revised(event: Event, **changes: Any) -> Event:
    """The event with these fields, after one more revision."""
    return msgspec.structs.replace(event, sequence=event.sequence + 1, **changes)


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
            revised(aggregate),
            event_datetime=self.event_datetime,
            registration_deadline=self.registration_deadline,
        )


@stored_as("Event.Relocated", phrase="moved the event to another area")
class Relocated(DomainEvent[Event], frozen=True, kw_only=True):
    area_id: UUID | None = None

    def apply(self, aggregate: Event) -> Event:
        return _with_details(revised(aggregate), area_id=self.area_id)


@stored_as("Event.Opened", phrase="opened registration")
class Opened(DomainEvent[Event], frozen=True, kw_only=True):
    def apply(self, aggregate: Event) -> Event:
        return _with_details(aggregate, status="open")


@stored_as("Event.Closed", phrase="closed registration")
class Closed(DomainEvent[Event], frozen=True, kw_only=True):
    def apply(self, aggregate: Event) -> Event:
        return _with_details(aggregate, status="closed")


class OneFieldChanged(DomainEvent[Event], frozen=True, kw_only=True):
    """A field of `Details` has a new value; the class has just that field."""

    def apply(self, aggregate: Event) -> Event:
        return _with_details(aggregate, **msgspec.structs.asdict(self))


@stored_as("Event.Described", phrase="changed the description")
class Described(OneFieldChanged, frozen=True, kw_only=True):
    description: str


@stored_as("Event.EndChanged", phrase="changed the end")
class EndChanged(OneFieldChanged, frozen=True, kw_only=True):
    ends_at: datetime | None


@stored_as("Event.TimezoneChanged", phrase="changed the time zone")
class TimezoneChanged(OneFieldChanged, frozen=True, kw_only=True):
    timezone: str


@stored_as("Event.CapacityChanged", phrase="changed the number of seats")
class CapacityChanged(OneFieldChanged, frozen=True, kw_only=True):
    capacity: int | None


@stored_as("Event.WaitingListChanged", phrase="changed the kind of waiting list")
class WaitingListChanged(OneFieldChanged, frozen=True, kw_only=True):
    waiting_list: WaitingList

    def apply(self, aggregate: Event) -> Event:
        had_one = aggregate.had_waiting_list or self.waiting_list != "off"
        return msgspec.structs.replace(super().apply(aggregate), had_waiting_list=had_one)


@stored_as("Event.CancelUntilChanged", phrase="changed until when visitors may cancel")
class CancelUntilChanged(OneFieldChanged, frozen=True, kw_only=True):
    cancel_until: datetime | None


@stored_as("Event.RemindersChanged", phrase="changed the reminders")
class RemindersChanged(OneFieldChanged, frozen=True, kw_only=True):
    reminders: tuple[str, ...]


@stored_as("Event.ConfirmWithinChanged", phrase="changed the time to confirm an address")
class ConfirmWithinChanged(OneFieldChanged, frozen=True, kw_only=True):
    confirm_within: str | None


@stored_as("Event.RetentionChanged", phrase="changed how long visitors are kept")
class RetentionChanged(OneFieldChanged, frozen=True, kw_only=True):
    retention_days: int | None


@stored_as("Event.LanguageChanged", phrase="changed the language of pages and messages")
class LanguageChanged(OneFieldChanged, frozen=True, kw_only=True):
    language: str | None
    """Another release may know more languages."""


CHANGES_OF_ONE_FIELD: Mapping[str, type[OneFieldChanged]] = {
    changed.__struct_fields__[0]: changed
    for changed in (
        Described,
        EndChanged,
        TimezoneChanged,
        CapacityChanged,
        WaitingListChanged,
        CancelUntilChanged,
        RemindersChanged,
        ConfirmWithinChanged,
        RetentionChanged,
        LanguageChanged,
    )
}
"""The class of domain event by the name of its field."""

_OF_CREATION = [f for f in Details.__struct_fields__ if f not in CHANGES_OF_ONE_FIELD]


@stored_as("Event.Deleted", phrase="deleted the event")
class Deleted(DomainEvent[Event], frozen=True, kw_only=True):
    """By an organizer: a sync never brings it back."""

    def apply(self, aggregate: Event) -> Event:
        return revised(aggregate, exists=False)


@stored_as("Event.CleanedUp", phrase="removed the past event")
class CleanedUp(DomainEvent[Event], frozen=True, kw_only=True):
    """Removed because it took place long ago."""

    def apply(self, aggregate: Event) -> Event:
        return revised(aggregate, exists=False, cleaned_up=True)


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


def existing_event(id: UUID, work: Work) -> Event:
    event = work.get(Event, id)
    if not event.exists:
        raise NotFound("event", id)
    return event


def event_exists(id: UUID, work: Work) -> bool:
    try:
        existing_event(id, work)
    except NotFound:
        return False
    return True
