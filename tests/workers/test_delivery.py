"""From waiting rows of the outbox to the notification service, and back into history."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from domain.aggregate import RecordedEvent
from domain.batch import Decider
from domain.history import connect, read_events
from domain.notifications import Failed, QueueAgain, Requeued, Sent
from domain.visitors import Registered
from events_face.settings import Settings
from tests.support.http_server import Answer
from tests.support.installation import Installation
from tests.support.notification_service import NotificationService
from tests.support.waiting import until_async
from workers import delivery as delivering
from workers import notification_service as calling
from workers import outbox, pause
from workers.delivery import Delivery, Drained, new_delivery

pytestmark = pytest.mark.anyio


async def registered(installation: Installation, *emails: str) -> None:
    """Visitors whose notifications wait."""
    await installation.register(await installation.event(), *emails)
    await installation.project()


def crowd(size: int) -> list[str]:
    return [f"visitor{number}@example.org" for number in range(size)]


async def rows_by_email(installation: Installation) -> dict[str, dict[str, Any]]:
    return {row["email"]: row for row in await installation.rows("outbox")}


async def the_row(installation: Installation) -> dict[str, Any]:
    (row,) = await installation.rows("outbox")
    return row


async def history_of(installation: Installation, *kinds: type) -> list[RecordedEvent]:
    events = await read_events(installation.connection, after=0, limit=10_000)
    return [recorded for recorded in events if isinstance(recorded.event, kinds)]


async def make_due(installation: Installation) -> None:
    await installation.connection.execute("UPDATE outbox SET due_at = now()")


def seconds_until(due_at: str) -> float:
    return (datetime.fromisoformat(due_at) - datetime.now(UTC)).total_seconds()


async def test_a_notification_is_sent_as_the_service_wants_it(
    installation: Installation, service: NotificationService, delivery: Delivery
) -> None:
    await registered(installation, "ada@example.org")
    assert await delivery.drain() == Drained(sent=1, failed=0, waiting=0, paused=None)

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
        "message": row["message"],
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


async def test_what_was_sent_is_recorded_in_its_row_and_in_history(
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
async def test_a_passing_failure_is_tried_again_later(
    installation: Installation, service: NotificationService, delivery: Delivery, status: int
) -> None:
    await registered(installation, "ada@example.org")
    service.answer_next(Answer(status=status, body=b"busy"))
    assert await delivery.drain() == Drained(sent=0, failed=0, waiting=1, paused=None)
    row = await the_row(installation)
    assert (row["state"], row["attempts"], row["lease_token"]) == ("waiting", 1, None)
    assert row["last_error"] == f"HTTP {status}: busy"

    await make_due(installation)
    assert (await delivery.drain()).sent == 1
    first, second = service.received
    assert first.id == second.id
    assert first.request.body == second.request.body
    assert await history_of(installation, Sent, Failed) == (await history_of(installation, Sent))


async def test_a_drain_tries_each_notification_once_whatever_its_backoff(
    installation: Installation,
    service: NotificationService,
    delivery: Delivery,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outbox, "backoff", lambda attempts: 0.0)
    await registered(installation, *crowd(100))
    service.usual = Answer(status=503)
    assert (await delivery.drain()).waiting == 100
    assert sorted(service.emails) == sorted(crowd(100))


async def test_no_answer_in_time_is_tried_again(
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


async def test_a_connection_that_breaks_is_tried_again(
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


async def test_nothing_is_tried_before_the_service_said(
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
    assert due_in["never@example.org"] > 365 * 86_400
    assert (await delivery.drain()).waiting == 3
    assert len(service.received) == 3


@pytest.mark.parametrize("status", [400, 404, 409, 410, 422, 451])
async def test_a_refusal_is_kept_with_its_reason_and_can_be_queued_again(
    installation: Installation, service: NotificationService, delivery: Delivery, status: int
) -> None:
    await registered(installation, "ada@example.org")
    service.answer_next(Answer(status=status, body=b"the mailbox\r\nis full"))
    assert await delivery.drain() == Drained(sent=0, failed=1, waiting=0, paused=None)
    row = await the_row(installation)
    reason = f"HTTP {status}: the mailbox is full"
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


async def test_a_reason_holds_nothing_personal(
    installation: Installation, service: NotificationService, delivery: Delivery
) -> None:
    await registered(installation, "ada@example.org")
    message = (await the_row(installation))["message"]
    echo = f'{{"to": "Ada@Example.org", "q": "ada%40example.org", "text": "{message}"}}'
    service.answer_next(Answer(status=422, body=echo.encode() + b"\x00\xff" + b"x" * 100_000))
    await delivery.drain()
    reason = (await the_row(installation))["last_error"]
    assert "example.org" not in reason.lower()
    assert message not in reason
    assert len(reason) < 300


@pytest.mark.parametrize(
    "echo",
    [
        "no mailbox Ada.Lovelace@Example.org here",
        '{"to": "ada.lovelace\\u0040example.org"}',
        "<p>ada.lovelace&#64;example.org</p>",
        "<p>ada.lovelace&commat;example.org</p>",
        "/unknown?to=ada%2Elovelace%40example%2Eorg",
        "user ada.lovelace is not known",
        "user (Ada.Lovelace) at example.org",
        "EXAMPLE.ORG takes no mail",
    ],
)
async def test_a_reason_names_no_part_of_the_address_however_it_is_written(
    installation: Installation, service: NotificationService, delivery: Delivery, echo: str
) -> None:
    await registered(installation, "ada.lovelace@example.org")
    service.answer_next(Answer(status=422, body=echo.encode()))
    await delivery.drain()
    (failed,) = await history_of(installation, Failed)
    assert isinstance(failed.event, Failed)
    reason = failed.event.reason
    assert (await the_row(installation))["last_error"] == reason
    assert reason.startswith("HTTP 422: ")
    assert "[email]" in reason
    assert not any(part in reason.lower() for part in ("ada", "lovelace", "example"))


@pytest.mark.parametrize("status", [401, 403])
async def test_bad_credentials_pause_everything_and_lose_nothing(
    installation: Installation, service: NotificationService, delivery: Delivery, status: int
) -> None:
    await registered(installation, *crowd(300))
    service.usual = Answer(status=status)
    drained = await delivery.drain()
    assert drained == Drained(sent=0, failed=0, waiting=300, paused=f"HTTP {status}")
    assert len(service.received) <= calling.CONNECTIONS
    assert {row["attempts"] for row in await installation.rows("outbox")} == {0}
    assert await history_of(installation, Sent, Failed) == []

    asked = len(service.received)
    assert not await delivery.run(seconds=60)
    assert len(service.received) == asked


async def test_a_pause_is_probed_with_one_notification_and_ends_with_the_first_that_is_taken(
    installation: Installation,
    service: NotificationService,
    worker_settings: Settings,
    delivery: Delivery,
) -> None:
    await registered(installation, *crowd(100))
    service.usual = Answer(status=401)
    await delivery.drain()
    asked = len(service.received)

    # Whoever starts probes at once: somebody may have set the credentials right.
    async with new_delivery(
        worker_settings, installation.database_url, installation.keys
    ) as another:
        assert (await another.drain()).paused == "HTTP 401"
    assert len(service.received) == asked + 1

    service.usual = Answer()
    async with new_delivery(
        worker_settings, installation.database_url, installation.keys
    ) as another:
        assert await another.drain() == Drained(sent=100, failed=0, waiting=0, paused=None)


async def test_while_paused_one_row_is_leased_by_whoever_is_next_to_probe(
    installation: Installation,
) -> None:
    await registered(installation, *crowd(10))
    connection = installation.connection
    await pause.begin(connection, "HTTP 401")
    assert await outbox.lease(connection, 10) == []

    await connection.execute("UPDATE delivery_pause SET probe_at = now()")
    async with await connect(installation.database_url) as another:
        leases = await asyncio.gather(outbox.lease(connection, 10), outbox.lease(another, 10))
    assert sorted(len(lease) for lease in leases) == [0, 1]
    cursor = await connection.execute(
        "SELECT probe_every, probe_at > now() + interval '9 seconds' FROM delivery_pause"
    )
    assert await cursor.fetchone() == (timedelta(seconds=10), True)

    await pause.end(connection)
    assert len(await outbox.lease(connection, 10)) == 9


async def test_the_intervals_between_probes_grow_to_a_minute(installation: Installation) -> None:
    await registered(installation, *crowd(10))
    connection = installation.connection
    await pause.begin(connection, "HTTP 401")
    for _ in range(8):
        await connection.execute("UPDATE delivery_pause SET probe_at = now()")
        assert await pause.rows_allowed(connection, 10) == 1
    cursor = await connection.execute("SELECT probe_every FROM delivery_pause")
    assert await cursor.fetchone() == (timedelta(seconds=60),)


async def test_nothing_is_sent_to_an_erased_person(
    installation: Installation, service: NotificationService, delivery: Delivery
) -> None:
    await registered(installation, "ada@example.org")
    await installation.connection.execute("UPDATE outbox SET email = NULL")
    assert (await delivery.drain()).failed == 1
    assert service.received == []
    (failed,) = await history_of(installation, Failed)
    assert isinstance(failed.event, Failed)
    assert failed.event.reason == "the recipient was erased"


async def test_an_outcome_under_a_lease_that_somebody_else_has_now_is_refused(
    installation: Installation,
) -> None:
    await registered(installation, "ada@example.org")
    connection, decider = installation.connection, Decider(installation.keys)
    (ours,) = await outbox.lease(connection, 10)
    assert await outbox.lease(connection, 10) == []
    await make_due(installation)
    (theirs,) = await outbox.lease(connection, 10)

    await outbox.settle(connection, decider, [(ours, calling.Refused("too late"))])
    assert (await the_row(installation))["state"] == "waiting"
    assert await history_of(installation, Sent, Failed) == []
    await outbox.settle(connection, decider, [(theirs, calling.Sent())])
    assert (await the_row(installation))["state"] == "sent"
    assert len(await history_of(installation, Sent, Failed)) == 1


async def test_a_batch_reads_as_little_of_a_large_outbox_as_of_a_young_one(
    installation: Installation,
) -> None:
    """Plans that were made for the empty table once read all of it for every row."""
    connection, decider = installation.connection, Decider(installation.keys)
    event_id = await installation.event()

    async def rows_read() -> int:
        """By this connection, as far as its transaction can see."""
        cursor = await connection.execute(
            """
            SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::int
            FROM pg_stat_xact_user_tables WHERE relname IN ('outbox', 'history_events')
            """
        )
        ((total,),) = await cursor.fetchall()
        return int(total)

    async def send_some() -> None:
        leased = await outbox.lease(connection, 10)
        await outbox.settle(connection, decider, [(row, calling.Sent()) for row in leased])

    for number in range(8):
        await installation.register(event_id, f"early{number}@example.org")
        await installation.project()
        await send_some()
    await installation.register(event_id, *crowd(3_000))
    await installation.project()
    async with connection.transaction():
        before = await rows_read()
        await send_some()
        assert await rows_read() - before < 100


async def test_deliveries_side_by_side_send_everything_once(
    installation: Installation,
    service: NotificationService,
    worker_settings: Settings,
    delivery: Delivery,
) -> None:
    await registered(installation, *crowd(400))
    async with new_delivery(
        worker_settings, installation.database_url, installation.keys
    ) as another:
        one, two = await asyncio.gather(delivery.drain(), another.drain())
    assert one.sent + two.sent == 400
    assert sorted(service.emails) == sorted(crowd(400))
    assert len(await history_of(installation, Sent)) == 400


async def test_a_run_takes_what_comes_in_meanwhile_when_it_is_woken(
    installation: Installation, service: NotificationService, delivery: Delivery
) -> None:
    await registered(installation, "slow@example.org")
    service.by_email["slow@example.org"] = Answer(delay=3)
    running = asyncio.create_task(delivery.run())
    await until_async(_true_once(lambda: service.emails == ["slow@example.org"]))
    await registered(installation, "quick@example.org")
    delivery.wake()

    async def quick_one_is_sent() -> bool:
        rows = await rows_by_email(installation)
        return bool(rows["quick@example.org"]["state"] == "sent")

    await until_async(quick_one_is_sent)
    assert delivery.running
    await running
    assert not delivery.running


async def test_a_stop_ends_calls_under_way_and_gives_their_leases_back(
    installation: Installation,
    service: NotificationService,
    delivery: Delivery,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delivering, "STOP_GRACE", 0.1)
    await registered(installation, *crowd(100))
    service.usual = Answer(delay=60)
    running = asyncio.create_task(delivery.run())
    await until_async(_true_once(lambda: len(service.received) == calling.CONNECTIONS))
    delivery.stop()
    await running
    rows = await installation.rows("outbox")
    assert {(row["state"], row["lease_token"]) for row in rows} == {("waiting", None)}
    assert max(seconds_until(row["due_at"]) for row in rows) <= outbox.FIRST_BACKOFF
    assert len(service.received) == calling.CONNECTIONS


async def test_answers_are_recorded_although_the_connection_was_lost_meanwhile(
    installation: Installation, service: NotificationService, delivery: Delivery
) -> None:
    await registered(installation, "ada@example.org")
    service.usual = Answer(delay=0.5)
    running = asyncio.create_task(delivery.run())
    await until_async(_true_once(lambda: service.received))
    await installation.connection.execute(
        """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()
        """
    )
    await running
    assert (await the_row(installation))["state"] == "sent"
    assert len(service.received) == 1


def test_the_backoff_doubles_up_to_ten_minutes_and_is_spread_over_all_of_it() -> None:
    for attempts, longest in [(1, 1), (2, 2), (5, 16), (20, 600), (100_000, 600)]:
        waits = [outbox.backoff(attempts) for _ in range(500)]
        assert min(waits) < 0.2 * longest
        assert 0.8 * longest < max(waits) <= longest


def _true_once(condition: Any) -> Any:
    async def holds() -> bool:
        return bool(condition())

    return holds
