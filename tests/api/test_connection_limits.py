"""Clients that connect and do nothing: they are ended, and others are served meanwhile."""

from __future__ import annotations

import select
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from runtime.embedded.services import Services
from runtime.ports import free_port
from runtime.settings import Settings
from tests.api.serving import api_process
from tests.support.processes import accepts
from tests.support.waiting import DEADLINE, until

SILENT = b""
HALF_A_LINE = b"GET /hea"
HALF_A_HEAD = b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-More: "
HALF_A_BODY = (
    b"POST /api/events/areas HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b'Content-Length: 14\r\n\r\n{"name": '
)
OTHER_HALF = b'"Hall'
ANSWERED = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
MUCH_IS_NOT_READ = b"GET /api/assets/redoc/redoc.standalone.js HTTP/1.1\r\nHost: x\r\n\r\n" * 20

PATIENT = (
    "from api import server; from api.http import connection_limits; "
    "server.HEAD_TIMEOUT = server.SHUTDOWN_TIMEOUT = 3600.0\n"
)
"""What ends a connection now is no deadline."""

pytestmark = pytest.mark.anyio


@contextmanager
def clients(port: int, count: int, sent: bytes, address: str) -> Iterator[list[socket.socket]]:
    with ExitStack() as held:
        found = []
        for _ in range(count):
            client = held.enter_context(socket.socket())
            client.bind((address, 0))
            client.connect(("127.0.0.1", port))
            client.sendall(sent)
            found.append(client)
        yield found


def ended(clients: list[socket.socket]) -> int:
    """How many of those that are never answered."""
    readable, _, _ = select.select(clients, [], [], 0)
    return len(readable)


def lives(port: int, address: str) -> bool:
    with clients(port, 1, ANSWERED, address) as (client,):
        client.settimeout(DEADLINE)
        return client.recv(100).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("sent", [SILENT, HALF_A_LINE, HALF_A_HEAD])
def test_a_connection_without_a_complete_head_is_closed_in_time(
    settings: Settings, services: Services, sent: bytes
) -> None:
    port, hurried = free_port(), "from api import server; server.HEAD_TIMEOUT = 0.5"
    with (
        api_process(settings, services, port, first=hurried),
        clients(port, 3, sent, "127.0.0.1") as those,
    ):
        until(lambda: ended(those) == 3)


def test_a_connection_with_a_very_slow_head_is_closed_in_time(
    settings: Settings, services: Services
) -> None:
    port, hurried = free_port(), "from api import server; server.HEAD_TIMEOUT = 1.0"
    with (
        api_process(settings, services, port, first=hurried),
        clients(port, 1, HALF_A_HEAD, "127.0.0.1") as (client,),
    ):
        until(lambda: _is_reset(client) or ended([client]))


def test_others_are_served_while_one_client_takes_all_connections(
    settings: Settings, services: Services
) -> None:
    port, few = free_port(), PATIENT + "connection_limits.MAX_CONNECTIONS = 300"
    with (
        api_process(settings, services, port, first=few),
        clients(port, 350, SILENT, "127.0.0.2") as those,
    ):
        assert lives(port, "127.0.0.1")
        assert lives(port, "127.0.0.2")
        assert 0 < ended(those) < 350


def test_the_idle_connections_of_a_client_are_limited_and_a_proxy_has_more(
    settings: Settings, services: Services
) -> None:
    port, few = free_port(), PATIENT + "connection_limits.MAX_IDLE_OF_CLIENT = 20"
    with (
        api_process(settings, services, port, first=few, TRUSTED_PROXIES="127.0.0.3"),
        clients(port, 50, HALF_A_LINE, "127.0.0.3") as of_a_proxy,
        clients(port, 50, HALF_A_LINE, "127.0.0.2") as those,
    ):
        until(lambda: ended(those) == 30)
        assert ended(of_a_proxy) == 0


def test_a_connection_with_a_running_request_is_not_idle(
    settings: Settings, services: Services
) -> None:
    port, few = free_port(), PATIENT + "connection_limits.MAX_IDLE_OF_CLIENT = 0"
    with (
        api_process(settings, services, port, first=few),
        clients(port, 1, HALF_A_BODY, "127.0.0.1") as (client,),
        clients(port, 40, SILENT, "127.0.0.1") as those,
    ):
        until(lambda: ended(those) == 40)
        client.sendall(OTHER_HALF)
        client.settimeout(DEADLINE)
        assert client.recv(100).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "sent", [SILENT, HALF_A_LINE, HALF_A_HEAD, HALF_A_BODY, ANSWERED, MUCH_IS_NOT_READ]
)
def test_slow_clients_do_not_prevent_a_process_from_ending(
    settings: Settings, services: Services, sent: bytes
) -> None:
    port = free_port()
    with (
        api_process(settings, services, port, first=PATIENT) as process,
        clients(port, 20, sent, "127.0.0.1"),
    ):
        until(lambda: lives(port, "127.0.0.1"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == 0
        assert not accepts(port)


def test_a_client_that_does_not_read_an_answer_is_disconnected_in_time(
    settings: Settings, services: Services
) -> None:
    port = free_port()
    hurried = PATIENT + "server.UNREAD_TIMEOUT = 1.0"
    with (
        api_process(settings, services, port, first=hurried),
        clients(port, 3, MUCH_IS_NOT_READ, "127.0.0.1") as those,
    ):
        until(lambda: all(_is_reset(client) for client in those))


def _is_reset(client: socket.socket) -> bool:
    try:
        client.send(b"x")
    except OSError:
        return True
    return False
