"""Seats are sold exactly, although everything is killed while they are sold."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.support.waiting import until_async
from tests.system.running import System, up

pytestmark = pytest.mark.anyio

SEATS, PEOPLE = 200, 300

ANSWERED_WITHIN = 120.0
"""Seconds. Until a person has an answer, even if processes are killed meanwhile."""


async def test_exactly_the_existing_seats_are_sold_while_every_process_is_killed(
    data_dir: Path,
) -> None:
    with up(data_dir, RATE_LIMITS="off") as system:
        async with system.client() as http:
            event = await _event_with_seats(http)
            answers = Counter[str]()
            waiting = iter(range(PEOPLE))

            async def people() -> None:
                for number in waiting:
                    answers[await _answered(http, event, f"ada{number}@example.com")] += 1

            async with asyncio.TaskGroup() as crowd:
                for _ in range(16):
                    crowd.create_task(people())
                for sold, kill in _kills(system):

                    async def are_sold(number: int = sold) -> bool:
                        return answers["registered"] >= number

                    await until_async(are_sold)
                    await asyncio.to_thread(kill)
        assert answers == {"registered": SEATS, "event-full": PEOPLE - SEATS}
        assert "as history says" in system.events_face("seats", "check")


def _kills(system: System) -> list[tuple[int, Callable[[], None]]]:
    """After how many sold seats, and what."""
    return [
        (40, lambda: system.kill("api")),
        (80, system.kill_postgres),
        (120, lambda: system.kill("projector")),
    ]


async def _event_with_seats(http: httpx.AsyncClient) -> str:
    starts = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    body = {
        "name": "Fair", "event_datetime": starts, "registration_deadline": starts,
        "capacity": SEATS,
    }  # fmt: skip
    answer = await http.post("/api/events/", json=body)
    id: str = answer.raise_for_status().json()["data"]["id"]
    return id


async def _answered(http: httpx.AsyncClient, event: str, email: str) -> str:
    """What the person learns in the end. Who got no answer asks again: they may be registered."""
    ends, failed = time.monotonic() + ANSWERED_WITHIN, ""
    while time.monotonic() < ends:
        try:
            answer = await http.post(
                f"/api/events/{event}/register", json={"full_name": "Ada", "email": email}
            )
        except httpx.TransportError as error:
            failed = repr(error)
        else:
            if answer.status_code == 201:
                return "registered"
            reason = answer.json()["type"].removeprefix("/problems/")
            if answer.status_code == 409:
                return "registered" if reason == "duplicate-registration" else str(reason)
            failed = str(reason)
        await asyncio.sleep(0.05)
    return failed
