"""People are erased while a suspended worker sends their notifications."""

from __future__ import annotations

import asyncio
import math
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.support.http_server import Answer
from tests.support.notification_service import notification_service
from tests.support.waiting import until_async
from tests.system.registering import an_event, register
from tests.system.running import System, up

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse battery"

SUSPENDED_FOR = 8.0
"""Seconds; longer than an erasure waits for a worker."""


async def suspend_worker(system: System) -> None:
    worker = system.role("worker")
    assert worker is not None
    worker.suspend()
    ends = time.monotonic() + SUSPENDED_FOR

    async def over() -> bool:
        return time.monotonic() > ends

    await until_async(over)
    worker.resume()


async def test_erased_persons_get_no_message_and_no_message_is_sent_twice(data_dir: Path) -> None:
    with (
        notification_service() as service,
        up(
            data_dir,
            NOTIFICATION_SERVICE_URL=service.url,
            NOTIFICATION_TOKEN="t",
            RATE_LIMITS="off",
            EVENTS_FACE_PASSWORD=PASSWORD,
        ) as system,
    ):
        service.usual = Answer(status=202, delay=0.2)
        system.events_face("createsuperuser", "--username", "root")
        async with system.client() as http:
            body = {"username": "root", "password": PASSWORD}
            login = await http.post("/api/auth/login", json=body)
            root = {"Authorization": f"Bearer {login.json()['data']['access_token']}"}
            fair = await an_event(http)
            stop, confirmed, erased_at = asyncio.Event(), list[str](), dict[str, float]()

            async def visitors(name: str) -> None:
                number = 0
                while not stop.is_set():
                    number += 1
                    email = f"{name}.{number}@example.com"
                    if (await register(http, fair, email)).status_code == 201:
                        confirmed.append(email)
                        if number % 3 == 0:
                            await erase(email)

            async def erase(email: str) -> None:
                erasing = {"email": email}
                answer = await http.post("/api/visitors/erase", json=erasing, headers=root)
                assert answer.status_code == 200, answer.text
                erased_at[email] = time.monotonic()

            async def go_on_for(erasures: int) -> None:
                wanted = len(erased_at) + erasures
                await until_async(lambda: asyncio.sleep(0, len(erased_at) >= wanted))

            async with asyncio.TaskGroup() as load:
                for place in range(8):
                    load.create_task(visitors(f"visitor{place}"))
                await go_on_for(10)
                for _ in range(2):
                    await suspend_worker(system)
                    await go_on_for(10)
                stop.set()
            kept = set(confirmed) - erased_at.keys()
            await until_async(lambda: asyncio.sleep(0, kept <= set(service.emails)), within=120)
            times = Counter(service.emails)
            late = [r.email for r in service.received if r.at > erased_at.get(r.email, math.inf)]
            twice = [email for email, count in times.items() if count > 1]
            sys.stdout.write(
                f"answered 201: {len(confirmed)}, erased {len(erased_at)}, lost "
                f"{len(kept - times.keys())}, sent after the erasure {len(late)}, "
                f"twice {len(twice)}\n"
            )
            assert (late, twice) == ([], [])
