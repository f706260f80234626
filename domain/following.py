"""How an event follows the provider: each field does while it has the provider's last value.

A field that an organizer changed keeps its value until an organizer makes it follow again or the
provider sends the same value (docs/decisions/0037-sync-keeps-organizer-changes.md).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Literal, get_args
from uuid import UUID

import msgspec

from domain.details import UNKNOWN_TIME, Details, Status

Field = Literal["name", "event_datetime", "registration_deadline", "area", "status"]

FIELDS: tuple[Field, ...] = get_args(Field)


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """The provider's last values for an event."""

    name: str = ""
    event_datetime: datetime = UNKNOWN_TIME
    registration_deadline: datetime = UNKNOWN_TIME
    area_name: str | None = None
    area_id: UUID | None = None
    """The area that the name was resolved to; None until it is resolved."""
    status: Status = "open"
    is_known: bool = True
    """False for an event that an organizer created or that an older release synchronised: then
    these are the values it was created with, without the area's name."""

    def differing_from(self, earlier: Said) -> set[Field]:
        """The fields that the provider changed since `earlier`."""
        return {field for field in FIELDS if not self._is_as(earlier, field)}

    def kept_in(self, details: Details) -> tuple[Field, ...]:
        """The fields of `details` that differ from the provider's values: changed here."""
        return tuple(field for field in FIELDS if not self._is_followed_by(details, field))

    def taken_into(self, details: Details, fields: Collection[Field]) -> Details:
        """The details with the provider's values in these fields. A deadline after the event is
        moved to the event; an end that is no longer after the beginning moves with it."""
        columns = ["area_id" if field == "area" else field for field in fields]
        taken = msgspec.structs.replace(details, **{c: getattr(self, c) for c in columns})
        if taken.registration_deadline > taken.event_datetime:
            taken = msgspec.structs.replace(taken, registration_deadline=taken.event_datetime)
        if taken.ends_at is not None and taken.ends_at <= taken.event_datetime:
            length = taken.ends_at - details.event_datetime
            taken = msgspec.structs.replace(taken, ends_at=_later(taken.event_datetime, length))
        return taken

    def _is_as(self, earlier: Said, field: Field) -> bool:
        if field != "area":
            return bool(getattr(self, field) == getattr(earlier, field))
        if earlier.is_known:
            return self.area_name == earlier.area_name
        return self._is_area(earlier.area_id)

    def _is_followed_by(self, details: Details, field: Field) -> bool:
        if field == "area":
            return self._is_area(details.area_id)
        return bool(getattr(details, field) == getattr(self, field))

    def _is_area(self, area_id: UUID | None) -> bool:
        """Whether the area name refers to this area; never while the name is not resolved."""
        if self.area_name is not None and self.area_id is None:
            return False
        return area_id == self.area_id


def _later(moment: datetime, length: timedelta) -> datetime | None:
    """The moment later by this length; None after the end of the calendar."""
    try:
        return moment + length
    except OverflowError:
        return None
