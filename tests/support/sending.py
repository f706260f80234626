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
from domain.webhook_secrets import new_secret, seal_secret
from domain.webhooks import CreateWebhook, WebhookUrl
from tests.support.installation import Installation
from workers.webhooks.senders import send_webhooks


class MadeWebhook(msgspec.Struct, frozen=True):
    id: UUID
    secret: str


async def a_webhook(installation: Installation, url: str, **fields: Any) -> MadeWebhook:
    secret = new_secret()
    command = CreateWebhook(
        url=WebhookUrl(url), sealed_secret=seal_secret(installation.keys, secret), **fields
    )
    (webhook,) = await installation.give(command)
    return MadeWebhook(webhook.id, secret)


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
