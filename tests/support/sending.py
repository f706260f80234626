"""Webhooks that are sent in the test's own process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

import msgspec

from domain.application import APPLICATION
from domain.history.decider import Decider
from domain.history.store import last_position
from domain.webhook_secrets import new_secret, seal_secret
from domain.webhooks import CreateWebhook, WebhookUrl
from projections.webhook_deliveries import Attempt, count_attempts, list_attempts
from tests.support.installation import Installation
from tests.support.waiting import until_async
from workers.webhooks.senders import send_webhooks


class MadeWebhook(msgspec.Struct, frozen=True):
    id: UUID
    secret: str
    position: int
    """Items after it are sent."""


async def a_webhook(installation: Installation, url: str, **fields: Any) -> MadeWebhook:
    secret = new_secret()
    command = CreateWebhook(
        url=WebhookUrl(url), sealed_secret=seal_secret(installation.keys, secret), **fields
    )
    (webhook,) = await installation.give(command)
    return MadeWebhook(webhook.id, secret, await last_position(installation.connection))


@asynccontextmanager
async def sending(
    installation: Installation, *, private_networks: bool = True
) -> AsyncIterator[None]:
    """A worker sends webhooks during the block."""
    decider = Decider(installation.keys, APPLICATION)
    worker = asyncio.create_task(
        send_webhooks(
            installation.database_url,
            installation.keys,
            decider,
            private_networks=private_networks,
        )
    )
    try:
        yield
    finally:
        worker.cancel()
        with suppress(asyncio.CancelledError):
            await worker


async def attempts_of(
    installation: Installation, webhook: MadeWebhook, count: int
) -> list[Attempt]:
    """Its newest attempts, once there are so many."""

    async def are_there() -> bool:
        return await count_attempts(installation.connection, webhook.id) >= count

    await until_async(are_there)
    return await list_attempts(installation.connection, webhook.id, limit=count)


async def make_due(installation: Installation) -> None:
    """All items that wait for another try."""
    await installation.connection.execute(
        "UPDATE webhook_parked SET due_at = now() WHERE due_at IS NOT NULL"
    )
    await installation.connection.execute("NOTIFY webhooks")


async def due_in(installation: Installation) -> float:
    """Seconds until the next try of the only item that waits for one."""
    cursor = await installation.connection.execute(
        "SELECT extract(epoch FROM due_at - now())::float8 FROM webhook_parked"
    )
    ((seconds,),) = await cursor.fetchall()
    found: float = seconds
    return found
