"""The fields of an event that can be changed, and which values are valid."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from domain.core.durations import Duration
from domain.core.errors import InvalidFields
from domain.core.languages import Language
from domain.core.times import end_of, end_of_day

Status = Literal["open", "closed"]

WaitingList = Literal["off", "automatic", "manual"]

Availability = Literal["open", "waiting", "full"]
"""Whether a newcomer gets a seat, or may wait for one, or neither."""

MAX_REMINDERS = 5

UNKNOWN_TIME = datetime.max.replace(tzinfo=UTC)


class Details(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of an event that can be changed."""

    name: str = ""
    event_datetime: datetime = UNKNOWN_TIME
    registration_deadline: datetime = UNKNOWN_TIME
    area_id: UUID | None = None
    status: Status = "open"
    description: str = ""
    ends_at: datetime | None = None
    timezone: str = "UTC"
    """The zone in which people see the times."""
    capacity: int | None = None
    """Seats; None: no limit."""
    waiting_list: WaitingList = "off"
    cancel_until: datetime | None = None
    """Until when visitors may cancel; None: until it begins."""
    reminders: tuple[str, ...] = ()
    """ISO 8601 durations before it begins, the longest first."""
    confirm_within: str | None = None
    """ISO 8601 duration in which visitors confirm their address; None: they need not."""
    language: Language | None = None
    """Of its pages and messages; None: that of each visitor."""
    retention_days: int | None = None
    """How long after its end the visitors are kept; None: as `RETENTION_DAYS` says."""

    @property
    def ended_at(self) -> datetime:
        """When it ends or has ended: when it begins, if the end is not known."""
        return self.ends_at or self.event_datetime


def availability_of(details: Details, taken: int, waiting: int) -> Availability:
    if not waiting and (details.capacity is None or taken < details.capacity):
        return "open"
    return "full" if details.waiting_list == "off" else "waiting"


def check_details(
    given: Mapping[str, Any],
    now: datetime,
    was: Details | None = None,
    *,
    wrong: Mapping[str, str] | None = None,
) -> Details:
    """The details with these fields; dates have become moments. A value that is the same as in
    `was` is always valid; `was` is None for a new event.

    Raises `InvalidFields` with each invalid field, and with the messages in `wrong`.
    """
    fields = msgspec.structs.asdict(was or Details()) | dict(given)
    starts = fields["event_datetime"]
    fields["registration_deadline"] = end_of(fields["registration_deadline"], starts)
    fields["cancel_until"] = fields["cancel_until"] and end_of(fields["cancel_until"], starts)
    fields["ends_at"] = fields["ends_at"] and end_of_day(fields["ends_at"])
    fields["reminders"] = _longest_first(fields["reminders"])
    details = Details(**fields)
    messages = {**(wrong or {}), **_wrong_times(details, was, now)}
    if len(details.reminders) > MAX_REMINDERS:
        messages["reminders"] = f"must be at most {MAX_REMINDERS}"
    if messages:
        raise InvalidFields(**messages)
    return details


def _wrong_times(details: Details, was: Details | None, now: datetime) -> dict[str, str]:
    starts, deadline, ends = (
        details.event_datetime,
        details.registration_deadline,
        details.ends_at,
    )
    moves = {
        field: was is None or getattr(details, field) != getattr(was, field)
        for field in ("event_datetime", "registration_deadline", "ends_at", "cancel_until")
    }
    messages = dict[str, str]()
    if moves["event_datetime"] and starts <= now:
        messages["event_datetime"] = "must be in the future"
    if moves["registration_deadline"] and deadline <= now:
        messages["registration_deadline"] = "must be in the future"
    elif moves["registration_deadline"] and deadline > starts:
        messages["registration_deadline"] = "must not be after the event"
    elif moves["event_datetime"] and not messages and deadline > starts:
        messages["event_datetime"] = "must not be before the registration deadline"
    if ends is not None and ends <= starts:
        if moves["ends_at"]:
            messages["ends_at"] = "must be after the event begins"
        elif moves["event_datetime"]:
            messages.setdefault("event_datetime", "must be before the event ends")
    if moves["cancel_until"] and details.cancel_until and details.cancel_until > starts:
        messages["cancel_until"] = "must not be after the event begins"
    return messages


def _longest_first(reminders: Iterable[str]) -> tuple[str, ...]:
    """The reminders in this order, without repetitions."""
    lengths = {Duration(reminder).length: reminder for reminder in reminders}
    return tuple(str(lengths[length]) for length in sorted(lengths, reverse=True))
