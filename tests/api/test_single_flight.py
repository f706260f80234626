"""Concurrent callers share one read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from api.database.single_flight import BatchedReads, SingleFlight

pytestmark = pytest.mark.anyio


class Source:
    """A value that changes, and a slow read of it that ends when the test lets it."""

    def __init__(self) -> None:
        self.now = "first"
        self.reads = 0
        self.may_end = asyncio.Event()

    async def read(self) -> str:
        self.reads += 1
        seen = self.now
        await self.may_end.wait()
        return seen


async def _called(flight: SingleFlight[str]) -> asyncio.Task[str]:
    call = asyncio.ensure_future(flight())
    for _ in range(3):
        await asyncio.sleep(0)
    return call


async def test_a_call_during_a_read_gets_the_result_of_the_next_read() -> None:
    source = Source()
    flight = SingleFlight(source.read)
    early = await _called(flight)
    source.now = "second"
    late = [await _called(flight) for _ in range(5)]
    source.may_end.set()
    assert await early == "first"
    assert await asyncio.gather(*late) == ["second"] * 5
    assert source.reads == 2


async def test_a_cancelled_caller_does_not_cancel_the_read_for_the_others() -> None:
    source = Source()
    flight = SingleFlight(source.read)
    before = await _called(flight)
    cancelled, other = await _called(flight), await _called(flight)
    cancelled.cancel()
    source.may_end.set()
    assert await other == "first"
    assert await before == "first"
    assert source.reads == 2


async def test_all_callers_get_the_error_of_a_read_that_fails_and_the_next_read_is_new() -> None:
    failures = [ValueError("away")]

    async def read() -> str:
        await asyncio.sleep(0)
        if failures:
            raise failures.pop()
        return "back"

    flight = SingleFlight(read)
    both = await asyncio.gather(flight(), flight(), return_exceptions=True)
    assert [str(found) for found in both] == ["away", "away"]
    assert await flight() == "back"


async def test_calls_during_a_read_are_read_together_and_each_gets_its_own_result() -> None:
    batches, reading, may_end = list[Sequence[str]](), asyncio.Event(), asyncio.Event()

    async def read(names: Sequence[str]) -> list[str]:
        batches.append(names)
        reading.set()
        await may_end.wait()
        return [name.upper() for name in names]

    reads = BatchedReads(read)
    first = asyncio.ensure_future(reads("ada"))
    await reading.wait()
    others = asyncio.gather(reads("grace"), reads("alan"), reads("grace"))
    asyncio.get_running_loop().call_later(0.05, may_end.set)
    assert await first == "ADA"
    assert list(await others) == ["GRACE", "ALAN", "GRACE"]
    assert batches == [["ada"], ["grace", "alan", "grace"]]
