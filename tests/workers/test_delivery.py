"""Delivery: waiting rows are sent to the notification service, and outcomes go into history."""

from __future__ import annotations

import asyncio
import logging
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from uuid import UUID

import msgspec
import pytest
from structlog.testing import capture_logs

from domain.departures import CancelVisitor
from domain.links import manage_token
from domain.notifications import Failed, QueueAgain, Requeued, Sent
from domain.privacy.keys import InstallationKeys
from domain.visitors import Registered
from runtime.settings import Settings
from tests.support.http_server import Answer
from tests.support.installation import IN_A_MONTH, Installation
from tests.support.messages import outgoing
from tests.support.notification_service import NotificationService
from tests.workers.outboxes import (
    crowd,
    history_of,
    make_due,
    registered,
    rows_by_email,
    seconds_until,
    the_row,
)
from workers.delivery import leases
from workers.delivery import notification_service as calling
from workers.delivery.deliverer import Delivery, DrainResult, new_delivery
from workers.delivery.sender import TryLater

pytestmark = pytest.mark.anyio


async def test_a_notification_has_the_format_of_the_service(
    installation: Installation, service: NotificationService, delivery: Delivery
) -> None:
    await registered(installation, "ada@example.org")
    assert await delivery.drain() == DrainResult(sent=1, failed=0, waiting=0, paused=None)

    row = await the_row(installation)
    (received,) = service.received
    request = received.request
    assert (request.method, request.target) == ("POST", "/api/notifications")
    assert request.headers["authorization"] == "Bearer the-token"
    assert request.headers["idempotency-key"] == row["id"]
    assert request.headers["content-type"] == "application/json"
    assert msgspec.json.decode(request.body) == {
        "id": row["id"],
        "owner_id": "the-owner",
        "email": "ada@example.org",
        "message": f"""\
Your confirmation code is {msgspec.json.decode(row["facts"])["code"]}

You are registered for this event.

Fair
{IN_A_MONTH:%A}, {IN_A_MONTH.day} {IN_A_MONTH:%B %Y, %H:%M} (UTC)""",
    }


async def test_without_a_token_it_is_sent_without_credentials(
    installation: Installation, service: NotificationService, worker_settings: Settings
) -> None:
    await registered(installation, "ada@example.org")
    settings = msgspec.structs.replace(worker_settings, notification_token="")
    async with new_delivery(settings, installation.database_url, installation.keys) as delivery:
        assert (await delivery.drain()).sent == 1
    (received,) = service.received
    assert "authorization" not in received.request.headers


async def test_a_sent_notification_is_recorded_in_its_row_and_in_history(
    installation: Installation, delivery: Delivery
) -> None:
    await registered(installation, "ada@example.org")
    await delivery.drain()

    row = await the_row(installation)
    assert (row["state"], row["attempts"], row["lease_token"]) == ("sent", 1, None)
    assert row["concluded_at"] is not None
    (registration,) = await history_of(installation, Registered)
    (sent,) = await history_of(installation, Sent)
    assert sent.originator_id == UUID(row["id"])
    assert sent.metadata.actor == "system:worker"
    assert sent.metadata.correlation_id == registration.metadata.correlation_id
    assert sent.metadata.causation_id == registration.position


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_every_2xx_means_sent(
    installation: Installation, service: NotificationService, delivery: Delivery, status: int
) -> None:
    await registered(installation, "ada@example.org")
    service.usual = Answer(status=status, body=b"")
    assert (await delivery.drain()).sent == 1


@pytest.mark.parametrize("status", [302, 408, 429, 500, 502, 503, 599])
async def test_a_temporary_failure_is_retried_later(
    installation: Installation, service: NotificationService, delivery: Delivery, status: int
) -> None:
    await registered(installation, "ada@example.org")
    service.answer_next(Answer(status=status, body=b"busy"))
    assert await delivery.drain() == DrainResult(sent=0, failed=0, waiting=1, paused=None)
    row = await the_row(installation)
    assert (row["state"], row["attempts"], row["lease_token"]) == ("waiting", 1, None)
    assert row["last_error"] == f"HTTP {status}"

    await make_due(installation)
    assert (await delivery.drain()).sent == 1
    first, second = service.received
    assert first.id == second.id
    assert first.request.body == second.request.body
    assert await history_of(installation, Sent, Failed) == (await history_of(installation, Sent))


