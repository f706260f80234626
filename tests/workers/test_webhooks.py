"""Webhooks: each item reaches the endpoint, signed, in order for each visitor."""

from __future__ import annotations

from uuid import UUID

import pytest
from standardwebhooks import Webhook

from domain.departures import CancelVisitor, EraseVisitor
from domain.webhook_secrets import new_secret, seal_secret
from domain.webhooks import RollWebhookSecret
from projections import webhook_deliveries
from tests.support.http_server import Answer
from tests.support.installation import Installation
from tests.support.sending import a_webhook, attempts_of, make_due, sending
from tests.support.webhook_endpoint import Endpoint, Received

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

    created, registered = sorted(endpoint.received, key=lambda received: received.position)
    assert (created.item["type"], created.item["event_id"]) == ("event.created", str(fair))
    assert (registered.item["type"], registered.visitor_id) == ("visitor.registered", ada)
    assert (created.item["previous"], registered.item["previous"]) == (None, created.position)
    for received in endpoint.received:
        headers = dict(received.request.headers)
        assert Webhook(webhook.secret).verify(received.request.body, headers) == received.item


async def test_only_items_of_the_wanted_types_and_event_are_sent(
    installation: Installation, endpoint: Endpoint
) -> None:
    fair, other = await installation.event("Fair"), await installation.event("Other")
    await a_webhook(installation, endpoint.url, types=("visitor.registered",), event_id=fair)
    await installation.register(other, "ada@example.org")
    (ada,) = await installation.register(fair, "ada@example.org")
    await installation.give(CancelVisitor(visitor_id=ada))
    (bob,) = await installation.register(fair, "bob@example.org")
    async with sending(installation):
        await endpoint.has(2)
        (cem,) = await installation.register(fair, "cem@example.org")
        await endpoint.has(3)
    assert {received.visitor_id for received in endpoint.received} == {ada, bob, cem}
    first, second, third = sorted(endpoint.received, key=lambda received: received.position)
    assert first.item["previous"] is None
    assert (second.item["previous"], third.item["previous"]) == (first.position, second.position)


async def test_an_item_that_is_not_taken_is_tried_again_under_the_same_id(
    installation: Installation, endpoint: Endpoint
) -> None:
    webhook = await a_webhook(installation, endpoint.url)
    fair = await installation.event("Fair")
    endpoint.answer_next(Answer(status=500))
    async with sending(installation):
        first, second = await endpoint.has(2)
        await attempts_of(installation, webhook, 2)
    assert (first.id, first.item) == (second.id, second.item)
    assert first.item["event_id"] == str(fair)
    assert second.at - first.at > 4.5
    taken, failed = await attempts_of(installation, webhook, 2)
    assert (failed.status, failed.error) == (500, "HTTP 500")
    assert (taken.status, taken.error, taken.type) == (204, None, "event.created")


async def test_later_items_of_a_visitor_wait_behind_one_that_is_not_taken(
    installation: Installation, endpoint: Endpoint
) -> None:
    fair = await installation.event("Fair")
    webhook = await a_webhook(installation, endpoint.url)
    (ada,) = await installation.register(fair, "ada@example.org")
    refused = True

    def answer(received: Received) -> Answer:
        return Answer(status=500 if refused and received.visitor_id == ada else 204)

    endpoint.answer = answer
    async with sending(installation):
        await endpoint.has(1)
        await attempts_of(installation, webhook, 1)
        await installation.give(CancelVisitor(visitor_id=ada))
        (bob,) = await installation.register(fair, "bob@example.org")
        await endpoint.has(2)
        await attempts_of(installation, webhook, 2)
        assert [received.visitor_id for received in endpoint.received] == [ada, bob]
        refused = False
        await make_due(installation)
        await endpoint.has(4)
    of_ada = [r.item for r in endpoint.received if r.visitor_id == ada]
    types = ["visitor.registered", "visitor.registered", "visitor.cancelled"]
    assert [item["type"] for item in of_ada] == types
    registered, again, cancelled = of_ada
    assert again == registered
    assert cancelled["previous"] == registered["position"]


