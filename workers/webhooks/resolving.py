"""Finds the addresses of an endpoint, and refuses those that are not public.

The connection is made to the addresses that were checked here, so a name that changes its address
in between cannot lead into the own network.
"""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx

from runtime.public_addresses import is_public
from workers.delivery.http_connection import Addresses

LOOK_UPS_AT_ONCE = 16
"""Threads. A name server that hangs holds one for each endpoint, not for each connection."""


class AddressRefused(httpx.ConnectError):
    """The address of the endpoint is not public"""

    def __init__(self) -> None:
        super().__init__("the address is not public")


class Resolver:
    """Looks up the names of one endpoint, one at a time. All of them share the threads."""

    def __init__(self, threads: ThreadPoolExecutor, *, private_networks: bool) -> None:
        self._threads = threads
        self._private_networks = private_networks
        self._turn = asyncio.Lock()

    async def resolve(self, host: str, port: int) -> Addresses:
        """Raises `OSError`, `AddressRefused`."""
        look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        async with self._turn:
            found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        allowed = [a for a in found if self._private_networks or is_public(str(a[4][0]))]
        if not allowed:
            raise AddressRefused
        return allowed