async def test_a_drain_tries_each_notification_once_and_ignores_its_backoff(
    installation: Installation,
    service: NotificationService,
    delivery: Delivery,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leases, "backoff", lambda attempts: 0.0)
    await registered(installation, *crowd(100))
    service.usual = Answer(status=503)
    assert (await delivery.drain()).waiting == 100
    assert sorted(service.emails) == sorted(crowd(100))


async def test_a_timeout_is_retried(
    installation: Installation,
    service: NotificationService,
    delivery: Delivery,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calling, "ANSWER_TIMEOUT", 0.2)
    await registered(installation, "ada@example.org")
    service.answer_next(Answer(delay=60))
    assert (await delivery.drain()).waiting == 1
    assert (await the_row(installation))["last_error"].startswith("no answer within")


async def test_a_broken_connection_is_retried(
    installation: Installation, service: NotificationService, delivery: Delivery
) -> None:
    await registered(installation, "ada@example.org")
    service.answer_next(Answer(hang_up=True))
    assert (await delivery.drain()).waiting == 1
    await make_due(installation)
    service.server.stop()
    assert (await delivery.drain()).waiting == 1
    await make_due(installation)
    service.server.start()
    assert (await delivery.drain()).sent == 1
    assert (await the_row(installation))["attempts"] == 3


async def test_retry_after_of_the_service_is_respected(
    installation: Installation, service: NotificationService, delivery: Delivery
) -> None:
    await registered(installation, "seconds@example.org", "date@example.org", "never@example.org")
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=900), usegmt=True)
    service.by_email = {
        "seconds@example.org": Answer(status=429, headers={"Retry-After": "300"}),
        "date@example.org": Answer(status=503, headers={"Retry-After": at}),
        "never@example.org": Answer(status=503, headers={"Retry-After": "9" * 40}),
    }
    await delivery.drain()
    due_in = {
        email: seconds_until(row["due_at"])
        for email, row in (await rows_by_email(installation)).items()
    }
    assert 290 < due_in["seconds@example.org"] <= 300
    assert 880 < due_in["date@example.org"] <= 900
    assert 86_000 < due_in["never@example.org"] <= 86_400
    assert (await delivery.drain()).waiting == 3
    assert len(service.received) == 3


@pytest.mark.parametrize("status", [400, 404, 409, 410, 422, 451])
async def test_a_refusal_is_kept_with_its_reason_and_can_be_queued_again(
    installation: Installation, service: NotificationService, delivery: Delivery, status: int
) -> None:
    await registered(installation, "ada@example.org")
    service.answer_next(Answer(status=status, body=b"the mailbox\r\nis full"))
    assert await delivery.drain() == DrainResult(sent=0, failed=1, waiting=0, paused=None)
    row = await the_row(installation)
    reason = f"HTTP {status}"
    assert (row["state"], row["last_error"]) == ("failed", reason)
    (failed,) = await history_of(installation, Failed)
    assert isinstance(failed.event, Failed)
    assert failed.event.reason == reason

    await installation.give(QueueAgain(notification_id=UUID(row["id"])))
    await installation.project()
    assert (await delivery.drain()).sent == 1
    outcomes = await history_of(installation, Sent, Failed, Requeued)
    assert [type(recorded.event) for recorded in outcomes] == [Failed, Requeued, Sent]
    assert {received.id for received in service.received} == {UUID(row["id"])}


ECHO = "ada.lovelace@example.org"


