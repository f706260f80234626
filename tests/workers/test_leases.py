"""Leases of many workers: each row is sent by one of them, and its outcome is recorded."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from domain.history.store import connect
from domain.notifications import Failed, Sent
from runtime.settings import Settings
from tests.support.http_server import Answer
from tests.support.installation import Installation
from tests.support.notification_service import NotificationService
from tests.support.waiting import until_async
from tests.workers.outboxes import (
    crowd,
    history_of,
    make_due,
    registered,
    rows_by_email,
    seconds_until,
    the_row,
)
from workers.delivery import abandoned, leases, liveness
from workers.delivery import deliverer as delivering
from workers.delivery import notification_service as calling
from workers.delivery.abandoned import AbandonedLeases
from workers.delivery.deliverer import Delivery, new_delivery
from workers.delivery.sender import Accepted, Rejected

pytestmark = pytest.mark.anyio


async def test_nothing_is_sent_to_an_erased_person(
    installation: Installation, service: NotificationService, delivery: Delivery
) -> None:
    await registered(installation, "ada@example.org")
    await installation.connection.execute("DELETE FROM personal_keys")
    assert (await delivery.drain()).failed == 1
    assert service.received == []
    (failed,) = await history_of(installation, Failed)
    assert isinstance(failed.event, Failed)
    assert failed.event.reason == "the recipient was erased"


async def test_an_outcome_is_refused_if_another_worker_has_the_lease_now(
    installation: Installation,
) -> None:
    await registered(installation, "ada@example.org")
    connection, decider = installation.connection, installation.decider
    (expired,) = await leases.lease(connection, installation.keys, 10)
    assert await leases.lease(connection, installation.keys, 10) == []
    await make_due(installation)
    (current,) = await leases.lease(connection, installation.keys, 10)

    await leases.settle(connection, decider, [(expired, Rejected("too late"))])
    assert (await the_row(installation))["state"] == "waiting"
    assert await history_of(installation, Sent, Failed) == []
    await leases.settle(connection, decider, [(current, Accepted())])
    assert (await the_row(installation))["state"] == "sent"
    assert len(await history_of(installation, Sent, Failed)) == 1


async def test_a_batch_reads_as_little_of_a_large_outbox_as_of_a_young_one(
    installation: Installation,
) -> None:
    """Plans that were made for the empty table once read all of it for every row."""
    connection, decider = installation.connection, installation.decider
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
        leased = await leases.lease(connection, installation.keys, 10)
        await leases.settle(connection, decider, [(row, Accepted()) for row in leased])

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


async def test_a_woken_run_also_takes_rows_that_were_added_meanwhile(
    installation: Installation, service: NotificationService, delivery: Delivery
) -> None:
    await registered(installation, "slow@example.org")
    service.by_email["slow@example.org"] = Answer(delay=6)
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


async def test_a_stop_ends_running_calls_and_returns_all_leases(
    installation: Installation,
    service: NotificationService,
    delivery: Delivery,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delivering, "STOP_GRACE", 0.1)
    await registered(installation, *crowd(100))
    service.usual = Answer(delay=60)
    running = asyncio.create_task(delivery.run())
    await until_async(_true_once(lambda: len(service.received) == calling.MAX_CALLS))
    delivery.stop()
    await running
    rows = await installation.rows("outbox")
    assert {(row["state"], row["lease_token"]) for row in rows} == {("waiting", None)}
    assert max(seconds_until(row["due_at"]) for row in rows) <= 0
    assert {row["attempts"] for row in rows} == {0}
    assert len(service.received) == calling.MAX_CALLS


async def test_a_free_connection_takes_the_next_row_before_outcomes_are_recorded(
    installation: Installation,
    service: NotificationService,
    delivery: Delivery,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(delivering, "GATHER_TIME", 600)
    in_hand = delivering.LEASED_PER_CALL * calling.MAX_CALLS
    await registered(installation, *crowd(in_hand + 10))
    running = asyncio.create_task(delivery.run())
    await until_async(_true_once(lambda: len(service.received) == in_hand))
    assert {row["state"] for row in await installation.rows("outbox")} == {"waiting"}
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


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


async def test_rows_leased_by_a_lost_worker_are_due_soon(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not those of a live worker, however long it is suspended."""
    monkeypatch.setattr(abandoned, "DEAD_AFTER", 0.0)
    monkeypatch.setattr(abandoned, "MIN_LEASE_AGE", 0.0)
    monkeypatch.setattr(abandoned, "CHECK_INTERVAL", 0.0)
    await registered(installation, *crowd(2))
    holders = [liveness.new_worker_id() for _ in range(2)]
    sessions = [await connect(installation.database_url) for _ in holders]
    for holder, session in zip(holders, sessions, strict=True):
        await liveness.hold_liveness_lock(session, holder)
        await leases.lease(session, installation.keys, 1, token=liveness.new_token(holder))
    watching = AbandonedLeases()
    await watching.free(installation.connection)
    assert await leases.lease(installation.connection, installation.keys, 10) == []

    await sessions[0].close()

    async def freed() -> bool:
        await watching.free(installation.connection)
        rows = await installation.rows("outbox")
        return sum(row["lease_token"] is None for row in rows) == 1

    await until_async(freed)
    (row,) = await leases.lease(installation.connection, installation.keys, 10)
    await sessions[1].close()
    assert row.attempts == 2


def test_the_backoff_doubles_up_to_ten_minutes_and_is_spread_over_all_of_it() -> None:
    for attempts, longest in [(1, 1), (2, 2), (5, 16), (20, 600), (100_000, 600)]:
        waits = [leases.backoff(attempts) for _ in range(500)]
        assert min(waits) < 0.2 * longest
        assert 0.8 * longest < max(waits) <= longest


def _true_once(condition: Any) -> Any:
    async def holds() -> bool:
        return bool(condition())

    return holds
