"""A notification service that is down gets few calls, and is used again when it is back."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.http_server import Answer
from tests.support.installation import Installation
from tests.support.notification_service import NotificationService
from tests.support.waiting import until_async
from tests.workers.outboxes import crowd, make_due, registered
from workers.delivery import concurrency as windows
from workers.delivery import leases
from workers.delivery.concurrency import PROBE_DELAY, ConcurrencyLimit
from workers.delivery.deliverer import Delivery
from workers.delivery.notification_service import MAX_CALLS
from workers.delivery.sender import Accepted, Rejected, TryLater

pytestmark = pytest.mark.anyio

LATER = TryLater("HTTP 503")


def test_a_retry_later_halves_the_concurrent_calls_and_any_other_answer_doubles_them() -> None:
    limit = ConcurrencyLimit(8)
    sizes = list[int]()
    for answer in (
        LATER,
        LATER,
        Accepted(),
        LATER,
        LATER,
        LATER,
        Rejected("HTTP 400"),
        Accepted(),
        Accepted(),
    ):
        limit.answered(answer)
        sizes.append(limit.calls)
    assert sizes == [4, 2, 4, 2, 1, 1, 2, 4, 8]


def test_while_the_only_call_is_answered_retry_later_there_is_a_delay_before_the_next() -> None:
    limit = ConcurrencyLimit(2)
    delays = list[float]()
    for answer in (LATER, LATER, Accepted(), LATER):
        limit.answered(answer)
        delays.append(limit.delay)
    assert delays == [PROBE_DELAY, PROBE_DELAY, 0.0, PROBE_DELAY]


def test_the_limit_does_not_fall_below_its_minimum() -> None:
    limit = ConcurrencyLimit(8, minimum=8)
    limit.answered(LATER)
    assert (limit.calls, limit.delay) == (8, 0.0)


async def test_a_service_that_is_down_is_probed_at_intervals_until_it_is_back(
    installation: Installation,
    service: NotificationService,
    delivery: Delivery,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leases, "MAX_BACKOFF", 0.01)  # what is tried is due again at once
    monkeypatch.setattr(windows, "PROBE_DELAY", 60.0)
    service.usual = Answer(status=503)
    await registered(installation, *crowd(500))
    running = asyncio.create_task(delivery.run())

    async def resting() -> bool:
        rows = await installation.rows("outbox")
        leased = [row for row in rows if row["lease_token"] is not None]
        return len(service.received) >= MAX_CALLS and 0 < len(leased) < 10

    await until_async(resting)
    assert len(service.received) == MAX_CALLS  # those that were under way together
    delivery.stop()
    await running


async def test_all_is_sent_once_a_service_that_was_down_is_back(
    installation: Installation, service: NotificationService, delivery: Delivery
) -> None:
    service.usual = Answer(status=503)
    await registered(installation, *crowd(300))
    running = asyncio.create_task(delivery.run())
    await until_async(lambda: _is_more_than(MAX_CALLS, service))
    service.usual = Answer()
    service.received.clear()
    await running
    await make_due(installation)
    await delivery.run()
    assert {row["state"] for row in await installation.rows("outbox")} == {"sent"}
    assert len(service.received) == 300


async def _is_more_than(number: int, service: NotificationService) -> bool:
    return len(service.received) > number
