"""The `api` role: serves the application with granian, in this one process."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from typing import Any

import uvloop
from granian import net
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server
from litestar.types import ASGIApp

from api import port_handover
from api.app import create_app
from api.http.clients import Clients
from api.http.connection_limits import ConnectionLimits, capacity
from api.http.connections import connected
from domain.privacy.keys import InstallationKeys
from runtime import tracing
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.heartbeat import HEART
from runtime.installation import installation_keys
from runtime.settings import Settings

BACKLOG = 1024
"""Connections that wait to be accepted."""

HEAD_DEADLINE = 15.0
"""Seconds in which a client sends the head of its next request, from the moment that it connects or
was answered."""

LARGEST_HEAD = 128 * 1024
"""Bytes; a longer one is answered 431 without a body, others as `api.http.heads` has it."""

UNREAD_DEADLINE = 15.0
"""Seconds that a client may leave an answer unread."""

FAREWELL = 1.0
"""Seconds in which those who are connected send what they were about to send. With its answer
they are told that the connection ends."""

PARTING = 0.5
"""Seconds after which connections without a request are ended by force."""

GRACE = 5.0
"""Seconds that accepted requests have to be answered in, once the process is told to end."""


def serve(settings: Settings, services: Services, host: str, port: int) -> None:
    """Answer until SIGTERM or SIGINT; what was accepted by then is answered first.

    Several processes may serve one port. Raises CommandFailed.
    """
    keys = installation_keys(settings, services.database_url)
    with tracing.sent("api", settings):
        uvloop.run(_serve(settings, services, keys, _address(host), port))


async def _serve(
    settings: Settings, services: Services, keys: InstallationKeys, address: str, port: int
) -> None:
    async with connected(settings, services, keys) as connections:
        most = capacity()
        server = http_server(create_app(settings, connections), address, port, most)
        client_of = Clients(settings.trusted_proxies).of_peer
        limits = ConnectionLimits(port, most, connections.in_flight, client_of)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, connections.ending.set)
        _collect_garbage_less()
        serving = loop.create_task(server.serve())
        keeping = loop.create_task(limits.keep())
        beating = loop.create_task(HEART.beat_in_loop())
        ending = loop.create_task(connections.ending.wait())
        await asyncio.wait({serving, ending}, return_when=asyncio.FIRST_COMPLETED)
        await port_handover.leave(port)
        for _ in range(10):  # in parts, so that a machine which stands still does not use it up
            await asyncio.wait({serving}, timeout=FAREWELL / 10)
        keeping.cancel()
        beating.cancel()
        server.stop()  # type: ignore[no-untyped-call]
        await asyncio.wait({serving}, timeout=PARTING)
        for _ in range(round(GRACE / PARTING)):
            if not serving.done():
                limits.end_idle()
                await asyncio.wait({serving}, timeout=PARTING)
        if serving.done() and (error := serving.exception()):
            reason, _, _ = str(error).partition("\n")
            raise CommandFailed(f"cannot serve at {address} port {port}: {reason}") from error


class _Server(Server):
    """Granian's, at a socket with an option that it does not set."""

    def _init_shared_socket(self) -> None:
        listener = port_handover.listen(self.bind_addr, self.bind_port, self.backlog)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # on Linux; its connections inherit it
            unread = round(UNREAD_DEADLINE * 1000)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, unread)
        backlog = (self.backlog,) if port_handover.SHARED else ()
        is_unix = False
        holder: Any = net.SocketHolder  # type: ignore[attr-defined]
        self._shd = holder(listener.detach(), is_unix, *backlog)


def http_server(app: ASGIApp, address: str, port: int, most: int = BACKLOG) -> Server:
    """A server whose `serve()` answers until its `stop()`, on `most` connections at once; other
    processes may share the port."""
    return _Server(
        app,
        address,
        port,
        interface=Interfaces.ASGINL,  # no lifespan: the app's connections are its caller's
        backlog=BACKLOG,
        backpressure=most,
        http=HTTPModes.http1,  # else it waits for the first byte without an end
        http1_settings=HTTP1Settings(
            header_read_timeout=round(HEAD_DEADLINE * 1000), max_buffer_size=LARGEST_HEAD
        ),
        websockets=False,
        log_enabled=False,
    )


def _collect_garbage_less() -> None:
    """What lives as long as the process is looked at no more, and the rest less often: a request
    leaves no cycles behind. It halves the slowest answers under load."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 50, 50)


def _address(host: str) -> str:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise CommandFailed(f"{host} is no address to serve at: {error.strerror}") from None
    return str(found[0][4][0])
