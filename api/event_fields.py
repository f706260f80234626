"""The fields of an event in requests and responses."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from api.http.bodies import judges
from api.http.examples import AREA_ID, EVENT_ID, example
from domain.core.durations import LongDuration
from domain.core.errors import InvalidFields
from domain.core.languages import Language
from domain.core.times import Timezone
from domain.core.values import Capacity, Days, Description, Reason, StoredText
from domain.details import Availability, Status, WaitingList, check_details
from domain.event_editing import CreateEvent, EventView, Reminders
from domain.events import Cancellation
from projections.events import EventRow

_GIVEN = {
    "name": "PyCon",
    "description": "Talks, tutorials, and a day of sprints.",
    "event_datetime": "2099-05-17T09:00:00Z",
    "ends_at": "2099-05-19T16:00:00Z",
    "timezone": "Europe/Berlin",
    "registration_deadline": "2099-05-16T09:00:00Z",
    "status": "open",
    "capacity": 300,
    "waiting_list": "automatic",
    "cancel_until": "2099-05-15T09:00:00Z",
    "reminders": ["P1D", "PT2H"],
    "confirm_within": "P2D",
    "retention_days": 90,
    "language": "de",
}

example(**_GIVEN)(CreateEvent)

example(at="2099-05-01T12:00:00Z", reason="The hall is flooded.")(Cancellation)


@example(
    **_GIVEN,
    id=EVENT_ID,
    area="Great Hall",
    area_id=AREA_ID,
    cancelled=None,
    availability="open",
)
class Event(msgspec.Struct, frozen=True, kw_only=True):
    """The public view of an event."""

    id: UUID
    name: str
    description: str
    area: str | None
    """The name of its area."""
    area_id: UUID | None
    status: Status
    event_datetime: datetime
    ends_at: datetime | None
    timezone: str
    """The IANA name of the time zone of the times in messages and on pages for visitors."""
    registration_deadline: datetime
    capacity: int | None
    """Seats; null: no limit."""
    waiting_list: WaitingList
    cancel_until: datetime | None
    """Until when visitors may cancel; null: until it begins."""
    reminders: tuple[str, ...]
    """ISO 8601 durations before it begins."""
    confirm_within: str | None
    """ISO 8601 duration in which visitors must confirm their address; null: they need not."""
    retention_days: int | None
    """How many days after its end the visitors are kept; null: as the setting `RETENTION_DAYS`
    says."""
    language: Language | None
    """Of its pages and messages for visitors; null: that of each visitor."""
    cancelled: Cancellation | None
    availability: Availability
    """Whether a newcomer gets a seat (`open`), may wait for one (`waiting`), or neither."""


@example(status="closed")
class EventChanges(msgspec.Struct, frozen=True, kw_only=True):
    """Fields that are left out stay unchanged; an `area_id` of null takes the event out of its
    area."""

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


@example(reason="The hall is flooded.")
class EventCancellation(msgspec.Struct, frozen=True, kw_only=True):
    reason: Reason = Reason()


@judges(CreateEvent)
def wrong_combinations(fields: Mapping[str, Any]) -> dict[str, str]:
    if {"event_datetime", "registration_deadline"} <= fields.keys():
        return _wrong(fields, datetime.now(UTC))
    return {}


@judges(EventChanges)
def crossed_times(fields: Mapping[str, Any]) -> dict[str, str]:
    """Only compares times with the beginning: one that does not change may be in the past."""
    if starts := fields.get("event_datetime"):
        return _wrong({"registration_deadline": starts} | dict(fields), _BEFORE_ALL)
    return {}


_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


def _wrong(fields: Mapping[str, Any], now: datetime) -> dict[str, str]:
    try:
        check_details(fields, now)
    except InvalidFields as error:
        return dict(error.messages)
    return {}


def event_after(command: EventView) -> Event:
    """As a command left it."""
    return Event(
        id=command.event.id,
        area=command.area,
        cancelled=command.event.cancelled,
        availability=command.availability,
        **msgspec.structs.asdict(command.event.details),
    )


def event_of(row: EventRow) -> Event:
    return Event(**{field: getattr(row, field) for field in Event.__struct_fields__})
