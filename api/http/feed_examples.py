"""An example of each type of item of the feed, for the OpenAPI document."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from api.http.examples import AREA_ID, EVENT_ID, NONCE, VISITOR_ID
from domain.feed.item import ITEM_TYPES, FeedItem

Json = dict[str, Any]

_BEGINS, _DEADLINE = "2030-05-17T09:00:00Z", "2030-05-16T09:00:00Z"
_OTHER_VISITOR_ID = "c0ffee00-0000-5000-8000-00000000000b"
_ENTRY: Json = {
    "at": "2030-05-17T08:55:03Z",
    "received_at": "2030-05-17T09:20:00Z",
    "nonce": NONCE,
    "gate": "North",
    "offline": True,
}
_ADA: Json = {"full_name": "Ada Lovelace", "email": "ada@example.com"}

EXAMPLES: dict[str, Json] = {
    "event.created": {
        "name": "PyCon",
        "event_datetime": _BEGINS,
        "registration_deadline": _DEADLINE,
        "area_id": AREA_ID,
        "area_name": "Great Hall",
        "status": "open",
        "from_provider": False,
    },
    "event.changed": {"capacity": 300},
    "event.rescheduled": {"event_datetime": _BEGINS, "registration_deadline": _DEADLINE},
    "event.opened": {},
    "event.closed": {},
    "event.cancelled": {"reason": "The hall is flooded"},
    "event.reinstated": {},
    "event.deleted": {"by": "organizer"},
    "visitor.registered": {
        "status": "registered",
        "confirm_by": None,
        **_ADA,
        "moved_from": None,
    },
    "visitor.waiting": {**_ADA, "moved_from": None},
    "visitor.promoted": {"status": "unconfirmed", "confirm_by": "2030-05-02T09:00:00Z"},
    "visitor.confirmed": {"status": "registered"},
    "visitor.cancelled": {
        "by": "correction",
        "reason": "",
        "moved_to": _OTHER_VISITOR_ID,
    },
    "visitor.lapsed": {},
    "visitor.changed": _ADA,
    "visitor.erased": {},
    "check_in.recorded": {**_ENTRY, "has_seat": True},
    "check_in.repeated": {**_ENTRY, "checked_in_at": "2030-05-17T08:41:12Z"},
    "check_in.undone": {"nonce": NONCE, "checked_in_at": None},
    "notification.failed": {"reason": "HTTP 422"},
}
"""The data of an item, by its type."""


def item_example(type: str) -> Json:
    """An item of this type, as it is sent."""
    kind = ITEM_TYPES[type]
    item = FeedItem(
        position=42,
        type=type,
        version=kind.version,
        occurred_at=datetime(2030, 5, 1, 9, tzinfo=UTC),
        event_id=UUID(EVENT_ID),
        visitor_id=None if type.startswith("event.") else UUID(VISITOR_ID),
        data=msgspec.convert(EXAMPLES[type], kind),
    )
    plain: Json = msgspec.to_builtins(item)
    return plain
