"""Worker processes that are suspended during delivery, by SIGSTOP or with their machine."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections import Counter
from contextlib import ExitStack

import pytest

from projections.backlog import count_by_state
from runtime.embedded.services import Services
from runtime.settings import Settings
from tests.support.http_server import Answer
from tests.support.installation import Installation
from tests.support.notification_service import NotificationService
from tests.support.processes import environment, role
from tests.support.waiting import until_async
from tests.workers.outboxes import crowd, registered

pytestmark = pytest.mark.anyio

GONE_SOON = """
from workers.delivery import abandoned
abandoned.DEAD_AFTER, abandoned.MIN_LEASE_AGE = 3.0, 2.0
"""

STANDS_STILL = 15.0
"""Seconds; longer than a worker may be gone for, which is shorter here."""

VISITORS = 2_000


async def test_a_suspended_worker_delays_notifications_but_sends_none_twice(
    installation: Installation,
    service: NotificationService,
    worker_settings: Settings,
    services: Services,
) -> None:
    """One of two workers is suspended with running calls and leased rows; the other one
    continues."""
    await registered(installation, *crowd(VISITORS))
    service.usual = Answer(delay=0.3)
    surroundings = environment(worker_settings, services)
    with ExitStack() as running:
        one = running.enter_context(role(surroundings, "outbox", first=GONE_SOON))
        await until_async(lambda: asyncio.sleep(0, len(service.received) > 200))
        one.send_signal(signal.SIGSTOP)
        stopped = time.monotonic()
        try:
            before = len(service.received)
            running.enter_context(role(surroundings, "outbox", first=GONE_SOON))
            await until_async(lambda: asyncio.sleep(0, time.monotonic() > stopped + STANDS_STILL))
        finally:
            one.send_signal(signal.SIGCONT)

        async def all_sent() -> bool:
            return (await count_by_state(installation.connection))["sent"] == VISITORS

        await until_async(all_sent, within=180)
    times = Counter(service.emails)
    twice = sum(1 for count in times.values() if count > 1)
    sys.stdout.write(f"before the pause {before}, lost {VISITORS - len(times)}, twice {twice}\n")
    assert (len(times), twice) == (VISITORS, 0)
