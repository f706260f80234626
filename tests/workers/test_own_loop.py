"""A coroutine in a loop of its own does not block the loop that waits for it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from workers.own_loop import call_on_this_loop, run_in_own_loop

pytestmark = pytest.mark.anyio


async def test_it_runs_in_a_thread_of_its_own_and_its_result_comes_back() -> None:
    async def which() -> int:
        return threading.get_ident()

    assert await run_in_own_loop(which()) != threading.get_ident()


async def test_its_exception_is_raised_in_the_caller() -> None:
    async def fails() -> None:
        raise LookupError("nothing")

    with pytest.raises(LookupError):
        await run_in_own_loop(fails())


async def test_it_is_cancelled_together_with_its_caller_and_has_ended_then() -> None:
    begun, ended = threading.Event(), threading.Event()

    async def goes_on() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            ended.set()

    waiting = asyncio.create_task(run_in_own_loop(goes_on()))
    await asyncio.to_thread(begun.wait, 60)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended.is_set()


async def test_its_callbacks_run_on_the_loop_of_the_caller() -> None:
    called = asyncio.Queue[tuple[str, int]]()

    async def calls(back: object) -> None:
        assert callable(back)
        back("done")

    def note(what: str) -> None:
        called.put_nowait((what, threading.get_ident()))

    await run_in_own_loop(calls(call_on_this_loop(note)))
    assert await called.get() == ("done", threading.get_ident())
