"""The `api` role: serves the application with granian, in this process."""

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
from runtime.heartbeat import HEARTBEAT
from runtime.installation import installation_keys
from runtime.settings import Settings

BACKLOG = 1024
"""Connections in the accept queue, at most."""

HEAD_TIMEOUT = 15.0
"""Seconds for a client to send the head of its next request, counted from connecting or from the
last response."""

MAX_HEAD = 128 * 1024
"""Bytes; granian answers a longer head with 431 and no body. `api.http.heads` has lower limits."""

UNREAD_TIMEOUT = 15.0
"""Seconds that a client may leave a response unread."""

LAST_REQUESTS = 1.0
"""Seconds in which connected clients may still send a request; its response announces that the
connection closes."""

IDLE_CLOSE_INTERVAL = 0.5
"""Seconds after which connections without a request are closed."""

SHUTDOWN_TIMEOUT = 5.0
"""Seconds for accepted requests to be answered, once the process has to end."""


def serve(settings: Settings, services: Services, host: str, port: int) -> None:
    """Answer until SIGTERM or SIGINT, then answer the accepted requests and return.

    Several processes may serve one port. Raises CommandFailed.
    """
    keys = installation_keys(settings, services.database_url)
    with tracing.exporting("api", settings):
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
        _collect_garbage_less_often()
        serving = loop.create_task(server.serve())
        keeping = loop.create_task(limits.keep())
        beating = loop.create_task(HEARTBEAT.beat_in_loop())
        ending = loop.create_task(connections.ending.wait())
        await asyncio.wait({serving, ending}, return_when=asyncio.FIRST_COMPLETED)
        await port_handover.leave(port)
        for _ in range(10):  # in parts, so that a pause of the machine does not use it up
            await asyncio.wait({serving}, timeout=LAST_REQUESTS / 10)
        keeping.cancel()
        beating.cancel()
        server.stop()  # type: ignore[no-untyped-call]
        await asyncio.wait({serving}, timeout=IDLE_CLOSE_INTERVAL)
        for _ in range(round(SHUTDOWN_TIMEOUT / IDLE_CLOSE_INTERVAL)):
            if not serving.done():
                limits.end_idle()
                await asyncio.wait({serving}, timeout=IDLE_CLOSE_INTERVAL)
        if serving.done() and (error := serving.exception()):
            reason, _, _ = str(error).partition("\n")
            raise CommandFailed(f"cannot serve at {address} port {port}: {reason}") from error


class _Server(Server):
    """Granian's server, on a socket with options that granian does not set."""

    def _init_shared_socket(self) -> None:
        listener = port_handover.listen(self.bind_addr, self.bind_port, self.backlog)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # on Linux; its connections inherit it
            unread = round(UNREAD_TIMEOUT * 1000)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, unread)
        backlog = (self.backlog,) if port_handover.IS_SHARED else ()
        is_unix = False
        holder: Any = net.SocketHolder  # type: ignore[attr-defined]
        self._shd = holder(listener.detach(), is_unix, *backlog)


def http_server(app: ASGIApp, address: str, port: int, most: int = BACKLOG) -> Server:
    """A server whose `serve()` answers until its `stop()`, on at most `most` connections at once.
    Other processes may share the port."""
    return _Server(
        app,
        address,
        port,
        interface=Interfaces.ASGINL,  # no lifespan: the caller owns the app's connections
        backlog=BACKLOG,
        backpressure=most,
        http=HTTPModes.http1,  # protocol detection would wait for the first byte for ever
        http1_settings=HTTP1Settings(
            header_read_timeout=round(HEAD_TIMEOUT * 1000), max_buffer_size=MAX_HEAD
        ),
        websockets=False,
        log_enabled=False,
    )


def _collect_garbage_less_often() -> None:
    """Exclude what lives as long as the process, and collect the rest less often: a request leaves
    no reference cycles. This halves the slowest responses under load."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 50, 50)


def _address(host: str) -> str:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise CommandFailed(f"{host} is not an address of this machine: {error.strerror}") from None
    return str(found[0][4][0])