async def test_names_are_sent_to_a_personal_webhook_only_and_are_null_after_an_erasure(
    installation: Installation, endpoint: Endpoint
) -> None:
    fair = await installation.event("Fair")
    await a_webhook(installation, f"{endpoint.url}/plain", types=("visitor.registered",))
    await a_webhook(
        installation, f"{endpoint.url}/personal", types=("visitor.registered",), personal=True
    )
    endpoint.answer = lambda _: Answer(status=500)
    (ada,) = await installation.register(fair, "ada@example.org")
    async with sending(installation):
        await endpoint.has(2)
        by_path = {r.request.target: r.item["data"] for r in endpoint.received}
        assert by_path["/hooks/personal"]["email"] == "ada@example.org"
        assert by_path["/hooks/plain"]["email"] is None
        await installation.give(EraseVisitor(visitor_id=ada))
        await make_due(installation)
        await endpoint.has(4)
    assert [r.item["data"]["email"] for r in endpoint.received[2:]] == [None, None]


async def test_both_secrets_sign_after_a_roll(
    installation: Installation, endpoint: Endpoint
) -> None:
    webhook = await a_webhook(installation, endpoint.url)
    secret = new_secret()
    sealed = seal_secret(installation.keys, secret)
    await installation.give(RollWebhookSecret(webhook_id=webhook.id, sealed_secret=sealed))
    await installation.event("Fair")
    async with sending(installation):
        (received,) = await endpoint.has(1)
    headers = dict(received.request.headers)
    for signed_by in (secret, webhook.secret):
        assert Webhook(signed_by).verify(received.request.body, headers)
    assert headers["webhook-signature"].count("v1,") == 2


async def test_items_are_sent_again_with_the_same_ids_and_the_same_previous(
    installation: Installation, endpoint: Endpoint
) -> None:
    webhook = await a_webhook(installation, endpoint.url)
    fair = await installation.event("Fair")
    await installation.register(fair, *(f"visitor{n}@example.org" for n in range(5)))
    async with sending(installation):
        await endpoint.has(6)
        await attempts_of(installation, webhook, 6)
        first = {r.id: r.item for r in endpoint.received}
        after = sorted(endpoint.positions)[2]
        await webhook_deliveries.resend(installation.connection, webhook.id, after)
        await endpoint.has(9)
    again = {r.id: r.item for r in endpoint.received[6:]}
    assert len(again) == 3
    assert again == {id: item for id, item in first.items() if item["position"] > after}


async def test_a_test_is_sent_once_and_shows_in_the_attempts(
    installation: Installation, endpoint: Endpoint
) -> None:
    webhook = await a_webhook(installation, endpoint.url)
    endpoint.answer_next(Answer(status=418))
    async with sending(installation):
        await webhook_deliveries.request_test(installation.connection, webhook.id)
        (received,) = await endpoint.has(1)
        (attempt,) = await attempts_of(installation, webhook, 1)
        assert (attempt.position, attempt.type, attempt.status) == (0, "webhook.test", 418)
        await webhook_deliveries.request_test(installation.connection, webhook.id)
        await endpoint.has(2)
    assert Webhook(webhook.secret).verify(received.request.body, dict(received.request.headers))
    assert received.item == {
        "position": 0,
        "type": "webhook.test",
        "version": 1,
        "occurred_at": received.item["occurred_at"],
        "event_id": None,
        "visitor_id": None,
        "data": {},
        "previous": None,
    }
    assert len({r.id for r in endpoint.received}) == 2


async def test_an_endpoint_that_hangs_slows_no_other(
    installation: Installation, endpoint: Endpoint
) -> None:
    await a_webhook(installation, f"{endpoint.url}/hangs")
    await a_webhook(installation, endpoint.url)
    endpoint.answer = lambda r: Answer(delay=60 if r.request.target.endswith("hangs") else 0)
    fair = await installation.event("Fair")
    await installation.register(fair, *(f"visitor{n}@example.org" for n in range(200)))

    def taken() -> set[UUID | None]:
        return {r.visitor_id for r in endpoint.received if not r.request.target.endswith("hangs")}

    async with sending(installation):
        await endpoint.has(200 + 1)
        await endpoint.until(lambda: len(taken()) == 201)
