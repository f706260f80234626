"""The event that most rules are tried on."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from domain import events
from domain.core.values import Text
from domain.provider_items import SyncEvent
from tests.domain.scenario import IN_A_MONTH, IN_A_WEEK, Scenario

FAIR = UUID(int=2000)
FAIR_CREATED = events.Created(
    name="Fair", event_datetime=IN_A_MONTH, registration_deadline=IN_A_WEEK, status="open"
)


def a_fair() -> Scenario:
    return Scenario().given(FAIR, FAIR_CREATED)


def synced(**changes: Any) -> SyncEvent:
    fields: dict[str, Any] = {
        "event_id": FAIR,
        "name": Text("Fair"),
        "event_datetime": IN_A_MONTH,
        "registration_deadline": IN_A_WEEK,
        "area_name": None,
        "status": "open",
    }
    return SyncEvent(**fields | changes)
