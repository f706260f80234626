"""Leaving a port."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack

import pytest

from api import port_handover
from tests.support.waiting import DEADLINE

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not port_handover.IS_SHARED, reason="ports are not shared here"),
]


async def test_connections_that_wait_are_accepted_before_the_process_ends() -> None:
    loop = asyncio.get_running_loop()
    with ExitStack() as held:
        listener = held.enter_context(socket.create_server(("127.0.0.1", 0), reuse_port=True))
        listener.setblocking(False)
        address = listener.getsockname()
        waiting = [held.enter_context(socket.create_connection(address)) for _ in range(3)]
        leaving = asyncio.create_task(port_handover.leave(address[1]))
        await asyncio.sleep(10 * port_handover.QUEUE_CHECK_INTERVAL)
        assert not leaving.done()

        for client in waiting:
            accepted = held.enter_context(listener.accept()[0])
            accepted.sendall(b"!")
            client.setblocking(False)
            assert await loop.sock_recv(client, 1) == b"!"
        await asyncio.wait_for(leaving, DEADLINE)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)


async def test_new_connections_meanwhile_are_accepted_by_another_process() -> None:
    with ExitStack() as held:
        first = held.enter_context(socket.create_server(("127.0.0.1", 0), reuse_port=True))
        address = first.getsockname()
        held.enter_context(socket.create_connection(address))
        leaving = asyncio.create_task(port_handover.leave(address[1]))
        await asyncio.sleep(10 * port_handover.QUEUE_CHECK_INTERVAL)
        knocking = asyncio.create_task(asyncio.open_connection(*address))
        await asyncio.sleep(10 * port_handover.QUEUE_CHECK_INTERVAL)
        assert not knocking.done()

        first.accept()[0].close()
        await asyncio.wait_for(leaving, DEADLINE)
        held.enter_context(socket.create_server(address, reuse_port=True))
        _, writer = await asyncio.wait_for(knocking, DEADLINE)
        writer.close()


async def test_a_connection_that_is_never_accepted_does_not_prevent_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(port_handover, "ACCEPT_TIMEOUT", 0.1)
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as listener:
        address = listener.getsockname()
        with socket.create_connection(address) as waiting:
            await port_handover.leave(address[1])
            waiting.settimeout(DEADLINE)
            with pytest.raises(ConnectionResetError):
                waiting.recv(1)
