"""Webhooks: each item reaches the endpoint, signed, in order for each visitor."""

from __future__ import annotations

import pytest
from standardwebhooks import Webhook

from tests.support.http_server import Answer
from tests.support.installation import Installation
from tests.support.sending import a_webhook, sending
from tests.support.webhook_endpoint import Endpoint

pytestmark = pytest.mark.anyio


async def test_each_item_after_the_creation_is_sent_with_a_valid_signature(
    installation: Installation, endpoint: Endpoint
) -> None:
    await installation.event("Before")
    webhook = await a_webhook(installation, endpoint.url)
    fair = await installation.event("Fair")
    (ada,) = await installation.register(fair, "ada@example.org")

    async with sending(installation):
        await endpoint.has(2)

    created, registered = endpoint.received
    assert (created.item["type"], created.item["event_id"]) == ("event.created", str(fair))
    assert (registered.item["type"], registered.visitor_id) == ("visitor.registered", ada)
    assert (created.item["previous"], registered.item["previous"]) == (None, created.position)
    for received in endpoint.received:
        headers = dict(received.request.headers)
        assert Webhook(webhook.secret).verify(received.request.body, headers) == received.item


async def test_an_item_that_is_not_taken_is_tried_again_under_the_same_id(
    installation: Installation, endpoint: Endpoint
) -> None:
    await a_webhook(installation, endpoint.url)
    fair = await installation.event("Fair")
    endpoint.answer_next(Answer(status=500))
    async with sending(installation):
        await endpoint.has(2)
    first, second = endpoint.received
    assert (first.id, first.item) == (second.id, second.item)
    assert first.item["event_id"] == str(fair)
