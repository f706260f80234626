"""One look for all who ask."""

from __future__ import annotations

import asyncio

import pytest

from api.database.single_flight import Shared

pytestmark = pytest.mark.anyio


class Scene:
    """What changes with time, and a look at it that takes until it is let go."""

    def __init__(self) -> None:
        self.now = "first"
        self.looks = 0
        self.may_end = asyncio.Event()

    async def look(self) -> str:
        self.looks += 1
        seen = self.now
        await self.may_end.wait()
        return seen


async def _asked(shared: Shared[str]) -> asyncio.Task[str]:
    asking = asyncio.ensure_future(shared())
    for _ in range(3):
        await asyncio.sleep(0)
    return asking


async def test_who_asks_during_a_look_is_told_of_what_came_after_it_began() -> None:
    scene = Scene()
    shared = Shared(scene.look)
    early = await _asked(shared)
    scene.now = "second"
    late = [await _asked(shared) for _ in range(5)]
    scene.may_end.set()
    assert await early == "first"
    assert await asyncio.gather(*late) == ["second"] * 5
    assert scene.looks == 2


async def test_who_goes_away_takes_the_look_from_nobody() -> None:
    scene = Scene()
    shared = Shared(scene.look)
    before = await _asked(shared)
    gone, stays = await _asked(shared), await _asked(shared)
    gone.cancel()
    scene.may_end.set()
    assert await stays == "first"
    assert await before == "first"
    assert scene.looks == 2


async def test_all_who_share_a_look_that_fails_are_told_so_and_the_next_look_is_a_new_one() -> None:
    failures = [ValueError("away")]

    async def look() -> str:
        await asyncio.sleep(0)
        if failures:
            raise failures.pop()
        return "back"

    shared = Shared(look)
    both = await asyncio.gather(shared(), shared(), return_exceptions=True)
    assert [str(found) for found in both] == ["away", "away"]
    assert await shared() == "back"
