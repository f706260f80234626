"""What an endpoint's answer, or its silence, leads to."""

from __future__ import annotations

from uuid import UUID

import pytest

from domain.endpoints import get_endpoint
from domain.event_editing import ChangeEvent
from domain.notifications import RecordDelivery
from domain.webhooks import ChangeWebhook, DeleteWebhook, Disabled
from projections import webhook_deliveries
from tests.support.http_server import Answer
from tests.support.installation import Installation
from tests.support.sending import (
    MadeWebhook,
    a_webhook,
    attempts_of,
    due_in,
    make_due,
    sending,
)
from tests.support.waiting import until_async
from tests.support.webhook_endpoint import Endpoint
from workers.webhooks.cleanup import remove_old_rows
from workers.webhooks.retries import WAITS, wait_after

pytestmark = pytest.mark.anyio


async def five_days_pass(installation: Installation) -> None:
    """For all webhooks that fail."""
    await installation.connection.execute(
        "UPDATE webhook_cursors SET failing_since = failing_since - interval '5 days'"
    )


async def is_disabled(installation: Installation, webhook: MadeWebhook) -> str:
    """Why, once it is."""
    found: list[str] = []

    async def disabled() -> bool:
        row = await get_endpoint(installation.connection, webhook.id)
        assert row is not None
        found.append(row.disabled_because or "")
        return not row.enabled

    await until_async(disabled)
    return found[-1]


async def test_410_disables_and_a_webhook_that_is_enabled_again_goes_on_where_it_was(
    installation: Installation, endpoint: Endpoint
) -> None:
    webhook = await a_webhook(installation, endpoint.url)
    fair = await installation.event("Fair")
    endpoint.answer_next(Answer(status=410))
    async with sending(installation):
        assert await is_disabled(installation, webhook) == "the endpoint answered 410 Gone"
        await installation.register(fair, "ada@example.org")
        await webhook_deliveries.request_test(installation.connection, webhook.id)
        await endpoint.has(2)  # a test is sent, the new item is not
        assert endpoint.received[1].item["type"] == "webhook.test"
        await installation.give(ChangeWebhook(webhook_id=webhook.id, enabled=True))
        await endpoint.has(4)
    types = [received.item["type"] for received in endpoint.received]
    assert sorted(types[2:]) == ["event.created", "visitor.registered"]
    assert endpoint.received[0].id in {received.id for received in endpoint.received[2:]}
    disabled = [e for e in await installation.history() if isinstance(e.event, Disabled)]
    assert [e.metadata.actor for e in disabled] == ["system:worker"]


async def test_it_is_disabled_after_five_days_without_success(
    installation: Installation, endpoint: Endpoint
) -> None:
    webhook = await a_webhook(installation, endpoint.url)
    await installation.event("Fair")
    endpoint.answer = lambda _: Answer(status=500)
    async with sending(installation):
        await attempts_of(installation, webhook, 1)
        await five_days_pass(installation)
        await make_due(installation)
        assert await is_disabled(installation, webhook) == "every try failed for five days"


async def test_the_five_days_begin_anew_once_it_is_enabled_again(
    installation: Installation, endpoint: Endpoint
) -> None:
    webhook = await a_webhook(installation, endpoint.url)
    await installation.event("Fair")
    endpoint.answer = lambda _: Answer(status=500)
    async with sending(installation):
        await attempts_of(installation, webhook, 1)
        await five_days_pass(installation)
        await installation.give(ChangeWebhook(webhook_id=webhook.id, enabled=False))

        async def is_forgotten() -> bool:
            progress = await webhook_deliveries.progress_of(installation.connection, webhook.id)
            return progress is not None and progress.failing_since is None

        await until_async(is_forgotten)
        await installation.give(ChangeWebhook(webhook_id=webhook.id, enabled=True))
        await make_due(installation)
        await attempts_of(installation, webhook, 2)
    row = await get_endpoint(installation.connection, webhook.id)
    assert row is not None
    assert row.enabled


async def test_a_webhook_that_cannot_be_sent_to_stops_no_other(
    installation: Installation, endpoint: Endpoint
) -> None:
    broken = await a_webhook(installation, endpoint.url)
    await installation.connection.execute(
        "UPDATE webhooks SET url = 'http://999.1.1.1/', created_position = 0 WHERE id = %s",
        [broken.id],
    )
    await a_webhook(installation, endpoint.url)
    async with sending(installation):
        await installation.event("Fair")
        await endpoint.has(1)


async def test_items_that_name_nobody_are_sent(
    installation: Installation, endpoint: Endpoint
) -> None:
    """As those of messages that an earlier release gave up."""
    await a_webhook(installation, endpoint.url)
    await installation.give(RecordDelivery(notification_id=UUID(int=7), failure="HTTP 400"))
    async with sending(installation):
        await endpoint.has(1)
    (received,) = endpoint.received
    assert received.item["type"] == "notification.failed"
    assert received.item["visitor_id"] is None


async def test_one_success_within_the_five_days_is_enough(
    installation: Installation, endpoint: Endpoint
) -> None:
    webhook = await a_webhook(installation, endpoint.url)
    fair = await installation.event("Fair")
    endpoint.answer_next(Answer(status=500))
    async with sending(installation):
        await attempts_of(installation, webhook, 1)
        await installation.register(fair, "ada@example.org")
        await attempts_of(installation, webhook, 2)
    progress = await webhook_deliveries.progress_of(installation.connection, webhook.id)
    assert progress is not None
    assert progress.failing_since is None


