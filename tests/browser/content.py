"""Something for every page to show: real conferences, visitors, messages, synchronisations."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec

from domain.api_keys import SCOPES, CreateKey
from domain.core.values import Text
from domain.history.store import read_events
from domain.notifications import RecordDelivery
from domain.syncs import Counts, RecordFailedSync, RecordSync, SkippedItem
from domain.visitors import Registered
from domain.webhook_secrets import new_secret, seal_secret
from domain.webhooks import CreateWebhook, DisableWebhook, WebhookUrl
from projections.webhook_deliveries import Attempt
from tests.api.serving import OPERATOR, Api
from tests.support.provider import CONFERENCES
from workers.provider.items import UsableItem, read_item
from workers.webhooks import cursors
from workers.webhooks.cursors import Parked, Settlement
from workers.webhooks.sender import GONE

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
    await _webhook(api, UUID(event))
    await api.settled()


async def notifications(api: Api) -> list[UUID]:
    """All that registrations have caused, the newest last."""
    async with api.connections.readers.connection() as connection:
        history = await read_events(connection, after=0, limit=10_000)
    return [e.event.notification_id for e in history if isinstance(e.event, Registered)]


REFUSAL = "422: there is no mailbox with the name that this address has"


async def _webhook(api: Api, event_id: UUID) -> None:
    """Which was called, and then disabled."""
    url = WebhookUrl(f"https://hooks.example.org/{'a-very-long-path/' * 10}")
    sealed = seal_secret(api.connections.keys, new_secret())
    command = CreateWebhook(url=url, sealed_secret=sealed, event_id=event_id)
    webhook = (await api.connections.writer.execute(command, OPERATOR)).value
    async with api.connections.primary.connection() as connection:
        lease = await cursors.acquire(connection, webhook.id, uuid4())
        assert lease is not None
        position, stream = lease.position + 1, uuid4()
        waiting = Parked(position=position, stream=stream, previous=None, tries=1, wait=300.0)
        outcomes = [(204, None), (410, GONE), (None, "no answer within 15 s")]
        done = Settlement(
            position=position,
            previous=position,
            taken_ahead=(),
            attempts=[
                Attempt(
                    position=position,
                    type="visitor.waiting_list_joined",
                    at=NOW,
                    status=status,
                    answer_ms=15_000,
                    error=error,
                )
                for status, error in outcomes
            ],
            parked=[waiting],
            concluded=(),
            streams={stream},
        )
        await cursors.settle(connection, lease, done)
        await cursors.free(connection, [lease.lease_token])
    await _give(api, DisableWebhook(webhook_id=webhook.id, reason=GONE))


async def _give(api: Api, *commands: Any) -> None:
    """All at once."""
    await asyncio.gather(*(api.connections.writer.execute(c, OPERATOR) for c in commands))
