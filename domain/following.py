"""How an event follows the provider: each field does while it has the provider's last value.

A field that an organizer changed keeps its value until an organizer makes it follow again or the
provider sends the same value (docs/decisions/0037-sync-keeps-organizer-changes.md).
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Literal, get_args
from uuid import UUID

import msgspec

Status = Literal["open", "closed"]

Field = Literal["name", "event_datetime", "registration_deadline", "area", "status"]

FIELDS: tuple[Field, ...] = get_args(Field)


UNKNOWN_TIME = datetime.max.replace(tzinfo=UTC)


class Details(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of an event that can be changed."""

    name: str = ""
    event_datetime: datetime = UNKNOWN_TIME
    registration_deadline: datetime = UNKNOWN_TIME
    area_id: UUID | None = None
    status: Status = "open"


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
        moved to the event."""
        columns = ["area_id" if field == "area" else field for field in fields]
        details = msgspec.structs.replace(details, **{c: getattr(self, c) for c in columns})
        if details.registration_deadline > details.event_datetime:
            details = msgspec.structs.replace(details, registration_deadline=details.event_datetime)
        return details

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
