"""The process that serves: how it starts, shares its port, and ends."""

from __future__ import annotations

import asyncio
import signal
import socket

import httpx
import pytest

from domain.history import connect, last_position
from events_face.services import Services
from events_face.settings import Settings
from tests.api.serving import EVENT, accepts, api_process, free_port
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


async def test_what_was_accepted_is_answered_before_the_process_ends(
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
        assert await asyncio.to_thread(process.wait, 15) == 0
    async with await connect(services.database_url) as connection:
        assert await last_position(connection) == 1 + len(accepted)


def test_a_sender_that_stalls_does_not_keep_the_process_from_ending(
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
        assert process.wait(15) == 0


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


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


def test_a_port_in_use_is_one_line(settings: Settings, services: Services) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with api_process(settings, services, port) as process:
            assert process.wait(15) == 1