async def test_after_the_last_try_an_item_is_given_up_and_those_behind_it_are_sent(
    installation: Installation, endpoint: Endpoint
) -> None:
    webhook = await a_webhook(installation, endpoint.url)
    fair = await installation.event("Fair")
    endpoint.answer_next(Answer(status=500), Answer(status=500))
    async with sending(installation):
        await attempts_of(installation, webhook, 1)
        await installation.give(ChangeEvent(event_id=fair, status="closed"))
        await installation.connection.execute(
            "UPDATE webhook_parked SET tries = %s, due_at = now()", [len(WAITS)]
        )
        await installation.connection.execute("NOTIFY webhooks")
        closed, given_up, _ = await attempts_of(installation, webhook, 3)
    assert given_up.error == "HTTP 500; given up after 10 tries"
    assert (closed.type, closed.error) == ("event.closed", None)
    assert await installation.rows("webhook_parked") == []


async def test_the_next_try_is_never_before_retry_after(
    installation: Installation, endpoint: Endpoint
) -> None:
    webhook = await a_webhook(installation, endpoint.url)
    await installation.event("Fair")
    endpoint.answer_next(Answer(status=429, headers={"Retry-After": "3600"}))
    async with sending(installation):
        await attempts_of(installation, webhook, 1)
    assert 3500 < await due_in(installation) <= 3600


@pytest.mark.parametrize("status", [301, 302, 304, 400, 401, 404, 408, 429, 500, 503])
async def test_any_answer_but_2xx_and_410_is_tried_again(
    installation: Installation, endpoint: Endpoint, status: int
) -> None:
    webhook = await a_webhook(installation, endpoint.url)
    await installation.event("Fair")
    answer = Answer(status=status, headers={"Location": f"{endpoint.url}/elsewhere"})
    endpoint.answer_next(answer)
    async with sending(installation):
        (attempt,) = await attempts_of(installation, webhook, 1)
    assert (attempt.status, attempt.error) == (status, f"HTTP {status}")
    assert [received.request.target for received in endpoint.received] == ["/hooks"]
    assert 4 < await due_in(installation) <= 5.5


async def test_a_lost_connection_is_tried_again_and_shows_nothing_that_was_sent(
    installation: Installation, endpoint: Endpoint
) -> None:
    endpoint.server.stop()
    webhook = await a_webhook(installation, endpoint.url)
    await installation.event("Fair")
    async with sending(installation):
        (attempt,) = await attempts_of(installation, webhook, 1)
        assert (attempt.status, attempt.error) == (None, "ConnectError: Connection refused")
        endpoint.server.start()
        endpoint.answer_next(Answer(status=500, body=b"ada@example.org"))
        await make_due(installation)
        newest, _ = await attempts_of(installation, webhook, 2)
    assert newest.error == "HTTP 500"
    assert "ada@" not in str(await installation.rows("webhook_attempts"))


def test_the_waits_grow_up_to_a_day_with_a_little_chance() -> None:
    waits = [wait_after(tries, 0) for tries in range(1, 11)]
    for wait, least in zip(waits[:-1], WAITS, strict=True):
        assert wait is not None
        assert least <= wait <= least * 1.1
    assert waits[-1] is None
    assert wait_after(1, 60) == 60


async def test_attempts_are_removed_after_seven_days_and_those_of_a_deleted_webhook_at_once(
    installation: Installation, endpoint: Endpoint
) -> None:
    kept = await a_webhook(installation, endpoint.url)
    deleted = await a_webhook(installation, endpoint.url)
    fair = await installation.event("Fair")
    async with sending(installation):
        await attempts_of(installation, kept, 1)
        await attempts_of(installation, deleted, 1)
        await installation.connection.execute(
            "UPDATE webhook_attempts SET at = at - interval '8 days'"
        )
        await installation.register(fair, "ada@example.org")
        await attempts_of(installation, kept, 2)
        await attempts_of(installation, deleted, 2)
    await installation.give(DeleteWebhook(webhook_id=deleted.id))
    assert await remove_old_rows(installation.connection) > 0
    (left,) = await installation.rows("webhook_attempts")
    assert left["type"] == "visitor.registered"
    assert {row["webhook_id"] for row in await installation.rows("webhook_cursors")} == {
        str(kept.id)
    }


async def test_the_newest_attempts_can_be_listed_and_older_ones_are_not_counted(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_deliveries, "LISTED", 5)
    webhook = await a_webhook(installation, "https://a.example/")
    connection = installation.connection
    await connection.execute(
        """
        INSERT INTO webhook_attempts (webhook_id, position, type, at, answer_ms)
        SELECT %s, n, 'event.created', now(), 1 FROM generate_series(1, 9) AS n
        """,
        [webhook.id],
    )
    assert await webhook_deliveries.count_attempts(connection, webhook.id) == 5

    async def listed(limit: int, offset: int) -> list[int]:
        found = await webhook_deliveries.list_attempts(
            connection, webhook.id, limit=limit, offset=offset
        )
        return [attempt.position for attempt in found]

    assert await listed(2, 0) == [9, 8]
    assert await listed(3, 3) == [6, 5]
    assert await listed(3, 2**60) == []
