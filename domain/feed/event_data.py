"""Data of the items about an event. Items that only name the event have no fields."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from domain.details import Status, WaitingList
from domain.events import CleanedUp, Restored
from domain.feed.item import ItemData, item_type
from domain.questions import Question


@item_type("event.created", "An event was created, or a removed one came back")
class EventCreatedData(ItemData, frozen=True, kw_only=True):
    """Fields that are not here have their defaults; `event.changed` items follow for others. A
    restored event has the fields and visitors that it had before."""

    name: str
    event_datetime: datetime
    registration_deadline: datetime
    area_id: UUID | None = None
    area_name: str | None = None
    """The area's name at that time."""
    status: Status
    from_provider: bool = False
    restored: bool | UnsetType = UNSET
    """True for an event that had been removed and is there again, with its visitors as before."""

    @classmethod
    def of(cls, event: Any) -> Self | None:
        item = super().of(event)
        if item and isinstance(event, Restored):
            return msgspec.structs.replace(item, restored=True)
        return item


@item_type("event.changed", "Fields of an event got other values; times are in event.rescheduled")
class EventChangedData(ItemData, frozen=True, kw_only=True):
    """Only the changed fields are there, each with its new value."""

    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    area_id: UUID | UnsetType | None = UNSET
    area_name: str | UnsetType | None = UNSET
    """The area's name at that time; there whenever `area_id` is."""
    ends_at: datetime | UnsetType | None = UNSET
    timezone: str | UnsetType = UNSET
    capacity: int | UnsetType | None = UNSET
    waiting_list: WaitingList | UnsetType = UNSET
    cancel_until: datetime | UnsetType | None = UNSET
    reminders: tuple[str, ...] | UnsetType = UNSET
    confirm_within: str | UnsetType | None = UNSET
    retention_days: int | UnsetType | None = UNSET
    questions: tuple[Question, ...] | UnsetType = UNSET
    language: str | UnsetType | None = UNSET


@item_type("event.rescheduled", "An event got another time or another registration deadline")
class EventRescheduledData(ItemData, frozen=True, kw_only=True):
    event_datetime: datetime
    registration_deadline: datetime


@item_type("event.opened", "Registration was opened")
class EventOpenedData(ItemData, frozen=True, kw_only=True):
    pass


@item_type("event.closed", "Registration was closed")
class EventClosedData(ItemData, frozen=True, kw_only=True):
    pass


@item_type("event.cancelled", "An event was cancelled; its registrations stay as they are")
class EventCancelledData(ItemData, frozen=True, kw_only=True):
    reason: str = ""


@item_type("event.reinstated", "A cancellation was taken back; all registrations are valid again")
class EventReinstatedData(ItemData, frozen=True, kw_only=True):
    pass


@item_type("event.deleted", "An event was removed")
class EventDeletedData(ItemData, frozen=True, kw_only=True):
    by: Literal["organizer", "cleanup"]
    """`cleanup`: it took place long ago."""

    @classmethod
    def of(cls, event: Any) -> Self:
        return cls(by="cleanup" if isinstance(event, CleanedUp) else "organizer")
