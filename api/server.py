"""The `api` role: serves the application with granian, in this one process."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket

import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server
from litestar.types import ASGIApp

from api import listening
from api.app import create_app
from api.connections import connected
from domain.personal_data import InstallationKeys
from events_face import tracing
from events_face.errors import CommandFailed
from events_face.installation import installation_keys
from events_face.services import Services
from events_face.settings import Settings

BACKLOG = 1024
"""Connections that wait to be accepted."""

FAREWELL = 1.0
"""Seconds in which those who are connected send what they were about to send. With its answer
they are told that the connection ends."""

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
        server = http_server(create_app(settings, connections), address, port)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, connections.ending.set)
        _collect_garbage_less()
        serving = loop.create_task(server.serve())
        ending = loop.create_task(connections.ending.wait())
        await asyncio.wait({serving, ending}, return_when=asyncio.FIRST_COMPLETED)
        await listening.leave(port)
        for _ in range(10):  # in parts, so that a machine which stands still does not use it up
            await asyncio.wait({serving}, timeout=FAREWELL / 10)
        server.stop()  # type: ignore[no-untyped-call]
        await asyncio.wait({serving}, timeout=GRACE)
        if serving.done() and (error := serving.exception()):
            reason, _, _ = str(error).partition("\n")
            raise CommandFailed(f"cannot serve at {address} port {port}: {reason}") from error


def http_server(app: ASGIApp, address: str, port: int) -> Server:
    """A server whose `serve()` answers until its `stop()`; other processes may share the port."""
    return Server(
        app,
        address,
        port,
        interface=Interfaces.ASGINL,  # no lifespan: the app's connections are its caller's
        backlog=BACKLOG,
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
