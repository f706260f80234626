"""The process that serves: how it starts, shares its port, and ends."""

from __future__ import annotations

import asyncio
import signal
import socket

import httpx
import pytest

from domain.history.store import connect, last_position
from runtime.embedded.services import Services
from runtime.ports import free_port
from runtime.settings import Settings
from tests.api.raw_clients import RawClient, Seen
from tests.api.serving import EVENT, api_process
from tests.support.processes import accepts
from tests.support.waiting import DEADLINE, until, until_async

pytestmark = pytest.mark.anyio

LONG_LAST_REQUESTS = "from api import server; server.LAST_REQUESTS = 60.0"
"""However slow the machine, what a test sends in it is in time."""


async def test_accepted_requests_are_answered_before_the_process_ends(
    settings: Settings, services: Services
) -> None:
    port = free_port()
    with api_process(settings, services, port) as process:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            event = (await client.post("/api/events", json=EVENT)).json()["data"]["id"]
            accepted = list[int]()

            async def keep_registering(visitor: int) -> None:
                for n in range(10_000):
                    body = {"full_name": "Ada", "email": f"{visitor}-{n}@example.com"}
                    try:
                        answer = await client.post(f"/api/events/{event}/register", json=body)
                    except httpx.TransportError:
                        return
                    assert answer.status_code == 201
                    accepted.append(n)
                    if len(accepted) == 100:
                        process.send_signal(signal.SIGTERM)

            await asyncio.gather(*(keep_registering(visitor) for visitor in range(16)))
        assert await asyncio.to_thread(process.wait, DEADLINE) == 0
    async with await connect(services.database_url) as connection:
        assert await last_position(connection) == 1 + len(accepted)


@pytest.mark.parametrize("keeps", [True, False], ids=["keeping connections", "one for each"])
async def test_a_process_that_leaves_a_shared_port_refuses_no_connection(
    settings: Settings, services: Services, keeps: bool
) -> None:
    port, seen = free_port(), Seen()
    ended = asyncio.Event()
    with api_process(settings, services, port) as first, api_process(settings, services, port):
        await until_async(lambda: two_answer(f"http://127.0.0.1:{port}/health/live"))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            event = (await client.post("/api/events", json=EVENT)).json()["data"]["id"]

        async def visitor(name: int) -> None:
            client, number = RawClient(port, seen, keeps=keeps), 0
            while not ended.is_set():
                number += 1
                body = {"full_name": "Ada", "email": f"{name}-{number}@example.com"}
                await client.post(f"/api/events/{event}/register", body)
            client.close()

        async def answered(more: int) -> None:
            wanted = len(seen.statuses) + more
            await until_async(lambda: asyncio.sleep(0, len(seen.statuses) >= wanted))

        async with asyncio.TaskGroup() as load:
            for name in range(32):
                load.create_task(visitor(name))
            await answered(300)
            first.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(first.wait, DEADLINE) == 0
            await answered(300)
            ended.set()
    assert set(seen.statuses) == {201}  # none was sent again that had been accepted
    assert seen.unanswered == 0
    async with await connect(services.database_url) as connection:
        assert await last_position(connection) == 1 + len(seen.statuses)


async def test_the_last_answer_on_a_kept_connection_announces_its_end(
    settings: Settings, services: Services
) -> None:
    port, seen = free_port(), Seen()
    with api_process(settings, services, port, first=LONG_LAST_REQUESTS) as process:
        client = RawClient(port, seen, keeps=True)
        await client.post("/api/events/", EVENT)
        process.send_signal(signal.SIGTERM)
        until(lambda: not accepts(port))
        await client.post("/api/events/", EVENT)
        assert (seen.statuses, seen.announced, seen.hung_up) == ([201, 201], 1, 0)


def test_a_stalled_sender_does_not_prevent_the_process_from_ending(
    settings: Settings, services: Services
) -> None:
    port = free_port()
    with (
        api_process(settings, services, port) as process,
        socket.create_connection(("127.0.0.1", port)) as stalled,
    ):
        stalled.sendall(
            b"POST /api/events/areas HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 0


def test_two_processes_share_a_port_and_one_that_is_killed_leaves_it_to_the_other(
    settings: Settings, services: Services
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/health/live"
    with api_process(settings, services, port) as first:
        with api_process(settings, services, port):
            first.kill()
            first.wait()
            until(lambda: answers(url))
        until(lambda: not accepts(port))


async def two_answer(url: str) -> bool:
    """Whether two processes share the port by now: each has names of its own for requests."""
    names = set()
    for _ in range(20):
        async with httpx.AsyncClient(timeout=30) as client:
            names.add((await client.get(url)).headers["X-Request-ID"].partition("-")[0])
    return len(names) == 2


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


def test_a_port_in_use_is_reported_in_one_line(settings: Settings, services: Services) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with api_process(settings, services, port) as process:
            assert process.wait(DEADLINE) == 1