@pytest.mark.parametrize(
    "body",
    [
        ECHO.encode(),
        ECHO.encode("utf-16"),
        b64encode(ECHO.encode()),
        ECHO.encode().hex().encode(),
        "ada.\u200blove\u00adlace at example.org".encode(),
        b"a d a . l o v e l a c e",
        ECHO[::-1].encode(),
        b"user ada.lovelace is not known",
        b"\x00\xff" + b"x" * 100_000,
    ],
)
@pytest.mark.parametrize("status", [400, 401, 422, 503])
async def test_personal_data_in_answers_of_the_service_is_not_kept_or_logged(
    installation: Installation,
    service: NotificationService,
    delivery: Delivery,
    caplog: pytest.LogCaptureFixture,
    status: int,
    body: bytes,
) -> None:
    caplog.set_level(logging.DEBUG)
    await registered(installation, ECHO)
    service.answer_next(Answer(status=status, body=body, headers={"X-To": ECHO}))
    await delivery.drain()
    assert (await the_row(installation))["last_error"] == f"HTTP {status}"
    for recorded in await history_of(installation, Failed):
        assert isinstance(recorded.event, Failed)
        assert recorded.event.reason == f"HTTP {status}"
    assert "lovelace" not in caplog.text.lower()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 ada.lovelace@example.org\r\n\r\n",
        b"ada.lovelace@example.org\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nada.lovelace@example.org\r\n\r\n",
    ],
)
@pytest.mark.parametrize("proxied", [False, True], ids=["directly", "by a proxy"])
async def test_personal_data_in_an_invalid_answer_is_not_kept_as_the_reason(
    monkeypatch: pytest.MonkeyPatch, answer: bytes, proxied: bool
) -> None:
    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    if proxied:
        monkeypatch.setenv("http_proxy", origin)
    async with server:
        calls = calling.NotificationService(
            "http://service.invalid/" if proxied else origin, "", "o"
        )
        answered = await calls.send(outgoing(ECHO))
        await calls.close()
    assert isinstance(answered, TryLater)
    assert "lovelace" not in answered.reason


async def test_a_message_ends_with_the_links_of_its_visitor_and_its_event(
    installation: Installation, service: NotificationService, worker_settings: Settings
) -> None:
    await registered(installation, "ada@example.org")
    settings = msgspec.structs.replace(worker_settings, public_url="https://events.example.com")
    async with new_delivery(settings, installation.database_url, installation.keys) as delivery:
        await delivery.drain()
    row = await the_row(installation)
    token = manage_token(installation.keys, UUID(row["visitor_id"]), 1)
    (received,) = service.received
    assert msgspec.json.decode(received.request.body)["message"].endswith(
        f"To see or cancel your registration: https://events.example.com/r/{token}\n\n"
        f"Page of the event: https://events.example.com/events/{row['event_id']}"
    )


async def test_a_missing_public_url_is_warned_of_once(
    worker_settings: Settings, database_url: str, keys: InstallationKeys
) -> None:
    with capture_logs() as log:
        delivery = new_delivery(worker_settings, database_url, keys)
    await delivery.close()
    assert [entry["event"] for entry in log] == ["PUBLIC_URL is not set: messages contain no links"]


async def test_one_address_gets_no_more_than_five_messages_at_once_unless_limits_are_off(
    installation: Installation, service: NotificationService, worker_settings: Settings
) -> None:
    for _ in range(7):
        await registered(installation, "ada@example.org")
    for limits, sent in ((True, 5), (False, 2)):
        settings = msgspec.structs.replace(worker_settings, rate_limits=limits)
        async with new_delivery(settings, installation.database_url, installation.keys) as delivery:
            assert (await delivery.drain()).sent == sent
    assert len(service.received) == 7


async def test_waiting_messages_to_a_visitor_who_has_left_are_abandoned(
    installation: Installation, service: NotificationService, delivery: Delivery
) -> None:
    await registered(installation, "ada@example.org")
    visitor = UUID((await the_row(installation))["visitor_id"])
    await installation.give(CancelVisitor(visitor_id=visitor))
    await installation.project()
    assert await delivery.drain() == DrainResult(sent=1, failed=1, waiting=0, paused=None)
    (received,) = service.received
    assert "is cancelled" in msgspec.json.decode(received.request.body)["message"]
    (failed,) = await history_of(installation, Failed)
    assert isinstance(failed.event, Failed)
    assert failed.event.reason == "the recipient has left"
