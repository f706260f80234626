"""Visitors from outside who register at two hosts: who gets no answer at one goes to the other."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import httpx
import msgspec

from tests.support.waiting import until_async

AT_ONCE = 8

PAUSE = 0.05
"""Seconds that a visitor lets pass before the next one comes."""

PATIENCE = 2.0
"""Seconds that a visitor waits for an answer."""


class Registered(msgspec.Struct, frozen=True):
    id: str
    at: float
    """By `time.monotonic`."""


class Visitors:
    """`accepted` are those answered with 201; of the others, some may be registered
    although they got no answer, and learned it from the next attempt."""

    def __init__(self, origins: Sequence[str]) -> None:
        self.accepted: dict[str, Registered] = {}
        self.confirmed_later = set[str]()
        self.failed = Counter[str]()
        """Tries, by how they failed."""
        self._origins = origins
        self._count = 0
        self._stopping = False

    async def open_event(self) -> None:
        starts = (datetime.now(UTC) + timedelta(days=30)).isoformat()
        event = {"name": "Fair", "event_datetime": starts, "registration_deadline": starts}
        async with httpx.AsyncClient(base_url=self._origins[0], timeout=30) as http:
            answer = await http.post("/api/events/", json=event)
            self._path = f"/api/events/{answer.raise_for_status().json()['data']['id']}/register"

    @property
    def longest_wait(self) -> float:
        """The longest time, in seconds, without an answer 201."""
        times = sorted(registered.at for registered in self.accepted.values())
        return max(later - sooner for sooner, later in pairwise(times))

    async def come(self) -> None:
        """Runs until stopped."""
        async with httpx.AsyncClient(timeout=PATIENCE) as http:
            await asyncio.gather(*(self._one_by_one(http, place) for place in range(AT_ONCE)))

    def stop(self) -> None:
        self._stopping = True

    async def _one_by_one(self, http: httpx.AsyncClient, place: int) -> None:
        """Half of them begin at the one host, half at the other."""
        while not self._stopping:
            self._count += 1
            await self._register(http, f"visitor-{self._count}@example.com", place)
            await asyncio.sleep(PAUSE)

    async def _register(self, http: httpx.AsyncClient, email: str, place: int) -> None:
        body = {"full_name": "Ada Lovelace", "email": email}
        while True:
            origin = self._origins[place % len(self._origins)]
            place += 1
            try:
                answer = await http.post(f"{origin}{self._path}", json=body)
            except httpx.TransportError as error:
                self.failed[type(error).__name__] += 1
                await asyncio.sleep(PAUSE)
                continue
            if answer.status_code == 201:
                self.accepted[email] = Registered(answer.json()["data"]["id"], time.monotonic())
                return
            if answer.status_code == 409:
                self.confirmed_later.add(email)
                return
            self.failed[str(answer.status_code)] += 1
            await asyncio.sleep(PAUSE)


async def more_are_accepted(some: Visitors, count: int) -> None:
    """Returns when so many more are."""
    before = len(some.accepted)

    async def accepted() -> bool:
        return len(some.accepted) >= before + count

    await until_async(accepted)


async def are_turned_away(some: Visitors, times: int = 1) -> None:
    """Returns when tries have failed so many more times."""
    before = some.failed.total()

    async def turned_away() -> bool:
        return some.failed.total() >= before + times

    await until_async(turned_away)


@asynccontextmanager
async def visitors(origins: Sequence[str]) -> AsyncIterator[Visitors]:
    """Coming for the length of the block; at its end each has an answer."""
    some = Visitors(origins)
    await some.open_event()
    coming = asyncio.create_task(some.come())
    try:
        yield some
    finally:
        some.stop()
        await coming
