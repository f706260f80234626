"""Bounds on the connections of a process: how many one client may keep, and how many there may be.

The server ends who sends nothing, or no whole head, in time. Until then many would use up what a
process can have. So those that are quiet and have no request under way end sooner, when their
client has too many or the process nearly has. The server does not tell its connections; they are
found among the descriptors of the process.
"""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import struct
from collections import defaultdict
from collections.abc import Callable, Container, Iterator
from contextlib import suppress
from typing import NamedTuple

import structlog

MOST = 8192
"""Connections of a process, where its limit of open files allows so many."""

OTHER_FILES = 256
"""Open files of a process that are no connections of clients."""

OF_A_CLIENT = 512
"""Connections that one client may have to a process while they do nothing."""

QUIET = 2.0
"""Seconds without a byte from the client, after which a connection does nothing."""

FULL = 0.9
"""Of `MOST`: from here on connections end whoever has them, down to `RELIEVED`."""

RELIEVED = 0.75

LOOK = 1.0
"""Seconds between two looks."""

FILES = "/dev/fd"
"""A name for each open file of the process that looks."""

_FAMILY = socket.AF_INET6
"""An address of this family is the longest: one of the other is read through it as well."""

_QUIET_SINCE = 52
"""Where `struct tcp_info` has the milliseconds since the last byte came (linux/tcp.h)."""

Peer = tuple[str, str]
"""Address and port, as the server gives them for a request."""

log = structlog.get_logger()


def capacity() -> int:
    """How many connections this process can have, now that it may open as many files as it can."""
    wanted = MOST + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(ValueError, OSError):  # of a kernel that allows less than it says
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(OTHER_FILES, min(MOST, soft - OTHER_FILES))


class _Connection(NamedTuple):
    file: int
    peer: Peer
    quiet: float
    """Seconds."""

    def end(self) -> None:
        """Unless the server has closed it meanwhile: its number may mean another file by now."""
        with (
            suppress(OSError),
            socket.socket(_FAMILY, socket.SOCK_STREAM, fileno=os.dup(self.file)) as own,
        ):
            if _peer(own) == self.peer:
                own.shutdown(socket.SHUT_RDWR)


class ConnectionLimits:
    """Those of the process that serves at this port. `client_of` says whom the connections from an
    address are counted for: None when for nobody."""

    def __init__(
        self,
        port: int,
        most: int,
        in_flight: Container[object],
        client_of: Callable[[str], str | None],
    ) -> None:
        self._port = port
        self._most = most
        self._in_flight = in_flight
        self._client_of = client_of

    async def keep(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(LOOK)
            try:
                if len(_open_files()) > min(OF_A_CLIENT, self._most * FULL):
                    await asyncio.to_thread(self._relieve)
            except OSError as error:
                log.warning("connections cannot be looked at", reason=error.strerror)

    def end_idle(self) -> None:
        """End all connections without a request under way."""
        for connection in self._idle():
            connection.end()

    def _relieve(self) -> None:
        idle = sorted(self._idle(), key=lambda connection: connection.quiet)
        surplus = [
            connection
            for of_one in self._by_client(idle).values()
            for connection in of_one[OF_A_CLIENT:]
            if connection.quiet > QUIET
        ]
        if not surplus and (open_files := len(_open_files())) > self._most * FULL:
            surplus = idle[-round(open_files - self._most * RELIEVED) :]
        for connection in surplus:
            connection.end()
        if surplus:
            log.warning("too many idle connections: some were ended", count=len(surplus))

    def _by_client(self, connections: list[_Connection]) -> dict[str, list[_Connection]]:
        found: dict[str, list[_Connection]] = defaultdict(list)
        for connection in connections:
            client = self._client_of(connection.peer[0])
            if client is not None:
                found[client].append(connection)
        return found

    def _idle(self) -> Iterator[_Connection]:
        for name in _open_files():
            with suppress(OSError):  # closed meanwhile, or no connection
                connection = self._client_at(int(name))
                if connection and connection.peer not in self._in_flight:
                    yield connection

    def _client_at(self, file: int) -> _Connection | None:
        """None for a connection of another kind. Raises OSError for another file."""
        seen = socket.socket(_FAMILY, socket.SOCK_STREAM, fileno=file)
        try:
            place = seen.getsockname()
            if not isinstance(place, tuple) or place[1] != self._port:
                return None
            return _Connection(file, _peer(seen), _quiet(seen))
        finally:
            seen.detach()


def _peer(connection: socket.socket) -> Peer:
    address, port = connection.getpeername()[:2]
    return address.partition("%")[0], str(port)


def _quiet(connection: socket.socket) -> float:
    """Where the kernel does not tell, none counts as quiet."""
    if not hasattr(socket, "TCP_INFO"):
        return 0.0
    known = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _QUIET_SINCE + 4)
    (milliseconds,) = struct.unpack_from("I", known, _QUIET_SINCE)
    return float(milliseconds) / 1000


def _open_files() -> list[str]:
    return os.listdir(FILES)  # noqa: PTH208  their names are enough
