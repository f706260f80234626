"""Something for every page to show: real conferences, visitors, messages, synchronisations."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from domain.api_keys import SCOPES, CreateKey
from domain.core.values import Text
from domain.history.store import read_events
from domain.notifications import RecordDelivery
from domain.syncs import Counts, RecordFailedSync, RecordSync, SkippedItem
from domain.visitors import Registered
from tests.api.serving import OPERATOR, Api
from tests.support.provider import CONFERENCES
from workers.provider.items import UsableItem, read_item

FULL = "A Very Long Name of a Fair for Everything That Anybody Could Ever Want to Show to Anyone"

DETAILS = {
    "description": "Everything\nthat anybody could ever want to show.",
    "ends_at": "2099-05-18T16:00:00Z",
    "timezone": "America/Argentina/ComodRivadavia",
    "capacity": 10,
    "waiting_list": "automatic",
    "cancel_until": "2099-05-15T09:00:00Z",
    "reminders": ["P1D", "PT2H"],
    "confirm_within": "P2D",
}

NOW = datetime.now(UTC)


async def fill(api: Api) -> None:
    items = msgspec.json.decode(CONFERENCES.read_bytes(), type=list[msgspec.Raw])
    read = [read_item(item, place) for place, item in enumerate(items, start=1)]
    await _give(api, *(item.command for item in read if isinstance(item, UsableItem)))
    cancelled = await api.event(name="Flooded fair")
    await api.http.post(f"/api/events/{cancelled}/cancel", json={"reason": "The hall is flooded."})
    event = await api.event(name=FULL, area_id=await api.area("Great Hall"))
    for number in range(12):
        await api.register(event, f"somebody.with.a.long.address.{number}@example.org")
    await api.http.patch(f"/api/events/{event}", json=DETAILS)
    ids = await notifications(api)
    await _give(
        api,
        *(RecordDelivery(notification_id=id) for id in ids[:4]),
        *(RecordDelivery(notification_id=id, failure=REFUSAL) for id in ids[4:8]),
        RecordSync(
            started_at=NOW - timedelta(seconds=3),
            full=True,
            counts=Counts(new=len(items), skipped=1),
            skipped_items=(SkippedItem(item="item 62", reason="name: must not be empty"),),
            cursor=NOW.date(),
        ),
        CreateKey(
            name=Text(FULL),
            scopes=SCOPES,
            event_ids=(UUID(event),),
            expires_at=NOW + timedelta(days=9),
            secret_hash=b"of nobody",
        ),
        RecordFailedSync(started_at=NOW, full=False, reason="the provider answered 502"),
    )
    await api.settled()


async def notifications(api: Api) -> list[UUID]:
    """All that registrations have caused, the newest last."""
    async with api.connections.readers.connection() as connection:
        history = await read_events(connection, after=0, limit=10_000)
    return [e.event.notification_id for e in history if isinstance(e.event, Registered)]


REFUSAL = "422: there is no mailbox with the name that this address has"


async def _give(api: Api, *commands: Any) -> None:
    """All at once."""
    await asyncio.gather(*(api.connections.writer.execute(c, OPERATOR) for c in commands))
