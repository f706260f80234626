"""The fields of an event that follow the provider, for its page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.audit.point_in_time import state_as_of
from domain.details import Details
from domain.following import FIELDS, Field, Said

LABELS: dict[Field, str] = {
    "name": "Name",
    "event_datetime": "Begins",
    "registration_deadline": "Registration ends",
    "area": "Area",
    "status": "Registration",
}


class FollowedField(msgspec.Struct, frozen=True, kw_only=True):
    name: Field
    label: str
    there: str | datetime | None
    """The provider's last value."""
    follows: bool


class _State(msgspec.Struct, frozen=True):
    """The part of an event's state that is needed here."""

    details: Details
    said: Said


async def fields_from_provider(
    connection: AsyncConnection[Any], id: UUID
) -> Sequence[FollowedField]:
    """All fields; empty for an event that is not from the provider."""
    found = await state_as_of(connection, id)
    if found is None or found.state is None:
        return []
    state = msgspec.convert(found.state, _State)
    if not state.said.is_known:
        return []
    kept = state.said.kept_in(state.details)
    return [
        FollowedField(
            name=field,
            label=LABELS[field],
            there=state.said.area_name if field == "area" else getattr(state.said, field),
            follows=field not in kept,
        )
        for field in FIELDS
    ]
