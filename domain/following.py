"""How an event follows the provider: field by field, as long as it is as the provider last said.

A field that an organizer changed stays as it is, until somebody lets it follow again or the
provider says the same (docs/decisions/0037-sync-keeps-organizer-changes.md).
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
    """All that can be changed about an event."""

    name: str = ""
    event_datetime: datetime = UNKNOWN_TIME
    registration_deadline: datetime = UNKNOWN_TIME
    area_id: UUID | None = None
    status: Status = "open"


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What the provider last said of an event."""

    name: str = ""
    event_datetime: datetime = UNKNOWN_TIME
    registration_deadline: datetime = UNKNOWN_TIME
    area_name: str | None = None
    area_id: UUID | None = None
    """The area that the name led to; None when it led to none yet."""
    status: Status = "open"
    is_known: bool = True
    """False for an event that an older release took from the provider, or that an organizer
    created: this is how it was created then, and the area's name is not known."""

    def differing_from(self, earlier: Said) -> set[Field]:
        """What the provider has changed since."""
        return {field for field in FIELDS if not self._is_as(earlier, field)}

    def kept_in(self, details: Details) -> tuple[Field, ...]:
        """The fields that are not as the provider said, because they were changed here."""
        return tuple(field for field in FIELDS if not self._is_followed_by(details, field))

    def taken_into(self, details: Details, fields: Collection[Field]) -> Details:
        """The details with these fields as the provider said; no deadline is after the event."""
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
        """Whether it is the one that is meant; one that does not exist yet is none."""
        if self.area_name is not None and self.area_id is None:
            return False
        return area_id == self.area_id
